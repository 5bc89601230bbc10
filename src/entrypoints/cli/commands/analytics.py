"""`commerce analytics`: sales reports by currency; amounts are never converted."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from entrypoints.cli.kit.files import target
from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Moment, Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.analytics.reports import Report
    from commerce_core.base.calendar import Grain
    from entrypoints.cli.kit.output import Output
    from entrypoints.cli.kit.tables import Column

analytics: Final = noun("analytics", "Report sales by currency. Amounts are never converted.")


class GrainName(click.Choice[str]):
    """The length of a period, by either of its names."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The length's name in the core."""
        return super().convert(_ADVERBS.get(value, value), param, ctx)


_KINDS: Final = (
    "placed", "cancelled", "refunded", "goodwill", "fee", "payout", "correction",
)  # fmt: skip
_ADVERBS: Final = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month"}


class Range(TypedDict):
    """The options of every report."""

    since: datetime | None
    until: datetime | None
    partner: str | None
    currency: str | None
    tz: str


def _range_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that all reports have."""
    options = (
        click.option(
            "--from",
            "since",
            type=Moment(),
            show_default="the first sale",
            help="Start of the report, inclusive.",
        ),
        click.option(
            "--to",
            "until",
            type=Moment(),
            show_default="now",
            help="End of the report, exclusive.",
        ),
        partner_option("Only sales of this partner."),
        click.option("--currency", metavar="CODE", help="Only sales in this currency."),
        click.option(
            "--tz",
            default="UTC",
            show_default=True,
            metavar="ZONE",
            help="Time zone of periods, and of times that have no offset.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@analytics.verb("by-partner", scope="analytics:read")
@_range_options
def by_partner(session: Session, **asked: Unpack[Range]) -> None:
    """Report orders, units and sales by partner."""
    report = session.commerce.analytics.sales_by_partner(**_in_its_zone(asked))
    _show(session.out, report, [_partner(), *figures()])


@analytics.verb("over-time", scope="analytics:read")
@click.option(
    "--grain",
    type=GrainName(["hour", "day", "week", "month"]),
    default="day",
    show_default=True,
    help="Length of a period; hourly, daily, weekly and monthly also work.",
)
@_range_options
def over_time(session: Session, *, grain: "Grain", **asked: Unpack[Range]) -> None:
    """Report orders, units and sales by hour, day, week or month."""
    report = session.commerce.analytics.sales_over_time(grain=grain, **_in_its_zone(asked))
    _show(session.out, report, [period(), _partner(), *figures()])


@analytics.verb("share", scope="analytics:read")
@_range_options
def share(session: Session, **asked: Unpack[Range]) -> None:
    """Report each partner's share of the revenue, by currency."""
    report = session.commerce.analytics.revenue_share(**_in_its_zone(asked))
    _show(session.out, report, [_partner(), *shares()])


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
    """List the entries of the ledger, newest first; their figures add up."""
    from commerce_core.analytics.ledger import EntryQuery

    for name in ("since", "until"):
        filters[name] = _in_zone(filters[name], "UTC")
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


def _in_its_zone(asked: Range) -> Range:
    """The range; times without an offset are in its time zone."""
    since, until, zone = asked["since"], asked["until"], asked["tz"]
    return {**asked, "since": _in_zone(since, zone), "until": _in_zone(until, zone)}


def _in_zone(at: datetime | None, zone: str) -> datetime | None:
    if at is None or at.tzinfo is not None:
        return at
    try:
        return at.replace(tzinfo=ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(
            f"{zone!r} is not an IANA time zone such as Europe/Rome.", param_hint="--tz"
        ) from None


def _show(out: "Output", report: "Report", columns: "Sequence[Column[Any]]") -> None:
    from entrypoints.cli.kit.output import moment_utc

    if out.as_json:
        out.document(report)
    elif not report.results:
        notice("No sales in this period.")
    else:
        out.table(report.results, columns)
        out.line()
        since, until = moment_utc(report.since), moment_utc(report.until)
        out.line(f"From {since} to {until}; time zone {report.tz}.")


def _partner() -> "Column[Any]":
    from entrypoints.cli.kit.tables import Column

    return Column("partner", lambda row: row.partner_name, crops=True)


def period() -> "Column[Any]":
    """The period, as a column."""
    from entrypoints.cli.kit.tables import Column

    return Column("period", lambda row: row.sales_period)


def figures() -> "list[Column[Any]]":
    """The columns that sales by partner and over time share."""
    from entrypoints.cli.kit.output import money
    from entrypoints.cli.kit.tables import Column

    return [
        Column("orders", lambda row: f"{row.orders:,}", right=True),
        Column("units", lambda row: f"{row.units_sold:,}", right=True),
        Column("gross", lambda row: money(row.gross_sales, row.currency), right=True),
        Column("net", lambda row: money(row.total_sales, row.currency), right=True),
    ]


def shares() -> "list[Column[Any]]":
    """The columns of the revenue share."""
    from entrypoints.cli.kit.output import money
    from entrypoints.cli.kit.tables import Column

    return [
        Column("revenue", lambda row: money(row.total_revenue, row.currency), right=True),
        Column("share", lambda row: f"{row.revenue_pct} %", right=True),
    ]
