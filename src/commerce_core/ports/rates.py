"""The port of rates: what each caller may still do, shared by all processes."""

from typing import Protocol

from commerce_core.base.rates import Rate


class Rates(Protocol):
    """A bucket of tokens for each limit and subject, by the store's clock."""

    def take(self, limit: str, subject: str, rate: Rate, wanted: int) -> int:
        """Takes up to `wanted` tokens, and returns how many there were; 0 if none are left.

        A subject that wasn't seen before has a full bucket. All processes together never get more
        than the rate allows.
        """
        ...

    def spend(self, limit: str, subject: str, rate: Rate, cost: float) -> float:
        """Takes tokens for something that is done already, and returns how many are left.

        There may be fewer than none: then nothing is left until the rate has made up for it.
        """
        ...


class RatesUnit(Protocol):
    """The part of a unit of work for rates."""

    @property
    def rates(self) -> Rates:
        """What each caller may still do."""
        ...
