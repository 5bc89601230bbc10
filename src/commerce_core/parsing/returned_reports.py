"""Corrected reports: what a report of rejected records puts around a partner's cells is stripped.

It has six columns in front, and an apostrophe before each cell that a spreadsheet would run as a
formula. Intake removes both, and then reads what the partner's own file would have had.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

from attrs import evolve, frozen

from commerce_core.base.text import BLANKS
from commerce_core.parsing.delimited import Delimited, cells_of
from commerce_core.parsing.formats import Format
from commerce_core.parsing.formulas import unescape_formula, unescape_formulas
from commerce_core.parsing.json_documents import JsonDocument
from commerce_core.parsing.json_lines import JsonLines
from commerce_core.parsing.quoting import closed_cell
from commerce_core.parsing.raw_records import Corrected, RawRecord
from commerce_core.parsing.sheets import Sheet, row_of
from commerce_core.parsing.xml_records import Xml, without_front
from commerce_core.profiles.mapping import REPORT_COLUMNS

T = TypeVar("T")

GOES_ALONG: Final = "goes_along"
"""In `_code`: the record isn't rejected, and is there for others that take something from it."""

WRONG_SKU: Final = ("unknown_sku", "sku_lost_zeros", "sku_of_other_source")
"""In `_code`: the sku itself is what has to be corrected, so it needn't be that of its line."""
LONGEST_LINE_NUMBER: Final = 18
"""The digits of a `_line`, at most."""

_JSON_TEXT: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_JSON_FRONT: Final = re.compile(
    rf'\{{(?:"(?:{"|".join(REPORT_COLUMNS)})": ?(?:{_JSON_TEXT}|[0-9]+|null)(?:, ?|(?=\}})))+'
)


@frozen
class ReturnedReport:
    """Where a report's own columns are in one file; `front` of them stand before all others."""

    _places: frozenset[int]
    _feed: int
    _code: int | None
    _line: int | None
    _front: int
    _format: Format

    @classmethod
    def in_header(cls, header: Sequence[str], format_: Format) -> "ReturnedReport | None":
        """The columns of a corrected report; None if the header is that of any other feed."""
        names = [name.strip(BLANKS) for name in header]
        places = [index for index, name in enumerate(names) if name in REPORT_COLUMNS]
        if REPORT_COLUMNS[0] not in names:
            return None
        code, line = (names.index(n) if n in names else None for n in ("_code", "_line"))
        front = len(places) if places == list(range(len(places))) else 0
        return cls(frozenset(places), names.index("_feed"), code, line, front, format_)

    def feed_of(self, raw: RawRecord | None) -> str:
        """The feed that a record names as its own; `unknown` if it names none."""
        cells = raw.cells if raw else None
        if raw is not None and cells is None and isinstance(self._format, Delimited):
            front, _ = self._split(raw.sent, self._format)
            cells = cells_of(front, self._format.delimiter, quotes=self._format.quotes)
        named = cells[self._feed].strip(BLANKS) if cells and self._feed < len(cells) else ""
        return named or "unknown"

    def strip(self, raw: RawRecord) -> RawRecord:
        """The record as the partner's own file would have it."""
        match self._format:
            case Delimited():
                return self._strip_delimited(raw, self._format)
            case JsonLines() | JsonDocument():
                return self._strip_object(raw, _behind_keys(raw.sent))
            case Sheet():
                own = "" if raw.cells is None else row_of(self._own(raw.cells))
                return self._strip_object(raw, own)
            case Xml():
                return self._strip_object(raw, without_front(raw.sent, REPORT_COLUMNS))

    def _strip_delimited(self, raw: RawRecord, format_: Delimited) -> RawRecord:
        _, sent = self._split(raw.sent, format_)
        if raw.cells is None:
            sent = unescape_formulas(sent, format_.delimiter)
            return evolve(raw, text=sent[: len(raw.text)], sent=sent)
        own = self._own(raw.cells)
        plain = [unescape_formula(cell) for cell in own]
        context_only, corrects = self._goes_along(raw.cells), self._corrects(raw.cells)
        stripped = evolve(raw, cells=plain, sent=sent, context_only=context_only, corrects=corrects)
        return stripped if plain == own and self._front else format_.rewrite(stripped, (), plain)

    def _strip_object(self, raw: RawRecord, sent: str) -> RawRecord:
        if raw.cells is None:
            return evolve(raw, text=sent[: len(raw.text)], sent=sent)
        context_only, own = self._goes_along(raw.cells), self._own(range(len(raw.cells)))
        lacks = frozenset(place for place, index in enumerate(own) if index in raw.lacks)
        cells = self._own(raw.cells)
        corrects = self._corrects(raw.cells)
        return evolve(
            raw, cells=cells, sent=sent, context_only=context_only, lacks=lacks, corrects=corrects
        )

    def _own(self, cells: Sequence[T]) -> list[T]:
        return [cell for index, cell in enumerate(cells) if index not in self._places]

    def _goes_along(self, cells: Sequence[str]) -> bool:
        return self._code is not None and cells[self._code : self._code + 1] == [GOES_ALONG]

    def _corrects(self, cells: Sequence[str]) -> Corrected | None:
        """The record that a row stands for; None if it names none, or if its sku was the fault."""
        code = self._code is not None and cells[self._code : self._code + 1]
        if self._line is None or (code and code[0].strip(BLANKS) in WRONG_SKU):
            return None
        feed, line = (
            "".join(cells[place : place + 1]).strip(BLANKS) for place in (self._feed, self._line)
        )
        digits = len(line) <= LONGEST_LINE_NUMBER and line.isascii() and line.isdigit()
        return (feed, int(line)) if digits else None

    def _split(self, sent: str, format_: Delimited) -> tuple[str, str]:
        """The text of the columns in front, and the text behind them."""
        cell, end = closed_cell(format_.delimiter, quotes=format_.quotes), 0
        for _ in range(self._front):
            matched = cell.match(sent, end)
            if matched is None:
                break
            end = matched.end()
        return sent[:end], sent[end:]


def _behind_keys(line: str) -> str:
    """A JSON line without the report's keys; a line that was no object stands behind such keys."""
    matched = _JSON_FRONT.match(line)
    if matched is None:
        return line
    rest = line[matched.end() :]
    return rest[2:] if rest.startswith("} ") else "{" + rest
