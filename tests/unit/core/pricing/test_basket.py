"""What becomes of each rule in a group, why one didn't match, and floors of little."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from commerce_core.pricing.basket import price_basket
from commerce_core.pricing.priced import Basket, BasketItem, PricedBasket
from tests.unit.core.pricing.shop import NOW, price, product, rule, totals

SHOE = product("SHOE", "80.00", brand="Acme")
SOCK = product("SOCK", "8.00", brand="Nord")


def group(mode: str) -> dict[str, str]:
    return {"name": "Season", "mode": mode}


def outcomes(priced: PricedBasket) -> list[tuple[str, str, str | None, Decimal | None]]:
    return [
        (each.name, each.outcome, each.beaten_by, each.beaten_by_amount) for each in priced.outcomes
    ]


def test_of_a_group_only_the_first_that_applies_does():
    priced = price(
        [(SHOE, 1)],
        rule({"percent": "50"}, 1, group=group("first"), condition={"brand": "Nord"}),
        rule({"percent": "10"}, 2, group=group("first")),
        rule({"percent": "20"}, 3, group=group("first")),
    )
    assert totals(priced) == {"SHOE": "72.00"}
    assert [each for each in outcomes(priced) if each[1] != "not_matched"] == [
        ("Rule 2", "applied", None, None),
        ("Rule 3", "beaten", "rule_02", None),
    ]


def test_of_a_group_the_best_applies_and_the_others_say_by_how_much_they_were_beaten():
    two = {"quantity": {"min": 2}}
    priced = price(
        [(SHOE, 1)],
        rule({"percent": "10"}, 1, group=group("best")),
        rule({"percent": "25"}, 2, group=group("best")),
        rule({"percent": "90"}, 3, group=group("best"), condition=two),
        explain=True,
    )
    assert totals(priced) == {"SHOE": "60.00"}
    assert sorted(outcomes(priced)) == [
        ("Rule 1", "beaten", "rule_02", Decimal("12.00")),
        ("Rule 2", "applied", None, None),
        ("Rule 3", "not_matched", None, None),
    ]
    (why,) = next(each.failures for each in priced.outcomes if each.name == "Rule 3")
    assert (why.wanted, why.found) == ("a quantity of at least 2 (of the product)", "1")
    (step,) = priced.items[0].adjustments
    assert (step.label, step.amount) == ("Rule 2", Decimal("-20.00"))


def test_why_not_names_the_line_that_is_nearest_and_what_it_lacks():
    condition = {"all": [{"brand": "Nord"}, {"quantity": {"min": 3}}]}
    priced = price(
        [(SHOE, 1), (SOCK, 2)], rule({"percent": "10"}, condition=condition), explain=True
    )
    assert [(each.pointer, each.found) for each in priced.outcomes[0].failures] == [
        ("/condition/all/1", "2")
    ]


def test_why_not_of_a_window():
    later = {"window": {"from": (NOW + timedelta(days=1)).date().isoformat(), "tz": "UTC"}}
    asked = rule({"percent": "10"}, condition={"all": [later, {"brand": "Acme"}]})
    basket = Basket((BasketItem(SHOE, 1),), (), None, None, None)
    priced = price_basket(basket, [asked], NOW, {}, explain=True, why_not=asked.rule_id)
    assert priced.outcomes[0].outcome == "not_matched"
    assert [each.pointer for each in priced.outcomes[0].failures] == ["/condition/all/0"]


def test_why_not_of_a_rule_that_is_not_there_changes_nothing():
    basket = Basket((BasketItem(SHOE, 1),), (), None, None, None)
    priced = price_basket(basket, [], NOW, {}, explain=True, why_not="rule_99")
    assert (priced.outcomes, totals(priced)) == ((), {"SHOE": "80.00"})


@pytest.mark.parametrize(
    ("floor", "left"),
    [
        ({"percent_of_list": "40"}, "32.00"),
        ({"price": "0.50"}, "0.50"),
        ({"cost_list": "list_" + "0" * 32, "margin_percent": "10"}, "0.00"),
    ],
)
def test_a_floor_is_no_higher_than_it_says(floor: Mapping[str, Any], left: str):
    priced = price([(SHOE, 1)], rule({"floor": floor}, 1), rule({"percent": "100"}, 2))
    assert totals(priced) == {"SHOE": left}


def test_what_a_rule_would_have_taken_is_shown_with_its_fraction():
    priced = price([(product("PIN", "0.99"), 1)], rule({"percent": "12.5"}))
    (step,) = priced.items[0].adjustments
    assert (step.amount, step.asked) == (Decimal("-0.12"), Decimal("0.12375"))


def test_a_sale_is_a_step_that_the_partner_pays_within_the_floor():
    bag = product("BAG", "10.00", sale_price=Decimal("4.00"))
    priced = price([(bag, 2)], rule({"floor": {"price": "7.00"}}, name="MAP"), explain=True)
    (step,) = priced.items[0].adjustments
    assert (step.reason, step.funded_by, step.limited_by, step.limit_label) == (
        "sale", "partner", "floor", "MAP",
    )  # fmt: skip
    figures = (step.base, step.asked, step.amount, step.partner_amount, step.total)
    assert figures == tuple(map(Decimal, ("20.00", "12.00", "-6.00", "-6.00", "14.00")))
    assert outcomes(priced) == [("MAP", "floor", None, None)]
