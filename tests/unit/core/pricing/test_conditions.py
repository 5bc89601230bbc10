"""Conditions: which lines they match, and what is missing where they don't, in words."""

from typing import Any

import pytest
from attrs import evolve

from commerce_core.pricing.basket import price_basket
from commerce_core.pricing.conditions import Failure, parts, sums_over
from commerce_core.pricing.priced import Basket, BasketItem
from tests.unit.core.pricing.shop import NOW, price, product, rule, totals

BOOT = product(
    "BOOT", "10.00", brand="Acme", category="Shoes > Boots", group_id="g",
    attributes={"size": "M"},
)  # fmt: skip
SOCK = product("SOCK", "2.00", group_id="g", partner_id="p2")
HAT = product("HAT", "4.00", group_id="g", partner_id="p2", brand="Nord")
ITEMS = [(BOOT, 3), (SOCK, 5), (HAT, 7)]


def matching(condition: dict[str, Any], **basket: Any) -> str:  # noqa: ANN401 as `price` takes them
    """The first letters of the lines that match."""
    made = rule({"percent": "50"}, condition=condition)
    free = {"BOOT": "30.00", "SOCK": "10.00", "HAT": "28.00"}
    found = totals(price(ITEMS, made, **basket))
    return "".join(sku[0] for sku, total in found.items() if total != free[sku])


@pytest.mark.parametrize(
    ("condition", "matched"),
    [
        ({"quantity": {"min": 3, "max": 5}}, "BS"),
        ({"quantity": {"min": 6}}, "H"),
        ({"quantity": {"max": 3, "of": "product"}}, "B"),
        ({"quantity": {"min": 12, "of": "group"}}, "SH"),
        ({"quantity": {"max": 11, "of": "group"}}, "B"),
        ({"quantity": {"min": 12, "of": "partner"}}, "SH"),
        ({"quantity": {"min": 15, "of": "order"}}, "BSH"),
        ({"quantity": {"min": 16, "of": "order"}}, ""),
        ({"quantity": {"min": 15, "of": "match"}}, "BSH"),
        ({"all": [{"partner": "p2"}, {"quantity": {"min": 13, "of": "match"}}]}, ""),
        ({"all": [{"partner": "p2"}, {"quantity": {"min": 12, "of": "match"}}]}, "SH"),
        ({"all": [{"partner": "p2"}, {"quantity": {"min": 15, "of": "order"}}]}, "SH"),
        ({"total": {"min": "68.00"}}, "BSH"),
        ({"total": {"min": "68.01"}}, ""),
        ({"total": {"max": "67.99"}}, ""),
        ({"total": {"min": "30.00", "of": "line"}}, "B"),
        ({"total": {"min": "38.00", "max": "38.00", "of": "partner"}}, "SH"),
        ({"total": {"min": "38.00", "of": "group"}}, "SH"),
        ({"all": [{"brand": "Nord"}, {"total": {"max": "67.00", "of": "order"}}]}, ""),
        ({"not": {"quantity": {"min": 4}}}, "B"),
        ({"any": [{"quantity": {"min": 7}}, {"brand": "Acme"}]}, "BH"),
        ({"list_price": {"min": "2.00", "max": "4.00"}}, "SH"),
        ({"running_price": {"max": "3.99"}}, "S"),
        ({"attribute": {"name": "size", "in": ["L", "M"]}}, "B"),
        ({"category": "Shoes"}, "B"),
        ({"category": "Shoes > Boots > High"}, ""),
        ({"window": {"until": "2026-03-30", "tz": "UTC"}}, ""),
        ({"all": [{"brand": "Acme"}, {"window": {"from": "2026-03-31", "tz": "UTC"}}]}, "B"),
        ({"any": [{"brand": "Acme"}, {"window": {"until": "2026-03-30", "tz": "UTC"}}]}, "B"),
        ({"not": {"window": {"until": "2026-03-30", "tz": "UTC"}}}, "BSH"),
        ({"not": {"window": {"from": "2026-03-31", "tz": "UTC"}}}, ""),
    ],
)
def test_lines_that_match(condition: dict[str, Any], matched: str):
    assert matching(condition) == matched


