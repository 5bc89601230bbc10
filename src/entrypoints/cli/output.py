"""How answers look: tables on a terminal, aligned text in a pipe, JSON where it is asked for."""

import json
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import click
from attrs import frozen

from entrypoints.cli.verbs import say

if TYPE_CHECKING:
    from rich.table import Table

T = TypeVar("T")

ROWS_ON_A_TERMINAL: Final = 50
_ROWS_MEASURED: Final = 500
"""In a pipe the columns are as wide as these first rows need; later ones may stand out."""
_JOINERS: Final = "\u200c\u200d"
_THOUSAND: Final = 1000


@frozen
class Column(Generic[T]):
    """A column of a table: its title, and what it shows of a row.

    Where a table is drawn, a column that `crops` is cut at `most` and gives way to the others, one
    that `wraps` breaks its lines but not below `least`, and one with a `from_width` is only shown
    where there is so much room.
    """

    title: str
    text: Callable[[T], str]
    right: bool = False
    crops: bool = False
    wraps: bool = False
    from_width: int = 0
    least: int | None = None
    most: int = 60


class Output:
    """Where a command's answer goes, on stdout."""

    def __init__(self, *, as_json: bool) -> None:
        """Looks at what stdout is."""
        self.as_json = as_json
        self.terminal = sys.stdout.isatty() and not as_json

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return shutil.get_terminal_size().columns

    def document(self, value: object) -> None:
        """A value as one JSON document."""
        from entrypoints.shapes import shape

        self.json(shape(value))

    def json(self, shaped: object) -> None:
        """JSON, laid out for the eye on a terminal, on one line elsewhere."""
        indent = 2 if sys.stdout.isatty() else None
        click.echo(json.dumps(shaped, ensure_ascii=not _speaks_unicode(), indent=indent))

    def line(self, text: str = "") -> None:
        """A line of text, as it is."""
        click.echo(text)

    def fields(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names and values, one pair a line; pairs without a value are left out."""
        shown = [(name, tidy(value)) for name, value in pairs if value]
        widest = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            self.line(f"{click.style(name.ljust(widest), dim=True)}  {value}")

    def one(self, value: object, pairs: Callable[[], Iterable[tuple[str, str]]]) -> None:
        """One thing: as JSON, or as these fields."""
        if self.as_json:
            self.document(value)
        else:
            self.fields(pairs())

    def many(
        self, rows: Iterable[T], columns: Sequence[Column[T]], limit: int | None, none: str
    ) -> None:
        """A list; says so when it is empty, and when there is more than is shown."""
        if limit is None and self.terminal:
            limit = ROWS_ON_A_TERMINAL
        found = iter(rows)
        shown = islice(found, limit)
        if self.as_json:
            from entrypoints.shapes import shape

            for row in shown:
                click.echo(json.dumps(shape(row), ensure_ascii=not _speaks_unicode()))
        else:
            self._table(shown, columns, none)
        if limit is not None and next(found, None) is not None:
            say(f"There are more than these {limit}: say --limit, or narrow the list.")

    def _table(self, rows: Iterator[T], columns: Sequence[Column[T]], none: str) -> None:
        first = next(rows, None)
        if first is None:
            say(none)
            return
        self.table(chain([first], rows), columns)

    def table(self, rows: Iterable[T], columns: Sequence[Column[T]]) -> None:
        """A table: drawn to fit the terminal, or whole lines of aligned text."""
        if self.terminal:
            self.drawn(rows, columns, self.width)
        else:
            for line in _aligned(rows, columns):
                self.line(line)

    def drawn(
        self, rows: Iterable[T], columns: Sequence[Column[T]], width: int, indent: int = 0
    ) -> None:
        """A table that is no wider than that, `indent` columns from the left."""
        from rich.console import Console
        from rich.padding import Padding

        fitting = [column for column in columns if column.from_width <= width]
        table = _drawing(rows, fitting, ruled=self.terminal)
        console = Console(width=width, highlight=False)
        with console.capture() as captured:
            console.print(Padding(table, (0, 0, 0, indent)))
        for line in captured.get().splitlines():
            self.line(line.rstrip())


def _aligned(rows: Iterable[T], columns: Sequence[Column[T]]) -> Iterator[str]:
    """The rows as lines of plain text below their titles."""
    cells = ([tidy(column.text(row)) for column in columns] for row in rows)
    measured = list(islice(cells, _ROWS_MEASURED))
    titles = [column.title for column in columns]
    widths = [max(map(text_width, column)) for column in zip(titles, *measured, strict=True)]
    for line in chain([titles], measured, cells):
        padded = zip(line, widths, columns, strict=True)
        yield "  ".join(_padded(text, width, right=c.right) for text, width, c in padded).rstrip()


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - text_width(text))
    return blanks + text if right else text + blanks


def _drawing(rows: Iterable[T], columns: Sequence[Column[T]], *, ruled: bool) -> "Table":
    """The rows as a table that fits itself to the room there is."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=SIMPLE_HEAD if ruled else None,
        pad_edge=False,
        show_edge=False,
        header_style="bold",
        border_style="dim",
    )
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not column.wraps,
            overflow="ellipsis" if column.crops else "fold",
            min_width=column.least,
            max_width=column.most if column.crops else None,
        )
    for row in rows:
        table.add_row(*(Text(tidy(column.text(row))) for column in columns))
    return table


def tidy(text: str) -> str:
    """The text without what could move a terminal's cursor or hide words: partners wrote it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else " " for c in text)


def text_width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 or c in _JOINERS for c in text)


def money(amount: Decimal | None, currency: str | None) -> str:
    """An amount beside its currency."""
    return "" if amount is None else f"{amount:,f} {currency or ''}".rstrip()


def moment(at: datetime | None) -> str:
    """A time to the minute, in UTC."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def moment_utc(at: datetime | None) -> str:
    """A time to the second, that says it is in UTC."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: int) -> str:
    """A number of bytes, in a unit that reads well."""
    amount, units = float(count), iter(("bytes", "kB", "MB", "GB"))
    unit = next(units)
    while amount >= _THOUSAND and (larger := next(units, None)):
        amount, unit = amount / _THOUSAND, larger
    return f"{count:,} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def duration(seconds: float) -> str:
    """How long something took."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * _THOUSAND:.0f} ms"


def plural(count: int, noun: str) -> str:
    """A count with its noun: `1 order`, `1,200 orders`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
