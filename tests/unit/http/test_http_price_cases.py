"""Prices that public trackers show computed wrongly, over HTTP, with the right answers."""

from typing import Any

import pytest
from attrs import frozen

from tests.unit.http.conftest import Api
from tests.unit.http.test_http_pricing import FEED

Basket = tuple[tuple[str, int], ...]
DESK: Basket = (("F", 1),)


@frozen
class Case:
    """A basket under rules, in the order of their priority, and what its lines cost."""

    title: str
    basket: Basket
    rules: tuple[dict[str, Any], ...]
    lines: tuple[str, ...]


def amount(off: str, **members: object) -> dict[str, Any]:
    return {"benefit": {"amount": off}, **members}


def percent(off: str, **members: object) -> dict[str, Any]:
    return {"benefit": {"percent": off}, **members}


FREE = {"benefit": {"n_for_m": {"buy": 2, "get": 1, "percent": "100"}}}
FLOOR = {"benefit": {"floor": {"price": "95.00"}}}
SKU_A = {"sku": "A"}
GROUP = {"group": {"name": "g", "mode": "first"}}
BEST = {"group": {"name": "g", "mode": "best"}}
CASES = [
    Case(
        "other lines never lower a discount",
        (("A", 1), ("B", 1)),
        (amount("10.00", applies_to="order", condition=SKU_A),),
        ("12.99", "15.99"),
    ),
    Case("a percentage is of the line", (("C", 25),), (percent("10"),), ("8977.50",)),
    Case("halves are rounded up", (("D", 1),), (percent("10.5"),), ("22.37",)),
    Case("all off is nothing", (("A", 3), ("B", 7)), (percent("100"),), ("0.00", "0.00")),
    Case("the amount first", DESK, (amount("10"), percent("10")), ("81.00",)),
    Case("the percentage first", DESK, (percent("10"), amount("10")), ("80.00",)),
    Case("of the list price", DESK, (amount("10"), percent("10", on="list")), ("80.00",)),
    Case("by priority", DESK, (amount("10"), percent("25")), ("67.50",)),
    Case("by the other priority", DESK, (percent("25"), amount("10")), ("65.00",)),
    Case("no more than it costs", DESK, (amount("500", applies_to="order"),), ("0.00",)),
    Case(
        "units that are free aren't bought too",
        (("G", 30),),
        ({"benefit": {"n_for_m": {"buy": 10, "get": 20, "percent": "100"}}},),
        ("100.00",),
    ),
    Case(
        "a cap is shared by what lines cost",
        (("F", 1), ("G", 10)),
        (percent("10", limits={"max_amount": "5.00"}, applies_to="order"),),
        ("97.50", "97.50"),
    ),
    Case("held by a floor", DESK, (percent("15"), FLOOR), ("95.00",)),
    Case(
        "the cheapest of three is free at its running price",
        (("F", 1), ("E", 1), ("D", 1)),
        (percent("50", condition={"sku": "D"}), FREE),
        ("100.00", "30.00", "0.00"),
    ),
    Case(
        "what takes nothing off blocks nothing",
        DESK,
        (percent("0", **GROUP), percent("10", **GROUP)),
        ("90.00",),
    ),
    Case(
        "the best of a group is judged after its cap",
        DESK,
        (percent("30", limits={"max_amount": "5.00"}, **BEST), percent("10", **BEST)),
        ("90.00",),
    ),
    Case(
        "a rule that does not match ends nothing",
        (("G", 4), ("F", 1)),
        (
            percent("25", final=True, condition={"quantity": {"min": 5, "of": "line"}}),
            percent("35", condition={"total": {"min": "50.00", "of": "match"}}),
        ),
        ("26.00", "65.00"),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_basket_costs_the_same_quoted_and_ordered(api: Api, case: Case):
    api.ingest(api.partner(), FEED)
    shop = Api(api.client, api.commerce, {"X-API-Key": api.key()})
    rules = [
        {"name": f"Rule {n}", "priority": -n, "currency": "USD", **rule}
        for n, rule in enumerate(case.rules)
    ]
    lines = [{"partner_name": "Acme", "sku": sku, "quantity": n} for sku, n in case.basket]
    tried = shop.post("/v1/pricing/quote", {"items": lines, "rules": rules})
    assert tried.status_code == 200, tried.text
    assert tuple(item["line_total"] for item in tried.json()["items"]) == case.lines
    for rule in rules:
        assert shop.post("/v1/pricing/rules", rule).status_code == 201
    order = shop.post("/v1/orders", {"items": lines[::-1]}).json()
    assert tuple(item["line_total"] for item in order["items"][::-1]) == case.lines
    assert order["total_amount"] == tried.json()["total_amount"]
