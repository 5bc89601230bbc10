"""Pages of products are read along an index: what a page costs doesn't depend on where it lies."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Literal, cast

import psycopg
import pytest
from attrs import evolve, frozen

from adapters.postgres import PostgresStore
from adapters.postgres.catalog import filters
from adapters.postgres.collections.listing import is_idle, walking
from adapters.postgres.store import Unit
from commerce_core.base.errors import InvalidInput
from commerce_core.base.paging import Position, every
from commerce_core.catalog.product import Product, ProductQuery, SortBy
from commerce_core.catalog.sorting import position_of
from commerce_core.history.versions import PastQuery
from commerce_core.schema.record import Record
from tests.contracts import samples
from tests.contracts.samples import record
from tests.support.shelf import Shelf, rows_read

Order = Literal["asc", "desc"]
LARGE, SMALL, CHANGED, LATER, LIMIT = 3_000, 40, 30, 400, 50


@frozen
class Catalog:
    """A large partner's products beside a small one's, and feeds that changed few, or none."""

    store: PostgresStore
    large: str
    small: str
    all_of_large: str
    few_of_large: str


@pytest.fixture(scope="module")
def catalog(shelf: Shelf) -> Catalog:
    store = shelf.store
    large, source = samples.settled(store)
    small, other = samples.settled(store)

    def offers(count: int) -> Iterator[Record]:
        for n in range(count):
            price = None if n % 10 == 0 else Decimal(n * 7 % 1000)
            yield record(n + 2, f"sku {n:05}", price=price, currency="EUR", brand="A")

    samples.publish(store, other, *offers(SMALL))
    all_of_large = samples.publish(store, source, *offers(LARGE))
    changed = (evolve(r, values={**r.values, "brand": "B"}) for r in offers(CHANGED))
    few = samples.publish(store, source, *changed, mode="delta")
    for _ in range(LATER):
        samples.publish(store, source, mode="delta")
    shelf.filled()
    return Catalog(store, large.partner_id, small.partner_id, all_of_large.feed_id, few.feed_id)


def products_read(
    store: PostgresStore, query: ProductQuery, after: Position | None = None, *, small: bool = False
) -> int:
    """How many products a page looks at, those that a filter then leaves out too.

    `small` makes nothing of the table being so small that it is best read whole.
    """
    with store.begin() as unit:
        db = cast("Unit", unit).products._db
        if not small:
            db.execute("SET LOCAL enable_seqscan = off")
        return rows_read(db, lambda: unit.products.page(query, after, LIMIT))["products"]


def middle(store: PostgresStore, query: ProductQuery) -> Position | None:
    """Where the page in the middle of a list ends."""
    with store.begin() as unit:
        items: list[Product] = list(every(lambda after: unit.products.page(query, after, 200)))
    return position_of(query, items[len(items) // 2])


@pytest.mark.slow
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort_by", ["product_id", "updated_at"])
@pytest.mark.parametrize("whose", [None, "large", "small"])
def test_a_page_reads_what_it_shows(
    catalog: Catalog, whose: str | None, sort_by: SortBy, order: Order
):
    """First page or middle one, one partner's or all: hardly more is read than is shown.

    By time it is a page of each publication that is come to. By id the few of another partner may
    be read past.
    """
    partner_id = getattr(catalog, whose) if whose else None
    query = ProductQuery(partner_id, sort_by=sort_by, order=order)
    most = LIMIT + 1 + SMALL if sort_by == "product_id" else (LIMIT + 1) * 3
    for after in (None, middle(catalog.store, query)):
        assert products_read(catalog.store, query, after, small=True) <= most


@pytest.mark.slow
@pytest.mark.parametrize("whose", [None, "large"])
def test_a_page_by_time_reads_no_publication_that_lies_beyond_it(
    catalog: Catalog, whose: str | None
):
    """But those of what it shows, each time that they are looked up."""
    partner_id = getattr(catalog, whose) if whose else None
    query = ProductQuery(partner_id, sort_by="updated_at")
    with catalog.store.begin() as unit:
        db = cast("Unit", unit).products._db
        read = rows_read(db, lambda: unit.products.page(query, None, LIMIT))
    assert read["publications"] <= 2 * (LIMIT + 1) + 3


def test_the_products_of_a_small_feed_are_found_at_once(catalog: Catalog):
    """A few products among many cost what they are, not what the catalog is."""
    assert products_read(catalog.store, ProductQuery(feed_id=catalog.few_of_large)) == CHANGED


@pytest.mark.slow
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("whose", [None, "large"])
def test_what_changed_lately_is_found_without_what_did_not(
    catalog: Catalog, whose: str | None, order: Order
):
    """By time and since a time only publications from then on are looked into."""
    partner_id = getattr(catalog, whose) if whose else None
    few = evolve(ProductQuery(feed_id=catalog.few_of_large), partner_id=partner_id)
    with catalog.store.begin() as unit:
        since = unit.products.page(few, None, 1).items[0].updated_at
    query = ProductQuery(partner_id, sort_by="updated_at", order=order, updated_since=since)
    assert products_read(catalog.store, query, small=True) == CHANGED


@pytest.mark.parametrize("whose", [None, "large"])
def test_skus_are_found_along_the_key(catalog: Catalog, whose: str | None):
    """A product is found by its sku without looking at others, whoever's it is."""
    partner_id = getattr(catalog, whose) if whose else None
    skus = ("sku 00007", "sku 01234")
    assert products_read(catalog.store, ProductQuery(partner_id, skus=skus)) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("whose", [None, "large", "small"])
