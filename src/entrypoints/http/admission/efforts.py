"""Efforts: what one expensive request may cost, and its end when the client goes away."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from attrs import define, field

from commerce_core.base.errors import CommerceError, TooMany, Unavailable

GONE: Final = 499
"""The status of a request whose client went away before its answer had begun."""


class Gone(Unavailable):
    """The client went away before the answer was ready; this isn't read."""

    code = "gone"


@define
class RequestEffort:
    """Implements `commerce_core.ports.runtime.Effort` for one request."""

    caller: str
    seconds: float
    snapshots: int
    has_gone: bool = field(default=False, init=False)
    _ends: list[Callable[[], None]] = field(factory=list[Callable[[], None]], init=False)
    _lock: threading.RLock = field(factory=threading.RLock, init=False)

    @contextmanager
    def ended_by(self, end: Callable[[], None]) -> Generator[None]:
        """Calls `end` when the client goes away in the meantime."""
        with self._lock:
            if self.has_gone:
                raise self.over()
            self._ends.append(end)
        try:
            yield
        finally:
            with self._lock:  # Waits for a call that is under way.
                self._ends.remove(end)

    def cancel(self) -> None:
        """Ends everything that is under way for the client, which has gone away."""
        with self._lock:
            self.has_gone = True
            for end in tuple(self._ends):
                end()

    def over(self) -> CommerceError:
        """The error of a step that was ended: the client has gone, or it took too long."""
        if self.has_gone:
            return Gone("The client went away.")
        return TooMany(
            f"This took longer than the {self.seconds:g} seconds that one query may take.",
            "Ask for less: a narrower filter, no count, or the order by product_id.",
            limit="query_seconds",
            most=self.seconds,
        )
