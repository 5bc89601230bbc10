"""What tiers, lists and endings take off, to the unit."""

from decimal import Decimal
from typing import Any

import pytest

from commerce_core.pricing.basket import price_basket
from commerce_core.pricing.price_list import ListPrices
from commerce_core.pricing.priced import Basket, BasketItem
from tests.unit.core.pricing.shop import NOW, price, product, rule, taken, totals

STEPS = [
    {"from": 3, "percent": "10"},
    {"from": 5, "amount": "4.00"},
    {"from": 8, "fixed_price": "5.00"},
]


def tiers(mode: str = "each", of: str = "line", steps: Any = STEPS) -> dict[str, Any]:  # noqa: ANN401
    return {"tiers": {"mode": mode, "of": of, "steps": steps}}


@pytest.mark.parametrize(
    ("quantity", "total"),
    [(1, "10.00"), (2, "20.00"), (3, "27.00"), (4, "36.00"), (5, "30.00"), (7, "42.00"),
     (8, "40.00"), (100, "500.00")],
)  # fmt: skip
def test_all_units_have_the_tier_of_the_whole_quantity(quantity: int, total: str):
    assert totals(price([(product("A", "10.00"), quantity)], rule(tiers()))) == {"A": total}


@pytest.mark.parametrize(
    ("quantity", "total"),
    [(2, "20.00"), (3, "29.00"), (4, "38.00"), (5, "44.00"), (7, "56.00"), (8, "61.00"),
     (10, "71.00")],
)  # fmt: skip
def test_each_unit_has_the_tier_in_which_it_lies(quantity: int, total: str):
    """Two at 10.00, two at 9.00, three at 6.00, and all others at 5.00."""
    graduated = rule(tiers("graduated"))
    assert totals(price([(product("A", "10.00"), quantity)], graduated)) == {"A": total}


@pytest.mark.parametrize(
    ("of", "left"),
    [
        ("line", {"A": "20.00", "B": "20.00", "C": "10.00", "D": "10.00"}),
        ("group", {"A": "18.00", "B": "18.00", "C": "10.00", "D": "10.00"}),
        ("partner", {"A": "12.00", "B": "12.00", "C": "6.00", "D": "10.00"}),
        ("match", {"A": "12.00", "B": "12.00", "C": "6.00", "D": "6.00"}),
    ],
)
def test_quantities_of_tiers_are_those_of_what_belongs_together(of: str, left: dict[str, str]):
    basket = [
        (product("A", "10.00", group_id="g"), 2), (product("B", "10.00", group_id="g"), 2),
        (product("C", "10.00"), 1), (product("D", "10.00", partner_id="p2"), 1),
    ]  # fmt: skip
    assert totals(price(basket, rule(tiers(of=of)))) == left


@pytest.mark.parametrize(
    ("of", "left"),
    [("match", {"A": "20.00", "B": "20.00"}), ("order", {"A": "12.00", "B": "20.00"})],
)
def test_only_lines_that_match_count_for_tiers_unless_they_are_of_the_order(
    of: str, left: dict[str, str]
):
    basket = [(product("A", "10.00"), 2), (product("B", "5.00"), 4)]
    assert totals(price(basket, rule(tiers(of=of), condition={"sku": ["A"]}))) == left


def test_each_line_has_positions_of_its_own():
    basket = [(product("A", "10.00"), 4), (product("B", "10.00"), 3), (product("C", "10.00"), 2)]
    alone = rule(tiers("graduated"))
    assert totals(price(basket, alone)) == {"A": "38.00", "B": "29.00", "C": "20.00"}


def test_positions_of_graduated_tiers_go_on_from_line_to_line_the_cheapest_first():
    """The two cheap units are the first two; of the others, one is the third and one the fourth."""
    steps = [{"from": 3, "percent": "10"}, {"from": 4, "percent": "50"}]
    basket = [(product("A", "20.00"), 2), (product("B", "10.00"), 2)]
    shared = rule(tiers("graduated", "match", steps))
    assert totals(price(basket, shared)) == {"A": "28.00", "B": "20.00"}
    alone = rule(tiers("graduated", "line", steps))
    assert taken(price(basket, alone)) == Decimal("0.00")


def test_tiers_of_the_list_price_are_of_what_units_cost_before_other_rules():
    basket = [(product("A", "10.00"), 4)]
    half, tiered = (
        rule({"percent": "50"}, 1, priority=1),
        tiers(steps=[{"from": 4, "percent": "20"}]),
    )
    assert totals(price(basket, half, rule(tiered, 2))) == {"A": "16.00"}
    assert totals(price(basket, half, rule(tiered, 2, on="list"))) == {"A": "12.00"}


