"""The same answers on every PostgreSQL that it is to run on."""

import io
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.memory import MemoryStore
from adapters.postgres import PostgresStore
from commerce_core.catalog.product import ProductQuery
from tests.contracts.store_machine import agree
from tests.support.servers.platform import Platform
from tests.support.servers.postgres import Postgres, running_server


@pytest.fixture(scope="module", params=[15, 16])
def other_version(request: pytest.FixtureRequest) -> Generator[Postgres]:
    """A server of a version that isn't the embedded one."""
    with running_server(request.param) as server:
        yield server


def test_the_whole_way_of_a_feed_works_on_it(other_version: Postgres, tmp_path: Path):
    """Load, change, order, cancel and report, as everywhere."""
    with Platform(other_version.url(), tmp_path).opened() as commerce:
        commerce.partners.add("Aroma", currency="EUR")
        for price in (b"1.00", b"2.50"):
            feed = b"sku,product_name,price,quantity\nA,Lamp," + price + b",9\nB,Chair,3,9\n"
            job = commerce.feeds.load(io.BytesIO(feed), partner="Aroma")
            assert job.outcome == "clean", job
        lamp = commerce.products.page(ProductQuery(), partner="Aroma").items[0]
        assert lamp.version == 2
        order = commerce.orders.place([(lamp.product_id, 2)], key="k")
        assert commerce.orders.place([(lamp.product_id, 2)], key="k") == order
        assert commerce.orders.cancel(order.order_id).status == "cancelled"
        assert commerce.health.parts()["database"] == "ok"


@pytest.mark.slow
def test_it_agrees_with_memory(other_version: Postgres):
    """Over random feeds, orders and takeovers it gives the answers of the reference."""
    with psycopg.connect(other_version.conninfo, autocommit=True) as db:
        db.execute("CREATE DATABASE agreeing")  # the clock of another test may be ahead
    conninfo = make_conninfo(other_version.conninfo, dbname="agreeing")
    with PostgresStore.open(conninfo) as store:
        agree(MemoryStore(lambda: datetime.now(UTC)), store, examples=6, steps=15)
