"""What undoing publications promises: each product goes back, unless it was changed since."""

from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.source import Source
from commerce_core.history.versions import START, ChangeQuery
from commerce_core.plans.revert import MOST_KEPT, RevertPlan
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import T0, record


def undo(
    store: Store, *undone: Publication, most_kept: int = MOST_KEPT
) -> tuple[RevertPlan, Publication]:
    """Undoes these publications as one of its own, and asserts the identity of the catalog."""
    last = undone[-1]
    ids = [publication.publication_id for publication in undone]
    with store.begin() as unit:
        plan = unit.reverts.plan(last.partner_id, ids, most_kept)
        made = evolve(
            last, publication_id=samples.new_id("pub"), kind="revert", number=None,
            published_at=None, reverts=last.publication_id, changes=plan.changes,
        )  # fmt: skip
        plan.check(unit.reverts.apply(plan, made))
        return plan, unit.publications.add(made, T0)


def figures(plan: RevertPlan) -> tuple[int, int, int, int, int]:
    return plan.updated, plan.restored, plan.removed, plan.unchanged, plan.kept


def said(product: Product) -> dict[str, object]:
    """What a product says, whoever wrote it and however often."""
    return {"status": product.status, "source_id": product.source_id, **product.values()}


class TestReverts:
    @pytest.fixture
    def source(self, store: Store) -> Source:
        return samples.settled(store)[1]

    @pytest.fixture
    def first(self, store: Store, source: Source) -> Publication:
        """A, B and C, of which a later feed changes A, removes B, leaves C and creates D."""
        return samples.publish(
            store, source, record(2, "A", brand="Old"), record(3, "B"), record(4, "C")
        )

    @pytest.fixture
    def bad(self, store: Store, source: Source, first: Publication) -> Publication:
        return samples.publish(
            store, source, record(2, "A", brand="Bad"), record(3, "C"), record(4, "D")
        )

    def test_products_go_back_to_what_they_were(
        self, store: Store, first: Publication, bad: Publication
    ):
        """Updated ones get their values, removed ones return, created ones are removed."""
        ids = {sku: product.product_id for sku, product in samples.catalog(store).items()}
        with store.begin() as unit:
            before = {
                sku: unit.versions.as_of(product_id, first.number or 0)
                for sku, product_id in ids.items()
            }
        plan, revert = undo(store, bad)
        assert figures(plan) == (1, 1, 1, 0, 0)
        assert (plan.before, plan.changes) == (3, 3)
        after = samples.catalog(store)
        for sku in "ABC":
            then = before[sku]
            assert then
            assert said(after[sku]) == said(then)
        assert after["D"].status == "removed"
        assert [after[sku].version for sku in "ABCD"] == [3, 3, 1, 2]
        assert {after[sku].publication_id for sku in "ABD"} == {revert.publication_id}

    def test_a_product_that_goes_back_says_where_its_values_came_from(
        self, store: Store, first: Publication, bad: Publication
    ):
        """Its feed, line and origin are those of the version whose values it has again."""
        undo(store, bad)
        after = samples.catalog(store)
        assert [after[sku].feed_id for sku in "ABD"] == [first.feed_id, first.feed_id, bad.feed_id]
        assert [after[sku].line for sku in "ABD"] == [2, 3, 0]
        origins = [after[sku].origin_id for sku in "ABD"]
        assert origins == [first.publication_id, first.publication_id, None]
        assert set(samples.catalog(store, feed_id=first.feed_id)) == {"A", "B", "C"}
        assert set(samples.catalog(store, feed_id=bad.feed_id)) == {"D"}

    def test_a_revert_is_in_the_stream(self, store: Store, bad: Publication):
        """By product, from ordinal 1, and of the source; but none of the feed's own changes."""
        _, revert = undo(store, bad)
        number = revert.number or 0
        with store.begin() as unit:
            page = unit.versions.changes(ChangeQuery(source_id=bad.source_id), START, 100)
            own = unit.versions.changes(ChangeQuery(feed_id=bad.feed_id), START, 100)
        changes = [v for v in page.items if v.publication == number]
        assert [(v.ordinal, v.change, v.product.sku) for v in changes] == [
            (1, "updated", "A"),
            (2, "restored", "B"),
            (3, "removed", "D"),
        ]
        assert {v.publication for v in own.items} == {bad.number}

    def test_what_was_changed_since_is_kept_and_listed(
        self, store: Store, source: Source, bad: Publication
    ):
        """Whoever wrote a product later has the last word; the plan names him."""
        later = samples.publish(store, source, record(2, "A", brand="Later"), mode="delta")
        product = samples.catalog(store)["A"]
        plan, _ = undo(store, bad)
        assert figures(plan) == (0, 1, 1, 0, 1)
        (kept,) = plan.listed
        assert (kept.product_id, kept.sku, kept.version) == (product.product_id, "A", 3)
        assert (kept.publication, kept.feed_id) == (later.number, later.feed_id)
        assert samples.catalog(store)["A"] == product
        assert kept.problem.value == "A"

    def test_only_the_first_of_many_kept_products_are_listed(
        self, store: Store, source: Source, bad: Publication
    ):
        """All are counted."""
        samples.publish(store, source, *(record(2 + n, sku) for n, sku in enumerate("XYZ")))
        samples.publish(store, source, record(2, "D", brand="New"), record(3, "A"), mode="delta")
        plan, _ = undo(store, bad, most_kept=1)
        assert (plan.kept, len(plan.listed)) == (2, 1)

    def test_a_plan_writes_nothing(self, store: Store, bad: Publication):
        """Planning is a question; only the unit's last plan is applied, and once."""
        catalog = samples.catalog(store)
        with store.begin() as unit:
            old = unit.reverts.plan(bad.partner_id, [bad.publication_id], 9)
            plan = unit.reverts.plan(bad.partner_id, [bad.publication_id], 9)
            assert old == plan
            with pytest.raises(ValueError, match="last plan"):
                unit.reverts.apply(evolve(old, kept=7), bad)
        assert samples.catalog(store) == catalog

    def test_a_revert_is_undone_by_another(
        self, store: Store, first: Publication, bad: Publication
    ):
        """What was reverted is there again, and can be reverted again, any number of times."""
        bad_catalog = {sku: said(product) for sku, product in samples.catalog(store).items()}
        good: dict[str, object] | None = None
        for _ in range(2):
            _, revert = undo(store, bad)
            now = {sku: said(product) for sku, product in samples.catalog(store).items()}
            assert good in (None, now)
            good = dict(now)
            plan, _ = undo(store, revert)
            assert figures(plan) == (1, 1, 1, 0, 0)
            now = {sku: said(product) for sku, product in samples.catalog(store).items()}
            assert now == bad_catalog
        assert samples.catalog(store)["D"].origin_id == bad.publication_id

    def test_a_feed_that_was_applied_twice_is_undone_as_a_whole(self, store: Store, source: Source):
        """Back to the latest version that neither of its publications wrote."""
        samples.publish(store, source, record(2, "A", price=Decimal(1)))
        ones = [
            samples.publish(store, source, record(2, "A", price=Decimal(price)), mode="delta")
            for price in (2, 3)
        ]
        plan, _ = undo(store, *ones)
        assert figures(plan) == (1, 0, 0, 0, 0)
        assert samples.catalog(store)["A"].price == Decimal(1)

    def test_what_is_as_it_was_gets_no_version(self, store: Store, source: Source):
        """A product that the undone publications changed to and fro stays as it is."""
        samples.publish(store, source, record(2, "A", brand="Old"))
        ones = [
            samples.publish(store, source, record(2, "A", brand=brand), mode="delta")
            for brand in ("New", "Old")
        ]
        before = samples.catalog(store)
        plan, revert = undo(store, *ones)
        assert figures(plan) == (0, 0, 0, 1, 0)
        assert (revert.changes, samples.catalog(store)) == (0, before)

    def test_a_removed_product_returns_to_its_source(self, store: Store, source: Source):
        """Where another source had restored it, it is removed again, and its former owner's."""
        samples.publish(store, source, record(2, "A"), record(3, "B"))
        samples.publish(store, source, record(2, "B"))
        with store.begin() as unit:
            partner = unit.partners.get(source.partner_id)
            other = samples.source(partner, "other")
            unit.sources.add(other)
        taken = samples.publish(store, other, record(2, "A"), mode="delta")
        assert samples.catalog(store)["A"].source_id == other.source_id
        plan, _ = undo(store, taken)
        assert figures(plan) == (0, 0, 1, 0, 0)
        product = samples.catalog(store)["A"]
        assert (product.status, product.source_id) == ("removed", source.source_id)

    def test_no_record_is_recognised_by_what_was_undone(self, store: Store, source: Source):
        """A revert takes the fingerprint of each product that it changes, and of no other."""
        records = [evolve(record(n, sku), fingerprint=(n, n)) for n, sku in enumerate("AB", 2)]
        samples.publish(store, source, *records)
        again = evolve(record(2, "A", brand="Bad"), fingerprint=(7, 7))
        bad = samples.publish(store, source, again, mode="delta")

        def known() -> list[bool]:
            with store.begin() as unit:
                found = unit.products.fingerprints(source.partner_id, source.source_id)
                return [found.match(one) is not None for one in ((2, 2), (3, 3), (7, 7))]

        assert known() == [False, True, True]
        undo(store, bad)
        assert known() == [False, True, False]

    def test_others_are_left_alone(self, store: Store, bad: Publication):
        """Neither another partner's products nor units on open orders are touched."""
        someone, other = samples.settled(store)
        samples.publish(store, other, record(2, "A"))
        held = samples.catalog(store, partner_id=bad.partner_id)["A"]
        with store.begin() as unit:
            samples.reserve(unit, {held.product_id: 2})
        theirs = samples.catalog(store, partner_id=someone.partner_id)
        undo(store, bad)
        assert samples.catalog(store, partner_id=someone.partner_id) == theirs
        assert samples.catalog(store, partner_id=bad.partner_id)["A"].reserved == 2

    def test_a_feed_finds_what_a_revert_left(self, store: Store, source: Source, bad: Publication):
        """The next feed is compared with what is there now, and what it writes has no origin."""
        undo(store, bad)
        samples.publish(store, source, record(2, "A", brand="Next"), record(3, "D"))
        after = samples.catalog(store)
        assert [(after[sku].status, after[sku].origin_id) for sku in "AD"] == [("active", None)] * 2
        assert after["B"].status == "removed"
