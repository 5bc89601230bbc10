"""Unforeseen errors that a file's content causes in a reader: the file's fault, never the run's.

A run that failed for it would fail again at each attempt, and the records before it would be lost
with it. So one record that can't be read is a problem of that record (`RecordReader`), and whatever
else fails refuses the file, at the line that was reached.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from commerce_core.base.errors import CommerceError, FileRefused

NOT_OF_FILE: Final = (CommerceError, OSError, MemoryError)
"""What isn't the fault of a file: what was raised on purpose, and what the machine lacks."""

T = TypeVar("T")


def guarded(items: Iterator[T], line: Callable[[], int]) -> Iterator[T]:
    """The items of a file; FileRefused `unreadable` for what fails on or after that line."""
    try:
        yield from items
    except NOT_OF_FILE:
        raise
    except Exception as error:
        raise unreadable(error, line()) from error


def unreadable(error: Exception, line: int) -> FileRefused:
    """The refusal of a file that makes a reader fail."""
    return FileRefused(
        "unreadable",
        f"The reader failed on or after line {line} ({type(error).__name__}: {error}).",
        "Look for what is unusual there, and send the file without it.",
        line=line,
    )
