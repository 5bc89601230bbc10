"""The reference matcher of patterns: two passes over the text, whatever the pattern.

The first goes backwards and finds for each place from which steps of the pattern the rest of the
text can still be matched. The second goes forwards and takes, at each choice, the first way that
can succeed. So it finds what a matcher that tries all ways would find first, and tries none in
vain.

A set of steps is a number with a bit for each; what a character makes of a set is remembered.
"""

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Final, assert_never

from attrs import define, field, frozen

from commerce_core.profiles.patterns import (
    Characters,
    Edge,
    Either,
    Kept,
    Node,
    Place,
    Ranges,
    Repeated,
    Together,
    parse_pattern,
)

Match = Callable[[str], str | None]
"""The kept part of a text that matches as a whole; None if it doesn't match."""

_MOST_REMEMBERED: Final = 20_000
"""Sets that are remembered for each pattern."""
_WORD: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")


@frozen
class _Take:
    """Takes a character of these ranges, and goes to the next step."""

    ranges: Ranges


@frozen
class _Go:
    """Goes to the first of these steps from which the rest can be matched, without a character.

    Only at that place, if there is one. Two steps have `keeps`: the text between is the result.
    """

    steps: tuple[int, ...]
    place: Place | None = None
    keeps: bool = False


_Step = _Take | _Go


@lru_cache(256)
def matcher(pattern: str) -> Match:
    """Returns the function that matches a text; raises BadPattern."""
    steps: list[_Step] = []
    _add(steps, parse_pattern(pattern))
    return _Matcher(steps).match


def _add(steps: list[_Step], node: Node) -> None:
    """Adds the steps of a node; whatever is added behind them comes next."""
    match node:
        case Characters(ranges):
            steps.append(_Take(ranges))
        case Edge(place):
            steps.append(_Go((len(steps) + 1,), place))
        case Together(parts):
            for part in parts:
                _add(steps, part)
        case Either(options):
            _add_options(steps, options)
        case Repeated():
            _add_repeated(steps, node)
        case Kept(part):
            steps.append(_Go((len(steps) + 1,), keeps=True))
            _add(steps, part)
            steps.append(_Go((len(steps) + 1,), keeps=True))
        case _:
            assert_never(node)


def _add_options(steps: list[_Step], options: tuple[Node, ...]) -> None:
    choice = len(steps)
    steps.append(_Go(()))
    begins: list[int] = []
    ends: list[int] = []
    for option in options:
        begins.append(len(steps))
        _add(steps, option)
        ends.append(len(steps))
        steps.append(_Go(()))
    steps[choice] = _Go(tuple(begins))
    for end in ends:
        steps[end] = _Go((len(steps),))


def _add_repeated(steps: list[_Step], repeated: Repeated) -> None:
    for _ in range(repeated.least):
        _add(steps, repeated.part)
    choices: list[int] = []
    for _ in range(1 if repeated.most is None else repeated.most - repeated.least):
        choices.append(len(steps))
        steps.append(_Go(()))
        _add(steps, repeated.part)
    if repeated.most is None:
        steps.append(_Go((choices[0],)))
    for choice in choices:
        ways = (choice + 1, len(steps))
        steps[choice] = _Go(ways[::-1] if repeated.lazy else ways)


@define
class _Matcher:
    """Matches texts by the steps of one pattern; behind the last one, the text has to end."""

    _steps: list[_Step]
    _cuts: list[int] = field(init=False)
    _taking: list[int] = field(init=False)
    _going: list[tuple[int, int, Place | None]] = field(init=False)
    _has_places: bool = field(init=False)
    _ways: list[tuple[int, ...] | None] = field(init=False)
    _keeping: frozenset[int] = field(init=False)
    _before: dict[tuple[int, int, int], int] = field(factory=dict[tuple[int, int, int], int])

    def __attrs_post_init__(self) -> None:
        """Groups characters by the steps that take them, and lists the steps that take none."""
        takes = [(n, s.ranges) for n, s in enumerate(self._steps) if isinstance(s, _Take)]
        edges = {edge for _, ranges in takes for a, b in ranges for edge in (a, b + 1)}
        self._cuts = sorted(edges)
        self._taking = [
            sum(1 << n for n, ranges in takes if any(a <= first <= b for a, b in ranges))
            for first in (-1, *self._cuts)
        ]
        goes = [(n, s) for n, s in enumerate(self._steps) if isinstance(s, _Go)]
        self._going = [(1 << n, sum(1 << to for to in s.steps), s.place) for n, s in goes[::-1]]
        self._has_places = any(step.place for _, step in goes)
        self._ways = [s.steps if isinstance(s, _Go) else None for s in self._steps]
        self._keeping = frozenset(n for n, step in goes if step.keeps)

    def match(self, text: str) -> str | None:
        """What the pattern keeps of the text."""
        alive = self._alive(text)
        if not alive[-1] & 1:
            return None
        alive.reverse()
        return self._kept(text, alive)

    def _alive(self, text: str) -> list[int]:
        """The steps from which the rest can be matched, for each place from the end on."""
        if len(self._before) > _MOST_REMEMBERED:
            self._before.clear()
        places = self._places(text)
        now = self._closed(1 << len(self._steps), places[-1])
        alive = [now]
        for character, place in zip(reversed(text), places[-2::-1], strict=True):
            key = (now, bisect_right(self._cuts, ord(character)), place)
            before = self._before.get(key)
            if before is None:
                before = self._closed((now >> 1) & self._taking[key[1]], place)
                self._before[key] = before
            now = before
            alive.append(now)
        return alive

    def _places(self, text: str) -> list[int]:
        """What each place is: a bit each for the beginning, the end, and the edge of a word."""
        if not self._has_places:
            return [0] * (len(text) + 1)
        words = [False, *(character in _WORD for character in text), False]
        places = [(before != after) << 2 for before, after in pairwise(words)]
        places[0] |= 1
        places[-1] |= 2
        return places

    def _closed(self, alive: int, place: int) -> int:
        """The steps that go to these without a character, and these."""
        while True:
            before = alive
            for step, to, only in self._going:
                if to & alive and (only is None or _is_at(only, place)):
                    alive |= step
            if alive == before:
                return alive

    def _kept(self, text: str, alive: list[int]) -> str:
        step, at, begins, ends = 0, 0, 0, 0
        while step < len(self._ways):
            ways = self._ways[step]
            if ways is None:
                step, at = step + 1, at + 1
                continue
            if step in self._keeping:
                begins, ends = ends, at
            step = next(to for to in ways if alive[at] >> to & 1)
        return text[begins:ends]


def _is_at(wanted: Place, place: int) -> bool:
    match wanted:
        case "begin":
            return bool(place & 1)
        case "end":
            return bool(place & 2)
        case "word":
            return bool(place & 4)
        case "inside":
            return not place & 4
