"""Units that a rule uses: chosen by price, partner and sku, and what is taken off each.

Everything is in exact fractions of the currency's smallest unit. Units are ordered by price,
partner and sku, so neither the order of lines nor how they were added matters.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final, assert_never

from attrs import define, field, frozen

from commerce_core.pricing.benefits import Amount, FixedPrice, Percent, Simple
from commerce_core.pricing.lines import Line, Part
from commerce_core.pricing.rules import Rule

NOTHING: Final = Fraction(0)


def sum_of(amounts: Iterable[Fraction | int]) -> Fraction | int:
    """The sum; of one amount that itself, since adding fractions is slow."""
    found = iter(amounts)
    total = next(found, 0)
    for amount in found:
        total += amount
    return total


@frozen
class Taken:
    """The units of one line that a rule uses."""

    line: Line
    parts: tuple[Part, ...]

    @property
    def off(self) -> Fraction | int:
        """What it would take off the line."""
        return sum_of(part.off for part in self.parts)

    @property
    def base(self) -> Fraction | int:
        """What the units that it reduces cost so far."""
        worth = self.line.worth
        return sum_of(worth(p.run, p.count) for p in self.parts if p.off)

    @property
    def units(self) -> int:
        """How many units it reduces."""
        return sum(part.count for part in self.parts if part.off)


@frozen
class Take:
    """What a rule would take. If `whole` is given, that amount is shared among the lines."""

    lines: tuple[Taken, ...]
    whole: Fraction | None = None


@frozen
class Units:
    """Units of one run, with the price by which they are chosen."""

    line: Line
    run: int
    count: int
    price: Fraction

    @property
    def order(self) -> tuple[Fraction, tuple[str, str, str]]:
        """Sorts units as they are chosen: the cheapest first."""
        return self.price, self.line.key


@define
class Chosen:
    """Collects the units that a rule uses, by line."""

    found: dict[tuple[str, str, str], tuple[Line, list[Part]]] = field(
        factory=dict[tuple[str, str, str], tuple[Line, list[Part]]]
    )

    def add(self, units: Units, count: int, off: Fraction) -> None:
        """Uses units, and takes that much off each."""
        if count:
            _, parts = self.found.setdefault(units.line.key, (units.line, []))
            parts.append(Part(units.run, count, off * count))

    def take(self, whole: Fraction | None = None) -> Take:
        """What was collected, by line; `whole` as in `Take`."""
        ordered = sorted(self.found.items())
        return Take(tuple(Taken(line, tuple(parts)) for _, (line, parts) in ordered), whole)


def units_of(rule: Rule, lines: Iterable[Line]) -> list[Units]:
    """The units that the rule's group hasn't used, cheapest first."""
    group = rule.group.name if rule.group else None
    found = [
        Units(line, n, run.count, Fraction(line.list_price) if rule.on == "list" else run.price)
        for line in lines
        for n, run in line.free_runs(group)
    ]
    return sorted(found, key=lambda units: units.order) if len(found) > 1 else found


def minor_of(amount: Decimal, line: Line) -> Fraction:
    """An amount in the smallest units of a line's currency."""
    return Fraction(amount) * line.scale


def off_unit(benefit: Simple, units: Units) -> Fraction:
    """What a benefit takes off one unit, at most its price."""
    running = running_price(units)
    match benefit:
        case Percent(percent):
            return min(running, units.price * Fraction(percent) / 100)
        case Amount(amount):
            return min(running, minor_of(amount, units.line))
        case FixedPrice(price):
            return max(NOTHING, running - minor_of(price, units.line))
        case _:
            assert_never(benefit)


def running_price(units: Units) -> Fraction:
    """What each of the units costs so far."""
    return units.line.runs[units.run].price
