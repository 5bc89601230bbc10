"""Calls servers over HTTP with urllib3: judged and pinned addresses, one deadline over all.

There is no proxy. A connection goes to an address that was judged; the name is used for TLS and for
the `Host` header alone. Each call has a connection of its own, unless its request may share one.
"""

import io
import socket
import ssl
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import cache
from http.client import HTTPException
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import urllib3
from attrs import Factory, field, frozen
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util.ssl_ import create_urllib3_context

from adapters.outside.lines import Line, Lines
from adapters.outside.watch import IDLE_SECONDS, Outside, Resolve, Watch, resolve
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import DEFAULT_PORTS, Reach, Target, next_hop
from commerce_core.ports.web import WebAnswer, WebRequest, redirected

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER: Final = 256 * 1024
_CERTIFICATE_FAULTS: Final = {
    9: "its certificate isn't valid yet. Check the clocks of both servers",
    10: "its certificate has expired. The server's operator has to renew it",
    18: "its certificate is self-signed, so it doesn't prove whose server it is. The server's "
    "operator has to install one of a public authority",
    19: "its certificate was issued by an authority that isn't public. The server's operator has "
    "to install one of a public authority",
    20: "its certificate was issued by an unknown authority, or the server doesn't send the "
    "certificates between them. The server's operator has to install the whole chain",
    23: "its certificate was revoked. The server's operator has to install a new one",
    62: "its certificate is for another name. Correct the name in the address, or have a "
    "certificate issued for it",
    64: "its certificate isn't for this address. Use a name that the certificate has",
}
"""What OpenSSL finds wrong with a certificate, by its number, and what helps."""
_RAISED: Final = (OSError, HTTPError, HTTPException, ValueError)


@frozen
class Urllib3Web:
    """Implements `commerce_core.ports.web.Web`. `ca_file` replaces the system's authorities."""

    _reach: Reach
    _resolve: Resolve = resolve
    _ca_file: str | None = None
    _outside: Outside = field(
        default=Factory(lambda self: Outside(self._reach, self._resolve), takes_self=True),
        init=False,
    )
    _lines: Lines = field(factory=Lines, init=False)

    def judge(self, url: str, pointer: str = "/url") -> None:
        """Resolves and judges."""
        self._outside.judge(self._reach.target(url, pointer), pointer)

    @contextmanager
    def send(self, request: WebRequest) -> Generator[WebAnswer]:
        """The answer, after the redirects that the request allows."""
        watch = Watch(request.seconds, _RAISED, _explained)
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

    def _call(
        self, target: Target, request: WebRequest, watch: Watch, stack: ExitStack
    ) -> WebAnswer:
        line = self._lines.take(target) if request.is_repeatable else None
        if line is not None:
            with ExitStack() as attempt:
                try:
                    answer = self._asked(line, target, request, watch, attempt)
                except Unreachable as error:
                    if error.code != "cut_off":
                        raise
                    # The server closed it in the meantime, as it may at any time.
                else:
                    stack.push(attempt.pop_all())
                    return answer
        return self._asked(self._opened(target, watch), target, request, watch, stack)

    def _opened(self, target: Target, watch: Watch) -> Line:
        """A new connection, to an address that is judged now."""
        with ExitStack() as stack:
            address, raw, own = self._outside.opened(target, watch, stack)
            # Over a line that stays open, a body would wait until its header is acknowledged.
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with watch.phase("tls", target.host), watch.cuts(own):
                kind = _Pinned if target.scheme == "http" else _PinnedTls
                # Each wait for the server is as long as this at most.
                raw.settimeout(watch.at_most(IDLE_SECONDS))
                wait = watch.at_most(IDLE_SECONDS)
                connection = kind(self._encrypted(target, raw), target, wait)
                stack.callback(connection.close)
                connection.connect()
            return Line(connection, address, own, stack.pop_all())

    def _asked(
        self, line: Line, target: Target, request: WebRequest, watch: Watch, stack: ExitStack
    ) -> WebAnswer:
        """The answer over a line, which is kept for the next call if all of it was read."""
        closing = stack.enter_context(ExitStack())
        closing.push(line.closing)
        connection = line.connection
        with ExitStack() as use:
            use.enter_context(watch.cuts(line.own))
            with watch.phase("send", target.host):
                line.allow(watch.at_most(IDLE_SECONDS))
                connection.request(
                    request.method, target.path, request.body or None, dict(request.headers),
                    preload_content=False, decode_content=False,
                )  # fmt: skip
            with watch.phase("wait", target.host):
                response = connection.getresponse()
                use.callback(response.close)
            body = _Body(response, watch, target.host)
            if request.is_repeatable:
                # Once nothing cuts it any more: what is pushed first happens last.
                stack.callback(self._kept, target, line, body, closing)
            stack.push(use.pop_all())
        watch.begin("body")
        stream = cast("BinaryIO", io.BufferedReader(body, BUFFER))
        named = {name.lower(): value for name, value in response.headers.items()}
        return WebAnswer(response.status, named, target.url, line.address, watch.seconds, stream)

    def _kept(self, target: Target, line: Line, body: "_Body", closing: ExitStack) -> None:
        """Keeps a line whose answer was read to its end, and that the server doesn't close."""
        if body.is_whole and line.connection.is_connected:
            closing.pop_all()
            self._lines.give(target, line)

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

    def __init__(self, response: urllib3.BaseHTTPResponse, watch: Watch, host: str) -> None:
        self._response = response
        self._watch = watch
        self._host = host
        self._is_at_end = False

    def readable(self) -> bool:
        return True

    @property
    def is_whole(self) -> bool:
        """Whether all of it was read, as its length or its last chunk shows."""
        left = self._length_left()
        return self._is_at_end if left is None else left == 0

    def _length_left(self) -> int | None:
        """Bytes of a body of known length that weren't read."""
        return getattr(self._response, "length_remaining", None)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        with self._watch.translated("body", self._host):
            try:
                read = self._response.read1(len(view))
            except ReadTimeoutError as error:
                raise TimeoutError from error
            # A connection that was cut at the deadline looks like the end of the body.
            self._watch.check()
        view[: len(read)] = read
        self._is_at_end = not read
        self._watch.begin("body")
        return len(read)


def _explained(phase: str, error: Exception, text: str) -> tuple[str, str] | None:
    """What an error means in the phases of HTTP."""
    match phase:
        case "tls" if isinstance(error, ssl.SSLCertVerificationError):
            usual = f"its certificate can't be verified ({error.verify_message})"
            return "bad_certificate", _CERTIFICATE_FAULTS.get(error.verify_code, usual)
        case "tls" if isinstance(error, ssl.SSLError):
            return "bad_certificate", f"no encrypted connection can be agreed on ({text})"
        case "tls":
            return "not_connected", f"the connection ends before it is encrypted ({text})"
        case "wait" if isinstance(error, ConnectionError):
            return "cut_off", "the connection ends before an answer"
        case "wait":
            return "bad_answer", f"its answer isn't HTTP ({text})"
        case _:
            return None
