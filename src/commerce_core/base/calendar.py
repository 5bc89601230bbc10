"""The days of the week, and the periods of a report: hours to months in a zone's local time."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from commerce_core.base.errors import Fault, InvalidInput, refuse_if

Grain = Literal["hour", "day", "week", "month"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)
MOST_PERIODS: Final = 10_000
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_HOURS: Final = [hour * _HOUR for hour in range(1, 24)]
"""The hours of a day after the first."""
_OF_A_MACHINE: Final = re.compile(r"localtime|posixrules|(posix|right)/.*", re.DOTALL)
"""Names of files that systems keep beside zones: what they contain differs between machines."""


def iana_zone(name: str) -> ZoneInfo | None:
    """The time zone with that IANA name, the same on every machine; None if there is none."""
    return None if _OF_A_MACHINE.fullmatch(name) else find_zone(name)


def find_zone(name: str) -> ZoneInfo | None:
    """The time zone that this machine has under a name; None if there is none."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def period_start(at: datetime, grain: Grain, zone: str) -> datetime:
    """The first moment (UTC) of the period that contains a moment, in the zone's local time."""
    clocks = ZoneInfo(zone)
    local = at.astimezone(clocks)
    if grain == "hour":
        into = timedelta(0, local.second, local.microsecond, minutes=local.minute)
        start = at.astimezone(UTC) - into
        same = start.astimezone(clocks).utcoffset() == local.utcoffset()
        return start if same else _clock_change(start, at.astimezone(UTC), clocks)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    if grain == "week":
        day -= timedelta(days=day.weekday())
    if grain == "month":
        day = day.replace(day=1)
    return first_moment(day, clocks)


def first_moment(local: datetime, clocks: ZoneInfo) -> datetime:
    """When the clocks first show that local time or, if they skip it, the first time after it."""
    first, other = (local.replace(tzinfo=clocks, fold=fold).astimezone(UTC) for fold in (0, 1))
    shown = first.astimezone(clocks).replace(tzinfo=None, fold=0) == local
    return first if shown else _clock_change(other, first, clocks)


def last_moment(local: datetime, clocks: ZoneInfo) -> datetime:
    """When the clocks last show that local time or, if they skip it, the first time after it."""
    first, other = (local.replace(tzinfo=clocks, fold=fold).astimezone(UTC) for fold in (0, 1))
    return other if other > first else first_moment(local, clocks)


def clock_changes(since: datetime, until: datetime, clocks: ZoneInfo) -> list[datetime]:
    """The moments of a day or less at which the offset from UTC changes: none, or one."""
    before, after = (at.astimezone(clocks).utcoffset() for at in (since, until))
    return [] if before == after else [_clock_change(since, until, clocks)]


def _clock_change(before: datetime, after: datetime, clocks: ZoneInfo) -> datetime:
    """The first whole second after `before` at which the offset is that of `after`."""
    offset = after.astimezone(clocks).utcoffset()
    low, high = 0, (after - before) // timedelta(seconds=1)
    while high - low > 1:
        middle = (low + high) // 2
        there = (before + timedelta(seconds=middle)).astimezone(clocks).utcoffset() == offset
        low, high = (low, middle) if there else (middle, high)
    return before + timedelta(seconds=high)


def periods(since: datetime, until: datetime, grain: Grain, zone: str) -> Iterator[datetime]:
    """The first moment of each period from the one that contains `since`, as far as `until`.

    InvalidInput if there are too many, or if one begins or ends outside the calendar.
    """
    try:
        for number, at in enumerate(_starts(since, until, grain, zone)):
            if number == MOST_PERIODS:
                break
            yield at
        else:
            return
    except OverflowError as error:
        detail = "The range goes beyond the calendar, which has the years 1 to 9999."
        raise InvalidInput.at("/from", "bad_range", detail) from error
    detail = f"The range has more than {MOST_PERIODS:,} periods; use a coarser grain."
    raise InvalidInput.at("/grain", "too_many_periods", detail)


def _starts(since: datetime, until: datetime, grain: Grain, zone: str) -> Iterator[datetime]:
    """All of them; hours are counted on for a day, and days too, if no clocks change in it."""
    at, clocks = period_start(since, grain, zone), ZoneInfo(zone)
    while at < until:
        yield at
        if grain == "hour" and until - at > _DAY and _are_even(at, clocks):
            yield from (at + hour for hour in _HOURS)
            at += _DAY
        elif grain == "day" and _is_midnight(at + _DAY, clocks):
            at += _DAY
        else:
            at = _next_period(at, grain, zone)


def _are_even(at: datetime, clocks: ZoneInfo) -> bool:
    """Whether each hour of the day after a moment begins a whole number of hours after it."""
    local = at.astimezone(clocks)
    return not (local.minute or local.second or clock_changes(at, at + _DAY, clocks))


def _is_midnight(at: datetime, clocks: ZoneInfo) -> bool:
    """Whether the clocks show the first moment of a date, for the first time."""
    local = at.astimezone(clocks)
    return not (local.hour or local.minute or local.second or local.microsecond or local.fold)


def _next_period(at: datetime, grain: Grain, zone: str) -> datetime:
    if grain == "hour":
        # A clock change of half an hour leaves one period that is shorter.
        beyond = period_start(at + _HOUR, grain, zone)
        between = period_start(beyond - datetime.resolution, grain, zone)
        return between if between > at else beyond
    # From noon, this step always ends within the next period, whatever the clocks do in between.
    days = {"day": 1, "week": 7, "month": 31}[grain]
    local = at.astimezone(ZoneInfo(zone)).replace(hour=12)
    return period_start(local + timedelta(days=days), grain, zone)


def show_period(at: datetime, grain: Grain, zone: str) -> str:
    """The local start of a period: a date, or for hours a time with its offset."""
    local = at.astimezone(ZoneInfo(zone))
    return local.isoformat(timespec="seconds") if grain == "hour" else local.date().isoformat()


def check_range(since: datetime | None, until: datetime | None) -> None:
    """InvalidInput for a range that ends before it begins; None is no limit on that side."""
    is_reversed = since is not None and until is not None and since > until
    refuse_if(
        "The range isn't valid.",
        (is_reversed, Fault("/from", "bad_range", "`from` must not be after `to`.")),
    )
