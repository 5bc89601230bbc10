"""Rollups: of which sums, made before, a range of time consists, and what is left of it.

Sums are kept for blocks of several lengths, from quarters of an hour up, aligned in UTC. A range is
the fewest blocks that fit into it; what is left at its ends, less than the shortest block, is read
from the entries. Every time zone of today begins its hours and days at a quarter, so days anywhere
are sums of blocks.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen

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
    """A part of a range, within one period, that no block covers."""

    since: datetime
    until: datetime
    period: int


@frozen
class Cover:
    """What one or several periods consist of; periods are named by their position."""

    runs: tuple[Run, ...]
    rests: tuple[Rest, ...]


def cover(bounds: Sequence[datetime], spans: Sequence[timedelta] = SPANS) -> Cover:
    """What the periods between each bound and the next consist of."""
    found = [
        part
        for period, since in enumerate(bounds[:-1])
        for part in _parts(since, bounds[period + 1], period, spans)
    ]
    return Cover(
        tuple(_joined(part for part in found if isinstance(part, Run))),
        tuple(part for part in found if isinstance(part, Rest)),
    )


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """The same blocks in the fewest runs; those of each length come in the order of time."""
    open_: dict[timedelta, Run] = {}
    for run in runs:
        before = open_.get(run.span)
        if before is not None and before.until == run.since:
            open_[run.span] = Run(run.span, before.since, run.until)
            continue
        if before is not None:
            yield before
        open_[run.span] = run
    yield from open_.values()


def bounds_of(starts: Iterable[datetime], since: datetime, until: datetime) -> list[datetime]:
    """The bounds of the periods with those starts, within a range."""
    return [max(since, start) for start in starts] + [until]


def _parts(
    since: datetime, until: datetime, period: int, spans: Sequence[timedelta]
) -> Iterator[Run | Rest]:
    if since >= until:
        return
    for position in range(len(spans) - 1, -1, -1):
        span = spans[position]
        if until - since < span:
            continue
        first, last = _aligned_from(since, span), _aligned_to(until, span)
        if first < last:
            yield from _parts(since, first, period, spans[:position])
            yield Run(span, first, last)
            yield from _parts(last, until, period, spans[:position])
            return
    yield Rest(since, until, period)


def _aligned_to(at: datetime, span: timedelta) -> datetime:
    """The last boundary of blocks not after that moment."""
    return at - (at - _EPOCH) % span


def _aligned_from(at: datetime, span: timedelta) -> datetime:
    """The first boundary of blocks not before that moment."""
    return at + (_EPOCH - at) % span
