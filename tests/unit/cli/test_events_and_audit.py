"""Events and the audit on the command line."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commerce_core.activity.events import Event
from entrypoints.cli.commands.events import _event_columns
from entrypoints.cli.kit.verbs import account
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        made = Cli(commerce)
        made.fine("partners", "add", "Acme")
        file = tmp_path / "feed.csv"
        file.write_text("sku,title\nA,Lamp\n")
        made.fine("feeds", "upload", str(file), "--partner", "Acme")
        yield made


def test_events_are_listed_and_continued_from_the_cursor(cli: Cli):
    answer = cli.fine("events")
    assert "feed.received" in answer.out
    cursor = answer.err.split("--cursor ")[1].strip()
    assert cli.fine("events", "--cursor", cursor, "--json").lines == []
    (event,) = cli.fine("events", "--kind", "feed.received", "--partner", "acme", "--json").lines
    assert event["data"]["file_name"] == "feed.csv"
    assert cli.fine("events", "--follow", "--limit", "1").out.count("feed.received") == 1
    assert cli("events", "--kind", "feed.read").code == 2
    assert cli("events", "--cursor", "nonsense").code == 2


def test_the_audit_is_listed_and_filtered(cli: Cli):
    cli.fine("partners", "set", "Acme", "--currency", "EUR")
    (entry,) = cli.fine("audit", "--action", "partner.changed", "--json").lines
    assert entry["after"] == {"currency": "EUR"}
    assert "currency: None -> EUR" in cli.fine("audit", "--actor", "operator").out
    assert cli.fine("audit", "--from", "2999-01-01", "--json").lines == []
    assert len(cli.fine("audit", "--subject", entry["subjects"][0], "--json").lines) == 2
    assert cli("audit", "--action", "partner.sold").code == 2


def actors(cli: Cli) -> set[str]:
    return {entry["actor"] for entry in cli.fine("audit", "--json").lines}


@pytest.mark.parametrize("place", ["before", "behind"])
def test_a_command_is_put_down_to_the_name_that_it_is_given(cli: Cli, place: str):
    words = ["partners", "set", "Acme", "--currency", "EUR"]
    named = ["--as", "  night   shift "]
    cli.fine(*(named + words if place == "before" else words + named))
    assert actors(cli) == {"operator", "night shift"}
    assert len(cli.fine("audit", "--actor", "night shift", "--json").lines) == 1


@pytest.mark.parametrize(
    "name", ["x" * 101, "", " ", "\u202e", "key_0199c2f4a1b07e3d8c215f60a9d2b4c7", "KEY_1"]
)
def test_a_name_that_would_mislead_is_refused(cli: Cli, name: str):
    """A command isn't put down to a key."""
    answer = cli("--as", name, "partners", "set", "Acme", "--currency", "EUR")
    assert answer.code == 65
    assert "can't be the name" in answer.err
    assert actors(cli) == {"operator"}


def test_the_account_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch):
    """Where it has no name, nobody is made up."""
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "sam")
    assert account() == "sam"

    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert account() is None


def test_an_event_about_a_source_names_it():
    data = {"source_id": "src_1", "source_name": "main", "state": "late", "products": 2}
    event = Event("evt_1", "feed.late", datetime(2026, 3, 2, tzinfo=UTC), ("ptn_1",), data)
    shown = [column.text(event) for column in _event_columns()]
    assert shown[1:] == ["feed.late", "src_1", "source_name main, state late"]
