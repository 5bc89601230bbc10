"""Breaks what feeds are fetched from: events of buckets, objects while they are read, addresses."""

import contextlib
import hashlib
import json
import random
import threading
from collections.abc import Generator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

from attrs import evolve

from adapters.outside.s3_fetcher import S3Fetcher
from adapters.outside.sqs import SqsMessages
from commerce_core.base.network import Reach
from commerce_core.commerce import Commerce
from commerce_core.ports.fetcher import Access
from commerce_core.usecases.fetching.queues import Watching
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.servers.ministack import running_ministack
from tests.support.servers.proxy import proxy_before
from tests.support.servers.swift import running_swift
from tests.support.waiting import pause

LOOPBACK = Reach((ip_network("127.0.0.0/8"),), ((1024, 65535),))
KEY = "SHA256:" + "A" * 43
ACCESS = Access("anna", "s3cret")


@contextlib.contextmanager
def _platform(folder: Path) -> Generator[Commerce]:
    """A platform with a PostgreSQL of its own, which may fetch from this machine."""
    with open_platform(Settings(data_dir=str(folder / "data"))) as made:
        context = evolve(
            made.context, s3=cast("Any", S3Fetcher(LOOPBACK)), messages=SqsMessages(LOOPBACK)
        )
        commerce = Commerce(context)
        commerce.partners.add("Acme", currency="EUR")
        yield commerce


def _work(commerce: Commerce) -> None:
    commerce.pulls.look()
    while isinstance(task := commerce.queue.claim("fetches"), Task):
        commerce.queue.perform(task)


def events_in_disorder(folder: Path, versions: int = 40) -> str:
    """One feed for each version; an older one never wins; a sweep finds what no event reported"""
    chance = random.Random(8)
    with running_ministack(folder) as stack, _platform(folder) as commerce:
        s3, sqs = stack.client("s3"), stack.client("sqs")
        s3.create_bucket(Bucket="shelf")
        sqs.create_queue(QueueName="news")
        queue = f"{stack.endpoint}/000000000000/news"
        commerce.pulls.set(
            "main", "s3://shelf/out/", partner="Acme", endpoint=stack.endpoint, queue_url=queue,
            region=stack.region, username=stack.access_key, secret=stack.secret_key,
        )  # fmt: skip
        now, pending, sent, lost = dict[str, bytes](), list[str](), 0, 0
        for number in range(versions):
            key = f"out/{chance.randrange(5)}.csv"
            now[key] = f"sku,product_name,price\nA,Lamp,{number}\n".encode()
            s3.put_object(Bucket="shelf", Key=key, Body=now[key])
            thing = {
                "bucket": {"name": "shelf"},
                "object": {"key": key, "sequencer": f"{number:X}"},
            }
            event = json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": thing}]})
            copies = chance.choice([0, 1, 2, 3])
            lost += not copies
            foreign = [event.replace("shelf", "other"), "{", json.dumps({"Event": "s3:TestEvent"})]
            pending += [event] * copies + chance.sample(foreign, 1)
            chance.shuffle(pending)
            for body in pending[: chance.randrange(4)]:
                sqs.send_message(QueueUrl=queue, MessageBody=body)
                pending.remove(body)
                sent += 1
            Watching(commerce.context).look()
            _work(commerce)
        # The sweep: a tick of the schedule.
        commerce.pulls.fetch("main", partner="Acme")
        _work(commerce)
        feeds = list(commerce.feeds.list())[::-1]
        last: dict[str, str] = {}
        for feed in feeds:
            last[f"out/{feed.file_name}"] = feed.sha256
        assert last == {key: hashlib.sha256(content).hexdigest() for key, content in now.items()}
        assert len({feed.sha256 for feed in feeds}) == len(feeds)
        before = len(feeds)
        for body in pending:
            sqs.send_message(QueueUrl=queue, MessageBody=body)
        Watching(commerce.context).look()
        _work(commerce)
        assert len(list(commerce.feeds.list())) == before
    return (
        f"{versions} versions of {len(now)} keys, {sent + len(pending)} messages, {lost} versions "
        f"without any; {before} feeds, none doubled, each key at its last version"
    )


def replaced_while_read(folder: Path, rounds: int = 12) -> str:
    """No feed has bytes of two versions; what was replaced while it was read starts over"""
    chance = random.Random(9)
    with (
        running_swift() as swift,
        proxy_before(swift.port) as proxy,
        _platform(folder) as commerce,
    ):
        import boto3

        behind = boto3.Session(swift.access_key, swift.secret_key, region_name="us-east-1").client(
            "s3", endpoint_url=f"http://127.0.0.1:{swift.port}"
        )
        behind.create_bucket(Bucket="shelf")
        endpoint = f"http://127.0.0.1:{proxy.port}"
        commerce.pulls.set(
            "main", "s3://shelf/out/", partner="Acme", endpoint=endpoint,
            username=swift.access_key, secret=swift.secret_key,
        )  # fmt: skip
        digests: set[str] = set()
        over = 0

        def put(number: int) -> None:
            row = f"A{number:06},Lamp,10\n".encode()
            content = b"sku,product_name,price\n" + row * (3_000_000 // len(row))
            digests.add(hashlib.sha256(content).hexdigest())
            behind.put_object(Bucket="shelf", Key="out/a.csv", Body=content)

        for number in range(rounds):
            put(2 * number)
            proxy.cuts.append(chance.randrange(400_000, 2_500_000))
            replacing = threading.Timer(chance.uniform(0.0, 0.2), put, [2 * number + 1])
            fetch = commerce.pulls.fetch("main", partner="Acme")
            replacing.start()
            _work(commerce)
            replacing.join()
            while (found := commerce.pulls.get_fetch(fetch.fetch_id)).outcome is None:
                over += found.tries == 1
                pause(0.5)
                _work(commerce)
        feeds = list(commerce.feeds.list())
        assert {feed.sha256 for feed in feeds} <= digests
        for feed in feeds:
            with commerce.feeds.raw(feed.feed_id) as raw:
                rows = set(raw.read().splitlines()[1:-1])
            assert len(rows) == 1, feed.feed_id
        assert len(list(commerce.context.files.list("raw/"))) == len(feeds)
    return f"{rounds} connections cut, {2 * rounds} versions: {len(feeds)} feeds, none mixed"
