"""How values are written on pages: amounts, counts, times, sizes, and names from elsewhere."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from commerce_core.feeds.guards import GuardName, SettingName
from commerce_core.feeds.place import SourceKind

LONGEST_NAME: Final = 80
"""Characters of a name from a feed that a page shows; its title has more."""
LONGEST_TITLE: Final = 500
LONGEST_RECORD: Final = 2_000
_UNITS: Final = (
    (31_536_000, "y"), (2_592_000, "mo"), (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"),
)  # fmt: skip
_SIZES: Final = ("B", "kB", "MB", "GB", "TB")
_THOUSAND: Final = 1000
_TEN: Final = 10


def count(number: int | None) -> str:
    """A number of things, with separators; a dash if it isn't known."""
    return "\u2013" if number is None else f"{number:,}"


def amount(value: Decimal | None, currency: str | None = None) -> str:
    """An amount with its currency; a dash if there is none."""
    if value is None:
        return "\u2013"
    return f"{value:,f} {currency}" if currency else f"{value:,f}"


def size(number: int) -> str:
    """A size in bytes."""
    value = float(number)
    for unit in _SIZES:
        if value < _THOUSAND or unit == _SIZES[-1]:
            return f"{value:.0f} {unit}" if unit == "B" or value >= _TEN else f"{value:.1f} {unit}"
        value /= _THOUSAND
    raise AssertionError("the last unit takes any size")


def seconds(number: float | None) -> str:
    """A duration."""
    if number is None:
        return "\u2013"
    if number < 1:
        return f"{number * 1000:.0f} ms"
    if number < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{number:.1f} s"
    return f"{number // 60:.0f} min {number % 60:.0f} s"


def stamp(at: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return "\u2013" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def guard_limit(value: int | bool | None, setting: SettingName) -> str:  # noqa: FBT001 - a setting
    """A setting of guards with its unit."""
    if value is None or value is False:
        return "off"
    if value is True:
        return "on"
    match setting:
        case "removals" | "file_size" | "rekeyed" | "price_median" | "out_of_stock":
            return f"{value:,} %"
        case "price_leap":
            return f"{value:,} times"
        case "judged_from":
            return f"{value:,} products"
        case "columns_gone" | "truncated":
            return f"{value:,}"


def guard_figure(value: Decimal, guard: GuardName) -> str:
    """What a guard saw, or allows, with its unit."""
    match guard:
        case "removals" | "file_size" | "rekeyed" | "price_median" | "out_of_stock":
            return f"{value:f} %"
        case "price_leap":
            return f"{value:f} price{'' if value == 1 else 's'}"
        case "columns_gone":
            return f"{value:f} column{'' if value == 1 else 's'}"
        case "truncated":
            return f"{value:f}"


def arrival(kind: SourceKind) -> str:
    """How a source's files come."""
    match kind:
        case "push":
            return "files are uploaded"
        case "https":
            return "fetched by HTTPS"
        case "sftp":
            return "fetched by SFTP"
        case "s3":
            return "fetched from S3"


def local_day(at: datetime, zone: str) -> str:
    """The day of a time in a zone."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d}"


def when(at: datetime | None, now: datetime) -> Markup:
    """A time as its distance from now, with the time itself in its title."""
    if at is None:
        return Markup("\u2013")
    gone = (now - at).total_seconds()
    text = f"{_distance(abs(gone))} ago" if gone >= 0 else f"in {_distance(-gone)}"
    return _timed(at, "just now" if abs(gone) < _TEN else text)


def age(at: datetime | None, now: datetime) -> Markup:
    """How long something has been so, with the time since which it is in its title."""
    if at is None:
        return Markup("\u2013")
    return _timed(at, _distance(abs((now - at).total_seconds())))


def _timed(at: datetime, text: str) -> Markup:
    title = stamp(at)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), title, text
    )


def _distance(gone: float) -> str:
    for length, unit in _UNITS:
        if gone >= length:
            return f"{gone // length:.0f} {unit}"
    return "0 s"


def name(text: object, most: int = LONGEST_NAME) -> Markup:
    """A text from elsewhere: cut, with its direction kept to itself, and the whole in its title."""
    whole = visible(str(text))
    if len(whole) <= most:
        return Markup("<bdi>{}</bdi>").format(whole)
    return Markup('<bdi title="{}">{}\u2026</bdi>').format(
        whole[:LONGEST_TITLE], whole[: most - 1].rstrip()
    )


def visible(text: str) -> str:
    """The text with what can't be seen, or changes the direction, replaced by a sign."""
    return "".join(
        character if character in "\t " or not _is_unseen(character) else "\ufffd"
        for character in text
    )


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")


def words(code: object) -> str:
    """A code as words: `not_a_number` as `not a number`."""
    return str(code).replace("_", " ")


def value(content: Any) -> Markup:  # noqa: ANN401 - a value of any field
    """A value of a product: text, number, time, list or mapping; a dash if there is none."""
    match content:
        case None:
            return Markup('<span class="none">\u2013</span>')
        case bool():
            return escape("yes" if content else "no")
        case datetime():
            return escape(stamp(content))
        case Decimal():
            return escape(f"{content:f}")
        case tuple() | list():
            return name(", ".join(map(str, cast("Sequence[Any]", content))), 200)
        case dict():
            pairs = cast("dict[str, Any]", content).items()
            return name("; ".join(f"{key}: {text}" for key, text in pairs), 200)
        case _:
            return name(content, 200)


def marks(record: str, values: Sequence[str | None]) -> Markup:
    """A record as it was received, with the first place of each of these values marked."""
    places: list[tuple[int, int]] = []
    for wanted in values:
        at = record.find(wanted) if wanted else -1
        if (
            wanted
            and at >= 0
            and not any(at < end and start < at + len(wanted) for start, end in places)
        ):
            places.append((at, at + len(wanted)))
    made, done = Markup(), 0
    for start, end in sorted(places):
        made += Markup("{}<mark>{}</mark>").format(
            visible(record[done:start]), visible(record[start:end])
        )
        done = end
    return made + escape(visible(record[done : done + LONGEST_RECORD]))


def none_or_text(flag: bool | None) -> str | None:  # noqa: FBT001 - a value of a filter
    """A yes or no as the value of a choice."""
    return None if flag is None else str(flag).lower()
