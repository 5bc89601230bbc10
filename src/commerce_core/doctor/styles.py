"""Styles: how numbers and dates are written, and whether that is ambiguous."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from attrs import frozen

from commerce_core.base.text import BLANKS
from commerce_core.profiles.profile import DecimalMark

_SPACES: Final = " \u00a0\u202f\u2009'\u2019"
_LONGEST: Final = 48
_AMOUNT: Final = re.compile(
    rf"([^0-9]{{0,14}}?)([+-]?[.,]?[0-9](?:[0-9.,{_SPACES}]*[0-9])?)(?:[.,][-\u2013\u2014])?([^0-9]{{0,14}})"
)
_SHAPES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern, re.ASCII))
    for name, pattern in (
        ("whole", r"[0-9]+"),
        ("point3", r"[1-9][0-9]{0,2}\.[0-9]{3}"),
        ("comma3", r"[1-9][0-9]{0,2},[0-9]{3}"),
        ("point", r"[0-9]*\.[0-9]+"),
        ("comma", r"[0-9]*,[0-9]+"),
        ("point_groups", r"[0-9]{1,3}(?:\.[0-9]{3}){2,}"),
        ("comma_groups", r"[0-9]{1,3}(?:,[0-9]{2,3})+,[0-9]{3}"),
        ("comma_point", r"[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}\.[0-9]+"),
        ("point_comma", r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+"),
    )
)
_SPEAKS_FOR: Final[Mapping[str, DecimalMark]] = {
    "point": ".", "comma_groups": ".", "comma_point": ".",
    "comma": ",", "point_groups": ",", "point_comma": ",",
}  # fmt: skip
_STYLE_NAMES: Final[Mapping[str, str]] = {
    "whole": "whole numbers",
    "spaced": "thousands separated by blanks",
    "point": "decimal point",
    "comma": "decimal comma",
    "point3": "a point before three digits",
    "comma3": "a comma before three digits",
    "point_groups": "thousands separated by points",
    "comma_groups": "thousands separated by commas",
    "comma_point": "thousands separated by commas, decimal point",
    "point_comma": "thousands separated by points, decimal comma",
}
_GROUPED: Final = re.compile(rf"[{_SPACES}]")
_DATE: Final = re.compile(
    r"([0-9]{1,4})([./-])([0-9]{1,2})\2([0-9]{1,4})"
    r"(?:([ T,]{1,2})([0-9]{1,2}:[0-9]{2})(:[0-9]{2})?)?",
    re.ASCII,
)
_YEAR: Final = 4
_MONTHS: Final = 12


@frozen
class Written:
    """A cell with one number: its shape, its digits, and the words around it."""

    shape: str
    number: str
    words: str


def written(text: str) -> Written | None:
    """The number in a cell and the words around it; None unless there is exactly one number."""
    matched = _AMOUNT.fullmatch(text) if len(text) <= _LONGEST else None
    if matched is None or (matched[2][0] == "-" and matched[1][-1:].isalpha()):
        return None
    number = matched[2].lstrip("+-")
    words = f"{matched[1].strip(BLANKS)} {matched[3].strip(BLANKS)}".strip()
    closed = _GROUPED.sub("", number)
    shape = next((name for name, pattern in _SHAPES if pattern.fullmatch(closed)), "other")
    if closed != number and shape == "whole":
        shape = "spaced"
    return Written(shape, number, words)


def decimal_marks(shapes: Mapping[str, int]) -> dict[DecimalMark, int]:
    """How many cells can only be read with each decimal mark."""
    marks: dict[DecimalMark, int] = {}
    for shape, mark in _SPEAKS_FOR.items():
        if count := shapes.get(shape, 0):
            marks[mark] = marks.get(mark, 0) + count
    return marks


def is_ambiguous(shapes: Mapping[str, int]) -> bool:
    """Whether the numbers can be read in two ways, a thousand times apart, and none decides."""
    return bool(shapes.get("point3") or shapes.get("comma3")) and not decimal_marks(shapes)


def wants_mark(shapes: Mapping[str, int]) -> DecimalMark | None:
    """The decimal mark to declare, if all cells agree and reading depends on it."""
    marks = decimal_marks(shapes)
    if len(marks) != 1:
        return None
    mark = next(iter(marks))
    groups = ("comma3", "comma_groups", "comma_point")
    return mark if mark == "," or any(shapes.get(shape) for shape in groups) else None


def style_of(shapes: Mapping[str, int]) -> str:
    """The number style of a column in words: `thousands separated by points, decimal comma`."""
    usual = Counter({shape: count for shape, count in shapes.items() if shape != "other"})
    names = [_STYLE_NAMES[shape] for shape, _ in usual.most_common(3)]
    return "; ".join(names)


@frozen
class Day:
    """A cell with a date, and the profile formats that fit it: two if its day could be a month."""

    formats: tuple[str, ...]


def day_of(text: str) -> Day | None:
    """The formats in which a cell can be a date; None if it can't be one."""
    matched = _DATE.fullmatch(text) if len(text) <= _LONGEST else None
    if matched is None:
        return None
    first, mark, middle, last, gap, time, seconds = matched.groups()
    clock = f"{gap}hh:mm{':ss' if seconds else ''}" if time else ""
    formats = tuple(f"{made}{clock}" for made in _orders(first, middle, last, mark))
    return Day(formats) if formats else None


def _orders(first: str, middle: str, last: str, mark: str) -> Iterator[str]:
    day_or_month = (int(first), int(middle))
    if len(first) == _YEAR and int(middle) <= _MONTHS and len(last) <= len("31"):
        yield f"YYYY{mark}MM{mark}DD"
    elif len(last) == _YEAR and len(first) <= len("31"):
        if day_or_month[1] <= _MONTHS:
            yield f"DD{mark}MM{mark}YYYY"
        if day_or_month[0] <= _MONTHS:
            yield f"MM{mark}DD{mark}YYYY"
