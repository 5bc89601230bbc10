"""Engines: how a raw file becomes batches of records, and the reference engine.

    FeedEngine.open(raw, terms, known) ──> Reading ──> Batch, Batch, ...

A batch is a run of records in the order of the file. Iterating gives those that are offers, one by
one; that is the reference. A batch that can do more gives the same as columns through the Arrow C
stream protocol, and a store that understands them makes no Python object of a record. A record that
is recognised by its fingerprint isn't read at all: of it the batch has just the number.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import BinaryIO, Final, Protocol

from attrs import evolve, frozen

from commerce_core.feed_bytes import Text
from commerce_core.feed_reader import Opening, begin
from commerce_core.feed_schema import Problem, Record, Severity
from commerce_core.fingerprints import NOTHING_KNOWN, Fingerprinting, Known
from commerce_core.grouping import Prepared
from commerce_core.presets import in_full
from commerce_core.records import Terms
from commerce_core.reject_rows import Rows, RowWriter

RECORDS_OF_BATCH: Final = 5_000
"""Records that the reference reads at a time."""

Noted = tuple[str, str | None, Severity]
"""What is counted of a problem: its code, its column as the partner names it, its severity."""

OpenRaw = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens the bytes of a feed, from their beginning each time."""


class Batch(Protocol):
    """Some records of a feed, in the order of the file.

    Where it has `__arrow_c_stream__`, that gives its offers as columns: `line` (int64), `sku`
    (text, null where unreadable), `rejected` and `deletes` (bool), `upper` and `lower` (int64, null
    where the record has no fingerprint), and one column for each field that the file says: text in
    the form in which PostgreSQL reads it and the core prints it, but `quantity` int64, `deleted`
    not at all, and `additional_image_urls` a list of texts. `currency` is always there; a record
    says something of it if it isn't null or the file has a column for it.
    """

    @property
    def records_read(self) -> int:
        """The records of the file that it stands for, whatever became of them."""
        ...

    @property
    def recognised(self) -> Sequence[int]:
        """The numbers of the known fingerprints that it met, one for each such record."""
        ...

    @property
    def fates(self) -> Counter[str]:
        """Of the records that are no offers, how many have which fate."""
        ...

    @property
    def reasons(self) -> Counter[str]:
        """Why records were skipped, and how many for each reason."""
        ...

    @property
    def rejected(self) -> int:
        """How many of its offers have an error."""
        ...

    @property
    def skus_unreadable(self) -> int:
        """How many of its offers have no sku that can be read."""
        ...

    @property
    def noted(self) -> Counter[Noted]:
        """The problems of its offers, counted."""
        ...

    def problems(self, limit: int) -> Iterable[Problem]:
        """The first of its problems, in the order of the file."""
        ...

    def __iter__(self) -> Iterator[Record]:
        """Its offers that weren't recognised, rejected ones too."""
        ...


class Reading(Protocol):
    """A feed whose header has been understood, its records still to come.

    `text` knows the encoding, for sure at the end.
    """

    @property
    def opening(self) -> Opening:
        """What its header tells."""
        ...

    @property
    def text(self) -> Text:
        """How its bytes are decoded."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should be told of how it was read, at its end."""
        ...

    def __iter__(self) -> Iterator[Batch]:
        """The batches, once; FileRefused where the file as a whole turns out to be unreadable."""
        ...

    def report(self, write: RowWriter, again: OpenRaw) -> Iterator[Rows]:
        """The rows of the report of its rejected records, once all batches have been taken.

        They are what `write` would make of all its records, one by one. What wasn't kept of them is
        read again.
        """
        ...


class FeedEngine(Protocol):
    """Reads feeds. All engines find the same records, problems and order in the same file."""

    def open(self, stream: BinaryIO, terms: Terms, known: Known = NOTHING_KNOWN) -> Reading:
        """Reads the header; FileRefused if there is no usable one.

        A record whose fingerprint is known isn't read, but told by its number.
        """
        ...


@frozen
class RecordBatch:
    """Records as they are, those that are no offers among them: the batch of the reference."""

    records: Sequence[Record]
    recognised: Sequence[int] = ()

    @property
    def records_read(self) -> int:
        """All of them, the recognised too."""
        return len(self.records) + len(self.recognised)

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
    """A reading record by record, as `feed_reader` says."""

    opening: Opening
    _terms: Terms
    _known: Known = NOTHING_KNOWN
    _fingerprint: Fingerprinting | None = None

    @classmethod
    def of(cls, stream: BinaryIO, terms: Terms, known: Known) -> "ReferenceReading":
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
        recognised: list[int] = []
        for prepared in some:
            read = self._read(prepared)
            if isinstance(read, Record):
                records.append(read)
            else:
                recognised.append(read)
        return RecordBatch(records, recognised)

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

    def open(self, stream: BinaryIO, terms: Terms, known: Known = NOTHING_KNOWN) -> Reading:
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
