"""A story told in a terminal: numbered steps, short paragraphs, tables, bars."""

import shlex
import textwrap
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final, TypeVar

import click

from entrypoints.cli.kit.output import Output
from entrypoints.cli.kit.tables import Column, text_width, tidy

T = TypeVar("T")

_WIDEST_TEXT: Final = 88
_WIDEST_TABLE: Final = 100
"""In a pipe, where nobody says how much room there is."""
_NARROWEST_BAR: Final = 10
_INDENT: Final = "  "
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


class Narration:
    """Tells, in the order in which things happen. Nothing is told where JSON is wanted."""

    def __init__(self, out: Output, command: str) -> None:
        """Tells on `out`; `command` is how the reader calls us."""
        self.out = out
        self.command = command
        self._told = not out.as_json
        self._steps = 0

    @property
    def _width(self) -> int:
        return min(self.out.width, _WIDEST_TEXT) if self.out.terminal else _WIDEST_TEXT

    def title(self, text: str) -> None:
        """What all of it is about."""
        self._line()
        self._line(click.style(text, bold=True))

    def step(self, text: str) -> None:
        """The next step begins."""
        self._steps += 1
        self._line()
        self._line(click.style(f"{self._steps}. {text}", fg="cyan", bold=True))
        self._line()

    def say(self, text: str) -> None:
        """A paragraph, in lines that read well."""
        for line in textwrap.wrap(" ".join(text.split()), self._width, break_on_hyphens=False):
            self._line(line)

    def note(self, text: str) -> None:
        """A line that belongs to the table or the step above."""
        self._line(f"{_INDENT}{tidy(text)}")

    def gap(self) -> None:
        """An empty line."""
        self._line()

    def table(self, rows: Iterable[T], columns: Sequence[Column[T]]) -> None:
        """A table, between empty lines."""
        self._line()
        if self._told:
            width = self.out.width if self.out.terminal else _WIDEST_TABLE
            self.out.fitted(rows, columns, width, _INDENT)
        self._line()

    def plain(self, text: str) -> None:
        """A line to copy as it is."""
        self._line(f"{_INDENT}{text}")

    def shell(self, *words: str) -> None:
        """A command that does what was just done."""
        self._line(f"{_INDENT}{click.style(f'$ {self.quoted(*words)}', dim=True)}")

    def quoted(self, *words: str) -> str:
        """The command as one would type it."""
        return f"{self.command} {shlex.join(words)}"

    def bars(
        self, rows: Sequence[T], name: Callable[[T], str], amount: Callable[[T], Decimal],
        shown: Callable[[T], str],
    ) -> None:  # fmt: skip
        """A bar for each row, the longest as long as there is room."""
        names = [tidy(name(row)) for row in rows]
        figures = [shown(row) for row in rows]
        before = max(map(text_width, names), default=0)
        after = max(map(text_width, figures), default=0)
        room = max(_NARROWEST_BAR, min(self._width, 72) - before - after - 6)
        most = max((amount(row) for row in rows), default=Decimal(0)) or Decimal(1)
        for row, label, figure in zip(rows, names, figures, strict=True):
            bar = self._bar(max(amount(row), Decimal(0)) / most, room)
            padded = label + " " * (before - text_width(label))
            self.note(f"{padded}  {figure.rjust(after)}  {bar}".rstrip())

    def _bar(self, part: Decimal, room: int) -> str:
        if not self.out.terminal:
            return "#" * round(part * room)
        whole, eighths = divmod(round(part * room * 8), 8)
        return ("█" * whole + _EIGHTHS[eighths]).rstrip()

    def _line(self, text: str = "") -> None:
        if self._told:
            click.echo(text)
