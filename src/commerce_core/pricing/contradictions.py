"""Contradictions: conditions that exclude each other, so that a rule with both never matches."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import combinations

from commerce_core.base.errors import Fault
from commerce_core.pricing.benefits import conditions_of
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
from commerce_core.pricing.lines import canonical_code
from commerce_core.pricing.rules import SINGLE, Rule
from commerce_core.pricing.windows import Window
from commerce_core.schema.cells import PATH


def contradictions(rule: Rule) -> Iterator[Fault]:
    """Each condition that excludes one before it, with its JSON pointer."""
    own = [("/condition", rule.condition)] if rule.condition is not None else []
    for at, condition in (*own, *((f"/benefit{at}", c) for at, c in conditions_of(rule.benefit))):
        yield from _within(at, condition)


def _within(at: str, condition: Condition) -> Iterator[Fault]:
    match condition:
        case All():
            together = list(_together(at, condition))
            for (before, one), (pointer, other) in combinations(together, 2):
                if excludes(one, other):
                    detail = f"Nothing fulfils this and {before}, so nothing matches."
                    yield Fault(pointer, "contradiction", detail)
            for pointer, each in together:
                yield from _within(pointer, each)
        case AnyOf(conditions):
            for number, each in enumerate(conditions):
                yield from _within(f"{at}/any/{number}", each)
        case Not(inner):
            yield from _within(f"{at}/not", inner)
        case _:
            return


def _together(at: str, condition: Condition) -> Iterator[tuple[str, Condition]]:
    """What has to hold together, with pointers: the conditions of nested `all` as well."""
    if isinstance(condition, All):
        for number, each in enumerate(condition.conditions):
            yield from _together(f"{at}/all/{number}", each)
    else:
        yield at, condition


def excludes(one: Condition, other: Condition) -> bool:
    """Whether no line fulfils both, as far as that follows from these two alone."""
    match one, other:
        case Not(inner), Not():
            return False
        case (Not(inner), held) | (held, Not(inner)):
            return _implies(held, inner)
        case Is(), Is():
            known = one.field == other.field and one.field in SINGLE
            return known and set(one.values).isdisjoint(other.values)
        case HasAttribute(), HasAttribute():
            return one.name == other.name and set(one.values).isdisjoint(other.values)
        case Window(), Window():
            return _apart(one.begins, other.ends) or _apart(other.begins, one.ends)
        case (PriceWithin(), PriceWithin()) | (Quantity(), Quantity()) | (Total(), Total()) if (
            one.of == other.of
        ):
            return _above(one.min, other.max) or _above(other.min, one.max)
        case _:
            return False


def _implies(one: Condition, other: Condition) -> bool:
    """Whether every line that fulfils the one fulfils the other too."""
    match one, other:
        case Is("category", values), Is("category", wider):
            return all(any(_lies_in(path, above) for above in wider) for path in values)
        case Is("code", values), Is("code", wider):
            return set(map(canonical_code, values)) <= set(map(canonical_code, wider))
        case Is(), Is():
            return one.field == other.field and set(one.values) <= set(other.values)
        case HasAttribute(), HasAttribute():
            return one.name == other.name and set(one.values) <= set(other.values)
        case _:
            return one == other


def _lies_in(path: str, above: str) -> bool:
    return path == above or path.startswith(above + PATH)


def _apart(begins: datetime | None, ends: datetime | None) -> bool:
    return begins is not None and ends is not None and begins >= ends


def _above(low: Decimal | int | None, high: Decimal | int | None) -> bool:
    return low is not None and high is not None and low > high
