"""Files that are split into columns, and into records one by one where those don't fit."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

import polars as pl
from attrs import define, field, frozen

from adapters.polars_feeds.batches import NO_LIMIT, ColumnBatch
from adapters.polars_feeds.chunks import Chunks
from adapters.polars_feeds.completing import HEADS, Completed, Completing, unescaped
from adapters.polars_feeds.fallback import FAILURES, Oddities
from adapters.polars_feeds.group_columns import GroupCompleting
from adapters.polars_feeds.known_warnings import KnownWarnings
from adapters.polars_feeds.parent_columns import ParentCompleting
from adapters.polars_feeds.parsing import MORE, Parsed, index_of
from adapters.polars_feeds.prepared import PreparedReading
from adapters.polars_feeds.skipping import offers_in
from adapters.polars_feeds.splitting import Mark
from adapters.polars_feeds.tables import PICTURES_OF_OTHERS, TableReader
from adapters.polars_feeds.unchanged import ENGINE, Matcher, renewed_among, unmarked
from commerce_core.parsing.batching import text_of_batch
from commerce_core.parsing.decoding import OpenRaw, Text
from commerce_core.parsing.fingerprints import (
    NO_FINGERPRINTS,
    FingerprintIndex,
    Fingerprinting,
)
from commerce_core.parsing.grouping import Grouping, Joining
from commerce_core.parsing.groups import WITH_VARIANTS, Groups
from commerce_core.parsing.meaning import meaning_of
from commerce_core.parsing.other_files import BREAKS_OFF
from commerce_core.parsing.parents import Relatives
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.reader import Header
from commerce_core.parsing.record_reader import RecordReader
from commerce_core.parsing.reject_rows import Rows, RowWriter
from commerce_core.parsing.unforeseen import NOT_OF_FILE, guarded
from commerce_core.schema.problems import Problem

_NUL: Final = pl.col(pl.String).str.contains("\0", literal=True)
_BREAKS_OFF: Final = pl.col("c0").str.contains(BREAKS_OFF)
_BETWEEN: Final = "\x1f"
_NONE_KNOWN: Final = pl.Series(dtype=pl.UInt32)


@frozen
class Piece:
    """Some records of a file in its order: their `cells`, or None where some don't fit the header.

    The columns are `line`, `text`, by which a record is recognised, perhaps the `end` of that and
    how many `lines` it has, and a cell for each of the header: `c0`, `c1` ... `raws` are the same
    records one by one. Those that the reference has to judge may be among the cells if it isn't
    known that `none_odd` are.
    """

    line: int
    cells: pl.DataFrame | None
    raws: Callable[[], Iterable[RawRecord]]
    none_odd: bool = False


@define
class ColumnReading:
    """Implements `Reading`, a piece at a time; `others` reads the pieces that don't fit."""

    _pieces: Iterator[Piece]
    _others: PreparedReading
    _chunks: Chunks | None = None
    _mark: Mark = unmarked
    _line: int = 1
    _codes: Counter[int] = field(factory=Counter[int])
    _read: TableReader = field(init=False)
    _read_one: RecordReader = field(init=False)
    _grouping: Grouping = field(init=False)
    _joining: Joining = field(init=False)
    _completing: Completing | None = field(init=False)
    _most: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Prepares what reads."""
        mapping, terms = self.header.mapping, self.header.terms
        self._read = TableReader(mapping, terms)
        self._read_one = RecordReader(mapping, terms)
        self._grouping = Grouping(mapping, terms.profile, terms.mode, terms.named)
        self._joining = self._grouping.joining()
        self._completing = _completing_for(self._joining, self._delimiter)
        self._most = text_of_batch(terms.profile)

    @property
    def header(self) -> Header:
        """What its header says."""
        return self._others.header

    @property
    def text(self) -> Text:
        """How its bytes are decoded."""
        return self._others.text if self._chunks is None else self._chunks.text

    @property
    def notes(self) -> tuple[str, ...]:
        """That many records had to be split one by one, which takes longer."""
        return self._others.notes

    def batches(
        self, known: FingerprintIndex = NO_FINGERPRINTS, former: Sequence[str] = ()
    ) -> Iterator[ColumnBatch]:
        """A batch for each piece, more where it doesn't fit."""
        matcher = Matcher.of(self.header, known, former)
        if matcher is not None:
            self._mark = self._others.mark = matcher
        elif self._completing is not None:
            # Of others, what they take isn't in their text. They have no fingerprint.
            completed = Fingerprinting.of(ENGINE, meaning_of(self.header))
            self._mark = partial(_marked_whole, Matcher(completed, known))
        yield from guarded(self._batches(), lambda: self._line)

    def report(self, write: RowWriter, again: OpenRaw) -> Iterator[Rows]:
        """All records are read again, since nothing is kept of them."""
        return self._others.report(write, again)

    @property
    def _delimiter(self) -> str:
        return self.header.delimiter or ""

    def _batches(self) -> Iterator[ColumnBatch]:
        for piece in self._pieces:
            self._line = piece.line
            yield from self._of_piece(piece)
            del piece  # Or it would stay while the next one is made.
        yield from self._others.read(self._joining.end())

    def _of_piece(self, piece: Piece) -> Iterator[ColumnBatch]:
        """A batch for a piece, more where it doesn't fit, or where its records take a lot."""
        completed = self._completed(piece)
        if completed is None:
            yield from self._others.read(self._joined(piece))
            return
        for some in completed.in_parts(self._most):
            batch = self._in_columns(some)
            if batch is not None:
                yield batch
            elif self._completing is None:
                yield from self._others.read(self._joined(piece))
            else:
                yield from self._one_by_one(some)

    def _joined(self, piece: Piece) -> Iterator[Prepared]:
        """The records of a piece, one by one."""
        raws, unescaping = piece.raws(), self._grouping.unescaping
        return self._joining(raws if unescaping is None else map(unescaping, raws))

    def _completed(self, piece: Piece) -> Completed | None:
        """The records with what they take from others; None if some aren't read as columns."""
        cells = piece.cells
        try:
            if cells is None or not (piece.none_odd or _none_odd(cells)):
                return None
            if self._grouping.unescaping is not None:
                cells = unescaped(cells, self._grouping.unescaping)
            return Completed(cells) if self._completing is None else self._completing(cells)
        except NOT_OF_FILE:
            raise
        except FAILURES:
            return None

    def _in_columns(self, some: Completed) -> ColumnBatch | None:
        """The records read as columns; None if some have to be read one by one."""
        try:
            if some.taken and not _none_odd(some.cells.select({"c0", *some.taken})):
                return None
            return self._batch(some)
        except NOT_OF_FILE:
            raise
        except FAILURES:
            return None

    def _one_by_one(self, some: Completed) -> Iterator[ColumnBatch]:
        """Completed records, read one by one."""
        width = len(self.header.mapping.header)
        yield ColumnBatch(self.header.mapping, (), _NONE_KNOWN, some.fates, some.reasons)
        yield from self._others.read(some.one_by_one(self._grouping.alone, width, self._delimiter))

    def _batch(self, some: Completed) -> ColumnBatch:
        mapping = self.header.mapping
        cells = some.cells.with_columns(pl.lit("").alias(MORE))
        parsed, width = Parsed(cells, cells.clear(), cells.clear()), len(mapping.header)
        found = offers_in(parsed, width, self._grouping.skips, mapping.header, self._grouping.sums)
        fitting, heads = _without_heads(found.fitting)
        marked = self._mark(fitting).drop("text")
        known = marked["number"].drop_nulls()
        unknown = marked.filter(pl.col("number").is_null()) if len(known) else marked
        warned = KnownWarnings.among(marked, self._codes, partial(self._problems, marked))
        others = self._read_others(some.others)
        parts = [*others.parts, self._read(unknown)] if len(unknown) else others.parts
        fates = some.fates + found.fates + others.fates + Counter(skipped=heads)
        reasons = some.reasons + found.reasons + others.reasons + Counter({WITH_VARIANTS: heads})
        renewed = renewed_among(marked)
        return ColumnBatch(mapping, parts, known, fates, reasons, warned, renewed)

    def _read_others(self, others: Sequence[Prepared]) -> ColumnBatch:
        """A few records, read one by one."""
        odd = [(one, self._read_one(one)) for one in others]
        offers = [(one, record) for one, record in odd if record.fate is None]
        fates = Counter(record.fate for _, record in odd if record.fate is not None)
        reasons = Counter(record.reason for _, record in odd if record.reason is not None)
        parts = [Oddities(offers)] if offers else []
        return ColumnBatch(self.header.mapping, parts, _NONE_KNOWN, fates, reasons)

    def _problems(self, marked: pl.DataFrame, rows: pl.Series) -> Iterator[Problem]:
        """The problems of the records in these rows."""
        return iter(self._read(marked[rows]).problems(NO_LIMIT, None))


