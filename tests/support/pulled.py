"""A platform in memory that fetches from a partner's SFTP server or bucket, also in memory."""

import contextlib
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

from attrs import define, evolve

from adapters.memory.fetcher import MemoryFetcher
from adapters.memory.vault import MemoryVault
from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.pull import MOST_TRIES, Fetch
from commerce_core.feeds.remote_file import SETTLE
from commerce_core.usecases.fetching.queues import Watching
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

T0 = datetime(2026, 3, 2, 5, tzinfo=UTC)
URL = "sftp://partner.example/out/"
KEY = "SHA256:" + "A" * 43
FEED = b"sku,product_name,price\nA,Lamp,10\n"
HOUR = timedelta(hours=1)


def feed_of(number: int) -> bytes:
    return f"sku,product_name,price\nA,Lamp,{number}\n".encode()


@define
class PulledWorld:
    """A platform whose clock moves by a microsecond at each look, and a partner's SFTP server."""

    commerce: Commerce
    server: MemoryFetcher
    now: list[datetime]

    def put(self, name: str, content: bytes, age: timedelta = HOUR) -> None:
        self.server.put(f"/out/{name}", content, self.now[0] - age)

    def set(self, **settings: str) -> None:
        given = {"url": URL, "host_key": KEY, "username": "anna", "secret": "s3cret", **settings}
        self.commerce.pulls.set("main", partner="Acme", **given)  # pyright: ignore[reportArgumentType]

    def work(self) -> None:
        while isinstance(task := self.commerce.queue.claim("fetches"), Task):
            self.commerce.queue.perform(task)

    def watch(self) -> None:
        """What a worker does for queues, once."""
        Watching(self.commerce.context).look()

    def fetched(self) -> Fetch:
        """What becomes of a fetch, after as many looks as it takes."""
        self.now[0] += timedelta(minutes=1)
        fetch = self.commerce.pulls.fetch("main", partner="Acme")
        for _ in range(MOST_TRIES):
            self.work()
            fetch = self.commerce.pulls.get_fetch(fetch.fetch_id)
            if fetch.outcome is not None:
                return fetch
            self.now[0] += SETTLE + timedelta(seconds=1)
        raise AssertionError(f"{fetch} has not ended")

    def names(self) -> list[str]:
        """The names of the feeds, oldest first."""
        return [feed.file_name for feed in self.feeds()]

    def feeds(self) -> list[Feed]:
        return list(self.commerce.feeds.list())[::-1]


@contextlib.contextmanager
def pulled_world() -> Generator[PulledWorld]:
    now = [T0]
    with open_platform(Settings(database_url="memory:")) as platform:
        server = MemoryFetcher(
            {"partner.example": ["1.1.1.1"], "inside.example": ["10.0.0.1"]},
            keys=frozenset({KEY}),
            users={"anna": "s3cret"},
        )
        store = platform.context.scratch
        assert store is not None
        made = store()

        def clock() -> datetime:
            now[0] += timedelta(microseconds=1)
            return now[0]

        made._clock = clock  # pyright: ignore[reportAttributeAccessIssue] the store in memory
        context = evolve(
            platform.context, store=made, sftp=server, s3=server, vault=MemoryVault(), clock=clock
        )
        world = PulledWorld(Commerce(context), server, now)
        world.commerce.partners.add("Acme", currency="EUR")
        world.commerce.sources.change("main", partner="Acme", mode="full")
        world.set()
        yield world
