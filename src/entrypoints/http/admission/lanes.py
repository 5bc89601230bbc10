"""Lanes: requests of one kind have threads of their own, and one caller has only some of them."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from time import monotonic
from typing import Final, Literal, TypeVar

from attrs import define, field, frozen

from commerce_core.base.errors import TooMany, Unavailable
from commerce_core.base.rates import Rate
from commerce_core.ports.store import Store
from entrypoints.http.admission.rates import SharedTime
from entrypoints.limits import Limits
from entrypoints.metrics import metrics

LaneName = Literal[
    "requests", "streams", "queries", "exports", "uploads", "examinations", "decisions"
]
"""Plain requests; answers that take long without a thread (downloads, events, waiting for a job);
expensive queries; exports; uploads; examinations of files; and decisions that run a feed."""

RETRY_FULL_AFTER: Final = 1.0
"""Seconds after which a caller may try again whose own requests fill its share of a lane."""
THREADS: Final = 10
"""Plain requests that run at once in one process: as many as it has connections."""
EXPORTS: Final = 8
"""Exports at once in one process, each of which has a connection of its own."""
QUERY_SECONDS_AT_ONCE: Final = 1.0
"""Seconds of expensive queries that a caller may use at once after a pause: a long search, or some
short ones."""
EXPORT_SECONDS_AT_ONCE: Final = 10.0
_MINUTE: Final = 60.0

T = TypeVar("T")


@frozen
class LaneLimits:
    """How many run at once, how many are under way, and how many of those are one caller's."""

    threads: int
    at_once: int
    per_caller: int


@define
class Lane:
    """A bounded number of threads; a request that finds no room is refused at once.

    `time` is how long the requests of a caller may run; None means any. But for what runs in its
    threads, it is used by the event loop alone, so it needs no lock.
    """

    name: LaneName
    limits: LaneLimits
    time: SharedTime | None = None
    _threads: ThreadPoolExecutor = field(init=False)
    _held: Counter[str] = field(factory=Counter[str], init=False)

    def __attrs_post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(self.limits.threads, thread_name_prefix=self.name)

    @contextmanager
    def entered(self, caller: str) -> "Generator[Place]":
        """A place in the lane for as long as the context lasts; raises what `check` does."""
        self.check(caller)
        self._held[caller] += 1
        self._report()
        try:
            yield Place(self, caller)
        finally:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]
            self._report()

    def check(self, caller: str) -> None:
        """TooMany if the caller has used up its share, Unavailable if the lane is full."""
        if self.time is not None:
            self.time.check(caller)
        if self._held[caller] >= self.limits.per_caller:
            metrics().refused(self.name)
            raise TooMany(
                f"{self.limits.per_caller} requests of this kind with this key are under way.",
                limit=self.name,
                most=self.limits.per_caller,
                retry_after=RETRY_FULL_AFTER,
            )
        if self._held.total() >= self.limits.at_once:
            metrics().refused(self.name)
            raise Unavailable(
                f"The server is busy with {self.limits.at_once} requests of this kind.",
                "Try again in a moment.",
                code="busy",
            )

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """What the function returns, called in a thread of this lane."""
        call = partial(contextvars.copy_context().run, function, *arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """Ends the threads once they have nothing to do."""
        self._threads.shutdown(wait=False)

    def _report(self) -> None:
        metrics().used(self.name, self._held.total(), self.limits.at_once)


@frozen
class Place:
    """A caller's place in a lane, whose time it uses up."""

    _lane: Lane
    _caller: str

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """What the function returns, called in a thread of the lane."""
        return await self._lane.run(self._timed, function, *arguments)

    def _timed(self, function: Callable[..., T], *arguments: object) -> T:
        _PLACE.set(self)  # The context is a copy of this call alone.
        begun = monotonic()
        try:
            return function(*arguments)
        finally:
            self.spend(monotonic() - begun)

    def spend(self, seconds: float) -> None:
        """Notes time that was used for the caller. From a thread."""
        if self._lane.time is not None:
            self._lane.time.spend(self._caller, seconds)

    def wait(self) -> float:
        """For how many seconds what is under way for the caller should pause."""
        return self._lane.time.wait(self._caller) if self._lane.time is not None else 0.0


_PLACE: Final = ContextVar["Place | None"]("place", default=None)


def current_place() -> Place | None:
    """The place of the request for which this thread works; None outside of lanes."""
    return _PLACE.get()


Lanes = Mapping[LaneName, Lane]


def lanes_of(limits: Limits, store: Store, has_company: Callable[[str], bool]) -> Lanes:
    """All lanes of a process; times are shared through the store, while callers have company."""
    queries, examinations = limits.limit_queries, limits.limit_examinations
    found: dict[LaneName, LaneLimits] = {
        "requests": LaneLimits(THREADS, limits.limit_requests, limits.limit_requests),
        "queries": LaneLimits(queries, 8 * queries, limits.limit_queries_per_key),
        "streams": LaneLimits(1, 256, 64),
        "exports": LaneLimits(4, EXPORTS, limits.limit_exports_per_key),
        "uploads": LaneLimits(
            limits.limit_uploads, limits.limit_uploads, limits.limit_uploads_per_key
        ),
        "examinations": LaneLimits(
            examinations, 7 * examinations, limits.limit_examinations_per_key
        ),
        "decisions": LaneLimits(2, 8, 2),
    }
    times: dict[LaneName, tuple[str, float, float]] = {
        "queries": ("query", limits.limit_query_seconds_per_minute, QUERY_SECONDS_AT_ONCE),
        "exports": ("export", limits.limit_export_seconds_per_minute, EXPORT_SECONDS_AT_ONCE),
        "examinations": ("examination", limits.limit_examination_seconds_per_minute, _MINUTE),
        "decisions": ("decision", limits.limit_decision_seconds_per_minute, _MINUTE),
    }

    def time_of(name: LaneName) -> SharedTime | None:
        if name not in times:
            return None
        kind, a_minute, at_once = times[name]
        rate = Rate(a_minute / _MINUTE, max(1, int(min(a_minute, at_once))))
        return SharedTime(f"{kind}_seconds_per_minute", rate, store, has_company)

    return {name: Lane(name, bounds, time_of(name)) for name, bounds in found.items()}
