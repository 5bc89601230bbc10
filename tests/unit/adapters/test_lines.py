"""Connections stay open between calls that may share one, and never longer or otherwise."""

import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from ipaddress import ip_network

import pytest
from attrs import define, field

from adapters.outside import lines
from adapters.outside.alarms import Alarms
from adapters.outside.web import Urllib3Web
from commerce_core.base.errors import Unreachable
from commerce_core.base.network import Reach
from commerce_core.ports.web import WebRequest
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.waiting import PATIENCE, until

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b"x" * 999_999


@define
class Counting:
    """A server that counts its connections and the requests on each; it closes when told to."""

    port: int = 0
    answer: bytes = ANSWER
    connections: list[int] = field(factory=list[int])
    closes_after: int = 1_000
    ended: int = 0
    hangs: bool = False
    sends_more: bool = False
    unasked: threading.Event = field(factory=threading.Event)
    over: threading.Event = field(factory=threading.Event)

    def serve(self, connection: socket.socket, place: int) -> None:
        with connection, connection.makefile("rb") as stream:
            while self.connections[place] < self.closes_after and stream.readline():
                length = 0
                while (line := stream.readline().lower()) != b"\r\n":
                    if line.startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                stream.read(length)
                self.connections[place] += 1
                if self.hangs:
                    self.over.wait()
                connection.sendall(self.answer)
                if len(self.connections) == 1 and self.sends_more:
                    self.unasked.wait()
                    connection.sendall(self.answer)
        self.ended += 1


@contextmanager
def counting(answer: bytes = ANSWER) -> Generator[Counting]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Counting(listener.getsockname()[1], answer)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server.connections.append(0)
                place = len(server.connections) - 1
                threading.Thread(target=served, args=(connection, place), daemon=True).start()

        def served(connection: socket.socket, place: int) -> None:
            try:
                server.serve(connection, place)
            except OSError:
                server.ended += 1

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            server.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def web(resolve: Callable[[str, int], Sequence[str]] | None = None) -> Urllib3Web:
    reach = Reach((ip_network("127.0.0.0/8"),), ((1024, 65535),))
    return Urllib3Web(reach, resolve or (lambda _host, _port: ["127.0.0.1"]))


def post(by: Urllib3Web, server: Counting, *, repeatable: bool = True, most: int = 65_536) -> bytes:
    url = f"http://partner.example:{server.port}/hook"
    request = WebRequest("POST", url, {}, b"{}", 5.0, is_repeatable=repeatable)
    with by.send(request) as answer:
        return answer.stream.read(most)


@pytest.mark.parametrize("answer", [ANSWER, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n"])
def test_calls_that_may_arrive_twice_share_a_connection(answer: bytes):
    resolved: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        resolved.append(host)
        return ["127.0.0.1"]

    with counting(answer) as server:
        caller = web(resolve)
        assert len({post(caller, server) for _ in range(5)}) == 1
        assert server.connections == [5]
        assert len(resolved) == 1


def test_the_platform_shares_connections():
    """What it is composed of has one web for all calls."""
    settings = Settings(
        database_url="memory:", outbound_networks="127.0.0.0/8", outbound_ports="1024-65535"
    )
    with counting() as server, open_platform(settings) as commerce:
        url = f"http://127.0.0.1:{server.port}/hook"
        for _ in range(3):
            request = WebRequest("POST", url, {}, b"{}", is_repeatable=True)
            with commerce.context.web.send(request) as answer:
                assert answer.stream.read() == b"ok"
        assert server.connections == [3]


def test_other_calls_have_a_connection_of_their_own():
    with counting() as server:
        caller = web()
        for _ in range(3):
            post(caller, server, repeatable=False)
        assert server.connections == [1, 1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ENDLESS, id="a body that isn't read to its end"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", id="HTTP/1.0"),
        pytest.param(ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), id="close"),
    ],
)
def test_a_connection_is_used_again_only_if_nothing_is_left_of_its_answer(answer: bytes):
    with counting(answer) as server:
        caller = web()
        for _ in range(3):
            post(caller, server, most=2)
        assert server.connections == [1, 1, 1]


