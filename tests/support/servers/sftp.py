"""An SFTP server for tests: asyncssh over a folder, in a thread of this process.

OpenSSH's own server is a package of the system, and what tests need is installed by pip alone. It
couldn't be made to cut connections either, or to note what is read.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, cast

import asyncssh
from attrs import define, field

from tests.support.waiting import PATIENCE

USER = "anna"
PASSWORD = "s3cret"


@define
class SftpServer:
    """A server on a free port of this machine, whose root is `folder`.

    `public_key` is what it proves, `user_key` a private key that it accepts. `denied` names can't
    be opened. The connection ends after `cut_after` bytes of reading, once for each of the `cuts`.
    """

    port: int
    folder: Path
    public_key: str
    fingerprint: str
    user_key: str
    denied: set[str] = field(factory=set[str])
    cut_after: int = 0
    cuts: int = 0
    silent: threading.Event = field(factory=threading.Event)
    """Set: it answers no more reads."""
    over: asyncio.Event = field(factory=asyncio.Event)
    """Set at the end."""
    reads: list[tuple[str, int]] = field(factory=list[tuple[str, int]])
    logins: list[str] = field(factory=list[str])
    connections: list[asyncssh.SSHServerConnection] = field(
        factory=list[asyncssh.SSHServerConnection]
    )

    def put(self, name: str, content: bytes, age: float = 3600) -> Path:
        """Writes a file, as if that many seconds ago."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        at = path.stat().st_mtime - age
        os.utime(path, (at, at))
        return path


class _Door(asyncssh.SSHServer):
    def __init__(self, server: SftpServer, key: asyncssh.SSHKey) -> None:
        self._server = server
        self._key = key

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        self._server.logins.append(username)
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.public_data == self._key.public_data


class _Files(asyncssh.SFTPServer):
    def __init__(self, server: SftpServer, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(channel, chroot=os.fsencode(server.folder))
        self._server = server
        self._channel = channel
        self._read = 0

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        if path.rpartition(b"/")[2].decode() in self._server.denied:
            raise asyncssh.SFTPPermissionDenied("no")
        return super().open(path, pflags, attrs)

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        server = self._server
        server.reads.append((os.fsdecode(cast("BinaryIO", file_obj).name), offset))
        if server.silent.is_set():
            await server.over.wait()
        if server.cuts and self._read >= server.cut_after:
            server.cuts -= 1
            self._channel.get_connection().abort()
            return b""
        got = super().read(file_obj, offset, size)
        block = got if isinstance(got, bytes) else await got
        self._read += len(block)
        return block


@contextlib.contextmanager
def sftp_server(folder: Path) -> Generator[SftpServer]:
    """A server of the files in a folder."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    user_key = asyncssh.generate_private_key("ssh-ed25519")
    public = host_key.export_public_key().decode().strip()
    made = SftpServer(
        0, folder, " ".join(public.split()[:2]), host_key.get_fingerprint(),
        user_key.export_private_key("openssh").decode(),
    )  # fmt: skip
    loop = asyncio.new_event_loop()
    ready, end = threading.Event(), made.over

    async def serve() -> None:
        acceptor = await asyncssh.create_server(
            lambda: _Door(made, user_key), "127.0.0.1", 0, server_host_keys=[host_key],
            sftp_factory=lambda channel: _Files(made, channel), allow_scp=False,
        )  # fmt: skip
        made.port = acceptor.get_port()
        ready.set()
        await end.wait()
        acceptor.close()
        await acceptor.wait_closed()
        for connection in made.connections:
            connection.abort()
            await connection.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed by the loop, in its next round

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    try:
        if not ready.wait(PATIENCE):
            raise RuntimeError("The SFTP server did not start.")
        yield made
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(PATIENCE)
        loop.close()
