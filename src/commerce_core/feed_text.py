"""From the bytes of a feed to its records of cells, each with the physical line it begins on.

Memory stays flat: blocks of bytes are decoded as they come, and no record may be longer than
`LONGEST_RECORD`. A file that can't be taken as a whole ends in FileRefused, which names the line.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from attrs import frozen

from commerce_core.errors import FileRefused

BLOCK: Final = 1 << 18
"""Bytes that are read at a time."""
LONGEST_RECORD: Final = 1 << 25
"""Characters in one record; a longer one is nearly always a quote that was never closed."""

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r(?!\Z)|\n)")
_SIGNATURES: Final = {
    b"%PDF-": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"\x7fELF": "a program",
}
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROLS: Final = 0.1

csv.field_size_limit(LONGEST_RECORD)
# The limit is one for the process and only ever widened here; records are bounded by `_Lines`.


@frozen
class RawRecord:
    """The cells of one record; None where its quoting is broken, and then `text` is what it says."""

    line: int
    cells: list[str] | None
    text: str = ""


def read_records(stream: BinaryIO) -> Iterator[RawRecord]:
    """All records of a comma-separated UTF-8 file in order, blank lines included, the header first."""
    lines = _Lines(stream)
    rows = csv.reader(lines, strict=True)
    while True:
        lines.begin_record()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.ended and "unexpected end" in str(error):
                raise _unterminated(lines.line_of_open_quote()) from error
            yield RawRecord(lines.begins_at, None, "".join(lines.of_record)[:1000])
        else:
            yield RawRecord(lines.begins_at, cells)


class _Lines:
    """The lines of a stream, which remembers where the record being read began and what it says."""

    def __init__(self, stream: BinaryIO) -> None:
        self._lines = _split(_decode(stream))
        self.number = 0
        self.begins_at = 1
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
        try:
            line = next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        self.number += 1
        self._characters += len(line)
        if self._characters > LONGEST_RECORD:
            raise _unterminated(self.line_of_open_quote()) if self.of_record else _line_too_long(self.number)
        self.of_record.append(line)
        return line

    def line_of_open_quote(self) -> int:
        """The line of the quote that is open at the end of what was read of this record."""
        quotes_before, opened_at = 0, self.begins_at
        for offset, line in enumerate(self.of_record):
            quotes = line.count('"')
            if quotes_before % 2 == 0 and quotes:
                opened_at = self.begins_at + offset
            quotes_before += quotes
        return opened_at


def _decode(stream: BinaryIO) -> Iterator[str]:
    """Blocks of text, without a byte order mark."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
    first, newlines = True, 0
    while True:
        block = stream.read(BLOCK)
        if first:
            _check_is_text(block)
            first = False
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            line = newlines + error.object[: error.start].count(b"\n") + 1
            raise _undecodable(error, line) from error
        newlines += block.count(b"\n")
        if text:
            yield text
        if not block:
            return


def _split(blocks: Iterator[str]) -> Iterator[str]:
    """Whole lines with their ends: LF, CRLF or CR. A CR at a block's end waits for its LF."""
    kept: list[str] = []
    length = 0
    for block in blocks:
        if length + len(block) > LONGEST_RECORD + BLOCK:
            raise _line_too_long(None)
        text = "".join((*kept, block)) if "\n" in block or "\r" in block else None
        if text is None:
            kept.append(block)
            length += len(block)
            continue
        end = 0
        for match in _LINE.finditer(text):
            end = match.end()
            yield match[0]
        kept, length = [text[end:]], len(text) - end
    rest = "".join(kept)
    if rest:
        yield rest


def _check_is_text(head: bytes) -> None:
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise FileRefused("not_text", f"The file is {what}, not delimited text.", "Send CSV.", line=1)
    if len(_CONTROLS.findall(head[:4096])) > _MOST_CONTROLS * len(head[:4096]):
        raise FileRefused("not_text", "The file is binary, not delimited text.", "Send CSV.", line=1)


def _undecodable(error: UnicodeDecodeError, line: int) -> FileRefused:
    byte = error.object[error.start]
    return FileRefused(
        "undecodable",
        f"Line {line} has the byte 0x{byte:02x}, which is not UTF-8.",
        "Save the file as UTF-8.",
        line=line,
    )


def _unterminated(line: int) -> FileRefused:
    return FileRefused(
        "unterminated_quote",
        f"The quote that opens on line {line} is never closed.",
        'Close it, or double it if it belongs to the text ("").',
        line=line,
    )


def _line_too_long(line: int | None) -> FileRefused:
    where = f"Line {line}" if line else "A line"
    return FileRefused("too_large", f"{where} has more than {LONGEST_RECORD:,} characters.", line=line)
