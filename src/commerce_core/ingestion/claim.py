"""Claiming: which job runs next, and which full feeds a newer one in the queue makes needless."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from attrs import evolve, frozen

from commerce_core.activity.events import NewEvent
from commerce_core.base.errors import FileRefused, NotFound
from commerce_core.feeds.coalescing import Coalesced, UnderWay, coalesce
from commerce_core.feeds.job import Job
from commerce_core.parsing.reader import begin
from commerce_core.parsing.record_reader import Terms
from commerce_core.ports.files import Files
from commerce_core.ports.store import UnitOfWork


@frozen
class Claiming:
    """Claims jobs within a unit."""

    unit: UnitOfWork
    files: Files
    at: datetime
    lease: timedelta
    new_event: Callable[[], NewEvent]

    def next(self) -> Job | None:
        """The next released job, running now; None if there is nothing to claim."""
        while (job := self.unit.jobs.claim(self.at, self.lease)) is not None:
            job = self._coalesced(job)
            if not job.is_finished:
                return job
        return None

    def one(self, job_id: str) -> Job | None:
        """This job, running now, or cancelled for a newer one; None if it can't be claimed."""
        job = self.unit.jobs.claim(self.at, self.lease, job_id)
        return None if job is None else self._coalesced(job)

    def _coalesced(self, job: Job) -> Job:
        """The claimed job: still running, or cancelled because a newer one of its source waits."""
        if job.kind != "ingest":
            return job
        source_id = self.unit.feeds.get(job.feed_id).source_id
        while decided := coalesce(
            job.job_id, self.unit.jobs.under_way(source_id), self._is_readable
        ):
            if self._still_waits(decided.newest, job):
                return self._cancel(decided, job)
        return job

    def _still_waits(self, newest: UnderWay, claimed: Job) -> bool:
        """Whether it hasn't been cancelled in the meantime; from now on it can't be."""
        if newest.job_id == claimed.job_id:
            return True
        locked = self.unit.jobs.lock(newest.job_id)
        return locked.status == "queued" and locked.released

    def _cancel(self, decided: Coalesced, job: Job) -> Job:
        reason, needless = decided.reason, {other.job_id for other in decided.others}
        feeds = self.unit.jobs.cancel(needless - {job.job_id}, self.at, reason)
        if job.job_id in needless:
            job = evolve(job, status="cancelled", finished_at=self.at, error=reason)
            self.unit.jobs.finish(job)
            feeds = [*feeds, job.feed_id]
        self.unit.feeds.supersede(feeds)
        superseded = (self.unit.feeds.get(feed_id) for feed_id in feeds)
        self.unit.events.add(
            self.new_event().of_feed("feed.superseded", feed, by=decided.newest.feed_id)
            for feed in superseded
            if feed.status == "superseded"
        )
        return job

    def _is_readable(self, job: UnderWay) -> bool:
        """Whether the feed's header can be read, and isn't that of a corrected report."""
        feed = self.unit.feeds.get(job.feed_id)
        partner = self.unit.partners.get(feed.partner_id)
        profile = self.unit.sources.profile(feed.source_id).profile
        with suppress(FileRefused, NotFound), self.files.open(feed.file_key) as raw:
            return begin(raw, Terms.of(partner, feed.mode, profile)).mends is None
        return False
