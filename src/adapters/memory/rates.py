"""Rates in memory: the reference's own buckets."""

from collections.abc import MutableMapping
from datetime import datetime

from attrs import frozen

from commerce_core.base.rates import Bucket, Rate
from commerce_core.ports.runtime import Clock


@frozen
class Rates:
    """Implements `ports.rates.Rates`; a row is a bucket and when it was last used."""

    _rows: MutableMapping[tuple[str, str], tuple[Bucket, datetime]]
    _clock: Clock

    def take(self, limit: str, subject: str, rate: Rate, wanted: int) -> int:
        """Takes up to that many tokens."""
        granted, left = self._filled(limit, subject, rate).take(wanted)
        self._rows[limit, subject] = (left, self._clock())
        return granted

    def spend(self, limit: str, subject: str, rate: Rate, cost: float) -> float:
        """Takes tokens for something that is done already, and returns how many are left."""
        left = self._filled(limit, subject, rate).less(cost)
        self._rows[limit, subject] = (left, self._clock())
        return left.tokens

    def _filled(self, limit: str, subject: str, rate: Rate) -> Bucket:
        """The bucket as it is now."""
        now = self._clock()
        bucket, used_at = self._rows.get((limit, subject), (rate.full(), now))
        return Bucket(rate, bucket.tokens).after((now - used_at).total_seconds())
