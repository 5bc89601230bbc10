"""Expectations: when a source's files are expected, and from when on each is overdue.

Local times are those of a zone, as in `schedule`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final, Literal
from zoneinfo import ZoneInfo

from attrs import frozen

from commerce_core.base.calendar import WEEKDAYS, first_moment
from commerce_core.feeds.freshness_settings import LONGEST_EVERY, MOST_DAYS_OFF, Expected
from commerce_core.feeds.schedule import Schedule

Basis = Literal["declared", "schedule", "learned"]
LEAST_GRACE: Final = timedelta(minutes=5)
"""The default grace is a quarter of the time between two files, but at least this,"""
USUAL_GRACE: Final = timedelta(hours=1)
"""and at most this."""
LEAST_CONFIDENCE: Final = Decimal("0.8")
"""With less, what was learned is shown, but no file is expected."""
_DAY: Final = timedelta(days=1)
_FARTHEST: Final = timedelta(days=366 * 5)
"""How far a file is looked for that isn't expected on a day off."""


@frozen
class Expectation:
    """When the files of a source are expected: by `cron`, or `every` so often.

    `confidence` is the share of the expected files that came, if it was learned.
    """

    basis: Basis
    cron: str | None
    every: timedelta | None
    time_zone: str
    grace: timedelta
    confidence: Decimal | None = None

    @property
    def is_sure(self) -> bool:
        """Whether files are expected by it."""
        return self.confidence is None or self.confidence >= LEAST_CONFIDENCE


@frozen
class Due:
    """A file that is expected: when, and from when on it is overdue."""

    at: datetime
    by: datetime


def stated(
    basis: Basis, cron: str | None, every: timedelta | None, zone: str, grace: timedelta | None
) -> Expectation:
    """What was declared, or follows from a schedule, with the default grace if none is given."""
    if grace is None:
        if cron is not None:
            ticks = list(islice(Schedule(cron, zone).after(datetime(2023, 1, 1, tzinfo=UTC)), 2))
            gap = ticks[1] - ticks[0] if len(ticks) > 1 else LONGEST_EVERY
        else:
            gap = every or LONGEST_EVERY
        grace = usual_grace(gap)
    return Expectation(basis, cron, every, zone, grace)


def usual_grace(gap: timedelta) -> timedelta:
    """The default grace of files that come at such intervals."""
    return (
        min(USUAL_GRACE, max(LEAST_GRACE, gap / 4)) // timedelta(seconds=1) * timedelta(seconds=1)
    )


def dues(expectation: Expectation, expected: Expected, last: datetime) -> Iterator[Due]:
    """The files that are expected after the last one, in order; none on a day off.

    A file counts for the next time if it came early, by no more than the grace and half of the
    interval; what is fetched by schedule is never early.
    """
    zone = ZoneInfo(expected.time_zone or expectation.time_zone)
    if expectation.every is not None:
        yield from _intervals(expectation, expected, last, zone)
        return
    schedule = Schedule(expectation.cron or "", expectation.time_zone)
    ticks = ticks_after(schedule, expected, last, zone)
    first, second = next(ticks, None), next(ticks, None)
    if first is None:
        return
    if expectation.basis == "schedule" or first - last > early_by(expectation, first, second):
        yield Due(first, first + expectation.grace)
    if second is not None:
        yield Due(second, second + expectation.grace)
    yield from (Due(tick, tick + expectation.grace) for tick in ticks)


def early_by(expectation: Expectation, tick: datetime, following: datetime | None) -> timedelta:
    """How early a file may come and still count for that tick."""
    if expectation.basis == "schedule":
        return timedelta()
    gap = LONGEST_EVERY if following is None else following - tick
    return min(expectation.grace, gap / 2)


def ticks_after(
    schedule: Schedule, expected: Expected, last: datetime, zone: ZoneInfo
) -> Iterator[datetime]:
    """The ticks after the last file that aren't on a day off; such a day is skipped at once."""
    start, farthest = last, last + _FARTHEST
    while start is not None:
        after, start = start, None
        for tick in schedule.after(after):
            if tick > farthest:
                return
            if expected.is_off(tick, zone):
                day = tick.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, fold=0)
                start = first_moment(day + _DAY, zone) - timedelta(seconds=1)
                break
            yield tick


def _intervals(
    expectation: Expectation, expected: Expected, last: datetime, zone: ZoneInfo
) -> Iterator[Due]:
    """One file each interval; what would be due on a day off is due after it, at the same time."""
    at, every = last, expectation.every or LONGEST_EVERY
    while True:
        at += every
        for _ in range(MOST_DAYS_OFF + len(WEEKDAYS)):
            if not expected.is_off(at, zone):
                break
            at = _next_day(at, zone)
        yield Due(at, at + expectation.grace)


def _next_day(at: datetime, zone: ZoneInfo) -> datetime:
    """The same local time on the next day, whatever clocks do in between."""
    local = at.astimezone(zone)
    return (local.replace(tzinfo=None) + _DAY).replace(tzinfo=zone).astimezone(UTC)
