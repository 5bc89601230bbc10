"""The server on which all contenders are measured, and the generated files."""

import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from attrs import define

from adapters.postgres import PostgresStore
from bench.generate import Kind
from bench.generate import write as write_feed
from tests.support.servers.postgres import BINARIES, Postgres, free_port

MAJOR: Final = 18
"""The version of PostgreSQL that is measured by default."""
SETTINGS: Final = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 1GB
max_wal_size = 8GB
checkpoint_timeout = 30min
timezone = 'UTC'
log_min_messages = fatal
"""
"""The same for all contenders; fsync and synchronous_commit are on, as they are by default."""


@define
class House:
    """A server with a fresh database for each contender, and files of one size."""

    server: Postgres
    folder: Path
    rows: int
    major: int = MAJOR

    def file(self, kind: Kind) -> Path:
        """A generated file, created on first use."""
        path = self.folder / f"{kind}-{self.rows}.csv"
        if not path.exists():
            draft = path.with_suffix(".draft")
            write_feed(draft, self.rows, kind)
            draft.rename(path)
        return path

    def url(self, database: str) -> str:
        """The address of a database."""
        return self.server.url(database=database)

    def fresh(self, database: str) -> str:
        """A new empty database, with a checkpoint so that the server has nothing left to write."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            db.execute(f"CREATE DATABASE {database}")
            db.execute("CHECKPOINT")
        return self.url(database)

    def migrated(self, database: str) -> str:
        """A fresh database with the tables of the platform."""
        url = self.fresh(database)
        with PostgresStore.open(url):
            return url

    def psql(self, database: str, script: str) -> None:
        """Runs a script with psql, in one session."""
        command = [
            str(BINARIES[self.major] / "psql"),
            self.url(database),
            "-qX",
            "-v",
            "ON_ERROR_STOP=1",
        ]
        subprocess.run(command, input=script.encode(), check=True, stdout=subprocess.DEVNULL)  # noqa: S603


@contextmanager
def house(rows: int, major: int = MAJOR, settings: str = "") -> Generator[House]:
    """A new server of this version, stopped and deleted afterwards; `settings` come on top."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        server = Postgres(BINARIES[major], Path(home), free_port(), settings=SETTINGS + settings)
        server.make()
        try:
            server.start()
            yield House(server, Path(home), rows, major)
        finally:
            server.stop()
