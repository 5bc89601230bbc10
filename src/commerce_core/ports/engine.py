"""The port of feed engines: how a raw file becomes batches of records.

    FeedEngine.open(raw, terms) ──> Reading, with its Header
    Reading.batches(known) ──> Batch, Batch, ...

A batch is a run of records in the order of the file. Iterating it yields its offers one by one;
that is the reference. A batch may also give the same as columns through the Arrow C stream
protocol; a store that understands them makes no Python object per record. A record whose
fingerprint matches isn't read at all: the batch has only its number, and the warnings that it had
when it was read. A record has a text of its own, and after the columns have changed perhaps another
one, which it would have had before.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Protocol

from commerce_core.parsing.decoding import OpenRaw, Text
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, FingerprintIndex, Renewed
from commerce_core.parsing.reader import Header
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reject_rows import Rows, RowWriter
from commerce_core.schema.problems import Noted, Problem
from commerce_core.schema.record import Record


class Batch(Protocol):
    """A run of records of a feed, in the order of the file.

    Where it has `__arrow_c_stream__`, that gives its offers as columns: `line` (int64), `sku`
    (text, null where unreadable), `rejected` and `deletes` (bool), `upper` and `lower` (int64, null
    where the record has no fingerprint), `lacking` (int64: the fields that the record leaves alone
    although the file has them, as bits in the order of the schema; null: none), and one column for
    each field of the file: text in the form in which PostgreSQL reads it and the core prints it,
    except that `quantity` is int64, `additional_image_urls` a list of texts, and `deleted` left
    out. `currency` is always there; a record sets it if it isn't null or the file has a column for
    it.
    """

    @property
    def records_read(self) -> int:
        """How many records of the file it covers, including those that are no offers."""
        ...

    @property
    def matched(self) -> Sequence[int]:
        """The numbers of the known fingerprints that its records matched, one for each."""
        ...

    @property
    def renewed(self) -> Renewed:
        """Those of `matched` that were known by their text under a former header."""
        ...

    @property
    def fates(self) -> Counter[str]:
        """How many records that are no offers have each fate."""
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
    def skus(self) -> Collection[str]:
        """The skus of its offers without an error, in any order, without matched records.

        An engine that works on columns makes no object of a record for it.
        """
        ...

    @property
    def noted(self) -> Counter[Noted]:
        """The problems of its offers, counted, those of matched records included.

        The warnings of matched records may be counted without a column.
        """
        ...

    def problems(self, limit: int, before: int | None = None) -> Iterable[Problem]:
        """The first of its problems, in the order of the file; with `before`, of earlier lines.

        As many of the matched records that have warnings are read again for it.
        """
        ...

    def listing(self, limit: int, before: int | None = None) -> Iterable[Problem]:
        """At least those of its problems that `listed` takes, by line; with `before`, as above.

        Few matched records with warnings are read again for it: of those in the file that have the
        same codes, about the first `MOST_ALIKE`.
        """
        ...

    def __iter__(self) -> Iterator[Record]:
        """Its offers that matched no fingerprint, rejected ones included."""
        ...

    def in_columns(self, fields: Sequence[str]) -> Sequence[Sequence[Any]] | None:
        """The lines, the skus and the values of these fields of the same offers, each as a list.

        None if one has a problem: then each has to be looked at. Of the fields, the file has
        columns for all but `currency`, and their values are as above.
        """
        ...


class Reading(Protocol):
    """A feed whose header has been read; its records are still to come."""

    @property
    def header(self) -> Header:
        """What its header contains."""
        ...

    @property
    def text(self) -> Text:
        """How its bytes are decoded; the encoding is certain at the end."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about how it was read; complete at the end."""
        ...

    def batches(
        self, known: FingerprintIndex = NO_FINGERPRINTS, former: Sequence[str] = ()
    ) -> Iterator[Batch]:
        """All records in batches, once; FileRefused where the file as a whole is unreadable.

        A record whose fingerprint is known isn't read: its batch has only the number. `former` are
        the names of the columns of the source's file before, under which most became known.
        """
        ...

    def report(self, write: RowWriter, again: OpenRaw) -> Iterator[Rows]:
        """The rows of the report of its rejected records, once all batches have been taken.

        They are what `write` would make of its records, one by one. Records that weren't kept are
        read again.
        """
        ...


class FeedEngine(Protocol):
    """Reads feeds. All engines find the same records, problems and order in the same file."""

    def open(self, stream: BinaryIO, terms: Terms) -> Reading:
        """Reads the header; FileRefused if there is no usable one."""
        ...
