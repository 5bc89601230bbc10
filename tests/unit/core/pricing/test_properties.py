"""What holds for every basket under all rules, in currencies of 0, 2 and 3 decimals."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from random import Random
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.money import currency
from commerce_core.catalog.product import Product
from commerce_core.pricing.form import read_rule, rule_form
from commerce_core.pricing.form_benefits import BENEFIT_NAMES
from commerce_core.pricing.form_conditions import CONDITION_NAMES
from commerce_core.pricing.index import RuleIndex, reach_of
from commerce_core.pricing.priced import PricedBasket
from commerce_core.pricing.rules import PriceRule
from tests.unit.core.pricing.shop import price, product, rule, taken

Items = list[tuple[Product, int]]
Rules = list[PriceRule]
Context = dict[str, Any]
DECIMALS = {"JPY": 0, "EUR": 2, "KWD": 3}
SKUS = "ABCDE"
percents = st.sampled_from(["0", "0.5", "10", "33.333333", "50", "99.99", "100"])
amounts = st.sampled_from(["0", "1", "3", "10", "50"])
quantities = st.integers(1, 4)
SINGLE_CONDITIONS: list[dict[str, Any]] = [
    {"sku": ["A", "B"]}, {"sku": ["B", "C"]}, {"category": "Shoes"}, {"brand": "Acme"},
    {"partner": "p1"}, {"source": "main"}, {"group_id": "g"},
    {"attribute": {"name": "size", "in": ["M", "L"]}},
    {"quantity": {"min": 2}}, {"quantity": {"max": 5, "of": "match"}},
    {"quantity": {"min": 3, "of": "group"}}, {"total": {"min": "20"}},
    {"total": {"max": "60", "of": "order"}}, {"list_price": {"min": "5"}},
    {"running_price": {"max": "9"}}, {"code": "SPRING"}, {"channel": "web"},
    {"customer": "c-1"}, {"customer_group": "trade"}, {"currency": "EUR"},
    {"window": {"tz": "Europe/Rome", "days": ["tue"]}},
]  # fmt: skip
conditions = st.recursive(
    st.sampled_from(SINGLE_CONDITIONS),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"all": each}),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"any": each}),
        inner.map(lambda each: {"not": each}),
    ),
    max_leaves=4,
)  # fmt: skip
SIMPLE: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "percent": percents.map(lambda v: {"percent": v}),
    "amount": amounts.map(lambda v: {"amount": v}),
    "fixed_price": amounts.map(lambda v: {"fixed_price": v}),
}
simple = st.one_of(*SIMPLE.values())
optional_conditions = st.none() | conditions


@st.composite
def tiers(draw: st.DrawFn) -> dict[str, Any]:
    bounds = sorted(draw(st.sets(st.integers(1, 9), min_size=1, max_size=3)))
    return {
        "tiers": {
            "mode": draw(st.sampled_from(["each", "graduated"])),
            "of": draw(st.sampled_from(["line", "group", "partner", "match", "order"])),
            "steps": [{"from": bound, **draw(simple)} for bound in bounds],
        }
    }


@st.composite
def deals(draw: st.DrawFn) -> dict[str, Any]:
    deal = {"buy": draw(quantities), "get": draw(quantities), **draw(simple)}
    for name in ("qualifiers", "targets"):
        if (condition := draw(optional_conditions)) is not None:
            deal[name] = condition
    deal["favours"] = draw(st.sampled_from(["customer", "shop"]))
    if draw(st.booleans()):
        deal["most"] = draw(quantities)
    return {"n_for_m": deal}


@st.composite
def bundles(draw: st.DrawFn) -> dict[str, Any]:
    parts = draw(st.lists(conditions, min_size=1, max_size=2))
    # A number of units is the item's own `quantity`, so a condition on one has to stand in `all`.
    items = [{"all": [part], "quantity": draw(st.integers(1, 2))} for part in parts]
    return {"bundle": {"items": items, "price": draw(amounts)}}


sets = st.builds(
    lambda total, percent: {"sets": {"min_total": total, "percent": percent}}, amounts, percents
)
endings = st.builds(
    lambda to, mode: {"ending": {"to": to, "mode": mode}},
    st.sampled_from([".99", "5", ".5"]), st.sampled_from(["down", "up", "nearest"]),
)  # fmt: skip
floors = st.one_of(
    amounts.map(lambda v: {"floor": {"price": v}}),
    percents.map(lambda v: {"floor": {"percent_of_list": v}}),
)
OF_ORDERS_TOO = {**SIMPLE, "n_for_m": deals(), "sets": sets, "bundle": bundles()}
RAISING = {
    "ending": endings,
    "markup_percent": percents.map(lambda v: {"markup_percent": v}),
    "markup_amount": amounts.map(lambda v: {"markup_amount": v}),
}
OF_LINES = {"tiers": tiers(), **RAISING}
IN_TESTS_OF_THEIR_OWN = {"price_list"}
"""Benefits that depend on more than the basket (`test_price_list.py`)."""
GROUPS = [
    {"name": "a", "mode": "all"},
    {"name": "f", "mode": "first"},
    {"name": "b", "mode": "best"},
]


@st.composite
def rules(draw: st.DrawFn, number: int, *, raises: bool = True) -> PriceRule:
    only_lines = {k: v for k, v in OF_LINES.items() if raises or k not in RAISING}
    if draw(st.integers(0, 5)) == 0:
        return rule(draw(floors), number, **_condition(draw))
    order = draw(st.integers(0, 2)) == 0
    members = _condition(draw)
    if order:
        members["applies_to"] = "order"
    group = draw(st.none() | st.sampled_from(GROUPS))
    if group is not None:
        members["group"] = {**group, "name": f"{group['name']}-{order}"}
    if draw(st.booleans()):
        members["limits"] = {"max_amount": draw(amounts)}
    benefit = draw(st.one_of(*OF_ORDERS_TOO.values(), *(() if order else only_lines.values())))
    if "fixed_price" not in benefit and "ending" not in benefit:
        members["on"] = draw(st.sampled_from(["running", "list"]))
    return rule(
        benefit, number, priority=draw(st.integers(0, 2)), final=draw(st.booleans()), **members
    )


def _condition(draw: st.DrawFn) -> dict[str, Any]:
    found = draw(optional_conditions)
    return {} if found is None else {"condition": found}


@st.composite
def rule_sets(draw: st.DrawFn, *, raises: bool = True) -> list[PriceRule]:
    count = draw(st.integers(0, 5))
    return [draw(rules(number, raises=raises)) for number in range(count)]


@st.composite
def baskets(draw: st.DrawFn) -> Items:
    code = draw(st.sampled_from(list(DECIMALS)))
    names = draw(st.sets(st.sampled_from(SKUS), min_size=1))
    items: Items = []
    for name in sorted(names):
        listed = Decimal(draw(st.integers(1, 30_000))).scaleb(-DECIMALS[code])
        made = product(
            name, str(listed), code,
            partner_id=draw(st.sampled_from(["p1", "p2"])),
            brand=draw(st.sampled_from([None, "Acme"])),
            category=draw(st.sampled_from([None, "Shoes", "Shoes > Boots", "Hats"])),
            group_id=draw(st.sampled_from([None, "g"])),
            attributes=draw(st.sampled_from([None, {"size": "M"}])),
            sale_price=draw(st.none() | st.just(listed / 2)),
        )  # fmt: skip
        items.append((made, draw(st.integers(1, 6))))
    return items


contexts = st.fixed_dictionaries(
    {}, optional={"codes": st.just(("spring",)), "channel": st.just("web")}
)


def test_rules_of_every_kind_are_drawn():
    drawn = {*OF_ORDERS_TOO, *OF_LINES, "floor"}
    assert drawn | IN_TESTS_OF_THEIR_OWN == set(BENEFIT_NAMES)
    singles = {name for each in SINGLE_CONDITIONS for name in each}
    assert singles | {"all", "any", "not"} == set(CONDITION_NAMES)


@given(baskets(), rule_sets(), contexts)
def test_an_explanation_replays_to_the_price(items: Items, some: Rules, context: Context):
    priced = price(items, *some, **context)
    for item in priced.items:
        total = item.list_price * item.quantity
        for step in item.adjustments:
            total += step.amount
            assert step.amount
            assert step.total == total
        assert total == item.line_total


@given(baskets(), rule_sets(), contexts)
def test_amounts_are_exact_in_their_currency_and_add_up(
    items: Items, some: Rules, context: Context
):
    priced = price(items, *some, **context)
    money = currency(priced.currency)
    assert sum((item.line_total for item in priced.items), Decimal(0)) == priced.total_amount
    assert all(money.is_exact(item.line_total) for item in priced.items)
    by_rules = -sum(s.amount for item in priced.items for s in item.adjustments if s.rule_id)
    assert by_rules == sum(outcome.amount for outcome in priced.outcomes)


@given(baskets(), rule_sets(raises=False), contexts)
def test_no_price_falls_below_nothing_or_a_floor(items: Items, some: Rules, context: Context):
    priced = price(items, *some, **context)
    assert all(item.line_total >= 0 for item in priced.items)
    for floor in (each for each in some if "floor" in rule_form(each.rule)["benefit"]):
        if floor.rule.condition is not None:
            continue
        form = rule_form(floor.rule)["benefit"]["floor"]
        for item in priced.items:
            lowest = Decimal(form.get("price", 0))
            share = Fraction(Decimal(form.get("percent_of_list", 0))) / 100
            least = max(Fraction(lowest), Fraction(item.list_price) * share)
            least = min(least, Fraction(item.list_price))
            if currency(priced.currency).is_exact(lowest):
                assert Fraction(item.line_total) >= least * item.quantity


@given(baskets(), rule_sets(), contexts, st.randoms(use_true_random=False))
def test_the_order_of_lines_and_of_rules_changes_nothing(
    items: Items, some: Rules, context: Context, chance: Random
):
    once = price(items, *some, **context)
    mixed, others = list(items), list(some)
    chance.shuffle(mixed)
    chance.shuffle(others)
    again = price(mixed, *others, **context)
    assert sorted(once.items, key=lambda i: i.sku) == sorted(again.items, key=lambda i: i.sku)
    assert evolve(once, items=()) == evolve(again, items=())


@given(baskets(), rule_sets(), contexts)
def test_units_added_one_by_one_cost_what_they_cost_together(
    items: Items, some: Rules, context: Context
):
    together = price(items, *some, **context)
    apart = price([(each, 1) for each, n in items for _ in range(n)], *some, **context)
    assert _by_product(apart) == _by_product(together)
    for item in apart.items:
        steps = sum((step.amount for step in item.adjustments), Decimal(0))
        assert item.list_price + steps == item.line_total


def _by_product(priced: PricedBasket) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for item in priced.items:
        found[item.product_id] = found.get(item.product_id, Decimal(0)) + item.line_total
    return found


@given(baskets(), rule_sets(), contexts)
def test_a_rule_without_effect_leaves_no_trace(items: Items, some: Rules, context: Context):
    nothing = rule({"percent": "0"}, 99, priority=9, final=True)
    without, beside = price(items, *some, **context), price(items, *some, nothing, **context)
    assert beside.items == without.items
    assert beside.outcomes[1:] == without.outcomes or set(beside.outcomes) > set(without.outcomes)


@given(baskets(), rule_sets(), contexts)
def test_rules_that_the_index_leaves_out_match_nothing(items: Items, some: Rules, context: Context):
    """A rule priced alone, with its keys hidden in an alternative that is never true, is equal."""
    for each in some:
        if reach_of(each.rule).keys is None:
            continue
        alone = price(items, each, **context)
        if each.rule_id not in {outcome.rule_id for outcome in alone.outcomes}:
            never = {"not": {"any": [{"quantity": {"min": 1}}, {"sku": "A"}]}}
            form = rule_form(each.rule)
            form["condition"] = {"any": [form.get("condition", {"quantity": {"min": 1}}), never]}
            hidden = evolve(each, rule=read_rule(form))
            assert price(items, hidden, **context).items == alone.items


@given(rule_sets())
def test_the_form_of_a_rule_reads_back_as_the_rule(some: Sequence[PriceRule]):
    for each in some:
        assert read_rule(rule_form(each.rule)) == each.rule
    assert len(RuleIndex.of(some).rules) == len(some)


# --- n for m, against every way of making sets ----------------------------------------------------


def by_brute_force(prices: Sequence[int], buy: int, get: int, *, shop: bool) -> int:
    """The reduction (100 %) of the best partition into sets whose cheapest units are free."""
    outcomes = set(_partitions(tuple(sorted(prices)), buy, get))
    if shop:
        most = max(sets for sets, _ in outcomes)
        return min(off for sets, off in outcomes if sets == most)
    return max(off for _, off in outcomes)


def _partitions(prices: tuple[int, ...], buy: int, get: int) -> Iterable[tuple[int, int]]:
    yield 0, 0
    size = buy + get
    if len(prices) < size:
        return
    seen: set[tuple[int, ...]] = set()
    for first in range(len(prices) - size + 1):
        for rest in combinations(range(first + 1, len(prices)), size - 1):
            chosen = (first, *rest)
            unit_prices = tuple(prices[n] for n in chosen)
            left = tuple(p for n, p in enumerate(prices) if n > first and n not in chosen)
            if (*unit_prices, -1, *left) in seen:
                continue
            seen.add((*unit_prices, -1, *left))
            off = sum(unit_prices[:get])
            yield from ((sets + 1, more + off) for sets, more in _cached(left, buy, get))


def _cached(prices: tuple[int, ...], buy: int, get: int) -> set[tuple[int, int]]:
    return set(_partitions(prices, buy, get))


def best_targets(units: Sequence[tuple[int, str]], buy: int, get: int, *, shop: bool) -> int:
    """The same where some units can only be bought, and others only be reduced."""
    outcomes: set[tuple[int, int]] = {(0, 0)}
    for sets in range(1, len(units) // (buy + get) + 1):
        for reduced in combinations(range(len(units)), sets * get):
            if any(units[n][1] == "buy" for n in reduced):
                continue
            left = [unit for n, unit in enumerate(units) if n not in reduced and unit[1] != "get"]
            if len(left) >= sets * buy:
                outcomes.add((sets, sum(units[n][0] for n in reduced)))
    if shop:
        most = max(sets for sets, _ in outcomes)
        return min(off for sets, off in outcomes if sets == most)
    return max(off for _, off in outcomes)


few_prices = st.lists(st.integers(1, 9), min_size=1, max_size=10)


@given(few_prices, st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_n_for_m_equals_brute_force(prices: list[int], buy: int, get: int, shop: bool):
    deal = {"buy": buy, "get": get, "percent": "100", "favours": "shop" if shop else "customer"}
    items = [(product(f"S{n}", str(each)), 1) for n, each in enumerate(prices)]
    found = taken(price(items, rule({"n_for_m": deal})))
    assert found == by_brute_force(prices, buy, get, shop=shop)


roles = st.sampled_from(["buy", "get", "both"])


@given(
    st.lists(st.tuples(st.integers(1, 9), roles), min_size=1, max_size=10),
    st.integers(1, 3), st.integers(1, 3), st.booleans(),
)  # fmt: skip
def test_n_for_m_with_targets_equals_brute_force(
    units: list[tuple[int, str]], buy: int, get: int, shop: bool
):
    deal = {
        "buy": buy, "get": get, "percent": "100", "favours": "shop" if shop else "customer",
        "qualifiers": {"brand": ["buy", "both"]}, "targets": {"brand": ["get", "both"]},
    }  # fmt: skip
    items = [(product(f"S{n}", str(each), brand=role), 1) for n, (each, role) in enumerate(units)]
    found = taken(price(items, rule({"n_for_m": deal})))
    assert found == best_targets(units, buy, get, shop=shop)
