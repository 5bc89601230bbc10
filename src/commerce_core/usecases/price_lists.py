"""Price lists: sent as files, read as feeds are, planned, taken and reverted."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import Fault, InvalidInput, NotFound, TooLarge
from commerce_core.base.ids import looks_like, parse
from commerce_core.base.money import Currency, currency, find_currency
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.parsing.record_reader import Terms
from commerce_core.ports.engine import Reading
from commerce_core.ports.price_lists import PriceListsUnit, Repeated
from commerce_core.ports.store import UnitOfWork
from commerce_core.pricing.price_list import (
    LARGEST_MINIMUM,
    MOST_ENTRIES,
    MOST_LIST_BYTES,
    MOST_PROBLEMS,
    ListEntry,
    ListProblem,
    ListQuery,
    ListReport,
    ListVersion,
    PriceList,
)
from commerce_core.profiles.profile import Column, DecimalMark, Profile
from commerce_core.schema.record import Record
from commerce_core.usecases.context import Context, IdempotencyKey, Listed

_EVERY_LIST: Final = ListQuery()
_MINIMUM: Final = ("minimum_quantity", "min_quantity", "min_qty", "quantity", "from")
PROFILE: Final = Profile(columns={"quantity": Column(_MINIMUM)})
"""How files of lists are read: as feeds, with the minimum quantity in the place of the stock."""
_SHOWN_FAULTS: Final = 100


@frozen
class PriceLists:
    """Price lists. Each change of a list's content makes a new version."""

    _context: Context

    def add(
        self, name: str, *, currency: str, key: IdempotencyKey | str | None = None
    ) -> PriceList:
        """A new, empty list; Conflict `list_name_taken` if another one has its name."""
        c, now = self._context, self._context.clock()
        made = PriceList(
            list_id=c.mint("list"), name=name, currency=_code(currency), created_at=now,
            updated_at=now,
        )  # fmt: skip

        def stored() -> PriceList:
            unit.price_lists.add(made)
            c.note(unit, "list.added", made.list_id, before=None, after=made)
            return made

        with c.writing() as unit:
            return c.once(unit, key, ("add_list", name, currency), stored, answer=PriceList)

    def get(self, price_list: str) -> PriceList:
        """The list with that id or name."""
        with self._context.store.read_only() as unit:
            return found_list(unit, price_list)

    def list(self) -> Iterator[PriceList]:
        """All lists, oldest first."""
        return self._context.walk(lambda unit: unit.price_lists, _EVERY_LIST)

    def page(
        self, cursor: str | None = None, limit: int = DEFAULT_LIMIT, *, count: bool = False
    ) -> Listed[PriceList]:
        """A page of all lists, oldest first."""
        with self._context.store.begin() as unit:
            return self._context.listed(unit.price_lists, _EVERY_LIST, cursor, limit, count=count)

    def versions(self, price_list: str) -> Sequence[ListVersion]:
        """All versions of a list, the newest first, with what each changed."""
        with self._context.store.begin() as unit:
            return unit.price_lists.versions(found_list(unit, price_list).list_id)

    def load(
        self,
        price_list: str,
        file: str | BinaryIO,
        *,
        decimal: DecimalMark | None = None,
        plan: bool = False,
        key: IdempotencyKey | str | None = None,
    ) -> ListReport:
        """Makes a file the content of a list, unless one of its records can't be read.

        `decimal` is the decimal mark of its prices, if it isn't a point. Returns what changed, or
        the problems of the file, by line and column; with `plan`, what would change. With a `key`,
        the same file returns the same report again. FileRefused if the file can't be read at all.
        """
        with self._context.opened(file) as stream, self._unit(plan=plan) as unit:
            locked = unit.price_lists.lock(found_list(unit, price_list).list_id)
            metered = _Metered(stream)
            reading = self._context.engine.open(metered, _terms(locked, decimal))  # type: ignore[arg-type]
            entries = _Entries(currency(locked.currency), reading)
            repeated = unit.price_lists.stage(entries.read(), MOST_PROBLEMS)
            entries.refuse(map(_repeated, repeated))
            if entries.rejected:
                return ListReport(
                    locked.list_id, locked.version, entries.records, entries.rejected, None,
                    tuple(sorted(entries.problems, key=lambda p: p.line)[:MOST_PROBLEMS]),
                )  # fmt: skip
            if not entries.records:
                detail = "The file has no record. Bring back version 0 to empty the list."
                raise InvalidInput(detail, code="empty")
            sha256 = metered.rest()
            return self._context.once(
                unit, None if plan else key, ("load_list", locked.list_id, sha256, decimal),
                lambda: self._taken(unit, locked, entries.records, sha256=sha256, plan=plan),
                answer=ListReport,
            )  # fmt: skip

    def revert(
        self,
        price_list: str,
        version: int,
        *,
        plan: bool = False,
        key: IdempotencyKey | str | None = None,
    ) -> ListReport:
        """Brings back the content that a list had in a version, as its next version.

        Version 0 is the empty list. NotFound `no_version` if there is none of that number.
        """
        with self._unit(plan=plan) as unit:
            locked = unit.price_lists.lock(found_list(unit, price_list).list_id)

            def stored() -> ListReport:
                unit.price_lists.stage_version(locked.list_id, version)
                return self._taken(unit, locked, 0, reverted_to=version, plan=plan)

            request = "revert_list", locked.list_id, version
            key = None if plan else key
            return self._context.once(unit, key, request, stored, answer=ListReport)

    def _unit(self, *, plan: bool) -> AbstractContextManager[UnitOfWork]:
        return self._context.store.begin(dry_run=True) if plan else self._context.writing()

    def _taken(
        self,
        unit: UnitOfWork,
        before: PriceList,
        records: int,
        *,
        plan: bool,
        sha256: str | None = None,
        reverted_to: int | None = None,
    ) -> ListReport:
        difference = unit.price_lists.compare(before.list_id)
        if not difference.changes:
            return ListReport(before.list_id, before.version, records, 0, difference)
        version = ListVersion(
            list_id=before.list_id, version=before.version + 1, actor=self._context.principal.name,
            published_at=max(self._context.clock(), before.updated_at), difference=difference,
            sha256=sha256, reverted_to=reverted_to,
        )  # fmt: skip
        if not plan:
            unit.price_lists.apply(version)
            after = evolve(before, version=version.version, entries=difference.entries)
            self._context.note(unit, "list.changed", before.list_id, before=before, after=after)
        return ListReport(before.list_id, version.version, records, 0, difference)


