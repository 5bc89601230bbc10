"""What a store promises of the figures of a plan: all that guards judge and people look at."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.catalog.product import ProductQuery
from commerce_core.plans import comparison
from commerce_core.plans.changes import SAMPLES_OF_KIND
from commerce_core.plans.comparison import FeedContext, Plan
from commerce_core.plans.price_moves import MOST_MOVES_LISTED
from commerce_core.plans.rekeying import MOST_PAIRS_LISTED, Pair
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.schema.fields import Mode, Value
from commerce_core.schema.record import Record
from tests.contracts import samples
from tests.contracts.samples import ONE_STORE_AND_ANOTHER, T0
from tests.support.examples import scaled

MOST_PROBLEMS = 30


OF_PRICES = ("price", "sale_price", "currency", "sale_starts_at", "sale_ends_at")


def offers(dice: Random, count: int, currency: str = "EUR") -> list[Record]:
    """Records of products that have what their figures are made of, some of it blank or shared."""
    return [
        Record(number + 2, f"sku-{number:03}", said(dice, number, currency))
        for number in range(count)
    ]


def said(dice: Random, number: int, currency: str) -> dict[str, Value]:
    return {
        "product_name": dice.choice([f"Chair No. {number}", f"Chair {number % 7}"]),
        "gtin": dice.choice([None, f"{number:08}", f"{number:014}"]),
        "product_url": dice.choice([None, f"https://www.example.com/p/{number}/"]),
        "price": dice.choice([None, Decimal(0), Decimal(dice.randint(1, 99_999)).scaleb(-2)]),
        "currency": currency,
        "sale_price": dice.choice([None, Decimal("0.01"), Decimal("400.00")]),
        "sale_starts_at": dice.choice([None, T0]),
        "sale_ends_at": dice.choice([None, T0 - timedelta(days=1), T0 + timedelta(days=1)]),
        "availability": dice.choice([None, "in_stock", "out_of_stock", "preorder"]),
        "quantity": dice.choice([None, 0, 5]),
        "attributes": dice.choice([None, {"b": "2", "a": "1"}]),
        "additional_image_urls": dice.choice([None, ("https://a.example", "https://b.example")]),
    }


def changed(dice: Random, records: Sequence[Record]) -> list[Record]:
    """The records of a later feed: most as they were, some moved, sold out, re-keyed or gone."""
    return [
        altered
        for record in records
        if (altered := _changed(dice, record, dice.random())) is not None
    ]


def _changed(dice: Random, record: Record, fate: float) -> Record | None:
    values = dict(record.values)
    price = values.get("price")
    if fate < 0.1:
        return None
    if fate < 0.2:
        name = str(values["product_name"]).upper().replace(".", "")
        return evolve(record, sku=f"new-{record.sku}", values={**values, "product_name": name})
    if fate < 0.5 and isinstance(price, Decimal):
        factor = Decimal(dice.choice(["0", "0.01", "0.2", "0.5", "0.97", "1.2", "2", "5", "100"]))
        values["price"] = (price * factor).quantize(Decimal("0.01"))
        values["currency"] = dice.choice(["EUR"] * 9 + ["USD"])
    elif fate < 0.7:
        values["quantity"], values["availability"] = 0, dice.choice([None, "out_of_stock"])
    elif fate < 0.72:
        values["deleted"] = True
    elif fate < 0.85:
        # A record may set a part of what a price is made of, the product keeps the rest.
        values |= {"price": Decimal(dice.randint(1, 50_000)).scaleb(-2), "currency": "USD"}
        for name in dice.sample(OF_PRICES, dice.randint(1, 4)):
            values.pop(name, None)
    return evolve(record, values=values)


def reference(unit: UnitOfWork, feed_context: FeedContext, records: Sequence[Record]) -> Plan:
    query = ProductQuery(partner_id=feed_context.partner_id, status="all")
    known = {product.sku: product for product in unit.products.page(query, None, 1000).items}
    active = [product for product in known.values() if product.status == "active"]
    return comparison.compare(feed_context, records, known.get, active, MOST_PROBLEMS)[0]


class TestPlans:
    @settings(suppress_health_check=ONE_STORE_AND_ANOTHER, max_examples=scaled(20))
    @given(
        seed=st.integers(0, 10**9),
        count=st.sampled_from([3, 20, 120]),
        leap=st.sampled_from([None, 2, 5]),
        mode=st.sampled_from(["full", "full", "delta"]),
        without_removals=st.sampled_from([False, False, True]),
    )
    def test_the_figures_of_a_plan_are_those_of_the_reference(
        self, store: Store, seed: int, count: int, leap: int | None, **terms: object
    ):
        """Whatever a later feed moves, sells out, re-keys and removes: the plan is the same."""
        dice = Random(seed)
        someone = samples.partner()
        source = samples.source(someone)
        with store.begin(dry_run=True) as unit:
            unit.partners.add(someone)
            unit.sources.add(source)
            records = offers(dice, count)
            for number in range(3):
                feed = samples.feed(source)
                unit.feeds.add(feed)
                feed_context = evolve(samples.feed_context(feed), price_leap=leap)
                if number:
                    records, feed_context = changed(dice, records), evolve(feed_context, **terms)
                wanted = reference(unit, feed_context, records)
                plan = unit.products.compare(feed_context, samples.batches(records), MOST_PROBLEMS)
                assert plan == wanted
                assert feed_context.without_removals <= (not plan.removed)
                publication = samples.publication(feed)
                unit.products.apply(plan, publication, samples.new_stem())
                unit.publications.add(publication, T0)

    @pytest.mark.parametrize("mode", ["full", "delta"])
    def test_skus_that_spreadsheets_and_people_spoil_are_judged_as_by_the_reference(
        self, store: Store, mode: Mode
    ):
        """New ones that lost their zeros are refused, and unknown ones name what they may mean."""
        _, source = samples.settled(store)
        known = ("0042", "042", "007", "A-1", "0010")
        samples.publish(store, source, *(samples.record(n, sku) for n, sku in enumerate(known, 2)))
        records = [samples.record(n, sku) for n, sku in enumerate(("42", "7", "007", "43"), 2)]
        records += [Record(9, "a-1", {}), Record(10, "x", {}), Record(11, "7.0", {"deleted": True})]
        feed = samples.received(store, source)
        feed_context = evolve(samples.feed_context(feed), mode=mode)
        with store.begin(dry_run=True) as unit:
            wanted = reference(unit, feed_context, records)
            plan = unit.products.compare(feed_context, samples.batches(records), MOST_PROBLEMS)
        assert plan == wanted
        assert plan.problems_by_code == {"sku_lost_zeros": 1, "unknown_sku": 2}
        assert (plan.created, plan.absent) == (2, 2)
        hints = [problem.hint for problem in plan.problems]
        assert "0042" in hints[0]
        assert ["A-1" in hint for hint in hints[1:]] == [True, False]

    def test_a_price_that_leaps_stays_with_all_that_is_money_and_the_rest_changes(
        self, store: Store
    ):
        """The record's other fields are applied; the warning and the plan name both prices."""
        _, source = samples.settled(store)
        money = {"price": Decimal("10.00"), "sale_price": Decimal("9.00"), "currency": "EUR"}
        samples.publish(store, source, samples.record(2, "A", **money, brand="X"))
        leaping = {"price": Decimal("50.00"), "sale_price": Decimal("49.00"), "currency": "EUR"}
        feed = samples.received(store, source)
        feed_context = evolve(samples.feed_context(feed), price_leap=5)
        with store.begin() as unit:
            record = samples.record(7, "A", **leaping, brand="Y")
            plan = unit.products.compare(feed_context, samples.batches([record]), MOST_PROBLEMS)
            publication = samples.publication(feed)
            unit.products.apply(plan, publication, samples.new_stem())
            unit.publications.add(publication, T0)
        product = samples.catalog(store)["A"]
        assert (product.price, product.sale_price, product.brand) == (
            Decimal("10.00"), Decimal("9.00"), "Y",
        )  # fmt: skip
        (problem,) = plan.problems
        assert (problem.code, problem.severity, problem.line) == ("price_leap", "warning", 7)
        assert "50.00 differs from 10.00 EUR by a factor of at least 5" in problem.hint
        (leap,) = plan.price_moves.leaps
        assert (leap.before, leap.after, leap.kept) == (Decimal("10.00"), Decimal("50.00"), True)
        assert plan.updated_by_field == {"brand": 1}

    def test_a_price_that_leaps_alone_leaves_its_product_unchanged(self, store: Store):
        """Just under the limit it moves; to nothing it does too, since that isn't sold."""
        _, source = samples.settled(store)
        skus = ("up", "down", "nearly", "nothing")
        before = [
            samples.record(n, sku, price=Decimal("10.00"), currency="EUR")
            for n, sku in enumerate(skus, start=2)
        ]
        samples.publish(store, source, *before)
        after = ("50.00", "2.00", "49.99", "0.00")
        told = [evolve_price(record, price) for record, price in zip(before, after, strict=True)]
        feed_context = evolve(samples.feed_context(samples.received(store, source)), price_leap=5)
        with store.begin(dry_run=True) as unit:
            plan = unit.products.compare(feed_context, samples.batches(told), MOST_PROBLEMS)
        assert (plan.unchanged, plan.updated) == (2, 2)
        assert [leap.sku for leap in plan.price_moves.leaps] == ["up", "down"]
        assert plan.price_moves.largest[0].sku == "nothing"

    @pytest.mark.parametrize("count", [MOST_MOVES_LISTED, MOST_MOVES_LISTED + 1])
    def test_no_more_is_shown_than_people_look_at(self, store: Store, count: int):
        """All moves, pairs and changes are counted; the first of each are listed."""
        _, source = samples.settled(store)
        before = [
            samples.record(n, f"{n:03}", price=Decimal("10.00"), currency="EUR")
            for n in range(2, count + 2)
        ]
        renamed = [evolve(r, sku=f"9{r.sku}", line=r.line + 500) for r in before]
        for record in renamed:
            record.values["product_name"] = f"Product {record.sku}"  # type: ignore[index]
        samples.publish(store, source, *before, *renamed)
        moved = [evolve_price(record, "11.00") for record in before]
        anew = [evolve(record, sku=f"new {record.sku}") for record in renamed]
        feed_context = samples.feed_context(samples.received(store, source))
        with store.begin(dry_run=True) as unit:
            plan = unit.products.compare(
                feed_context, samples.batches([*moved, *anew]), MOST_PROBLEMS
            )
        assert (plan.price_moves.moved, plan.rekeyed.count) == (count, count)
        assert len(plan.price_moves.largest) == MOST_MOVES_LISTED
        assert len(plan.rekeyed.pairs) == MOST_PAIRS_LISTED
        assert plan.rekeyed.pairs[0] == Pair("9002", "new 9002", "product_name")
        assert len(plan.samples) == 3 * SAMPLES_OF_KIND


def evolve_price(record: Record, price: str) -> Record:
    return evolve(record, values={**record.values, "price": Decimal(price)})
