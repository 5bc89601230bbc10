"""Lint: rules that can't do what they seem to, found without any basket.

over            the rule's window has ended
does_nothing    its benefit is 0
never_matches   what it requires excludes each other
always_beaten   another rule of its group always takes its place
adds_up         it and another rule both apply to the same lines
reaches_floor   it can drive a product to its floor
any_currency    its amounts are in whatever currency a basket has
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import combinations, islice
from typing import Final, Literal

from attrs import frozen

from commerce_core.pricing.benefits import (
    Amount,
    FixedPrice,
    Floor,
    MarkupAmount,
    MarkupPercent,
    Percent,
    amounts_of,
)
from commerce_core.pricing.contradictions import excludes
from commerce_core.pricing.index import reach_of, required
from commerce_core.pricing.rules import PriceRule, in_order

Code = Literal[
    "over", "does_nothing", "never_matches", "always_beaten", "adds_up", "reaches_floor",
    "any_currency",
]  # fmt: skip
MOST_FINDINGS: Final = 1_000


@frozen
class Finding:
    """Something odd about a rule; `other_rule_id` is the rule that it concerns as well."""

    code: Code
    rule_id: str
    name: str
    detail: str
    other_rule_id: str | None = None


def lint(rules: Iterable[PriceRule], at: datetime) -> list[Finding]:
    """What is odd about these rules at a moment: first each by itself, then pairs; the first 1,000.

    Rules of one order are compared with each other only where they may match the same lines.
    """
    ordered = in_order(rules)
    alone = (finding for rule in ordered for finding in _alone(rule, at))
    pairs = (finding for one, other in _neighbours(ordered) for finding in _pair(one, other))
    return list(islice((finding for each in (alone, pairs) for finding in each), MOST_FINDINGS))


def _alone(rule: PriceRule, at: datetime) -> Iterator[Finding]:
    ends = reach_of(rule.rule).ends
    if ends is not None and ends <= at:
        yield _finding("over", rule, f"Its window ended at {ends.isoformat()}.")
    if _is_nothing(rule):
        yield _finding("does_nothing", rule, "Its benefit is 0.")
    conditions = required(rule.rule.condition)
    if any(excludes(one, other) for one, other in combinations(conditions, 2)):
        yield _finding("never_matches", rule, "Two of its conditions exclude each other.")
    if rule.rule.currency is None and any(True for _ in amounts_of(rule.rule.benefit)):
        detail = "Its amounts are in whatever currency a basket has; name a currency."
        yield _finding("any_currency", rule, detail)


def _is_nothing(rule: PriceRule) -> bool:
    match rule.rule.benefit:
        case Percent(number) | Amount(number) | MarkupPercent(number) | MarkupAmount(number):
            return not number
        case _:
            return False


def _neighbours(rules: Sequence[PriceRule]) -> Iterator[tuple[PriceRule, PriceRule]]:
    """Pairs of rules, in order, that share a key or of which one may match any line."""
    by_key: defaultdict[str, list[int]] = defaultdict(list)
    anywhere: list[int] = []
    for number, rule in enumerate(rules):
        keys = reach_of(rule.rule).keys
        near = set(range(number)) if keys is None else set(anywhere)
        for key in keys or ():
            near.update(by_key[key])
            by_key[key].append(number)
        if keys is None:
            anywhere.append(number)
        for other in sorted(near):
            if _may_meet(rules[other], rule):
                yield rules[other], rule


def _may_meet(one: PriceRule, other: PriceRule) -> bool:
    pairs = ((a, b) for a in required(one.rule.condition) for b in required(other.rule.condition))
    return not any(excludes(a, b) for a, b in pairs)


def _pair(first: PriceRule, second: PriceRule) -> Iterator[Finding]:
    """What is odd about two rules that may match the same lines; the first is applied first."""
    floors = [rule for rule in (first, second) if isinstance(rule.rule.benefit, Floor)]
    if floors:
        yield from (_reaches(rule, floor) for floor in floors for rule in (first, second)
                    if rule is not floor and _can_reach(rule, floor))  # fmt: skip
    elif first.rule.group is not None and first.rule.group == second.rule.group:
        for winner, loser in ((first, second), (second, first)):
            if _always_beats(winner, loser, earlier=winner is first):
                detail = f"The rule {winner.rule.name!r} of its group always takes its place."
                yield _finding("always_beaten", loser, detail, winner)
    elif first.rule.benefit.traits.lowers and second.rule.benefit.traits.lowers:
        detail = f"It and {first.rule.name!r} both apply to lines that match both."
        yield _finding("adds_up", second, detail, first)


def _always_beats(winner: PriceRule, loser: PriceRule, *, earlier: bool) -> bool:
    """Whether wherever the loser matches, the winner does too, and has the better claim."""
    one, other = winner.rule, loser.rule
    implied = set(required(one.condition)) <= set(required(other.condition))
    unlimited = not one.limits.counted and one.limits.max_amount is None
    if not implied or not unlimited or _is_nothing(winner) or one.group is None:
        return False
    if one.group.mode == "first":
        return earlier
    if one.group.mode == "best":
        both = (one.benefit, other.benefit)
        return (
            all(isinstance(each, Percent) for each in both)
            and one.on == other.on
            and (_percent(one.benefit) > _percent(other.benefit))
        )
    return False


def _percent(benefit: object) -> Decimal:
    return benefit.percent if isinstance(benefit, Percent) else Decimal(0)


def _can_reach(rule: PriceRule, floor: PriceRule) -> bool:
    limit = floor.rule.benefit
    if not isinstance(limit, Floor):
        return False
    match rule.rule.benefit:
        case Percent(percent):
            return limit.percent_of_list is not None and 100 - percent < limit.percent_of_list
        case FixedPrice(price):
            return limit.price is not None and price < limit.price
        case _:
            return False


def _reaches(rule: PriceRule, floor: PriceRule) -> Finding:
    detail = f"By itself it takes products below the floor {floor.rule.name!r}."
    return _finding("reaches_floor", rule, detail, floor)


def _finding(code: Code, rule: PriceRule, detail: str, other: PriceRule | None = None) -> Finding:
    return Finding(code, rule.rule_id, rule.rule.name, detail, other.rule_id if other else None)
