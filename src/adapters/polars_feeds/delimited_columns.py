"""Delimited text as pieces: records that fit the header as columns, the others one by one."""

from collections.abc import Iterator
from functools import partial
from typing import Final

import polars as pl

from adapters.polars_feeds.columns import Piece
from adapters.polars_feeds.fallback import FAILURES, raws_of
from adapters.polars_feeds.parsing import MORE, by_width, parse
from adapters.polars_feeds.splits import Splits
from adapters.polars_feeds.splitting import Split
from adapters.polars_feeds.unchanged import is_long
from commerce_core.parsing.unforeseen import NOT_OF_FILE

_MOST_RUNS: Final = 20
"""Runs of records that don't fit, from which on all of a piece are read one by one."""


def delimited_pieces(splits: Splits) -> Iterator[Piece]:
    """The records behind the header, in the order of the file."""
    for split in splits:
        if len(split.records):
            yield from _pieces(split, splits.width, splits.dialect.delimiter)
        del split  # Or it would stay while the next one is made.


def _pieces(split: Split, width: int, delimiter: str) -> Iterator[Piece]:
    records = split.records
    cells = _fitting(split, width, delimiter)
    del split
    if cells is None:
        yield _piece(records, None, delimiter)
        return
    if len(cells) == len(records):
        yield _piece(records, cells, delimiter)
        return
    fits = records["line"].is_in(cells["line"].implode())
    begins = (fits != fits.shift(1)).fill_null(value=True).arg_true()
    if len(begins) > 2 * _MOST_RUNS:
        yield _piece(records, None, delimiter)
        return
    taken = 0
    for start, end in zip(begins, [*begins[1:], len(records)], strict=True):
        some, count = records[start:end], end - start
        if fits[start]:
            yield _piece(some, cells.slice(taken, count), delimiter)
            taken += count
        else:
            yield _piece(some, None, delimiter)


def _piece(records: pl.DataFrame, cells: pl.DataFrame | None, delimiter: str) -> Piece:
    # Parsing has taken out what the reference has to judge.
    raws = partial(raws_of, records, delimiter)
    return Piece(int(records["line"][0]), cells, raws, none_odd=True)


def _fitting(split: Split, width: int, delimiter: str) -> pl.DataFrame | None:
    """The records that have as many cells as the header, and their cells; None if that fails."""
    try:
        return _parsed(split, width, delimiter)
    except NOT_OF_FILE:
        raise
    except FAILURES:
        return None


def _parsed(split: Split, width: int, delimiter: str) -> pl.DataFrame:
    records, as_csv = split.records, split.as_csv
    long = records.select(is_long()).to_series()
    if long.any():
        records, as_csv = records.filter(~long), None
    # The first ones are as wide as the header.
    _, wide = next(by_width(records, width, delimiter))
    parsed = parse(wide, width, delimiter, as_csv if len(wide) == len(records) else None)
    return parsed.fitting.drop(MORE, "count", "upper", "lower")
