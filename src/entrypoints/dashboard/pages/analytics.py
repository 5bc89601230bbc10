"""Sales figures: by period and by partner, in any zone, beside the period before; and as CSV."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from attrs import evolve, frozen
from litestar import Response

from commerce_core.analytics.reports import PartnerSales, PeriodSales, Report, RevenueShare
from commerce_core.base.calendar import Grain, period_start
from commerce_core.base.errors import Malformed
from commerce_core.commerce import Commerce
from commerce_core.parsing.formulas import escape_formula
from entrypoints.dashboard.kit import filters as write
from entrypoints.dashboard.kit.pages import page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.http.kit.queries import SpanQuery, WhoseQuery, instant
from entrypoints.reading import optional

Range = Literal["7d", "30d", "90d", "365d"]
RANGES: Final = (
    ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("365d", "A year"),
)  # fmt: skip
_COLUMNS: Final = (
    "sales_period", "partner_id", "partner_name", "currency", "orders", "units_sold",
    "gross_sales", "total_sales",
)  # fmt: skip


@frozen(kw_only=True)
class Question(WhoseQuery, SpanQuery):
    """What is asked for."""

    range: Range = optional("30d", "How far back.")
    currency: str | None = optional(None, "Currency.")
    grain: Grain = optional("day", "Period.")
    tz: str = optional("UTC", "Time zone.")
    compare: bool = optional(default=False, meaning="Whether to compare with the period before.")

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """From when until when: whole days in the time zone, up to now."""
        zone = _zone(self.tz)
        until = instant(self.to, zone) or now
        since = instant(self.from_, zone)
        if since is None:
            day = until - timedelta(days=int(self.range.removesuffix("d")) - 1)
            since = period_start(day, "day", self.tz)
        return since, until

    @property
    def parameters(self) -> str:
        """The question as the parameters of an address."""
        given = {
            "from": self.from_, "to": self.to, "range": self.range, "currency": self.currency,
            "grain": self.grain, "tz": self.tz, "partner_name": self.partner_name,
            "partner_id": self.partner_id,
        }  # fmt: skip
        return "?" + urlencode({name: value for name, value in given.items() if value is not None})


@page("/analytics", scope="analytics:read", is_expensive=lambda _: True)
def show_analytics(commerce: Commerce, parameters: Question) -> View:
    """Shows sales figures."""
    now = commerce.context.clock()
    since, until = parameters.span(now)
    over_time = _over_time(commerce, parameters, since, until)
    before = None
    if parameters.compare:
        before = _by_partner(commerce, parameters, since - (until - since), since)
    values = {
        "filters": parameters,
        "RANGES": RANGES,
        "since": since,
        "until": until,
        "complete_to": min(now, until),
        "currencies": _currencies(
            over_time, _by_partner(commerce, parameters, since, until),
            _shares(commerce, parameters, since, until), before,
        ),
        "csv_query": parameters.parameters,
    }  # fmt: skip
    return View(
        "analytics.html", "Analytics", values=values, curl="/analytics/sales-over-time",
        command=f"analytics over-time --grain {parameters.grain} --tz {parameters.tz}",
    )  # fmt: skip


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Malformed.at("/tz", "unknown_time_zone", "Use an IANA name.") from error


def _over_time(
    commerce: Commerce, asked: Question, since: datetime, until: datetime
) -> Sequence[PeriodSales]:
    report = commerce.analytics.sales_over_time(
        grain=asked.grain, since=since, until=until, partner=asked.partner,
        currency=asked.currency, tz=asked.tz,
    )  # fmt: skip
    return _rows(report, PeriodSales)


def _by_partner(
    commerce: Commerce, asked: Question, since: datetime, until: datetime
) -> Sequence[PartnerSales]:
    report = commerce.analytics.sales_by_partner(
        since=since, until=until, partner=asked.partner, currency=asked.currency, tz=asked.tz
    )
    return _rows(report, PartnerSales)


def _shares(
    commerce: Commerce, asked: Question, since: datetime, until: datetime
) -> Mapping[tuple[str, str], Decimal]:
    report = commerce.analytics.revenue_share(
        since=since, until=until, partner=asked.partner, currency=asked.currency, tz=asked.tz
    )
    rows = _rows(report, RevenueShare)
    return {(row.partner_id, row.currency): row.revenue_pct for row in rows}


def _rows(report: Report, kind: Any) -> Any:  # noqa: ANN401 - rows of that kind
    return [row for row in report.results if isinstance(row, kind)]


def _currencies(
    over_time: Sequence[PeriodSales],
    partners: Sequence[PartnerSales],
    shares: Mapping[tuple[str, str], Decimal],
    before: Sequence[PartnerSales] | None,
) -> list[dict[str, Any]]:
    """Everything of each currency; amounts are never converted."""
    codes = sorted({row.currency for row in (*over_time, *partners)})
    return [
        _currency(
            code,
            [row for row in over_time if row.currency == code],
            [
                (r, shares.get((r.partner_id, code), Decimal(0)))
                for r in partners
                if r.currency == code
            ],
            before,
        )
        for code in codes
    ]


def _currency(
    code: str,
    over_time: Iterable[PeriodSales],
    partners: Sequence[tuple[PartnerSales, Decimal]],
    before: Sequence[PartnerSales] | None,
) -> dict[str, Any]:
    periods = _periods(over_time)
    values = [row["net"] for row in periods]
    net = sum(values, Decimal(0))
    return {
        "currency": code,
        "net": net,
        "gross": sum((row["gross"] for row in periods), Decimal(0)),
        "orders": sum(row.orders for row, _ in partners),
        "units": sum(row["units"] for row in periods),
        "change": _change(net, code, before),
        "series": values,
        "high": write.amount(max(values), code) if values else "",
        "ends": [periods[0]["period"], periods[-1]["period"]] if periods else [],
        "rows": periods,
        "partners": partners,
    }


def _periods(rows: Iterable[PeriodSales]) -> list[dict[str, Any]]:
    """The periods with the sums over partners; an order of two partners counts for each."""
    sums: defaultdict[str, dict[str, Any]] = defaultdict(
        lambda: {"orders": 0, "units": 0, "gross": Decimal(0), "net": Decimal(0)}
    )
    for row in rows:
        found = sums[row.sales_period]
        found["orders"] += row.orders
        found["units"] += row.units_sold
        found["gross"] += row.gross_sales
        found["net"] += row.total_sales
    return [{"period": period, **found} for period, found in sums.items()]


def _change(net: Decimal, code: str, before: Sequence[PartnerSales] | None) -> str | None:
    """By how much net sales have changed, in percent; None if that can't be told."""
    if before is None:
        return None
    earlier = sum((row.total_sales for row in before if row.currency == code), Decimal(0))
    return f"{(net - earlier) * 100 / earlier:+.1f}" if earlier > 0 else None


@page("/analytics/sales.csv", scope="analytics:read", is_expensive=lambda _: True)
def download_sales(commerce: Commerce, parameters: Question) -> Response[Any]:
    """Downloads the sales over time as CSV."""
    since, until = evolve(parameters, compare=False).span(commerce.context.clock())
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for row in _over_time(commerce, parameters, since, until):
        cells = [str(getattr(row, name)) for name in _COLUMNS]
        writer.writerow([escape_formula(cell) for cell in cells])
    headers = {"Content-Disposition": 'attachment; filename="sales.csv"'}
    body = text.getvalue().encode()
    return Response(cast("Any", body), media_type="text/csv; charset=utf-8", headers=headers)


ROUTES = (show_analytics, download_sales)
