"""No statement's work depends on what the planner happens to know: statistics come when they come.

A server makes statistics once it has time. A partner's first thousand orders and its second feed
come before that, and so do those of every new partner of an old database.
"""

import io
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import psycopg
import pytest

import commerce_core
from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.orders.order import OrderQuery
from commerce_core.schema.fields import Mode
from tests.support.servers.postgres import BINARIES, Postgres, running_server
from tests.support.servers.touched import watched

Analysed = Literal["never", "before the partner came", "after the partner came"]
PRODUCTS: Final = 10_000
CHANGED: Final = 50
HEADER: Final = "sku,product_name,price,quantity,brand,description"
MANY_CHANGED: Final = 600
"""Too many for kept plans: they are looked for among the products that no record matched."""
MOST: Final = 60 * CHANGED
"""What a statement may touch: rows, index entries and blocks. Each is about 50 to 100 rows."""
MUCH: Final = "much changed"
COUNTS: Final = "AS before, count(*) FILTER"
"""In the statement by which a delta counts the partner's products; it reads them all."""


@pytest.fixture(scope="module", params=sorted(BINARIES))
def server(request: pytest.FixtureRequest) -> Generator[Postgres]:
    with running_server(request.param) as running:
        yield running


@contextmanager
def opened(server: Postgres, folder: Path, analysed: Analysed) -> Generator[Commerce]:
    """A platform with a partner among others, whose products were loaded as that is said."""
    name = f"statistics_{analysed.split()[0]}"
    with psycopg.connect(server.conninfo, autocommit=True) as db:
        db.execute(f"DROP DATABASE IF EXISTS {name}")
        db.execute(f"CREATE DATABASE {name}")
    url = server.url(database=name)
    with commerce_core.connect(url, f"file:{folder}") as commerce:
        keep_plans(commerce)
        come(commerce, "Other")
        if analysed.startswith("before"):
            analyse(url)
        come(commerce, "New")
        if analysed.startswith("after"):
            analyse(url)
        yield commerce


def analyse(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("ANALYZE")


def keep_plans(commerce: Commerce) -> None:
    """Feeds of a few records, until the sessions keep plans that know nearly empty tables."""
    commerce.partners.add("Tiny", currency="EUR")
    for number in range(15):
        send(commerce, "Tiny", lines(range(number % 4, number % 4 + 1))[:4])


def come(commerce: Commerce, partner: str) -> None:
    """A partner's first feed, and some orders."""
    commerce.partners.add(partner, currency="EUR")
    send(commerce, partner, lines())
    for number in range(40):
        order(commerce, partner, number)


def lines(raised: range = range(0), gone: range = range(0)) -> list[str]:
    """The records of all products; some have another price, some are gone."""
    text = "x" * 60
    return [
        f"S{n:05},Thing {n},{n % 90 + 10 + (n in raised)}.50,{n % 7 + 1000},Brand {n % 40},{text}"
        for n in range(PRODUCTS)
        if n not in gone
    ]


def send(
    commerce: Commerce, partner: str, records: list[str], mode: Mode = "full", *, plan: bool = False
) -> None:
    body = "\n".join((HEADER, *records, "")).encode()
    receipt = commerce.feeds.upload(
        io.BytesIO(body), partner=partner, mode=mode, kind="plan" if plan else "ingest"
    )
    job = commerce.jobs.run(receipt.job_id)
    assert job.status == "completed", job.error


def order(commerce: Commerce, partner: str, number: int) -> str:
    partner_id = commerce.partners.get(partner).partner_id
    products = commerce.products.page(
        ProductQuery(partner_id=partner_id, skus=tuple(f"S{number * 3 + n:05}" for n in range(3)))
    )
    placed = commerce.orders.place([(product.product_id, 1) for product in products.items])
    return placed.order_id


@pytest.mark.slow
@pytest.mark.parametrize("analysed", ["never", "before the partner came", "after the partner came"])
def test_no_statement_touches_more_than_it_is_about(
    server: Postgres, tmp_path: Path, analysed: Analysed, monkeypatch: pytest.MonkeyPatch
):
    with (
        opened(server, tmp_path, analysed) as commerce,
        watched(monkeypatch) as touched,
    ):
        touched.step = "plan"
        send(commerce, "New", lines(range(CHANGED)), plan=True)
        touched.step = "second day"
        send(commerce, "New", lines(range(CHANGED)))
        touched.step = "delta"
        send(commerce, "New", lines(range(100, 100 + CHANGED))[100 : 100 + CHANGED], "delta")
        touched.step = "some gone"
        send(commerce, "New", lines(range(100, 150), range(900, 900 + CHANGED)))
        touched.step = "problems"
        odd = ["Z1,,5.00,1,,", "Z2,,5.00,1,,", *lines()[:20], *lines()[:20], "S00001,,x,1,,"]
        send(commerce, "New", odd, "delta")
        touched.step = "orders"
        walk_orders(commerce)
        touched.step = "pages"
        walk_pages(commerce)
        touched.step = MUCH
        send(commerce, "New", lines(range(200, 200 + MANY_CHANGED)))
    assert len(touched.statements) > 100
    too_much = [
        one
        for one in touched.beyond(MOST)
        if COUNTS not in one.text and not (one.step == MUCH and one.touched <= 60 * MANY_CHANGED)
    ]
    assert not too_much, "\n".join(f"{s.step}: {s.touched} by {s.text}" for s in too_much)


def walk_orders(commerce: Commerce) -> None:
    placed = order(commerce, "New", 50)
    commerce.orders.get(placed)
    commerce.orders.page(OrderQuery(), limit=10)
    commerce.orders.page(OrderQuery(), limit=10, partner="New")
    commerce.orders.cancel(placed)


def walk_pages(commerce: Commerce) -> None:
    partner_id = commerce.partners.get("New").partner_id
    own = ProductQuery(partner_id=partner_id)
    for query in (
        ProductQuery(),
        own,
        ProductQuery(partner_id=partner_id, skus=("S00007", "S00008")),
    ):
        first = commerce.products.page(query, limit=100)
        if first.next_cursor:
            commerce.products.page(query, first.next_cursor, limit=100)
    product = commerce.products.get(partner="New", sku="S00007")
    list(commerce.history.revisions(product.product_id))
    commerce.history.page_changes(limit=100)
    commerce.history.page_changes(limit=100, partner="New")
    commerce.events.page(limit=10)
    commerce.feeds.page(limit=10)
    commerce.jobs.page(limit=10, partner="New")
