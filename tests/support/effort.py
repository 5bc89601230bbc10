"""What a call costs, in a measure that no other load on the machine changes much.

Seconds depend on the machine and on what else it does; even processor time doubles when two
programs share a core's caches. So a call is measured against a fixed piece of work that is timed
just before and just after it: the promise is a multiple of that, on any machine.
"""

from collections.abc import Callable
from time import process_time
from typing import Final

_ROUNDS: Final = 40_000
_TRIES: Final = 3


def effort_of(call: Callable[[], object]) -> float:
    """How many times the yardstick, about a millisecond of plain Python, the call takes."""
    before = _yardstick()
    begun = process_time()
    call()
    taken = process_time() - begun
    return taken / max(before, _yardstick())


def assert_effort(call: Callable[[], object], most: float) -> None:
    """The call takes at most that many yardsticks; one that was disturbed is measured anew."""
    efforts: list[float] = []
    while not efforts or (efforts[-1] > most and len(efforts) < _TRIES):
        efforts.append(effort_of(call))
    assert efforts[-1] <= most, f"took {min(efforts):.0f} yardsticks, and may take {most:.0f}"


def _yardstick() -> float:
    """Seconds that the fixed work takes at this moment."""
    begun = process_time()
    total = 0
    for number in range(_ROUNDS):
        total += number % 7
    return process_time() - begun
