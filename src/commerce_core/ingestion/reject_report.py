"""The report of a feed's rejected records: the partner's own rows with the reason in front of each.

It is made after the comparison, when every error is known. The engine that read the feed writes its
rows, from what it kept while reading or reads again, so memory stays flat.
"""

import codecs
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final

from attrs import define

from commerce_core.feeds.job import Job
from commerce_core.parsing.decoding import OpenRaw
from commerce_core.parsing.new_workbook import workbook
from commerce_core.parsing.reject_rows import RowWriter
from commerce_core.parsing.sheets import Sheet
from commerce_core.ports.engine import Reading
from commerce_core.ports.files import Files
from commerce_core.schema.problems import Problem

MOST_COMPARED_KEPT: Final = 100_000
"""Problems found only by the comparison that the report shows, the first ones by line."""
MOST_REPORT_BYTES: Final = 1 << 30
"""How long a report may get; it ends with the last block of rows that fits."""

_WRITTEN_IN: Final = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


@define
class RejectReport:
    """The report of one run. `records` are the rejected ones in it so far, and at its end all."""

    _reading: Reading
    _write: RowWriter
    _again: OpenRaw
    records: int = 0

    @classmethod
    def of(
        cls,
        feed_id: str,
        reading: Reading,
        again: OpenRaw,
        found: Mapping[int, Problem],
        alive: Callable[[], object],
    ) -> "RejectReport":
        """Of a feed that has been read to its end, and whose bytes `again` opens.

        `found` is what the comparison found, by line. `alive` is called often.
        """
        header = reading.header
        width = len(header.mapping.header)
        write = RowWriter(feed_id, header.format, header.raw, width, found, alive)
        return cls(reading, write, again)

    def stream(self) -> BinaryIO:
        """The report as bytes: text in the encoding of the feed, or a workbook if it was one."""
        blocks = self._encoded()
        if isinstance(self._write.format, Sheet):
            blocks = workbook(block.decode() for block in blocks)
        return _Stream(blocks)  # type: ignore[return-value]

    def _encoded(self) -> Iterator[bytes]:
        text = self._reading.text
        name = _WRITTEN_IN.get(text.mark, text.encoding)
        # Only a hint of ours can have what the encoding lacks.
        encode = codecs.getincrementalencoder(name)("replace").encode
        first = text.mark + encode(self._write.first_line())
        size = len(first)
        yield first
        for count, rows in self._reading.report(self._write, self._again):
            block = encode(rows)
            size += len(block)
            if size > MOST_REPORT_BYTES:
                break
            self.records += count
            yield block
        yield encode(self._write.last_line())


class _Stream:
    """Blocks of bytes as a stream to read from."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._ahead = bytearray()

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._ahead) < size:
            block = next(self._blocks, None)
            if block is None:
                break
            self._ahead += block
        end = len(self._ahead) if size < 0 else size
        taken = bytes(self._ahead[:end])
        del self._ahead[:end]
        return taken


def delete_reports(files: Files, job: Job) -> None:
    """Deletes the reports of a job's attempts."""
    for key in list(files.list(f"{job.reports}/")):
        files.delete(key)
