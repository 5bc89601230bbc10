"""Rates: how often something may happen, as a bucket of tokens that is refilled steadily."""

from attrs import field, frozen
from attrs.validators import gt


@frozen
class Rate:
    """`per_second` on average, and up to `burst` at once after a pause."""

    per_second: float = field(validator=gt(0))
    burst: int = field(validator=gt(0))

    @property
    def portion(self) -> int:
        """How many a process takes at a time: a tenth of a second's worth, at least one."""
        return max(1, int(self.per_second / 10))

    def full(self) -> "Bucket":
        """The bucket of a caller that hasn't been seen before."""
        return Bucket(self, self.burst)


@frozen
class Bucket:
    """The tokens that are left; they may be negative after something cost more than expected."""

    rate: Rate
    tokens: float

    def after(self, seconds: float) -> "Bucket":
        """The bucket some seconds later."""
        gained = max(0.0, seconds) * self.rate.per_second
        return Bucket(self.rate, min(self.rate.burst, self.tokens + gained))

    def take(self, wanted: int) -> tuple[int, "Bucket"]:
        """As many whole tokens as there are, up to `wanted`, and the bucket without them."""
        granted = max(0, min(wanted, int(self.tokens)))
        return granted, self.less(granted)

    def less(self, cost: float) -> "Bucket":
        """The bucket after something that cost that much, however much was left."""
        return Bucket(self.rate, self.tokens - cost)

    def seconds_until(self, tokens: float) -> float:
        """After how many seconds that many tokens are there."""
        return max(0.0, (tokens - self.tokens) / self.rate.per_second)
