"""Rows of reports: sales by partner, over time, and shares of revenue.

`usecases.analytics` computes them from the totals of the `ledger`.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from attrs import field, frozen

from commerce_core.analytics.ledger import SalesTotal
from commerce_core.base.money import apportion


def shares(totals: Sequence[SalesTotal]) -> list[Decimal]:
    """Each total's percentage of its currency's net, in two decimals; they add up to exactly 100.

    All are 0.00 in a currency whose net is zero or less.
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
    """A row of sales over time; `sales_period` is the local start of the period."""

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
    """A row of revenue shares; `revenue_pct` is of all revenue in the same currency."""

    partner_id: str
    partner_name: str
    currency: str
    total_revenue: Decimal
    revenue_pct: Decimal


@frozen
class Report:
    """A report's rows, and the range that they cover."""

    since: datetime
    until: datetime
    tz: str
    results: tuple[PartnerSales | PeriodSales | RevenueShare, ...] = field(factory=tuple)
