"""Pages of products are read along an index: what a page costs doesn't depend on where it lies."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, cast

import psycopg
import pytest
from attrs import evolve, frozen

from adapters.postgres import PostgresStore, product_filters
from adapters.postgres.product_pages import legs
from adapters.postgres.store import Unit
from commerce_core.errors import InvalidInput
from commerce_core.paging import Position, every
from commerce_core.product_lists import position_of
from commerce_core.products import Product, ProductQuery, SortBy
from tests.contracts import samples
from tests.contracts.samples import record

Order = Literal["asc", "desc"]
LARGE, SMALL, LIMIT = 3_000, 40, 50


@frozen
class Catalog:
    """A large partner's products beside a small one's, and a feed that changed a few of them."""

    large: str
    small: str
    few_of_large: str


@pytest.fixture
def catalog(store: PostgresStore, database: str) -> Catalog:
    large, source = samples.settled(store)
    small, other = samples.settled(store)

    def offers(count: int) -> Iterator[Any]:
        for n in range(count):
            price = None if n % 10 == 0 else Decimal(n * 7 % 1000)
            yield record(n + 2, f"sku {n:05}", price=price, currency="EUR", brand="A")

    samples.publish(store, other, *offers(SMALL))
    samples.publish(store, source, *offers(LARGE))
    changed = (evolve(r, values={**r.values, "brand": "B"}) for r in offers(30))
    few = samples.publish(store, source, *changed, mode="delta")
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("ANALYZE products, publications, partners")
    return Catalog(large.partner_id, small.partner_id, few.feed_id)


def plans(store: PostgresStore, query: ProductQuery, after: Position | None) -> list[Any]:
    """The plans of a page's queries, as they were executed."""
    with store.begin() as unit:
        db = cast("Unit", unit).products._db
        # A table this small is read whole sooner than along any index.
        db.execute("SET LOCAL enable_seqscan = off")
        found: list[Any] = []
        for leg in legs(db, query, after):
            text, params = leg.query(LIMIT + 1)
            explain = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + text.as_bytes(db)
            ((plan,),) = db.execute(explain, params).fetchall()
            found.append(plan[0]["Plan"])
        return found


def walked(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from walked(part)


def indexes(found: list[Any]) -> set[str]:
    """Along which indexes products are read."""
    names = {node.get("Index Name", "") for plan in found for node in walked(plan)}
    return {name for name in names if name.startswith("products_")}


def products_read(found: list[Any]) -> float:
    """How many products were looked at, those that a filter then left out too."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for plan in found
        for node in walked(plan)
        if node.get("Relation Name") == "products"
    )


def middle(store: PostgresStore, query: ProductQuery) -> Position | None:
    """Where the page in the middle of a list ends."""
    with store.begin() as unit:
        items: list[Product] = list(every(lambda after: unit.products.page(query, after, 200)))
    return position_of(query, items[len(items) // 2])


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort_by", ["product_id", "updated_at"])
@pytest.mark.parametrize("whose", [None, "large", "small"])
def test_a_page_reads_what_it_shows(
    store: PostgresStore, catalog: Catalog, whose: str | None, sort_by: SortBy, order: Order
):
    """First page or middle one, one partner's or all: hardly more is read than is shown.

    By time it is a page of each publication that is come to. By id the few of another partner may
    be read past.
    """
    partner_id = getattr(catalog, whose) if whose else None
    query = ProductQuery(partner_id, sort_by=sort_by, order=order)
    for after in (None, middle(store, query)):
        found = plans(store, query, after)
        if sort_by == "updated_at":
            assert indexes(found) == {"products_by_change"}
            assert products_read(found) <= (LIMIT + 1) * 3
        else:
            assert products_read(found) <= LIMIT + 1 + SMALL


def test_the_products_of_a_small_feed_are_found_at_once(store: PostgresStore, catalog: Catalog):
    """A few products among many cost what they are, not what the catalog is."""
    found = plans(store, ProductQuery(feed_id=catalog.few_of_large), None)
    assert indexes(found) == {"products_by_change"}
    assert products_read(found) == 30


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("whose", [None, "large"])
def test_what_changed_lately_is_found_without_what_did_not(
    store: PostgresStore, catalog: Catalog, whose: str | None, order: Order
):
    """By time and since a time only publications from then on are looked into."""
    partner_id = getattr(catalog, whose) if whose else None
    few = evolve(ProductQuery(feed_id=catalog.few_of_large), partner_id=partner_id)
    with store.begin() as unit:
        since = unit.products.page(few, None, 1).items[0].updated_at
    query = ProductQuery(partner_id, sort_by="updated_at", order=order, updated_since=since)
    found = plans(store, query, None)
    assert products_read(found) == 30


@pytest.mark.parametrize("whose", [None, "large"])
def test_skus_are_found_along_the_key(store: PostgresStore, catalog: Catalog, whose: str | None):
    """A product is found by its sku without looking at others, whoever's it is."""
    partner_id = getattr(catalog, whose) if whose else None
    found = plans(store, ProductQuery(partner_id, skus=("sku 00007", "sku 01234")), None)
    assert indexes(found) == {"products_pkey"}
    assert products_read(found) <= 3


def test_a_list_that_takes_too_long_is_refused(
    store: PostgresStore, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
):
    """It is told how to narrow it; a walk along an index isn't bounded, and goes on working."""
    monkeypatch.setattr(product_filters, "SLOWEST", "1ms")
    broad = ProductQuery(sort_by="product_name", q="nothing that there is")
    with store.begin() as unit, pytest.raises(InvalidInput) as refused:
        unit.products.page(broad, None, LIMIT)
    assert (refused.value.code, refused.value.faults[0].pointer) == ("too_broad", "/q")
    with store.begin() as unit, pytest.raises(InvalidInput) as refused:
        unit.products.count(broad)
    assert refused.value.faults[0].pointer == "/count"
    with store.begin() as unit:
        assert len(unit.products.page(ProductQuery(), None, LIMIT).items) == LIMIT


def test_the_time_that_a_list_may_take_ends_with_it(store: PostgresStore, catalog: Catalog):
    """What a unit does afterwards may take as long as before."""
    with store.begin() as unit:
        db = cast("Unit", unit).products._db
        before = db.execute("SHOW statement_timeout").fetchone()
        unit.products.page(ProductQuery(q="sku"), None, LIMIT)
        unit.products.count(ProductQuery(q="sku"))
        assert db.execute("SHOW statement_timeout").fetchone() == before
