"""Postings: from what an act does to the lines of an order to the entries that it adds.

An act is a number of movements, each of units and money of one line. Every movement becomes an
entry with both parts of its amount. A placement with a fee has an entry for that too; cancelling
gives the fee back by units, and refunding keeps it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from attrs import frozen

from commerce_core.analytics.ledger import SalesEntry, platform_discount_of
from commerce_core.base.money import currency, share_of_units
from commerce_core.orders.movement import Movement
from commerce_core.orders.order import Order

_ZERO: Final = Decimal(0)


def entries_of(
    order: Order,
    movements: Iterable[Movement],
    at: datetime,
    mint: Callable[[], str],
    so_far: Iterable[SalesEntry] = (),
) -> list[SalesEntry]:
    """The entries that an act adds; `so_far` are the order's entries before it, none for a new one.

    A reversal names the entry of the placement that it takes back.
    """
    lines = {item_id: _Line.of(entries) for item_id, entries in _by_line(so_far).items()}
    made: list[SalesEntry] = []
    for movement in movements:
        line = lines.get(movement.item.item_id, _Line())
        made.extend(_entries(order, movement, at, mint, line))
    return made


@frozen
class _Line:
    """What the ledger has of one line."""

    placed: SalesEntry | None = None
    fee: SalesEntry | None = None
    units_reversed: int = 0

    @classmethod
    def of(cls, entries: list[SalesEntry]) -> "_Line":
        """Sums up a line's entries."""
        placed = next((entry for entry in entries if entry.kind == "placed"), None)
        fee = next((e for e in entries if e.kind == "fee" and e.reverses is None), None)
        back = sum(e.quantity for e in entries if e.kind in ("cancelled", "refunded"))
        return cls(placed, fee, back)


def _by_line(entries: Iterable[SalesEntry]) -> Mapping[str, list[SalesEntry]]:
    lines: dict[str, list[SalesEntry]] = {}
    for entry in entries:
        if entry.item_id is not None:
            lines.setdefault(entry.item_id, []).append(entry)
    return lines


def _entries(
    order: Order, movement: Movement, at: datetime, mint: Callable[[], str], line: _Line
) -> Iterator[SalesEntry]:
    item, is_goodwill = movement.item, movement.kind == "goodwill"
    gross = movement.amount if is_goodwill else movement.gross
    yield SalesEntry(
        mint(), movement.kind, at, order.order_id, item.item_id, item.partner_id,
        item.product_id, item.sku, order.currency, movement.quantity, gross,
        gross - movement.amount, movement.amount, movement.partner_amount,
        platform_discount=_platform_discount(movement, line),
        part_id=movement.part_id, refund_id=movement.refund_id, reason=movement.reason,
        reverses=line.placed.entry_id if line.placed else None,
    )  # fmt: skip
    fee, reverses = _fee(movement, line)
    zero = currency(order.currency).zero
    if fee:
        yield SalesEntry(
            mint(), "fee", at, order.order_id, item.item_id, item.partner_id, item.product_id,
            item.sku, order.currency, 0, zero, zero, zero, -fee, zero,
            part_id=movement.part_id, reverses=reverses, reason=movement.reason,
        )  # fmt: skip


def _platform_discount(movement: Movement, line: _Line) -> Decimal:
    """The platform's part of the discount that belongs to the units."""
    if movement.kind == "placed":
        return platform_discount_of(movement.item)
    if line.placed is None:
        return 0 * movement.amount
    whole, of = line.placed.platform_discount, line.placed.quantity
    return share_of_units(whole, line.units_reversed, movement.quantity, of)


def _fee(movement: Movement, line: _Line) -> tuple[Decimal, str | None]:
    """The fee that is taken, or given back (less than zero), and the entry that this reverses."""
    if movement.kind == "placed":
        return movement.item.fee, None
    if movement.kind != "cancelled" or line.fee is None or line.placed is None:
        return _ZERO, None
    taken = -line.fee.partner_amount
    back = share_of_units(taken, line.units_reversed, movement.quantity, line.placed.quantity)
    return -back, line.fee.entry_id
