"""What all reports share on the command line: their options, and how they are printed."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict

import click

from entrypoints.cli.kit.files import target
from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Moment, partner_option

if TYPE_CHECKING:
    from commerce_core.analytics.questions import Basis
    from commerce_core.analytics.reports import Report, Row
    from commerce_core.usecases.reports import ReportRange
    from entrypoints.cli.kit.output import Output
    from entrypoints.cli.kit.tables import Column


class GrainName(click.Choice[str]):
    """The length of a period, by either of its names."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The length's name in the core."""
        return super().convert(_ADVERBS.get(value, value), param, ctx)


_ADVERBS: Final = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month"}


class Range(TypedDict):
    """The options of every report."""

    since: datetime | None
    until: datetime | None
    partner: str | None
    currency: str | None
    tz: str
    basis: "Basis"
    as_csv: bool


def range_options(command: Callable[..., None]) -> Callable[..., None]:
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
        click.option(
            "--basis",
            type=click.Choice(["event", "order"]),
            default="event",
            show_default=True,
            help="Whether an entry counts when it happened, or when its order was placed.",
        ),
        click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def read_range(asked: Range) -> "tuple[bool, ReportRange]":
    """Whether CSV is asked for, and the range; times without an offset are in its time zone."""
    zone = asked["tz"]
    within: ReportRange = {
        "since": in_zone(asked["since"], zone),
        "until": in_zone(asked["until"], zone),
        "partner": asked["partner"],
        "currency": asked["currency"],
        "tz": zone,
        "basis": asked["basis"],
    }
    return asked["as_csv"], within


def in_zone(at: datetime | None, zone: str) -> datetime | None:
    """The time; one without an offset is in that zone."""
    if at is None or at.tzinfo is not None:
        return at
    from commerce_core.base.calendar import iana_zone

    clocks = iana_zone(zone)
    if clocks is None:
        detail = f"{zone!r} is not an IANA time zone such as Europe/Rome."
        raise click.BadParameter(detail, param_hint="--tz")
    return at.replace(tzinfo=clocks)


def show_report(
    out: "Output",
    report: "Report",
    of: "type[Row]",
    columns: "Sequence[Column[Any]]",
    *,
    as_csv: bool,
) -> None:
    """Prints a report, whose rows are of that class."""
    if as_csv:
        from commerce_core.analytics.report_file import write_report

        with target(None) as file:
            for block in write_report(report, of):
                file.write(block)
    elif out.as_json:
        out.document(report)
    elif not report.results:
        notice("No sales in this period.")
    else:
        out.table(report.results, columns)
        out.line()
        for text in _notes(report):
            out.line(text)


def _notes(report: "Report") -> "Iterator[str]":
    """What the figures cover."""
    from entrypoints.cli.kit.output import moment_utc

    since, until = moment_utc(report.since), moment_utc(report.until)
    yield f"From {since} to {until}; time zone {report.tz}."
    if report.basis == "order":
        yield "Everything counts when its order was placed."
    if (before := report.compared_with) is not None:
        since, until = moment_utc(before.since), moment_utc(before.until)
        yield f"Compared with {since} to {until} (the same {before.by})."
