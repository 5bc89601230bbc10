"""A request's body as a stream for a thread, read from the network as the thread reads it."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK: Final = 1 << 18
"""Bytes that are collected before they are handed to the thread."""


class Incoming(io.RawIOBase):
    """The body, which is never kept as a whole; what goes wrong while it arrives is raised here."""

    def __init__(self, chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        """Takes the chunks, and the event loop on which they arrive."""
        super().__init__()
        self._chunks = chunks
        self._loop = loop
        self._block = memoryview(b"")

    def readable(self) -> bool:
        """Always, but only once."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Waits until there is something to read; 0 at the end."""
        if not self._block:
            arriving = asyncio.run_coroutine_threadsafe(self._next_block(), self._loop)
            self._block = memoryview(arriving.result())
        wanted = memoryview(buffer).cast("B")
        size = min(len(wanted), len(self._block))
        wanted[:size] = self._block[:size]
        self._block = self._block[size:]
        return size

    async def _next_block(self) -> bytes:
        block = bytearray()
        async for chunk in self._chunks:
            block += chunk
            if len(block) >= _BLOCK:
                break
        return bytes(block)
