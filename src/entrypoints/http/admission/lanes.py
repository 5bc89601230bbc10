"""Lanes: requests of one kind have threads of their own, and one caller has only some of them."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Final, Literal, TypeVar

from attrs import define, field, frozen

from commerce_core.base.errors import TooMany, Unavailable
from commerce_core.base.rates import Bucket, Rate
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
_MOST_CALLERS: Final = 10_000
_MINUTE: Final = 60.0

T = TypeVar("T")


@frozen
class LaneLimits:
    """How many run at once, how many are under way in all, and how many of those are one caller's.

    `seconds_per_minute` is the time that one caller's may take in all; None means any.
    """

    threads: int
    at_once: int
    per_caller: int
    seconds_per_minute: float | None = None


@define
class Lane:
    """A bounded number of threads; a request that finds no room is refused at once.

    Used by the event loop alone, so it needs no lock.
    """

    name: LaneName
    limits: LaneLimits
    _threads: ThreadPoolExecutor = field(init=False)
    _held: Counter[str] = field(factory=Counter[str], init=False)
    _spent: "dict[str, tuple[Bucket, float]]" = field(
        factory=dict[str, tuple[Bucket, float]], init=False
    )

    def __attrs_post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(self.limits.threads, thread_name_prefix=self.name)

    @contextmanager
    def entered(self, caller: str) -> "Generator[Place]":
        """A place in the lane for as long as the context lasts; raises what `check` does."""
        self.check(caller)
        self._held[caller] += 1
        self._report()
        place = Place(self)
        try:
            yield place
        finally:
            self._spend(caller, place.seconds)
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]
            self._report()

    def check(self, caller: str) -> None:
        """TooMany if the caller has used up its share, Unavailable if the lane is full."""
        self._check_time(caller)
        if self._held[caller] >= self.limits.per_caller:
            raise self._refusal(
                f"{self.limits.per_caller} requests of this kind with this key are under way.",
                self.limits.per_caller,
                RETRY_FULL_AFTER,
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

    def _check_time(self, caller: str) -> None:
        if self.limits.seconds_per_minute is None or caller not in self._spent:
            return
        left = self._bucket(caller)
        if left.tokens <= 0:
            raise self._refusal(
                f"Requests of this kind with this key have taken "
                f"{self.limits.seconds_per_minute:g} seconds within a minute.",
                self.limits.seconds_per_minute,
                left.seconds_until(1.0),
            )

    def _bucket(self, caller: str) -> Bucket:
        """The seconds that the caller has left now."""
        seconds = self.limits.seconds_per_minute or _MINUTE
        full = Rate(seconds / _MINUTE, max(1, int(seconds))).full()
        bucket, at = self._spent.get(caller, (full, monotonic()))
        return bucket.after(monotonic() - at)

    def _spend(self, caller: str, seconds: float) -> None:
        if self.limits.seconds_per_minute is None:
            return
        if len(self._spent) >= _MOST_CALLERS:
            del self._spent[next(iter(self._spent))]
        left = self._bucket(caller).less(seconds)
        self._spent.pop(caller, None)
        self._spent[caller] = (left, monotonic())

    def _refusal(self, detail: str, most: float, retry_after: float) -> TooMany:
        metrics().refused(self.name)
        return TooMany(detail, limit=self.name, most=most, retry_after=retry_after)

    def _report(self) -> None:
        metrics().used(self.name, self._held.total(), self.limits.at_once)


@define
class Place:
    """A caller's place in a lane, and the seconds for which it has used a thread."""

    _lane: Lane
    seconds: float = 0.0

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """What the function returns, called in a thread of the lane."""

        def timed() -> T:
            begun = monotonic()
            try:
                return function(*arguments)
            finally:
                self.seconds += monotonic() - begun

        return await self._lane.run(timed)


def lanes_of(limits: Limits) -> dict[LaneName, Lane]:
    """All lanes of a process."""
    queries, examinations = limits.limit_queries, limits.limit_examinations
    found: dict[LaneName, LaneLimits] = {
        "requests": LaneLimits(THREADS, limits.limit_requests, limits.limit_requests),
        "queries": LaneLimits(
            queries, 8 * queries, limits.limit_queries_per_key,
            limits.limit_query_seconds_per_minute,
        ),
        "streams": LaneLimits(1, 256, 64),
        "exports": LaneLimits(4, EXPORTS, limits.limit_exports_per_key),
        "uploads": LaneLimits(
            limits.limit_uploads, limits.limit_uploads, limits.limit_uploads_per_key
        ),
        "examinations": LaneLimits(
            examinations, 7 * examinations, limits.limit_examinations_per_key,
            limits.limit_examination_seconds_per_minute,
        ),
        "decisions": LaneLimits(2, 8, 2),
    }  # fmt: skip
    return {name: Lane(name, bounds) for name, bounds in found.items()}
