"""The reference engine: feeds read record by record, in plain Python, as `reader` defines."""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import Any, BinaryIO

from attrs import evolve, frozen

from commerce_core.parsing.batching import batched, size_of, text_of_batch
from commerce_core.parsing.decoding import OpenRaw, Text
from commerce_core.parsing.fingerprints import (
    NO_FINGERPRINTS,
    NONE_RENEWED,
    Fingerprint,
    FingerprintIndex,
    Fingerprinting,
    Match,
    Renewed,
    with_warnings,
)
from commerce_core.parsing.meaning import meaning_of
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import without_end
from commerce_core.parsing.reader import Header, Reader, open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reject_rows import Rows, RowWriter
from commerce_core.parsing.respelling import Respelling, respelling_of
from commerce_core.schema.fields import Value
from commerce_core.schema.listed_problems import listed
from commerce_core.schema.problems import Noted, Problem
from commerce_core.schema.record import Record


@frozen
class RecordBatch:
    """The batch of the reference: records as they are, those that are no offers included.

    `warned` are the matched records that have warnings.
    """

    records: Sequence[Record]
    matched: Sequence[int] = ()
    warned: Sequence[Record] = ()
    renewed: Renewed = NONE_RENEWED

    @property
    def records_read(self) -> int:
        """All of them, matched ones included."""
        return len(self.records) + len(self.matched)

    @property
    def fates(self) -> Counter[str]:
        """The fates of those that are no offers."""
        return Counter(record.fate for record in self.records if record.fate is not None)

    @property
    def reasons(self) -> Counter[str]:
        """Why records were skipped, and how many for each reason."""
        return Counter(record.reason for record in self.records if record.reason is not None)

    @property
    def rejected(self) -> int:
        """How many offers have an error."""
        return sum(record.rejected for record in self)

    @property
    def skus_unreadable(self) -> int:
        """How many offers have no sku that can be read."""
        return sum(record.sku is None for record in self)

    @property
    def noted(self) -> Counter[Noted]:
        """The problems of the offers, counted."""
        return Counter((p.code, p.column, p.severity) for r in self._offers() for p in r.problems)

    @property
    def skus(self) -> Collection[str]:
        """The skus of its offers without an error."""
        return [r.sku for r in self if r.sku is not None and not r.rejected]

    def in_columns(self, fields: Sequence[str]) -> Sequence[Sequence[Any]] | None:
        """The lines, the skus and these fields of its offers; None if one has a problem."""
        if self.noted:
            return None
        found = list(self)
        values = ([_shown(r.values.get(name)) for r in found] for name in fields)
        return [[r.line for r in found], [r.sku for r in found], *values]

    def problems(self, limit: int, before: int | None = None) -> Iterable[Problem]:
        """The first problems."""
        found = (problem for record in self._offers() for problem in record.problems)
        return islice((p for p in found if before is None or p.line < before), limit)

    def listing(self, limit: int, before: int | None = None) -> Iterable[Problem]:
        """The problems that are listed."""
        found = (problem for record in self._offers() for problem in record.problems)
        return listed((p for p in found if before is None or p.line < before), limit)

    def _offers(self) -> Iterator[Record]:
        return heapq.merge(self, self.warned, key=attrgetter("line"))

    def __iter__(self) -> Iterator[Record]:
        return (record for record in self.records if record.fate is None)


@frozen
class ReferenceReading:
    """A reading record by record, as `reader` defines."""

    _reader: Reader
    _terms: Terms

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
        """Nothing: all records are read in the same way."""
        return ()

    def batches(
        self, known: FingerprintIndex = NO_FINGERPRINTS, former: Sequence[str] = ()
    ) -> Iterator[RecordBatch]:
        """Some thousand records at a time, fewer if they are long."""
        recognise = _Recognising.of(self.header, known, former)
        most = text_of_batch(self.header.terms.profile)
        for chunk in batched(self._reader.prepared, size_of, most):
            yield self._batch(chunk, recognise)

    def report(self, write: RowWriter, again: OpenRaw) -> Iterator[Rows]:
        """All records are read again, since nothing is kept of them."""
        with again() as raw:
            reader = open_feed(raw, self._terms)
            yield from write((p, reader.read(p).problems) for p in reader.prepared)

    def _batch(self, chunk: Iterable[Prepared], recognise: "_Recognising | None") -> RecordBatch:
        records: list[Record] = []
        matched: list[int] = []
        warned: list[Record] = []
        renewed: list[tuple[int, int, int]] = []
        for prepared in chunk:
            if recognise is None or prepared.fate is not None or prepared.raw.cells is None:
                records.append(self._reader.read(prepared))
                continue
            own = recognise.own(prepared.raw.sent)
            match, is_former = recognise(prepared.raw.sent, own)
            if match is None:
                record = self._reader.read(prepared)
                records.append(evolve(record, fingerprint=with_warnings(own, record.problems)))
                continue
            number, warnings = match
            matched.append(number)
            if is_former:
                renewed.append((number, own[0], own[1] ^ warnings))
            if warnings:
                warned.append(self._reader.read(prepared))
        return RecordBatch(records, matched, warned, _by_column(renewed))


def _by_column(rows: Sequence[tuple[int, int, int]]) -> Renewed:
    return Renewed(*zip(*rows, strict=True)) if rows else NONE_RENEWED


@frozen
class _Recognising:
    """Says which product a record is known to be, by its own text or by its former one."""

    own: Fingerprinting
    _known: FingerprintIndex
    _former: tuple[Respelling, Fingerprinting] | None

    @classmethod
    def of(
        cls, header: Header, known: FingerprintIndex, former: Sequence[str]
    ) -> "_Recognising | None":
        """For the records below a header; None if they can't have fingerprints."""
        own, respelling = fingerprinting("reference", header), respelling_of(header, former)
        if own is None:
            return None
        if respelling is None:
            return cls(own, known, None)
        return cls(own, known, (respelling, Fingerprinting.of("reference", respelling.meaning)))

    def __call__(self, sent: str, own: Fingerprint) -> tuple[Match | None, bool]:
        """What a record matches, by the hash of its own text or else of its former one."""
        match = self._known.match(own)
        if match is not None or self._former is None:
            return match, False
        respelling, fingerprint = self._former
        text = respelling(without_end(sent))
        match = None if text is None else self._known.match(fingerprint(text))
        return match, match is not None


@frozen
class ReferenceEngine:
    """Implements `FeedEngine` record by record, in plain Python."""

    def open(self, stream: BinaryIO, terms: Terms) -> ReferenceReading:
        """Reads the header."""
        return ReferenceReading(open_feed(stream, terms), terms)


def _shown(value: Value) -> Value:
    """A value of a record as columns have it."""
    return str(value) if isinstance(value, Decimal) else value


def fingerprinting(engine: str, header: Header) -> Fingerprinting | None:
    """What makes the fingerprints of a feed's records; None if its records can't have any.

    That is so if a record means something only together with its neighbours, unless an engine makes
    them of completed records; and in a report or an export that comes back, since its rows aren't
    the partner's own.
    """
    if header.terms.profile.joins_records or header.returned:
        return None
    return Fingerprinting.of(engine, meaning_of(header))
