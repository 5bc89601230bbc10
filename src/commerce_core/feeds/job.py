"""Jobs: what is to be done with a feed, how far it is, and what happened to every record.

    queued <─> running ──> completed | failed | held
       └────────┴────> cancelled      approved: queued again <──┘──> rejected: cancelled

A worker claims a released job under a lease; `work.attempt` describes claims, leases and attempts.
"""

from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal

from attrs import evolve, field, frozen

from commerce_core.base.errors import Conflict, FileRefused
from commerce_core.feeds.summary import Outcome, Summary
from commerce_core.work.attempt import (
    MOST_CRASHED_ATTEMPTS,
    MOST_DISCONNECTED_ATTEMPTS,
    Progress,
)

_MOMENT: Final = 0.001
"""Seconds; the shortest time over which a pace is computed."""
MOST_PROBLEMS_KEPT: Final = 1_000
"""How many problems of one job can be listed; all are counted."""
FeedJobKind = Literal["ingest", "validate", "plan"]
"""What can be done with a received feed."""
JobKind = Literal["ingest", "validate", "plan", "revert"]
JobStatus = Literal["queued", "running", "completed", "failed", "held", "cancelled"]
WaitingFor = Literal["run", "worker", "decision"]
"""What a job waits for: to be run, which wasn't requested yet; a worker; a person."""
FeedLane = Literal["feeds", "small_feeds"]
"""The lanes of jobs: `feeds` takes any of them, `small_feeds` only those of small feeds."""
FINISHED: Final = ("completed", "failed", "held", "cancelled")
LONGEST_NOTE: Final = 1_000
Without = Literal["removals"]
"""What an approval can leave out."""


@frozen
class Decision:
    """A person's decision about a held feed: who made it, when, why, and what not to apply."""

    verdict: Literal["approved", "rejected"]
    actor: str
    at: datetime
    note: str | None = None
    without: tuple[Without, ...] = ()


@frozen
class Pace:
    """How fast a run goes: records a second so far, and seconds until it has read everything.

    Both are None if unknown: before it has begun, and once everything has been read.
    """

    records_per_second: int | None = None
    seconds_left: float | None = None


@frozen
class JobError:
    """Why a job failed: a stable code, and a message for a person."""

    code: str
    message: str


