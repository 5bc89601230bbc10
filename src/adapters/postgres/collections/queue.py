"""Which job is run next: partners take turns, and no partner has two jobs running.

A claim walks from queue to queue along an index, beginning after the partner served last. So it
costs a few steps for each partner that can't be served just now, and nothing for each job.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from adapters.postgres.collections.leases import Leases
from adapters.postgres.connection.locks import may_claim_for, may_claim_suspect, may_end_turn
from adapters.postgres.connection.rows import Connection
from commerce_core.feeds.job import Backlog, FeedLane

LEASES: Final = Leases("jobs", "job_id", ", released = TRUE")
_FIRST: Final = UUID(int=0)
_LAST: Final = UUID(int=2**128 - 1)

_PARTNER_IS_BUSY: Final = """
    EXISTS (
        SELECT FROM jobs other
        WHERE other.status = 'running' AND other.partner_id = w.partner_id
          AND other.lease_expires_at > clock_timestamp()
    )"""
_IS_SUSPECT: Final = "(w.silent_ends > 0 OR w.severed_ends > 0 OR w.status = 'running')"
"""Whether a waiting job `w` has ended a worker or the database, or may have done so just now."""
_KEPT_BY_SUSPECT: Final[LiteralString] = f"""
    ({_IS_SUSPECT} AND EXISTS (
        SELECT FROM jobs other
        WHERE other.status = 'running' AND other.lease_expires_at > clock_timestamp()
          AND (other.silent_ends > 0 OR other.severed_ends > 0)
    ))"""
"""Whether a job `w` is suspect, and has to wait for another such job that is running."""
_KEPT_WAITING: Final[LiteralString] = f"({_PARTNER_IS_BUSY} OR {_KEPT_BY_SUSPECT})"
"""Whether a job `w` has to wait for one that is running."""
_IS_WAITING: Final = "w.status = 'queued' AND w.released"
_IS_DUE: Final = "coalesce(w.lease_expires_at <= clock_timestamp(), TRUE)"
_IS_NEXT_OF_ITS_SOURCE: Final = """
    (
        SELECT older.job_id = w.job_id
        FROM jobs older
        WHERE older.status = 'queued' AND older.released AND older.source_id = w.source_id
        ORDER BY older.job_id
        LIMIT 1
    )
    AND (
        SELECT FALSE
        FROM jobs older
        WHERE older.status = 'queued' AND older.released AND older.source_id IS NULL
          AND older.partner_id = w.partner_id
        LIMIT 1
    ) IS NOT FALSE"""
"""Whether no job of its source has waited longer, paused ones included.

A job of an earlier version doesn't name its source: it may be this one. As written, the planner
expects most jobs to fit, and so takes them from the index one by one.
"""


def _next_in_turn_of(waiting: LiteralString, also: LiteralString = "TRUE") -> LiteralString:
    """The statement for a lane: the condition of its jobs, as its index has it, and further ones.

    Of the partners `after` one and `up_to` another, it finds the first that has a job to claim.
    """
    return f"""
        WITH RECURSIVE queue (partner_id) AS (
            (
                SELECT w.partner_id
                FROM jobs w
                WHERE {waiting} AND w.partner_id > %(after)s
                ORDER BY w.partner_id
                LIMIT 1
            )
            UNION ALL
            SELECT (
                SELECT w.partner_id
                FROM jobs w
                WHERE {waiting} AND w.partner_id > queue.partner_id
                ORDER BY w.partner_id
                LIMIT 1
            )
            FROM queue
            WHERE queue.partner_id <= %(up_to)s
        )
        SELECT first.job_id, first.partner_id, first.is_suspect
        FROM (
            -- OFFSET keeps this before the look at the partner's jobs, which may be many.
            SELECT w.partner_id
            FROM queue w
            WHERE w.partner_id <= %(up_to)s AND w.partner_id <> ALL(%(contested)s::uuid[])
              AND NOT {_PARTNER_IS_BUSY}
            OFFSET 0
        ) queue
        CROSS JOIN LATERAL (
            SELECT w.job_id, w.partner_id, {_IS_SUSPECT} AS is_suspect
            FROM jobs w
            WHERE {waiting} AND w.partner_id = queue.partner_id
              AND {_IS_DUE} AND {also} AND NOT {_KEPT_BY_SUSPECT}
            ORDER BY w.job_id
            LIMIT 1
            FOR NO KEY UPDATE OF w SKIP LOCKED
        ) first
        LIMIT 1
        """  # noqa: S608 - literals of ours


NEXT_IN_TURN: Final[Mapping[FeedLane, LiteralString]] = {
    "feeds": _next_in_turn_of(_IS_WAITING),
    "small_feeds": _next_in_turn_of(f"{_IS_WAITING} AND w.is_small", _IS_NEXT_OF_ITS_SOURCE),
}
"""The statement that finds a lane's next job."""

_Candidate = tuple[UUID, UUID, bool]
"""A job that can be claimed, locked; its partner; whether it is suspect."""


