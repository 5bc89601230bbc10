"""Processes that are kept alive: one that ends by itself is started again, after a growing pause.

A process that the system kills, for want of memory say, takes only its own work along. If what
killed it comes again at once, so do its successors; so each pause is longer than the one before,
until a process has lived for a while.
"""

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Final

from attrs import define, field

from entrypoints import logs
from entrypoints.compose import open_platform
from entrypoints.scraping import observed
from entrypoints.settings import Settings
from entrypoints.worker import Worker

if TYPE_CHECKING:
    from types import FrameType

FIRST_PAUSE: Final = 0.5
"""Seconds until a process that has ended for the first time is started again."""
LONGEST_PAUSE: Final = 8.0
"""Short enough that an operator who mends the cause isn't kept waiting; long enough to be cheap."""
LIVED_LONG: Final = 60.0
"""Seconds after which a process counts as sound, so that the next pause is the first again."""
_LOOK_EVERY: Final = 0.05
_WAKE_EVERY: Final = 1.0


@define
class Pauses:
    """How long to wait before each new start of one process."""

    _next: float = FIRST_PAUSE

    def after(self, lived: float) -> float:
        """The seconds to wait after a process that lived that long; they double each time."""
        pause = FIRST_PAUSE if lived >= LIVED_LONG else self._next
        self._next = min(2 * pause, LONGEST_PAUSE)
        return pause


def wait_unless(over: Callable[[], bool], seconds: float) -> None:
    """Returns after that time, or as soon as it is over."""
    until = time.monotonic() + seconds
    while not over() and time.monotonic() < until:
        time.sleep(_LOOK_EVERY)


@define
class KeptAlive:
    """One process, which runs for as long as it is wanted."""

    _role: str
    _target: Callable[..., None]
    _arguments: tuple[object, ...]
    _over: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _process: SpawnProcess | None = field(default=None, init=False)

    def start(self) -> None:
        """Starts it, and watches it from a thread of its own."""
        self._thread = threading.Thread(target=self._keep, name=f"keeps {self._role}", daemon=True)
        self._thread.start()

    def begin_to_stop(self) -> None:
        """Doesn't start it again; it has to be asked to end by other means."""
        self._over.set()

    def stop(self, seconds: float) -> None:
        """Returns when it has ended; after that time it is killed."""
        self.begin_to_stop()
        if self._thread is None:
            return
        self._thread.join(seconds)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join()

    def _keep(self) -> None:
        pauses = Pauses()
        while not self._over.is_set():
            begun = time.monotonic()
            # Started afresh, it inherits no thread, lock or signal handler of this process.
            process = multiprocessing.get_context("spawn").Process(
                target=self._target, args=self._arguments, name=self._role
            )
            process.start()
            self._process = process
            process.join()
            if not self._over.is_set():
                pause = pauses.after(time.monotonic() - begun)
                log_end(self._role, process.exitcode, pause)
                wait_unless(self._over.is_set, pause)


def log_end(role: str, exit_code: int | None, pause: float) -> None:
    """Logs that a process ended by itself; an exit code below zero is the signal that killed it."""
    logs.error("process.ended", role=role, exit_code=exit_code, restarted_in=pause)


def work(settings: Settings, stop_pipe: Connection) -> None:
    """A worker as a process of its own, until the other end of the pipe is closed, or SIGTERM."""
    stopping = threading.Event()

    def stop(_: int, __: "FrameType | None") -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C reaches every process of a terminal; the pipe says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure(settings.log_level, settings.log_format)
    threading.Thread(target=_set_when_asked, args=(stop_pipe, stopping), daemon=True).start()
    with (
        open_platform(settings) as commerce,
        observed(commerce, settings, "worker", shared=True),
    ):
        worker = Worker(commerce)
        worker.start()
        # A signal that another thread took is handled once this one wakes.
        while not stopping.wait(_WAKE_EVERY):
            pass
        worker.stop()


def _set_when_asked(stop_pipe: Connection, stopping: threading.Event) -> None:
    with suppress(EOFError, OSError):
        stop_pipe.recv()
    stopping.set()
