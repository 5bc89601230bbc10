"""From records to cells: records that polars' reader reads as the reference does, and the others.

Only records whose quotes all stand around cells are given to it. How many cells it found is then
counted by lengths: it fills short records up without a word, and cuts long ones off.
"""

import io
from collections.abc import Iterator
from typing import Final

import polars as pl
from attrs import frozen
from polars.exceptions import PolarsError

from commerce_core.base.text import BLANKS
from commerce_core.parsing.delimited import read_delimited
from commerce_core.parsing.other_files import BREAKS_OFF

_TEXT: Final = pl.col("text")
_CELLS: Final = pl.col("count")
_BREAKS_OFF: Final = pl.col("c0").str.contains(BREAKS_OFF)
_ABOUT: Final = ("text", "line", "lines", "end", "upper", "lower")
MOST_CELLS: Final = 1 << 22
"""Cells of a table up to which all records have the same width, however short they are."""
MORE: Final = "more"
"""The column for what stands behind the last one of the header."""


@frozen
class Parsed:
    """Records with their cells, `c0`, `c1` ..., by what they are, each with the `count` of them.

    Those that fit have as many cells as the header, be it that a blank one follows; ragged ones
    have fewer, or one more. The odd ones have no cells yet: the reference has to read them.
    """

    fitting: pl.DataFrame
    ragged: pl.DataFrame
    odd: pl.DataFrame

    def as_ragged(self) -> "Parsed":
        """The same records under a wider header, which none of them fits."""
        ragged = self.fitting.merge_sorted(self.ragged, "line")
        cut_off = ragged.select((pl.col("end") == "") | _BREAKS_OFF).to_series()
        odd = self.odd.merge_sorted(ragged.filter(cut_off).select(_ABOUT), "line")
        return Parsed(self.fitting.clear(), ragged.filter(~cut_off), odd)


def cell(index: int) -> str:
    """The name of the column of cells in that place."""
    return f"c{index}"


def index_of(column: str) -> int | None:
    """The place of a column of cells; None for any other column."""
    return int(column[1:]) if column[0] == "c" and column[1:].isdecimal() else None


def lead(width: int, delimiter: str) -> bytes:
    """A line to put in front of records, which says how many cells there are, and one more.

    Behind it, no mark is taken for one of byte order, and no text for an archive.
    """
    return delimiter.encode() * width + b"\n"


