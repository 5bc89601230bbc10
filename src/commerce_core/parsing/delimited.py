"""Delimited text: records of cells, which may be quoted, and how a row of them is written."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.decoding import count_line_ends
from commerce_core.parsing.formulas import escape_formula, escape_formulas, needs_escaping
from commerce_core.parsing.raw_records import (
    BROKEN_TEXT_KEPT,
    LONGEST_RECORD,
    RawRecord,
    line_too_long,
    lines_in,
    split_lines,
    without_end,
)
from commerce_core.profiles.profile import DELIMITERS

Accepts = Callable[[Sequence[str]], bool]
"""Whether a header read with some delimiter is one that can be used."""
FrontCell = str | int | None
"""A cell of a report's own, in front of a record."""


@frozen
class Delimited:
    """Delimited text; `has_sep_line` if its first line is a spreadsheet's `sep=;`, no record."""

    delimiter: str
    has_sep_line: bool = False

    def records(self, blocks: Iterator[str]) -> Iterator[RawRecord]:
        """All records of the text; FileRefused if a quote is never closed."""
        return islice(read_delimited(blocks, self.delimiter), int(self.has_sep_line), None)

    def rows(self, columns: Sequence[str], header: RawRecord) -> "DelimitedRows":
        """Writes records of a file with that header as they came, behind further columns."""
        sent = header.sent
        end = sent[len(without_end(sent)) :] or "\n"
        return DelimitedRows(columns, header, self.delimiter, end, sent.startswith('"'))

    def rewrite(self, raw: RawRecord, _header: Sequence[str], cells: list[str]) -> RawRecord:
        """The record with these cells, as if they had been sent."""
        end = raw.sent[len(without_end(raw.sent)) :]
        return evolve(raw, cells=cells, sent=written(cells, self.delimiter) + end)


@frozen
class DelimitedRows:
    """Rows in the partner's dialect: text stays as it came, except for what needs escaping.

    Each row ends with `end`. The report's own cells are `quoted` if the header is.
    """

    _columns: Sequence[str]
    _header: RawRecord
    delimiter: str
    end: str
    quoted: bool

    def first(self, front: Sequence[FrontCell]) -> str:  # noqa: ARG002 - it is in each row
        """The names of all columns."""
        return self.row(self._columns, self._header)

    def row(self, front: Sequence[FrontCell], raw: RawRecord) -> str:
        """The lines of a record, behind these cells."""
        own = [escape_formula("" if cell is None else str(cell)) for cell in front]
        return f"{self._written(own)}{self.delimiter}{self._as_sent(raw)}{self.end}"

    def _as_sent(self, raw: RawRecord) -> str:
        text = without_end(raw.sent)
        if raw.cells is None:
            return escape_formulas(text, self.delimiter)
        if not needs_escaping(text, self.delimiter):
            return text
        cells = sent_cells(raw)
        safe = [escape_formula(cell) for cell in cells]
        return text if safe == cells else self._written(safe)

    def _written(self, cells: Sequence[str]) -> str:
        return written(cells, self.delimiter, quoted=self.quoted)


def read_delimited(
    blocks: Iterator[str], delimiter: str = ",", line: int = 1
) -> Iterator[RawRecord]:
    """All records of delimited text that begins on that line of its file.

    FileRefused if a quote is never closed.
    """
    # The limit is one for the whole process, so it is only ever widened.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD))
    lines = _Lines(blocks, delimiter, line)
    rows = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        lines.begin_record()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.ended:
                raise _unterminated(lines.line_of_open_quote()) from error
            sent, count = "".join(lines.of_record), len(lines.of_record)
            text = sent[:BROKEN_TEXT_KEPT]
            yield RawRecord(lines.begins_at, None, text, count, delimiter, sent)
        else:
            sent, count = "".join(lines.of_record), len(lines.of_record)
            yield RawRecord(lines.begins_at, cells, "", count, delimiter, sent)


