"""Sets of units that are bought, and of others that are reduced."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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


def test_an_item_of_a_bundle_may_ask_for_what_is_in_the_whole_order():
    """B isn't one of the lines that the rule is for, but counts."""
    large = {"all": [{"sku": "A"}, {"quantity": {"min": 3, "of": "order"}}], "quantity": 1}
    offer = rule({"bundle": {"items": [large], "price": "9.00"}}, condition={"sku": "A"})
    for others, off in ((1, "0.00"), (2, "1.00")):
        assert str(taken(price([(DEAR, 1), (product("B", "5.00"), others)], offer))) == off


@pytest.mark.parametrize(("shirts", "off"), [(1, "10.00"), (2, "13.00")])
def test_a_unit_is_bought_for_one_set_of_a_group_only(shirts: int, off: str):
    items = [(product("SHIRT", "20.00"), shirts), (product("TIE", "10.00"), 1)]
    items.append((product("SOCKS", "3.00"), 1))
    free = [
        rule(
            {"n_for_m": {"buy": 1, "get": 1, "percent": "100", "qualifiers": {"sku": "SHIRT"},
                         "targets": {"sku": sku}}},
            number, group={"name": "gifts", "mode": "all"},
        )
        for number, sku in enumerate(["TIE", "SOCKS"], 1)
    ]  # fmt: skip
    assert str(taken(price(items, *free))) == off


# --- which units are used, against units looked at one by one ------------------------------------

Unit = tuple[int, str]
"""A price and a sku."""
few_lines = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4)
mosts = st.none() | st.integers(1, 3)
small = st.integers(1, 3)
sides = st.sampled_from(["customer", "shop"])


def costs(lines: list[tuple[int, int]], benefit: dict[str, Any], **each: Any) -> dict[str, Decimal]:  # noqa: ANN401 as `product` takes them
    """What lines cost if units that the benefit doesn't use are free: half, full or no price."""
    group = {"name": "g", "mode": "all"}
    items = [
        (product(f"S{n}", f"{amount}.00", **{k: v[n] for k, v in each.items()}), count)
        for n, (amount, count) in enumerate(lines)
    ]
    rest = rule({"percent": "100"}, 2, group=group)
    priced = price(items, rule(benefit, 1, priority=1, group=group), rest)
    return {item.sku: item.line_total for item in priced.items}


def one_by_one(lines: list[tuple[int, int]]) -> list[Unit]:
    """The units, the dearest first."""
    units = [(amount, f"S{n}") for n, (amount, count) in enumerate(lines) for _ in range(count)]
    return sorted(units, key=lambda unit: (-unit[0], unit[1]))


def cost_of(
    lines: list[tuple[int, int]], full: Sequence[Unit], half: Sequence[Unit]
) -> dict[str, Decimal]:
    found = {f"S{n}": Decimal(0) for n in range(len(lines))}
    for amount, sku in full:
        found[sku] += amount
    for amount, sku in half:
        found[sku] += Decimal(amount) / 2
    return found


def deal(
    buy: int, get: int, favours: str, most: int | None, **members: object
) -> dict[str, dict[str, Any]]:
    return {
        "n_for_m": {
            "buy": buy, "get": get, "percent": "50", "favours": favours, "most": most, **members,
        }
    }  # fmt: skip


@given(few_lines, small, small, sides, mosts)
def test_units_of_like_sets_are_neighbours_or_for_the_shop_the_cheapest_of_all(
    lines: list[tuple[int, int]], buy: int, get: int, favours: str, most: int | None
):
    units = one_by_one(lines)
    size, count = buy + get, len(units) // (buy + get)
    count = count if most is None else min(count, most)
    if favours == "shop":
        full, half = units[: count * buy], units[len(units) - count * get :]
    else:
        used = list(enumerate(units[: count * size]))
        full = [unit for n, unit in used if n % size < buy]
        half = [unit for n, unit in used if n % size >= buy]
    assert costs(lines, deal(buy, get, favours, most)) == cost_of(lines, full, half)


