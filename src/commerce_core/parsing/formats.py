"""Formats: how the text of a feed becomes raw records, and how rows are written back as they came.

    Delimited    cells between delimiters, perhaps quoted      (delimited)
    JsonLines    one JSON object a line                        (json_lines)
    JsonDocument JSON objects in a list, or one behind the other  (json_documents)
    Xml          elements                                      (xml_records)
    Sheet        the rows of a sheet of a workbook             (sheets)

Each format reads `records` of a text, writes `rows` behind further columns, and can `rewrite` a
record. Memory stays flat: no record may be longer than `LONGEST_RECORD`. A file that is unreadable
as a whole ends in FileRefused, which names the line.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.delimited import Accepts, Delimited, choose_delimiter
from commerce_core.parsing.json_documents import JsonDocument, document_in
from commerce_core.parsing.json_lines import JsonLines, begins_json, begins_report
from commerce_core.parsing.nesting import nesting_of
from commerce_core.parsing.raw_records import (
    LONGEST_RECORD,
    RawRecord,
    line_starts,
    line_too_long,
)
from commerce_core.parsing.sheet_rows import MARK
from commerce_core.parsing.sheets import Sheet
from commerce_core.parsing.xml_records import Xml, xml_in

LONGEST_HEADER: Final = 1 << 18
"""Characters within which a header has to end for its format to be recognised."""
_SEP_LINE: Final = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*(?:\r\n?|\n)', re.IGNORECASE)

Format = Delimited | JsonLines | JsonDocument | Xml | Sheet


@frozen
class Records:
    """A feed's format, and its records in order, the header first, blank lines included."""

    format: Format
    records: Iterator[RawRecord]

    @property
    def delimiter(self) -> str | None:
        """What is between its cells; None for JSON and XML."""
        return self.format.delimiter


def open_records(
    blocks: Iterator[str], delimiter: str | None, accepts: Accepts, *, quotes: bool = True,
    header_line: int = 1, record_path: str | None = None,
) -> Records:  # fmt: skip
    """Splits a feed's text into records, by the format that `detect` finds.

    What stands before `header_line` isn't looked at. FileRefused if the text ends before it.
    """
    head, blocks = _look_ahead(_from_line(blocks, header_line) if header_line > 1 else blocks)
    found = detect(head, delimiter, accepts, quotes=quotes, record_path=record_path)
    return Records(found, found.records(blocks, header_line))


def detect(
    head: str, delimiter: str | None, accepts: Accepts, *, quotes: bool = True,
    record_path: str | None = None,
) -> Format:  # fmt: skip
    """The format of a text that begins like this.

    A text that begins with an element is XML, one with an object or a list JSON, any other
    delimited text. `record_path` is where the records of XML or JSON are, if it isn't found. A line
    `sep=;` before the header, as spreadsheets write it, declares the delimiter, else the profile's
    `delimiter` does; by default it is the one of comma, semicolon, tab and bar with which the
    header `accepts`.
    FileRefused if that holds for several.
    """
    if head.startswith(MARK):
        return Sheet()
    found = structured(head, record_path)
    if found is not None:
        return found
    if (declared := _SEP_LINE.match(head)) is not None:
        return Delimited(declared[1], has_sep_line=True, quotes=quotes)
    chosen = delimiter or choose_delimiter(head, accepts, quotes=quotes)
    return Delimited(chosen, quotes=quotes)


def structured(head: str, record_path: str | None) -> JsonLines | JsonDocument | Xml | None:
    """The format of a text that names the values of each record; None if it is delimited text.

    FileRefused isn't raised before the records are read.
    """
    if (found := xml_in(head, record_path)) is not None:
        return found
    if begins_report(head):
        return JsonLines()
    path, nesting = nesting_of(record_path)
    document = document_in(head, path)
    if document is not None:
        where = nesting.at(document.path or "") if path is None else nesting
        return evolve(document, nesting=where)
    return JsonLines(nesting) if begins_json(head) else None


def _from_line(blocks: Iterator[str], number: int) -> Iterator[str]:
    """The text from a line on, of which there are some before."""
    head, starts = "", list[int]()
    for block in blocks:
        head += block
        # The end of the line itself is awaited, since a CR may be half of one.
        starts = line_starts(head, number)
        if len(starts) >= number:
            break
        if len(head) > LONGEST_RECORD:
            raise line_too_long(1)
    if len(starts) < number - 1:
        detail = f"The profile expects the header on line {number:,}, but the file ends before it."
        raise FileRefused("no_header", detail, "Send its header, or correct the profile.", line=1)
    return chain((head[starts[number - 2] :],), blocks)


def _look_ahead(blocks: Iterator[str]) -> tuple[str, Iterator[str]]:
    taken: list[str] = []
    for block in blocks:
        taken.append(block)
        if sum(map(len, taken)) >= LONGEST_HEADER:
            break
    return "".join(taken)[:LONGEST_HEADER], chain(taken, blocks)
