"""The port of files: the raw bytes of every feed, and reports; they never change."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@frozen
class StoredFile:
    """The size of a file that was put, and the SHA-256 of its bytes, computed by us."""

    bytes: int
    sha256: str


LONGEST_FILE_KEY: Final = 512
_PART: Final = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}"
FILE_KEY: Final = re.compile(f"{_PART}(?:/{_PART})*")


def check_file_key(key: str) -> str:
    """Returns the key; ValueError if it is invalid, since the core makes all keys."""
    if len(key) > LONGEST_FILE_KEY or not FILE_KEY.fullmatch(key):
        raise ValueError(f"{key[:200]!r} can't be the key of a file")
    return key


def check_range(start: int, end: int | None) -> None:
    """ValueError for a range that begins before the file or ends before it begins."""
    if start < 0 or (end is not None and end < start):
        raise ValueError(f"{start} to {end} is not a range of a file")


class FileRange(io.RawIOBase):
    """The bytes of a file from `start` up to `end` as a stream, in which positions begin at 0.

    `read_at` reads some bytes at a position of the file and returns how many; `close` is called
    once, at the end. Adapters build the streams they open from these.
    """

    def __init__(
        self,
        start: int,
        end: int,
        read_at: Callable[[int, memoryview], int],
        close: Callable[[], object],
    ) -> None:
        """Starts at position 0."""
        super().__init__()
        self._start = start
        self._size = max(0, end - start)
        self._at = 0
        self._read_at = read_at
        self._close = close

    def readable(self) -> bool:
        """Always; it can't be written to."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves to another position, which may lie beyond the end."""
        base = (0, self._at, self._size)[whence]
        if base + offset < 0:
            raise ValueError(f"{base + offset} is before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Reads what is available; 0 only at the end."""
        wanted = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        got = self._read_at(self._start + self._at, wanted) if len(wanted) else 0
        self._at += got
        return got

    def close(self) -> None:
        """Closes what it reads from."""
        if not self.closed:
            self._close()
        super().close()


class Files(Protocol):
    """Stores files by key: parts of letters, digits, `_`, `-` and `.`, joined by `/`.

    No part begins with a dot. ValueError for any other key.
    """

    def put(self, key: str, stream: BinaryIO, most_bytes: int) -> StoredFile:
        """Stores the whole stream, or nothing; TooLarge beyond `most_bytes`. Memory stays flat."""
        ...

    def open(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file from `start` up to `end`, or to its end, as a seekable stream.

        Positions in the stream count from `start`. A range that reaches beyond the end of the file
        ends there. All bytes are those of the file as it was when it was opened, or reading raises
        Unavailable `file_replaced`. NotFound if there is no such file; ValueError for an invalid
        range.
        """
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, in order."""
        ...

    def delete(self, key: str) -> None:
        """Deletes a file; does nothing if there is none."""
        ...

    def check(self) -> None:
        """Returns if files can be stored and read now; Unavailable otherwise."""
        ...
