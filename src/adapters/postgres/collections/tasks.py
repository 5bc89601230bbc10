"""Tasks in PostgreSQL: each lane is read along an index of what may be claimed next."""

from datetime import datetime, timedelta
from typing import Final, LiteralString

from attrs import frozen

from adapters.postgres.collections.leases import Leases
from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.locks import hold_claims_in
from adapters.postgres.connection.rows import Connection, fetch_one, rows_of
from commerce_core.base.errors import RunLost
from commerce_core.work.attempt import Progress
from commerce_core.work.task import LANES, Lane, Task, TaskKind, lane_of

_AT_ONCE: Final = timedelta()
_LEASES: Final = Leases("tasks", "number")
_TASKS: Final = rows_of(Task, progress=read_as(Progress))
_SELECT: Final = """
    SELECT number, kind, subject, status, due_at, attempts, silent_ends AS crashed_attempts,
           severed_ends AS disconnected_attempts, started_at, progress
    FROM tasks"""

_NEXT: Final = """
    SELECT number
    FROM tasks
    WHERE lane = %(lane)s AND kind = ANY(%(kinds)s) AND lease_expires_at <= clock_timestamp()
    ORDER BY lease_expires_at
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED"""
_OF_HOSTS: Final[LiteralString] = """
    FROM tasks t
    LEFT JOIN fetches f
      ON f.fetch_id = CASE WHEN t.subject LIKE 'ftch^_%%' ESCAPE '^'
                           THEN substr(t.subject, 6)::uuid END
    LEFT JOIN pulls p ON p.source_id = f.source_id"""
"""Tasks, with the hosts that fetching ones send requests to."""
_NEXT_BY_HOST: Final[LiteralString] = f"""
    WITH busy AS (
        SELECT p.host
        {_OF_HOSTS}
        WHERE t.lane = %(lane)s AND t.status = 'running' AND t.lease_expires_at > clock_timestamp()
        GROUP BY p.host
        HAVING count(*) >= %(per_host)s
    )
    SELECT t.number
    {_OF_HOSTS}
    WHERE t.lane = %(lane)s AND t.kind = ANY(%(kinds)s)
          AND t.lease_expires_at <= clock_timestamp()
          AND NOT EXISTS (SELECT FROM busy WHERE busy.host = p.host)
    ORDER BY t.lease_expires_at
    LIMIT 1
    FOR NO KEY UPDATE OF t SKIP LOCKED"""  # noqa: S608 - names of ours


@frozen
class Tasks:
    """Implements `commerce_core.ports.work.Tasks`."""

    _db: Connection

    def add(self, kind: TaskKind, subject: str = "", pause: timedelta = _AT_ONCE) -> bool:
        """Keeps a new task."""
        added = self._db.execute(
            """
            INSERT INTO tasks (lane, kind, subject, status, due_at, lease_expires_at, attempts,
                               progress)
            SELECT %(lane)s, %(kind)s, %(subject)s, 'queued', due_at, due_at, 0, %(progress)s
            FROM (SELECT clock_timestamp() + %(pause)s AS due_at) AS new
            WHERE NOT EXISTS (SELECT FROM tasks WHERE kind = %(kind)s AND subject = %(subject)s)
            ON CONFLICT (kind, subject) DO NOTHING
            """,
            {
                "lane": lane_of(kind), "kind": kind, "subject": subject, "pause": pause,
                "progress": document(Progress()),
            },
        )  # fmt: skip
        return added.rowcount == 1

    def find(self, kind: TaskKind, subject: str = "") -> Task | None:
        """The task of that kind about that subject."""
        query = f"{_SELECT} WHERE kind = %s AND subject = %s"
        return fetch_one(self._db, _TASKS, query, [kind, subject])

    def drop(self, kind: TaskKind, subject: str) -> bool:
        """Deletes the task."""
        query = "DELETE FROM tasks WHERE kind = %s AND subject = %s"
        return bool(self._db.execute(query, [kind, subject]).rowcount)

    def claim(
        self, lane: Lane, at: datetime, lease: timedelta, per_host: int | None = None
    ) -> Task | None:
        """The next task of the lane, running now."""
        _LEASES.end_expired(self._db)
        wanted = {"lane": lane, "kinds": list(LANES[lane]), "per_host": per_host}
        if per_host is None:
            found = self._db.execute(_NEXT, wanted).fetchone()
        else:
            hold_claims_in(self._db, lane)  # What runs is counted by one claim after the other.
            found = self._db.execute(_NEXT_BY_HOST, wanted).fetchone()
        if found is None:
            return None
        _LEASES.take(self._db, found[0], at, lease)
        return fetch_one(self._db, _TASKS, f"{_SELECT} WHERE number = %s", found)

    def renew(
        self, task: Task, progress: Progress, lease: timedelta, session: str | None = None
    ) -> None:
        """Extends the lease of this attempt."""
        if not _LEASES.renew(
            self._db, task.number, task.attempts, lease, progress=progress, session=session
        ):
            raise _lost(task)

    def give_back(self, task: Task, pause: timedelta, *, disconnected: bool = False) -> None:
        """Queues the task again."""
        if not _LEASES.give_back(
            self._db, task.number, task.attempts, pause, disconnected=disconnected
        ):
            raise _lost(task)

    def finish(self, task: Task, every: timedelta | None = None) -> None:
        """Ends this attempt."""
        if every is None:
            statement = """
                DELETE FROM tasks
                WHERE number = %(number)s AND status = 'running' AND attempts = %(attempts)s
                """
        else:
            statement = """
                UPDATE tasks
                SET status = 'queued', session = NULL, silent_ends = 0, severed_ends = 0,
                    due_at = date_bin(%(every)s, clock_timestamp(), due_at) + %(every)s,
                    lease_expires_at =
                        date_bin(%(every)s, clock_timestamp(), due_at) + %(every)s,
                    progress = %(progress)s
                WHERE number = %(number)s AND status = 'running' AND attempts = %(attempts)s
                """
        finished = self._db.execute(
            statement,
            {
                "number": task.number, "attempts": task.attempts, "every": every,
                "progress": document(Progress()),
            },
        )  # fmt: skip
        if not finished.rowcount:
            raise _lost(task)


def _lost(task: Task) -> RunLost:
    return RunLost(
        f"The task {task.kind} {task.subject}".rstrip()
        + f" is no longer run by attempt {task.attempts}."
    )
