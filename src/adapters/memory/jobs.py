"""Jobs in memory, their leases, plans and problems."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen

from adapters.memory.pages import agrees, by_id, page_of
from adapters.memory.tables import Tables, found
from commerce_core.base.errors import RunLost
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.coalescing import UnderWay
from commerce_core.feeds.job import Backlog, FeedLane, Job, JobError, JobQuery, Progress
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.runtime import Clock
from commerce_core.schema.problems import Problem


@frozen
class Jobs:
    """Implements `commerce_core.ports.feeds.Jobs`."""

    _kept: Tables
    _clock: Clock

    def page(self, query: JobQuery, after: Position | None, limit: int) -> Page[Job]:
        """Pages of jobs."""
        return page_of(self._fitting(query), lambda job: by_id(job.job_id), after, limit)

    def count(self, query: JobQuery) -> int:
        """How many jobs fit."""
        return len(self._fitting(query))

    def _fitting(self, query: JobQuery) -> list[Job]:
        filters = ("feed_id", "partner_id", "status", "kind")
        return [job for job in self._kept.jobs.values() if agrees(query, job, *filters)]

    def add(self, job: Job) -> None:
        """Keeps a new job."""
        self._kept.jobs[job.job_id] = job

    def get(self, job_id: str) -> Job:
        """The job."""
        return found(self._kept.jobs, job_id, "job")

    def lock(self, job_id: str) -> Job:
        """The job; no other unit is open."""
        return self.get(job_id)

    def put(self, job: Job) -> None:
        """Replaces a job."""
        self._kept.jobs[job.job_id] = job

    def cancel(self, job_ids: Iterable[str], at: datetime, reason: JobError) -> Sequence[str]:
        """Cancels those that are still queued."""
        cancelled = [job for job in map(self.get, job_ids) if job.status == "queued"]
        for job in cancelled:
            self._kept.jobs[job.job_id] = evolve(job.cancel(at), error=reason)
        return [job.feed_id for job in cancelled]

    def interrupt(self, job_id: str) -> None:
        """There is no session that outlives its unit."""

    def stop(self, job_id: str) -> Job:
        """The job; no other unit is open."""
        return self.get(job_id)

    def cancel_all(self, partner_id: str, at: datetime, reason: JobError) -> int:
        """Cancels the partner's unfinished jobs."""
        jobs = [job for job in self._kept.jobs.values() if job.partner_id == partner_id]
        under_way = [job for job in jobs if job.status in ("queued", "running")]
        for job in under_way:
            self._kept.jobs[job.job_id] = evolve(job.cancel(at), error=reason)
        return len(under_way)

    def under_way(self, source_id: str) -> Sequence[UnderWay]:
        """The queued and running jobs of a source's feeds."""
        pairs = [(job, self._kept.feeds[job.feed_id]) for job in self._kept.jobs.values()]
        return [
            UnderWay(
                job.job_id, job.feed_id, job.kind, job.status, job.released, feed.mode,
                feed.snapshot_at, feed.received_at,
            )
            for job, feed in sorted(pairs, key=lambda pair: pair[0].job_id)
            if feed.source_id == source_id and job.status in ("queued", "running")
        ]  # fmt: skip

    def backlog(self) -> Backlog:
        """What waits for a worker."""
        jobs = self._kept.jobs.values()
        waiting = [job for job in jobs if job.status == "queued" and job.released]
        small = [job.created_at for job in waiting if self._is_small(job)]
        return Backlog(
            len(waiting),
            min((job.created_at for job in waiting), default=None),
            min(small, default=None),
            sum(job.status == "running" for job in jobs),
        )

    def claim(
        self,
        at: datetime,
        lease: timedelta,
        job_id: str | None = None,
        *,
        lane: FeedLane = "feeds",
    ) -> Job | None:
        """The next job to run, running now."""
        now = self._clock()
        ready = self._ready(now)
        if job_id is None:
            first = self._next_in_turn([job for job in ready if self._fits(job, lane)], lane)
        else:
            first = next((job for job in ready if job.job_id == job_id), None)
        if first is None:
            return None
        if job_id is None:
            self._kept.turns[lane] = first.partner_id
        job = evolve(
            first,
            status="running",
            attempts=first.attempts + 1,
            crashed_attempts=first.crashed_attempts + (first.status == "running"),
            started_at=at,
        )
        self._kept.jobs[job.job_id] = job
        self._kept.leases[job.job_id] = now + lease
        return job

    def _ready(self, now: datetime) -> list[Job]:
        """The jobs that no other one keeps waiting, released or not, oldest first."""
        unfinished = [j for j in self._kept.jobs.values() if j.status in ("queued", "running")]
        due = [job for job in unfinished if self._is_due(job, now)]
        alive = [job for job in unfinished if job.status == "running" and job not in due]
        busy = {job.partner_id for job in alive}
        suspect = any(job.is_suspect for job in alive)
        return [
            job
            for job in sorted(due, key=lambda job: job.job_id)
            if job.partner_id not in busy
            if not (suspect and (job.is_suspect or job.status == "running"))
        ]

    def _fits(self, job: Job, lane: FeedLane) -> bool:
        """Whether the lane takes the job: released or expired, and of the right size."""
        if job.status == "running":
            return lane == "feeds" or self._is_small(job)
        return job.released and (lane == "feeds" or self._fits_small(job))

    def _fits_small(self, job: Job) -> bool:
        source_id = self._kept.feeds[job.feed_id].source_id
        return self._is_small(job) and not any(
            other.status == "queued" and other.released and other.job_id < job.job_id
            for other in self._kept.jobs.values()
            if self._kept.feeds[other.feed_id].source_id == source_id
        )

    def _is_small(self, job: Job) -> bool:
        return self._kept.feeds[job.feed_id].is_small

    def _next_in_turn(self, jobs: list[Job], lane: FeedLane) -> Job | None:
        """The oldest expired job, else the oldest of the partner after the one served last."""
        last = self._kept.turns.get(lane, "")

        def turn(job: Job) -> tuple[bool, bool, str, str]:
            if job.status == "running":
                return (False, False, "", job.job_id)
            return (True, job.partner_id <= last, job.partner_id, job.job_id)

        return min(jobs, key=turn, default=None)

    def _is_due(self, job: Job, now: datetime) -> bool:
        """Whether its lease has expired, or the pause after it was given back is over."""
        due = self._kept.leases.get(job.job_id)
        return due is None or due <= now

    def give_back(self, job: Job, pause: timedelta, *, disconnected: bool = False) -> None:
        """Queues the job again."""
        current = self._current(job)
        self._kept.jobs[job.job_id] = evolve(
            current,
            status="queued",
            released=True,
            disconnected_attempts=current.disconnected_attempts + disconnected,
        )
        self._kept.leases[job.job_id] = self._clock() + pause

    def renew(
        self,
        job: Job,
        progress: Progress,
        lease: timedelta,
        session: str | None = None,  # noqa: ARG002 - there is no session that outlives its unit
    ) -> None:
        """Extends the lease of this attempt."""
        current = self._current(job)
        self._kept.jobs[job.job_id] = evolve(current, progress=progress)
        self._kept.leases[job.job_id] = self._clock() + lease

    def finish(self, job: Job) -> None:
        """Replaces the running job by its finished self."""
        self._current(job)
        self._kept.jobs[job.job_id] = job
        self._kept.leases[job.job_id] = self._clock()

    def _current(self, job: Job) -> Job:
        """The running job as it is kept; RunLost unless it still is this very attempt."""
        kept = self.get(job.job_id)
        if kept.status != "running" or kept.attempts != job.attempts:
            raise RunLost(f"Job {job.job_id} is no longer run by attempt {job.attempts}.")
        return kept

    def keep_plan(self, job_id: str, plan: SavedPlan) -> None:
        """Keeps what a job would do."""
        self._kept.plans[job_id] = plan

    def plan(self, job_id: str) -> SavedPlan | None:
        """What a job would do, as last kept."""
        return self._kept.plans.get(job_id)

    def add_problems(self, job_id: str, problems: Iterable[Problem]) -> None:
        """Keeps problems of a job."""
        self._kept.problems[job_id] = (*self._kept.problems.get(job_id, ()), *problems)

    def forget_problems(self, job_id: str) -> None:
        """Forgets the problems of a job."""
        self._kept.problems[job_id] = ()

    def count_problems(self, job_id: str) -> int:
        """How many problems of the job are kept."""
        return len(self._kept.problems.get(job_id, ()))

    def problems(self, job_id: str, after: Position | None, limit: int) -> Page[Problem]:
        """The job's kept problems by line."""
        numbered = list(enumerate(self._kept.problems.get(job_id, ())))
        page = page_of(
            numbered,
            lambda item: Position(str(item[1].line), f"{item[0]:012}"),
            after,
            limit,
            descending=False,
        )
        return Page(tuple(problem for _, problem in page.items), page.after)