OLD: dict[str, Any] = {"window": {"until": "2026-03-30", "tz": "UTC"}}
MISSED: list[tuple[dict[str, Any], list[Failure]]] = [
    ({"brand": "Nord"}, [Failure("/condition", "brand Nord", "Acme")]),
    ({"group_id": ["x", "y"]}, [Failure("/condition", "group id x or y", "g")]),
    ({"customer_group": "trade"}, [Failure("/condition", "customer group trade", "none")]),
    (
        {"sku": ["1", "2", "3", "4", "5"]},
        [Failure("/condition", "sku 1 or 2 or 3 or 4 or 5", "BOOT")],
    ),
    (
        {"sku": ["1", "2", "3", "4", "5", "6"]},
        [Failure("/condition", "sku 1 or 2 or 3 or 4 or 5 or 1 more", "BOOT")],
    ),
    ({"code": "SUMMER"}, [Failure("/condition", "code SUMMER", "hello, spring")]),
    (
        {"attribute": {"name": "size", "in": ["L"]}},
        [Failure("/condition", "size L", "M")],
    ),
    (
        {"attribute": {"name": "colour", "in": ["red"]}},
        [Failure("/condition", "colour red", "none")],
    ),
    (
        {"list_price": {"min": "10.01"}},
        [Failure("/condition", "a list price of at least 10.01", "10")],
    ),
    (
        {"running_price": {"min": "1", "max": "9.50"}},
        [Failure("/condition", "a running price of at least 1 and at most 9.50", "10")],
    ),
    (
        {"quantity": {"min": 4}},
        [Failure("/condition", "a quantity of at least 4 (of the product)", "3")],
    ),
    (
        {"quantity": {"max": 2, "of": "product"}},
        [Failure("/condition", "a quantity of at most 2 (of the product)", "3")],
    ),
    (
        {"quantity": {"min": 9, "of": "group"}},
        [Failure("/condition", "a quantity of at least 9 (of the product's variants)", "3")],
    ),
    (
        {"total": {"min": "30.01", "of": "partner"}},
        [Failure("/condition", "a total of at least 30.01 (of the partner)", "30")],
    ),
    (
        {"total": {"max": "5"}},
        [Failure("/condition", "a total of at most 5 (of all that matches)", "30")],
    ),
    (
        {"total": {"min": "99.00", "of": "order"}},
        [Failure("/condition", "a total of at least 99.00 (of the order)", "30")],
    ),
    (OLD, [Failure("/condition", "a time until 2026-03-30 (UTC)", "another time")]),
    (
        {"window": {"from": "2026-04-01T08:00", "until": "2026-05-01", "tz": "Europe/Rome",
                    "days": ["mon", "tue"], "hours": {"from": "09:00", "until": "17:30"}}},
        [Failure(
            "/condition", "a time from 2026-04-01 08:00:00 until 2026-05-01 mon tue 09:00 to 17:30 "
            "(Europe/Rome)", "another time",
        )],
    ),
    (
        {"all": [{"brand": "Acme"}, {"sku": "A"}, {"channel": "app"}]},
        [Failure("/condition/all/1", "sku A", "BOOT"),
         Failure("/condition/all/2", "channel app", "web")],
    ),
    (
        {"all": [{"quantity": {"min": 1}}, {"total": {"max": "30"}}, {"sku": "A"}]},
        [Failure("/condition/all/2", "sku A", "BOOT")],
    ),
    (
        {"any": [{"all": [{"brand": "X"}, {"sku": "A"}]}, {"channel": "app"}, {"sku": "B"}]},
        [Failure("/condition/any/1", "channel app", "web")],
    ),
    (
        {"any": [{"all": [{"brand": "X"}, {"sku": "A"}]}, OLD]},
        [Failure("/condition/any/1", "a time until 2026-03-30 (UTC)", "another time")],
    ),
    (
        {"any": [{"all": [{"sku": "A"}, {"brand": "B"}]},
                 {"all": [{"quantity": {"min": 1}}, {"sku": "C"}]}]},
        [Failure("/condition/any/1/all/1", "sku C", "BOOT")],
    ),
    (
        {"not": {"all": [{"quantity": {"min": 1}}, {"not": {"total": {"max": "9"}}}]}},
        [Failure(
            "/condition/not", "not all of (a quantity of at least 1 (of the product); not a total "
            "of at most 9 (of all that matches))", "3; 30",
        )],
    ),
    ({"not": {"brand": "Acme"}}, [Failure("/condition/not", "not brand Acme", "Acme")]),
    (
        {"not": {"all": [{"brand": "Acme"}, {"channel": "web"}]}},
        [Failure("/condition/not", "not all of (brand Acme; channel web)", "Acme; web")],
    ),
    (
        {"not": {"any": [{"brand": "Acme"}, {"not": {"list_price": {"max": "5"}}}]}},
        [Failure(
            "/condition/not", "not any of (brand Acme; not a list price of at most 5)", "Acme; 10",
        )],
    ),
    (
        {"not": {"quantity": {"min": 1, "max": 5}}},
        [Failure(
            "/condition/not", "not a quantity of at least 1 and at most 5 (of the product)", "3",
        )],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "missed"), MISSED)
