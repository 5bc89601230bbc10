"""Files as answers: what gives them is closed, however they end."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Any, cast

import pytest
from attrs import field, frozen

from adapters.memory.store import MemoryStore
from commerce_core.base.rates import Rate
from entrypoints.http.admission.lanes import Lane, LaneLimits
from entrypoints.http.admission.rates import SharedTime
from entrypoints.http.kit.downloads import LONGEST_PAUSE, download
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


def test_a_caller_whose_time_is_used_up_gets_further_blocks_later(
    monkeypatch: pytest.MonkeyPatch,
):
    """Each block counts; a pause is never so long that a client would give up."""
    now, pauses = [100.0], list[float]()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    def slow() -> Iterator[bytes]:
        for _ in range(3):
            now[0] += 2
            yield b"block"

    monkeypatch.setattr("entrypoints.http.admission.rates.monotonic", lambda: now[0])
    monkeypatch.setattr("entrypoints.http.admission.lanes.monotonic", lambda: now[0])
    monkeypatch.setattr("entrypoints.http.kit.downloads.monotonic", lambda: now[0])
    monkeypatch.setattr("entrypoints.http.kit.downloads.asyncio.sleep", sleep)
    time = SharedTime(
        "exports", Rate(0.25, 1), MemoryStore(lambda: datetime(2026, 1, 1, tzinfo=UTC)),
        lambda _: True,
    )  # fmt: skip
    lane = Lane("exports", LaneLimits(1, 1, 1), time)
    source = Source(slow())

    async def taken() -> bytes:
        with lane.entered("a") as place:
            blocks = await place.run(source.stream)
            return b"".join([block async for block in blocks])

    assert asyncio.run(taken()) == b"block" * 3
    assert pauses == pytest.approx([4.0, 5.0, LONGEST_PAUSE], abs=1.0)
    assert max(pauses) <= LONGEST_PAUSE
    assert source.closed.wait(PATIENCE)
    lane.close()
