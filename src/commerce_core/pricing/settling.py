"""Settling: from what a rule would take to whole amounts, within floors, caps and budgets.

Each line's amount is rounded once, halves away from zero. An amount for the order is shared by
largest remainder, ties to the smaller partner and sku; what a line has no room for goes to the
lines that have room, and what finds none is left unallocated.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from attrs import frozen

from commerce_core.base.money import MOST_DECIMALS, round_half_up, split_units
from commerce_core.pricing.lines import Line, Part
from commerce_core.pricing.rules import Rule
from commerce_core.pricing.units import Take, Taken, sum_of

LimitedBy = Literal["floor", "zero", "cap"]
_NOTHING: Final = Fraction(0)
_UNITS: Final = tuple(Decimal(1).scaleb(-exponent) for exponent in range(MOST_DECIMALS + 1))
"""The smallest units of currencies, by their number of decimals."""


@frozen
class Share:
    """What a rule takes off one line, in smallest units; negative for a markup.

    `base` is what the units concerned cost before, and `asked` what it would have taken without
    rounding and limits.
    """

    line: Line
    parts: tuple[Part, ...]
    amount: int
    base: Fraction | int
    asked: Fraction | int
    units: int
    limited_by: LimitedBy | None = None


@frozen
class Settled:
    """What a rule takes in all. `unallocated` is what no line had room for."""

    shares: tuple[Share, ...] = ()
    unallocated: int = 0

    @property
    def amount(self) -> int:
        """What is taken off the basket."""
        return sum(share.amount for share in self.shares)

    @property
    def has_effect(self) -> bool:
        """Whether any price changes."""
        return any(share.amount for share in self.shares)


def settle(rule: Rule, take: Take) -> Settled:
    """The whole amounts that the rule takes off each line."""
    if rule.applies_to == "order" or take.whole is not None:
        return _shared(rule, take)
    shares = tuple(map(_of_line, take.lines))
    amount, cap = sum(share.amount for share in shares), _cap(rule, take.lines)
    if cap is None or amount <= cap:
        return Settled(shares)
    capped = split_units(cap, [Fraction(max(0, share.amount)) for share in shares])
    return Settled(tuple(_limited(s, a, "cap") for s, a in zip(shares, capped, strict=True)))


def _of_line(taken: Taken) -> Share:
    line = taken.line
    parts = tuple(_within_room(line, part) for part in taken.parts)
    asked = taken.off
    wanted = amount = round_half_up(asked)
    if any(part is not whole for part, whole in zip(parts, taken.parts, strict=True)):
        amount = round_half_up(sum_of(part.off for part in parts))
    if amount > 0:
        amount = min(amount, max(0, line.total - line.lowest))
    limited = _by_floor(line) if amount < wanted else None
    return Share(line, parts, amount, taken.base, asked, taken.units, limited)


def _within_room(line: Line, part: Part) -> Part:
    """The part, with no more taken off than its units can give."""
    if part.off <= 0:
        return part
    room = line.room(part.run, part.count)
    return part if part.off <= room else Part(part.run, part.count, room)


def _by_floor(line: Line) -> LimitedBy:
    return "floor" if line.floor else "zero"


def _limited(share: Share, amount: int, by: LimitedBy) -> Share:
    return Share(share.line, share.parts, amount, share.base, share.asked, share.units, by)


def _cap(rule: Rule, lines: Sequence[Taken]) -> int | None:
    most = rule.limits.max_amount
    return None if most is None or not lines else int(most * lines[0].line.scale)


def _shared(rule: Rule, take: Take) -> Settled:
    """One amount for all lines, rounded once."""
    weights = [Fraction(taken.off) for taken in take.lines]
    asked = sum(weights, _NOTHING) if take.whole is None else take.whole
    cap, amount = _cap(rule, take.lines), round_half_up(asked)
    capped = cap is not None and amount > cap
    amount = cap if cap is not None and capped else amount
    rooms = [_room(taken) for taken in take.lines]
    given = allocate(amount, weights, rooms)
    even = split_units(amount, weights)
    whole = sum(weights, _NOTHING)
    shares = [
        Share(
            taken.line,
            taken.parts,
            part,
            taken.base,
            asked * weight / whole if whole else _NOTHING,
            taken.units,
            _by_floor(taken.line) if part < fair else "cap" if capped else None,
        )
        for taken, weight, part, fair in zip(take.lines, weights, given, even, strict=True)
    ]
    return Settled(tuple(shares), amount - sum(given) if shares else 0)


def _room(taken: Taken) -> int:
    """How much the units that are used can give, in whole units, above the line's floor."""
    line = taken.line
    exact = sum((line.room(p.run, p.count) for p in taken.parts if p.off), _NOTHING)
    return max(0, min(line.total - line.lowest, math.floor(exact)))


def allocate(amount: int, weights: Sequence[Fraction], rooms: Sequence[int]) -> list[int]:
    """Shares an amount by weight, no part above its room; the rest goes to parts with room left."""
    given = [0] * len(weights)
    able: list[int] = [n for n, weight in enumerate(weights) if weight > 0 and rooms[n] > 0]
    left = amount
    while able and left > 0:
        whole = sum((weights[n] for n in able), _NOTHING)
        full: set[int] = {n for n in able if left * weights[n] / whole > rooms[n]}
        if not full:
            parts = split_units(left, [weights[n] for n in able])
            given = [dict(zip(able, parts, strict=True)).get(n, g) for n, g in enumerate(given)]
            break
        for n in full:
            given[n] = rooms[n]
            left -= rooms[n]
        able = [n for n in able if n not in full]
    return given


def in_major(minor: int, exponent: int) -> Decimal:
    """An amount of smallest units in major units, with the decimals of its currency."""
    return Decimal(minor) * _UNITS[exponent]
