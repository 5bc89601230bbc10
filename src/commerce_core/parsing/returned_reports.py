"""Mended reports: what a report of rejected records puts around a partner's cells, and its removal.

Six columns stand in front, and an apostrophe before each cell that a spreadsheet would run as a
formula. Intake takes both away, and then reads what the partner's own file would have said.
"""

import csv
import io
import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.text import BLANKS
from commerce_core.parsing.formats import RawRecord, closed_cell
from commerce_core.profiles.mapping import REPORT_COLUMNS

GOES_ALONG: Final = "goes_along"
"""In `_code`: the record isn't rejected, and is there for others that take something from it."""

_RUN: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""What a formula begins with; in some languages one writes it full-width."""
_RUN_ANYWHERE: Final = rf"{_RUN}\t\r\n"
"""In front of a formula these are dropped."""
_NUMBER: Final = r"[+-]\.?[0-9][0-9.,]*+(?:[eE][+-]?[0-9]{1,3})?"
_BROKEN_NUMBER: Final = _NUMBER.replace(",", "")
"""In broken text a comma may well be the end of the cell."""
_TO_GUARD: Final = re.compile(rf"\A(?!{_NUMBER}\Z)(?='*[{_RUN_ANYWHERE}])", re.ASCII)
_GUARDED: Final = re.compile(rf"\A'(?='*[{_RUN_ANYWHERE}])", re.ASCII)
_RARE: Final = "=+@\uff1d\uff0b\uff0d\uff20\t'"
_ENDS: Final = frozenset("\r\n")
BEGINNINGS: Final = "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n'"
"""What a cell to guard begins with. Nearly none does, and to look at one character costs little."""
_FIRST: Final = frozenset(BEGINNINGS)
_JSON_TEXT: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_JSON_FRONT: Final = re.compile(
    rf'\{{(?:"(?:{"|".join(REPORT_COLUMNS)})": ?(?:{_JSON_TEXT}|[0-9]+|null)(?:, ?|(?=\}})))+'
)


def escape_formula(cell: str) -> str:
    """The cell, which no spreadsheet takes for a formula; numbers stay as they are.

    One that has an apostrophe already gets another, so that just one is taken off again.
    """
    return _TO_GUARD.sub("'", cell) if cell[:1] in _FIRST else cell


def unescape_formula(cell: str) -> str:
    """The cell as it was before it was guarded."""
    return _GUARDED.sub("", cell)


def escape_formulas(text: str, delimiter: str) -> str:
    """The text of a record whose quoting is broken, with a guard wherever a cell may begin."""
    return _broken(delimiter)[0].sub(r"\1'", text)


def unescape_formulas(text: str, delimiter: str) -> str:
    """The broken text as it was before it was guarded."""
    return _broken(delimiter)[1].sub(r"\1", text)


@cache
def _broken(delimiter: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Where a guard goes in broken text, and where one stands."""
    d = re.escape(delimiter)
    plain = _RUN if delimiter == "\t" else rf"{_RUN}\t"
    begins = rf"(?:\A|[{d}\r\n])"
    bare = rf"""({begins}(?:"(?='*[{_RUN_ANYWHERE}])|(?='*[{plain}])))"""
    held = rf"""({begins}(?:"(?='+[{_RUN_ANYWHERE}])|(?='+[{plain}])))'"""
    number = rf"(?!{_BROKEN_NUMBER}(?:[{d}\"\r\n]|\Z))"
    return re.compile(bare + number, re.ASCII), re.compile(held, re.ASCII)


def needs_escaping(text: str, delimiter: str) -> bool:
    """Whether a cell of this text may have to be guarded; where it hasn't, none has."""
    # Of all that runs texts are full of hyphens alone, and to look for a character costs little.
    begins = ("-", '"-')
    return (
        any(map(text.__contains__, _RARE))
        or text.startswith(begins)
        or f"{delimiter}-" in text
        or f'{delimiter}"-' in text
        or "\n" in text
        or "\r" in text
    ) and _needs_escaping(delimiter).search(text) is not None


@cache
def _needs_escaping(delimiter: str) -> re.Pattern[str]:
    return re.compile(needs_escaping_pattern(delimiter))


