"""Rates: how often callers may ask; those of keys hold for all processes together."""

import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final

from attrs import define, field

from commerce_core.base.errors import TooMany, Unavailable
from commerce_core.base.rates import Bucket, Rate
from commerce_core.ports.store import Store
from entrypoints.metrics import metrics

_PORTION_LASTS: Final = 1.0
"""Seconds after which a portion that wasn't used up is lost."""
_MOST_SUBJECTS: Final = 10_000
NOTED_FROM: Final = 0.05
"""Seconds that a process collects before it notes them in the store."""


@define
class LocalRate:
    """The rate of this process alone, by subject; used by the event loop alone."""

    limit: str
    rate: Rate
    _buckets: dict[str, tuple[Bucket, float]] = field(
        factory=dict[str, tuple[Bucket, float]], init=False
    )

    def take(self, subject: str) -> None:
        """Counts one; TooMany if there were too many."""
        now = monotonic()
        bucket, at = self._buckets.pop(subject, (self.rate.full(), now))
        granted, left = bucket.after(now - at).take(1)
        self._buckets[subject] = (left, now)
        if len(self._buckets) > _MOST_SUBJECTS:
            del self._buckets[next(iter(self._buckets))]
        if not granted:
            raise too_often(self.limit, self.rate, left.seconds_until(1.0))


@define
class SharedRate:
    """The rate of all processes: each takes a portion from the store, and uses it up.

    So there is one statement for each tenth of a second's worth of requests, and never more than
    the rate in total. Safe to share between threads.
    """

    limit: str
    rate: Rate
    _store: Store
    _portions: dict[str, tuple[int, float]] = field(
        factory=dict[str, tuple[int, float]], init=False
    )
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def take(self, subject: str) -> None:
        """Counts one; TooMany if there were too many."""
        if self._take_local(subject):
            return
        with self._store.begin() as unit:
            granted = unit.rates.take(self.limit, subject, self.rate, self.rate.portion)
        if not granted:
            raise too_often(self.limit, self.rate, 1 / self.rate.per_second)
        with self._lock:
            left, _ = self._portions.pop(subject, (0, 0.0))
            self._portions[subject] = (left + granted - 1, monotonic() + _PORTION_LASTS)
            if len(self._portions) > _MOST_SUBJECTS:
                del self._portions[next(iter(self._portions))]

    def _take_local(self, subject: str) -> bool:
        with self._lock:
            left, until = self._portions.get(subject, (0, 0.0))
            if not left or monotonic() > until:
                self._portions.pop(subject, None)
                return False
            self._portions[subject] = (left - 1, until)
            return True


@define
class SharedTime:
    """How much time each caller may use, in all processes, while others send requests too.

    What something cost is known when it is done. So a caller may run into debt, and gets nothing
    more until the rate has made up for it. Each process notes what it used in the store, and learns
    from the answer what the others used. A caller that has no company uses nothing up.
    """

    limit: str
    rate: Rate
    """Seconds a second, on average and at once."""
    _store: Store
    _has_company: Callable[[str], bool]
    _left: dict[str, tuple[Bucket, float]] = field(
        factory=dict[str, tuple[Bucket, float]], init=False
    )
    _unnoted: dict[str, float] = field(factory=dict[str, float], init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def check(self, caller: str) -> None:
        """TooMany if the caller has used its time up; asks nothing but this process."""
        wait = self.wait(caller)
        if wait <= 0:
            return
        metrics().refused(self.limit)
        a_minute = self.rate.per_second * 60
        raise TooMany(
            f"Requests of this kind with this key took more than {a_minute:g} seconds a minute.",
            limit=self.limit,
            most=a_minute,
            retry_after=wait,
        )

    def wait(self, caller: str) -> float:
        """For how many seconds the caller gets nothing more; 0 if it may go on."""
        with self._lock:
            left = self._now(caller)
        if left.tokens > 0 or not self._has_company(caller):
            return 0.0
        return left.seconds_until(0.0)

    def spend(self, caller: str, seconds: float) -> None:
        """Notes what the caller used. From a thread: it may write to the store."""
        if not self._has_company(caller):
            return
        with self._lock:
            self._keep(caller, self._now(caller).less(seconds))
            unnoted = self._unnoted.pop(caller, 0.0) + seconds
            if unnoted < NOTED_FROM:
                self._unnoted[caller] = unnoted
                return
        # Without the store, each process counts for itself.
        with suppress(Unavailable):
            self._note(caller, unnoted)

    def _note(self, caller: str, seconds: float) -> None:
        with self._store.begin() as unit:
            left = unit.rates.spend(self.limit, caller, self.rate, seconds)
        with self._lock:
            self._keep(caller, Bucket(self.rate, left))

    def _now(self, caller: str) -> Bucket:
        bucket, at = self._left.get(caller, (self.rate.full(), 0.0))
        return bucket.after(monotonic() - at)

    def _keep(self, caller: str, left: Bucket) -> None:
        self._left.pop(caller, None)
        self._left[caller] = (left, monotonic())
        if len(self._left) > _MOST_SUBJECTS:
            oldest = next(iter(self._left))
            del self._left[oldest]
            self._unnoted.pop(oldest, None)


def too_often(limit: str, rate: Rate, retry_after: float) -> TooMany:
    """The refusal of a caller who asks more often than it may."""
    metrics().refused(limit)
    return TooMany(
        f"More than {rate.per_second:g} a second, and {rate.burst} at once, aren't accepted.",
        limit=limit,
        most=rate.burst,
        retry_after=retry_after,
    )
