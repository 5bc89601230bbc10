"""All fetchers hold their contract; the real ones survive servers of every kind, and pin."""

import contextlib
import socket
import threading
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import asyncssh
import pytest
from attrs import evolve

from adapters.memory.fetcher import MemoryFetcher
from adapters.outside.s3_fetcher import S3Fetcher
from adapters.outside.sftp_fetcher import SftpFetcher
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import Reach
from commerce_core.feeds.place import S3Place, SftpPlace
from commerce_core.feeds.remote_file import RemoteFile
from commerce_core.ports.fetcher import Access, FetchFailed, Nowhere
from tests.contracts.fetcher_contract import SECONDS, World, listed, read
from tests.contracts.fetcher_contract import (
    TestFetcher as TestFetcher,  # noqa: PLC0414 - collected from here
)
from tests.support.servers.sftp import PASSWORD, USER, SftpServer, sftp_server
from tests.support.servers.wire import wire_server

LOOPBACK = Reach((ip_network("127.0.0.0/8"),), ((1024, 65535),))
HOSTS = {
    "partner.example": ["127.0.0.1"],
    "private.example": ["10.0.0.1"],
    "mixed.example": ["127.0.0.1", "10.0.0.1"],
}
KEY = "SHA256:" + "A" * 43


def resolve(host: str, _: int) -> Sequence[str]:
    if host not in HOSTS:
        raise OSError
    return HOSTS[host]


