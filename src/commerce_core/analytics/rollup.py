"""Rollups: of which sums, made before, a range of time consists, and what is left of it.

Sums are kept for blocks of several lengths, from quarters of an hour up, aligned in UTC. A range is
the fewest blocks that fit into it; what is left at its ends, less than the shortest block, is read
from the entries. Every time zone of today begins its hours and days at a quarter, so days anywhere
are sums of blocks.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, Final, TypeVar

from attrs import frozen

M = TypeVar("M", int, datetime)
QUARTER: Final = timedelta(minutes=15)
DAY: Final = timedelta(days=1)
SPANS: Final = (
    QUARTER,
    timedelta(hours=1),
    timedelta(hours=6),
    DAY,
    timedelta(days=8),
    timedelta(days=64),
)
"""The lengths of blocks of sales by partner; each is a multiple of the one before."""
PRODUCT_SPANS: Final = (DAY, timedelta(days=8), timedelta(days=64))
"""Those of sales by product, of which shorter blocks would be as many as there are entries."""
REASON_SPANS: Final = SPANS[2:]
"""Those of what was taken back by reason, which is a small part of the entries."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta.resolution
"""Moments are whole numbers of it here: a year has thousands of hours, in each of four places."""
MOST_ROLLED: Final = 500_000
"""Entries that are added to the sums in one transaction, which a transaction's own may exceed."""


@frozen
class Run:
    """Consecutive blocks of one length, from `since` to before `until`.

    It may go through several periods; each block is in the period in which it begins.
    """

    span: timedelta
    since: datetime
    until: datetime


@frozen
class Rest:
    """A part of a range, within one period, that no block covers.

    With `is_beyond`, a block covers it although it isn't in the range, and it is taken off.
    """

    since: datetime
    until: datetime
    period: int
    is_beyond: bool = False


@frozen
class Surplus:
    """Blocks of one length that are taken off a period, since a longer one reaches beyond it."""

    span: timedelta
    since: datetime
    until: datetime
    period: int


@frozen
class Cover:
    """What one or several periods consist of; periods are named by their position."""

    runs: tuple[Run, ...]
    rests: tuple[Rest, ...]
    surpluses: tuple[Surplus, ...] = ()


