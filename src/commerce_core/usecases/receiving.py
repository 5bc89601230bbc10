"""Receiving: what a sender specifies about a file, and the feed that it becomes."""

from datetime import datetime
from typing import Final

from attrs import frozen

from commerce_core.base.errors import Fault, InvalidInput, refuse_if
from commerce_core.feeds.feed import Feed, tidy_file_name
from commerce_core.feeds.file_name_time import FUTURE_ALLOWED
from commerce_core.feeds.job import FeedJobKind, Job, JobStatus
from commerce_core.feeds.source import MAIN_SOURCE, Source
from commerce_core.partners.partner import Partner
from commerce_core.ports.feeds import FeedsUnit
from commerce_core.ports.store import UnitOfWork
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import Context

LONGEST_CONTENT_TYPE: Final = 255


@frozen
class Receipt:
    """The answer to an upload; `status` is its job's, `released` whether that job may start."""

    feed_id: str
    job_id: str
    partner_id: str
    source_id: str
    status: JobStatus
    sha256: str
    bytes: int
    released: bool = False


@frozen
class Arrival:
    """What the sender specifies about a file; the source's settings supply the rest."""

    partner: str
    source: str | None
    mode: Mode | None
    file_name: str
    snapshot_at: datetime | None
    expected_rows: int | None
    content_type: str = "text/csv"

    def feed(self, context: Context, unit: UnitOfWork) -> Feed:
        """The new feed, without its size and digest, which aren't known yet.

        NotFound for an unknown partner or source, Conflict for a partner that isn't active.
        """
        now, owner = context.clock(), context.partner(unit, self.partner)
        owner.check_may_send()
        source = context.source(unit, self.source or MAIN_SOURCE, owner)
        name = tidy_file_name(self.file_name)
        return Feed(
            feed_id=context.mint("feed"),
            partner_id=owner.partner_id,
            partner_name=owner.partner_name,
            source_id=source.source_id,
            file_name=name,
            content_type=self.content_type[:LONGEST_CONTENT_TYPE],
            bytes=0,
            sha256="",
            mode=self.mode or source.mode,
            status="received",
            received_at=now,
            snapshot_at=self.snapshot_at or _named(source, name, owner, now) or now,
            expected_rows=self.expected_rows,
        )


def _named(source: Source, name: str, partner: Partner, now: datetime) -> datetime | None:
    """The time in a file's name; None if it is in the future."""
    moment = source.moment_of(name, partner.time_zone)
    return moment if moment is not None and moment <= now + FUTURE_ALLOWED else None


def check_snapshot(snapshot_at: datetime | None, now: datetime) -> None:
    """InvalidInput if the snapshot's time is in the future."""
    refuse_if(
        "The snapshot's time isn't valid.",
        (
            snapshot_at is not None and snapshot_at > now + FUTURE_ALLOWED,
            Fault("/snapshot_at", "snapshot_in_future", "Use a time that isn't in the future."),
        ),
    )


def check_received(size: int, got: str, promised: str | None) -> None:
    """InvalidInput for an empty file, or if the digest differs from the announced one."""
    if size == 0:
        raise InvalidInput.at("/file", "empty_file", "The file is empty.")
    if promised is not None and promised.lower() != got:
        detail = (
            f"The bytes received have the SHA-256 {got}, not the announced one. Send them again."
        )
        raise InvalidInput.at("/sha256", "digest_mismatch", detail)


def receive(
    context: Context, unit: UnitOfWork, feed: Feed, kind: FeedJobKind = "ingest", *, run: bool
) -> Receipt:
    """Keeps a feed whose file is stored, and adds its job: however the file arrived."""
    unit.partners.lock_shared(feed.partner_id).check_may_send()
    unit.sources.lock_shared(feed.source_id)
    unit.feeds.add(feed)
    job = new_job(context, unit, feed, kind, run=run)
    event = context.new_event().of_feed("feed.received", feed, job_id=job.job_id, bytes=feed.bytes)
    unit.events.add([event])
    return Receipt(
        feed.feed_id, job.job_id, feed.partner_id, feed.source_id, job.status, feed.sha256,
        feed.bytes, run,
    )  # fmt: skip


def new_job(context: Context, unit: FeedsUnit, feed: Feed, kind: FeedJobKind, *, run: bool) -> Job:
    """A queued job for a feed, released to the workers if `run`."""
    job = Job(
        job_id=context.mint("job"),
        feed_id=feed.feed_id,
        partner_id=feed.partner_id,
        kind=kind,
        status="queued",
        released=run,
        created_at=context.clock(),
    )
    unit.jobs.add(job)
    return job
