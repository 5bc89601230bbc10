"""Figures of sales: sums of the ledger's entries, and the reference that folds them.

Stores answer the same questions from sums that were made before; their answers are equal to these
at any moment.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from attrs import frozen

from commerce_core.analytics.ledger import SALE_KINDS, EntryKind, SalesEntry
from commerce_core.analytics.questions import Ranking, SalesQuestion
from commerce_core.base.calendar import period_start
from commerce_core.orders.line import OrderItem

_ZERO: Final = Decimal(0)
ALL_PARTNERS: Final = ""
"""The partner of figures that are of all partners."""
_BACK: Final = ("refunded", "goodwill")
K = TypeVar("K")


# There may be thousands: with slots, making them takes half as long again.
@frozen(slots=False)
class SalesTotal:
    """The figures of one partner (or of all), one currency and, with a grain, one period.

    `period` is its first moment. `orders` is the number of orders with a line placed then, and not
    wholly cancelled before the end of the question (or, by order, until now). `gross` is what was
    placed at list price, with what rules added; `discount` was taken off, of which
    `platform_discount` is paid by the platform. `cancelled` and `refunded` are what was taken back.
    `net` is what is left of gross after all three. `units` are placed less cancelled and refunded.
    """

    period: datetime | None
    partner_id: str
    currency: str
    orders: int
    units: int
    gross: Decimal
    discount: Decimal
    platform_discount: Decimal
    cancelled: Decimal
    refunded: Decimal
    net: Decimal

    @classmethod
    def nothing(cls, period: datetime | None, partner_id: str, code: str) -> "SalesTotal":
        """The figures of a period without entries."""
        return cls(period, partner_id, code, 0, 0, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO)


@frozen
class RankedTotal:
    """The figures of one product, brand or category in one currency.

    `name` is the product's id, or the brand or the category; None for products that have none.
    """

    name: str | None
    currency: str
    units: int
    gross: Decimal
    net: Decimal


@frozen
class ReasonTotal:
    """What was cancelled or refunded for one reason, in one currency, and in how many entries."""

    kind: EntryKind
    reason: str | None
    currency: str
    times: int
    units: int
    amount: Decimal


@frozen
class RuleTotal:
    """What one price rule did in one currency: the orders placed with it, and what it took off.

    `cost` is what it took off when the orders were placed, less than zero if it added more; of
    that, the platform pays `platform_cost`.
    """

    rule_id: str
    currency: str
    uses: int
    cost: Decimal
    platform_cost: Decimal


def fold(entries: Iterable[SalesEntry], question: SalesQuestion) -> list[SalesTotal]:
    """The reference report: totals by period, partner and currency, in that order."""
    sales = _Sales.of(entries, question)
    groups: defaultdict[tuple[datetime | None, str, str], list[SalesEntry]]
    groups = defaultdict(list)
    for at, entry in sales.counted:
        seller = entry.partner_id if question.by_partner else ALL_PARTNERS
        groups[sales.period_of(at), seller, entry.currency].append(entry)
    ordered = sorted(groups.items(), key=lambda group: tuple(map(str, group[0])))
    return [_total(*key, members, sales.cancelled) for key, members in ordered]


def fold_ranks(
    entries: Iterable[SalesEntry],
    question: SalesQuestion,
    ranking: Ranking,
    name_of: Callable[[str], str | None],
) -> list[RankedTotal]:
    """The reference of ranks, the highest first in each currency; ties are by name, None last.

    `name_of` maps a product's id to what is ranked.
    """
    sales = _Sales.of(entries, question)
    groups: defaultdict[tuple[str, str | None], list[SalesEntry]] = defaultdict(list)
    for _, entry in sales.counted:
        groups[entry.currency, name_of(entry.product_id or "")].append(entry)
    totals = [_ranked(name, code, members) for (code, name), members in groups.items()]
    totals.sort(key=lambda t: (t.currency, -getattr(t, ranking.measure), t.name is None, t.name))
    ranks = Counter[str]()
    kept: list[RankedTotal] = []
    for total in totals:
        ranks[total.currency] += 1
        if ranks[total.currency] <= ranking.limit:
            kept.append(total)
    return kept


def fold_reasons(entries: Iterable[SalesEntry], question: SalesQuestion) -> list[ReasonTotal]:
    """The reference of what was taken back, by kind, reason and currency, in that order."""
    groups: defaultdict[tuple[EntryKind, str, str], list[SalesEntry]] = defaultdict(list)
    for _, entry in _Sales.of(entries, question).counted:
        if entry.kind != "placed":
            groups[entry.kind, entry.reason or "", entry.currency].append(entry)
    return [
        ReasonTotal(
            kind, reason or None, code, len(members), sum(e.quantity for e in members),
            _sum(e.amount for e in members),
        )
        for (kind, reason, code), members in sorted(groups.items())
    ]  # fmt: skip


def fold_rules(
    entries: Iterable[SalesEntry], question: SalesQuestion, lines: Mapping[str, OrderItem]
) -> list[RuleTotal]:
    """The reference of what rules did, by rule and currency; `lines` are those of orders, by id."""
    uses: defaultdict[tuple[str, str], set[str | None]] = defaultdict(set)
    costs: defaultdict[tuple[str, str], list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for _, entry in _Sales.of(entries, question).counted:
        line = lines.get(entry.item_id or "")
        for step in line.adjustments if line and entry.kind == "placed" else ():
            if step.rule_id is not None:
                key = step.rule_id, entry.currency
                uses[key].add(entry.order_id)
                costs[key].append((-step.amount, step.partners_part - step.amount))
    return [
        RuleTotal(*key, len(uses[key]), *(_sum(parts) for parts in zip(*costs[key], strict=True)))
        for key in sorted(uses)
    ]


@frozen
class _Sales:
    """The entries that count, each with the moment at which it does, and the units cancelled."""

    question: SalesQuestion
    counted: Sequence[tuple[datetime, SalesEntry]]
    cancelled: Mapping[str | None, int]

    @classmethod
    def of(cls, entries: Iterable[SalesEntry], question: SalesQuestion) -> "_Sales":
        """Selects them."""
        known = [entry for entry in entries if entry.kind in SALE_KINDS]
        if question.basis == "event":
            known = [entry for entry in known if entry.at < question.until]
        cancelled = Counter[str | None]()
        for entry in known:
            if entry.kind == "cancelled":
                cancelled[entry.item_id] += entry.quantity
        counted = [(at, e) for at, e in _moments(known, question) if _counts(at, e, question)]
        return cls(question, counted, cancelled)

    def period_of(self, at: datetime) -> datetime | None:
        """The first moment of its period."""
        question = self.question
        return None if question.grain is None else period_start(at, question.grain, question.zone)


def _moments(
    entries: Sequence[SalesEntry], question: SalesQuestion
) -> list[tuple[datetime, SalesEntry]]:
    """Each entry with the moment at which it counts; an order's lines were placed at once."""
    if question.basis == "event":
        return [(entry.at, entry) for entry in entries]
    placed = {entry.order_id: entry.at for entry in entries if entry.kind == "placed"}
    return [(placed[e.order_id], e) for e in entries if e.order_id in placed]


