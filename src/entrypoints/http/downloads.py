"""Files as answers: streamed from where they are kept, and saved by browsers, never shown."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import chain
from typing import BinaryIO, Final
from urllib.parse import quote

from litestar.response import Stream

_CHUNK: Final = 256 * 1024


def download(
    opened: AbstractContextManager[BinaryIO], name: str, media_type: str, **headers: str
) -> Stream:
    """The bytes of a file, under that name; errors in opening it are raised here."""
    stack = ExitStack()
    stream = stack.enter_context(opened)
    told = {"Content-Type": media_type, "Content-Disposition": _attachment(name), **headers}
    return Stream(_chunks(stream, stack), headers=told)


def streamed(opened: AbstractContextManager[Iterator[bytes]], name: str, media_type: str) -> Stream:
    """Blocks as a file of that name; errors up to the first block are raised here."""
    with ExitStack() as opening:
        blocks = opening.enter_context(opened)
        first = next(blocks, b"")
        stack = opening.pop_all()
    told = {"Content-Type": media_type, "Content-Disposition": _attachment(name)}
    return Stream(_closing(chain((first,), blocks), stack), headers=told)


def _closing(blocks: Iterator[bytes], stack: ExitStack) -> Iterator[bytes]:
    with stack:
        yield from blocks


def _chunks(stream: BinaryIO, stack: ExitStack) -> Iterator[bytes]:
    with stack:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _attachment(name: str) -> str:
    """Never shown by a browser, and named as it was, also beyond ASCII (RFC 6266)."""
    plain = re.sub(r"[^\w. -]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
