"""Routes of sales reports, and of the ledger behind them."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Literal, TypedDict
from zoneinfo import ZoneInfo

from attrs import frozen
from litestar import Response

from commerce_core.analytics.ledger import EntryKind, EntryQuery, SalesEntry
from commerce_core.analytics.reconciliation import Reconciliation
from commerce_core.analytics.reports import Report
from commerce_core.base.calendar import Grain
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import Listed
from entrypoints.http.kit.downloads import download
from entrypoints.http.kit.handlers import get
from entrypoints.http.kit.queries import Page, SpanQuery, WhoseQuery, instant
from entrypoints.reading import optional
from entrypoints.scalars import OrderId, StatementId

_GRAINS: Final[Mapping[str, Grain]] = {
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
}


class _Range(TypedDict):
    since: datetime | None
    until: datetime | None
    partner: str | None
    currency: str | None
    tz: str


@frozen(kw_only=True)
class ReportQuery(WhoseQuery, SpanQuery):
    """Filters of sales (default: from the first sale until now)."""

    currency: str | None = optional(None, "Only sales in this currency.")
    tz: str = optional("UTC", "Time zone of periods, and of days in the range: an IANA name.")

    @property
    def range(self) -> _Range:
        """The query as the core takes it."""
        zone = _zone(self.tz)
        return {
            "since": instant(self.from_, zone),
            "until": instant(self.to, zone),
            "partner": self.partner,
            "currency": self.currency,
            "tz": self.tz,
        }


@frozen(kw_only=True)
class PeriodQuery(ReportQuery):
    """Filters of sales, and the length of a period."""

    grain: Literal["hour", "day", "week", "month", "hourly", "daily", "weekly", "monthly"] = (
        optional("day", "Length of a period.")
    )


def _zone(name: str) -> tzinfo:
    """The time zone; UTC for an invalid name, which the core then refuses."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


@get("/analytics/sales-by-partner", scope="analytics:read", lane="queries")
def sales_by_partner(commerce: Commerce, parameters: ReportQuery) -> Report:
    """Reports orders, units, gross and net sales by partner and currency."""
    return commerce.analytics.sales_by_partner(**parameters.range)


@get("/analytics/sales-over-time", scope="analytics:read", lane="queries")
def sales_over_time(commerce: Commerce, parameters: PeriodQuery) -> Report:
    """Reports orders, units, gross and net sales by period, including periods without sales."""
    return commerce.analytics.sales_over_time(grain=_GRAINS[parameters.grain], **parameters.range)


@get("/analytics/revenue-share", scope="analytics:read", lane="queries")
def revenue_share(commerce: Commerce, parameters: ReportQuery) -> Report:
    """Reports each partner's net sales, and its percentage of the total in that currency."""
    return commerce.analytics.revenue_share(**parameters.range)


@frozen(kw_only=True, slots=False)
class EntryFilters(WhoseQuery, SpanQuery):
    """Filters of entries."""

    kind: EntryKind | None = optional(None, "Only entries of this kind.")
    currency: str | None = optional(None, "Only entries in this currency.")
    order_id: OrderId | None = optional(None, "Only entries of this order.")
    statement_id: StatementId | None = optional(None, "Only entries of this statement.")

    @property
    def query(self) -> EntryQuery:
        """The query as the core takes it."""
        return EntryQuery(
            kind=self.kind,
            currency=self.currency,
            order_id=self.order_id,
            statement_id=self.statement_id,
            since=instant(self.from_),
            until=instant(self.to),
        )


@frozen(kw_only=True)
class EntryListing(EntryFilters, Page):
    """Filters of entries, and a page of them, or all of them as CSV."""

    format: Literal["json", "csv"] = optional("json", "A page as JSON, or all of them as CSV.")


@get("/analytics/entries", scope="analytics:read", media=["text/csv"], lane="queries")
def list_entries(
    commerce: Commerce, parameters: EntryListing
) -> Listed[SalesEntry] | Response[Any]:
    """Lists the entries of the ledger, newest first; their figures are signed, so they add up."""
    if parameters.format == "csv":
        opened = commerce.analytics.export_entries(parameters.query, partner=parameters.partner)
        return download(opened, "entries.csv", "text/csv; charset=utf-8")
    return commerce.analytics.page_entries(
        parameters.query,
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


@get("/analytics/reconciliation", scope="money:write", lane="queries")
def reconcile(commerce: Commerce) -> Reconciliation:
    """Compares what is kept in different places, as of one moment; `ok` is whether all agrees."""
    return commerce.analytics.reconciliation()


ROUTES = (sales_by_partner, sales_over_time, revenue_share, list_entries, reconcile)
