"""The period before: the range with which a report's figures are compared."""

import calendar
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from commerce_core.base.calendar import first_moment
from commerce_core.base.errors import InvalidInput

Comparison = Literal["dates", "weekdays"]
"""Whether the period before has the same dates of earlier months, or the same days of the week."""


def period_before(
    since: datetime, until: datetime, by: Comparison, zone: str
) -> tuple[datetime, datetime]:
    """The same range earlier, in the zone's local time, by the fewest months or weeks.

    It ends where the range begins, or before. A date that a month lacks is its last day.
    InvalidInput if it would begin before the year 1.
    """
    clocks = ZoneInfo(zone)
    try:
        first, last = (at.astimezone(clocks).replace(tzinfo=None, fold=0) for at in (since, until))
        if by == "weekdays":
            weeks = max(1, -((first - last) // timedelta(weeks=1)))
            back = timedelta(weeks=weeks)
            return first_moment(first - back, clocks), first_moment(last - back, clocks)
        months = 1
        while _months_before(last, months) > first:
            months += max(1, (_months_before(last, months) - first).days // 31)
        moved = (_months_before(at, months) for at in (first, last))
        start, end = (first_moment(at, clocks) for at in moved)
    except (OverflowError, ValueError) as error:
        detail = "The period before goes beyond the calendar, which has the years 1 to 9999."
        raise InvalidInput.at("/compare", "bad_range", detail) from error
    return start, end


def _months_before(at: datetime, months: int) -> datetime:
    """The same date that many months earlier, or the last day of that month."""
    year, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return at.replace(year=year, month=month + 1, day=min(at.day, last_day))
