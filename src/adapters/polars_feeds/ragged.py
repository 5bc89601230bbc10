# pyright: reportUnknownMemberType=false
"""Records with too few or too many cells, as columns: `RecordReader._ragged` for many at once."""

from collections import Counter
from collections.abc import Collection, Iterator

import polars as pl
from attrs import frozen

from adapters.polars_feeds.parsing import MORE, cell
from adapters.polars_feeds.texts import behind, nulls, told_of
from commerce_core.cells import read_sku
from commerce_core.feed_engine import Noted, Reread
from commerce_core.feed_schema import Problem, Record
from commerce_core.feed_text import RawRecord
from commerce_core.grouping import Prepared
from commerce_core.layouts import Layout
from commerce_core.records import ragged

_CODE = "ragged_record"


@frozen
class Ragged:
    """Implements `Part`. `count` in its rows is how many cells each has."""

    rows: pl.DataFrame
    skus: pl.Series
    width: int
    delimiter: str

    @classmethod
    def of(cls, rows: pl.DataFrame, layout: Layout, delimiter: str) -> "Ragged":
        """The records of one file."""
        skus = nulls(len(rows))
        if layout.feedings["sku"].indexes == (0,):
            # Only a sku in the first cell of a single line can't have shifted.
            alone = rows["lines"] == 1
            if alone.any():
                told, place = told_of(rows[cell(0)], alone, read_sku)
                skus = behind(skus, told, place)
        return cls(rows, skus, len(layout.header), delimiter)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Record]:
        return (record for _, record in self._read(self.rows, self.skus))

    def noted(self) -> Counter[Noted]:
        """Their problems, counted."""
        return Counter({(_CODE, None, "error"): len(self)})

    def problems(self, limit: int) -> Iterator[Problem]:
        """Their first problems."""
        for _, record in self._read(self.rows.head(limit), self.skus.head(limit)):
            yield from record.problems

    def columns(self, schema: pl.Schema) -> pl.DataFrame:
        """The offers as columns, which say nothing but a sku."""
        own = {"line": self.rows["line"], "sku": self.skus, "rejected": True, "deletes": False}
        said = (pl.lit(own.get(name), kind).alias(name) for name, kind in schema.items())
        return self.rows.select(said)

    def to_mend(self, lines: Collection[int]) -> Iterator[Reread]:  # noqa: ARG002 - all are rejected
        """All of them."""
        return ((p, record.problems) for p, record in self._read(self.rows, self.skus))

    def _read(self, rows: pl.DataFrame, skus: pl.Series) -> Iterator[tuple[Prepared, Record]]:
        about = rows.select("line", "lines", "text", "end", "count").iter_rows()
        cells = rows.select([*map(cell, range(self.width)), MORE]).iter_rows()
        for (line, lines, text, end, count), row, sku in zip(about, cells, skus, strict=True):
            kept = list(row[:count])
            raw = RawRecord(line, kept, "", lines, self.delimiter, text + end)
            yield Prepared(raw), Record(line, sku, {}, (ragged(raw, kept, self.width),))
