"""Fetches over HTTP that break: continued where they ended, and never made of two files."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_network

import pytest
from attrs import define, evolve, field

from adapters.memory.vault import MemoryVault
from adapters.outside.web import BUFFER, Urllib3Web
from commerce_core.base.network import Reach
from commerce_core.commerce import Commerce
from commerce_core.feeds.pull import MOST_TRIES, Fetch
from commerce_core.usecases.fetching.stream import MOST_RESUMES
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.servers.wire import Asked, wire_server

T0 = datetime(2026, 3, 2, 5, tzinfo=UTC)
LOOPBACK = Reach((ip_network("127.0.0.0/8"),), ((1024, 65535),))
SIZE = 600_000


def file_of(letter: bytes, size: int = SIZE) -> bytes:
    return b"sku,product_name\n" + letter * (size - 17)


@define
class Shelf:
    """A server with one file. It ends the connection after so many bytes, once for each cut.

    `at_cut` is what becomes of it then; the others are how it answers for the rest of the file.
    """

    content: bytes = file_of(b"a")
    etag: str = '"1"'
    modified: str = "Mon, 02 Mar 2026 05:00:00 GMT"
    cuts: list[int] = field(factory=list[int])
    at_cut: "Shelf | None" = None
    knows_ranges: bool = True
    range_of_rest: str = "bytes {start}-{last}/{size}"
    announced: int | None = None
    asked: list[tuple[int, str | None]] = field(factory=list[tuple[int, str | None]])

    def behave(self, asked: Asked, connection: socket.socket) -> None:
        start = int(asked.headers.get("range", "bytes=0-")[6:-1])
        self.asked.append((start, asked.headers.get("if-range")))
        is_rest = start and self.knows_ranges and asked.headers.get("if-range") == self.etag
        size = len(self.content)
        headers = {"ETag": self.etag, "Last-Modified": self.modified}
        if is_rest and start >= size:
            self.send(connection, 416, {**headers, "Content-Range": f"bytes */{size}"}, b"")
            return
        body = self.content[start if is_rest else 0 :]
        if is_rest:
            described = self.range_of_rest.format(start=start, last=size - 1, size=size)
            headers["Content-Range"] = described
        headers["Content-Length"] = str(self.announced or len(body))
        cut = self.cuts.pop(0) if self.cuts else len(body)
        self.send(connection, 206 if is_rest else 200, headers, body[:cut])
        if cut < len(body) and self.at_cut is not None:
            self.content, self.etag = self.at_cut.content, self.at_cut.etag
            self.modified, self.at_cut = self.at_cut.modified, None

    @staticmethod
    def send(connection: socket.socket, status: int, headers: dict[str, str], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        connection.sendall("\r\n".join(lines).encode() + body)


@define
class World:
    commerce: Commerce
    shelf: Shelf
    now: list[datetime]

    def fetched(self) -> Fetch:
        """What becomes of a fetch, after as many tries as it takes."""
        self.now[0] += timedelta(hours=1)
        fetch = self.commerce.pulls.fetch("main", partner="Acme")
        for _ in range(MOST_TRIES):
            while isinstance(task := self.commerce.queue.claim("fetches"), Task):
                self.commerce.queue.perform(task)
            fetch = self.commerce.pulls.get_fetch(fetch.fetch_id)
            if fetch.outcome is not None:
                break
            self.now[0] += timedelta(hours=1)
        return fetch

    def digests(self) -> list[str]:
        """Of the feeds, oldest first; nothing else may be stored."""
        feeds = list(self.commerce.feeds.list())[::-1]
        assert len(list(self.commerce.context.files.list("raw/"))) == len(feeds)
        return [feed.sha256 for feed in feeds]


@pytest.fixture
def world() -> Iterator[World]:
    now, shelf = [T0], Shelf()
    with open_platform(Settings(database_url="memory:")) as platform, wire_server() as server:
        server.behaviours["/feed.csv"] = shelf.behave
        store = platform.context.scratch
        assert store is not None
        made = store()
        made._clock = lambda: now[0]  # pyright: ignore[reportAttributeAccessIssue] the store in memory
        web = Urllib3Web(LOOPBACK, lambda _host, _port: ["127.0.0.1"])
        context = evolve(
            platform.context, store=made, web=web, vault=MemoryVault(), clock=lambda: now[0]
        )
        commerce = Commerce(context)
        commerce.partners.add("Acme", currency="EUR")
        commerce.pulls.set("main", f"http://partner.example:{server.port}/feed.csv", partner="Acme")
        yield World(commerce, shelf, now)


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


@pytest.mark.parametrize("cut", [1, 511, 512, 513, BUFFER - 1, BUFFER, BUFFER + 1, SIZE - 1])
def test_a_file_that_is_cut_is_continued_where_it_ended(world: World, cut: int):
    world.shelf.cuts = [cut]
    fetch = world.fetched()
    assert (fetch.outcome, fetch.tries) == ("fetched", 1)
    assert world.shelf.asked == [(0, None), (cut, '"1"')]
    assert world.digests() == [digest(world.shelf.content)]


def test_it_is_continued_a_limited_number_of_times_in_a_try(world: World):
    world.shelf.cuts = [50_000] * MOST_RESUMES
    assert (world.fetched().tries, len(world.shelf.asked)) == (1, MOST_RESUMES + 1)
    world.shelf.content, world.shelf.etag = file_of(b"b"), '"2"'
    world.shelf.cuts = [50_000] * (MOST_RESUMES + 1)
    assert world.fetched().tries == 2
    assert world.digests() == [digest(file_of(letter)) for letter in (b"a", b"b")]


def test_nothing_is_continued_that_has_not_begun(world: World):
    world.shelf.cuts = [0]
    fetch = world.fetched()
    assert (fetch.outcome, fetch.tries) == ("fetched", 2)
    assert [start for start, _ in world.shelf.asked] == [0, 0]


def test_a_server_that_ignores_ranges_is_asked_for_all_of_it_again(world: World):
    world.shelf.knows_ranges = False
    world.shelf.cuts = [9_000]
    fetch = world.fetched()
    assert (fetch.outcome, fetch.tries) == ("fetched", 2)
    assert world.digests() == [digest(world.shelf.content)]
    world.shelf.cuts = [9_000, 9_000] * MOST_TRIES
    world.shelf.etag = '"2"'
    fetch = world.fetched()
    assert (fetch.outcome, fetch.error and fetch.error.code) == ("failed", "cut_off")
    assert fetch.error is not None
    assert "can't continue it" in fetch.error.message


@pytest.mark.parametrize("etag", ['W/"1"', ""])
def test_without_a_strong_etag_nothing_proves_that_the_rest_belongs_to_it(world: World, etag: str):
    world.shelf.etag = etag
    world.shelf.cuts = [9_000]
    fetch = world.fetched()
    assert (fetch.outcome, fetch.tries) == ("fetched", 2)
    assert [start for start, _ in world.shelf.asked] == [0, 0]


@pytest.mark.parametrize("size", [SIZE, SIZE + 7, SIZE - 7, 5_000])
def test_a_file_that_changes_in_between_is_fetched_from_the_beginning(world: World, size: int):
    world.shelf.cuts = [9_000]
    world.shelf.at_cut = Shelf(file_of(b"b", size), '"2"')
    fetch = world.fetched()
    assert (fetch.outcome, fetch.tries) == ("fetched", 2)
    assert world.digests() == [digest(file_of(b"b", size))]


@pytest.mark.parametrize(
    "changed",
    [
        Shelf(file_of(b"b", SIZE + 7)),
        Shelf(file_of(b"b", 5_000)),
        Shelf(file_of(b"b"), modified="Mon, 02 Mar 2026 05:00:09 GMT"),
    ],
    ids=["longer", "shorter", "same length, later"],
)
def test_an_etag_that_lies_mixes_no_files(world: World, changed: Shelf):
    """It stays the same though the file was changed: its size or its time differ."""
    world.shelf.cuts = [9_000]
    world.shelf.at_cut = changed
    fetch = world.fetched()
    assert (fetch.outcome, fetch.tries) == ("fetched", 2)
    assert world.digests() == [digest(changed.content)]


@pytest.mark.parametrize(
    "described",
    ["bytes 0-{last}/{size}", "bytes {start}-{last}/7", "items {start}-{last}/{size}", "", "bytes"],
)
def test_the_rest_of_another_range_is_not_taken_for_it(world: World, described: str):
    world.shelf.range_of_rest = described
    world.shelf.cuts = [9_000]
    fetch = world.fetched()
    assert (fetch.outcome, fetch.tries) == ("fetched", 2)
    assert world.digests() == [digest(world.shelf.content)]


def test_a_rest_that_ends_too_early_by_its_own_account_is_continued_as_well(world: World):
    """The server sends a part of what was asked for, and says so."""
    world.shelf.cuts = [9_000]
    whole = world.shelf.behave

    def in_parts(asked: Asked, connection: socket.socket) -> None:
        start = int(asked.headers.get("range", "bytes=0-")[6:-1])
        if not 0 < start < 100_000:
            whole(asked, connection)
            return
        world.shelf.asked.append((start, None))
        part = world.shelf.content[start:100_000]
        described = f"bytes {start}-{start + len(part) - 1}/{SIZE}"
        headers = {"ETag": '"1"', "Content-Range": described, "Content-Length": str(len(part))}
        Shelf.send(connection, 206, headers, part)

    world.commerce.pulls.remove("main", partner="Acme")
    with wire_server() as server:
        server.behaviours["/feed.csv"] = in_parts
        url = f"http://partner.example:{server.port}/feed.csv"
        world.commerce.pulls.set("main", url, partner="Acme")
        fetch = world.fetched()
    assert (fetch.outcome, fetch.tries) == ("fetched", 1)
    assert [start for start, _ in world.shelf.asked] == [0, 9_000, 100_000]
    assert world.digests() == [digest(world.shelf.content)]


def test_a_length_that_is_too_large_is_reported_as_what_it_is(world: World):
    world.shelf.announced = SIZE + 5
    fetch = world.fetched()
    assert (fetch.outcome, fetch.error and fetch.error.code) == ("failed", "wrong_length")
    assert fetch.error is not None
    assert "announced 600,005 bytes, and the file has 600,000" in fetch.error.message
    assert (fetch.tries, world.digests()) == (1, [])