def _repeated(entry: Repeated) -> ListProblem:
    hint = f"Line {entry.first_line} has the same sku and minimum quantity; remove one."
    value = f"{entry.sku}, {entry.minimum_quantity}"
    return ListProblem(entry.line, None, "repeated_entry", value, hint)


def found_list(unit: PriceListsUnit, name_or_id: str) -> PriceList:
    """The list with that id or name; NotFound if there is none."""
    if looks_like("list", name_or_id):
        return unit.price_lists.get(parse("list", name_or_id))
    found = unit.price_lists.find(name_or_id)
    if found is None:
        raise NotFound(f"There is no price list {name_or_id[:80]!r}.")
    return found


def check_taken(report: ListReport) -> ListReport:
    """Returns the report of a file that was taken; InvalidInput with the problems of another."""
    if not report.problems:
        return report
    faults = [
        Fault(f"/lines/{p.line}" + (f"/{_escaped(p.column)}" if p.column else ""), p.code, p.hint)
        for p in report.problems[:_SHOWN_FAULTS]
    ]
    detail = (
        f"{report.rejected:,} of {report.records:,} records can't be read, so the list stays as it "
        "was."
    )
    raise InvalidInput(detail, faults=faults, code="bad_price_list")


def _escaped(column: str) -> str:
    return column.replace("~", "~0").replace("/", "~1")


def _code(code: str) -> str:
    known = find_currency(code)
    return known.code if known else code


def _terms(price_list: PriceList, decimal: DecimalMark | None) -> Terms:
    profile = evolve(PROFILE, decimal=decimal) if decimal else PROFILE
    return Terms("delta", price_list.currency, ZoneInfo("UTC"), profile)


@define
class _Entries:
    """The entries of a file while it is read, and what is wrong with its records."""

    _money: Currency
    _reading: Reading
    records: int = 0
    rejected: int = 0
    problems: list[ListProblem] = field(factory=list[ListProblem])

    def read(self) -> Iterator[ListEntry]:
        """The entries of all records without a problem."""
        column = self._reading.header.mapping.column_of
        columns = {name: column(name) for name in self._reading.header.mapping.field_mappings}
        if "price" not in columns:
            detail = "A price list needs the columns sku and price, and may have minimum_quantity."
            raise InvalidInput(detail, code="missing_column")
        for batch in self._reading.batches():
            self.records += batch.records_read - batch.fates["blank"]
            if self.records > MOST_ENTRIES:
                raise TooLarge(f"A price list has at most {MOST_ENTRIES:,} entries.")
            for record in batch:
                found = list(self._faults(record, columns))
                if found:
                    self.refuse([found[0]])
                    self.problems += found[1:]
                elif record.sku is not None:
                    yield self._entry(record, record.sku)

    def refuse(self, problems: Iterable[ListProblem]) -> None:
        """Counts a record for each of these problems."""
        for problem in problems:
            self.rejected += 1
            if len(self.problems) < MOST_PROBLEMS:
                self.problems.append(problem)

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
