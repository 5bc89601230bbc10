"""Files of price lists: read as feeds are, by a process of their own if there is one for it.

What comes back is small beside the file: its entries packed as text, and what is wrong with it.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import InvalidInput, TooLarge
from commerce_core.base.money import Currency, currency
from commerce_core.parsing.record_reader import Terms
from commerce_core.ports.engine import Batch, FeedEngine, Reading
from commerce_core.pricing.price_list import (
    LARGEST_MINIMUM,
    MOST_ENTRIES,
    MOST_LIST_BYTES,
    MOST_PROBLEMS,
    ListEntry,
    ListProblem,
    PackedEntries,
    packed,
)
from commerce_core.profiles.profile import Column, DecimalMark, Profile
from commerce_core.schema.record import Record

_MINIMUM: Final = ("minimum_quantity", "min_quantity", "min_qty", "quantity", "from")
PROFILE: Final = Profile(columns={"quantity": Column(_MINIMUM)})
"""How files of lists are read: as feeds, with the minimum quantity in the place of the stock."""


@frozen
class ListTerms:
    """How a list's file is read: by which engine, in which currency, with which decimal mark."""

    engine: FeedEngine
    currency: str
    decimal: DecimalMark | None = None

    @property
    def of_feeds(self) -> Terms:
        """The same, as feeds are read."""
        profile = evolve(PROFILE, decimal=self.decimal) if self.decimal else PROFILE
        return Terms("delta", self.currency, ZoneInfo("UTC"), profile)


@frozen
class ListFile:
    """What a list's file contains: the entries of records without a problem, and the problems."""

    entries: PackedEntries
    records: int
    rejected: int
    problems: tuple[ListProblem, ...]
    sha256: str


def read_list(stream: BinaryIO, terms: ListTerms) -> ListFile:
    """Reads a whole file. FileRefused or InvalidInput if it can't be read at all."""
    metered = _Metered(stream)
    reading = terms.engine.open(metered, terms.of_feeds)  # type: ignore[arg-type]
    found = _Entries(currency(terms.currency), reading)
    blocks = tuple(found.read())
    if not found.records:
        detail = "The file has no record. Bring back version 0 to empty the list."
        raise InvalidInput(detail, code="empty")
    problems = tuple(found.problems)
    return ListFile(PackedEntries(blocks), found.records, found.rejected, problems, metered.rest())


@define
class _Entries:
    """The entries of a file while it is read, and what is wrong with its records."""

    _money: Currency
    _reading: Reading
    records: int = 0
    rejected: int = 0
    problems: list[ListProblem] = field(factory=list[ListProblem])

    def read(self) -> Iterator[bytes]:
        """The entries of all records without a problem, packed."""
        column = self._reading.header.mapping.column_of
        columns = {name: column(name) for name in self._reading.header.mapping.field_mappings}
        if "price" not in columns:
            detail = "A price list needs the columns sku and price, and may have minimum_quantity."
            raise InvalidInput(detail, code="missing_column")
        for batch in self._reading.batches():
            self.records += batch.records_read - batch.fates["blank"]
            if self.records > MOST_ENTRIES:
                raise TooLarge(f"A price list has at most {MOST_ENTRIES:,} entries.")
            at_once = None if "deleted" in columns else self._at_once(batch, columns)
            if at_once is not None:
                yield at_once
            else:
                yield from PackedEntries.of(self._one_by_one(batch, columns)).blocks

    def _at_once(self, batch: Batch, columns: Collection[str]) -> bytes | None:
        """The entries of a batch, packed; None if a record has to be looked at by itself."""
        found = batch.in_columns(("price", "currency", *({"quantity"} & {*columns})))
        if found is None:
            return None
        lines, skus, prices, codes, *rest = found
        minimums = rest[0] if rest else [None] * len(lines)
        fine = (
            {*codes} <= {None, self._money.code}
            and all(p is not None and self._money.is_exact(Decimal(p)) for p in {*prices})
            and all(m is None or 1 <= m <= LARGEST_MINIMUM for m in {*minimums})
        )
        return (
            packed(lines, skus, [1 if m is None else m for m in minimums], prices) if fine else None
        )

    def _one_by_one(
        self, batch: Iterable[Record], columns: Mapping[str, str | None]
    ) -> Iterator[ListEntry]:
        for record in batch:
            found = list(self._faults(record, columns))
            if found:
                self.rejected += 1
                if len(self.problems) < MOST_PROBLEMS:
                    self.problems += found
            elif record.sku is not None:
                yield self._entry(record, record.sku)

    def _entry(self, record: Record, sku: str) -> ListEntry:
        minimum, price = record.values.get("quantity"), record.values["price"]
        return ListEntry(sku, 1 if minimum is None else minimum, price, record.line)  # type: ignore[arg-type]

    def _faults(self, record: Record, columns: Mapping[str, str | None]) -> Iterator[ListProblem]:
        if record.problems:
            for p in record.problems:
                if p.severity == "error":
                    yield ListProblem(p.line, p.column, p.code, p.value, p.hint)
            if record.rejected:
                return
        values, line = record.values, record.line
        price, minimum = values.get("price"), values.get("quantity")
        if price is None:
            yield ListProblem(line, columns["price"], "missing", None, "Every entry has a price.")
        elif not self._money.is_exact(price):  # type: ignore[arg-type]
            hint = f"{self._money.code} has {self._money.exponent} decimals."
            yield ListProblem(line, columns["price"], "not_an_amount", str(price), hint)
        if minimum is not None and not 1 <= minimum <= LARGEST_MINIMUM:  # type: ignore[operator]
            hint = f"Use a minimum quantity from 1 to {LARGEST_MINIMUM:,}, or leave it blank."
            # A feed's negative quantity is read as 0, with a warning that has what was written.
            written = (p.value for p in record.problems if p.column == columns.get("quantity"))
            value = next((text for text in written if text), str(minimum))
            yield ListProblem(line, columns.get("quantity"), "out_of_range", value, hint)
        if values.get("currency") not in (None, self._money.code):
            hint = f"The list is in {self._money.code}."
            code = str(values["currency"])
            yield ListProblem(line, columns.get("currency"), "other_currency", code, hint)


class _Metered:
    """A stream of a file's bytes, with their hash so far; TooLarge beyond the limit."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._hash, self._bytes = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        """Reads on."""
        block = self._stream.read(size)
        self._hash.update(block)
        self._bytes += len(block)
        if self._bytes > MOST_LIST_BYTES:
            raise TooLarge(f"The file of a price list has at most {MOST_LIST_BYTES:,} bytes.")
        return block

    def rest(self) -> str:
        """Reads what is left, and returns the hash of the whole."""
        while self.read(1 << 20):
            pass
        return self._hash.hexdigest()
