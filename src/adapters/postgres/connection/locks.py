"""Advisory locks: what only one unit does at a time, named in one place.

All but the migrations' end with the transaction that took them, so no crash leaves one behind.
"""

from typing import Final
from uuid import UUID

import psycopg

from adapters.postgres.connection.rows import Connection

MIGRATING: Final = 0x636F6D6D65726365
"""The lock of the process that changes the schema: the bytes of `commerce`. A session holds it."""
_CLAIMING: Final = 1
_COMPARING: Final = 2
_SUSPECTS: Final = (3, 0)
_NAMING: Final = (4, 0)
_TURNS: Final = 5
_SUBSCRIBING: Final = 12
_CHANNELS: Final = 13
_VIEWS: Final = 20
_CLAIMING_TASKS: Final = 21


def hold_feeds_of(db: Connection, partner: UUID) -> None:
    """Waits until no other unit applies a feed of the partner; from then on only this one does."""
    db.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_COMPARING, _number(partner)])


def hold_claims_in(db: Connection, lane: str) -> None:
    """Waits until no other unit claims a task of the lane; from then on only this one does."""
    db.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_CLAIMING_TASKS, lane])


def lock_names_of_partners(db: Connection) -> None:
    """Waits until no other unit names a partner; from then on only this one does."""
    db.execute("SELECT pg_advisory_xact_lock(%s, %s)", _NAMING)


def may_claim_for(db: Connection, partner: UUID) -> bool:
    """Whether no other unit is claiming a job of this partner; if so, none will until this ends."""
    query = "SELECT pg_try_advisory_xact_lock(%s, %s)"
    (locked,) = db.execute(query, [_CLAIMING, _number(partner)]).fetchone() or (False,)
    return locked


def may_claim_suspect(db: Connection) -> bool:
    """The same for a job of any partner that has crashed or disconnected attempts."""
    (locked,) = db.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", _SUSPECTS).fetchone() or (0,)
    return bool(locked)


def may_end_turn(db: Connection, lane: str) -> bool:
    """Whether no other unit is noting whose turn it was in this lane; if so, none will."""
    query = "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))"
    (locked,) = db.execute(query, [_TURNS, lane]).fetchone() or (False,)
    return locked


def lock_webhooks_of(db: Connection, owner: str) -> None:
    """Waits until no other unit adds a webhook of this owner; from then on only this one does."""
    db.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_SUBSCRIBING, owner])


def lock_channels_of(db: Connection, owner: str) -> None:
    """Waits until no other unit adds an alert channel of this owner; then only this one does."""
    db.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_CHANNELS, owner])


def lock_views_of(db: Connection, owner: str) -> None:
    """Waits until no other unit changes a saved view of this owner; then only this one does."""
    db.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_VIEWS, owner])


def try_migrating(db: psycopg.Connection) -> bool:
    """Whether this session may now change the schema."""
    # Never the waiting form: CREATE INDEX CONCURRENTLY of the lock's holder would wait for the
    # transaction that waits for the lock.
    (locked,) = db.execute("SELECT pg_try_advisory_lock(%s)", [MIGRATING]).fetchone() or (False,)
    return locked


def _number(partner: UUID) -> int:
    """The end of the id, its random part. Two partners that share one only take turns."""
    return int.from_bytes(partner.bytes[-4:], signed=True)
