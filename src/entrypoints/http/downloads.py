"""Files as answers: streamed from where they are kept, and saved by browsers, never shown."""

import asyncio
import re
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import AbstractContextManager
from threading import Lock
from typing import BinaryIO, Final
from urllib.parse import quote

from litestar.concurrency import sync_to_thread
from litestar.response import Stream

_CHUNK: Final = 256 * 1024


def download(
    opened: AbstractContextManager[BinaryIO], name: str, media_type: str, **headers: str
) -> Stream:
    """The bytes of a file, under that name; errors in opening it are raised here."""
    return _stream(_chunks(opened), name, media_type, **headers)


def streamed(opened: AbstractContextManager[Iterator[bytes]], name: str, media_type: str) -> Stream:
    """Blocks as a file of that name; errors up to the first block are raised here."""
    return _stream(_blocks(opened), name, media_type)


def _chunks(opened: AbstractContextManager[BinaryIO]) -> Generator[bytes]:
    with opened as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _blocks(opened: AbstractContextManager[Iterator[bytes]]) -> Generator[bytes]:
    with opened as blocks:
        yield from blocks


def _stream(blocks: Generator[bytes], name: str, media_type: str, **headers: str) -> Stream:
    first = next(blocks, b"")
    told = {"Content-Type": media_type, "Content-Disposition": _attachment(name), **headers}
    return Stream(_sent(first, blocks), headers=told)


async def _sent(first: bytes, blocks: Generator[bytes]) -> AsyncGenerator[bytes]:
    """The blocks, each taken in a thread; what gives them is closed at the end, whatever that is.

    A client that hangs up ends it anywhere, be it while a thread is taking a block.
    """
    taking = Lock()

    def take() -> bytes:
        with taking:
            return next(blocks, b"")

    def close() -> None:
        with taking:
            blocks.close()

    try:
        block = first
        while block:
            yield block
            block = await sync_to_thread(take)
    finally:
        # Not awaited, since whoever was cancelled can't wait for anything.
        asyncio.get_running_loop().run_in_executor(None, close)


def _attachment(name: str) -> str:
    """Never shown by a browser, and named as it was, also beyond ASCII (RFC 6266)."""
    plain = re.sub(r"[^\w. -]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
