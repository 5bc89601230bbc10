"""Movements: what an act does to a line's units and money, from which ledger entries are made."""

from decimal import Decimal
from typing import Literal

from attrs import frozen

from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import Order
from commerce_core.orders.part import part_id_of

MovementKind = Literal["placed", "cancelled", "refunded", "goodwill"]


@frozen
class Movement:
    """What is sold, or no longer is: sizes, which are never negative.

    `item` is the line before the act. `quantity` are the units that are sold or no longer count as
    sold, `gross` is what they cost at list price, `amount` what is paid for them or paid back, and
    `partner_amount` the partner's part of it.
    """

    kind: MovementKind
    item: OrderItem
    quantity: int
    gross: Decimal
    amount: Decimal
    partner_amount: Decimal
    part_id: str
    refund_id: str | None = None
    reason: str | None = None


def gross_of(line: OrderItem) -> Decimal:
    """The list price of a line's units, and what was added to it."""
    added = (step.amount for step in line.adjustments if step.amount > 0)
    return sum(added, line.list_price * line.quantity)


def placed(order: Order) -> list[Movement]:
    """The movements of a new order, one for each line."""
    return [
        Movement(
            "placed", item, item.quantity, gross_of(item), item.line_total, item.partner_amount,
            part_id_of(order.order_id, item.partner_id),
        )
        for item in order.items
    ]  # fmt: skip
