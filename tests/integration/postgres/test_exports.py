"""Exports from PostgreSQL: they take no connection from anybody, and are bounded in number."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest

from adapters.postgres import PostgresStore
from adapters.postgres.catalog.export import MOST_SHARED
from adapters.postgres.store import MOST_SNAPSHOTS
from commerce_core.base.errors import Unavailable
from commerce_core.catalog.export import ExportForm, Snapshot, write
from commerce_core.catalog.product import ProductQuery
from tests.contracts import samples
from tests.contracts.samples import record

OFFERS = 20_000


@pytest.fixture
def large(store: PostgresStore) -> None:
    """More than buffers on the way can hold."""
    _, source = samples.settled(store)
    offers = (record(n + 2, f"S-{n}", description="x" * 500) for n in range(OFFERS))
    samples.publish(store, source, *offers)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_an_export_is_the_same_however_much_was_published_since(
    store: PostgresStore, connect: Callable[[], psycopg.Connection], form: ExportForm
):
    """Also what lies behind the publications and partners that are written once for all rows."""
    _, source = samples.settled(store)
    samples.publish(store, source, record(2, "A-1"))
    before = exported(store, form)
    with connect() as db:
        publish_for_others(db, MOST_SHARED - 1)
        assert exported(store, form) == before
        publish_for_others(db, 1)
    assert exported(store, form) == before


def exported(store: PostgresStore, form: ExportForm) -> bytes:
    with store.snapshot(ProductQuery()) as snapshot:
        return b"".join(write(snapshot, form))


def publish_for_others(db: psycopg.Connection, count: int) -> None:
    """So many publications and partners more, which come first in any order."""
    db.execute(
        """
        INSERT INTO publications
        SELECT (jsonb_populate_record(u, jsonb_build_object(
            'publication_id', gen_random_uuid(), 'feed_id', gen_random_uuid(),
            'number', u.number + n, 'published_at', u.published_at + interval '1 day'
        ))).*
        FROM publications u, generate_series(1, %s) AS n
        WHERE u.number = (SELECT max(number) FROM publications)
        """,
        [count],
    )
    db.execute(
        """
        INSERT INTO partners
        SELECT (jsonb_populate_record(partner, jsonb_build_object(
            'partner_id', overlay(gen_random_uuid()::text PLACING '00000000' FROM 1),
            'partner_name', gen_random_uuid(), 'name_key', gen_random_uuid()
        ))).*
        FROM partners partner, generate_series(1, %s) AS n
        WHERE partner.partner_id = (SELECT partner_id FROM products)
        """,
        [count],
    )


def test_a_slow_export_takes_no_connection_from_others(database: str, large: None):
    """While one stands still, units go on, be it that the process has one connection for them."""
    with (
        closing(PostgresStore(database, most_connections=1)) as single,
        single.snapshot(ProductQuery()) as snapshot,
    ):
        blocks = write(snapshot, "csv")
        next(blocks)
        with single.begin() as unit:
            assert unit.products.count(ProductQuery()) == OFFERS
        assert b"".join(blocks).count(b"\n") == OFFERS


def test_exports_under_way_at_once_are_limited(store: PostgresStore, large: None):
    """One more is refused, and taken when another has ended."""
    with ExitStack() as stack:
        for _ in range(MOST_SNAPSHOTS):
            next(write(stack.enter_context(store.snapshot(ProductQuery())), "ndjson"))
        with pytest.raises(Unavailable), store.snapshot(ProductQuery()):
            pass
    assert exported(store, "csv")


def test_an_export_whose_connection_ends_breaks_off(
    store: PostgresStore, large: None, connect: Callable[[], psycopg.Connection]
):
    """It is Unavailable, never a file that ends as if it were whole."""
    with pytest.raises(Unavailable):
        take_cut_off(store, connect(), lambda snapshot: write(snapshot, "csv"))
    with pytest.raises(Unavailable):
        take_cut_off(store, connect(), iter)
    assert exported(store, "csv")


def take_cut_off(
    store: PostgresStore, db: psycopg.Connection, by: Callable[[Snapshot], Iterator[object]]
) -> None:
    """Takes a snapshot whose connection is ended after its first blocks."""
    with store.snapshot(ProductQuery()) as snapshot:
        blocks = by(snapshot)
        next(blocks)
        next(blocks)
        db.execute(
            """
            SELECT pg_terminate_backend(pid)
            FROM pg_stat_activity
            WHERE (query LIKE '%COPY (SELECT%' OR query LIKE '%FROM "snapshot"%')
              AND datname = current_database() AND pid <> pg_backend_pid()
            """
        )
        for _ in blocks:
            pass


def test_a_snapshot_that_is_taken_too_slowly_ends(
    store: PostgresStore, large: None, monkeypatch: pytest.MonkeyPatch
):
    """It doesn't keep its moment, and all that was deleted since, for ever."""
    monkeypatch.setattr("adapters.postgres.store.SNAPSHOT_SECONDS", 0)
    with pytest.raises(Unavailable), store.snapshot(ProductQuery()) as snapshot:
        for _ in snapshot:
            pass
