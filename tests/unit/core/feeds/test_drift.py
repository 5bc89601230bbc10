"""Drift: changes in the form of a source's file are reported, and nothing else."""

import pytest

from commerce_core.feeds.drift import drift_between
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
