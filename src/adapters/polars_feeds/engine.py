"""The vectorised engine: reads whole columns at a time, and what is odd as the reference does."""

import codecs
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO, Final

import polars as pl
from attrs import define, field, frozen

from adapters.polars_feeds.batches import NO_LIMIT, ColumnBatch, Part
from adapters.polars_feeds.chunks import CHUNK, Chunks, Replayed
from adapters.polars_feeds.columns import ColumnReading, Piece
from adapters.polars_feeds.delimited_columns import delimited_pieces
from adapters.polars_feeds.element_columns import ElementPieces
from adapters.polars_feeds.fallback import FAILURES, Oddities, OddReader
from adapters.polars_feeds.known_warnings import KnownWarnings
from adapters.polars_feeds.object_columns import LinePieces
from adapters.polars_feeds.parsing import by_width, parse
from adapters.polars_feeds.prepared import MOST_UNNOTED, PreparedReading
from adapters.polars_feeds.ragged import Ragged
from adapters.polars_feeds.reject_buffer import Kept
from adapters.polars_feeds.report_rows import ColumnWriter, in_order
from adapters.polars_feeds.sheet_columns import sheet_pieces
from adapters.polars_feeds.skipping import offers_in
from adapters.polars_feeds.splits import Splits
from adapters.polars_feeds.splitting import Dialect, Split
from adapters.polars_feeds.tables import TableReader
from adapters.polars_feeds.unchanged import Matcher, is_long, renewed_among, unmarked
from commerce_core.parsing.batching import RECORDS_OF_BATCH
from commerce_core.parsing.decoding import OpenRaw, Text
from commerce_core.parsing.delimited import Delimited
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, FingerprintIndex
from commerce_core.parsing.formats import Format
from commerce_core.parsing.grouping import Grouping, Prepared
from commerce_core.parsing.json_lines import JsonLines
from commerce_core.parsing.reader import (
    Beginning,
    Header,
    Reader,
    knowing_parents,
    open_feed,
)
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reject_rows import Rows, RowWriter
from commerce_core.parsing.sheets import Sheet
from commerce_core.parsing.totals import Adding
from commerce_core.parsing.unforeseen import NOT_OF_FILE, guarded
from commerce_core.parsing.xml_elements import REPORT_ROOT
from commerce_core.parsing.xml_records import Xml
from commerce_core.ports.engine import Reading
from commerce_core.profiles.mapping import REPORT_COLUMNS
from commerce_core.schema.record import Record

_OF_HALF_CHARACTERS: Final = ("utf-7", "unicode-escape", "raw-unicode-escape")
"""Encodings in which half a character can be written, which no column of text can have."""
_OTHERS: Final = "they aren't like most"
_NONE_KNOWN: Final = pl.Series(dtype=pl.UInt32)
_FEW: Final = 128
"""Records up to which reading them one by one is quicker than as columns."""
_FEW_BYTES: Final = 1 << 18
"""The bytes that few records have at most."""


