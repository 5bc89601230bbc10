"""Which job is run next: claims, leases by the database's clock, and the end of former runs.

`lease_expires_at` of a running job is when it may be taken over, and of a queued one when the pause
is over after which it was given back.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from adapters.postgres.connection.locks import may_claim_for, may_claim_suspect
from adapters.postgres.connection.rows import Connection
from commerce_core.feeds.job import Backlog

LONGEST_GOODBYE: Final = timedelta(seconds=5)
"""How long a claim waits for a former run's session to be gone."""
_GOODBYE_MS: Final = int(LONGEST_GOODBYE.total_seconds() * 1000)


def claim(db: Connection, at: datetime, lease: timedelta, job_id: str | None = None) -> UUID | None:
    """Claims the next job (or this one), and gives its id; None where there is nothing to claim."""
    _end_former_sessions(db)
    contested: list[UUID] = []
    while candidate := _candidate(db, job_id, contested):
        chosen, partner_id, is_suspect = candidate
        may_claim = may_claim_for(db, partner_id) and (not is_suspect or may_claim_suspect(db))
        if may_claim and _take(db, chosen, at, lease):
            return chosen
        contested.append(partner_id)
    return None


def give_back(
    db: Connection, job_id: str, attempt: int, pause: timedelta, *, disconnected: bool
) -> bool:
    """Queues the job again and ends the session of its run; False if that isn't this attempt's."""
    # Before the row is written to, since the run may hold it locked.
    db.execute(
        """
        SELECT pg_terminate_backend(a.pid, %s)
        FROM jobs j
        JOIN pg_stat_activity a
          ON j.session = a.pid || ':' || extract(epoch FROM a.backend_start)
        WHERE j.job_id = %s AND j.status = 'running' AND j.attempts = %s
          AND a.pid <> pg_backend_pid()
        """,
        [_GOODBYE_MS, job_id, attempt],
    )
    given = db.execute(
        """
        UPDATE jobs
        SET status = 'queued', released = TRUE, session = NULL,
            severed_ends = severed_ends + %s, lease_expires_at = clock_timestamp() + %s
        WHERE job_id = %s AND status = 'running' AND attempts = %s
        """,
        [int(disconnected), pause, job_id, attempt],
    )
    return given.rowcount == 1


def backlog(db: Connection) -> Backlog:
    """What waits for a worker; read along an index of what is under way."""
    query = "SELECT count(*), min(created_at) FROM jobs WHERE status = 'queued' AND released"
    waiting, oldest = db.execute(query).fetchone() or (0, None)
    return Backlog(waiting, oldest)


def _end_former_sessions(db: Connection) -> None:
    """Ends the sessions of runs whose lease ran out; returns when they are gone, or too slow.

    A stopped process may hold locks on rows, the job's own among them, for as long as its session
    lives. This locks nothing itself, and a session counts as the same one only if process and start
    agree: numbers of processes are given again.
    """
    db.execute(
        """
        SELECT pg_terminate_backend(a.pid, %s)
        FROM jobs j
        JOIN pg_stat_activity a
          ON j.session = a.pid || ':' || extract(epoch FROM a.backend_start)
        WHERE j.status = 'running' AND j.lease_expires_at <= clock_timestamp()
          AND a.pid <> pg_backend_pid()
        """,
        [_GOODBYE_MS],
    )


def _candidate(
    db: Connection, job_id: str | None, contested: list[UUID]
) -> tuple[UUID, UUID, bool] | None:
    """The oldest job that can be claimed, locked; its partner, whether it was ever disconnected."""
    return db.execute(
        """
        SELECT j.job_id, j.partner_id, j.severed_ends > 0
        FROM jobs j
        WHERE (
                (j.status = 'queued' AND (j.released OR %(job_id)s::uuid IS NOT NULL)
                 AND coalesce(j.lease_expires_at <= clock_timestamp(), TRUE))
                OR (j.status = 'running' AND j.lease_expires_at <= clock_timestamp())
              )
          AND (%(job_id)s::uuid IS NULL OR j.job_id = %(job_id)s::uuid)
          AND j.partner_id <> ALL(%(contested)s::uuid[])
          AND NOT EXISTS (
                SELECT FROM jobs other
                WHERE (other.partner_id = j.partner_id
                       OR (other.severed_ends > 0 AND j.severed_ends > 0))
                  AND other.status = 'running' AND other.lease_expires_at > clock_timestamp()
              )
        ORDER BY j.job_id
        LIMIT 1
        FOR NO KEY UPDATE OF j SKIP LOCKED
        """,
        {"job_id": job_id, "contested": contested},
    ).fetchone()


def _take(db: Connection, job_id: UUID, at: datetime, lease: timedelta) -> bool:
    """Makes the job run; False if one that keeps it waiting has begun since it was chosen."""
    # The choice looked before the lock was had; this statement looks again, and sees what has
    # been committed in between.
    taken = db.execute(
        """
        UPDATE jobs j
        SET status = 'running', attempts = attempts + 1, started_at = %(at)s, session = NULL,
            silent_ends = silent_ends
                + (status = 'running' AND lease_expires_at >= pg_postmaster_start_time())::int,
            severed_ends = severed_ends
                + (status = 'running' AND lease_expires_at < pg_postmaster_start_time())::int,
            lease_expires_at = clock_timestamp() + %(lease)s
        WHERE job_id = %(job_id)s
          AND NOT EXISTS (
                SELECT FROM jobs other
                WHERE (other.partner_id = j.partner_id
                       OR (other.severed_ends > 0 AND j.severed_ends > 0))
                  AND other.status = 'running' AND other.lease_expires_at > clock_timestamp()
              )
        """,
        {"at": at, "lease": lease, "job_id": job_id},
    )
    return taken.rowcount == 1
