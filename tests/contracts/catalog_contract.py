"""What the collections of products and publications promise."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings

from commerce_core.base.errors import NotFound
from commerce_core.base.ids import Block
from commerce_core.catalog.export import write
from commerce_core.catalog.product import Oversold, Product, ProductQuery
from commerce_core.catalog.publication import TICK, Publication
from commerce_core.feeds.feed import Feed
from commerce_core.plans import comparison
from commerce_core.plans.changes import Change
from commerce_core.plans.comparison import FeedContext
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.schema.record import Record
from tests.contracts import samples
from tests.contracts.samples import MINUTE, ONE_STORE_AND_ANOTHER, SECOND, T0, record
from tests.contracts.threads import meanwhile, together
from tests.support.strategies import FeedFile, feed_series
from tests.support.waiting import PATIENCE, assert_waits, pause

PROBLEM_LIMIT = 5


def of_partner(unit: UnitOfWork, partner_id: str) -> dict[str, Product]:
    query = ProductQuery(partner_id=partner_id, status="all")
    return {product.sku: product for product in unit.products.page(query, None, 200).items}


def expected(
    change: Change, ordinal: int, new_id: str, feed_context: FeedContext, publication: Publication
) -> Product:
    """What a change makes of a product; when it was created is of no account."""
    before = change.before
    kept = {
        "product_id": before.product_id if before else new_id,
        "partner_name": before.partner_name if before else "",
        "reserved": before.reserved if before else 0,
        "version": before.version + 1 if before else 1,
        **(before.values() if before else {}),
        **change.values,
    }
    return Product(
        **kept,
        partner_id=feed_context.partner_id,
        source_id=feed_context.source_id,
        sku=change.sku,
        status="removed" if change.kind == "removed" else "active",
        feed_id=feed_context.feed_id,
        line=change.line,
        publication_id=publication.publication_id,
        ordinal=ordinal,
        created_at=before.created_at if before else T0,
        updated_at=publication.published_at or T0,
    )


class TestCatalog:
    def test_nothing_of_an_offboarded_partner_can_be_sold(self, store: Store):
        """A list, a product, an export and what is reserved agree; being paused changes nothing."""
        someone, main = samples.settled(store)
        _, other = samples.settled(store)
        for of in (main, other):
            samples.publish(store, of, record(2, "A", price=Decimal(1), currency="EUR"))
        for status, gone in (("paused", False), ("offboarded", True), ("active", False)):
            with store.begin() as unit:
                before = unit.partners.get(someone.partner_id)
                unit.partners.put(before.changed(T0, status=status))
            with store.begin(dry_run=True) as unit:
                everyone = ProductQuery(partner_id=someone.partner_id)
                (product,) = unit.products.page(everyone, None, 9).items
                sellable = unit.products.page(evolve(everyone, sellable=True), None, 9).items
                others = unit.products.page(evolve(everyone, sellable=False), None, 9).items
                assert unit.products.get(product.product_id) == product
                reserved = samples.reserve(unit, {product.product_id: 1})[product.product_id]
            assert product.partner_gone == reserved.partner_gone == gone
            assert product.not_sellable_reason == ("partner_gone" if gone else None)
            assert (len(sellable), len(others)) == ((0, 1) if gone else (1, 0))
            with store.snapshot(everyone) as snapshot:
                exported = json.loads(b"".join(write(snapshot, "ndjson")))
            assert exported["sellable"] is not gone
            assert exported["not_sellable_reason"] == product.not_sellable_reason
        with store.begin() as unit:
            assert unit.products.count(ProductQuery(sellable=True)) == 2

    @settings(suppress_health_check=ONE_STORE_AND_ANOTHER)
    @given(feed_series())
    def test_plans_and_what_becomes_of_them_are_those_of_the_reference(
        self, store: Store, files: Sequence[FeedFile]
    ):
        """Feed after feed: the plan is that of `comparison.compare`, and `apply` does just that.

        Every changed product has the values, the version, the line, the ordinal and the id that it
        has to have; every other is untouched; the number of active products is as told.
        """
        someone = samples.partner()
        sources = [samples.source(someone), samples.source(someone, "second")]
        with store.begin(dry_run=True) as unit:
            unit.partners.add(someone)
            for source in sources:
                unit.sources.add(source)
            for file in files:
                feed = samples.feed(sources[len(file.body) % 5 == 0], mode=file.mode)
                unit.feeds.add(feed)
                self.check_feed(unit, feed, file)

    def check_feed(self, unit: UnitOfWork, feed: Feed, file: FeedFile) -> None:
        columns, everything = file.read()
        records = [record for record in everything if record.fate is None]
        feed_context = evolve(
            samples.feed_context(feed, file.currency),
            columns=columns,
            price_leap=(5, None, 2)[len(file.body) % 3],
            without_removals=len(file.body) % 4 == 0,
        )
        before = of_partner(unit, feed.partner_id)
        active = [
            product
            for product in before.values()
            if product.source_id == feed.source_id and product.status == "active"
        ]
        plan, changes = comparison.compare(feed_context, records, before.get, active, PROBLEM_LIMIT)
        assert unit.products.compare(feed_context, samples.batches(records), PROBLEM_LIMIT) == plan
        assert of_partner(unit, feed.partner_id) == before

        publication, stem = samples.publication(feed), samples.new_stem()
        after = unit.products.apply(plan_of(unit, feed_context, records), publication, stem)
        assert after == plan.before + plan.created + plan.restored - plan.removed
        publication = unit.publications.add(publication, T0)
        wanted = dict(before)
        new_ids = iter(Block("prod", stem))
        name = unit.partners.get(feed.partner_id).partner_name
        for ordinal, change in enumerate(changes, start=1):
            new_id = "" if change.before else next(new_ids)
            made = expected(change, ordinal, new_id, feed_context, publication)
            wanted[change.sku] = evolve(made, partner_name=name)
        found = of_partner(unit, feed.partner_id)
        for sku in found.keys() - before.keys():
            wanted[sku] = evolve(wanted[sku], created_at=found[sku].created_at)
        assert found == wanted

    def test_a_comparison_writes_nothing(self, store: Store):
        """After `compare` alone the catalog is as it was."""
        _, source = samples.settled(store)
        samples.publish(store, source, record(2, "A"), record(3, "B"))
        before = samples.catalog(store)
        feed = samples.received(store, source)
        with store.begin() as unit:
            plan = unit.products.compare(
                samples.feed_context(feed), samples.batches([record(2, "C")]), 9
            )
        assert (plan.created, plan.removed) == (1, 2)
        assert samples.catalog(store) == before

    def test_the_last_plan_of_a_unit_is_applied(self, store: Store):
        """A second comparison replaces the first."""
        _, source = samples.settled(store)
        feed = samples.received(store, source)
        with store.begin() as unit:
            unit.products.compare(
                samples.feed_context(feed), samples.batches([record(2, "A"), record(3, "B")]), 9
            )
            plan = unit.products.compare(
                samples.feed_context(feed), samples.batches([record(2, "C")]), 9
            )
            publication = samples.publication(feed)
            assert unit.products.apply(plan, publication, samples.new_stem()) == 1
            unit.publications.add(publication, T0)
        assert samples.catalog(store).keys() == {"C"}

    def test_no_other_plan_is_applied(self, store: Store):
        """A plan that isn't the unit's last, or was applied already, is a ValueError."""
        _, source = samples.settled(store)
        feed = samples.received(store, source)
        publication, feed_context = samples.publication(feed), samples.feed_context(feed)

        def refused(unit: UnitOfWork, plan: comparison.Plan) -> None:
            with pytest.raises(ValueError, match="last plan"):
                unit.products.apply(plan, publication, samples.new_stem())

        with store.begin(dry_run=True) as unit:
            former = unit.products.compare(feed_context, samples.batches([record(2, "A")]), 9)
        with store.begin(dry_run=True) as unit:
            refused(unit, former)
        with store.begin(dry_run=True) as unit:
            unit.products.compare(feed_context, samples.batches([record(2, "B")]), 9)
            refused(unit, former)
        with store.begin(dry_run=True) as unit:
            last = unit.products.compare(feed_context, samples.batches([record(2, "C")]), 9)
            unit.products.apply(last, publication, samples.new_stem())
            refused(unit, last)

    def test_a_removed_product_goes_to_the_source_that_restores_it(self, store: Store):
        """What one source removed another may publish again; from then on it owns it."""
        someone, main = samples.settled(store)
        second = samples.source(someone, "second", "delta")
        with store.begin() as unit:
            unit.sources.add(second)
        samples.publish(store, main, record(2, "A"), record(3, "B"))
        samples.publish(store, main, record(2, "B"))
        samples.publish(store, second, record(2, "A"))
        assert samples.catalog(store)["A"].source_id == second.source_id
        samples.publish(store, main, record(2, "B", brand="New"))
        assert samples.catalog(store)["A"].status == "active"

    def test_a_sku_that_two_sources_claim_names_both(self, store: Store):
        """The problem says which source owns the product, and which one has claimed it."""
        someone, main = samples.settled(store)
        second = samples.source(someone, "Lager", "delta")
        with store.begin() as unit:
            unit.sources.add(second)
        samples.publish(store, main, record(2, "A"))
        feed = samples.received(store, second)
        names = {main.source_id: "main", second.source_id: "Lager"}
        feed_context = evolve(samples.feed_context(feed), source_names=names)
        with store.begin() as unit:
            records = samples.batches([record(2, "A"), record(3, "B")])
            (problem,) = unit.products.compare(feed_context, records, 10).problems
        assert (problem.code, problem.line) == ("sku_of_other_source", 2)
        assert "The source 'main' owns this sku, so 'Lager' can't change it." in problem.hint

    def test_what_newer_feeds_have_spoken_of_is_not_absent(self, store: Store):
        """A product whose sku is overtaken stays, though the file lacks it; others go."""
        _, source = samples.settled(store)
        records = [record(line, sku) for line, sku in enumerate("ABCD", start=2)]
        samples.publish(store, source, *records)
        feed = samples.received(store, source)
        feed_context = evolve(samples.feed_context(feed), overtaken=frozenset({"B", "Z"}))
        with store.begin() as unit:
            plan = unit.products.compare(feed_context, samples.batches(records[:1]), 10)
            made = samples.publication(feed)
            assert (plan.absent, plan.removed, plan.before) == (2, 2, 4)
            assert unit.products.apply(plan, made, samples.new_stem()) == 2
            unit.publications.add(made, T0)
        catalog = samples.catalog(store, status="active")
        assert sorted(catalog) == ["A", "B"]

    def test_what_a_publication_has_left_that_cannot_be_sold(self, store: Store):
        """Active products that it wrote, counted by the first reason, the most frequent first."""
        five = Decimal("5.00")
        _, source = samples.settled(store)
        samples.publish(store, source, record(2, "old", price=None), record(3, "gone", price=None))
        feed = samples.received(store, source)
        records = [
            record(2, "A", price=None), record(3, "B", price=None, availability="discontinued"),
            record(4, "C", price=None), record(5, "D", price=Decimal("0.00")),
            record(6, "E", price=five, quantity=0, availability="preorder"),
            record(7, "F", price=five, quantity=0), record(9, "H", price=five, quantity=3),
            record(8, "G", price=five, quantity=0, availability="in_stock"),
            record(10, "old", price=None),
        ]  # fmt: skip
        with store.begin() as unit:
            plan = unit.products.compare(samples.feed_context(feed), samples.batches(records), 10)
            made = samples.publication(feed)
            unit.products.apply(plan, made, samples.new_stem())
            found = unit.products.not_sellable(made)
            assert list(found.items()) == [
                ("unpriced", 2), ("discontinued", 1), ("no_stock", 1), ("out_of_stock", 1),
                ("zero_price", 1),
            ]  # fmt: skip
            assert unit.products.not_sellable(samples.publication(feed)) == {}

    def test_what_a_publication_has_left_oversold(self, store: Store):
        """Active products it wrote, of which fewer are there than are held; first ones by sku."""
        _, source = samples.settled(store)
        skus = ("B", "A", "C", "D", "E")
        stocked = [record(line, sku, quantity=9) for line, sku in enumerate(skus, start=2)]
        samples.publish(store, source, *stocked)
        catalog = samples.catalog(store)
        with store.begin() as unit:
            samples.reserve(unit, {catalog[sku].product_id: 5 for sku in "ABCE"})
        feed = samples.received(store, source, mode="delta")
        lower = [
            record(2, "A", quantity=4), record(3, "B", quantity=0), record(4, "C", quantity=5),
            record(5, "D", quantity=1), record(6, "E", quantity=None),
        ]  # fmt: skip
        with store.begin() as unit:
            feed_context = evolve(samples.feed_context(feed), mode="delta")
            plan = unit.products.compare(feed_context, samples.batches(lower), 10)
            made = samples.publication(feed)
            unit.products.apply(plan, made, samples.new_stem())
            told = [
                Oversold(catalog["A"].product_id, "A", 4, 5),
                Oversold(catalog["B"].product_id, "B", 0, 5),
            ]
            assert list(unit.products.oversold(made, 10)) == told
            assert list(unit.products.oversold(made, 1)) == told[:1]
            unit.publications.add(made, T0)
            assert list(unit.products.oversold(made, 10)) == told
            assert list(unit.products.oversold(samples.publication(feed), 10)) == []

    def test_problems_are_kept_up_to_the_limit_and_all_counted(self, store: Store):
        """Of a plan's problems the first by line are given; the counts are of all."""
        _, source = samples.settled(store)
        feed = samples.received(store, source, mode="delta")
        records = [Record(line, f"sku {line}", {"price": None}) for line in range(2, 12)]
        feed_context = evolve(samples.feed_context(feed), mode="delta")
        with store.begin() as unit:
            for limit in (0, 1, 3, 100):
                plan = unit.products.compare(feed_context, samples.batches(records), limit)
                assert [problem.line for problem in plan.problems] == list(range(2, 12))[:limit]
                assert plan.problems_by_code == {"unknown_sku": 10}
                assert plan.rejected == 10

    def test_records_are_taken_as_they_come(self, store: Store):
        """Records may be more than fit one batch, and come from an iterator."""
        _, source = samples.settled(store)
        feed = samples.received(store, source)
        many = 12_345
        with store.begin(dry_run=True) as unit:
            records = (record(number + 2, f"sku {number % (many - 5)}") for number in range(many))
            plan = unit.products.compare(samples.feed_context(feed), samples.batches(records), 3)
            assert (plan.created, plan.duplicate, len(plan.problems)) == (many - 5, 5, 3)
            publication = samples.publication(feed)
            assert unit.products.apply(plan, publication, samples.new_stem()) == many - 5

    def test_an_error_in_reading_passes_through(self, store: Store):
        """What the iterator of records raises comes out as it is, and nothing has happened."""

        class Broken(Exception):
            pass

        def records():
            yield record(2, "A")
            raise Broken

        _, source = samples.settled(store)
        feed = samples.received(store, source)
        with pytest.raises(Broken), store.begin() as unit:
            unit.products.compare(samples.feed_context(feed), samples.batches(records()), 9)
        assert samples.catalog(store) == {}

    def test_a_product_keeps_its_id(self, store: Store):
        """A product that is removed and restored has its id and the time it was made."""
        _, source = samples.settled(store)
        samples.publish(store, source, record(2, "A"), record(3, "B"))
        first = samples.catalog(store)["A"]
        samples.publish(store, source, record(2, "B"))
        removed = samples.catalog(store)["A"]
        samples.publish(store, source, record(2, "B"), record(7, "A", brand="New"))
        restored = samples.catalog(store)["A"]
        assert first.product_id == removed.product_id == restored.product_id
        assert [p.status for p in (first, removed, restored)] == ["active", "removed", "active"]
        assert [p.version for p in (first, removed, restored)] == [1, 2, 3]
        assert [p.line for p in (first, removed, restored)] == [2, 0, 7]
        assert first.created_at == removed.created_at == restored.created_at

    def test_a_product_was_updated_when_it_was_published(self, store: Store):
        """The time of a product's version is the one that its publication got."""
        _, source = samples.settled(store)
        for name in ("first", "second"):
            publication = samples.publish(store, source, record(2, "A", brand=name))
            product = samples.catalog(store)["A"]
            assert product.publication_id == publication.publication_id
            assert product.updated_at == publication.published_at
            assert product.feed_id == publication.feed_id

    def test_an_unchanged_product_is_left_alone(self, store: Store):
        """A product that is as the feed says keeps its version, its time and where it came from."""
        _, source = samples.settled(store)
        samples.publish(store, source, record(2, "A"), record(3, "B"))
        before = samples.catalog(store)
        samples.publish(store, source, record(2, "B", brand="New"), record(9, "A"))
        after = samples.catalog(store)
        assert after["A"] == before["A"]
        assert after["B"].version == 2

    def test_amounts_show_the_decimals_of_their_currency(self, store: Store):
        """A price comes back with as many decimals as its currency has."""
        _, source = samples.settled(store)
        rows = [("EUR", Decimal("80.00")), ("JPY", Decimal(80)), ("KWD", Decimal("80.000"))]
        samples.publish(
            store,
            source,
            *(
                record(line, code, price=price, sale_price=price - 1, currency=code)
                for line, (code, price) in enumerate(rows, start=2)
            ),
        )
        found = samples.catalog(store)
        assert [str(found[code].price) for code, _ in rows] == ["80.00", "80", "80.000"]
        assert [str(found[code].sale_price) for code, _ in rows] == ["79.00", "79", "79.000"]

    def test_every_value_is_kept_as_it_is(self, store: Store):
        """A value of each field comes back equal, the longest and the oddest too."""
        values: dict[str, Any] = {
            "product_name": "x" * 1000, "group_id": "Ω 📦", "options": "Colour: Red; Size: 42",
            "description": "\"quoted\"\t'text'\r\n\\N \\ %s {} \u2028" + "y" * 90_000,
            "brand": "\\.", "condition": "used", "category": "A > B", "gtin": "4006381333931",
            "mpn": "NULL", "price": Decimal("999999999999.9999"), "currency": "CLF",
            "sale_price": Decimal("0.0001"), "sale_starts_at": T0.replace(year=1),
            "sale_ends_at": T0.replace(year=9999, microsecond=1), "availability": "preorder",
            "quantity": 2**63 - 1, "weight": Decimal("0.001"), "product_url": "https://example.com",
            "image_url": "https://example.com/ü", "additional_image_urls": ("https://a.b", "http://c,d"),
            "attributes": {"Größe; (EU)": '"42": \\n', "": "\u2028📦", "z": "", "a": "last"},
        }  # fmt: skip
        assert values.keys() == samples.ALL_COLUMNS.keys() - {"sku"}
        someone, source = samples.settled(store)
        samples.publish(store, source, Record(2**31 - 1, "Ω", values), record(4, "bare"))
        found = samples.catalog(store)
        assert found["Ω"].values() == values
        assert found["Ω"].line == 2**31 - 1
        assert set(evolve(samples.catalog(store)["bare"], product_name="x").values().values()) == {
            None, "x",
        }  # fmt: skip
        with store.begin() as unit:
            assert unit.products.get(found["Ω"].product_id) == found["Ω"]
        assert found["Ω"].partner_name == someone.partner_name

    def test_a_product_is_read_with_its_partners_name_as_it_is_now(self, store: Store):
        """A renamed partner has its new name on every product, one by one, held and in pages."""
        someone, source = samples.settled(store, "Aroma")
        samples.publish(store, source, record(2, "A"))
        with store.begin() as unit:
            unit.partners.put(someone.changed(T0, partner_name="Bouquet"))
        product = samples.catalog(store)["A"]
        with store.begin() as unit:
            held = samples.reserve(unit, {product.product_id: 1})
            names = [product, unit.products.get(product.product_id), *held.values()]
            assert [each.partner_name for each in names] == ["Bouquet"] * 3

    def test_a_query_keeps_what_fits_every_filter(self, store: Store):
        """Partner, source, feed of the version, skus, currency and status all have to fit."""
        one, main = samples.settled(store)
        second = samples.source(one, "second")
        with store.begin() as unit:
            unit.sources.add(second)
        _, elsewhere = samples.settled(store)
        euro: Mapping[str, Any] = {"price": Decimal("1.00"), "currency": "EUR"}
        yen: Mapping[str, Any] = {"price": Decimal(1), "currency": "JPY"}
        samples.publish(store, main, record(2, "A", **euro), record(3, "gone"))
        last = samples.publish(store, main, record(2, "A", **euro), record(3, "B", **yen))
        samples.publish(store, second, record(2, "C", **euro))
        samples.publish(store, elsewhere, record(2, "A", **yen), record(3, "a"))

        def fitting(**filters: object) -> list[str]:
            query = ProductQuery(**filters)  # type: ignore[arg-type]
            with store.begin() as unit:
                found = unit.products.page(query, None, 10).items
                assert unit.products.count(query) == len(found)
            return [product.sku for product in found]

        assert fitting() == ["A", "B", "C", "A", "a"]
        assert fitting(status="all") == ["A", "gone", "B", "C", "A", "a"]
        assert fitting(status="removed") == ["gone"]
        assert fitting(partner_id=one.partner_id) == ["A", "B", "C"]
        assert fitting(source_id=main.source_id) == ["A", "B"]
        assert fitting(feed_id=last.feed_id) == ["B"]
        assert fitting(feed_id=last.feed_id, status="all") == ["gone", "B"]
        assert fitting(skus=("A", "C", "nothing")) == ["A", "C", "A"]
        assert fitting(skus=("a",)) == ["a"]
        assert fitting(currency="EUR") == ["A", "C"]
        assert fitting(currency="JPY", partner_id=one.partner_id, skus=("A", "B")) == ["B"]
        assert fitting(source_id=elsewhere.source_id, partner_id=one.partner_id) == []

    def test_products_are_resolved_by_partner_and_sku(self, store: Store):
        """`resolve` gives the ids of known pairs, removed products' too, and of no others."""
        one, source = samples.settled(store)
        other, _ = samples.settled(store)
        samples.publish(store, source, record(2, "A"), record(3, "gone"))
        samples.publish(store, source, record(2, "A"))
        ids = {sku: product.product_id for sku, product in samples.catalog(store).items()}
        pairs = [(one.partner_id, sku) for sku in ("gone", "A", "a", "nothing", "A")]
        with store.begin() as unit:
            assert unit.products.resolve([*pairs, (other.partner_id, "A")]) == {
                (one.partner_id, "A"): ids["A"],
                (one.partner_id, "gone"): ids["gone"],
            }
            assert unit.products.resolve([]) == {}

    # --- units held -------------------------------------------------------------------------------

    @pytest.fixture
    def last_unit(self, store: Store) -> Product:
        """A product of which there is one unit."""
        _, source = samples.settled(store)
        samples.publish(
            store, source, record(2, "A", quantity=1, price=Decimal("1.00"), currency="EUR")
        )
        return samples.catalog(store)["A"]

    def test_units_are_held_and_given_back(self, store: Store, last_unit: Product):
        """`hold` adds to the units held, or takes away, and gives the products as they then are."""
        product_id = last_unit.product_id
        with store.begin() as unit:
            assert samples.reserve(unit, {product_id: 5}) == {
                product_id: evolve(last_unit, reserved=5)
            }
            assert samples.reserve(unit, {product_id: -2})[product_id].reserved == 3
            assert samples.reserve(unit, {product_id: 0})[product_id].reserved == 3
        assert samples.catalog(store)["A"].reserved == 3
        assert samples.catalog(store)["A"].available == 0

    def test_holding_is_no_version(self, store: Store, last_unit: Product):
        """A product of which units are held is otherwise as it was."""
        with store.begin() as unit:
            samples.reserve(unit, {last_unit.product_id: 2})
        assert samples.catalog(store)["A"] == evolve(last_unit, reserved=2)

    def test_unknown_products_cant_be_held(self, store: Store, last_unit: Product):
        """Unknown ids are missing from the answer; the known ones are held."""
        unknown = samples.new_id("prod")
        with store.begin() as unit:
            assert samples.reserve(unit, {unknown: 1, last_unit.product_id: 1}).keys() == {
                last_unit.product_id
            }
            assert samples.reserve(unit, {unknown: 1}) == {}
            assert samples.reserve(unit, {}) == {}

    def test_held_units_survive_feeds(self, store: Store, last_unit: Product):
        """An update, a removal and a restoration leave the units held as they are."""
        with store.begin() as unit:
            source = unit.sources.get(last_unit.source_id)
            samples.reserve(unit, {last_unit.product_id: 4})
        for records in ([record(2, "A", brand="New")], [record(2, "B")], [record(2, "A")]):
            samples.publish(store, source, *records)
            assert samples.catalog(store)["A"].reserved == 4

    def test_a_removed_product_can_be_held(self, store: Store, last_unit: Product):
        """`hold` gives removed products as well, and says so by their status."""
        with store.begin() as unit:
            source = unit.sources.get(last_unit.source_id)
        samples.publish(store, source, record(2, "B"))
        with store.begin() as unit:
            held = samples.reserve(unit, {last_unit.product_id: 1})
        assert held[last_unit.product_id].status == "removed"

    def test_the_last_unit_is_sold_once(self, store: Store, last_unit: Product):
        """Of units that hold the last piece at once, one finds it there."""

        class SoldOut(Exception):
            pass

        def buy() -> bool:
            with contextlib.suppress(SoldOut), store.begin() as unit:
                product = samples.reserve(unit, {last_unit.product_id: 1})[last_unit.product_id]
                pause(0.005)
                if product.quantity is not None and product.reserved > product.quantity:
                    raise SoldOut
                return True
            return False

        assert sum(together(*[buy] * 6)) == 1
        assert samples.catalog(store)["A"].reserved == 1

    def test_units_that_hold_crosswise_dont_block_each_other_for_ever(self, store: Store):
        """Units that hold the same products, named in different orders, all come to their end."""
        _, source = samples.settled(store)
        samples.publish(store, source, *(record(line, f"sku {line}") for line in range(2, 12)))
        ids = [product.product_id for product in samples.catalog(store).values()]

        def hold(order: Sequence[str]) -> None:
            for _ in range(5):
                with store.begin() as unit:
                    samples.reserve(unit, dict.fromkeys(order, 1))

        orders = (ids, ids[::-1], ids[5:] + ids[:5], ids[::-2] + ids[::2])
        together(*(lambda order=order: hold(order) for order in orders))
        held = [product.reserved for product in samples.catalog(store).values()]
        assert held == [5 * sum(product_id in order for order in orders) for product_id in ids]

    def test_feeds_of_a_partner_are_compared_one_after_the_other(self, store: Store):
        """A unit that compares waits for the end of another that compared for the same partner."""
        _, source = samples.settled(store)
        first, second = samples.received(store, source), samples.received(store, source)

        def compare() -> int:
            with store.begin() as unit:
                plan = unit.products.compare(
                    samples.feed_context(second), samples.batches([record(2, "A")]), 9
                )
                return plan.created

        with store.begin() as unit:
            plan = unit.products.compare(
                samples.feed_context(first), samples.batches([record(2, "A")]), 9
            )
            waiting = meanwhile(compare)
            assert_waits(waiting)
            publication = samples.publication(first)
            unit.products.apply(plan, publication, samples.new_stem())
            unit.publications.add(publication, T0)
        assert waiting.result(PATIENCE) == 0


