"""Reconciliation: a busy shop's books agree in both stores, and each identity notices its fault."""

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import get_args

import psycopg
import pytest
from attrs import evolve

from adapters.memory import MemoryFiles, MemoryStore
from adapters.postgres import PostgresStore
from commerce_core.analytics.ledger import SALE_KINDS, EntryQuery
from commerce_core.analytics.reconciliation import Check, Identity, Reconciliation
from commerce_core.analytics.rollup import MOST_ROLLED
from commerce_core.commerce import Commerce
from commerce_core.partners.terms import Term
from commerce_core.ports.store import Store
from commerce_core.pricing.basket_terms import BasketTerms
from commerce_core.usecases.context import Context
from entrypoints.leases import budget_keeper
from tests.contracts.samples import T0
from tests.support.waiting import until

FEED = b"sku,product_name,price,currency,quantity\nA,Lamp,9.99,EUR,50\nB,Chair,100,EUR,50\n"
RULE = {"name": "Ten", "benefit": {"percent": "10"}, "limits": {"most_uses": 9, "budget": "500"}}


class Clock:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now


def roll_up(store: Store) -> None:
    """Everything so far, once no transaction of another test holds the horizon."""
    with store.begin() as unit:
        entries = unit.sales.page(EntryQuery(), None, 1_000_000).items
    left = sum(entry.kind in SALE_KINDS for entry in entries)

    def complete() -> bool:
        nonlocal left
        with store.begin() as unit:
            left -= unit.sales.roll_up(MOST_ROLLED)
        return left <= 0 or isinstance(store, MemoryStore)

    until(complete)


def busy(store: Store) -> Commerce:
    """A shop with orders in every state; terms, a used rule, payouts, statements, rollups."""
    clock, numbers = Clock(), itertools.count(1)
    context = Context(
        store, MemoryFiles(), clock, lambda size: next(numbers).to_bytes(size),
        budget_keeper(clock=clock), lambda _: nullcontext(BytesIO()),
    )  # fmt: skip
    commerce = Commerce(context)
    for name in ("Acme", "Nord"):
        commerce.partners.add(name, currency="EUR", time_zone="Europe/Rome")
        commerce.feeds.load(BytesIO(FEED), partner=name)
        commerce.feeds.load(BytesIO(FEED.replace(b"Lamp", b"Light")), partner=name)
        fee = Term(Decimal("12.5"), Decimal("0.25"), "EUR")
        commerce.partners.set_terms(name, [fee], cycle="week")
    commerce.pricing.add(RULE)
    products = {p.partner_name + p.sku: p.product_id for p in commerce.products.list()}
    for day in range(20):
        clock.now = T0 + timedelta(days=day)
        items = [(products["AcmeA"], 1 + day % 3), (products["NordB"], 1)]
        order = commerce.orders.place(items, terms=BasketTerms(customer="c"))
        lamp = order.items[0].item_id
        match day % 5:
            case 0:
                commerce.orders.cancel(order.order_id)
            case 1:
                commerce.orders.fulfil(order.order_id, [(lamp, 1)])
            case 2:
                commerce.orders.fulfil(order.order_id)
                commerce.orders.refund(order.order_id, [(lamp, 1)], reason="late", returned=True)
            case _:
                pass
        if day == 10:  # The later entries stay above the horizon.
            roll_up(store)
        if day % 7 == 6:
            commerce.statements.close()
            commerce.statements.pay_out("Acme", Decimal(5), currency="EUR", reference="bank")
    commerce.statements.correct("Nord", Decimal(-1), currency="EUR", reason="Paid twice.")
    return commerce


def by_name(found: Reconciliation) -> dict[Identity, Check]:
    return {check.identity: check for check in found.checks}


def test_both_stores_compare_the_same_and_all_of_it_agrees(store: PostgresStore):
    """The one statement in SQL gives what the fold gives: figures, sums and counts."""
    found = busy(store).analytics.reconciliation()
    other = busy(MemoryStore(lambda: T0)).analytics.reconciliation()
    assert found.ok, [check for check in found.checks if check.failed]
    assert other.ok
    counted = {
        "uses_are_counted", "money_is_counted", "units_are_held",
        "rollups_make_ledger", "rollups_count_entries", "rollups_count_orders",
    }  # fmt: skip
    for identity, check in by_name(found).items():
        assert check.compared > 0, identity
        if identity not in counted:
            assert check == by_name(other)[identity], identity


