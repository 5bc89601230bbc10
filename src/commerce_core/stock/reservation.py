"""Reservations: how orders deduct units from stock, and until when.

What a partner's feed says is never changed; what orders take from it is counted beside it. Units
on open lines always deduct. Once they are fulfilled, they go on deducting until a later snapshot of
the partner contains the product, since only then has the partner's figure lost them. Sources whose
quantities are net of orders have lost them as soon as a later snapshot contains the product, open
or not: there, every unit ordered deducts until then and no longer.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from attrs import evolve, frozen

MoveKind = Literal["released", "sent", "reopened", "restocked"]


@frozen
class Taking:
    """Units of a product that a new line takes; `net_of_orders` is how its source counts."""

    product_id: str
    item_id: str
    units: int
    net_of_orders: bool = False


@frozen
class StockMove:
    """What becomes of units of a line: they are released, sent, open again, or back for sale.

    `cause` is the fulfilment that they are sent with, or were.
    """

    kind: MoveKind
    product_id: str
    item_id: str
    units: int
    net_of_orders: bool = False
    cause: str = ""


@frozen
class Deduction:
    """Units of a line that deduct until a snapshot after `since` contains the product."""

    product_id: str
    item_id: str
    cause: str
    since: datetime
    units: int


@frozen
class StockChange:
    """What moves do: units that products reserve more or less, and how deductions become.

    A deduction with 0 units is over.
    """

    reserved: Mapping[str, int]
    deductions: Sequence[Deduction]


def may_be_there(takings: Iterable[Taking], short: Mapping[str, int]) -> bool:
    """Whether a product that was short of the units taken can supply them all the same."""
    wanted = Counter[str]()
    for taking in takings:
        wanted[taking.product_id] += taking.units
    return any(units >= wanted[product_id] for product_id, units in short.items())


def needs_deductions(moves: Iterable[StockMove]) -> bool:
    """Whether the deductions of the lines have to be known to decide what the moves do."""
    return any(
        (move.net_of_orders and move.kind != "sent") or move.kind in ("reopened", "restocked")
        for move in moves
    )


def decide(moves: Sequence[StockMove], known: Iterable[Deduction], at: datetime) -> StockChange:
    """What the moves do to reserved units, and to the deductions of their lines."""
    kept = {(d.item_id, d.cause): d for d in known}
    before = dict(kept)
    reserved = Counter[str]()
    for move in moves:
        match move.kind:
            case "sent" if not move.net_of_orders:
                key = (move.item_id, move.cause)
                kept[key] = Deduction(move.product_id, *key, at, move.units)
            case "reopened" if not move.net_of_orders:
                reserved[move.product_id] += move.units - _end(kept, move, only=move.cause)
            case "released" if not move.net_of_orders:
                reserved[move.product_id] -= move.units
            case "restocked" | "released":
                reserved[move.product_id] -= _end(kept, move)
            case _:
                pass  # Units of a net line deduct from when they are ordered, sent or not.
    changed = [d for key, d in kept.items() if before.get(key) != d]
    return StockChange({p: n for p, n in reserved.items() if n}, changed)


def _end(kept: dict[tuple[str, str], Deduction], move: StockMove, only: str | None = None) -> int:
    """Ends deductions of up to that many units of a line, the newest first; returns how many."""
    own = [d for d in kept.values() if d.item_id == move.item_id and only in (None, d.cause)]
    left = move.units
    for deduction in sorted(own, key=lambda d: (d.since, d.cause), reverse=True):
        ended = min(left, deduction.units)
        kept[deduction.item_id, deduction.cause] = evolve(deduction, units=deduction.units - ended)
        left -= ended
    return move.units - left
