"""Rows of a report: each rejected record as it came, with the reason in front of it.

A row that isn't rejected is in it only if a rejected one takes something from it, and is marked, so
that intake doesn't load it again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from attrs import Factory, define

from commerce_core.parsing.delimited import DelimitedRows
from commerce_core.parsing.formats import Format
from commerce_core.parsing.json_lines import JsonRows
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.returned_reports import GOES_ALONG
from commerce_core.parsing.sheets import SheetRows
from commerce_core.parsing.xml_records import XmlRows
from commerce_core.profiles.mapping import REPORT_COLUMNS
from commerce_core.schema.problems import Problem

RECORDS_PER_LOOK: Final = 5_000
"""Records after which a run shows that it is alive."""
_CONTEXT_HINT: Final = "Not rejected; it is here for the records beside it, and isn't loaded again."

Reread = tuple[Prepared, tuple[Problem, ...]]
"""A record as it came, and what is wrong with it."""
Rows = tuple[int, str]
"""The number of rejected records, and the text of their rows and of those that go along."""
Reason = tuple[str, int | None, str | None, str | None, str | None, str | None]
"""The report's own cells about a record, in the order of its columns."""


@define
class RowWriter:
    """Writes the rows of one report, record by record: the reference.

    `header` is that of the feed, in its `format`, and has `width` cells. `found` has what the
    comparison found, by line. `alive` is called often.
    """

    feed_id: str
    format: Format
    header: RawRecord
    width: int
    found: Mapping[int, Problem]
    alive: Callable[[], object]
    _head: int | None = None
    _rows: DelimitedRows | JsonRows | SheetRows | XmlRows = Factory(
        lambda self: self.format.rows(REPORT_COLUMNS, self.header), takes_self=True
    )

    def first_line(self) -> str:
        """The report's header."""
        return self._rows.first((self.feed_id, None, None, None, None, None))

    def last_line(self) -> str:
        """What stands behind the rows."""
        return self._rows.last()

    def __call__(self, records: Iterable[Reread]) -> Iterator[Rows]:
        """The rows of each rejected record (1), and of those folded into it (0).

        `records` are all of the file, in its order, or at least those that are rejected.
        """
        rejected = False
        for number, (prepared, problems) in enumerate(records, start=1):
            if number % RECORDS_PER_LOOK == 0:
                self.alive()
            if prepared.fate == "folded":
                if rejected:
                    yield 0, self._context(prepared.raw)
                continue
            errors = self._errors(prepared, problems)
            rejected = bool(errors)
            if rejected:
                yield 1, self._head_of(prepared) + self._row(prepared.raw, errors)

    def _errors(self, prepared: Prepared, problems: Sequence[Problem]) -> list[Problem]:
        """Why the record is rejected; empty if it isn't, or if a later one overrides it."""
        found = self.found.get(prepared.raw.line)
        if prepared.fate is not None or (found and overridden(found)):
            return []
        errors = [problem for problem in problems if problem.severity == "error"]
        return [*errors, found] if found and found.severity == "error" else errors

    def _head_of(self, prepared: Prepared) -> str:
        """The first row of the record's group, from which the record takes its missing cells."""
        head, cells = prepared.head, prepared.raw.cells
        if head is None:
            if cells is not None and len(cells) >= self.width:
                self._head = prepared.raw.line
            return ""
        if head.line == self._head:
            return ""
        self._head = head.line
        return self._context(head)

    def _row(self, raw: RawRecord, errors: Sequence[Problem]) -> str:
        return self._rows.row((self.feed_id, raw.line, *summed_up(errors)), raw)

    def _context(self, raw: RawRecord) -> str:
        return self._rows.row((self.feed_id, raw.line, GOES_ALONG, None, None, _CONTEXT_HINT), raw)


def overridden(found: Problem) -> bool:
    """Whether a later record counts instead, so that there is nothing to correct in this one."""
    return found.code == "duplicate_sku"


def summed_up(errors: Sequence[Problem]) -> tuple[str, str | None, str | None, str]:
    """A record's errors in the report: code, column and value of the first, the hints of all."""
    first, *others = errors
    return first.code, first.column, first.value, " ".join([first.hint, *map(also, others)])


def also(problem: Problem) -> str:
    """A further error, for the hint."""
    where = f" in {problem.column}" if problem.column else ""
    return f"Also {problem.code}{where}: {problem.hint}"
