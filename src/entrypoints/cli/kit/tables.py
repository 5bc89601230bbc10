"""Tables as lines of text: the width of each column, and what is cut or wrapped."""

import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import Final, Generic, TypeVar

from attrs import frozen

T = TypeVar("T")

_GAP: Final = "  "
_ROWS_MEASURED: Final = 500
"""Without a limit, columns are as wide as these first rows need; later cells may be wider."""
_LEAST_CROPPED: Final = 8
_LEAST_WRAPPED: Final = 10
_JOINERS: Final = "\u200c\u200d"


@frozen
class Column(Generic[T]):
    """A column of a table: its title, and the text of its cell in a row.

    Where the width is limited, a column that `crops` is cut at `most` characters and then narrowed
    as needed; one that `wraps` breaks its lines, and is narrowed first while wider than `most`; and
    one with a `from_width` is shown only if the table may be at least that wide.
    """

    title: str
    text: Callable[[T], str]
    right: bool = False
    crops: bool = False
    wraps: bool = False
    most: int = 60
    from_width: int = 0


def whole(rows: Iterable[T], columns: Sequence[Column[T]]) -> Iterator[str]:
    """The titles and a line for each row, never cut; rows are consumed lazily."""
    cells = _cells(rows, columns)
    measured = [_titles(columns), *islice(cells, _ROWS_MEASURED)]
    widths = [max(map(text_width, column)) for column in zip(*measured, strict=True)]
    for line in chain(measured, cells):
        yield _line(line, widths, columns)


def fitted(
    rows: Iterable[T], columns: Sequence[Column[T]], width: int
) -> tuple[str, str, list[str]]:
    """Titles, a rule, and the lines of all rows, at most `width` columns wide if possible."""
    columns = [column for column in columns if column.from_width <= width]
    cells = list(_cells(rows, columns))
    titles = _titles(columns)
    widths = _widths([titles, *cells], columns, width)
    lines = [
        _line(line, widths, columns) for row in cells for line in _wrapped(row, widths, columns)
    ]
    rule = "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    return _line(titles, widths, columns), rule, lines


def _titles(columns: Sequence[Column[T]]) -> list[str]:
    return [column.title for column in columns]


def _cells(rows: Iterable[T], columns: Sequence[Column[T]]) -> Iterator[list[str]]:
    return ([tidy(column.text(row)) for column in columns] for row in rows)


def _widths(cells: Sequence[Sequence[str]], columns: Sequence[Column[T]], width: int) -> list[int]:
    """The widths that the cells need; if that is too much, the widest narrowable ones shrink."""
    widths = [max(map(text_width, column)) for column in zip(*cells, strict=True)]
    least = [_least(column, needed) for column, needed in zip(columns, widths, strict=True)]
    for index, column in enumerate(columns):
        if column.crops:
            widths[index] = min(widths[index], max(column.most, len(column.title)))
    available = width - len(_GAP) * (len(columns) - 1)
    while sum(widths) > available:
        narrowable = [index for index, now in enumerate(widths) if now > least[index]]
        if not narrowable:
            break
        widest = max(narrowable, key=lambda at: (widths[at] > columns[at].most, widths[at]))
        widths[widest] -= 1
    return widths


def _least(column: Column[T], needed: int) -> int:
    if column.wraps:
        return _LEAST_WRAPPED
    return _LEAST_CROPPED if column.crops else needed


def _wrapped(
    row: Sequence[str], widths: Sequence[int], columns: Sequence[Column[T]]
) -> Iterator[list[str]]:
    """The lines of one row: cells that wrap continue below, the others are cut."""
    cells = [
        textwrap.wrap(text, width, break_on_hyphens=False) or [""]
        if column.wraps
        else [_cut(text, width)]
        for text, width, column in zip(row, widths, columns, strict=True)
    ]
    return (list(line) for line in zip_longest(*cells, fillvalue=""))


def _cut(text: str, width: int) -> str:
    if text_width(text) <= width:
        return text
    kept = text[:width]
    while text_width(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept}…"


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column[T]]) -> str:
    padded = zip(cells, widths, columns, strict=True)
    return _GAP.join(_padded(text, width, right=c.right) for text, width, c in padded).rstrip()


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - text_width(text))
    return blanks + text if right else text + blanks


def tidy(text: str) -> str:
    """The text without control characters that could move the cursor or hide text.

    Partners wrote it, so it can't be trusted.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else " " for c in text)


def text_width(text: str) -> int:
    """The width of the text, in columns of a terminal."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 or c in _JOINERS for c in text)
