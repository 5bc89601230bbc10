"""What every list promises: pages in order that follow each other, whatever is added meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal

import pytest
from attrs import frozen

from commerce_core.base.errors import Malformed
from commerce_core.base.paging import Page, Position, every
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.feeds.feed import FeedQuery
from commerce_core.feeds.job import JobQuery
from commerce_core.orders.order import OrderQuery
from commerce_core.ports.listing import Listing
from commerce_core.ports.store import Store, UnitOfWork
from tests.contracts import samples


@frozen
class Kind:
    """One kind of list: how something is added to it, the list itself, its query and order."""

    add: Callable[[UnitOfWork], None]
    listing: Callable[[UnitOfWork], Listing[Any, Any]]
    query: Any
    id_of: Callable[[Any], str]
    newest_first: bool = True


def add_feed(unit: UnitOfWork) -> None:
    (owner,) = unit.partners.page(None, None, 1).items
    source = unit.sources.find(owner.partner_id, "main")
    assert source
    unit.feeds.add(samples.feed(source))


def add_job(unit: UnitOfWork) -> None:
    add_feed(unit)
    (feed,) = unit.feeds.page(FeedQuery(), None, 1).items
    unit.jobs.add(samples.job(feed))


def add_product(unit: UnitOfWork) -> None:
    add_feed(unit)
    (feed,) = unit.feeds.page(FeedQuery(), None, 1).items
    records = [samples.record(2, feed.feed_id)]
    delta = samples.evolve(samples.feed_context(feed), mode="delta")
    plan = unit.products.compare(delta, samples.batches(records), 0)
    publication = samples.publication(feed)
    unit.products.apply(plan, publication, samples.new_stem())
    unit.publications.add(publication, samples.T0)


KINDS = {
    "partners": Kind(
        lambda unit: unit.partners.add(samples.partner()),
        lambda unit: unit.partners,
        None,
        lambda partner: partner.partner_id,
        newest_first=False,
    ),
    "keys": Kind(
        lambda unit: unit.keys.add(samples.key()),
        lambda unit: unit.keys,
        None,
        lambda key: key.key_id,
    ),
    "feeds": Kind(add_feed, lambda unit: unit.feeds, FeedQuery(), lambda feed: feed.feed_id),
    "jobs": Kind(add_job, lambda unit: unit.jobs, JobQuery(), lambda job: job.job_id),
    "orders": Kind(
        lambda unit: unit.orders.add(samples.order()),
        lambda unit: unit.orders,
        OrderQuery(),
        lambda order: order.order_id,
    ),
    "products": Kind(
        add_product,
        lambda unit: unit.products,
        ProductQuery(),
        lambda product: product.product_id,
        newest_first=False,
    ),
    "products descending": Kind(
        add_product,
        lambda unit: unit.products,
        ProductQuery(order="desc"),
        lambda product: product.product_id,
    ),
}
SIZE = 7


class TestListings:
    @pytest.fixture(params=KINDS, ids=lambda name: name.replace(" ", "-"))
    def kind(self, store: Store, request: pytest.FixtureRequest) -> Kind:
        """A list with seven items in it."""
        kind = KINDS[request.param]
        if request.param != "partners":
            samples.settled(store)
        with store.begin() as unit:
            for _ in range(SIZE):
                kind.add(unit)
        return kind

    @staticmethod
    def page(store: Store, kind: Kind, after: Position | None, limit: int) -> Page[Any]:
        with store.begin() as unit:
            return kind.listing(unit).page(kind.query, after, limit)

    @pytest.mark.parametrize("limit", [1, 3, SIZE - 1, SIZE, SIZE + 1, 200])
    def test_pages_make_up_the_list(self, store: Store, kind: Kind, limit: int):
        """Pages of any size give each item once, in the order of ids, never more than asked for."""
        items = every(lambda after: self.short_page(store, kind, after, limit))
        ids = [kind.id_of(item) for item in items]
        assert ids == sorted(set(ids), reverse=kind.newest_first)
        assert len(ids) == SIZE

    def short_page(self, store: Store, kind: Kind, after: Position | None, limit: int) -> Page[Any]:
        got = self.page(store, kind, after, limit)
        assert len(got.items) <= limit
        return got

    @pytest.mark.parametrize("limit", [SIZE, SIZE + 1])
    def test_the_last_page_says_so(self, store: Store, kind: Kind, limit: int):
        """There is no position after a page that holds the rest, also when it is just full."""
        assert self.page(store, kind, None, limit).after is None

    def test_a_list_is_counted(self, store: Store, kind: Kind):
        """`count` says how many items all pages have together."""
        with store.begin() as unit:
            assert kind.listing(unit).count(kind.query) == SIZE

    def test_nothing_is_lost_or_repeated_while_a_list_grows(self, store: Store, kind: Kind):
        """What was there when a walk began comes up once, whatever is added during the walk."""
        before = {kind.id_of(item) for item in self.page(store, kind, None, 200).items}
        walked: list[str] = []
        pages: Iterator[Any] = every(lambda after: self.page(store, kind, after, 2))
        for item in pages:
            walked.append(kind.id_of(item))
            if len(walked) <= SIZE:
                with store.begin() as unit:
                    kind.add(unit)
        assert before <= set(walked)
        assert walked == sorted(set(walked), reverse=kind.newest_first)
        assert (len(walked) == SIZE) == kind.newest_first

    def test_a_position_outlives_its_item(self, store: Store, kind: Kind):
        """A page begins after a position also where nothing is at it."""
        ids = [kind.id_of(item) for item in self.page(store, kind, None, 200).items]
        prefix = ids[0].partition("_")[0]
        low, high = f"{prefix}_{'0' * 32}", f"{prefix}_{'f' * 32}"
        first, last = (high, low) if kind.newest_first else (low, high)
        assert self.page(store, kind, Position(None, first), 200).items
        assert self.page(store, kind, Position(None, last), 200).items == ()


PRICES = ("5.00", None, "10.00", "0.00", "5.00", None, "9.99", "5.00", "100.00")


class TestProductListings:
    @pytest.fixture
    def priced(self, store: Store) -> Sequence[Product]:
        """Products with equal prices and with none, by id."""
        _, source = samples.settled(store)
        samples.publish(
            store,
            source,
            *(
                samples.record(
                    line, f"sku {line}", price=price and Decimal(price), currency=price and "EUR"
                )
                for line, price in enumerate(PRICES, start=2)
            ),
        )
        return sorted(samples.catalog(store).values(), key=lambda product: product.product_id)

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 9, 10])
    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_products_by_price(
        self, store: Store, priced: Sequence[Product], order: Literal["asc", "desc"], limit: int
    ):
        """Those without a price come last in both directions; ids break ties in that order."""
        query = ProductQuery(sort_by="price", order=order)

        def page(after: Position | None) -> Page[Product]:
            with store.begin() as unit:
                return unit.products.page(query, after, limit)

        down = order == "desc"
        with_price = [product for product in priced if product.price is not None]
        without = [product for product in priced if product.price is None]
        wanted = [
            *sorted(with_price, key=lambda p: (p.price, p.product_id), reverse=down),
            *sorted(without, key=lambda p: p.product_id, reverse=down),
        ]
        assert [p.sku for p in every(page)] == [p.sku for p in wanted]

    @pytest.mark.parametrize("value", ["abc", "", "NaN", "1e5x", "--1", "Infinity", "1_0", "٣"])
    def test_a_made_up_position_is_refused(
        self, store: Store, priced: Sequence[Product], value: str
    ):
        """A position whose value is no price is Malformed, not an error of the store."""
        after = Position(value, priced[0].product_id)
        with store.begin() as unit, pytest.raises(Malformed):
            unit.products.page(ProductQuery(sort_by="price"), after, 5)
