"""Orders, terms, payouts and statements in any order, against an account book of one page.

    hold(store, examples=20, steps=20)

Two partners sell in zones whose clocks change, under terms that change, and are paid too early, too
late or not at all. After each step every partner is owed what the book says, each entry is in one
statement, statements join without a gap, and those that are closed are what they were.
"""

import hashlib
import itertools
import secrets
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from adapters.memory import MemoryFiles
from commerce_core.analytics.ledger import EntryQuery, SalesEntry
from commerce_core.analytics.statement import Statement, StatementQuery
from commerce_core.base.errors import CommerceError
from commerce_core.commerce import Commerce
from commerce_core.partners.terms import Cycle, Term
from commerce_core.ports.store import Store
from commerce_core.usecases.context import Context
from entrypoints.leases import budget_keeper
from tests.support.books import check_books
from tests.support.examples import scaled

_numbers = itertools.count(secrets.randbits(24) << 12)

BEGIN: Final = datetime(2025, 1, 15, 12, tzinfo=UTC)
ZONES: Final = ("UTC", "Africa/Cairo", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
PRICES: Final = {"A": Decimal("19.99"), "B": Decimal("0.05"), "C": Decimal("333.33")}
CENT: Final = Decimal("0.01")
FEED: Final = b"sku,product_name,price,currency,category\n" + b"".join(
    f"{sku},Thing,{price},EUR,Things > {sku}\n".encode() for sku, price in PRICES.items()
)


@define
class Book:
    """What a partner should be owed, and the lines it could be owed less for."""

    owed: Decimal = Decimal(0)
    terms: dict[str, tuple[Decimal, Decimal]] = field(factory=dict[str, tuple[Decimal, Decimal]])
    orders: dict[str, Decimal] = field(factory=dict[str, Decimal])

    def of(self, sku: str, units: int) -> Decimal:
        """What the partner gets for some units."""
        sold = PRICES[sku] * units
        percent, fee = self.terms.get(sku) or self.terms.get("") or (Decimal(0), Decimal(0))
        return sold - (sold * percent / 100).quantize(CENT, ROUND_HALF_UP) - fee


def attempt(act: Callable[[], object]) -> str:
    """The code with which an act was refused, if it was."""
    try:
        act()
    except CommerceError as refused:
        return refused.code
    return ""


def hold(store: Store, *, examples: int, steps: int) -> None:
    """Takes the store through so many random histories of so many steps each."""
    run_state_machine_as_test(
        lambda: MoneyMachine(store),  # type: ignore[arg-type] - as in store_machine
        settings=settings(max_examples=scaled(examples), stateful_step_count=steps),
    )


class MoneyMachine(RuleBasedStateMachine):
    """Two new partners on the store."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.now = BEGIN
        context = Context(
            store, MemoryFiles(), lambda: self.now, lambda size: next(_numbers).to_bytes(size),
            budget_keeper(clock=lambda: self.now), lambda _: nullcontext(BytesIO()),
        )  # fmt: skip
        self.commerce = Commerce(context)
        self.books: dict[str, Book] = {}
        self.closed: dict[str, tuple[Statement, bytes]] = {}

    @initialize(zones=st.lists(st.sampled_from(ZONES), min_size=2, max_size=2))
    def settle(self, zones: list[str]) -> None:
        for zone in zones:
            name = f"Seller {secrets.token_hex(8)}"
            partner = self.commerce.partners.add(name, currency="EUR", time_zone=zone)
            self.commerce.feeds.load(BytesIO(FEED), partner=name)
            self.books[partner.partner_id] = Book()

    def partner(self, which: int) -> tuple[str, Book]:
        return list(self.books.items())[which]

    # --- what happens -----------------------------------------------------------------------------

    @rule(hours=st.integers(1, 40))
    def pass_hours(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(days=st.sampled_from([6, 31, 70]))
    def pass_days(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(
        which=st.integers(0, 1), percent=st.integers(0, 400), fee=st.integers(0, 30),
        sku=st.sampled_from(["", "A", "B"]),
        cycle=st.sampled_from([None, "day", "week", "month"]),
    )  # fmt: skip
    def agree(self, which: int, percent: int, fee: int, sku: str, cycle: Cycle | None) -> None:
        """New terms, for what is sold from now on; by category, for skus have one each."""
        partner, book = self.partner(which)
        book.terms[sku] = (Decimal(percent) / 4, Decimal(fee) / 100)
        terms = [
            Term(*taken, "EUR", category=f"Things>{sku}" if sku else None)
            for sku, taken in book.terms.items()
        ]
        self.commerce.partners.set_terms(partner, terms, cycle=cycle)

    @rule(which=st.integers(0, 1), zone=st.sampled_from(ZONES))
    def move(self, which: int, zone: str) -> None:
        self.commerce.partners.change(self.partner(which)[0], time_zone=zone)

    @rule(lines=st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(sorted(PRICES)), st.integers(1, 9)),
        min_size=1, max_size=3, unique_by=lambda line: line[:2],
    ))  # fmt: skip
    def order(self, lines: list[tuple[int, str, int]]) -> None:
        wanted = [
            (self.commerce.products.get(partner=self.partner(n)[0], sku=sku).product_id, units)
            for n, sku, units in lines
        ]
        order = self.commerce.orders.place(wanted)
        for n, sku, units in lines:
            _, book = self.partner(n)
            owed = book.of(sku, units)
            book.owed += owed
            book.orders[order.order_id] = book.orders.get(order.order_id, Decimal(0)) + owed

    @precondition(lambda self: any(book.orders for book in self.books.values()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        known = sorted({order for book in self.books.values() for order in book.orders})
        order = data.draw(st.sampled_from(known))
        self.commerce.orders.cancel(order)
        for book in self.books.values():
            book.owed -= book.orders.pop(order, Decimal(0))

    @rule(which=st.integers(0, 1), cents=st.integers(1, 50_000), advance=st.booleans())
    def pay(self, which: int, cents: int, *, advance: bool) -> None:
        """No more than is owed, unless that is meant."""
        partner, book = self.partner(which)
        amount = Decimal(cents) / 100
        paid = attempt(
            lambda: self.commerce.statements.pay_out(
                partner, amount, currency="EUR", reference="bank", advance=advance
            )
        )
        assert paid == ("" if advance or amount <= book.owed else "more_than_owed")
        if paid:
            return
        book.owed -= amount

    @rule(which=st.integers(0, 1), cents=st.integers(-500, -1) | st.integers(1, 500))
    def correct(self, which: int, cents: int) -> None:
        partner, book = self.partner(which)
        amount = Decimal(cents) / 100
        self.commerce.statements.correct(partner, amount, currency="EUR", reason="wrong")
        book.owed += amount

    @rule()
    def close(self) -> None:
        closing = self.commerce.statements.close()
        assert not closing.more
        assert not self.commerce.statements.close().closed
        for statement in closing.closed:
            if statement.partner_id in self.books:
                assert statement.until <= self.now
                self.closed[statement.statement_id or ""] = (statement, self.file(statement))

    def file(self, statement: Statement) -> bytes:
        with self.commerce.statements.file(statement.statement_id or "") as blocks:
            return b"".join(blocks)

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def partners_are_owed_what_the_book_says(self) -> None:
        for partner, book in self.books.items():
            found = self.commerce.statements.open(partner=partner)
            assert [one.closing for one in found] == [book.owed]

    @invariant()
    def every_entry_is_in_one_statement(self) -> None:
        for partner in self.books:
            every = {entry.entry_id for entry in self.entries(partner_id=partner)}
            taken = [
                entry.entry_id
                for one in self.of(partner)
                for entry in self.entries(partner_id=partner, statement_id=one.statement_id)
            ]
            assert len(taken) == len(set(taken))
            assert set(taken) <= every
            latest = max((one.until for one in self.of(partner)), default=BEGIN)
            late = [e for e in self.entries(partner_id=partner) if e.entry_id not in set(taken)]
            assert all(entry.at >= latest for entry in late)

    @invariant()
    def statements_join_and_add_up(self) -> None:
        for partner in self.books:
            series = sorted(self.of(partner), key=lambda one: one.number)
            assert [one.number for one in series] == list(range(1, len(series) + 1))
            for one, following in pairwise(series):
                assert (one.until, one.closing) == (following.since, following.opening)
            for one in series:
                assert one.opening + one.entries - one.payouts == one.closing
                self.check_cycle(one)

    def check_cycle(self, one: Statement) -> None:
        """It ends where a local day does: at midnight, or the first moment after a gap there."""
        before = (one.until - timedelta(minutes=31)).astimezone(ZoneInfo(one.tz))
        after = one.until.astimezone(ZoneInfo(one.tz))
        assert before.date() < after.date() or after.hour == before.hour == 23
        if one.cycle == "month":
            assert after.day == 1
        if one.cycle == "week":
            assert after.weekday() == 0

    @invariant()
    def what_is_closed_stays(self) -> None:
        for statement, file in self.closed.values():
            assert self.commerce.statements.get(statement.statement_id or "") == statement
            assert self.file(statement) == file
            assert hashlib.sha256(file).hexdigest() == statement.digest
            assert file.count(b"\n") == statement.entry_count + 3

    def teardown(self) -> None:
        check_books(self.commerce)

    def of(self, partner: str) -> list[Statement]:
        return list(self.commerce.statements.list(StatementQuery(partner_id=partner)))

    def entries(self, **asked: str | None) -> list[SalesEntry]:
        return list(self.commerce.analytics.entries(EntryQuery(**asked)))  # type: ignore[arg-type]
