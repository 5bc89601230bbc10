"""Ports: feeds, and the jobs that work on them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from commerce_core.base.paging import Page, Position
from commerce_core.feeds.coalescing import UnderWay
from commerce_core.feeds.feed import Feed, FeedQuery
from commerce_core.feeds.job import Backlog, Job, JobError, JobQuery
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.listing import Listing
from commerce_core.ports.work import Leased
from commerce_core.schema.problems import Problem


class Feeds(Listing[FeedQuery, Feed], Protocol):
    """Feeds, newest first. Each is read with its partner's name and its newest job in brief."""

    def add(self, feed: Feed) -> None:
        """Keeps a new feed."""
        ...

    def put(self, feed: Feed) -> None:
        """Replaces a feed's status, mode and times; NotFound if there is none."""
        ...

    def get(self, feed_id: str) -> Feed:
        """The feed, or NotFound."""
        ...

    def supersede(self, feed_ids: Iterable[str]) -> None:
        """Marks these feeds as superseded, except those that were applied."""
        ...

    def newer(self, source_id: str, snapshot_at: datetime, limit: int) -> Sequence[Feed]:
        """The source's applied feeds that show a later moment, at most `limit` of them.

        Full ones come first, and of one mode those whose moment is latest.
        """
        ...

    def last_full(self, source_id: str) -> Feed | None:
        """The source's applied full feed with the newest snapshot; the last received on a tie."""
        ...


class Jobs(Listing[JobQuery, Job], Leased[Job], Protocol):
    """Jobs, newest first, and the queue that they form. Leases run by the store's own clock."""

    def add(self, job: Job) -> None:
        """Keeps a new job."""
        ...

    def get(self, job_id: str) -> Job:
        """The job, or NotFound."""
        ...

    def lock(self, job_id: str) -> Job:
        """The job, locked against other changes until this unit ends; NotFound if there is none."""
        ...

    def put(self, job: Job) -> None:
        """Replaces a job that is not running, or is about to stop being queued."""
        ...

    def claim(self, at: datetime, lease: timedelta, job_id: str | None = None) -> Job | None:
        """The next job to run (or this one, released or not): running now, with one more attempt.

        That is the oldest job that is released or whose lease expired, and whose partner has no
        other job running. `at` is when the attempt starts. Of the jobs with disconnected attempts
        only one runs at a time, so that none is blamed for another. None if there is nothing to
        claim.
        """
        ...

    def cancel(self, job_ids: Iterable[str], at: datetime, reason: JobError) -> Sequence[str]:
        """Cancels these jobs if they are still queued; returns the feed ids of the cancelled."""
        ...

    def under_way(self, source_id: str) -> Sequence[UnderWay]:
        """The queued and running jobs of a source's feeds, oldest first."""
        ...

    def backlog(self) -> Backlog:
        """What waits for a worker, including jobs whose pause isn't over."""
        ...

    def finish(self, job: Job) -> None:
        """Keeps the job as finished; RunLost if this attempt was taken over, or has finished."""
        ...

    def keep_plan(self, job_id: str, plan: SavedPlan) -> None:
        """Keeps what a job would do, instead of what was kept of it before."""
        ...

    def plan(self, job_id: str) -> SavedPlan | None:
        """What a job would do, or did, as last kept."""
        ...

    def add_problems(self, job_id: str, problems: Iterable[Problem]) -> None:
        """Keeps problems of a job, in this order."""
        ...

    def forget_problems(self, job_id: str) -> None:
        """Deletes the kept problems of a job that is about to run once more."""
        ...

    def count_problems(self, job_id: str) -> int:
        """How many problems of the job are kept."""
        ...

    def problems(self, job_id: str, after: Position | None, limit: int) -> Page[Problem]:
        """The job's kept problems by line; on one line, in the order in which they were added."""
        ...


class FeedsUnit(Protocol):
    """The part of a unit of work that knows feeds and their jobs."""

    @property
    def feeds(self) -> Feeds:
        """Files received."""
        ...

    @property
    def jobs(self) -> Jobs:
        """What is done with them, and the queue of it."""
        ...
