"""The reference reading of a feed: bytes become text, records of cells, records of values.

read_text ──> open_records ──> lay_out ──> Grouping ──> RecordReader ──> Record
(feed_bytes)  (feed_text)      (layouts)   (grouping)   (records)
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO, Final

from attrs import evolve, field, frozen

from commerce_core.errors import FileRefused
from commerce_core.feed_bytes import read_text
from commerce_core.feed_schema import BLANKS, Record
from commerce_core.feed_text import Accepts, RawRecord, open_records
from commerce_core.grouping import Grouping
from commerce_core.layouts import REPORT_COLUMNS, Layout, lay_out
from commerce_core.presets import in_full
from commerce_core.records import RecordReader, Terms

__all__ = ["Reader", "Terms", "open_feed"]

_GUARDED: Final = re.compile(r"\A'(?=[=+\-@\t\r])")


@frozen
class Reader:
    """A feed whose header has been understood, and its records still to come.

    `delimiter` is None for JSONL. `mends` is the feed that a mended report of rejected records says
    it came from. Iterating raises FileRefused where the file as a whole turns out to be unreadable.
    """

    layout: Layout
    delimiter: str | None
    mends: str | None
    _records: Iterator[Record] = field(repr=False)

    def __iter__(self) -> Iterator[Record]:
        """Each record in the order of the file; blank ones too, since all are accounted for."""
        return self._records


def open_feed(stream: BinaryIO, terms: Terms) -> Reader:
    """Reads the header, and is ready for the records; FileRefused if there is no usable header."""
    terms = evolve(terms, profile=in_full(terms.profile))
    opened = open_records(
        read_text(stream, terms.profile.encoding), terms.profile.delimiter, _accepts(terms)
    )
    header = _header(opened.records)
    mended, records = _mended_feed(header, opened.records)
    if mended:
        terms = evolve(terms, mode="delta")
    layout = _understood(terms, header.cells or (), header.line)
    prepared = Grouping(layout, terms.profile)(records)
    read = RecordReader(layout, terms)
    return Reader(layout, opened.delimiter, mended, map(read, prepared))


def _understood(terms: Terms, header: Sequence[str], line: int) -> Layout:
    currency = terms.profile.currency or terms.currency
    return lay_out(header, terms.mode, terms.profile, currency, line)


def _accepts(terms: Terms) -> Accepts:
    """Whether a header names fields at all, be it that others are missing."""

    def accepts(header: Sequence[str]) -> bool:
        try:
            _understood(terms, header, 1)
        except FileRefused as refusal:
            return refusal.code in ("ambiguous_column", "missing_column")
        return True

    return accepts


def _mended_feed(
    header: RawRecord, records: Iterator[RawRecord]
) -> tuple[str | None, Iterator[RawRecord]]:
    """The feed that a mended report names in its first record, and the records without guards."""
    names = [name.strip(BLANKS) for name in header.cells or ()]
    if REPORT_COLUMNS[0] not in names:
        return None, records
    place, first = names.index(REPORT_COLUMNS[0]), next(records, None)
    cells = first.cells if first else None
    named = cells[place].strip(BLANKS) if cells and place < len(cells) else ""
    whole = records if first is None else chain((first,), records)
    return named or "unknown", map(_unguarded, whole)


def _unguarded(raw: RawRecord) -> RawRecord:
    """The record without the apostrophes that keep a spreadsheet from running its cells."""
    if raw.cells is None:
        return raw
    return evolve(raw, cells=[_GUARDED.sub("", cell) for cell in raw.cells])


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
