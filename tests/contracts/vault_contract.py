"""What a vault promises: secrets come back, to whom they belong, and nothing shows them."""

import pytest

from commerce_core.base.errors import InvalidInput, Unavailable
from commerce_core.ports.vault import LONGEST_SECRET, Vault

SECRET = "p\u00e4ssword \U0001f511"


class TestVault:
    @pytest.mark.parametrize("secret", ["", SECRET, "x" * LONGEST_SECRET])
    def test_a_secret_comes_back(self, vault: Vault, secret: str):
        assert vault.open(vault.seal(secret, "source:1"), "source:1") == secret

    def test_a_sealed_text_does_not_show_its_secret(self, vault: Vault):
        assert "hidden" not in vault.seal("hidden", "source:1")
        assert "hidden" not in repr(vault)

    def test_each_seal_is_another_text(self, vault: Vault):
        assert len({vault.seal(SECRET, "source:1") for _ in range(5)}) == 5

    def test_a_text_that_was_moved_does_not_open(self, vault: Vault):
        with pytest.raises(Unavailable) as refusal:
            vault.open(vault.seal(SECRET, "source:1"), "source:2")
        assert refusal.value.code == "cannot_open"

    @pytest.mark.parametrize("sealed", ["", "v1.memory.7", "v1.1.AAAA", "v1.1.A", "v2.1.AAAA"])
    def test_what_it_never_sealed_does_not_open(self, vault: Vault, sealed: str):
        with pytest.raises(Unavailable) as refusal:
            vault.open(sealed, "source:1")
        assert refusal.value.code == "cannot_open"

    def test_a_secret_beyond_the_limit_is_refused(self, vault: Vault):
        with pytest.raises(InvalidInput):
            vault.seal("x" * (LONGEST_SECRET + 1), "source:1")

    def test_what_is_sealed_now_is_current(self, vault: Vault):
        assert vault.is_current(vault.seal(SECRET, "source:1"))
