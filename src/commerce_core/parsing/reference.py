"""The reference engine: feeds read record by record, in plain Python, as `reader` defines."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO, Final

from attrs import evolve, frozen

from commerce_core.parsing.decoding import OpenRaw, Text
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, FingerprintIndex, Fingerprinting
from commerce_core.parsing.grouping import Prepared
from commerce_core.parsing.reader import Opening, begin
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reject_rows import Rows, RowWriter
from commerce_core.profiles.presets import in_full
from commerce_core.schema.problems import Noted, Problem
from commerce_core.schema.record import Record

RECORDS_OF_BATCH: Final = 5_000
"""Records that the reference reads at a time."""


@frozen
class RecordBatch:
    """Records as they are, those that are no offers among them: the batch of the reference."""

    records: Sequence[Record]
    matched: Sequence[int] = ()

    @property
    def records_read(self) -> int:
        """All of them, the recognised too."""
        return len(self.records) + len(self.matched)

    @property
    def fates(self) -> Counter[str]:
        """The fates of those that are no offers."""
        return Counter(record.fate for record in self.records if record.fate is not None)

    @property
    def reasons(self) -> Counter[str]:
        """Why some were skipped."""
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
        return Counter((p.code, p.column, p.severity) for record in self for p in record.problems)

    def problems(self, limit: int) -> Iterable[Problem]:
        """The first problems."""
        return islice((problem for record in self for problem in record.problems), limit)

    def __iter__(self) -> Iterator[Record]:
        return (record for record in self.records if record.fate is None)


@frozen
class ReferenceReading:
    """A reading record by record, as `reader` defines."""

    opening: Opening
    _terms: Terms
    _known: FingerprintIndex = NO_FINGERPRINTS
    _fingerprint: Fingerprinting | None = None

    @classmethod
    def of(cls, stream: BinaryIO, terms: Terms, known: FingerprintIndex) -> "ReferenceReading":
        """Of a file just opened."""
        opening = begin(stream, terms)
        return cls(opening, terms, known, fingerprinting("reference", opening, terms))

    @property
    def text(self) -> Text:
        """How its bytes are decoded."""
        return self.opening.text

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing: all records are read in the same way."""
        return ()

    def __iter__(self) -> Iterator[RecordBatch]:
        prepared = self.opening.prepared
        while some := list(islice(prepared, RECORDS_OF_BATCH)):
            yield self._batch(some)

    def report(self, write: RowWriter, again: OpenRaw) -> Iterator[Rows]:
        """All records are read again, since nothing is kept of them."""
        with again() as raw:
            opening = begin(raw, self._terms)
            yield from write((p, opening.read(p).problems) for p in opening.prepared)

    def _batch(self, some: Iterable[Prepared]) -> RecordBatch:
        records: list[Record] = []
        matched: list[int] = []
        for prepared in some:
            read = self._read(prepared)
            if isinstance(read, Record):
                records.append(read)
            else:
                matched.append(read)
        return RecordBatch(records, matched)

    def _read(self, prepared: Prepared) -> Record | int:
        """The record, or the number by which it is known."""
        if self._fingerprint is None or prepared.fate is not None or prepared.raw.cells is None:
            return self.opening.read(prepared)
        fingerprint = self._fingerprint(prepared.raw.sent)
        number = self._known.number_of(fingerprint)
        if number is not None:
            return number
        record = self.opening.read(prepared)
        return record if record.problems else evolve(record, fingerprint=fingerprint)


@frozen
class ReferenceEngine:
    """Implements `FeedEngine` record by record, in plain Python."""

    def open(
        self, stream: BinaryIO, terms: Terms, known: FingerprintIndex = NO_FINGERPRINTS
    ) -> ReferenceReading:
        """Reads the header."""
        return ReferenceReading.of(stream, terms, known)


def fingerprinting(engine: str, opening: Opening, terms: Terms) -> Fingerprinting | None:
    """What makes the fingerprints of a file just opened; None where its records can't have any.

    That is where a record means something only together with its neighbours, and in what we wrote,
    a report or an export, whose rows aren't the partner's own.
    """
    profile = in_full(terms.profile)
    if profile.group is not None or opening.ours:
        return None
    whole = evolve(terms, profile=profile)
    return Fingerprinting.of(engine, opening.header.cells or (), opening.delimiter, whole)
