"""Files that the reference has to split: it prepares their records, and their cells become columns.

JSON documents, what we wrote ourselves, and records that are added up are taken apart one by one.
Reading their cells would take several times as long as that, and is done for many at once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, compress
from typing import Final

import polars as pl
from attrs import define, evolve, field

from adapters.polars_feeds.batches import NO_LIMIT, ColumnBatch, Part
from adapters.polars_feeds.fallback import FAILURES, Oddities
from adapters.polars_feeds.known_warnings import NO_WARNINGS, KnownWarnings
from adapters.polars_feeds.parsing import cell
from adapters.polars_feeds.splitting import Mark
from adapters.polars_feeds.tables import LACKING, PICTURES_OF_OTHERS, TableReader
from adapters.polars_feeds.unchanged import Matcher, renewed_among, unmarked
from commerce_core.base.text import BLANKS
from commerce_core.parsing.batching import batched, size_of, text_of_batch
from commerce_core.parsing.decoding import OpenRaw, Text
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, FingerprintIndex, with_warnings
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import without_end
from commerce_core.parsing.reader import Header, Reader, open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reject_rows import Reread, Rows, RowWriter
from commerce_core.parsing.unforeseen import NOT_OF_FILE
from commerce_core.schema.fields import bits_of
from commerce_core.schema.problems import Problem
from commerce_core.schema.record import Record

MOST_UNNOTED: Final = 10_000
"""Records taken one by one up to which no note is made."""
_MOST_REMEMBERED: Final = 10_000
"""Sets of lacking cells whose fields are remembered."""
_NONE_KNOWN: Final = pl.Series(dtype=pl.UInt32)
_SENT: Final = pl.Schema({"line": pl.Int64, "text": pl.String})


@define
class PreparedReading:
    """Implements `Reading`, some thousand records at a time. `why` they are split one by one."""

    _reader: Reader
    _terms: Terms
    _why: str
    mark: Mark = unmarked
    _records: int = 0
    _read: TableReader = field(init=False)
    _most: int = field(init=False)
    _codes: Counter[int] = field(factory=Counter[int])
    _lacking_known: dict[frozenset[int], int] = field(factory=dict[frozenset[int], int])

    def __attrs_post_init__(self) -> None:
        """Prepares what reads."""
        self._read = TableReader(self.header.mapping, self.header.terms)
        self._most = text_of_batch(self.header.terms.profile)

    @property
    def header(self) -> Header:
        """What its header says."""
        return self._reader.header

    @property
    def text(self) -> Text:
        """How its bytes are decoded."""
        return self._reader.text

    @property
    def notes(self) -> tuple[str, ...]:
        """That many records had to be split one by one, which takes longer."""
        if self._records <= MOST_UNNOTED:
            return ()
        return (f"{self._records:,} records were split one by one, since {self._why}.",)

    def batches(
        self, known: FingerprintIndex = NO_FINGERPRINTS, former: Sequence[str] = ()
    ) -> Iterator[ColumnBatch]:
        """Some thousand records at a time, fewer if they are long."""
        self.mark = Matcher.of(self.header, known, former) or self.mark
        yield from self.read(self._reader.prepared)

    def read(self, records: Iterable[Prepared]) -> Iterator[ColumnBatch]:
        """The batches of these records."""
        for chunk in batched(records, size_of, self._most):
            self._records += len(chunk)
            yield self._batch(chunk)

    def report(self, write: RowWriter, again: OpenRaw) -> Iterator[Rows]:
        """All records are read again, since nothing is kept of them."""
        with again() as raw:
            yield from write(self._reread(open_feed(raw, self._terms).prepared))

    def _reread(self, records: Iterator[Prepared]) -> Iterator[Reread]:
        """The records as they came, with their problems."""
        for some in batched(records, size_of, self._most):
            problems: defaultdict[int, list[Problem]] = defaultdict(list)
            # A matched record isn't rejected.
            batch = evolve(self._batch(some), warned=NO_WARNINGS)
            for problem in batch.problems(NO_LIMIT):
                problems[problem.line].append(problem)
            for prepared in some:
                yield prepared, tuple(problems.get(prepared.raw.line, ()))

    def _batch(self, some: Sequence[Prepared]) -> ColumnBatch:
        fates = Counter(prepared.fate for prepared in some if prepared.fate is not None)
        reasons = Counter(prepared.reason for prepared in some if prepared.reason is not None)
        offers = [prepared for prepared in some if prepared.fate is None]
        try:
            marked = self._marked(offers)
            unknown = marked["number"].is_null()
            parts = self._in_columns(_selected(offers, unknown), marked.filter(unknown))
        except NOT_OF_FILE:
            raise
        except FAILURES:  # Read one by one, only the record at fault is lost.
            # Nearly always half a character, which no column of text can have.
            odd = Oddities([(prepared, self._reader.read(prepared)) for prepared in offers])
            return ColumnBatch(self.header.mapping, [odd], _NONE_KNOWN, fates, reasons)
        known = marked["number"].drop_nulls()
        warned = KnownWarnings.among(marked, self._codes, partial(self._problems, offers))
        renewed = renewed_among(marked)
        return ColumnBatch(self.header.mapping, parts, known, fates, reasons, warned, renewed)

    def _problems(self, offers: Sequence[Prepared], rows: pl.Series) -> Iterator[Problem]:
        """The problems of the offers in these rows."""
        found = (self._reader.read(offers[int(row)]).problems for row in rows)
        return chain.from_iterable(found)

    def _marked(self, offers: Sequence[Prepared]) -> pl.DataFrame:
        """The lines of records, and which of these are known."""
        lines = [prepared.raw.line for prepared in offers]
        texts = [without_end(prepared.raw.sent) for prepared in offers]
        return self.mark(pl.DataFrame({"line": lines, "text": texts}, _SENT)).drop("text")

    def _in_columns(self, offers: Sequence[Prepared], marked: pl.DataFrame) -> Sequence[Part]:
        """The records, read."""
        fits = pl.Series([self._fits(prepared) for prepared in offers], dtype=pl.Boolean)
        table = self._cells(_selected(offers, fits), marked.filter(fits))
        nul = table.select(
            pl.any_horizontal(pl.col(pl.String).str.contains("\0", literal=True))
        ).to_series()
        if nul.any():
            fits = fits.scatter(fits.arg_true().filter(nul), False)  # noqa: FBT003 - a value
            table = table.filter(~nul)
        odd = self._odd(_selected(offers, ~fits), marked.filter(~fits))
        return [self._read(table), Oddities(odd)]

    def _fits(self, prepared: Prepared) -> bool:
        """Whether its cells are those of the header, be it that blank ones follow."""
        raw, cells, read = prepared.raw, prepared.raw.cells, self._reader.read
        if (
            cells is None
            or prepared.withdrawn
            or any(read.late(raw))
            or read.corrects_another(raw)
            or read.breaks_off(cells)
        ):
            return False
        width = len(self.header.mapping.header)
        return len(cells) == width or (
            len(cells) > width and not any(cell.strip(BLANKS) for cell in cells[width:])
        )

    def _cells(self, fitting: Sequence[Prepared], marked: pl.DataFrame) -> pl.DataFrame:
        """The cells of records as columns."""
        names = list(map(cell, range(len(self.header.mapping.header))))
        columns = zip(*(prepared.raw.cells or () for prepared in fitting), strict=False)
        found = dict(zip(names, columns, strict=False)) or dict.fromkeys(names, ())
        made = [pl.Series(name, texts, pl.String) for name, texts in found.items()]
        if any(prepared.pictures for prepared in fitting):
            pictures = [" ".join(prepared.pictures) for prepared in fitting]
            made.append(pl.Series(PICTURES_OF_OTHERS, pictures, pl.String))
        if self.header.terms.mode == "delta" and any(prepared.raw.lacks for prepared in fitting):
            made.append(pl.Series(LACKING, map(self._lacking, fitting), pl.Int64))
        return marked.hstack(made)

    def _lacking(self, prepared: Prepared) -> int:
        """The fields that a record leaves alone, since it lacks their columns, as bits."""
        lacks = prepared.raw.lacks
        known = self._lacking_known.get(lacks)
        if known is None:
            if len(self._lacking_known) >= _MOST_REMEMBERED:
                self._lacking_known.clear()
            mappings = self.header.mapping.field_mappings.values()
            lacking = {f.field.name for f in mappings if lacks and f.is_lacking(lacks)}
            known = self._lacking_known[lacks] = bits_of(lacking - {"sku"})
        return known

    def _odd(
        self, odd: Sequence[Prepared], marked: pl.DataFrame
    ) -> Sequence[tuple[Prepared, Record]]:
        """Records read by the reference."""
        prints = marked.select("upper", "lower").iter_rows()
        return [
            (prepared, self._one(prepared, *found))
            for prepared, found in zip(odd, prints, strict=True)
        ]

    def _one(self, prepared: Prepared, upper: int | None, lower: int | None) -> Record:
        record = self._reader.read(prepared)
        if upper is None or lower is None:
            return record
        return evolve(record, fingerprint=with_warnings((upper, lower), record.problems))


def _selected(records: Sequence[Prepared], mask: pl.Series) -> Sequence[Prepared]:
    return list(compress(records, mask))
