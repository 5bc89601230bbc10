"""What lists of products promise: what fits, in order, each once, also while feeds are applied."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, get_args

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.base.errors import Malformed
from commerce_core.base.paging import Page, Position, every
from commerce_core.catalog.product import Product, ProductQuery, SortBy
from commerce_core.catalog.query import fitting
from commerce_core.catalog.sorting import SORTED_CHARACTERS, place_of, position_of
from commerce_core.feeds.source import Source
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.schema.fields import Mode
from commerce_core.schema.record import Record
from tests.contracts import samples
from tests.contracts.samples import ONE_STORE_AND_ANOTHER, SECOND, T0, record
from tests.support.examples import scaled

Order = Literal["asc", "desc"]
SORTS: tuple[SortBy, ...] = get_args(SortBy)
MUTABLE = ("price", "product_name", "brand", "category", "updated_at")
"""Sorts by what a feed may change."""

# Few values, so that there are ties, and such as could be told apart wrongly.
NAMES = (
    "Kiss", "KISS", "kiß", "KI\u1e9e", "\u212aiss", "ki\u017f\u017f", "Ωmega", "ωMEGA", "ς", "Σ",
    "İstanbul", "istanbul", "ıstanbul", "a.c", "abc", "a[b]c*", "50% (new)", "^x$", "\\d", "日本語",
    "\U00010400x", "\U00010428X", "e\u0301", "é", "_", "%", "ab" * 60 + "x", "ab" * 60 + "y",
)  # fmt: skip
BRANDS = (None, "Nike", "nike", "NIKE", "Zara", "Ärger", "ärger", "zara\u2028x")
CATEGORIES = (None, "A", "A > B", "A > B > C", "A > Bx", "a > b", "A_B", "A% > B")
WORDS = (
    "k", "KISS", "ss", "ß", "ſ", "mega", "σ", "i", "İ", "ı", ".", "a.c", "[b]", "*", "\\", "%", "_",
    "^x", "語", "\U00010428x", "é", "new)", "nike", "> b", "S-1", "b c",
)  # fmt: skip
PRICES = (None, "0.00", "5.00", "5.01", "12.50")


def choice(values: Sequence[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """Offers of a few skus."""
    found: list[Record] = []
    for line, sku in enumerate(draw(st.lists(choice(range(9)), unique=True, max_size=7)), start=2):
        price, currency = draw(choice(PRICES)), draw(choice(["EUR", "USD"]))
        values = {
            "product_name": draw(choice(NAMES)),
            "brand": draw(choice(BRANDS)),
            "category": draw(choice(CATEGORIES)),
            "options": draw(choice([None, "Size: ÄB"])),
            "availability": draw(
                choice([None, "in_stock", "out_of_stock", "preorder", "backorder", "discontinued"])
            ),
            "quantity": draw(choice([None, 0, 1, 2])),
            "price": price and Decimal(price),
            "currency": currency if price or draw(st.booleans()) else None,
        }
        found.append(Record(line, f"S-{sku}", values))
    return found


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    """Filters and a sort, most of the filters left out."""
    filters: dict[str, Sequence[Any]] = {
        "brand": BRANDS[1:],
        "category": CATEGORIES[1:],
        "availability": ["in_stock", "out_of_stock", "preorder"],
        "sellable": [True, False],
        "currency": ["EUR", "USD"],
        "price_min": [Decimal("0.00"), Decimal("5.0"), Decimal("5.005")],
        "price_max": [Decimal(0), Decimal("5.01"), Decimal(100)],
        "skus": [("S-1", "S-2", "S-3"), ("nothing",)],
        "updated_since": [T0, T0 + SECOND, T0 + 3 * SECOND],
    }
    names = draw(st.lists(choice(sorted(filters)), unique=True, max_size=2))
    asked = {name: draw(choice(filters[name])) for name in names}
    if draw(st.booleans()):
        asked["q"] = " ".join(draw(st.lists(choice(WORDS), min_size=1, max_size=2)))
    return {
        **asked,
        "status": draw(choice(["active", "all", "all", "removed"])),
        "sort_by": draw(choice(SORTS)),
        "order": draw(choice(["asc", "desc"])),
    }


@frozen
class AskedFeed:
    """A feed, how the reserved units change after it, and the queries that are asked then."""

    records: list[Record]
    mode: Mode
    held: Sequence[int]
    queries: Sequence[dict[str, Any]]


def asked_feeds() -> st.SearchStrategy[list[AskedFeed]]:
    held = st.lists(choice([0, 1, 2, 5]), min_size=3, max_size=3)
    asked = st.lists(queries(), min_size=2, max_size=6)
    one = st.builds(AskedFeed, records(), choice(["full", "delta", "delta"]), held, asked)
    return st.lists(one, min_size=1, max_size=3)


def publish(
    unit: UnitOfWork, source: Source, at: datetime, made: Sequence[Record], mode: Mode
) -> None:
    feed = samples.feed(source, mode=mode)
    unit.feeds.add(feed)
    feed_context = evolve(samples.feed_context(feed), columns=COLUMNS)
    plan = unit.products.compare(feed_context, samples.batches(made), 0)
    publication = samples.publication(feed)
    unit.products.apply(plan, publication, samples.new_stem())
    unit.publications.add(publication, at)


COLUMNS = {
    name: name
    for name in (
        "sku", "product_name", "brand", "category", "options", "availability", "quantity", "price",
        "currency",
    )
}  # fmt: skip


def pages(unit: UnitOfWork, query: ProductQuery, limit: int) -> Iterator[Product]:
    return every(lambda after: unit.products.page(query, after, limit))


class TestProductLists:
    @settings(suppress_health_check=ONE_STORE_AND_ANOTHER, max_examples=scaled(40))
    @given(asked_feeds(), st.integers(1, 4))
    def test_a_list_is_what_fits_in_its_order(
        self, store: Store, feeds: Sequence[AskedFeed], limit: int
    ):
        """Every filter with every other, every sort, both directions: as the core defines it."""
        owners = [samples.partner(), samples.partner()]
        sources = [samples.source(owner) for owner in owners]
        with store.begin(dry_run=True) as unit:
            for owner, source in zip(owners, sources, strict=True):
                unit.partners.add(owner)
                unit.sources.add(source)
            for number, feed in enumerate(feeds):
                source = sources[number % 2]
                publish(unit, source, T0 + 2 * number * SECOND, feed.records, feed.mode)
                own = [
                    product
                    for owner in owners
                    for product in pages(unit, ProductQuery(owner.partner_id, status="all"), 200)
                ]
                samples.reserve(
                    unit, {p.product_id: units for p, units in zip(own, feed.held, strict=False)}
                )
                for asked in feed.queries:
                    for owner in owners:
                        self.check(unit, ProductQuery(owner.partner_id, **asked), limit)

    def check(self, unit: UnitOfWork, query: ProductQuery, limit: int) -> None:
        everything = pages(unit, ProductQuery(query.partner_id, status="all"), 200)
        place = place_of(query)
        wanted = sorted(
            filter(fitting(query), everything),
            key=lambda product: place(position_of(query, product)),
            reverse=query.order == "desc",
        )
        assert list(pages(unit, query, limit)) == wanted
        assert unit.products.count(query) == len(wanted)

    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("sort_by", SORTS)
    def test_lists_of_all_partners_are_in_order_too(
        self, store: Store, sort_by: SortBy, order: Order
    ):
        """What one partner's products are sorted by merges with that of all others."""
        for number in range(3):
            _, source = samples.settled(store)
            for day in range(3):
                offers = [
                    record(
                        sku + 2, f"S-{sku}", price=PRICES[(sku + day) % 5] and Decimal(sku + day),
                        currency="EUR", brand=BRANDS[sku + number], category=CATEGORIES[sku],
                    )
                    for sku in range(2 * day, 5)
                ]  # fmt: skip
                samples.publish(store, source, *offers, mode="delta")
        query = ProductQuery(sort_by=sort_by, order=order)
        place = place_of(query)
        with store.begin() as unit:
            found = list(pages(unit, query, 2))
            assert len(found) == unit.products.count(query) == 15
        places = [place(position_of(query, product)) for product in found]
        assert places == sorted(set(places), reverse=order == "desc")

    @pytest.mark.parametrize("sort_by", ["product_name", "brand", "category"])
    def test_a_text_counts_up_to_a_limit(self, store: Store, sort_by: SortBy):
        """Texts that differ beyond so many characters are ties, which ids break."""
        _, source = samples.settled(store)
        same = "\U0001f600" * (SORTED_CHARACTERS - 1)
        texts = [f"{same}b", f"{same}aZ", f"{same}aY"]
        samples.publish(
            store,
            source,
            *(
                Record(n + 2, f"S-{n}", {"product_name": "x", sort_by: text})
                for n, text in enumerate(texts)
            ),
        )
        with store.begin() as unit:
            query = ProductQuery(sort_by=sort_by)
            assert [p.sku for p in pages(unit, query, 1)] == ["S-1", "S-2", "S-0"]

    @pytest.mark.parametrize(
        ("sort_by", "value"),
        [
            ("product_id", "x"), ("product_name", None), ("created_at", None), ("updated_at", None),
            ("created_at", "2026-01-01"), ("created_at", "2026-01-01T00:00:00"),
            ("updated_at", "2026-01-01T00:00:00Z"), ("updated_at", "2026-01-01T01:00:00+01:00"),
            ("updated_at", "infinity"), ("created_at", "20260101T000000+0000"),
            ("updated_at", "2026-01-01T00:00:00+00:00"),
            ("updated_at", "2026-01-01T00:00:00+00:00/"),
            ("updated_at", "2026-01-01T00:00:00+00:00/2147483648"),
            ("updated_at", "2026-01-01T00:00:00+00:00/01"), ("updated_at", "/1"),
            ("product_name", "x" * (SORTED_CHARACTERS + 1)), ("price", "05"), ("price", "1e3"),
            ("price", "9" * 41),
        ],
    )  # fmt: skip
    def test_a_position_of_no_such_list_is_refused(
        self, store: Store, sort_by: SortBy, value: str | None
    ):
        """A position whose value can't be of the list is Malformed, not an error of the store."""
        position = Position(value, samples.new_id("prod"))
        with store.begin() as unit, pytest.raises(Malformed):
            unit.products.page(ProductQuery(sort_by=sort_by), position, 5)

    @settings(suppress_health_check=ONE_STORE_AND_ANOTHER, max_examples=scaled(40))
    @given(
        st.lists(st.tuples(records(), choice(["full", "delta", "delta"])), min_size=2, max_size=6),
        choice(SORTS),
        choice(["asc", "desc"]),
        st.integers(1, 3),
    )
    def test_nothing_is_lost_or_seen_twice_while_feeds_are_applied(
        self,
        store: Store,
        feeds: Sequence[tuple[list[Record], Mode]],
        sort_by: SortBy,
        order: Order,
        limit: int,
    ):
        """Between any two pages a feed is applied.

        What was there throughout, and kept the value that the list is sorted by, comes up once. Of
        the rest nothing comes twice where the list is sorted by what never changes. By time upwards
        nothing that was there throughout is lost at all.
        """
        owner = samples.partner()
        source = samples.source(owner)
        with store.begin(dry_run=True) as unit:
            unit.partners.add(owner)
            unit.sources.add(source)
            self.walk_along(
                unit,
                source,
                list(feeds),
                ProductQuery(owner.partner_id, sort_by=sort_by, order=order),
                limit,
            )

    def walk_along(
        self,
        unit: UnitOfWork,
        source: Source,
        feeds: list[tuple[list[Record], Mode]],
        query: ProductQuery,
        limit: int,
    ) -> None:
        times = (T0 + n * SECOND for n in range(99))
        states: list[dict[str, Position]] = []

        def apply_next() -> None:
            if feeds:
                made, mode = feeds.pop(0)
                publish(unit, source, next(times), made, mode)
            found = pages(unit, ProductQuery(query.partner_id), 200)
            states.append({p.product_id: position_of(query, p) for p in found})

        def page(after: Position | None) -> Page[Product]:
            got = unit.products.page(query, after, limit)
            apply_next()
            return got

        apply_next()
        seen = [product.product_id for product in every(page)]
        there = set.intersection(*(set(state) for state in states))
        steady = {id_ for id_ in there if len({state[id_] for state in states}) == 1}
        assert steady <= set(seen)
        assert all(seen.count(id_) == 1 for id_ in steady)
        if query.sort_by not in MUTABLE:
            assert there <= set(seen)
            assert len(seen) == len(set(seen))
        if (query.sort_by, query.order) == ("updated_at", "asc"):
            assert there <= set(seen)
