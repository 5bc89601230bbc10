"""`commerce terms`, `payouts`, `statements`, `reconcile` and `analytics entries`."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from attrs import evolve

from commerce_core.analytics.ledger import EntryQuery
from commerce_core.commerce import Commerce
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli

FEED = b"sku,product_name,price,quantity\nA,Lamp,10.00,90\nB,Chair,20.00,90\n"


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        yield commerce


@pytest.fixture
def cli(commerce: Commerce) -> Cli:
    """A platform on which two lamps of Acme were bought at 10 % commission."""
    cli = Cli(commerce)
    cli.fine("partners", "add", "Acme", "--currency", "EUR")
    cli.fine("feeds", "upload", "-", "--partner", "Acme", "--run", "--wait", text=FEED)
    cli.fine("terms", "set", "Acme", "--commission", "10", "--fee", "0.30", "--currency", "EUR")
    cli.fine("orders", "create", "--partner", "Acme", "--item", "A=2")
    return cli


def test_terms_are_set_added_to_and_shown(cli: Cli):
    shown = cli.fine("terms", "add", "Acme", "--commission", "15", "--category", "Shoes").out
    assert "version" in shown
    assert "Shoes" in shown
    assert "everything" in cli.fine("terms", "show", "Acme").out
    overlapping = cli("terms", "add", "Acme", "--commission", "1")
    assert overlapping.code == 65
    assert "same products and times as term 1" in overlapping.err
    cli.fine("partners", "add", "New")
    assert "No terms" in cli.fine("terms", "show", "New").err


def test_everything_wrong_with_a_payout_is_reported_at_once(cli: Cli):
    refused = cli("payouts", "add", "Acme", "--amount", "0", "--currency", "eu", "--reference", " ")
    assert refused.code == 65
    for wrong in ("amount: Use an amount above 0", "currency: 'eu'", "reference: Use 1 to"):
        assert wrong in refused.err
    refused = cli(
        "payouts", "correct", "Acme", "--amount", "0", "--currency", "EUR", "--reason", ""
    )
    assert "amount: Use an amount other than 0" in refused.err
    assert "reason: Use 1 to" in refused.err
    assert cli.fine("statements", "open", "--json").lines[0]["closing"] == "17.70"


def test_what_is_owed_is_shown_and_paid(cli: Cli):
    (owed,) = cli.fine("statements", "open", "--json").lines
    assert owed["closing"] == "17.70"
    refused = cli(
        "payouts", "add", "Acme", "--amount", "17.71", "--currency", "EUR", "--reference", "x"
    )
    assert refused.code == 73
    cli.fine("payouts", "add", "Acme", "--amount", "17.70", "--currency", "EUR", "--reference", "x")
    cli.fine(
        "payouts", "correct", "Acme", "--amount", "-1", "--currency", "EUR", "--reason", "Returned."
    )
    assert "-1.00" in cli.fine("statements", "open", "--partner", "Acme").out


def test_a_sku_of_two_partners_never_stands_for_the_line_of_one(cli: Cli):
    """It is refused with both lines, unless the partner or the line is named."""
    cli.fine("partners", "add", "Nord", "--currency", "EUR")
    cli.fine("feeds", "upload", "-", "--partner", "Nord", "--run", "--wait", text=FEED)
    lamps = [
        p["product_id"] for p in cli.fine("products", "list", "--json").lines if p["sku"] == "A"
    ]
    items = [word for lamp in lamps for word in ("--item", f"{lamp}=2")]
    order = cli.fine("orders", "create", *items, "--json").json
    id_ = order["order_id"]
    refused = cli("orders", "cancel", id_, "--item", "A=1")
    assert refused.code == 65
    assert "2 lines have the sku 'A'" in refused.err
    assert all(item["item_id"] in refused.err for item in order["items"])
    assert cli.fine("orders", "show", id_, "--json").json == order
    cli.fine("orders", "cancel", id_, "--item", "A=1", "--partner", "Acme")
    named = cli("orders", "cancel", id_, "--item", "A=1", "--item", "A=1", "--partner", "Acme")
    assert "The line of A is named twice." in named.err
    after = cli.fine("orders", "show", id_, "--json").json["items"]
    acme = [item["partner_id"] for item in order["items"]].index(
        cli.fine("partners", "show", "Acme", "--json").json["partner_id"]
    )
    assert after[acme]["cancelled"] == 1
    assert after[1 - acme]["cancelled"] == 0


def test_a_month_is_closed_shown_and_traced(cli: Cli, commerce: Commerce):
    context = commerce.context
    later = Cli(Commerce(evolve(context, clock=lambda: context.clock() + timedelta(days=32))))
    assert "Nothing to close:" in cli.fine("statements", "close").err
    (closed, *_) = later.fine("statements", "close", "--json").json["closed"]
    assert closed["closing"] == "17.70"
    assert closed["statement_id"] in cli.fine("statements", "list").out
    id_ = closed["statement_id"]
    assert closed["digest"] in cli.fine("statements", "show", id_).out
    assert cli.fine("statements", "show", id_, "--csv").out.startswith("line,at,entry_id,")
    entries = cli.fine("analytics", "entries", "--statement", id_, "--json").lines
    assert sorted(entry["kind"] for entry in entries) == ["fee", "placed"]
    traced = cli.fine("statements", "trace", entries[0]["entry_id"]).out
    assert "line 2" in traced
    assert "A,Lamp,10.00,90" in traced
    again = later("statements", "close", "--to", closed["to"])
    assert again.code == 73
    assert f"a statement that ends at {closed['to'].removesuffix('Z')}" in again.err
    assert "Nothing to close:" in later.fine("statements", "close").err


def test_entries_are_listed_and_written_as_csv(cli: Cli):
    assert "placed" in cli.fine("analytics", "entries", "--kind", "placed").out
    assert cli.fine("analytics", "entries", "--csv").out.startswith("entry_id,kind,at,")


def test_the_books_agree(cli: Cli):
    assert "a line's total" in cli.fine("reconcile").out
    assert json.loads(cli.fine("reconcile", "--json").out)["ok"] is True


def test_books_that_do_not_agree_are_named_with_both_figures_and_what_to_do(
    cli: Cli, commerce: Commerce
):
    """As if somebody had written an entry a second time."""
    with commerce.context.store.begin() as unit:
        placed = [
            entry
            for entry in unit.sales.page(EntryQuery(kind="placed"), None, 100).items
            if entry.amount
        ]
        unit.sales.add(evolve(placed[0], entry_id=f"ent_{number:032x}") for number in range(1, 3))
    found = cli("reconcile")
    assert found.code == 65
    item, amount = placed[0].item_id, placed[0].amount
    assert (
        f"lines_are_placed: {item}: a line's total: {amount:f};"
        f" what the ledger has as placed: {3 * amount:f}\n" in found.out
    )
    assert "The books don't agree: lines_are_placed, units_are_placed," in found.err
    assert "docs/reference/statements.md" in found.err
