"""Keys on the command line: issued with terms, rotated, listed without their secrets."""

from collections.abc import Iterator

import pytest

from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli


@pytest.fixture
def cli() -> Iterator[Cli]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        made = Cli(commerce)
        made.fine("partners", "add", "Acme")
        yield made


def test_a_key_is_issued_with_a_name_and_an_end(cli: Cli):
    """A time without an offset is in UTC."""
    words = ("keys", "add", "--partner", "Acme", "--name", "shop", "--expires", "2999-01-01T10:00")
    out = cli.fine(*words).out
    assert "name     shop" in out
    assert "expires  2999-01-01 10:00:00 UTC" in out
    (key,) = cli.fine("keys", "list", "--json").lines
    assert (key["key_name"], key["expires_at"]) == ("shop", "2999-01-01T10:00:00Z")
    assert (key["last_used_at"], key["successor_id"]) == (None, None)
    assert "ck_" not in cli.fine("keys", "list").out + str(key)
    assert cli("keys", "add", "--operator", "--expires", "2001-01-01").code == 65


def test_a_key_is_rotated(cli: Cli):
    """Both are live until the grace is over; the secret of the new one is shown once."""
    old = cli.fine("keys", "add", "--operator", "--name", "deploy", "--json").json
    new = cli.fine("keys", "rotate", old["key_id"], "--grace", "0", "--json").json
    assert new["key_name"] == "deploy"
    assert new["secret"] != old["secret"]
    listed = {key["key_id"]: key for key in cli.fine("keys", "list", "--json").lines}
    assert listed[old["key_id"]]["successor_id"] == new["key_id"]
    assert listed[old["key_id"]]["expires_at"]
    again = cli("keys", "rotate", old["key_id"])
    assert (again.code, new["key_id"] in again.err) == (73, True)
    assert cli("keys", "rotate", new["key_id"], "--grace", "9999").code == 65


def test_an_offboarded_partner_is_issued_none(cli: Cli):
    cli.fine("partners", "set", "Acme", "--status", "offboarded")
    refused = cli("keys", "add", "--partner", "Acme")
    assert refused.code == 73
    assert "offboarded" in refused.err
