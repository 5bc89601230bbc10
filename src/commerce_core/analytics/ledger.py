"""The ledger of sales, and the reports that are folded from it.

An entry is written for each line of an order when something happens to it, and never changed. A
figure of a report is a sum over entries, each counted when it happened, per currency, never
converted.
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
    """What happened to one line: `gross` at list price, `discount` from it, `amount` what was paid.

    All amounts are zero or more, in `currency`; a cancelled line has those that it was placed with.
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
        """The entry about a whole line."""
        gross = item.list_price * item.quantity
        return cls(
            entry_id, kind, at, order_id, item.item_id, item.partner_id, item.product_id, item.sku,
            code, item.quantity, gross, gross - item.line_total, item.line_total,
        )  # fmt: skip


@frozen
class SalesQuestion:
    """Which entries count: from `since` (included) to `until` (not), of a partner, in a currency.

    With a `grain` they are told apart by period, in the days and weeks of `zone`; weeks start on
    Monday.
    """

    since: datetime
    until: datetime
    partner_id: str | None = None
    currency: str | None = None
    grain: Grain | None = None
    zone: str = "UTC"

    def periods(self) -> Iterator[datetime]:
        """The first moments of all its periods, empty ones too; days where it has no grain.

        InvalidInput where there are too many, or where one begins or ends outside the calendar.
        """
        return periods(self.since, self.until, self.grain or "day", self.zone)


@frozen
class SalesTotal:
    """The figures of one partner in one currency, and one period (its first moment, UTC) if asked.

    `orders` have a line that was placed then and not wholly cancelled before the question's end;
    `gross` is what was placed at list price; `net` is placed less cancelled, and so are the units.
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
        """A period in which nothing happened."""
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
