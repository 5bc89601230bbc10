"""Files as answers: what gives them is closed, however they end."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, cast

import pytest
from attrs import field, frozen

from entrypoints.http.kit.downloads import download
from tests.support.waiting import PATIENCE


@frozen
class Source:
    """Gives blocks, and knows when it was closed."""

    blocks: Iterator[bytes]
    closed: Event = field(factory=Event)

    @contextmanager
    def opened(self) -> Generator[Iterator[bytes]]:
        try:
            yield self.blocks
        finally:
            self.closed.set()

    def stream(self) -> AsyncGenerator[bytes]:
        return cast("Any", download(self.opened(), "x.csv", "text/csv").iterator)


def endless() -> Iterator[bytes]:
    while True:
        yield b"block"


def test_a_file_is_sent_whole():
    source = Source(iter([b"one", b"two"]))

    async def take() -> list[bytes]:
        return [block async for block in source.stream()]

    assert asyncio.run(take()) == [b"one", b"two"]
    assert source.closed.wait(PATIENCE)


def test_a_client_that_hangs_up_leaves_nothing_open():
    """Between two blocks, while one is taken, and before the first."""

    async def hang_up(source: Source, taken: int) -> None:
        stream = source.stream()

        async def take() -> None:
            count = 0
            async for _ in stream:
                count += 1
                if count == taken:
                    break

        await asyncio.wait_for(take(), PATIENCE)
        await stream.aclose()

    for taken in (1, 3):
        source = Source(endless())
        asyncio.run(hang_up(source, taken))
        assert source.closed.wait(PATIENCE)

    async def cancelled(source: Source) -> None:
        async def take() -> None:
            async for _ in source.stream():
                pass

        task = asyncio.create_task(take())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    source = Source(endless())
    asyncio.run(cancelled(source))
    assert source.closed.wait(PATIENCE)


def test_what_fails_at_once_is_raised_before_an_answer_begins():
    def broken() -> Iterator[bytes]:
        raise ValueError
        yield b""

    source = Source(broken())
    with pytest.raises(ValueError):  # noqa: PT011 - made here
        source.stream()
    assert source.closed.is_set()
