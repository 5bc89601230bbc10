"""Totals: consecutive records of one sku, such as one for each location, that are one record."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS
from commerce_core.parsing.prepared import Prepared
from commerce_core.profiles.extractors import Extractor, whole_of
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.profiles.profile import Totals

MOST_ADDED_UP: Final = 10_000
"""Records that may be added to one: it waits for them, and they with it."""


@frozen
class Adding:
    """Adds up one column of the records with the same sku."""

    _column: int
    _sku: Extractor
    _zero: frozenset[str]
    _width: int

    @classmethod
    def of(cls, mapping: HeaderMapping, totals: Totals | None) -> "Adding | None":
        """For the records of one file; None if it doesn't have both columns."""
        if totals is None or mapping.index_of(totals.over) is None:
            return None
        column = mapping.index_of(totals.column)
        if column is None:
            return None
        zero = frozenset(word.lower() for word in totals.zero)
        return cls(column, mapping.field_mappings["sku"].gather, zero, len(mapping.header))

    def __call__(self, prepared: Iterable[Prepared]) -> Iterator[Prepared]:
        """The records in the order of the file; each waits for those that are added to it."""
        waiting: Prepared | None = None
        folded: list[Prepared] = []
        for record in prepared:
            total = None if waiting is None else self._total(waiting, record)
            if waiting is not None and total is not None:
                waiting = evolve(waiting, raw=waiting.raw.with_cells(total))
                folded.append(Prepared(record.raw, "folded"))
                if len(folded) > MOST_ADDED_UP:
                    raise _too_many(record.raw.line)
                continue
            yield from () if waiting is None else (waiting, *folded)
            waiting, folded = record, []
        yield from () if waiting is None else (waiting, *folded)

    def _total(self, one: Prepared, other: Prepared) -> list[str] | None:
        """The cells of both together; None if they aren't the same, or have no number each."""
        cells, more = one.raw.cells, other.raw.cells
        if cells is None or more is None or one.fate or other.fate:
            return None
        if len(cells) < self._width or len(more) < self._width:
            return None
        numbers = [self._number(cells), self._number(more)]
        sku = self._sku(cells)
        if not sku or sku != self._sku(more) or None in numbers:
            return None
        whole = list(cells)
        whole[self._column] = str(sum(number or 0 for number in numbers))
        return whole

    def _number(self, cells: Sequence[str]) -> int | None:
        text = cells[self._column].strip(BLANKS)
        return 0 if text.lower() in self._zero else whole_of(text)


def _too_many(line: int) -> FileRefused:
    detail = f"More than {MOST_ADDED_UP:,} records up to line {line} have the same sku."
    return FileRefused("too_large", detail, "Send one record for each location.", line=line)
