"""From the text of a feed to its records of cells, each with the physical line it begins on.

Memory stays flat: no record may be longer than `LONGEST_RECORD`. A file that can't be taken as a
whole ends in FileRefused, which names the line.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final, cast

from attrs import field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.decoding import count_line_ends
from commerce_core.profiles.profile import DELIMITERS

LONGEST_RECORD: Final = 1 << 24
"""Characters in one record; a longer one is nearly always a quote that was never closed."""
LONGEST_HEADER: Final = 1 << 18
"""Characters within which a header has to end for its delimiter to be recognised."""
OBJECTS_LOOKED_AT: Final = 1_000
"""Objects of a JSONL file whose keys make its header."""

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)")
_TOLD_DELIMITER: Final = re.compile(r"sep=([,;\t|])(?:\r\n?|\n)")
_BROKEN_TEXT_KEPT: Final = 1_000


@frozen
class RawRecord:
    """The cells of one record; None where its quoting is broken, and then `text` is what it says.

    `lines` is how many physical lines it covers. A broken record that covers more than one may
    have swallowed others. JSONL has no delimiter. `sent` is all its text as it came, the end of
    its last line included. One that is `aside` stands in a mended report only for what others take
    from it.
    """

    line: int
    cells: list[str] | None
    text: str = ""
    lines: int = 1
    delimiter: str = ","
    sent: str = field(default="", eq=False, repr=False)
    aside: bool = False

    def saying(self, cells: list[str]) -> "RawRecord":
        """The same record with these cells."""
        return RawRecord(
            self.line, cells, self.text, self.lines, self.delimiter, self.sent, self.aside
        )


Accepts = Callable[[Sequence[str]], bool]
"""Whether a header read with some delimiter is one that can be used."""


@frozen
class Records:
    """A feed's records in order, blank lines included, the header first, and how they are split."""

    delimiter: str | None
    records: Iterator[RawRecord]


def open_records(blocks: Iterator[str], delimiter: str | None, accepts: Accepts) -> Records:
    """Splits a feed's text: JSON objects a line if it begins with one, else delimited text.

    An undeclared delimiter is the one of comma, semicolon, tab and bar with which the header
    `accepts`; FileRefused where that holds for several.
    """
    head, blocks = _look_ahead(blocks)
    if head.lstrip(BLANKS).startswith("{"):
        return Records(None, read_jsonl(blocks))
    told = _TOLD_DELIMITER.match(head)
    if told is not None:
        # A spreadsheet's own way to say it, in a line before the header.
        return Records(told[1], islice(read_delimited(blocks, told[1]), 1, None))
    chosen = delimiter or choose_delimiter(head, accepts)
    return Records(chosen, read_delimited(blocks, chosen))