@frozen
class Job:
    """What is to be done with a feed. A finished job never runs again, unless it was held.

    `attempts` counts its claims, `crashed_attempts` the ones that were neither finished nor given
    back, `disconnected_attempts` the ones that lost the store or the connection to it. `decision`
    was made when it was held.
    """

    job_id: str
    feed_id: str
    partner_id: str
    kind: JobKind
    status: JobStatus
    released: bool
    created_at: datetime
    outcome: Outcome | None = None
    attempts: int = 0
    crashed_attempts: int = 0
    disconnected_attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: Progress = field(factory=Progress)
    summary: Summary | None = None
    error: JobError | None = None
    decision: Decision | None = None

    @property
    def reports(self) -> str:
        """The key, among the files, under which the reports of its attempts are."""
        return f"reports/{self.partner_id}/{self.job_id}"

    @property
    def report_key(self) -> str:
        """The key of the report of this attempt, if there is one."""
        return f"{self.reports}/{self.attempts}"

    @property
    def why_set_aside(self) -> str | None:
        """Why the feed is quarantined; None if the job may be attempted."""
        if self.crashed_attempts >= MOST_CRASHED_ATTEMPTS:
            return f"{self.crashed_attempts} attempts crashed; the feed is set aside."
        if self.disconnected_attempts >= MOST_DISCONNECTED_ATTEMPTS:
            return (
                f"In {self.disconnected_attempts} attempts the database crashed or was cut off; "
                "the feed is set aside."
            )
        return None

    @property
    def is_suspect(self) -> bool:
        """Whether an attempt at it has crashed or was disconnected, by its fault or another's."""
        return bool(self.crashed_attempts or self.disconnected_attempts)

    @property
    def waiting_for(self) -> WaitingFor | None:
        """What has to happen before it goes on; None if it is running or over."""
        if self.status == "queued":
            return "worker" if self.released else "run"
        return "decision" if self.status == "held" else None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it, or only after a person has decided."""
        return self.status in FINISHED

    def leaves_out(self, what: Without) -> bool:
        """Whether its approval leaves that out."""
        return self.decision is not None and what in self.decision.without

    def pace(self, now: datetime) -> Pace:
        """How fast it goes, as of now."""
        done = self.progress
        if self.status != "running" or self.started_at is None or not done.bytes_read:
            return Pace()
        gone = max((now - self.started_at).total_seconds(), _MOMENT)
        left = gone * (done.bytes_total - done.bytes_read) / done.bytes_read
        return Pace(int(done.records / gone), round(left, 1) if left > 0 else None)

    def release(self) -> "Job":
        """Ready for a worker; a running job is unchanged. Conflict if it is finished."""
        self._check_unfinished("run")
        return evolve(self, released=True)

    def cancel(self, at: datetime, by: str = "") -> "Job":
        """Cancelled, also while it runs: its run commits nothing any more. Conflict if finished.

        The error of one that had begun states how far it was, and who cancelled it, if given.
        """
        self._check_unfinished("be cancelled")
        error = self.error
        if self.status == "running":
            who = f" by {by}" if by else ""
            why = f"Cancelled{who} {self.progress.described}. Nothing of it was kept."
            error = JobError("cancelled", why)
        return evolve(self, status="cancelled", finished_at=at, error=error)

    def out_of_time(
        self, budget: timedelta, now: datetime, progress: Progress
    ) -> FileRefused | None:
        """Why the job fails if this attempt has used up its time budget; it isn't tried again."""
        if self.started_at is None or now - self.started_at <= budget:
            return None
        return FileRefused(
            "out_of_time",
            f"The time budget of {budget.total_seconds():,g} seconds was used up "
            f"{progress.described}. Nothing of it was kept.",
            "Send the feed in parts, or have the operator raise the budget.",
        )

    def brief(self) -> "Job":
        """The job as lists show it: a long summary is shortened."""
        if self.summary is None or (brief := self.summary.brief()) is self.summary:
            return self
        return evolve(self, summary=brief)

    def complete(self, at: datetime, summary: Summary, outcome: Outcome) -> "Job":
        """Completed, with what happened to every record."""
        return self._finish("completed", at, summary=summary, outcome=outcome)

    def fail(self, at: datetime, error: JobError, summary: Summary | None = None) -> "Job":
        """Failed as a whole: no record of its feed was applied."""
        return self._finish("failed", at, error=error, summary=summary)

    def hold(self, at: datetime, summary: Summary) -> "Job":
        """Held, with what would happen to every record; no decision covers it."""
        return self._finish("held", at, summary=summary, decision=None)

    def decided(self, decision: Decision) -> "Job":
        """Approved, and ready to be claimed again; or rejected, and so cancelled.

        Conflict `feed_not_held` if it isn't held.
        """
        if self.status != "held":
            raise Conflict(
                f"Job {self.job_id} is {self.status}; only a held one is approved or rejected.",
                code="feed_not_held",
            )
        if decision.verdict == "rejected":
            return evolve(self, status="cancelled", decision=decision)
        return evolve(self, status="queued", released=False, finished_at=None, decision=decision)

    def _finish(self, status: JobStatus, at: datetime, **changes: object) -> "Job":
        progress = evolve(self.progress, stage=status)
        return evolve(self, status=status, finished_at=at, progress=progress, **changes)

    def _check_unfinished(self, verb: str) -> None:
        if self.status == "held":
            raise Conflict(
                f"Job {self.job_id} is held; it can't {verb} before a person decides.",
                f"Look at its plan, and approve or reject feed {self.feed_id}.",
                code="job_held",
            )
        if self.is_finished:
            raise Conflict(
                f"Job {self.job_id} is {self.status}; it can't {verb} any more.",
                "Create a new job for the same feed.",
                code="job_finished",
                shown={"feed_id": self.feed_id},
            )


@frozen
class Backlog:
    """The queue: the released jobs that wait for a worker, and how many are running.

    `oldest` is when the oldest of those that wait was created, `oldest_small` the same for those of
    small feeds.
    """

    waiting: int
    oldest: datetime | None
    oldest_small: datetime | None = None
    running: int = 0


@frozen
class JobQuery:
    """Which jobs: all that fit every filter given, newest first."""

    IDENTITY: ClassVar = (
        "JobQuery(feed_id={0.feed_id!r}, partner_id={0.partner_id!r}, status={0.status!r}, "
        "kind={0.kind!r})"
    )
    feed_id: str | None = None
    partner_id: str | None = None
    status: JobStatus | None = None
    kind: JobKind | None = None
