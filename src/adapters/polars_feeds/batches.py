"""The batches of the vectorised engine: records as columns, the odd ones beside them."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import islice
from operator import attrgetter
from typing import Any, Final, Protocol

import polars as pl
from attrs import frozen

from adapters.polars_feeds.kinds import type_of
from adapters.polars_feeds.known_warnings import NO_WARNINGS, KnownWarnings
from adapters.polars_feeds.reject_buffer import REJECTS
from commerce_core.parsing.fingerprints import NONE_RENEWED, Renewed
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.schema.fields import BY_NAME
from commerce_core.schema.problems import Noted, Problem
from commerce_core.schema.record import Record

_FIXED: Final = {
    "line": pl.Int64, "sku": pl.String, "rejected": pl.Boolean, "deletes": pl.Boolean,
    "upper": pl.Int64, "lower": pl.Int64, "lacking": pl.Int64,
}  # fmt: skip
NO_LIMIT: Final = 1 << 62
"""A limit for who wants all problems."""
_NOTHING: Final = pl.Series(dtype=pl.Int64)


class Part(Protocol):
    """Some offers of a batch, in the order of the file, that were read in one way."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __iter__(self) -> Iterator[Record]:
        """The offers."""
        ...

    def noted(self) -> Counter[Noted]:
        """Their problems, counted."""
        ...

    def problems(self, limit: int, before: int | None) -> Iterator[Problem]:
        """The first of their problems on lines before that one, None being any line.

        At least `limit` of them, if there are as many.
        """
        ...

    def listing(self, limit: int, before: int | None) -> Iterable[Problem]:
        """At least those of their problems that `listed` takes, by line."""
        ...

    def columns(self, schema: pl.Schema) -> pl.DataFrame:
        """The offers as columns."""
        ...

    def rejected(self) -> int:
        """How many have an error."""
        ...

    def skus_unreadable(self) -> int:
        """How many have no sku that can be read."""
        ...

    def skus_without_error(self) -> Sequence[str]:
        """The skus of those that have no error."""
        ...

    def rejects(self, asked: pl.Series) -> pl.DataFrame:
        """Those that have an error, and those on the lines asked for, as a report needs them."""
        ...


@frozen
class ColumnBatch:
    """Implements `Batch`, with columns; `known` are the numbers of the matched records."""

    mapping: HeaderMapping
    parts: Sequence[Part]
    known: pl.Series
    fates: Counter[str]
    reasons: Counter[str]
    warned: KnownWarnings = NO_WARNINGS
    renewed: Renewed = NONE_RENEWED

    @property
    def records_read(self) -> int:
        """All of them, the recognised too."""
        return sum(map(len, self.parts)) + len(self.known) + self.fates.total()

    @property
    def matched(self) -> Sequence[int]:
        """The numbers of the known fingerprints, without an object for each."""
        return self.known.to_numpy().data

    @property
    def rejected(self) -> int:
        """How many offers have an error."""
        return sum(part.rejected() for part in self.parts)

    @property
    def skus_unreadable(self) -> int:
        """How many offers have no sku that can be read."""
        return sum(part.skus_unreadable() for part in self.parts)

    @property
    def skus(self) -> Sequence[str]:
        """The skus of the offers without an error."""
        fine = (part.skus_without_error() for part in self.parts)
        return [sku for skus in fine for sku in skus]

    @property
    def noted(self) -> Counter[Noted]:
        """The problems of the offers, counted."""
        return sum((part.noted() for part in self.parts), self.warned.noted())

    def problems(self, limit: int, before: int | None = None) -> Iterable[Problem]:
        """The first problems."""
        found = (part.problems(limit, before) for part in (*self.parts, self.warned))
        return islice(heapq.merge(*found, key=attrgetter("line")), limit)

    def listing(self, limit: int, before: int | None = None) -> Iterable[Problem]:
        """The problems that may be listed."""
        found = (part.listing(limit, before) for part in (*self.parts, self.warned))
        return heapq.merge(*found, key=attrgetter("line"))

    def __iter__(self) -> Iterator[Record]:
        return heapq.merge(*self.parts, key=attrgetter("line"))

    def columns(self) -> pl.DataFrame:
        """Its offers as columns, in the order of the file."""
        schema = schema_of(self.mapping)
        return _in_order([part.columns(schema) for part in self.parts], schema)

    def in_columns(self, fields: Sequence[str]) -> Sequence[Sequence[Any]] | None:
        """Some of them as lists; None if an offer has a problem."""
        if self.noted:
            return None
        return [column.to_list() for column in self.columns().select("line", "sku", *fields)]

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The same through the Arrow C stream protocol."""
        return self.columns().__arrow_c_stream__(requested_schema)

    def rejects(self, asked: pl.Series = _NOTHING) -> pl.DataFrame:
        """The rejected records, and those on the lines asked for, as a report needs them."""
        return _in_order([part.rejects(asked) for part in self.parts], REJECTS)


def _in_order(tables: Sequence[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
    if not tables:
        return schema.to_frame()
    return reduce(lambda one, other: one.merge_sorted(other, "line"), tables)


def schema_of(mapping: HeaderMapping) -> pl.Schema:
    """The columns of a batch."""
    names = [n for n in mapping.field_mappings if n not in ("sku", "deleted", "currency")]
    fields = {name: type_of(BY_NAME[name].kind) for name in (*names, "currency")}
    return pl.Schema({**_FIXED, **fields})
