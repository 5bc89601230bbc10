"""The files that a command reads and writes, including stdin and stdout."""

import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, Final

_IN_MEMORY: Final = 1 << 24
"""Bytes of a stream that can be read only once; up to this size it is buffered in memory."""


def opened(file: str) -> AbstractContextManager[BinaryIO]:
    """The named file, or stdin for -; NotFound or InvalidInput if it can't be read."""
    from commerce_core.base.errors import InvalidInput, NotFound

    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.", code="no_file") from error
    except OSError as error:
        raise InvalidInput(f"{file} can't be read: {error.strerror}.", code="no_file") from error


@contextmanager
def rewindable(file: str) -> Generator[BinaryIO]:
    """The file as a stream that can be rewound; stdin and pipes are buffered for that."""
    with opened(file) as stream:
        if file != "-" and stream.seekable() and Path(file).is_file():
            yield stream
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as buffer:
            shutil.copyfileobj(stream, buffer)
            buffer.seek(0)
            yield buffer  # type: ignore[misc] - it has every method of BinaryIO that is used


def target(output: str | None) -> AbstractContextManager[BinaryIO]:
    """The named file, or stdout; InvalidInput if it can't be written."""
    from commerce_core.base.errors import InvalidInput

    if output in (None, "-"):
        return nullcontext(sys.stdout.buffer)
    try:
        return Path(output or "").open("wb")
    except OSError as error:
        detail = f"{output} can't be written: {error.strerror}."
        raise InvalidInput(detail, code="no_file") from error
