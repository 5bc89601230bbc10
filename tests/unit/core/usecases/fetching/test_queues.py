"""Queues that report new keys: a fetch at once, whatever becomes of their messages."""

import json
from collections.abc import Iterator

import pytest
from attrs import define, evolve

from adapters.memory.messages import MemoryMessages
from commerce_core.base.errors import InvalidInput
from commerce_core.commerce import Commerce
from commerce_core.ports.messages import MOST_RECEIVED
from commerce_core.usecases.fetching.queues import MOST_ROUNDS
from commerce_core.work.task import Task
from tests.support.pulled import HOUR, PulledWorld, feed_of, pulled_world

QUEUE = "https://sqs.us-east-1.amazonaws.com/1/news"


@define
class Watched:
    """A source whose bucket reports to a queue."""

    world: PulledWorld
    queue: MemoryMessages

    def put(self, name: str, number: int) -> None:
        world = self.world
        world.server.put(f"out/{name}", feed_of(number), world.now[0] - HOUR, f'"{number}"')

    def send(self, key: str = "out/a.csv") -> None:
        place = {"bucket": {"name": "shelf"}, "object": {"key": key, "sequencer": "1"}}
        record = {"eventName": "ObjectCreated:Put", "s3": place}
        self.queue.send(QUEUE, json.dumps({"Records": [record]}))

    def causes(self) -> list[str]:
        return [fetch.cause for fetch in self.world.commerce.pulls.fetches()]


@pytest.fixture
def watched() -> Iterator[Watched]:
    with pulled_world() as world:
        queue = MemoryMessages({QUEUE: []}, "s3cret")
        world.commerce = Commerce(evolve(world.commerce.context, messages=queue))
        world.commerce.pulls.set(
            "main", "s3://shelf/out/", partner="Acme", username="anna", secret="s3cret",
            queue_url=QUEUE,
        )  # fmt: skip
        yield Watched(world, queue)


def test_with_a_queue_the_bucket_is_listed_every_five_minutes(watched: Watched):
    pull = watched.world.commerce.pulls.get("main", partner="Acme")
    assert (pull.queue_url, pull.cron) == (QUEUE, "*/5 * * * *")
    assert len(pull.next_at) == 5


def test_an_event_makes_one_fetch_however_often_it_comes(watched: Watched):
    watched.put("a.csv", 1)
    for _ in range(3):
        watched.send()
    watched.world.watch()
    assert watched.causes() == ["event"]
    watched.world.work()
    assert watched.world.names() == ["a.csv"]
    watched.send()
    watched.world.watch()
    watched.world.work()
    assert watched.world.names() == ["a.csv"]
    assert watched.queue.hidden == []


def test_an_event_before_a_queued_fetch_has_begun_is_answered_by_that(watched: Watched):
    watched.world.commerce.pulls.fetch("main", partner="Acme")
    watched.send()
    watched.world.watch()
    assert watched.causes() == ["request"]
    assert watched.queue.hidden == []


def test_an_event_during_a_fetch_comes_again_afterwards(watched: Watched):
    """The fetch may have listed the bucket before the key was there."""
    watched.world.commerce.pulls.fetch("main", partner="Acme")
    task = watched.world.commerce.queue.claim("fetches")
    assert isinstance(task, Task)
    watched.send()
    watched.world.watch()
    assert watched.causes() == ["request"]
    watched.world.commerce.queue.perform(task)
    watched.put("a.csv", 1)
    watched.queue.show_again()
    watched.world.watch()
    watched.world.work()
    assert watched.causes() == ["event", "request"]
    assert watched.world.names() == ["a.csv"]


def test_foreign_messages_make_no_fetch_and_are_gone(watched: Watched):
    for body in ("", "{", json.dumps({"Event": "s3:TestEvent"})):
        watched.queue.send(QUEUE, body)
    watched.send("other/a.csv")
    watched.world.watch()
    assert watched.causes() == []
    assert watched.queue.hidden == []
    assert watched.queue.queues[QUEUE] == []


def test_a_look_receives_a_limited_number(watched: Watched):
    for _ in range(MOST_RECEIVED * MOST_ROUNDS + 1):
        watched.send()
    watched.world.watch()
    assert len(watched.queue.queues[QUEUE]) == 1


def test_a_queue_that_cannot_be_read_is_shown_and_does_not_stop_the_others(watched: Watched):
    pulls = watched.world.commerce.pulls
    watched.world.commerce.sources.add("Acme", "second")
    pulls.set(
        "second", "s3://shelf/out/", partner="Acme", username="anna", secret="s3cret",
        queue_url=f"{QUEUE}2",
    )  # fmt: skip
    watched.queue.secret = "changed"
    watched.world.watch()
    for name in ("main", "second"):
        error = pulls.get(name, partner="Acme").queue_error
        assert error is not None
        assert error.code == "denied"
    watched.queue.secret = "s3cret"
    watched.send()
    watched.world.watch()
    assert pulls.get("main", partner="Acme").queue_error is None
    error = pulls.get("second", partner="Acme").queue_error
    assert error is not None
    assert error.code == "not_there"
    assert watched.causes() == ["event"]


def test_a_queue_is_judged_when_it_is_set(watched: Watched):
    for url, code in (("http://queue", "scheme_refused"), ("queue", "bad_url")):
        with pytest.raises(InvalidInput) as refusal:
            watched.world.commerce.pulls.set(
                "main", "s3://shelf/out/", partner="Acme", username="anna", secret="s3cret",
                queue_url=url,
            )  # fmt: skip
        fault = refusal.value.faults[0]
        assert (fault.pointer, fault.code) == ("/queue_url", code)
