"""A line about addresses that lead into a private network, however they are written."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import define, evolve, field, frozen

from adapters.outside.s3_fetcher import S3Fetcher
from adapters.outside.sftp_fetcher import SftpFetcher
from adapters.outside.web import Urllib3Web
from commerce_core.base.errors import InvalidInput
from commerce_core.base.network import Reach
from commerce_core.commerce import Commerce
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.servers.wire import WireServer, answers, wire_server

PUBLIC = "93.184.216.34"
INSIDE, OUTSIDE = "127.0.0.1", "127.0.0.2"
"""Where nothing may be called, and where a test allows it, as it would be anywhere outside."""
LOOPBACK = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
    "127.0.0.1.", "0.0.0.0", "0", "localhost", "localhost.", "me.example", "mixed.example",  # noqa: S104
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[::1%25lo]", "%31%32%37.0.0.1",
    "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021", "user@127.0.0.1",
    "example.com@127.0.0.1", "127.0.0.1\\@example.com",
)  # fmt: skip
"""This machine, in 29 spellings and names."""
METADATA = (
    "169.254.169.254", "0xa9fea9fe", "2852039166", "[::ffff:169.254.169.254]", "[fd00:ec2::254]",
    "100.100.100.200", "192.0.0.192", "metadata.example", "10.0.0.1", "172.16.0.1", "192.168.0.1",
)  # fmt: skip
"""Where clouds keep the credentials of machines, and private networks."""
_NAMES = {
    "localhost": (INSIDE,),
    "localhost.": (INSIDE,),
    "me.example": (INSIDE,),
    "mixed.example": (PUBLIC, INSIDE),
    "metadata.example": ("169.254.169.254",),
    "example.com": (PUBLIC,),
}


@define
class Names:
    """A name server; names that it doesn't know change their address after the first answer."""

    asked: Counter[str] = field(factory=Counter[str])
    first: str = PUBLIC

    def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked[host] += 1
        if host in _NAMES:
            return _NAMES[host]
        if host.endswith(".rebinds.example"):
            return (self.first if self.asked[host] == 1 else INSIDE,)
        raise OSError


@frozen
class Victim:
    """A server on this machine that nothing may reach; it counts connections."""

    port: int
    connections: list[object]


@contextlib.contextmanager
def victim() -> Generator[Victim]:
    with socket.create_server((INSIDE, 0)) as listener:
        found = Victim(listener.getsockname()[1], [])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, peer = listener.accept()
                    found.connections.append(peer)
                    connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


Save = Callable[[Commerce, str], Callable[[], str]]
"""Saves a URL, and returns what calls it then and returns the code of what became of that."""


def _webhook(commerce: Commerce, url: str) -> Callable[[], str]:
    webhook_id = commerce.webhooks.add(url).webhook.webhook_id
    return lambda: str(commerce.webhooks.test(webhook_id).error)


def _channel(commerce: Commerce, url: str) -> Callable[[], str]:
    channel_id = commerce.alerts.add(url=url).channel.channel_id
    return lambda: str(commerce.alerts.test(channel_id).error)


def _pulled(commerce: Commerce, url: str, **settings: str) -> Callable[[], str]:
    """A source that is fetched from there; calling it is a rehearsal."""
    if not list(commerce.partners.list()):
        commerce.partners.add("Acme", currency="EUR")
    commerce.pulls.set("main", url, partner="Acme", **settings)  # pyright: ignore[reportArgumentType]

    def call() -> str:
        error = commerce.pulls.test("main", partner="Acme").error
        return "None" if error is None else error.code

    return call


def _https(commerce: Commerce, url: str) -> Callable[[], str]:
    return _pulled(commerce, url)


def _sftp(commerce: Commerce, url: str) -> Callable[[], str]:
    url = f"sftp:{url.partition(':')[2]}"
    key = "SHA256:" + "A" * 43
    return _pulled(commerce, url, username="anna", secret="s3cret", host_key=key)


def _s3(commerce: Commerce, url: str) -> Callable[[], str]:
    """The store is at the URL, and its path is the bucket."""
    server, _, path = url.rpartition("/")
    bucket = f"s3://{path if len(path) > 2 else 'shelf'}/"
    return _pulled(
        commerce, bucket, username="anna", secret="s3cret", endpoint=server, region="us-east-1"
    )


