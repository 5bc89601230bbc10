"""Fetches files over SFTP with paramiko: a judged, pinned address, a pinned key, a deadline.

The server proves that it has a pinned key before a user name or a secret is sent to it.
"""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false
# The stubs of paramiko lack what is used of the protocol here.

import hashlib
import io
import logging
import stat
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import paramiko
from attrs import Factory, field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from paramiko.message import Message
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR
from paramiko.ssh_exception import IncompatiblePeer

from adapters.outside.watch import IDLE_SECONDS, Outside, Resolve, Watch, resolve
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import Reach, Target
from commerce_core.feeds.place import SftpPlace
from commerce_core.feeds.remote_file import RemoteFile
from commerce_core.ports import fetcher
from commerce_core.ports.fetcher import Access, FetchFailed, Opened, replaced, too_many

WINDOW: Final = 2 << 20
"""Bytes that are asked for at once, in requests of 32 KB."""
_RAISED: Final = (OSError, EOFError, paramiko.SSHException, ValueError)
_RSA: Final = ("rsa-sha2-512", "rsa-sha2-256")

# What goes wrong is reported by the fetch; paramiko would log it as errors of the platform.
logging.getLogger("paramiko").propagate = False
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@frozen
class SftpFetcher:
    """Implements `commerce_core.ports.fetcher.Fetcher` for places of SFTP."""

    _reach: Reach
    _resolve: Resolve = resolve
    _outside: Outside = field(
        default=Factory(lambda self: Outside(self._reach, self._resolve), takes_self=True),
        init=False,
    )

    def judge(self, place: SftpPlace, access: Access) -> None:
        """Judges the server's address, and whether a user and a secret can be sent."""
        if not access.username:
            raise InvalidInput.at("/username", "username_needed", "Name the user of the server.")
        if access.secret is None:
            detail = "Send the user's password, or its private key."
            raise InvalidInput.at("/secret", "secret_needed", detail)
        _private_key(access.secret)
        self._outside.judge(self._target(place), "/url")

    def _target(self, place: SftpPlace) -> Target:
        return self._reach.target(place.url, schemes=("sftp",))

    @contextmanager
    def connect(self, place: SftpPlace, access: Access, seconds: float) -> Generator["_SftpRemote"]:
        """A session of a user, on a server that has proved its key."""
        watch = Watch(seconds, _RAISED, _explained)
        try:
            target = self._target(place)
        except InvalidInput as error:
            raise Unreachable(error.faults[0].detail, code="address_refused") from error
        with ExitStack() as stack:
            _, raw = self._outside.connected(target, watch, stack)
            with watch.cuts(raw, IDLE_SECONDS):
                with watch.phase("ssh", target.host):
                    transport = paramiko.Transport(raw)
                    stack.callback(transport.close)
                    _greet(transport, place, target.host, watch.left)
                with watch.phase("login", target.host):
                    _log_in(transport, access, target.host)
                    client = _Client.from_transport(transport)
                    if client is None:
                        raise EOFError
            channel = client.get_channel()
            if channel is not None:
                channel.settimeout(watch.at_most(IDLE_SECONDS))
            yield _SftpRemote(client, place, target.host, watch)


class _Client(paramiko.SFTPClient):
    """Lists names as bytes: one that isn't UTF-8 must not hide the others."""

    def entries(self, path: str) -> Iterator[tuple[str, Any]]:
        """The names in a folder with their attributes; what isn't UTF-8 has lone surrogates."""
        kind, answer = self._request(CMD_OPENDIR, path.encode())
        if kind != CMD_HANDLE:
            raise paramiko.SFTPError("Expected handle")
        handle = answer.get_binary()
        try:
            while True:
                yield from self._some(handle)
        except EOFError:
            # How the protocol ends a list; a connection that ends fails in the next request.
            return
        finally:
            self._request(CMD_CLOSE, handle)

    def _some(self, handle: bytes) -> Iterator[tuple[str, Any]]:
        kind, answer = self._request(CMD_READDIR, handle)
        if kind != CMD_NAME:
            raise paramiko.SFTPError("Expected name response")
        for _ in range(answer.get_int()):
            name = answer.get_binary().decode("utf-8", "surrogateescape")
            answer.get_binary()
            attributes = _attributes(answer)
            if name not in (".", ".."):
                yield name, attributes


def _attributes(answer: Message) -> Any:  # noqa: ANN401 - paramiko has no types
    return paramiko.SFTPAttributes._from_msg(answer)  # noqa: SLF001 - the only reader of them