def _counts(at: datetime, entry: SalesEntry, question: SalesQuestion) -> bool:
    return (
        question.since <= at < question.until
        and question.partner_id in (None, entry.partner_id)
        and question.currency in (None, entry.currency)
    )


def _total(
    period: datetime | None, partner_id: str, code: str,
    entries: Sequence[SalesEntry], cancelled: Mapping[str | None, int],
) -> SalesTotal:  # fmt: skip
    placed = [entry for entry in entries if entry.kind == "placed"]
    return SalesTotal(
        period,
        partner_id,
        code,
        orders=len({e.order_id for e in placed if cancelled[e.item_id] < e.quantity}),
        units=sum(e.signed.quantity for e in entries),
        gross=_sum(e.gross for e in placed),
        discount=_sum(e.discount for e in placed),
        platform_discount=_sum(e.platform_discount for e in placed),
        cancelled=_sum(e.amount for e in entries if e.kind == "cancelled"),
        refunded=_sum(e.amount for e in entries if e.kind in _BACK),
        net=_sum(e.signed.amount for e in entries),
    )


def _ranked(name: str | None, code: str, entries: Sequence[SalesEntry]) -> RankedTotal:
    return RankedTotal(
        name,
        code,
        sum(e.signed.quantity for e in entries),
        _sum(e.gross for e in entries if e.kind == "placed"),
        _sum(e.signed.amount for e in entries),
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, _ZERO)
