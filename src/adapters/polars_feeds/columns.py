"""Files that are split into columns, and into records one by one where those don't fit."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

import polars as pl
from attrs import define, field, frozen

from adapters.polars_feeds.batches import NO_LIMIT, ColumnBatch
from adapters.polars_feeds.fallback import FAILURES
from adapters.polars_feeds.known_warnings import KnownWarnings
from adapters.polars_feeds.parsing import MORE, Parsed
from adapters.polars_feeds.prepared import PreparedReading
from adapters.polars_feeds.skipping import offers_in
from adapters.polars_feeds.splitting import Mark
from adapters.polars_feeds.tables import TableReader
from adapters.polars_feeds.unchanged import ENGINE, Matcher, unmarked
from commerce_core.parsing.decoding import OpenRaw, Text
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, FingerprintIndex
from commerce_core.parsing.grouping import Grouping
from commerce_core.parsing.other_files import BREAKS_OFF
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.reader import Header
from commerce_core.parsing.reference import fingerprinting
from commerce_core.parsing.reject_rows import Rows, RowWriter
from commerce_core.parsing.skipping import Skipping
from commerce_core.parsing.unforeseen import NOT_OF_FILE, guarded
from commerce_core.schema.problems import Problem

_ODD: Final = pl.any_horizontal(pl.col(pl.String).str.contains("\0", literal=True)) | pl.col(
    "c0"
).str.contains(BREAKS_OFF)
"""Records that the reference has to judge."""


@frozen
class Piece:
    """Some records of a file in its order: their `cells`, or None where some don't fit the header.

    The columns are `line`, `text`, by which a record is recognised, and a cell for each of the
    header: `c0`, `c1` ... `raws` are the same records one by one.
    """

    line: int
    cells: pl.DataFrame | None
    raws: Callable[[], Iterable[RawRecord]]


@define
class ColumnReading:
    """Implements `Reading`, a piece at a time; `others` reads the pieces that don't fit."""

    _pieces: Iterator[Piece]
    _others: PreparedReading
    _mark: Mark = unmarked
    _line: int = 1
    _codes: Counter[int] = field(factory=Counter[int])
    _read: TableReader = field(init=False)
    _alone: Grouping = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Prepares what reads."""
        mapping, terms = self.header.mapping, self.header.terms
        self._read = TableReader(mapping, terms)
        self._alone = Grouping(mapping, terms.profile, terms.mode)

    @property
    def header(self) -> Header:
        """What its header says."""
        return self._others.header

    @property
    def text(self) -> Text:
        """How its bytes are decoded."""
        return self._others.text

    @property
    def notes(self) -> tuple[str, ...]:
        """That many records had to be split one by one, which takes longer."""
        return self._others.notes

    def batches(self, known: FingerprintIndex = NO_FINGERPRINTS) -> Iterator[ColumnBatch]:
        """A batch for each piece, more where it doesn't fit."""
        fingerprinted = fingerprinting(ENGINE, self.header)
        if fingerprinted:
            self._mark = self._others.mark = Matcher(fingerprinted, known)
        yield from guarded(self._batches(), lambda: self._line)

    def report(self, write: RowWriter, again: OpenRaw) -> Iterator[Rows]:
        """All records are read again, since nothing is kept of them."""
        return self._others.report(write, again)

    def _batches(self) -> Iterator[ColumnBatch]:
        for piece in self._pieces:
            self._line = piece.line
            batch = self._in_columns(piece.cells)
            if batch is not None:
                yield batch
            else:
                yield from self._others.read(map(self._alone.alone, piece.raws()))

    def _in_columns(self, cells: pl.DataFrame | None) -> ColumnBatch | None:
        """The records read as columns; None if some have to be read one by one."""
        try:
            if cells is None or cells.select(_ODD.any()).item():
                return None
            return self._batch(cells.with_columns(pl.lit("").alias(MORE)))
        except NOT_OF_FILE:
            raise
        except FAILURES:
            return None

    def _batch(self, cells: pl.DataFrame) -> ColumnBatch:
        mapping = self.header.mapping
        none = cells.clear()
        skips: tuple[Skipping, ...] = self._alone.skips
        parsed, width = Parsed(cells, none, none), len(mapping.header)
        found = offers_in(parsed, width, skips, mapping.header, self._alone.sums)
        marked = self._mark(found.fitting).drop("text")
        known = marked["number"].drop_nulls()
        unknown = marked.filter(pl.col("number").is_null()) if len(known) else marked
        table = [self._read(unknown)] if len(unknown) else []
        warned = KnownWarnings.among(marked, self._codes, partial(self._problems, marked))
        return ColumnBatch(mapping, table, known, found.fates, found.reasons, warned)

    def _problems(self, marked: pl.DataFrame, rows: pl.Series) -> Iterator[Problem]:
        """The problems of the records in these rows."""
        return iter(self._read(marked[rows]).problems(NO_LIMIT, None))