@frozen
class _SftpRemote:
    _client: _Client
    _place: SftpPlace
    _host: str
    _watch: Watch

    def files(self) -> Iterator[RemoteFile]:
        """The one file, or those of the folder."""
        with self._translated("list", self._place.path):
            if not self._place.is_folder:
                found = self._client.stat(self._place.path)
                if found.st_mode is not None and stat.S_ISDIR(found.st_mode):
                    raise FetchFailed(
                        "is_folder",
                        f"{self._place.path} is a folder.",
                        "End the URL with / to fetch its files.",
                    )
                yield _listed(self._place.path, found)
                return
            for count, (name, each) in enumerate(self._client.entries(self._place.path), 1):
                if count > fetcher.MOST_LISTED:
                    raise too_many(self._place.path)
                if each.st_mode is None or stat.S_ISREG(each.st_mode):
                    yield _listed(self._place.path + name, each)

    @contextmanager
    def open(self, file: RemoteFile, start: int = 0) -> Generator[Opened]:
        """Reads the file if it is still the one that was listed, and checks that at its end."""
        with self._translated("body", file.path):
            handle = self._client.open(file.path, "rb")
        try:
            with self._translated("body", file.path):
                self._check_same(handle, file)
            yield Opened(file, self._reader(handle, file, start))
        finally:
            # The answer isn't waited for, since the connection may be gone.
            handle._close(async_=True)  # noqa: SLF001 - `close` waits

    def _reader(
        self, handle: paramiko.SFTPFile, file: RemoteFile, start: int
    ) -> Callable[[int], bytes]:
        at, size, ahead = start, file.size or 0, b""

        def read(most: int) -> bytes:
            nonlocal at, ahead
            if not ahead:
                with self._translated("body", file.path):
                    wanted = min(WINDOW, size - at)
                    if wanted <= 0:
                        self._check_same(handle, file)
                        return b""
                    ahead = b"".join(handle.readv([(at, wanted)]))
                    if len(ahead) < wanted:
                        # It ends before the size that it was listed with.
                        raise replaced(file.path)
                    at += len(ahead)
            block, ahead = ahead[:most], ahead[most:]
            return block

        return read

    def _check_same(self, handle: paramiko.SFTPFile, file: RemoteFile) -> None:
        if _listed(file.path, handle.stat()) != file:
            raise replaced(file.path)

    @contextmanager
    def _translated(self, phase: str, path: str) -> Generator[None]:
        """Raises FetchFailed for what the server refuses, and Unreachable if it is gone."""
        with self._watch.translated(phase, self._host):
            try:
                yield
            except FileNotFoundError as error:
                raise FetchFailed("not_there", f"The server has no {path}.") from error
            except PermissionError as error:
                raise FetchFailed("denied", f"The server doesn't let us read {path}.") from error
            except TimeoutError:
                raise
            except OSError as error:
                if error.errno is not None:
                    raise
                detail = f"The server failed at {path}: {str(error)[:200]}."
                raise FetchFailed("server_failed", detail, again=True) from error
        self._watch.begin(phase)


def _listed(path: str, found: Any) -> RemoteFile:  # noqa: ANN401 - paramiko has no types
    at = None if found.st_mtime is None else datetime.fromtimestamp(found.st_mtime, UTC)
    return RemoteFile(path, found.st_size or 0, at)


def _greet(transport: paramiko.Transport, place: SftpPlace, host: str, seconds: float) -> None:
    """Begins the session; FetchFailed if the server has none of the pinned keys."""
    kinds = [key.partition(" ")[0] for key in place.host_keys if " " in key]
    if len(kinds) == len(place.host_keys):
        named = [_RSA if kind == "ssh-rsa" else (kind,) for kind in dict.fromkeys(kinds)]
        transport.get_security_options().key_types = tuple(sum(named, ()))
    try:
        transport.start_client(timeout=seconds)
    except IncompatiblePeer as error:
        raise _differs(host, f"it has no key of the kind {' or '.join(kinds)}") from error
    key = transport.get_remote_server_key()
    known = {pinned.rpartition(" ")[2] for pinned in place.host_keys}
    fingerprint = _fingerprint(key.asbytes())
    if not known & {key.get_base64(), fingerprint}:
        raise _differs(host, f"its key is {key.get_name()} with the fingerprint {fingerprint}")


def _differs(host: str, why: str) -> FetchFailed:
    return FetchFailed(
        "host_key_differs",
        f"{host} doesn't have the public key that is set for it: {why}.",
        "Ask the partner whether the server's key was changed, and set the new one.",
    )


def _fingerprint(blob: bytes) -> str:
    digest = b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def _log_in(transport: paramiko.Transport, access: Access, host: str) -> None:
    key = _private_key(access.secret or "")
    try:
        if key is None:
            left = transport.auth_password(access.username or "", access.secret or "")
        else:
            left = transport.auth_publickey(access.username or "", key)
    except paramiko.AuthenticationException as error:
        raise FetchFailed("denied", f"{host} refused the user, or its secret.") from error
    if left:
        detail = f"{host} wants more than one secret: {', '.join(left)}."
        raise FetchFailed("denied", detail)


def _private_key(secret: str) -> paramiko.PKey | None:
    """The private key that the secret is; None for a password."""
    if not secret.lstrip().startswith("-----BEGIN"):
        return None
    text = f"{secret.strip()}\n".encode()
    is_openssh = text.startswith(b"-----BEGIN OPENSSH")
    try:
        key = (load_ssh_private_key if is_openssh else load_pem_private_key)(text, None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        if "password" in str(error).lower():
            detail = "The private key is encrypted. Send it without a passphrase; it is sealed."
            raise InvalidInput.at("/secret", "key_encrypted", detail) from None
        raise _bad_key() from None
    match key:
        case RSAPrivateKey():
            return paramiko.RSAKey(key=key)
        case EllipticCurvePrivateKey():
            return paramiko.ECDSAKey(vals=(key, key.public_key()))
        case Ed25519PrivateKey():
            plain = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
            return paramiko.Ed25519Key(file_obj=io.StringIO(plain.decode()))
        case _:
            raise _bad_key()


def _bad_key() -> InvalidInput:
    detail = "The private key can't be read. Use one of Ed25519, ECDSA or RSA."
    return InvalidInput.at("/secret", "bad_private_key", detail)


def _explained(phase: str, error: Exception, text: str) -> tuple[str, str] | None:
    """What an error means in the phases of SFTP."""
    if phase == "ssh":
        return "bad_answer", f"it doesn't answer as an SSH server ({text})"
    if phase == "login" and isinstance(error, EOFError | paramiko.SSHException):
        return "bad_answer", f"it offers no SFTP ({text})"
    return None
