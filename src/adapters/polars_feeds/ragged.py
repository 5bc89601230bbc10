"""Records with too few or too many cells, as columns: `RecordReader._ragged` for many at once."""

from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl
from attrs import frozen

from adapters.polars_feeds.parsing import MORE, cell
from adapters.polars_feeds.reject_buffer import REJECTS
from adapters.polars_feeds.report_rows import cut
from adapters.polars_feeds.texts import behind, nulls, read_distinct
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.record_reader import ragged
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.schema.cells import read_sku
from commerce_core.schema.problems import Noted, Problem
from commerce_core.schema.record import Record

_CODE = "ragged_record"


@frozen
class Ragged:
    """Implements `Part`. `count` in its rows is how many cells each has, `most` how many they can.

    `width` is that of the header.
    """

    rows: pl.DataFrame
    skus: pl.Series
    width: int
    most: int
    delimiter: str

    @classmethod
    def of(cls, rows: pl.DataFrame, mapping: HeaderMapping, most: int, delimiter: str) -> "Ragged":
        """The records of one file."""
        skus = nulls(len(rows))
        if mapping.field_mappings["sku"].indexes == (0,):
            # Only a sku in the first cell of a single line can't have shifted.
            alone = rows["lines"] == 1
            if alone.any():
                results, place = read_distinct(rows[cell(0)], alone, read_sku)
                skus = behind(skus, results, place)
        return cls(rows, skus, len(mapping.header), most, delimiter)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Record]:
        return self._read(self.rows, self.skus)

    def noted(self) -> Counter[Noted]:
        """Their problems, counted."""
        return Counter({(_CODE, None, "error"): len(self)})

    def problems(self, limit: int, before: int | None) -> Iterator[Problem]:
        """Their first problems."""
        count = len(self) if before is None else int((self.rows["line"] < before).sum())
        count = min(count, limit)
        for record in self._read(self.rows.head(count), self.skus.head(count)):
            yield from record.problems

    def listing(self, limit: int, before: int | None) -> Iterator[Problem]:
        """Their first problems, which are all errors."""
        return self.problems(limit, before)

    def columns(self, schema: pl.Schema) -> pl.DataFrame:
        """The offers as columns, which have nothing but a sku."""
        own = {"line": self.rows["line"], "sku": self.skus, "rejected": True, "deletes": False}
        columns = (pl.lit(own.get(name), kind).alias(name) for name, kind in schema.items())
        return self.rows.select(columns)

    def rejected(self) -> int:
        """How many have an error: all."""
        return len(self)

    def skus_unreadable(self) -> int:
        """How many have no sku that can be read."""
        return self.skus.null_count()

    def skus_without_error(self) -> Sequence[str]:
        """None: all have an error."""
        return ()

    def rejects(self, asked: pl.Series) -> pl.DataFrame:  # noqa: ARG002 - all are rejected
        """All of them, as a report needs them."""
        parts = (self._of_length(rows) for rows in self.rows.partition_by("count"))
        return pl.concat([REJECTS.to_frame(), *parts]).sort("line")

    def _of_length(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The records with one number of cells."""
        count = rows["count"][0]
        problem = ragged(RawRecord(0, None), [""] * count, self.width)
        cells = [*map(cell, range(self.most)), MORE][:count]
        value = cut(pl.concat_str(cells, separator=self.delimiter))
        own = {"code": pl.lit(_CODE), "column": pl.lit(None, pl.String), "value": value,
               "hint": pl.lit(problem.hint), "broken": pl.lit(value=False)}  # fmt: skip
        return rows.with_columns(**own).select(*REJECTS)

    def _read(self, rows: pl.DataFrame, skus: pl.Series) -> Iterator[Record]:
        about = rows.select("line", "lines", "count").iter_rows()
        cells = rows.select([*map(cell, range(self.most)), MORE]).iter_rows()
        for (line, lines, count), row, sku in zip(about, cells, skus, strict=True):
            kept = list(row[:count])
            raw = RawRecord(line, kept, "", lines, self.delimiter)
            yield Record(line, sku, {}, (ragged(raw, kept, self.width),))
