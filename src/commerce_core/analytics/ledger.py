"""The ledger, and the reference of the reports computed from it.

Whenever money moves, an entry is added: what happened to an order line, a fee, a payout, a
correction. Entries never change. Every figure of a report or of a statement is a sum of entries,
each counted at its own time, per currency and never converted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Final, Literal, get_args

from attrs import Factory, evolve, field, frozen

from commerce_core.base.calendar import Grain, period_start, periods
from commerce_core.orders.order import OrderItem

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
_ZERO: Final = Decimal(0)


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
    platform_discount: Decimal = _ZERO
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


def gross_of(item: OrderItem) -> Decimal:
    """The list price of a line's units, and what was added to it."""
    added = (step.amount for step in item.adjustments if step.amount > 0)
    return item.list_price * item.quantity + sum(added, _ZERO)


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


@frozen
class SalesQuestion:
    """Selects entries: from `since` (inclusive) to `until` (exclusive), by partner and currency.

    With a `grain` they are grouped by period, in the local time of `zone`; weeks start on Monday.
    """

    since: datetime
    until: datetime
    partner_id: str | None = None
    currency: str | None = None
    grain: Grain | None = None
    zone: str = "UTC"

    def periods(self) -> Iterator[datetime]:
        """The first moments of all its periods, including empty ones; of days, without a grain.

        InvalidInput if there are too many, or if one begins or ends outside the calendar.
        """
        return periods(self.since, self.until, self.grain or "day", self.zone)


@frozen
class SalesTotal:
    """The figures of one partner in one currency and, with a grain, one period (its first moment).

    `orders` is the number of orders with a line placed then, and not wholly cancelled before the
    end of the question. `gross` is placed at list price; `net` and `units` are placed less
    what was cancelled and refunded.
    """

    period: datetime | None
    partner_id: str
    currency: str
    orders: int
    units: int
    gross: Decimal
    net: Decimal

    @classmethod
    def nothing(cls, period: datetime, partner_id: str, code: str) -> "SalesTotal":
        """The figures of a period without entries."""
        return cls(period, partner_id, code, 0, 0, _ZERO, _ZERO)


def fold(entries: Iterable[SalesEntry], question: SalesQuestion) -> list[SalesTotal]:
    """The reference report: totals by period, partner and currency, in that order."""
    before_end = [
        entry for entry in entries if entry.at < question.until and entry.kind in SALE_KINDS
    ]
    cancelled = Counter[str | None]()
    for entry in before_end:
        if entry.kind == "cancelled":
            cancelled[entry.item_id] += entry.quantity
    groups: defaultdict[tuple[datetime | None, str, str], list[SalesEntry]] = defaultdict(list)
    for entry in before_end:
        if _counts(entry, question):
            groups[_period_of(entry.at, question), entry.partner_id, entry.currency].append(entry)
    ordered = sorted(groups.items(), key=lambda group: (str(group[0][0]), *group[0][1:]))
    return [_total(*key, members, cancelled) for key, members in ordered]


def _counts(entry: SalesEntry, question: SalesQuestion) -> bool:
    return (
        question.since <= entry.at
        and question.partner_id in (None, entry.partner_id)
        and question.currency in (None, entry.currency)
    )


def _period_of(at: datetime, question: SalesQuestion) -> datetime | None:
    return None if question.grain is None else period_start(at, question.grain, question.zone)


def _total(
    period: datetime | None, partner_id: str, code: str,
    entries: Sequence[SalesEntry], cancelled: Mapping[str | None, int],
) -> SalesTotal:  # fmt: skip
    placed = [entry for entry in entries if entry.kind == "placed"]
    signed = [entry.signed for entry in entries]
    return SalesTotal(
        period,
        partner_id,
        code,
        orders=len({e.order_id for e in placed if cancelled[e.item_id] < e.quantity}),
        units=sum(e.quantity for e in signed),
        gross=sum((e.gross for e in placed), _ZERO),
        net=sum((e.amount for e in signed), _ZERO),
    )
