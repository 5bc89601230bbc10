"""Events and the audit on the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
