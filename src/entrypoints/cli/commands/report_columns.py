"""The columns of sales reports on a terminal."""

from typing import Any

from entrypoints.cli.kit.output import money
from entrypoints.cli.kit.tables import Column

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def partner() -> Column[Any]:
    """The partner's name."""
    return Column("partner", lambda row: row.partner_name or "", crops=True)


def period() -> Column[Any]:
    """The period, as a column."""
    return Column("period", lambda row: row.sales_period)


def figures() -> list[Column[Any]]:
    """The columns that most reports share."""
    return [
        Column("orders", lambda row: f"{row.orders:,}", right=True),
        *sums(),
    ]


def sums() -> list[Column[Any]]:
    """Units and money."""
    return [
        Column("units", lambda row: f"{row.units_sold:,}", right=True),
        Column("gross", lambda row: money(row.gross_sales, row.currency), right=True),
        Column("net", lambda row: money(row.total_sales, row.currency), right=True),
    ]


def shares() -> list[Column[Any]]:
    """The columns of the revenue share."""
    return [
        Column("revenue", lambda row: money(row.total_revenue, row.currency), right=True),
        Column("share", lambda row: f"{row.revenue_pct} %", right=True),
    ]


def summary(*, compared: bool) -> list[Column[Any]]:
    """All figures, beside the net of the period before if it was asked for."""
    columns: list[Column[Any]] = [
        Column("orders", lambda row: f"{row.orders:,}", right=True),
        Column("units", lambda row: f"{row.units_sold:,}", right=True),
        Column("gross", lambda row: money(row.gross_sales, row.currency), right=True),
        Column("partner's discounts", lambda row: _amount(row, "partner_discounts"), right=True),
        Column("platform's", lambda row: _amount(row, "platform_discounts"), right=True),
        Column("cancelled", lambda row: money(row.cancelled, row.currency), right=True),
        Column("refunds", lambda row: money(row.refunds, row.currency), right=True),
        Column("net", lambda row: money(row.total_sales, row.currency), right=True),
        Column("average", lambda row: _amount(row, "average_order"), right=True),
    ]
    if compared:
        columns += [
            Column[Any](
                "before", lambda row: money(row.before.total_sales, row.currency), right=True
            ),
            Column[Any]("change", lambda row: _change(row.change_pct), right=True),
        ]
    return columns


def ranks(of: str) -> list[Column[Any]]:
    """A rank, and what has it."""
    named = [Column[Any](of, lambda row: row.name or "(none)", crops=True)]
    if of == "product":
        named += [Column[Any]("sku", lambda row: row.sku or "", crops=True), partner()]
    return [Column("rank", lambda row: str(row.rank), right=True), *named, *sums()]


def hours() -> list[Column[Any]]:
    """An hour of the week, and its figures."""
    hour = Column[Any]("hour", lambda row: f"{_DAYS[row.weekday - 1]} {row.hour:02}:00")
    return [hour, *figures()]


def rules() -> list[Column[Any]]:
    """A price rule, and what it took."""
    return [
        Column("rule", lambda row: row.rule_name, crops=True),
        Column("orders", lambda row: f"{row.uses:,}", right=True),
        Column("cost", lambda row: money(row.cost, row.currency), right=True),
        Column("partners pay", lambda row: money(row.partner_cost, row.currency), right=True),
        Column("platform pays", lambda row: money(row.platform_cost, row.currency), right=True),
    ]


def refunds() -> list[Column[Any]]:
    """What was taken back, and why."""
    return [
        Column("kind", lambda row: row.kind),
        Column("reason", lambda row: row.reason or "", crops=True),
        Column("times", lambda row: f"{row.times:,}", right=True),
        Column("units", lambda row: f"{row.units:,}", right=True),
        Column("amount", lambda row: money(row.amount, row.currency), right=True),
    ]


def _amount(row: Any, name: str) -> str:  # noqa: ANN401 - a row of any report
    amount = getattr(row, name)
    return "" if amount is None else money(amount, row.currency)


def _change(percent: object) -> str:
    return "" if percent is None else f"{percent:+} %"