BREAKING: dict[str, tuple[str, ...]] = {
    "lines_make_orders": ("UPDATE orders SET total_amount = total_amount + 1",),
    "lines_are_placed": ("UPDATE order_items SET line_total = line_total + 1",),
    "units_are_placed": ("UPDATE order_items SET quantity = quantity + 1",),
    "ledger_makes_orders": ("DELETE FROM sales_entries WHERE kind = 'cancelled'",),
    "lines_went_back": (
        "UPDATE order_items SET refunded_amount = refunded_amount - 1 WHERE refunded > 0",
    ),
    "parts_are_placed": ("UPDATE order_items SET partner_amount = partner_amount - 0.01",),
    "parts_make_orders": ("UPDATE orders SET refunded_amount = refunded_amount + 1",),
    "refunds_make_parts": ("DELETE FROM refunds",),
    "fulfilments_make_lines": ("UPDATE fulfilments SET status = 'cancelled'",),
    "parts_make_entries": (
        "ALTER TABLE sales_entries DROP CONSTRAINT the_parts_are_the_whole",
        "UPDATE sales_entries SET platform_amount = platform_amount + 0.01 WHERE kind = 'fee'",
    ),
    "reversals_fit": (
        (
            "UPDATE sales_entries SET amount = amount + 1, platform_amount = platform_amount + 1 "
            "WHERE kind = 'cancelled'"
        ),
    ),
    "rollups_make_ledger": (
        "UPDATE sales_blocks SET amount = amount + 1 WHERE dimension = 0 AND span = 3600",
    ),
    "rollups_count_entries": ("UPDATE sales_reason_blocks SET entries = entries + 1",),
    "rollups_count_orders": ("UPDATE sales_blocks SET orders = orders - 1",),
    "units_are_held": ("UPDATE held_units SET units = units - 1",),
    "uses_are_counted": ("UPDATE price_rule_counters SET uses = uses + 1",),
    "money_is_counted": ("UPDATE price_rule_counters SET spent = spent + 1",),
    "statements_add_up": (
        "ALTER TABLE statements DROP CONSTRAINT statements_check1",
        "UPDATE statements SET closing = closing + 1 WHERE number = 2",
    ),
    "statements_follow": (
        "UPDATE statements SET opening = opening + 1, closing = closing + 1 WHERE number = 2",
    ),
    "statements_join": (
        "UPDATE statements SET since = since + interval '1 hour' WHERE number = 2",
    ),
    "statements_make_ledger": (
        (
            "DELETE FROM statement_entries WHERE entry_id IN "
            "(SELECT entry_id FROM sales_entries WHERE kind = 'placed')"
        ),
    ),
    "entries_belong": (
        "UPDATE statement_entries SET statement_id = (SELECT statement_id FROM statements LIMIT 1)",
    ),
    "publications_have_no_gap": ("DELETE FROM publications WHERE number = 2",),
    "publications_make_versions": ("UPDATE publications SET changes = changes + 1",),
    "versions_have_no_gap": ("UPDATE products SET version = version + 1",),
    "catalogs_add_up": ("UPDATE products SET status = 'removed' WHERE sku = 'A'",),
}


@pytest.fixture(scope="module")
def broken(postgres: str) -> "dict[str, Reconciliation]":
    """What is found after each fault, each made in a transaction that is undone."""
    from tests.integration.conftest import created_database

    found: dict[str, Reconciliation] = {}
    with created_database(postgres) as conninfo, PostgresStore.open(conninfo) as store:
        busy(store)
        for identity, statements in BREAKING.items():
            found[identity] = _found(conninfo, statements)
    return found


def _found(conninfo: str, statements: tuple[str, ...]) -> Reconciliation:
    from adapters.postgres.collections.reconciliation import Books
    from commerce_core.analytics.reconciliation import complete

    with psycopg.connect(conninfo) as db:
        for statement in statements:
            db.execute(statement.encode())
        made = complete(Books(db).checks(), T0)
        db.rollback()
    return made


@pytest.mark.slow
@pytest.mark.parametrize("identity", get_args(Identity))
def test_each_identity_notices_its_fault(broken: dict[str, Reconciliation], identity: Identity):
    """With the rows where it fails, and the figures of both sides."""
    found = broken[identity]
    assert not found.ok
    check = by_name(found)[identity]
    assert check.failed > 0
    assert check.left_sum != check.right_sum or identity in ("statements_join", "entries_belong")
    for row in check.failures:
        assert row.left != row.right
        assert "-" not in row.subject


def test_only_some_of_the_rows_that_fail_are_listed(
    store: PostgresStore, connect: Callable[[], psycopg.Connection]
):
    commerce = busy(store)
    connect().execute("UPDATE sales_entries SET quantity = quantity + 1")
    check = by_name(commerce.analytics.reconciliation())["units_are_placed"]
    assert (check.failed, len(check.failures)) == (40, 20)
    assert [row.subject for row in check.failures] == sorted(row.subject for row in check.failures)


@pytest.mark.slow
@pytest.mark.parametrize(
    "then",
    [
        # Entries of versions without transactions were committed before there were rollups.
        "UPDATE sales_entries SET txid = NULL WHERE txid < (SELECT txid FROM sales_blocks_horizon)",
        # A dump that was restored into another server, whose transaction ids begin anew.
        "UPDATE sales_blocks_horizon SET txid = '9000000000000'",
        "TRUNCATE sales_blocks_horizon, sales_blocks, sales_reason_blocks",
    ],
)
def test_rollups_agree_with_the_ledger_wherever_the_horizon_is(
    store: PostgresStore, connect: Callable[[], psycopg.Connection], then: str
):
    commerce = busy(store)
    connect().execute(then.encode())
    found = by_name(commerce.analytics.reconciliation())
    assert found["rollups_make_ledger"].compared > 0
    for identity in ("rollups_make_ledger", "rollups_count_entries", "rollups_count_orders"):
        assert found[identity].failed == 0, found[identity]


def test_entries_of_a_unit_that_has_not_ended_are_in_neither_side(store: PostgresStore):
    commerce = busy(store)
    order = next(commerce.orders.list())
    with store.begin() as late:
        entries = late.sales.of_order(order.order_id)
        late.sales.add([evolve(entries[0], entry_id=f"ent_{9:032x}")])
        with store.begin() as unit:
            unit.sales.roll_up(MOST_ROLLED)
        assert commerce.analytics.reconciliation().ok
