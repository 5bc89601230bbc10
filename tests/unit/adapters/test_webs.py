"""Both webs hold their contract; the real one survives servers of every kind, and pins."""

import contextlib
import socket
from collections.abc import Generator, Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest

from adapters.memory.web import MemoryWeb
from adapters.outside.web import Urllib3Web, _Pinned, _PinnedTls
from commerce_core.base.errors import Unreachable
from commerce_core.base.network import Reach, Target
from commerce_core.ports.web import Offline, WebRequest
from tests.contracts.web_contract import TestWeb as TestWeb  # noqa: PLC0414 - collected from here
from tests.contracts.web_contract import World
from tests.support.servers.wire import (
    HOST,
    Asked,
    Authority,
    Behaviour,
    WireServer,
    answers,
    sends,
    wire_server,
)
from tests.support.waiting import PATIENCE

LOOPBACK = Reach((ip_network("127.0.0.0/8"),), ((1024, 65535),))
FEED = b"sku\nA\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.under(tmp_path_factory.mktemp("ca"))


@pytest.fixture(params=["memory", "urllib3"])
def world(request: pytest.FixtureRequest) -> Generator[World]:
    with real_world() if request.param == "urllib3" else memory_world() as made:
        yield made


@contextlib.contextmanager
def memory_world() -> Generator[World]:
    hosts = {
        "partner.example": ["1.1.1.1"],
        "other.example": ["1.1.1.2"],
        "private.example": ["10.0.0.1"],
        "mixed.example": ["1.1.1.1", "10.0.0.1"],
    }
    redirects: dict[str, str] = {}

    def answer(request: WebRequest):
        path = request.url.partition("example")[2]
        if path in redirects:
            return 302, {"Location": redirects[path]}, b""
        return (200, {}, FEED) if path == "/feed.csv" else (404, {}, b"")

    web = MemoryWeb(hosts, answer)
    world = World()
    world.web = web
    world.urls = lambda host, path: f"https://{host}{path}"
    world.redirect = redirects.__setitem__
    world.sent = lambda: [
        (request.url.partition("example")[2], dict(request.headers)) for request in web.requests
    ]
    yield world


@contextlib.contextmanager
def real_world() -> Generator[World]:
    """Servers without TLS, in a network that a setting allows."""
    hosts = {
        "partner.example": ["127.0.0.1"],
        "other.example": ["127.0.0.1"],
        "private.example": ["10.0.0.1"],
        "mixed.example": ["127.0.0.1", "10.0.0.1"],
    }

    def resolve(host: str, _: int) -> Sequence[str]:
        if host not in hosts:
            raise OSError
        return hosts[host]

    with wire_server() as server:
        server.behaviours["/feed.csv"] = answers(200, FEED)
        world = World()
        world.web = Urllib3Web(LOOPBACK, resolve)
        world.urls = lambda host, path: f"http://{host}:{server.port}{path}"
        world.sent = lambda: [(asked.path, asked.headers) for asked in server.asked]

        def redirect(path: str, url: str) -> None:
            server.behaviours[path] = answers(302, headers={"Location": url})

        world.redirect = redirect
        yield world


@pytest.fixture
def server(authority: Authority) -> Generator[WireServer]:
    with wire_server(authority.server) as made:
        yield made


def web(authority: Authority, addresses: Sequence[str] = ("127.0.0.1",)) -> Urllib3Web:
    return Urllib3Web(LOOPBACK, lambda _host, _port: addresses, str(authority.ca_file))


def failure(
    authority: Authority, server: WireServer, path: str, seconds: float = 30
) -> Unreachable:
    url = f"https://{HOST}:{server.port}{path}"
    with pytest.raises(Unreachable) as refusal:  # noqa: SIM117 - reading is part of it
        with web(authority).send(WebRequest("GET", url, seconds=seconds)) as answer:
            answer.stream.read()
    return refusal.value


