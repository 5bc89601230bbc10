"""Raw records: the cells of one record and how it was sent; and the lines that texts consist of."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from attrs import evolve, field, frozen

from commerce_core.base.errors import FileRefused

LONGEST_RECORD: Final = 1 << 24
"""Characters in one record; a longer one is nearly always a quote that was never closed."""
CELL_END: Final = "\x1f"
"""What stands between cells in the text of a row of a sheet: no cell contains it, but a tab."""
BROKEN_TEXT_KEPT: Final = 1_000
"""Characters of a broken record that are shown."""

Corrected = tuple[str, int]
"""The record that a row of a corrected report stands for: its feed's id, and its line there."""
NOTHING_LACKING: Final = frozenset[int]()
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)")
_ENDS: Final = frozenset("\r\n")
_ENDS_OR_NONE: Final = ("", "\r", "\n")


@frozen
class RawRecord:
    """The cells of one record, or None if it is broken, and then `text` is how it begins.

    `line` is the physical line on which it begins, in a format without lines the number of its row;
    it covers `lines` of them. A broken record that covers several may have swallowed others. Only
    delimited text has a delimiter. `sent` is all its text as it came, the end of its last line
    included. A record that is `context_only` is in a corrected report only for what others take
    from it. `broken` is the code of a broken record's problem. `lacks` are the places of the cells
    that the record doesn't have at all, as an object that lacks a key; they are blank in `cells`.
    `late` are its keys, with their cells, that the header doesn't have, since they first came after
    the objects that the header is made of. `corrects` is the record that a row of a corrected
    report stands for.
    """

    line: int
    cells: list[str] | None
    text: str = ""
    lines: int = 1
    delimiter: str = ","
    sent: str = field(default="", eq=False, repr=False)
    context_only: bool = False
    broken: str = "malformed_quotes"
    lacks: frozenset[int] = NOTHING_LACKING
    late: tuple[tuple[str, str], ...] = ()
    corrects: Corrected | None = None

    @property
    def ends_file(self) -> bool:
        """Whether the file ends behind it, without the end of a line."""
        return self.sent[-1:] not in _ENDS_OR_NONE

    @property
    def shown(self) -> str:
        """Its text as people are shown it, without the end of its last line."""
        text = self.sent.rstrip("\r\n")
        return text if self.delimiter else text.replace(CELL_END, "\t")

    def completed(self, cells: list[str]) -> "RawRecord":
        """The same record with cells of which some were taken from another one."""
        lacks = self.lacks
        if lacks:
            lacks = frozenset(index for index in lacks if not cells[index])
        # For each of a million records; `evolve` takes four times as long.
        return RawRecord(
            self.line, cells, self.text, self.lines, self.delimiter, self.sent,
            self.context_only, self.broken, lacks, self.late, self.corrects,
        )  # fmt: skip

    def with_cells(self, cells: list[str]) -> "RawRecord":
        """The same record with these cells; what was sent stays."""
        return evolve(self, cells=cells)


def without_end(text: str) -> str:
    """The text of a record without the end of its last line."""
    return text[:-2] if text.endswith("\r\n") else text[:-1] if text[-1:] in _ENDS else text


def count_line_ends(text: str) -> int:
    """The number of line ends in a text: LF, CRLF or CR."""
    ends = text.count("\n")
    return ends + text.count("\r") - text.count("\r\n") if "\r" in text else ends


def lines_in(text: str) -> list[str]:
    """The lines of a text with their ends; whatever follows the last end is left out."""
    return _LINE.findall(text)


def each_line(text: str) -> Iterator[str]:
    """The same, one by one, for who needs the first ones."""
    return (line[0] for line in _LINE.finditer(text))


def line_starts(text: str, count: int) -> list[int]:
    """Where the lines behind the first ends are, as many as asked for if there are."""
    return [found.end() for found in islice(_LINE.finditer(text), count)]


def split_lines(blocks: Iterator[str], line: int = 1) -> Iterator[str]:
    """Whole lines with their ends: LF, CRLF or CR. A CR at a block's end waits for its LF."""
    kept: list[str] = []
    number, length, held_back = line - 1, 0, ""
    for block in blocks:
        text = held_back + block
        held_back = "\r" if text.endswith("\r") else ""
        text = text.removesuffix(held_back)
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if end:
            lines = lines_in("".join((*kept, text[:end])))
            yield from lines
            number, kept, length = number + len(lines), [], 0
        kept.append(text[end:])
        length += len(text) - end
        if length > LONGEST_RECORD:
            raise line_too_long(number + 1)
    rest = "".join((*kept, held_back))
    if rest:
        yield rest


def line_too_long(line: int) -> FileRefused:
    """The refusal of a file with a line that is longer than any record may be."""
    detail = f"Line {line} has more than {LONGEST_RECORD:,} characters."
    return FileRefused("too_large", detail, "Close quotes, and end records with a line.", line=line)
