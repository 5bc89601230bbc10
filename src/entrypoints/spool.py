"""The temporary folder, in which files wait that are too large for memory and can't be streamed."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager

from commerce_core.base.errors import Unavailable


@contextmanager
def spooling() -> Generator[None]:
    """Turns errors of the temporary folder into Unavailable, which names it."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"The temporary folder {tempfile.gettempdir()} can't be used: {error.strerror}.",
            "Free some space there, or set TMPDIR to a larger folder. An upload by "
            "PUT /v1/feeds/content needs no temporary file.",
        ) from error
