"""Work on files of unknown content, in processes of its own with limits of memory and time.

A process is kept for the next file. It is killed when its work takes too long or its caller has
gone; see `entrypoints.examiner` for its side.
"""

import io
import queue
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from typing import Any, BinaryIO, Final, TypeVar, cast

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import CommerceError, TooLarge
from commerce_core.ports.runtime import Effort
from entrypoints.examiner import outcome, pickled_task
from entrypoints.limits import MIB, Limits
from entrypoints.spool import spooling

_BLOCK: Final = 1 << 18

A = TypeVar("A")
T = TypeVar("T")


@frozen
class Examiner:
    """One process, and our end of its socket."""

    _process: "subprocess.Popen[bytes]"
    _connection: Connection

    @classmethod
    def started(cls, most_bytes: int) -> "Examiner":
        """A new one, which may use that much memory."""
        ours, theirs = socket.socketpair()
        with theirs:
            words = ["-m", "entrypoints.examiner", str(theirs.fileno()), str(most_bytes)]
            process = subprocess.Popen(  # noqa: S603 - a module of ours
                [sys.executable, *words],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        return cls(process, Connection(ours.detach()))

    def run(self, task: bytes, file: BinaryIO, seconds: float | None) -> Any:  # noqa: ANN401
        """The outcome of a task; EOFError if the process ended, TimeoutError after that time."""
        with suppress(BrokenPipeError, ConnectionResetError):  # its end is found below
            self._connection.send_bytes(task)
            send_handle(self._connection, file.fileno(), self._process.pid)
        if not self._connection.poll(seconds):
            raise TimeoutError
        try:
            answer = self._connection.recv_bytes()
        except ConnectionResetError as error:
            raise EOFError from error
        return outcome(answer)

    def kill(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """Ends the process, and waits until it is gone."""
        self._process.kill()
        self._process.wait()
        self._connection.close()


@define
class Examiners:
    """Processes that examine files, each started when it is first needed."""

    seconds: float
    most_bytes: int
    _idle: "queue.LifoQueue[Examiner]" = field(factory=queue.LifoQueue[Examiner], init=False)

    @classmethod
    def of(cls, limits: Limits) -> "Examiners":
        """With these limits of time and memory."""
        return cls(limits.limit_examination_seconds, limits.limit_examination_bytes)

    @contextmanager
    def lent(self) -> Generator[Examiner]:
        """A process for one file; it is used again if the work ended in order."""
        try:
            examiner = self._idle.get_nowait()
        except queue.Empty:
            examiner = Examiner.started(self.most_bytes)
        try:
            yield examiner
        except CommerceError:
            self._idle.put(examiner)
            raise
        except BaseException:
            examiner.close()
            raise
        self._idle.put(examiner)

    def close(self) -> None:
        """Ends all processes that have nothing to do."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


@frozen
class InProcesses:
    """Implements `commerce_core.ports.runtime.Apart` by processes."""

    _examiners: Examiners
    _effort: Effort | None = None
    _patient: bool = False

    def run(self, work: Callable[[BinaryIO, A], T], file: BinaryIO, about: A) -> T:
        """What the function returns in another process."""
        seconds, most = self._examiners.seconds, self._examiners.most_bytes
        try:
            with (
                _as_file(file) as real,
                self._examiners.lent() as examiner,
                self._effort.ended_by(examiner.kill) if self._effort else nullcontext(),
            ):
                task = pickled_task(work, about, seconds)
                return examiner.run(task, real, None if self._patient else seconds)
        except TimeoutError as error:
            raise _too_large(f"more than {seconds:g} seconds") from error
        except (MemoryError, EOFError) as error:
            if self._effort is not None and self._effort.has_gone:
                raise self._effort.over() from error
            memory = f"more than {most // MIB:,} MiB of memory"
            time = f", or {seconds:g} seconds of a processor" if self._patient else ""
            raise _too_large(memory + time) from error

    def bounded(self, effort: Effort) -> "InProcesses":
        """The same processes, for one effort."""
        return evolve(self, effort=effort)

    def patient(self) -> "InProcesses":
        """The same processes, without a limit of the time on the clock."""
        return evolve(self, patient=True)


@contextmanager
def _as_file(stream: BinaryIO) -> Generator[BinaryIO]:
    """The stream as a file with a descriptor; one in memory is copied."""
    with ExitStack() as stack:
        with spooling():
            if rollover := getattr(stream, "rollover", None):
                rollover()
            real = stream if _has_descriptor(stream) else stack.enter_context(_copy(stream))
            real.flush()
        yield real


def _has_descriptor(stream: BinaryIO) -> bool:
    try:
        stream.fileno()
    except (io.UnsupportedOperation, AttributeError):
        return False
    return True


def _copy(stream: BinaryIO) -> BinaryIO:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    while block := stream.read(_BLOCK):
        copy.write(block)
    return cast("BinaryIO", copy)


def _too_large(needs: str) -> TooLarge:
    return TooLarge(
        f"The examination of this file takes {needs}.",
        "Send a smaller one, such as its first part.",
        code="too_expensive",
    )
