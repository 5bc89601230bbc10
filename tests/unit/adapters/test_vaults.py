"""The vaults hold their contract, and keys can be rotated."""

from base64 import b64encode
from pathlib import Path

import pytest

from adapters.aes_vault import MOST_KEYS, AesVault, keys_of, new_key
from adapters.memory.vault import MemoryVault
from commerce_core.base.errors import InvalidInput, Unavailable
from commerce_core.ports.vault import Closed, Vault
from entrypoints.compose import _vault
from entrypoints.settings import Settings
from tests.contracts.vault_contract import *  # noqa: F403 - every class of it

ONE, OTHER = (f"{year}:{b64encode(bytes([year % 100] * 32)).decode()}" for year in (2026, 2027))


@pytest.fixture(params=["aes", "memory"])
def vault(request: pytest.FixtureRequest) -> Vault:
    return AesVault.of(ONE) if request.param == "aes" else MemoryVault()


def test_a_key_is_rotated_by_putting_another_in_front():
    """What the old one sealed opens until it is removed, and is known to be old."""
    sealed = AesVault.of(ONE).seal("secret", "a")
    both = AesVault.of(f"{OTHER},{ONE}")
    assert both.open(sealed, "a") == "secret"
    assert (both.is_current(sealed), both.is_current(both.seal("secret", "a"))) == (False, True)
    with pytest.raises(Unavailable, match="2026"):
        AesVault.of(OTHER).open(sealed, "a")


def test_a_sealed_text_names_its_key_in_front():
    assert AesVault.of(ONE).seal("secret", "a").startswith("v1.2026.")


def test_a_text_with_a_changed_bit_does_not_open():
    vault = AesVault.of(ONE)
    sealed = vault.seal("secret", "a")
    other = "B" if sealed[-10] == "A" else "A"
    with pytest.raises(Unavailable):
        vault.open(f"{sealed[:-10]}{other}{sealed[-9:]}", "a")


def test_keys_of_one_id_cannot_pass_for_another():
    sealed = AesVault.of(ONE).seal("secret", "a")
    same_key = AesVault.of(ONE.replace("2026", "2028"))
    with pytest.raises(Unavailable):
        same_key.open(sealed.replace("v1.2026.", "v1.2028."), "a")


@pytest.mark.parametrize("text", ["", "1", "1:AAAA", f"{ONE},{ONE}", "a b:c", "!:" + ONE[5:]])
def test_keys_that_are_none_are_refused(text: str):
    with pytest.raises(InvalidInput):
        keys_of(text)


def test_there_are_so_many_keys_at_most():
    keys = [new_key(str(number)) for number in range(MOST_KEYS + 1)]
    assert len(keys_of(" ".join(keys[:-1]))) == MOST_KEYS
    with pytest.raises(InvalidInput):
        keys_of(",".join(keys))


def test_a_closed_vault_refuses_and_says_what_to_set():
    with pytest.raises(Unavailable, match="vault_keys"):
        Closed().seal("secret", "a")
    with pytest.raises(Unavailable):
        Closed().open("v1.1.AAAA", "a")


def test_the_embedded_default_makes_a_key_once_for_its_owner_alone(tmp_path: Path):
    settings = Settings(database_url=f"embedded:{tmp_path}")
    sealed = _vault(settings).seal("secret", "a")
    assert _vault(settings).open(sealed, "a") == "secret"
    assert settings.vault_file.stat().st_mode & 0o777 == 0o600


def test_keys_come_from_a_setting_or_a_file_that_it_names(tmp_path: Path):
    file = tmp_path / "keys"
    file.write_text(f"{OTHER}\n{ONE}\n")
    sealed = _vault(Settings(vault_keys=ONE)).seal("secret", "a")
    assert _vault(Settings(vault_keys=f"file:{file}")).open(sealed, "a") == "secret"
    with pytest.raises(InvalidInput, match="read"):
        _vault(Settings(vault_keys=f"file:{tmp_path}/none"))


def test_a_shared_database_has_no_vault_without_a_key_and_memory_has_one():
    assert isinstance(_vault(Settings(database_url="postgresql://h/d")), Closed)
    assert isinstance(_vault(Settings(database_url="memory:")), MemoryVault)


def test_settings_do_not_show_the_keys():
    assert ONE not in repr(Settings(vault_keys=ONE))
