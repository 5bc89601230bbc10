"""Which job is run next: the oldest released one whose partner has no other job running."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from adapters.postgres.collections.leases import Leases
from adapters.postgres.connection.locks import may_claim_for, may_claim_suspect
from adapters.postgres.connection.rows import Connection
from commerce_core.feeds.job import Backlog

LEASES: Final = Leases("jobs", "job_id", ", released = TRUE")
_KEPT_WAITING: Final = """
    EXISTS (
        SELECT FROM jobs other
        WHERE (other.partner_id = w.partner_id
               OR (other.severed_ends > 0 AND w.severed_ends > 0))
          AND other.status = 'running' AND other.lease_expires_at > clock_timestamp()
    )"""
"""Whether a job `w` has to wait for one that is running."""


def claim(db: Connection, at: datetime, lease: timedelta, job_id: str | None = None) -> UUID | None:
    """Claims the next job (or this one) and returns its id; None if there is nothing to claim."""
    LEASES.end_expired(db)
    contested: list[UUID] = []
    while candidate := _candidate(db, job_id, contested):
        chosen, partner_id, is_suspect = candidate
        may_claim = may_claim_for(db, partner_id) and (not is_suspect or may_claim_suspect(db))
        if may_claim and LEASES.take(db, chosen, at, lease, unless=_KEPT_WAITING):
            return chosen
        contested.append(partner_id)
    return None


def backlog(db: Connection) -> Backlog:
    """What waits for a worker; read along an index of what is under way."""
    query = "SELECT count(*), min(created_at) FROM jobs WHERE status = 'queued' AND released"
    waiting, oldest = db.execute(query).fetchone() or (0, None)
    return Backlog(waiting, oldest)


def _candidate(
    db: Connection, job_id: str | None, contested: list[UUID]
) -> tuple[UUID, UUID, bool] | None:
    """The oldest job that can be claimed, locked; its partner, whether it was ever disconnected."""
    return db.execute(
        f"""
        SELECT w.job_id, w.partner_id, w.severed_ends > 0
        FROM jobs w
        WHERE (
                (w.status = 'queued' AND (w.released OR %(job_id)s::uuid IS NOT NULL)
                 AND coalesce(w.lease_expires_at <= clock_timestamp(), TRUE))
                OR (w.status = 'running' AND w.lease_expires_at <= clock_timestamp())
              )
          AND (%(job_id)s::uuid IS NULL OR w.job_id = %(job_id)s::uuid)
          AND w.partner_id <> ALL(%(contested)s::uuid[])
          AND NOT {_KEPT_WAITING}
        ORDER BY w.job_id
        LIMIT 1
        FOR NO KEY UPDATE OF w SKIP LOCKED
        """,  # noqa: S608 - a literal of ours
        {"job_id": job_id, "contested": contested},
    ).fetchone()
