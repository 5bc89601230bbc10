"""Queues in memory hold the contract."""

import pytest

from adapters.memory.messages import MemoryMessages
from commerce_core.base.errors import Unreachable
from commerce_core.feeds.place import S3Place
from commerce_core.ports.fetcher import Access
from commerce_core.ports.messages import NoMessages
from tests.contracts.messages_contract import (
    TestMessages as TestMessages,  # noqa: PLC0414 - collected from here
)
from tests.contracts.messages_contract import World

QUEUE = "https://sqs.us-east-1.amazonaws.com/1/news"
PLACE = S3Place("s3://shelf/out/", queue_url=QUEUE)


@pytest.fixture
def world() -> World:
    world = World()
    queues = MemoryMessages({QUEUE: []}, "s3cret")
    world.messages = queues
    world.place = PLACE
    world.missing = S3Place("s3://shelf/out/", queue_url=f"{QUEUE}2")
    world.access = Access("id", "s3cret")
    world.send = lambda body: queues.send(QUEUE, body)
    return world


def test_a_platform_that_is_offline_calls_no_queue():
    offline = NoMessages()
    for call in (
        lambda: offline.judge(PLACE),
        lambda: offline.receive(PLACE, Access()),
        lambda: offline.delete(PLACE, Access(), []),
    ):
        with pytest.raises(Unreachable):
            call()
