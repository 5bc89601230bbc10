"""Files as answers, streamed and saved by browsers, never shown; and the tags of answers.

A client that has what a tag stands for isn't sent it again (RFC 9110, section 13).
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import AbstractContextManager
from functools import partial
from threading import Lock
from time import monotonic
from typing import BinaryIO, Final
from urllib.parse import quote

from litestar.concurrency import sync_to_thread
from litestar.response import Stream

from commerce_core.base.errors import Malformed
from entrypoints.http.admission.lanes import Place, current_place

KEPT: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Key"}
"""Headers of tagged answers: only their caller may keep them, and asks each time."""
_CHUNK: Final = 256 * 1024
LONGEST_PAUSE: Final = 5.0
"""Seconds between two blocks, however much time a caller has used up: clients give up silence."""
VERSION: Final = re.compile(r'^(?:(?:W/)?"?([0-9]{1,9})"?|\*)$', re.ASCII)
"""What If-Match can be: the tag of a version, or any."""
_TAGS: Final = re.compile(r'(?:W/)?("[^"]*")')


def etag_of(body: bytes) -> str:
    """The tag of an answer: whatever changes its bytes changes it, reserved units too."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def tag_of_version(version: int) -> str:
    """The tag of an answer whose version changes whenever it does."""
    return f'"{version}"'


def version_of(if_match: str | None) -> int | None:
    """The version that the client has seen; None if it accepts any. Malformed if it is neither."""
    if if_match is None:
        return None
    found = VERSION.fullmatch(if_match.strip())
    if found is None:
        detail = 'Use the ETag of the response that you have seen, such as "3", or *.'
        raise Malformed.at("/If-Match", "bad_if_match", detail)
    return None if found[1] is None else int(found[1])


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether the client has what the tag stands for."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in _TAGS.findall(if_none_match)


def download(
    opened: AbstractContextManager[BinaryIO | Iterator[bytes]],
    name: str,
    media_type: str,
    **headers: str,
) -> Stream:
    """A file, or blocks, under that name; errors up to the first block are raised here."""
    blocks = _blocks(opened)
    first = next(blocks, b"")
    own = {"Content-Type": media_type, "Content-Disposition": _attachment(name)}
    return Stream(_sent(first, blocks, current_place()), headers={**own, **headers})


def _blocks(opened: AbstractContextManager[BinaryIO | Iterator[bytes]]) -> Generator[bytes]:
    with opened as content:
        read: Callable[[int], bytes] | None = getattr(content, "read", None)
        yield from iter(partial(read, _CHUNK), b"") if read else content


async def _sent(
    first: bytes, blocks: Generator[bytes], place: Place | None
) -> AsyncGenerator[bytes]:
    """The blocks, each taken in a thread; what gives them is closed at the end, whatever that is.

    A client that hangs up ends it anywhere, be it while a thread is taking a block. A caller that
    has used up the time of its lane gets further blocks as its time comes back.
    """
    taking = Lock()

    def take() -> bytes:
        begun = monotonic()
        with taking:
            block = next(blocks, b"")
        if place is not None:
            place.spend(monotonic() - begun)
        return block

    def close() -> None:
        with taking:
            blocks.close()

    try:
        block = first
        while block:
            yield block
            if pause := place.wait() if place is not None else 0:
                await asyncio.sleep(min(pause, LONGEST_PAUSE))
            block = await sync_to_thread(take)
    finally:
        # Not awaited, since a cancelled task can't wait for anything.
        asyncio.get_running_loop().run_in_executor(None, close)


def _attachment(name: str) -> str:
    """Never shown by a browser, and named as it was, also beyond ASCII (RFC 6266)."""
    plain = re.sub(r"[^\w. -]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