def test_the_name_stays_for_tls_while_the_address_is_pinned(
    authority: Authority, server: WireServer
):
    server.behaviours["/feed.csv"] = answers(200, FEED, {"ETag": '"1"'})
    url = f"https://{HOST}:{server.port}/feed.csv?day=1"
    with web(authority).send(WebRequest("GET", url)) as answer:
        assert answer.stream.read() == FEED
    assert (answer.address, answer.url, answer.headers["etag"]) == ("127.0.0.1", url, '"1"')
    assert server.asked[0].headers["host"] == f"{HOST}:{server.port}"
    assert set(answer.seconds) == {"resolve", "connect", "tls", "send", "wait", "body"}


def test_the_authorities_are_loaded_once_for_all_calls(server: WireServer, authority: Authority):
    """Their file is read again only by another process."""
    server.behaviours["/feed.csv"] = answers(200, FEED)
    copy = authority.ca_file.with_suffix(".copy")
    copy.write_bytes(authority.ca_file.read_bytes())
    for _ in range(2):
        caller = Urllib3Web(LOOPBACK, lambda _host, _port: ["127.0.0.1"], str(copy))
        url = f"https://{HOST}:{server.port}/feed.csv"
        with caller.send(WebRequest("GET", url)) as answer:
            assert answer.stream.read() == FEED
        copy.unlink(missing_ok=True)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("kind", "port", "named"),
    [(_Pinned, 80, HOST), (_PinnedTls, 443, HOST), (_PinnedTls, 8443, f"{HOST}:8443")],
)
def test_the_host_header_names_a_port_that_is_not_the_usual_one(
    kind: type[_Pinned], port: int, named: str
):
    near, far = socket.socketpair()
    scheme = "http" if kind is _Pinned else "https"
    with near, far:
        kind(near, Target(scheme, HOST, port, "/"), PATIENCE).request("GET", "/")
        assert f"\r\nHost: {named}\r\n".encode() in far.recv(1_000)


def test_a_body_is_sent(authority: Authority, server: WireServer):
    server.behaviours["/hook"] = answers(204)
    request = WebRequest("POST", f"https://{HOST}:{server.port}/hook", {"X-A": "b"}, b"{}")
    with web(authority).send(request) as answer:
        assert answer.status == 204
    assert (server.asked[0].body, server.asked[0].headers["x-a"]) == (b"{}", "b")


def test_a_name_is_resolved_once_for_each_call(authority: Authority, server: WireServer):
    """What it resolves to the second time (rebinding) is never asked for."""
    server.behaviours["/feed.csv"] = answers(200, FEED)
    resolved: list[str] = []

    def rebinds(_host: str, _port: int) -> Sequence[str]:
        resolved.append("asked")
        return ["127.0.0.1"] if len(resolved) == 1 else ["169.254.169.254"]

    caller = Urllib3Web(LOOPBACK, rebinds, str(authority.ca_file))
    request = WebRequest("GET", f"https://{HOST}:{server.port}/feed.csv")
    with caller.send(request) as answer:
        assert answer.stream.read() == FEED
    assert resolved == ["asked"]
    with pytest.raises(Unreachable, match="link-local"), caller.send(request):
        pass


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("expired", "its certificate has expired. The server's operator has to renew it."),
        ("self_signed", "its certificate is self-signed, so it doesn't prove whose server it is."),
        ("other_name", "its certificate is for another name. Correct the name in the address,"),
        ("unknown_authority", "its certificate was issued by an unknown authority, or the server"),
    ],
)
def test_a_certificate_is_refused_with_what_is_wrong_with_it(
    authority: Authority, tmp_path: Path, fault: str, what: str
):
    match fault:
        case "expired":
            context = authority.certified(days=-1)
        case "self_signed":
            context = authority.self_signed()
        case "other_name":
            context = authority.certified("other.example")
        case _:
            context = Authority.under(tmp_path, name="Others").server
    with wire_server(context) as server:
        refusal = failure(authority, server, "/feed.csv")
        assert (refusal.code, refusal.phase) == ("bad_certificate", "tls")
        assert str(refusal).startswith(f"{HOST}: {what}")
        assert server.asked == []


