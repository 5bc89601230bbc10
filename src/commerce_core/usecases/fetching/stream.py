"""The bytes of a file of another server as one stream, continued where the connection breaks."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Final, Self

from commerce_core.base.errors import Unreachable
from commerce_core.feeds.remote_file import RemoteFile
from commerce_core.ports.fetcher import Opened
from commerce_core.work.attempt import Progress

BLOCK: Final = 1 << 18
MOST_RESUMES: Final = 5
"""How often one file is continued within one try."""
_SHOW_EVERY: Final = 1 << 20

Show = Callable[[Progress], None]
Reopen = Callable[[RemoteFile, int], AbstractContextManager[Opened | None]]
"""Connects once more, and opens the file at a position."""


class RemoteStream:
    """A stream that shows how far it is; `read` returns nothing only at the end of the file."""

    def __init__(self, opened: Opened, reopen: Reopen, show: Show) -> None:
        """Takes what is open already, which its opener closes."""
        self._opened = opened
        self._size = opened.file.size
        self._reopen = reopen
        self._show = show
        self._stack = ExitStack()
        self._ahead = b""
        self._at = self._shown = self._resumes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def head(self, size: int) -> bytes:
        """The first bytes, which are read again afterwards."""
        while len(self._ahead) < size and (block := self._next(size - len(self._ahead))):
            self._ahead += block
        return self._ahead[:size]

    def read(self, size: int = -1) -> bytes:
        """Some bytes, or all of them without a size."""
        if size < 0:
            return b"".join(iter(lambda: self.read(BLOCK), b""))
        if self._ahead:
            block, self._ahead = self._ahead[:size], self._ahead[size:]
            return block
        return self._next(size)

    def _next(self, size: int) -> bytes:
        while True:
            try:
                block = self._opened.read(size)
                self._check_end(block)
            except Unreachable as error:
                if error.code != "cut_off" or self._resumes >= MOST_RESUMES or not self._at:
                    raise
                self._resume()
                continue
            self._at += len(block)
            if self._at - self._shown >= _SHOW_EVERY or not block:
                self._shown = self._at
                self._show(Progress("fetch", self._at, self._opened.file.size or 0))
            return block

    def _check_end(self, block: bytes) -> None:
        """Unreachable `cut_off` if the file ends before the size that it was opened with."""
        if not block and self._size is not None and self._at < self._size:
            detail = f"The file ended after {self._at:,} of {self._size:,} bytes."
            raise Unreachable(detail, code="cut_off", phase="body")

    def _resume(self) -> None:
        self._resumes += 1
        self._stack.close()
        self._stack = ExitStack()
        opened = self._stack.enter_context(self._reopen(self._opened.file, self._at))
        if opened is not None:
            self._opened = opened
