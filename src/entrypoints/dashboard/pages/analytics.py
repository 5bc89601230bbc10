"""Sales figures: an overview by period and partner, and the other reports, each also as CSV."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from attrs import frozen
from litestar import Response

from commerce_core.analytics.period_before import Comparison
from commerce_core.analytics.questions import Basis, Dimension, Measure
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
from commerce_core.base.calendar import Grain, iana_zone, period_start
from commerce_core.base.errors import Malformed
from commerce_core.commerce import Commerce
from commerce_core.partners.saved_view import PageName
from commerce_core.usecases.reports import ReportRange
from entrypoints.dashboard.kit import formats as write
from entrypoints.dashboard.kit.pages import page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.http.kit.downloads import download
from entrypoints.http.kit.queries import SpanQuery, WhoseQuery, instant
from entrypoints.reading import optional

Range = Literal["7d", "30d", "90d", "365d"]
RANGES: Final = (
    ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("365d", "A year"),
)  # fmt: skip
REPORTS: Final = (
    ("", "Overview"), ("/top", "Best sellers"), ("/hours", "Hours of the week"),
    ("/refunds", "Refunds"), ("/rules", "Price rules"),
)  # fmt: skip
"""The reports, by the end of their paths; rules are the operator's."""
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
RANKS: Final = 50


@frozen(kw_only=True, slots=False)
class Question(WhoseQuery, SpanQuery):
    """What each report is asked for."""

    range: Range = optional("30d", "How far back.")
    currency: str | None = optional(None, "Currency.")
    tz: str = optional("UTC", "Time zone.")
    basis: Basis = optional("event", "When an entry counts.")
    format: Literal["html", "csv"] = optional("html", "As a page, or the rows as CSV.")

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """From when until when: whole days in the time zone, up to now."""
        zone = _zone(self.tz)
        until = instant(self.to, zone) or now
        since = instant(self.from_, zone)
        if since is None:
            day = until - timedelta(days=int(self.range.removesuffix("d")) - 1)
            since = period_start(day, "day", self.tz)
        return since, until

    def asked(self, now: datetime) -> ReportRange:
        """The question as the core takes it."""
        since, until = self.span(now)
        return {
            "since": since, "until": until, "partner": self.partner, "currency": self.currency,
            "tz": self.tz, "basis": self.basis,
        }  # fmt: skip

    @property
    def parameters(self) -> str:
        """What all reports share, as the parameters of an address."""
        given = {
            "from": self.from_, "to": self.to, "range": self.range, "currency": self.currency,
            "tz": self.tz, "basis": self.basis, "partner_name": self.partner_name,
            "partner_id": self.partner_id,
        }  # fmt: skip
        usual = {"range": "30d", "tz": "UTC", "basis": "event"}
        kept = {n: v for n, v in given.items() if v is not None and usual.get(n) != v}
        return f"?{urlencode(kept)}" if kept else ""


@frozen(kw_only=True)
class Overview(Question):
    """What the overview is asked for."""

    grain: Grain = optional("day", "Period.")
    compare: Comparison | None = optional(None, "The period before with which it is compared.")


@frozen(kw_only=True)
class Ranking(Question):
    """What is ranked."""

    by: Dimension = optional("product", "What is ranked.")
    measure: Measure = optional("net", "The figure by which it is ranked.")


_SAVED_AS: Final[Mapping[str, PageName]] = {
    "": "analytics", "/top": "best_sellers", "/hours": "hours", "/refunds": "refunds",
    "/rules": "rule_costs",
}  # fmt: skip


def _zone(name: str) -> ZoneInfo:
    if (found := iana_zone(name)) is None:
        raise Malformed.at("/tz", "unknown_time_zone", "Use an IANA name.")
    return found


def _csv(report: Report, of: type[Row], name: str) -> Response[Any]:
    blocks = nullcontext(write_report(report, of))
    return download(blocks, f"{name}.csv", "text/csv; charset=utf-8")


def _view(asked: Question, template: str, report: Report, command: str, **values: Any) -> View:  # noqa: ANN401 - as shown
    """A page of a report, with what each of them shows: range, zone, and how complete it is."""
    name = template.removesuffix(".html").removeprefix("report-")
    path = "" if name == "analytics" else f"/{name}"
    shown = {
        "filters": asked,
        "RANGES": RANGES,
        "REPORTS": REPORTS,
        "BASES": get_args(Basis),
        "report": report,
        "report_path": f"/analytics{path}",
        "shared": asked.parameters,
        **values,
    }
    title = next(label for end, label in REPORTS if end == path)
    curl = "/analytics/sales-over-time" if not path else f"/analytics/{name}"
    return View(
        template, "Analytics" if not path else title, values=shown,
        curl=curl + (f"?tz={asked.tz}" if asked.tz != "UTC" else ""),
        command=f"analytics {command} --tz {asked.tz}", saved_as=_SAVED_AS[path],
    )  # fmt: skip