def test_what_a_server_sends_without_being_asked_is_no_answer():
    with counting() as server:
        server.sends_more = True
        caller = web()
        assert post(caller, server) == b"ok"
        (idle,) = next(iter(caller._lines._idle.values()))
        server.unasked.set()
        until(lambda: not idle[1].connection.is_connected)
        server.answer = ANSWER.replace(b"ok", b"no")
        assert post(caller, server) == b"no"
        assert server.connections == [1, 1]


def test_a_server_may_close_a_connection_at_any_time():
    """Whether the caller sees that before it sends or only after: the message arrives."""
    with counting() as server:
        server.closes_after = 1
        caller = web()
        for _ in range(20):
            assert post(caller, server) == b"ok"
        assert server.connections == [1] * 20


def test_the_deadline_of_an_earlier_call_does_not_cut_a_later_one():
    with counting() as server:
        caller = web()
        url = f"http://partner.example:{server.port}/hook"
        with caller.send(WebRequest("POST", url, seconds=0.2, is_repeatable=True)) as answer:
            assert answer.stream.read() == b"ok"
        server.hangs = True
        with (
            pytest.raises(Unreachable) as refusal,
            caller.send(WebRequest("POST", url, seconds=1.0, is_repeatable=True)),
        ):
            pass
        assert refusal.value.code == "timed_out"
        assert sum(refusal.value.seconds.values()) >= 0.9
        assert server.connections == [2]


def test_an_idle_connection_is_closed_soon(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "LONGEST_IDLE", 0.05)
    with counting() as server:
        caller = web()
        post(caller, server)
        until(lambda: server.ended == 1)
        post(caller, server)
        assert server.connections == [1, 1]


def test_a_name_is_judged_again_although_a_connection_is_open(monkeypatch: pytest.MonkeyPatch):
    """A name that leads inside from now on is refused once the connection is old enough."""
    monkeypatch.setattr(lines, "LONGEST_USE", 0.0)
    addresses = ["127.0.0.1"]
    with counting() as server:
        caller = web(lambda _host, _port: list(addresses))
        post(caller, server)
        addresses[:] = ["10.0.0.1"]
        with pytest.raises(Unreachable) as refusal:
            post(caller, server)
        assert refusal.value.code == "address_refused"
        assert server.connections == [1]


def test_no_more_connections_stay_open_than_the_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "MOST_IDLE", 2)
    with counting() as server:
        caller = web()
        url = f"http://partner.example:{server.port}/hook"
        request = WebRequest("POST", url, is_repeatable=True)
        with caller.send(request) as a, caller.send(request) as b, caller.send(request) as c:
            assert [each.stream.read() for each in (a, b, c)] == [b"ok"] * 3
        until(lambda: server.ended == 1)
        assert server.connections == [1, 1, 1]


def test_alarms_ring_in_their_order_and_not_once_cancelled():
    alarms, rung, done = Alarms(), list[str](), threading.Event()
    late = alarms.set(0.02, lambda: rung.append("cancelled"))
    alarms.set(0.05, done.set)
    alarms.set(0.0, lambda: rung.append("first"))
    for _ in range(2):
        alarms.cancel(late)
    assert done.wait(PATIENCE)
    assert rung == ["first"]


def test_alarms_ring_though_one_before_them_failed(monkeypatch: pytest.MonkeyPatch):
    """Every deadline of the process relies on the same thread."""
    failed, done = list[threading.ExceptHookArgs](), threading.Event()
    monkeypatch.setattr(threading, "excepthook", failed.append)
    alarms = Alarms()
    alarms.set(0.0, [].pop)
    alarms.set(0.01, done.set)
    assert done.wait(PATIENCE)
    assert [type(each.exc_value) for each in failed] == [IndexError]
