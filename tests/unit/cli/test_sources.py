"""Sources on the command line."""

import re
from collections.abc import Iterator
from pathlib import Path

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


def test_what_is_expected_of_a_source_is_declared_and_shown(cli: Cli):
    of = ("main", "--partner", "Acme")
    shown = cli.fine(
        "sources", "expect", *of, "--every", "P1D", "--grace", "PT2H", "--weekday-off", "sun",
        "--date-off", "2026-12-25",
    ).out  # fmt: skip
    assert re.search(r"(?m)^expects +every 1 day, with 2 hours of grace \(declared\)$", shown)
    assert re.search(r"(?m)^days off +sun, 2026-12-25$", shown)
    assert re.search(r"(?m)^freshness +fresh$", shown)
    assert re.search(r" fresh ", cli.fine("sources", "list").out)
    assert " fresh " in cli.fine("partners", "list").out
    limit = cli.fine("sources", "set", *of, "--stop-selling-after", "PT36H").out
    assert re.search(r"(?m)^stops selling +1 day 12 hours after its last fresh file$", limit)
    never = cli.fine("sources", "set", *of, "--stop-selling-after", "never", "--json").json
    assert never["stop_selling_after"] is None
    assert "expects" not in cli.fine("sources", "expect", *of).out
    for wrong in (("--every", "never"), ("--every", "daily"), ("--weekday-off", "monday")):
        assert cli("sources", "expect", *of, *wrong).code == 2


def test_a_source_is_added_listed_shown_set_and_removed(cli: Cli):
    made = cli.fine(
        "sources", "add", "stock", "--partner", "Acme", "--mode", "full", "--run",
        "--on-error", "2.5%", "--snapshot-pattern", "stock-{YYYY}{MM}{DD}.csv", "--json",
    ).json  # fmt: skip
    assert made["on_error"] == {"threshold": {"share": "0.025"}}
    assert (made["mode"], made["run"]) == ("full", True)
    listed = cli.fine("sources", "list", "--json").lines
    assert [source["source_name"] for source in listed] == ["main", "stock"]
    assert "stock" in cli.fine("sources", "list", "--partner", "Acme").out
    shown = cli.fine("sources", "show", "stock", "--partner", "Acme").out
    assert "the whole feed if more than 2.5% of its records have errors" in shown
    assert re.search(r"^jobs start +automatically$", shown, re.MULTILINE)
    assert re.search(r"^snapshot time +from file names: stock-\{YYYY", shown, re.MULTILINE)
    shown = cli.fine("sources", "show", "main", "--partner", "Acme").out
    assert re.search(r"^rejects +only records with errors$", shown, re.MULTILINE)
    assert "time of receipt, unless an upload specifies one" in shown
    words = (
        "sources", "set", made["source_id"], "--no-run", "--name", "web", "--guard", "removals=40",
        "--guard", "price_leap=off", "--guard", "columns_gone=off",
    )  # fmt: skip
    changed = cli.fine(*words, "--on-error", "20", "--snapshot-pattern", "", "--json").json
    assert changed["on_error"] == {"threshold": {"count": 20}}
    assert (changed["run"], changed["snapshot_pattern"]) == (False, None)
    limits = [changed["guards"][name] for name in ("removals", "price_leap", "columns_gone")]
    assert limits == [40, None, False]
    shown = cli.fine("sources", "show", "web", "--partner", "Acme").out
    assert "removals 40, columns_gone off, price_leap off" in shown
    assert "quantities" not in shown
    net = cli.fine("sources", "set", "web", "--partner", "Acme", "--net-of-orders").out
    assert re.search(r"^quantities +leave out what was ordered", net, re.MULTILINE)
    again = cli.fine("sources", "set", "web", "--partner", "Acme", "--no-net-of-orders", "--json")
    assert again.json == changed
    assert cli.fine("sources", "remove", "web", "--partner", "Acme", "--json").json == changed
    assert cli("sources", "show", "web", "--partner", "Acme").code == 66


@pytest.mark.parametrize("wrong", ["some", "101%", "-3", "5 %"])
def test_a_threshold_that_is_none_is_refused(cli: Cli, wrong: str):
    answer = cli("sources", "set", "main", "--partner", "Acme", f"--on-error={wrong}")
    assert answer.code in (2, 65)


@pytest.mark.parametrize("wrong", ["colour=1", "removals", "removals=on", "columns_gone=1"])
def test_a_guard_that_is_none_is_refused(cli: Cli, wrong: str):
    assert cli("sources", "set", "main", "--partner", "Acme", "--guard", wrong).code == 2


def test_a_change_needs_an_option(cli: Cli):
    assert cli("sources", "set", "main", "--partner", "Acme").code == 2
    assert cli("sources", "remove", "main", "--partner", "Acme").code == 73


def test_an_upload_to_a_source_whose_jobs_start_automatically_needs_no_run(
    cli: Cli, tmp_path: Path
):
    cli.fine("sources", "set", "main", "--partner", "Acme", "--run")
    file = tmp_path / "feed.csv"
    file.write_text("sku,title\nA,Lamp\n")
    assert (
        "A worker will run the job"
        in cli.fine("feeds", "upload", str(file), "--partner", "Acme").out
    )


def test_a_scorecard_shows_each_week_of_each_source(cli: Cli):
    shown = cli.fine("partners", "scorecard", "Acme", "--weeks", "2").out
    title, *rows = shown.splitlines()
    assert title.split()[:4] == ["week", "source", "expected", "on"]
    assert [row.split()[1] for row in rows] == ["main"]
    found = cli.fine("partners", "scorecard", "Acme", "--json").json
    assert [row["week"] for row in found["results"]] == [found["from"]]
    assert cli("partners", "scorecard", "Acme", "--weeks", "54").code != 0
