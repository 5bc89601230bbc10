"""Deliveries of webhooks over real connections: receivers misbehave, workers are killed."""

import contextlib
import http.server
import json
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
import standardwebhooks
from attrs import define, evolve, field
from psycopg.conninfo import conninfo_to_dict

from adapters.outside.web import Urllib3Web
from commerce_core.activity.events import Event
from commerce_core.base.network import Reach
from commerce_core.commerce import Commerce
from commerce_core.webhooks.delivery import DeliveryQuery
from entrypoints.worker import Worker
from tests.support.servers.platform import Platform
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.processes

LOOPBACK = ip_network("127.0.0.0/8")
KILLED = -signal.SIGKILL
ANY_PORT = ((1, 65_535),)
Connect = Callable[[], psycopg.Connection]


@define
class Receiver:
    """A server that notes what it gets, and then behaves as its path says."""

    port: int = 0
    received: Counter[tuple[str, str]] = field(factory=Counter[tuple[str, str]])
    messages: list[tuple[str, dict[str, str], bytes]] = field(
        factory=list[tuple[str, dict[str, str], bytes]]
    )
    over: threading.Event = field(factory=threading.Event)

    def url(self, path: str = "ok") -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def got(self, path: str = "ok") -> int:
        return sum(count for (where, _), count in self.received.items() if where == path)


def _status(code: int, **headers: str) -> bytes:
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {code} Whatever\r\n{named}Content-Length: 0\r\n\r\n".encode()


MISBEHAVIOUR: dict[str, bytes] = {
    **{str(code): _status(code) for code in (300, 301, 304, 400, 401, 403, 404, 405, 408, 413)},
    **{str(code): _status(code) for code in (422, 429, 500, 501, 502, 503, 504, 599)},
    "302": _status(302, Location="http://169.254.169.254/latest/meta-data/"),
    "307": _status(307, Location="/ok"),
    "retry-after": _status(503, Retry_After="86400"),
    "retry-after-nonsense": _status(429, Retry_After="\u00b2 days"),
    "nothing": b"",
    "no-http": b"220 mail.example ESMTP\r\n",
    "cut-status": b"HTTP/1.1 20",
    "cut-header": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n",
    "cut-body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
    "cut-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
    "long-header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "many-headers": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 1_000 + b"\r\n",
    "bad-status": b"HTTP/1.1 999999 What\r\n\r\n",
}
"""What thirty and more receivers answer instead of a 2xx that is whole."""
ODD: dict[str, bytes] = {
    "nul-in-header": b"HTTP/1.1 200 \0\r\n\0: \0\r\n\r\n",
    "bad-length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc",
}
"""What counts as a confirmation all the same."""


def _handler(receiver: Receiver) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            path = self.path.strip("/").partition("?")[0]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.messages.append((path, headers, body))
            receiver.received[path, headers["webhook-id"]] += 1
            if path == "hangs":
                receiver.over.wait(PATIENCE)
            else:
                answer = (MISBEHAVIOUR | ODD).get(path, _status(204))
                self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its own name
            """Says nothing."""

    return Handler


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may go away."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    server = _Server(("127.0.0.1", 0), _handler(made))
    made.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    made.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Platform:
    """Its processes may call this machine."""
    parts = conninfo_to_dict(database)
    name = parts.pop("dbname")
    key = "one:" + "A" * 43 + "="
    return Platform(
        f"postgresql:///{name}?{urlencode(parts)}",
        tmp_path,
        environ={
            "COMMERCE_OUTBOUND_NETWORKS": str(LOOPBACK),
            "COMMERCE_OUTBOUND_PORTS": "1-65535",
            "COMMERCE_VAULT_KEYS": key,
        },
    )


