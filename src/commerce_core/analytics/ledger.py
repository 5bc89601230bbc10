"""The ledger: every movement of money, as entries that add up.

Whenever money moves, an entry is added: what happened to an order line, a fee, a payout, a
correction. Entries never change. Every figure of a report or of a statement is a sum of entries,
each counted at its own time, per currency and never converted.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Final, Literal, get_args

from attrs import Factory, evolve, field, frozen

from commerce_core.base.calendar import check_range
from commerce_core.orders.line import OrderItem
from commerce_core.orders.movement import gross_of

EntryKind = Literal["placed", "cancelled", "refunded", "goodwill", "fee", "payout", "correction"]
ENTRY_KINDS: Final[tuple[EntryKind, ...]] = get_args(EntryKind)
SIGNS: Final[Mapping[EntryKind, Literal[1, -1]]] = {
    "placed": 1,
    "cancelled": -1,
    "refunded": -1,
    "goodwill": -1,
    "fee": 1,
    "payout": -1,
    "correction": 1,
}
"""Whether the figures of a kind count as they are, or the other way."""
SALE_KINDS: Final[tuple[EntryKind, ...]] = ("placed", "cancelled", "refunded", "goodwill")
"""The kinds that reports of sales are made of; the others move only what is owed."""


@frozen
class SalesEntry:
    """What happened to money, in `currency`; the figures are sizes, and `signed` adds them up.

    `gross` is the list price and what was added to it, less `discount` it is the `amount`, which
    the customer pays, or gets back. Of that, `partner_amount` is the partner's, and the rest the
    platform's. `platform_discount` is the part of the discount that the platform pays for.
    `quantity` is the number of units that moved. A reversal has what it takes back of the entry
    that it `reverses`. A fee or a correction has an amount of 0: it moves money between the two.
    What belongs to no order line has no order, line, product or sku. `reason` is a refund's or a
    correction's, or the bank's reference of a payout.
    """

    entry_id: str
    kind: EntryKind
    at: datetime
    order_id: str | None
    item_id: str | None
    partner_id: str
    product_id: str | None
    sku: str | None
    currency: str
    quantity: int
    gross: Decimal
    discount: Decimal
    amount: Decimal
    partner_amount: Decimal = field(default=Factory(lambda entry: entry.amount, takes_self=True))
    platform_discount: Decimal = field(
        default=Factory(lambda entry: entry.amount * 0, takes_self=True)
    )
    part_id: str | None = None
    refund_id: str | None = None
    reverses: str | None = None
    reason: str | None = None

    @property
    def platform_amount(self) -> Decimal:
        """What of the amount is the platform's."""
        return self.amount - self.partner_amount

    @property
    def signed(self) -> "SalesEntry":
        """The entry with figures that add up: those of a cancellation are negative."""
        if SIGNS[self.kind] > 0:
            return self
        return evolve(
            self,
            quantity=-self.quantity,
            gross=-self.gross,
            discount=-self.discount,
            amount=-self.amount,
            partner_amount=-self.partner_amount,
            platform_discount=-self.platform_discount,
        )

    @classmethod
    def of(  # noqa: PLR0917 - in the order of the entry's own fields
        cls, entry_id: str, kind: EntryKind, at: datetime, order_id: str, code: str, item: OrderItem
    ) -> "SalesEntry":
        """The entry for a whole line."""
        gross = gross_of(item)
        return cls(
            entry_id, kind, at, order_id, item.item_id, item.partner_id, item.product_id, item.sku,
            code, item.quantity, gross, gross - item.line_total, item.line_total,
            item.partner_amount, platform_discount_of(item),
        )  # fmt: skip


def platform_discount_of(item: OrderItem) -> Decimal:
    """What the platform pays for of all that was taken off a line."""
    taken = (step for step in item.adjustments if step.amount < 0)
    return sum((step.partners_part - step.amount for step in taken), 0 * item.line_total)


@frozen
class EntryQuery:
    """Selects the entries that match every given filter, newest first."""

    IDENTITY: ClassVar = (
        "EntryQuery(partner_id={0.partner_id!r}, kind={0.kind!r}, currency={0.currency!r}, "
        "order_id={0.order_id!r}, since={0.since!r}, until={0.until!r}, "
        "statement_id={0.statement_id!r})"
    )
    partner_id: str | None = None
    kind: EntryKind | None = None
    currency: str | None = None
    order_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    statement_id: str | None = None

    def __attrs_post_init__(self) -> None:
        check_range(self.since, self.until)
