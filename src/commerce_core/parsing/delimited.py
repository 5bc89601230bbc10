"""Delimited text: records of cells, which may be quoted, and how a row of them is written."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.decoding import count_line_ends
from commerce_core.parsing.formulas import escape_formula, escape_formulas, needs_escaping
from commerce_core.parsing.quoting import closed_cell, tidy_quotes
from commerce_core.parsing.raw_records import (
    BROKEN_TEXT_KEPT,
    LONGEST_RECORD,
    RawRecord,
    each_line,
    line_too_long,
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
    """Delimited text; `has_sep_line` if its first line is a spreadsheet's `sep=;`, no record.

    Without `quotes`, a quote is a character like others, and a record is a line.
    """

    delimiter: str
    has_sep_line: bool = False
    quotes: bool = True

    def records(self, blocks: Iterator[str], line: int = 1) -> Iterator[RawRecord]:
        """All records of a text that begins on that line; FileRefused if a quote stays open."""
        records = read_delimited(blocks, self.delimiter, line, quotes=self.quotes)
        return islice(records, int(self.has_sep_line), None)

    def rows(self, columns: Sequence[str], header: RawRecord) -> "DelimitedRows":
        """Writes records of a file with that header as they came, behind further columns."""
        sent = header.sent
        end = sent[len(without_end(sent)) :] or "\n"
        quoted = self.quotes and sent.startswith('"')
        return DelimitedRows(columns, header, self.delimiter, end, quoted, self.quotes)

    def rewrite(self, raw: RawRecord, _header: Sequence[str], cells: list[str]) -> RawRecord:
        """The record with these cells, as if they had been sent."""
        end = raw.sent[len(without_end(raw.sent)) :]
        text = written(cells, self.delimiter) if self.quotes else unquoted(cells, self.delimiter)
        return evolve(raw, cells=cells, sent=text + end)


@frozen
class DelimitedRows:
    """Rows in the partner's dialect: text stays as it came, except for what needs escaping.

    Each row ends with `end`. The report's own cells are `quoted` if the header is, and none is in a
    dialect without `quotes`.
    """

    _columns: Sequence[str]
    _header: RawRecord
    delimiter: str
    end: str
    quoted: bool
    quotes: bool = True

    def first(self, front: Sequence[FrontCell]) -> str:  # noqa: ARG002 - it is in each row
        """The names of all columns."""
        return self.row(self._columns, self._header)

    def row(self, front: Sequence[FrontCell], raw: RawRecord) -> str:
        """The lines of a record, behind these cells."""
        own = [escape_formula("" if cell is None else str(cell)) for cell in front]
        return f"{self._written(own)}{self.delimiter}{self._as_sent(raw)}{self.end}"

    def last(self) -> str:
        """What stands behind the last row: nothing."""
        return ""

    def _as_sent(self, raw: RawRecord) -> str:
        text = without_end(raw.sent)
        if raw.cells is None:
            return escape_formulas(text, self.delimiter)
        if not needs_escaping(text, self.delimiter):
            return text
        # As they were sent, none taken from other records.
        cells = cells_of(raw.sent, raw.delimiter, quotes=self.quotes)
        safe = [escape_formula(cell) for cell in cells]
        return text if safe == cells else self._written(safe)

    def _written(self, cells: Sequence[str]) -> str:
        if not self.quotes:
            return unquoted(cells, self.delimiter)
        return written(cells, self.delimiter, quoted=self.quoted)


def read_delimited(
    blocks: Iterator[str], delimiter: str = ",", line: int = 1, *, quotes: bool = True
) -> Iterator[RawRecord]:
    """All records of delimited text that begins on that line of its file.

    FileRefused if a quote is never closed. Without `quotes` it has nothing but delimiters.
    """
    # The limit is one for the whole process, so it is only ever widened.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD))
    lines = _Lines(blocks, delimiter, line, quotes=quotes)
    quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    rows = csv.reader(lines, strict=True, delimiter=delimiter, quoting=quoting)
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


def cells_of(sent: str, delimiter: str, *, quotes: bool) -> list[str]:
    """The cells of the first record of a text; none if its quoting is broken."""
    records = read_delimited(iter((sent,)), delimiter, quotes=quotes)
    return next((record.cells or [] for record in records), list[str]())


def choose_delimiter(head: str, accepts: Accepts, *, quotes: bool = True) -> str:
    """The one delimiter with which the header is accepted, or else the one that gives most cells.

    FileRefused if the header is accepted with several.
    """
    headers = {d: first_cells(head, d, quotes=quotes) for d in DELIMITERS}
    accepted = [d for d, header in headers.items() if len(header) > 1 and accepts(header)]
    if len(accepted) > 1:
        detail = f"The header can be read with {' and '.join(map(repr, accepted))} between cells."
        remedy = "Declare the delimiter in the profile."
        raise FileRefused("ambiguous_dialect", detail, remedy, line=1)
    return accepted[0] if accepted else max(DELIMITERS, key=lambda d: max(1, len(headers[d])))


def first_cells(head: str, delimiter: str, *, quotes: bool = True) -> list[str]:
    """The cells of the first record that isn't blank; none if the text is too short to tell."""
    lines = each_line(f"{head}\n")
    try:
        for raw in read_delimited(lines, delimiter, quotes=quotes):
            if raw.cells is None or any(cell.strip(BLANKS) for cell in raw.cells):
                return raw.cells or []
    except FileRefused:
        return []
    return []


class _Lines:
    """The lines of a stream; remembers where the current record began, and its text."""

    def __init__(self, blocks: Iterator[str], delimiter: str, line: int, *, quotes: bool) -> None:
        self._lines = split_lines(blocks, line)
        self._delimiter = delimiter
        self._quotes = quotes
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
        within = bool(self.of_record)
        self.of_record.append(line)
        return tidy_quotes(line, self._delimiter, within=within) if self._quotes else line

    def _too_long(self) -> FileRefused:
        """The refusal of a record without end, which spans lines only inside quotes."""
        if self.of_record:
            return _unterminated(self.line_of_open_quote())
        return line_too_long(self.number)

    def line_of_open_quote(self) -> int:
        """The line of the quote that is still open in what was read of this record."""
        text, closed = "".join(self.of_record), 0
        pattern = closed_cell(self._delimiter)
        while cell := pattern.match(text, closed):
            closed = cell.end()
        return self.begins_at + count_line_ends(text[:closed])


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


def unquoted(cells: Sequence[str], delimiter: str) -> str:
    """The cells without quotes; a blank stands for each delimiter and line end within them."""
    return delimiter.join(re.sub(rf"[\r\n{re.escape(delimiter)}]", " ", cell) for cell in cells)


@cache
def _special(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf'["\r\n{re.escape(delimiter)}]')
