"""Rhythm: when the files of a source usually come, learned from those of the last weeks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median_low
from typing import Final
from zoneinfo import ZoneInfo

from commerce_core.base.calendar import WEEKDAYS, Weekday
from commerce_core.feeds.expectation import USUAL_GRACE, Expectation, stated, usual_grace
from commerce_core.feeds.freshness_settings import SHORTEST_EVERY, Expected
from commerce_core.feeds.schedule import Schedule

LEARNED_FROM: Final = timedelta(days=35)
"""How far back from its latest fresh file a source's history is considered."""
LEAST_ARRIVALS: Final = 4
"""Nothing is learned from fewer fresh files."""
LEAST_TICKS: Final = 8
"""A schedule only looks for files if it has had this many ticks, most without a fresh file."""
_NONE: Final = timedelta()
_DAY: Final = timedelta(days=1)
_OFTEN: Final = timedelta(hours=20)
"""A source that sends more often than this is expected by its interval, not by the time of day."""
_REGULAR: Final = Decimal("0.95")
"""The share of the intervals that are at most twice the median, if a source sends regularly."""
_USUAL_DAY: Final = Decimal("0.75")
"""A weekday is expected if at least this share of those observed had a file."""
_LEAST_DAYS: Final = 2
"""A weekday is expected only if it was observed this often."""
_LONGEST_LEARNED_GRACE: Final = timedelta(hours=12)
_CANDIDATES: Final = 50
"""How many times of day are tried as the usual one."""


def expectation_of(
    expected: Expected, schedule: Schedule | None, time_zone: str, arrivals: Sequence[datetime]
) -> Expectation | None:
    """What is expected of a source, given its fresh arrivals in rising order.

    A schedule by which it is fetched counts, unless most of its ticks bring nothing fresh: then it
    only looks for files, and when they come is learned. `time_zone` is the partner's.
    """
    zone = expected.time_zone or (schedule.time_zone if schedule else time_zone)
    if expected.declares_arrivals:
        return stated("declared", expected.cron, expected.every, zone, expected.grace)
    if schedule is not None and not _only_looks(schedule, expected, arrivals):
        return stated("schedule", schedule.cron, None, schedule.time_zone, expected.grace)
    return learned(expected, zone, arrivals)


def _only_looks(schedule: Schedule, expected: Expected, arrivals: Sequence[datetime]) -> bool:
    """Whether most ticks between the first arrival and the last brought nothing fresh."""
    if len(arrivals) < LEAST_ARRIVALS:
        return False
    zone, most = ZoneInfo(schedule.time_zone), max(LEAST_TICKS, 2 * len(arrivals)) + 1
    ticks = 0
    for tick in schedule.after(arrivals[0]):
        if tick > arrivals[-1] or ticks == most:
            break
        ticks += not expected.is_off(tick, zone)
    return ticks >= LEAST_TICKS and ticks > 2 * (len(arrivals) - 1)


def learned(expected: Expected, zone: str, arrivals: Sequence[datetime]) -> Expectation | None:
    """What the fresh arrivals of the last weeks show, with how sure that is; None: nothing.

    Files that come more often than daily are expected by their interval, others on the weekdays on
    which they usually come, at the usual time.
    """
    recent = [at for at in arrivals if at > arrivals[-1] - LEARNED_FROM]
    if len(recent) < LEAST_ARRIVALS:
        return None
    return _interval(recent, zone, expected.grace) or _days(expected, recent, zone)


def _interval(
    arrivals: Sequence[datetime], zone: str, grace: timedelta | None
) -> Expectation | None:
    """Files at regular intervals, shorter than a day."""
    gaps = sorted(later - earlier for earlier, later in pairwise(arrivals))
    usual = median_low(gaps)
    if not _NONE < usual < _OFTEN:
        return None
    regular = [gap for gap in gaps if gap <= 2 * usual]
    confidence = _share(len(regular), len(gaps))
    if confidence < _REGULAR:
        return None
    every = max(SHORTEST_EVERY, _to_minutes(regular[-1]))
    grace = usual_grace(every) if grace is None else grace
    return Expectation("learned", None, every, zone, grace, confidence)


def _days(expected: Expected, arrivals: Sequence[datetime], zone: str) -> Expectation | None:
    """Files on certain weekdays, at a usual time of day."""
    clocks = ZoneInfo(zone)
    local = [at.astimezone(clocks).replace(tzinfo=None) for at in arrivals]
    # Days are counted from half a day before the usual time, so that none ends close to it.
    half_before = _usual_time(local) - _DAY / 2
    first_of: dict[date, timedelta] = {}
    for at in local:
        moved = at - half_before
        into = timedelta(hours=moved.hour, minutes=moved.minute, seconds=moved.second)
        first_of[moved.date()] = min(into, first_of.get(moved.date(), into))
    observed = list(_observed(expected, min(first_of), max(first_of)))
    usual = [name for name in WEEKDAYS if _is_usual(name, observed, first_of)]
    if not usual:
        return None
    counted = [day for day in observed if WEEKDAYS[day.weekday()] in usual]
    times = sorted(first_of[day] for day in counted if day in first_of)
    middle = median_low(times)
    deviations = sorted(abs(into - middle) for into in times)
    spread = deviations[9 * (len(deviations) - 1) // 10]
    # Over midnight from the day by which it is counted, it may be on another weekday.
    days_on, at = divmod(middle + half_before, _DAY)
    hour, minute = divmod(at // timedelta(minutes=1), 60)
    wide = min(_LONGEST_LEARNED_GRACE, max(USUAL_GRACE, _to_minutes(2 * spread)))
    grace = wide if expected.grace is None else expected.grace
    names = [WEEKDAYS[(WEEKDAYS.index(name) + days_on) % len(WEEKDAYS)] for name in usual]
    days = "*" if len(usual) == len(WEEKDAYS) else ",".join(names)
    confidence = _share(len(times), len(counted))
    return Expectation("learned", f"{minute} {hour} * * {days}", None, zone, grace, confidence)


def _usual_time(local: Sequence[datetime]) -> timedelta:
    """The time of day around which the moments lie: the one from which they are least far."""
    times = sorted(timedelta(hours=at.hour, minutes=at.minute) for at in local)

    def distance(one: timedelta) -> timedelta:
        return sum((_apart(one, other) for other in times), _NONE)

    return min(times[:: max(1, len(times) // _CANDIDATES)], key=distance)


def _apart(one: timedelta, other: timedelta) -> timedelta:
    """How far apart two times of day are, around the clock."""
    straight = abs(one - other)
    return min(straight, _DAY - straight)


def _observed(expected: Expected, first: date, last: date) -> Iterator[date]:
    """The days from the first to the last, without the days off."""
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if day not in expected.dates_off and WEEKDAYS[day.weekday()] not in expected.weekdays_off:
            yield day


def _is_usual(name: Weekday, observed: Sequence[date], first_of: Mapping[date, timedelta]) -> bool:
    days = [day for day in observed if WEEKDAYS[day.weekday()] == name]
    met = sum(day in first_of for day in days)
    return len(days) >= _LEAST_DAYS and _share(met, len(days)) >= _USUAL_DAY


def _share(part: int, whole: int) -> Decimal:
    return (Decimal(part) / whole).quantize(Decimal("0.01")) if whole else Decimal(0)


def _to_minutes(duration: timedelta) -> timedelta:
    """In whole minutes, not less."""
    minute = timedelta(minutes=1)
    return -(-duration // minute) * minute
