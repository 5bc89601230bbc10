"""A guided tour on a terminal: numbered steps, short paragraphs, tables, bars."""

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
"""Used in a pipe, where the width is unknown."""
_NARROWEST_BAR: Final = 10
_INDENT: Final = "  "
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


class Console:
    """Prints text in the order in which things happen; with `--json`, prints nothing."""

    def __init__(self, out: Output, program: str) -> None:
        """Prints on `out`; `program` is how the user calls `commerce`."""
        self.out = out
        self.program = program
        self._enabled = not out.as_json
        self._steps = 0

    @property
    def _width(self) -> int:
        return min(self.out.width, _WIDEST_TEXT) if self.out.terminal else _WIDEST_TEXT

    def title(self, text: str) -> None:
        """The title of the whole tour."""
        self._line()
        self._line(click.style(text, bold=True))

    def step(self, text: str) -> None:
        """The numbered heading of the next step."""
        self._steps += 1
        self._line()
        self._line(click.style(f"{self._steps}. {text}", fg="cyan", bold=True))
        self._line()

    def paragraph(self, text: str) -> None:
        """A paragraph, wrapped to a readable width."""
        for line in textwrap.wrap(" ".join(text.split()), self._width, break_on_hyphens=False):
            self._line(line)

    def line(self, text: str) -> None:
        """An indented line below a table or a paragraph."""
        self._line(f"{_INDENT}{tidy(text)}")

    def gap(self) -> None:
        """An empty line."""
        self._line()

    def table(self, rows: Iterable[T], columns: Sequence[Column[T]]) -> None:
        """A table, between empty lines."""
        self._line()
        if self._enabled:
            width = self.out.width if self.out.terminal else _WIDEST_TABLE
            self.out.fitted(rows, columns, width, _INDENT)
        self._line()

    def verbatim(self, text: str) -> None:
        """A line to copy unchanged."""
        self._line(f"{_INDENT}{text}")

    def command(self, *arguments: str) -> None:
        """The command that does what the step did."""
        self._line(f"{_INDENT}{click.style(f'$ {self.command_line(*arguments)}', dim=True)}")

    def command_line(self, *arguments: str) -> str:
        """A command as the user would type it."""
        return f"{self.program} {shlex.join(arguments)}"

    def bars(
        self, rows: Sequence[T], name: Callable[[T], str], amount: Callable[[T], Decimal],
        figure: Callable[[T], str],
    ) -> None:  # fmt: skip
        """A bar for each row; the longest fills the width."""
        names = [tidy(name(row)) for row in rows]
        figures = [figure(row) for row in rows]
        name_width = max(map(text_width, names), default=0)
        figure_width = max(map(text_width, figures), default=0)
        bar_width = max(_NARROWEST_BAR, min(self._width, 72) - name_width - figure_width - 6)
        largest = max((amount(row) for row in rows), default=Decimal(0)) or Decimal(1)
        for row, label, text in zip(rows, names, figures, strict=True):
            bar = self._bar(max(amount(row), Decimal(0)) / largest, bar_width)
            padded = label + " " * (name_width - text_width(label))
            self.line(f"{padded}  {text.rjust(figure_width)}  {bar}".rstrip())

    def _bar(self, share: Decimal, width: int) -> str:
        if not self.out.terminal:
            return "#" * round(share * width)
        whole, eighths = divmod(round(share * width * 8), 8)
        return ("█" * whole + _EIGHTHS[eighths]).rstrip()

    def _line(self, text: str = "") -> None:
        if self._enabled:
            click.echo(text)
