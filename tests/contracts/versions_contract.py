"""What the collections of versions promise: the past of each product, and the stream of changes."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.base.errors import Malformed, NotFound
from commerce_core.base.paging import Page, Position
from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import ChangeKind
from commerce_core.feeds.source import Source
from commerce_core.history.versions import START, ChangeQuery, PastQuery, Version, behind, place
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.pricing.public_price import PriceFacts
from commerce_core.schema.record import Record
from tests.contracts import samples
from tests.contracts.samples import ONE_STORE_AND_ANOTHER, record
from tests.contracts.threads import meanwhile
from tests.support.strategies import FeedFile, feed_series
from tests.support.waiting import PATIENCE


def changes(
    store: Store, after: Position = START, limit: int = 100, **asked: object
) -> Page[Version]:
    with store.begin() as unit:
        return unit.versions.changes(evolve(ChangeQuery(), **asked), after, limit)


def told(page: Page[Version]) -> list[tuple[int, int, str, str]]:
    """Each change in brief: its place, what it was, and the product's sku."""
    return [(v.publication, v.ordinal, v.change, v.product.sku) for v in page.items]


def of_skus(first: str, *more: str) -> list[Record]:
    return [record(line, sku) for line, sku in enumerate((first, *more), start=2)]


class TestVersions:
    @pytest.fixture
    def source(self, store: Store) -> Source:
        """A source that created A, B and C, changed A and removed B, and then restored B."""
        _, source = samples.settled(store)
        samples.publish(store, source, *of_skus("A", "B", "C"))
        samples.publish(store, source, record(2, "A", brand="New"), record(3, "C"))
        again = record(2, "A", brand="New"), record(3, "C"), record(4, "B")
        samples.publish(store, source, *again)
        return source

    def test_price_facts_are_where_prices_may_change(self, store: Store, source: Source):
        """The versions of each product that change what its price depends on, oldest first."""
        products = samples.catalog(store)
        samples.publish(
            store, source, record(2, "A", brand="New", quantity=5), record(3, "C", quantity=7),
            record(4, "B", price=Decimal("1.50"), attributes={"size": "L"}),
        )  # fmt: skip
        now = samples.catalog(store)
        with store.begin() as unit:
            found = unit.versions.price_facts([now["A"], now["B"], now["C"]])
            before = unit.versions.price_facts([products["B"]])
            versions = {
                sku: [
                    version.product
                    for version in unit.versions.history(p.product_id, None, 10).items[::-1]
                ]
                for sku, p in now.items()
            }
            assert unit.versions.price_facts([]) == {}
        changed = {"A": (0, 1), "B": (0, 1, 2, 3), "C": (0,)}
        for sku, numbers in changed.items():
            expected = [PriceFacts.of(versions[sku][number]) for number in numbers]
            assert list(found[now[sku].product_id]) == expected
        of_b = [PriceFacts.of(version) for version in versions["B"][:3]]
        assert list(before[now["B"].product_id]) == of_b

    def test_versions_are_the_stream_of_changes(self, store: Store, source: Source):
        """Live products and their predecessors, by publication and ordinal, and nothing else."""
        page = changes(store)
        assert told(page) == [
            (1, 1, "created", "A"),
            (1, 2, "created", "B"),
            (1, 3, "created", "C"),
            (2, 1, "updated", "A"),
            (2, 2, "removed", "B"),
            (3, 1, "restored", "B"),
        ]
        assert [v.version for v in page.items] == [1, 1, 1, 2, 2, 3]
        assert [v.fields for v in page.items] == [(), (), (), ("brand",), (), ()]
        assert [v.product.brand for v in page.items] == [None, None, None, "New", None, None]
        assert [v.product.status for v in page.items][3:] == ["active", "removed", "active"]
        assert all(v.product.source_id == source.source_id for v in page.items)

    @pytest.mark.parametrize("limit", range(1, 8))
    def test_pages_leave_nothing_out(self, store: Store, source: Source, limit: int):
        """Page after page of any length gives each change once, and then empty pages for ever."""
        walked: list[Version] = []
        after = START
        for _ in range(9):
            page = changes(store, after, limit)
            assert page.after
            walked, after = [*walked, *page.items], page.after
        assert walked == list(changes(store).items)
        assert after == behind(3)

    def test_a_reader_that_is_caught_up_gets_what_comes(self, store: Store, source: Source):
        """From the position behind everything the stream goes on with the next publication."""
        after = changes(store).after
        assert after
        samples.publish(store, source, *of_skus("D"), mode="delta")
        assert told(changes(store, after)) == [(4, 1, "created", "D")]

    def test_a_filter_that_nothing_fits_moves_on_too(self, store: Store, source: Source):
        """Somebody who is told nothing is still behind all that was looked at."""
        assert changes(store, partner_id=samples.new_id("ptn")).after == behind(3)

    def test_changes_are_filtered(self, store: Store, source: Source):
        """By partner, by source, by feed and by kinds, and by several of them at once."""
        someone, other = samples.settled(store)
        published = samples.publish(store, other, *of_skus("X", "Y"))
        assert told(changes(store, partner_id=someone.partner_id)) == [
            (4, 1, "created", "X"),
            (4, 2, "created", "Y"),
        ]
        assert len(changes(store, source_id=source.source_id).items) == 6
        assert len(changes(store, feed_id=published.feed_id).items) == 2
        kinds: Sequence[ChangeKind] = ("created", "updated", "removed", "restored")
        counts = [len(changes(store, kinds=(kind,)).items) for kind in kinds]
        assert counts == [5, 1, 1, 1]
        both = changes(store, source_id=source.source_id, kinds=("removed", "restored"))
        assert told(both) == [(2, 2, "removed", "B"), (3, 1, "restored", "B")]

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_filtered_pages_leave_nothing_out(self, store: Store, source: Source, limit: int):
        """Also where a page ends between changes of other kinds."""
        asked: Mapping[str, Any] = {"kinds": ("restored", "created")}
        walked: list[Version] = []
        after = START
        while items := (page := changes(store, after, limit, **asked)).items:
            walked, after = [*walked, *items], page.after or START
        assert walked == list(changes(store, **asked).items)
        assert len(walked) == 4

    def test_publications_that_changed_nothing_are_passed_over(self, store: Store, source: Source):
        """Whether they say so or were never counted."""
        feed = samples.received(store, source)
        for count in (0, None, 0):
            with store.begin() as unit:
                unit.publications.add(evolve(samples.publication(feed), changes=count), samples.T0)
        samples.publish(store, source, *of_skus("D"), mode="delta")
        assert told(changes(store, behind(3))) == [(7, 1, "created", "D")]
        assert changes(store).after == behind(7)

    @pytest.mark.parametrize("forged", [Position("x", "1"), Position("1", "B"), Position("1", "")])
    def test_no_position_of_a_person_is_taken(self, store: Store, forged: Position):
        """Malformed where a position isn't two numbers; any two numbers are one."""
        with pytest.raises(Malformed):
            changes(store, forged)
        assert changes(store, Position("9" * 40, "9" * 40)).items == ()

    def test_history_goes_back_to_the_first_version(self, store: Store, source: Source):
        """Every version of a product, newest first, page by page, the live one among them."""
        product = samples.catalog(store)["B"]
        with store.begin() as unit:
            samples.reserve(unit, {product.product_id: 2})
            page = unit.versions.history(product.product_id, None, 9)
            parts: list[Version] = []
            after = None
            for _ in range(3):
                part = unit.versions.history(product.product_id, after, 1)
                parts, after = [*parts, *part.items], part.after
        assert [(v.version, v.change) for v in page.items] == [
            (3, "restored"),
            (2, "removed"),
            (1, "created"),
        ]
        assert page.items[0].product == product
        assert (page.after, after) == (None, None)
        assert parts == list(page.items)

    def test_a_product_is_seen_as_it_was(self, store: Store, source: Source):
        """As of each publication: before its first version there was none, removed ones are so."""
        product_id = samples.catalog(store)["B"].product_id
        with store.begin() as unit:
            seen = [unit.versions.as_of(product_id, number) for number in range(5)]
        assert [p and (p.version, p.status) for p in seen] == [
            None,
            (1, "active"),
            (2, "removed"),
            (3, "active"),
            (3, "active"),
        ]

    def test_the_catalog_is_seen_as_it_was(self, store: Store, source: Source):
        """As of each publication all products as they then were, by id, removed ones if wanted."""

        def then(number: int, **asked: object) -> list[tuple[str, int]]:
            query = evolve(PastQuery(number, source.partner_id), **asked)
            with store.begin() as unit:
                page = unit.past_products.page(query, None, 9)
                assert unit.past_products.count(query) == len(page.items)
                assert all(product.reserved == 0 for product in page.items)
                return [(product.sku, product.version) for product in page.items]

        product = samples.catalog(store)["A"]
        with store.begin() as unit:
            samples.reserve(unit, {product.product_id: 1})
        assert then(0) == []
        assert then(1) == [("A", 1), ("B", 1), ("C", 1)]
        assert then(2) == [("A", 2), ("C", 1)]
        assert then(2, status="removed") == [("B", 2)]
        assert then(2, status="all") == [("A", 2), ("B", 2), ("C", 1)]
        assert then(3) == then(9) == [("A", 2), ("B", 3), ("C", 1)]
        assert then(1, skus=("B", "X")) == [("B", 1)]
        assert then(1, source_id=samples.new_id("src")) == []
        assert then(1, partner_id=samples.new_id("ptn")) == []
        assert then(1, source_id=source.source_id, partner_id=None) == then(1)

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_the_catalog_as_it_was_is_read_page_by_page(
        self, store: Store, source: Source, limit: int
    ):
        """Products of several partners too, each once, in the order of their ids."""
        _, other = samples.settled(store)
        samples.publish(store, other, *of_skus("X", "Y"))
        samples.publish(store, other, *of_skus("Y", "Z"))
        walked: list[tuple[str, int]] = []
        after = None
        while True:
            with store.begin() as unit:
                page = unit.past_products.page(PastQuery(4), after, limit)
            walked += [(product.sku, product.version) for product in page.items]
            after = page.after
            if after is None:
                break
        assert walked == [("A", 2), ("B", 3), ("C", 1), ("X", 1), ("Y", 1)]

    def test_what_is_forgotten_is_gone_and_all_since_is_known(self, store: Store, source: Source):
        """Versions that weren't live any more by a publication; as of it nothing is missing."""
        with store.begin() as unit:
            assert unit.versions.forgotten() == 0
        since = changes(store, behind(2)).items
        product_id = samples.catalog(store)["B"].product_id
        with store.begin() as unit:
            then = unit.past_products.page(PastQuery(2, status="all"), None, 9).items
            assert unit.versions.forget(2, samples.T0) == 2
            assert unit.versions.forget(2, samples.T0) == 0
        with store.begin() as unit:
            assert unit.versions.forgotten() == 2
            assert unit.past_products.page(PastQuery(2, status="all"), None, 9).items == then
            history = unit.versions.history(product_id, None, 9).items
            assert [version.version for version in history] == [3, 2]
            assert unit.versions.as_of(product_id, 1) is None
        assert changes(store, behind(2)).items == since
        with store.begin() as unit:
            assert unit.versions.forget(3, samples.T0) == 1
            assert unit.versions.forgotten() == 3

    def test_what_never_was_has_no_past(self, store: Store):
        """NotFound, by its history and as of any publication."""
        with store.begin() as unit:
            with pytest.raises(NotFound):
                unit.versions.history(samples.new_id("prod"), None, 1)
            with pytest.raises(NotFound):
                unit.versions.as_of(samples.new_id("prod"), 1)

    def test_what_a_feed_wrote_never_shrinks(self, store: Store):
        """Products that a feed created, updated or restored, as it wrote them, whatever comes."""
        _, source = samples.settled(store)
        first = samples.publish(store, source, *of_skus("A", "B"))
        second = samples.publish(store, source, record(2, "A", price=Decimal(2)), record(3, "C"))
        samples.publish(store, source, record(2, "A", brand="New"))

        def written(feed_id: str) -> list[tuple[str, int]]:
            with store.begin() as unit:
                page = unit.feed_products.page(feed_id, None, 9)
                assert unit.feed_products.count(feed_id) == len(page.items)
                return [(product.sku, product.version) for product in page.items]

        assert written(first.feed_id) == [("A", 1), ("B", 1)]
        assert written(second.feed_id) == [("A", 2), ("C", 1)]
        assert written(samples.new_id("feed")) == []

    def test_what_a_feed_wrote_is_read_page_by_page(self, store: Store):
        """Where it was applied more than once each product is there once, as written last."""
        _, source = samples.settled(store)
        feed = samples.received(store, source)
        for brand in ("One", "Two"):
            with store.begin() as unit:
                apply(unit, feed_id=feed.feed_id, source=source, brand=brand)
        with store.begin() as unit:
            pages: list[list[str | None]] = []
            after = None
            while True:
                page = unit.feed_products.page(feed.feed_id, after, 2)
                pages, after = [*pages, [product.brand for product in page.items]], page.after
                if after is None:
                    break
            assert unit.feed_products.count(feed.feed_id) == 3
        assert pages == [["Two", "Two"], ["Two"]]

    def test_a_reader_that_follows_while_feeds_are_applied_misses_nothing(self, store: Store):
        """Feeds of several partners at once: each change is seen, in order, and none twice."""
        sources = [samples.settled(store)[1] for _ in range(3)]
        copy: dict[str, Product] = {}

        def write(source: Source) -> None:
            for turn in range(8):
                some = [record(n + 2, f"sku {n}", brand=f"brand {turn}") for n in range(turn + 1)]
                samples.publish(store, source, *some)

        writing = [meanwhile(lambda source=source: write(source)) for source in sources]
        after = START
        while not all(writer.done() for writer in writing):
            with store.begin() as unit:
                after = follow(unit, copy, after, 3)
        for writer in writing:
            writer.result(PATIENCE)
        with store.begin() as unit:
            after = follow(unit, copy, after, 3)
        assert after == behind(24)
        assert copy == {product.product_id: product for product in everything(store)}

    @settings(suppress_health_check=ONE_STORE_AND_ANOTHER)
    @given(feed_series(), st.integers(1, 5))
    def test_the_stream_makes_an_exact_copy(
        self, store: Store, files: Sequence[FeedFile], limit: int
    ):
        """Whatever feeds come, whoever applies each change to his copy has the catalog at the end.

        Versions of a product come in order without a gap, fields are those that differ, and what
        the stream says of a product at the end is the live product.
        """
        someone = samples.partner()
        source = samples.source(someone)
        copy: dict[str, Product] = {}
        with store.begin(dry_run=True) as unit:
            unit.partners.add(someone)
            unit.sources.add(source)
            first = unit.publications.number_at()
            after = behind(first)
            for file in files:
                feed = samples.feed(source, mode=file.mode)
                unit.feeds.add(feed)
                columns, records = file.read()
                feed_context = evolve(samples.feed_context(feed, file.currency), columns=columns)
                plan = unit.products.compare(feed_context, samples.batches(records), 5)
                publication = samples.publication(feed)
                unit.products.apply(plan, publication, samples.new_stem())
                unit.publications.add(publication, samples.T0)
                after = follow(unit, copy, after, limit)
            query = samples.ProductQuery(partner_id=someone.partner_id, status="all")
            live = unit.products.page(query, None, 200).items
            assert copy == {product.product_id: product for product in live}


