"""The rows of sheets as columns: cells are never quoted, and no text contains their ends."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from adapters.polars_feeds.chunks import MOST_ADDED, MOST_CELLS, MOST_LINES
from adapters.polars_feeds.columns import Piece
from adapters.polars_feeds.parsing import MORE, cell, lead
from adapters.polars_feeds.whole_lines import lines_from
from commerce_core.parsing.batching import text_of_batch
from commerce_core.parsing.raw_records import CELL_END, RawRecord
from commerce_core.parsing.reader import Header
from commerce_core.parsing.sheet_rows import LINE_WITHIN, MARK
from commerce_core.parsing.sheets import rows_in
from commerce_core.profiles.limits import text_added

_CELL_END: Final = ord(CELL_END)
_LINE_END: Final = ord("\n")


def sheet_pieces(blocks: Iterable[str], header: Header, chunk: int) -> Iterator[Piece]:
    """The rows of a text behind its header, about `chunk` characters at a time."""
    profile, width = header.terms.profile, len(header.mapping.header)
    added = MOST_ADDED // max(1, text_added(profile))
    most_rows = max(1, min(MOST_LINES, added, MOST_CELLS // width))
    most = min(chunk, text_of_batch(profile))
    for rows, at in lines_from(blocks, header.raw.line + 1, most, most_rows):
        yield Piece(at, _cells(rows, at, width), partial(_raws, rows, at, width))


def _raws(text: str, line: int, width: int) -> Iterator[RawRecord]:
    return rows_in(iter((text,)), line, width)


def _cells(text: str, line: int, width: int) -> pl.DataFrame | None:
    """The cells of rows, none of which is wider than the header; None where one is."""
    try:
        data = text.encode()
        rows = _most_columns(data)
        if "\r" in text or rows is None or rows > width:
            return None
        names = [*map(cell, range(width)), MORE]
        table = pl.read_csv(
            lead(width, CELL_END) + data,
            has_header=False,
            separator=CELL_END,
            quote_char=None,
            schema=dict.fromkeys(names, pl.String),
            empty_string_is_null=False,
            truncate_ragged_lines=True,
        ).slice(1)
    except (PolarsError, UnicodeError):
        return None
    if len(table) != text.count("\n"):
        return None
    cells = table.drop(MORE).with_columns(pl.col("c0").str.strip_prefix(MARK))
    if LINE_WITHIN in text:
        cells = cells.with_columns(pl.all().str.replace_all(LINE_WITHIN, "\n", literal=True))
    lines = pl.int_range(line, line + len(cells), dtype=pl.Int64, eager=True).alias("line")
    whole = pl.concat_str(pl.all(), separator=CELL_END).alias("text")
    return cells.select(lines, whole, pl.lit("\n").alias("end"), pl.all())


def _most_columns(data: bytes) -> int | None:
    """How many cells the widest row has; None if the text doesn't end with a row."""
    array = np.frombuffer(data, np.uint8)
    if not data or array[-1] != _LINE_END:
        return None
    ends = np.flatnonzero(array == _LINE_END)
    # Both are sorted, so the cells before each row are counted by looking its end up.
    before = np.searchsorted(np.flatnonzero(array == _CELL_END), ends)
    return int(np.diff(before, prepend=0).max()) + 1
