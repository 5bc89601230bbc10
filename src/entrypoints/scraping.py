"""What is looked at from outside: whether each part is up, how long the queue is, all figures.

Whoever asks, and however often: a look that costs something is taken again after a while only.
"""

import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from attrs import define, field

from commerce_core.base.errors import Unavailable
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Backlog
from entrypoints import logs
from entrypoints.compose import connections
from entrypoints.metrics import CONTENT_TYPE, metrics, watch_connections
from entrypoints.settings import Settings, address_of

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

LOOK_AT_PARTS_EVERY: Final = 1.0
"""Seconds; each look at a store of files may cost a request there."""
LOOK_AT_QUEUE_EVERY: Final = 5.0

T = TypeVar("T")


@define
class Kept(Generic[T]):
    """What a look found, for some seconds; while one looks, the others are told what was before."""

    _look: Callable[[], T]
    _seconds: float
    _found: list[T] = field(factory=list[T], init=False)
    _until: float = field(default=0.0, init=False)
    _looking: threading.Lock = field(factory=threading.Lock, init=False)

    def get(self) -> T:
        """What was found."""
        if monotonic() >= self._until and self._looking.acquire(blocking=not self._found):
            try:
                self._renew()
            finally:
                self._looking.release()
        return self._found[0]

    def _renew(self) -> None:
        # Whoever waited for the first look finds it taken.
        if monotonic() >= self._until:
            self._found = [self._look()]
            self._until = monotonic() + self._seconds


class Watch:
    """The parts and the queue of a platform, as they are now or were a moment ago."""

    def __init__(self, commerce: Commerce) -> None:
        """Looks when asked."""
        self._commerce = commerce
        self._were_up: dict[str, bool] = {}
        self._parts = Kept(self._look_at_parts, LOOK_AT_PARTS_EVERY)
        self._queue = Kept(self._look_at_queue, LOOK_AT_QUEUE_EVERY)

    def parts(self) -> Mapping[str, str]:
        """Each part, and `ok` or what anybody may know of what is wrong with it."""
        return self._parts.get()

    def _look_at_parts(self) -> Mapping[str, str]:
        found = self._commerce.health.check()
        for name, error in found.items():
            self._tell_change(name, error)
        return {name: error.publicly if error else "ok" for name, error in found.items()}

    def _tell_change(self, part: str, error: Unavailable | None) -> None:
        if self._were_up.get(part, True) == (error is None):
            return
        self._were_up[part] = error is None
        if error is None:
            logs.warning("part.up", part=part)
        else:
            logs.warning("part.down", error, part=part, reason=error.detail)

    def _look_at_queue(self) -> Backlog | None:
        try:
            return self._commerce.queue.backlog()
        except Unavailable:
            return None

    def text(self) -> str:
        """All figures, in Prometheus' own format."""
        return metrics().text(self._figures())

    def _figures(self) -> "Iterator[Metric]":
        from prometheus_client.metrics_core import GaugeMetricFamily

        parts = self.parts()
        up = GaugeMetricFamily("commerce_part_up", "1 where the part is up.", labels=["part"])
        for name, state in parts.items():
            up.add_metric([name], state == "ok")
        yield up
        queue = self._queue.get() if parts["database"] == "ok" else None
        if queue is None:
            return
        yield GaugeMetricFamily(
            "commerce_queue_jobs", "Released jobs that wait for a worker.", queue.waiting
        )
        yield GaugeMetricFamily(
            "commerce_queue_oldest_seconds",
            "The age of the oldest of them since it was made.",
            self._age(queue),
        )

    def _age(self, queue: Backlog) -> float:
        if queue.oldest is None:
            return 0.0
        return max(0.0, (self._commerce.context.clock() - queue.oldest).total_seconds())


@contextmanager
def answering(setting: str, text: Callable[[], str], *, shared: bool) -> Generator[None]:
    """Answers GET /metrics, and nothing else, at that address while the context lasts.

    A `shared` address is that of several processes of one server, any of which may answer.
    Unavailable where it is taken.
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
    """Tells that this process has started and stopped, and shows its figures meanwhile."""
    watch_connections(connections(commerce))
    watch = Watch(commerce)
    apart = settings.metrics not in ("on", "off")
    about = {"role": role, "pid": os.getpid(), "version": version("open-commerce")}
    with answering(settings.metrics, watch.text, shared=shared) if apart else nullcontext():
        logs.info("process.started", **about)
        try:
            yield
        finally:
            logs.info("process.stopped", **about)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 any socket
        """Who went away before the answer is no fault of ours."""


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
            """Says nothing: whoever scrapes does so all the time."""

    return Handler
