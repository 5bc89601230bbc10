"""Waiting for what has to happen, on a machine however busy: for an event, never for a duration.

A test passes as soon as its event has come. Only what never comes meets the one limit there is,
which is far beyond what any of it takes; so no test fails for being run beside others.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Final

PATIENCE: Final = 300.0
"""Seconds after which an event that hasn't come counts as one that never will."""
_BETWEEN_LOOKS: Final = 0.02
_A_MOMENT: Final = 0.03


def until(happened: Callable[[], object], *, every: float = _BETWEEN_LOOKS) -> float:
    """Returns once it is true, with the seconds that took; AssertionError when patience ends."""
    begun = time.monotonic()
    while not happened():
        if time.monotonic() - begun > PATIENCE:
            raise AssertionError(f"it has not happened within {PATIENCE} s")
        time.sleep(every)
    return time.monotonic() - begun


def outlast(span: timedelta) -> None:
    """Returns when the span, as of a lease, is certainly over, by any clock of this machine."""
    time.sleep(span.total_seconds() + 0.005)


def pause(seconds: float = _A_MOMENT) -> None:
    """Gives what must not happen the time to happen.

    No test may need this to pass: a busy machine makes any such time too short. It only makes it
    likely that a fault shows.
    """
    time.sleep(seconds)


def assert_waits(call: Future[Any]) -> None:
    """The call, which was begun in another thread, doesn't return for now."""
    pause()
    assert not call.done()
