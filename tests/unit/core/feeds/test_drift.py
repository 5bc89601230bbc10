"""Drift: changes in the form of a source's file are reported, and nothing else."""

import pytest
from attrs import evolve

from commerce_core.feeds.drift import drift_between, lost_columns
from commerce_core.feeds.summary import Summary


def summary(records: int = 100, errors: int = 0, **mapping: str) -> Summary:
    """Of a file whose columns feed those fields; fields with `no_` in front are unused columns."""
    used = {name: column for name, column in mapping.items() if not name.startswith("no_")}
    return Summary(
        records_read=records,
        columns=tuple(mapping.values()),
        mapping=used,
        errors_by_column={"Price": errors} if errors else {},
    )


def kinds(before: Summary, now: Summary) -> list[tuple[str, str, str | None]]:
    return [(drift.kind, drift.column, drift.field) for drift in drift_between(before, now)]


def test_a_file_of_the_same_form_has_no_drift():
    assert kinds(summary(sku="SKU", price="Price"), summary(price="Price", sku="SKU")) == []


def test_added_and_missing_columns_are_reported_with_their_fields():
    before, now = summary(sku="SKU", price="Price"), summary(sku="SKU", brand="Make", no_a="Notes")
    assert kinds(before, now) == [
        ("column_added", "Make", "brand"),
        ("column_added", "Notes", None),
        ("column_gone", "Price", "price"),
    ]


@pytest.mark.parametrize(
    ("earlier", "errors", "told"),
    [(0, 20, True), (0, 19, False), (1, 20, True), (2, 20, False), (0, 100, True)],
)
def test_a_column_that_can_no_longer_be_read_is_reported(earlier: int, errors: int, told: bool):
    before = summary(errors=earlier, sku="SKU", price="Price")
    now = summary(errors=errors, sku="SKU", price="Price")
    assert (kinds(before, now) == [("column_unreadable", "Price", "price")]) is told


def made_of(**columns: tuple[str, ...]) -> Summary:
    every = tuple(name for names in columns.values() for name in names)
    mapping = {name: names[0] for name, names in columns.items() if name != "records"}
    return Summary(records_read=100, columns=every, mapping=mapping, made_of=columns)


def test_a_field_that_is_made_of_fewer_columns_has_lost_those():
    before = made_of(sku=("id",), options=("color", "size"), records=("Status",))
    now = made_of(sku=("id",), options=("size",))
    assert lost_columns(before, now) == ("options (color)", "records (Status)")
    (gone, status) = drift_between(before, now)
    assert (gone.column, gone.field) == ("color", "options")
    assert gone.detail == "The column is gone; options is made of the others."
    assert (status.column, status.field) == ("Status", "records")


def test_what_is_lost_is_listed_alike_whatever_the_order_in_which_a_store_keeps_mappings():
    before = made_of(weight=("g",), sku=("id",), price=("p",), brand=("b",), records=("Status",))
    kept = evolve(before, made_of=dict(sorted(before.made_of.items(), key=lambda one: len(one[0]))))
    now = made_of(sku=("id",))
    wanted = ("brand", "price", "weight", "records (Status)")
    assert lost_columns(before, now) == lost_columns(kept, now) == wanted


def test_columns_that_can_no_longer_be_read_are_listed_in_file_order():
    """Engines find errors in an order of their own."""
    before = summary(sku="SKU", price="Price", quantity="Stock")
    now = evolve(before, errors_by_column={"Stock": 50, "Price": 40})
    assert [column for _, column, _ in kinds(before, now)] == ["Price", "Stock"]


def test_a_column_that_another_took_the_place_of_is_not_lost():
    before, now = made_of(price=("Variant Price",)), made_of(price=("Price",))
    assert lost_columns(before, now) == ()


def test_a_column_that_the_file_still_has_is_not_lost_while_others_feed_its_field():
    before = made_of(sku=("id",), product_name=("make", "model"))
    now = made_of(sku=("id",), product_name=("title",), options=("make", "model"))
    assert lost_columns(before, now) == ()
    without = evolve(now, columns=("id", "title"))
    assert lost_columns(before, without) == ("product_name (make, model)",)
    moved = made_of(sku=("id",), options=("make", "model"))
    assert lost_columns(before, moved) == ("product_name",)


def test_of_a_summary_of_an_earlier_version_the_first_column_of_each_field_counts():
    before = Summary(columns=("id", "price"), mapping={"sku": "id", "price": "price"})
    assert lost_columns(before, made_of(sku=("id",))) == ("price",)
    assert lost_columns(before, made_of(sku=("id",), price=("price",))) == ()