@frozen
class Kind:
    """How something saves and calls a URL, and what becomes of it at a server outside.

    `reached` is the code of a call that comes to a server there, `redirected` are those of one that
    is sent inside; none: its protocol knows no redirects.
    """

    save: Save
    reached: str
    redirected: frozenset[str]


_NOT_FOLLOWED: Final = frozenset({"redirect", "http_301", "http_302", "http_303", "http_307"})
KINDS: dict[str, Kind] = {
    "webhook": Kind(_webhook, "None", _NOT_FOLLOWED | {"http_308"}),
    "alert channel": Kind(_channel, "None", _NOT_FOLLOWED | {"http_308"}),
    "https": Kind(_https, "bad_status", frozenset({"address_refused"})),
    "sftp": Kind(_sftp, "bad_answer", frozenset()),
    "s3": Kind(_s3, "not_there", frozenset({"wrong_region", "cut_off"})),
}
"""What calls addresses of others; to add one, add how it saves and calls a URL."""


def inside(_folder: Path) -> str:
    """Nothing inside is called: refused when saved, when called, and by a redirect."""
    figures = [f"{name}: {_tried(kind)}" for name, kind in KINDS.items()]
    return "; ".join(figures) + "; 0 connections to the victim"


def _tried(kind: Kind) -> str:
    with victim() as target, open_platform(Settings(database_url="memory:")) as opened:
        saved = _spellings(opened, kind.save, target)
        called = _rebound(opened, kind.save, target)
        _pinned(opened, kind, target)
        redirects = _redirected(opened, kind, target) if kind.redirected else 0
        assert not target.connections, f"{len(target.connections)} connections came through"
    return (
        f"{saved} spellings refused when saved, {called} names that changed refused when called, "
        f"1 name pinned, {redirects} redirects not followed"
    )


def _platform(opened: Commerce, names: Names, reach: Reach) -> Commerce:
    fetchers: dict[str, Any] = {"sftp": SftpFetcher(reach, names), "s3": S3Fetcher(reach, names)}
    return Commerce(evolve(opened.context, web=Urllib3Web(reach, names), **fetchers))


def _spellings(opened: Commerce, save: Save, target: Victim) -> int:
    """Even at a port that may be called."""
    commerce = _platform(opened, Names(), Reach((), ((target.port, target.port),)))
    urls = [
        f"{s}://{host}:{target.port}/" for s in ("https", "http") for host in LOOPBACK + METADATA
    ]
    for url in urls:
        with pytest.raises(InvalidInput):
            save(commerce, url)
    return len(urls)


def _rebound(opened: Commerce, save: Save, target: Victim) -> int:
    """Names that were public when they were saved."""
    commerce = _platform(opened, Names(), Reach((), ((target.port, target.port),)))
    for number in range(3):
        call = save(commerce, f"https://{number}.rebinds.example:{target.port}/")
        assert call() == "address_refused"
    return 3


def _pinned(opened: Commerce, kind: Kind, target: Victim) -> None:
    """A name that changes within the call: it is asked for once, and that answer is called."""
    with _outside() as server:
        names = Names(first=OUTSIDE)
        reach = Reach(
            (ip_network(OUTSIDE),), ((target.port, target.port), (server.port, server.port))
        )
        commerce = _platform(opened, names, reach)
        host = f"{target.port}.rebinds.example"
        call = kind.save(commerce, f"http://{host}:{server.port}/ok")
        names.asked.clear()
        assert call() == kind.reached, "it isn't reached where its name led first"
        assert names.asked[host] == 1


def _redirected(opened: Commerce, kind: Kind, target: Victim) -> int:
    """A server outside that sends the platform inside."""
    with _outside() as server:
        for status in (301, 302, 303, 307, 308):
            headers = {"Location": f"http://{INSIDE}:{target.port}/"}
            server.behaviours[f"/{status}"] = answers(status, headers=headers)
        ports = ((target.port, target.port), (server.port, server.port))
        commerce = _platform(opened, Names(), Reach((ip_network(OUTSIDE),), ports))
        for path in sorted(server.behaviours.keys() - {"/ok"}):
            code = kind.save(commerce, f"http://{OUTSIDE}:{server.port}{path}")()
            assert code in kind.redirected, code
        asked = {path.partition("?")[0] for path in server.paths}
        assert asked == server.behaviours.keys() - {"/ok"}
        return len(asked)


@contextlib.contextmanager
def _outside() -> Generator[WireServer]:
    """A server that may be called."""
    with wire_server(host=OUTSIDE) as server:
        server.behaviours["/ok"] = answers(204)
        yield server
