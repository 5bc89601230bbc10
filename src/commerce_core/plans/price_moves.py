"""Price moves: by how much a plan changes prices, and which changes are too large to apply.

Moves are measured in hundredths of a percent, truncated towards zero, so that every store computes
the same whole numbers. They are the moves that the feed asks for, even if the old price is kept.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from operator import attrgetter
from typing import Final

from attrs import frozen

from commerce_core.catalog.product import Product
from commerce_core.schema.fields import Value

EDGES: Final = (-8_000, -5_000, -2_000, -500, 0, 500, 2_000, 5_000, 10_000, 40_000)
"""The bounds between the ranges of moves; an increase of four hundred percent is fivefold."""
MOST_MOVES_LISTED: Final = 10
MOST_LEAPS_LISTED: Final = 100
_EXACT: Final = Context(prec=60)


@frozen
class PriceMove:
    """A price that a feed changes: from `before` to `after`, in one currency, and by how much.

    `kept` is whether it is a leap, so that the old price stays.
    """

    sku: str
    line: int
    currency: str
    before: Decimal
    after: Decimal
    percent: Decimal
    kept: bool

    @classmethod
    def of(
        cls, sku: str, line: int, currency: str, *, before: Decimal, after: Decimal, kept: bool
    ) -> "PriceMove":
        """Measures a move."""
        hundredths = _EXACT.divide_int((after - before) * 10_000, before)
        return cls(sku, line, currency, before, after, Decimal(int(hundredths)).scaleb(-2), kept)

    @property
    def hundredths(self) -> int:
        """The change in hundredths of a percent."""
        return int(self.percent.scaleb(2))

    @property
    def rank(self) -> tuple[bool, Decimal, str]:
        """A sort key with the largest moves first: prices that become 0, then by factor."""
        if not self.after:
            return False, Decimal(0), self.sku
        larger, smaller = max(self.before, self.after), min(self.before, self.after)
        return True, -_EXACT.divide_int(larger * 100, smaller), self.sku


@frozen
class PriceRange:
    """The number of prices that move by at least `from_percent` and less than `to_percent`."""

    from_percent: int | None
    to_percent: int | None
    products: int


@frozen
class PriceMoves:
    """How a plan moves prices: how many, by how much, and the largest moves.

    `median_percent` is the median of all moves, up or down. `kept` prices would leap, and stay;
    `leaps` are the first of them by line.
    """

    moved: int = 0
    median_percent: Decimal | None = None
    ranges: tuple[PriceRange, ...] = ()
    largest: tuple[PriceMove, ...] = ()
    kept: int = 0
    leaps: tuple[PriceMove, ...] = ()

    @property
    def median_hundredths(self) -> int:
        """The median in hundredths of a percent; 0 if nothing moves."""
        return int(self.median_percent.scaleb(2)) if self.median_percent is not None else 0


NO_MOVES: Final = PriceMoves()


def move_of(
    product: Product, sku: str, line: int, values: Mapping[str, Value], leap: int | None
) -> PriceMove | None:
    """How the values move the product's price within its currency; None if they don't."""
    before, after = product.price, values.get("price")
    same = values.get("currency", product.currency) == product.currency
    if not before or not isinstance(after, Decimal) or after == before or not same:
        return None
    kept = leap is not None and after > 0 and (after >= before * leap or after * leap <= before)
    currency = product.currency or ""
    return PriceMove.of(sku, line, currency, before=before, after=after, kept=kept)


def price_moves(moves: Sequence[PriceMove]) -> PriceMoves:
    """Summarises the moves of a plan; the reference."""
    if not moves:
        return PriceMoves()
    counts = [0] * (len(EDGES) + 1)
    for move in moves:
        counts[bisect_right(EDGES, move.hundredths)] += 1
    sizes = sorted(abs(move.hundredths) for move in moves)
    return PriceMoves(
        len(moves),
        percent_of(sizes[(len(sizes) - 1) // 2]),
        ranges_of(counts),
        tuple(sorted(moves, key=attrgetter("rank"))[:MOST_MOVES_LISTED]),
        sum(move.kept for move in moves),
        leaps_of(moves),
    )


def leaps_of(moves: Iterable[PriceMove]) -> tuple[PriceMove, ...]:
    """The first leaps, by line."""
    kept = (move for move in moves if move.kept)
    return tuple(sorted(kept, key=attrgetter("line"))[:MOST_LEAPS_LISTED])


def percent_of(hundredths: int) -> Decimal:
    """Hundredths of a percent as percent."""
    return Decimal(hundredths).scaleb(-2)


def ranges_of(counts: Sequence[int]) -> tuple[PriceRange, ...]:
    """The ranges with the count of each, from the largest decrease upwards."""
    edges = [None, *(edge // 100 for edge in EDGES), None]
    return tuple(
        PriceRange(low, high, count)
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    )
