"""Rollups in PostgreSQL: their horizon, whatever is written, killed or restored meanwhile."""

import itertools
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from attrs import evolve

from adapters.postgres import PostgresStore
from commerce_core.analytics import figures
from commerce_core.analytics.ledger import EntryQuery, SalesEntry
from commerce_core.analytics.questions import Ranking, SalesQuestion
from commerce_core.analytics.rollup import MOST_ROLLED
from commerce_core.ports.store import UnitOfWork
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, T0, line
from tests.support.examples import scaled
from tests.support.waiting import until

Connect = Callable[[], psycopg.Connection]
WHOLE = SalesQuestion(T0 - 100 * DAY, T0 + 200 * DAY)
ODD = SalesQuestion(T0 + timedelta(minutes=7, seconds=1), T0 + 9 * DAY + 22 * MINUTE)
QUESTIONS = [
    evolve(base, **changes)
    for base in (WHOLE, ODD)
    for changes in (
        {},
        {"by_partner": False},
        {"basis": "order"},
        {"grain": "day", "zone": "Australia/Lord_Howe"},
        {"grain": "week", "zone": "America/New_York", "basis": "order", "by_partner": False},
    )
]
PARTNERS = [f"ptn_{number:032x}" for number in (1, 2, 3)]


def some_order(chance: random.Random) -> tuple[list[SalesEntry], list[SalesEntry]]:
    """What is placed, and what is taken back later."""
    lines = [line(chance.choice(PARTNERS)) for _ in range(chance.randrange(1, 4))]
    order = samples.order(*lines)
    at = T0 + timedelta(seconds=chance.randrange(12 * 86_400))
    placed = [samples.entry(order, item, at) for item in lines]
    later = at + timedelta(seconds=chance.randrange(9 * 86_400))
    kind = chance.choice(["cancelled", "cancelled", "refunded", "goodwill"])
    back = [
        samples.entry(order, item, later, kind=kind, reason=chance.choice([None, "late"]))
        for item in chance.choice([lines, lines[:1], []])
    ]
    return placed, back


def add(store: PostgresStore, entries: Sequence[SalesEntry]) -> None:
    with store.begin() as unit:
        unit.sales.add(entries)


def roll_up(store: PostgresStore, most: int = MOST_ROLLED) -> int:
    with store.begin() as unit:
        return unit.sales.roll_up(most)


def rolled_up(store: PostgresStore, count: int) -> None:
    """All those entries are rolled up, and nothing else.

    The horizon lies behind every transaction of the server, so it also waits for those of other
    databases and of autovacuum, which no test can see coming.
    """
    rolled = 0

    def complete() -> bool:
        nonlocal rolled
        rolled += roll_up(store)
        return rolled >= count

    until(complete)
    assert rolled == count


def everything(unit: UnitOfWork) -> Sequence[SalesEntry]:
    return unit.sales.page(EntryQuery(), None, 1_000_000).items


def assert_equal(store: PostgresStore, questions: Sequence[SalesQuestion] = QUESTIONS) -> int:
    """Every answer is the fold of the entries, both in one snapshot; returns how many entries."""
    with store.begin() as unit:
        unit.sales._db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # type: ignore[attr-defined]
        entries = everything(unit)
        for question in questions:
            assert list(unit.sales.totals(question)) == figures.fold(entries, question), question
            assert list(unit.sales.reasons(question)) == figures.fold_reasons(entries, question)
            ranks = figures.fold_ranks(entries, question, Ranking(), lambda id_: id_)
            assert list(unit.sales.ranks(question, Ranking())) == ranks
    return len(entries)


def test_what_is_rolled_up_is_not_read_again(store: PostgresStore, connect: Connect):
    """An entry that vanishes from the ledger stays in the figures: they come from rollups."""
    placed, _ = some_order(random.Random(1))
    add(store, placed)
    rolled_up(store, len(placed))
    assert roll_up(store) == 0
    connect().execute("DELETE FROM sales_entries")
    with store.begin() as unit:
        assert list(unit.sales.totals(WHOLE)) == figures.fold(placed, WHOLE)


