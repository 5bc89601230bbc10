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
LONGEST_RECORD: Final = 1 << 24
"""Characters in one record; a longer one is nearly always a quote that was never closed."""

_HEAD: Final = 4096
"""Bytes by which a file is known to be text."""
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)")
_CLOSED_CELL: Final = re.compile(
    r"""(?: "[^"]*+(?:""[^"]*+)*+" | [^",\r\n][^,\r\n]*+ )? (?: , | \r\n? | \n )""", re.VERBOSE
)
_SIGNATURES: Final = {
    b"%PDF-": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"\x7fELF": "a program",
    b"BZh91AY&SY": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"Rar!": "a RAR archive",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROLS: Final = 0.1
_BROKEN_TEXT_KEPT: Final = 1_000


@frozen
class RawRecord:
    """The cells of one record; None where its quoting is broken, and then `text` is what it says.

    `lines` is how many physical lines it covers. A broken record that covers more than one may
    have swallowed others.
    """

    line: int
    cells: list[str] | None
    text: str = ""
    lines: int = 1


def read_records(stream: BinaryIO) -> Iterator[RawRecord]:
    """All records of a comma-separated UTF-8 file in order, blank lines included, the header first.

    Raises FileRefused where the file isn't text, isn't UTF-8, or has a quote that is never closed.
    """
    # The limit is one for the whole process, so it is only ever widened.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD))
    lines = _Lines(stream)
    rows = csv.reader(lines, strict=True)
    while True:
        lines.begin_record()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.ended:
                raise _unterminated(lines.line_of_open_quote()) from error
            text = "".join(lines.of_record)[:_BROKEN_TEXT_KEPT]
            yield RawRecord(lines.begins_at, None, text, len(lines.of_record))
        else:
            yield RawRecord(lines.begins_at, cells, "", len(lines.of_record))


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
        while cell := _CLOSED_CELL.match(text, closed):
            closed = cell.end()
        return self.begins_at + _count_line_ends(text[:closed].encode())


def _decode(stream: BinaryIO) -> Iterator[str]:
    """Blocks of text, without a byte order mark."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
    line, after_return = 1, False
    for block in _blocks(stream):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            good = error.object[: error.start]
            line += _count_line_ends(good) - (after_return and good.startswith(b"\n"))
            raise _undecodable(error.object[error.start], line) from error
        line += _count_line_ends(block) - (after_return and block.startswith(b"\n"))
        after_return = block.endswith(b"\r")
        if text:
            yield text


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The blocks of a stream, an empty one last; the first is long enough to see what it is."""
    head = b""
    while len(head) < _HEAD and (block := stream.read(BLOCK)):
        head += block
    _check_is_text(head)
    if head:
        yield head
        yield from iter(lambda: stream.read(BLOCK), b"")
    yield b""


def _count_line_ends(text: bytes) -> int:
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _split(blocks: Iterator[str]) -> Iterator[str]:
    """Whole lines with their ends: LF, CRLF or CR. A CR at a block's end waits for its LF."""
    kept: list[str] = []
    number, length, held_back = 0, 0, ""
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


def _check_is_text(head: bytes) -> None:
    known = (what for signature, what in _SIGNATURES.items() if head.startswith(signature))
    controls = len(_CONTROLS.findall(head[:_HEAD]))
    binary = "binary" if controls > _MOST_CONTROLS * len(head[:_HEAD]) else None
    what = next(known, binary)
    if what:
        detail = f"The file is {what}, not delimited text."
        raise FileRefused("not_text", detail, "Send CSV in UTF-8.", line=1)


def _undecodable(byte: int, line: int) -> FileRefused:
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


def _line_too_long(line: int) -> FileRefused:
    detail = f"Line {line} has more than {LONGEST_RECORD:,} characters."
    return FileRefused("too_large", detail, "Close quotes, and end records with a line.", line=line)
