"""Completing: what stands between splitting a file into columns and reading these.

Records of a piece take cells from others, or go into others. What has come is remembered by what
joins records one by one, so that any piece can be left to it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import polars as pl
from attrs import evolve, field, frozen

from adapters.polars_feeds.parsing import cell, index_of
from adapters.polars_feeds.tables import PICTURES_OF_OTHERS
from commerce_core.parsing.escapes import Unescaping
from commerce_core.parsing.groups import as_head
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import RawRecord

HEADS: Final = "heads"
"""The column for which records are heads of variants, where some are, and no offers themselves."""


@frozen
class Completed:
    """Records of a piece with what they take from others.

    `others` have to be read one by one, and may stand among them; `fates` and `reasons` are of
    those that are no offers. `sizes` are the characters of each with what it takes, in the columns
    that are `taken`.
    """

    cells: pl.DataFrame
    others: Sequence[Prepared] = ()
    fates: Counter[str] = field(factory=Counter[str])
    reasons: Counter[str] = field(factory=Counter[str])
    sizes: pl.Series | None = None
    taken: Sequence[str] = ()

    def in_parts(self, most: int) -> Iterator["Completed"]:
        """The same in parts of about `most` characters, in the order of the file."""
        if self.sizes is None or self.sizes.sum() <= most or self.cells.is_empty():
            yield self
            return
        parts = (self.sizes.cum_sum() - self.sizes) // most
        begins = (parts != parts.shift(1)).fill_null(value=True).arg_true().to_list()
        others, rest = list(self.others), evolve(self, sizes=None)
        for start, end in zip(begins, [*begins[1:], None], strict=True):
            behind = len(others) if end is None else self._before(others, end)
            some, others = others[:behind], others[behind:]
            yield evolve(rest, cells=self.cells[start:end], others=some)
            rest = Completed(self.cells, taken=self.taken)

    def _before(self, others: Sequence[Prepared], row: int) -> int:
        """How many of the others stand before a row."""
        line = int(self.cells["line"][row])
        return sum(other.raw.line < line for other in others)

    def one_by_one(
        self, alone: Callable[[RawRecord], Prepared], width: int, delimiter: str
    ) -> Iterator[Prepared]:
        """The records in the order of the file."""
        own = (self._one(alone, row, width, delimiter) for row in range(len(self.cells)))
        return iter(sorted([*own, *self.others], key=lambda one: one.raw.line))

    def _one(
        self, alone: Callable[[RawRecord], Prepared], row: int, width: int, delimiter: str
    ) -> Prepared:
        one = alone(raw_at(self.cells, row, width, delimiter))
        if HEADS in self.cells.columns and self.cells[HEADS][row]:
            return as_head(one)
        pictures = self.cells[PICTURES_OF_OTHERS][row] if PICTURES_OF_OTHERS in self.cells else ""
        return evolve(one, pictures=tuple(pictures.split(" "))) if pictures else one


class Completing(Protocol):
    """Completes pieces of a file, which come in its order."""

    def __call__(self, cells: pl.DataFrame) -> Completed | None:
        """A piece with columns `line`, `text`, perhaps `end` and `lines`, and its cells.

        None if its records have to be joined one by one.
        """
        ...


def raw_at(cells: pl.DataFrame, row: int, width: int, delimiter: str) -> RawRecord:
    """The record in a row."""
    found = cells.row(row, named=True)
    own = [found[cell(index)] for index in range(width)]
    sent = found["text"] + found.get("end", "")
    return RawRecord(found["line"], own, "", found.get("lines", 1), delimiter, sent)


def lengths(cells: pl.DataFrame) -> pl.Series:
    """The characters of each record as it was sent."""
    sent = [pl.col(name) for name in ("text", "end") if name in cells.columns]
    return cells.select(
        pl.sum_horizontal(text.str.len_chars().cast(pl.Int64) for text in sent)
    ).to_series()


def characters_taken(cells: pl.DataFrame, completed: pl.DataFrame) -> pl.Series:
    """How many more characters records have, by the cells that were completed."""
    if completed.width == 0:
        return pl.repeat(0, len(cells), dtype=pl.Int64, eager=True)
    more = (
        completed[name].str.len_chars().cast(pl.Int64) - cells[name].str.len_chars()
        for name in completed.columns
    )
    return pl.select(pl.sum_horizontal(more)).to_series()


def unescaped(cells: pl.DataFrame, escapes: Unescaping) -> pl.DataFrame:
    """The records as they were before they were exported: `Unescaping` for many at once."""
    text = pl.col("text")
    rows = (
        cells.select(text.str.contains("'", literal=True) | text.str.contains("\\", literal=True))
        .to_series()
        .arg_true()
    )
    if rows.is_empty():
        return cells
    mended = list[pl.Series]()
    for column in cells.columns:
        if (index := index_of(column)) is not None:
            own = cells[column].gather(rows)
            changed = _unescaped(own, index, escapes)
            if (changed != own).any():
                mended.append(cells[column].scatter(rows, changed))
    return cells.with_columns(mended)


def _unescaped(texts: pl.Series, index: int, escapes: Unescaping) -> pl.Series:
    texts = texts.str.replace(r"^'([=+\-@\t\r])", "${1}")
    if index in escapes.lists:
        return texts
    if index not in escapes.texts:
        return texts.str.replace_all("\\,", ",", literal=True)
    # A text that is read as columns has no NUL.
    kept = texts.str.replace_all("\\\\n", "\0", literal=True)
    broken = kept.str.replace_all("\\n", "\n", literal=True)
    return broken.str.replace_all("\0", "\\n", literal=True)
