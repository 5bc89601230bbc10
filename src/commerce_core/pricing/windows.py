"""Windows: when a rule applies, in the local time of a zone that belongs to the rule.

`from` is included and `until` is not; a day as an end is the end of that day. Where the clocks skip
a local time, the first moment after it stands for it. Where they show one twice, a window begins
at the first of the two and ends at the last, so every hour of a long day counts.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from attrs import field, frozen

from commerce_core.base.calendar import WEEKDAYS, Weekday, clock_changes, first_moment, last_moment

_DAY: Final = timedelta(days=1)


@frozen
class Hours:
    """Hours of a day, `until` excluded. Those that pass midnight belong to the day before it."""

    from_: time
    until: time


@frozen
class Window:
    """A condition on the moment: local times in the IANA zone `tz`, week days, hours of the day."""

    tz: str
    from_: datetime | date | None = None
    until: datetime | date | None = None
    days: tuple[Weekday, ...] = ()
    hours: Hours | None = None

    begins: datetime | None = field(init=False, eq=False, repr=False)
    """The first moment; None without a beginning."""
    ends: datetime | None = field(init=False, eq=False, repr=False)
    """The first moment after it; None without an end."""

    def __attrs_post_init__(self) -> None:
        """Finds both moments once, since every price at a time asks for them."""
        clocks = ZoneInfo(self.tz)
        begins = None if self.from_ is None else first_moment(_local(self.from_), clocks)
        object.__setattr__(self, "begins", begins)
        object.__setattr__(self, "ends", None if self.until is None else _end(self.until, clocks))

    def contains(self, at: datetime) -> bool:
        """Whether the moment lies within it."""
        begins, ends = self.begins, self.ends
        if (begins is not None and at < begins) or (ends is not None and at >= ends):
            return False
        if not (self.days or self.hours):
            return True
        return self._shown(at.astimezone(ZoneInfo(self.tz)))

    def _shown(self, local: datetime) -> bool:
        """Whether week days and hours fit what a clock shows."""
        day = local.date()
        if self.hours is not None:
            now, starts, stops = local.time(), self.hours.from_, self.hours.until
            overnight = starts >= stops
            if not (now >= starts or now < stops if overnight else starts <= now < stops):
                return False
            if overnight and now < stops:
                day -= _DAY
        return not self.days or WEEKDAYS[day.weekday()] in self.days

    def next_change(self, at: datetime) -> datetime | None:
        """The next moment from which it differs from now: it begins, or it is over."""
        now = self.contains(at)
        later = (change for change in sorted(set(self._changes(at))) if change > at)
        return next((change for change in later if self.contains(change) != now), None)

    def _changes(self, at: datetime) -> Iterator[datetime]:
        """Every moment up to the next week at which it may begin or end, and its own two ends."""
        bounds = [bound for bound in (self.begins, self.ends) if bound is not None]
        yield from bounds
        if not (self.days or self.hours):
            return
        clocks = ZoneInfo(self.tz)
        start = max(at, bounds[0]) if self.from_ is not None else at
        first = start.astimezone(clocks).date()
        for number in range(-1, 9):
            yield from self._changes_of(first + number * _DAY, clocks)

    def changes(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Every moment within that range at which it may begin or end, in any order."""
        moments = [bound for bound in (self.begins, self.ends) if bound is not None]
        if self.days or self.hours:
            clocks = ZoneInfo(self.tz)
            first = max([since, *moments[:1]] if self.from_ is not None else [since])
            last = min([until, *moments[-1:]] if self.until is not None else [until])
            day = first.astimezone(clocks).date() - _DAY
            while day <= last.astimezone(clocks).date() + _DAY:
                moments += self._changes_of(day, clocks)
                day += _DAY
        return (moment for moment in moments if since <= moment <= until)

    def _changes_of(self, day: date, clocks: ZoneInfo) -> Iterator[datetime]:
        """Every moment of a local day at which week days or hours may begin or end to fit."""
        midnight = datetime.combine(day, time())
        begins, ends = (first_moment(midnight + n * _DAY, clocks) for n in (0, 1))
        yield begins
        yield from clock_changes(begins, ends, clocks)
        for hour in (self.hours.from_, self.hours.until) if self.hours else ():
            shown = datetime.combine(day, hour)
            yield from (first_moment(shown, clocks), last_moment(shown, clocks))


def _end(until: datetime | date, clocks: ZoneInfo) -> datetime:
    """The first moment after a window."""
    if isinstance(until, datetime):
        return last_moment(until, clocks)
    return first_moment(_local(until + _DAY), clocks)


def _local(bound: datetime | date) -> datetime:
    return bound if isinstance(bound, datetime) else datetime.combine(bound, time())
