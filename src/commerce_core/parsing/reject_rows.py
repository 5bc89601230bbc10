"""Rows of a report: each rejected record as it came, with the reason in front of it.

A row that isn't rejected stands there only where a rejected one takes something from it, marked so
that intake leaves it aside.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from attrs import Factory, define, frozen

from commerce_core.parsing.formats import RawRecord
from commerce_core.parsing.grouping import Prepared
from commerce_core.parsing.returned_reports import (
    GOES_ALONG,
    escape_formula,
    escape_formulas,
    needs_escaping,
    sent_cells,
    without_end,
    written,
)
from commerce_core.profiles.mapping import REPORT_COLUMNS
from commerce_core.schema.problems import Problem

RECORDS_PER_LOOK: Final = 5_000
"""After how many records a run shows that it is alive."""
_ASIDE_HINT: Final = "Not rejected; it is here for the records beside it, and isn't loaded again."

Reread = tuple[Prepared, tuple[Problem, ...]]
"""A record as it came, and what is wrong with it."""
Rows = tuple[int, str]
"""So many rejected records, and the text of their rows, and of those that go along."""
Reason = tuple[str, int | None, str | None, str | None, str | None, str | None]
"""What the report's own columns say of a record, in their order."""


class _Form(Protocol):
    """How the report is written."""

    def header(self, feed_id: str, header: RawRecord) -> str:
        """The first line."""
        ...

    def row(self, reason: Reason, raw: RawRecord) -> str:
        """The lines of a record."""
        ...


@define
class RowWriter:
    """Writes the rows of one report, record by record: the reference.

    `header` is that of the feed, and has `width` cells. `found` is what the comparison found, by
    line. `alive` is to be called often.
    """

    feed_id: str
    delimiter: str | None
    header: RawRecord
    width: int
    found: Mapping[int, Problem]
    alive: Callable[[], object]
    _head: int | None = None
    _form: _Form = Factory(
        lambda self: Delimited.of(self.delimiter, self.header) if self.delimiter else _Jsonl(),
        takes_self=True,
    )

    def first_line(self) -> str:
        """The report's header."""
        return self._form.header(self.feed_id, self.header)

    def __call__(self, records: Iterable[Reread]) -> Iterator[Rows]:
        """The rows of each rejected record (1), and of those folded into it (0).

        All records are given, in the order of the file, or those at least that are rejected.
        """
        rejected = False
        for number, (prepared, problems) in enumerate(records, start=1):
            if number % RECORDS_PER_LOOK == 0:
                self.alive()
            if prepared.fate == "folded":
                if rejected:
                    yield 0, self._aside(prepared.raw)
                continue
            errors = self._errors(prepared, problems)
            rejected = bool(errors)
            if rejected:
                yield 1, self._head_of(prepared) + self._row(prepared.raw, errors)

    def _errors(self, prepared: Prepared, problems: Sequence[Problem]) -> list[Problem]:
        """Why the record is rejected; nothing for one that isn't, or that a later one overrides."""
        found = self.found.get(prepared.raw.line)
        if prepared.fate is not None or (found and overridden(found)):
            return []
        errors = [problem for problem in problems if problem.severity == "error"]
        return [*errors, found] if found and found.severity == "error" else errors

    def _head_of(self, prepared: Prepared) -> str:
        """The first row of the record's group, which the record completes itself from."""
        head, cells = prepared.head, prepared.raw.cells
        if head is None:
            if cells is not None and len(cells) >= self.width:
                self._head = prepared.raw.line
            return ""
        if head.line == self._head:
            return ""
        self._head = head.line
        return self._aside(head)

    def _row(self, raw: RawRecord, errors: Sequence[Problem]) -> str:
        return self._form.row((self.feed_id, raw.line, *summed_up(errors)), raw)

    def _aside(self, raw: RawRecord) -> str:
        return self._form.row((self.feed_id, raw.line, GOES_ALONG, None, None, _ASIDE_HINT), raw)


def overridden(found: Problem) -> bool:
    """Whether a later record counts instead, so that there is nothing to mend in this one."""
    return found.code == "duplicate_sku"


def summed_up(errors: Sequence[Problem]) -> tuple[str, str | None, str | None, str]:
    """What is told of a record's errors: code, column and value of the first, hints of all."""
    first, *others = errors
    return first.code, first.column, first.value, " ".join([first.hint, *map(also, others)])


def also(problem: Problem) -> str:
    """What the hint tells of a further error."""
    where = f" in {problem.column}" if problem.column else ""
    return f"Also {problem.code}{where}: {problem.hint}"


@frozen
class Delimited:
    """Rows in the partner's dialect: what came stands there as it came, unless it needs a guard.

    Each row ends with `end`. The report's own cells are `quoted` where the header is.
    """

    delimiter: str
    end: str
    quoted: bool

    @classmethod
    def of(cls, delimiter: str, header: RawRecord) -> "Delimited":
        """The dialect of a file with that header."""
        sent = header.sent
        return cls(delimiter, sent[len(without_end(sent)) :] or "\n", sent.startswith('"'))

    def header(self, feed_id: str, header: RawRecord) -> str:  # noqa: ARG002 it is in each row
        """The names of all columns."""
        return self._line(REPORT_COLUMNS, header)

    def row(self, reason: Reason, raw: RawRecord) -> str:
        """The lines of a record."""
        return self._line(["" if part is None else str(part) for part in reason], raw)

    def _line(self, own: Sequence[str], raw: RawRecord) -> str:
        front = self._written([escape_formula(cell) for cell in own])
        return f"{front}{self.delimiter}{self._as_sent(raw)}{self.end}"

    def _as_sent(self, raw: RawRecord) -> str:
        text = without_end(raw.sent)
        if raw.cells is None:
            return escape_formulas(text, self.delimiter)
        if not needs_escaping(text, self.delimiter):
            return text
        cells = sent_cells(raw)
        safe = [escape_formula(cell) for cell in cells]
        return text if safe == cells else self._written(safe)

    def _written(self, cells: Sequence[str]) -> str:
        return written(cells, self.delimiter, quoted=self.quoted)


@frozen
class _Jsonl:
    """Objects with the report's keys in front; no spreadsheet runs them, so nothing is guarded."""

    def header(self, feed_id: str, header: RawRecord) -> str:
        """A record of all keys without values, which is blank, so that none is missing."""
        reason = (feed_id, None, None, None, None, None)
        keys = dict.fromkeys(header.cells or ())
        return json.dumps({**_named(reason), **keys}) + "\n"

    def row(self, reason: Reason, raw: RawRecord) -> str:
        """The line of a record."""
        own, text = json.dumps(_named(reason)), without_end(raw.sent)
        if not text.startswith("{"):
            return f"{own} {text}\n"
        rest = text[1:]
        return f"{own[:-1]}{'' if rest.lstrip() == '}' else ', '}{rest}\n"


def _named(reason: Reason) -> dict[str, object]:
    return dict(zip(REPORT_COLUMNS, reason, strict=True))