def needs_escaping_pattern(delimiter: str) -> str:
    """Where a cell may begin, quoted or not, with what one to guard begins with."""
    plain = "".join(c for c in BEGINNINGS if c not in "\r\n" and c != delimiter)
    begins = rf"(?:\A|[{re.escape(delimiter)}\r\n])"
    return rf"{begins}(?:[{re.escape(plain)}]|\"[{re.escape(BEGINNINGS)}])"


def written(cells: Sequence[str], delimiter: str, *, quoted: bool = False) -> str:
    """The cells as delimited text, without a line's end; `quoted` puts quotes around all.

    Else there are quotes around a cell that has a delimiter, a quote or a line's end in it, and
    around one that is alone and empty, which would be no record.
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
    """The cells of delimited text as they came, nothing taken from other records."""
    lines = io.StringIO(raw.sent, newline="")
    return next(csv.reader(lines, strict=True, delimiter=raw.delimiter), list[str]())


def without_end(text: str) -> str:
    """The text of a record without the end of its last line."""
    return text[:-2] if text.endswith("\r\n") else text[:-1] if text[-1:] in _ENDS else text


@frozen
class ReturnedReport:
    """Where a report's own columns are in one file. `front` of them stand in front of all others.

    `delimiter` is None for JSONL.
    """

    _places: frozenset[int]
    _feed: int
    _code: int | None
    _front: int
    _delimiter: str | None

    @classmethod
    def in_header(cls, header: Sequence[str], delimiter: str | None) -> "ReturnedReport | None":
        """The columns of a mended report; None where the header is that of any other feed."""
        names = [name.strip(BLANKS) for name in header]
        places = [index for index, name in enumerate(names) if name in REPORT_COLUMNS]
        if REPORT_COLUMNS[0] not in names:
            return None
        code = names.index("_code") if "_code" in names else None
        front = len(places) if places == list(range(len(places))) else 0
        return cls(frozenset(places), names.index("_feed"), code, front, delimiter)

    def feed_of(self, raw: RawRecord | None) -> str:
        """The feed that a record says it came from; `unknown` where it says nothing."""
        cells = raw.cells if raw else None
        if raw is not None and cells is None and self._delimiter and self._front:
            end = self._end_of_front(raw.sent)
            lines = io.StringIO(raw.sent[:end], newline="")
            cells = next(csv.reader(lines, delimiter=self._delimiter), list[str]())
        named = cells[self._feed].strip(BLANKS) if cells and self._feed < len(cells) else ""
        return named or "unknown"

    def strip(self, raw: RawRecord) -> RawRecord:
        """The record as the partner's own file would have it."""
        sent = self._sent(raw)
        if raw.cells is None:
            return evolve(raw, text=sent[: len(raw.text)], sent=sent)
        own = [cell for index, cell in enumerate(raw.cells) if index not in self._places]
        aside = self._code is not None and raw.cells[self._code : self._code + 1] == [GOES_ALONG]
        if self._delimiter is None:
            return evolve(raw, cells=own, sent=sent, aside=aside)
        plain = [unescape_formula(cell) for cell in own]
        if plain != own or not self._front:
            sent = written(plain, self._delimiter)
        return evolve(raw, cells=plain, sent=sent, aside=aside)

    def _sent(self, raw: RawRecord) -> str:
        """What stands behind the columns in front."""
        if self._delimiter is None:
            return _behind_keys(raw.sent)
        behind = raw.sent[self._end_of_front(raw.sent) :]
        return unescape_formulas(behind, self._delimiter) if raw.cells is None else behind

    def _end_of_front(self, sent: str) -> int:
        """Where the text behind the columns in front begins."""
        cell, end = closed_cell(self._delimiter or ","), 0
        for _ in range(self._front):
            matched = cell.match(sent, end)
            if matched is None:
                break
            end = matched.end()
        return end


def _behind_keys(line: str) -> str:
    """A JSON line without the report's keys; what was no object stands behind one of theirs."""
    matched = _JSON_FRONT.match(line)
    if matched is None:
        return line
    rest = line[matched.end() :]
    return rest[2:] if rest.startswith("} ") else "{" + rest
