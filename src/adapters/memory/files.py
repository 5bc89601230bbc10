"""Files in memory."""

import hashlib
import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from commerce_core.base.errors import NotFound, TooLarge
from commerce_core.ports.files import StoredFile, check_file_key, check_range

_BLOCK: Final = 1 << 16


class MemoryFiles:
    """Implements `commerce_core.ports.files.Files`; files are lost when the process ends."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def put(self, key: str, stream: BinaryIO, most_bytes: int) -> StoredFile:
        """Reads to the end, and only then keeps anything."""
        check_file_key(key)
        body = io.BytesIO()
        while block := stream.read(_BLOCK):
            if body.tell() + len(block) > most_bytes:
                raise TooLarge(f"The file has more than {most_bytes:,} bytes.")
            body.write(block)
        self._files[key] = body.getvalue()
        return StoredFile(body.tell(), hashlib.sha256(body.getbuffer()).hexdigest())

    @contextmanager
    def open(self, key: str, start: int = 0, end: int | None = None) -> Generator[BinaryIO]:
        """A stream of its own for each reader."""
        check_range(start, end)
        body = self._files.get(check_file_key(key))
        if body is None:
            raise NotFound(f"There is no file {key}.")
        yield io.BytesIO(body[start:end])

    def list(self, prefix: str) -> Iterator[str]:
        """The keys as they are when this is called."""
        return iter(sorted(key for key in tuple(self._files) if key.startswith(prefix)))

    def delete(self, key: str) -> None:
        """Deletes a file; does nothing if there is none."""
        self._files.pop(check_file_key(key), None)

    def check(self) -> None:
        """Memory is always there."""
