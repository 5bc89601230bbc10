"""The platform as it runs in production: a database, a folder of files, and processes of ours."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from datetime import timedelta
from pathlib import Path

from attrs import define, field, frozen

from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.ports import free_port
from tests.support.servers.postgres import children, ending_with_us
from tests.support.waiting import PATIENCE, until

COMMERCE = str(Path(sys.executable).with_name("commerce"))
LEASE = timedelta(seconds=1)
"""So short that a takeover takes a second."""


@frozen
class Server:
    """A server that answers at this address."""

    process: "subprocess.Popen[str]"
    address: str


@define
class Platform:
    """Where processes of ours find their database and their files."""

    database_url: str
    home: Path
    files_url: str = ""
    lease: timedelta = LEASE
    environ: Mapping[str, str] = field(factory=dict[str, str])

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a process: none of the user's own settings."""
        inherited = {n: v for n, v in os.environ.items() if not n.startswith("COMMERCE_")}
        return {
            **inherited,
            "COMMERCE_DATABASE_URL": self.database_url,
            "COMMERCE_FILES_URL": self.files_url or f"file:{self.home / 'files'}",
            "COMMERCE_DATA_DIR": str(self.home),
            "COMMERCE_LEASE_SECONDS": str(self.lease.total_seconds()),
            "PYTHONUNBUFFERED": "1",
            **self.environ,
        }

    @contextlib.contextmanager
    def opened(self) -> Generator[Commerce]:
        """The platform in this process."""
        settings = Settings(
            database_url=self.database_url,
            files_url=self.files_url or f"file:{self.home / 'files'}",
            data_dir=self.home,
            lease_seconds=self.lease.total_seconds(),
        )
        with open_platform(settings) as commerce:
            yield commerce

    @contextlib.contextmanager
    def running(self, *words: str, **environ: str) -> Generator["subprocess.Popen[str]"]:
        """One of our commands as a process, which is gone afterwards with all it started."""
        log = (self.home / "log").open("a")
        with log:
            process = subprocess.Popen(
                [*ending_with_us("KILL"), COMMERCE, *words],
                cwd=self.home,
                env={**self.variables, **environ},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            yield process
        finally:
            kill_all(process)

    @contextlib.contextmanager
    def worker(self, **environ: str) -> Generator["subprocess.Popen[str]"]:
        """A worker, which may still be starting."""
        with self.running("worker", **environ) as process:
            yield process

    @contextlib.contextmanager
    def server(self, port: int = 0, workers: int = 1, **environ: str) -> Generator[Server]:
        """A server that answers."""
        words = ("serve", "--port", str(port or free_port()), "--workers", str(workers))
        with self.running(*words, **environ) as process:
            yield Server(process, _address_of(process))

    def log(self) -> str:
        """What all processes said."""
        return (self.home / "log").read_text()


def kill_all(process: "subprocess.Popen[str]") -> None:
    """Kills a process and those it started, and waits until it is gone."""
    for pid in (process.pid, *children(process.pid)) if process.poll() is None else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(PATIENCE)
    if process.stdout:
        process.stdout.close()


def _address_of(process: "subprocess.Popen[str]") -> str:
    """The address that a server prints once it answers."""
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"http://[\d.]+:\d+", line):
            return found[0]
    raise AssertionError(f"the server ended with {process.wait()}; see the log")


def finished(commerce: Commerce, job_id: str) -> Job:
    """The job, once it is finished."""
    until(lambda: commerce.jobs.get(job_id).is_finished, every=0.05)
    return commerce.jobs.get(job_id)