def plan_of(
    unit: UnitOfWork, feed_context: FeedContext, records: Sequence[Record]
) -> comparison.Plan:
    """The plan of the same comparison, made once more: a comparison changes nothing."""
    return unit.products.compare(feed_context, samples.batches(records), PROBLEM_LIMIT)


class TestPublications:
    def test_numbers_count_up(self, store: Store):
        """Publications are numbered from 1, each kept as it is but for its number and time."""
        _, source = samples.settled(store)
        feeds = [samples.received(store, source) for _ in range(3)]
        numbers = []
        for number, feed in enumerate(feeds):
            publication = samples.publication(feed)
            at = T0 + number * SECOND
            with store.begin() as unit:
                numbered = unit.publications.add(publication, at)
            assert numbered == evolve(publication, number=numbered.number, published_at=at)
            numbers.append(numbered.number)
            with store.begin() as unit:
                assert unit.publications.latest(source.source_id) == numbered
        assert numbers == [1, 2, 3]

    def test_each_time_is_after_its_predecessors(self, store: Store):
        """A clock that goes backwards doesn't turn publications round, whatever their sources.

        No two have the same time either, so their times have the order of their numbers.
        """
        times = []
        for at in (T0, T0 - MINUTE, T0 + SECOND):
            _, source = samples.settled(store)
            publication = samples.publication(samples.received(store, source))
            with store.begin() as unit:
                times.append(unit.publications.add(publication, at).published_at)
        assert times == [T0, T0 + TICK, T0 + SECOND]

    def test_the_latest_is_the_sources_own(self, store: Store):
        """`latest` is None for a source that published nothing, whatever others did."""
        _, one = samples.settled(store)
        _, two = samples.settled(store)
        first = samples.publish(store, one, record(2, "A"))
        with store.begin() as unit:
            assert unit.publications.latest(two.source_id) is None
        samples.publish(store, two, record(2, "A"))
        with store.begin() as unit:
            assert unit.publications.latest(one.source_id) == first

    def test_numbers_have_no_gaps(self, store: Store):
        """Under units of many threads, some rolled back, numbers are gapless and times in order."""
        feeds = []
        for _ in range(6):
            _, source = samples.settled(store)
            feeds.append([samples.received(store, source) for _ in range(4)])

        def work(own: Sequence[Feed]) -> list[Publication]:
            done: list[Publication] = []
            for turn, feed in enumerate(own):
                with store.begin(dry_run=turn % 2 == 0) as unit:
                    at = T0 + len(done) * SECOND
                    numbered = unit.publications.add(samples.publication(feed), at)
                if turn % 2:
                    done.append(numbered)
            return done

        published = list(chain(*together(*(lambda own=own: work(own) for own in feeds))))
        numbered = {publication.number: publication.published_at for publication in published}
        first = min(filter(None, numbered))
        assert sorted(filter(None, numbered)) == list(range(first, first + 12))
        times = [numbered[number] for number in range(first, first + 12)]
        assert times == sorted({time for time in times if time})

    def test_publications_are_found_by_what_they_are_about(self, store: Store):
        """Each by its id, all of a feed and all of a partner by number, a part at a time."""
        someone, source = samples.settled(store)
        _, other = samples.settled(store)
        feed = samples.received(store, source)
        mine = [samples.publication(feed), evolve(samples.publication(feed), kind="revert")]
        with store.begin() as unit:
            made = [unit.publications.add(one, T0) for one in mine]
        samples.publish(store, other, record(2, "A"))
        made.append(samples.publish(store, source, record(2, "A")))
        with store.begin() as unit:
            found = unit.publications
            assert found.get(made[1].publication_id) == made[1]
            ids = [made[0].publication_id, made[2].publication_id, samples.new_id("pub")]
            assert found.get_many(ids) == {ids[0]: made[0], ids[1]: made[2]}
            assert list(found.of_feed(feed.feed_id)) == made[:2]
            assert list(found.of_partner(someone.partner_id, 0, 9)) == made
            assert list(found.of_partner(someone.partner_id, 1, 1)) == made[1:2]
            assert list(found.of_partner(someone.partner_id, 4, 9)) == []
            with pytest.raises(NotFound):
                found.get(samples.new_id("pub"))

    def test_a_moment_has_a_last_publication(self, store: Store):
        """Its number is that of the last one not after it, and 0 before there was any."""
        _, source = samples.settled(store)
        with store.begin() as unit:
            assert unit.publications.number_at() == 0
        for _ in range(3):
            samples.publish(store, source, record(2, "A"))
        with store.begin() as unit:
            asked = (None, T0 - SECOND, T0, T0 + TICK, T0 + SECOND)
            assert [unit.publications.number_at(at) for at in asked] == [3, 0, 1, 2, 3]
