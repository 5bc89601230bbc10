"""`commerce analytics`: sales reports by currency; amounts are never converted."""

from typing import TYPE_CHECKING, Any, Final, Unpack

import click

from entrypoints.cli.commands.report_options import (
    GrainName,
    Range,
    in_zone,
    range_options,
    read_range,
    show_report,
)
from entrypoints.cli.kit.files import target
from entrypoints.cli.kit.verbs import Moment, Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.analytics.period_before import Comparison
    from commerce_core.analytics.questions import Dimension, Measure
    from commerce_core.base.calendar import Grain
    from entrypoints.cli.kit.tables import Column

analytics: Final = noun("analytics", "Report sales by currency. Amounts are never converted.")
_KINDS: Final = (
    "placed", "cancelled", "refunded", "goodwill", "fee", "payout", "correction",
)  # fmt: skip


@analytics.verb("summary", scope="analytics:read")
@click.option(
    "--compare",
    type=click.Choice(["dates", "weekdays"]),
    help="Compare with the same dates of earlier months, or the same days of earlier weeks.",
)
@range_options
def summary(session: Session, *, compare: "Comparison | None", **asked: Unpack[Range]) -> None:
    """Report all figures by currency."""
    from commerce_core.analytics.reports import SummarySales
    from entrypoints.cli.commands import report_columns as columns

    as_csv, within = read_range(asked)
    report = session.commerce.analytics.summary(compare=compare, **within)
    shown = columns.summary(compared=compare is not None)
    show_report(session.out, report, SummarySales, shown, as_csv=as_csv)


@analytics.verb("by-partner", scope="analytics:read")
@range_options
def by_partner(session: Session, **asked: Unpack[Range]) -> None:
    """Report orders, units and sales by partner."""
    from commerce_core.analytics.reports import PartnerSales
    from entrypoints.cli.commands import report_columns as columns

    as_csv, within = read_range(asked)
    report = session.commerce.analytics.sales_by_partner(**within)
    shown = [columns.partner(), *columns.figures()]
    show_report(session.out, report, PartnerSales, shown, as_csv=as_csv)


@analytics.verb("over-time", scope="analytics:read")
@click.option(
    "--grain",
    type=GrainName(["hour", "day", "week", "month"]),
    default="day",
    show_default=True,
    help="Length of a period; hourly, daily, weekly and monthly also work.",
)
@range_options
def over_time(session: Session, *, grain: "Grain", **asked: Unpack[Range]) -> None:
    """Report orders, units and sales by hour, day, week or month."""
    from commerce_core.analytics.reports import PeriodSales
    from entrypoints.cli.commands import report_columns as columns

    as_csv, within = read_range(asked)
    report = session.commerce.analytics.sales_over_time(grain=grain, **within)
    shown = [columns.period(), columns.partner(), *columns.figures()]
    show_report(session.out, report, PeriodSales, shown, as_csv=as_csv)


@analytics.verb("share", scope="analytics:read")
@range_options
def share(session: Session, **asked: Unpack[Range]) -> None:
    """Report each partner's share of the revenue, by currency."""
    from commerce_core.analytics.reports import RevenueShare
    from entrypoints.cli.commands import report_columns as columns

    as_csv, within = read_range(asked)
    report = session.commerce.analytics.revenue_share(**within)
    shown = [columns.partner(), *columns.shares()]
    show_report(session.out, report, RevenueShare, shown, as_csv=as_csv)


@analytics.verb("top", scope="analytics:read")
@click.option(
    "--by",
    type=click.Choice(["product", "brand", "category"]),
    default="product",
    show_default=True,
    help="What is ranked, as the catalog has it now.",
)
@click.option(
    "--measure",
    type=click.Choice(["net", "gross", "units"]),
    default="net",
    show_default=True,
    help="The figure by which they are ranked.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 200),
    default=10,
    show_default=True,
    help="Maximum number of ranks by currency.",
)
@range_options
def top(
    session: Session,
    *,
    by: "Dimension",
    measure: "Measure",
    limit: int,
    **asked: Unpack[Range],
) -> None:
    """Report the products, brands or categories that sold best."""
    from commerce_core.analytics.reports import TopSales
    from entrypoints.cli.commands import report_columns as columns

    as_csv, within = read_range(asked)
    report = session.commerce.analytics.top(by, measure=measure, limit=limit, **within)
    show_report(session.out, report, TopSales, columns.ranks(by), as_csv=as_csv)


