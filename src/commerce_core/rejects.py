"""The report of a feed's rejected records: the partner's own rows with the reason in front of each.

A second pass over the raw file makes it, so memory stays flat. What reading finds wrong is found
again; what only the comparison finds comes by line. A row that isn't rejected stands in it only
where a rejected one takes something from it, marked so that intake leaves it aside.
"""

import codecs
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, Final, Protocol

from attrs import Factory, define, frozen

from commerce_core.feed_bytes import Text
from commerce_core.feed_engine import Reread
from commerce_core.feed_reader import Opening
from commerce_core.feed_schema import Problem
from commerce_core.feed_text import RawRecord
from commerce_core.grouping import Prepared
from commerce_core.layouts import REPORT_COLUMNS
from commerce_core.mending import (
    GOES_ALONG,
    guarded,
    guarded_text,
    may_run,
    sent_cells,
    without_end,
    written,
)

MOST_COMPARED_KEPT: Final = 100_000
"""Problems that only the comparison finds and that the report tells, the first ones by line."""
MOST_REPORT_BYTES: Final = 1 << 30
"""How long a report gets; it ends with the last record that fits."""
RECORDS_PER_LOOK: Final = 5_000
"""After how many records the run shows that it is alive."""

_WRITTEN_IN: Final = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_ASIDE_HINT: Final = "Not rejected; it is here for the records beside it, and isn't loaded again."

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
class RejectReport:
    """The report of one run. `records` are the rejected ones in it so far, and at its end all."""

    _feed_id: str
    _opening: Opening
    _reread: Iterator[Reread]
    _found: dict[int, Problem]
    _alive: Callable[[], None]
    records: int = 0
    _head: int | None = None
    _form: _Form = Factory(lambda self: _form_of(self._opening), takes_self=True)

    @classmethod
    def of(
        cls,
        feed_id: str,
        opening: Opening,
        records: Iterator[Reread],
        found: Mapping[int, Problem],
        alive: Callable[[], None],
    ) -> "RejectReport":
        """Of a feed just opened again, and the records that an engine has reread.

        `found` is what the comparison found, by line. `alive` is called often.
        """
        return cls(feed_id, opening, records, dict(found), alive)

    def stream(self, text: Text) -> BinaryIO:
        """The report as bytes, in the encoding in which that text, of the same file, was read."""
        return _Stream(self._encoded(text))  # type: ignore[return-value]

    def _encoded(self, text: Text) -> Iterator[bytes]:
        name = _WRITTEN_IN.get(text.mark, text.encoding)
        # Only a hint of ours can have what the encoding lacks.
        encode = codecs.getincrementalencoder(name)("replace").encode
        first = text.mark + encode(self._form.header(self._feed_id, self._opening.header))
        size = len(first)
        yield first
        for count, rows in self._rows():
            block = encode(rows)
            size += len(block)
            if size > MOST_REPORT_BYTES:
                return
            self.records += count
            yield block

    def _rows(self) -> Iterator[tuple[int, str]]:
        """The rows of each rejected record (1), and of those folded into it (0)."""
        rejected = False
        for number, (prepared, problems) in enumerate(self._reread, start=1):
            if number % RECORDS_PER_LOOK == 0:
                self._alive()
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
        found = self._found.get(prepared.raw.line)
        if prepared.fate is not None or (found and found.code == "duplicate_sku"):
            return []
        errors = [problem for problem in problems if problem.severity == "error"]
        return [*errors, found] if found and found.severity == "error" else errors

    def _head_of(self, prepared: Prepared) -> str:
        """The first row of the record's group, which the record completes itself from."""
        head, cells = prepared.head, prepared.raw.cells
        if head is None:
            if cells is not None and len(cells) >= len(self._opening.layout.header):
                self._head = prepared.raw.line
            return ""
        if head.line == self._head:
            return ""
        self._head = head.line
        return self._aside(head)

    def _row(self, raw: RawRecord, errors: Sequence[Problem]) -> str:
        first, *others = errors
        told = [first.hint, *map(_also, others)]
        reason = (self._feed_id, raw.line, first.code, first.column, first.value, " ".join(told))
        return self._form.row(reason, raw)

    def _aside(self, raw: RawRecord) -> str:
        return self._form.row((self._feed_id, raw.line, GOES_ALONG, None, None, _ASIDE_HINT), raw)


def _also(problem: Problem) -> str:
    where = f" in {problem.column}" if problem.column else ""
    return f"Also {problem.code}{where}: {problem.hint}"


def _form_of(opening: Opening) -> _Form:
    if opening.delimiter is None:
        return _Jsonl()
    sent = opening.header.sent
    end = sent[len(without_end(sent)) :] or "\n"
    return _Delimited(opening.delimiter, end, sent.startswith('"'))


@frozen
class _Delimited:
    """Rows in the partner's dialect: what came stands there as it came, unless it needs a guard."""

    _delimiter: str
    _end: str
    _quoted: bool

    def header(self, feed_id: str, header: RawRecord) -> str:  # noqa: ARG002 it is in each row
        return self._line(REPORT_COLUMNS, header)

    def row(self, reason: Reason, raw: RawRecord) -> str:
        return self._line(["" if part is None else str(part) for part in reason], raw)

    def _line(self, own: Sequence[str], raw: RawRecord) -> str:
        front = self._written([guarded(cell) for cell in own])
        return f"{front}{self._delimiter}{self._as_sent(raw)}{self._end}"

    def _as_sent(self, raw: RawRecord) -> str:
        text = without_end(raw.sent)
        if raw.cells is None:
            return guarded_text(text, self._delimiter)
        if not may_run(text, self._delimiter):
            return text
        cells = sent_cells(raw)
        safe = [guarded(cell) for cell in cells]
        return text if safe == cells else self._written(safe)

    def _written(self, cells: Sequence[str]) -> str:
        return written(cells, self._delimiter, quoted=self._quoted)


@frozen
class _Jsonl:
    """Objects with the report's keys in front; no spreadsheet runs them, so nothing is guarded."""

    def header(self, feed_id: str, header: RawRecord) -> str:
        """A record of all keys without values, which is blank, so that none is missing."""
        reason = (feed_id, None, None, None, None, None)
        keys = dict.fromkeys(header.cells or ())
        return json.dumps({**_named(reason), **keys}) + "\n"

    def row(self, reason: Reason, raw: RawRecord) -> str:
        own, text = json.dumps(_named(reason)), without_end(raw.sent)
        if not text.startswith("{"):
            return f"{own} {text}\n"
        rest = text[1:]
        return f"{own[:-1]}{'' if rest.lstrip() == '}' else ', '}{rest}\n"


def _named(reason: Reason) -> dict[str, object]:
    return dict(zip(REPORT_COLUMNS, reason, strict=True))


class _Stream:
    """Blocks of bytes as a stream to read from."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._ahead = bytearray()

    def read(self, size: int = -1) -> bytes:
        for block in self._blocks:
            self._ahead += block
            if 0 <= size <= len(self._ahead):
                break
        end = len(self._ahead) if size < 0 else size
        taken = bytes(self._ahead[:end])
        del self._ahead[:end]
        return taken
