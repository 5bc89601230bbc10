"""Calls servers over HTTP with urllib3: judged and pinned addresses, one deadline over all.

There is no pool and no proxy: each call has a connection of its own, to an address that was judged,
and the name is used for TLS and for the `Host` header alone.
"""

import io
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from http.client import HTTPException
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import urllib3
from attrs import define, field, frozen
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

from commerce_core.base.addresses import DEFAULT_PORTS, Reach, Target, next_hop
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.ports.web import WebAnswer, WebRequest, redirected

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a name; OSError if it has none."""

BUFFER: Final = 256 * 1024
LONGEST_DETAIL: Final = 300
JUDGE_SECONDS: Final = 5.0
"""How long resolving a name may take that is only judged."""


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system resolves it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@frozen
class Urllib3Web:
    """Implements `commerce_core.ports.web.Web`. `ca_file` replaces the system's authorities."""

    _reach: Reach
    _resolve: Resolve = resolve
    _ca_file: str | None = None

    def judge(self, url: str, pointer: str = "/url") -> None:
        """Resolves and judges."""
        target = self._reach.target(url, pointer)
        try:
            self._pinned(target, _Watch(JUDGE_SECONDS))
        except Unreachable as error:
            if error.code == "address_refused":
                raise InvalidInput.at(pointer, error.code, error.detail) from error

    @contextmanager
    def send(self, request: WebRequest) -> Generator[WebAnswer]:
        """The answer, after the redirects that the request allows."""
        watch = _Watch(request.seconds)
        asked = request
        for _ in range(request.most_redirects + 1):
            target = self._target(asked.url)
            with ExitStack() as stack:
                answer = self._call(target, asked, watch, stack)
                location = next_hop(target, answer.status, answer.headers.get("location"))
                if location is None or not request.most_redirects:
                    yield answer
                    return
            asked = redirected(asked, target, location)
        raise Unreachable(
            f"{request.url} redirects more than {request.most_redirects} times.",
            code="too_many_redirects",
            phase="wait",
            seconds=watch.seconds,
        )

    def _target(self, url: str) -> Target:
        try:
            return self._reach.target(url)
        except InvalidInput as error:
            raise Unreachable(error.faults[0].detail, code="address_refused") from error

    def _pinned(self, target: Target, watch: "_Watch") -> str:
        """The address that the call goes to."""
        with watch.phase("resolve", target.host):
            addresses = (
                [target.host]
                if target.address is not None
                else _in_time(lambda: self._resolve(target.host, target.port), watch.left)
            )
            return self._reach.judge(target.host, addresses, target.scheme)

    def _call(
        self, target: Target, request: WebRequest, watch: "_Watch", stack: ExitStack
    ) -> WebAnswer:
        address = self._pinned(target, watch)
        with watch.phase("connect", target.host):
            raw = socket.create_connection((address, target.port), watch.left)
            stack.callback(raw.close)
            stack.enter_context(watch.cuts(raw))
        with watch.phase("tls", target.host):
            kind = _Pinned if target.scheme == "http" else _PinnedTls
            connection = kind(self._encrypted(target, raw), target, watch.left)
            stack.callback(connection.close)
            connection.connect()
        with watch.phase("send", target.host):
            connection.request(
                request.method, target.path, request.body or None, dict(request.headers),
                preload_content=False, decode_content=False,
            )  # fmt: skip
        with watch.phase("wait", target.host):
            response = connection.getresponse()
            stack.callback(response.close)
        watch.begin("body")
        stream = io.BufferedReader(_Body(response, watch, target.host), BUFFER)
        named = {name.lower(): value for name, value in response.headers.items()}
        return WebAnswer(
            response.status, named, target.url, address, watch.seconds, cast("BinaryIO", stream)
        )

    def _encrypted(self, target: Target, raw: socket.socket) -> socket.socket:
        """The connected socket, with TLS for the server's name unless it is plain http."""
        if target.scheme == "http":
            return raw
        return _trusting(self._ca_file).wrap_socket(raw, server_hostname=target.host.rstrip("."))


@cache
def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """What servers' certificates are verified with; None: the system's authorities.

    All calls share it, since loading the authorities takes 17 ms. So nothing may change it later:
    that isn't safe while other threads connect with it.
    """
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(ca_file)
    return context


