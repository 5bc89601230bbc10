"""Routes of sales reports."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal, TypedDict
from zoneinfo import ZoneInfo

from attrs import frozen

from commerce_core.analytics.reports import Report
from commerce_core.base.calendar import Grain
from commerce_core.commerce import Commerce
from entrypoints.http.kit.handlers import get
from entrypoints.http.kit.queries import SpanQuery, WhoseQuery, instant
from entrypoints.reading import optional

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


ROUTES = (sales_by_partner, sales_over_time, revenue_share)
