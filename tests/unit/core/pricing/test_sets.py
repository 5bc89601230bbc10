"""Sets of units that are bought, and of others that are reduced."""

from typing import Any

import pytest

from tests.unit.core.pricing.shop import price, product, rule, taken

DEAR, CHEAP = product("A", "10.00"), product("C", "1.00")


@pytest.mark.parametrize(
    ("favours", "cheap", "off"),
    [("customer", 2, "10.00"), ("shop", 2, "2.00"), ("customer", 30, "10.00")],
)
def test_a_dear_unit_free_may_be_worth_more_than_one_more_set(favours: str, cheap: int, off: str):
    """Two of A: one buys the other, or they buy two of C; a unit is one or the other."""
    offer: dict[str, Any] = {
        "buy": 1, "get": 1, "percent": "100", "qualifiers": {"sku": "A"},
        "targets": {"sku": ["A", "C"]}, "favours": favours,
    }  # fmt: skip
    priced = price([(DEAR, 2), (CHEAP, cheap)], rule({"n_for_m": offer}))
    assert str(taken(priced)) == off


@pytest.mark.parametrize(("units", "off"), [(9, "0.00"), (10, "1.00"), (19, "1.00"), (20, "2.00")])
def test_a_set_of_a_total_is_reduced_once_it_is_full(units: int, off: str):
    priced = price([(CHEAP, units)], rule({"sets": {"min_total": "10.00", "percent": "10"}}))
    assert str(taken(priced)) == off


def test_no_more_sets_are_reduced_than_the_offer_allows():
    sets = rule({"sets": {"min_total": "10.00", "percent": "10", "most": 1}})
    assert taken(price([(CHEAP, 25)], sets)) == 1


def test_a_set_that_lacks_a_cent_is_not_reduced():
    sets = rule({"sets": {"min_total": "10.00", "percent": "10"}})
    assert taken(price([(product("B", "9.99"), 1)], sets)) == 0


@pytest.mark.parametrize(("dear", "cheap", "off"), [(2, 4, "6.00"), (1, 9, "3.00"), (3, 1, "0.00")])
def test_a_bundle_takes_what_each_of_its_items_needs(dear: int, cheap: int, off: str):
    items = [{"sku": "A", "quantity": 1}, {"sku": "C", "quantity": 2}]
    offer = rule({"bundle": {"items": items, "price": "9.00"}})
    assert str(taken(price([(DEAR, dear), (CHEAP, cheap)], offer))) == off
