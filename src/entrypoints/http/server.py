"""The server: granian processes that answer HTTP, and beside them one that works on feeds.

The parent only supervises: a process that ends by itself is started again. Every process opens the
platform for itself; the embedded PostgreSQL is shared between them. A pipe from the parent tells
them when to end: as soon as the parent is asked to, and also when it is killed, since the kernel
closes the pipe's other end then.
"""

import gc
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from multiprocessing.connection import Connection
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from commerce_core.base.errors import InvalidInput, Unavailable
from entrypoints import logs
from entrypoints.compose import open_platform
from entrypoints.http.admission.connections import room_for, watch_connections
from entrypoints.http.app import create_app
from entrypoints.limits import Limits
from entrypoints.metrics import shared_folder
from entrypoints.scraping import observed
from entrypoints.settings import Settings, address_of
from entrypoints.supervision import KeptAlive, Pauses, log_end, wait_unless, work
from entrypoints.worker import Worker

PATIENCE: Final = 30
"""Seconds in which requests and jobs end when the server is stopped; what doesn't is killed."""
Home = Callable[[Settings], Sequence[HTTPRouteHandler]]
"""Makes the pages at `/`; a function of a module, since processes that are started get its name."""
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 compared, not bound
_ASK_EVERY: Final = 0.05
LONGEST_BACKLOG: Final = 4096
"""Connections that the system keeps until they are accepted."""
COLLECTED_AFTER: Final = 10_000
"""New objects after which the garbage collector looks at them; an order makes some thousand."""


def serve(
    settings: Settings,
    host: str,
    port: int,
    workers: int = 1,
    *,
    with_worker: bool = True,
    home: Home,
    on_ready: Callable[[str], None] = print,
) -> None:
    """Serves until SIGINT or SIGTERM; calls `on_ready` with its address. `home` makes the pages.

    `workers` are the processes that answer HTTP; `with_worker` adds one that works on feeds. A
    database in memory has one process for both. Raises Unavailable where a part can't be had, or
    the address is taken.
    """
    in_memory = settings.database_url.startswith("memory:")
    if workers > 1 and in_memory:
        detail = "The database memory: lives in one process; serve it by one worker."
        raise InvalidInput.at("/workers", "bad_setting", detail)
    # An address that can't be had is found here, where the error can be reported.
    _check_address(host, port)
    if settings.metrics not in ("on", "off"):
        _check_address(*address_of(settings.metrics))
    with open_platform(settings):
        pass
    # Started afresh, a process inherits no thread, lock or signal handler of this one.
    multiprocessing.set_start_method("spawn", force=True)
    stop_pipe, stopper = multiprocessing.Pipe(duplex=False)
    feeds = KeptAlive("worker", work, (settings, stop_pipe))

    def end() -> None:
        feeds.begin_to_stop()
        stopper.close()

    server = _Server(settings, host, port, workers, end)
    logs.configure(settings.log_level, settings.log_format)
    threading.Thread(target=_tell_when_ready, args=(host, port, on_ready), daemon=True).start()
    works_here = with_worker and in_memory
    with shared_folder(settings.home), ExitStack() as stack:
        if with_worker and not in_memory:
            stack.callback(feeds.stop, PATIENCE)
            feeds.start()
        stack.callback(end)
        server.serve(
            target_loader=partial(
                load, settings, stop_pipe, port, with_worker=works_here, home=home
            ),
            wrap_loader=False,
        )


def _check_address(host: str, port: int) -> None:
    """Unavailable if another process listens there; granian would share the port with it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise Unavailable(
            f"The server can't listen at {host}:{port}: {error.strerror}.",
            "Choose another address or port.",
        ) from error


_Granian: Any = Server
"""Granian's own is untyped."""


class _Server(_Granian):
    """Granian's server, which tells of SIGINT and SIGTERM before it acts on them.

    It replaces processes that have ended for as long as it serves. By itself granian does so
    without a pause, and gives up when one ends twice within seconds. It speaks HTTP/1 only: before
    it knows the version of a connection, it waits for its first bytes forever.
    """

    def __init__(
        self,
        limits: Limits,
        host: str,
        port: int,
        workers: int,
        on_interrupt: Callable[[], None],
    ) -> None:
        _Granian.__init__(
            self,
            "open-commerce",
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=round(limits.limit_header_seconds * 1000)
            ),
            backlog=LONGEST_BACKLOG,
            backpressure=room_for(limits),
            workers=workers,
            websockets=False,
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=PATIENCE,
        )
        self._on_interrupt = on_interrupt
        self._pauses = [Pauses() for _ in range(workers)]

    def signal_handler_interrupt(self, *arguments: object, **named: object) -> None:
        self._on_interrupt()
        _Granian.signal_handler_interrupt(self, *arguments, **named)

    def _respawn_workers(self, workers: list[int], *arguments: Any, **named: Any) -> None:  # noqa: ANN401 the same
        for index in workers:
            ended = self.wrks[index]
            pause = self._pauses[index].after(time.monotonic() - ended.birth)
            log_end("server", ended.inner.exitcode, pause)
            wait_unless(lambda: self.interrupt_signal, pause)
            if self.interrupt_signal:
                return
            _Granian._respawn_workers(self, [index], *arguments, **named)  # noqa: SLF001
        self.respawned_wrks.clear()


def load(
    settings: Settings, stop_pipe: Connection, port: int, *, with_worker: bool, home: Home
) -> Litestar:
    """The application of one process, with a worker if asked; both end when it does."""
    logs.configure(settings.log_level, settings.log_format)
    stack = ExitStack()
    commerce = stack.enter_context(open_platform(settings))
    stack.enter_context(observed(commerce, settings, "server", shared=True))
    worker = Worker(commerce) if with_worker else None
    if worker is not None:
        stack.callback(worker.stop)
        worker.start()
    app = create_app(commerce, settings, home=home(settings), on_shutdown=[stack.close])
    ending = threading.Event()
    app.state["ending"] = ending
    threading.Thread(target=_end_when_asked, args=(stop_pipe, worker, ending), daemon=True).start()
    watch_connections(app, settings, port, stack)
    _collect_less_often()
    return app


def _collect_less_often() -> None:
    """What is there by now stays, so the garbage collector needn't look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)


def _end_when_asked(stop_pipe: Connection, worker: Worker | None, ending: threading.Event) -> None:
    """Ends this process in order when the parent's end of the pipe is closed."""
    with suppress(EOFError, OSError):
        stop_pipe.recv()
    ending.set()
    if worker is not None:
        worker.begin_to_stop()
    os.kill(os.getpid(), signal.SIGTERM)


def _tell_when_ready(host: str, port: int, on_ready: Callable[[str], None]) -> None:
    asked = _ANY_ADDRESS.get(host, host)
    while not _answers(asked, port):
        time.sleep(_ASK_EVERY)
    shown = f"[{asked}]" if ":" in asked else asked
    on_ready(f"http://{shown}:{port}")


def _answers(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().getheader("X-Request-Id") is not None
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