@example([(4, 1, "both"), (3, 1, "both"), (1, 2, "get")], 1, 2, "customer", None)
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.sampled_from(["buy", "get", "both"])),
        min_size=2, max_size=4,
    ),
    small, small, sides, mosts,
)  # fmt: skip
def test_units_of_two_kinds_are_reduced_as_long_as_enough_are_left_to_be_bought(
    units: list[tuple[int, int, str]], buy: int, get: int, favours: str, most: int | None
):
    lines = [(amount, count) for amount, count, _ in units]
    roles = {f"S{n}": role for n, (_, _, role) in enumerate(units)}
    preferred = one_by_one(lines)
    if favours == "shop":
        preferred.reverse()

    def chosen(sets: int) -> tuple[list[Unit], list[Unit]] | None:
        """The units bought and those reduced; None if there are too few."""
        left, half = list(preferred), list[Unit]()
        for unit in preferred:
            others = [each for each in left if roles[each[1]] != "get"]
            enough = roles[unit[1]] == "get" or len(others) > sets * buy
            if roles[unit[1]] != "buy" and len(half) < sets * get and enough:
                half.append(unit)
                left.remove(unit)
        buyable = sorted((roles[sku] == "both", amount, sku) for amount, sku in left
                         if roles[sku] != "get")  # fmt: skip
        full = [(amount, sku) for _, amount, sku in buyable[: sets * buy]]
        return (full, half) if (len(full), len(half)) == (sets * buy, sets * get) else None

    limit = len(preferred) if most is None else most
    possible = [found for n in range(limit + 1) if (found := chosen(n)) is not None]
    best = possible[-1]
    if favours == "customer":
        best = max(possible, key=lambda found: sum(amount for amount, _ in found[1]))
    kinds = {"qualifiers": {"brand": ["buy", "both"]}, "targets": {"brand": ["get", "both"]}}
    brands = [role for _, _, role in units]
    assert costs(lines, deal(buy, get, favours, most, **kinds), brand=brands) == cost_of(
        lines, *best
    )


@given(few_lines, st.integers(1, 30), mosts)
def test_sets_of_a_total_are_filled_unit_by_unit(
    lines: list[tuple[int, int]], total: int, most: int | None
):
    half, filling, made = list[Unit](), list[Unit](), 0
    for unit in sorted(one_by_one(lines)):
        if made == most:
            break
        filling.append(unit)
        if sum(amount for amount, _ in filling) >= total:
            half, filling, made = half + filling, [], made + 1
    sets = {"min_total": str(total), "percent": "50", "most": most}
    assert costs(lines, {"sets": sets}) == cost_of(lines, [], half)


@given(few_lines, small, small, st.integers(0, 12), mosts)
def test_bundles_are_as_many_as_take_most_off(
    lines: list[tuple[int, int]], first: int, second: int, cost: int, most: int | None
):
    items = [{"sku": ["S0", "S1"], "quantity": first}, {"sku": ["S1", "S2"], "quantity": second}]
    units = one_by_one(lines)

    def off(bundles: int) -> int | None:
        """What that many take off; None if there are too few units."""
        left, used = list(units), 0
        for item in items:
            fitting = [unit for unit in left if unit[1] in item["sku"]][
                : item["quantity"] * bundles
            ]
            if len(fitting) < item["quantity"] * bundles:
                return None
            for unit in fitting:
                left.remove(unit)
                used += unit[0]
        return used - cost * bundles

    found = [off(n) for n in range((len(units) if most is None else most) + 1)]
    offer = rule({"bundle": {"items": items, "price": str(cost), "most": most}})
    priced = price([(product(f"S{n}", str(a)), c) for n, (a, c) in enumerate(lines)], offer)
    assert taken(priced) == max(each for each in found if each is not None)
