"""Statements on PostgreSQL: the same book, and closing that is killed at every step."""

import itertools
import secrets
from collections.abc import Callable
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Final, cast

import psycopg
import pytest

from adapters.memory import MemoryFiles
from adapters.postgres import PostgresStore
from adapters.postgres.store import Unit
from commerce_core.analytics.statement import StatementQuery
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import Context
from entrypoints.leases import no_lease
from tests.contracts import samples
from tests.contracts.money_machine import hold
from tests.contracts.samples import T0, line
from tests.contracts.threads import together
from tests.support.shelf import rows_read

PREPARED: Final = 6
"""After so many executions a connection has prepared a statement."""


@pytest.mark.slow
def test_whatever_happens_partners_are_owed_what_the_book_says(store: PostgresStore):
    hold(store, examples=4, steps=15)


def commerce_on(store: PostgresStore, now: datetime) -> Commerce:
    return Commerce(
        Context(
            store, MemoryFiles(), lambda: now, secrets.token_bytes, no_lease,
            lambda _: nullcontext(BytesIO()),
        )
    )  # fmt: skip


def owed(store: PostgresStore, days: int) -> str:
    """A partner to which a unit was sold on each of some days since T0; gives its id."""
    someone, _ = samples.settled(store, currency="EUR", created_at=T0)
    item = line(someone.partner_id)
    order = samples.order(item)
    with store.begin() as unit:
        unit.sales.add(
            samples.entry(order, item, T0 + timedelta(days=day), partner_amount=Decimal("8.10"))
            for day in range(days)
        )
    return someone.partner_id


class Killed(Exception):
    """The process ends here."""


def test_closing_that_is_killed_at_any_step_goes_on_where_it_was(
    store: PostgresStore, database: str
):
    """Each statement is there once and whole, and so are the others after the next run."""
    now = T0 + timedelta(days=70)
    for killed_at in itertools.count(1):
        partner = owed(store, 60)
        left = itertools.count(1)

        def step(last: int = killed_at, steps: "itertools.count[int]" = left) -> None:
            if next(steps) == last:
                raise Killed

        with closing(PostgresStore(database, before_each=step)) as mortal:
            try:
                commerce_on(mortal, now).statements.close(partner=partner)
                ended = True
            except Killed:
                ended = False
        commerce = commerce_on(store, now)
        commerce.statements.close(partner=partner)
        found = list(commerce.statements.list(StatementQuery(partner_id=partner)))
        found.sort(key=lambda one: one.number)
        assert [(one.number, one.entry_count, one.closing) for one in found] == [
            (1, 31, Decimal("251.10")),
            (2, 28, Decimal("477.90")),
        ]
        with psycopg.connect(database) as db:
            taken = db.execute(
                """
                SELECT count(*)
                FROM statement_entries t
                LEFT JOIN statements s USING (statement_id)
                WHERE s.statement_id IS NULL
                """
            ).fetchone()
        assert taken == (0,)
        if ended:
            break


def test_closing_a_statement_of_many_entries_may_take_longer_than_other_statements(
    store: PostgresStore,
):
    partner, limits = owed(store, 3), list[str]()
    for takes in (False, True, False):
        with store.begin() as unit:
            if takes:
                unit.statements.take(samples.new_id("stmt"), partner, "EUR", T0)
            db = cast("Unit", unit).partners._db
            limits += [limit for (limit,) in db.execute("SHOW statement_timeout").fetchall()]
    assert limits == ["30s", "0", "30s"]


def test_two_that_close_at_once_close_each_statement_once(store: PostgresStore):
    partner, now = owed(store, 90), T0 + timedelta(days=100)
    close = commerce_on(store, now).statements.close
    one, other = together(lambda: close(partner=partner), lambda: close(partner=partner))
    assert sorted(s.number for s in (*one.closed, *other.closed)) == [1, 2, 3]


def test_two_payouts_at_once_pay_what_is_owed_once(store: PostgresStore):
    """The second one waits for the first, and is refused."""
    partner = owed(store, 1)
    pay = commerce_on(store, T0 + timedelta(days=1)).statements.pay_out

    def once() -> str:
        try:
            pay(partner, Decimal("8.10"), currency="EUR", reference="bank")
        except Exception as refused:  # noqa: BLE001 - its code is looked at
            return getattr(refused, "code", "")
        return "paid"

    assert sorted(together(once, once)) == ["more_than_owed", "paid"]


def test_a_partner_with_a_long_past_is_looked_up_by_leaps(
    store: PostgresStore, connect: Callable[[], psycopg.Connection]
):
    """The pairs of partner and currency are found without reading every entry."""
    from tests.support.shelf import rows_read

    partners = [owed(store, 40) for _ in range(3)]
    db = connect()
    db.execute("ANALYZE sales_entries")
    from adapters.postgres.collections.statements import Statements

    with db.transaction():
        db.execute("SET LOCAL enable_seqscan = off")
        read = rows_read(db, lambda: Statements(db).accounts())
    assert len(partners) == 3
    assert read.get("sales_entries", 0) <= 20


def test_when_statements_end_in_time_zones(store: PostgresStore):
    """A month ends with the local day, though clocks change in it."""
    someone, _ = samples.settled(
        store, currency="EUR", time_zone="America/New_York",
        created_at=datetime(2025, 10, 20, tzinfo=UTC),
    )  # fmt: skip
    statements = commerce_on(store, datetime(2026, 4, 1, 4, tzinfo=UTC)).statements
    ends = [one.until.isoformat() for one in statements.close(partner=someone.partner_id).closed]
    assert ends == [
        "2025-11-01T04:00:00+00:00", "2025-12-01T05:00:00+00:00", "2026-01-01T05:00:00+00:00",
        "2026-02-01T05:00:00+00:00", "2026-03-01T05:00:00+00:00", "2026-04-01T04:00:00+00:00",
    ]  # fmt: skip


def test_a_later_page_of_a_statement_reads_nothing_before_it(store: PostgresStore):
    """Prepared for any place in the statement, too: else all pages together cost their square."""
    partner, id_, limit, seen = owed(store, 400), samples.new_id("stmt"), 10, 350
    with store.begin() as unit:
        unit.statements.take(id_, partner, "EUR", T0 + timedelta(days=400))
    with store.begin() as unit:
        db = cast("Unit", unit).statements._db
        lines = unit.statements.lines(id_, None, 400)
        db.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        db.execute("SET LOCAL enable_seqscan = off")
        after = lines[seen - 1].entry.entry_id
        for page in (unit.statements.lines(id_, after, limit) for _ in range(PREPARED)):
            assert page == lines[seen : seen + limit]
        read = rows_read(db, lambda: unit.statements.lines(id_, after, limit))
        assert read["statement_entries"] <= len(lines) - seen
