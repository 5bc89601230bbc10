"""The reference reading of a feed: bytes become text, records of cells, records of values.

read_text ──> open_records ──> map_header ──> Grouping ──> RecordReader ──> Record
(decoding)    (formats)        (mapping)      (grouping)   (record_reader)
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO, Final, Literal

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.decoding import Text, read_text
from commerce_core.parsing.delimited import Accepts, Delimited
from commerce_core.parsing.formats import Format, open_records
from commerce_core.parsing.grouping import Grouping
from commerce_core.parsing.parents import MOST_PARENTS, too_many_parents
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.record_reader import RecordReader, Terms
from commerce_core.parsing.returned_exports import (
    EXPORT_COLUMNS,
    INCLUDED_COLUMNS,
    ReturnedExport,
    begins_export,
)
from commerce_core.parsing.returned_reports import ReturnedReport
from commerce_core.parsing.unforeseen import NOT_OF_FILE, guarded, unreadable
from commerce_core.profiles.limits import refuse_beyond_limits
from commerce_core.profiles.mapping import REPORT_COLUMNS, HeaderMapping, map_header
from commerce_core.profiles.notes import header_notes
from commerce_core.profiles.presets import in_full
from commerce_core.profiles.profile import CANONICAL, TEMPLATE_PART
from commerce_core.profiles.recognition import recognition_hint
from commerce_core.schema.fields import Mode
from commerce_core.schema.record import Record

__all__ = ["Beginning", "Header", "Reader", "Terms", "knowing_parents", "open_feed"]


@frozen
class Header:
    """What a feed's header says, understood once for everything that is done with the feed.

    `raw` is the record itself, without what a report or an export of ours puts in front, in its
    `format`; `mapping` finds the fields in it. `terms` are those by which the records are read,
    with the profile in full: a corrected report is a delta, and an export is canonical. `corrects`
    is the feed whose rejected records come back, if the file is a corrected report. `notes` are
    what a person should know about the mapping.
    """

    raw: RawRecord
    format: Format
    mapping: HeaderMapping
    terms: Terms
    corrects: str | None
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> Sequence[str]:
        """The names of the columns."""
        return self.raw.cells or ()

    @property
    def returned(self) -> Literal["export", "report"] | None:
        """Which file of ours it is: its records aren't what it contains, but what we unwrap."""
        if self.corrects is not None:
            return "report"
        return "export" if self.terms.exported else None

    @property
    def delimiter(self) -> str | None:
        """What is between its cells; None for JSON and XML."""
        return self.format.delimiter


@frozen
class Reader:
    """A feed whose header has been understood, its records still to come, and what reads them.

    `text` knows the encoding, for sure at the end. `prepared` can be taken once, and raises
    FileRefused where the file as a whole turns out to be unreadable.
    """

    header: Header
    text: Text
    prepared: Iterator[Prepared] = field(repr=False)
    read: RecordReader = field(repr=False)

    @property
    def mapping(self) -> HeaderMapping:
        """The header's fields."""
        return self.header.mapping

    @property
    def delimiter(self) -> str | None:
        """What separates cells; None for JSON and XML."""
        return self.header.delimiter

    def __iter__(self) -> Iterator[Record]:
        """Each record in the order of the file; blank ones too, since all are accounted for."""
        return map(self.read, self.prepared)


@define
class Beginning:
    """The first blocks of a text, which are kept until they are taken."""

    _blocks: list[str] | None = field(factory=list[str])

    def of(self, text: Text) -> Iterator[str]:
        """The blocks of a text, as they come."""
        for block in text:
            if self._blocks is not None:
                self._blocks.append(block)
            yield block

    def take(self) -> Sequence[str]:
        """The blocks so far; from now on, none is kept."""
        taken, self._blocks = self._blocks or [], None
        return taken


def open_feed(stream: BinaryIO, terms: Terms, beginning: Beginning | None = None) -> Reader:
    """Reads the header, and is ready for the records; FileRefused if there is no usable header.

    The stream has to be seekable unless the terms know the parents that its records name.
    `beginning` is given the blocks of text that are read.
    """
    return _opened(stream, knowing_parents(stream, terms), beginning)


def _opened(stream: BinaryIO, terms: Terms, beginning: Beginning | None = None) -> Reader:
    try:
        return _open_feed(stream, terms, beginning)
    except NOT_OF_FILE:
        raise
    except Exception as error:
        raise unreadable(error, 1) from error


