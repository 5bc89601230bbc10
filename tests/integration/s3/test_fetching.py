"""Fetching from buckets: the contract of fetchers on a real store, and what only a bucket has."""

import uuid
from collections.abc import Generator, Sequence
from ipaddress import ip_network
from typing import Any, TypeAlias, cast

import pytest
from attrs import evolve
from boto3.session import Session

from adapters.outside import s3_fetcher
from adapters.outside.s3_fetcher import S3Fetcher
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import Reach
from commerce_core.feeds.place import S3Place
from commerce_core.ports.fetcher import Access, FetchFailed
from tests.contracts.fetcher_contract import SECONDS, World, listed, read
from tests.contracts.fetcher_contract import TestFetcher as FetcherContract
from tests.support.servers.proxy import proxy_before
from tests.support.servers.swift import Swift, running_swift

Client: TypeAlias = Any
"""One of boto3's, whose methods are made while it runs."""
LOOPBACK = Reach((ip_network("127.0.0.0/8"),), ((1024, 65535),))
HOSTS = {"store.example": ["127.0.0.1"], "private.example": ["10.0.0.1"]}
BUCKET = "shelf"


def resolve(host: str, _: int) -> Sequence[str]:
    if host not in HOSTS:
        raise OSError
    return HOSTS[host]


@pytest.fixture(scope="module")
def swift() -> Generator[Swift]:
    with running_swift() as store:
        yield store