def by_width(
    records: pl.DataFrame, width: int, delimiter: str
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Records by how many cells they can have, each with a width that is at most twice that.

    The first are those for the header's own width. In a table as wide as the header, each of many
    short ones would take as much memory as a long one.
    """
    while width * len(records) > MOST_CELLS:
        short = records.select(
            _TEXT.str.count_matches(delimiter, literal=True) < width // 2
        ).to_series()
        if not short.any():
            break
        yield width, records.filter(~short)
        width, records = width // 2, records.filter(short)
    yield width, records


def parse(records: pl.DataFrame, width: int, delimiter: str, as_csv: bytes | None) -> Parsed:
    """The cells of records under a header of that width; `as_csv` is their text, if it is there."""
    proper, others = records.select(*_ABOUT), records.clear().select(*_ABOUT)
    if as_csv is None:
        proper = records.filter("proper").select(_ABOUT)
        others = records.filter(~pl.col("proper")).select(_ABOUT)
        as_csv = _as_csv(proper, width, delimiter)
    table = _read(as_csv, len(proper), width, delimiter)
    if table is None:
        cells, odd = _read_by_reference(records.select(*_ABOUT), width, delimiter)
        return _sorted_out(cells, odd, width)
    both = pl.concat([proper, table], how="horizontal")
    both = both.with_columns(count=_count(both, width))
    if others.is_empty():
        return _sorted_out(both, others, width)
    cells, odd = _read_by_reference(others, width, delimiter)
    return _sorted_out(both.merge_sorted(cells, "line"), odd, width)


def _sorted_out(cells: pl.DataFrame, odd: pl.DataFrame, width: int) -> Parsed:
    """Records by how many cells they have, and what the last one says."""
    blank_follows = _CELLS.eq(width + 1) & (pl.col(MORE).str.strip_chars(BLANKS) == "")
    fits = cells.select((_CELLS.eq(width) | blank_follows) & ~_BREAKS_OFF).to_series()
    if fits.all():
        return Parsed(cells, cells.clear(), odd)
    others = cells.filter(~fits)
    # The reference judges those with far too many cells, and one with which the file may end.
    cut_off = (_CELLS.lt(width) & (pl.col("end") == "")) | _BREAKS_OFF
    by_reference = others.select(_CELLS.gt(width + 1) | cut_off).to_series()
    longer = others.filter(by_reference).select(_ABOUT)
    ragged = others.filter(~by_reference)
    return Parsed(cells.filter(fits), ragged, odd.merge_sorted(longer, "line"))


def _read_by_reference(
    records: pl.DataFrame, width: int, delimiter: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records with their cells as the reference splits them, and those that stay odd.

    Odd are broken ones, those with far too many cells, and those with a NUL in one.
    """
    text = records.select(pl.concat_str("text", "end").str.join("")).item() or ""
    rows: list[tuple[str | int, ...]] = []
    for raw in read_delimited(iter((text,)), delimiter):
        cells = raw.cells
        if cells is None or len(cells) > width + 1 or "\0" in raw.sent:
            rows.append(("",) * (width + 1) + (-1,))
        else:
            rows.append((*cells, *("",) * (width + 1 - len(cells)), len(cells)))
    names = [*map(cell, range(width)), MORE]
    schema = {**dict.fromkeys(names, pl.String), "count": pl.Int64}
    both = pl.concat([records, pl.DataFrame(rows, schema, orient="row")], how="horizontal")
    return both.filter(_CELLS.ge(0)), both.filter(_CELLS.lt(0)).select(_ABOUT)


def _as_csv(records: pl.DataFrame, width: int, delimiter: str) -> bytes:
    text = io.BytesIO(lead(width, delimiter))
    text.seek(0, io.SEEK_END)
    records.select("text").write_csv(text, include_header=False, quote_style="never")
    return text.getvalue()


def _read(as_csv: bytes, count: int, width: int, delimiter: str) -> pl.DataFrame | None:
    """The cells of all records; None where there are more or fewer of them than records."""
    names = [*map(cell, range(width)), MORE]
    try:
        table = pl.read_csv(
            as_csv,
            has_header=False,
            separator=delimiter,
            schema=dict.fromkeys(names, pl.String),
            empty_string_is_null=False,
            truncate_ragged_lines=True,
        ).slice(1)
    except PolarsError:
        return None
    return table if len(table) == count else None


def _count(both: pl.DataFrame, width: int) -> pl.Series:
    """How many cells each record has; of one with two more than the header, only that."""
    cells = [pl.col(cell(index)) for index in range(width)] + [pl.col(MORE)]
    doubled = both.select(_TEXT.str.contains('""', literal=True)).to_series()
    lengths = pl.sum_horizontal(c.str.len_bytes() for c in cells).cast(pl.Int64)
    quotes = pl.when(_TEXT.str.contains('"', literal=True)).then(
        _TEXT.str.count_matches('"', literal=True)
    )
    count = both.select(
        count=_TEXT.str.len_bytes().cast(pl.Int64)
        - lengths
        + 1
        - quotes.fill_null(0).cast(pl.Int64)
    )["count"]
    if doubled.any():
        # A quote within a cell was written as two, of which one is still there.
        kept = pl.sum_horizontal(c.str.count_matches('"', literal=True) for c in cells)
        count += both.select(pl.when(doubled).then(kept).otherwise(0).cast(pl.Int64)).to_series()
    return count
