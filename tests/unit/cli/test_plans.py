"""Looking at a file before it is sent, and deciding on a held feed, on the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Answer, Cli


def catalog(count: int, price: str = "12.50") -> bytes:
    rows = "".join(f"A-{n},Lamp number {n},{price},EUR\n" for n in range(count))
    return f"sku,product_name,price,currency\n{rows}".encode()


@pytest.fixture
def cli() -> Iterator[Cli]:
    """A platform on which Acme has a catalog of a hundred products."""
    with open_platform(Settings(database_url="memory:")) as commerce:
        cli = Cli(commerce)
        cli.fine("partners", "add", "Acme")
        assert send(cli, catalog(100)).code == 0
        yield cli


def send(cli: Cli, content: bytes, *words: str) -> Answer:
    options = ("--partner", "acme", "--mode", "full", "--run", "--wait", *words)
    return cli("feeds", "upload", "-", *options, text=content)


def held(cli: Cli) -> str:
    assert send(cli, catalog(50)).code == 3
    return cli.fine("feeds", "list", "--held", "--json").lines[0]["feed_id"]


def test_a_file_is_planned_and_nothing_is_stored(cli: Cli, tmp_path: Path):
    file = tmp_path / "feed.csv"
    file.write_bytes(catalog(50, "13.00"))
    answer = cli("feeds", "plan", str(file), "--partner", "acme", "--mode", "full")
    assert answer.code == 3
    for text in ("held", "50 updated", "50 of 100 products would be removed", "A-0", "+4.00"):
        assert text in answer.out
    plan = cli("feeds", "plan", "-", "--partner", "acme", "--json", text=file.read_bytes())
    assert (plan.code, plan.json["updated"], plan.json["removed"]) == (0, 50, 0)
    assert len(cli.fine("feeds", "list", "--json").lines) == 1


def test_a_file_may_be_planned_with_another_profile(cli: Cli, tmp_path: Path):
    """The source goes on reading its files as before."""
    profile = tmp_path / "odd.toml"
    profile.write_text('[columns]\nsku = "Nummer"\nproduct_name = "Was"\n')
    words = ("feeds", "plan", "-", "--partner", "acme", "--mode", "delta", "--json")
    odd = b"Nummer,Was\nB-1,Lamp\nB-2,Chair\n"
    assert cli(*words, text=odd).code == 65
    assert cli.fine(*words, "--profile", str(profile), text=odd).json["created"] == 2
    assert cli(*words, text=odd).code == 65
    assert "canonical" in cli.fine("profiles", "show", "acme").out


def test_a_file_that_would_fail_exits_with_65(cli: Cli):
    assert cli("feeds", "plan", "-", "--partner", "acme", text=b"a,b\n1,2\n").code == 65
    assert cli("feeds", "plan", "missing.csv", "--partner", "acme").code == 66


def test_a_held_feed_ends_with_its_own_exit_code_and_says_what_to_do(cli: Cli):
    answer = send(cli, catalog(50))
    assert answer.code == 3
    assert "removals: 50 of 100 products would be removed." in answer.out
    assert "commerce feeds approve feed_" in answer.out
    assert send(cli, catalog(50), "--json").json["status"] == "held"
    jobs = cli.fine("jobs", "list", "--status", "held", "--json").lines
    assert "held" in cli.fine("jobs", "plan", jobs[0]["job_id"]).out
    assert cli.fine("jobs", "plan", jobs[0]["job_id"], "--json").json["removed"] == 50
    assert cli("jobs", "run", jobs[0]["job_id"]).code == 73


def test_it_is_approved_without_its_removals(cli: Cli):
    words = ("--without", "removals", "--note", "an accident")
    job = cli.fine("feeds", "approve", held(cli), *words, "--json").json
    assert (job["outcome"], job["decision"]["without"]) == ("nothing_changed", ["removals"])
    assert cli.fine("feeds", "list", "--held").out == ""


def test_what_became_worse_is_a_conflict_that_shows_the_new_plan(cli: Cli):
    feed_id = held(cli)
    gone = "".join(f"A-{n},yes\n" for n in range(10))
    delta = f"sku,deleted\n{gone}".encode()
    cli.fine("feeds", "upload", "-", "--partner", "acme", "--run", "--wait", text=delta)
    refused = cli("feeds", "approve", feed_id)
    assert refused.code == 73
    assert "50 of 90 products would be removed" in refused.err
    assert cli("feeds", "approve", feed_id, "--json").code == 0


def test_it_is_rejected(cli: Cli):
    feed_id = held(cli)
    assert cli.fine("feeds", "reject", feed_id, "--json").json["status"] == "rejected"
    assert cli("feeds", "reject", feed_id).code == 73
    assert cli("feeds", "list", "--held", "--status", "applied").code == 2


def test_a_job_may_only_plan(cli: Cli):
    words = ("feeds", "upload", "-", "--partner", "acme", "--mode", "full", "--kind", "plan")
    job = cli.fine(*words, "--run", "--wait", "--json", text=catalog(50)).json
    assert (job["kind"], job["status"]) == ("plan", "completed")
    assert cli.fine("jobs", "plan", job["job_id"], "--json").json["removed"] == 50
