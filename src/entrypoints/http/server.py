"""The server: granian processes that answer HTTP, each with a worker for jobs in it.

The parent only supervises. Every process opens the platform for itself; the embedded PostgreSQL is
shared between them. A pipe from the parent tells them when to end: as soon as the parent is told
to, and also when it is killed, since the kernel closes the pipe's other end then.
"""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from multiprocessing.connection import Connection
from typing import Any, Final

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server
from litestar import Litestar

from commerce_core.base.errors import InvalidInput, Unavailable
from entrypoints import logs
from entrypoints.compose import open_platform
from entrypoints.http.app import create_app
from entrypoints.metrics import shared_folder
from entrypoints.scraping import observed
from entrypoints.settings import Settings, address_of
from entrypoints.worker import Worker

PATIENCE: Final = 30
"""Seconds in which requests and jobs end when the server is stopped; what doesn't is killed."""
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 compared, not bound
_ASK_EVERY: Final = 0.05


def serve(
    settings: Settings,
    host: str,
    port: int,
    workers: int = 1,
    *,
    on_ready: Callable[[str], None] = print,
) -> None:
    """Serves until it is told to end by SIGINT or SIGTERM; calls `on_ready` with its address.

    Raises Unavailable where a part can't be had, or the address is taken.
    """
    if workers > 1 and settings.database_url.startswith("memory:"):
        detail = "The database memory: lives in one process; serve it by one worker."
        raise InvalidInput.at("/workers", "bad_setting", detail)
    # What can't be had is found out here, where it can be told.
    _check_address(host, port)
    if settings.metrics not in ("on", "off"):
        _check_address(*address_of(settings.metrics))
    with open_platform(settings):
        pass
    # Started afresh, a process inherits no thread, lock or signal handler of this one.
    multiprocessing.set_start_method("spawn", force=True)
    told, teller = multiprocessing.Pipe(duplex=False)
    server = _server(host, port, workers, teller.close)
    logs.configure(settings.log_level, settings.log_format)
    threading.Thread(target=_tell_when_ready, args=(host, port, on_ready), daemon=True).start()
    with shared_folder():
        server.serve(target_loader=partial(load, settings, told), wrap_loader=False)


def _check_address(host: str, port: int) -> None:
    """Unavailable if somebody listens there already; granian would share the port with them."""
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


def _server(host: str, port: int, workers: int, on_interrupt: Callable[[], None]) -> Any:  # noqa: ANN401 granian's own is untyped
    """Granian's server, which tells of SIGINT and SIGTERM before it acts on them."""
    server: Any = Server(
        "open-commerce",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=PATIENCE,
    )
    act = server.signal_handler_interrupt

    def tell_and_act(*arguments: object) -> None:
        on_interrupt()
        act(*arguments)

    server.signal_handler_interrupt = tell_and_act
    return server


def load(settings: Settings, told: Connection) -> Litestar:
    """The application of one process, with its worker; both end when the application does."""
    logs.configure(settings.log_level, settings.log_format)
    stack = ExitStack()
    commerce = stack.enter_context(open_platform(settings))
    stack.enter_context(observed(commerce, settings, "server", shared=True))
    worker = Worker(commerce)
    stack.callback(worker.stop)
    worker.start()
    app = create_app(commerce, settings, on_shutdown=[stack.close])
    ending = threading.Event()
    app.state["ending"] = ending
    threading.Thread(target=_end_when_told, args=(told, worker, ending), daemon=True).start()
    return app


def _end_when_told(told: Connection, worker: Worker, ending: threading.Event) -> None:
    """Ends this process in order when the parent's end of the pipe is closed."""
    with suppress(EOFError, OSError):
        told.recv()
    ending.set()
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
