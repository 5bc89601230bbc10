"""The lines of a feed behind its header, some megabytes of whole lines at a time, as UTF-8."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, Final

import numpy as np

from commerce_core.parsing.batching import text_of_batch
from commerce_core.parsing.decoding import Text, read_text, unpacked
from commerce_core.parsing.raw_records import LONGEST_RECORD, RawRecord
from commerce_core.parsing.reader import Reader
from commerce_core.profiles.limits import text_added

CHUNK: Final = 1 << 23
"""Bytes of text that are read at a time."""
FIRST_CHUNK: Final = 1 << 20
"""Bytes of the first one if the server waits for it; each of the next has twice as many."""
MOST_LINES: Final = 1 << 18
"""Lines that are read at a time: tiny ones become columns that are far larger than their text."""
MOST_CELLS: Final = 1 << 22
"""Cells of them, blank ones included."""
MOST_ADDED: Final = 1 << 24
"""Characters that the profile may add to them."""
_BLOCK: Final = 1 << 16
"""Bytes of them whose line ends are listed at a time."""
_NEWLINE: Final = 0x0A
_RETURN: Final = 0x0D
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_SURE_END: Final = re.compile(rb"\n|\r(?=[^\n])")
"""The end of a line for sure: a CR may belong to an LF that is still to come."""
_OF_BYTES: Final = ("utf-8", "utf-8-sig")


class Replayed:
    """A stream that remembers what is read from it, until it is taken back to its start."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._seen: list[bytes] | None = []
        self._again: list[bytes] = []

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer than asked for now and then, none at the end."""
        if self._again:
            return self._again.pop()
        block = self._stream.read(size)
        if self._seen is not None:
            self._seen.append(block)
        return block

    def forget(self) -> None:
        """From now on it remembers nothing, and goes on where it is."""
        self._seen = None

    def rewind(self) -> BinaryIO:
        """The stream from its start; from now on it remembers nothing."""
        self._again = [block for block in reversed(self._seen or ()) if block]
        self._seen = None
        return self  # type: ignore[return-value]


class Chunks:
    """What follows the header.

    `text` knows the encoding, `line` is that of the next chunk. `decoded` says that it comes as
    text in whatever encoding, and not as bytes that should be UTF-8; `ended`, that nothing follows;
    `whole`, that the last chunk ends with a line; `size`, how many bytes are read at a time.
    """

    def __init__(self, stream: BinaryIO, reader: Reader, size: int = CHUNK) -> None:
        """Takes the stream from its start, behind the header that the reader has found."""
        profile = reader.header.terms.profile
        declared = profile.encoding
        self.text = reader.text
        self.line = 1
        self.size = min(size, text_of_batch(profile))
        self._next_size = self.size
        self._declared = declared
        self._kept = b""
        self._ascii = True
        self.ended = False
        self.whole = True
        self._delimiter = (reader.header.delimiter or ",").encode()
        added = text_added(profile)
        self._most_lines = max(1, min(MOST_LINES, MOST_ADDED // max(1, added)))
        self.decoded = self.text.encoding not in _OF_BYTES
        if self.decoded:
            self.text = read_text(stream, declared)
            self._blocks = _encoded(self.text)
        else:
            self._blocks = unpacked(stream)
        self._skip(reader.header.raw)

    def begin_small(self) -> None:
        """Has the first chunks be smaller, for a server that has nothing to do before they come."""
        self._next_size = min(self.size, FIRST_CHUNK)

    def _skip(self, header: RawRecord) -> None:
        """Leaves the lines up to the header's last behind."""
        wanted, ends, end, seen = header.line + header.lines - 1, 0, 0, 0
        while ends < wanted:
            found = _LINE_END.search(self._kept, max(end, seen - 1))
            if found and (found[0] != b"\r" or found.end() < len(self._kept)):
                ends, end = ends + 1, found.end()
                continue
            seen = len(self._kept)
            block = next(self._blocks, b"")
            if not block:
                end = len(self._kept)
                break
            self._kept += block
        head, self._kept = self._kept[:end], self._kept[end:]
        self._ascii = head.removeprefix(self.text.mark).isascii()
        self.line = wanted + 1

    def take(self, front: bytes) -> bytes:
        """The next lines behind that text, whole but for the last of the file; none at its end.

        One line that is longer than any record may be comes in parts.
        """
        wanted, self._next_size = self._next_size, min(self.size, 2 * self._next_size)
        found = _end_of_line(self._kept, wanted - 1)
        if found:
            data, self._kept = front + self._kept[:found], self._kept[found:]
            return self._cut(data, len(front), whole=True)
        parts, size = [front, self._kept], len(self._kept)
        self._kept = b""
        while not found and size <= LONGEST_RECORD + self.size:
            block = next(self._blocks, b"")
            if not block:
                self.ended = True
                break
            found = _end_of_line(block, max(0, wanted - 1 - size))
            parts.append(block[:found] if found else block)
            self._kept = block[found:] if found else b""
            size += len(block)
        return self._cut(b"".join(parts), len(front), whole=found > 0)

    def _cut(self, data: bytes, behind: int, *, whole: bool) -> bytes:
        """The first lines behind that byte, as many as are read at a time; the others are kept.

        The data itself is `whole` if it is known to end with a line.
        """
        ends = _ends_in(data, behind)
        lines = int(np.count_nonzero(ends))
        cells = lines + data.count(self._delimiter, behind)
        most = min(self._most_lines, max(1, lines * MOST_CELLS // max(1, cells)))
        if lines > most:
            end = behind + _place_of(most, ends) + 1
            data, self._kept = data[:end], data[end:] + self._kept
            self.ended, whole = False, True
        self.whole = whole or self.ended
        self._look_ahead()
        return data

    @property
    def has_more(self) -> bool:
        """Whether the last chunk ends with a line, and others follow it."""
        return self.whole and not self.ended

    def _look_ahead(self) -> None:
        """So that the last lines are known to be the last."""
        if not self._kept:
            self._kept = next(self._blocks, b"")
            self.ended = not self._kept

    def passed(self, data: bytes, line: int) -> None:
        """Notes that what was taken has been understood, and on which line the next begins."""
        self.line = line
        self._ascii = self._ascii and data.isascii()

    def decode(self, data: bytes) -> None:
        """Reads on in the declared encoding from what was just taken; FileRefused if it can't be.

        For bytes that are no UTF-8. They are then given again, as text in UTF-8.
        """
        self.text = self._read_on(data)
        self.decoded = True
        self._kept = b""
        self._blocks = _encoded(self.text)

    def rest(self, data: bytes) -> Iterator[str]:
        """The text from what was just taken to the end, as the reference reads it."""
        if self.decoded:
            return chain((_text(data), _text(self._kept)), map(_text, self._blocks))
        self.text = self._read_on(data)
        return iter(self.text)

    def _read_on(self, data: bytes) -> Text:
        blocks: Iterable[bytes] = chain((data + self._kept,), self._blocks, (b"",))
        return Text(
            iter(blocks), self.text.mark, self._declared, line=self.line, ascii_so_far=self._ascii
        )


def _end_of_line(data: bytes, at: int) -> int:
    """Behind the first sure end of a line from there on; 0 if there is none."""
    found = _SURE_END.search(data, at)
    return found.end() if found else 0


def _ends_in(data: bytes, behind: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Whether each byte from there on is surely the last of a line; a CR at the end may not be."""
    array = np.frombuffer(data, np.uint8, offset=behind)
    ends = array == _NEWLINE
    if b"\r" in data:
        ends[:-1] |= (array[:-1] == _RETURN) & (array[1:] != _NEWLINE)
    return ends


def _place_of(number: int, marked: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> int:
    """Where the marked place with that number is, from 1 on; most of the others aren't listed."""
    in_blocks = np.add.reduceat(marked, range(0, len(marked), _BLOCK), dtype=np.int64)
    up_to = np.cumsum(in_blocks)
    block = int(np.searchsorted(up_to, number))
    within = np.flatnonzero(marked[block * _BLOCK : (block + 1) * _BLOCK])
    return block * _BLOCK + int(within[number - 1 - int(up_to[block] - in_blocks[block])])


def _encoded(text: Text) -> Iterator[bytes]:
    """The blocks in UTF-8; halves of characters, which a few encodings have, stay as they are."""
    return (block.encode(errors="surrogatepass") for block in text)


def _text(block: bytes) -> str:
    return block.decode(errors="surrogatepass")
