"""From the bytes of a raw file to text: unpacked, decoded, and refused if it is neither.

Archives are gz, bz2, xz and zip.
Everything is a stream of blocks, so memory stays flat. What an archive expands to is limited, in
bytes and in proportion to what was sent, and so is the number of its parts, each of which takes
time even if it is empty.
"""

import bz2
import codecs
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Final

from attrs import frozen

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.library_formats import (
    LONGEST_SIGNATURE,
    Decompressor,
    compression_of,
    table_format_of,
)
from commerce_core.parsing.other_files import LONGEST_LOOK, is_workbook, office_document, recognise
from commerce_core.parsing.raw_records import count_line_ends
from commerce_core.parsing.workbook import MOST_WORKBOOK_BYTES, sheet_text
from commerce_core.parsing.xml_records import encoding_in

OpenRaw = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens the bytes of a feed, each time from the beginning."""

BLOCK: Final = 1 << 18
"""Bytes that are read at a time, and at most expanded."""
MOST_EXPANDED: Final = 50 * 1024**3
"""Bytes that an archive may expand to."""
HIGHEST_RATIO: Final = 250
"""How many times its own size an archive may expand to; product feeds stay below a tenth."""
_RATIO_COUNTS_FROM: Final = 2 * 1024**2
MOST_PARTS: Final = 100_000
"""Members that a gzip file may have, and entries of a zip archive; each takes some microseconds."""
_FIRST_BYTES: Final = 1 << 10
"""Bytes of a part that are unpacked first; a small one then copies little of what follows it."""
_NAMES_WITHIN: Final = 1 << 16
"""Bytes within which the names of the first parts of a workbook stand."""
_HEAD: Final = LONGEST_LOOK
"""Bytes by which a file is recognised."""

_GZIP: Final = b"\x1f\x8b"
_BZIP2: Final = b"BZh"
_XZ: Final = b"\xfd7zXZ\0"
_MOST_XZ_MEMORY: Final = 128 * 1024**2
"""Bytes that unpacking may take; what xz packs at its highest level takes 65 MB."""
_ZIP: Final = b"PK\x03\x04"
_ZIP_CENTRAL: Final = b"PK\x01\x02"
_ZIP_DESCRIPTOR: Final = b"PK\x07\x08"
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_DESKTOP_NAMES: Final = (b".DS_Store", b"Thumbs.db", b"desktop.ini", b"ehthumbs.db")
_ENDS_EARLY: Final = ("unexpected end of data", "truncated data")
"""The reasons that Python's decoders give for a character whose last bytes are missing."""


def read_text(stream: BinaryIO, encoding: str | None = None, sheet: str | None = None) -> "Text":
    """The text of a raw file, in blocks, without a byte order mark.

    Its encoding is that of its mark, or UTF-8 wherever that is valid, or the declared one, be it by
    the prolog of XML. Of a workbook, it is that of its `sheet`, by default the first one. Raises
    FileRefused for an archive that is broken, too large or has several files, for a file that isn't
    text, and for bytes that aren't valid in the encoding; the refusal names the line.
    """
    blocks = unpacked(stream, sheet)
    first = next(blocks, b"")
    mark = next((mark for mark in _MARKS if first.startswith(mark)), b"")
    return Text(_preceded(first, blocks), mark, encoding or encoding_in(first))


def unpacked(stream: BinaryIO, sheet: str | None = None) -> Iterator[bytes]:
    """The bytes of a raw file, out of their archive; FileRefused if they can't be text.

    Of a workbook, they are the rows of its `sheet`, by default the first one.
    """
    source = _Source(stream)
    if (table := table_format_of(source.peek(LONGEST_SIGNATURE))) is not None:
        return (block.encode() for block in table.rows(source.take))
    if is_workbook(source.peek(_NAMES_WITHIN)):
        return _of_sheet(source, sheet)
    return _checked(_unpacked(source))


