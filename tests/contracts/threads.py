"""Starting calls at the same moment, and waiting a moment for one that may have to wait itself."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tests.support.waiting import PATIENCE

T = TypeVar("T")


def together(*calls: Callable[[], T]) -> list[T]:
    """The results of calls that begin at the same moment, each in a thread of its own."""
    barrier = threading.Barrier(len(calls))

    def start(call: Callable[[], T]) -> T:
        barrier.wait(PATIENCE)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(start, call) for call in calls]
        return [future.result(PATIENCE) for future in futures]


def meanwhile(call: Callable[[], T]) -> Future[T]:
    """The call in a thread of its own, already under way (it may be waiting for the caller)."""
    future: Future[T] = Future()
    started = threading.Event()

    def run() -> None:
        started.set()
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    started.wait(PATIENCE)
    return future
