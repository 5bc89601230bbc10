"""`commerce sources pull, fetch, backfill ...`: sources that are fetched, and what was fetched."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from entrypoints.cli.commands.sources import sources
from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import (
    Moment,
    Session,
    in_utc,
    key_option,
    limit_option,
    partner_option,
)

if TYPE_CHECKING:
    from commerce_core.feeds.backfill import BackfillFile, BackfillPlan
    from commerce_core.feeds.pull import Fetch, Pull
    from commerce_core.usecases.fetching.rehearsal import Rehearsal

__all__ = ["sources"]


@sources.verb("pull", scope="feeds:write")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
@click.option(
    "--url",
    help="Address: https://HOST/FILE, sftp://HOST/FILE, sftp://HOST/FOLDER/, or "
    "s3://BUCKET/PREFIX. Without it, the present settings are shown.",
)
@click.option(
    "--username",
    help="User name, or id of the access key. Over https, without a user name, the secret is sent "
    "as a bearer token.",
)
@click.option(
    "--secret-file",
    type=click.File("r"),
    help="File with the password, private key, token or secret access key; - for standard "
    "input. It is sealed, and never shown.",
)
@click.option("--no-secret", is_flag=True, help="Delete the stored secret.")
@click.option(
    "--host-key-file",
    type=click.File("r"),
    help="File with the public keys of the SFTP server, as ssh-keyscan prints them.",
)
@click.option("--host-key", help="The public key itself, or its fingerprint SHA256:...")
@click.option("--pattern", help="Which files of a folder, such as 'stock-*.csv' (default: all).")
@click.option(
    "--marker",
    help="Name of the file that shows that another one is complete, such as {name}.done.",
)
@click.option("--endpoint", help="URL of an S3 store that isn't Amazon's.")
@click.option("--region", help="Region of the bucket (default: us-east-1).")
@click.option("--queue-url", help="URL of an SQS queue that reports new keys in the bucket.")
@click.option("--cron", help="When to fetch, such as '30 6 * * mon-fri' (default: on request).")
@click.option("--time-zone", default="UTC", show_default=True, help="Time zone of the schedule.")
@click.option(
    "--off", is_flag=True, help="Stop fetching the source; from then on, its files are uploaded."
)
def pull(session: Session, source: str, partner: str | None, **settings: Any) -> None:  # noqa: ANN401 - each option has its own type
    """Fetch a source from a server, on a schedule or on request."""
    pulls = session.commerce.pulls
    if settings["off"]:
        found = pulls.remove(source, partner=partner)
    elif settings["url"] is None:
        found = pulls.get(source, partner=partner)
    else:
        secret_file: TextIO | None = settings["secret_file"]
        keys_file: TextIO | None = settings["host_key_file"]
        found = pulls.set(
            source,
            settings["url"],
            partner=partner,
            username=settings["username"],
            secret=secret_file.read().strip() if secret_file else None,
            keeps_secret=not settings["no_secret"],
            cron=settings["cron"],
            time_zone=settings["time_zone"],
            host_key=keys_file.read() if keys_file else settings["host_key"],
            pattern=settings["pattern"],
            marker=settings["marker"],
            endpoint=settings["endpoint"],
            region=settings["region"],
            queue_url=settings["queue_url"],
        )
    session.out.one(found, lambda: _pull_fields(found))


@sources.verb("fetch", scope="feeds:write")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
def fetch(session: Session, source: str, partner: str | None) -> None:
    """Fetch a source now; a worker does it."""
    made = session.commerce.pulls.fetch(source, partner=partner)
    session.out.one(made, lambda: _fetch_fields(made))


@sources.verb("test", scope="feeds:write")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
def test(session: Session, source: str, partner: str | None) -> None:
    """Show what a fetch would take, and keep nothing.

    Connects, lists the files, says why it would skip some, and examines one. Exits with 65 if the
    fetch would fail or that file would be refused.
    """
    from entrypoints.problems import EXIT_REFUSED

    found = session.commerce.pulls.test(source, partner=partner)
    session.out.one(found, lambda: _rehearsal_fields(found))
    if found.error is not None:
        click.get_current_context().exit(EXIT_REFUSED)


@sources.verb("backfill", scope="feeds:write")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
@click.option(
    "--url",
    help="Another folder or prefix, on the same server or in the same bucket (default: the "
    "source's own).",
)
@click.option("--pattern", help="Which files, such as 'stock-*.csv' (default: the source's).")
@click.option(
    "--from",
    "snapshot_from",
    type=Moment(),
    help="Only files with a snapshot at this time or later.",
)
@click.option(
    "--to", "snapshot_to", type=Moment(), help="Only files with a snapshot before this time."
)
@click.option("--plan", is_flag=True, help="Only show what would be taken, and keep nothing.")
@key_option
def backfill(session: Session, source: str, partner: str | None, **given: Any) -> None:  # noqa: ANN401 - options of several types
    """Load the past files of a folder, oldest snapshot first.

    A worker does it. Look at the plan first: it lists the files, the snapshot of each and where
    that comes from, and what is left out.
    """
    from commerce_core.feeds.backfill import Backfill

    moments: list[datetime | None] = [in_utc(given[n]) for n in ("snapshot_from", "snapshot_to")]
    wanted = Backfill(given["url"], given["pattern"], *moments)
    pulls = session.commerce.pulls
    if given["plan"]:
        plan = pulls.plan_backfill(source, wanted, partner=partner)
        session.out.one(plan, lambda: _plan_fields(plan))
        notice("This is a plan; nothing was done. To do it, leave out --plan.")
        return
    made = pulls.backfill(source, wanted, partner=partner, key=given["key"])
    session.out.one(made, lambda: _fetch_fields(made))


@sources.verb("cancel", scope="feeds:write")
@click.argument("fetch_id")
def cancel(session: Session, fetch_id: str) -> None:
    """Cancel a fetch or a backfill; what it took stays."""
    ended = session.commerce.pulls.cancel(fetch_id)
    session.out.one(ended, lambda: _fetch_fields(ended))


def _plan_fields(plan: "BackfillPlan") -> Iterator[tuple[str, str]]:
    yield "url", plan.url
    yield "would take", f"{plan.takes:,} files, {plan.bytes:,} bytes"
    yield "waiting", f"{plan.waits:,}"
    yield "others", f"{plan.skips:,}"
    for number, file in enumerate(plan.files, 1):
        yield f"{number}" if file.effect else file.verdict, _planned(file)
    hidden = plan.takes + plan.waits + plan.skips - len(plan.files)
    if hidden:
        yield "", f"and {hidden:,} more"
    if plan.last_path is not None and plan.last_snapshot_at is not None:
        yield "last", f"{plan.last_path}, as of {_moment(plan.last_snapshot_at)}"
        yield "change products", f"{plan.applies:,} of {plan.takes:,}, read as {plan.mode}"
    if plan.newest_full_at is not None:
        yield "applied already", f"a full file as of {_moment(plan.newest_full_at)}"


def _planned(file: "BackfillFile") -> str:
    named = {"name": "by its name", "modified": "by its time of change"}
    parts = [
        file.path,
        *([] if file.size is None else [f"{file.size:,} bytes"]),
        *([f"{_moment(file.snapshot_at)} {named[file.snapshot_basis]}"]
          if file.snapshot_at and file.snapshot_basis else []),
        *(["a newer full file replaces it"] if file.effect == "overtaken" else []),
    ]  # fmt: skip
    return f"{', '.join(parts)}{f': {file.why}' if file.why else ''}"


def _rehearsal_fields(found: "Rehearsal") -> Iterator[tuple[str, str]]:
    yield "url", found.url
    if found.error is not None:
        yield "error", f"{found.error.message} ({found.error.code})"
    yield "would take", str(found.takes)
    yield "waiting", str(found.waits)
    yield "others", str(found.skips)
    for file in found.files:
        size = "" if file.size is None else f", {file.size:,} bytes"
        yield file.verdict, f"{file.path}{size}{f': {file.why}' if file.why else ''}"
    if found.read_path is not None:
        yield "examined", f"the first {found.read_bytes:,} bytes of {found.read_path}"
    if found.diagnosis is not None:
        read = found.diagnosis.dry_read
        yield "records", f"{read.records:,}, of which {read.rejected:,} would be rejected"
        yield "preset", found.diagnosis.preset
        for mapped in found.diagnosis.mapping:
            yield "column", f"{', '.join(mapped.columns) or 'a constant'} is {mapped.field}"
    elif found.read_path is not None and found.error is None:
        yield "records", "can't be read from the beginning of such a file"


@sources.verb("fetches", scope="feeds:read")
@click.argument("source", required=False)
@partner_option("Only fetches of this partner, or the partner that has the source.")
@limit_option
def fetches(session: Session, source: str | None, partner: str | None, limit: int | None) -> None:
    """List the fetches of a source, or of all sources, newest first."""
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Fetch]] = [
        Column("due", lambda f: _moment(f.due_at)),
        Column("status", lambda f: f.outcome or f.status),
        Column("bytes", lambda f: f"{f.bytes or f.progress.bytes_read:,}"),
        Column("feeds", lambda f: str(f.feeds), from_width=90),
        Column("tries", lambda f: str(f.tries), from_width=100),
        Column("error", lambda f: f.error.message if f.error else "", crops=True),
        Column("feed", lambda f: f.feed_id or "", from_width=100),
        Column("id", lambda f: f.fetch_id, from_width=140),
    ]
    session.out.many(
        session.commerce.pulls.fetches(source, partner=partner),
        columns,
        limit,
        "Nothing was fetched.",
    )


def _moment(at: datetime) -> str:
    from entrypoints.cli.kit.output import moment_utc

    return moment_utc(at)


def _pull_fields(pull: "Pull") -> Iterator[tuple[str, str]]:
    yield "source", pull.source_id
    yield "kind", pull.kind
    yield "url", pull.url
    for key in (pull.host_key or "").splitlines():
        yield "host key", key
    if pull.endpoint:
        yield "endpoint", pull.endpoint
    if pull.region:
        yield "region", pull.region
    if pull.queue_url:
        yield "queue", pull.queue_url
    if pull.queue_error:
        yield "queue error", f"{pull.queue_error.message} ({pull.queue_error.code})"
    if pull.pattern:
        yield "pattern", pull.pattern
    if pull.marker:
        yield "marker", pull.marker
    yield "user", pull.username or "none"
    yield "secret", "stored" if pull.has_secret else "none"
    yield "schedule", f"{pull.cron} in {pull.time_zone}" if pull.cron else "on request"
    for at in pull.next_at:
        yield "next", _moment(at)


def _fetch_fields(fetch: "Fetch") -> Iterator[tuple[str, str]]:
    yield "id", fetch.fetch_id
    yield "source", fetch.source_id
    yield "status", fetch.outcome or fetch.status
    yield "due", _moment(fetch.due_at)
