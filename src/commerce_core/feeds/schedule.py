"""Schedules: when a source is fetched, as five fields of cron in the time of a zone.

Each local minute that fits is one tick. A minute that a change of the clock skips becomes the first
instant after the gap; a minute that occurs twice is a tick the first time only.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from attrs import Factory, field, frozen

from commerce_core.base.calendar import find_zone
from commerce_core.base.errors import InvalidInput

LONGEST_CRON: Final = 200
LONGEST_ZONE: Final = 64
_LONGEST_FOLD: Final = timedelta(hours=3)
_FARTHEST: Final = timedelta(days=366 * 5)
"""How far the next tick may be: the 29th of February, of a given weekday or not."""
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DIGITS: Final = 2
_FIELDS: Final[Sequence[tuple[str, int, int, Sequence[str]]]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)


@frozen
class Schedule:
    """A schedule; InvalidInput if it isn't one, or never fits."""

    cron: str
    time_zone: str = "UTC"
    _parts: Sequence[frozenset[int]] = field(
        default=Factory(lambda self: _parsed(self.cron), takes_self=True),
        init=False,
        repr=False,
        eq=False,
    )
    _zone: ZoneInfo = field(
        default=Factory(lambda self: zone_of(self.time_zone), takes_self=True),
        init=False,
        repr=False,
        eq=False,
    )

    def __attrs_post_init__(self) -> None:
        """Checks that it fits some day."""
        if next(self.after(datetime(2023, 1, 1, tzinfo=UTC)), None) is None:
            raise _bad_cron("no day fits")

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The ticks after that moment, in UTC and in order, for as long as one is near enough."""
        local = moment.astimezone(self._zone).replace(tzinfo=None, second=0, microsecond=0)
        last = moment
        for minute in self._minutes(local - _LONGEST_FOLD):
            tick = self._instant(minute)
            if tick > last:
                last = tick
                yield tick

    def _minutes(self, local: datetime) -> Iterator[datetime]:
        """The local minutes that fit, from that one on."""
        minutes, hours, *_ = map(sorted, self._parts)
        day, found = local.replace(hour=0, minute=0), local
        while day - found < _FARTHEST:
            if self._fits_day(day):
                for hour in hours:
                    for minute in minutes:
                        at = day.replace(hour=hour, minute=minute)
                        if at >= local:
                            found = at
                            yield at
            day += timedelta(days=1)

    def _fits_day(self, day: datetime) -> bool:
        """Whether the date fits: if both days are restricted, either suffices, as in cron."""
        _, _, days, months, weekdays = self._parts
        if day.month not in months:
            return False
        by_day, by_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        _, _, day_text, _, weekday_text = self.cron.split()
        both = not day_text.startswith("*") and not weekday_text.startswith("*")
        return by_day or by_weekday if both else by_day and by_weekday

    def _instant(self, local: datetime) -> datetime:
        """The instant of a local minute: the first such, or the end of the gap it lies in."""
        first = local.replace(tzinfo=self._zone).astimezone(UTC)
        if first.astimezone(self._zone).replace(tzinfo=None) == local:
            return first
        # In a gap: fold 1 counts with the offset after it, and so lies before the change.
        before = local.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        old = before.astimezone(self._zone).utcoffset()
        low, high = before, first
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            is_old = middle.astimezone(self._zone).utcoffset() == old
            low, high = (middle, high) if is_old else (low, middle)
        return high.replace(microsecond=0)


def _parsed(cron: str) -> Sequence[frozenset[int]]:
    texts = cron.split()
    if len(texts) != len(_FIELDS) or len(cron) > LONGEST_CRON:
        raise _bad_cron("it has five fields: minute, hour, day, month, day of the week")
    *others, weekdays = [_numbers(text, *of) for text, of in zip(texts, _FIELDS, strict=True)]
    return (*others, frozenset(day % 7 for day in weekdays))


def zone_of(name: str, pointer: str = "/time_zone") -> ZoneInfo:
    """The zone with that name; InvalidInput, at the pointer, if there is none."""
    found = find_zone(name) if len(name) <= LONGEST_ZONE else None
    if found is None:
        detail = "Use the name of a time zone, such as Europe/Berlin."
        raise InvalidInput.at(pointer, "bad_time_zone", detail)
    return found


def _numbers(text: str, name: str, least: int, most: int, words: Sequence[str]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, name, 1, most, ()) if slash else 1
        low, dash, high = span.partition("-")
        if span == "*":
            first, last = least, most
        else:
            first = _number(low, name, least, most, words)
            last = _number(high, name, least, most, words) if dash else (most if slash else first)
        if first > last:
            raise _bad_cron(f"in {name}, {span} ends before it begins")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, name: str, least: int, most: int, words: Sequence[str]) -> int:
    if text in words:
        return words.index(text) + least
    if not (
        text.isascii() and text.isdecimal() and len(text) <= _DIGITS and least <= int(text) <= most
    ):
        raise _bad_cron(f"{name} is {text[:20]!r}, but takes {least} to {most}")
    return int(text)


def _bad_cron(why: str) -> InvalidInput:
    detail = f"That isn't a schedule of cron: {why}. Example: 30 6 * * mon-fri."
    return InvalidInput.at("/cron", "bad_cron", detail)
