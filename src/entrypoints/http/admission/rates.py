"""Rates: how often callers may ask; those of keys hold for all processes together."""

import threading
from time import monotonic
from typing import Final

from attrs import define, field

from commerce_core.base.errors import TooMany
from commerce_core.base.rates import Bucket, Rate
from commerce_core.ports.store import Store
from entrypoints.metrics import metrics

_PORTION_LASTS: Final = 1.0
"""Seconds after which a portion that wasn't used up is lost."""
_MOST_SUBJECTS: Final = 10_000


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


def too_often(limit: str, rate: Rate, retry_after: float) -> TooMany:
    """The refusal of a caller who asks more often than it may."""
    metrics().refused(limit)
    return TooMany(
        f"More than {rate.per_second:g} a second, and {rate.burst} at once, aren't accepted.",
        limit=limit,
        most=rate.burst,
        retry_after=retry_after,
    )