def test_what_would_have_to_change_is_reported(condition: dict[str, Any], missed: list[Failure]):
    made = rule({"percent": "50"}, condition=condition)
    basket = Basket((BasketItem(BOOT, 3),), ("spring", "hello"), None, None, "web")
    priced = price_basket(basket, [made], NOW, {}, explain=True, why_not=made.rule_id)
    (outcome,) = priced.outcomes
    assert (outcome.outcome, list(outcome.failures)) == ("not_matched", missed)


@pytest.mark.parametrize("name", ["customer", "customer_group", "channel"])
def test_what_a_basket_has_is_compared(name: str):
    made = rule({"percent": "50"}, condition={name: "x"})
    for member in ("customer", "customer_group", "channel"):
        basket = evolve(Basket((BasketItem(BOOT, 3),)), **{member: "x"})
        total = price_basket(basket, [made], NOW, {}).total_amount
        assert total == (15 if member == name else 30)


def test_a_running_price_is_that_of_a_unit_to_six_decimals():
    third = rule({"amount": "10.00"}, 1, applies_to="order", priority=1)
    low = rule({"percent": "5"}, 2, applies_to="order", condition={"running_price": {"max": "5"}})
    priced = price([(BOOT, 3)], third, low, explain=True)
    (missed,) = next(o for o in priced.outcomes if o.name == "Rule 2").failures
    assert missed == Failure("/condition", "a running price of at most 5", "6.666667")


def test_a_list_price_is_reported_whatever_earlier_rules_took():
    half = rule({"percent": "50"}, 1, priority=1)
    dear = rule({"percent": "5"}, 2, condition={"list_price": {"min": "11"}})
    priced = price([(BOOT, 3)], half, dear, explain=True)
    (missed,) = next(o for o in priced.outcomes if o.name == "Rule 2").failures
    assert (missed.wanted, missed.found) == ("a list price of at least 11", "10")
    since = rule({"percent": "5"}, 3, condition={"window": {"from": "2027-01-01", "tz": "UTC"}})
    basket = Basket((BasketItem(BOOT, 3),))
    (outcome,) = price_basket(
        basket, [since], NOW, {}, explain=True, why_not=since.rule_id
    ).outcomes
    assert [failure.wanted for failure in outcome.failures] == ["a time from 2027-01-01 (UTC)"]


def test_what_a_condition_consists_of():
    condition = {"any": [{"not": {"quantity": {"min": 1, "of": "group"}}}, {"all": [{"sku": "A"}]}]}
    made = rule({"percent": "50"}, condition=condition).rule.condition
    assert made is not None
    names = [type(part).__name__ for part in parts(made)]
    assert names == ["AnyOf", "Not", "Quantity", "All", "Is"]
    assert sums_over(made) == {"group"}
    assert sums_over(None) == frozenset()