def test_a_page_of_the_past_reads_what_it_shows(catalog: Catalog, whose: str | None):
    """Of each partner a page of what is live, and of what is history, whatever else there is."""
    partner_id = getattr(catalog, whose) if whose else None
    with catalog.store.begin() as unit:
        db = cast("Unit", unit).past_products._db
        query = PastQuery(2, partner_id)
        items = list(every(lambda after: unit.past_products.page(query, after, 200)))
        middle = Position(None, items[len(items) // 2].product_id)
        for after in (None, middle):
            read = rows_read(db, lambda at=after: unit.past_products.page(query, at, LIMIT))
            assert read["products"] <= LIMIT + 1 + CHANGED + SMALL
            assert read["product_versions"] <= LIMIT + 1 + CHANGED


def test_a_page_of_what_a_feed_wrote_reads_what_it_shows(catalog: Catalog):
    """The first page of a large feed, or a later one."""
    with catalog.store.begin() as unit:
        db = cast("Unit", unit).feed_products._db
        for after in (None, Position("2", str(LARGE // 2))):
            read = rows_read(
                db, lambda at=after: unit.feed_products.page(catalog.all_of_large, at, LIMIT)
            )
            assert read["products"] <= LIMIT + 1
            assert read["product_versions"] <= CHANGED


def test_a_list_that_takes_too_long_is_refused(catalog: Catalog, monkeypatch: pytest.MonkeyPatch):
    """It is told how to narrow it; a walk along an index isn't bounded, and goes on working."""
    monkeypatch.setattr(filters, "SLOWEST", "1ms")
    broad = ProductQuery(sort_by="product_name", q="s k u p r o d c t")
    with catalog.store.begin() as unit, pytest.raises(InvalidInput) as refused:
        unit.products.page(broad, None, LIMIT)
    assert (refused.value.code, refused.value.faults[0].pointer) == ("too_broad", "/q")
    with catalog.store.begin() as unit, pytest.raises(InvalidInput) as refused:
        unit.products.count(broad)
    assert refused.value.faults[0].pointer == "/count"
    with catalog.store.begin() as unit:
        assert len(unit.products.page(ProductQuery(), None, LIMIT).items) == LIMIT


SETTINGS: Final = (
    "statement_timeout", "enable_sort", "enable_incremental_sort", "enable_bitmapscan",
    "enable_seqscan", "jit",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("query", [ProductQuery(), ProductQuery(q="sku")])
def test_what_is_set_for_a_list_ends_with_it(catalog: Catalog, query: ProductQuery):
    """What a unit does afterwards may take as long as before, and is planned as before."""
    with catalog.store.begin() as unit:
        db = cast("Unit", unit).products._db

        def settings() -> list[object]:
            return [db.execute(f"SHOW {name}".encode()).fetchone() for name in SETTINGS]

        before = settings()
        unit.products.page(query, None, LIMIT)
        unit.products.count(query)
        assert settings() == before


def test_pages_of_a_unit_that_only_reads_leave_its_connection_as_it_was(catalog: Catalog):
    """Each is a transaction of its own, whose settings end with it, also if it fails."""
    with catalog.store.read_only() as unit:
        db = cast("Unit", unit).products._db

        def settings() -> list[tuple[object, ...]]:
            names = "enable_sort", "enable_seqscan", "jit", "statement_timeout"
            return [db.execute(f"SHOW {name}".encode()).fetchall()[0] for name in names]

        before = settings()
        for query in (ProductQuery(), ProductQuery(brand="A"), ProductQuery(sort_by="updated_at")):
            assert len(unit.products.page(query, None, 10).items) == 10
            assert is_idle(db)
            assert settings() == before
        with pytest.raises(psycopg.errors.DivisionByZero), walking(db):
            db.execute("SELECT 1 / 0")
        assert is_idle(db)
        assert settings() == before
