"""Receiving: what is asked of a file on its way in, and of its feed before a job of it begins."""

from datetime import datetime, timedelta
from typing import Final

from attrs import frozen

from commerce_core.context import Context
from commerce_core.errors import Conflict, Fault, InvalidInput, NotFound, refuse_if
from commerce_core.feeds import Feed, tidy_file_name
from commerce_core.ids import looks_like, parse
from commerce_core.partners import Mode, Partner
from commerce_core.ports import UnitOfWork
from commerce_core.sources import MAIN_SOURCE, Source

LONGEST_CONTENT_TYPE: Final = 255
_FUTURE_ALLOWED: Final = timedelta(days=1)
"""How far a snapshot may lie ahead: clocks and time zones differ, but not by more."""


@frozen
class Arrival:
    """What is said of a file that comes in; what isn't is as its source has it."""

    partner: str
    source: str | None
    mode: Mode | None
    file_name: str
    snapshot_at: datetime | None
    expected_rows: int | None
    content_type: str = "text/csv"

    def feed(self, context: Context, unit: UnitOfWork) -> Feed:
        """The feed that it becomes, before its bytes are known.

        NotFound for an unknown partner or source, Conflict for a partner that isn't active.
        """
        now, owner = context.clock(), context.partner(unit, self.partner)
        owner.check_may_send()
        source = _find_source(unit, owner, self.source)
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


def _find_source(unit: UnitOfWork, partner: Partner, source: str | None) -> Source:
    """The partner's source of that id or name, `main` unless said; NotFound if it has none such."""
    if source is not None and looks_like("src", source):
        found = unit.sources.get(parse("src", source))
    else:
        found = unit.sources.find(partner.partner_id, source or MAIN_SOURCE)
    if found is None or found.partner_id != partner.partner_id:
        raise NotFound(f"Partner {partner.partner_name!r} has no source {source!r}.")
    return found


def _named(source: Source, name: str, partner: Partner, now: datetime) -> datetime | None:
    """The moment that a file's name tells, unless it lies in the future."""
    moment = source.moment_of(name, partner.time_zone)
    return moment if moment is not None and moment <= now + _FUTURE_ALLOWED else None


def check_snapshot(snapshot_at: datetime | None, now: datetime) -> None:
    """InvalidInput for a snapshot of a moment that is still to come."""
    refuse_if(
        "The snapshot's time can't be.",
        (
            snapshot_at is not None and snapshot_at > now + _FUTURE_ALLOWED,
            Fault("/snapshot_at", "snapshot_in_future", "A snapshot shows a moment that has been."),
        ),
    )


def check_kept(size: int, got: str, promised: str | None) -> None:
    """InvalidInput for a file of no bytes, and for one that isn't what was promised."""
    if size == 0:
        raise InvalidInput.at("/file", "empty_file", "The file has no bytes.")
    if promised is not None and promised.lower() != got:
        detail = (
            f"The bytes received have the SHA-256 {got}, not the one promised. Send them again."
        )
        raise InvalidInput.at("/sha256", "digest_mismatch", detail)


def check_source(unit: UnitOfWork, feed: Feed) -> None:
    """Conflict if the feed's source was removed: then nobody can own what it would publish."""
    try:
        unit.sources.hold(feed.source_id)
    except NotFound as error:
        raise Conflict(
            f"The source of feed {feed.feed_id} was removed.",
            "Send the file again, from another source.",
            code="source_removed",
        ) from error


def check_idle(unit: UnitOfWork, feed: Feed) -> None:
    """Conflict while the feed has a job that is not finished."""
    latest = unit.jobs.lock(feed.latest_job.job_id) if feed.latest_job else None
    if latest is not None and not latest.is_finished:
        raise Conflict(
            f"Job {latest.job_id} of this feed is {latest.status}.",
            "Run it, or cancel it first.",
            code="job_unfinished",
        )
