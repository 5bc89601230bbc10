"""Durations, as they are written: ISO 8601 from weeks down to seconds, such as `P3D` or `PT90M`."""

import re
from datetime import timedelta
from typing import Final

_DURATION: Final = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,3})W)?(?:([0-9]{1,4})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,5})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,9})S)?)?",
    re.ASCII,
)
_UNITS: Final = ("weeks", "days", "hours", "minutes", "seconds")
_MINUTE: Final = 60
_HOUR: Final = 3600


def read_duration(text: str) -> timedelta | None:
    """The duration that is written like this; None if it isn't one. A day has 24 hours."""
    matched = _DURATION.fullmatch(text)
    if matched is None:
        return None
    return timedelta(
        **{unit: int(n or 0) for unit, n in zip(_UNITS, matched.groups(), strict=True)}
    )


def duration_text(duration: timedelta) -> str:
    """A duration of 0 or more in whole seconds, written with days, hours, minutes and seconds."""
    hours, rest = divmod(duration.seconds, _HOUR)
    minutes, seconds = divmod(rest, _MINUTE)
    days = f"{duration.days}D" if duration.days else ""
    parts = zip((hours, minutes, seconds), "HMS", strict=True)
    time = "".join(f"{number}{unit}" for number, unit in parts if number)
    return f"P{days}{'T' if time or not days else ''}{time or ('' if days else '0S')}"


def duration_words(duration: timedelta) -> str:
    """The same for a person to read, in its two largest units: `3 days 2 hours`."""
    total = int(duration.total_seconds())
    sizes = (("day", 24 * _HOUR), ("hour", _HOUR), ("minute", _MINUTE), ("second", 1))
    words: list[str] = []
    for name, size in sizes:
        number, total = divmod(total, size)
        if number:
            words.append(f"{number} {name}{'s' if number != 1 else ''}")
        elif words:
            break
    return " ".join(words[:2]) or "0 seconds"
