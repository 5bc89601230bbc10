"""What rules refer to: partners and sources, by name or id."""

from collections.abc import Callable, Iterator
from typing import Literal

from attrs import evolve, frozen

from commerce_core.pricing.benefits import (
    Benefit,
    Bundle,
    Floor,
    Listed,
    NForM,
    conditions_of,
    lists_of,
)
from commerce_core.pricing.conditions import All, AnyOf, Condition, Is, Not
from commerce_core.pricing.rules import Rule

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
    for at, list_id in lists_of(rule.benefit):
        yield Reference(f"/benefit{at}", "price list", list_id)
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
        case _:
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
            case _:
                return condition

    own = of(rule.condition) if rule.condition is not None else None
    benefit = rule.benefit
    if isinstance(benefit, Listed):
        benefit = Listed(named("price list", benefit.list_id))
    elif isinstance(benefit, Floor) and benefit.cost_list is not None:
        benefit = evolve(benefit, cost_list=named("price list", benefit.cost_list))
    return evolve(rule, condition=own, benefit=_of_benefit(benefit, of))


def _of_benefit(benefit: Benefit, of: Callable[[Condition], Condition]) -> Benefit:
    match benefit:
        case NForM(qualifiers=qualifiers, targets=targets):
            return evolve(
                benefit,
                qualifiers=of(qualifiers) if qualifiers is not None else None,
                targets=of(targets) if targets is not None else None,
            )
        case Bundle(items):
            replaced = (evolve(item, condition=of(item.condition)) for item in items)
            return evolve(benefit, items=tuple(replaced))
        case _:
            return benefit
