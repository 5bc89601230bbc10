"""Sessions in PostgreSQL."""

from datetime import datetime
from typing import Final

from attrs import frozen

from adapters.postgres.connection.rows import Connection, digits, fetch_one, params_of, rows_of
from commerce_core.partners.session import Session

_SESSIONS: Final = rows_of(Session)


@frozen
class Sessions:
    """Implements `commerce_core.ports.partners.Sessions`."""

    _db: Connection

    def add(self, session: Session) -> None:
        """Keeps a new session."""
        self._db.execute(
            """
            INSERT INTO sessions (session_id, key_id, created_at, expires_at, digest)
            VALUES (%(session_id)s, %(key_id)s, %(created_at)s, %(expires_at)s, %(digest)s)
            """,
            params_of(session),
        )

    def find(self, digest: bytes) -> Session | None:
        """The session with this digest."""
        return fetch_one(
            self._db,
            _SESSIONS,
            """
            SELECT session_id, key_id, created_at, expires_at, digest
            FROM sessions
            WHERE digest = %s
            """,
            [digest],
        )

    def end(self, session_id: str) -> None:
        """Deletes a session."""
        self._db.execute("DELETE FROM sessions WHERE session_id = %s", [digits(session_id)])

    def end_beyond(self, key_id: str, most: int) -> None:
        """Deletes the oldest sessions of a key."""
        self._db.execute(
            """
            DELETE FROM sessions
            WHERE session_id IN (
                SELECT session_id
                FROM sessions
                WHERE key_id = %s
                ORDER BY session_id DESC
                OFFSET %s
            )
            """,
            [digits(key_id), most],
        )

    def forget(self, before: datetime, most: int) -> int:
        """Deletes expired sessions."""
        return self._db.execute(
            """
            DELETE FROM sessions
            WHERE session_id IN (
                SELECT session_id
                FROM sessions
                WHERE expires_at < %s
                LIMIT %s
                FOR UPDATE SKIP LOCKED
            )
            """,
            [before, most],
        ).rowcount
