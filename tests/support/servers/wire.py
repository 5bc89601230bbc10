"""A server of HTTP over TLS or without, whose answers are bytes that a test writes as it likes."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from attrs import define, evolve, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "partner.example"
"""The name that the certificate is for."""


@frozen
class Asked:
    """A request as it came: its path, its header's names in lower case, and its body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


Behaviour = Callable[[Asked, socket.socket], None]
"""Writes an answer, or whatever else it does; the connection is closed after it."""


def answers(
    status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None
) -> Behaviour:
    """An answer as it should be."""

    def behave(asked: Asked, connection: socket.socket) -> None:
        named = {"Content-Length": str(len(body)), **(headers or {})}
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{k}: {v}" for k, v in named.items()), "", ""]
        connection.sendall("\r\n".join(lines).encode() + (b"" if asked.method == "HEAD" else body))

    return behave


def sends(raw: bytes) -> Behaviour:
    """These bytes, and then the end."""

    def behave(_: Asked, connection: socket.socket) -> None:
        connection.sendall(raw)

    return behave


@define
class WireServer:
    """A server on a free port of this machine; `behaviours` are by path."""

    port: int
    behaviours: dict[str, Behaviour] = field(factory=dict[str, Behaviour])
    asked: list[Asked] = field(factory=list[Asked])
    over: threading.Event = field(factory=threading.Event)
    """Set at the end: behaviours that go on for ever look at it."""

    def drip(self, raw: bytes, *, before: bytes = b"") -> Behaviour:
        """A byte every hundredth of a second, again and again, until the other side goes."""

        def behave(_: Asked, connection: socket.socket) -> None:
            connection.sendall(before)
            while not self.over.wait(DRIP):
                connection.sendall(raw)

        return behave

    def says_nothing(self) -> Behaviour:
        """Nothing at all, until the other side goes."""

        def behave(_: Asked, connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                connection.recv(1)

        return behave

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


DRIP = 0.01


@contextlib.contextmanager
def wire_server(
    context: ssl.SSLContext | None = None, *, host: str = "127.0.0.1"
) -> Generator[WireServer]:
    """A server, with TLS if there is a context for it."""
    with socket.create_server((host, 0)) as listener:
        server = WireServer(listener.getsockname()[1])
        accepting = threading.Thread(target=_accept, args=(listener, server, context), daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            server.over.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(listener: socket.socket, server: WireServer, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            raw, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(raw, server, context), daemon=True).start()


def _serve(raw: socket.socket, server: WireServer, context: ssl.SSLContext | None) -> None:
    # A client that says something else than HTTP is none of ours.
    with contextlib.suppress(OSError, ValueError), raw, _secured(raw, context) as connection:
        asked = _read(connection)
        server.asked.append(asked)
        path = asked.path.partition("?")[0]
        server.behaviours.get(path, answers(404))(asked, connection)
        # Whatever is unread would make the kernel reset what was sent.
        connection.shutdown(socket.SHUT_WR)


def _secured(raw: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    return context.wrap_socket(raw, server_side=True) if context else raw


def _read(connection: socket.socket) -> Asked:
    with connection.makefile("rb") as stream:
        method, path, _ = stream.readline().decode().split(" ", 2)
        headers = dict(_headers(stream))
        return Asked(method, path, headers, stream.read(int(headers.get("content-length", 0))))


def _headers(stream: "Iterator[bytes]") -> Iterator[tuple[str, str]]:
    for line in stream:
        name, colon, value = line.decode().partition(":")
        if not colon:
            return
        yield name.lower(), value.strip()


@frozen
class Authority:
    """An authority of our own, which certifies HOST alone."""

    ca_file: Path
    server: ssl.SSLContext
    key: ec.EllipticCurvePrivateKey
    own: x509.Certificate

    @classmethod
    def under(cls, folder: Path, host: str = HOST, name: str = "Tests") -> "Authority":
        """A new one, with its files in that folder."""
        key, certificate = _certificate(name, None, None)
        (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        made = cls(folder / "ca.pem", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), key, certificate)
        return evolve(made, server=made.certified(host))

    def certified(self, host: str = HOST, *, days: int = 1) -> ssl.SSLContext:
        """A server with a certificate for that name, valid until so many days from now."""
        return _serving(self.ca_file.parent, *_certificate(host, self.own, self.key, days))

    def self_signed(self, host: str = HOST) -> ssl.SSLContext:
        """A server whose certificate no authority has signed."""
        return _serving(self.ca_file.parent, *_certificate(host, None, None))


def _serving(
    folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> ssl.SSLContext:
    chain = folder / f"{certificate.serial_number}.pem"
    chain.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


def _certificate(
    name: str,
    issuer: x509.Certificate | None,
    signer: ec.EllipticCurvePrivateKey | None,
    days: int = 1,
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.2"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=min(days, 0) - 1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return key, builder.sign(signer or key, hashes.SHA256())
