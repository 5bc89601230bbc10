"""The folder in which the demo happens: made, marked as the demo's own, and emptied."""

import os
import shutil
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from commerce_core.base.errors import Conflict, InvalidInput

_MARK: Final = "made-by-commerce-demo.txt"
_MARK_TEXT: Final = "`commerce demo` made this folder, and empties it whenever it begins.\n"
_PATIENCE: Final = 15.0
"""Seconds for the last demo's database to end, which it does some seconds after its last user."""
_LOOK_EVERY: Final = 0.1


def emptied(home: Path) -> None:
    """An empty folder for the demo. Conflict where it is in use, or isn't the demo's to empty."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / _MARK).exists() and any(home.iterdir()):
            raise Conflict(
                f"{home} is not empty, and the demo didn't make it.",
                "Name another folder with --data-dir.",
                code="not_the_demos_folder",
            )
        with _unused(home / "postgres"):
            _empty(home)
        (home / _MARK).write_text(_MARK_TEXT, "utf-8")
        (home / ".gitignore").write_text("*\n", "utf-8")
    except OSError as error:
        raise InvalidInput(
            f"The folder {home} can't be used: {error.strerror}.",
            "Name another one with --data-dir.",
            code="bad_folder",
        ) from error


def _empty(home: Path) -> None:
    """Removes everything but the mark, so that a run that ends here can be followed by another."""
    for entry in home.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != _MARK:
            entry.unlink()


@contextmanager
def _unused(database: Path) -> Generator[None]:
    """Keeps everybody else from a database folder: whoever uses it holds one of its locks."""
    deadline = time.monotonic() + _PATIENCE
    while (held := _all_locked(sorted(database.glob("*.lock")))) is None:
        if time.monotonic() > deadline:
            raise Conflict(
                f"{database.parent} is in use, by a demo that serves or by another command.",
                "End it, or name another folder with --data-dir.",
                code="demo_in_use",
            )
        time.sleep(_LOOK_EVERY)
    with held:
        yield


def _all_locked(files: Iterable[Path]) -> ExitStack | None:
    """All of them locked until the stack closes; None, and none of them, where one is taken."""
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