@pytest.fixture(params=["memory", "sftp"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[World]:
    with memory_world() if request.param == "memory" else real_world(tmp_path) as made:
        yield made


@contextlib.contextmanager
def memory_world() -> Generator[World]:
    server = MemoryFetcher(
        {"partner.example": ["1.1.1.1"], "private.example": ["10.0.0.1"]},
        keys=frozenset({KEY}),
        users={USER: PASSWORD},
    )
    puts: list[str] = []

    def put(name: str, content: bytes) -> None:
        puts.append(name)
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=len(puts))
        server.put(f"/out/{name}", content, at)

    world = World()
    world.fetcher = cast("Any", server)
    world.place = SftpPlace("sftp://partner.example/out/", (KEY,))
    world.private = SftpPlace("sftp://private.example/out/", (KEY,))
    world.access = Access(USER, PASSWORD)
    world.paths = lambda name: f"/out/{name}"
    world.put = put
    world.remove = lambda name: server.contents.pop(f"/out/{name}") and None
    yield world


@contextlib.contextmanager
def real_world(folder: Path) -> Generator[World]:
    with sftp_server(folder) as server:
        (folder / "out").mkdir()
        ages = iter(range(100_000, 0, -1_000))

        def put(name: str, content: bytes) -> None:
            server.put(f"out/{name}", content, next(ages))

        world = World()
        world.fetcher = cast("Any", SftpFetcher(LOOPBACK, resolve))
        world.place = place_on(server)
        world.private = place_on(server, host="private.example")
        world.access = Access(USER, PASSWORD)
        world.paths = lambda name: f"/out/{name}"
        world.put = put
        world.remove = lambda name: (folder / "out" / name).unlink()
        yield world


def place_on(server: SftpServer, path: str = "/out/", host: str = "partner.example") -> SftpPlace:
    return SftpPlace(f"sftp://{host}:{server.port}{path}", (server.public_key,))


@pytest.fixture
def server(tmp_path: Path) -> Generator[SftpServer]:
    with sftp_server(tmp_path) as made:
        made.put("out/feed.csv", b"sku\nA\n")
        yield made


def on(server: SftpServer, **changes: object) -> World:
    world = World()
    world.fetcher = cast("Any", SftpFetcher(LOOPBACK, resolve))
    world.place = evolve(place_on(server), **changes)
    world.access = Access(USER, PASSWORD)
    return world


def code_of(world: World) -> str:
    with pytest.raises((FetchFailed, Unreachable)) as refusal:
        listed(world)
    return refusal.value.code


class TestSftp:
    def test_a_server_with_another_key_gets_no_user_and_no_secret(self, server: SftpServer):
        other = asyncssh.generate_private_key("ssh-ed25519")
        text = " ".join(other.export_public_key().decode().split()[:2])
        for key in (text, other.get_fingerprint()):
            assert code_of(on(server, host_keys=(key,))) == "host_key_differs"
        assert server.logins == []

    def test_a_server_without_a_key_of_the_kind_is_another_one(self, server: SftpServer):
        other = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
        text = " ".join(other.export_public_key().decode().split()[:2])
        assert code_of(on(server, host_keys=(text,))) == "host_key_differs"
        assert server.logins == []

    def test_one_of_several_keys_or_a_fingerprint_is_enough(self, server: SftpServer):
        other = asyncssh.generate_private_key("ssh-ed25519").get_fingerprint()
        for keys in ((other, server.public_key), (server.fingerprint,)):
            assert list(listed(on(server, host_keys=keys))) == ["/out/feed.csv"]

    def test_a_private_key_serves_as_secret(self, server: SftpServer):
        world = on(server)
        world.access = Access(USER, server.user_key)
        world.fetcher.judge(world.place, world.access)
        assert list(listed(world)) == ["/out/feed.csv"]

    def test_private_keys_that_cannot_be_used_are_refused_when_stored(self, server: SftpServer):
        key = asyncssh.generate_private_key("ssh-ed25519")
        encrypted = key.export_private_key("openssh", passphrase="x").decode()
        broken = server.user_key[:100] + "\n-----END OPENSSH PRIVATE KEY-----"
        world = on(server)
        for secret, code in ((encrypted, "key_encrypted"), (broken, "bad_private_key")):
            with pytest.raises(InvalidInput) as refusal:
                world.fetcher.judge(world.place, Access(USER, secret))
            assert refusal.value.faults[0].code == code

    @pytest.mark.parametrize("kind", ["ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519"])
    def test_private_keys_of_each_kind_are_read(self, server: SftpServer, kind: str):
        key = asyncssh.generate_private_key(kind).export_private_key("openssh").decode()
        world = on(server)
        world.fetcher.judge(world.place, Access(USER, key))

    @pytest.mark.parametrize(
        ("access", "code"),
        [
            (Access(None, "x"), "username_needed"),
            (Access("", "x"), "username_needed"),
            (Access(USER, None), "secret_needed"),
        ],
    )
    def test_a_user_and_a_secret_are_needed(self, server: SftpServer, access: Access, code: str):
        world = on(server)
        with pytest.raises(InvalidInput) as refusal:
            world.fetcher.judge(world.place, access)
        assert refusal.value.faults[0].code == code

    def test_a_name_that_is_not_utf_8_hides_no_other(self, server: SftpServer):
        (server.folder / "out" / "caf\udce9.csv").write_bytes(b"sku\n")
        assert sorted(listed(on(server))) == ["/out/caf\udce9.csv", "/out/feed.csv"]

    def test_folders_and_links_are_no_files(self, server: SftpServer):
        (server.folder / "out" / "folder.csv").mkdir()
        (server.folder / "out" / "link.csv").symlink_to("feed.csv")
        assert list(listed(on(server))) == ["/out/feed.csv"]

    def test_a_single_file_is_listed_alone(self, server: SftpServer):
        server.put("out/other.csv", b"1")
        world = on(server, url=place_on(server, "/out/feed.csv").url)
        (file,) = listed(world).values()
        assert (file.path, read(world, file)) == ("/out/feed.csv", b"sku\nA\n")

    def test_a_path_that_is_missing_or_a_folder_is_reported(self, server: SftpServer):
        assert code_of(on(server, url=place_on(server, "/none.csv").url)) == "not_there"
        assert code_of(on(server, url=place_on(server, "/none/").url)) == "not_there"
        assert code_of(on(server, url=place_on(server, "/out").url)) == "is_folder"

    def test_a_file_that_may_not_be_read_is_denied(self, server: SftpServer):
        server.denied.add("feed.csv")
        world = on(server)
        (file,) = listed(world).values()
        with pytest.raises(FetchFailed) as refusal:
            read(world, file)
        assert refusal.value.code == "denied"

    def test_a_connection_that_ends_is_cut_off(self, server: SftpServer):
        server.put("out/feed.csv", b"x" * (8 << 20))
        server.cut_after, server.cuts = 3 << 20, 1
        world = on(server)
        (file,) = listed(world).values()
        with pytest.raises(Unreachable) as refusal:
            read(world, file)
        assert (refusal.value.code, refusal.value.phase) == ("cut_off", "body")

    def test_a_file_that_grows_while_it_is_read_is_another_one(self, server: SftpServer):
        path = server.put("out/feed.csv", b"x" * (3 << 20))
        world = on(server)
        (file,) = listed(world).values()
        with (
            world.fetcher.connect(world.place, world.access, SECONDS) as remote,
            remote.open(file) as opened,
        ):
            assert opened is not None
            assert opened.read(10) == b"x" * 10
            with path.open("ab") as more:
                more.write(b"more")
            with pytest.raises(FetchFailed) as refusal:
                list(iter(lambda: opened.read(1 << 20), b""))
        assert refusal.value.code == "file_replaced"

    def test_a_server_that_falls_silent_is_left_long_before_the_deadline(
        self, server: SftpServer, monkeypatch: pytest.MonkeyPatch
    ):
        world = on(server)
        (file,) = listed(world).values()
        monkeypatch.setattr("adapters.outside.sftp_fetcher.IDLE_SECONDS", 2.0)
        with world.fetcher.connect(world.place, world.access, 1_800) as remote:
            server.silent.set()
            with remote.open(file) as opened:
                assert opened is not None
                with pytest.raises(Unreachable) as refusal:
                    opened.read(1)
        assert refusal.value.code == "timed_out"
        assert "it kept us waiting for 2 s" in refusal.value.detail

    @pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.6\r\n"])
    def test_signing_in_has_a_limit_of_its_own(
        self, greeting: bytes, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("adapters.outside.sftp_fetcher.IDLE_SECONDS", 0.3)
        with _talking(greeting, ends=False) as port:
            world = World()
            world.fetcher = cast("Any", SftpFetcher(LOOPBACK, resolve))
            world.place = SftpPlace(f"sftp://partner.example:{port}/out/", (KEY,))
            world.access = Access(USER, PASSWORD)
            assert code_of(world) == "timed_out"

    @pytest.mark.slow
    def test_the_deadline_ends_a_server_that_falls_silent(self, server: SftpServer):
        world = on(server)
        (file,) = listed(world).values()
        with world.fetcher.connect(world.place, world.access, 3) as remote:
            server.silent.set()
            with remote.open(file) as opened:
                assert opened is not None
                with pytest.raises(Unreachable) as refusal:
                    opened.read(1)
        assert refusal.value.code == "timed_out"

    @pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 100])
    def test_what_is_no_ssh_server_is_reported_as_that(self, raw: bytes):
        with _talking(raw) as port:
            world = World()
            world.fetcher = cast("Any", SftpFetcher(LOOPBACK, resolve))
            world.place = SftpPlace(f"sftp://partner.example:{port}/out/", (KEY,))
            world.access = Access(USER, PASSWORD)
            assert code_of(world) == "bad_answer"

    def test_mixed_addresses_are_refused_and_names_resolved_once(self, server: SftpServer):
        url = place_on(server, host="mixed.example").url
        assert code_of(on(server, url=url)) == "address_refused"
        resolved: list[str] = []

        def rebinds(_host: str, _port: int) -> Sequence[str]:
            resolved.append("asked")
            return ["127.0.0.1"] if len(resolved) == 1 else ["169.254.169.254"]

        world = on(server)
        world.fetcher = cast("Any", SftpFetcher(LOOPBACK, rebinds))
        assert list(listed(world)) == ["/out/feed.csv"]
        assert resolved == ["asked"]
        assert code_of(world) == "address_refused"

    def test_the_default_reach_calls_no_loopback(self, server: SftpServer):
        world = on(server)
        world.fetcher = cast("Any", SftpFetcher(Reach(ports=((1, 65535),)), resolve))
        assert code_of(world) == "address_refused"
        assert server.logins == []

    def test_nothing_listening_is_not_connected(self):
        with _talking(b"") as port:
            pass
        world = World()
        world.fetcher = cast("Any", SftpFetcher(LOOPBACK, resolve))
        world.place = SftpPlace(f"sftp://partner.example:{port}/out/", (KEY,))
        world.access = Access(USER, PASSWORD)
        assert code_of(world) == "not_connected"

    def test_a_large_file_is_read_in_windows(self, server: SftpServer):
        content = bytes(range(256)) * (5 << 12)
        server.put("out/feed.csv", content)
        world = on(server)
        (file,) = listed(world).values()
        assert read(world, file) == content
        assert {path.rpartition("/")[2] for path, _ in server.reads} == {"feed.csv"}


