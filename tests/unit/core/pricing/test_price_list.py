"""Price lists: their names, their currencies, and the price of a quantity."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import InvalidInput
from commerce_core.pricing.price_list import (
    ListDifference,
    ListEntry,
    PackedEntries,
    PriceList,
    price_for,
)
from tests.unit.core.pricing.shop import NOW

MADE: dict[str, Any] = {"list_id": "list_1", "created_at": NOW, "updated_at": NOW}


@pytest.mark.parametrize("name", ["T", "T" * 200, "Händler 'A' <b>", "list_1"])
def test_a_list_is_made_with_such_a_name(name: str):
    made = PriceList(name=name, currency="EUR", **MADE)
    assert (made.name, made.version, made.entries) == (name, 0, 0)


@pytest.mark.parametrize("name", ["", "T" * 201, " T", "T ", "a\0b", "list_" + "0" * 32])
def test_a_list_is_refused_with_such_a_name(name: str):
    with pytest.raises(InvalidInput) as refused:
        PriceList(name=name, currency="EUR", **MADE)
    assert (refused.value.code, str(refused.value)) == (
        "bad_price_list", "The price list isn't valid.",
    )  # fmt: skip
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/name", "bad_name")
    assert fault.detail == "Use 1 to 200 characters without blanks around them, no id."


def test_both_faults_of_a_list_are_reported():
    with pytest.raises(InvalidInput) as refused:
        PriceList(name="", currency="ABC", **MADE)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/name", "bad_name"), ("/currency", "unknown_currency"),
    ]  # fmt: skip
    assert refused.value.faults[1].detail == "Use an ISO 4217 code, such as EUR."


def test_the_price_of_a_quantity_is_that_of_the_largest_minimum_it_reaches():
    steps = ((2, Decimal(9)), (10, Decimal(8)))
    found = [price_for(steps, quantity) for quantity in (1, 2, 9, 10, 11)]
    assert found == [None, Decimal(9), Decimal(9), Decimal(8), Decimal(8)]
    assert price_for((), 5) is None


@pytest.mark.parametrize(
    ("figures", "changes"),
    [((3, 0, 0, 0, 3), False), ((3, 1, 0, 0, 2), True), ((3, 0, 1, 0, 2), True),
     ((3, 0, 0, 1, 3), True)],
)  # fmt: skip
def test_a_content_changes_a_list_if_any_entry_does(figures: tuple[int, ...], changes: bool):
    assert ListDifference(*figures).changes is changes


entries = st.builds(
    ListEntry,
    sku=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9)
    | st.text("\\\t\n\rtnr\x85\u2028", min_size=1, max_size=9),
    minimum_quantity=st.integers(1, 10**9),
    price=st.decimals(0, 10**12, places=4),
    line=st.integers(2, 10**7),
)


@given(st.lists(entries))
def test_packed_entries_are_what_was_packed(some: list[ListEntry]):
    packed = PackedEntries.of(some)
    unpacked = list(packed)
    assert unpacked == some
    assert [each.line for each in unpacked] == [each.line for each in some]
    assert b"".join(packed.blocks).count(b"\n") == len(some)


def test_entries_are_packed_block_by_block():
    many = [ListEntry(f"S-{n}", 1, Decimal("1.50"), n) for n in range(20_001)]
    packed = PackedEntries.of(iter(many))
    assert [block.count(b"\n") for block in packed.blocks] == [10_000, 10_000, 1]
    assert list(packed) == many
