"""The port of files: the raw bytes of every feed, and reports; they never change."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Final, Protocol

from attrs import frozen


@frozen
class StoredFile:
    """What was put: its size, and the SHA-256 of its bytes, computed by us."""

    bytes: int
    sha256: str


LONGEST_FILE_KEY: Final = 512
_PART: Final = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}"
FILE_KEY: Final = re.compile(f"{_PART}(?:/{_PART})*")


def check_file_key(key: str) -> str:
    """The key itself if a file can have it; ValueError otherwise, since the core makes the keys."""
    if len(key) > LONGEST_FILE_KEY or not FILE_KEY.fullmatch(key):
        raise ValueError(f"{key[:200]!r} can't be the key of a file")
    return key


class Files(Protocol):
    """Keeps files by key: parts of letters, digits, `_`, `-` and `.`, joined by `/`.

    No part begins with a point. ValueError for any other key.
    """

    def put(self, key: str, stream: BinaryIO, most_bytes: int) -> StoredFile:
        """Keeps the whole stream, or nothing; TooLarge beyond `most_bytes`. Memory stays flat."""
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file as a stream; NotFound if there is none."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, in order."""
        ...

    def delete(self, key: str) -> None:
        """Forgets a file; nothing happens if there is none."""
        ...

    def check(self) -> None:
        """Returns if files can be kept and read now; Unavailable otherwise."""
        ...
