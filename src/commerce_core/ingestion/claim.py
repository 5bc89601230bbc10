"""Claiming: which job is run next, and which full feeds a newer queued one makes unnecessary."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from attrs import evolve, frozen

from commerce_core.activity.events import NewEvent
from commerce_core.base.errors import FileRefused, NotFound
from commerce_core.feeds.coalescing import Coalesced, UnderWay, coalesce
from commerce_core.feeds.job import FeedLane, Job
from commerce_core.parsing.reader import open_feed
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

    def next(self, lane: FeedLane = "feeds") -> Job | None:
        """The lane's next released job, now running; None if there is nothing to claim."""
        while (job := self.unit.jobs.claim(self.at, self.lease, lane=lane)) is not None:
            job = self._coalesced(job)
            if not job.is_finished:
                return job
        return None

    def one(self, job_id: str) -> Job | None:
        """This job, now running, or cancelled for a newer one; None if it can't be claimed."""
        job = self.unit.jobs.claim(self.at, self.lease, job_id)
        return None if job is None else self._coalesced(job)

    def _coalesced(self, job: Job) -> Job:
        """The claimed job: still running, or cancelled because a newer one of the source waits."""
        if job.kind != "ingest":
            return job
        source_id = self.unit.feeds.get(job.feed_id).source_id
        while coalesced := coalesce(
            job.job_id, self.unit.jobs.under_way(source_id), self._is_whole
        ):
            if self._still_waits(coalesced.newest, job):
                return self._cancel(coalesced, job)
        return job

    def _still_waits(self, newest: UnderWay, claimed: Job) -> bool:
        """Whether it hasn't been cancelled meanwhile; from now on it can't be."""
        if newest.job_id == claimed.job_id:
            return True
        locked = self.unit.jobs.lock(newest.job_id)
        return locked.status == "queued" and locked.released

    def _cancel(self, coalesced: Coalesced, job: Job) -> Job:
        reason, unneeded = coalesced.reason, {other.job_id for other in coalesced.others}
        feeds = self.unit.jobs.cancel(unneeded - {job.job_id}, self.at, reason)
        if job.job_id in unneeded:
            job = evolve(job, status="cancelled", finished_at=self.at, error=reason)
            self.unit.jobs.finish(job)
            feeds = [*feeds, job.feed_id]
        self.unit.feeds.supersede(feeds)
        superseded = (self.unit.feeds.get(feed_id) for feed_id in feeds)
        self.unit.events.add(
            self.new_event().of_feed("feed.superseded", feed, by=coalesced.newest.feed_id)
            for feed in superseded
            if feed.status == "superseded"
        )
        return job

    def _is_whole(self, job: UnderWay) -> bool:
        """Whether the feed's header can be read, and isn't that of a corrected report."""
        feed = self.unit.feeds.get(job.feed_id)
        partner = self.unit.partners.get(feed.partner_id)
        profile = self.unit.sources.profile(feed.source_id).profile
        with suppress(FileRefused, NotFound), self.files.open(feed.file_key) as raw:
            # Only the header counts, so no parents have to be looked for.
            terms = evolve(Terms.of(partner, feed.mode, profile), named=frozenset[str]())
            return open_feed(raw, terms).header.corrects is None
        return False