def cover(
    bounds: Sequence[datetime], spans: Sequence[timedelta] = SPANS, *, beyond: bool = False
) -> Cover:
    """What the periods between each bound and the next consist of.

    With `beyond`, a longer block less what it has beyond the end of a period may stand for several
    shorter ones: a day in Rome is an hour and a day in UTC, less an hour, instead of nine blocks.
    """
    ticks, sizes = [(bound - _EPOCH) // _TICK for bound in bounds], list(map(_ticks, spans))
    blocks, rests, period = _Blocks(sizes), list[Rest](), 0
    for start, size, count in stretches(ticks):
        if blocks.add_if_one_each(start, size, count):
            period += count
            continue
        for since, until in pairwise(start + size * n for n in range(count + 1)):
            first, last = _up(since, sizes[0]), _down(until, sizes[0])
            if first >= last:
                first = last = until
            if since < first:
                rests.append(Rest(_at(since), _at(first), period))
            if last < until:
                rests.append(Rest(_at(last), _at(until), period))
            blocks.add(first, last, period if beyond else None)
            period += 1
    return Cover(tuple(blocks.runs()), tuple(rests), tuple(blocks.surpluses))


def cover_one(since: datetime, until: datetime, spans: Sequence[timedelta]) -> Cover:
    """What a single period consists of, for which it doesn't matter where a block begins.

    So blocks may reach beyond both of its ends, and what the shortest have beyond is a rest: that
    is at most half of it at each end.
    """
    start, end, sizes = _ticks(since - _EPOCH), _ticks(until - _EPOCH), list(map(_ticks, spans))
    first, last = (_nearest(at, sizes[0]) for at in (start, end))
    if first >= last:
        return Cover((), (Rest(since, until, 0),) if start < end else ())
    rests = [
        Rest(_at(min(at, edge)), _at(max(at, edge)), 0, is_beyond)
        for at, edge, is_beyond in ((start, first, first < start), (end, last, last > end))
        if at != edge
    ]
    blocks = _Blocks(sizes)
    blocks.add(first, last, 0, at_both=True)
    return Cover(tuple(blocks.runs()), tuple(rests), tuple(blocks.surpluses))


class _Blocks:
    """Blocks as they come, in the order of time for each length; a run that goes on gets longer."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._runs: dict[int, list[list[int]]] = {size: [] for size in sizes}
        self.surpluses: list[Surplus] = []

    def add_if_one_each(self, since: int, size: int, count: int) -> bool:
        """Whether ranges of a size are one block each, which are added then; thousands are."""
        is_one = size in self._runs and since % size == 0
        if is_one:
            self._run(since, since + size * count, size)
        return is_one

    def add(self, since: int, until: int, beyond_of: int | None, *, at_both: bool = False) -> None:
        """The fewest blocks of a range, which begins and ends with one of the shortest.

        Longer blocks may reach beyond the end of a period `beyond_of`, or beyond both of its ends.
        """
        for size, longer in pairwise(self._sizes):
            first, last = _up(since, longer), _down(until, longer)
            if beyond_of is not None and first <= last:
                # A run and what is beyond it are two looks into the index; that is worth a block.
                start, end = first - longer, last + longer
                if until - last > end - until + size and end <= _LATEST:
                    self.surpluses.append(Surplus(size * _TICK, _at(until), _at(end), beyond_of))
                    until = last = end
                if at_both and first - since > since - start + size and start >= _EARLIEST:
                    self.surpluses.append(Surplus(size * _TICK, _at(start), _at(since), beyond_of))
                    since = first = start
            if first >= last:
                self._run(since, until, size)
                return
            self._run(since, first, size)
            self._run(last, until, size)
            since, until = first, last
        self._run(since, until, self._sizes[-1])

    def _run(self, since: int, until: int, size: int) -> None:
        if since >= until:
            return
        known = self._runs[size]
        if known and known[-1][1] == since:
            known[-1][1] = until
        else:
            known.append([since, until])

    def runs(self) -> Iterator[Run]:
        """The runs, by their lengths."""
        for size, ranges in self._runs.items():
            for since, until in ranges:
                yield Run(size * _TICK, _at(since), _at(until))


def bounds_of(starts: Sequence[datetime], since: datetime, until: datetime) -> list[datetime]:
    """The bounds of the periods with those starts, within a range that begins in the first."""
    return [*(max(since, start) for start in starts[:1]), *starts[1:], until]


def stretches(moments: Sequence[M]) -> Iterator[tuple[M, Any, int]]:
    """Moments at regular intervals: the first, the step to the next, and the number of steps."""
    at = 0
    for step, steps in groupby(after - before for before, after in pairwise(moments)):
        count = len(list(steps))
        yield moments[at], step, count
        at += count


def _ticks(length: timedelta) -> int:
    return length // _TICK


def _at(ticks: int) -> datetime:
    return _EPOCH + ticks * _TICK


def _down(ticks: int, size: int) -> int:
    """The last boundary of blocks not after that moment."""
    return ticks - ticks % size


def _up(ticks: int, size: int) -> int:
    """The first boundary of blocks not before that moment."""
    return ticks + -ticks % size


def _nearest(ticks: int, size: int) -> int:
    """The boundary of blocks that is nearest to that moment."""
    down, up = _down(ticks, size), _up(ticks, size)
    return down if ticks - down < up - ticks or up > _LATEST else up


_EARLIEST: Final = _ticks(datetime.min.replace(tzinfo=UTC) - _EPOCH)
_LATEST: Final = _ticks(datetime.max.replace(tzinfo=UTC) - _EPOCH)
"""Blocks are within the calendar, which has the years 1 to 9999."""
