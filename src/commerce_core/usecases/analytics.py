"""Analytics: sales by partner and over time, and each partner's share of the revenue."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from commerce_core.analytics.entries_file import write_entries
from commerce_core.analytics.ledger import EntryQuery, SalesEntry, SalesQuestion, SalesTotal
from commerce_core.analytics.reconciliation import Reconciliation, complete
from commerce_core.analytics.reports import PartnerSales, PeriodSales, Report, RevenueShare, shares
from commerce_core.base.calendar import Grain, show_period
from commerce_core.base.errors import Fault, Forbidden, InvalidInput, refuse_if
from commerce_core.base.money import currency
from commerce_core.base.paging import DEFAULT_LIMIT, Page, Position, every
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context, Listed

MOST_ROWS: Final = 100_000
"""Maximum number of rows of a report; a query for more is refused."""
ENTRIES_AT_ONCE: Final = 1_000
"""Entries that are read at once, when all are."""
_ANY_ENTRY: Final = EntryQuery()


@frozen
class Analytics:
    """Figures computed from the sales ledger, per currency and never converted."""

    _context: Context

    def sales_by_partner(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        partner: str | None = None,
        currency: str | None = None,
        tz: str = "UTC",
    ) -> Report:
        """Orders, units, gross and net by partner and currency, from `since` to before `until`."""
        with self._context.store.begin() as unit:
            question = self._question(unit, (since, until), partner, currency, tz)
            totals = unit.sales.totals(question)
            names = unit.partners.names({total.partner_id for total in totals})
        rows = [
            PartnerSales(
                total.partner_id,
                names[total.partner_id],
                total.currency,
                total.orders,
                total.units,
                _shown(total.gross, total.currency),
                _shown(total.net, total.currency),
            )
            for total in totals
        ]
        rows.sort(key=lambda row: (row.currency, -row.total_sales, row.partner_id))
        return _report(question, rows)

    def sales_over_time(
        self,
        *,
        grain: Grain = "day",
        since: datetime | None = None,
        until: datetime | None = None,
        partner: str | None = None,
        currency: str | None = None,
        tz: str = "UTC",
    ) -> Report:
        """Orders, units, gross and net by period in local time, including empty periods."""
        with self._context.store.begin() as unit:
            question = self._question(unit, (since, until), partner, currency, tz)
            question = evolve(question, grain=grain)
            totals = unit.sales.totals(question)
            sellers = _sellers(question, totals)
            names = unit.partners.names({partner_id for partner_id, _ in sellers})
        found = {(total.period, total.partner_id, total.currency): total for total in totals}
        moments = list(question.periods()) if sellers else []
        _check_rows(len(moments) * len(sellers))
        rows = [
            _period_row(
                found.get((at, *seller)) or SalesTotal.nothing(at, *seller),
                grain,
                tz,
                names[seller[0]],
            )
            for at in moments
            for seller in sellers
        ]
        return _report(question, rows)

    def revenue_share(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        partner: str | None = None,
        currency: str | None = None,
        tz: str = "UTC",
    ) -> Report:
        """Each partner's net, and its percentage of all revenue that the principal may see."""
        with self._context.store.begin() as unit:
            asked = self._question(unit, (since, until), partner, currency, tz)
            everyone = evolve(asked, partner_id=self._context.principal.partner_id)
            totals = unit.sales.totals(everyone)
            names = unit.partners.names({total.partner_id for total in totals})
        rows = [
            RevenueShare(
                total.partner_id,
                names[total.partner_id],
                total.currency,
                _shown(total.net, total.currency),
                share,
            )
            for total, share in zip(totals, shares(totals), strict=True)
            if asked.partner_id in (None, total.partner_id)
        ]
        rows.sort(key=lambda row: (row.currency, -row.total_revenue, row.partner_id))
        return _report(asked, rows)

    def entries(
        self, query: EntryQuery = _ANY_ENTRY, *, partner: str | None = None
    ) -> Iterator[SalesEntry]:
        """All matching entries of the ledger, newest first; their figures add up."""
        own = self._context.own(query, partner)

        def fetch(after: Position | None) -> Page[SalesEntry]:
            with self._context.store.read_only() as unit:
                return unit.sales.page(own, after, ENTRIES_AT_ONCE)

        return (entry.signed for entry in every(fetch))

    def page_entries(
        self,
        query: EntryQuery = _ANY_ENTRY,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[SalesEntry]:
        """A page of the matching entries, newest first; their figures add up."""
        own = self._context.own(query, partner)
        with self._context.store.read_only() as unit:
            page = self._context.listed(unit.sales, own, cursor, limit, count=count)
        return evolve(page, items=tuple(entry.signed for entry in page.items))

    @contextmanager
    def export_entries(
        self, query: EntryQuery = _ANY_ENTRY, *, partner: str | None = None
    ) -> Generator[Iterator[bytes]]:
        """The matching entries as CSV, in blocks of bytes."""
        yield write_entries(self.entries(query, partner=partner))

    def reconciliation(self) -> Reconciliation:
        """Compares what is kept in different places, all as of one moment; the operator's alone."""
        if self._context.principal.partner_id is not None:
            raise Forbidden("Only the operator can reconcile the books.", code="operators_only")
        at = self._context.clock()
        with self._context.store.begin() as unit:
            return complete(unit.books.checks(), at)

    def _question(
        self,
        unit: UnitOfWork,
        span: tuple[datetime | None, datetime | None],
        partner: str | None,
        code: str | None,
        tz: str,
    ) -> SalesQuestion:
        """The query with its defaults: from the first entry until now, inclusive."""
        since, until = span
        end = until or self._context.clock() + datetime.resolution
        # A partner mustn't even learn when other partners began to sell.
        first = unit.sales.first_at(self._context.principal.partner_id)
        start = since or min(first or end, end)
        refuse_if(
            "The report's parameters aren't valid.",
            (start > end, Fault("/from", "bad_range", "`from` must not be after `to`.")),
            (not _is_zone(tz), Fault("/tz", "unknown_time_zone", "Use an IANA name.")),
        )
        known = None if code is None else currency(code).code
        return SalesQuestion(
            start, end, self._context.partner_filter(unit, partner), known, zone=tz
        )


def _sellers(question: SalesQuestion, totals: Sequence[SalesTotal]) -> list[tuple[str, str]]:
    """The partners and currencies with rows: all that have sales, and the requested pair."""
    found = {(total.partner_id, total.currency) for total in totals}
    if question.partner_id is not None and question.currency is not None:
        found.add((question.partner_id, question.currency))
    return sorted(found)


def _period_row(total: SalesTotal, grain: Grain, tz: str, partner_name: str) -> PeriodSales:
    if total.period is None:
        raise AssertionError("a total over time has a period")
    return PeriodSales(
        show_period(total.period, grain, tz),
        total.partner_id,
        partner_name,
        total.currency,
        total.orders,
        total.units,
        _shown(total.gross, total.currency),
        _shown(total.net, total.currency),
    )


def _report(
    question: SalesQuestion, rows: Sequence[PartnerSales | PeriodSales | RevenueShare]
) -> Report:
    return Report(question.since, question.until, question.zone, tuple(rows))


def _shown(amount: Decimal, code: str) -> Decimal:
    return currency(code).round(amount)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _check_rows(rows: int) -> None:
    if rows > MOST_ROWS:
        detail = f"The report would have {rows:,} rows; at most {MOST_ROWS:,} are allowed."
        raise InvalidInput.at("/grain", "too_many_periods", f"{detail} Use a coarser grain.")