@pytest.mark.parametrize(
    ("listed", "to", "mode", "left"),
    [
        ("10.40", ".99", "down", "9.99"),
        ("10.40", ".99", "up", "10.99"),
        ("10.40", ".99", "nearest", "9.99"),
        ("10.50", ".99", "nearest", "10.99"),
        ("10.49", ".99", "nearest", "10.99"),
        ("10.99", ".99", "up", "10.99"),
        ("10.99", ".99", "down", "10.99"),
        ("0.40", ".99", "down", "0.40"),
        ("0.40", ".99", "up", "0.99"),
        ("0.40", ".01", "down", "0.01"),
        ("12.40", "5", "nearest", "10.00"),
        ("12.50", "5", "nearest", "15.00"),
        ("12.40", "5", "down", "10.00"),
        ("10.01", "5", "up", "15.00"),
        ("2.00", "5", "down", "2.00"),
        ("2.00", "5", "nearest", "2.00"),
        ("15.00", "5", "up", "15.00"),
        ("0.51", "0.50", "nearest", "0.50"),
    ],
)
def test_a_price_ends_as_it_should_and_never_at_nothing(listed: str, to: str, mode: str, left: str):
    ending = rule({"ending": {"to": to, "mode": mode}})
    assert totals(price([(product("A", listed), 1)], ending)) == {"A": left}
    three = totals(price([(product("A", listed), 3)], ending))
    assert three == {"A": str(3 * Decimal(left))}


@pytest.mark.parametrize(
    ("currency", "listed", "to", "left"),
    [
        ("JPY", "1024", "100", "1000"),
        ("KWD", "1.234", ".250", "1.250"),
        ("JPY", "1060", "100", "1100"),
    ],
)
def test_endings_are_in_major_units_whatever_the_currency(
    currency: str, listed: str, to: str, left: str
):
    ending = rule({"ending": {"to": to}})
    assert totals(price([(product("A", listed, currency), 1)], ending)) == {"A": left}


PRICES: ListPrices = {
    "list_1": {
        "A": ((1, Decimal("9.00")), (10, Decimal("8.50"))),
        "B": ((5, Decimal("30.00")),),
        "C": ((1, Decimal("99.00")),),
    }
}


@pytest.mark.parametrize(
    ("sku", "quantity", "total"),
    [("A", 1, "9.00"), ("A", 9, "81.00"), ("A", 10, "85.00"), ("A", 11, "93.50"),
     ("B", 4, "160.00"), ("B", 5, "150.00"), ("C", 1, "40.00"), ("D", 1, "40.00")],
)  # fmt: skip
def test_a_list_lowers_prices_to_the_largest_minimum_that_is_reached(
    sku: str, quantity: int, total: str
):
    listed = "10.00" if sku == "A" else "40.00"
    basket = Basket((BasketItem(product(sku, listed), quantity),))
    priced = price_basket(basket, [rule({"price_list": "list_1"})], NOW, lists=PRICES)
    assert totals(priced) == {sku: total}
    other = price_basket(basket, [rule({"price_list": "list_2"})], NOW, lists=PRICES)
    assert other.total_amount == other.list_total


@pytest.mark.parametrize(
    ("fixed", "left"),
    [("24.00", {"A": "8.00", "B": "16.00"}), ("30.00", {"A": "10.00", "B": "20.00"}),
     ("99.00", {"A": "10.00", "B": "20.00"}), ("0", {"A": "0.00", "B": "0.00"})],
)  # fmt: skip
def test_one_price_for_all_that_matches_is_shared_and_raises_nothing(
    fixed: str, left: dict[str, str]
):
    basket = [(product("A", "10.00"), 1), (product("B", "20.00"), 1), (product("C", "7.00"), 1)]
    both = rule({"fixed_price": fixed}, applies_to="order", condition={"sku": ["A", "B"]})
    assert totals(price(basket, both)) == {**left, "C": "7.00"}


@pytest.mark.parametrize(
    ("benefit", "on", "total"),
    [
        ({"percent": "60"}, "list", "8.00"),
        ({"amount": "6.00"}, "running", "8.00"),
        ({"fixed_price": "7.00"}, "running", "19.00"),
        ({"tiers": {"steps": [{"from": 1, "fixed_price": "7.00"}]}}, "running", "19.00"),
        ({"tiers": {"steps": [{"from": 3, "percent": "60"}]}}, "list", "8.00"),
    ],
)
def test_units_of_a_line_that_cost_differently_are_lowered_each(
    benefit: dict[str, Any], on: str, total: str
):
    """Of three at 10.00, one costs 5.00 already."""
    half = rule({"n_for_m": {"buy": 2, "get": 1, "percent": "50"}}, 1, priority=1)
    priced = price([(product("A", "10.00"), 3)], half, rule(benefit, 2, on=on))
    assert str(priced.total_amount) == total


def test_graduated_tiers_of_a_partner_go_on_from_line_to_line():
    steps = {"mode": "graduated", "of": "partner", "steps": [{"from": 3, "percent": "50"}]}
    items = [(product("A", "10.00"), 2), (product("B", "10.00"), 2)]
    assert totals(price(items, rule({"tiers": steps}))) == {"A": "20.00", "B": "10.00"}
