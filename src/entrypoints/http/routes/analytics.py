"""Routes of sales reports, and of the ledger behind them."""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, tzinfo
from functools import partial
from typing import Any, Final, Literal

from attrs import frozen
from litestar import Response

from commerce_core.analytics.ledger import EntryKind, EntryQuery, SalesEntry
from commerce_core.analytics.period_before import Comparison
from commerce_core.analytics.questions import MOST_RANKED, Basis, Dimension, Measure
from commerce_core.analytics.reconciliation import Reconciliation
from commerce_core.analytics.report_file import write_report
from commerce_core.analytics.reports import (
    HourSales,
    PartnerSales,
    PeriodSales,
    RefundSales,
    Report,
    RevenueShare,
    Row,
    RuleSales,
    SummarySales,
    TopSales,
)
from commerce_core.base.calendar import Grain, iana_zone
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import Listed
from commerce_core.usecases.reports import DEFAULT_RANKS, ReportRange
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


Format = Literal["json", "csv"]


@frozen(kw_only=True, slots=False)
class ReportQuery(WhoseQuery, SpanQuery):
    """Filters of sales (default: from the first sale until now)."""

    currency: str | None = optional(None, "Only sales in this currency.")
    tz: str = optional("UTC", "Time zone of periods, and of days in the range: an IANA name.")
    basis: Basis = optional(
        "event",
        "When an entry counts: when it happened (event), or when its order was placed (order).",
    )
    format: Format = optional("json", "As JSON, or the rows as CSV.")

    @property
    def range(self) -> ReportRange:
        """The query as the core takes it."""
        zone = _zone(self.tz)
        return {
            "since": instant(self.from_, zone),
            "until": instant(self.to, zone),
            "partner": self.partner,
            "currency": self.currency,
            "tz": self.tz,
            "basis": self.basis,
        }

    def answer(self, report: Report, of: type[Row]) -> Report | Response[Any]:
        """The report in the form that is asked for; `of` is the class of its rows."""
        if self.format == "json":
            return report
        blocks = nullcontext(write_report(report, of))
        return download(blocks, "report.csv", "text/csv; charset=utf-8")


@frozen(kw_only=True)
class PeriodQuery(ReportQuery):
    """Filters of sales, and the length of a period."""

    grain: Literal["hour", "day", "week", "month", "hourly", "daily", "weekly", "monthly"] = (
        optional("day", "Length of a period.")
    )


@frozen(kw_only=True)
class SummaryQuery(ReportQuery):
    """Filters of sales, and the period before with which they are compared."""

    compare: Comparison | None = optional(
        None,
        "Adds the figures of the period before: the same dates of earlier months (dates), or the"
        " same days of earlier weeks (weekdays).",
    )


@frozen(kw_only=True, slots=False)
class RankQuery(ReportQuery):
    """Filters of sales, and how many ranks there are."""

    measure: Measure = optional("net", "The figure by which they are ranked.")
    limit: int = optional(
        DEFAULT_RANKS, "Maximum number of ranks by currency.", minimum=1, maximum=MOST_RANKED
    )


@frozen(kw_only=True)
class TopQuery(RankQuery):
    """Filters of sales, and what is ranked."""

    by: Dimension = optional("product", "What is ranked, as the catalog has it now.")


def _zone(name: str) -> tzinfo:
    """The time zone; UTC for an invalid name, which the core then refuses."""
    return iana_zone(name) or UTC


_report = partial(get, media=["text/csv"], lane="queries")


@_report("/analytics/summary", scope="analytics:read")
def sales_summary(commerce: Commerce, parameters: SummaryQuery) -> Report | Response[Any]:
    """Reports all figures by currency, on request beside those of the period before."""
    report = commerce.analytics.summary(compare=parameters.compare, **parameters.range)
    return parameters.answer(report, SummarySales)


@_report("/analytics/sales-by-partner", scope="analytics:read")
def sales_by_partner(commerce: Commerce, parameters: ReportQuery) -> Report | Response[Any]:
    """Reports orders, units, gross and net sales by partner and currency."""
    report = commerce.analytics.sales_by_partner(**parameters.range)
    return parameters.answer(report, PartnerSales)


@_report("/analytics/sales-over-time", scope="analytics:read")
def sales_over_time(commerce: Commerce, parameters: PeriodQuery) -> Report | Response[Any]:
    """Reports orders, units, gross and net sales by period, including periods without sales."""
    grain = _GRAINS[parameters.grain]
    report = commerce.analytics.sales_over_time(grain=grain, **parameters.range)
    return parameters.answer(report, PeriodSales)


@_report("/analytics/revenue-share", scope="analytics:read")
def revenue_share(commerce: Commerce, parameters: ReportQuery) -> Report | Response[Any]:
    """Reports each partner's net sales, and its percentage of the total in that currency."""
    report = commerce.analytics.revenue_share(**parameters.range)
    return parameters.answer(report, RevenueShare)


@_report("/analytics/top", scope="analytics:read")
def top_sales(commerce: Commerce, parameters: TopQuery) -> Report | Response[Any]:
    """Reports the products, brands or categories that sold best, in each currency."""
    report = commerce.analytics.top(
        parameters.by, measure=parameters.measure, limit=parameters.limit, **parameters.range
    )
    return parameters.answer(report, TopSales)


@_report("/analytics/top-products", scope="analytics:read")
def top_products(commerce: Commerce, parameters: RankQuery) -> Report | Response[Any]:
    """Reports the products that sold best, in each currency."""
    report = commerce.analytics.top(
        measure=parameters.measure, limit=parameters.limit, **parameters.range
    )
    return parameters.answer(report, TopSales)


@_report("/analytics/hours", scope="analytics:read")
def sales_by_hour(commerce: Commerce, parameters: ReportQuery) -> Report | Response[Any]:
    """Reports orders, units, gross and net sales by hour of the week, in local time."""
    return parameters.answer(commerce.analytics.hours(**parameters.range), HourSales)


@_report("/analytics/rules", scope="pricing:read")
def rule_costs(commerce: Commerce, parameters: ReportQuery) -> Report | Response[Any]:
    """Reports the orders placed with each price rule, and what it took off them."""
    return parameters.answer(commerce.analytics.rules(**parameters.range), RuleSales)


@_report("/analytics/refunds", scope="analytics:read")
def refunds_by_reason(commerce: Commerce, parameters: ReportQuery) -> Report | Response[Any]:
    """Reports what was cancelled and refunded, by kind and reason."""
    return parameters.answer(commerce.analytics.refunds(**parameters.range), RefundSales)


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

    format: Format = optional("json", "A page as JSON, or all of them as CSV.")


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
    """Compares what is kept in different places as of one moment; `ok` is whether it all agrees."""
    return commerce.analytics.reconciliation()


ROUTES = (
    sales_summary,
    sales_by_partner,
    sales_over_time,
    revenue_share,
    top_sales,
    top_products,
    sales_by_hour,
    rule_costs,
    refunds_by_reason,
    list_entries,
    reconcile,
)
