"""Columns of text, each distinct text of which is looked at once, in Python."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import polars as pl

T = TypeVar("T")


def nulls(count: int, dtype: type[pl.DataType] | pl.DataType = pl.String) -> pl.Series:
    """A column of nothing."""
    return pl.Series([None], dtype=dtype).new_from_index(0, count)


def holds(texts: pl.Series, judge: Callable[[str], bool]) -> pl.Series:
    """For each row whether its text is judged to be so."""
    if texts.is_empty():
        return texts.is_null()
    results = {text: judge(text) for text in texts.unique()}
    return texts.replace_strict(list(results), list(results.values()), return_dtype=pl.Boolean)


def read_distinct(
    texts: pl.Series, asked: pl.Series, read: Callable[[str], T]
) -> tuple[list[T], pl.Series]:
    """The results for the distinct texts in the rows asked for, and where each row finds its own.

    The place is the row itself, or, if it is asked for, a place behind all rows.
    """
    wanted = texts.filter(asked).alias("t")
    unique = wanted.unique()
    numbered = unique.to_frame().with_columns(n=pl.int_range(pl.len(), dtype=pl.UInt32))
    numbers = wanted.to_frame().join(numbered, on="t", how="left", maintain_order="left")["n"]
    return list(map(read, unique)), place_behind(asked, numbers)


def behind(column: pl.Series, results: Sequence[object], place: pl.Series) -> pl.Series:
    """The column, with these results in the places of their rows."""
    return pl.concat([column, pl.Series(results, dtype=column.dtype)]).gather(place)


def place_behind(asked: pl.Series, numbers: pl.Series) -> pl.Series:
    """Each row's own place, or where it is asked for, a place behind all rows by its number."""
    count = len(asked)
    other = (numbers + count).cast(pl.UInt32)
    index = (asked.cum_sum().cast(pl.Int64) - 1).clip(lower_bound=0)
    own = pl.int_range(count, dtype=pl.UInt32)
    return pl.select(pl.when(asked).then(other.gather(index)).otherwise(own)).to_series()