def _of_sheet(source: "_Source", sheet: str | None) -> Iterator[bytes]:
    packed = source.take(MOST_WORKBOOK_BYTES + 1)
    if len(packed) > MOST_WORKBOOK_BYTES:
        detail = f"The workbook has more than {MOST_WORKBOOK_BYTES:,} bytes."
        raise FileRefused("too_large", detail, "Save the table as CSV.")
    return (block.encode() for block in sheet_text(packed, sheet))


class _Source:
    """The bytes of a stream, some at a time; the next ones can be looked at before."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self.taken = 0
        self._parts = 0

    def peek(self, count: int) -> bytes:
        """The next bytes, up to `count` of them, without taking them."""
        while len(self._buffer) - self._at < count and (block := self._stream.read(BLOCK)):
            self._buffer = self._buffer[self._at :] + block
            self._at = 0
        return self._buffer[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        """The next bytes, `count` of them; fewer at the end."""
        taken = self.peek(count)
        self._at += len(taken)
        self.taken += len(taken)
        return taken

    def block(self) -> bytes:
        """The next block; empty at the end."""
        return self.take(BLOCK)

    def give_back(self, count: int) -> None:
        """Takes back that many of the bytes that were taken last."""
        self._at -= count
        self.taken -= count

    def begin_part(self) -> None:
        """Counts a part of an archive; FileRefused if there are too many."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            detail = f"The archive has more than {MOST_PARTS:,} parts."
            raise FileRefused("too_large", detail, "Pack the file once, by itself.")


def _unpacked(source: _Source) -> Iterator[bytes]:
    head = source.peek(len(_XZ))
    if head.startswith(_GZIP):
        return _gunzipped(source)
    if head.startswith(_ZIP):
        return _unzipped(source)
    if head.startswith(_BZIP2) and head[3:4].isdigit():
        return _decompressed(source, _BZIP2, "bzip2", bz2.BZ2Decompressor)
    if head.startswith(_XZ):
        return _decompressed(source, _XZ, "xz", _new_xz)
    if (known := compression_of(head)) is not None:
        return _decompressed(source, known.signature, known.name, known.new)
    return iter(source.block, b"")


def _gunzipped(source: _Source) -> Iterator[bytes]:
    """All members of a gzip file, one after the other."""
    while source.peek(2) == _GZIP:
        yield from _inflated(source, zlib.MAX_WBITS | 16)
    while rest := source.block():  # Some writers pad the end with zeros.
        if rest.strip(b"\0"):
            raise _damaged("gzip")


def _new_xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, _MOST_XZ_MEMORY)


def _decompressed(
    source: _Source,
    signature: bytes,
    kind: str,
    new: Callable[[], Decompressor],
) -> Iterator[bytes]:
    """All streams of a file, one after the other."""
    while source.peek(len(signature)) == signature:
        source.begin_part()
        stream, expanded = new(), 0
        while not stream.eof:
            packed = source.block() if stream.needs_input else b""
            if stream.needs_input and not packed:
                raise _cut_off(kind)
            try:
                block = stream.decompress(packed, BLOCK)
            except (MemoryError, AssertionError):
                raise
            except Exception as error:  # Each library has errors of its own.
                raise _damaged(kind) from error
            expanded += len(block)
            _check_expansion(expanded, source.taken)
            if block:
                yield block
        source.give_back(len(stream.unused_data))
    if any(block.strip(b"\0") for block in iter(source.block, b"")):
        raise _damaged(kind)


def _inflated(source: _Source, window: int) -> Iterator[bytes]:
    """What a compressed stream expands to; afterwards the source is right behind it."""
    source.begin_part()
    inflate, expanded, wanted = zlib.decompressobj(window), 0, _FIRST_BYTES
    kind = "gzip" if window > zlib.MAX_WBITS else "zip"
    while not inflate.eof:
        packed = inflate.unconsumed_tail or source.take(wanted)
        wanted = min(2 * wanted, BLOCK)
        if not packed:
            raise _cut_off(kind)
        try:
            block = inflate.decompress(packed, BLOCK)
        except zlib.error as error:
            raise _damaged(kind) from error
        expanded += len(block)
        _check_expansion(expanded, source.taken - len(inflate.unconsumed_tail))
        if block:
            yield block
    source.give_back(len(inflate.unused_data))


