"""Explanations: what was done to a line, what became of each rule, and both as sentences."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal

from attrs import evolve, frozen

from commerce_core.pricing.conditions import Failure
from commerce_core.pricing.settling import LimitedBy

Outcome = Literal[
    "applied", "not_matched", "no_effect", "beaten", "used_up", "needs_customer", "closed", "floor",
    "not_active",
]  # fmt: skip


@frozen
class Adjustment:
    """One step from a line's list total to its total: the `amount` is negative for a discount.

    `total` is what the line costs after it. `base` is what the units concerned cost before (or at
    list price, if `on` is that), `asked` what the rule would have taken without rounding and
    limits; both are of all units of the product in the basket. `funded_by` is who pays for it, and
    `partner_amount` the partner's part of the amount.
    """

    reason: Literal["sale", "rule"]
    label: str
    amount: Decimal
    rule_id: str | None = None
    rule_version: int | None = None
    funded_by: Literal["platform", "partner", "both"] = "partner"
    partner_amount: Decimal | None = None
    on: Literal["running", "list"] = "running"
    units: int | None = None
    base: Decimal | None = None
    asked: Decimal | None = None
    limited_by: LimitedBy | None = None
    limit_label: str | None = None
    total: Decimal | None = None

    @property
    def partners_part(self) -> Decimal:
        """The part of the amount that the partner pays for, or gains."""
        if self.partner_amount is not None:
            return self.partner_amount
        return self.amount if self.funded_by == "partner" else Decimal(0)

    def without_rule(self) -> "Adjustment":
        """The step as a partner sees it: what was done to its line, but not by which rule."""
        return evolve(self, rule_id=None, rule_version=None, limit_label=None)


@frozen
class RuleOutcome:
    """What became of one rule: the first that holds.

    `amount` is what it took off the basket; `beaten_by` is the rule of its group that took its
    place, and `beaten_by_amount` by how much. `failures` are what has to change for it to match, as
    few parts as possible; the first is the first that failed.
    """

    rule_id: str
    rule_version: int
    name: str
    outcome: Outcome
    amount: Decimal
    failures: tuple[Failure, ...] = ()
    beaten_by: str | None = None
    beaten_by_amount: Decimal | None = None
    unallocated: Decimal | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same in words."""
        return tuple(_sentences(self))


def sentence(step: Adjustment) -> str:
    """One step of a price in words."""
    verb = "took" if step.amount <= 0 else "added"
    of = "the list price" if step.on == "list" else "the price so far"
    parts = [f"{step.label} {verb} {abs(step.amount)}"]
    if step.base is not None and step.units is not None:
        units = "1 unit" if step.units == 1 else f"{step.units:,} units"
        parts.append(f"for {units} that cost {step.base} ({of})")
    if step.limited_by is not None:
        parts.append(f"instead of {step.asked}, limited by {_limit(step)}")
    elif step.asked is not None and step.asked != abs(step.amount):
        more = abs(step.amount) - step.asked >= Decimal(1).scaleb(_exponent(step.amount))
        other = "more than its share of {}, since other lines have no room"
        parts.append((other if more else "rounded from {}").format(step.asked))
    total = f"; the line costs {step.total}" if step.total is not None else ""
    return ", ".join(parts) + total + "."


def _exponent(amount: Decimal) -> int:
    """The exponent of the last digit: -2 for 1.50."""
    exponent = amount.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _limit(step: Adjustment) -> str:
    if step.limited_by == "cap":
        return "the rule's cap per order"
    if step.limited_by == "zero":
        return "what the units cost"
    return f"the floor {step.limit_label!r}" if step.limit_label else "the floor"


def _sentences(outcome: RuleOutcome) -> Iterator[str]:
    """What became of a rule in words, and what would have to change for it to match."""
    name = outcome.name
    match outcome.outcome:
        case "applied":
            verb = "took" if outcome.amount >= 0 else "added"
            yield f"{name} {verb} {abs(outcome.amount)}."
        case "not_matched":
            yield f"{name} did not apply: it wants {_first(outcome.failures)}."
            yield from (f"It also wants {_missed(failure)}." for failure in outcome.failures[1:])
        case "no_effect":
            yield f"{name} matched, but changed no price."
        case "beaten":
            yield (
                f"{name} did not apply: another rule of its group took its place{_margin(outcome)}."
            )
        case "used_up":
            yield f"{name} did not apply: its limit of uses or its budget is used up."
        case "needs_customer":
            yield f"{name} did not apply: it is limited per customer, and no customer was given."
        case "closed":
            yield f"{name} did not apply: a final rule came before it on every line that matches."
        case "not_active":
            yield f"{name} did not apply: it isn't active."
        case "floor":
            yield f"{name} keeps prices from falling below it."
    if outcome.unallocated:
        yield f"{name} had {outcome.unallocated} left that no line had room for."


def _first(failures: Sequence[Failure]) -> str:
    return _missed(failures[0]) if failures else "lines that this basket doesn't have"


def _missed(failure: Failure) -> str:
    return f"{failure.wanted}, and found {failure.found}"


def _margin(outcome: RuleOutcome) -> str:
    return f", by {outcome.beaten_by_amount}" if outcome.beaten_by_amount is not None else ""
