"""`commerce feeds`: the files that partners send."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.commands import history, reverts
from entrypoints.cli.commands.plans import plan_file, plan_options
from entrypoints.cli.kit.files import opened, target
from entrypoints.cli.kit.verbs import Moment, Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.feeds.feed import Feed, FeedStatus
    from commerce_core.feeds.job import FeedJobKind
    from commerce_core.schema.fields import Mode
    from commerce_core.usecases.feeds import Receipt

feeds: Final = noun("feeds", "Send and manage feeds, the files of partners.")
feeds.add_command(history.feed_changes)
feeds.add_command(reverts.revert)
_STATUSES: Final = (
    "received", "applied", "held", "rejected", "superseded", "reverted", "failed",
)  # fmt: skip
_KINDS: Final = ("ingest", "validate", "plan")
_BLOCK: Final = 1 << 20
_note = click.option("--note", help="Reason for the decision, kept with it.")


@feeds.verb("upload", scope="feeds:write")
@click.argument("file", metavar="FILE")
@partner_option("Partner that sends the file: an id or a name.", required=True)
@click.option(
    "--source",
    metavar="SOURCE",
    default="main",
    show_default=True,
    help="Source of the partner: an id or a name.",
)
@click.option(
    "--mode",
    type=click.Choice(["full", "delta"]),
    show_default="the source's mode",
    help="Whether the file contains the whole catalog (full) or only changes (delta).",
)
@click.option(
    "--profile",
    metavar="PRESET_OR_FILE",
    help="Set the profile of the source first; see `commerce profiles`.",
)
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default="ingest",
    show_default=True,
    help="What the job does: apply the feed (ingest), only check its records (validate), or also "
    "compare them with the catalog (plan).",
)
@click.option(
    "--run", is_flag=True, help="Start the job: a worker runs it or, with --wait, this command."
)
@click.option("--wait", is_flag=True, help="With --run: wait until the job has finished.")
@click.option(
    "--snapshot-at",
    type=Moment(),
    show_default="the time in the file name, else now",
    help="Time of the state that the file shows; UTC if it has no offset.",
)
@click.option("--expected-rows", type=int, help="Number of records that the file must contain.")
@click.option("--sha256", metavar="HEX", help="SHA-256 that the file must have.")
@click.option("--strict", is_flag=True, help="With --wait: fail if any record is rejected.")
def upload(
    session: Session,
    *,
    file: str,
    partner: str,
    source: str,
    mode: "Mode | None",
    profile: str | None,
    kind: "FeedJobKind",
    run: bool,
    wait: bool,
    snapshot_at: datetime | None,
    expected_rows: int | None,
    sha256: str | None,
    strict: bool,
) -> None:
    """Upload a file and, with --run, start its job. FILE may be - for stdin.

    Exits with 65 if the job failed, or with 3 if the feed is held. With --strict, also exits with
    65 if a record was rejected.
    """
    if (wait and not run) or (strict and not wait):
        raise click.UsageError(
            "--wait requires --run, and --strict requires both.", click.get_current_context()
        )
    if snapshot_at is not None and snapshot_at.tzinfo is None:
        snapshot_at = snapshot_at.replace(tzinfo=UTC)
    if profile is not None:
        from entrypoints.cli.commands.profiles import named_profile

        wanted = named_profile(profile)
        session.commerce.sources.set_profile(wanted, source, partner=partner)
    name = "feed.csv" if file == "-" else Path(file).name
    with opened(file) as stream:
        receipt = session.commerce.feeds.upload(
            stream,
            partner=partner,
            file_name=name,
            source=source,
            mode=mode,
            kind=kind,
            run=run or None,
            snapshot_at=snapshot_at,
            expected_rows=expected_rows,
            sha256=sha256,
        )
    if wait:
        from entrypoints.cli.kit.running import conclude, run_or_watch

        conclude(session, run_or_watch(session.commerce, receipt.job_id, new=True), strict=strict)
    else:
        session.out.one(receipt, lambda: _receipt_fields(receipt))
        if not session.out.as_json:
            session.out.line(_next_step(session, receipt))


def _receipt_fields(receipt: "Receipt") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import size

    yield "feed", receipt.feed_id
    yield "job", f"{receipt.job_id} ({receipt.status})"
    yield "stored", size(receipt.bytes)
    yield "sha256", receipt.sha256


def _next_step(session: Session, receipt: "Receipt") -> str:
    if receipt.released:
        return (
            "A worker will run the job, if `commerce serve` or `commerce worker` is running. "
            f"To watch it:\n  {session.command_line('jobs', 'watch', receipt.job_id)}"
        )
    return f"To start the job:\n  {session.command_line('jobs', 'run', receipt.job_id)}"


@feeds.verb("list", scope="feeds:read")
@partner_option("Only feeds of this partner.")
@click.option("--source", "source_id", metavar="SOURCE_ID", help="Only feeds of this source.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only feeds with this status.")
@click.option("--held", is_flag=True, help="Only feeds that are held: short for --status held.")
@limit_option
def list_(
    session: Session,
    partner: str | None,
    source_id: str | None,
    status: "FeedStatus | None",
    *,
    held: bool,
    limit: int | None,
) -> None:
    """List feeds, newest first."""
    if held and status not in (None, "held"):
        raise click.UsageError("--held can't be combined with --status.")
    status = "held" if held else status
    from commerce_core.base.ids import parse
    from commerce_core.feeds.feed import FeedQuery
    from entrypoints.cli.kit.output import moment, size
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Feed]] = [
        Column("received (UTC)", lambda f: moment(f.received_at)),
        Column("partner", lambda f: f.partner_name, crops=True),
        Column("file", lambda f: f.file_name, crops=True, from_width=100),
        Column("size", lambda f: size(f.bytes), right=True, from_width=120),
        Column("mode", lambda f: f.mode, from_width=90),
        Column("status", lambda f: f.status),
        Column("id", lambda f: f.feed_id),
    ]
    query = FeedQuery(source_id=source_id and parse("src", source_id), status=status)
    found = session.commerce.feeds.list(query, partner=partner)
    session.out.many(found, columns, limit, "No feeds found.")


@feeds.verb("show", scope="feeds:read")
@click.argument("feed_id")
def show(session: Session, feed_id: str) -> None:
    """Show a feed, and its latest job."""
    feed = session.commerce.feeds.get(feed_id)
    session.out.one(feed, lambda: _fields(feed))


def _fields(feed: "Feed") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc, size

    job = feed.latest_job
    yield "id", feed.feed_id
    yield "partner", f"{feed.partner_name} ({feed.partner_id})"
    yield "source", feed.source_id
    yield "file", f"{feed.file_name}, {size(feed.bytes)}, {feed.content_type}"
    yield "sha256", feed.sha256
    yield "mode", feed.mode
    yield "status", feed.status
    yield "received", moment_utc(feed.received_at)
    yield "snapshot of", moment_utc(feed.snapshot_at)
    yield "applied", moment_utc(feed.applied_at)
    yield "latest job", f"{job.job_id} ({job.outcome or job.status})" if job else ""


@feeds.verb("plan", scope="feeds:read")
@click.argument("file", metavar="FILE")
@plan_options
def plan(session: Session, file: str, **terms: Any) -> None:  # noqa: ANN401 - each has its own type
    """Show what a file would change if it were applied now. FILE may be - for stdin.

    Nothing is stored. Exits with 3 if the feed would be held, or with 65 if it would fail.
    """
    plan_file(session, file, **terms)


@feeds.verb("approve", scope="feeds:decide")
@click.argument("feed_id")
@click.option(
    "--without",
    type=click.Choice(["removals"]),
    multiple=True,
    help="Apply everything except this.",
)
@_note
def approve(session: Session, feed_id: str, without: tuple[str, ...], note: str | None) -> None:
    """Approve a held feed, and apply it.

    The feed is planned again first. If a guard's figure is now worse than before, nothing is
    applied, the new plan replaces the old one, and the command exits with 73.
    """
    from entrypoints.cli.kit.running import conclude

    conclude(session, session.commerce.plans.approve(feed_id, without=without, note=note))


@feeds.verb("reject", scope="feeds:decide")
@click.argument("feed_id")
@_note
def reject(session: Session, feed_id: str, note: str | None) -> None:
    """Reject a held feed, permanently."""
    feed = session.commerce.plans.reject(feed_id, note=note)
    session.out.one(feed, lambda: [("feed", feed.feed_id), ("status", feed.status)])


@feeds.verb("raw", scope="feeds:read")
@click.argument("feed_id")
def raw(session: Session, feed_id: str) -> None:
    """Write a feed's raw file to stdout, exactly as it was received."""
    stdout = sys.stdout.buffer
    with session.commerce.feeds.raw(feed_id) as stream:
        while block := stream.read(_BLOCK):
            stdout.write(block)


@feeds.verb("report", scope="feeds:read")
@click.argument("feed_or_job", metavar="FEED_ID|JOB_ID")
@click.option(
    "-o", "--output", metavar="FILE", show_default="stdout", help="File to write the report to."
)
def report(session: Session, feed_or_job: str, output: str | None) -> None:
    """Write the rejected records of a job, ready to be corrected.

    The report is in the partner's own format, with what is wrong in front of each record. Correct
    the records, and upload the report again. Given a feed's id, writes the report of its latest
    job.
    """
    from commerce_core.base.ids import looks_like

    commerce = session.commerce
    latest = commerce.feeds.get(feed_or_job).latest_job if looks_like("feed", feed_or_job) else None
    with (
        commerce.jobs.report(latest.job_id if latest else feed_or_job) as stream,
        target(output) as file,
    ):
        while block := stream.read(_BLOCK):
            file.write(block)