@pytest.fixture(scope="module")
def behind(swift: Swift) -> Client:
    """The store past our adapter."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in swift.variables().items():
            patch.setenv(name, value)
        client = Session().client("s3")
        client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def world(swift: Swift, behind: Client) -> World:
    """A prefix of its own for each test."""
    prefix = f"{uuid.uuid4().hex}/out/"
    world = World()
    world.fetcher = cast("Any", S3Fetcher(LOOPBACK, resolve))
    world.place = S3Place(f"s3://{BUCKET}/{prefix}", f"http://store.example:{swift.port}")
    world.private = evolve(world.place, endpoint=f"http://private.example:{swift.port}")
    world.access = Access(swift.access_key, swift.secret_key)
    world.paths = lambda name: f"{prefix}{name}"

    def put(name: str, content: bytes) -> None:
        behind.put_object(Bucket=BUCKET, Key=world.paths(name), Body=content)

    world.put = put
    world.remove = lambda name: behind.delete_object(Bucket=BUCKET, Key=world.paths(name))
    return world


class TestFetcher(FetcherContract):
    """The contract."""


def code_of(world: World) -> str:
    with pytest.raises((FetchFailed, Unreachable)) as refusal:
        listed(world)
    return refusal.value.code


def test_keys_that_stand_for_folders_are_no_files(world: World):
    world.put("", b"")
    world.put("deeper/", b"")
    world.put("a.csv", b"1")
    assert list(listed(world)) == [world.paths("a.csv")]


def test_long_lists_come_in_pages(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(s3_fetcher, "PAGE", 2)
    for number in range(5):
        world.put(f"{number}.csv", b"1")
    assert len(listed(world)) == 5


def test_the_same_version_is_listed_and_read(world: World):
    world.put("a.csv", b"sku\n")
    (file,) = listed(world).values()
    assert file.etag is not None
    assert file.etag in file.version
    assert read(world, file) == b"sku\n"


def test_a_bucket_that_is_missing_is_not_there(world: World):
    world.place = evolve(world.place, url="s3://missing/")
    assert code_of(world) == "not_there"


def test_a_connection_that_ends_is_cut_off(world: World, swift: Swift):
    world.put("a.csv", b"x" * 3_000_000)
    (file,) = listed(world).values()
    with proxy_before(swift.port) as proxy:
        proxy.cuts.append(1_000_000)
        world.place = evolve(world.place, endpoint=f"http://store.example:{proxy.port}")
        with world.fetcher.connect(world.place, world.access, SECONDS) as remote:
            with remote.open(file) as opened:
                assert opened is not None
                with pytest.raises(Unreachable) as refusal:
                    list(iter(lambda: opened.read(1 << 16), b""))
            assert refusal.value.code == "cut_off"
            with remote.open(file, 1_000_000) as rest:
                assert rest is not None
                assert len(b"".join(iter(lambda: rest.read(1 << 16), b""))) == 2_000_000


@pytest.mark.slow
def test_the_deadline_ends_a_store_that_is_slow(world: World, swift: Swift):
    world.put("a.csv", b"x" * 30_000_000)
    (file,) = listed(world).values()
    with proxy_before(swift.port) as proxy:
        world.place = evolve(world.place, endpoint=f"http://store.example:{proxy.port}")
        with (
            world.fetcher.connect(world.place, world.access, 3) as remote,
            remote.open(file) as opened,
        ):
            assert opened is not None
            proxy.stall = 0.5
            with pytest.raises(Unreachable) as refusal:
                list(iter(lambda: opened.read(1 << 16), b""))
    assert refusal.value.code == "timed_out"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (b"503 Slow Down", "busy"),
        (b"403 Forbidden", "denied"),
        (b"301 Moved", "wrong_region"),
        (b"418 Odd", "bad_status"),
    ],
)
def test_what_a_store_refuses_is_reported(world: World, swift: Swift, status: bytes, code: str):
    answer = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status
    with proxy_before(swift.port) as proxy:
        proxy.answers.extend([answer] * 3)
        world.place = evolve(world.place, endpoint=f"http://store.example:{proxy.port}")
        assert code_of(world) == code


def test_the_environment_of_the_platform_is_not_used_for_places_of_others(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """Neither its endpoint, nor its proxy, nor its credentials."""
    world.put("a.csv", b"1")
    for name, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "of-the-platform",
        "AWS_SECRET_ACCESS_KEY": "of-the-platform",
        "AWS_SESSION_TOKEN": "of-the-platform",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    assert list(listed(world)) == [world.paths("a.csv")]
    world.place = evolve(world.place, endpoint=None)
    assert code_of(world) == "unresolved"


def test_an_operator_may_use_the_environments_credentials(
    world: World, swift: Swift, monkeypatch: pytest.MonkeyPatch
):
    world.put("a.csv", b"1")
    for name, value in swift.variables().items():
        monkeypatch.setenv(name, value)
    world.access = Access()
    assert list(listed(world)) == [world.paths("a.csv")]


def test_names_are_judged_for_each_connection(world: World):
    resolved: list[str] = []

    def rebinds(_host: str, _port: int) -> Sequence[str]:
        resolved.append("asked")
        return ["127.0.0.1"] if len(resolved) == 1 else ["169.254.169.254"]

    world.put("a.csv", b"1")
    world.fetcher = cast("Any", S3Fetcher(LOOPBACK, rebinds))
    assert list(listed(world)) == [world.paths("a.csv")]
    assert code_of(world) == "address_refused"


@pytest.mark.parametrize(
    ("endpoint", "access", "pointer"),
    [
        ("https://store.example/path", Access("id", "x"), "/endpoint"),
        ("https://169.254.169.254", Access("id", "x"), "/endpoint"),
        ("ftp://store.example", Access("id", "x"), "/endpoint"),
        ("https://user:x@store.example", Access("id", "x"), "/endpoint"),
        ("https://store.example:25", Access("id", "x"), "/endpoint"),
        (None, Access("id", None), "/secret"),
        (None, Access(None, "x"), "/username"),
    ],
)
def test_what_cannot_be_called_is_refused_when_it_is_stored(
    world: World, endpoint: str | None, access: Access, pointer: str
):
    with pytest.raises(InvalidInput) as refusal:
        world.fetcher.judge(S3Place("s3://bucket/", endpoint), cast("Any", access))
    assert refusal.value.faults[0].pointer == pointer
