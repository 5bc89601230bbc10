"""What monitoring reads: whether each part is up, the length of the queue, and all metrics.

However often it is read, a check that costs something is repeated only after a while.
"""

import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from attrs import define, field

from commerce_core.base.errors import Unavailable
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Backlog
from commerce_core.usecases.freshness import MOST_LATE, Lateness
from entrypoints import logs, tracing
from entrypoints.compose import connections, held
from entrypoints.metrics import CONTENT_TYPE, metrics, watch_connections
from entrypoints.settings import Settings, address_of

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

PARTS_CACHED: Final = 1.0
"""Seconds; each check of a file store may cost a request there."""
QUEUE_CACHED: Final = 5.0
TEXT_CACHED: Final = 1.0
"""Seconds; adding up the figures of all processes takes some milliseconds of a processor."""

T = TypeVar("T")


@define
class Cached(Generic[T]):
    """A result that is cached for some seconds; during a refresh, other threads get the old one."""

    _read: Callable[[], T]
    _seconds: float
    _found: list[T] = field(factory=list[T], init=False)
    _until: float = field(default=0.0, init=False)
    _refreshing: threading.Lock = field(factory=threading.Lock, init=False)

    def get(self) -> T:
        """The result, refreshed if it is too old."""
        if monotonic() >= self._until and self._refreshing.acquire(blocking=not self._found):
            try:
                self._refresh()
            finally:
                self._refreshing.release()
        return self._found[0]

    def _refresh(self) -> None:
        # A thread that waited for the first result finds it here.
        if monotonic() >= self._until:
            self._found = [self._read()]
            self._until = monotonic() + self._seconds


class Watch:
    """The parts and the queue of a platform, as of now or a moment ago."""

    def __init__(self, commerce: Commerce) -> None:
        """Reads nothing until it is asked."""
        self._commerce = commerce
        self._were_up: dict[str, bool] = {}
        self._parts = Cached(self._read_parts, PARTS_CACHED)
        self._queue = Cached(self._read_queue, QUEUE_CACHED)
        self._text = Cached(self._read_text, TEXT_CACHED)

    def parts(self) -> Mapping[str, str]:
        """The state of each part: `ok`, or the public description of what is wrong."""
        return self._parts.get()

    def _read_parts(self) -> Mapping[str, str]:
        found = self._commerce.health.check()
        for name, error in found.items():
            self._log_change(name, error)
        return {name: error.publicly if error else "ok" for name, error in found.items()}

    def _log_change(self, part: str, error: Unavailable | None) -> None:
        if self._were_up.get(part, True) == (error is None):
            return
        self._were_up[part] = error is None
        if error is None:
            logs.warning("part.up", part=part)
        else:
            logs.warning("part.down", error, part=part, reason=error.detail)

    def _read_queue(self) -> tuple[Backlog, datetime | None, datetime | None, Lateness] | None:
        try:
            return (
                self._commerce.queue.backlog(),
                self._commerce.sending.oldest_due(),
                self._commerce.alerting.oldest_due(),
                self._commerce.freshness.overview(),
            )
        except Unavailable:
            return None

    def text(self) -> str:
        """All metrics, in Prometheus' text format, at most a second old."""
        return self._text.get()

    def _read_text(self) -> str:
        return metrics().text(self._own_metrics())

    def _own_metrics(self) -> "Iterator[Metric]":
        from prometheus_client.metrics_core import GaugeMetricFamily

        parts = self.parts()
        up = GaugeMetricFamily("commerce_part_up", "1 if the part is up.", labels=["part"])
        for name, state in parts.items():
            up.add_metric([name], state == "ok")
        yield up
        found = self._queue.get() if parts["database"] == "ok" else None
        if found is None:
            return
        queue, oldest_due, oldest_alert, lateness = found
        yield GaugeMetricFamily(
            "commerce_queue_jobs", "Released jobs that wait for a worker.", queue.waiting
        )
        yield GaugeMetricFamily(
            "commerce_queue_oldest_seconds",
            "Seconds since the oldest of them was created.",
            self._age(queue.oldest),
        )
        yield GaugeMetricFamily(
            "commerce_queue_oldest_small_seconds",
            "Seconds since the oldest of them that is about a small feed was created.",
            self._age(queue.oldest_small),
        )
        yield GaugeMetricFamily(
            "commerce_queue_running_jobs", "Jobs that workers are running.", queue.running
        )
        yield GaugeMetricFamily(
            "commerce_webhook_oldest_due_seconds",
            "Seconds since the webhook delivery was due that is due longest.",
            self._age(oldest_due),
        )
        yield GaugeMetricFamily(
            "commerce_alert_oldest_due_seconds",
            "Seconds since the alert was due that is due longest.",
            self._age(oldest_alert),
        )
        yield from self._late(lateness)

    def _late(self, found: Lateness) -> "Iterator[Metric]":
        """How fresh sources are; only those that are late longest have a series of their own."""
        from prometheus_client.metrics_core import GaugeMetricFamily

        sources = GaugeMetricFamily(
            "commerce_sources",
            "Sources by how fresh they are: fresh, late, stale, or unknown (nothing is expected).",
            labels=["state"],
        )
        for state, number in found.counts.items():
            sources.add_metric([state], number)
        yield sources
        late = GaugeMetricFamily(
            "commerce_source_late_seconds",
            f"Seconds since the file of a source was overdue, for the {MOST_LATE} that are late "
            "longest.",
            labels=["partner", "source", "source_id"],
        )
        for source in found.late:
            standing = source.standing
            labels = [source.partner_name, source.source_name, standing.source_id]
            late.add_metric(labels, self._age(standing.overdue_at))
        yield late

    def _age(self, created_at: datetime | None) -> float:
        if created_at is None:
            return 0.0
        return max(0.0, (self._commerce.context.clock() - created_at).total_seconds())


@contextmanager
def answering(setting: str, text: Callable[[], str], *, shared: bool) -> Generator[None]:
    """Serves GET /metrics, and nothing else, at this address while the context lasts.

    A `shared` address is used by several processes of one server, any of which may answer.
    Unavailable if the address is in use.
    """
    host, port = address_of(setting)
    kind = _SharedServer if shared else _Server
    try:
        server = kind((host, port), _handler(text))
    except OSError as error:
        raise Unavailable(
            f"The metrics can't be served at {setting}: {error.strerror}.",
            "Choose another address in COMMERCE_METRICS.",
        ) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def observed(commerce: Commerce, settings: Settings, role: str, *, shared: bool) -> Generator[None]:
    """Logs that this process started and stopped, and serves its metrics in between."""
    watch_connections(connections(commerce), held(commerce))
    watch = Watch(commerce)
    separate = settings.metrics not in ("on", "off")
    about = {"role": role, "pid": os.getpid(), "version": version("open-commerce")}
    served = answering(settings.metrics, watch.text, shared=shared) if separate else nullcontext()
    with tracing.exporting(role), served:
        logs.info("process.started", **about)
        try:
            yield
        finally:
            logs.info("process.stopped", **about)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 any socket
        """Ignores clients that disconnect before the response."""


class _SharedServer(_Server):
    allow_reuse_port = True


def _handler(text: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404)
                return
            body = text().encode()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its own name
            """Logs nothing: scrapes are frequent."""

    return Handler
