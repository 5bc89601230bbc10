"""The states that the sources of a partner are in, by how fresh what they sent last is."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from attrs import frozen

State = Literal["fresh", "late", "stale", "unknown"]
STATES: Final[tuple[State, ...]] = ("fresh", "late", "stale", "unknown")
_WORST_FIRST: Final[tuple[State, ...]] = ("stale", "late", "fresh", "unknown")


@frozen
class PartnerFreshness:
    """How many sources of a partner are in each state, and the worst of those states."""

    state: State
    fresh: int
    late: int
    stale: int
    unknown: int

    @classmethod
    def of(cls, states: Iterable[State]) -> "PartnerFreshness":
        """Of sources in these states; `unknown` is worst only if nothing is expected of any."""
        counts = Counter[State](states)
        worst: State = "unknown"
        for state in reversed(_WORST_FIRST):
            worst = state if counts[state] else worst
        return cls(worst, *(counts[state] for state in STATES))
