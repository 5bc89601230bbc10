"""How PostgreSQL compares and applies feeds: by sets, beside orders, with a history."""

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import cast
from unittest.mock import patch

import psycopg
import pytest
from attrs import evolve

from adapters.postgres import PostgresStore
from adapters.postgres.ingest import match
from adapters.postgres.ingest.session_tables import FEW_UNANALYSED
from adapters.postgres.ingest.staging import by_sets, stage
from adapters.postgres.store import Unit
from commerce_core.catalog.product import Product
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.source import Source
from commerce_core.plans.comparison import Plan
from commerce_core.ports.store import UnitOfWork
from commerce_core.schema.record import Record
from tests.contracts import samples
from tests.contracts.samples import T0, record
from tests.contracts.threads import meanwhile
from tests.support.shelf import rows_read
from tests.support.waiting import PATIENCE, assert_waits

Connect = Callable[[], psycopg.Connection]


@pytest.fixture
def source(store: PostgresStore) -> Source:
    """A partner's main source."""
    _, main = samples.settled(store)
    return main


def products(numbers: range, **values: object) -> Iterator[Record]:
    return (record(number + 2, f"sku {number:06}", **values) for number in numbers)  # type: ignore[arg-type]


def applied(unit: UnitOfWork, feed: Feed, *records: Record) -> None:
    """Compares and applies a feed, and leaves its publication to be added."""
    plan = unit.products.compare(samples.feed_context(feed), samples.batches(records), 10)
    unit.products.apply(plan, samples.publication(feed), samples.new_stem())


