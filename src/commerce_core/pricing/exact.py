"""Exact amounts: whole numbers of a currency's smallest unit, and fractions only between them.

Most amounts of a basket are whole, and adding or comparing whole numbers takes a tenth of the time
that fractions take. So a fraction is made only where a division leaves a rest.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

Exact: TypeAlias = int | Fraction


def part_of(amount: Exact, numerator: int, denominator: int) -> Exact:
    """The amount times a fraction, whose denominator isn't 0."""
    if isinstance(amount, int):
        product = amount * numerator
    else:
        product, denominator = amount.numerator * numerator, amount.denominator * denominator
    whole, rest = divmod(product, denominator)
    return Fraction(product, denominator) if rest else whole


def exact(amount: Decimal, scale: int) -> Exact:
    """An amount in major units as smallest units, of which one major unit has `scale`."""
    return part_of(scale, *amount.as_integer_ratio())


def sum_of(amounts: Iterable[Exact]) -> Exact:
    """The sum; of one amount that itself, since adding fractions is slow."""
    found = iter(amounts)
    total = next(found, 0)
    for amount in found:
        total += amount
    return total
