"""Which records are offers: `Grouping.alone` for many records at once."""

from collections import Counter
from collections.abc import Sequence

import polars as pl
from attrs import frozen

from adapters.polars_feeds.parsing import MORE, Parsed, cell
from adapters.polars_feeds.texts import holds
from commerce_core.base.text import BLANKS
from commerce_core.parsing.grouping import HEADER_AGAIN, is_header
from commerce_core.parsing.skipping import Skipping


@frozen
class Offers:
    """Records that are offers, by what they are, and what became of the others."""

    fitting: pl.DataFrame
    ragged: pl.DataFrame
    fates: Counter[str]
    reasons: Counter[str]


def offers_in(
    parsed: Parsed, width: int, skips: Sequence[Skipping], header: Sequence[str]
) -> Offers:
    """Leaves blank records out, those that a rule skips, and the header if it is given.

    No rule is asked about a record that is too short.
    """
    fates: Counter[str] = Counter()
    reasons: Counter[str] = Counter()

    def offers(cells: pl.DataFrame, skips: Sequence[Skipping]) -> pl.DataFrame:
        first = cells[cell(0)].str.strip_chars(BLANKS)
        blank, again = _blank(first, cells, width), _headers(first, cells, header)
        if blank.any() or again.any():
            again &= ~blank
            fates["blank"] += int(blank.sum())
            if times := int(again.sum()):
                fates["skipped"] += times
                reasons[HEADER_AGAIN] += times
            cells = cells.filter(~(blank | again))
        for rule in skips:
            fitting = holds(cells[cell(rule.index)], rule.fits)
            if times := int(fitting.sum()):
                fates["skipped"] += times
                reasons[rule.reason] += times
                cells = cells.filter(~fitting)
        return cells

    fitting, ragged = offers(parsed.fitting, skips), parsed.ragged
    if len(ragged):
        short = ragged["count"] < width
        some = [offers(ragged.filter(short), ()), offers(ragged.filter(~short), skips)]
        ragged = some[0].merge_sorted(some[1], "line")
    return Offers(fitting, ragged, fates, reasons)


def _headers(first: pl.Series, cells: pl.DataFrame, header: Sequence[str]) -> pl.Series:
    """Which records are the header again; nearly none begins like it."""
    if not header:
        return first.is_null()
    again = first == header[0]
    if not first.is_empty() and (wide := first.str.len_bytes() != first.str.len_chars()).any():
        again |= wide
    if again.any():
        names = list(map(cell, range(len(header))))
        rows = cells.filter(again).select([*names, MORE]).iter_rows()
        again = again.scatter(again.arg_true(), [is_header(row, header) for row in rows])
    return again


def _blank(first: pl.Series, cells: pl.DataFrame, width: int) -> pl.Series:
    """Which records have nothing in any cell; most have something in the first."""
    blank = first == ""
    if blank.any():
        names = [*map(cell, range(1, width)), MORE]
        others = pl.all_horizontal(pl.col(names).str.strip_chars(BLANKS) == "")
        blank &= cells.select(others).to_series()
    return blank
