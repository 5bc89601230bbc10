"""Sources that are fetched by themselves: what becomes of each answer, tick by tick."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import define, evolve, field

from adapters.memory.vault import MemoryVault
from adapters.memory.web import Answer, MemoryWeb
from commerce_core.base.errors import Conflict, InvalidInput, NotFound, Unreachable
from commerce_core.commerce import Commerce
from commerce_core.feeds.pull import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    LONGEST_USERNAME,
    MOST_TRIES,
    Fetch,
    pause_before,
)
from commerce_core.ports.vault import LONGEST_SECRET
from commerce_core.ports.web import WebRequest
from commerce_core.work.attempt import MOST_CRASHED_ATTEMPTS
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

T0 = datetime(2026, 3, 2, 5, tzinfo=UTC)
URL = "https://partner.example/export/feed.csv"
FEED = b"sku,product_name,price\nA,Lamp,10\n"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@define
class World:
    """A platform whose clock stands still, and the server of a partner."""

    commerce: Commerce
    web: MemoryWeb
    now: list[datetime]
    answers: list[Answer] = field(factory=list[Answer])

    def answer(self, *answers: Answer) -> None:
        self.answers[:] = answers

    def work(self) -> int:
        """What a worker does once: looks, and runs what is in the lane; how many tasks it ran."""
        self.commerce.pulls.look()
        done = 0
        while isinstance(task := self.commerce.queue.claim("fetches"), Task):
            self.commerce.queue.perform(task)
            done += 1
        return done

    def fetched(self, *answers: Answer) -> Fetch:
        """What becomes of a fetch that the server answers like this."""
        self.answer(*answers)
        fetch = self.commerce.pulls.fetch("main", partner="Acme")
        self.work()
        return self.commerce.pulls.get_fetch(fetch.fetch_id)

    def later(self, by: timedelta) -> None:
        self.now[0] += by


@pytest.fixture
def world() -> Iterator[World]:
    now = [T0]
    with open_platform(Settings(database_url="memory:")) as platform:
        web = MemoryWeb({"partner.example": ["1.1.1.1"], "inside.example": ["10.0.0.1"]})
        store = platform.context.scratch
        assert store is not None
        made = store()
        made._clock = lambda: now[0]  # pyright: ignore[reportAttributeAccessIssue] the store in memory
        context = evolve(
            platform.context, store=made, web=web, vault=MemoryVault(), clock=lambda: now[0]
        )
        world = World(Commerce(context), web, now)

        def answer(_: WebRequest) -> Answer:
            return world.answers.pop(0) if len(world.answers) > 1 else world.answers[0]

        web.answer = answer
        world.commerce.partners.add("Acme", currency="EUR")
        world.commerce.sources.change("main", partner="Acme", mode="full")
        world.commerce.pulls.set("main", URL, partner="Acme")
        yield world


def ok(body: bytes = FEED, **headers: str) -> Answer:
    return 200, {name.replace("_", "-"): value for name, value in headers.items()}, body


def test_what_was_fetched_is_a_feed_like_one_that_was_uploaded(world: World):
    fetch = world.fetched(ok())
    assert (fetch.outcome, fetch.status, fetch.bytes) == ("fetched", "finished", len(FEED))
    feed = world.commerce.feeds.get(str(fetch.feed_id))
    assert (feed.file_name, feed.mode, feed.bytes) == ("feed.csv", "full", len(FEED))
    with world.commerce.feeds.raw(feed.feed_id) as raw:
        assert raw.read() == FEED
    (job,) = world.commerce.jobs.list()
    assert (job.feed_id, job.released) == (feed.feed_id, False)


def test_a_source_whose_jobs_start_by_themselves_loads_what_was_fetched(world: World):
    world.commerce.sources.change("main", partner="Acme", run=True)
    fetch = world.fetched(ok())
    job = world.commerce.queue.claim()
    assert job is not None
    assert job.feed_id == fetch.feed_id


def test_a_second_fetch_asks_whether_anything_changed(world: World):
    world.fetched(ok(ETag='"1"', Last_Modified="Mon, 02 Mar 2026 04:00:00 GMT"))
    assert "If-None-Match" not in world.web.requests[-1].headers
    world.later(HOUR)
    fetch = world.fetched((304, {}, b""))
    asked = world.web.requests[-1].headers
    assert (asked["If-None-Match"], asked["If-Modified-Since"][:3]) == ('"1"', "Mon")
    assert (fetch.outcome, fetch.feed_id) == ("unchanged", None)


def test_a_lying_etag_makes_no_second_feed_of_the_same_bytes(world: World):
    world.fetched(ok(ETag='"1"'))
    world.later(HOUR)
    assert world.fetched(ok(ETag='"2"')).outcome == "unchanged"
    world.later(HOUR)
    assert world.fetched(ok(FEED + b"B,Sofa,9\n", ETag='"2"')).outcome == "fetched"
    assert len(list(world.commerce.feeds.list())) == 2
    assert len(list(world.commerce.context.files.list("raw/"))) == 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((401, {}, b""), "denied"),
        ((403, {}, b""), "denied"),
        ((404, {}, b""), "not_there"),
        ((206, {}, b"part"), "bad_status"),
        ((304, {}, b""), "bad_status"),
        (ok(b"\n <!DOCTYPE html><form>Sign in</form>"), "html"),
        (ok(b"\xef\xbb\xbf<HTML>"), "html"),
        (ok(b""), "empty_file"),
        ((302, {"Location": "https://inside.example/"}, b""), "address_refused"),
        ((302, {"Location": URL}, b""), "too_many_redirects"),
    ],
)
def test_what_is_no_file_is_reported_as_what_it_is(world: World, answer: Answer, code: str):
    """At once, without another try, and nothing of it is kept."""
    fetch = world.fetched(answer)
    assert (fetch.outcome, fetch.error and fetch.error.code) == ("failed", code)
    assert list(world.commerce.feeds.list()) == []
    assert list(world.commerce.context.files.list("raw/")) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_after_a_pause(world: World, status: int):
    fetch = world.fetched((status, {}, b""), ok())
    assert (fetch.status, fetch.tries) == ("running", 1)
    assert world.work() == 0
    world.later(FIRST_PAUSE)
    assert world.work() == 1
    assert world.commerce.pulls.get_fetch(fetch.fetch_id).outcome == "fetched"


def test_it_waits_as_long_as_the_server_asks(world: World):
    world.fetched((503, {"Retry-After": "600"}, b""), ok())
    world.later(timedelta(seconds=599))
    assert world.work() == 0
    world.later(timedelta(seconds=1))
    assert world.work() == 1


def test_a_server_that_stays_busy_fails_the_fetch_in_the_end(world: World):
    fetch = world.fetched((503, {}, b""))
    for _ in range(MOST_TRIES - 1):
        world.later(LONGEST_PAUSE)
        world.work()
    ended = world.commerce.pulls.get_fetch(fetch.fetch_id)
    assert (ended.outcome, ended.tries) == ("failed", MOST_TRIES)
    assert len(world.web.requests) == MOST_TRIES


def test_pauses_grow_to_a_limit_and_differ_by_chance():
    pauses = [pause_before(tries, None, 1.0) for tries in range(1, 9)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE, LONGEST_PAUSE)
    assert pause_before(1, None, 0.0) == FIRST_PAUSE / 2
    assert pause_before(1, 1e9, 0.0) == LONGEST_PAUSE


def test_a_secret_is_sent_and_shown_nowhere(world: World):
    pull = world.commerce.pulls.set(
        "main", URL, partner="Acme", username="anna", secret="s3cret", cron="0 6 * * *"
    )
    world.fetched(ok())
    assert world.web.requests[-1].headers["Authorization"] == "Basic YW5uYTpzM2NyZXQ="
    assert pull.has_secret
    shown = f"{pull} {list(world.commerce.audit.list())} {world.web}"
    assert "s3cret" not in shown.replace(str(world.web.requests), "")
    assert str(pull.sealed) not in str(list(world.commerce.audit.list()))


def test_a_stored_secret_stays_for_its_server_alone(world: World):
    pulls = world.commerce.pulls
    pulls.set("main", URL, partner="Acme", secret="token")
    pulls.set("main", "https://partner.example/other.csv", partner="Acme")
    world.fetched(ok())
    assert world.web.requests[-1].headers["Authorization"] == "Bearer token"
    with pytest.raises(InvalidInput) as refusal:
        pulls.set("main", "https://evil.example/feed.csv", partner="Acme")
    assert refusal.value.faults[0].code == "other_server"
    assert not pulls.set("main", URL, partner="Acme", keeps_secret=False).has_secret


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"url": "https://inside.example/"}, "address_refused"),
        ({"url": "https://127.0.0.1/"}, "address_refused"),
        ({"url": "file:///etc/passwd"}, "scheme_refused"),
        ({"url": URL, "cron": "often"}, "bad_cron"),
        ({"url": URL, "cron": "* * * * *", "time_zone": "Mars"}, "bad_time_zone"),
        ({"url": URL, "secret": ""}, "bad_secret"),
        ({"url": URL, "secret": "x" * (LONGEST_SECRET + 1)}, "bad_secret"),
        ({"url": URL, "username": "a:b"}, "bad_username"),
        ({"url": URL, "username": ""}, "bad_username"),
        ({"url": URL, "username": "x" * (LONGEST_USERNAME + 1)}, "bad_username"),
    ],
)
def test_what_cannot_be_fetched_is_refused_when_it_is_set(
    world: World, settings: dict[str, Any], code: str
):
    with pytest.raises(InvalidInput) as refusal:
        world.commerce.pulls.set("main", partner="Acme", **settings)
    assert refusal.value.faults[0].code == code


def test_names_and_secrets_of_the_longest_length_are_taken(world: World):
    name, secret = "x" * LONGEST_USERNAME, "y" * LONGEST_SECRET
    pull = world.commerce.pulls.set("main", URL, partner="Acme", username=name, secret=secret)
    assert (pull.username, pull.has_secret) == (name, True)


def test_a_schedule_fetches_at_its_ticks(world: World):
    world.answer(ok())
    pull = world.commerce.pulls.set(
        "main", URL, partner="Acme", cron="0 7 * * *", time_zone="Europe/Berlin"
    )
    assert pull.next_at == tuple(T0 + HOUR + n * DAY for n in range(5))
    assert world.work() == 0
    world.later(HOUR)
    assert world.work() == 1
    (fetch,) = world.commerce.pulls.fetches("main", partner="Acme")
    assert (fetch.cause, fetch.due_at, fetch.outcome) == ("schedule", T0 + HOUR, "fetched")
    assert world.work() == 0
    assert world.commerce.pulls.get("main", partner="Acme").due_at == T0 + HOUR + DAY


def test_ticks_missed_while_everything_was_down_are_one(world: World):
    world.answer(ok())
    world.commerce.pulls.set("main", URL, partner="Acme", cron="0 * * * *")
    world.later(timedelta(hours=5, minutes=30))
    assert world.work() == 1
    (fetch,) = world.commerce.pulls.fetches()
    assert (fetch.due_at, fetch.missed) == (T0 + 5 * HOUR, 4)


def test_a_tick_stays_one_though_the_rules_of_its_zone_have_changed(world: World):
    """What is stored as due is fetched, and the schedule goes on."""
    world.answer(ok())
    pull = world.commerce.pulls.set("main", URL, partner="Acme", cron="0 * * * *")
    with world.commerce.context.store.begin() as unit:
        unit.pulls.put(evolve(pull, due_at=T0 + timedelta(minutes=7)))
    world.later(timedelta(minutes=8))
    assert world.work() == 1
    assert world.commerce.pulls.get("main", partner="Acme").due_at == T0 + HOUR


def test_a_tick_during_a_fetch_is_skipped_and_a_request_refused(world: World):
    world.commerce.pulls.set("main", URL, partner="Acme", cron="0 * * * *")
    running = world.commerce.pulls.fetch("main", partner="Acme")
    with pytest.raises(Conflict) as refusal:
        world.commerce.pulls.fetch("main", partner="Acme")
    assert refusal.value.code == "fetch_under_way"
    world.later(HOUR)
    assert world.commerce.pulls.look() == 1
    skipped, first = world.commerce.pulls.fetches()
    assert (skipped.outcome, first.fetch_id) == ("skipped", running.fetch_id)


def test_one_server_that_fails_stops_no_other_source(world: World):
    world.answer((404, {}, b""), ok())
    world.commerce.sources.add("Acme", "stock")
    for source in ("main", "stock"):
        world.commerce.pulls.set(source, URL, partner="Acme")
        world.commerce.pulls.fetch(source, partner="Acme")
    assert world.work() == 2
    outcomes = {str(fetch.outcome) for fetch in world.commerce.pulls.fetches()}
    assert outcomes == {"fetched", "failed"}


def test_a_source_that_is_no_longer_fetched_ends_what_waits(world: World):
    fetch = world.commerce.pulls.fetch("main", partner="Acme")
    world.commerce.pulls.remove("main", partner="Acme")
    world.work()
    ended = world.commerce.pulls.get_fetch(fetch.fetch_id)
    assert ended.error is not None
    assert ended.error.code == "not_pulled"
    for use in (world.commerce.pulls.get, world.commerce.pulls.fetch, world.commerce.pulls.remove):
        with pytest.raises(NotFound):
            use("main", partner="Acme")


def test_attempts_that_crash_end_the_fetch_and_free_the_source(world: World):
    fetch = world.commerce.pulls.fetch("main", partner="Acme")
    task = world.commerce.queue.claim("fetches")
    assert isinstance(task, Task)
    crashed = evolve(task, crashed_attempts=MOST_CRASHED_ATTEMPTS)
    assert world.commerce.queue.perform(crashed) is None
    assert world.commerce.pulls.get_fetch(fetch.fetch_id).outcome == "failed"
    world.later(HOUR)
    assert world.fetched(ok()).outcome == "fetched"


def test_a_partner_that_may_not_send_is_not_fetched_for(world: World):
    world.commerce.partners.change("Acme", status="paused")
    assert world.fetched(ok()).outcome == "failed"
    assert list(world.commerce.context.files.list("raw/")) == []


def test_a_broken_connection_is_tried_again(world: World):
    def breaks(_: WebRequest) -> Answer:
        raise Unreachable("The connection ends.", code="cut_off", phase="body")

    whole: Callable[[WebRequest], Answer] = world.web.answer
    world.web.answer = breaks
    fetch = world.fetched(ok())
    assert fetch.status == "running"
    world.web.answer = whole
    world.later(FIRST_PAUSE)
    world.work()
    assert world.commerce.pulls.get_fetch(fetch.fetch_id).outcome == "fetched"


def test_a_request_with_a_key_is_one_fetch(world: World):
    one = world.commerce.pulls.fetch("main", partner="Acme", key="k")
    assert world.commerce.pulls.fetch("main", partner="Acme", key="k") == one
