"""Brings a database's schema up to date: the .sql files beside this one, each once, in order.

A plain file is a step that expands: it runs in one transaction, and a version that doesn't know it
continues to work. Two lines of comment declare otherwise:

    -- In a transaction: no          each statement runs by itself, and may run again
    -- Needs: 0007_profiles          contracts: only a version that has that step can continue

Any number of processes may start at once; one migrates, and the others wait until it has.
"""

import hashlib
import re
import time
from collections.abc import Collection, Iterator, Sequence
from importlib import resources
from typing import Final, LiteralString, cast

import psycopg
from attrs import frozen

from adapters.postgres.connection.locks import try_migrating
from adapters.postgres.connection.rows import Connection
from commerce_core.base.errors import Unavailable

PATIENCE: Final = 120.0
"""Seconds to wait for another process that migrates, and for others to release a table."""
LONGEST_LOCK_WAIT: Final = "1s"
"""How long one try waits for a table, since all later statements on it wait behind it."""
_BETWEEN_TRIES: Final = 0.5
_BETWEEN_LOOKS: Final = 0.1

_HEADER: Final = re.compile(r"-- (In a transaction|Needs): (.+)")
_CONCURRENT_INDEX: Final = re.compile(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+)")


@frozen
class Migration:
    """One step of the schema; its text never changes once it has been released."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Identifies this very text, to compare with what a database was given."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def in_transaction(self) -> bool:
        """Whether it is applied whole or not at all; otherwise it has to tolerate a second run."""
        return self._header.get("In a transaction") != "no"

    @property
    def needs(self) -> str | None:
        """The step that a version has to know to go on working after this one, if it contracts."""
        return self._header.get("Needs")

    @property
    def statements(self) -> Sequence[str]:
        """Its statements; none of ours contains a semicolon."""
        plain = re.sub(r"--[^\n]*", "", self.text)
        return [" ".join(part.split()) for part in plain.split(";") if part.strip()]

    @property
    def _header(self) -> dict[str, str]:
        return dict(_HEADER.findall(self.text))


@frozen
class _Taken:
    """A step that the database has."""

    name: str
    checksum: str
    needs: str | None


def all_migrations() -> list[Migration]:
    """The steps there are, in order."""
    folder = resources.files("adapters.postgres") / "migrations"
    files = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    steps = [Migration(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]
    return sorted(steps, key=lambda step: step.name)


def migrate(conninfo: str, steps: Sequence[Migration] | None = None) -> None:
    """Applies what is missing. Unavailable if this version can't work with what is there.

    That is a database with steps that differ from ours, or one that a newer version has contracted
    too far for this one.
    """
    with psycopg.connect(conninfo, autocommit=True, application_name="commerce migrate") as db:
        db.execute(
            "SET client_min_messages = warning; SET statement_timeout = 0; SET lock_timeout = 0"
        )
        wanted = all_migrations() if steps is None else steps
        if _missing(db, wanted):
            _wait_for_turn(db)
            # Ending the session releases the lock.
            _make_ledger(db)
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
    """The steps still to apply, after comparing the ones that were applied with ours."""
    taken = list(_taken(db))
    known = {step.name: step for step in wanted}
    for step in taken:
        if step.name not in known:
            _check_can_follow(step, known)
        elif known[step.name].checksum != step.checksum:
            raise Unavailable(
                f"The migration {step.name} in the database differs from the one installed.",
                "Install the version that made this database, and upgrade from there.",
                code="database_differs",
            )
    done = {step.name for step in taken}
    return [step for step in wanted if step.name not in done]


def _check_can_follow(step: _Taken, known: Collection[str]) -> None:
    """Unavailable if a step of a newer version has removed what this one uses."""
    if step.needs is not None and step.needs not in known:
        raise Unavailable(
            f"The database was made by a newer version: its migration {step.name} needs one that "
            f"has {step.needs}.",
            "Install that version or a later one.",
            code="database_newer",
        )


def _taken(db: Connection) -> Iterator[_Taken]:
    (there,) = db.execute("SELECT to_regclass('schema_migrations') IS NOT NULL").fetchone() or (0,)
    if there:
        # As a document, since a table made by an older version lacks the last column.
        query = "SELECT name, checksum, to_jsonb(m) ->> 'needs' FROM schema_migrations m"
        for row in db.execute(query).fetchall():
            yield _Taken(*row)


def _apply(db: Connection, step: Migration) -> None:
    """Applies one step, and records it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if step.in_transaction:
                _take_whole(db, step)
            else:
                _take_by_statement(db, step)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"The migration {step.name} waits for a table that others have locked.",
                    "See who has locked it in pg_locks; a feed that is read locks the catalog's.",
                ) from error
            time.sleep(_BETWEEN_TRIES)
        else:
            return


def _take_whole(db: Connection, step: Migration) -> None:
    """Applies the step whole or not at all."""
    with db.transaction():
        db.execute("SELECT set_config('lock_timeout', %s, true)", [LONGEST_LOCK_WAIT])
        db.execute(_ours(step.text))
        _note(db, step)


def _take_by_statement(db: Connection, step: Migration) -> None:
    """Runs each statement by itself; those that an earlier attempt ran change nothing now."""
    for statement in step.statements:
        if found := _CONCURRENT_INDEX.match(statement):
            _drop_if_invalid(db, found[1])
        db.execute(_ours(statement))
    _note(db, step)


def _drop_if_invalid(db: Connection, index: str) -> None:
    """Drops the rest of an index whose creation was interrupted: IF NOT EXISTS would keep it."""
    (broken,) = db.execute(
        "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid",
        [index],
    ).fetchone() or (0,)
    if broken:
        db.execute(_ours(f"DROP INDEX CONCURRENTLY IF EXISTS {index}"))


def _make_ledger(db: Connection) -> None:
    """Makes sure that the table of applied steps exists, as this version writes it."""
    db.execute(
        """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            name text PRIMARY KEY,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    db.execute("ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS needs text")


def _note(db: Connection, step: Migration) -> None:
    db.execute(
        "INSERT INTO schema_migrations (name, checksum, needs) VALUES (%s, %s, %s)",
        [step.name, step.checksum, step.needs],
    )


def _ours(text: str) -> LiteralString:
    """A text from this package, which the type checker can't know."""
    return cast("LiteralString", text)
