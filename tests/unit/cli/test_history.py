"""The past of products on the command line."""

from collections.abc import Iterator

import pytest

from entrypoints.cli.commands import history
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli

FEED = b"sku,product_name,price,quantity\nA-1,Lamp,12.50,3\nA-2,Chair,80,1\n"
CHANGED = b"sku,price\nA-1,10\n"
REMOVED = b"sku,deleted\nA-2,yes\n"


@pytest.fixture
def cli() -> Iterator[Cli]:
    """A platform on which Acme sent three feeds."""
    with open_platform(Settings(database_url="memory:")) as commerce:
        cli = Cli(commerce)
        cli.fine("partners", "add", "Acme", "--currency", "EUR")
        for content in (FEED, CHANGED, REMOVED):
            send(cli, content)
        yield cli


def send(cli: Cli, content: bytes) -> None:
    sent = cli("feeds", "upload", "-", "--partner", "Acme", "--run", "--wait", text=content)
    assert sent.code == 0, sent.err


def test_history_lists_every_version(cli: Cli):
    printed = cli.fine("products", "history", "A-1", "--partner", "Acme").out
    assert "price: 12.50 -> 10.00" in printed
    assert "product_name, price, currency, quantity" in printed
    versions = cli.fine("products", "history", "A-1", "--partner", "Acme", "--json").lines
    assert [(v["version"], v["change"]) for v in versions] == [(2, "updated"), (1, "created")]


def test_history_shows_prices_and_the_lowest_one(cli: Cli):
    printed = cli.fine("products", "history", "A-1", "--partner", "Acme", "--prices").out
    assert "Lowest price in the 30 days before" in printed
    assert "12.50 EUR, in effect from" in printed
    words = ("--prices", "--before", "2999-01-01", "--days", "9", "--json")
    found = cli.fine("products", "history", "A-1", "--partner", "Acme", *words).json
    assert (found["lowest"]["unit_price"], found["days"]) == ("10.00", 9)


def test_history_shows_when_a_product_could_be_ordered(cli: Cli):
    printed = cli.fine("products", "history", "A-2", "--partner", "Acme", "--availability").out
    assert "removed" in printed.splitlines()[1]
    assert "yes" in printed.splitlines()[2]


def test_a_product_is_shown_as_of_a_moment(cli: Cli):
    then = cli.fine("products", "history", "A-1", "--partner", "Acme", "--json").lines[1]
    words = ("products", "show", "A-1", "--partner", "Acme", "--as-of")
    assert cli.fine(*words, then["published_at"], "--json").json["price"] == "12.50"
    assert cli(*words, "2020-01-01").code == 66


def test_changes_are_listed_in_order_and_continued(cli: Cli):
    """Each line of JSON has the cursor after it; as text, only the last cursor is printed."""
    lines = cli.fine("products", "changes", "--json").lines
    assert [(line["change"], line["product"]["sku"]) for line in lines] == [
        ("created", "A-1"),
        ("created", "A-2"),
        ("updated", "A-1"),
        ("removed", "A-2"),
    ]
    rest = cli.fine("products", "changes", "--cursor", lines[1]["cursor"], "--json").lines
    assert rest == lines[2:]
    shown = cli.fine("products", "changes", "--kind", "updated")
    assert "price" in shown.out
    assert "--cursor" in shown.err
    assert len(cli.fine("products", "changes", "--limit", "1", "--json").lines) == 1
    caught_up = cli.fine("products", "changes", "--cursor", "latest")
    assert caught_up.out == ""
    assert "There are no further changes." in caught_up.err


def test_changes_are_followed(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    """With --follow what is published later comes as it is published."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        send(cli, f"sku,price\nA-1,{10 + len(waits)}\n".encode())

    monkeypatch.setattr(history.time, "sleep", sleep)
    words = ("products", "changes", "--follow", "--cursor", "latest", "--limit", "3")
    lines = cli.fine(*words, "--json").lines
    assert [line["product"]["price"] for line in lines] == ["11.00", "12.00", "13.00"]
    assert len(waits) == 3
    assert cli.fine(*words).out.count("updated") == 3


def test_what_a_feed_changed_is_listed(cli: Cli):
    feed = cli.fine("feeds", "list", "--json").lines[1]["feed_id"]
    (change,) = cli.fine("feeds", "changes", feed, "--json").lines
    assert (change["product"]["sku"], change["fields"]) == ("A-1", ["price"])
    assert cli.fine("feeds", "changes", feed, "--kind", "removed").err == "No such changes.\n"
