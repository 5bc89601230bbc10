"""Brings a database's schema up to date: the .sql files beside this one, each once, in order.

Any number of processes may start at once; one migrates, and the others wait until it has.
"""

import hashlib
import time
from collections.abc import Sequence
from importlib import resources
from typing import Final, LiteralString, cast

import psycopg
from attrs import frozen

from adapters.postgres.locks import try_migrating
from adapters.postgres.rows import Connection
from commerce_core.errors import Unavailable

PATIENCE: Final = 120.0
"""Seconds to wait for another process that migrates."""
_BETWEEN_LOOKS: Final = 0.1


@frozen
class Migration:
    """One step of the schema; its text never changes once it has been released."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """What tells whether a database was given this very text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def all_migrations() -> list[Migration]:
    """The steps there are, in order."""
    folder = resources.files("adapters.postgres") / "migrations"
    files = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    steps = [Migration(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]
    return sorted(steps, key=lambda step: step.name)


def migrate(conninfo: str, steps: Sequence[Migration] | None = None) -> None:
    """Applies what is missing. Unavailable where the database has been changed by other hands."""
    with psycopg.connect(conninfo, autocommit=True, application_name="commerce migrate") as db:
        db.execute("SET client_min_messages = warning")
        wanted = all_migrations() if steps is None else steps
        if _missing(db, wanted):
            _wait_for_turn(db)
            # Ending the session gives the lock back.
            for step in _missing(db, wanted):
                _apply(db, step)


def _wait_for_turn(db: Connection) -> None:
    deadline = time.monotonic() + PATIENCE
    while not try_migrating(db):
        if time.monotonic() > deadline:
            raise Unavailable(
                "Another process has been changing the database's schema for too long.",
                "See what holds its advisory lock in pg_locks, and try again.",
            )
        time.sleep(_BETWEEN_LOOKS)


def _missing(db: Connection, wanted: Sequence[Migration]) -> list[Migration]:
    """The steps still to be taken, after those that were have been compared with what we know."""
    taken = _taken(db)
    known = {step.name: step for step in wanted}
    for name, checksum in taken.items():
        if name not in known:
            raise Unavailable(
                f"The database was made by a newer version: it has the migration {name}.",
                "Install that version or a later one.",
                code="database_newer",
            )
        if known[name].checksum != checksum:
            raise Unavailable(
                f"The migration {name} in the database differs from the one installed.",
                "Install the version that made this database, and upgrade from there.",
                code="database_differs",
            )
    return [step for step in wanted if step.name not in taken]


def _taken(db: Connection) -> dict[str, str]:
    (there,) = db.execute("SELECT to_regclass('schema_migrations') IS NOT NULL").fetchone() or (0,)
    if not there:
        return {}
    return dict(db.execute("SELECT name, checksum FROM schema_migrations").fetchall())


def _apply(db: Connection, step: Migration) -> None:
    """Takes one step, whole or not at all, and notes it."""
    with db.transaction():
        db.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                name text PRIMARY KEY,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        db.execute(cast("LiteralString", step.text))  # Ours, though the type checker can't see it.
        db.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)",
            [step.name, step.checksum],
        )
