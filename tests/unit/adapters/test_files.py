"""Files in memory and on disk hold one contract; what only a disk can promise stands here."""

import errno
import os
import stat
import time
import tracemalloc
from pathlib import Path
from typing import IO

import pytest

from adapters import filesystem
from adapters.filesystem import DiskFiles
from adapters.memory import MemoryFiles
from commerce_core.base.errors import Unavailable
from commerce_core.ports.files import Files
from tests.contracts.files_contract import *  # noqa: F403 - every class of it, those to come too
from tests.contracts.files_contract import Zeros, content, put


@pytest.fixture(params=["memory", "disk"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return MemoryFiles() if request.param == "memory" else DiskFiles(tmp_path / "files")


@pytest.fixture
def disk(tmp_path: Path) -> DiskFiles:
    return DiskFiles(tmp_path / "home" / "files")


def everything_under(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_files_and_folders_are_their_owners_alone(disk: DiskFiles, tmp_path: Path):
    """Whatever the umask, nobody else may read what partners send."""
    before = os.umask(0)
    try:
        put(disk, "raw/partner/feed", b"1")
    finally:
        os.umask(before)
    made = list(tmp_path.rglob("*"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in made}
    assert modes == {0o700, 0o600}
    assert {stat.S_IMODE(p.stat().st_mode) for p in made if p.is_file()} == {0o600}


def test_a_file_lies_under_its_key(disk: DiskFiles, tmp_path: Path):
    """An operator finds a file where its key says."""
    put(disk, "raw/partner/feed", b"1")
    assert everything_under(tmp_path) == [tmp_path / "home/files/raw/partner/feed"]


def test_files_outlive_the_process(disk: DiskFiles, tmp_path: Path):
    """What was put is there for whoever opens the same folder later."""
    put(disk, "a", b"1")
    assert content(DiskFiles(tmp_path / "home" / "files"), "a") == b"1"


def test_a_relative_folder_stays_the_same_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A process that changes its directory goes on finding its files."""
    monkeypatch.chdir(tmp_path)
    files = DiskFiles("files")
    put(files, "a", b"1")
    monkeypatch.chdir("/")
    assert content(files, "a") == b"1"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux names what is synced")
def test_a_file_has_its_name_only_once_it_is_on_the_disk(
    disk: DiskFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The bytes are synced before the rename, the folder after it, new folders before their use."""
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(number: int) -> None:
        path = Path(f"/proc/self/fd/{number}").readlink()
        steps.append(f"sync {'draft' if path.parent.name == '.drafts' else path.name}")
        sync(number)

    def noted_replace(path: Path, target: Path) -> Path:
        steps.append(f"rename to {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    put(disk, "raw/feed", b"1")
    home = tmp_path.name
    assert steps == [
        f"sync {home}", "sync home", "sync files",  # home, files, .drafts
        "sync draft", "sync files", "rename to feed", "sync raw",
    ]  # fmt: skip


def test_a_deleted_file_stays_gone(disk: DiskFiles, monkeypatch: pytest.MonkeyPatch):
    """The folder is synced after the file is gone, so no crash brings it back."""
    put(disk, "raw/a", b"1")
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(content(disk, "raw/a") is None))
    disk.delete("raw/a")
    assert synced == [True]


def test_drafts_are_no_files(disk: DiskFiles, tmp_path: Path):
    """What a dead process left half written is neither listed nor opened."""
    put(disk, "a", b"1")
    (tmp_path / "home/files/.drafts/tmpabc").write_bytes(b"half")
    assert list(disk.list("")) == ["a"]
    assert list(disk.list(".")) == []


def test_stale_drafts_are_swept(disk: DiskFiles, tmp_path: Path):
    """The next file that is put clears away drafts of long ago, and leaves those of just now."""
    put(disk, "a", b"1")
    drafts = tmp_path / "home/files/.drafts"
    for name, more in (("old", 60), ("fresh", -60)):
        age = filesystem.STALE_AFTER + more
        (drafts / name).write_bytes(b"half")
        os.utime(drafts / name, (time.time() - age, time.time() - age))
    put(disk, "a", b"2")
    assert [path.name for path in everything_under(drafts)] == ["fresh"]


def test_two_may_sweep_at_once(disk: DiskFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A stale draft that another process has just removed is no trouble."""
    put(disk, "a", b"1")
    stale = tmp_path / "home/files/.drafts/stale"
    stale.write_bytes(b"half")
    os.utime(stale, (0, 0))
    unlink = Path.unlink

    def unlink_twice(path: Path) -> None:
        unlink(path)
        unlink(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", unlink_twice)
        put(disk, "a", b"2")
    assert content(disk, "a") == b"2"
    assert not stale.exists()


def test_foreign_files_are_not_listed(disk: DiskFiles, tmp_path: Path):
    """What a system or an operator left there, under no key, is passed over."""
    put(disk, "raw/a", b"1")
    for name in (".DS_Store", "a file", "raw/.hidden", "lost+found"):
        (tmp_path / "home/files" / name).write_bytes(b"")
    assert list(disk.list("")) == ["raw/a"]


@pytest.mark.parametrize("call", ["fsync", "open"])
@pytest.mark.parametrize(
    ("number", "words", "remedy"),
    [
        (errno.ENOSPC, "full", "Free some space"),
        (errno.EDQUOT, "quota", "quota"),
        (errno.EACCES, "denied", "account"),
        (errno.EROFS, "read-only", "Mount"),
        (errno.EIO, "Input/output", "disk"),
    ],
)
def test_a_disk_in_trouble_is_unavailable(
    disk: DiskFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    words: str,
    remedy: str,
):
    """A full disk, a lack of rights and the like name the folder and say what to do."""
    put(disk, "before", b"1")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(Unavailable, match=words) as told:
            put(disk, "a", b"2")
        with pytest.raises(Unavailable, match=words):
            disk.check()
    assert remedy in told.value.remedy
    assert str(tmp_path) in told.value.detail
    assert everything_under(tmp_path) == [tmp_path / "home/files/before"]


def test_a_full_disk_is_noticed_in_the_midst_of_writing(
    disk: DiskFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What doesn't fit leaves nothing behind, though closing the draft fails as well."""
    real = os.fdopen
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("only Linux has a device that is always full")

    def onto_full_device(number: int, mode: str) -> IO[bytes]:
        os.dup2(os.open(full, os.O_WRONLY), number)
        return real(number, mode)

    monkeypatch.setattr(os, "fdopen", onto_full_device)
    for size in (1, 1_000_000):
        with pytest.raises(Unavailable, match="full"):
            put(disk, "a", bytes(size))
    assert everything_under(tmp_path) == []


def test_a_disk_that_forgets_is_unavailable(disk: DiskFiles, monkeypatch: pytest.MonkeyPatch):
    """`check` reads again what it wrote."""
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"")
    with pytest.raises(Unavailable, match="give back"):
        disk.check()


def test_little_room_is_unavailable(disk: DiskFiles, monkeypatch: pytest.MonkeyPatch):
    """`check` tells of a disk that is about to be full."""
    disk.check()
    monkeypatch.setattr(filesystem, "FULL", 1 << 62)
    with pytest.raises(Unavailable, match="full"):
        disk.check()


def test_a_folder_that_cant_be_made_is_unavailable(tmp_path: Path):
    """Where a file stands in the way nothing can be kept, and nothing is found."""
    (tmp_path / "file").write_bytes(b"")
    disk = DiskFiles(tmp_path / "file" / "files")
    with pytest.raises(Unavailable):
        put(disk, "a", b"1")
    with pytest.raises(Unavailable):
        disk.check()
    assert content(disk, "a") is None
    assert list(disk.list("")) == []


def test_reading_touches_nothing(disk: DiskFiles, tmp_path: Path):
    """Looking for files that aren't there makes no folder."""
    assert content(disk, "a") is None
    assert list(disk.list("")) == []
    disk.delete("a")
    assert list(tmp_path.iterdir()) == []


def test_memory_stays_flat(disk: DiskFiles):
    """A file that is put is never in memory as a whole."""
    size = 20_000_000
    put(disk, "a", b"")
    tracemalloc.start()
    try:
        put(disk, "a", Zeros(size))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 10
