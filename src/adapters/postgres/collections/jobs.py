"""Jobs in PostgreSQL: their list, their problems, and what a run writes under its lease."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from attrs import frozen

from adapters.postgres.collections import queue
from adapters.postgres.collections.listing import Condition, ListById, asked, count
from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.notifications import notify
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_one,
    found,
    maybe_digits,
    params_of,
    rows_as,
    rows_of,
)
from commerce_core.base.errors import Malformed, RunLost
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.coalescing import UnderWay
from commerce_core.feeds.feed import SMALL_FEED_BYTES
from commerce_core.feeds.job import (
    Backlog,
    Decision,
    FeedLane,
    Job,
    JobError,
    JobQuery,
    Progress,
)
from commerce_core.feeds.summary import Summary
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.schema.problems import Problem

_JOBS: Final = rows_of(
    Job,
    progress=read_as(Progress),
    summary=read_as(Summary),
    error=read_as(JobError),
    decision=read_as(Decision),
)
_UNDER_WAY: Final = rows_of(UnderWay)
_FEED_IDS: Final = rows_as(lambda row: str(row["feed_id"]))
_kept_plan: Final = read_as(SavedPlan)
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_SELECT: Final = """
    SELECT job_id, feed_id, partner_id, kind, status, released, created_at, outcome, attempts,
           silent_ends AS crashed_attempts, severed_ends AS disconnected_attempts,
           started_at, finished_at, progress, summary, error, decision
    FROM jobs"""

_LIST: Final = ListById(_JOBS, _SELECT, "job_id", attrgetter("job_id"))


@frozen
class Jobs:
    """Implements `commerce_core.ports.feeds.Jobs`."""

    _db: Connection

    def page(self, query: JobQuery, after: Position | None, limit: int) -> Page[Job]:
        """Pages of jobs."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: JobQuery) -> int:
        """How many jobs fit."""
        return count(self._db, "jobs", _conditions(query))

    def add(self, job: Job) -> None:
        """Keeps a new job."""
        self._db.execute(
            """
            INSERT INTO jobs (job_id, feed_id, partner_id, kind, status, released, created_at,
                              outcome, attempts, silent_ends, severed_ends, started_at,
                              finished_at, progress, summary, error, decision,
                              source_id, is_small)
            VALUES (%(job_id)s, %(feed_id)s, %(partner_id)s, %(kind)s, %(status)s, %(released)s,
                    %(created_at)s, %(outcome)s, %(attempts)s, %(crashed_attempts)s,
                    %(disconnected_attempts)s, %(started_at)s, %(finished_at)s, %(progress)s,
                    %(summary)s, %(error)s, %(decision)s,
                    (SELECT source_id FROM feeds WHERE feed_id = %(feed_id)s),
                    coalesce((SELECT bytes <= %(small)s FROM feeds WHERE feed_id = %(feed_id)s),
                             FALSE))
            """,
            {**_params(job), "small": SMALL_FEED_BYTES},
        )
        notify(self._db)

    def get(self, job_id: str) -> Job:
        """The job."""
        row = fetch_one(self._db, _JOBS, f"{_SELECT} WHERE job_id = %s", [digits(job_id)])
        return found(row, "job", job_id)

    def lock(self, job_id: str) -> Job:
        """The job, locked until this unit ends."""
        query = f"{_SELECT} WHERE job_id = %s FOR NO KEY UPDATE"
        return found(fetch_one(self._db, _JOBS, query, [digits(job_id)]), "job", job_id)

    def put(self, job: Job) -> None:
        """Replaces a job."""
        changed = self._db.execute(
            """
            UPDATE jobs
            SET status = %(status)s, released = %(released)s, outcome = %(outcome)s,
                attempts = %(attempts)s, started_at = %(started_at)s,
                finished_at = %(finished_at)s, progress = %(progress)s, summary = %(summary)s,
                error = %(error)s, decision = %(decision)s
            WHERE job_id = %(job_id)s
            RETURNING job_id
            """,
            _params(job),
        ).fetchone()
        found(changed, "job", job.job_id)
        notify(self._db)

    def claim(
        self,
        at: datetime,
        lease: timedelta,
        job_id: str | None = None,
        *,
        lane: FeedLane = "feeds",
    ) -> Job | None:
        """The next job to run, running now."""
        claimed = queue.claim(self._db, at, lease, lane, maybe_digits(job_id))
        if claimed is None:
            return None
        return fetch_one(self._db, _JOBS, f"{_SELECT} WHERE job_id = %s", [claimed])

    def cancel(self, job_ids: Iterable[str], at: datetime, reason: JobError) -> Sequence[str]:
        """Cancels those that are still queued."""
        return fetch(
            self._db,
            _FEED_IDS,
            """
            UPDATE jobs
            SET status = 'cancelled', finished_at = %s, error = %s
            WHERE job_id = ANY(%s::uuid[]) AND status = 'queued'
            RETURNING feed_id
            """,
            [at, document(reason), [digits(job_id) for job_id in job_ids]],
        )

    def interrupt(self, job_id: str) -> None:
        """Ends the session of the job's run."""
        queue.LEASES.end_sessions(self._db, "w.job_id = %(job_id)s", {"job_id": digits(job_id)})

    def stop(self, job_id: str) -> Job:
        """The job, locked until this unit ends, without a run that could go on."""
        queue.stop(self._db, "w.job_id = %(job_id)s", {"job_id": digits(job_id)})
        return self.lock(job_id)

    def cancel_all(self, partner_id: str, at: datetime, reason: JobError) -> int:
        """Cancels the partner's unfinished jobs, and ends their sessions."""
        whose = {"partner_id": digits(partner_id)}
        queue.stop(self._db, "w.partner_id = %(partner_id)s", whose)
        cancelled = self._db.execute(
            """
            UPDATE jobs
            SET status = 'cancelled', finished_at = %(at)s, error = %(error)s
            WHERE partner_id = %(partner_id)s AND status IN ('queued', 'running')
            """,
            {**whose, "at": at, "error": document(reason)},
        )
        return cancelled.rowcount

    def under_way(self, source_id: str) -> Sequence[UnderWay]:
        """The queued and running jobs of a source's feeds."""
        return fetch(
            self._db,
            _UNDER_WAY,
            """
            SELECT j.job_id, j.feed_id, j.kind, j.status, j.released, f.mode, f.snapshot_at,
                   f.received_at
            FROM jobs j
            JOIN feeds f ON f.feed_id = j.feed_id
            WHERE j.status IN ('queued', 'running')
              AND (j.source_id = %(source_id)s OR j.source_id IS NULL)
              AND f.source_id = %(source_id)s
            ORDER BY j.job_id
            """,
            {"source_id": digits(source_id)},
        )

    def backlog(self) -> Backlog:
        """What waits for a worker."""
        return queue.backlog(self._db)

    def give_back(self, job: Job, pause: timedelta, *, disconnected: bool = False) -> None:
        """Queues the job again, and ends the session of its run."""
        if not queue.LEASES.give_back(
            self._db, digits(job.job_id), job.attempts, pause, disconnected=disconnected
        ):
            raise _lost(job)
        notify(self._db)

    def renew(
        self, job: Job, progress: Progress, lease: timedelta, session: str | None = None
    ) -> None:
        """Extends the lease of this attempt."""
        # Nothing waits until it is on the disk: a crash that loses it ends the attempt, too.
        self._db.execute("SET LOCAL synchronous_commit = off")
        if not queue.LEASES.renew(
            self._db, digits(job.job_id), job.attempts, lease, progress=progress, session=session
        ):
            raise _lost(job)

    def finish(self, job: Job) -> None:
        """Replaces the running job by its finished self."""
        finished = self._db.execute(
            """
            UPDATE jobs
            SET status = %(status)s, outcome = %(outcome)s, finished_at = %(finished_at)s,
                progress = %(progress)s, summary = %(summary)s, error = %(error)s,
                decision = %(decision)s, lease_expires_at = NULL, session = NULL
            WHERE job_id = %(job_id)s AND status = 'running' AND attempts = %(attempts)s
            """,
            _params(job),
        )
        if not finished.rowcount:
            raise _lost(job)
        notify(self._db)  # The partner's next job can be claimed now.

    def keep_plan(self, job_id: str, plan: SavedPlan) -> None:
        """Keeps what a job would do."""
        self._db.execute(
            """
            INSERT INTO job_plans (job_id, plan)
            VALUES (%s, %s)
            ON CONFLICT (job_id) DO UPDATE SET plan = excluded.plan
            """,
            [digits(job_id), document(plan)],
        )

    def plan(self, job_id: str) -> SavedPlan | None:
        """What a job would do, as last kept."""
        row = self._db.execute(
            "SELECT plan FROM job_plans WHERE job_id = %s", [digits(job_id)]
        ).fetchone()
        return _kept_plan(row[0]) if row else None

    def add_problems(self, job_id: str, problems: Iterable[Problem]) -> None:
        """Keeps problems of a job."""
        # COPY numbers the rows in their order, which INSERT ... SELECT doesn't promise.
        with (
            self._db.cursor() as cursor,
            cursor.copy(
                """
                COPY job_problems (job_id, line, "column", field, code, value, hint, severity)
                FROM STDIN
                """
            ) as copy,
        ):
            job_digits = digits(job_id)
            for p in problems:
                copy.write_row(
                    (job_digits, p.line, p.column, p.field, p.code, p.value, p.hint, p.severity)
                )

    def forget_problems(self, job_id: str) -> None:
        """Forgets the problems of a job."""
        self._db.execute("DELETE FROM job_problems WHERE job_id = %s", [digits(job_id)])

    def count_problems(self, job_id: str) -> int:
        """How many problems of the job are kept."""
        query = "SELECT count(*) FROM job_problems WHERE job_id = %s"
        (kept,) = self._db.execute(query, [digits(job_id)]).fetchone() or (0,)
        return kept

    def problems(self, job_id: str, after: Position | None, limit: int) -> Page[Problem]:
        """The job's kept problems by line."""
        line, number = _place(after)
        rows = fetch(
            self._db,
            rows_as(_numbered_problem),
            """
            SELECT number, line, "column", field, code, value, hint, severity
            FROM job_problems
            WHERE job_id = %s AND (line, number) > (%s, %s)
            ORDER BY line, number
            LIMIT %s
            """,
            [digits(job_id), line, number, limit + 1],
        )
        page = Page[tuple[int, Problem]].cut(
            rows, limit, lambda row: Position(str(row[1].line), str(row[0]))
        )
        return Page(tuple(problem for _, problem in page.items), page.after)


def _numbered_problem(row: dict[str, Any]) -> tuple[int, Problem]:
    return row.pop("number"), Problem(**row)


def _place(after: Position | None) -> tuple[int, int]:
    """The line and number after which a page begins; Malformed if no page can have ended there."""
    if after is None:
        return -1, -1
    line, number = after.value or "", after.id
    if _NUMBER.fullmatch(line) and _NUMBER.fullmatch(number):
        return int(line), int(number)
    raise Malformed.at("/cursor", "bad_cursor", f"No page of this list ended at {line!r}.")


def _params(job: Job) -> dict[str, Any]:
    documents = {
        "progress": document(job.progress),
        "summary": document(job.summary),
        "error": document(job.error),
        "decision": document(job.decision),
    }
    return params_of(job) | documents


def _lost(job: Job) -> RunLost:
    return RunLost(f"Job {job.job_id} is no longer run by attempt {job.attempts}.")


def _conditions(query: JobQuery) -> list[Condition]:
    return [
        *asked("feed_id = %s", maybe_digits(query.feed_id)),
        *asked("partner_id = %s", maybe_digits(query.partner_id)),
        *asked("status = %s", query.status),
        *asked("kind = %s", query.kind),
    ]
