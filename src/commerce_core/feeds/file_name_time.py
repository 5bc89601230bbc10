"""Snapshots: the moment whose state a file shows, as the file's own name tells it.

    catalog-{YYYY}{MM}{DD}-{hh}{mm}.csv      in the partner's time zone
    *_{YYYY}-{MM}-{DD}T{hh}-{mm}-{ss}{zone}.jsonl
    products_export_{unix}.csv

A pattern is plain text with parts in braces, and `*` for any text. It is no regular expression, so
no name can keep it busy; what it is matched with is made here of parts that can't go wrong.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from commerce_core.base.errors import Fault

LONGEST_PATTERN: Final = 200
MOST_STARS: Final = 2
_PARTS: Final[Mapping[str, str]] = {
    "YYYY": "[0-9]{4}",
    "YY": "[0-9]{2}",
    "MM": "[0-9]{2}",
    "DD": "[0-9]{2}",
    "hh": "[0-9]{2}",
    "mm": "[0-9]{2}",
    "ss": "[0-9]{2}",
    "unix": "[0-9]{10}(?:[0-9]{3})?",
    "zone": "[Zz]|[+-][0-9]{2}:?[0-9]{2}",
}
_TOKEN: Final = re.compile(r"\{([^{}]*)\}|([{}])|(\*+)|([^{}*]+)", re.DOTALL)
_PACKED: Final = re.compile(r"(.+)\.(?:gz|zip)", re.IGNORECASE | re.DOTALL)
_SECONDS_DIGITS: Final = 10
_CENTURY: Final = "20"


def pattern_fault(pattern: str) -> Fault | None:
    """What is wrong with a pattern, if anything."""
    told = _what_is_wrong(pattern)
    return Fault("/snapshot_pattern", "bad_pattern", told) if told else None


def _what_is_wrong(pattern: str) -> str | None:
    tokens = _TOKEN.findall(pattern)
    names = [part for part, *_ in tokens if part]
    unknown = next((name for name in names if name not in _PARTS), None)
    if not 1 <= len(pattern) <= LONGEST_PATTERN or not pattern.isprintable():
        return f"A pattern has 1 to {LONGEST_PATTERN} characters that can be printed."
    if unknown is not None:
        return f"There is no part {{{unknown[:20]}}}; there are {_told(_PARTS)}."
    if any(brace for _, brace, *_ in tokens) or "{}" in pattern:
        return "A brace stands alone."
    if len(set(names)) < len(names):
        return "A part may be there once."
    if sum(bool(stars) for *_, stars, _ in tokens) > MOST_STARS:
        return f"There are at most {MOST_STARS} stars."
    return None if _tells_a_moment(set(names)) else _WANTED


_WANTED: Final = (
    "It has to tell a day, by {YYYY} (or {YY}), {MM} and {DD}, and then as much of {hh}, {mm} and "
    "{ss} as there is, in this order of size; or {unix} alone."
)


def _tells_a_moment(names: set[str]) -> bool:
    """Whether the parts make a day, and a time of it without a gap; or the seconds since 1970."""
    if "unix" in names:
        return names == {"unix"}
    year = names & {"YYYY", "YY"}
    units = [unit in names for unit in ("MM", "DD", "hh", "mm", "ss")]
    gapless = units == sorted(units, reverse=True)
    return len(year) == 1 and {"MM", "DD"} <= names and gapless


def _told(parts: Mapping[str, str]) -> str:
    return ", ".join(f"{{{name}}}" for name in parts)


def moment_named(pattern: str, file_name: str, time_zone: str) -> datetime | None:
    """The moment that the file's name tells, in UTC; None where it doesn't fit or can't be.

    What stands there is local time of the zone, unless a `{zone}` stands beside it. A time that the
    clocks pass twice is the first of the two. An ending .gz or .zip may be there or not.
    """
    expression = _compiled(pattern)
    packed = _PACKED.fullmatch(file_name)
    matched = expression.fullmatch(file_name) or (packed and expression.fullmatch(packed[1]))
    if not matched:
        return None
    try:
        return _moment(matched.groupdict(), ZoneInfo(time_zone))
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(
        "".join(
            f"(?P<{part}>{_PARTS[part]})" if part else ".*?" if stars else re.escape(text)
            for part, _, stars, text in _TOKEN.findall(pattern)
        ),
        re.DOTALL | re.IGNORECASE,
    )


def _moment(said: Mapping[str, str], zone: tzinfo) -> datetime:
    """The moment of these parts; ValueError where there is no such day or time."""
    if digits := said.get("unix"):
        seconds, beyond = digits[:_SECONDS_DIGITS], digits[_SECONDS_DIGITS:] or "0"
        return datetime.fromtimestamp(int(seconds), UTC) + timedelta(milliseconds=int(beyond))
    year = said.get("YYYY") or _CENTURY + said["YY"]
    smaller = (int(said.get(unit) or 0) for unit in ("MM", "DD", "hh", "mm", "ss"))
    if offset := said.get("zone"):
        zone = _offset(offset)
    return datetime(int(year), *smaller, tzinfo=zone).astimezone(UTC)


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-size if text[0] == "-" else size)
