"""The written form of rules: what files, HTTP and databases contain.

    {"name": "Spring sale", "condition": {"all": [{"category": "Shoes"}, {"code": "SPRING"}]},
     "benefit": {"percent": "20"}, "limits": {"max_amount": "50.00"}}

Money and percents are texts. Reading is strict: nothing is coerced, nothing unknown is ignored, and
all faults are reported at once, each with its JSON pointer. `rule_form` writes what `read_rule`
reads, without what is at its default; `whole_form` writes every member.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, assert_never, cast

from commerce_core.base.errors import InvalidInput
from commerce_core.pricing.benefits import (
    Amount,
    Benefit,
    Bundle,
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
    Tiers,
)
from commerce_core.pricing.conditions import (
    All,
    AnyOf,
    Condition,
    HasAttribute,
    Is,
    Not,
    PriceWithin,
    Quantity,
    Total,
)
from commerce_core.pricing.form_benefits import read_benefit
from commerce_core.pricing.form_conditions import read_condition
from commerce_core.pricing.form_reader import Reader
from commerce_core.pricing.rules import Group, Limits, Rule
from commerce_core.pricing.windows import Window

Form = dict[str, Any]
ALL: Final = Decimal(100)
RULE_FIELDS: Final = (
    "name", "applies_to", "priority", "group", "final", "on", "condition", "benefit", "limits",
    "currency", "funded_by",
)  # fmt: skip


def read_rule(value: object) -> Rule:
    """The rule of that form; InvalidInput lists every fault."""
    reader = Reader()
    rule = _rule(reader, value)
    if reader.faults or rule is None:
        raise InvalidInput(
            "The price rule isn't valid.", faults=reader.faults, code="bad_price_rule"
        )
    return rule


def _rule(reader: Reader, value: object) -> Rule | None:
    table = reader.table(value, "", RULE_FIELDS, required=("name", "benefit"))
    if table is None:
        return None
    given: dict[str, Any] = {
        "name": reader.text(table["name"], "/name"),
        "benefit": read_benefit(reader, table["benefit"], "/benefit"),
    }
    for name, read in _OPTIONAL.items():
        if table.get(name) is not None:
            given[name] = read(reader, table[name], f"/{name}")
    if "funded_by" in given:
        given["partner_percent"] = given.pop("funded_by")
    return None if reader.faults else Rule(**given)


def _group(reader: Reader, value: object, at: str) -> Group | None:
    table = reader.table(value, at, ("name", "mode"), required=("name", "mode"))
    if table is None:
        return None
    name = reader.text(table["name"], f"{at}/name")
    mode = reader.word(table["mode"], f"{at}/mode", ("all", "first", "best"))
    return Group(name or "", mode or "all")  # type: ignore[arg-type]


def _limits(reader: Reader, value: object, at: str) -> Limits:
    names = ("max_amount", "most_uses", "per_customer", "budget")
    table = reader.table(value, at, names) or {}
    given: dict[str, Any] = {}
    for name in names:
        if table.get(name) is not None:
            read = reader.amount if name in ("max_amount", "budget") else reader.count
            given[name] = read(table[name], f"{at}/{name}")
    return Limits(**given)


def _funded_by(reader: Reader, value: object, at: str) -> Decimal:
    if isinstance(value, dict):
        names = ("partner_percent",)
        table = reader.table(cast("object", value), at, names, required=names)
        if table is None:
            return Decimal(0)
        return reader.percent(table["partner_percent"], f"{at}/partner_percent")
    word = reader.word(value, at, ("platform", "partner"))
    return ALL if word == "partner" else Decimal(0)


_OPTIONAL: Final[Mapping[str, Callable[[Reader, object, str], object]]] = {
    "condition": read_condition,
    "applies_to": lambda reader, value, at: reader.word(value, at, ("line", "order")),
    "priority": Reader.whole,
    "group": _group,
    "final": Reader.flag,
    "on": lambda reader, value, at: reader.word(value, at, ("running", "list")),
    "currency": Reader.text,
    "limits": _limits,
    "funded_by": _funded_by,
}


# Writing


def rule_form(rule: Rule) -> Form:
    """The form of a rule, without what is at its default."""
    form: Form = {"name": rule.name}
    if rule.applies_to != "line":
        form["applies_to"] = rule.applies_to
    if rule.priority:
        form["priority"] = rule.priority
    if rule.group is not None:
        form["group"] = {"name": rule.group.name, "mode": rule.group.mode}
    if rule.final:
        form["final"] = True
    if rule.on != "running":
        form["on"] = rule.on
    if rule.currency is not None:
        form["currency"] = rule.currency
    if rule.condition is not None:
        form["condition"] = condition_form(rule.condition)
    form["benefit"] = benefit_form(rule.benefit)
    if rule.limits != Limits():
        form["limits"] = _limits_form(rule.limits)
    if rule.partner_percent == ALL:
        form["funded_by"] = "partner"
    elif rule.partner_percent:
        form["funded_by"] = {"partner_percent": _text(rule.partner_percent)}
    return form


_DEFAULTS: Final[Form] = {
    "applies_to": "line", "priority": 0, "group": None, "final": False, "on": "running",
    "currency": None, "condition": None, "limits": {}, "funded_by": "platform",
}  # fmt: skip


def whole_form(rule: Rule) -> Form:
    """The form of a rule with every member, those at their default too; `read_rule` reads it."""
    form = {**_DEFAULTS, **rule_form(rule)}
    return {name: form[name] for name in RULE_FIELDS}


def _limits_form(limits: Limits) -> Form:
    return _present(
        max_amount=_maybe(limits.max_amount),
        most_uses=limits.most_uses,
        per_customer=limits.per_customer,
        budget=_maybe(limits.budget),
    )


def condition_form(condition: Condition) -> Form:
    """The form of a condition."""
    match condition:
        case All(within):
            return {"all": [condition_form(each) for each in within]}
        case AnyOf(within):
            return {"any": [condition_form(each) for each in within]}
        case Not(inner):
            return {"not": condition_form(inner)}
        case Is(name, values):
            return {name: _one_or_more(values)}
        case HasAttribute(name, values):
            return {"attribute": {"name": name, "in": _one_or_more(values)}}
        case PriceWithin(of, low, high):
            return {f"{of}_price": _present(min=_maybe(low), max=_maybe(high))}
        case Quantity(low, high, of):
            over = {} if of == "line" else {"of": of}
            return {"quantity": _present(min=low, max=high) | over}
        case Total(low, high, of):
            over = {} if of == "match" else {"of": of}
            return {"total": _present(min=_maybe(low), max=_maybe(high)) | over}
        case Window():
            return {"window": _window_form(condition)}
        case _:
            assert_never(condition)


def _window_form(window: Window) -> Form:
    form: Form = {"tz": window.tz}
    for name, bound in (("from", window.from_), ("until", window.until)):
        if bound is not None:
            form[name] = _bound(bound)
    if window.days:
        form["days"] = list(window.days)
    if window.hours is not None:
        hours = window.hours
        form["hours"] = {"from": f"{hours.from_:%H:%M}", "until": f"{hours.until:%H:%M}"}
    return form


def _bound(bound: datetime | date | time) -> str:
    return bound.isoformat()


def benefit_form(benefit: Benefit) -> Form:
    """The form of a benefit."""
    match benefit:
        case Percent() | Amount() | FixedPrice():
            return _simple_form(benefit)
        case MarkupPercent(percent):
            return {"markup_percent": _text(percent)}
        case MarkupAmount(amount):
            return {"markup_amount": _text(amount)}
        case Tiers(steps, mode, of):
            written = [{"from": step.from_, **_simple_form(step.benefit)} for step in steps]
            more = _present(mode=None if mode == "each" else mode, of=None if of == "line" else of)
            return {"tiers": {**more, "steps": written}}
        case NForM():
            return {"n_for_m": _n_for_m_form(benefit)}
        case Sets(min_total, percent, most):
            written = {"min_total": _text(min_total), "percent": _text(percent)}
            return {"sets": written | _present(most=most)}
        case Bundle(items, price, most):
            written_items = [
                {**condition_form(item.condition), "quantity": item.quantity} for item in items
            ]
            return {
                "bundle": {"items": written_items, "price": _text(price), **_present(most=most)}
            }
        case Ending(to, multiple, mode):
            text = _text(to) if multiple else _text(to).removeprefix("0")
            return {"ending": {"to": text, "mode": mode}}
        case Listed(list_id):
            return {"price_list": list_id}
        case Floor(price, share, margin, cost_list):
            amounts = _present(price=_maybe(price), percent_of_list=_maybe(share))
            margins = _present(margin_percent=_maybe(margin), cost_list=cost_list)
            return {"floor": amounts | margins}
        case _:
            assert_never(benefit)


def _simple_form(benefit: Simple) -> Form:
    match benefit:
        case Percent(percent):
            return {"percent": _text(percent)}
        case Amount(amount):
            return {"amount": _text(amount)}
        case FixedPrice(price):
            return {"fixed_price": _text(price)}
        case _:
            assert_never(benefit)


def _n_for_m_form(benefit: NForM) -> Form:
    form: Form = {"buy": benefit.buy, "get": benefit.get, **_simple_form(benefit.benefit)}
    if benefit.qualifiers is not None:
        form["qualifiers"] = condition_form(benefit.qualifiers)
    if benefit.targets is not None:
        form["targets"] = condition_form(benefit.targets)
    favours = None if benefit.favours == "customer" else benefit.favours
    return form | _present(most=benefit.most, favours=favours)


def _present(**members: object) -> Form:
    return {name: value for name, value in members.items() if value is not None}


def _text(amount: Decimal) -> str:
    return f"{amount:f}"


def _maybe(amount: Decimal | None) -> str | None:
    return None if amount is None else _text(amount)


def _one_or_more(values: tuple[str, ...]) -> object:
    return values[0] if len(values) == 1 else list(values)


def form_difference(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """The members that differ between two forms, each as it was and as it becomes."""
    names = [*before, *(name for name in after if name not in before)]
    return {
        name: (before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    }