def test_a_transaction_that_is_under_way_holds_the_horizon_and_nobody(store: PostgresStore):
    """What commits late is neither missed nor counted twice, and nobody waits."""
    chance = random.Random(2)
    with store.begin() as late:
        late.sales.add(some_order(chance)[0])
        for _ in range(3):
            add(store, some_order(chance)[0])
            assert roll_up(store) == 0
        assert_equal(store)
    assert assert_equal(store) > 3
    until(lambda: roll_up(store) > 3)
    assert_equal(store)


def test_it_is_complete_up_to_the_oldest_that_may_still_write(store: PostgresStore):
    """`complete_to` is not after the begin of a unit that has not ended."""
    with store.begin() as late:
        begun = late.sales.complete_to()
        late.sales.add(some_order(random.Random(3))[0])
        with store.begin() as other:
            assert other.sales.complete_to() <= begun
    with store.begin() as other:
        assert other.sales.complete_to() > begun


def test_a_cancellation_may_have_an_earlier_transaction_than_its_order(store: PostgresStore):
    """One that took its id before the order was placed is rolled up first."""
    item = line()
    order = samples.order(item)
    with store.begin() as early:
        early.sales.add([])
        early.sales._db.execute("SELECT pg_current_xact_id()")  # type: ignore[attr-defined]
        with store.begin() as between:
            between.sales._db.execute("SELECT pg_current_xact_id()")  # type: ignore[attr-defined]
            add(store, [samples.entry(order, item)])
            early.sales.add([samples.entry(order, item, T0 + DAY, kind="cancelled")])
            early.sales._db.execute("COMMIT")  # type: ignore[attr-defined]
            rolled_up(store, 1)
            assert_equal(store)
        early.sales._db.execute("BEGIN")  # type: ignore[attr-defined]
    rolled_up(store, 1)
    assert_equal(store)


def test_what_older_versions_wrote_is_rolled_up_first(store: PostgresStore, connect: Connect):
    """Entries without a transaction were committed before there were rollups."""
    chance = random.Random(4)
    for _ in range(5):
        add(store, list(itertools.chain(*some_order(chance))))
    connect().execute("UPDATE sales_entries SET txid = NULL")
    add(store, some_order(chance)[0])
    count = assert_equal(store)
    rolled_up(store, count)
    assert_equal(store)


def test_orders_of_older_versions_are_counted_from_their_lines(
    store: PostgresStore, connect: Connect
):
    """Those didn't note with which lines an order opens, and may write beside this one."""
    chance, behind = random.Random(7), connect()
    for _ in range(6):
        add(store, list(itertools.chain(*some_order(chance))))
    behind.execute("UPDATE sales_entries SET opens = NULL")
    for _ in range(6):
        add(store, list(itertools.chain(*some_order(chance))))
    count = assert_equal(store)
    rolled_up(store, count)
    behind.execute("UPDATE sales_entries SET opens = NULL")
    assert assert_equal(store) == count


@pytest.mark.parametrize(
    "amounts",
    [
        ["0.00001", "12.345678"],
        ["922337203685477.5807", "0.01"],
        ["999999999999999999999.99", "0.01"],
        ["600000000000000", "600000000000000"],
    ],
    ids=["finer than any currency", "just fits", "too large for an amount", "too large for a sum"],
)
def test_amounts_of_any_size_are_rolled_up_exactly(store: PostgresStore, amounts: Sequence[str]):
    """Amounts are added as whole numbers of 64 bits; what doesn't fit is added as decimals."""
    lines = [line(PARTNERS[0]) for _ in amounts]
    order = samples.order(*lines)
    placed = [
        evolve(samples.entry(order, item), gross=amount, discount=amount * 0, amount=amount,
               partner_amount=amount)
        for item, amount in zip(lines, map(Decimal, amounts), strict=True)
    ]  # fmt: skip
    back = [
        evolve(entry, entry_id=samples.new_id("ent"), kind="refunded", at=entry.at + DAY)
        for entry in placed
    ]
    add(store, [*placed, *back])
    rolled_up(store, 2 * len(amounts))
    assert_equal(store)


