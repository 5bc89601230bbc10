"""The sales ledger, and the reference of the reports computed from it.

Whenever something happens to an order line, an entry is added; entries never change. Every figure
of a report is a sum of entries, each counted at its own time, per currency and never converted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from attrs import frozen

from commerce_core.base.calendar import Grain, period_start, periods
from commerce_core.orders.order import OrderItem

EntryKind = Literal["placed", "cancelled"]
_ZERO: Final = Decimal(0)


@frozen
class SalesEntry:
    """What happened to one order line: its `gross`, its `discount`, the `amount` to pay.

    `gross` is the list price and what was added to it. All amounts are zero or more, in `currency`;
    a cancellation has the amounts of the placement.
    """

    entry_id: str
    kind: EntryKind
    at: datetime
    order_id: str
    item_id: str
    partner_id: str
    product_id: str
    sku: str
    currency: str
    quantity: int
    gross: Decimal
    discount: Decimal
    amount: Decimal

    @classmethod
    def of(  # noqa: PLR0917 - in the order of the entry's own fields
        cls, entry_id: str, kind: EntryKind, at: datetime, order_id: str, code: str, item: OrderItem
    ) -> "SalesEntry":
        """The entry for a whole line."""
        added = (step.amount for step in item.adjustments if step.amount > 0)
        gross = item.list_price * item.quantity + sum(added, _ZERO)
        return cls(
            entry_id, kind, at, order_id, item.item_id, item.partner_id, item.product_id, item.sku,
            code, item.quantity, gross, gross - item.line_total, item.line_total,
        )  # fmt: skip


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
    cancelled.
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
    before_end = [entry for entry in entries if entry.at < question.until]
    cancelled = Counter[str]()
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
    entries: Sequence[SalesEntry], cancelled: Mapping[str, int],
) -> SalesTotal:  # fmt: skip
    placed = [entry for entry in entries if entry.kind == "placed"]
    undone = [entry for entry in entries if entry.kind == "cancelled"]
    return SalesTotal(
        period,
        partner_id,
        code,
        orders=len({e.order_id for e in placed if cancelled[e.item_id] < e.quantity}),
        units=sum(e.quantity for e in placed) - sum(e.quantity for e in undone),
        gross=sum((e.gross for e in placed), _ZERO),
        net=sum((e.amount for e in placed), _ZERO) - sum((e.amount for e in undone), _ZERO),
    )
