"""A feed against the catalog: each record's fate, and that none is lost."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from attrs import evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.base.money import find_currency
from commerce_core.catalog.product import Product
from commerce_core.feeds.summary import Summary
from commerce_core.plans.changes import Change, changed_fields
from commerce_core.plans.comparison import FeedContext, Plan, compare, removes_absent, settle
from commerce_core.schema.fields import PRODUCT_FIELDS, Mode, Value
from commerce_core.schema.problems import Problem
from commerce_core.schema.record import Record
from tests.support.examples import scaled
from tests.support.strategies import SKUS, FeedFile, feed_files, feed_series

NOW = datetime(2026, 3, 31, tzinfo=UTC)
COLUMNS = {"sku": "Artikel", "product_name": "Name", "price": "Preis", "currency": "Währung"}
MOST = 1_000
RECORD_FATES = (
    "created", "updated", "restored", "unchanged", "deleted", "rejected", "duplicate",
)  # fmt: skip
FATES = (*RECORD_FATES, "absent", "removed")


def product(sku: str = "A", **changes: object) -> Product:
    made = Product(
        product_id=f"prod_{sku}",
        partner_id="partner",
        partner_name="Partner",
        source_id="main",
        sku=sku,
        product_name="Chair",
        feed_id="before",
        line=2,
        publication_id="pub",
        created_at=NOW,
        updated_at=NOW,
    )
    return evolve(made, **changes)


def feed_context(
    mode: Mode = "full", currency: str | None = "EUR", source: str = "main"
) -> FeedContext:
    return FeedContext("partner", source, "feed", mode, COLUMNS, currency)


def record(sku: str | None = "A", line: int = 2, *, bad: bool = False, **values: Value) -> Record:
    problems = (Problem.of("too_long", line=line),) if bad or sku is None else ()
    return Record(line, sku, values, problems)


def weigh(
    records: Sequence[Record],
    catalog: Sequence[Product] = (),
    feed: FeedContext | None = None,
    most: int = MOST,
) -> tuple[Plan, list[Change]]:
    feed = feed or feed_context()
    by_sku = {each.sku: each for each in catalog}
    active = [p for p in catalog if p.status == "active" and p.source_id == feed.source_id]
    return compare(feed, records, by_sku.get, active, most)


def fates(plan: Plan) -> dict[str, int]:
    return {name: getattr(plan, name) for name in FATES if getattr(plan, name)}


def kinds(changes: Iterable[Change]) -> list[tuple[str, str]]:
    return [(change.kind, change.sku) for change in changes]


# --- one record -----------------------------------------------------------------------------------


def test_an_unknown_sku_with_a_name_is_created():
    plan, changes = weigh([record(product_name="Chair", quantity=3)])
    assert fates(plan) == {"created": 1}
    assert changes == [Change("created", "A", 2, None, {"product_name": "Chair", "quantity": 3})]


@pytest.mark.parametrize("values", [{}, {"product_name": None}, {"quantity": 3}])
def test_an_unknown_sku_without_a_name_is_rejected(values: dict[str, Value]):
    plan, changes = weigh([Record(2, "A", values)], feed=feed_context("delta"))
    assert (fates(plan), changes) == ({"rejected": 1}, [])
    (problem,) = plan.problems
    assert (problem.code, problem.column, problem.field) == ("unknown_sku", "Artikel", "sku")
    assert (problem.line, problem.value, problem.severity) == (2, "A", "error")


def test_an_unknown_sku_names_the_active_one_that_it_nearly_is():
    catalog = [product("A-1"), product("B-1", status="removed")]
    records = [Record(2, "a-1", {}), Record(3, "B_1", {}), Record(4, "C", {})]
    plan, _ = weigh(records, catalog, feed_context("delta"))
    hints = [problem.hint for problem in plan.problems]
    assert [hint.endswith("Did you mean A-1?") for hint in hints] == [True, False, False]


@pytest.mark.parametrize("mode", ["full", "delta"])
def test_a_new_sku_that_lost_its_zeros_is_refused_and_the_product_it_means_stays(mode: Mode):
    catalog = [product("0042"), product("00042")]
    plan, changes = weigh([Record(2, "42", {"product_name": "Pot"})], catalog, feed_context(mode))
    assert (fates(plan), changes, plan.absent) == ({"rejected": 1}, [], 0)
    (problem,) = plan.problems
    assert (problem.code, problem.value) == ("sku_lost_zeros", "42")
    assert "00042" in problem.hint


def test_a_sku_without_zeros_may_stand_beside_one_with_them():
    named = {"product_name": "Pot"}
    beside = [Record(2, "42", named), Record(3, "0042", named)]
    assert fates(weigh(beside, [product("0042", product_name="Pot")])[0]) == {
        "created": 1, "unchanged": 1,
    }  # fmt: skip
    known = [product("42", product_name="Pot"), product("0042")]
    assert fates(weigh(beside[:1], known, feed_context("delta"))[0]) == {
        "unchanged": 1, "absent": 1,
    }  # fmt: skip


def test_a_product_that_already_is_so_is_unchanged():
    catalog = [product(price=Decimal("10.00"), currency="EUR")]
    plan, changes = weigh([record(product_name="Chair", price=Decimal(10))], catalog)
    assert (fates(plan), changes) == ({"unchanged": 1}, [])


def test_a_change_tells_the_product_before_and_is_counted_by_field():
    before = product(brand="X")
    plan, changes = weigh([record(product_name="Stool", brand=None, quantity=None)], [before])
    assert fates(plan) == {"updated": 1}
    assert plan.updated_by_field == {"product_name": 1, "brand": 1}
    (change,) = changes
    assert (change.kind, change.before, change.line) == ("updated", before, 2)


def test_a_field_whose_column_the_file_lacks_is_left_alone():
    plan, changes = weigh(
        [record(quantity=4)], [product(quantity=1, brand="X")], feed_context("delta")
    )
    assert changes[0].values == {"quantity": 4}
    assert plan.updated_by_field == {"quantity": 1}


def test_a_removed_product_is_restored_also_by_a_record_that_says_the_same():
    gone = product(status="removed")
    plan, changes = weigh([record(product_name="Chair")], [gone])
    assert (fates(plan), kinds(changes)) == ({"restored": 1}, [("restored", "A")])
    assert changes[0].before == gone


@pytest.mark.parametrize(
    ("catalog", "fate"),
    [
        ([product()], {"deleted": 1, "removed": 1}),
        ([product(status="removed")], {"unchanged": 1}),
        ([product(status="removed", source_id="other")], {"unchanged": 1}),
        ([], {"unchanged": 1}),
    ],
)
@pytest.mark.parametrize("mode", ["full", "delta"])
def test_a_delete_removes_what_is_there_and_else_changes_nothing(
    mode: Mode, catalog: list[Product], fate: dict[str, int]
):
    plan, changes = weigh([record(deleted=True)], catalog, feed_context(mode))
    assert fates(plan) == fate
    assert len(changes) == fate.get("removed", 0)


@pytest.mark.parametrize("values", [{"product_name": "Chair"}, {"deleted": True}])
def test_a_sku_of_another_source_is_a_problem_and_its_product_stays(values: dict[str, Value]):
    plan, changes = weigh([Record(2, "A", values)], [product(source_id="other")])
    assert (fates(plan), changes) == ({"rejected": 1}, [])
    assert plan.problems_by_code == {"sku_of_other_source": 1}


def test_a_sku_that_two_sources_claim_is_a_problem_that_names_both():
    feed = evolve(feed_context(), source_names={"main": "Shop", "other": "Lager"})
    plan, _ = weigh([record(product_name="Chair")], [product(source_id="other")], feed)
    (problem,) = plan.problems
    assert problem.hint == (
        "The source 'Lager' owns this sku, so 'Shop' can't change it. Send it from 'Lager', or "
        "delete it there first."
    )


def test_a_removed_product_of_another_source_is_free_to_be_restored():
    plan, _ = weigh([record(product_name="Chair")], [product(status="removed", source_id="other")])
    assert fates(plan) == {"restored": 1}


def test_a_rejected_record_leaves_its_product_as_it_was():
    plan, changes = weigh([record(bad=True, product_name="Stool")], [product()])
    assert (fates(plan), changes) == ({"rejected": 1}, [])


# --- duplicates -----------------------------------------------------------------------------------


def test_the_last_record_of_a_sku_counts():
    records = [record(line=2, quantity=1), record(line=3, quantity=2), record(line=4, quantity=3)]
    plan, changes = weigh(records, [product()])
    assert fates(plan) == {"updated": 1, "duplicate": 2}
    assert (changes[0].line, changes[0].values) == (4, {"quantity": 3})


def test_a_duplicate_names_both_lines_and_the_fields_that_differ():
    records = [record(line=2, quantity=1, brand="X"), record(line=7, brand="Y", mpn=None)]
    plan, _ = weigh(records, [product()])
    (problem,) = plan.problems
    assert (problem.code, problem.severity, problem.line) == ("duplicate_sku", "warning", 2)
    assert (problem.field, problem.column, problem.value) == ("sku", "Artikel", "A")
    assert "Line 7" in problem.hint
    assert "line 2" in problem.hint
    assert problem.hint.endswith("differ in: brand, quantity.")


def test_the_last_one_counts_even_when_it_is_rejected():
    records = [record(line=2, quantity=9), record(line=3, bad=True)]
    plan, changes = weigh(records, [product(quantity=1)])
    assert (fates(plan), changes) == ({"rejected": 1, "duplicate": 1}, [])


def test_an_earlier_one_that_is_rejected_is_a_duplicate_all_the_same():
    plan, changes = weigh([record(line=2, bad=True), record(line=3, quantity=9)], [product()])
    assert fates(plan) == {"updated": 1, "duplicate": 1}
    assert changes[0].line == 3


def test_skus_are_distinguished_by_case():
    plan, _ = weigh([record("a", product_name="x"), record("A", 3, product_name="y")])
    assert fates(plan) == {"created": 2}


# --- what isn't in the file -----------------------------------------------------------------------

THREE = [product(sku) for sku in "ABC"]


def test_a_full_feed_removes_what_it_does_not_contain():
    plan, changes = weigh([record("B", product_name="Chair")], THREE)
    assert fates(plan) == {"unchanged": 1, "absent": 2, "removed": 2}
    assert kinds(changes) == [("removed", "A"), ("removed", "C")]
    assert plan.before == 3


def test_a_delta_only_tells_what_it_does_not_contain():
    plan, changes = weigh([record("B")], THREE, feed_context("delta"))
    assert (fates(plan), changes) == ({"unchanged": 1, "absent": 2}, [])


def test_an_unreadable_sku_blocks_all_removals_by_absence():
    records = [record(None), record("B", 3, deleted=True)]
    plan, changes = weigh(records, THREE)
    assert fates(plan) == {"rejected": 1, "deleted": 1, "absent": 2, "removed": 1}
    assert (plan.skus_unreadable, kinds(changes)) == (1, [("removed", "B")])


@pytest.mark.parametrize(
    "records",
    [
        [record("A", bad=True)],
        [record("A", deleted=True)],
        [record("A"), record("A", 3, bad=True)],
    ],
    ids=["rejected", "deleted", "duplicate"],
)
def test_a_record_with_a_readable_sku_is_present_whatever_becomes_of_it(records: list[Record]):
    plan, changes = weigh(records, [product("A")])
    assert plan.absent == 0
    assert [change for change in changes if not change.line] == []


def test_products_of_other_sources_and_removed_ones_are_not_absent():
    catalog = [product("A", source_id="other"), product("B", status="removed"), product("C")]
    plan, changes = weigh([record("C", product_name="Chair")], catalog)
    assert (fates(plan), changes, plan.before) == ({"unchanged": 1}, [], 1)


@pytest.mark.parametrize(
    ("mode", "unreadable", "removes"), [("full", 0, True), ("full", 1, False), ("delta", 0, False)]
)
def test_absence_removes_in_full_mode_while_every_sku_is_read(
    mode: Mode, unreadable: int, removes: bool
):
    assert removes_absent(feed_context(mode), unreadable) is removes


# --- the plan -------------------------------------------------------------------------------------


def test_errors_come_first_in_the_order_of_lines_as_many_as_asked_for_and_all_are_counted():
    records = [
        record("A", 2, product_name="x"),
        record("B", 3),
        record("A", 4, product_name="y"),
        record("C", 5),
    ]
    plan, _ = weigh(records, feed=feed_context("delta"), most=2)
    assert [(problem.line, problem.code) for problem in plan.problems] == [
        (3, "unknown_sku"),
        (5, "unknown_sku"),
    ]
    assert plan.problems_by_code == {"duplicate_sku": 1, "unknown_sku": 2}


def test_changes_are_those_of_products_by_id_then_new_ones_by_line():
    records = [
        record("Z", 2, product_name="x"),
        record("C", 3, quantity=1),
        record("Y", 4, product_name="y"),
        record("A", 5, quantity=1),
    ]
    _, changes = weigh(records, THREE)
    assert kinds(changes) == [
        ("updated", "A"), ("removed", "B"), ("updated", "C"), ("created", "Z"), ("created", "Y"),
    ]  # fmt: skip


# --- currencies -----------------------------------------------------------------------------------

EUR_PRODUCT = product(price=Decimal("10.50"), currency="EUR")
YEN_PRODUCT = product(price=Decimal(1000), sale_price=Decimal(900), currency="JPY")


@pytest.mark.parametrize(
    ("mode", "default", "values", "before", "settled"),
    [
        ("delta", "EUR", {"price": "10"}, None, {"price": "10.00", "currency": "EUR"}),
        (
            "delta", "EUR", {"price": "10"}, YEN_PRODUCT,
            {"price": "10", "sale_price": "900", "currency": "JPY"},
        ),
        ("delta", None, {"price": "10"}, EUR_PRODUCT, {"price": "10.00", "currency": "EUR"}),
        ("delta", None, {"price": "10"}, None, "missing_currency"),
        ("delta", None, {"sale_price": "10"}, None, "missing_currency"),
        ("delta", "EUR", {"price": "9.5"}, YEN_PRODUCT, "too_many_decimals"),
        ("delta", "USD", {"currency": None}, EUR_PRODUCT, {"price": "10.50", "currency": "EUR"}),
        ("delta", "USD", {"currency": "KWD"}, EUR_PRODUCT, "currency_without_price"),
        ("delta", "USD", {"currency": "KWD"}, product(), {"currency": "KWD"}),
        (
            "delta", "USD", {"currency": "JPY", "price": "10"}, EUR_PRODUCT,
            {"price": "10", "currency": "JPY"},
        ),
        (
            "delta", "USD", {"currency": "EUR", "sale_price": "9"}, YEN_PRODUCT,
            "currency_without_price",
        ),
        (
            "delta", "USD", {"currency": "EUR", "price": "9"}, YEN_PRODUCT,
            {"price": "9.00", "sale_price": None, "currency": "EUR"},
        ),
        (
            "full", "EUR", {"price": "9"}, YEN_PRODUCT,
            {"price": "9.00", "sale_price": None, "currency": "EUR"},
        ),
        ("delta", "USD", {"price": None}, EUR_PRODUCT, {"price": None}),
        (
            "delta", "USD", {"price": None, "currency": None}, EUR_PRODUCT,
            {"price": None, "currency": None},
        ),
        ("delta", "USD", {"quantity": 1}, EUR_PRODUCT, {"quantity": 1}),
        (
            "full", "USD", {"sale_price": "9", "price": None}, EUR_PRODUCT,
            {"sale_price": "9.00", "price": None, "currency": "USD"},
        ),
        (
            "full", "USD", {"price": "9", "currency": "EUR"}, EUR_PRODUCT,
            {"price": "9.00", "currency": "EUR"},
        ),
        ("full", None, {"sale_price": "9"}, None, "missing_currency"),
    ],
)  # fmt: skip
def test_an_amount_finds_its_currency_and_what_is_there_has_to_fit(
    mode: Mode,
    default: str | None,
    values: Mapping[str, str | int | None],
    before: Product | None,
    settled: dict[str, object] | str,
):
    read: dict[str, Value] = {
        name: Decimal(value) if name.endswith("price") and value is not None else value
        for name, value in values.items()
    }
    got = settle(feed_context(mode, default), Record(2, "A", read), before)
    if isinstance(settled, str):
        assert isinstance(got, Problem)
        assert got.code == settled
    else:
        assert isinstance(got, dict)
        shown = {name: str(v) if isinstance(v, Decimal) else v for name, v in got.items()}
        assert {name: v for name, v in shown.items() if name in settled or v is not None} == settled


def test_a_price_that_stays_refuses_another_currency():
    got = settle(feed_context("delta"), record(currency="JPY"), EUR_PRODUCT)
    assert isinstance(got, Problem)
    assert (got.field, got.column, got.value, got.line) == ("currency", "Währung", "JPY", 2)


AUGUST, MAY = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "sale", "code"),
    [
        ({"price": Decimal(7)}, None, "sale_not_below_price"),
        ({"price": Decimal(9)}, Decimal(8), None),
        ({"sale_price": Decimal(12)}, None, "sale_not_below_price"),
        ({"sale_price": Decimal(9)}, Decimal(9), None),
        ({"sale_ends_at": MAY}, None, "sale_ends_before_start"),
        ({"sale_ends_at": AUGUST}, Decimal(8), None),
        ({"quantity": 0}, Decimal(8), None),
    ],
)
def test_a_sale_price_counts_beside_what_the_product_keeps_or_is_taken_away_with_a_warning(
    values: dict[str, Value], sale: Decimal | None, code: str | None
):
    before = product(
        price=Decimal(10),
        sale_price=Decimal(8),
        currency="EUR",
        sale_starts_at=datetime(2026, 6, 1, tzinfo=UTC),
    )
    plan, changes = weigh([Record(2, "A", values)], [before], feed_context("delta"))
    (change,) = changes
    assert change.values.get("sale_price", before.sale_price) == sale
    assert [p.code for p in plan.problems] == ([code] if code else [])


def test_the_largest_amounts_settle_in_any_currency():
    largest = Decimal("999999999999.9999")
    got = settle(feed_context("delta"), record(price=largest, currency="CLF"), None)
    assert isinstance(got, dict)
    assert got["price"] == largest


def test_only_fields_that_the_values_give_can_have_changed():
    assert changed_fields(EUR_PRODUCT, {"price": Decimal("10.5"), "currency": "EUR"}) == ()
    assert changed_fields(EUR_PRODUCT, {"currency": "USD", "brand": "X", "sku": "B"}) == (
        "brand",
        "currency",
    )


# --- properties over whole feeds ------------------------------------------------------------------


@frozen
class Catalog:
    """A catalog of one partner by sku, to which plans are applied in the plainest way."""

    products: Mapping[str, Product] = field(factory=dict[str, Product])

    def weigh(self, file: FeedFile, source: str) -> tuple[Plan, list[Change], list[Record]]:
        columns, records = file.read()
        feed = FeedContext("partner", source, "feed", file.mode, columns, file.currency)
        plan, changes = compare(feed, iter(records), self.products.get, self.active(source), MOST)
        return plan, changes, records

    def active(self, source: str) -> list[Product]:
        return [p for p in self.products.values() if p.status == "active" and p.source_id == source]

    def apply(self, changes: Iterable[Change], source: str) -> "Catalog":
        after = dict(self.products)
        for change in changes:
            status = "removed" if change.kind == "removed" else "active"
            base = change.before or product(change.sku)
            after[change.sku] = evolve(base, **change.values, status=status, source_id=source)
        return Catalog(after)


sources = st.sampled_from(["main", "other"])
series = st.lists(st.tuples(feed_files(most_skus=6), sources), min_size=1, max_size=4)


def summary(plan: Plan, records: Sequence[Record]) -> Summary:
    counts = {name: getattr(plan, name) for name in RECORD_FATES}
    return Summary(len(records), **counts, absent=plan.absent, removed=plan.removed)


@settings(max_examples=scaled(60))
@given(series)
def test_no_record_is_lost_and_the_catalog_grows_by_what_is_reported(
    feeds: list[tuple[FeedFile, str]],
):
    catalog = Catalog()
    for file, source in feeds:
        plan, changes, records = catalog.weigh(file, source)
        before = len(catalog.active(source))
        catalog = catalog.apply(changes, source)
        assert plan.before == before
        summary(plan, records).check(before, len(catalog.active(source)))


@settings(max_examples=scaled(60))
@given(series, feed_files(most_skus=6), sources)
def test_the_same_feed_twice_changes_nothing_the_second_time(
    earlier: list[tuple[FeedFile, str]], file: FeedFile, source: str
):
    catalog = Catalog()
    for each, its_source in earlier:
        catalog = catalog.apply(catalog.weigh(each, its_source)[1], its_source)
    _, changes, _ = catalog.weigh(file, source)
    catalog = catalog.apply(changes, source)
    again, changes, _ = catalog.weigh(file, source)
    assert changes == []
    assert fates(again).keys() <= {"unchanged", "rejected", "duplicate", "absent"}


@settings(max_examples=scaled(50))
@given(feed_series(), feed_files(most_skus=6).filter(lambda file: file.mode == "full"))
def test_after_a_full_feed_the_source_has_what_the_file_accepted_or_named(
    earlier: list[FeedFile], file: FeedFile
):
    catalog = Catalog()
    for each in earlier:
        catalog = catalog.apply(catalog.weigh(each, "main")[1], "main")
    plan, changes, records = catalog.weigh(file, "main")
    after = catalog.apply(changes, "main")
    named = {each.sku for each in records if each.sku is not None}
    left = {each.sku for each in after.active("main")}
    if plan.skus_unreadable:
        explicitly = {each.sku for each in records if each.deletes}
        assert {each.sku for each in catalog.active("main")} - left <= explicitly
    else:
        assert left <= named


@settings(max_examples=scaled(50))
@given(series)
def test_every_product_has_a_currency_with_its_price_and_amounts_that_fit_it(
    feeds: list[tuple[FeedFile, str]],
):
    catalog = Catalog()
    for file, source in feeds:
        catalog = catalog.apply(catalog.weigh(file, source)[1], source)
    for each in catalog.products.values():
        for amount in (each.price, each.sale_price):
            if amount is not None:
                money = find_currency(each.currency or "")
                assert money is not None
                assert str(money.round(amount)) == str(amount)


@settings(max_examples=scaled(50))
@given(feed_series())
def test_changes_differ_from_what_was_and_touch_no_field_the_file_lacks(feeds: list[FeedFile]):
    catalog = Catalog()
    for file in feeds:
        plan, changes, records = catalog.weigh(file, "main")
        lines = {each.line: each for each in records}
        for change in changes:
            if change.kind == "updated" and change.before:
                assert changed_fields(change.before, change.values)
            if change.line:
                said = lines[change.line].values.keys() | {"price", "sale_price", "currency"}
                assert change.values.keys() <= said & set(PRODUCT_FIELDS)
        assert plan.removed == sum(change.kind == "removed" for change in changes)
        catalog = catalog.apply(changes, "main")


def test_the_skus_of_these_feeds_are_ones_that_tools_confuse():
    assert len({sku.casefold() for sku in SKUS}) < len(SKUS)