def _unzipped(source: _Source) -> Iterator[bytes]:
    """The only file of a zip archive; folders, and what desktops add, don't count."""
    found = False
    while source.peek(4) == _ZIP:
        entry = _zip_entry(source)
        if entry.is_extra:
            for _ in _zip_content(source, entry):
                pass
        elif found:
            raise FileRefused("not_text", "The zip archive has several files.", "Send one file.")
        else:
            found = True
            yield from _zip_content(source, entry)
    if (behind := source.peek(4)) != _ZIP_CENTRAL:
        raise _cut_off("zip") if _ZIP_CENTRAL.startswith(behind) else _damaged("zip")


def _zip_content(source: _Source, entry: "_ZipEntry") -> Iterator[bytes]:
    checksum = 0
    packed = _inflated(source, -zlib.MAX_WBITS) if entry.deflated else _stored(source, entry.size)
    for block in packed:
        checksum = zlib.crc32(block, checksum)
        yield block
    if checksum != (_zip_descriptor(source) if entry.described else entry.crc):
        raise _damaged("zip")


@frozen
class _ZipEntry:
    """A file in a zip archive; its checksum comes behind it if it is `described`."""

    name: bytes
    deflated: bool
    described: bool
    crc: int
    size: int

    @property
    def is_extra(self) -> bool:
        """Whether it is a folder, or empty, or what a desktop adds to files."""
        empty = not self.size and not self.described
        own = self.name.rpartition(b"/")[2]
        added = self.name.startswith(b"__MACOSX/") or own.startswith(b"._")
        return empty or added or not own or own in _DESKTOP_NAMES


def _zip_entry(source: _Source) -> _ZipEntry:
    """The entry that begins here (APPNOTE.TXT, 4.3.7)."""
    head = source.take(30)
    if len(head) < 30:  # noqa: PLR2004 the length of a local file header
        raise _cut_off("zip")
    number = [int.from_bytes(head[a:b], "little") for a, b in ((6, 8), (8, 10), (14, 18), (18, 22))]
    name = source.take(int.from_bytes(head[26:28], "little"))
    source.take(int.from_bytes(head[28:30], "little"))
    flags, method, crc, size = number
    if (document := office_document(name, lambda: source.peek(BLOCK))) is not None:
        raise document.refusal
    if flags & 1 or method not in (0, 8) or (not method and flags & 8):
        detail = "The zip archive is encrypted, or packed in a way that isn't read."
        raise FileRefused("not_text", detail, "Pack it with deflate, or send it as gz.")
    return _ZipEntry(name, bool(method), bool(flags & 8), crc, size)


def _stored(source: _Source, size: int) -> Iterator[bytes]:
    source.begin_part()
    while size:
        block = source.take(min(size, BLOCK))
        if not block:
            raise _cut_off("zip")
        size -= len(block)
        yield block


def _zip_descriptor(source: _Source) -> int:
    """The checksum behind the data, of an entry whose header was written before it was known."""
    if source.peek(4) == _ZIP_DESCRIPTOR:
        source.take(4)
    crc = int.from_bytes(source.take(4), "little")
    for width in (8, 16):
        if source.peek(width + 4)[width:] in (_ZIP, _ZIP_CENTRAL):
            source.take(width)
            return crc
    raise _damaged("zip") if len(source.peek(20)) == 20 else _cut_off("zip")  # noqa: PLR2004


def _check_expansion(expanded: int, packed: int) -> None:
    ratio_counts = expanded > _RATIO_COUNTS_FROM
    if expanded > MOST_EXPANDED or (ratio_counts and expanded > HIGHEST_RATIO * packed):
        raise FileRefused(
            "too_large",
            f"The archive expands to over {expanded:,} bytes from {packed:,}.",
            f"At most {HIGHEST_RATIO} times its size is accepted; send the file uncompressed.",
        )


def _damaged(kind: str) -> FileRefused:
    return FileRefused("undecodable", f"The {kind} archive is damaged.", "Send it again.")


