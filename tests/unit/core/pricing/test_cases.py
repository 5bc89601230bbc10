"""Prices that public trackers show computed wrongly, with the right answers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from attrs import evolve

from commerce_core.pricing.priced import Usage
from tests.unit.core.pricing.shop import price, product, rule, taken, totals


def sku(*skus: str) -> dict[str, Any]:
    return {"sku": list(skus)}


def test_lines_that_are_not_eligible_never_lower_a_discount():
    off = rule({"amount": "10.00"}, applies_to="order", condition=sku("A"))
    priced = price([(product("A", "22.99"), 1), (product("B", "15.99"), 1)], off)
    assert totals(priced) == {"A": "12.99", "B": "15.99"}


def test_a_percentage_is_of_the_line_and_not_of_a_unit_times_the_quantity():
    priced = price([(product("A", "399.00"), 25)], rule({"percent": "10"}))
    assert taken(priced) == Decimal("997.50")
    for quantity in (1, 3, 7, 1_000_000):
        line = price([(product("A", "0.99"), quantity)], rule({"percent": "10"}))
        exact = Decimal("0.099") * quantity
        assert taken(line) == exact.quantize(Decimal("0.01"), "ROUND_HALF_UP")


def test_halves_are_rounded_up():
    assert taken(price([(product("A", "25.00"), 1)], rule({"percent": "10.5"}))) == Decimal("2.63")


def test_all_off_is_exactly_nothing_and_nothing_off_leaves_no_trace():
    items = [(product("A", "33.33"), 3), (product("B", "0.01"), 7)]
    assert price(items, rule({"percent": "100"})).total_amount == Decimal("0.00")
    nothing = price(items, rule({"percent": "0"}))
    assert [item.adjustments for item in nothing.items] == [(), ()]
    assert nothing.total_amount == nothing.list_total
    assert [outcome.outcome for outcome in nothing.outcomes] == ["no_effect"]


@pytest.mark.parametrize(
    ("currency", "listed", "off", "parts"),
    [
        ("EUR", "30.00", "10.00", ["3.34", "3.33", "3.33"]),
        ("JPY", "100", "100", ["34", "33", "33"]),
        ("KWD", "30.000", "0.010", ["0.004", "0.003", "0.003"]),
        ("EUR", "30.00", "0.01", ["0.01", "0.00", "0.00"]),
    ],
)
def test_an_amount_is_shared_by_largest_remainder_in_any_order_of_lines(
    currency: str, listed: str, off: str, parts: list[str]
):
    items = [(product(name, listed, currency), 1) for name in "ABC"]
    for ordered in permutations(items):
        priced = price(ordered, rule({"amount": off}, applies_to="order"))
        shares = {item.sku: item.list_price - item.line_total for item in priced.items}
        assert [str(shares[name]) for name in "ABC"] == parts


@pytest.mark.parametrize(
    ("amount_first", "on", "off"),
    [(True, "running", 190), (False, "running", 200), (True, "list", 200), (False, "list", 200)],
)
def test_a_percentage_is_of_what_it_says(amount_first: bool, on: str, off: int):
    amount = rule({"amount": "100"}, 1, priority=2 if amount_first else 0)
    percent = rule({"percent": "10"}, 2, priority=1, on=on)
    priced = price([(product("A", "1000.00"), 1)], amount, percent)
    assert taken(priced) == off
    (step,) = (s for s in priced.items[0].adjustments if s.rule_id == "rule_02")
    assert step.on == on
    assert step.base == (900 if amount_first else 1000)


@pytest.mark.parametrize(("priority", "left"), [(2, "67.50"), (0, "65.00")])
def test_priority_decides_which_of_two_rules_comes_first(priority: int, left: str):
    amount, percent = (
        rule({"amount": "10"}, 1, priority=priority),
        rule({"percent": "25"}, 2, priority=1),
    )
    for rules in permutations([amount, percent]):
        assert str(price([(product("A", "100.00"), 1)], *rules).total_amount) == left


@pytest.mark.parametrize(("on", "left"), [("running", "1200.00"), ("list", "1080.00")])
def test_markups_follow_each_other(on: str, left: str):
    amount = rule({"markup_amount": "600"}, 1, priority=1)
    percent = rule({"markup_percent": "20"}, 2, on=on)
    assert str(price([(product("A", "400.00"), 1)], amount, percent).total_amount) == left


def test_what_did_not_apply_stops_nothing():
    bags = {"quantity": {"min": 5, "of": "match"}}
    first = rule(
        {"percent": "25"}, 1, priority=1, final=True, condition={"all": [sku("BAG"), bags]}
    )
    second = rule({"percent": "35"}, 2, condition={"total": {"min": "50.00"}})
    priced = price([(product("BAG", "10.00"), 4), (product("HAT", "20.00"), 1)], first, second)
    assert totals(priced) == {"BAG": "26.00", "HAT": "13.00"}


def test_fixed_amounts_add_up_whatever_becomes_of_other_lines():
    rules = [
        rule({"amount": "5"}, 1, applies_to="order"),
        rule({"amount": "10"}, 2, applies_to="order", condition=sku("A")),
        rule({"amount": "1"}, 3, applies_to="order"),
    ]
    for quantity in (1, 2, 9):
        items = [(product("A", "40.00"), 1), (product("B", "12.34"), quantity)]
        assert taken(price(items, *rules)) == 16


def test_an_order_rule_sees_what_line_rules_left():
    free = rule({"percent": "100"}, 1, condition=sku("A"))
    off = rule({"amount": "30"}, 2, applies_to="order")
    items = [(product(name, listed), 1) for name, listed in
             (("A", "25.00"), ("B", "50.00"), ("C", "75.00"))]  # fmt: skip
    priced = price(items, free, off)
    assert totals(priced) == {"A": "0.00", "B": "38.00", "C": "57.00"}
    assert priced.total_amount == 95


def test_more_off_than_there_is_takes_what_there_is():
    priced = price([(product("A", "100.00"), 1)], rule({"amount": "500"}, applies_to="order"))
    assert priced.total_amount == Decimal("0.00")
    assert [step.amount for step in priced.items[0].adjustments] == [-100]
    assert priced.unallocated == 400


def test_a_floor_limits_and_the_explanation_says_so():
    floor = rule({"floor": {"price": "14.00"}}, 1, name="Minimum price")
    priced = price([(product("A", "15.00"), 1)], floor, rule({"percent": "15"}, 2))
    (step,) = priced.items[0].adjustments
    assert (priced.total_amount, step.amount, step.asked) == (14, -1, Decimal("2.25"))
    assert (step.limited_by, step.limit_label) == ("floor", "Minimum price")


def test_buy_two_of_three_get_one_reduced_in_any_order():
    deal = {
        "buy": 2,
        "get": 1,
        "percent": "50",
        "qualifiers": sku("A", "B", "C"),
        "targets": sku("A"),
    }
    items = [(product(name, "10.00"), 1) for name in "ABC"]
    for ordered in permutations(items):
        assert totals(price(ordered, rule({"n_for_m": deal}))) == {
            "A": "5.00", "B": "10.00", "C": "10.00",
        }  # fmt: skip


@pytest.mark.parametrize(("quantity", "free"), [(10, 0), (29, 0), (30, 20), (59, 20), (60, 40)])
def test_units_that_are_bought_are_not_given_away(quantity: int, free: int):
    deal = rule({"n_for_m": {"buy": 10, "get": 20, "percent": "100"}})
    assert taken(price([(product("A", "1.00"), quantity)], deal)) == free


@pytest.mark.parametrize("listed", ["100000", "30000"])
def test_an_amount_off_a_unit_is_at_most_its_price(listed: str):
    deal = {"buy": 1, "get": 1, "amount": "50000", "targets": sku("B"), "qualifiers": sku("A")}
    items = [(product("A", "70000", "VND"), 1), (product("B", listed, "VND"), 1)]
    assert taken(price(items, rule({"n_for_m": deal}))) == min(50000, Decimal(listed))
    half = rule({"n_for_m": {**{k: v for k, v in deal.items() if k != "amount"}, "percent": "50"}})
    assert taken(price(items, half)) == Decimal(listed) / 2


def test_units_added_at_once_or_one_by_one_cost_the_same():
    deal = rule({"n_for_m": {"buy": 2, "get": 1, "percent": "100"}})
    chair = product("A", "9.99")
    at_once, one_by_one = price([(chair, 3)], deal), price([(chair, 1)] * 3, deal)
    assert at_once.total_amount == one_by_one.total_amount == Decimal("19.98")
    assert [str(item.line_total) for item in one_by_one.items] == ["6.66", "6.66", "6.66"]


@pytest.mark.parametrize(("on", "off"), [("running", "12.50"), ("list", "20.00")])
def test_the_cheapest_of_three_is_the_cheapest_at_that_price(on: str, off: str):
    half = rule({"percent": "50"}, 1, priority=1, condition=sku("C"))
    deal = rule({"n_for_m": {"buy": 2, "get": 1, "percent": "100"}}, 2, on=on)
    items = [(product(name, listed), 1) for name, listed in
             (("A", "30.00"), ("B", "20.00"), ("C", "25.00"))]  # fmt: skip
    priced = price(items, half, deal)
    steps = [
        step for item in priced.items for step in item.adjustments if step.rule_id == "rule_02"
    ]
    assert [str(-step.amount) for step in steps] == [off]


def test_sets_of_a_total_are_filled_with_the_cheapest_first():
    items = [(product("A", "59.95"), 4), (product("B", "47.95"), 4), (product("C", "8.95"), 3)]
    for stage in ("line", "order"):
        sets = rule({"sets": {"min_total": "149.00", "percent": "10"}}, applies_to=stage)
        assert taken(price(items, sets)) == Decimal("33.86")


def test_a_mixed_minimum_applies_to_all_that_counts():
    condition = {"all": [sku("A", "B"), {"quantity": {"min": 20, "of": "match"}}]}
    mixed = rule({"percent": "10"}, condition=condition)
    a, b, c = (product(name, "10.00") for name in "ABC")
    assert totals(price([(a, 3), (b, 19), (c, 5)], mixed)) == {
        "A": "27.00", "B": "171.00", "C": "50.00",
    }  # fmt: skip
    assert taken(price([(a, 3), (b, 16), (c, 5)], mixed)) == 0


@pytest.mark.parametrize("stage", ["line", "order"])
def test_a_cap_is_shared_in_proportion(stage: str):
    capped = rule({"percent": "10"}, applies_to=stage, limits={"max_amount": "50.00"})
    items = [(product("A", "400.00"), 1), (product("B", "600.00"), 1)]
    priced = price(items, capped)
    assert totals(priced) == {"A": "380.00", "B": "570.00"}
    assert {item.adjustments[0].limited_by for item in priced.items} == {"cap"}


@pytest.mark.parametrize(
    ("zone", "until", "last"),
    [
        ("Europe/Berlin", "2026-03-31", datetime(2026, 3, 31, 22, tzinfo=UTC)),
        ("America/New_York", "2026-11-01", datetime(2026, 11, 2, 5, tzinfo=UTC)),
        ("Asia/Tokyo", "2026-03-31", datetime(2026, 3, 31, 15, tzinfo=UTC)),
    ],
)
def test_a_day_as_an_end_is_the_end_of_that_day_where_the_rule_is(
    zone: str, until: str, last: datetime
):
    sale = rule({"percent": "10"}, condition={"window": {"until": until, "tz": zone}})
    items = [(product("A", "10.00"), 1)]
    assert taken(price(items, sale, at=last - timedelta(microseconds=1))) == 1
    assert taken(price(items, sale, at=last)) == 0


def test_a_day_of_25_hours_counts_whole():
    day = {"from": "2026-11-01", "until": "2026-11-01", "tz": "America/New_York"}
    sale, items = rule({"percent": "10"}, condition={"window": day}), [(product("A", "10.00"), 1)]
    start = datetime(2026, 11, 1, 4, tzinfo=UTC)
    hours = [taken(price(items, sale, at=start + timedelta(hours=n))) for n in range(-1, 27)]
    assert hours == [0] + [1] * 25 + [0, 0]


def test_a_used_up_code_and_a_budget_take_nothing_off():
    limits = {"most_uses": 1, "budget": "5.00"}
    once = rule({"percent": "10"}, condition={"code": "SPRING"}, limits=limits)
    items = [(product("A", "20.00"), 1), (product("B", "30.00"), 1)]
    assert taken(price(items, once, codes=("spring",))) == 5
    assert taken(price(items, once)) == 0
    assert taken(price(items, once, codes=("SPRING",), usage={"rule_01": Usage(1)})) == 0
    dearer = [*items, (product("C", "0.10"), 1)]
    over = price(dearer, once, codes=("SPRING",))
    assert taken(over) == 0
    assert [outcome.outcome for outcome in over.outcomes] == ["used_up"]


def test_a_sale_at_the_list_price_is_none_after_rounding():
    chair = product("A", "50.004", sale_price=Decimal("50.00"))
    priced = price([(chair, 1)])
    assert (priced.total_amount, priced.items[0].adjustments) == (50, ())


def test_a_rule_without_effect_does_not_win_its_group():
    group = {"name": "customers", "mode": "first"}
    general = rule({"percent": "0"}, 1, priority=2, group=group)
    own = rule({"percent": "10"}, 2, priority=1, group=group, condition={"customer": "c-1"})
    items = [(product("A", "100.00"), 1)]
    assert taken(price(items, general, own, customer="c-1")) == 10
    best = [
        evolve(each, rule=evolve(each.rule, group=evolve(each.rule.group, mode="best")))
        for each in (general, own)
        if each.rule.group
    ]
    assert taken(price(items, *best, customer="c-1")) == 10
