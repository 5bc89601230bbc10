"""A process that works on files of unknown content, one after the other, for a server process.

    python -m entrypoints.examiner DESCRIPTOR BYTES

The descriptor is a socket on which each task arrives: a function, what it is about, how many
seconds of a processor it may take, and the file, as a descriptor of its own. The answer is what the
function returned or raised. Beyond its memory or its time the process ends, and so it does when the
server does.
"""

import os
import pickle
import resource
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any, BinaryIO, Final

from commerce_core.base.errors import CommerceError
from entrypoints.compose import register_formats

NICENESS: Final = 19
"""The lowest priority: whatever is examined, requests come first."""
_LOOK_EVERY: Final = 1.0
_OUT_OF_MEMORY: Final = "memory"
RETURNED: Final = "returned"
RAISED: Final = "raised"


def main(descriptor: int, most_bytes: int) -> None:
    """Works until the other end of the socket is closed."""
    os.nice(NICENESS)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    register_formats()
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(descriptor) as connection:
        while True:
            try:
                task = connection.recv_bytes()
            except EOFError:
                return
            with os.fdopen(recv_handle(connection), "rb") as file:
                file.seek(0)
                connection.send_bytes(_result(task, file))


def _result(task: bytes, file: BinaryIO) -> bytes:
    """The pickled outcome of one task."""
    try:
        work, about, seconds = pickle.loads(task)  # noqa: S301 - the server process sent it
        _limit_time(seconds)
        return pickle.dumps((RETURNED, work(file, about)))
    except CommerceError as error:
        return pickle.dumps((RAISED, (type(error), error.args, vars(error))))
    except MemoryError:
        return pickle.dumps((_OUT_OF_MEMORY, None))


def _limit_time(seconds: float) -> None:
    """Ends this process when it has used that much of a processor from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _end_with(server: int) -> None:
    while os.getppid() == server:
        time.sleep(_LOOK_EVERY)
    os._exit(1)


def pickled_task(work: Callable[..., Any], about: object, seconds: float) -> bytes:
    """A task as it is sent."""
    return pickle.dumps((work, about, seconds))


def outcome(answer: bytes) -> Any:  # noqa: ANN401 - whatever the work returns
    """What the work returned; raises what it raised, and MemoryError if it needed too much."""
    kind, value = pickle.loads(answer)  # noqa: S301 - a process of ours sent it
    if kind == RETURNED:
        return value
    if kind == RAISED:
        raise _raised(*value)
    raise MemoryError


def _raised(
    kind: type[CommerceError], args: tuple[object, ...], state: dict[str, Any]
) -> CommerceError:
    """The error; its own constructor isn't called, since each kind takes other arguments."""
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
