"""Records that the reference reads one by one, and what they are as columns."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

import polars as pl
from attrs import evolve, frozen
from polars.exceptions import PanicException

from adapters.polars_feeds.kinds import canonical
from adapters.polars_feeds.reject_buffer import REJECTS
from commerce_core.parsing.delimited import read_delimited
from commerce_core.parsing.fingerprints import with_warnings
from commerce_core.parsing.grouping import Grouping
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import RawRecord, without_end
from commerce_core.parsing.record_reader import RecordReader, Terms
from commerce_core.parsing.reject_rows import summed_up
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.schema.fields import bits_of
from commerce_core.schema.listed_problems import listed
from commerce_core.schema.problems import Noted, Problem
from commerce_core.schema.record import Record

_FIXED: Final = 7
"""The columns of a batch in front of those of the fields."""
FAILURES: Final = (Exception, PanicException)
"""What reading columns can fail with; a panic of polars is no `Exception`."""


@frozen
class Oddities:
    """Implements `Part` for records that were read one by one, with what they were before."""

    read: Sequence[tuple[Prepared, Record]]

    def __len__(self) -> int:
        return len(self.read)

    def __iter__(self) -> Iterator[Record]:
        return (record for _, record in self.read)

    def noted(self) -> Counter[Noted]:
        """Their problems, counted."""
        return Counter((p.code, p.column, p.severity) for record in self for p in record.problems)

    def problems(self, limit: int, before: int | None) -> Iterator[Problem]:
        """Their first problems."""
        records = (record for record in self if before is None or record.line < before)
        return islice((problem for record in records for problem in record.problems), limit)

    def listing(self, limit: int, before: int | None) -> list[Problem]:
        """Their problems that are listed."""
        records = (record for record in self if before is None or record.line < before)
        return listed((problem for record in records for problem in record.problems), limit)

    def columns(self, schema: pl.Schema) -> pl.DataFrame:
        """The offers as columns."""
        names = schema.names()
        return pl.DataFrame([_row(record, names) for record in self], schema, orient="row")

    def rejected(self) -> int:
        """How many have an error."""
        return sum(record.rejected for record in self)

    def skus_unreadable(self) -> int:
        """How many have no sku that can be read."""
        return sum(record.sku is None for record in self)

    def skus_without_error(self) -> Sequence[str]:
        """The skus of those that have no error."""
        return [r.sku for r in self if r.sku is not None and not r.rejected]

    def rejects(self, asked: pl.Series) -> pl.DataFrame:
        """Those that have an error, and those on the lines asked for, as a report needs them."""
        lines = frozenset(asked)
        some = (_reject(*one) for one in self.read if one[1].rejected or one[1].line in lines)
        return pl.DataFrame(some, REJECTS, orient="row")


@frozen
class OddReader:
    """Reads odd records of one layout."""

    _grouping: Grouping
    _read: RecordReader
    _delimiter: str

    @classmethod
    def of(cls, mapping: HeaderMapping, terms: Terms, delimiter: str) -> "OddReader":
        """For the records of one file."""
        return cls(
            Grouping(mapping, terms.profile, terms.mode), RecordReader(mapping, terms), delimiter
        )

    def __call__(self, odd: pl.DataFrame) -> Sequence[tuple[Prepared, Record]]:
        """The records, which stand somewhere in the file each; offers and others."""
        prints = odd.select("upper", "lower").iter_rows()
        raws = raws_of(odd, self._delimiter)
        return [self._one(raw, *found) for raw, found in zip(raws, prints, strict=True)]

    def _one(self, raw: RawRecord, upper: int | None, lower: int | None) -> tuple[Prepared, Record]:
        prepared = self._grouping.alone(raw)
        record = self._read(prepared)
        if record.fate or raw.cells is None or upper is None or lower is None:
            return prepared, record
        return prepared, evolve(record, fingerprint=with_warnings((upper, lower), record.problems))


def raws_of(records: pl.DataFrame, delimiter: str) -> Iterator[RawRecord]:
    """Records of delimited text, which stand somewhere in the file each, one by one."""
    if records.is_empty():
        return
    texts = chain.from_iterable(zip(records["text"], records["end"], strict=True))
    for raw, line in zip(read_delimited(texts, delimiter), records["line"], strict=True):
        yield RawRecord(line, raw.cells, raw.text, raw.lines, raw.delimiter, raw.sent)


def _reject(prepared: Prepared, record: Record) -> tuple[object, ...]:
    errors = [problem for problem in record.problems if problem.severity == "error"]
    reason = summed_up(errors) if errors else (None,) * 4
    raw, text = prepared.raw, without_end(prepared.raw.sent)
    return (raw.line, *reason, text, raw.sent[len(text) :], raw.cells is None)


def _row(record: Record, names: Sequence[str]) -> tuple[object, ...]:
    upper, lower = record.fingerprint or (None, None)
    lacking = bits_of(name for name in names[_FIXED:] if name not in record.values)
    own = (record.line, record.sku, record.rejected, record.deletes, upper, lower, lacking)
    return (*own, *(canonical(record.values.get(name)) for name in names[len(own) :]))