def _open_feed(stream: BinaryIO, terms: Terms, beginning: Beginning | None) -> Reader:
    own, terms = terms.profile, evolve(terms, profile=in_full(terms.profile))
    refuse_beyond_limits(terms.profile)
    text = read_text(stream, terms.profile.encoding, terms.profile.sheet)
    blocks = iter(text) if beginning is None else beginning.of(text)
    first_block = next(blocks, "")
    exported = begins_export(first_block)
    if exported:
        own, terms = CANONICAL, evolve(terms, profile=CANONICAL, exported=True)
    understood: _Understood = {}
    opened = open_records(
        chain((first_block,), blocks),
        terms.profile.delimiter,
        _accepts(terms, understood),
        quotes=terms.profile.quotes == "double",
        header_line=terms.profile.header_line,
        record_path=terms.profile.record_path,
    )
    raw, records, corrects = _header(opened.records), opened.records, None
    if exported:
        export = ReturnedExport.in_header(raw.cells or (), opened.format)
        raw, records = export.strip(raw), map(export.strip, records)
    report = ReturnedReport.in_header(raw.cells or (), opened.format)
    if report is not None:
        terms, raw = evolve(terms, mode="delta"), report.strip(raw)
        first = next(records, None)
        corrects = report.feed_of(first)
        records = map(report.strip, records if first is None else chain((first,), records))
    # Nearly always that is the header by which the delimiter was chosen.
    mapping = understood.get((terms.mode, tuple(raw.cells or ())))
    if mapping is None:
        mapping = _mapping_of(terms, raw.cells or (), raw.line, opened.format)
    grouping = Grouping(mapping, terms.profile, terms.mode, terms.named)
    prepared = _guarded(grouping(records), raw.line)
    notes = header_notes(mapping, own, terms.profile)
    header = Header(raw, opened.format, mapping, terms, corrects, notes)
    return Reader(header, text, prepared, RecordReader(mapping, terms))


def knowing_parents(stream: BinaryIO, terms: Terms) -> Terms:
    """The terms with the parents that a file's records name, if nothing else makes them parents.

    Only then the stream is read, and taken back to where it was. FileRefused as in `open_feed`, or
    if the file has no column by which its parents are known.
    """
    parents = in_full(terms.profile).parents
    if parents is None or parents.marked or terms.named is not None:
        return terms
    begins = stream.tell()
    reader = _opened(stream, terms)
    named: set[str] = set()
    index = reader.mapping.index_of(parents.reference)
    for prepared in reader.prepared if index is not None else ():
        cells = prepared.raw.cells or ()
        if len(cells) > (index or 0) and (name := cells[index or 0].strip(BLANKS)):
            named.add(name)
            if len(named) > MOST_PARENTS:
                raise too_many_parents(prepared.raw.line)
    columns = [part for key in parents.keys for part in TEMPLATE_PART.findall(key)]
    if named and all(reader.mapping.index_of(column) is None for column in columns):
        raise FileRefused(
            "missing_column",
            f"Records name a parent in {parents.reference}, but the file has no column "
            f"{' or '.join(columns)}, by which parents are known.",
            "Export that column too.",
            line=reader.header.raw.line,
        )
    stream.seek(begins)
    return evolve(terms, named=frozenset(named))


def _guarded(records: Iterator[Prepared], line: int) -> Iterator[Prepared]:
    """The records; whatever fails behind the last one refuses the file."""
    last = line

    def noting_lines() -> Iterator[Prepared]:
        nonlocal last
        for prepared in records:
            last = prepared.raw.line
            yield prepared

    return guarded(noting_lines(), lambda: last)


_Understood = dict[tuple[Mode, tuple[str, ...]], HeaderMapping]
"""The mappings of headers that were tried under a mode, as far as they have one."""


def _mapping_of(
    terms: Terms, header: Sequence[str], line: int, format_: Format | None = None
) -> HeaderMapping:
    currency = terms.profile.currency or terms.currency
    try:
        return map_header(header, terms.mode, terms.profile, currency, line)
    except FileRefused as refused:
        recognised = recognition_hint(header, terms.profile)
        named = None if isinstance(format_, Delimited | None) else format_.records_are
        hints = (recognised, f"Its records are {named}." if named else None)
        remedy = " ".join(filter(None, (*hints, refused.remedy)))
        raise FileRefused(refused.code, refused.detail, remedy, line=refused.line) from None


_OURS: Final = (*REPORT_COLUMNS, *EXPORT_COLUMNS, *INCLUDED_COLUMNS)


def _accepts(terms: Terms, understood: _Understood) -> Accepts:
    """Whether a header names fields at all, be it that others are missing.

    The mappings of those that do are added to `understood`.
    """

    def accepts(header: Sequence[str]) -> bool:
        own = tuple(name for name in header if name.strip(BLANKS) not in _OURS)
        try:
            understood[terms.mode, own] = _mapping_of(terms, own, 1)
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
