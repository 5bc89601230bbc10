"""How results are printed: tables on a terminal, aligned text in a pipe, JSON on request."""

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Final, TypeVar

import click

from entrypoints.cli.kit.tables import Column, fitted, tidy, whole

T = TypeVar("T")

ROWS_ON_A_TERMINAL: Final = 50
_LEAST_ROOM: Final = 20
_THOUSAND: Final = 1000


class Output:
    """Prints a command's result on stdout."""

    def __init__(self, *, as_json: bool) -> None:
        """Detects whether stdout is a terminal."""
        self.as_json = as_json
        self.terminal = sys.stdout.isatty() and not as_json

    @property
    def width(self) -> int:
        """The width of the terminal, in columns."""
        return shutil.get_terminal_size().columns

    def document(self, value: object) -> None:
        """A value as one JSON document."""
        from entrypoints.shapes import shape

        self.json(shape(value))

    def json(self, shaped: object) -> None:
        """JSON, indented on a terminal, on one line elsewhere."""
        indent = 2 if sys.stdout.isatty() else None
        click.echo(json.dumps(shaped, ensure_ascii=not _encodes_unicode(), indent=indent))

    def line(self, text: str = "") -> None:
        """A line of text, unchanged."""
        click.echo(text)

    def fields(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names and values, one pair per line; pairs without a value are left out."""
        shown = [(name, tidy(value)) for name, value in pairs if value]
        widest = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            first, *more = self._lines(value, widest + 2)
            self.line(f"{click.style(name.ljust(widest), dim=True)}  {first}")
            for line in more:
                self.line(" " * (widest + 2) + line)

    def _lines(self, value: str, indent: int) -> list[str]:
        """A value in lines that fit the terminal; words, URLs and ids aren't broken."""
        if not self.terminal:
            return [value]
        room = max(_LEAST_ROOM, self.width - indent)
        return textwrap.wrap(value, room, break_long_words=False, break_on_hyphens=False)

    def one(self, value: object, pairs: Callable[[], Iterable[tuple[str, str]]]) -> None:
        """One value: as JSON, or as these fields."""
        if self.as_json:
            self.document(value)
        else:
            self.fields(pairs())

    def many(
        self, rows: Iterable[T], columns: Sequence[Column[T]], limit: int | None, none: str
    ) -> None:
        """A list; a notice on stderr says if it is empty, or if more exists than is shown."""
        if limit is None and self.terminal:
            limit = ROWS_ON_A_TERMINAL
        found = iter(rows)
        shown = islice(found, limit)
        if self.as_json:
            from entrypoints.shapes import shape

            for row in shown:
                click.echo(json.dumps(shape(row), ensure_ascii=not _encodes_unicode()))
        else:
            self._table(shown, columns, none)
        if limit is not None and next(found, None) is not None:
            notice(f"Only {plural(limit, 'row')} shown; use --limit to show more.")

    def _table(self, rows: Iterator[T], columns: Sequence[Column[T]], none: str) -> None:
        first = next(rows, None)
        if first is None:
            notice(none)
            return
        self.table(chain([first], rows), columns)

    def table(self, rows: Iterable[T], columns: Sequence[Column[T]]) -> None:
        """A table: fitted to the terminal, or with uncut lines for a pipe."""
        if self.terminal:
            self.fitted(rows, columns, self.width)
        else:
            for line in whole(rows, columns):
                self.line(line)

    def fitted(
        self, rows: Iterable[T], columns: Sequence[Column[T]], width: int, indent: str = ""
    ) -> None:
        """A table at most `width` columns wide, including its indentation."""
        titles, rule, lines = fitted(rows, columns, width - len(indent))
        self.line(indent + click.style(titles, bold=True))
        if self.terminal:
            self.line(indent + click.style(rule, dim=True))
        for line in lines:
            self.line(indent + line)


def money(amount: Decimal | None, currency: str | None) -> str:
    """An amount beside its currency."""
    return "" if amount is None else f"{amount:,f} {currency or ''}".rstrip()


def moment(at: datetime | None) -> str:
    """A time to the minute, in UTC."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def moment_utc(at: datetime | None) -> str:
    """A time to the second, marked as UTC."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: int) -> str:
    """A number of bytes, in a suitable unit."""
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


def _encodes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def notice(text: str) -> None:
    """Prints a notice on stderr, so that a pipe receives only the result."""
    click.echo(text, err=True)