@contextlib.contextmanager
def _talking(raw: bytes, *, ends: bool = True) -> Generator[int]:
    """A port that sends these bytes, and ends; or else waits for the other side to go."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(raw)
                        while not ends and connection.recv(1 << 16):
                            pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_store_that_falls_silent_is_left_long_before_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("adapters.outside.s3_fetcher.IDLE_SECONDS", 0.3)
    with wire_server() as server:
        server.behaviours["/shelf"] = server.says_nothing()
        world = World()
        world.fetcher = cast("Any", S3Fetcher(LOOPBACK, resolve))
        endpoint = f"http://partner.example:{server.port}"
        world.place = S3Place("s3://shelf/out/", endpoint, "us-east-1")
        world.access = Access("anna", "s3cret")
        with pytest.raises(Unreachable) as refusal:
            listed(world)
        assert server.paths == ["/shelf?list-type=2&prefix=out%2F&max-keys=1000&encoding-type=url"]
    assert (refusal.value.code, refusal.value.phase) == ("timed_out", "list")
    assert "it kept us waiting for 0.3 s" in refusal.value.detail


def test_a_platform_that_is_offline_calls_nobody():
    place = SftpPlace("sftp://partner.example/out/", (KEY,))
    with pytest.raises(Unreachable):
        Nowhere().judge(place, Access())
    with pytest.raises(Unreachable):
        Nowhere().connect(place, Access(), 1)


def test_a_version_shows_size_time_and_etag():
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    assert RemoteFile("a", 7, at, '"x"').version == '7;2026-01-02T03:04:05+00:00;"x"'
    assert RemoteFile("a").version == "None;None;"
