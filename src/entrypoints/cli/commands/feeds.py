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

feeds: Final = noun("feeds", "Files that partners send.")
feeds.add_command(history.feed_changes)
feeds.add_command(reverts.revert)
_STATUSES: Final = (
    "received", "applied", "held", "rejected", "superseded", "reverted", "failed",
)  # fmt: skip
_KINDS: Final = ("ingest", "validate", "plan")
_BLOCK: Final = 1 << 20


@feeds.verb("upload", scope="feeds:write")
@click.argument("file", metavar="FILE")
@partner_option("Who sends it: an id or a name.", required=True)
@click.option("--source", metavar="SOURCE", help="Which of its sources; main unless said.")
@click.option(
    "--mode",
    type=click.Choice(["full", "delta"]),
    help="Whether it is the whole catalog or only what changed; unless said, the source's.",
)
@click.option(
    "--profile",
    metavar="PRESET_OR_FILE",
    help="How this source's files are read, from now on; see `commerce profiles`.",
)
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default="ingest",
    help="What its job does: ingest unless said; plan only compares, validate only checks.",
)
@click.option("--run", is_flag=True, help="Have it done, by a worker or (with --wait) by us.")
@click.option("--wait", is_flag=True, help="With --run: return when its job has finished.")
@click.option(
    "--snapshot-at", type=Moment(), help="The moment whose state the file shows; UTC unless said."
)
@click.option("--expected-rows", type=int, help="How many records it must have.")
@click.option("--sha256", metavar="HEX", help="The SHA-256 that its bytes must have.")
@click.option("--strict", is_flag=True, help="With --wait: a rejected record is a failure too.")
def upload(
    session: Session,
    *,
    file: str,
    partner: str,
    source: str | None,
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
    """Keeps a file, and has it ingested with --run. FILE may be - for stdin.

    Exits with 65 when the job failed, with 3 when the feed is held; with --strict also with 65
    when a record was rejected.
    """
    if (wait and not run) or (strict and not wait):
        raise click.UsageError(
            "--wait needs --run, and --strict needs both.", click.get_current_context()
        )
    if snapshot_at is not None and snapshot_at.tzinfo is None:
        snapshot_at = snapshot_at.replace(tzinfo=UTC)
    if profile is not None:
        from entrypoints.cli.commands.profiles import named_profile

        wanted = named_profile(profile)
        session.commerce.sources.set_profile(wanted, source or "main", partner=partner)
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
    yield "kept", size(receipt.bytes)
    yield "sha256", receipt.sha256


def _next_step(session: Session, receipt: "Receipt") -> str:
    if receipt.released:
        return (
            "A worker takes it from here: one in `commerce serve`, or `commerce worker`. "
            f"To see how far it is:\n  {session.typed('jobs', 'watch', receipt.job_id)}"
        )
    return f"It waits for its start:\n  {session.typed('jobs', 'run', receipt.job_id)}"


@feeds.verb("list", scope="feeds:read")
@partner_option("Those of this partner alone.")
@click.option("--source", "source_id", metavar="SOURCE_ID", help="Those of this source.")
@click.option("--status", type=click.Choice(_STATUSES))
@click.option("--held", is_flag=True, help="Those that wait for a decision.")
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
    """Lists feeds, newest first."""
    if held and status not in (None, "held"):
        raise click.UsageError("--held and --status exclude each other.")
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
    session.out.many(found, columns, limit, "No feed fits.")


@feeds.verb("show", scope="feeds:read")
@click.argument("feed_id")
def show(session: Session, feed_id: str) -> None:
    """Shows a feed, and its latest job."""
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
    yield "shows the state of", moment_utc(feed.snapshot_at)
    yield "applied", moment_utc(feed.applied_at)
    yield "latest job", f"{job.job_id} ({job.outcome or job.status})" if job else ""


@feeds.verb("plan", scope="feeds:read")
@click.argument("file", metavar="FILE")
@plan_options
def plan(session: Session, file: str, **terms: Any) -> None:  # noqa: ANN401 - each has its own type
    """Shows what a file would do if it were sent now; nothing is kept. FILE may be - for stdin.

    Exits with 3 when it would be held, with 65 when it can't be taken.
    """
    plan_file(session, file, **terms)


@feeds.verb("approve", scope="feeds:write")
@click.argument("feed_id")
@click.option("--without", type=click.Choice(["removals"]), multiple=True, help="Leave that out.")
@click.option("--note", help="Why, for whoever looks at it later.")
def approve(session: Session, feed_id: str, without: tuple[str, ...], note: str | None) -> None:
    """Applies a held feed. It is planned anew, and refused if it would now do more.

    Exits with 73 if so; the new plan is then the one to look at.
    """
    from entrypoints.cli.kit.running import conclude

    conclude(session, session.commerce.plans.approve(feed_id, without=without, note=note))


@feeds.verb("reject", scope="feeds:write")
@click.argument("feed_id")
@click.option("--note", help="Why, for whoever looks at it later.")
def reject(session: Session, feed_id: str, note: str | None) -> None:
    """Turns a held feed down for good."""
    feed = session.commerce.plans.reject(feed_id, note=note)
    session.out.one(feed, lambda: [("feed", feed.feed_id), ("status", feed.status)])


@feeds.verb("raw", scope="feeds:read")
@click.argument("feed_id")
def raw(session: Session, feed_id: str) -> None:
    """Writes the bytes of a feed to stdout, exactly as they were received."""
    stdout = sys.stdout.buffer
    with session.commerce.feeds.raw(feed_id) as stream:
        while block := stream.read(_BLOCK):
            stdout.write(block)


@feeds.verb("report", scope="feeds:read")
@click.argument("feed_or_job", metavar="FEED_ID|JOB_ID")
@click.option("-o", "--output", metavar="FILE", help="Where to write it, instead of stdout.")
def report(session: Session, feed_or_job: str, output: str | None) -> None:
    """Writes the rejected records of a feed, to mend and to send again.

    They are in the partner's own format, with what is wrong in front of each. Of a feed it is
    the report of its latest job.
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
