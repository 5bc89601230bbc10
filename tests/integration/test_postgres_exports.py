"""Exports from PostgreSQL: they take no connection from anybody, and are bounded in number."""

from collections.abc import Callable
from contextlib import ExitStack, closing

import psycopg
import pytest

from adapters.postgres import PostgresStore
from adapters.postgres.store import MOST_EXPORTS
from commerce_core.errors import Unavailable
from commerce_core.products import ProductQuery
from tests.contracts import samples
from tests.contracts.samples import record

OFFERS = 20_000


@pytest.fixture
def large(store: PostgresStore) -> None:
    """More than buffers on the way can hold."""
    _, source = samples.settled(store)
    offers = (record(n + 2, f"S-{n}", description="x" * 500) for n in range(OFFERS))
    samples.publish(store, source, *offers)


def test_a_slow_export_takes_no_connection_from_others(database: str, large: None):
    """While one stands still, units go on, be it that the process has one connection for them."""
    with (
        closing(PostgresStore(database, most_connections=1)) as single,
        single.exporting(ProductQuery(), "csv") as blocks,
    ):
        next(blocks)
        with single.begin() as unit:
            assert unit.products.count(ProductQuery()) == OFFERS
        assert b"".join(blocks).count(b"\n") == OFFERS


def test_so_many_exports_are_under_way_at_once(store: PostgresStore, large: None):
    """One more is refused, and taken when another has ended."""
    with ExitStack() as stack:
        for _ in range(MOST_EXPORTS):
            next(stack.enter_context(store.exporting(ProductQuery(), "ndjson")))
        with pytest.raises(Unavailable), store.exporting(ProductQuery(), "csv"):
            pass
    with store.exporting(ProductQuery(), "csv") as blocks:
        assert next(blocks)


def test_an_export_whose_connection_ends_breaks_off(
    store: PostgresStore, large: None, connect: Callable[[], psycopg.Connection]
):
    """It is Unavailable, never a file that ends as if it were whole."""
    with pytest.raises(Unavailable):
        take_cut_off(store, connect())
    with store.exporting(ProductQuery(), "csv") as blocks:
        assert next(blocks)


def take_cut_off(store: PostgresStore, db: psycopg.Connection) -> None:
    """Takes an export whose connection is ended after its first blocks."""
    with store.exporting(ProductQuery(), "csv") as blocks:
        next(blocks)
        next(blocks)
        db.execute(
            """
            SELECT pg_terminate_backend(pid)
            FROM pg_stat_activity
            WHERE query LIKE '%COPY (SELECT%' AND datname = current_database()
              AND pid <> pg_backend_pid()
            """
        )
        for _ in blocks:
            pass
