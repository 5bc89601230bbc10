"""The reference reading of a feed: bytes become text, records of cells, records of values.

read_text ──> open_records ──> lay_out ──> Grouping ──> RecordReader ──> Record
(decoding)    (formats)        (mapping)   (grouping)   (record_reader)
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO, Final

from attrs import evolve, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.decoding import Text, read_text
from commerce_core.parsing.delimited import Accepts
from commerce_core.parsing.formats import Format, open_records
from commerce_core.parsing.grouping import Grouping, Prepared
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.record_reader import RecordReader, Terms
from commerce_core.parsing.returned_exports import EXPORT_COLUMNS, ReturnedExport, begins_export
from commerce_core.parsing.returned_reports import ReturnedReport
from commerce_core.profiles.mapping import REPORT_COLUMNS, HeaderMapping, map_header
from commerce_core.profiles.presets import in_full
from commerce_core.profiles.profile import CANONICAL
from commerce_core.schema.record import Record

__all__ = ["Opening", "Reader", "Terms", "begin", "open_feed"]


@frozen
class Opening:
    """A feed whose header has been understood, its records still to come, and what reads them.

    `text` knows the encoding; `mends` is the feed that a mended
    report of rejected records says it came from. A file is `ours` where we wrote it, a report or an
    export: then its records aren't what stands in it, but what is left of that. `terms` are those
    by which they are read, with the profile in full.
    """

    text: Text
    format: Format
    mends: str | None
    ours: bool
    header: RawRecord
    terms: Terms
    mapping: HeaderMapping
    prepared: Iterator[Prepared]
    read: RecordReader

    @property
    def delimiter(self) -> str | None:
        """What is between its cells; None for JSON lines."""
        return self.format.delimiter


@frozen
class Reader:
    """A feed whose header has been understood, and its records still to come.

    `delimiter` is None for JSONL. `mends` is the feed that a mended report of rejected records says
    it came from. `text` knows the encoding, for sure at the end. Iterating raises FileRefused where
    the file as a whole turns out to be unreadable.
    """

    mapping: HeaderMapping
    delimiter: str | None
    mends: str | None
    text: Text
    _records: Iterator[Record] = field(repr=False)

    def __iter__(self) -> Iterator[Record]:
        """Each record in the order of the file; blank ones too, since all are accounted for."""
        return self._records


def open_feed(stream: BinaryIO, terms: Terms) -> Reader:
    """Reads the header, and is ready for the records; FileRefused if there is no usable header."""
    begun = begin(stream, terms)
    records = map(begun.read, begun.prepared)
    return Reader(begun.mapping, begun.delimiter, begun.mends, begun.text, records)


def begin(stream: BinaryIO, terms: Terms) -> Opening:
    """Reads the header, and leaves the records as they are; FileRefused as from `open_feed`."""
    terms = evolve(terms, profile=in_full(terms.profile))
    text = read_text(stream, terms.profile.encoding)
    blocks = iter(text)
    head = next(blocks, "")
    exported = begins_export(head)
    if exported:
        terms = evolve(terms, profile=CANONICAL, exported=True)
    opened = open_records(chain((head,), blocks), terms.profile.delimiter, _accepts(terms))
    header, records, mends = _header(opened.records), opened.records, None
    if exported:
        export = ReturnedExport.in_header(header.cells or (), opened.format)
        header, records = export.strip(header), map(export.strip, records)
    mended = ReturnedReport.in_header(header.cells or (), opened.format)
    if mended is not None:
        terms, header = evolve(terms, mode="delta"), mended.strip(header)
        first = next(records, None)
        mends = mended.feed_of(first)
        records = map(mended.strip, records if first is None else chain((first,), records))
    mapping = _understood(terms, header.cells or (), header.line)
    prepared = Grouping(mapping, terms.profile)(records)
    read = RecordReader(mapping, terms)
    ours = exported or mends is not None
    return Opening(text, opened.format, mends, ours, header, terms, mapping, prepared, read)


def _understood(terms: Terms, header: Sequence[str], line: int) -> HeaderMapping:
    currency = terms.profile.currency or terms.currency
    return map_header(header, terms.mode, terms.profile, currency, line)


_OURS: Final = (*REPORT_COLUMNS, *EXPORT_COLUMNS)


def _accepts(terms: Terms) -> Accepts:
    """Whether a header names fields at all, be it that others are missing."""

    def accepts(header: Sequence[str]) -> bool:
        own = [name for name in header if name.strip(BLANKS) not in _OURS]
        try:
            _understood(terms, own, 1)
        except FileRefused as refusal:
            return refusal.code in ("ambiguous_column", "missing_column")
        return True

    return accepts


def _header(records: Iterator[RawRecord]) -> RawRecord:
    """The first record that isn't blank."""
    for first in records:
        if first.cells is None:
            detail = "The first record, which should be the header, has broken quoting."
            raise FileRefused("no_header", detail, "Put a header first.", line=first.line)
        if any(cell.strip(BLANKS) for cell in first.cells):
            return first
    raise FileRefused(
        "empty", "The file has nothing but blank lines.", "Send a header and records."
    )
