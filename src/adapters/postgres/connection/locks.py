"""Advisory locks: what only one at a time does, named in one place.

All but the migrations' end with the transaction that took them, so no crash leaves one behind.
"""

from typing import Final
from uuid import UUID

import psycopg

from adapters.postgres.connection.rows import Connection

MIGRATING: Final = 0x636F6D6D65726365
"""The lock of whoever changes the schema: the bytes of `commerce`. It belongs to a session."""
_CLAIMING: Final = 1
_COMPARING: Final = 2
_SUSPECTS: Final = (3, 0)


def hold_feeds_of(db: Connection, partner: UUID) -> None:
    """Waits until no other unit feeds the partner; from then on this one alone does."""
    db.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_COMPARING, _number(partner)])


def may_claim_for(db: Connection, partner: UUID) -> bool:
    """Whether no other unit is just now claiming a job of this partner; if so, none will."""
    query = "SELECT pg_try_advisory_xact_lock(%s, %s)"
    (locked,) = db.execute(query, [_CLAIMING, _number(partner)]).fetchone() or (False,)
    return locked


def may_claim_suspect(db: Connection) -> bool:
    """Whether no other unit is just now claiming a job that has severed ends; if so, none will."""
    (locked,) = db.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", _SUSPECTS).fetchone() or (0,)
    return bool(locked)


def try_migrating(db: psycopg.Connection) -> bool:
    """Whether this session may now change the schema."""
    # Never the waiting form: CREATE INDEX CONCURRENTLY of whoever holds the lock would wait for the
    # transaction of the one that waits for it.
    (locked,) = db.execute("SELECT pg_try_advisory_lock(%s)", [MIGRATING]).fetchone() or (False,)
    return locked


def _number(partner: UUID) -> int:
    """The end of the id, its random part. Two partners that share one merely take turns."""
    return int.from_bytes(partner.bytes[-4:], signed=True)
