"""Re-keying: when a vanished product and a new one count as the same under another id."""

import pytest

from commerce_core.plans.rekeying import MOST_PAIRS_LISTED, Pair, Trait, rekeyed
from commerce_core.schema.fields import Value


@pytest.mark.parametrize(
    ("old", "new", "by"),
    [
        ({"gtin": "4006381333931"}, {"gtin": "04006381333931"}, "gtin"),
        ({"product_name": "Tent, 2 persons"}, {"product_name": "TENT 2-persons"}, "product_name"),
        (
            {"product_url": "http://www.example.com/a/"},
            {"product_url": "https://example.com/A"},
            "product_url",
        ),
        (
            {"gtin": "1", "product_name": "x", "product_url": "u"},
            {"gtin": "1", "product_name": "x", "product_url": "u"},
            "gtin",
        ),
    ],
)
def test_two_are_the_same_by_gtin_name_or_address(
    old: dict[str, Value], new: dict[str, Value], by: Trait
):
    assert rekeyed([("A", old)], [("B", new)]).pairs == (Pair("A", "B", by),)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"product_name": "Tent"}, {"product_name": "Tents"}),
        ({"product_name": "Zelt für 2"}, {"product_name": "ZELT FÜR 2"}),
        ({"product_name": None}, {"product_name": None}),
        ({"product_name": "..."}, {"product_name": "-"}),
        ({"gtin": "1"}, {"product_name": "1"}),
        ({}, {}),
    ],
)
def test_others_are_not(old: dict[str, Value], new: dict[str, Value]):
    assert rekeyed([("A", old)], [("B", new)]).count == 0


def test_a_value_shared_by_several_products_identifies_none_of_them():
    same: dict[str, Value] = {"product_name": "Tent"}
    assert rekeyed([("A", same), ("B", same)], [("C", same)]).count == 0
    assert rekeyed([("A", same)], [("B", same), ("C", same)]).count == 0


def test_all_pairs_are_counted_and_the_first_by_sku_listed():
    count = MOST_PAIRS_LISTED + 3
    old = [(f"{n:03}", {"product_name": f"Tent {n}"}) for n in reversed(range(count))]
    found = rekeyed(old, [(f"new {sku}", values) for sku, values in old])
    assert (found.count, len(found.pairs)) == (count, MOST_PAIRS_LISTED)
    assert found.pairs[0] == Pair("000", "new 000", "product_name")
