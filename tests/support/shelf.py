"""A store on PostgreSQL whose statistics nobody makes unasked, and what is read of its tables."""

from collections.abc import Callable, Mapping
from typing import Final

import psycopg
from attrs import frozen
from psycopg.rows import TupleRow

from adapters.postgres import PostgresStore

TABLES: Final = ("products", "product_versions", "publications", "partners")


@frozen
class Shelf:
    """A store, and whether the planner is to know what is in it once it has been filled."""

    conninfo: str
    store: PostgresStore
    known: bool

    @classmethod
    def set_up(cls, conninfo: str, store: PostgresStore, *, known: bool) -> "Shelf":
        """A shelf that is still empty."""
        with psycopg.connect(conninfo, autocommit=True) as db:
            for table in TABLES:
                db.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
        return cls(conninfo, store, known)

    def filled(self) -> None:
        """Now that it is filled statistics are made, if there are to be any."""
        if self.known:
            with psycopg.connect(self.conninfo, autocommit=True) as db:
                db.execute("ANALYZE")


def rows_read(db: psycopg.Connection[TupleRow], act: Callable[[], object]) -> Mapping[str, int]:
    """How many rows of each table something looks at, those that a filter leaves out too.

    A table that it makes is among them, if it is still there.
    """
    before = _counted(db)
    act()
    return {table: read - before.get(table, 0) for table, read in _counted(db).items()}


def _counted(db: psycopg.Connection[TupleRow]) -> dict[str, int]:
    rows = db.execute(
        """
        SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0)
        FROM pg_stat_xact_user_tables
        """
    )
    return dict(rows.fetchall())