@analytics.verb("hours", scope="analytics:read")
@range_options
def hours(session: Session, **asked: Unpack[Range]) -> None:
    """Report orders, units and sales by hour of the week."""
    from commerce_core.analytics.reports import HourSales
    from entrypoints.cli.commands import report_columns as columns

    as_csv, within = read_range(asked)
    report = session.commerce.analytics.hours(**within)
    show_report(session.out, report, HourSales, columns.hours(), as_csv=as_csv)


@analytics.verb("rules", scope="pricing:read")
@range_options
def rules(session: Session, **asked: Unpack[Range]) -> None:
    """Report the orders and the discounts of each price rule."""
    from commerce_core.analytics.reports import RuleSales
    from entrypoints.cli.commands import report_columns as columns

    as_csv, within = read_range(asked)
    report = session.commerce.analytics.rules(**within)
    show_report(session.out, report, RuleSales, columns.rules(), as_csv=as_csv)


@analytics.verb("refunds", scope="analytics:read")
@range_options
def refunds(session: Session, **asked: Unpack[Range]) -> None:
    """Report what was cancelled and refunded, by kind and reason."""
    from commerce_core.analytics.reports import RefundSales
    from entrypoints.cli.commands import report_columns as columns

    as_csv, within = read_range(asked)
    report = session.commerce.analytics.refunds(**within)
    show_report(session.out, report, RefundSales, columns.refunds(), as_csv=as_csv)


@analytics.verb("entries", scope="analytics:read")
@partner_option("Only entries of this partner.")
@click.option("--kind", type=click.Choice(_KINDS), help="Only entries of this kind.")
@click.option("--currency", metavar="CODE", help="Only entries in this currency.")
@click.option("--order", "order_id", metavar="ORDER", help="Only entries of this order.")
@click.option("--statement", "statement_id", metavar="ID", help="Only entries of this statement.")
@click.option("--from", "since", type=Moment(), help="Only entries at or after this time.")
@click.option("--to", "until", type=Moment(), help="Only entries before this time.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all of them as CSV.")
@limit_option
def entries(
    session: Session,
    partner: str | None,
    limit: int | None,
    *,
    as_csv: bool,
    **filters: Any,  # noqa: ANN401 - options of several types
) -> None:
    """List the entries of the ledger.

    The newest comes first. Figures are signed, so they add up.
    """
    from commerce_core.analytics.ledger import EntryQuery

    for name in ("since", "until"):
        filters[name] = in_zone(filters[name], "UTC")
    query, reports = EntryQuery(**filters), session.commerce.analytics
    if as_csv:
        with reports.export_entries(query, partner=partner) as blocks, target(None) as file:
            for block in blocks:
                file.write(block)
        return
    found = reports.entries(query, partner=partner)
    session.out.many(found, _entry_columns(), limit, "No entries found.")


def _entry_columns() -> "list[Column[Any]]":
    from entrypoints.cli.kit.output import moment_utc, money
    from entrypoints.cli.kit.tables import Column

    return [
        Column("at", lambda entry: moment_utc(entry.at)),
        Column("kind", lambda entry: entry.kind),
        Column("sku", lambda entry: entry.sku or "", crops=True),
        Column("units", lambda entry: f"{entry.quantity:,}", right=True),
        Column("amount", lambda entry: money(entry.amount, entry.currency), right=True),
        Column("partner's", lambda entry: money(entry.partner_amount, entry.currency), right=True),
        Column("entry", lambda entry: entry.entry_id),
    ]
