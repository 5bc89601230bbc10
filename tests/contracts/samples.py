"""Values for tests of stores: valid, as plain as can be, and new each time."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from attrs import evolve
from hypothesis import HealthCheck

from commerce_core.analytics.ledger import SalesEntry
from commerce_core.base.ids import Kind
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.guards import Figures
from commerce_core.feeds.job import Job
from commerce_core.feeds.source import Source
from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import Order
from commerce_core.parsing.reference import RecordBatch
from commerce_core.partners.api_key import ApiKey
from commerce_core.partners.partner import Partner
from commerce_core.plans.comparison import FeedContext
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.schema.fields import PRODUCT_FIELDS, Mode, Value
from commerce_core.schema.problems import Problem
from commerce_core.schema.record import Record
from commerce_core.stock.reservation import StockMove, Taking
from tests.support.examples import ONE_FIXTURE

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
ALL_COLUMNS = {name: name.upper() for name in ("sku", *PRODUCT_FIELDS)}
ONE_STORE_AND_ANOTHER = (*ONE_FIXTURE, HealthCheck.differing_executors)
"""Each promise is tried on a fresh store once, and on every kind of store in its own module."""
_numbers = itertools.count(1)


def new_id(kind: Kind) -> str:
    """Ids in rising order."""
    return f"{kind}_0199{next(_numbers):028x}"


def new_stem() -> str:
    return f"0199{next(_numbers):020x}"


def partner(name: str | None = None, **changes: object) -> Partner:
    partner_id = new_id("ptn")
    name = name or f"Partner {partner_id[-6:]}"
    made = Partner(partner_id, name, "active", "EUR", "Europe/Rome", None, T0, T0)
    return evolve(made, **changes)


def source(of: Partner, name: str = "main", mode: Mode = "full") -> Source:
    return Source(new_id("src"), of.partner_id, name, mode, T0)


def feed(of: Source, **changes: object) -> Feed:
    """A received feed, so far without its partner's name, with which a store will show it."""
    made = Feed(
        new_id("feed"), of.partner_id, "", of.source_id, "feed.csv", "text/csv", 12, "ab" * 32,
        of.mode, "received", T0, T0,
    )  # fmt: skip
    return evolve(made, **changes)


def figures(**changes: object) -> Figures:
    """What guards judge, of a feed that changes nothing; there was none before it."""
    made = Figures(
        before=0, removed=0, records=0, last_records=None, columns_gone=(), rekeyed=0, met=0,
        moved=0, median_move=0, leaps=0, in_stock=0, sold_out=0, cut_off=False,
    )  # fmt: skip
    return evolve(made, **changes)


def job(of: Feed, **changes: object) -> Job:
    made = Job(new_id("job"), of.feed_id, of.partner_id, "ingest", "queued", True, T0)
    return evolve(made, **changes)


def key(of: Partner | None = None) -> ApiKey:
    key_id = new_id("key")
    partner_id = of.partner_id if of else None
    return ApiKey(key_id, partner_id, ("feeds:read",), T0, digest=key_id[-32:].encode())


def publication(of: Feed) -> Publication:
    pub_id = new_id("pub")
    return Publication(pub_id, of.partner_id, of.source_id, of.feed_id, of.mode, "tests", 7)


def problem(line: int, value: str = "") -> Problem:
    return Problem.of("not_a_number", line=line, column="Price", field="price", value=value)


def record(line: int, sku: str | None, **values: Value) -> Record:
    """A clean record that is named after its sku."""
    return Record(line, sku, {"product_name": f"Product {sku}", **values})


def feed_context(of: Feed, currency: str | None = "EUR") -> FeedContext:
    return FeedContext(of.partner_id, of.source_id, of.feed_id, of.mode, ALL_COLUMNS, currency)


def line(partner_id: str | None = None, **changes: object) -> OrderItem:
    """A line of an order, of a product that may not exist: lines are copies."""
    made = OrderItem(
        new_id("item"), new_id("prod"), 3, partner_id or new_id("ptn"), "sku", "Name", 2,
        Decimal("10.00"), Decimal("9.00"), Decimal("18.00"),
    )  # fmt: skip
    return evolve(made, **changes)


def order(*items: OrderItem, **changes: object) -> Order:
    total = sum((line.line_total for line in items), Decimal("0.00"))
    zero = Decimal("0.00")
    made = Order(new_id("ord"), "created", None, "EUR", total, zero, items, {}, T0, T0)
    return evolve(made, **changes)


def reserve(unit: UnitOfWork, units: Mapping[str, int]) -> Mapping[str, Product]:
    """Adds to the reserved units of products, whatever they can supply; returns the products."""
    unit.stock.take([Taking(product_id, new_id("item"), 0) for product_id in units], T0)
    moves = [
        StockMove("reopened" if n > 0 else "released", id_, new_id("item"), abs(n))
        for id_, n in units.items()
    ]
    unit.stock.move(moves, T0)
    return unit.products.get_many(units)


def entry(of: Order, line: OrderItem, at: datetime = T0, **changes: object) -> SalesEntry:
    made = SalesEntry.of(new_id("ent"), "placed", at, of.order_id, of.currency, line)
    return evolve(made, **changes)


def settled(store: Store, name: str | None = None, **changes: object) -> tuple[Partner, Source]:
    """A partner with its source, both kept."""
    someone = partner(name, **changes)
    main = source(someone)
    with store.begin() as unit:
        unit.partners.add(someone)
        unit.sources.add(main)
    return someone, main


def received(store: Store, of: Source, **changes: object) -> Feed:
    """A feed that is kept."""
    got = feed(of, **changes)
    with store.begin() as unit:
        unit.feeds.add(got)
    return got


def batches(records: Iterable[Record]) -> Iterator[RecordBatch]:
    """The records as an engine gives them, each in a batch of its own."""
    return (RecordBatch((record,)) for record in records)


def queued(store: Store, of: Feed, **changes: object) -> Job:
    """A job that is kept."""
    made = job(of, **changes)
    with store.begin() as unit:
        unit.jobs.add(made)
    return made


def publish(store: Store, of: Source, *records: Record, **changes: object) -> Publication:
    """Applies these records as a feed of the source, and gives the publication, numbered."""
    got = received(store, of, **changes)
    with store.begin() as unit:
        plan = unit.products.compare(feed_context(got), batches(records), 1000)
        made = publication(got)
        unit.products.apply(plan, made, new_stem())
        return unit.publications.add(made, T0)


def catalog(store: Store, **filters: object) -> Mapping[str, Product]:
    """The products that fit, removed ones too, by sku."""
    query = evolve(ProductQuery(status="all"), **filters)
    with store.begin() as unit:
        return {product.sku: product for product in unit.products.page(query, None, 200).items}