def _cut_off(kind: str) -> FileRefused:
    detail = f"The {kind} archive is cut off: it ends before its contents do."
    return FileRefused("truncated", detail, "Send the whole file again.")


def _checked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks, the first of them long enough to see whether the file is text."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= _HEAD:
            break
    if (other := recognise(head)) is not None:
        raise other.refusal
    if head:
        yield head
    yield from blocks


def _preceded(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from blocks
    yield b""


class Text:
    """Text, decoded by its mark or as UTF-8; by the declared encoding from the first invalid byte.

    Everything before that byte must be ASCII: a file that has both encodings is refused, since
    either of them would misread a part of it. `encoding` is the one used so far; `mark` has the
    bytes of a byte order mark.
    """

    def __init__(
        self, blocks: Iterator[bytes], mark: bytes, declared: str | None, *,
        line: int = 1, ascii_so_far: bool = True,
    ) -> None:  # fmt: skip
        """The last block is empty.

        The blocks may begin in the middle of a file, on that line, if all before it was UTF-8.
        """
        self.mark = mark
        self.encoding = _MARKS.get(mark, "utf-8")
        self._text = self._decoded(blocks, declared, line, ascii_so_far=ascii_so_far)

    def __iter__(self) -> Iterator[str]:
        """The remaining blocks."""
        return self._text

    def __next__(self) -> str:
        """The next block."""
        return next(self._text)

    def _decoded(
        self, blocks: Iterator[bytes], declared: str | None, line: int, *, ascii_so_far: bool
    ) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        after_return = False
        for block in blocks:
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                good, name = error.object[: error.start], self.encoding
                may_fall_back = declared and name != declared and not self.mark
                if not (may_fall_back and ascii_so_far and good.isascii()):
                    before = good.decode(name, "ignore")
                    line += count_line_ends(before) - (after_return and before.startswith("\n"))
                    # One odd byte behind nothing but ASCII is rather of another encoding.
                    sure = self.mark or error.end - error.start > 1
                    if _ends_within(error) and (sure or not (ascii_so_far and good.isascii())):
                        raise _cut_within_character(line) from error
                    raise _undecodable(error, line, name) from error
                self.encoding = declared or name
                decoder = codecs.getincrementaldecoder(self.encoding)("strict")
                text = _fallen_back(decoder, error.object, line, self.encoding, final=not block)
            except ValueError as error:
                raise _unfit(self.encoding, error, line) from error
            ascii_so_far = ascii_so_far and text.isascii()
            line += count_line_ends(text) - (after_return and text.startswith("\n"))
            if text:
                after_return = text.endswith("\r")
                yield text


def _fallen_back(
    decoder: codecs.IncrementalDecoder, block: bytes, line: int, name: str, *, final: bool
) -> str:
    try:
        return decoder.decode(block, final=final)
    except UnicodeDecodeError as error:
        line += block[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
        raise _undecodable(error, line, name) from error
    except ValueError as error:
        raise _unfit(name, error, line) from error


def _ends_within(error: UnicodeDecodeError) -> bool:
    """Whether nothing is wrong but that the last character isn't whole."""
    return error.reason in _ENDS_EARLY and error.end == len(error.object)


def _cut_within_character(line: int) -> FileRefused:
    detail = f"The file is cut off: it ends on line {line}, within a character."
    return FileRefused("truncated", detail, "Send the whole file again.", line=line)


def _undecodable(error: UnicodeDecodeError, line: int, name: str) -> FileRefused:
    byte = error.object[error.start]
    encoding = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16"}.get(name, name)
    return FileRefused(
        "undecodable",
        f"Line {line} has the byte 0x{byte:02x}, which is not {encoding}.",
        "Save the file as UTF-8, or declare its encoding in the source's profile.",
        line=line,
    )


def _unfit(name: str, error: ValueError, line: int) -> FileRefused:
    """The refusal of bytes that a codec refuses as a whole, such as UTF-16 without its mark."""
    detail = f"From line {line} on, the file isn't {name}, which the profile declares: {error}."
    remedy = "Declare the encoding that the file has, or save the file as UTF-8."
    return FileRefused("undecodable", detail, remedy, line=line)