def statements(store: PostgresStore, source: Source, size: int) -> int:
    """How many statements a feed takes that creates, updates, removes and has problems.

    Statistics are made only of tables that aren't small.
    """
    samples.publish(store, source, *products(range(size)))
    told: list[object] = []
    execute = psycopg.Cursor.execute

    def counted(cursor: psycopg.Cursor, *args: object, **options: object) -> psycopg.Cursor:
        if "ANALYZE" not in str(args[0]):
            told.append(args[0])
        return execute(cursor, *args, **options)  # type: ignore[arg-type]

    changed = [
        *products(range(size // 2), brand="New"),
        *products(range(size, 2 * size)),
        *products(range(size // 4)),
    ]
    renumbered = (evolve(each, line=line) for line, each in enumerate(changed, start=2))
    with patch.object(psycopg.Cursor, "execute", counted):
        samples.publish(store, source, *renumbered)
    return len(told)


def test_a_feed_takes_the_same_statements_whatever_its_size(store: PostgresStore):
    """Nothing is sent per row: a feed of 400 changes takes what one of 8 takes."""
    _, one = samples.settled(store)
    _, other = samples.settled(store)
    assert statements(store, one, 8) == statements(store, other, 400)


@pytest.mark.parametrize("few", [0, 10_000])
def test_few_and_many_records_give_the_same(
    store: PostgresStore, source: Source, few: int, monkeypatch: pytest.MonkeyPatch
):
    """Whether products are fetched along the key or all at once, the plan is the same."""
    monkeypatch.setattr(match, "FEW", few)
    samples.publish(store, source, *products(range(30)))
    feed = samples.received(store, source)
    with store.begin() as unit:
        records = [*products(range(20)), *products(range(20, 25), brand="B"), record(99, "new")]
        plan = unit.products.compare(samples.feed_context(feed), samples.batches(records), 10)
    figures = (plan.unchanged, plan.updated, plan.created, plan.removed, plan.before)
    assert figures == (20, 5, 1, 5, 30)


@pytest.mark.parametrize("few", [0, 10_000], ids=["all at once", "along the key"])
def test_a_catalog_without_statistics_is_no_trap(
    store: PostgresStore,
    source: Source,
    connect: Connect,
    few: int,
    monkeypatch: pytest.MonkeyPatch,
):
    """A second feed comes right after the first load, before the planner knows of its rows.

    It takes the partner for one without products. Still each product and each record is read a few
    times; walked for each other they would be read thousands of times.
    """
    monkeypatch.setattr(match, "FEW", few)
    count = 3_000
    samples.publish(store, samples.settled(store)[1], *products(range(count)))
    connect().execute("ANALYZE products")
    samples.publish(store, source, *products(range(count)))
    feed = samples.received(store, source)
    plans: list[Plan] = []
    with store.begin() as unit:
        db = cast("Unit", unit).products._db

        def compare() -> None:
            records = samples.batches(products(range(count - 1)))
            plans.append(unit.products.compare(samples.feed_context(feed), records, 10))

        read = rows_read(db, compare)
    assert (plans[0].unchanged, plans[0].absent) == (count - 1, 1)
    assert max(read["products"], read["staged"]) <= 10 * count


def test_a_few_records_are_matched_by_their_keys_whatever_the_statistics(
    store: PostgresStore, source: Source, connect: Connect
):
    """Of a partner that was loaded after the last ANALYZE no product is read but theirs.

    The planner expects it to have none, so each of its indexes would look as good as the key.
    """
    samples.publish(store, samples.settled(store)[1], *products(range(1_000)))
    connect().execute("ANALYZE products")
    samples.publish(store, source, *products(range(1_000)))
    context = samples.feed_context(samples.received(store, source))
    with store.begin() as unit:
        db = cast("Unit", unit).products._db
        staged = stage(db, context.columns, samples.batches(products(range(990, 1_005))))
        with by_sets(db):
            read = rows_read(db, lambda: match.match(db, context, staged))
        matched = db.execute("SELECT count(*) FROM matched").fetchone()
    assert matched == (10,)
    assert read["products"] <= 15


def test_a_session_keeps_what_it_has_prepared_from_feed_to_feed(database: str):
    """Parsing all statements each time would take more than executing those of a small feed.

    Plans are kept for feeds of few records only: a session that is kept knew smaller tables.
    """
    with closing(PostgresStore(database, most_connections=1)) as single:
        _, main = samples.settled(single)
        for brand in map(str, range(12)):
            samples.publish(single, main, *products(range(3), brand=brand))
        few = plans_of_feeds(single)
        for brand in map(str, range(3)):
            samples.publish(single, main, *products(range(FEW_UNANALYSED + 1), brand=brand))
        many = plans_of_feeds(single)
    assert few.keys() == {"decided", "product_versions", "products"}
    for name, (kept, made) in few.items():
        assert (kept > 5, made) == (True, 0), name
        assert many[name][0] == kept, name
        assert many[name][1] >= 2, name


def plans_of_feeds(single: PostgresStore) -> dict[str, tuple[int, int]]:
    """How often each statement that decides or applies ran by a kept plan, and how often not."""
    with single.begin() as unit:
        rows = cast("Unit", unit).products._db.execute(
            """
            SELECT substring(statement FROM '(?:INSERT INTO|UPDATE) ([a-z_]+)'), sum(generic_plans),
                   sum(custom_plans)
            FROM pg_prepared_statements
            WHERE statement ~ 'INTO (decided|product_versions)' OR statement ~ 'UPDATE products'
            GROUP BY 1
            """
        )
        return {name: (int(kept), int(made)) for name, kept, made in rows}


def test_what_products_were_is_kept(store: PostgresStore, source: Source, connect: Connect):
    """History has every version but the live one, each with the publication that replaced it."""
    first = samples.publish(store, source, record(2, "A", brand="one"), record(3, "B"))
    second = samples.publish(store, source, record(2, "A", brand="two"), record(3, "B"))
    third = samples.publish(store, source, record(3, "B"))
    kept = connect().execute(
        """
        SELECT sku, version, brand, status, publication_id, replaced_by
        FROM product_versions
        ORDER BY version
        """
    )
    ids = [publication.publication_id[4:] for publication in (first, second, third)]
    assert [(*row[:4], row[4].hex, row[5].hex) for row in kept] == [
        ("A", 1, "one", "active", ids[0], ids[1]),
        ("A", 2, "two", "active", ids[1], ids[2]),
    ]
    assert samples.catalog(store)["A"].version == 3


def test_orders_dont_wait_for_a_feed(store: PostgresStore, source: Source):
    """While a feed has changed products and not ended, units of them are held and given back."""
    samples.publish(store, source, record(2, "A", quantity=5))
    held = samples.catalog(store)["A"]
    feed = samples.received(store, source)

    def hold() -> Product:
        with store.begin() as unit:
            return samples.reserve(unit, {held.product_id: 2})[held.product_id]

    with store.begin(dry_run=True) as unit:
        applied(unit, feed, record(2, "A", quantity=1))
        seen = meanwhile(hold).result(PATIENCE)
    assert (seen.quantity, seen.reserved) == (5, 2)


def test_a_feed_doesnt_wait_for_orders(store: PostgresStore, source: Source):
    """While an order holds units and has not ended, a feed changes the same product."""
    samples.publish(store, source, record(2, "A", quantity=5))
    product = samples.catalog(store)["A"]
    with store.begin() as unit:
        samples.reserve(unit, {product.product_id: 2})
        publishing = meanwhile(lambda: samples.publish(store, source, record(2, "A", quantity=1)))
        publishing.result(PATIENCE)
    after = samples.catalog(store)["A"]
    assert (after.quantity, after.reserved) == (1, 2)


def test_feeds_of_two_partners_run_side_by_side(store: PostgresStore, source: Source):
    """One partner's feed waits for no other partner's, up to its publication."""
    _, other = samples.settled(store)
    feed = samples.received(store, other)
    with store.begin(dry_run=True) as unit:
        applied(unit, feed, record(2, "A"))
        meanwhile(lambda: samples.publish(store, source, record(2, "A"))).result(PATIENCE)
    assert samples.catalog(store).keys() == {"A"}


def test_a_feed_may_wait_longer_than_other_units(
    store: PostgresStore, source: Source, database: str
):
    """The limits on statements and waiting don't hold for work on a feed, and do again after it."""
    feed = samples.received(store, source)
    shown = """
        SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
               current_setting('enable_nestloop')
        """
    with closing(PostgresStore(database, most_connections=1)) as single:
        for _ in range(2):
            with single.begin() as unit:
                db = cast("Unit", unit).products._db
                before = db.execute(shown).fetchone()
                unit.products.compare(samples.feed_context(feed), samples.batches([]), 10)
                during = db.execute(shown).fetchone()
            assert before == ("30s", "10s", "on")
            assert during == ("0", "0", "on")


def test_a_record_says_what_its_feed_has_columns_for(store: PostgresStore, source: Source):
    """A record that sets more is a fault of ours, and reported as one."""
    feed = samples.received(store, source)
    feed_context = evolve(samples.feed_context(feed), columns={"sku": "SKU"})
    with store.begin() as unit, pytest.raises(ValueError, match="sets more"):
        unit.products.compare(feed_context, samples.batches([record(2, "A")]), 10)


def test_shapes_of_records_mix(store: PostgresStore, source: Source):
    """Records that say different fields in one file each leave alone what they don't say."""
    said = {"brand": "B", "price": Decimal("1.00"), "currency": "EUR", "mpn": "M"}
    samples.publish(store, source, *(record(n, f"{n}", **said) for n in range(2, 6)))
    samples.publish(
        store,
        source,
        record(2, "2", brand="C"),
        record(3, "3", mpn=None, price=Decimal(2)),
        record(4, "4", currency=None, price=None),
        record(5, "5", deleted=True),
    )
    found = samples.catalog(store)
    shown = [(p.brand, p.mpn, str(p.price), p.currency, p.status) for p in found.values()]
    assert shown == [
        ("C", "M", "1.00", "EUR", "active"),
        ("B", None, "2.00", "EUR", "active"),
        ("B", "M", "None", None, "active"),
        ("B", "M", "1.00", "EUR", "removed"),
    ]


def test_two_comparisons_leave_nothing_behind(store: PostgresStore, source: Source):
    """Temporary tables go with their unit, so the next one on the same connection has its own."""
    feed = samples.received(store, source)
    for _ in range(3):
        with store.begin() as unit:
            for size in (3, 1):
                records = products(range(size))
                plan = unit.products.compare(
                    samples.feed_context(feed), samples.batches(records), 10
                )
                assert plan.created == size


def test_publications_wait_for_each_other(store: PostgresStore, source: Source):
    """A publication waits for the end of one that has its number but not ended."""
    feeds = [samples.received(store, source) for _ in range(2)]

    def publish() -> int | None:
        with store.begin() as unit:
            return unit.publications.add(samples.publication(feeds[1]), T0).number

    with store.begin(dry_run=True) as unit:
        first = unit.publications.add(samples.publication(feeds[0]), T0)
        second = meanwhile(publish)
        assert_waits(second)
    assert second.result(PATIENCE) == first.number == 1


def test_a_locked_partner_is_fed_by_one_unit_alone(store: PostgresStore, source: Source):
    """Before anything of a feed is read, so that what was looked up under the lock stays true."""
    with store.begin(dry_run=True) as unit:
        unit.products.lock_partner(source.partner_id)
        second = meanwhile(lambda: samples.publish(store, source, record(2, "A")))
        assert_waits(second)
    second.result(PATIENCE)
    assert samples.catalog(store).keys() == {"A"}
