"""The demo's folder: created, marked as the demo's own, and emptied before each run."""

import os
import shutil
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from commerce_core.base.errors import Conflict, InvalidInput

_MARK: Final = "made-by-commerce-demo.txt"
_MARK_TEXT: Final = (
    "`commerce demo` created this folder, and empties it at the start of each run.\n"
)
_TIMEOUT: Final = 15.0
"""Seconds to wait for the last demo's database to stop, some seconds after its last user."""
_LOOK_EVERY: Final = 0.1


def emptied(home: Path) -> None:
    """Creates or empties the demo's folder. Conflict if it is in use, or isn't the demo's own."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / _MARK).exists() and any(home.iterdir()):
            raise Conflict(
                f"{home} is not empty, and wasn't created by the demo.",
                "Choose another folder with --data-dir.",
                code="not_the_demos_folder",
            )
        with _unused(home / "postgres"):
            _empty(home)
        (home / _MARK).write_text(_MARK_TEXT, "utf-8")
        (home / ".gitignore").write_text("*\n", "utf-8")
    except OSError as error:
        raise InvalidInput(
            f"The folder {home} can't be used: {error.strerror}.",
            "Choose another one with --data-dir.",
            code="bad_folder",
        ) from error


def _empty(home: Path) -> None:
    """Removes everything but the mark, so that the demo can run again after an interruption."""
    for entry in home.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != _MARK:
            entry.unlink()


@contextmanager
def _unused(database: Path) -> Generator[None]:
    """Holds every lock of a database folder, so that no other process uses it meanwhile."""
    deadline = time.monotonic() + _TIMEOUT
    while (locks := _all_locked(sorted(database.glob("*.lock")))) is None:
        if time.monotonic() > deadline:
            raise Conflict(
                f"{database.parent} is in use, by `commerce demo --serve` or by another command.",
                "Stop it, or choose another folder with --data-dir.",
                code="demo_in_use",
            )
        time.sleep(_LOOK_EVERY)
    with locks:
        yield


def _all_locked(files: Iterable[Path]) -> ExitStack | None:
    """Locks all of the files until the stack closes; None, and no lock, if one is taken."""
    import fcntl

    with ExitStack() as stack:
        for file in files:
            descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
        return stack.pop_all()
