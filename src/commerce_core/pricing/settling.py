"""Settling: from what a rule would take to whole amounts, within floors, caps and budgets.

Each line's amount is rounded once, halves away from zero. An amount for the order is shared by
largest remainder, ties to the smaller partner and sku; what a line has no room for goes to the
lines that have room, and what finds none is left unallocated.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Literal

from attrs import define, field, setters

from commerce_core.base.money import MOST_DECIMALS, round_half_up, split_units
from commerce_core.pricing.exact import Exact, part_of, sum_of
from commerce_core.pricing.lines import Line, Part
from commerce_core.pricing.rules import Rule
from commerce_core.pricing.units import Take, Taken

LimitedBy = Literal["floor", "zero", "cap"]
_UNITS: Final = tuple(Decimal(1).scaleb(-exponent) for exponent in range(MOST_DECIMALS + 1))
"""The smallest units of currencies, by their number of decimals."""


@define(on_setattr=setters.frozen)
class Share:
    """What a rule takes off one line, in smallest units; negative for a markup.

    `base` is what the units concerned cost before, and `asked` what it would have taken without
    rounding and limits.
    """

    line: Line
    parts: tuple[Part, ...]
    amount: int
    base: Exact
    asked: Exact
    units: int
    limited_by: LimitedBy | None = None


@define(on_setattr=setters.frozen)
class Settled:
    """What a rule takes in all. `unallocated` is what no line had room for.

    `amount` is what is taken off the basket.
    """

    shares: tuple[Share, ...] = ()
    unallocated: int = 0
    amount: int = field(init=False, on_setattr=setters.NO_OP)

    def __attrs_post_init__(self) -> None:
        """Adds up the amounts once, since limits, groups and explanations ask for them."""
        self.amount = sum([share.amount for share in self.shares])

    @property
    def has_effect(self) -> bool:
        """Whether any price changes."""
        return self.amount != 0 or any(share.amount for share in self.shares)


def settle(rule: Rule, take: Take) -> Settled:
    """The whole amounts that the rule takes off each line."""
    if rule.applies_to == "order" or take.whole is not None:
        return _shared(rule, take)
    settled, cap = Settled(tuple(map(_of_line, take.lines))), _cap(rule, take.lines)
    if cap is None or settled.amount <= cap:
        return settled
    shares = settled.shares
    capped = split_units(cap, [max(0, share.amount) for share in shares])
    return Settled(tuple(_limited(s, a, "cap") for s, a in zip(shares, capped, strict=True)))


def _of_line(taken: Taken) -> Share:
    line, parts = taken.line, taken.parts
    asked, base, units = _sums(taken)
    amount = wanted = round_half_up(asked)
    if line.floor:
        parts = tuple(Part(p.run, p.count, _within_room(line, p)) for p in parts)
        amount = round_half_up(sum_of(part.off for part in parts))
    if amount > 0:
        amount = min(amount, max(0, line.total - line.lowest))
    limited = _by_floor(line) if amount < wanted else None
    return Share(line, parts, amount, base, asked, units, limited)


def _sums(taken: Taken) -> tuple[Exact, Exact, int]:
    """What the rule takes off the units, what those that it reduces cost so far, their number."""
    asked: Exact = 0
    base: Exact = 0
    units, worth = 0, taken.line.worth
    for part in taken.parts:
        if part.off:
            # Adding a fraction to 0 takes longer than asking whether there is one yet.
            asked = asked + part.off if asked else part.off
            base = base + worth(part.run, part.count) if base else worth(part.run, part.count)
            units += part.count
    return asked, base, units


def _within_room(line: Line, part: Part) -> Exact:
    """What the part takes off, but no more than the floor lets its units give."""
    off = part.off
    return min(off, line.room(part.run, part.count)) if off.numerator > 0 else off


def _by_floor(line: Line) -> LimitedBy:
    return "floor" if line.floor else "zero"


def _limited(share: Share, amount: int, by: LimitedBy) -> Share:
    return Share(share.line, share.parts, amount, share.base, share.asked, share.units, by)


def _cap(rule: Rule, lines: Sequence[Taken]) -> int | None:
    most = rule.limits.max_amount
    return None if most is None or not lines else int(most * lines[0].line.scale)


def _shared(rule: Rule, take: Take) -> Settled:
    """One amount for all lines, rounded once."""
    found = [_sums(taken) for taken in take.lines]
    weights = [asked for asked, _, _ in found]
    whole = sum_of(weights)
    asked = whole if take.whole is None else take.whole
    cap, amount = _cap(rule, take.lines), round_half_up(asked)
    capped = cap is not None and amount > cap
    amount = cap if cap is not None and capped else amount
    rooms = [_room(taken) for taken in take.lines]
    given = allocate(amount, weights, rooms)
    even = split_units(amount, weights)
    shares = [
        Share(
            taken.line,
            taken.parts,
            part,
            base,
            part_of(asked * weight, whole.denominator, whole.numerator) if whole else 0,
            units,
            _by_floor(taken.line) if part < fair else "cap" if capped else None,
        )
        for taken, (weight, base, units), part, fair in zip(
            take.lines, found, given, even, strict=True
        )
    ]
    return Settled(tuple(shares), amount - sum(given) if shares else 0)


def _room(taken: Taken) -> int:
    """How much the units that are used can give, in whole units, above the line's floor."""
    line = taken.line
    exact = sum_of(line.room(p.run, p.count) for p in taken.parts if p.off)
    return max(0, min(line.total - line.lowest, math.floor(exact)))


def allocate(amount: int, weights: Sequence[Exact], rooms: Sequence[int]) -> list[int]:
    """Shares an amount by weight, no part above its room; the rest goes to parts with room left."""
    given = [0] * len(weights)
    able: list[int] = [n for n, weight in enumerate(weights) if weight > 0 and rooms[n] > 0]
    left = amount
    while able and left > 0:
        whole = sum_of(weights[n] for n in able)
        full: set[int] = {n for n in able if left * weights[n] > rooms[n] * whole}
        if not full:
            for n, part in zip(able, split_units(left, [weights[n] for n in able]), strict=True):
                given[n] = part
            break
        for n in full:
            given[n] = rooms[n]
            left -= rooms[n]
        able = [n for n in able if n not in full]
    return given


def in_major(minor: int, exponent: int) -> Decimal:
    """An amount of smallest units in major units, with the decimals of its currency."""
    return Decimal(minor) * _UNITS[exponent]