class _Pinned(HTTPConnection):
    """A connection over a socket that is connected already."""

    def __init__(self, connected: socket.socket, target: Target, seconds: float) -> None:
        super().__init__(target.host, target.port, timeout=seconds)
        self._connected = connected

    def _new_conn(self) -> socket.socket:
        return self._connected


class _PinnedTls(_Pinned):
    """The same, encrypted."""

    default_port = DEFAULT_PORTS["https"]
    """The port that the `Host` header doesn't name."""


class _Body(io.RawIOBase):
    """The body of an answer, as it is sent."""

    def __init__(self, response: urllib3.BaseHTTPResponse, watch: "_Watch", host: str) -> None:
        self._response = response
        self._watch = watch
        self._host = host

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        with self._watch.translated("body", self._host):
            read = self._response.read1(len(view))
            # A connection that was cut at the deadline looks like the end of the body.
            self._watch.check()
        view[: len(read)] = read
        self._watch.begin("body")
        return len(read)


@define
class _Watch:
    """One deadline over everything about a call, and the seconds that each phase took."""

    _most: float
    seconds: dict[str, float] = field(factory=dict[str, float], init=False)
    _end: float = field(init=False)
    _since: float = field(init=False)
    _is_over: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._since = monotonic()
        self._end = self._since + self._most

    @property
    def left(self) -> float:
        """Seconds that are left; TimeoutError if there are none."""
        left = self._end - monotonic()
        if left <= 0 or self._is_over:
            raise TimeoutError
        return left

    def check(self) -> None:
        """TimeoutError if the deadline has passed."""
        if self._is_over:
            raise TimeoutError

    def begin(self, phase: str) -> None:
        """Adds the time since the last call of this to a phase."""
        now = monotonic()
        self.seconds[phase] = round(self.seconds.get(phase, 0.0) + now - self._since, 6)
        self._since = now

    @contextmanager
    def phase(self, phase: str, host: str) -> Generator[None]:
        """A phase of the call, which has to end in time."""
        try:
            with self.translated(phase, host):
                yield
                self.check()
        finally:
            self.begin(phase)

    @contextmanager
    def cuts(self, connected: socket.socket) -> Generator[None]:
        """Cuts the connection at the deadline, however slowly something is still sent.

        The duplicate stays valid while TLS takes the socket over.
        """
        with connected.dup() as own:
            timer = threading.Timer(self.left, self._cut, [own])
            timer.daemon = True
            timer.start()
            try:
                yield
            finally:
                timer.cancel()
                timer.join()

    def _cut(self, connected: socket.socket) -> None:
        self._is_over = True
        try:
            connected.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # It ended by itself.

    @contextmanager
    def translated(self, phase: str, host: str) -> Generator[None]:
        """Raises Unreachable instead of what libraries raise."""
        try:
            yield
        except (OSError, HTTPError, HTTPException, ValueError) as error:
            code, detail = self._judged(phase, error)
            raise Unreachable(
                f"{host}: {detail}.", code=code, phase=phase, seconds=self.seconds
            ) from error

    def _judged(self, phase: str, error: Exception) -> tuple[str, str]:
        said = f"{type(error).__name__}: {error}"[:LONGEST_DETAIL]
        if self._is_over or isinstance(error, TimeoutError) or monotonic() >= self._end:
            return "timed_out", f"not done within {self._most:g} s, in phase {phase}"
        match phase:
            case "resolve":
                return "unresolved", "its name has no address"
            case "connect":
                return "not_connected", f"it accepts no connection ({said})"
            case "tls" if isinstance(error, ssl.SSLError):
                return "bad_certificate", f"its certificate isn't valid ({said})"
            case "tls":
                return "not_connected", f"the connection ends before it is encrypted ({said})"
            case "wait" if isinstance(error, ConnectionError):
                return "cut_off", "the connection ends before an answer"
            case "wait":
                return "bad_answer", f"its answer isn't HTTP ({said})"
            case _:
                return "cut_off", f"the connection ends before the answer does ({said})"


def _in_time(work: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    """What `work` returns; TimeoutError if that takes longer, since it can't be interrupted."""
    found: list[Sequence[str]] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.append(work())
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="resolves a name", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError
    return found[0]
