"""What rules refer to: partners, sources and price lists, by name or id."""

from collections.abc import Callable, Iterator
from typing import Literal

from attrs import evolve, frozen

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
    Tiers,
    conditions_of,
    lists_of,
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
from commerce_core.pricing.rules import Rule
from commerce_core.pricing.windows import Window

Noun = Literal["partner", "source", "price list"]


@frozen
class Reference:
    """A text in a rule that has to name something; `pointer` is its JSON pointer."""

    pointer: str
    noun: Noun
    text: str


def references(rule: Rule) -> Iterator[Reference]:
    """Everything that a rule refers to."""
    if rule.condition is not None:
        yield from _of(rule.condition, "/condition")
    for each in lists_of(rule.benefit):
        yield Reference(f"/benefit{each.at}", "price list", each.list_id)
    for at, condition in conditions_of(rule.benefit):
        yield from _of(condition, f"/benefit{at}")


def _of(condition: Condition, at: str) -> Iterator[Reference]:
    match condition:
        case All(within) | AnyOf(within):
            word = "all" if isinstance(condition, All) else "any"
            for number, each in enumerate(within):
                yield from _of(each, f"{at}/{word}/{number}")
        case Not(inner):
            yield from _of(inner, f"{at}/not")
        case Is("partner" | "source" as noun, values):
            for number, text in enumerate(values):
                place = f"{at}/{noun}/{number}" if len(values) > 1 else f"{at}/{noun}"
                yield Reference(place, noun, text)
        case Is() | HasAttribute() | PriceWithin() | Quantity() | Total() | Window():
            return


def with_references(rule: Rule, named: Callable[[Noun, str], str]) -> Rule:
    """The rule with each reference replaced, so that it doesn't depend on names."""

    def of(condition: Condition) -> Condition:
        match condition:
            case All(within) | AnyOf(within):
                return evolve(condition, conditions=tuple(map(of, within)))
            case Not(inner):
                return Not(of(inner))
            case Is("partner" | "source" as noun, values):
                return Is(noun, tuple(named(noun, text) for text in values))
            case Is() | HasAttribute() | PriceWithin() | Quantity() | Total() | Window():
                return condition

    own = of(rule.condition) if rule.condition is not None else None
    return evolve(rule, condition=own, benefit=_of_benefit(rule.benefit, of, named))


def _of_benefit(
    benefit: Benefit, of: Callable[[Condition], Condition], named: Callable[[Noun, str], str]
) -> Benefit:
    match benefit:
        case Listed(list_id):
            return Listed(named("price list", list_id))
        case Floor(cost_list=cost_list):
            known = None if cost_list is None else named("price list", cost_list)
            return evolve(benefit, cost_list=known)
        case NForM(qualifiers=qualifiers, targets=targets):
            return evolve(
                benefit,
                qualifiers=of(qualifiers) if qualifiers is not None else None,
                targets=of(targets) if targets is not None else None,
            )
        case Bundle(items):
            replaced = (evolve(item, condition=of(item.condition)) for item in items)
            return evolve(benefit, items=tuple(replaced))
        case (
            Percent() | Amount() | FixedPrice() | MarkupPercent() | MarkupAmount() | Tiers()
            | Sets() | Ending()
        ):  # fmt: skip
            return benefit
