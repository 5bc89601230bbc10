"""Formats that only a library can read. What reads them is registered once, as Python's codecs are.

The composition root registers it in each process that reads files. A format that isn't registered
is refused as what it is.
"""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from attrs import frozen


class Decompressor(Protocol):
    """What unpacks one stream, as in Python's `bz2`."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """The next bytes, at most that many; ValueError or OSError if they are damaged."""
        ...

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether it gives nothing more without further data."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end of the stream."""
        ...


Read = Callable[[int], bytes]
"""The next bytes of a file, that many at most; empty at its end."""


@frozen
class Compression:
    """How files that begin with a signature are unpacked."""

    signature: bytes
    name: str
    new: Callable[[], Decompressor]


@frozen
class TableFormat:
    """How files that begin with a signature are read: as the text of rows, as `sheets` has it.

    `rows` raises FileRefused if the file is damaged.
    """

    signature: bytes
    rows: Callable[[Read], Iterator[str]]


_COMPRESSIONS: Final[dict[bytes, Compression]] = {}
_TABLES: Final[dict[bytes, TableFormat]] = {}
LONGEST_SIGNATURE: Final = 6


def register(*formats: Compression | TableFormat) -> None:
    """From now on, files of these formats are read."""
    for made in formats:
        if isinstance(made, Compression):
            _COMPRESSIONS[made.signature] = made
        else:
            _TABLES[made.signature] = made


def compression_of(head: bytes) -> Compression | None:
    """What unpacks a file that begins like this."""
    return next((c for c in _COMPRESSIONS.values() if head.startswith(c.signature)), None)


def table_format_of(head: bytes) -> TableFormat | None:
    """What reads a file that begins like this."""
    return next((t for t in _TABLES.values() if head.startswith(t.signature)), None)
