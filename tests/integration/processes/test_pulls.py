"""Fetches in processes that are killed: no tick is lost or doubled, and no file makes two feeds."""

import socket
import threading
from base64 import b64encode
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import boto3
import pytest
from psycopg.conninfo import conninfo_to_dict

from commerce_core.commerce import Commerce
from commerce_core.feeds.backfill import Backfill
from commerce_core.feeds.place import HttpsPlace, Place, S3Place, SftpPlace
from commerce_core.feeds.pull import Fetch, Pull
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.servers.platform import Platform
from tests.support.servers.proxy import proxy_before
from tests.support.servers.sftp import PASSWORD, USER, SftpServer, sftp_server
from tests.support.servers.swift import running_swift
from tests.support.servers.wire import Asked, Behaviour, WireServer, answers, wire_server
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.processes

WORKERS = 8
SOURCES = 20
VAULT = f"one:{b64encode(bytes(32)).decode()}"
OUTBOUND = {
    "COMMERCE_OUTBOUND_NETWORKS": "127.0.0.0/8", "COMMERCE_OUTBOUND_PORTS": "1024-65535",
    "COMMERCE_VAULT_KEYS": VAULT,
}  # fmt: skip
KILLS = 2
"""So many that it isn't set aside."""
HOURLY = "0 * * * *"


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Platform:
    parts = conninfo_to_dict(database)
    name = parts.pop("dbname")
    return Platform(f"postgresql:///{name}?{urlencode(parts)}", tmp_path)


@pytest.fixture
def commerce(platform: Platform) -> Generator[Commerce]:
    with platform.opened() as opened:
        yield opened


@pytest.fixture
def server() -> Generator[WireServer]:
    with wire_server() as made:
        for number in range(SOURCES):
            feed = f"sku,product_name\nA-{number},Lamp\n".encode()
            made.behaviours[f"/{number}.csv"] = answers(200, feed)
        yield made


def make_due(commerce: Commerce, urls: Sequence[str]) -> None:
    """Sources of these files, whose schedules have been due for some hours."""
    now = commerce.context.clock()
    hour = now.replace(minute=0, second=0, microsecond=0)
    partner_id = commerce.partners.add("Acme").partner_id
    sources = [commerce.sources.add("Acme", f"s{number}") for number in range(len(urls))]
    with commerce.context.store.begin() as unit:
        for number, (source, url) in enumerate(zip(sources, urls, strict=True)):
            due_at = hour - timedelta(hours=number)
            unit.pulls.put(
                Pull(source.source_id, partner_id, HttpsPlace(url), now, cron=HOURLY, due_at=due_at)
            )


