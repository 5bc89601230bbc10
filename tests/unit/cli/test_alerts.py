"""Alerts on the command line."""

import io
from collections.abc import Iterator

import pytest
from attrs import evolve

from adapters.memory.mail import MemoryMail
from commerce_core.commerce import Commerce
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli


@pytest.fixture
def cli() -> Iterator[Cli]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        yield Cli(Commerce(evolve(commerce.context, mail=MemoryMail())))


def test_a_channel_is_added_shown_changed_tested_and_removed(cli: Cli):
    words = ("--mail", "ops@example.com", "--severity", "critical", "--kind", "failed")
    quiet = ("--quiet", "22:00-07:00", "--zone", "Europe/Berlin", "--digest", "30")
    out = cli.fine("alerts", "add", *words, *quiet, "--description", "Night shift").out
    assert "22:00-07:00 Europe/Berlin" in out
    assert "secret" not in out
    (found,) = cli.fine("alerts", "list", "--json").lines
    channel_id = found["channel_id"]
    assert (found["digest_minutes"], found["kinds"]) == (30, ["failed"])
    assert "sealed" not in found
    assert "ops@example.com" in cli.fine("alerts", "list").out
    changed = cli.fine(
        "alerts", "set", channel_id, "--mail", "lead@example.com", "--quiet", "none",
        "--status", "paused",
    ).out  # fmt: skip
    assert "lead@example.com" in changed
    assert "22:00" not in changed
    assert "paused" in cli.fine("alerts", "show", channel_id).out
    assert "sent" in cli.fine("alerts", "test", channel_id).out
    assert "removed" in cli.fine("alerts", "remove", channel_id).out
    assert "There are no channels." in cli.fine("alerts", "list").err


def test_a_webhook_shows_its_secret_once(cli: Cli):
    added = cli.fine("alerts", "add", "--url", "https://chat.invalid/hook")
    assert "whsec_" in added.out
    assert "won't be shown again" in added.out
    (found,) = cli.fine("alerts", "list", "--json").lines
    assert "whsec_" not in cli.fine("alerts", "show", found["channel_id"]).out
    assert "unresolved" in cli.fine("alerts", "test", found["channel_id"]).out


def test_the_log_has_what_was_sent(cli: Cli):
    cli.fine("alerts", "add", "--mail", "ops@example.com")
    assert cli.commerce
    cli.commerce.partners.add("Acme", currency="EUR")
    cli.commerce.feeds.load(io.BytesIO(b"<html>"), partner="Acme")
    cli.commerce.alerting.run()
    assert "A feed failed: html (Acme)" in cli.fine("alerts", "log").out
    (alert,) = cli.fine("alerts", "log", "--status", "sent", "--json").lines
    assert [entry["kind"] for entry in alert["entries"]] == ["failed"]
    assert cli.fine("alerts", "log", "--channel", alert["channel_id"], "--json").lines == [alert]
    assert "There are no alerts." in cli.fine("alerts", "log", "--status", "failed").err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add",), 65),
        (("add", "--mail", "ops"), 65),
        (("add", "--mail", "ops@example.com", "--url", "https://chat.invalid/"), 65),
        (("add", "--mail", "ops@example.com", "--quiet", "22-7"), 2),
        (("add", "--mail", "ops@example.com", "--quiet", "22:00-22:00"), 65),
        (("add", "--mail", "ops@example.com", "--zone", "Europe/Berlin"), 2),
        (("add", "--mail", "ops@example.com", "--digest", "1"), 65),
        (("add", "--mail", "ops@example.com", "--kind", "hold"), 2),
        (("set", "chan_0199c2f4a1b07e3d8c215f60a9d2b4c7"), 2),
        (("set", "chan_0199c2f4a1b07e3d8c215f60a9d2b4c7", "--digest", "60"), 66),
    ],
)
def test_what_can_not_be_is_refused(cli: Cli, words: tuple[str, ...], code: int):
    assert cli("alerts", *words).code == code


def test_without_a_mail_server_the_setting_is_named():
    with open_platform(Settings(database_url="memory:")) as commerce:
        refused = Cli(commerce)("alerts", "add", "--mail", "ops@example.com")
    assert refused.code == 73
    assert "smtp_url" in refused.err