def claim(
    db: Connection, at: datetime, lease: timedelta, lane: FeedLane, job_id: str | None = None
) -> UUID | None:
    """Claims the lane's next job (or this one); returns its id, or None if there is none."""
    LEASES.end_expired(db)
    contested: list[UUID] = []
    while candidate := _candidate(db, lane, job_id, contested):
        chosen, partner_id, is_suspect = candidate
        may_claim = may_claim_for(db, partner_id) and (not is_suspect or may_claim_suspect(db))
        if may_claim and LEASES.take(db, chosen, at, lease, unless=_KEPT_WAITING):
            if job_id is None:
                _end_turn(db, lane, partner_id)
            return chosen
        contested.append(partner_id)
    return None


def stop(db: Connection, which: LiteralString, params: Mapping[str, object]) -> None:
    """Ends the runs of the running jobs `w` for which that condition holds.

    The jobs are locked first, so that a process that notices the end of its run waits, and sees
    why. A job that is locked already may be so by its run.
    """
    db.execute(
        f"""
        SELECT FROM jobs w
        WHERE w.status = 'running' AND {which}
        FOR NO KEY UPDATE OF w SKIP LOCKED
        """,
        params,
    )
    LEASES.end_sessions(db, which, params)


def backlog(db: Connection) -> Backlog:
    """What waits for a worker, and what is running; read along indexes of what is under way."""
    query = """
        SELECT count(*) FILTER (WHERE status = 'queued'),
               min(created_at) FILTER (WHERE status = 'queued'),
               min(created_at) FILTER (WHERE status = 'queued' AND is_small),
               count(*) FILTER (WHERE status = 'running')
        FROM jobs
        WHERE status IN ('queued', 'running') AND (released OR status = 'running')"""
    row = db.execute(query).fetchone()
    return Backlog(*row) if row else Backlog(0, None)


def _candidate(
    db: Connection, lane: FeedLane, job_id: str | None, contested: list[UUID]
) -> _Candidate | None:
    if job_id is not None:
        return _named(db, job_id, contested)
    return _expired(db, lane, contested) or _next_in_turn(db, lane, contested)


def _named(db: Connection, job_id: str, contested: list[UUID]) -> _Candidate | None:
    """This job, if it can be claimed, released or not."""
    return db.execute(
        f"""
        SELECT w.job_id, w.partner_id, {_IS_SUSPECT}
        FROM jobs w
        WHERE w.job_id = %(job_id)s::uuid
          AND ((w.status = 'queued' AND {_IS_DUE})
               OR (w.status = 'running' AND w.lease_expires_at <= clock_timestamp()))
          AND w.partner_id <> ALL(%(contested)s::uuid[])
          AND NOT {_KEPT_WAITING}
        FOR NO KEY UPDATE OF w SKIP LOCKED
        """,  # noqa: S608 - literals of ours
        {"job_id": job_id, "contested": contested},
    ).fetchone()


def _expired(db: Connection, lane: FeedLane, contested: list[UUID]) -> _Candidate | None:
    """The oldest job whose lease has expired: it had its turn, and its partner waits for it."""
    return db.execute(
        f"""
        SELECT w.job_id, w.partner_id, {_IS_SUSPECT}
        FROM jobs w
        WHERE w.status = 'running' AND w.lease_expires_at <= clock_timestamp()
          AND (w.is_small OR %(any_size)s)
          AND w.partner_id <> ALL(%(contested)s::uuid[])
          AND NOT {_KEPT_WAITING}
        ORDER BY w.job_id
        LIMIT 1
        FOR NO KEY UPDATE OF w SKIP LOCKED
        """,  # noqa: S608 - literals of ours
        {"any_size": lane == "feeds", "contested": contested},
    ).fetchone()


def _next_in_turn(db: Connection, lane: FeedLane, contested: list[UUID]) -> _Candidate | None:
    """The oldest job of the first partner, in a circle from the last one served, that has one."""
    last = _served_last(db, lane)
    ahead = _first_between(db, lane, last, _LAST, contested)
    return ahead or _first_between(db, lane, _FIRST, last, contested)


def _first_between(
    db: Connection, lane: FeedLane, after: UUID, up_to: UUID, contested: list[UUID]
) -> _Candidate | None:
    bounds = {"after": after, "up_to": up_to, "contested": contested}
    return db.execute(NEXT_IN_TURN[lane], bounds).fetchone()


def _served_last(db: Connection, lane: FeedLane) -> UUID:
    """The partner whose job was claimed last in the lane; at first, one before all others."""
    query = "SELECT partner_id FROM turns WHERE lane = %s"
    (partner_id,) = db.execute(query, [lane]).fetchone() or (_FIRST,)
    return partner_id


def _end_turn(db: Connection, lane: FeedLane, partner_id: UUID) -> None:
    """The next claim begins after this partner.

    Of claims at the same moment one notes its partner, so that none waits for another's unit.
    """
    if may_end_turn(db, lane):
        db.execute(
            """
            INSERT INTO turns (lane, partner_id)
            VALUES (%s, %s)
            ON CONFLICT (lane) DO UPDATE SET partner_id = excluded.partner_id
            """,
            [lane, partner_id],
        )