def _marked_whole(mark: Mark, offers: pl.DataFrame) -> pl.DataFrame:
    """Marks completed records by all that they mean: their cells, and the pictures of others."""
    cells = [pl.col(name) for name in offers.columns if index_of(name) is not None]
    pictures = pl.col(PICTURES_OF_OTHERS) if PICTURES_OF_OTHERS in offers.columns else pl.lit("")
    marked = mark(offers.with_columns(text=pl.concat_str(*cells, pictures, separator=_BETWEEN)))
    # A cell that has what stands between them could as well be two.
    clear = pl.col("text").str.count_matches(_BETWEEN, literal=True) == len(cells)
    if marked.select(clear.all()).item():
        return marked
    return marked.with_columns(pl.when(clear).then(pl.col("upper", "lower", "number", "warnings")))


def _completing_for(joining: Joining, delimiter: str) -> Completing | None:
    """What completes many records at once as that does one by one; None if it completes none."""
    match joining:
        case Groups():
            return GroupCompleting(joining, delimiter)
        case Relatives():
            return ParentCompleting(joining, delimiter)
        case _:
            return None


def _none_odd(cells: pl.DataFrame) -> bool:
    """Whether the reference has to judge none of these records."""
    return not cells.select(pl.any_horizontal(_NUL, _BREAKS_OFF).any()).item()


def _without_heads(offers: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The offers without heads that have variants, and how many of those there were."""
    if HEADS not in offers.columns:
        return offers, 0
    others = offers.filter(~pl.col(HEADS)).drop(HEADS)
    return others, len(offers) - len(others)