def test_a_database_restored_into_another_server_starts_again(
    store: PostgresStore, connect: Connect
):
    """There, transaction ids begin anew: rollups of the former ones are ignored, then made anew."""
    chance = random.Random(5)
    for _ in range(5):
        add(store, list(itertools.chain(*some_order(chance))))
    roll_up(store)
    behind = connect()
    behind.execute("UPDATE sales_entries SET txid = '4611686018427387904'")
    behind.execute("UPDATE sales_blocks_horizon SET txid = '4611686018427387905'")
    behind.execute("UPDATE sales_blocks SET amount = amount + 1, orders = orders + 1")
    count = assert_equal(store)
    add(store, some_order(chance)[0])
    assert assert_equal(store) > count
    until(lambda: roll_up(store) > count)
    assert_equal(store)
    assert roll_up(store) == 0


def test_a_database_restored_before_anything_was_rolled_up_is_recognised_too(
    store: PostgresStore, connect: Connect
):
    """Otherwise its entries were above the horizon until the new server's ids reach theirs."""
    add(store, some_order(random.Random(8))[0])
    connect().execute("UPDATE sales_entries SET txid = '4611686018427387904'")
    count = assert_equal(store)
    rolled_up(store, count)
    assert_equal(store)


class _Killed(Exception):
    """Stands for a process that ends."""


@pytest.mark.slow
def test_a4_a_roller_that_is_killed_at_any_step_loses_and_doubles_nothing(
    database: str, store: PostgresStore
):
    """A hundred times: whatever statement was next, the next roller goes on where that one was."""
    chance, left = random.Random(6), [0]

    def before_each() -> None:
        left[0] -= 1
        if not left[0]:
            raise _Killed

    mortal = PostgresStore(database, before_each=before_each)
    try:
        for number in range(scaled(100)):
            for _ in range(3):
                placed, back = some_order(chance)
                add(store, placed)
                add(store, back)
            left[0] = 1 + number % 9
            with suppress(_Killed), mortal.begin() as unit:
                unit.sales.roll_up(chance.choice([1, 5, MOST_ROLLED]))
            if not number % 10:
                assert_equal(store, [QUESTIONS[number // 10 % len(QUESTIONS)]])
    finally:
        left[0] = 0
        mortal.close()
    while roll_up(store, 7):
        pass
    assert_equal(store)


@pytest.mark.slow
def test_answers_are_the_fold_at_any_moment_while_eight_write(database: str):
    """Rollups and what is above them are in one snapshot, whoever writes and rolls meanwhile."""
    over, failed = threading.Event(), list[BaseException]()
    with PostgresStore.open(database, most_connections=12) as store:

        def forever(act: Callable[[], object]) -> None:
            try:
                while not over.is_set():
                    act()
            except BaseException as error:  # noqa: BLE001 - shown by the test
                failed.append(error)

        def writer(chance: random.Random) -> Callable[[], None]:
            def write() -> None:
                placed, back = some_order(chance)
                add(store, placed)
                with store.begin(dry_run=chance.random() < 0.1) as unit:
                    unit.sales.add(back)

            return write

        acts = [writer(random.Random(number)) for number in range(8)]
        threads = [
            threading.Thread(target=forever, args=[act])
            for act in (*acts, lambda: roll_up(store, 200))
        ]
        for thread in threads:
            thread.start()
        try:
            for number in range(scaled(60)):
                assert_equal(store, [QUESTIONS[number % len(QUESTIONS)]])
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert not failed
        while roll_up(store):
            pass
        assert_equal(store)