def test_a_server_that_cannot_prove_its_name_is_not_spoken_to(
    authority: Authority, server: WireServer
):
    url = f"https://other.example:{server.port}/"
    with pytest.raises(Unreachable) as refusal, web(authority).send(WebRequest("GET", url)):
        pass
    assert refusal.value.code == "bad_certificate"
    unknown = Urllib3Web(LOOPBACK, lambda _host, _port: ["127.0.0.1"])
    url = f"https://{HOST}:{server.port}/"
    with pytest.raises(Unreachable) as refusal, unknown.send(WebRequest("GET", url)):
        pass
    assert (refusal.value.code, refusal.value.phase) == ("bad_certificate", "tls")
    assert server.asked == []


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "cut_off"),
        (b"SSH-2.0-OpenSSH_9\r\n", "bad_answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "cut_off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "cut_off"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", "bad_answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "bad_answer"),
    ],
)
def test_what_is_no_whole_answer_is_an_error(
    authority: Authority, server: WireServer, raw: bytes, code: str
):
    server.behaviours["/feed.csv"] = sends(raw)
    assert failure(authority, server, "/feed.csv").code == code


def test_one_deadline_holds_for_all_phases(authority: Authority, server: WireServer):
    """However little each step takes: a byte every now and then doesn't prolong anything."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"
    server.behaviours |= {
        "/silent": server.says_nothing(),
        "/header": server.drip(b"x", before=b"HTTP/1.1 200 OK\r\nX: "),
        "/body": server.drip(b"x", before=head + b"\r\n"),
        "/endless": server.drip(b"x", before=b"HTTP/1.1 200 OK\r\n\r\n"),
    }
    phases = {"/silent": "wait", "/header": "wait", "/body": "body", "/endless": "body"}
    for path, phase in phases.items():
        error = failure(authority, server, path, seconds=0.3)
        assert (error.code, error.phase) == ("timed_out", phase), path


def test_a_server_that_falls_silent_is_left_long_before_the_deadline(
    authority: Authority, server: WireServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.outside.web.IDLE_SECONDS", 0.2)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"

    def stops(raw: bytes) -> Behaviour:
        def behave(asked: Asked, connection: socket.socket) -> None:
            connection.sendall(raw)
            server.says_nothing()(asked, connection)

        return behave

    server.behaviours |= {"/wait": server.says_nothing(), "/body": stops(head + b"x" * 300_000)}
    server.behaviours["/header"] = stops(b"HTTP/1.1 200 OK\r\nX: ")
    for path, phase in {"/wait": "wait", "/header": "wait", "/body": "body"}.items():
        error = failure(authority, server, path, seconds=1_800)
        assert (error.code, error.phase) == ("timed_out", phase), path
        assert "it kept us waiting for 0.2 s" in error.detail


def test_a_server_that_does_not_speak_tls_ends_at_the_deadline(authority: Authority):
    with wire_server() as plain:
        assert failure(authority, plain, "/", seconds=0.3).code in {"timed_out", "bad_certificate"}


def test_nothing_listening_is_not_connected(authority: Authority):
    with wire_server() as gone:
        pass
    assert failure(authority, gone, "/").code == "not_connected"


def test_a_name_that_is_resolved_too_slowly_times_out(authority: Authority, server: WireServer):
    def slowly(_host: str, _port: int) -> Sequence[str]:
        server.over.wait()
        return ["127.0.0.1"]

    caller = Urllib3Web(LOOPBACK, slowly, str(authority.ca_file))
    with (
        pytest.raises(Unreachable) as refusal,
        caller.send(WebRequest("GET", f"https://{HOST}/", seconds=0.2)),
    ):
        pass
    assert (refusal.value.code, refusal.value.phase) == ("timed_out", "resolve")


def test_the_default_reach_calls_no_loopback(authority: Authority, server: WireServer):
    caller = Urllib3Web(Reach(ports=((1, 65535),)), lambda _host, _port: ["127.0.0.1"])
    with (
        pytest.raises(Unreachable, match="loopback"),
        caller.send(WebRequest("GET", f"https://{HOST}:{server.port}/")),
    ):
        pass
    assert server.asked == []


def test_a_platform_that_is_offline_calls_nobody():
    with pytest.raises(Unreachable), Offline().send(WebRequest("GET", "https://a.example/")):
        pass
    with pytest.raises(Unreachable):
        Offline().judge("https://a.example/")
