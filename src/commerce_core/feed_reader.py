"""The reference reading of a feed: bytes become text, records of cells, records of values.

read_text ──> open_records ──> lay_out ──> Grouping ──> RecordReader ──> Record
(feed_bytes)  (feed_text)      (layouts)   (grouping)   (records)
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from attrs import field, frozen

from commerce_core.errors import FileRefused
from commerce_core.feed_bytes import read_text
from commerce_core.feed_schema import BLANKS, Record
from commerce_core.feed_text import RawRecord, open_records
from commerce_core.grouping import Grouping
from commerce_core.layouts import Layout, lay_out
from commerce_core.presets import in_full
from commerce_core.records import RecordReader, Terms

__all__ = ["Reader", "Terms", "open_feed"]


@frozen
class Reader:
    """A feed whose header has been understood, and its records still to come.

    Iterating raises FileRefused where the file as a whole turns out to be unreadable.
    """

    layout: Layout
    delimiter: str | None
    _records: Iterator[Record] = field(repr=False)

    def __iter__(self) -> Iterator[Record]:
        """Each record in the order of the file; blank ones too, since all are accounted for."""
        return self._records


def open_feed(stream: BinaryIO, terms: Terms) -> Reader:
    """Reads the header, and is ready for the records; FileRefused if there is no usable header."""
    profile = in_full(terms.profile)
    terms = terms.with_profile(profile)
    currency = profile.currency or terms.currency

    def understood(header: Sequence[str], line: int = 1) -> Layout:
        return lay_out(header, terms.mode, profile, currency, line)

    def accepts(header: Sequence[str]) -> bool:
        try:
            understood(header)
        except FileRefused as refusal:
            return refusal.code in ("ambiguous_column", "missing_column")
        return True

    opened = open_records(read_text(stream, profile.encoding), profile.delimiter, accepts)
    first = _header(opened.records)
    layout = understood(first.cells or (), first.line)
    prepared = Grouping(layout, profile)(opened.records)
    return Reader(layout, opened.delimiter, map(RecordReader(layout, terms), prepared))


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
