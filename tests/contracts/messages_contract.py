"""What queues promise: what was received is seen by nobody else, and is gone once it is deleted."""

from collections.abc import Callable

import pytest
from attrs import evolve

from commerce_core.base.errors import InvalidInput
from commerce_core.feeds.place import S3Place
from commerce_core.ports.fetcher import Access, FetchFailed
from commerce_core.ports.messages import MOST_RECEIVED, Messages


class World:
    """A queue, into which tests send; `place` names it, and `missing` one that there isn't."""

    messages: Messages
    place: S3Place
    missing: S3Place
    access: Access
    send: Callable[[str], None]


class TestMessages:
    def test_what_was_sent_is_received_once_and_deleted(self, world: World):
        assert world.messages.receive(world.place, world.access) == []
        world.send("one")
        (message,) = world.messages.receive(world.place, world.access)
        assert message.body == "one"
        assert world.messages.receive(world.place, world.access) == []
        world.messages.delete(world.place, world.access, [message])
        world.messages.delete(world.place, world.access, [message])
        world.messages.delete(world.place, world.access, [])
        assert world.messages.receive(world.place, world.access) == []

    def test_a_limited_number_is_received_at_once(self, world: World):
        sent = {f"message {number}" for number in range(MOST_RECEIVED + 2)}
        for body in sent:
            world.send(body)
        received: set[str] = set()
        while found := world.messages.receive(world.place, world.access):
            assert len(found) <= MOST_RECEIVED
            received |= {message.body for message in found}
            world.messages.delete(world.place, world.access, found)
        assert received == sent

    def test_a_queue_that_is_missing_is_not_there(self, world: World):
        with pytest.raises(FetchFailed) as refusal:
            world.messages.receive(world.missing, world.access)
        assert refusal.value.code == "not_there"

    def test_queues_are_judged_before_they_are_stored(self, world: World):
        world.messages.judge(world.place)
        with pytest.raises(InvalidInput) as refusal:
            world.messages.judge(evolve(world.place, queue_url="http:///queue"))
        assert refusal.value.faults[0].pointer == "/queue_url"
