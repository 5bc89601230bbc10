"""Lines about many at once: strangers, one greedy key, hard files, a small temporary folder."""

import contextlib
import gzip
import http.client
import json
import os
import socket
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

from attrs import define, field

from tests.faults.house import House, feed_of, house, is_root, load
from tests.support.servers.platform import Server
from tests.support.servers.postgres import children
from tests.support.waiting import until

PAGE = "/v1/products?limit=20"
STRANGERS = "127.0.0.2"
"""Where they come from: another address than that of the others."""
MOST = 2.0
"""How many times as slow others, and accepted requests, may be."""
_SECONDS = 6.0
_PAUSE_REFUSED = 0.05
"""After a refusal, by clients who don't wait as long as it says."""
_PAUSE = 0.02
"""Between two requests of a client who doesn't use its rate up."""


@define
class Client:
    """One client with one connection, which it opens again when the server closes it."""

    address: str
    secret: str | None = None
    source: str = "127.0.0.1"
    _connection: http.client.HTTPConnection | None = field(default=None, init=False)

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        if self._connection is None:
            at = urlsplit(self.address)
            self._connection = http.client.HTTPConnection(
                at.hostname or "", at.port, timeout=60, source_address=(self.source, 0)
            )
        given = {"X-API-Key": self.secret} if self.secret else {}
        try:
            self._connection.request(method, path, body, {**given, **(headers or {})})
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return answer.status, {n.lower(): v for n, v in answer.getheaders()}, content

    def close(self) -> None:
        """Hangs up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@define
class Figures:
    """What became of many requests, and how long each took, by status."""

    seconds: dict[int, list[float]] = field(factory=dict[int, list[float]])
    lost: int = 0

    def add(self, status: int, seconds: float) -> None:
        self.seconds.setdefault(status, []).append(seconds)

    def median(self, *statuses: int) -> float:
        """In milliseconds."""
        found = [s for status in statuses for s in self.seconds.get(status, ())]
        return 1000 * statistics.median(found) if found else 0.0

    def counts(self) -> str:
        parts = [f"{len(found)} x {status}" for status, found in sorted(self.seconds.items())]
        return ", ".join([*parts, *([f"{self.lost} lost"] if self.lost else [])])


def asking(
    client: Client, path: str, figures: Figures, over: threading.Event, pause: float
) -> None:
    """Asks without end, with a pause after each answer."""
    while not over.is_set():
        begun = time.perf_counter()
        try:
            status, _, _ = client.ask(path)
        except (OSError, http.client.HTTPException):
            figures.lost += 1
            time.sleep(0.05)
            continue
        figures.add(status, time.perf_counter() - begun)
        time.sleep(pause if status == 200 else _PAUSE_REFUSED)


@contextlib.contextmanager
def crowd(clients: list[Client], path: str, pause: float = 0) -> Generator[Figures]:
    """Clients who ask at once while the context lasts."""
    figures, over = Figures(), threading.Event()
    threads = [
        threading.Thread(target=asking, args=(client, path, figures, over, pause))
        for client in clients
    ]
    for thread in threads:
        thread.start()
    try:
        yield figures
    finally:
        over.set()
        for thread in threads:
            thread.join(90)
        for client in clients:
            client.close()


def others(server: Server, secret: str, seconds: float = _SECONDS) -> Figures:
    """One client of another key, for a while: what others see."""
    with crowd([Client(server.address, secret)], PAGE, _PAUSE) as figures:
        time.sleep(seconds)
    return figures


@contextlib.contextmanager
def served(
    folder: Path, offers: int = 2000, **environ: str
) -> Generator[tuple[House, Server, list[str]]]:
    """A server with a catalog, and the secrets of some keys."""
    with house(folder) as home:
        with home.platform.opened() as commerce:
            load(commerce, "Shop", feed_of(offers))
            secrets = [commerce.keys.add().secret or "" for _ in range(8)]
        home.platform.environ = environ
        with home.platform.server() as server:
            for secret in secrets:  # each is known from now on
                assert Client(server.address, secret).ask(PAGE)[0] == 200
            yield home, server, secrets


def _slower(before: Figures, meanwhile: Figures, after: Figures | None = None) -> str:
    """How much slower others were, in a text; AssertionError beyond twice."""
    usual = max(before.median(200), after.median(200) if after else 0)
    factor = meanwhile.median(200) / usual
    said = f"others {usual:.1f} ms, then {meanwhile.median(200):.1f} ms"
    assert set(meanwhile.seconds) == {200}, meanwhile.counts()
    assert meanwhile.lost <= 1, meanwhile.counts()
    assert factor <= MOST, f"{said}: {factor:.1f} times as slow"
    return f"{said} ({factor:.1f} x)"


def strangers(folder: Path, number: int = 1500) -> str:
    """Others are answered, health too; what is beyond the limits gets 503 at once."""
    heads = (
        b"",
        b"GET /v1/products HTTP/1.1\r\nHost: a\r\nX-",
        b"POST /v1/feeds/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf",
    )
    with served(folder) as (_, server, secrets), contextlib.ExitStack() as stack:
        before = others(server, secrets[0])
        at = urlsplit(server.address)
        held: list[socket.socket] = []
        for turn in range(number):
            one = socket.create_connection((at.hostname, at.port), source_address=(STRANGERS, 0))
            stack.enter_context(one)
            with contextlib.suppress(OSError):
                one.sendall(heads[turn % len(heads)])
            held.append(one)
        begun = time.perf_counter()
        assert Client(server.address).ask("/health/ready")[0] == 200
        health = time.perf_counter() - begun
        meanwhile = others(server, secrets[0])
        refused = Counter(_first_line(one) for one in held)
    told = ", ".join(f"{n} x {line}" for line, n in refused.most_common())
    return f"{_slower(before, meanwhile)}; health {1000 * health:.0f} ms; {told}"


def _first_line(connection: socket.socket) -> str:
    connection.setblocking(False)
    try:
        said = connection.recv(200)
    except BlockingIOError:
        return "still open"
    except OSError:
        return "reset"
    return " ".join(said.split(b" ")[1:2][:1][0].decode().split()) if said else "closed"


def overloaded(folder: Path, usual: int = 16) -> str:
    """Four times the load: accepted ones at most twice as slow, the rest refused at once."""
    with served(folder, COMMERCE_LIMIT_RATE_PER_KEY="100000") as (_, server, secrets):

        def clients(count: int) -> list[Client]:
            return [Client(server.address, secrets[n % len(secrets)]) for n in range(count)]

        with crowd(clients(usual), PAGE) as before:
            time.sleep(_SECONDS)
        memory = _memory(server)
        with crowd(clients(4 * usual), PAGE) as meanwhile:
            time.sleep(_SECONDS)
        grown = _memory(server) - memory
        obedient = Client(server.address, secrets[0])
        with crowd(clients(4 * usual), PAGE):
            tries = _tries_until_answered(obedient)
        factor = meanwhile.median(200) / before.median(200)
        assert set(meanwhile.seconds) <= {200, 429, 503}, meanwhile.counts()
        assert factor <= MOST, f"{factor:.1f} times as slow: {meanwhile.counts()}"
    return (
        f"{usual} clients {before.median(200):.0f} ms; {4 * usual} clients: accepted "
        f"{meanwhile.median(200):.0f} ms ({factor:.1f} x), refused in "
        f"{meanwhile.median(429, 503):.0f} ms ({meanwhile.counts()}); memory {grown:+.0f} MB; "
        f"one that waits as the answer asks was answered at try {tries}"
    )


def _tries_until_answered(client: Client) -> int:
    for number in range(1, 20):
        status, headers, _ = client.ask(PAGE)
        if status == 200:
            return number
        time.sleep(float(headers["retry-after"]))
    raise AssertionError("it was never answered")


def _memory(server: Server) -> float:
    """What all processes of the server use, in MB."""
    total = 0
    for pid in (server.process.pid, *_descendants(server.process.pid)):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            total += int(status.partition("VmRSS:")[2].split()[0])
    return total / 1024


def hard_files(folder: Path, number: int = 36) -> str:
    """36 hard files to doctor by one key, clients gone: ended with them; others not slowed."""
    columns = ",".join(f"c{n}" for n in range(1000)).encode()
    row = b",".join(b"%d.5 kg" % n for n in range(1000))
    hard = gzip.compress(columns + b"\n" + (row + b"\n") * 1500)
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="hard.csv.gz"\r\n\r\n'
        + hard
        + b"\r\n--b--\r\n"
    )
    head = (
        f"POST /v1/doctor HTTP/1.1\r\nHost: a\r\nContent-Length: {len(form)}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nX-API-Key: "
    )
    with served(folder) as (_, server, secrets):
        before = others(server, secrets[0])
        at = urlsplit(server.address)
        said = Counter[str]()
        with contextlib.ExitStack() as stack:
            asked = [
                stack.enter_context(socket.create_connection((at.hostname, at.port)))
                for _ in range(number)
            ]
            for one in asked:
                one.sendall(f"{head}{secrets[1]}\r\n\r\n".encode() + form)
            during = others(server, secrets[0])
            busy = _busy_examiners(server)
            said = Counter(_first_line(one) for one in asked)
        ended = until(lambda: not _busy_examiners(server))
        after = others(server, secrets[0], 2)
    told = ", ".join(f"{n} x {line}" for line, n in said.most_common())
    return (
        f"{len(hard)} bytes each: {told}; {len(busy)} process(es) busy, idle {ended:.1f} s after "
        f"the clients had gone; {_slower(before, during, after)}"
    )


def _descendants(pid: int) -> list[int]:
    """The processes that it started, and those that they did."""
    return [each for child in children(pid) for each in (child, *_descendants(child))]


def _examiners(server: Server) -> list[int]:
    found: list[int] = []
    for pid in _descendants(server.process.pid):
        with contextlib.suppress(OSError):
            if b"entrypoints.examiner" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def _busy_examiners(server: Server) -> list[int]:
    """Those that run now rather than wait for a file."""
    busy: list[int] = []
    for pid in _examiners(server):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "R":
                busy.append(pid)
    return busy


_GREED = {
    "q": "/v1/products?q=lamp&sort_by=product_name",
    "count": "/v1/products?count=true&limit=1",
    "report": "/v1/analytics/sales-by-partner",
    "export": "/v1/products/export",
    "metrics": "/metrics",
}
"""What one key asks for without end, with ten clients."""


def one_greedy_key(folder: Path, offers: int = 60_000) -> str:
    """One key takes exports, `q`, sorts, reports: 429 for it; others at most twice as slow."""
    said: list[str] = []
    with served(folder, offers) as (_, server, secrets):
        before = others(server, secrets[0])
        for (what, path), key in zip(_GREED.items(), secrets[1:], strict=False):
            own = None if what == "metrics" else key
            with crowd([Client(server.address, own) for _ in range(10)], path) as greed:
                meanwhile = others(server, secrets[0])
            after = others(server, secrets[0])
            assert greed.seconds.get(429), f"{what}: {greed.counts()}"
            said.append(f"{what}: {_slower(before, meanwhile, after)}, {greed.counts()}")
            before = after
        with contextlib.ExitStack() as stack:
            statuses = [_export_unread(server, secrets[5], stack) for _ in range(8)]
            mine = Client(server.address, secrets[6]).ask("/v1/products/export")
            assert mine[0] == 200, mine
            meanwhile = others(server, secrets[0])
        counts = ", ".join(f"{n} x {s}" for s, n in Counter(statuses).items())
        said.append(f"exports unread: {counts}; another key's 200; {_slower(before, meanwhile)}")
    return "; ".join(said)


def _export_unread(server: Server, secret: str, stack: contextlib.ExitStack) -> int:
    at = urlsplit(server.address)
    one = stack.enter_context(socket.socket())
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.connect((at.hostname, at.port))
    head = "GET /v1/products/export?format=ndjson HTTP/1.1\r\nHost: a\r\nX-API-Key: "
    one.sendall(f"{head}{secret}\r\n\r\n".encode())
    return int(one.recv(12)[9:])


def small_temporary_folder(folder: Path) -> str:
    """503 that names the folder, nothing left behind, and a streamed upload needs none of it."""
    if not is_root():
        return "not tried: mounting a small disk takes root"
    feed = feed_of(400_000)
    form = (
        b'--b\r\nContent-Disposition: form-data; name="partner_name"\r\n\r\nShop\r\n--b\r\n'
        b'Content-Disposition: form-data; name="file"; filename="feed.csv"\r\n\r\n'
        + feed
        + b"\r\n--b--\r\n"
    )
    media = {"Content-Type": "multipart/form-data; boundary=b"}
    disk = folder / "temporary"
    with _small_disk(disk, "4m"), served(folder / "a", TMPDIR=str(disk)) as (_, server, secrets):
        client = Client(server.address, secrets[0])
        said: list[str] = []
        before = _used(disk)
        for path in ("/v1/feeds/upload", "/v1/doctor"):
            status, headers, body = client.ask(path, "POST", form, media)
            detail = json.loads(body)["detail"]
            assert status == 503, detail
            assert str(disk) in detail, detail
            assert headers["retry-after"], headers
            said.append(f"{path} 503 {detail!r}")
        until(lambda: _used(disk) <= before, every=0.1)
        path = "/v1/feeds/content?partner_name=Shop"
        status, _, body = client.ask(path, "PUT", feed, {"Content-Type": "text/csv"})
        assert status == 201, body
        assert Client(server.address).ask("/metrics")[0] == 200
        assert _used(disk) <= before
    return f"{'; '.join(said)}; PUT of {len(feed) / 1e6:.0f} MB 201; nothing left behind"


def _used(disk: Path) -> int:
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


@contextlib.contextmanager
def _small_disk(at: Path, size: str) -> Generator[Path]:
    at.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", at], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", at], check=True)