def choose_delimiter(head: str, accepts: Accepts) -> str:
    """The one delimiter with which the header is accepted, or else the one that gives most cells.

    FileRefused if the header is accepted with several.
    """
    headers = {delimiter: first_cells(head, delimiter) for delimiter in DELIMITERS}
    accepted = [d for d, header in headers.items() if len(header) > 1 and accepts(header)]
    if len(accepted) > 1:
        detail = f"The header can be read with {' and '.join(map(repr, accepted))} between cells."
        remedy = "Declare the delimiter in the profile."
        raise FileRefused("ambiguous_dialect", detail, remedy, line=1)
    return accepted[0] if accepted else max(DELIMITERS, key=lambda d: max(1, len(headers[d])))


def first_cells(head: str, delimiter: str) -> list[str]:
    """The cells of the first record that isn't blank; none if the text is too short to tell."""
    try:
        lines = lines_in(f"{head}\n")
        rows = csv.reader(lines, strict=True, delimiter=delimiter)
        return next((row for row in rows if any(cell.strip(BLANKS) for cell in row)), list[str]())
    except csv.Error:
        return []


class _Lines:
    """The lines of a stream; remembers where the current record began, and its text."""

    def __init__(self, blocks: Iterator[str], delimiter: str, line: int) -> None:
        self._lines = split_lines(blocks, line)
        self._closed_cell = closed_cell(delimiter)
        self.number = line - 1
        self.begins_at = line
        self.ended = False
        self.of_record: list[str] = []
        self._characters = 0

    def begin_record(self) -> None:
        self.begins_at = self.number + 1
        self.of_record.clear()
        self._characters = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines, None)
        if line is None:
            self.ended = True
            raise StopIteration
        self.number += 1
        self._characters += len(line)
        if self._characters > LONGEST_RECORD:
            raise self._too_long()
        self.of_record.append(line)
        return line

    def _too_long(self) -> FileRefused:
        """The refusal of a record without end, which spans lines only inside quotes."""
        if self.of_record:
            return _unterminated(self.line_of_open_quote())
        return line_too_long(self.number)

    def line_of_open_quote(self) -> int:
        """The line of the quote that is still open in what was read of this record."""
        text, closed = "".join(self.of_record), 0
        while cell := self._closed_cell.match(text, closed):
            closed = cell.end()
        return self.begins_at + count_line_ends(text[:closed])


def closed_cell(delimiter: str) -> re.Pattern[str]:
    """A complete cell, with the delimiter or line end behind it."""
    d = re.escape(delimiter)
    return re.compile(
        rf"""(?: "[^"]*+(?:""[^"]*+)*+" | [^"{d}\r\n][^{d}\r\n]*+ )? (?: {d} | \r\n? | \n )""",
        re.VERBOSE,
    )


def _unterminated(line: int) -> FileRefused:
    return FileRefused(
        "unterminated_quote",
        f"The quote that opens on line {line} is never closed.",
        'Close it, or double it if it belongs to the text ("").',
        line=line,
    )


def written(cells: Sequence[str], delimiter: str, *, quoted: bool = False) -> str:
    """The cells as delimited text, without the end of a line; `quoted` puts quotes around all.

    By default there are quotes around a cell that contains a delimiter, a quote or the end of a
    line, and around a single empty one, which would otherwise be no record.
    """
    if cells == [""]:
        return '""'
    special = _special(delimiter)
    return delimiter.join(
        '"' + cell.replace('"', '""') + '"' if quoted or special.search(cell) else cell
        for cell in cells
    )


@cache
def _special(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf'["\r\n{re.escape(delimiter)}]')


def sent_cells(raw: RawRecord) -> list[str]:
    """The cells of delimited text as they were sent, none taken from other records."""
    lines = io.StringIO(raw.sent, newline="")
    return next(csv.reader(lines, strict=True, delimiter=raw.delimiter), list[str]())
