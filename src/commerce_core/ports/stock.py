"""Port: the units of products that orders deduct from stock."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from commerce_core.stock.reservation import StockMove, Taking


class Stock(Protocol):
    """Reserved units, beside what partners' feeds say; `stock.reservation` defines how they move.

    Other units of work that change the reserved units of the same products wait until this one
    ends; all lock them in the same order, so none waits for ever. Call what changes them as late as
    possible.
    """

    def take(
        self, takings: Sequence[Taking], at: datetime, *, whole: bool = False
    ) -> Mapping[str, int]:
        """Reserves the units of all products that can supply all of theirs.

        Returns the other ones, each with the units that it can still supply; nothing of these
        was reserved. Unknown products supply none. A store may divide the units of a product in
        which many orders meet, and then refuse units that are there (`may_be_there`); never if they
        are taken as a `whole`, in a unit that has taken nothing else, which waits for the others.
        """
        ...

    def move(self, moves: Sequence[StockMove], at: datetime) -> None:
        """Moves units of lines, as `reservation.decide` defines."""
        ...

    def deducting(self, partner_id: str, before: datetime) -> Collection[str]:
        """The partner's products with deductions since before that moment."""
        ...

    def settle(self, product_ids: Collection[str], snapshot_at: datetime) -> None:
        """Ends the deductions of these products since before that moment: a snapshot has them."""
        ...


class StockUnit(Protocol):
    """The part of a unit of work for stock."""

    @property
    def stock(self) -> Stock:
        """The units of products that orders deduct."""
        ...
