# pyright: reportUnknownMemberType=false
"""The batches of the vectorised engine: records as columns, the odd ones beside them."""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter

import polars as pl
from attrs import frozen

from adapters.polars_feeds.oddities import Oddities, schema_of
from adapters.polars_feeds.tables import Table
from commerce_core.feed_engine import Noted
from commerce_core.feed_schema import Problem, Record
from commerce_core.grouping import Prepared
from commerce_core.layouts import Layout


@frozen
class ColumnBatch:
    """Implements `Batch`, with columns."""

    layout: Layout
    delimiter: str
    table: Table | None
    odd: Oddities
    known: pl.Series
    no_offers: Counter[str]
    _reasons: Counter[str]

    @property
    def records_read(self) -> int:
        """All of them, the recognised too."""
        return self._rows + len(self.odd) + len(self.known) + self.no_offers.total()

    @property
    def _rows(self) -> int:
        return 0 if self.table is None else len(self.table)

    @property
    def recognised(self) -> Sequence[int]:
        """The numbers of the known fingerprints."""
        return self.known.to_list()

    @property
    def fates(self) -> Counter[str]:
        """The fates of those that are no offers."""
        return self.no_offers + self.odd.fates()

    @property
    def reasons(self) -> Counter[str]:
        """Why some were skipped."""
        return self._reasons + self.odd.reasons()

    @property
    def noted(self) -> Counter[Noted]:
        """The problems of the offers, counted."""
        found = [problem for record in self.odd.records() for problem in record.problems]
        own: Counter[Noted] = Counter((p.code, p.column, p.severity) for p in found)
        return own if self.table is None else own + self.table.noted()

    def problems(self, limit: int) -> Iterable[Problem]:
        """The first problems."""
        of_table = () if self.table is None or not limit else self.table.problems(limit)
        of_odd = (problem for record in self.odd.records() for problem in record.problems)
        return islice(heapq.merge(of_table, of_odd, key=attrgetter("line")), limit)

    def __iter__(self) -> Iterator[Record]:
        rows = pl.int_range(self._rows, dtype=pl.UInt32, eager=True)
        of_table = () if self.table is None else self.table.records(rows)
        return heapq.merge(of_table, self.odd.records(), key=attrgetter("line"))

    def columns(self) -> pl.DataFrame:
        """Its offers as columns, in the order of the file."""
        schema = schema_of(self.layout)
        tables = [] if self.table is None else [self.table.columns().select(*schema)]
        if any(True for _ in self.odd.records()):
            tables.append(self.odd.columns(schema))
        return pl.concat(tables).sort("line") if tables else schema.to_frame()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The same through the Arrow C stream protocol."""
        return self.columns().__arrow_c_stream__(requested_schema)

    def to_mend(self, lines: Collection[int]) -> Iterator[tuple[Prepared, Record]]:
        """The rejected records and those on these lines, with what they were."""
        odd = ((p, r) for p, r in self.odd.read if r.rejected or r.line in lines)
        if self.table is None:
            return odd
        wanted = self.table.rejected()
        if lines:
            asked = self.table.cells["line"].is_in(pl.Series(list(lines), dtype=pl.Int64).implode())
            wanted = pl.concat([wanted, asked.arg_true().cast(pl.UInt32)]).unique().sort()
        own = zip(
            self.table.prepared(wanted, self.delimiter), self.table.records(wanted), strict=True
        )
        return heapq.merge(own, odd, key=lambda read: read[1].line)