@page("/analytics", scope="analytics:read", is_expensive=lambda _: True)
def show_analytics(commerce: Commerce, parameters: Overview) -> View | Response[Any]:
    """Shows sales figures, by period and by partner, beside the period before."""
    asked = parameters.asked(commerce.context.clock())
    over_time = commerce.analytics.sales_over_time(grain=parameters.grain, **asked)
    if parameters.format == "csv":
        return _csv(over_time, PeriodSales, "sales")
    summary = commerce.analytics.summary(compare=parameters.compare, **asked)
    partners = _rows(commerce.analytics.sales_by_partner(**asked), PartnerSales)
    shares = _rows(commerce.analytics.revenue_share(**asked), RevenueShare)
    share_of = {(row.partner_id, row.currency): row.revenue_pct for row in shares}
    periods = _rows(over_time, PeriodSales)
    currencies = [
        _currency(
            total,
            [row for row in periods if row.currency == total.currency],
            [
                (row, share_of.get((row.partner_id, row.currency), Decimal(0)))
                for row in partners
                if row.currency == total.currency
            ],
        )
        for total in _rows(summary, SummarySales)
    ]
    command = f"over-time --grain {parameters.grain}"
    return _view(parameters, "analytics.html", summary, command, currencies=currencies)


def _rows(report: Report, kind: Any) -> Any:  # noqa: ANN401 - rows of that kind
    return [row for row in report.results if isinstance(row, kind)]


def _currency(
    total: SummarySales,
    over_time: Iterable[PeriodSales],
    partners: Sequence[tuple[PartnerSales, Decimal]],
) -> dict[str, Any]:
    """Everything of a currency; amounts are never converted."""
    periods = _periods(over_time)
    values = [row["net"] for row in periods]
    return {
        "total": total,
        "series": values,
        "high": write.amount(max(values), total.currency) if values else "",
        "ends": [periods[0]["period"], periods[-1]["period"]] if periods else [],
        "rows": periods,
        "partners": partners,
    }


def _periods(rows: Iterable[PeriodSales]) -> list[dict[str, Any]]:
    """The periods with the sums over partners."""
    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        none = {"units": 0, "gross": Decimal(0), "net": Decimal(0)}
        found = sums.setdefault(row.sales_period, none)
        found["units"] += row.units_sold
        found["gross"] += row.gross_sales
        found["net"] += row.total_sales
    return [{"period": period, **found} for period, found in sums.items()]


@page("/analytics/top", scope="analytics:read", is_expensive=lambda _: True)
def show_top(commerce: Commerce, parameters: Ranking) -> View | Response[Any]:
    """Shows the products, brands or categories that sold best."""
    report = commerce.analytics.top(
        parameters.by, measure=parameters.measure, limit=RANKS,
        **parameters.asked(commerce.context.clock()),
    )  # fmt: skip
    if parameters.format == "csv":
        return _csv(report, TopSales, "top")
    most = _most(_rows(report, TopSales), parameters.measure)
    return _view(
        parameters, "report-top.html", report, f"top --by {parameters.by}", most=most,
        DIMENSIONS=get_args(Dimension), MEASURES=get_args(Measure),
        figure=_FIGURES[parameters.measure],
    )  # fmt: skip


_FIGURES: Final[Mapping[Measure, str]] = {
    "net": "total_sales", "gross": "gross_sales", "units": "units_sold",
}  # fmt: skip


def _most(rows: Sequence[TopSales], measure: Measure) -> dict[str, Decimal]:
    """The largest figure of each currency, to which bars are drawn."""
    most: dict[str, Decimal] = {}
    for row in rows:
        figure = Decimal(getattr(row, _FIGURES[measure]))
        most[row.currency] = max(most.get(row.currency, Decimal(0)), figure)
    return most


@page("/analytics/hours", scope="analytics:read", is_expensive=lambda _: True)
def show_hours(commerce: Commerce, parameters: Question) -> View | Response[Any]:
    """Shows sales by hour of the week, in local time."""
    report = commerce.analytics.hours(**parameters.asked(commerce.context.clock()))
    if parameters.format == "csv":
        return _csv(report, HourSales, "hours")
    by_currency: dict[str, list[HourSales]] = {}
    for row in _rows(report, HourSales):
        by_currency.setdefault(row.currency, []).append(row)
    return _view(
        parameters, "report-hours.html", report, "hours", DAYS=DAYS,
        currencies={code: _week(rows) for code, rows in by_currency.items()},
    )  # fmt: skip


def _week(rows: Sequence[HourSales]) -> dict[str, Any]:
    """The hours as a week of rows, each with its level from 0 to 4 of the best hour."""
    best = max((row.total_sales for row in rows), default=Decimal(0))
    days: dict[int, list[tuple[HourSales, int]]] = {}
    for row in rows:
        share = row.total_sales / best if best > 0 else Decimal(0)
        level = 0 if row.total_sales <= 0 else min(4, 1 + int(share * 4))
        days.setdefault(row.weekday, []).append((row, level))
    peak = max(rows, key=lambda row: row.total_sales, default=None)
    return {"days": days, "peak": peak if best > 0 else None}


@page("/analytics/refunds", scope="analytics:read", is_expensive=lambda _: True)
def show_refunds(commerce: Commerce, parameters: Question) -> View | Response[Any]:
    """Shows what was cancelled and refunded, and why."""
    report = commerce.analytics.refunds(**parameters.asked(commerce.context.clock()))
    if parameters.format == "csv":
        return _csv(report, RefundSales, "refunds")
    return _view(parameters, "report-refunds.html", report, "refunds")


@page("/analytics/rules", scope="pricing:read", is_expensive=lambda _: True)
def show_rule_costs(commerce: Commerce, parameters: Question) -> View | Response[Any]:
    """Shows what each price rule took, and who pays for it."""
    report = commerce.analytics.rules(**parameters.asked(commerce.context.clock()))
    if parameters.format == "csv":
        return _csv(report, RuleSales, "rules")
    return _view(parameters, "report-rules.html", report, "rules")


ROUTES = (show_analytics, show_top, show_hours, show_refunds, show_rule_costs)
