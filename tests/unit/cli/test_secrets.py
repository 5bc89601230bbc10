"""`commerce secrets` shows whether a former key of the vault is still needed."""

from base64 import b64encode
from collections.abc import Iterator

import pytest
from attrs import evolve

from adapters.aes_vault import AesVault
from commerce_core.commerce import Commerce
from tests.support.commands import Cli
from tests.support.receivers import URL, receivers

FORMER, NEW = (f"{year}:{b64encode(bytes([year % 100] * 32)).decode()}" for year in (2026, 2027))


@pytest.fixture
def cli() -> Iterator[Cli]:
    """A platform with one webhook, whose secret was sealed under a former key."""
    with receivers() as made:
        former = evolve(made.commerce.context, vault=AesVault.of(FORMER))
        Commerce(former).webhooks.add(URL)
        yield Cli(Commerce(evolve(former, vault=AesVault.of(f"{NEW},{FORMER}"))))


def test_secrets_under_a_former_key_are_counted_until_they_are_sealed_anew(cli: Cli):
    assert cli.fine("secrets", "--json").json == {
        "current": 0,
        "former": 1,
        "lost": 0,
        "lost_of": [],
    }
    assert cli.commerce is not None
    cli.commerce.secrets.reseal()
    lines = [line.split() for line in cli.fine("secrets").out.splitlines()]
    assert lines == [
        ["current", "key", "1"],
        ["former", "keys", "0"],
        ["can't", "be", "opened", "0"],
    ]


def test_secrets_that_cannot_be_opened_are_named_and_fail_the_command(cli: Cli):
    assert cli.commerce is not None
    (webhook,) = cli.commerce.webhooks.list()
    answer = Cli(Commerce(evolve(cli.commerce.context, vault=AesVault.of(NEW))))("secrets")
    assert answer.code == 65
    assert webhook.webhook_id in answer.out
