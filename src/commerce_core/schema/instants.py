"""Moments as partners write them: ISO 8601, in its extended and its basic form.

A day is a calendar date (`2030-01-31`, `20300131`), an ordinal one (`2030-031`) or one of a week
(`2030-W05-4`, `2030W054`). A time may follow after `T` or a blank, down to parts of a second after
a point or comma; 24:00 is the end of its day. An offset may follow the time: `Z`, `+01`, `+0100` or
`+01:00`.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

INSTANT: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}|[0-9]{4}-[0-9]{3}"
    r"|[0-9]{4}-W[0-9]{2}-[1-7]|[0-9]{4}W[0-9]{2}[1-7])"
    r"(?:[Tt ](?P<hour>[01][0-9]|2[0-4])"
    r"(?::?(?P<minute>[0-5][0-9])(?::?(?P<second>[0-5][0-9])(?:[.,](?P<part>[0-9]{1,40}))?)?)?"
    r"(?P<offset> ?(?:[Zz]|UTC|GMT|[+\-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?))?)?",
    re.ASCII,
)
_ONE_DAY: Final = timedelta(days=1)
_MICROSECOND_DIGITS: Final = 6
_MIDNIGHT: Final = 24


def read_instant(text: str, zone: tzinfo, *, ends: bool = False) -> datetime | None:
    """The moment that a text is, in UTC; None if it isn't written as one.

    Without an offset it is local to `zone`. A bare date is its first moment or, if something
    `ends` then, the first moment after it, so that the whole day is included. Digits after the
    microseconds are dropped. ValueError or OverflowError if that day or time doesn't exist.
    """
    matched = INSTANT.fullmatch(text)
    if matched is None:
        return None
    day = _day(matched["day"])
    if matched["hour"] is None:
        local = datetime.combine(day + _ONE_DAY if ends else day, time())
        return local.replace(tzinfo=zone).astimezone(UTC)
    hour, minute, second = (int(matched[name] or 0) for name in ("hour", "minute", "second"))
    part = int((matched["part"] or "")[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0"))
    if hour == _MIDNIGHT:
        if minute or second or part:
            raise ValueError("24:00 is the last moment of a day")
        day, hour = day + _ONE_DAY, 0
    local = datetime.combine(day, time(hour, minute, second, part))
    offset = _offset(matched["offset"])
    return local.replace(tzinfo=zone).astimezone(UTC) if offset is None else _utc(local, offset)


def _utc(local: datetime, offset: timedelta) -> datetime:
    return (local - offset).replace(tzinfo=UTC)


def _day(text: str) -> date:
    """A day by calendar, by week, or by its number in the year."""
    digits = text.replace("-", "")
    if "W" in digits:
        return date.fromisocalendar(int(digits[:4]), int(digits[5:7]), int(digits[7]))
    year, rest = int(digits[:4]), digits[4:]
    if len(rest) == len("MMDD"):
        return date(year, int(rest[:2]), int(rest[2:]))
    day = date(year, 1, 1) + timedelta(days=int(rest) - 1)
    if day.year != year:
        raise ValueError("a year has 365 or 366 days")
    return day


def _offset(text: str | None) -> timedelta | None:
    """How far ahead of UTC the text says that it is; None without a text."""
    if text is None:
        return None
    digits = text.strip().replace(":", "")
    if digits[0] not in "+-":
        return timedelta()
    ahead = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:] or 0))
    return -ahead if digits[0] == "-" else ahead
