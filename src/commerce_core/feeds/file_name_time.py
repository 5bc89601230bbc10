"""File name times: the moment whose state a file shows, read from its name.

    catalog-{YYYY}{MM}{DD}-{hh}{mm}.csv      in the partner's time zone
    *_{YYYY}-{MM}-{DD}T{hh}-{mm}-{ss}{zone}.jsonl
    products_export_{unix}.csv

A pattern is plain text with parts in braces, and `*` for any text. It isn't a regular expression,
so no file name can keep it busy; the expression that matches it is made here of harmless parts.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from commerce_core.base.errors import Fault

LONGEST_PATTERN: Final = 200
FUTURE_ALLOWED: Final = timedelta(days=1)
"""How far in the future a snapshot may be, since clocks and time zones differ."""
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
    detail = _what_is_wrong(pattern)
    return Fault("/snapshot_pattern", "bad_pattern", detail) if detail else None


def _what_is_wrong(pattern: str) -> str | None:
    tokens = _TOKEN.findall(pattern)
    names = [part for part, *_ in tokens if part]
    unknown = next((name for name in names if name not in _PARTS), None)
    if not 1 <= len(pattern) <= LONGEST_PATTERN or not pattern.isprintable():
        return f"Use 1 to {LONGEST_PATTERN} printable characters."
    if unknown is not None:
        return f"There is no part {{{unknown[:20]}}}. Use any of: {_listed(_PARTS)}."
    if any(brace for _, brace, *_ in tokens) or "{}" in pattern:
        return "Close every brace, and put a part in it."
    if len(set(names)) < len(names):
        return "Use each part only once."
    if sum(bool(stars) for *_, stars, _ in tokens) > MOST_STARS:
        return f"Use at most {MOST_STARS} stars."
    return None if _make_a_moment(set(names)) else _WANTED


_WANTED: Final = (
    "Name a day by {YYYY} or {YY}, {MM} and {DD}, then optionally a time by {hh}, {mm} and {ss}, "
    "without leaving out a larger unit; or use {unix} alone."
)


def _make_a_moment(names: set[str]) -> bool:
    """Whether the parts make a day and a time without gaps, or the seconds since 1970."""
    if "unix" in names:
        return names == {"unix"}
    year = names & {"YYYY", "YY"}
    units = [unit in names for unit in ("MM", "DD", "hh", "mm", "ss")]
    gapless = units == sorted(units, reverse=True)
    return len(year) == 1 and {"MM", "DD"} <= names and gapless


def _listed(parts: Mapping[str, str]) -> str:
    return ", ".join(f"{{{name}}}" for name in parts)


def moment_named(pattern: str, file_name: str, time_zone: str) -> datetime | None:
    """The moment in a file's name, in UTC; None if the name doesn't match or no such time exists.

    The time is local to the zone, unless the pattern has a `{zone}`. A time that the clocks show
    twice is the first of the two. An ending .gz or .zip is optional.
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


def _moment(parts: Mapping[str, str], zone: tzinfo) -> datetime:
    """The moment of these parts; ValueError if there is no such day or time."""
    if digits := parts.get("unix"):
        seconds, beyond = digits[:_SECONDS_DIGITS], digits[_SECONDS_DIGITS:] or "0"
        return datetime.fromtimestamp(int(seconds), UTC) + timedelta(milliseconds=int(beyond))
    year = parts.get("YYYY") or _CENTURY + parts["YY"]
    smaller = (int(parts.get(unit) or 0) for unit in ("MM", "DD", "hh", "mm", "ss"))
    if offset := parts.get("zone"):
        zone = _offset(offset)
    return datetime(int(year), *smaller, tzinfo=zone).astimezone(UTC)


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-size if text[0] == "-" else size)
