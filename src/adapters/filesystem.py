"""Files in a folder of this machine, each stored whole or not at all, readable by its owner alone.

    ROOT/raw/ptn_.../feed_...    a file, under its key
    ROOT/.drafts/...             what is being written, or was being written when its process died

A draft is in the same file system, so it becomes the file in one step once it is on the disk. No
part of a key begins with a dot, so no draft is ever taken for a file.
"""

import contextlib
import errno
import hashlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from commerce_core.base.errors import NotFound, TooLarge, Unavailable
from commerce_core.ports.files import (
    FILE_KEY,
    FileRange,
    StoredFile,
    check_file_key,
    check_range,
)

BLOCK: Final = 1 << 18
"""Bytes that are read and written at a time."""
STALE_AFTER: Final = 24 * 60 * 60
"""Seconds after its last byte until a draft counts as abandoned."""
FULL: Final = 64_000_000
"""A disk with fewer free bytes counts as full."""

_PROBE: Final = b"check"
_NONE_THERE: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_TROUBLES: Final = {
    errno.ENOSPC: ("the disk is full", "Free some space there."),
    errno.EDQUOT: ("the account's quota is used up", "Free some space there, or raise the quota."),
    errno.EROFS: ("it is mounted read-only", "Mount it so that it can be written to."),
    errno.EACCES: ("access is denied", "Give it to the account that runs this."),
    errno.EPERM: ("access is denied", "Give it to the account that runs this."),
}


class DiskFiles:
    """Implements `commerce_core.ports.files.Files` under one folder, created on first use."""

    def __init__(self, root: Path | str) -> None:
        """Changes nothing yet."""
        self._root = Path(root).absolute()
        self._drafts = self._root / ".drafts"

    def put(self, key: str, stream: BinaryIO, most_bytes: int) -> StoredFile:
        """Keeps the whole stream; the bytes and the name are on the disk when this returns."""
        path = self._path(key)
        with self._draft() as (draft, name):
            stored = self._copy(stream, draft, most_bytes)
            with self._translated():
                _sync(draft)
                _make_folder(path.parent)
                name.replace(path)
                _sync_folder(path.parent)
        return stored

    @contextmanager
    def open(self, key: str, start: int = 0, end: int | None = None) -> Generator[BinaryIO]:
        """The bytes as they are now, even if the file is replaced or deleted in the meantime."""
        check_range(start, end)
        path = self._path(key)
        with self._translated():
            try:
                whole = path.open("rb")
            except _NONE_THERE as error:
                raise NotFound(f"There is no file {key}.") from error
        with whole if start == 0 and end is None else _range_of(whole, start, end) as stream:
            yield stream

    def list(self, prefix: str) -> Iterator[str]:
        """The keys in order, read folder by folder as they are requested."""
        return self._keys_in(self._root, "", prefix)

    def _keys_in(self, folder: Path, at: str, prefix: str) -> Iterator[str]:
        for name in self._names_in(folder):
            key = at + name
            if name.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._keys_in(folder / name, key, prefix)
            elif key.startswith(prefix):
                yield key

    def _names_in(self, folder: Path) -> Sequence[str]:
        """The names in a folder; folders end with a slash, so that they sort as their keys."""
        with self._translated():
            try:
                with os.scandir(folder) as entries:
                    found = [entry for entry in entries if FILE_KEY.fullmatch(entry.name)]
                    return sorted(f"{e.name}/" if e.is_dir() else e.name for e in found)
            except _NONE_THERE:
                return []

    def delete(self, key: str) -> None:
        """Deletes a file; it stays deleted, even if the machine crashes, once this returns."""
        path = self._path(key)
        with self._translated(), contextlib.suppress(*_NONE_THERE):
            path.unlink()
            _sync_folder(path.parent)

    def check(self) -> None:
        """Writes something, reads it back, and checks that there is room for more."""
        with self._draft() as (draft, name), self._translated():
            draft.write(_PROBE)
            _sync(draft)
            if name.read_bytes() != _PROBE:
                raise OSError(errno.EIO, "it doesn't give back what was written")
            if shutil.disk_usage(self._root).free < FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _path(self, key: str) -> Path:
        return self._root / check_file_key(key)

    @contextmanager
    def _draft(self) -> Generator[tuple[BinaryIO, Path]]:
        """A new file to write to, and its name; deleted at the end if it is still there."""
        with self._translated():
            _make_folder(self._drafts)
            _sweep(self._drafts)
            number, name = tempfile.mkstemp(dir=self._drafts)
        draft = os.fdopen(number, "wb")
        try:
            yield draft, Path(name)
        finally:
            # Closing tries again to write what a full disk has refused.
            with contextlib.suppress(OSError):
                draft.close()
            with contextlib.suppress(OSError):
                Path(name).unlink()

    def _copy(self, stream: BinaryIO, draft: BinaryIO, most_bytes: int) -> StoredFile:
        """Copies block by block. Errors of reading are the sender's, and pass through."""
        digest, size = hashlib.sha256(), 0
        while block := stream.read(BLOCK):
            size += len(block)
            if size > most_bytes:
                raise TooLarge(f"The file has more than {most_bytes:,} bytes.")
            digest.update(block)
            with self._translated():
                draft.write(block)
        return StoredFile(size, digest.hexdigest())

    @contextmanager
    def _translated(self) -> Generator[None]:
        """Turns errors of the disk into Unavailable."""
        try:
            yield
        except OSError as error:
            usual = (error.strerror or str(error), "Check the disk.")
            trouble, remedy = _TROUBLES.get(error.errno or 0, usual)
            raise Unavailable(
                f"The folder {self._root} can't be used: {trouble}.",
                remedy,
                f"The files can't be used: {trouble}.",
            ) from error


def _range_of(whole: BinaryIO, start: int, end: int | None) -> BinaryIO:
    """A part of an open file, which is closed with it."""

    def read_at(position: int, buffer: memoryview) -> int:
        whole.seek(position)
        return whole.readinto(buffer)  # type: ignore[attr-defined] - a file has it

    size = os.fstat(whole.fileno()).st_size
    part = FileRange(start, size if end is None else min(end, size), read_at, whole.close)
    return io.BufferedReader(part, BLOCK)


def _sync(file: BinaryIO) -> None:
    """Returns once the bytes are on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Returns once the names in a folder are on the disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _make_folder(folder: Path) -> None:
    """Makes a folder for its owner alone, and its parents; they are on the disk when it returns."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def _sweep(drafts: Path) -> None:
    """Deletes what processes left behind that died while they wrote."""
    with os.scandir(drafts) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # Another process may sweep, too.
                if entry.stat().st_mtime < time.time() - STALE_AFTER:
                    Path(entry).unlink()
