"""The figures of this process and its siblings, as Prometheus reads them; no name stands in them.

Several processes of one server keep their figures in files of one folder, and whichever is asked
adds them up: so it doesn't matter which of them a scrape meets, and a process that ended keeps
what it had counted.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commerce_core.feeds.job import Job
from entrypoints import logs

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MEDIA_TYPE: Final = "text/plain; version=0.0.4"
CONTENT_TYPE: Final = f"{MEDIA_TYPE}; charset=utf-8"
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the library is told of the folder, before it is imported."""
POOL_EVERY: Final = 2.0
"""Seconds between two looks of a process at its pool."""
FATES: Final = (
    "created", "updated", "restored", "unchanged", "deleted", "folded", "skipped", "rejected",
    "duplicate", "overtaken", "blank",
)  # fmt: skip
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_REQUEST_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
)  # fmt: skip
_JOB_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

Connections = Callable[[], Mapping[str, int]]
"""Gives the database connections of this process by state."""


@contextmanager
def shared_folder() -> Generator[None]:
    """The processes started in this block count together; what they counted goes with it."""
    folder = tempfile.mkdtemp(prefix="commerce-metrics-")
    os.environ[FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


class Metrics:
    """What this process counts."""

    def __init__(self) -> None:
        """Declares everything that is counted."""
        from prometheus_client import (
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            disable_created_metrics,
        )

        disable_created_metrics()  # a series more for each, which nobody asks for
        self._by_request: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "commerce_http_requests",
            "Requests answered, by the route's template.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "commerce_http_request_seconds",
            "How long an answer took, until its last byte was handed on.",
            ["method", "route"],
            buckets=_REQUEST_SECONDS,
            registry=self._registry,
        )
        self._jobs = Counter(
            "commerce_jobs",
            "Attempts at jobs that ended, by how.",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self._job_seconds = Histogram(
            "commerce_job_seconds",
            "How long the attempt took that finished a job.",
            ["kind"],
            buckets=_JOB_SECONDS,
            registry=self._registry,
        )
        self._records = Counter(
            "commerce_job_records",
            "Records of completed jobs, by what became of them.",
            ["kind", "fate"],
            registry=self._registry,
        )
        self._connections = Gauge(
            "commerce_database_connections",
            "Connections in the pools: most, open, in_use; and the units waiting for one.",
            ["state"],
            registry=self._registry,
            multiprocess_mode="livesum",
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        key = (method if method in _METHODS else "other", route, status)
        count = self._by_request.get(key)
        if count is None:
            count = self._by_request[key] = self._counting(*key)
        count(seconds)

    def _counting(self, method: str, route: str, status: int) -> Callable[[float], None]:
        requests = self._requests.labels(method, route, str(status))
        observe = self._request_seconds.labels(method, route).observe

        def count(seconds: float) -> None:
            requests.inc()
            observe(seconds)

        return count

    def job(self, job: Job, outcome: str, seconds: float | None = None) -> None:
        """An attempt at a job ended; with its seconds where that finished the job."""
        self._jobs.labels(job.kind, outcome).inc()
        if seconds is not None:
            self._job_seconds.labels(job.kind).observe(seconds)
        if job.status == "completed" and job.summary is not None:
            for fate in FATES:
                self._records.labels(job.kind, fate).inc(getattr(job.summary, fate))

    def connections(self, by_state: Mapping[str, int]) -> None:
        """So many connections this process has just now."""
        for state, number in by_state.items():
            self._connections.labels(state).set(number)

    def text(self, others: "Iterable[Metric]" = ()) -> str:
        """All figures of this process and its siblings, with others beside them."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector
        from prometheus_client.registry import Collector

        told = [*others, *_about_us()]

        class Others(Collector):
            def collect(self) -> "Iterable[Metric]":
                return told

        shown = CollectorRegistry()
        folder = os.environ.get(FOLDER)
        if folder is None:
            shown.register(self._registry)
        else:
            _forget_the_dead(Path(folder))
            MultiProcessCollector(shown, folder)
        shown.register(Others())
        return generate_latest(shown).decode()


@cache
def metrics() -> Metrics:
    """Those of this process."""
    return Metrics()


def _about_us() -> "Iterable[Metric]":
    from prometheus_client.metrics_core import InfoMetricFamily

    yield InfoMetricFamily(
        "commerce", "Which version answers.", {"version": version("open-commerce")}
    )


def _forget_the_dead(folder: Path) -> None:
    """Drops what a process that is gone had at the moment; what it counted stays."""
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not _lives(pid):
            file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def watch_connections(connections: Connections | None) -> None:
    """Looks at the pool every few seconds from a thread, for as long as the process lives."""
    if connections is None:
        return

    def look() -> None:
        pause = threading.Event()
        while True:
            try:
                metrics().connections(connections())
            except Exception as error:  # noqa: BLE001 - figures are worth no process
                logs.warning("metrics.failed", error)
                return
            pause.wait(POOL_EVERY)

    threading.Thread(target=look, name="pool-figures", daemon=True).start()
