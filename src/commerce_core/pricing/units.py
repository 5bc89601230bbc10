"""Units that a rule uses: chosen by price, partner and sku, and what is taken off each.

Everything is in exact fractions of the currency's smallest unit. Units are ordered by price,
partner and sku, so neither the order of lines nor how they were added matters.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never

from attrs import define, field, frozen, setters

from commerce_core.pricing.benefits import Amount, FixedPrice, Percent, Simple
from commerce_core.pricing.exact import Exact, exact, part_of
from commerce_core.pricing.lines import Line, Part
from commerce_core.pricing.rules import Rule


@define(on_setattr=setters.frozen)
class Taken:
    """The units of one line that a rule uses."""

    line: Line
    parts: tuple[Part, ...]


@frozen
class Take:
    """What a rule would take. If `whole` is given, that amount is shared among the lines."""

    lines: tuple[Taken, ...]
    whole: Exact | None = None


@define(on_setattr=setters.frozen)
class Units:
    """Units of one run, with the price by which they are chosen."""

    line: Line
    run: int
    count: int
    price: Exact

    @property
    def order(self) -> tuple[Exact, tuple[str, str, str]]:
        """Sorts units as they are chosen: the cheapest first."""
        return self.price, self.line.key


@define
class Chosen:
    """Collects the units that a rule uses, by line."""

    found: dict[tuple[str, str, str], tuple[Line, list[Part]]] = field(
        factory=dict[tuple[str, str, str], tuple[Line, list[Part]]]
    )

    def add(self, units: Units, count: int, off: Exact) -> None:
        """Uses units, and takes that much off each."""
        if count:
            _, parts = self.found.setdefault(units.line.key, (units.line, []))
            parts.append(Part(units.run, count, off * count))

    def take(self, whole: Exact | None = None) -> Take:
        """What was collected, by line; `whole` as in `Take`."""
        ordered = sorted(self.found.items())
        return Take(tuple(Taken(line, tuple(parts)) for _, (line, parts) in ordered), whole)


def units_of(rule: Rule, lines: Iterable[Line]) -> list[Units]:
    """The units that the rule's group hasn't used, cheapest first."""
    group = rule.group.name if rule.group else None
    of_list = rule.on == "list"
    found = [
        Units(line, n, run.count, line.list_price if of_list else run.price)
        for line in lines
        for n, run in line.free_runs(group)
    ]
    return sorted(found, key=lambda units: units.order) if len(found) > 1 else found


def minor_of(amount: Decimal, line: Line) -> Exact:
    """An amount in the smallest units of a line's currency."""
    return exact(amount, line.scale)


def off_unit(benefit: Simple, units: Units) -> Exact:
    """What a benefit takes off one unit, at most its price."""
    running = running_price(units)
    match benefit:
        case Percent():
            return min(running, part_of(units.price, *benefit.share))
        case Amount(amount):
            return min(running, minor_of(amount, units.line))
        case FixedPrice(price):
            return max(0, running - minor_of(price, units.line))
        case _:
            assert_never(benefit)


def running_price(units: Units) -> Exact:
    """What each of the units costs so far."""
    return units.line.runs[units.run].price
