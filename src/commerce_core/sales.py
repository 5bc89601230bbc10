"""The ledger of sales, and the reports that are folded from it.

An entry is written for each line of an order when something happens to it, and never changed. A
figure of a report is a sum over entries, each counted when it happened, per currency, never
converted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from attrs import field, frozen

from commerce_core.errors import InvalidInput
from commerce_core.money import apportion
from commerce_core.orders import OrderItem

EntryKind = Literal["placed", "cancelled"]
Grain = Literal["hour", "day", "week", "month"]
MOST_PERIODS: Final = 10_000
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


def period_start(at: datetime, grain: Grain, zone: str) -> datetime:
    """The first moment (UTC) of the period in which a moment lies, by the clocks of the zone."""
    clocks = ZoneInfo(zone)
    local = at.astimezone(clocks)
    if grain == "hour":
        into = timedelta(0, local.second, local.microsecond, minutes=local.minute)
        start = at.astimezone(UTC) - into
        same = start.astimezone(clocks).utcoffset() == local.utcoffset()
        return start if same else _clock_change(start, at.astimezone(UTC), clocks)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    if grain == "week":
        day -= timedelta(days=day.weekday())
    if grain == "month":
        day = day.replace(day=1)
    return _first_moment(day, clocks)


def _first_moment(day: datetime, clocks: ZoneInfo) -> datetime:
    """When the clocks first show that midnight or, where they skip it, what comes after it."""
    first, other = (day.replace(tzinfo=clocks, fold=fold).astimezone(UTC) for fold in (0, 1))
    shown = first.astimezone(clocks).replace(tzinfo=None) == day
    return first if shown else _clock_change(other, first, clocks)


def _clock_change(before: datetime, after: datetime, clocks: ZoneInfo) -> datetime:
    """The whole second, of those after `before`, from which on the offset is that of `after`."""
    offset = after.astimezone(clocks).utcoffset()
    low, high = 0, (after - before) // timedelta(seconds=1)
    while high - low > 1:
        middle = (low + high) // 2
        there = (before + timedelta(seconds=middle)).astimezone(clocks).utcoffset() == offset
        low, high = (low, middle) if there else (middle, high)
    return before + timedelta(seconds=high)


def periods(question: SalesQuestion) -> Iterator[datetime]:
    """The first moments of all periods that the question touches, empty ones too.

    InvalidInput where there are too many, or where one begins or ends outside of the calendar.
    """
    grain = question.grain or "day"
    try:
        at = period_start(question.since, grain, question.zone)
        for _ in range(MOST_PERIODS + 1):
            if at >= question.until:
                return
            yield at
            at = _next_period(at, grain, question.zone)
    except OverflowError as error:
        detail = "The range reaches to where the calendar ends."
        raise InvalidInput.at("/from", "bad_range", detail) from error
    detail = f"The range has over {MOST_PERIODS:,} periods; take a coarser grain."
    raise InvalidInput.at("/grain", "too_many_periods", detail)


def _next_period(at: datetime, grain: Grain, zone: str) -> datetime:
    if grain == "hour":
        # Clocks that are set back or forward by half an hour make one that is shorter.
        beyond = period_start(at + timedelta(hours=1), grain, zone)
        between = period_start(beyond - datetime.resolution, grain, zone)
        return between if between > at else beyond
    # A step that surely ends within the next period, whatever the clocks do in between.
    days = {"day": 1, "week": 7, "month": 31}[grain]
    local = at.astimezone(ZoneInfo(zone)).replace(hour=12)
    return period_start(local + timedelta(days=days), grain, zone)


def show_period(at: datetime, grain: Grain, zone: str) -> str:
    """The local start of a period: a date, or for hours a time with its offset."""
    local = at.astimezone(ZoneInfo(zone))
    return local.isoformat(timespec="seconds") if grain == "hour" else local.date().isoformat()


def shares(totals: Sequence[SalesTotal]) -> list[Decimal]:
    """Each total's percentage of its currency's net, two decimals, adding up to 100 per currency.

    In a currency whose net is not above zero there is nothing to share: all are 0.00.
    """
    percents: dict[int, Decimal] = {}
    for code in {total.currency for total in totals}:
        own = [total for total in totals if total.currency == code]
        something = sum(total.net for total in own) > 0
        parts = apportion(Decimal(100 if something else 0), [total.net for total in own], 2)
        percents.update(zip(map(id, own), parts, strict=True))
    return [percents[id(total)] for total in totals]


@frozen
class PartnerSales:
    """A row of sales by partner; `total_sales` is net, amounts are in `currency`."""

    partner_id: str
    partner_name: str
    currency: str
    orders: int
    units_sold: int
    gross_sales: Decimal
    total_sales: Decimal


@frozen
class PeriodSales:
    """A row of sales over time, which begins at the local time `sales_period`."""

    sales_period: str
    partner_id: str
    partner_name: str
    currency: str
    orders: int
    units_sold: int
    gross_sales: Decimal
    total_sales: Decimal


@frozen
class RevenueShare:
    """A row of the revenue share; `revenue_pct` is of all revenue in the same currency."""

    partner_id: str
    partner_name: str
    currency: str
    total_revenue: Decimal
    revenue_pct: Decimal


@frozen
class Report:
    """A report's rows, and the range that they are about."""

    since: datetime
    until: datetime
    tz: str
    results: tuple[PartnerSales | PeriodSales | RevenueShare, ...] = field(factory=tuple)