def read_delimited(
    blocks: Iterator[str], delimiter: str = ",", line: int = 1
) -> Iterator[RawRecord]:
    """All records of delimited text, which begins on that line of its file.

    FileRefused where a quote is never closed.
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
            text = sent[:_BROKEN_TEXT_KEPT]
            yield RawRecord(lines.begins_at, None, text, count, delimiter, sent)
        else:
            sent, count = "".join(lines.of_record), len(lines.of_record)
            yield RawRecord(lines.begins_at, cells, "", count, delimiter, sent)


def read_jsonl(blocks: Iterator[str]) -> Iterator[RawRecord]:
    """The objects of a JSONL file as records under one header, which is made of their keys."""
    lines = ((number, line) for number, line in enumerate(_split(blocks), start=1))
    looked_at = [(n, line, _object(line)) for n, line in _first(lines, OBJECTS_LOOKED_AT)]
    header = list(dict.fromkeys(key for _, _, made in looked_at if made for key in made))
    if not header:
        detail = "The first lines are no JSON objects."
        raise FileRefused("no_header", detail, "Send one JSON object a line, or CSV.", line=1)
    yield RawRecord(1, header)
    later = ((number, line, _object(line)) for number, line in lines)
    for number, line, made in chain(looked_at, later):
        if made is None and line.strip(BLANKS):
            yield RawRecord(number, None, line[:_BROKEN_TEXT_KEPT], delimiter="", sent=line)
        else:
            values = map((made or {}).get, header)
            cells = [value if type(value) is str else _cell(value) for value in values]
            yield RawRecord(number, cells, delimiter="", sent=line)


def choose_delimiter(head: str, accepts: Accepts) -> str:
    """The one delimiter with which the header is accepted; else that of most cells."""
    headers = {delimiter: first_cells(head, delimiter) for delimiter in DELIMITERS}
    accepted = [d for d, header in headers.items() if len(header) > 1 and accepts(header)]
    if len(accepted) > 1:
        detail = f"The header can be read with {' and '.join(map(repr, accepted))} between cells."
        remedy = "Declare the delimiter in the profile."
        raise FileRefused("ambiguous_dialect", detail, remedy, line=1)
    return accepted[0] if accepted else max(DELIMITERS, key=lambda d: max(1, len(headers[d])))


def first_cells(head: str, delimiter: str) -> list[str]:
    """The cells of the first record that isn't blank; none where so much text doesn't tell."""
    try:
        lines: list[str] = _LINE.findall(f"{head}\n")
        rows = csv.reader(lines, strict=True, delimiter=delimiter)
        return next((row for row in rows if any(cell.strip(BLANKS) for cell in row)), list[str]())
    except csv.Error:
        return []


def _look_ahead(blocks: Iterator[str]) -> tuple[str, Iterator[str]]:
    taken: list[str] = []
    for block in blocks:
        taken.append(block)
        if sum(map(len, taken)) >= LONGEST_HEADER:
            break
    return "".join(taken)[:LONGEST_HEADER], chain(taken, blocks)


def _first(items: Iterator[tuple[int, str]], count: int) -> list[tuple[int, str]]:
    return [item for _, item in zip(range(count), items, strict=False)]


def _object(line: str) -> dict[str, Any] | None:
    """The object of a line; None where it is none, or repeats a key."""
    try:
        made: object = _AS_WRITTEN.decode(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", made) if isinstance(made, dict) else None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key comes twice")
    return made


_AS_WRITTEN: Final = json.JSONDecoder(parse_float=str, parse_int=str, object_pairs_hook=_pairs)
"""Reads JSON with its numbers as they are written; making one for each line would cost as much."""


def _cell(value: object) -> str:
    """A JSON value as a cell: numbers as written, lists with blanks between members."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case list():
            return " ".join(_cell(member) for member in cast("list[object]", value))
        case _:
            return json.dumps(value, ensure_ascii=False)


class _Lines:
    """The lines of a stream, which remembers where the record being read began and what it says."""

    def __init__(self, blocks: Iterator[str], delimiter: str, line: int) -> None:
        self._lines = _split(blocks, line)
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
        """What a record that goes on and on suffers from; it spans lines only inside quotes."""
        if self.of_record:
            return _unterminated(self.line_of_open_quote())
        return _line_too_long(self.number)

    def line_of_open_quote(self) -> int:
        """The line of the quote that is open at the end of what was read of this record."""
        text, closed = "".join(self.of_record), 0
        while cell := self._closed_cell.match(text, closed):
            closed = cell.end()
        return self.begins_at + count_line_ends(text[:closed])


def closed_cell(delimiter: str) -> re.Pattern[str]:
    """A cell that has come to its end, with what ends it."""
    d = re.escape(delimiter)
    return re.compile(
        rf"""(?: "[^"]*+(?:""[^"]*+)*+" | [^"{d}\r\n][^{d}\r\n]*+ )? (?: {d} | \r\n? | \n )""",
        re.VERBOSE,
    )


def _split(blocks: Iterator[str], line: int = 1) -> Iterator[str]:
    """Whole lines with their ends: LF, CRLF or CR. A CR at a block's end waits for its LF."""
    kept: list[str] = []
    number, length, held_back = line - 1, 0, ""
    for block in blocks:
        text = held_back + block
        held_back = "\r" if text.endswith("\r") else ""
        text = text.removesuffix(held_back)
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if end:
            lines: list[str] = _LINE.findall("".join((*kept, text[:end])))
            yield from lines
            number, kept, length = number + len(lines), [], 0
        kept.append(text[end:])
        length += len(text) - end
        if length > LONGEST_RECORD:
            raise _line_too_long(number + 1)
    rest = "".join((*kept, held_back))
    if rest:
        yield rest


def _unterminated(line: int) -> FileRefused:
    return FileRefused(
        "unterminated_quote",
        f"The quote that opens on line {line} is never closed.",
        'Close it, or double it if it belongs to the text ("").',
        line=line,
    )


def _line_too_long(line: int) -> FileRefused:
    detail = f"Line {line} has more than {LONGEST_RECORD:,} characters."
    return FileRefused("too_large", detail, "Close quotes, and end records with a line.", line=line)