@frozen
class PolarsEngine:
    """Implements `FeedEngine`. `chunk` are the bytes of text that are read at a time.

    Delimited text, rows of sheets, simple elements of XML and simple lines of JSON are split into
    columns. Other JSON, what we wrote (reports and exports), and files in which several records are
    added up to one are split by the reference.
    """

    chunk: int = CHUNK

    def open(self, stream: BinaryIO, terms: Terms) -> Reading:
        """Reads the header."""
        terms = knowing_parents(stream, terms)
        beginning = Beginning()
        reader, replayed = _opened(stream, terms, beginning)
        blocks = chain(beginning.take(), reader.text)
        if why := _why_one_by_one(reader.header):
            replayed.forget()
            return PreparedReading(reader, terms, why)
        if (pieces := _pieces(reader.header, blocks, self.chunk)) is not None:
            replayed.forget()
            return ColumnReading(pieces, PreparedReading(reader, terms, _OTHERS))
        profile = reader.header.terms.profile
        if profile.joins_records or profile.escapes:
            # A piece and what it is completed to are there at the same time.
            chunks = Chunks(replayed.rewind(), reader, max(1, self.chunk // 2))
            pieces = delimited_pieces(_splits(reader.header, chunks))
            return ColumnReading(pieces, PreparedReading(reader, terms, _OTHERS), chunks)
        chunks = Chunks(replayed.rewind(), reader, self.chunk)
        return PolarsReading(reader.header, chunks)


def _why_one_by_one(header: Header) -> str | None:
    """Why the reference has to split the file, if it has to."""
    profile = header.terms.profile
    if not isinstance(header.format, Delimited | Sheet) and not _is_flat(header.format):
        return f"they are {header.format.records_are}"
    if header.returned:
        return "the file is a report or an export"
    if profile.quotes == "none":
        return "its quotes are characters like others"
    if header.terms.mode == "delta" and any(rule.withdraws for rule in profile.skip):
        return "some may withdraw products"
    if Adding.of(header.mapping, profile.totals) is not None:
        return "some belong together"
    if profile.encoding and codecs.lookup(profile.encoding).name in _OF_HALF_CHARACTERS:
        return f"{profile.encoding} can write half characters"
    return None


def _is_flat(found: Format) -> bool:
    """Whether the records are elements, or objects on a line each, without records in them."""
    match found:
        case Xml():
            return not found.nesting.levels and found.path[0] != REPORT_ROOT
        case JsonLines():
            return not found.nesting.levels and not found.nesting.tail
        case _:
            return False


def _pieces(header: Header, blocks: Iterator[str], chunk: int) -> Iterator[Piece] | None:
    """What is split into columns behind the header; None for delimited text."""
    match header.format:
        case Sheet():
            return sheet_pieces(blocks, header, chunk)
        case Xml() as found:
            return ElementPieces(found, header, chunk)(blocks)
        case JsonLines() as found:
            return LinePieces(found, header, chunk)(blocks)
        case _:
            return None


def _splits(header: Header, chunks: Chunks) -> Splits:
    return Splits(chunks, Dialect.of(header.delimiter or ","), len(header.mapping.header))


def _opened(
    stream: BinaryIO, terms: Terms, beginning: Beginning | None = None
) -> tuple[Reader, Replayed]:
    """The header, and the stream, which goes on behind it or from its start."""
    replayed = Replayed(stream)
    return open_feed(replayed, terms, beginning), replayed  # type: ignore[arg-type] - reading is all it does


@define
class PolarsReading:
    """Implements `Reading`, some megabytes at a time; with `only`, the records that fit it."""

    header: Header
    _chunks: Chunks
    _only: pl.Expr | None = None
    _one_by_one: int = 0
    _kept: Kept = field(factory=Kept)
    _waiting: list[pl.DataFrame] = field(factory=list[pl.DataFrame])
    _bytes_waiting: int = 0
    _codes: Counter[int] = field(factory=Counter[int])
    _splits: Splits = field(init=False)
    _read: TableReader = field(init=False)
    _read_odd: OddReader = field(init=False)
    _alone: Grouping = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Prepares what reads."""
        mapping, terms = self.header.mapping, self.header.terms
        self._splits = _splits(self.header, self._chunks)
        self._read = TableReader(mapping, terms)
        self._read_odd = OddReader.of(mapping, terms, self._splits.dialect.delimiter)
        self._alone = Grouping(mapping, terms.profile, terms.mode)

    @property
    def text(self) -> Text:
        """How its bytes are decoded."""
        return self._chunks.text

    @property
    def notes(self) -> tuple[str, ...]:
        """That many records had to be read one by one, which takes longer."""
        if self._one_by_one <= MOST_UNNOTED:
            return ()
        return (f"{self._one_by_one:,} records were read one by one, since they are odd.",)

    def batches(
        self, known: FingerprintIndex = NO_FINGERPRINTS, former: Sequence[str] = ()
    ) -> Iterator[ColumnBatch]:
        """The batches; the rejected records are kept for the report."""
        if not len(known):
            self._chunks.begin_small()
        self._splits.mark = Matcher.of(self.header, known, former) or unmarked
        for batch in guarded(self.unkept(), lambda: self._chunks.line):
            self._kept.add(batch.rejects())
            yield batch

    def report(self, write: RowWriter, again: OpenRaw) -> Iterator[Rows]:
        """Of what was kept; only what the comparison found elsewhere is read again."""
        form = Delimited(self._splits.dialect.delimiter).rows(REPORT_COLUMNS, self.header.raw)
        rows = ColumnWriter(write, form)
        kept = map(rows.completed, self._kept)
        for completed in in_order(
            kept, map(rows.completed, self._reread(again, rows.asked, write.alive))
        ):
            write.alive()
            yield rows(completed)

    def _reread(
        self, again: OpenRaw, asked: pl.Series, alive: Callable[[], object]
    ) -> Iterator[pl.DataFrame]:
        """The records on these lines that weren't kept; if those are lost, all rejected ones."""
        lost = self._kept.lost
        if asked.is_empty() and not lost:
            return
        only = None if lost else pl.col("line").is_in(asked.implode())
        with again() as raw:
            reader, replayed = _opened(raw, self.header.terms)
            for batch in PolarsReading(
                reader.header, Chunks(replayed.rewind(), reader), only
            ).unkept():
                alive()
                yield batch.rejects(asked).filter(pl.col("code").is_null() | pl.lit(lost))

    def unkept(self) -> Iterator[ColumnBatch]:
        """The batches, without keeping their rejected records."""
        for found in self._splits:
            yield from self._batches(found)
        yield from self._unknown_ones()

    def _batches(self, found: Split) -> Iterator[ColumnBatch]:
        """Matched records are only numbered, and their warnings counted; the others are read.

        Where few are unknown, they wait for those of the next chunks, since a batch takes some time
        whatever its length.
        """
        records = found.records if self._only is None else found.records.filter(self._only)
        known = records["number"].drop_nulls()
        unknown = records.filter(pl.col("number").is_null()) if len(known) else records
        if len(unknown) == len(found.records) and not self._waiting:
            yield self._batch(unknown, found.as_csv)
            return
        if len(unknown):
            self._waiting.append(unknown)
            self._bytes_waiting += int(unknown["text"].str.len_bytes().sum())
        warned = KnownWarnings.among(
            records, self._codes, lambda rows: self._some(records[rows]).problems(NO_LIMIT)
        )
        # A batch of none too, so that progress is shown.
        renewed = renewed_among(records)
        yield ColumnBatch(self.header.mapping, (), known, Counter(), Counter(), warned, renewed)
        if self._are_enough():
            yield from self._unknown_ones()

    def _are_enough(self) -> bool:
        """Whether the records that wait are worth a batch."""
        records_waiting = sum(map(len, self._waiting))
        return records_waiting >= RECORDS_OF_BATCH or self._bytes_waiting >= self._chunks.size

    def _unknown_ones(self) -> Iterator[ColumnBatch]:
        """The records that wait for being read."""
        waiting, self._waiting, self._bytes_waiting = self._waiting, [], 0
        if waiting:
            yield self._some(pl.concat(waiting))

    def _some(self, asked: pl.DataFrame) -> ColumnBatch:
        """Reads some records of a file whose others are known; nearly always they are few."""
        if len(asked) > _FEW or asked["text"].str.len_bytes().sum() > _FEW_BYTES:
            return self._batch(asked)
        return self._batch_of([], self._read_odd(asked), Counter(), Counter())

    def _batch(self, asked: pl.DataFrame, as_csv: bytes | None = None) -> ColumnBatch:
        """Reads records; `as_csv` is their text, if it is there."""
        long = asked.filter(is_long())
        if len(long):
            asked, as_csv = asked.filter(~is_long()), None
        try:
            parts, odd, fates, reasons = self._in_columns(asked, as_csv)
        except NOT_OF_FILE:
            raise
        except FAILURES:  # Read one by one, only the record at fault is lost.
            parts, odd = [], self._read_odd(asked)
            fates, reasons = Counter[str](), Counter[str]()
        for each in long.iter_slices(1):
            odd = [*odd, *self._read_odd(each)]
        self._one_by_one += len(odd)
        return self._batch_of(parts, odd, fates, reasons)

    def _batch_of(
        self,
        parts: list[Part],
        odd: Sequence[tuple[Prepared, Record]],
        fates: Counter[str],
        reasons: Counter[str],
    ) -> ColumnBatch:
        """A batch of what was read as columns and what one by one."""
        if odd_offers := [(p, record) for p, record in odd if record.fate is None]:
            parts = [*parts, Oddities(odd_offers)]
        fates = fates + Counter(record.fate for _, record in odd if record.fate is not None)
        reasons = reasons + Counter(r.reason for _, r in odd if r.reason is not None)
        return ColumnBatch(self.header.mapping, parts, _NONE_KNOWN, fates, reasons)

    def _in_columns(
        self, asked: pl.DataFrame, as_csv: bytes | None
    ) -> tuple[list[Part], Sequence[tuple[Prepared, Record]], Counter[str], Counter[str]]:
        """What was read as columns, what one by one, and the fates and reasons of no offers."""
        width, delimiter = len(self.header.mapping.header), self._splits.dialect.delimiter
        parts: list[Part] = []
        odd: list[tuple[Prepared, Record]] = []
        fates, reasons = Counter[str](), Counter[str]()
        for most, records in by_width(asked, width, delimiter):
            whole = as_csv if len(records) == len(asked) and most == width else None
            parsed = parse(records, most, delimiter, whole)
            if most < width:
                parsed = parsed.as_ragged()
            offers = offers_in(
                parsed,
                most,
                self._alone.skips if most == width else (),
                self.header.mapping.header if most == width else (),
                self._alone.sums if most == width else None,
            )
            if len(offers.fitting):
                parts.append(self._read(offers.fitting, plain=self._splits.is_plain))
            if len(offers.ragged):
                parts.append(Ragged.of(offers.ragged, self.header.mapping, most, delimiter))
            odd += self._read_odd(parsed.odd)
            fates, reasons = fates + offers.fates, reasons + offers.reasons
        return parts, odd, fates, reasons
