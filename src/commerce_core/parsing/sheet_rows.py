"""The rows of a sheet: cells as the texts that a person sees in them, one row a line.

Numbers have at most 15 digits, dates are YYYY-MM-DD, formulas are what they came to, and each cell
of a merged range has the value of its first one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context
from functools import lru_cache
from typing import Final
from xml.parsers import expat

from attrs import define, field

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.raw_records import CELL_END
from commerce_core.parsing.simple_elements import unescaped
from commerce_core.parsing.simple_runs import SimpleRuns
from commerce_core.parsing.xml_elements import new_parser

MOST_ROWS: Final = 1_048_576
MOST_COLUMNS: Final = 16_384
"""As many rows and columns as a sheet can have."""
MARK: Final = "\x1c"
LINE_WITHIN: Final = "\x1e"
"""What each row begins with, and what stands for the end of a line in a cell.

XML can contain neither, nor what ends cells, so cells can't either.
"""

_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_MOST_DAYS: Final = 2_958_466
_SHOWN: Final = Context(prec=15, rounding=ROUND_HALF_UP)
_MOST_EXPONENT: Final = 308  # Beyond it, workbooks have no numbers.
_MOST_NUMBERS: Final = 20_000
_PLAIN: Final = re.compile(r"[1-9][0-9]{0,14}|(?:0|[1-9][0-9]{0,6})\.[0-9]{0,7}[1-9]")
"""Numbers that are shown as they are written."""
_ATTRIBUTE: Final = r' [A-Za-z0-9:]++="[^"<&]*+"'
_CELL: Final = (
    r'<c(?: r="([A-Z]{1,3})[0-9]{1,7}")?(?: s="([0-9]{1,6})")?(?: t="([A-Za-z]{1,10})")?'
    rf"(?:/>|>(?:<f(?:{_ATTRIBUTE})*+(?:/>|>[^<]*+</f>))?"
    r'(?:<v>([^<\r]*+)</v>|<is><t(?: xml:space="preserve")?>([^<\r]*+)</t></is>)?</c>)'
)
_HEAD: Final = rf'<row(?: r="([0-9]{{1,7}})")?(?:(?! r=){_ATTRIBUTE})*+>'
_ROW: Final = rf"{_HEAD}(?:[ \t\n]*+{_CELL})*+[ \t\n]*+</row>"
_ROW_END: Final = "</row>"
_CELLS: Final = re.compile(_CELL)
_HEADS: Final = re.compile(rf"[ \t\n]*+{_HEAD}")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LINE_ENDS: Final = re.compile(r"\r\n?|\n")

Place = tuple[int, int]
"""The row and the column of a cell, both from 1 on."""
Show = Callable[[str], str]
"""The text that a cell shows, by the number that it has."""


@define
class Rows:
    """The rows that a parser has found in a sheet so far."""

    _texts: list[str]
    _shows: list[Show]
    _merged: Mapping[int, Mapping[int, Place]]
    _parser: expat.XMLParserType = field(factory=new_parser)
    _runs: SimpleRuns = field(init=False)
    _lines: list[str] = field(factory=list[str])
    _cells: dict[int, str] = field(factory=dict[int, str])
    _sources: dict[tuple[int, int], str] = field(factory=dict[tuple[int, int], str])
    _numbers: dict[tuple[str, str], str] = field(factory=dict[tuple[str, str], str])
    """What numbers show, by style and value; many come again."""
    _row: int = 0
    _column: int = 0
    _kind: str = "n"
    _style: int = 0
    _value: list[str] = field(factory=list[str])
    _taken: bool = False
    _firsts: frozenset[Place] = field(init=False, factory=frozenset[Place])

    def __attrs_post_init__(self) -> None:
        """Connects the parser."""
        self._firsts = frozenset(p for row in self._merged.values() for p in row.values())
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._add
        self._runs = SimpleRuns(self._parser, _ROW_END.encode(), _ROW, self._take_simple)

    def read(self, blocks: Iterator[bytes]) -> Iterator[str]:
        """The text of the rows in the XML of a sheet."""
        for block in blocks:
            self._runs.read(block)
            yield self._text_so_far()
        self._runs.close()
        yield self._text_so_far()

    def _text_so_far(self) -> str:
        """The text of the rows since the last call."""
        text = "".join(self._lines)
        self._lines.clear()
        return text

    def _start(self, tag: str, attributes: list[str]) -> None:
        name = local_name(tag)
        if name == "c":
            self._begin_cell(dict(zip(attributes[::2], attributes[1::2], strict=True)))
        elif name in ("v", "t"):
            self._taken = True
        elif name == "row":
            named = dict(zip(attributes[::2], attributes[1::2], strict=True))
            self._begin_row(int(named.get("r", self._row + 1)))

    def _begin_row(self, number: int) -> None:
        if number > MOST_ROWS:
            detail = f"The sheet has a row {number:,}; the last one can be {MOST_ROWS:,}."
            raise FileRefused("undecodable", detail, "Save it again as .xlsx, or as CSV.")
        # Rows that aren't there are blank lines, so that a line is a row.
        if number > self._row + 1:
            self._lines.extend(f"{MARK}\n" for _ in range(number - self._row - 1))
        self._row, self._column = max(number, self._row + 1), 0
        self._cells.clear()

    def _take_simple(self, run: str) -> None:
        """Rows of cells that are numbers and texts alone."""
        for row in run.split(_ROW_END)[:-1]:
            head = _HEADS.match(row)
            if head is None:  # A run has nothing else.
                raise ValueError(row)
            self._begin_row(int(head[1] or self._row + 1))
            cells, texts, numbers, column = self._cells, self._texts, self._numbers, 0
            for letters, style, kind, number, own in _CELLS.findall(row, head.end()):
                column = _column(letters) if letters else column + 1
                value = number or own
                if "&" in value:
                    value = unescaped(value)
                if kind == "s":
                    shown = texts[int(value)] if value else ""
                elif kind or (shown := numbers.get((style, value))) is None:
                    self._kind, self._style = kind or "n", int(style or 0)
                    shown = self._shown(value)
                    if not kind and len(numbers) < _MOST_NUMBERS:
                        numbers[style, value] = shown
                if shown and 0 < column <= MOST_COLUMNS:
                    cells[column] = shown
            self._end_row()

    def _begin_cell(self, named: Mapping[str, str]) -> None:
        place = _REFERENCE.fullmatch(named.get("r", ""))
        self._column = _column(place[1]) if place else self._column + 1
        self._kind, self._style = named.get("t", "n"), int(named.get("s", "0"))
        self._value.clear()

    def _add(self, text: str) -> None:
        if self._taken:
            self._value.append(text)

    def _end(self, tag: str) -> None:
        name = local_name(tag)
        if name == "c":
            shown = self._shown("".join(self._value))
            if shown and 0 < self._column <= MOST_COLUMNS:
                self._cells[self._column] = shown
        elif name in ("v", "t"):
            self._taken = False
        elif name == "row":
            self._end_row()
            if tag == name:
                self._runs.ended()

    def _end_row(self) -> None:
        if self._merged:
            self._fill_merged()
        last = max(self._cells, default=0)
        cells = self._cells.values()
        if [*self._cells] != [*range(1, last + 1)]:
            cells = (self._cells.get(column, "") for column in range(1, last + 1))
        self._lines.append(f"{MARK}{CELL_END.join(cells)}\n")

    def _fill_merged(self) -> None:
        """Each cell of a merged range has the value of its first one."""
        for column, cell in self._cells.items():
            if (self._row, column) in self._firsts:
                self._sources[self._row, column] = cell
        for column, source in self._merged.get(self._row, {}).items():
            self._cells.setdefault(column, self._sources.get(source, ""))

    def _shown(self, value: str) -> str:
        match self._kind:
            case "s":
                return self._texts[int(value)] if value else ""
            case "b":
                return {"1": "TRUE", "0": "FALSE"}.get(value, value)
            case "n":
                show = self._shows[self._style] if self._style < len(self._shows) else as_number
                return show(value) if value else ""
            case _:  # A text of its own, what a formula came to, an error, a date in ISO 8601.
                return as_one_line(value)


def local_name(tag: str) -> str:
    """The name of an element or attribute without its prefix."""
    return tag.rpartition(":")[2]


def as_one_line(text: str) -> str:
    """A text without what ends cells and lines."""
    if not needs_one_line(text):
        return text
    text = _ESCAPED.sub(lambda found: _unescaped(found[0], int(found[1], 16)), text)
    return _LINE_ENDS.sub(LINE_WITHIN, text)


def needs_one_line(text: str) -> bool:
    """Whether there may be an end of a line, or a character that is written by its number."""
    return "_x" in text or "\n" in text or "\r" in text


def _unescaped(text: str, code: int) -> str:
    """A character that XML can't have, as workbooks write it: line ends and tabs alone count."""
    return {9: "\t", 10: "\n", 13: "\r", 0x5F: "_"}.get(code, text if code >= ord(" ") else "")


def as_number(value: str) -> str:
    """A number to the 15 digits that a workbook shows, without an exponent."""
    if _PLAIN.fullmatch(value):
        return value
    try:
        number = _SHOWN.create_decimal(value).normalize(_SHOWN)
    except ArithmeticError:
        return value
    if not number.is_finite() or number.adjusted() > _MOST_EXPONENT:
        return value
    return f"{number:f}" if number.adjusted() >= -_MOST_EXPONENT else "0"


def as_date(value: str, epoch: datetime) -> str:
    """A day and time by its number of days; a time alone has no day."""
    days = float(value)
    if not 0 <= days < _MOST_DAYS:
        return as_number(value)
    moment = epoch + timedelta(seconds=round(days * 86_400))
    if days < 1:
        return f"{moment:%H:%M:%S}"
    return f"{moment:%Y-%m-%d}" if days == int(days) else f"{moment:%Y-%m-%dT%H:%M:%S}"


def place_of(reference: str) -> Place:
    """The place of a cell by its name, such as B7; ValueError if it is none."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(reference)
    return int(found[2]), _column(found[1])


@lru_cache(maxsize=MOST_COLUMNS)
def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
