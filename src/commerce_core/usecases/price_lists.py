"""Price lists: sent as files, read as feeds are, planned, taken and reverted."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Final

from attrs import evolve, frozen

from commerce_core.base.errors import Fault, InvalidInput, NotFound
from commerce_core.base.ids import looks_like, parse
from commerce_core.base.money import find_currency
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.ports.price_lists import PriceListsUnit, Repeated
from commerce_core.ports.store import UnitOfWork
from commerce_core.pricing.price_list import (
    MOST_PROBLEMS,
    ListProblem,
    ListQuery,
    ListReport,
    ListVersion,
    PriceList,
)
from commerce_core.profiles.profile import DecimalMark
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.list_files import ListTerms, read_list

_EVERY_LIST: Final = ListQuery()
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
        with self._context.store.read_only() as unit:
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
        named = self.get(price_list)
        terms = ListTerms(self._context.engine, named.currency, decimal)
        with self._context.opened(file) as stream:
            read = self._context.apart.patient().run(read_list, stream, terms)
        with self._unit(plan=plan) as unit:
            locked = unit.price_lists.lock(named.list_id)
            repeated = unit.price_lists.stage(read.entries, MOST_PROBLEMS)
            rejected = read.rejected + len(repeated)
            if rejected:
                problems = sorted((*read.problems, *map(_repeated, repeated)), key=lambda p: p.line)
                return ListReport(
                    locked.list_id, locked.version, read.records, rejected, None,
                    tuple(problems[:MOST_PROBLEMS]),
                )  # fmt: skip
            request = "load_list", locked.list_id, read.sha256, decimal
            return self._context.once(
                unit, None if plan else key, request,
                lambda: self._taken(unit, locked, read.records, sha256=read.sha256, plan=plan),
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
