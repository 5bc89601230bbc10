"""Sources that are fetched from folders: each new file is a feed, once, whatever happens."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import pytest
from attrs import evolve

from commerce_core.base.errors import InvalidInput
from commerce_core.commerce import Commerce
from commerce_core.feeds.manifest import LONGEST_MANIFEST
from commerce_core.feeds.pull import MOST_TRIES
from commerce_core.feeds.remote_file import SETTLE
from commerce_core.partners.access import Principal
from commerce_core.usecases.fetching import folders
from commerce_core.usecases.fetching.stream import MOST_RESUMES
from commerce_core.work.task import Task
from tests.support.pulled import FEED, HOUR, URL, PulledWorld, feed_of, pulled_world


@pytest.fixture
def world() -> Iterator[PulledWorld]:
    with pulled_world() as made:
        yield made


def test_each_file_of_a_folder_becomes_a_feed_in_order(world: PulledWorld):
    world.put("b.csv", feed_of(2), 2 * HOUR)
    world.put("a.csv", feed_of(1))
    fetch = world.fetched()
    assert (fetch.outcome, fetch.feeds, fetch.waiting, fetch.refused) == ("fetched", 2, 0, 0)
    assert world.names() == ["b.csv", "a.csv"]
    assert fetch.feed_id == world.feeds()[-1].feed_id
    assert fetch.bytes == 2 * len(FEED) - 2
    with world.commerce.feeds.raw(world.feeds()[0].feed_id) as raw:
        assert raw.read() == feed_of(2)


def test_a_file_is_taken_once_and_a_new_version_again(world: PulledWorld):
    world.put("a.csv", feed_of(1))
    assert world.fetched().feeds == 1
    again = world.fetched()
    assert (again.outcome, again.feeds, again.feed_id) == ("unchanged", 0, None)
    world.put("a.csv", feed_of(2))
    assert world.fetched().outcome == "fetched"
    assert world.names() == ["a.csv", "a.csv"]


def test_a_new_time_on_the_same_bytes_makes_no_feed(world: PulledWorld):
    world.put("a.csv", FEED)
    world.fetched()
    world.put("a.csv", FEED, timedelta(minutes=3))
    assert world.fetched().outcome == "unchanged"
    reads = len(world.server.opened)
    assert world.fetched().outcome == "unchanged"
    assert len(world.server.opened) == reads
    assert len(list(world.commerce.context.files.list("raw/"))) == 1


def test_a_file_that_grows_is_never_taken_by_half(world: PulledWorld):
    """It waits for the next fetch, however long it grows."""
    world.put("a.csv", FEED[:10])
    world.put("b.csv", FEED)
    fetch = world.commerce.pulls.fetch("main", partner="Acme")
    for size in range(11, 11 + MOST_TRIES):
        world.work()
        world.now[0] += SETTLE + timedelta(seconds=1)
        world.put("a.csv", FEED[:size], timedelta())
    ended = world.commerce.pulls.get_fetch(fetch.fetch_id)
    assert (ended.outcome, ended.feeds, ended.waiting) == ("fetched", 1, 1)
    assert world.names() == ["b.csv"]
    world.put("a.csv", feed_of(7), HOUR)
    assert world.fetched().outcome == "fetched"
    assert world.names() == ["b.csv", "a.csv"]


def test_a_file_that_changes_while_it_is_read_is_not_taken(world: PulledWorld):
    world.put("a.csv", feed_of(1))
    world.server.before_read = lambda _: world.put("a.csv", feed_of(len(world.server.opened)))
    fetch = world.fetched()
    assert (fetch.outcome, fetch.waiting) == ("unchanged", 1)
    assert list(world.commerce.context.files.list("raw/")) == []
    world.server.before_read = lambda _: None
    assert world.fetched().feeds == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty_file"), (b"<!DOCTYPE html><p>", "html"), (b"x" * 100, "too_large")],
)
def test_one_odd_file_does_not_stop_the_others(world: PulledWorld, content: bytes, code: str):
    limited = evolve(world.commerce.context, most_upload_bytes=99)
    world.commerce = Commerce(limited)
    world.put("1.csv", feed_of(1), 3 * HOUR)
    world.put("2.csv", content, 2 * HOUR)
    world.put("3.csv", feed_of(3))
    fetch = world.fetched()
    assert (fetch.outcome, fetch.feeds, fetch.refused) == ("fetched", 2, 1)
    assert fetch.error is not None
    assert (fetch.error.code, fetch.error.message[:7]) == (code, "2.csv: ")
    assert world.names() == ["1.csv", "3.csv"]
    assert world.fetched().outcome == "unchanged"
    world.put("2.csv", feed_of(2))
    assert world.fetched().feeds == 1
    assert len(list(world.commerce.context.files.list("raw/"))) == 3


def test_if_only_odd_files_are_new_the_fetch_fails_once(world: PulledWorld):
    world.put("a.csv", b"")
    fetch = world.fetched()
    assert (fetch.outcome, fetch.refused, fetch.error and fetch.error.code) == (
        "failed", 1, "empty_file",
    )  # fmt: skip
    assert world.fetched().outcome == "unchanged"


def test_a_file_that_may_not_be_read_is_tried_again_by_each_fetch(world: PulledWorld):
    world.put("a.csv", FEED)
    world.server.denied.add("/out/a.csv")
    for _ in range(2):
        fetch = world.fetched()
        assert (fetch.outcome, fetch.error and fetch.error.code) == ("failed", "denied")
    world.server.denied.clear()
    assert world.fetched().outcome == "fetched"


def test_a_broken_connection_is_continued_where_it_ended(world: PulledWorld):
    content = b"sku\n" + b"A\n" * 1_000
    world.put("a.csv", content)
    world.server.cut_after, world.server.cuts = 600, 3
    assert world.fetched().outcome == "fetched"
    assert [start for _, start in world.server.opened] == [0, 600, 1200, 1800]
    assert world.feeds()[0].sha256 == sha256(content).hexdigest()


def test_a_connection_that_breaks_too_often_is_tried_again_later(world: PulledWorld):
    world.put("a.csv", b"sku\n" + b"A\n" * 5_000)
    world.server.cut_after, world.server.cuts = 600, MOST_RESUMES + 1
    world.commerce.pulls.fetch("main", partner="Acme")
    world.work()
    world.now[0] += SETTLE + timedelta(seconds=1)
    world.work()
    assert len(world.server.opened) == MOST_RESUMES + 1
    assert world.names() == []
    world.now[0] += HOUR
    world.work()
    assert world.names() == ["a.csv"]


def test_a_file_that_is_replaced_before_it_is_continued_starts_over(world: PulledWorld):
    world.put("a.csv", b"sku\n" + b"A\n" * 1_000)
    world.server.cut_after, world.server.cuts = 600, 1
    fresh = b"sku\n" + b"B\n" * 1_000

    def replace(_: str) -> None:
        if len(world.server.opened) == 2:
            world.put("a.csv", fresh, timedelta(minutes=9))

    world.server.before_read = replace
    assert world.fetched().outcome == "fetched"
    with world.commerce.feeds.raw(world.feeds()[0].feed_id) as raw:
        assert raw.read() == fresh


def test_a_marked_file_waits_for_its_marker_and_no_time(world: PulledWorld):
    world.set(marker="{name}.done")
    world.put("a.csv", FEED)
    fetch = world.fetched()
    assert (fetch.outcome, fetch.waiting, fetch.tries) == ("unchanged", 1, 1)
    world.put("a.csv.done", b"")
    fetch = world.fetched()
    assert (fetch.outcome, fetch.tries) == ("fetched", 1)


def test_a_manifest_has_to_agree_with_its_file(world: PulledWorld):
    world.set(marker="{stem}.json")
    right = sha256(FEED).hexdigest()
    world.put("a.csv", FEED)
    world.put("a.json", b'{"rows": 7, "sha256": "' + b"0" * 64 + b'"}')
    fetch = world.fetched()
    assert (fetch.outcome, fetch.error and fetch.error.code) == ("failed", "digest_mismatch")
    world.put("a.json", f'{{"rows": 7, "sha256": "{right}"}}'.encode(), timedelta())
    assert world.fetched().outcome == "fetched"
    assert world.feeds()[0].expected_rows == 7


@pytest.mark.parametrize("size", [LONGEST_MANIFEST, LONGEST_MANIFEST + 1])
def test_a_manifest_has_a_limit(world: PulledWorld, size: int):
    world.set(marker="{name}.done")
    world.put("a.csv", FEED)
    world.put("a.csv.done", b" " * size)
    fetch = world.fetched()
    codes = {LONGEST_MANIFEST: None, LONGEST_MANIFEST + 1: "bad_manifest"}
    assert (fetch.error and fetch.error.code) == codes[size]


def test_a_fetch_takes_a_limited_number_of_files(
    world: PulledWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(folders, "MOST_TAKEN", 2)
    for number in range(5):
        world.put(f"{number}.csv", feed_of(number), (9 - number) * HOUR)
    assert [world.fetched().feeds for _ in range(4)] == [2, 2, 1, 0]
    assert world.names() == [f"{number}.csv" for number in range(5)]


def test_a_worker_killed_between_two_files_takes_none_twice(world: PulledWorld):
    world.set(marker="{name}.done")
    for number in range(3):
        world.put(f"{number}.csv", feed_of(number), (9 - number) * HOUR)
        world.put(f"{number}.csv.done", b"")
    world.server.before_read = lambda path: None if path != "/out/2.csv" else _killed()
    world.commerce.pulls.fetch("main", partner="Acme")
    task = world.commerce.queue.claim("fetches")
    assert isinstance(task, Task)
    with pytest.raises(KeyboardInterrupt):
        world.commerce.queue.perform(task)
    world.server.before_read = lambda _: None
    world.now[0] += HOUR
    world.work()
    assert world.names() == ["0.csv", "1.csv", "2.csv"]


def _killed() -> None:
    raise KeyboardInterrupt


def test_one_file_is_fetched_without_its_folder(world: PulledWorld):
    world.set(url=f"{URL}a.csv")
    world.put("a.csv", FEED)
    world.put("b.csv", FEED)
    assert world.fetched().feeds == 1
    assert world.names() == ["a.csv"]


def test_a_server_that_refuses_fails_the_fetch_at_once(world: PulledWorld):
    world.server.users["anna"] = "changed"
    fetch = world.fetched()
    assert (fetch.outcome, fetch.error and fetch.error.code, fetch.tries) == ("failed", "denied", 1)


def test_what_was_seen_is_forgotten_with_the_server_it_was_seen_on(world: PulledWorld):
    world.put("a.csv", feed_of(1))
    world.fetched()
    world.set(pattern="*.csv")
    assert world.fetched().outcome == "unchanged"
    world.set(url="sftp://partner.example:2222/out/")
    world.put("b.csv", feed_of(2), timedelta(minutes=1))
    assert world.fetched().feeds == 2


def test_the_place_cannot_change_under_a_fetch(world: PulledWorld):
    world.put("a.csv", FEED)
    world.server.before_read = lambda _: world.set(pattern="b*")
    fetch = world.fetched()
    assert (fetch.outcome, fetch.error and fetch.error.code) == ("failed", "place_changed")
    assert world.names() == []


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"host_key": ""}, "/host_key"),
        ({"url": "sftp://inside.example/out/"}, "/url"),
        ({"url": "sftp://anna:x@partner.example/out/"}, "/url"),
        ({"url": "sftp://partner.example:23/out/"}, "/url"),
        ({"username": ""}, "/username"),
        ({"endpoint": "https://s3.example"}, "/endpoint"),
    ],
)
def test_what_cannot_be_fetched_is_refused_when_it_is_set(
    world: PulledWorld, settings: dict[str, str], pointer: str
):
    with pytest.raises(InvalidInput) as refusal:
        world.set(**settings)
    assert refusal.value.faults[0].pointer == pointer


def test_the_kind_of_a_source_follows_from_where_it_is_fetched(world: PulledWorld):
    sources = world.commerce.sources
    assert sources.get("main", partner="Acme").kind == "sftp"
    world.commerce.pulls.remove("main", partner="Acme")
    assert sources.get("main", partner="Acme").kind == "push"


def test_each_new_key_of_a_bucket_is_taken_at_the_first_look(world: PulledWorld):
    world.commerce.pulls.set(
        "main", "s3://bucket/out/", partner="Acme", username="anna", secret="s3cret"
    )
    assert world.commerce.sources.get("main", partner="Acme").kind == "s3"
    at = world.now[0] - HOUR
    world.server.put("out/b.csv", feed_of(2), at, '"b"')
    world.server.put("out/a.csv", feed_of(1), at + timedelta(minutes=1), '"a"')
    world.server.put("other/c.csv", feed_of(3), at, '"c"')
    fetch = world.fetched()
    assert (fetch.outcome, fetch.feeds, fetch.tries) == ("fetched", 2, 1)
    assert world.names() == ["b.csv", "a.csv"]
    del world.server.contents["out/b.csv"]
    assert world.fetched().outcome == "unchanged"
    world.server.put("out/a.csv", feed_of(9), at + timedelta(minutes=2), '"d"')
    assert world.fetched().feeds == 1


def test_a_key_that_is_replaced_while_it_is_read_starts_over(world: PulledWorld):
    """No feed has bytes of both."""
    world.commerce.pulls.set(
        "main", "s3://bucket/out/", partner="Acme", username="anna", secret="s3cret"
    )
    world.server.put("out/a.csv", b"sku\n" + b"A\n" * 999, world.now[0] - HOUR, '"1"')
    fresh = b"sku\n" + b"B\n" * 999
    world.server.cut_after, world.server.cuts = 600, 1

    def replace(_: str) -> None:
        if len(world.server.opened) == 2:
            world.server.put("out/a.csv", fresh, world.now[0], '"2"')

    world.server.before_read = replace
    fetch = world.fetched()
    assert (fetch.outcome, fetch.feeds) == ("fetched", 1)
    with world.commerce.feeds.raw(world.feeds()[0].feed_id) as raw:
        assert raw.read() == fresh


def test_only_an_operator_may_leave_the_credentials_of_a_bucket_to_the_environment(
    world: PulledWorld,
):
    world.commerce.pulls.set("main", "s3://bucket/out/", partner="Acme", keeps_secret=False)
    partner = world.commerce.partners.get("Acme")
    principal = Principal("a key", partner.partner_id, frozenset({"feeds:write"}))
    own = Commerce(world.commerce.context.acting_as(principal))
    with pytest.raises(InvalidInput) as refusal:
        own.pulls.set("main", "s3://bucket/other/", partner="Acme")
    assert refusal.value.faults[0].code == "secret_needed"
    own.pulls.set("main", "s3://bucket/other/", partner="Acme", username="anna", secret="s3cret")
