"""What was answered under which key, in PostgreSQL."""

from typing import TypeVar

from attrs import frozen

from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.rows import Connection
from commerce_core.ports.activity import key_reused

T = TypeVar("T")


@frozen
class Idempotency:
    """Implements `commerce_core.ports.activity.Idempotency`."""

    _db: Connection

    def claim(self, owner: str, key: str, digest: str, answer: type[T]) -> T | None:
        """None if the key is new, and now this unit's; else the value kept under it."""
        # If another open unit has claimed the key, this INSERT waits until that one ends.
        claimed = self._db.execute(
            """
            INSERT INTO idempotency_keys (owner, key, digest)
            VALUES (%s, %s, %s)
            ON CONFLICT (owner, key) DO NOTHING
            """,
            [owner, key, digest],
        )
        if claimed.rowcount:
            return None
        # Its own statement, so that it sees what the other unit has just committed.
        known, kind, value = self._db.execute(
            "SELECT digest, kind, value FROM idempotency_keys WHERE owner = %s AND key = %s",
            [owner, key],
        ).fetchone() or (digest, None, None)
        if known != digest:
            raise key_reused(key)
        return None if kind is None else read_as(answer)(value)

    def keep(self, owner: str, key: str, value: object) -> None:
        """Keeps the answer to a key claimed in this unit."""
        self._db.execute(
            """
            UPDATE idempotency_keys
            SET kind = %s, value = %s
            WHERE owner = %s AND key = %s
            """,
            # The kind is read by versions up to 0.1 alone, which may run beside this one.
            [type(value).__name__, document(value), owner, key],
        )
