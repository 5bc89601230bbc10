"""Dialects: how a file's text is split into cells, and the evidence for each delimiter."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from commerce_core.base.text import BLANKS, squash
from commerce_core.parsing.delimited import first_cells
from commerce_core.parsing.raw_records import lines_in
from commerce_core.profiles.presets import PRESET_PROFILES
from commerce_core.profiles.profile import DELIMITERS, Column
from commerce_core.schema.fields import FIELDS

ROWS_COMPARED: Final = 200
_LINES_SEARCHED: Final = 30
"""Lines among which a header is looked for."""
_LEAST_KNOWN: Final = 2
_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_ENDS: Final = {"\r\n": "CRLF", "\r": "CR", "\n": "LF"}


def _headers_of(column: Column) -> Sequence[str]:
    return (*column.from_, *(header for pair in column.pairs for header in pair))


_KNOWN: Final = frozenset(
    {squash(name) for field in FIELDS for name in (field.name, *field.aliases)}
    | {
        squash(header)
        for profile in PRESET_PROFILES.values()
        for column in profile.columns.values()
        for header in _headers_of(column)
    }
    | {
        squash(name)
        for profile in PRESET_PROFILES.values()
        for others in profile.names.values()
        for name in others
    }
)


@frozen
class Splitting:
    """How a delimiter splits the beginning of a file."""

    delimiter: str
    cells: int
    known: int
    rows: int
    alike: int

    @property
    def evidence(self) -> str:
        """The evidence for it, in words."""
        name = _NAMES[self.delimiter]
        alike = f"{self.alike} of the first {self.rows} records have as many"
        known = f"{self.known} of them known" if self.known else "none of them known"
        return f"{name}: the header has {self.cells} cells, {known}; {alike}"


def header_line_of(head: str) -> int:
    """The line on which the header stands: 1, unless only a later one has several known names."""
    best, line = _LEAST_KNOWN - 1, 1
    for number, text in enumerate(lines_in(f"{head}\n")[:_LINES_SEARCHED], start=1):
        known = max(_known_in(first_cells(text, delimiter)) for delimiter in DELIMITERS)
        if known > best:
            best, line = known, number
        if line == 1 and known:
            return 1
    return line


def _known_in(cells: Sequence[str]) -> int:
    return sum(squash(cell) in _KNOWN for cell in cells)


def splittings(head: str) -> list[Splitting]:
    """Every delimiter that splits the header, the best first."""
    candidates = [_split(head, delimiter) for delimiter in DELIMITERS]
    several = [each for each in candidates if each.cells > 1]
    return sorted(several, key=lambda each: (-each.known, -each.alike, -each.cells))


def _split(head: str, delimiter: str) -> Splitting:
    header = first_cells(head, delimiter)
    known = _known_in(header)
    rows = _rows(head, delimiter)
    alike = sum(len(row) == len(header) for row in rows)
    return Splitting(delimiter, len(header), known, len(rows), alike)


def _rows(head: str, delimiter: str) -> list[list[str]]:
    """The first records; none if they can't be split."""
    try:
        found = csv.reader(_LINE_ENDS.split(head), delimiter=delimiter)
        rows = (row for row in found if any(cell.strip(BLANKS) for cell in row))
        return [row for _, row in zip(range(ROWS_COMPARED), rows, strict=False)]
    except csv.Error:
        return []


def line_ends(head: str) -> dict[str, int]:
    """How often each kind of line end occurs in the beginning of a file."""
    counted = Counter(found[0] for found in _LINE_ENDS.finditer(head))
    return {_ENDS[end]: count for end, count in counted.most_common()}
