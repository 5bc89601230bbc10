"""Rehearsing a fetch: what it would take, why not the others, and that nothing is kept."""

import gzip
from collections.abc import Iterator

import pytest
from attrs import evolve

from adapters.memory.web import Answer, MemoryWeb
from commerce_core.base.errors import NotFound
from commerce_core.commerce import Commerce
from commerce_core.profiles.profile import Profile
from commerce_core.usecases.fetching.rehearsal import HEAD_BYTES, MOST_SHOWN
from tests.support.pulled import FEED, HOUR, PulledWorld, feed_of, pulled_world


@pytest.fixture
def world() -> Iterator[PulledWorld]:
    with pulled_world() as made:
        yield made


def rows(count: int) -> bytes:
    return b"sku,product_name,price\n" + b"".join(b"A%07d,Lamp,10\n" % n for n in range(count))


def test_it_shows_what_would_be_taken_and_why_not_the_others(world: PulledWorld):
    world.set(marker="{name}.done", pattern="*.csv")
    world.put("a.csv", feed_of(1))
    world.put("a.csv.done", b"")
    world.fetched()
    for name in ("b.csv", "b.csv.done", "c.csv", "d.csv.part", "e.txt"):
        world.put(name, feed_of(2))
    found = world.commerce.pulls.test("main", partner="Acme")
    assert (found.kind, found.takes, found.waits, found.skips) == ("sftp", 1, 1, 3)
    assert {file.path: (file.verdict, file.why) for file in found.files} == {
        "/out/b.csv": ("take", None),
        "/out/c.csv": ("wait", "c.csv.done isn't there."),
        "/out/a.csv": ("skip", "It was taken."),
        "/out/d.csv.part": (
            "skip",
            "Its name is that of a file which is still being sent, or hidden.",
        ),
        "/out/e.txt": ("skip", "The pattern doesn't select it."),
    }
    assert found.files[0].path == "/out/b.csv"
    assert (found.read_path, found.read_bytes) == ("/out/b.csv", len(FEED) - 1)
    assert found.diagnosis is not None
    assert (found.diagnosis.dry_read.accepted, found.error) == (1, None)


def test_nothing_is_kept(world: PulledWorld):
    """Not even that a file was seen: the two looks of a fetch are its own."""
    world.put("a.csv", FEED)
    for _ in range(2):
        found = world.commerce.pulls.test("main", partner="Acme")
        assert (found.takes, found.waits) == (0, 1)
        assert found.diagnosis is not None
        world.now[0] += HOUR
    assert world.feeds() == []
    assert list(world.commerce.pulls.fetches()) == []
    assert list(world.commerce.context.files.list("")) == []
    assert world.fetched().tries == 2


@pytest.mark.parametrize("extra", [0, 1])
def test_the_beginning_of_a_file_is_read_and_no_more(world: PulledWorld, extra: int):
    content = rows(3_800)
    content += b"x" * (HEAD_BYTES - len(content) + extra)
    world.put("a.csv", content)
    found = world.commerce.pulls.test("main", partner="Acme")
    assert found.read_bytes == HEAD_BYTES
    assert found.diagnosis is not None
    # The record that was cut isn't reported as a fault of the file.
    assert found.diagnosis.dry_read.rejected == (0 if extra else 1)


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"<html>Sign in</html>", "html"), (b"", "empty_file"), (b"\x89PNG\r\n\x1a\n" * 9, None)],
)
def test_what_would_be_refused_is_reported(world: PulledWorld, content: bytes, code: str | None):
    world.put("a.csv", content)
    found = world.commerce.pulls.test("main", partner="Acme")
    assert found.error is not None
    assert code in (None, found.error.code)


def test_the_beginning_of_an_archive_shows_nothing(world: PulledWorld):
    world.put("a.csv.gz", gzip.compress(bytes(range(256)) * 2000 + rows(50_000), 0))
    found = world.commerce.pulls.test("main", partner="Acme")
    assert (found.read_bytes, found.diagnosis, found.error) == (HEAD_BYTES, None, None)
    world.put("a.csv.gz", gzip.compress(rows(10)))
    found = world.commerce.pulls.test("main", partner="Acme")
    assert found.diagnosis is not None
    assert found.diagnosis.dry_read.accepted == 10


def test_the_profile_of_the_source_is_used(world: PulledWorld):
    profile = Profile(delimiter=";")
    world.commerce.sources.set_profile(profile, "main", partner="Acme")
    world.put("a.csv", FEED.replace(b",", b";"))
    found = world.commerce.pulls.test("main", partner="Acme")
    assert found.diagnosis is not None
    assert found.diagnosis.profile.delimiter == ";"


def test_a_server_that_cannot_be_used_is_the_error(world: PulledWorld):
    world.server.users["anna"] = "changed"
    found = world.commerce.pulls.test("main", partner="Acme")
    assert (found.error and found.error.code, found.files) == ("denied", ())
    world.commerce.pulls.remove("main", partner="Acme")
    with pytest.raises(NotFound):
        world.commerce.pulls.test("main", partner="Acme")


def test_a_place_without_files_reads_none(world: PulledWorld):
    world.put(".hidden", FEED)
    found = world.commerce.pulls.test("main", partner="Acme")
    assert (found.skips, found.read_path, found.error) == (1, None, None)


def test_a_limited_number_of_files_is_shown(world: PulledWorld):
    for number in range(MOST_SHOWN + 1):
        world.put(f"{number}.txt", feed_of(number))
    found = world.commerce.pulls.test("main", partner="Acme")
    assert (found.waits, len(found.files)) == (MOST_SHOWN + 1, MOST_SHOWN)


def test_names_that_are_not_utf_8_can_be_shown(world: PulledWorld):
    world.put("caf\udce9.csv", FEED)
    (file,) = world.commerce.pulls.test("main", partner="Acme").files
    assert (file.path, file.verdict) == ("/out/caf\\udce9.csv", "skip")


@pytest.mark.parametrize(
    ("answer", "code"),
    [((200, {}, FEED), None), ((401, {}, b""), "denied"), ((200, {}, b"<html>"), "html")],
)
def test_a_web_server_is_rehearsed_too(world: PulledWorld, answer: Answer, code: str | None):
    web = MemoryWeb({"partner.example": ["1.1.1.1"]}, lambda _: answer)
    commerce = Commerce(evolve(world.commerce.context, web=web))
    url = "https://partner.example/a.csv"
    commerce.pulls.set("main", url, partner="Acme", keeps_secret=False)
    found = commerce.pulls.test("main", partner="Acme")
    assert (found.kind, found.error and found.error.code) == ("https", code)
    assert (found.diagnosis is not None) == (code is None)
    assert commerce.pulls.get("main", partner="Acme").sha256 is None
