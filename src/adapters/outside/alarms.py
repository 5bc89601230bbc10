"""Alarms: what happens at a time unless it is cancelled before, for many calls in one thread.

A `threading.Timer` starts a thread for each call, which took a fifth of the time of short calls.
"""

import heapq
import threading
from collections.abc import Callable
from itertools import count
from time import monotonic
from typing import Final

from attrs import define, field


@define
class Alarms:
    """Runs each function at its time, in one thread, which starts with the first alarm."""

    _due: list[tuple[float, int]] = field(factory=list[tuple[float, int]], init=False)
    _set: dict[int, Callable[[], None]] = field(factory=dict[int, Callable[[], None]], init=False)
    _changed: threading.Condition = field(factory=threading.Condition, init=False)
    _numbers: "count[int]" = field(factory=count, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def set(self, seconds: float, ring: Callable[[], None]) -> int:
        """Calls `ring` after that time, which must not wait; returns what cancels it."""
        number = next(self._numbers)
        with self._changed:
            self._set[number] = ring
            heapq.heappush(self._due, (monotonic() + seconds, number))
            # A process that was forked has no such thread, though it may have had one before.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
                self._thread.start()
            elif self._due[0][1] == number:
                self._changed.notify()
        return number

    def cancel(self, number: int) -> None:
        """From now on it doesn't ring; if it is ringing, returns once it has."""
        with self._changed:
            self._set.pop(number, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                while self._due and self._due[0][1] not in self._set:
                    heapq.heappop(self._due)
                if not self._due:
                    self._changed.wait()
                    continue
                at, number = self._due[0]
                if (left := at - monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    heapq.heappop(self._due)
                    _ring(self._set.pop(number))


def _ring(ring: Callable[[], None]) -> None:
    """Calls it; a failure is reported as that of a thread, and the alarms after it still ring."""
    try:
        ring()
    except Exception as error:  # noqa: BLE001 - others rely on the same thread
        failed = (type(error), error, error.__traceback__, threading.current_thread())
        threading.excepthook(threading.ExceptHookArgs(failed))


ALARMS: Final = Alarms()
"""The alarms of this process."""
