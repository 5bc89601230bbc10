"""Parts of an order, one for each partner: fulfilments, refunds, and what they come to."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal

from attrs import frozen

from commerce_core.orders.line import OrderItem
from commerce_core.orders.states import OrderStatus, Standing


@frozen
class FulfilledUnits:
    """Units of a line that a fulfilment contains."""

    item_id: str
    quantity: int


@frozen
class Fulfilment:
    """Units that were sent together; once it is cancelled, they are open again."""

    fulfilment_id: str
    part_id: str
    partner_id: str
    status: Literal["sent", "cancelled"]
    items: tuple[FulfilledUnits, ...]
    carrier: str | None
    tracking_number: str | None
    created_at: datetime
    cancelled_at: datetime | None = None


@frozen
class RefundedUnits:
    """What a refund pays back for a line: `amount`, for units or, with a quantity of 0, without.

    Of the units, `returned` came back, and `cancelled` hadn't been sent and never will be.
    """

    item_id: str
    quantity: int
    amount: Decimal
    returned: int = 0
    cancelled: int = 0


@frozen
class Refund:
    """Money of a part that was paid back, for units or as goodwill, and the reason.

    `restock` is whether the units that came back can be sold again.
    """

    refund_id: str
    order_id: str
    part_id: str
    partner_id: str
    kind: Literal["units", "goodwill"]
    reason: str
    currency: str
    amount: Decimal
    items: tuple[RefundedUnits, ...]
    returned: bool
    restock: bool
    created_at: datetime


@frozen
class PartMark:
    """What has happened to a part apart from its lines; none means that nothing has."""

    partner_id: str
    version: int = 1
    status: OrderStatus = "created"
    confirmed_at: datetime | None = None
    updated_at: datetime | None = None


@frozen
class Part:
    """The lines of one partner in an order, their state, and what they come to."""

    part_id: str
    partner_id: str
    version: int
    status: OrderStatus
    confirmed_at: datetime | None
    total_amount: Decimal
    cancelled_amount: Decimal
    refunded_amount: Decimal
    partner_amount: Decimal
    items: tuple[OrderItem, ...]
    fulfilments: tuple[Fulfilment, ...]
    refunds: tuple[Refund, ...]

    @property
    def refundable_amount(self) -> Decimal:
        """What of its money hasn't gone back."""
        return self.total_amount - self.cancelled_amount - self.refunded_amount


def part_id_of(order_id: str, partner_id: str) -> str:
    """The id of a partner's part of an order, which follows from both."""
    body = order_id.rpartition("_")[2]
    digest = hashlib.sha256(f"{order_id} {partner_id}".encode()).hexdigest()
    return f"part_{body[:15]}{digest[:17]}"


def status_of(items: Iterable[OrderItem], mark: PartMark) -> OrderStatus:
    """The state of a part."""
    return Standing.of(items, confirmed=mark.confirmed_at is not None).status
