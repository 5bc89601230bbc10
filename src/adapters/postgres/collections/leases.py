"""Leases on the rows of a table, by the database's clock, and the end of former runs' sessions.

Tables of work have these columns in common: `status`, `attempts`, `silent_ends` and `severed_ends`
(the crashed and the disconnected attempts), `started_at`, `progress`, `session`, and
`lease_expires_at`: before that moment the row isn't claimed, since a run's lease is valid, or a
pause isn't over.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from attrs import frozen

from adapters.postgres.connection.documents import document
from adapters.postgres.connection.rows import Connection
from commerce_core.work.attempt import Progress

LONGEST_GOODBYE: Final = timedelta(seconds=5)
"""How long a claim waits until a former run's session is gone."""
_GOODBYE_MS: Final = int(LONGEST_GOODBYE.total_seconds() * 1000)


@frozen
class Leases:
    """The leases of one table: its name, its key, and what else giving a row back sets."""

    table: LiteralString
    key: LiteralString
    also_given_back: LiteralString = ""

    def end_expired(self, db: Connection) -> None:
        """Ends the sessions of runs whose lease has expired; returns when they are gone, or slow.

        A stopped process may hold locks on rows, its own work's among them, for as long as its
        session lives. This locks nothing itself, and a session counts as the same one only if
        process id and start agree, since process ids are reused.
        """
        self.end_sessions(db, "w.lease_expires_at <= clock_timestamp()")

    def end_sessions(
        self, db: Connection, which: LiteralString, params: Mapping[str, object] | None = None
    ) -> None:
        """Ends the sessions of running rows `w` for which that condition holds, in the same way."""
        db.execute(
            f"""
            SELECT pg_terminate_backend(a.pid, %(goodbye)s)
            FROM {self.table} w
            JOIN pg_stat_activity a
              ON w.session = a.pid || ':' || extract(epoch FROM a.backend_start)
            WHERE w.status = 'running' AND {which} AND a.pid <> pg_backend_pid()
            """,  # noqa: S608 - names of ours
            {"goodbye": _GOODBYE_MS, **(params or {})},
        )

    def take(
        self,
        db: Connection,
        key: UUID | int,
        at: datetime,
        lease: timedelta,
        *,
        unless: LiteralString = "FALSE",
    ) -> bool:
        """Makes a row, locked before, run as one more attempt; False if `unless` holds by now."""
        # The choice looked before the lock was had; this statement looks again, and sees what has
        # been committed in between.
        taken = db.execute(
            f"""
            UPDATE {self.table} w
            SET status = 'running', attempts = attempts + 1, started_at = %(at)s, session = NULL,
                silent_ends = silent_ends
                    + (status = 'running' AND lease_expires_at >= pg_postmaster_start_time())::int,
                severed_ends = severed_ends
                    + (status = 'running' AND lease_expires_at < pg_postmaster_start_time())::int,
                lease_expires_at = clock_timestamp() + %(lease)s
            WHERE {self.key} = %(key)s AND NOT {unless}
            """,  # noqa: S608 - names of ours
            {"at": at, "lease": lease, "key": key},
        )
        return taken.rowcount == 1

    def renew(
        self,
        db: Connection,
        key: str | int,
        attempt: int,
        lease: timedelta,
        *,
        progress: Progress,
        session: str | None,
    ) -> bool:
        """Extends the lease of this attempt; False if it is no longer the one that runs."""
        renewed = db.execute(
            f"""
            UPDATE {self.table}
            SET lease_expires_at = clock_timestamp() + %(lease)s, progress = %(progress)s,
                session = coalesce(%(session)s, session)
            WHERE {self.key} = %(key)s AND status = 'running' AND attempts = %(attempt)s
            """,  # noqa: S608 - names of ours
            {
                "key": key, "attempt": attempt, "progress": document(progress), "lease": lease,
                "session": session,
            },
        )  # fmt: skip
        return renewed.rowcount == 1

    def give_back(
        self, db: Connection, key: str | int, attempt: int, pause: timedelta, *, disconnected: bool
    ) -> bool:
        """Queues the row again and ends its run's session; False if this attempt isn't running."""
        # The session first: the run may hold the row locked.
        this = {"key": key, "attempt": attempt}
        self.end_sessions(db, f"w.{self.key} = %(key)s AND w.attempts = %(attempt)s", this)
        given = db.execute(
            f"""
            UPDATE {self.table}
            SET status = 'queued', session = NULL, severed_ends = severed_ends + %s,
                lease_expires_at = clock_timestamp() + %s{self.also_given_back}
            WHERE {self.key} = %s AND status = 'running' AND attempts = %s
            """,  # noqa: S608 - names of ours
            [int(disconnected), pause, key, attempt],
        )
        return given.rowcount == 1
