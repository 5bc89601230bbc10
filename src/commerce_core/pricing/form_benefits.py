"""Reading the written form of benefits: an object with one member, named after what it does."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, cast

from commerce_core.pricing.benefits import (
    Amount,
    Benefit,
    Bundle,
    BundleItem,
    Ending,
    FixedPrice,
    Floor,
    Listed,
    MarkupAmount,
    MarkupPercent,
    NForM,
    Percent,
    Sets,
    Simple,
    Tier,
    Tiers,
)
from commerce_core.pricing.conditions import OVERS, Condition
from commerce_core.pricing.form_conditions import read_condition
from commerce_core.pricing.form_reader import Reader

MOST_STEPS: Final = 100
MOST_BUNDLE_ITEMS: Final = 20
LARGEST_MARKUP: Final = 1_000
_NOTHING: Final = Percent(Decimal(0))
_SIMPLE: Final = ("percent", "amount", "fixed_price")


def read_benefit(reader: Reader, value: object, at: str) -> Benefit:
    """The benefit of that form."""
    table = reader.table(value, at, BENEFIT_NAMES)
    if table is None:
        return _NOTHING
    if len(table) != 1:
        known = ", ".join(BENEFIT_NAMES)
        reader.fault(at, "not_one_benefit", f"A rule has one benefit; use one of {known}.")
        return _NOTHING
    ((name, inner),) = table.items()
    return _BENEFITS[name](reader, inner, f"{at}/{name}") if name in _BENEFITS else _NOTHING


def _simple(reader: Reader, table: Mapping[str, Any], at: str) -> Simple:
    """The one of percent, amount and fixed_price that is there."""
    given = [name for name in _SIMPLE if table.get(name) is not None]
    if len(given) != 1:
        reader.fault(at, "not_one_benefit", f"Use one of {', '.join(_SIMPLE)}.")
        return _NOTHING
    name = given[0]
    return cast("Simple", _BENEFITS[name](reader, table[name], f"{at}/{name}"))


def _tiers(reader: Reader, value: object, at: str) -> Benefit:
    table = reader.table(value, at, ("mode", "of", "steps"), required=("steps",))
    if table is None:
        return _NOTHING
    steps = [
        _tier(reader, each, f"{at}/steps/{n}")
        for n, each in enumerate(reader.members(table["steps"], f"{at}/steps", MOST_STEPS))
    ]
    mode = reader.word(table.get("mode", "each"), f"{at}/mode", ("each", "graduated"))
    of = reader.word(table.get("of", "line"), f"{at}/of", OVERS)
    return Tiers(tuple(step for step in steps if step), cast("Any", mode), cast("Any", of))


def _tier(reader: Reader, value: object, at: str) -> Tier | None:
    table = reader.table(value, at, ("from", *_SIMPLE), required=("from",))
    if table is None:
        return None
    return Tier(reader.count(table["from"], f"{at}/from"), _simple(reader, table, at))


def _n_for_m(reader: Reader, value: object, at: str) -> Benefit:
    known = ("buy", "get", *_SIMPLE, "qualifiers", "targets", "most", "favours")
    table = reader.table(value, at, known, required=("buy", "get"))
    if table is None:
        return _NOTHING

    def condition(name: str) -> Condition | None:
        given = table.get(name)
        return None if given is None else read_condition(reader, given, f"{at}/{name}")

    favours = reader.word(table.get("favours", "customer"), f"{at}/favours", ("customer", "shop"))
    return NForM(
        reader.count(table["buy"], f"{at}/buy"),
        reader.count(table["get"], f"{at}/get"),
        _simple(reader, table, at),
        condition("qualifiers"),
        condition("targets"),
        _most(reader, table, at),
        cast("Literal['customer', 'shop']", favours),
    )


def _most(reader: Reader, table: Mapping[str, Any], at: str) -> int | None:
    return None if table.get("most") is None else reader.count(table["most"], f"{at}/most")


def _sets(reader: Reader, value: object, at: str) -> Benefit:
    known = ("min_total", "percent", "most")
    table = reader.table(value, at, known, required=("min_total", "percent"))
    if table is None:
        return _NOTHING
    return Sets(
        reader.amount(table["min_total"], f"{at}/min_total"),
        reader.percent(table["percent"], f"{at}/percent"),
        _most(reader, table, at),
    )


def _bundle(reader: Reader, value: object, at: str) -> Benefit:
    table = reader.table(value, at, ("items", "price", "most"), required=("items", "price"))
    if table is None:
        return _NOTHING
    items = [
        _bundle_item(reader, each, f"{at}/items/{n}")
        for n, each in enumerate(reader.members(table["items"], f"{at}/items", MOST_BUNDLE_ITEMS))
    ]
    price = reader.amount(table["price"], f"{at}/price")
    return Bundle(tuple(items), price, _most(reader, table, at))


def _bundle_item(reader: Reader, value: object, at: str) -> BundleItem:
    if not isinstance(value, dict):
        return BundleItem(read_condition(reader, value, at))
    table = dict(cast("dict[str, object]", value))
    quantity = reader.count(table.pop("quantity", 1), f"{at}/quantity")
    return BundleItem(read_condition(reader, table, at), quantity)


def _ending(reader: Reader, value: object, at: str) -> Benefit:
    table = reader.table(value, at, ("to", "mode"), required=("to",))
    if table is None:
        return _NOTHING
    text = table["to"]
    multiple = not (isinstance(text, str) and text.startswith("."))
    before = len(reader.faults)
    to = reader.amount(text if multiple else f"0{text}", f"{at}/to")
    if multiple and not to and len(reader.faults) == before:
        reader.fault(f"{at}/to", "out_of_range", "A multiple is above 0.")
    mode = reader.word(table.get("mode", "nearest"), f"{at}/mode", ("down", "up", "nearest"))
    return Ending(to, multiple, cast("Any", mode))


def _floor(reader: Reader, value: object, at: str) -> Benefit:
    table = reader.table(value, at, ("price", "percent_of_list", "margin_percent", "cost_list"))
    if table is None:
        return _NOTHING
    price, share = table.get("price"), table.get("percent_of_list")
    margin, costs = table.get("margin_percent"), table.get("cost_list")
    return Floor(
        None if price is None else reader.amount(price, f"{at}/price"),
        None if share is None else reader.percent(share, f"{at}/percent_of_list"),
        None if margin is None else reader.percent(margin, f"{at}/margin_percent", LARGEST_MARKUP),
        None if costs is None else reader.text(costs, f"{at}/cost_list"),
    )


_BENEFITS: Final[Mapping[str, Callable[[Reader, Any, str], Benefit]]] = {
    "percent": lambda r, v, at: Percent(r.percent(v, at)),
    "amount": lambda r, v, at: Amount(r.amount(v, at)),
    "fixed_price": lambda r, v, at: FixedPrice(r.amount(v, at)),
    "markup_percent": lambda r, v, at: MarkupPercent(r.percent(v, at, LARGEST_MARKUP)),
    "markup_amount": lambda r, v, at: MarkupAmount(r.amount(v, at)),
    "tiers": _tiers,
    "n_for_m": _n_for_m,
    "sets": _sets,
    "bundle": _bundle,
    "ending": _ending,
    "price_list": lambda r, v, at: Listed(r.text(v, at)),
    "floor": _floor,
}
BENEFIT_NAMES: Final = tuple(_BENEFITS)
"""What a benefit may be called."""
