"""Servers with files, in memory: the reference of how folders and prefixes are fetched from."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from attrs import define, evolve, field

from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import Reach, Target
from commerce_core.feeds.place import S3Place, SftpPlace
from commerce_core.feeds.remote_file import RemoteFile
from commerce_core.ports import fetcher
from commerce_core.ports.fetcher import Access, FetchFailed, Opened, replaced, too_many

_T0: Final = datetime(2026, 1, 1, tzinfo=UTC)


@define
class MemoryFetcher:
    """Implements `commerce_core.ports.fetcher.Fetcher` for places of SFTP and S3.

    `hosts` are the addresses of each name, `keys` are what servers prove, `users` their secrets,
    and `contents` the files by path or key, with what is listed of each. `denied` paths are listed
    and can't be opened. After `cut_after` bytes of a file the connection ends, once for each of the
    `cuts`. `before_read` is called at the first byte of each file.
    """

    hosts: Mapping[str, Sequence[str]]
    reach: Reach = field(factory=Reach)
    keys: frozenset[str] = frozenset()
    users: dict[str, str] = field(factory=dict[str, str])
    contents: dict[str, tuple[RemoteFile, bytes]] = field(
        factory=dict[str, tuple[RemoteFile, bytes]]
    )
    denied: set[str] = field(factory=set[str])
    cut_after: int = 0
    cuts: int = 0
    before_read: Callable[[str], None] = field(default=lambda _: None)
    opened: list[tuple[str, int]] = field(factory=list[tuple[str, int]], init=False)
    """What was read, and from which position on."""

    def put(self, path: str, content: bytes, at: datetime = _T0, etag: str | None = None) -> None:
        """Adds a file, or replaces it."""
        self.contents[path] = RemoteFile(path, len(content), at, etag), content

    def judge(self, place: SftpPlace | S3Place, access: Access) -> None:
        """Judges by `hosts`."""
        if isinstance(place, SftpPlace) and not access.username:
            raise InvalidInput.at("/username", "username_needed", "Name the user of the server.")
        if isinstance(place, SftpPlace) and access.secret is None:
            raise InvalidInput.at("/secret", "secret_needed", "Send the user's password.")
        target = self._target(place, "/url" if isinstance(place, SftpPlace) else "/endpoint")
        try:
            self._reached(target)
        except Unreachable as error:
            if error.code == "address_refused":
                raise InvalidInput.at("/url", error.code, error.detail) from error

    def _target(self, place: SftpPlace | S3Place, pointer: str = "/url") -> Target | None:
        if isinstance(place, SftpPlace):
            return self.reach.target(place.url, pointer, ("sftp",))
        return None if place.endpoint is None else self.reach.target(place.endpoint, pointer)

    def _reached(self, target: Target | None) -> None:
        if target is not None:
            known = [target.host] if target.address else self.hosts.get(target.host, ())
            self.reach.judge(target.host, known, target.scheme)

    @contextmanager
    def connect(
        self,
        place: SftpPlace | S3Place,
        access: Access,
        seconds: float,  # noqa: ARG002 - nothing takes time here
    ) -> Generator["_MemoryRemote"]:
        """A session, if the user may have one."""
        try:
            target = self._target(place)
        except InvalidInput as error:
            raise Unreachable(error.faults[0].detail, code="address_refused") from error
        self._reached(target)
        if isinstance(place, SftpPlace) and not self.keys & set(place.host_keys):
            raise FetchFailed("host_key_differs", "The server has another key.")
        if self.users.get(access.username or "") != access.secret:
            raise FetchFailed("denied", "The server refused the user, or its secret.")
        yield _MemoryRemote(self, place)


@define
class _MemoryRemote:
    _server: MemoryFetcher
    _place: SftpPlace | S3Place

    def files(self) -> Iterator[RemoteFile]:
        """What is in the folder, or begins with the prefix."""
        place, count = self._place, 0
        for path, (file, _) in tuple(self._server.contents.items()):
            if isinstance(place, S3Place):
                fits = path.startswith(place.prefix)
            elif place.is_folder:
                fits = path.rpartition("/")[0] + "/" == place.path
            else:
                fits = path == place.path
            if fits:
                count += 1
                if count > fetcher.MOST_LISTED:
                    raise too_many(place.url)
                yield file
        if isinstance(place, SftpPlace) and not place.is_folder and not count:
            raise FetchFailed("not_there", f"The server has no {place.path}.")

    @contextmanager
    def open(self, file: RemoteFile, start: int = 0) -> Generator[Opened]:
        """The bytes, if the file is still the one that was listed."""
        server = self._server
        self._check_same(file)
        if file.path in server.denied:
            raise FetchFailed("denied", f"The server doesn't let us read {file.path}.")
        server.opened.append((file.path, start))
        at = start

        def read(most: int) -> bytes:
            nonlocal at
            if at == start:
                server.before_read(file.path)
            self._check_same(file)
            content = server.contents[file.path][1]
            if server.cuts and at - start >= server.cut_after and at < len(content):
                server.cuts -= 1
                raise Unreachable("The connection ended.", code="cut_off", phase="body")
            limit = most if not server.cuts else min(most, server.cut_after - (at - start))
            block = content[at : at + limit]
            at += len(block)
            return block

        yield Opened(evolve(file), read)

    def _check_same(self, file: RemoteFile) -> None:
        found = self._server.contents.get(file.path)
        if found is None:
            raise FetchFailed("not_there", f"The server has no {file.path}.")
        if found[0] != file:
            raise replaced(file.path)
