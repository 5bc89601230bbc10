"""Rejected records, kept from when they are read until the report of them is written."""

import io
import tempfile
import weakref
from collections.abc import Iterator
from typing import Final

import polars as pl
from attrs import define, field

from commerce_core.ingestion.reject_report import MOST_REPORT_BYTES

_IN_MEMORY: Final = 1 << 23
"""Bytes of them that are kept in memory; beyond that, in a temporary file."""
REJECTS: Final = pl.Schema({
    "line": pl.Int64, "code": pl.String, "column": pl.String, "value": pl.String,
    "hint": pl.String, "text": pl.String, "end": pl.String, "broken": pl.Boolean,
})  # fmt: skip
"""Records for a report: the line each begins on, what the report's own columns say of its errors,
how it came (its text, and the end of its last line), and whether its quoting is broken."""


def _none_yet() -> "tempfile.SpooledTemporaryFile[bytes]":
    return tempfile.SpooledTemporaryFile(_IN_MEMORY)


@define
class Kept:
    """Rejected records in the order of the file, as many as a report can have.

    All are `lost` where there was no place for the file.
    """

    lost: bool = False
    _sizes: list[int] = field(factory=list[int])
    _text: int = 0
    _file: "tempfile.SpooledTemporaryFile[bytes]" = field(factory=_none_yet)

    def __attrs_post_init__(self) -> None:
        """Whatever becomes of the reading, the file goes with it."""
        weakref.finalize(self, self._file.close)

    def add(self, rejects: pl.DataFrame) -> None:
        """Keeps some more."""
        if rejects.is_empty() or self.lost or self._text > MOST_REPORT_BYTES:
            return
        block = io.BytesIO()
        rejects.write_ipc_stream(block, compression="lz4")
        try:
            self._file.write(block.getbuffer())
            self._file.flush()
        except OSError:
            self.lost = True
            self._sizes.clear()
            return
        self._sizes.append(block.tell())
        self._text += int(rejects["text"].str.len_bytes().sum())

    def __iter__(self) -> Iterator[pl.DataFrame]:
        self._file.seek(0)
        for size in self._sizes:
            yield pl.read_ipc_stream(self._file.read(size))