def test_eight_workers_and_kills_lose_and_double_no_tick(
    platform: Platform, commerce: Commerce, server: WireServer
):
    """Half of them are killed while they fetch; the others finish what those had begun."""
    make_due(commerce, [f"http://127.0.0.1:{server.port}/{n}.csv" for n in range(SOURCES)])
    with ExitStack() as stack:
        workers = [stack.enter_context(platform.worker(**OUTBOUND)) for _ in range(WORKERS)]
        until(lambda: len(server.asked) >= 2)
        for worker in workers[: WORKERS // 2]:
            worker.kill()
        until(lambda: sum(f.outcome is not None for f in commerce.pulls.fetches()) >= SOURCES)
    fetches = list(commerce.pulls.fetches())
    # When an hour passes meanwhile, there are ticks of the next one, of the same bytes.
    assert {fetch.outcome for fetch in fetches} <= {"fetched", "unchanged", "skipped"}
    ticks = [(fetch.source_id, fetch.due_at) for fetch in fetches]
    assert len(set(ticks)) == len(ticks) >= SOURCES
    assert len({fetch.source_id for fetch in fetches}) == SOURCES
    feeds = [feed.feed_id for feed in commerce.feeds.list()]
    assert len(feeds) == SOURCES
    assert sorted(feeds) == sorted(fetch.feed_id for fetch in fetches if fetch.feed_id)


def test_a_silent_server_keeps_no_other_source_from_being_fetched(
    platform: Platform, commerce: Commerce, server: WireServer
):
    """One among twenty, which is the first that is due."""
    make_due(commerce, [f"http://127.0.0.1:{server.port}/{n}.csv" for n in range(SOURCES)])
    server.behaviours[f"/{SOURCES - 1}.csv"] = server.says_nothing()
    with platform.worker(**OUTBOUND):
        until(lambda: sum(f.outcome is not None for f in commerce.pulls.fetches()) >= SOURCES - 1)
        (left,) = [f for f in commerce.pulls.fetches() if f.outcome is None and f.tries]
    assert left.status == "running"
    assert f"/{SOURCES - 1}.csv" in server.paths
    assert len(list(commerce.feeds.list())) == SOURCES - 1


def test_two_workers_ask_one_host_for_two_files_at_once(
    platform: Platform, commerce: Commerce, server: WireServer
):
    """Eight sources at it are due at once, and workers have threads for eight.

    While it keeps them waiting, those at another host are fetched.
    """
    under_way, most, lock, released = 0, 0, threading.Lock(), threading.Event()

    def counted(answer: Behaviour) -> Behaviour:
        def behave(asked: Asked, connection: socket.socket) -> None:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            released.wait(PATIENCE)
            answer(asked, connection)
            with lock:
                under_way -= 1

        return behave

    for number in range(8):
        path = f"/{number}.csv"
        server.behaviours[path] = counted(server.behaviours[path])
    with wire_server(host="127.0.0.2") as other:
        other.behaviours |= {f"/{n}.csv": answers(200, b"sku\nA\n") for n in range(8, 12)}
        ports = {"127.0.0.1": server.port, "127.0.0.2": other.port}
        urls = [f"http://127.0.0.{1 + n // 8}:{ports[f'127.0.0.{1 + n // 8}']}" for n in range(12)]
        make_due(commerce, [f"{url}/{n}.csv" for n, url in enumerate(urls)])
        with platform.worker(**OUTBOUND), platform.worker(**OUTBOUND):
            until(lambda: under_way == 2 and len(other.asked) == 4)
            released.set()
            until(lambda: [f.outcome for f in commerce.pulls.fetches()] == ["fetched"] * 12)
    assert most == 2


def put_source(platform: Platform, commerce: Commerce, place: Place, user: str, secret: str) -> str:
    """A source of that place, whose secret is sealed as the workers open it."""
    partner_id = commerce.partners.add("Acme").partner_id
    source_id = commerce.sources.get("main", partner="Acme").source_id
    settings = Settings(database_url="memory:", vault_keys=VAULT)
    with open_platform(settings) as sealing:
        sealed = sealing.context.vault.seal(secret, f"pull:{source_id}")
    now = commerce.context.clock()
    with commerce.context.store.begin() as unit:
        unit.pulls.put(Pull(source_id, partner_id, place, now, user, sealed))
    return source_id


def killed_while_it_fetches(platform: Platform, commerce: Commerce, server: SftpServer) -> None:
    """Kills workers, each while it reads a file that none has read before it."""
    for _ in range(KILLS):
        before = len(server.reads)
        with platform.worker(**OUTBOUND) as worker:
            until(lambda before=before: len(server.reads) >= before + 7)
            worker.kill()


def ended(platform: Platform, commerce: Commerce, fetch: Fetch) -> Fetch:
    """The fetch, after two workers at once have gone on with it."""
    with platform.worker(**OUTBOUND), platform.worker(**OUTBOUND):
        until(lambda: commerce.pulls.get_fetch(fetch.fetch_id).outcome is not None)
    return commerce.pulls.get_fetch(fetch.fetch_id)


@pytest.fixture
def sftp(tmp_path: Path) -> Generator[SftpServer]:
    """A server with forty files, each complete by its marker."""
    folder = tmp_path / "partner"
    folder.mkdir()
    with sftp_server(folder) as made:
        for number in range(FILES):
            made.put(f"out/{number:02}.csv", b"sku\nA-%d\n" % number, 9_000 - number)
            made.put(f"out/{number:02}.csv.done", b"")
        yield made


FILES = 40


def sftp_place(server: SftpServer) -> SftpPlace:
    url = f"sftp://127.0.0.1:{server.port}/out/"
    return SftpPlace(url, (server.public_key,), "*.csv", "{name}.done")


def check_each_once(commerce: Commerce, fetch: Fetch) -> None:
    assert (fetch.outcome, fetch.feeds, fetch.refused) == ("fetched", FILES, 0)
    names = [feed.file_name for feed in commerce.feeds.list()][::-1]
    assert names == [f"{number:02}.csv" for number in range(FILES)]


@pytest.mark.parametrize("is_backfill", [False, True], ids=["fetch", "backfill"])
def test_workers_killed_while_they_fetch_from_a_folder_double_and_lose_no_file(
    platform: Platform, commerce: Commerce, sftp: SftpServer, *, is_backfill: bool
):
    put_source(platform, commerce, sftp_place(sftp), USER, PASSWORD)
    if is_backfill:
        fetch = commerce.pulls.backfill("main", Backfill(), partner="Acme")
    else:
        fetch = commerce.pulls.fetch("main", partner="Acme")
    killed_while_it_fetches(platform, commerce, sftp)
    check_each_once(commerce, ended(platform, commerce, fetch))


def test_workers_killed_while_they_list_a_bucket_double_and_lose_no_key(
    platform: Platform, commerce: Commerce
):
    with running_swift() as swift, proxy_before(swift.port) as proxy:
        client = boto3.Session(swift.access_key, swift.secret_key, region_name="us-east-1").client(
            "s3", endpoint_url=f"http://127.0.0.1:{swift.port}"
        )
        client.create_bucket(Bucket="shelf")
        for number in range(FILES):
            body = b"sku\nA-%d\n" % number
            client.put_object(Bucket="shelf", Key=f"out/{number:02}.csv", Body=body)
        endpoint = f"http://127.0.0.1:{proxy.port}"
        place = S3Place("s3://shelf/out/", endpoint, "us-east-1")
        put_source(platform, commerce, place, swift.access_key, swift.secret_key)
        fetch = commerce.pulls.fetch("main", partner="Acme")
        proxy.stall = 0.3
        for _ in range(KILLS):
            before = proxy.connections
            with platform.worker(**OUTBOUND) as worker:
                until(lambda before=before: proxy.connections > before)
                worker.kill()
        proxy.stall = 0.0
        ended_ = ended(platform, commerce, fetch)
    assert ended_.tries == KILLS + 1
    check_each_once(commerce, ended_)
