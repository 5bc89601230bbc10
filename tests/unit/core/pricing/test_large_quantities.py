"""Units are counted, not visited: a million of them cost no more work than a few."""

from typing import Any

import pytest

from tests.support.effort import assert_effort
from tests.unit.core.pricing.shop import price, product, rule

PRICES = ("10.00", "15.99", "22.99", "30.00", "100.00", "399.00")
CHEAP, DEAR = {"sku": ["P0", "P1", "P2"]}, {"sku": ["P2", "P3", "P4", "P5"]}


@pytest.mark.parametrize("applies_to", ["line", "order"])
@pytest.mark.parametrize(
    "benefit",
    [
        {"n_for_m": {"buy": 2, "get": 1, "percent": "33.3"}},
        {"n_for_m": {"buy": 2, "get": 1, "percent": "50", "qualifiers": CHEAP, "targets": DEAR}},
        {"sets": {"min_total": "149.00", "percent": "10"}},
        {"sets": {"min_total": "149.00", "percent": "10", "most": 500_000}},
        {"bundle": {"items": [{"sku": "P2"}, {**DEAR, "quantity": 2}], "price": "50.00"}},
    ],
    ids=["like sets", "targets", "sets", "a limited number of sets", "bundles"],
)
def test_a_million_units_of_each_product_are_priced_as_fast_as_a_few(
    benefit: dict[str, Any], applies_to: str
):
    items = [(product(f"P{n}", each), 1_000_000) for n, each in enumerate(PRICES)]
    deal = rule(benefit, applies_to=applies_to)
    assert_effort(lambda: price(items, deal), 20)
