"""Rows of reports, from sales by partner to what was refunded and why.

`usecases.reports` computes them from the totals of the `ledger`.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from attrs import asdict, field, frozen

from commerce_core.analytics.figures import SalesTotal
from commerce_core.analytics.period_before import Comparison
from commerce_core.analytics.questions import Basis
from commerce_core.base.money import apportion, currency, round_like

_PERCENT: Final = Decimal("0.01")


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
class SummaryFigures:
    """The figures of a summary; `average_order` is net by order, None without orders."""

    orders: int
    units_sold: int
    gross_sales: Decimal
    discounts: Decimal
    partner_discounts: Decimal
    platform_discounts: Decimal
    cancelled: Decimal
    refunds: Decimal
    total_sales: Decimal
    average_order: Decimal | None


@frozen
class SummarySales:
    """A row of the summary. `before` has the figures of the period before, if that was asked for.

    `change_pct` is the change of `total_sales` in percent of those then; None if they were none.
    """

    currency: str
    orders: int
    units_sold: int
    gross_sales: Decimal
    discounts: Decimal
    partner_discounts: Decimal
    platform_discounts: Decimal
    cancelled: Decimal
    refunds: Decimal
    total_sales: Decimal
    average_order: Decimal | None
    before: SummaryFigures | None
    change_pct: Decimal | None

    @classmethod
    def of(cls, now: SalesTotal, before: SalesTotal | None) -> "SummarySales":
        """The row of these totals, in one currency."""
        then = before and _summed_up(before)
        figures = _summed_up(now)
        change = None
        if then and then.total_sales > 0:
            share = (figures.total_sales - then.total_sales) * 100 / then.total_sales
            change = round_like(_PERCENT, share)
        return cls(now.currency, **asdict(figures), before=then, change_pct=change)


def _summed_up(total: SalesTotal) -> SummaryFigures:
    unit = currency(total.currency)
    average = unit.round(total.net / total.orders) if total.orders else None
    return SummaryFigures(
        total.orders,
        total.units,
        unit.round(total.gross),
        unit.round(total.discount),
        unit.round(total.discount - total.platform_discount),
        unit.round(total.platform_discount),
        unit.round(total.cancelled),
        unit.round(total.refunded),
        unit.round(total.net),
        average,
    )


@frozen
class TopSales:
    """A row of ranks. `name` is the product's name, the brand or the category; it may have none.

    Only a product has an id, a sku and a partner.
    """

    rank: int
    name: str | None
    product_id: str | None
    sku: str | None
    partner_id: str | None
    partner_name: str | None
    currency: str
    units_sold: int
    gross_sales: Decimal
    total_sales: Decimal


@frozen
class HourSales:
    """A row of the hours of the week: `weekday` is 1 (Monday) to 7, `hour` 0 to 23, both local."""

    weekday: int
    hour: int
    currency: str
    orders: int
    units_sold: int
    gross_sales: Decimal
    total_sales: Decimal


@frozen
class RuleSales:
    """A row of what price rules did: orders placed with it, and what it took off them."""

    rule_id: str
    rule_name: str
    currency: str
    uses: int
    cost: Decimal
    partner_cost: Decimal
    platform_cost: Decimal


@frozen
class RefundSales:
    """A row of what was taken back, and why: `times` is the number of lines concerned."""

    kind: str
    reason: str | None
    currency: str
    times: int
    units: int
    amount: Decimal


Row: TypeAlias = (
    PartnerSales | PeriodSales | RevenueShare | SummarySales | TopSales | HourSales | RuleSales
    | RefundSales
)  # fmt: skip


@frozen
class Compared:
    """The period before, with which figures are compared, and by what it was chosen."""

    since: datetime
    until: datetime
    by: Comparison


@frozen
class Report:
    """A report's rows, and the range that they cover.

    All entries before `complete_to` are in it; later ones may be missing. By the `basis` event each
    entry counts when it happened, by order when its order was placed.
    """

    since: datetime
    until: datetime
    tz: str
    results: tuple[Row, ...] = field(factory=tuple)
    basis: Basis = "event"
    complete_to: datetime | None = None
    compared_with: Compared | None = None
