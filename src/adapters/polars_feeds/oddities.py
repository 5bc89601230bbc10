# pyright: reportUnknownMemberType=false
"""Records that the reference reads one by one, and what they are as columns."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl
from attrs import evolve, frozen

from adapters.polars_feeds.kinds import canonical, type_of
from commerce_core.feed_schema import BY_NAME, Record
from commerce_core.feed_text import RawRecord, read_delimited
from commerce_core.grouping import Grouping, Prepared
from commerce_core.layouts import Layout
from commerce_core.records import RecordReader, Terms

_FIXED: Final = {
    "line": pl.Int64, "sku": pl.String, "rejected": pl.Boolean, "deletes": pl.Boolean,
    "upper": pl.Int64, "lower": pl.Int64,
}  # fmt: skip


@frozen
class Oddities:
    """Some records, each with what it was before it was read."""

    read: Sequence[tuple[Prepared, Record]] = ()

    def __len__(self) -> int:
        return len(self.read)

    def records(self) -> Iterator[Record]:
        """Those that are offers."""
        return (record for _, record in self.read if record.fate is None)

    def fates(self) -> Counter[str]:
        """The fates of those that are none."""
        return Counter(record.fate for _, record in self.read if record.fate is not None)

    def reasons(self) -> Counter[str]:
        """Why some were skipped."""
        return Counter(record.reason for _, record in self.read if record.reason is not None)

    def columns(self, schema: pl.Schema) -> pl.DataFrame:
        """The offers as columns."""
        rows = [_row(record, schema) for record in self.records()]
        return pl.DataFrame(rows, schema, orient="row")


@frozen
class OddReader:
    """Reads odd records of one layout."""

    _grouping: Grouping
    _read: RecordReader
    _delimiter: str

    @classmethod
    def of(cls, layout: Layout, terms: Terms, delimiter: str) -> "OddReader":
        """For the records of one file."""
        return cls(Grouping(layout, terms.profile), RecordReader(layout, terms), delimiter)

    def __call__(self, odd: pl.DataFrame) -> Oddities:
        """The records, which stand somewhere in the file each; their text is theirs alone."""
        if odd.is_empty():
            return Oddities()
        text = odd.select(pl.concat_str("text", "end").str.join("")).item()
        raws = read_delimited(iter((text,)), self._delimiter)
        about = odd.select("line", "upper", "lower").iter_rows()
        return Oddities([self._one(raw, *at) for raw, at in zip(raws, about, strict=True)])

    def _one(
        self, raw: RawRecord, line: int, upper: int | None, lower: int | None
    ) -> tuple[Prepared, Record]:
        prepared = self._grouping.alone(
            RawRecord(line, raw.cells, raw.text, raw.lines, raw.delimiter, raw.sent)
        )
        record = self._read(prepared)
        no_print = record.problems or record.fate or raw.cells is None
        if no_print or upper is None or lower is None:
            return prepared, record
        return prepared, evolve(record, fingerprint=(upper, lower))


def schema_of(layout: Layout) -> pl.Schema:
    """The columns of a batch."""
    names = [n for n in layout.feedings if n not in ("sku", "deleted", "currency")]
    fields = {name: type_of(BY_NAME[name].kind) for name in (*names, "currency")}
    return pl.Schema({**_FIXED, **fields})


def _row(record: Record, schema: pl.Schema) -> tuple[object, ...]:
    upper, lower = record.fingerprint or (None, None)
    own = (record.line, record.sku, record.rejected, record.deletes, upper, lower)
    said = (canonical(record.values.get(name)) for name in schema.names()[len(own) :])
    return (*own, *said)
