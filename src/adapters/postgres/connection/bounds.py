"""What an effort may cost: its statements end when it does, and its caller takes few snapshots."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg

from adapters.postgres.connection.rows import Connection
from commerce_core.ports.runtime import Effort
from commerce_core.ports.store import too_many_snapshots

_SET_TIMEOUT: Final = "SELECT set_config('statement_timeout', %s, FALSE)"

# Held by the session, so all processes see it, and one that crashes leaves nothing behind.
_TAKE_SLOT: Final = """
    SELECT slot
    FROM generate_series(1, %(most)s) AS slot
    WHERE pg_try_advisory_lock(hashtext('snapshot of ' || %(caller)s), slot)
    LIMIT 1"""


@contextmanager
def bounded(db: Connection, effort: Effort, usual: str) -> Generator[None]:
    """Limits each statement to the effort's seconds; restores the `usual` limit afterwards."""
    db.execute(_SET_TIMEOUT, [f"{max(1, int(effort.seconds * 1000))}ms"])
    try:
        with cancelled(db, effort):
            yield
    finally:
        # A cancellation that came too late may hit this; then the pool discards the connection.
        try:
            db.execute(_SET_TIMEOUT, [usual])
        except psycopg.Error:
            db.close()


@contextmanager
def cancelled(db: Connection, effort: Effort) -> Generator[None]:
    """Cancels the statement under way when the caller goes away."""

    def cancel() -> None:
        with suppress(psycopg.Error):
            db.cancel_safe(timeout=2)

    try:
        with effort.ended_by(cancel):
            yield
    except psycopg.errors.QueryCanceled as error:
        raise effort.over() from error


def take_slot(db: Connection, effort: Effort) -> None:
    """Counts a snapshot for as long as the connection lives; TooMany if the caller has enough."""
    limits = {"most": effort.snapshots, "caller": effort.caller}
    if db.execute(_TAKE_SLOT, limits).fetchone() is None:
        raise too_many_snapshots(effort)