def everything(store: Store) -> Sequence[Product]:
    with store.begin() as unit:
        return unit.products.page(samples.ProductQuery(status="all"), None, 200).items


def apply(unit: UnitOfWork, *, feed_id: str, source: Source, brand: str) -> None:
    feed = unit.feeds.get(feed_id)
    records = [record(line, sku, brand=brand) for line, sku in enumerate("ABC", start=2)]
    plan = unit.products.compare(samples.feed_context(feed), samples.batches(records), 9)
    publication = samples.publication(feed)
    unit.products.apply(plan, publication, samples.new_stem())
    unit.publications.add(publication, samples.T0)


def follow(unit: UnitOfWork, copy: dict[str, Product], after: Position, limit: int) -> Position:
    """Brings the copy up to date, page by page; where one can go on from."""
    walked: list[Version] = []
    while True:
        page = unit.versions.changes(ChangeQuery(), after, limit)
        assert page.after
        after = page.after
        if not page.items:
            break
        walked += page.items
        for version in page.items:
            known = copy.get(version.product_id)
            assert version.version == (known.version + 1 if known else 1)
            assert version == Version.of(version.publication, version.product, known)
            copy[version.product_id] = version.product
    places = [place(version.position) for version in walked]
    assert all(one < other for one, other in pairwise(places))
    return after
