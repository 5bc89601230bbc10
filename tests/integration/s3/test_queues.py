"""Queues of SQS that report new keys: their contract, and what a bucket sends into them."""

import json
from collections.abc import Generator
from ipaddress import ip_network
from typing import Any, cast

import pytest
from attrs import define, evolve

from adapters.outside.s3_fetcher import S3Fetcher
from adapters.outside.sqs import SqsMessages
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import Reach
from commerce_core.commerce import Commerce
from commerce_core.feeds.place import S3Place
from commerce_core.ports.fetcher import Access
from tests.contracts.messages_contract import TestMessages as MessagesContract
from tests.contracts.messages_contract import World
from tests.support.pulled import PulledWorld, feed_of, pulled_world
from tests.support.servers.ministack import MiniStack, running_ministack
from tests.support.waiting import until

LOOPBACK = Reach((ip_network("127.0.0.0/8"),), ((1024, 65535),))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[MiniStack]:
    with running_ministack(tmp_path_factory.mktemp("ministack")) as made:
        yield made


@define
class Shelf:
    """A bucket with a queue that it reports new keys to."""

    stack: MiniStack
    name: str
    queue_url: str

    @property
    def place(self) -> S3Place:
        return S3Place(
            f"s3://{self.name}/out/", self.stack.endpoint, self.stack.region,
            queue_url=self.queue_url,
        )  # fmt: skip

    def put(self, key: str, content: bytes) -> None:
        self.stack.client("s3").put_object(Bucket=self.name, Key=key, Body=content)

    def send(self, body: str) -> None:
        self.stack.client("sqs").send_message(QueueUrl=self.queue_url, MessageBody=body)


@pytest.fixture
def shelf(stack: MiniStack, request: pytest.FixtureRequest) -> Shelf:
    name = f"shelf-{abs(hash(request.node.nodeid))}"
    sqs, s3 = stack.client("sqs"), stack.client("s3")
    queue_url = sqs.create_queue(QueueName=name)["QueueUrl"]
    path = queue_url.partition("://")[2].partition("/")[2]
    arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
    s3.create_bucket(Bucket=name)
    wanted = {"QueueArn": arn["QueueArn"], "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"QueueConfigurations": [wanted]}
    )
    return Shelf(stack, name, f"{stack.endpoint}/{path}")


@pytest.fixture
def world(stack: MiniStack, shelf: Shelf) -> World:
    world = World()
    world.messages = SqsMessages(LOOPBACK)
    world.place = shelf.place
    world.missing = evolve(shelf.place, queue_url=f"{shelf.queue_url}-missing")
    world.access = Access(stack.access_key, stack.secret_key)
    world.send = shelf.send
    while received := world.messages.receive(world.place, world.access):
        world.messages.delete(world.place, world.access, received)
    return world


class TestMessages(MessagesContract):
    """The contract."""


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "sqs.us-east-1.amazonaws.com:25"])
def test_queues_inside_are_neither_stored_nor_called(shelf: Shelf, host: str):
    place = evolve(shelf.place, queue_url=f"https://{host}/1/news")
    with pytest.raises(InvalidInput):
        SqsMessages(LOOPBACK).judge(place)
    with pytest.raises(Unreachable) as refusal:
        SqsMessages(LOOPBACK).receive(place, Access("id", "x"))
    assert refusal.value.code == "address_refused"


@pytest.fixture
def platform(shelf: Shelf) -> Generator[PulledWorld]:
    """A platform in memory whose source is fetched from the bucket, watched by its queue."""
    with pulled_world() as made:
        context = evolve(
            made.commerce.context, s3=cast("Any", S3Fetcher(LOOPBACK)),
            messages=SqsMessages(LOOPBACK),
        )  # fmt: skip
        made.commerce = Commerce(context)
        place = shelf.place
        made.commerce.pulls.set(
            "main", place.url, partner="Acme", endpoint=place.endpoint, region=place.region,
            queue_url=place.queue_url, username=shelf.stack.access_key,
            secret=shelf.stack.secret_key,
        )  # fmt: skip
        yield made


def heard(platform: PulledWorld) -> int:
    """Looks into the queue until it is empty, works, and returns the number of feeds there are."""
    platform.watch()
    platform.work()
    return len(platform.feeds())


def test_an_event_makes_a_fetch_and_the_sweep_makes_no_second_feed(
    shelf: Shelf, platform: PulledWorld
):
    shelf.put("out/a.csv", feed_of(1))
    until(lambda: heard(platform) == 1)
    assert {fetch.cause for fetch in platform.commerce.pulls.fetches()} == {"event"}
    assert platform.fetched().outcome == "unchanged"
    assert len(platform.feeds()) == 1


def test_a_key_whose_event_was_lost_is_found_by_the_sweep(shelf: Shelf, platform: PulledWorld):
    shelf.stack.client("s3").put_bucket_notification_configuration(
        Bucket=shelf.name, NotificationConfiguration={}
    )
    shelf.put("out/a.csv", feed_of(1))
    assert heard(platform) == 0
    assert platform.fetched().feeds == 1


@pytest.mark.slow
def test_events_that_are_doubled_shuffled_or_foreign_make_one_feed_for_each_version(
    shelf: Shelf, platform: PulledWorld
):
    def event(key: str, sequencer: str, name: str = "ObjectCreated:Put") -> str:
        place = {"bucket": {"name": shelf.name}, "object": {"key": key, "sequencer": sequencer}}
        return json.dumps({"Records": [{"eventName": name, "s3": place}]})

    shelf.put("out/a.csv", feed_of(1))
    until(lambda: heard(platform) == 1)
    shelf.put("out/a.csv", feed_of(2))
    for body in (
        event("out/a.csv", "0F"), event("out/a.csv", "1"), event("out/a.csv", "0F"), "{", "hello",
        event("other/b.csv", "1"), event("out/a.csv", "FF", "ObjectRemoved:Delete"),
        event("out/gone.csv", "1"), json.dumps({"Event": "s3:TestEvent"}),
    ):  # fmt: skip
        shelf.send(body)
    until(lambda: heard(platform) == 2)
    for _ in range(3):
        assert heard(platform) == 2
    with platform.commerce.feeds.raw(platform.feeds()[-1].feed_id) as raw:
        assert raw.read() == feed_of(2)


@pytest.mark.slow
def test_a_deleted_key_deletes_no_products(shelf: Shelf, platform: PulledWorld):
    shelf.put("out/a.csv", feed_of(1))
    until(lambda: heard(platform) == 1)
    shelf.stack.client("s3").delete_object(Bucket=shelf.name, Key="out/a.csv")
    assert heard(platform) == 1
    assert platform.fetched().outcome == "unchanged"
