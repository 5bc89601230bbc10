"""The metrics of this process and its siblings, in Prometheus' format; they contain no names.

The processes of one server keep their metrics in files in a shared folder, and the process that is
scraped adds them up. So any of them can be scraped, and the counts of processes that have ended
remain included.
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
from commerce_core.feeds.summary import Summary
from entrypoints import logs

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MEDIA_TYPE: Final = "text/plain; version=0.0.4"
CONTENT_TYPE: Final = f"{MEDIA_TYPE}; charset=utf-8"
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable from which the library reads the folder when it is imported."""
POOL_EVERY: Final = 2.0
"""Seconds between two readings of the connection pool."""
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
"""Returns the database connections of this process, by state."""
Held = Callable[[], tuple[int, float]]
"""Returns how many units of work have had a connection, and for how many seconds in all."""


@contextmanager
def shared_folder(home: Path | None = None) -> Generator[None]:
    """Processes started in this block share their metrics, which are deleted at its end.

    The folder is in `home`, if that exists: a process is killed when it counts something and finds
    no room for it, and uploads may fill the temporary folder.
    """
    parent = home if home is not None and home.is_dir() else None
    folder = tempfile.mkdtemp(prefix="commerce-metrics-", dir=parent)
    os.environ[FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


class Metrics:
    """The metrics of this process."""

    def __init__(self) -> None:
        """Declares all metrics."""
        from prometheus_client import CollectorRegistry, disable_created_metrics

        disable_created_metrics()  # one more series for each metric, which isn't needed
        self._by_request: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._registry = CollectorRegistry()
        self._declare_requests()
        self._declare_jobs()
        self._declare_feeds()
        self._declare_limits()
        self._declare_webhooks()
        self._declare_alerts()

    def _declare_requests(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        self._requests = Counter(
            "commerce_http_requests",
            "HTTP requests answered, by route template.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "commerce_http_request_seconds",
            "Duration of HTTP requests, until the last byte of the response was sent.",
            ["method", "route"],
            buckets=_REQUEST_SECONDS,
            registry=self._registry,
        )
        self._connections = Gauge(
            "commerce_database_connections",
            "Connections of the pools by state: most (the limit), open, in_use; and waiting, the "
            "units of work that wait for a connection.",
            ["state"],
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._units = Counter(
            "commerce_database_units",
            "Units of work that have had a connection.",
            registry=self._registry,
        )
        self._held_seconds = Counter(
            "commerce_database_held_seconds",
            "Seconds for which units of work have held a connection, in all.",
            registry=self._registry,
        )

    def held(self, units: int, seconds: float) -> None:
        """Counts units of work, and how long they have held their connections."""
        self._units.inc(units)
        self._held_seconds.inc(seconds)

    def _declare_jobs(self) -> None:
        from prometheus_client import Counter, Histogram

        self._jobs = Counter(
            "commerce_jobs",
            "Attempts at jobs that have ended, by outcome.",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self._job_seconds = Histogram(
            "commerce_job_seconds",
            "Duration of the attempts that finished a job.",
            ["kind"],
            buckets=_JOB_SECONDS,
            registry=self._registry,
        )
        self._records = Counter(
            "commerce_job_records",
            "Records of completed jobs, by fate.",
            ["kind", "fate"],
            registry=self._registry,
        )

    def _declare_feeds(self) -> None:
        from prometheus_client import Counter

        self._warnings = Counter(
            "commerce_job_warnings",
            "Warnings about records of feeds.",
            ["kind"],
            registry=self._registry,
        )
        self._guards = Counter(
            "commerce_guards_exceeded",
            "Guards whose limits feeds exceeded, whether they held the feed or only warned.",
            ["guard", "severity"],
            registry=self._registry,
        )
        self._drift = Counter(
            "commerce_feed_drift",
            "Columns of feeds that appeared, disappeared or can no longer be read.",
            ["change"],
            registry=self._registry,
        )
        self._not_sellable = Counter(
            "commerce_products_not_sellable",
            "Products that feeds created or changed and that can't be sold, by reason.",
            ["reason"],
            registry=self._registry,
        )

    def _declare_limits(self) -> None:
        from prometheus_client import Counter, Gauge

        self._limit_used = Gauge(
            "commerce_limit_used",
            "What is under way, of the most that `commerce_limit_most` shows, by limit.",
            ["limit"],
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._limit_most = Gauge(
            "commerce_limit_most",
            "The most that the processes take on at once, by limit.",
            ["limit"],
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._limit_refused = Counter(
            "commerce_limit_refused",
            "Requests and connections refused at a limit.",
            ["limit"],
            registry=self._registry,
        )

    def _declare_webhooks(self) -> None:
        from prometheus_client import Counter, Histogram

        self._deliveries = Counter(
            "commerce_webhook_deliveries",
            "Tries to deliver a webhook, by outcome: delivered, retry (tried again later), failed "
            "(the last try) or missed (it disabled the webhook).",
            ["outcome"],
            registry=self._registry,
        )
        self._delivery_seconds = Histogram(
            "commerce_webhook_try_seconds",
            "Duration of the tries to deliver a webhook, until the end of the answer.",
            buckets=_REQUEST_SECONDS,
            registry=self._registry,
        )

    def _declare_alerts(self) -> None:
        from prometheus_client import Counter

        self._alerts = Counter(
            "commerce_alerts",
            "Tries to send an alert, by outcome: sent, retry (tried again later) or failed (the "
            "last try); and by severity.",
            ["outcome", "severity"],
            registry=self._registry,
        )

    def alert(self, outcome: str, severity: str) -> None:
        """Counts a try to send an alert."""
        self._alerts.labels(outcome, severity).inc()

    def delivery(self, outcome: str, seconds: float) -> None:
        """Counts a try to deliver a webhook."""
        self._deliveries.labels(outcome).inc()
        self._delivery_seconds.observe(seconds)

    def used(self, limit: str, used: int, most: int) -> None:
        """Sets what is under way, and the most that may be."""
        self._limit_used.labels(limit).set(used)
        self._limit_most.labels(limit).set(most)

    def refused(self, limit: str, number: int = 1) -> None:
        """Counts what was refused at a limit."""
        self._limit_refused.labels(limit).inc(number)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request that was answered."""
        key = (method if method in _METHODS else "other", route, status)
        count = self._by_request.get(key)
        if count is None:
            count = self._by_request[key] = self._request_counter(*key)
        count(seconds)

    def _request_counter(self, method: str, route: str, status: int) -> Callable[[float], None]:
        requests = self._requests.labels(method, route, str(status))
        observe = self._request_seconds.labels(method, route).observe

        def count(seconds: float) -> None:
            requests.inc()
            observe(seconds)

        return count

    def job(self, job: Job, outcome: str, seconds: float | None = None) -> None:
        """Counts an attempt at a job that ended; `seconds` is given if it finished the job."""
        self._jobs.labels(job.kind, outcome).inc()
        if seconds is not None:
            self._job_seconds.labels(job.kind).observe(seconds)
        if job.status == "completed" and job.summary is not None:
            for fate in FATES:
                self._records.labels(job.kind, fate).inc(getattr(job.summary, fate))
        if job.kind == "ingest" and job.summary is not None and seconds is not None:
            self._to_look_at(job.summary)

    def _to_look_at(self, summary: Summary) -> None:
        """Counts what a person should look at."""
        self._warnings.labels("ingest").inc(summary.warnings)
        for guard in summary.guards:
            self._guards.labels(guard.guard, guard.severity).inc()
        for drift in summary.drift:
            self._drift.labels(drift.kind).inc()
        for reason, products in summary.not_sellable.items():
            self._not_sellable.labels(reason).inc(products)

    def connections(self, by_state: Mapping[str, int]) -> None:
        """Sets the current numbers of connections of this process."""
        for state, number in by_state.items():
            self._connections.labels(state).set(number)

    def text(self, others: "Iterable[Metric]" = ()) -> str:
        """All metrics of this process and its siblings, followed by `others`."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector
        from prometheus_client.registry import Collector

        extra = [*others, *_version_metric()]

        class Others(Collector):
            def collect(self) -> "Iterable[Metric]":
                return extra

        registry = CollectorRegistry()
        folder = os.environ.get(FOLDER)
        if folder is None:
            registry.register(self._registry)
        else:
            _delete_gauges_of_ended(Path(folder))
            MultiProcessCollector(registry, folder)
        registry.register(Others())
        return generate_latest(registry).decode()


@cache
def metrics() -> Metrics:
    """The metrics of this process."""
    return Metrics()


def _version_metric() -> "Iterable[Metric]":
    from prometheus_client.metrics_core import InfoMetricFamily

    yield InfoMetricFamily(
        "commerce", "Version of the server.", {"version": version("open-commerce")}
    )


def _delete_gauges_of_ended(folder: Path) -> None:
    """Deletes the gauges of processes that have ended; their counters stay."""
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not _is_alive(pid):
            file.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def watch_connections(connections: Connections | None, held: Held | None = None) -> None:
    """Reads the connection pool every few seconds, in a thread that runs until the process ends."""
    if connections is None:
        return

    def watch() -> None:
        pause, units, seconds = threading.Event(), 0, 0.0
        while True:
            try:
                metrics().connections(connections())
                if held is not None:
                    before = units, seconds
                    units, seconds = held()
                    metrics().held(units - before[0], seconds - before[1])
            except Exception as error:  # noqa: BLE001 - metrics must not stop a process
                logs.warning("metrics.failed", error)
                return
            pause.wait(POOL_EVERY)

    threading.Thread(target=watch, name="pool-metrics", daemon=True).start()
