"""A PostgreSQL for tests: the embedded one, or the server COMMERCE_TEST_DATABASE_URL names.

The workers of a parallel run share one server and have a database each, so no test sees another's
rows. A test that wants a database of its very own asks for `new_database`.
"""

import contextlib
import os
import uuid
from collections.abc import Callable, Generator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.embedded_postgres import running_postgres
from adapters.postgres import PostgresStore
from adapters.postgres.migrations import migrate
from tests.support.shelf import Shelf

# As in production: C.UTF-8 sorts as COLLATE "C" does, and would hide a missing one. Where the
# machine lacks this locale the server's own has to do.
LOCALE = "en_US.UTF-8"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A libpq connection string of the server, whose role may create databases."""
    given = os.environ.get("COMMERCE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with running_postgres(shared_folder(tmp_path_factory) / "database") as conninfo:
        make_quick_and_steady(conninfo)
        yield conninfo


def make_quick_and_steady(conninfo: str) -> None:
    """What tests write needn't survive the machine, and statistics are made when they ask for it.

    Otherwise a plan would depend on whether autovacuum had come by.
    """
    with psycopg.connect(conninfo, autocommit=True) as db:
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            db.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        db.execute("SELECT pg_reload_conf()")


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run have in common."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextlib.contextmanager
def created_database(server: str) -> Generator[str]:
    """A new, empty database on the server, for as long as the context lasts."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as db:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        located = sql.SQL(" LOCALE_PROVIDER libc LOCALE {}").format(sql.Literal(LOCALE))
        try:
            db.execute(create + located)
        except psycopg.errors.WrongObjectType:
            db.execute(create)
    try:
        yield make_conninfo(server, dbname=name)
    finally:
        with psycopg.connect(server, autocommit=True) as db:
            db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def migrated(postgres: str) -> Generator[str]:
    """This worker's database, with all tables, in whatever state the last test left it."""
    with created_database(postgres) as conninfo:
        migrate(conninfo)
        yield conninfo


@pytest.fixture
def database(migrated: str) -> str:
    """A database with all tables, empty."""
    # TRUNCATE makes new files for every table and index, which takes ten times as long.
    with psycopg.connect(migrated) as db:
        tables = db.execute(
            """
            SELECT relname
            FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
              AND relname NOT IN ('schema_migrations', 'publication_clock', 'event_numbers',
                                  'webhook_reader')
            ORDER BY oid DESC
            """
        ).fetchall()
        deletes = (sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for (name,) in tables)
        db.execute(sql.SQL("; ").join(deletes))
        db.execute("UPDATE publication_clock SET number = 0, published_at = '-infinity'")
        db.execute("UPDATE event_numbers SET last = 0, forgotten = 0")
        db.execute("UPDATE webhook_reader SET last = 0")
    return migrated


@pytest.fixture
def new_database(postgres: str) -> Generator[str]:
    """A database of this test alone, without any table."""
    with created_database(postgres) as conninfo:
        yield conninfo


@pytest.fixture
def store(database: str) -> Generator[PostgresStore]:
    """An empty store with room for ten units at once."""
    store = PostgresStore(database)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def connect(database: str) -> Generator[Callable[[], psycopg.Connection]]:
    """Connects to the store's database past the store, for a look behind it."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(psycopg.connect(database, autocommit=True))


@pytest.fixture(scope="module", params=["with statistics", "without statistics"])
def shelf(postgres: str, request: pytest.FixtureRequest) -> Generator[Shelf]:
    """A store of this module's tests alone, which one of them fills; once known, once unknown."""
    known = request.param == "with statistics"
    with created_database(postgres) as conninfo, PostgresStore.open(conninfo) as store:
        yield Shelf.set_up(conninfo, store, known=known)
