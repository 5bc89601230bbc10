"""Ports: feeds, and the jobs that work on them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from commerce_core.base.paging import Page, Position
from commerce_core.feeds.coalescing import UnderWay
from commerce_core.feeds.feed import Feed, FeedQuery
from commerce_core.feeds.job import Backlog, FeedLane, Job, JobError, JobQuery
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.listing import Listing
from commerce_core.ports.work import Leased
from commerce_core.schema.fields import Mode
from commerce_core.schema.problems import Problem


class Feeds(Listing[FeedQuery, Feed], Protocol):
    """Feeds, newest first. Each is read with its partner's name and its latest job, in brief."""

    def add(self, feed: Feed) -> None:
        """Stores a new feed."""
        ...

    def put(self, feed: Feed) -> None:
        """Replaces a feed's status, mode, times and `returned`; NotFound if there is none."""
        ...

    def get(self, feed_id: str) -> Feed:
        """The feed, or NotFound."""
        ...

    def file_names(self, feed_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of these feeds' files, by id; those that aren't there are left out."""
        ...

    def supersede(self, feed_ids: Iterable[str]) -> None:
        """Marks these feeds as superseded, except those that were applied."""
        ...

    def newer(self, source_id: str, snapshot_at: datetime, limit: int) -> Sequence[Feed]:
        """The source's applied feeds that show a later moment, at most `limit` of them.

        Full ones come first; within a mode, the latest moment comes first.
        """
        ...

    def baseline(self, source_id: str, mode: Mode) -> Feed | None:
        """The feed with which the form of the source's next one in that mode is compared.

        That is the applied feed of this mode with the newest snapshot; the last received on a tie.
        Files of the platform that came back are none: they show nothing of the source's own form.
        """
        ...


class Jobs(Listing[JobQuery, Job], Leased[Job], Protocol):
    """Jobs, newest first, and the queue that they form. Leases run by the store's own clock."""

    def add(self, job: Job) -> None:
        """Stores a new job."""
        ...

    def get(self, job_id: str) -> Job:
        """The job, or NotFound."""
        ...

    def lock(self, job_id: str) -> Job:
        """The job, locked against other changes until this unit ends; NotFound if there is none."""
        ...

    def put(self, job: Job) -> None:
        """Replaces a job that is not running, or is about to be cancelled."""
        ...

    def claim(
        self,
        at: datetime,
        lease: timedelta,
        job_id: str | None = None,
        *,
        lane: FeedLane = "feeds",
    ) -> Job | None:
        """Claims the lane's next job, or this one, released or not: running, one more attempt.

        First comes the oldest job whose lease expired. Then partners take turns, in the order of
        their ids and in a circle that begins after the partner served last in the lane: of the
        first that has a released job and none running, the oldest. The lane `small_feeds` takes
        only jobs of small feeds, and none before an older waiting job of its source.

        `at` is when the attempt starts. Of the jobs with crashed or disconnected attempts, only one
        runs at a time, so that none is blamed for another. None if there is nothing to claim.
        """
        ...

    def cancel(self, job_ids: Iterable[str], at: datetime, reason: JobError) -> Sequence[str]:
        """Cancels these jobs if they are still queued; returns their feed ids."""
        ...

    def interrupt(self, job_id: str) -> None:
        """Ends the session in which a job's run works, if it does, undoing what isn't committed.

        Returns when the session is gone, or after a few seconds. The job itself doesn't change.
        """
        ...

    def stop(self, job_id: str) -> Job:
        """The job, locked as by `lock`, and its run interrupted, even if that has locked it."""
        ...

    def cancel_all(self, partner_id: str, at: datetime, reason: JobError) -> int:
        """Cancels all queued and running jobs of a partner; returns how many.

        The sessions of those that run are ended first.
        """
        ...

    def under_way(self, source_id: str) -> Sequence[UnderWay]:
        """The queued and running jobs of a source's feeds, oldest first."""
        ...

    def backlog(self) -> Backlog:
        """What waits for a worker, including jobs whose pause isn't over, and what is running."""
        ...

    def finish(self, job: Job) -> None:
        """Stores the finished job; RunLost if this attempt was taken over, or has finished."""
        ...

    def keep_plan(self, job_id: str, plan: SavedPlan) -> None:
        """Stores the plan of a job, replacing any earlier one."""
        ...

    def plan(self, job_id: str) -> SavedPlan | None:
        """The latest plan stored for a job."""
        ...

    def add_problems(self, job_id: str, problems: Iterable[Problem]) -> None:
        """Stores problems of a job, in this order."""
        ...

    def forget_problems(self, job_id: str) -> None:
        """Deletes the problems of a job that is about to run again."""
        ...

    def count_problems(self, job_id: str) -> int:
        """The number of problems stored for the job."""
        ...

    def problems(self, job_id: str, after: Position | None, limit: int) -> Page[Problem]:
        """The job's stored problems by line and, within a line, in the order of `add_problems`."""
        ...


class FeedsUnit(Protocol):
    """The part of a unit of work for feeds and their jobs."""

    @property
    def feeds(self) -> Feeds:
        """The files received."""
        ...

    @property
    def jobs(self) -> Jobs:
        """The jobs that process them, and their queue."""
        ...
