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
        now = self._clock()
        bucket, used_at = self._rows.get((limit, subject), (rate.full(), now))
        current = Bucket(rate, bucket.tokens).after((now - used_at).total_seconds())
        granted, left = current.take(wanted)
        self._rows[limit, subject] = (left, now)
        return granted
