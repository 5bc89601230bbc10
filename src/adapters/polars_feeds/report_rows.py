"""Rows of a report for many records at once: `parsing.reject_rows.RowWriter` as columns.

Text that a spreadsheet may run, and broken text, is left to the reference, row by row.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import polars as pl
from attrs import define, field

from adapters.polars_feeds.reject_buffer import REJECTS
from commerce_core.base.text import BLANKS
from commerce_core.parsing.delimited import DelimitedRows, written
from commerce_core.parsing.formulas import BEGINNINGS, escape_formula, needs_escaping_pattern
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.reject_rows import Rows, RowWriter, also, overridden
from commerce_core.schema.problems import LONGEST_SHOWN_VALUE, Problem

_ERROR: Final = pl.Schema({
    "row": pl.UInt32, "code": pl.String, "column": pl.String, "value": pl.String, "hint": pl.String,
})  # fmt: skip
_OWN: Final = ("column", "value", "hint")
"""The report's own columns whose text may need quotes, or escaping."""
_LINE: Final = pl.col("line")


def cut(text: pl.Expr) -> pl.Expr:
    """A text as the value of a problem: `Problem.of` for a column."""
    return text.str.head(LONGEST_SHOWN_VALUE).str.replace_all("\0", "\ufffd", literal=True)


def shown(text: pl.Expr) -> pl.Expr:
    """A cell as the value of a problem, none where it is blank."""
    return pl.when(text.str.strip_chars(BLANKS) != "").then(cut(text))


def summed_up(errors: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The first error of each row, with the others in its hint; they come in the order of slots."""
    every = pl.concat([_ERROR.to_frame(), *errors]).sort("row", maintain_order=True)
    first = every["row"].is_first_distinct()
    if first.all():
        return every
    named = pl.col("column").fill_null("")
    where = pl.when(named == "").then(pl.lit("")).otherwise(pl.concat_str(pl.lit(" in "), named))
    also_ = pl.concat_str(pl.lit("Also "), "code", where, pl.lit(": "), "hint").str.join(" ")
    others = every.filter(~first).group_by("row").agg(also_.alias("others"))
    both = every.filter(first).join(others, on="row", how="left", maintain_order="left")
    hint = pl.concat_str("hint", "others", separator=" ", ignore_nulls=True)
    return both.select(*_ERROR).with_columns(both.select(hint))


def in_order(
    ones: Iterator[pl.DataFrame], others: Iterator[pl.DataFrame]
) -> Iterator[pl.DataFrame]:
    """Some records and others, which are in the order of the file each, in that order together."""
    ones, others = filter(len, ones), filter(len, others)
    one, other = next(ones, None), next(others, None)
    while one is not None and other is not None:
        behind = min(one["line"][-1], other["line"][-1]) < _LINE
        yield one.filter(~behind).merge_sorted(other.filter(~behind), "line")
        one, other = one.filter(behind), other.filter(behind)
        one = next(ones, None) if one.is_empty() else one
        other = next(others, None) if other.is_empty() else other
    for table, rest in ((one, ones), (other, others)):
        if table is not None:
            yield table
            yield from rest


@define
class ColumnWriter:
    """Writes the rows of one report of delimited text."""

    _by: RowWriter
    _form: DelimitedRows
    _left_out: pl.Series = field(init=False)
    _found: pl.DataFrame = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Looks through what the comparison found."""
        left_out = [line for line, found in self._by.found.items() if overridden(found)]
        self._left_out = pl.Series(left_out, dtype=pl.Int64)
        self._found = _errors_in(self._by.found)

    @property
    def asked(self) -> pl.Series:
        """The lines of records that are rejected for what the comparison found."""
        return self._found["found_line"]

    def completed(self, rejects: pl.DataFrame) -> pl.DataFrame:
        """Records with all that is wrong with them, less those that a later one overrides."""
        some = rejects.filter(~_LINE.is_in(self._left_out.implode()))
        if self._found.is_empty():
            return some
        both = some.join(
            self._found, left_on="line", right_on="found_line", how="left", maintain_order="left"
        )
        further = pl.concat_str("hint", "found_also", separator=" ", ignore_nulls=True)
        alone = pl.col("code").is_null()
        own = (pl.when(alone).then(f"found_{name}").otherwise(name).alias(name)
               for name in ("code", "column", "value"))  # fmt: skip
        hint = pl.when(alone).then("found_hint").otherwise(further).alias("hint")
        return both.with_columns(*own, hint).select(*REJECTS)

    def __call__(self, completed: pl.DataFrame) -> Rows:
        """The rows of these records."""
        rows = completed.select(self._row()).to_series()
        with_care = completed.select(self._needs_care()).to_series()
        if with_care.any():
            careful = completed.filter(with_care).iter_rows(named=True)
            rows = rows.scatter(with_care.arg_true(), [self._by_reference(one) for one in careful])
        return len(completed), rows.str.join("").item()

    def _needs_care(self) -> pl.Expr:
        begins = pl.any_horizontal(
            pl.col(name).str.head(1).is_in(list(BEGINNINGS)).fill_null(value=False) for name in _OWN
        )
        runs = pl.col("text").str.contains(needs_escaping_pattern(self._form.delimiter))
        return pl.col("broken") | begins | runs

    def _by_reference(self, one: Mapping[str, Any]) -> str:
        own = (one["code"], one["column"], one["value"], one["hint"])
        cells = None if one["broken"] else list[str]()
        raw = RawRecord(
            one["line"], cells, delimiter=self._form.delimiter, sent=one["text"] + one["end"]
        )
        return self._form.row((self._by.feed_id, one["line"], *own), raw)

    def _row(self) -> pl.Expr:
        form = self._form
        feed = written([escape_formula(self._by.feed_id)], form.delimiter, quoted=form.quoted)
        own = [self._cell(name) for name in ("line", "code", *_OWN)]
        row = pl.concat_str(pl.lit(feed), *own, "text", separator=form.delimiter)
        return pl.concat_str(row, pl.lit(form.end))

    def _cell(self, name: str) -> pl.Expr:
        """A cell of the report's own: `written` for a column."""
        cell = pl.col(name).cast(pl.String).fill_null("")
        quotes = pl.lit('"')
        quoted = pl.concat_str(quotes, cell.str.replace_all('"', '""', literal=True), quotes)
        if self._form.quoted:
            return quoted
        special = rf'["\r\n{re.escape(self._form.delimiter)}]'
        return pl.when(cell.str.contains(special)).then(quoted).otherwise(cell)


def _errors_in(found: Mapping[int, Problem]) -> pl.DataFrame:
    names = ("line", "code", "column", "value", "hint", "also")
    rows = [
        (line, p.code, p.column, p.value, p.hint, also(p))
        for line, p in found.items()
        if p.severity == "error"
    ]
    schema = {f"found_{name}": pl.Int64 if name == "line" else pl.String for name in names}
    return pl.DataFrame(rows, schema, orient="row")
