"""What is passed into the core: the clock, what keeps a lease, and what bounds an effort."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Protocol, TypeVar

from commerce_core.base.errors import CommerceError
from commerce_core.ports.work import Work
from commerce_core.work.attempt import Progress

Clock = Callable[[], datetime]
"""The present moment, aware, in UTC."""
KeepLease = Callable[[Work, str], AbstractContextManager[Callable[[Progress], None]]]
"""Keeps the lease of work alive for as long as the context lasts.

The text names the session that the run works in, so that a takeover can end it; it is empty while
the run has none. Returns a function that takes the latest progress, and that raises RunLost once
the work has been taken over or cancelled, and FileRefused `out_of_time` once a job's time budget is
used up.
"""

A = TypeVar("A")
T = TypeVar("T")


class Effort(Protocol):
    """One request of a caller, with what it may cost. It ends early when the caller goes away."""

    @property
    def caller(self) -> str:
        """Who asks: the same text for all requests of one key."""
        ...

    @property
    def seconds(self) -> float:
        """How long one step may take: a statement, or the examination of a file."""
        ...

    @property
    def snapshots(self) -> int:
        """How many snapshots the caller may take at once."""
        ...

    @property
    def has_gone(self) -> bool:
        """Whether the caller has gone away."""
        ...

    def ended_by(self, end: Callable[[], None]) -> AbstractContextManager[None]:
        """Calls `end`, from any thread, when the caller goes away while the context lasts.

        Raises what `over` returns if it has already gone. Afterwards, no call is under way.
        """
        ...

    def over(self) -> CommerceError:
        """The error with which a step ends that took too long, or whose caller has gone."""
        ...


class Apart(Protocol):
    """Runs work on a file of unknown content, so that it can't hurt others."""

    def run(self, work: Callable[[BinaryIO, A], T], file: BinaryIO, about: A) -> T:
        """What `work(file, about)` returns or raises; `work` is a function of a module.

        `file` is at its beginning. May raise TooLarge if the work needs more memory or time than
        the limits allow, and Unavailable if it ended for another reason.
        """
        ...

    def bounded(self, effort: Effort) -> "Apart":
        """The same for one effort: work that is under way when it ends is stopped."""
        ...

    def patient(self) -> "Apart":
        """The same for work that may wait: only the time that it uses of a processor is limited."""
        ...


class Here:
    """Runs work here and now, without limits: for a program that trusts its files."""

    def run(self, work: Callable[[BinaryIO, A], T], file: BinaryIO, about: A) -> T:
        """Calls it."""
        return work(file, about)

    def bounded(self, effort: Effort) -> "Here":  # noqa: ARG002
        """The same, since nothing here can be stopped."""
        return self

    def patient(self) -> "Here":
        """The same, since nothing here is limited."""
        return self