@pytest.fixture
def commerce(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Generator[Commerce]:
    """The platform in this process, in which no worker runs."""
    for name, value in platform.environ.items():
        monkeypatch.setenv(name, value)
    from adapters.aes_vault import AesVault

    with platform.opened() as opened:
        vault = AesVault.of(platform.environ["COMMERCE_VAULT_KEYS"])
        web = Urllib3Web(Reach((LOOPBACK,), ANY_PORT))
        yield Commerce(evolve(opened.context, vault=vault, web=web))


def announce(commerce: Commerce, number: int = 1) -> list[str]:
    """Events, as use cases write them."""
    context = commerce.context
    events = [
        Event(context.mint("evt"), "order.created", context.clock(), (), {"order_id": f"ord_{n}"})
        for n in range(number)
    ]
    with context.store.begin() as unit:
        unit.events.add(events)
    return [event.event_id for event in events]


@contextlib.contextmanager
def working(commerce: Commerce) -> Generator[None]:
    worker = Worker(commerce)
    worker.start()
    try:
        yield
    finally:
        worker.stop()


def statuses(commerce: Commerce) -> Counter[str]:
    return Counter(delivery.status for delivery in commerce.webhooks.deliveries())


def test_a_message_over_a_connection_is_as_receivers_verify_it(
    commerce: Commerce, receiver: Receiver
):
    issued = commerce.webhooks.add(receiver.url())
    assert issued.secret is not None
    with working(commerce):
        (event_id,) = announce(commerce)
        until(lambda: statuses(commerce)["delivered"])
    ((_, headers, body),) = receiver.messages
    assert headers["content-type"] == "application/json"
    verified = standardwebhooks.Webhook(issued.secret).verify(body, headers)
    assert (verified["event_id"], headers["webhook-id"]) == (event_id, event_id)
    (delivery,) = commerce.webhooks.deliveries()
    (tried,) = commerce.webhooks.delivery(delivery.delivery_id).tries
    assert {"connect", "wait"} <= set(tried.seconds)


def test_receivers_that_misbehave_get_another_try_and_hurt_nobody(
    commerce: Commerce, receiver: Receiver
):
    """Whatever they answer: it is a failed try with a code, and the others have their message."""
    assert len(MISBEHAVIOUR) >= 30
    bad = {
        commerce.webhooks.add(receiver.url(path)).webhook.webhook_id: path for path in MISBEHAVIOUR
    }
    commerce.webhooks.add(receiver.url())
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    bad[commerce.webhooks.add(refused).webhook.webhook_id] = "refused"
    announce(commerce)
    with working(commerce):
        until(lambda: receiver.got() == 1)
        until(lambda: all(d.attempts for d in commerce.webhooks.deliveries()))
        until(lambda: not statuses(commerce)["sending"])
    found = {bad.get(d.webhook_id, "ok"): d for d in commerce.webhooks.deliveries()}
    assert found.pop("ok").status == "delivered"
    for path, delivery in found.items():
        assert (delivery.status, bool(delivery.error)) == ("pending", True), path
    assert found["302"].error == found["307"].error == "redirect"
    assert receiver.got() == 1
    asked = found["retry-after"]
    assert asked.next_at
    assert asked.next_at - asked.created_at > timedelta(hours=23)


def test_one_that_hangs_among_fifty_delays_nobody(commerce: Commerce, receiver: Receiver):
    """While it keeps its connection open, all the others get twenty messages each."""
    for number in range(49):
        commerce.webhooks.add(receiver.url(f"ok-{number}"))
    hangs = commerce.webhooks.add(receiver.url("hangs")).webhook.webhook_id
    with working(commerce):
        announce(commerce, 20)
        until(lambda: statuses(commerce)["delivered"] == 49 * 20)
        assert receiver.got("hangs") >= 1
        assert not commerce.webhooks.get(hangs).failing_since
        receiver.over.set()
    assert max(receiver.received.values()) == 1


PLACES = (
    "deliveries.add.before",
    "deliveries.set_read.committed",
    "deliveries.claim.committed",
    "web.send.before",
    "web.send.after",
    "deliveries.record.before",
    "webhooks.note_health.committed",
)


@pytest.mark.processes
@pytest.mark.parametrize("place", PLACES)
def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(
    platform: Platform, commerce: Commerce, receiver: Receiver, connect: Connect, place: str
):
    """One delivery per event and webhook, whatever the place; a message sent twice has one id."""
    webhooks = [commerce.webhooks.add(receiver.url(f"ok-{n}")).webhook for n in range(2)]
    events = announce(commerce, 3)
    with platform.worker(COMMERCE_FAIL_AT=place) as worker:
        assert worker.wait(PATIENCE) == KILLED
    # Its lease is over, sooner than it would be by itself.
    connect().execute("UPDATE webhook_deliveries SET due_at = now() WHERE status = 'sending'")
    with platform.worker():
        until(lambda: statuses(commerce) == {"delivered": 6}, every=0.2)
    for webhook in webhooks:
        query = DeliveryQuery(webhook_id=webhook.webhook_id)
        found = [delivery.event_id for delivery in commerce.webhooks.deliveries(query)]
        assert sorted(found) == sorted(events)
    assert {event_id for _, event_id in receiver.received} == set(events)
    assert len(receiver.received) == 6


@pytest.mark.processes
def test_no_secret_is_ever_written_where_people_look(
    platform: Platform, commerce: Commerce, receiver: Receiver, connect: Connect
):
    """Planted ones are in no log, answer or error, however verbose, nor open in any table."""
    planted = "planted-in-a-url"
    for path in ("no-http", "nul-in-header"):
        commerce.webhooks.add(f"{receiver.url(path)}?token={planted}")
    issued = commerce.webhooks.add(f"{receiver.url('500')}?token={planted}")
    assert issued.secret is not None
    again = commerce.webhooks.rotate(issued.webhook.webhook_id)
    assert again.secret is not None
    announce(commerce)
    with platform.worker(COMMERCE_LOG_LEVEL="debug"):
        until(lambda: platform.log().count("delivery.tried") == 3)
    with platform.server(COMMERCE_LOG_LEVEL="debug") as server:
        metrics = httpx.get(f"{server.address}/metrics").text
    events = json.dumps([e.data for e in commerce.events.list()], default=str)
    audit = str(list(commerce.audit.list()))
    for secret in (issued.secret, again.secret, issued.secret[6:], planted):
        for text in (platform.log(), metrics, events, audit):
            assert secret not in text
    rows = connect().execute("SELECT secrets::text FROM webhooks").fetchall()
    assert issued.secret[6:] not in str(rows)
