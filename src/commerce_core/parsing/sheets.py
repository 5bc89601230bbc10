"""Sheets of workbooks as records: each row is one, its number is its line, the first the header."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from commerce_core.base.text import BLANKS
from commerce_core.parsing.raw_records import CELL_END, RawRecord, split_lines, without_end
from commerce_core.parsing.sheet_rows import LINE_WITHIN, MARK, as_one_line


@frozen
class Sheet:
    """The rows of a sheet, as `workbook` gives them."""

    @property
    def delimiter(self) -> None:
        """There is none."""

    @property
    def records_are(self) -> str:
        """What its records are, in words."""
        return "rows of a sheet"

    def records(self, blocks: Iterator[str], line: int = 1) -> Iterator[RawRecord]:
        """All rows. Blank cells at the end of one aren't in its text, but are in the record."""
        return rows_in(blocks, line)

    def rows(self, columns: Sequence[str], header: RawRecord) -> "SheetRows":
        """Writes rows behind further columns."""
        return SheetRows(columns, header)


@frozen
class SheetRows:
    """Rows of a sheet with a report's own cells in front; a workbook runs no text as a formula."""

    _columns: Sequence[str]
    _header: RawRecord

    def first(self, front: Sequence[object]) -> str:  # noqa: ARG002 - it is in each row
        """The names of all columns."""
        return self.row(self._columns, self._header)

    def row(self, front: Sequence[object], raw: RawRecord) -> str:
        """The text of a row, behind these cells."""
        own = ["" if cell is None else str(cell) for cell in front]
        cells = map(as_one_line, (*own, *(raw.cells or ())))
        return f"{MARK}{CELL_END.join(cells)}\n"

    def last(self) -> str:
        """What stands behind the last row: nothing."""
        return ""


def rows_in(blocks: Iterator[str], line: int, width: int = 0) -> Iterator[RawRecord]:
    """The rows of a text, each as wide as the first that isn't blank, or as that width."""
    for number, text in enumerate(split_lines(blocks, line), start=line):
        cells = cells_of_row(text)
        if not width and any(cell.strip(BLANKS) for cell in cells):
            width = len(cells)
        cells += [""] * (width - len(cells))
        yield RawRecord(number, cells, "", delimiter="", sent=row_of(cells))


def cells_of_row(text: str) -> list[str]:
    """The cells of the line of a row."""
    cells = without_end(text).removeprefix(MARK).split(CELL_END)
    return [cell.replace(LINE_WITHIN, "\n") for cell in cells] if LINE_WITHIN in text else cells


def row_of(cells: Sequence[str]) -> str:
    """The text of a row, which no row with other cells has."""
    return f"{CELL_END.join(cells)}\n"
