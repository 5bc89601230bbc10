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
from commerce_core.parsing.sum_rows import SPELLINGS, SUMS, Sums


@frozen
class Offers:
    """Records that are offers, by what they are, and what became of the others."""

    fitting: pl.DataFrame
    ragged: pl.DataFrame
    fates: Counter[str]
    reasons: Counter[str]


def offers_in(
    parsed: Parsed,
    width: int,
    skips: Sequence[Skipping],
    header: Sequence[str],
    sums_in: Sums | None,
) -> Offers:
    """Leaves blank records out, rows of sums, those that a rule skips, and the header if given.

    No rule is asked about a record that is too short, and none is a row of sums.
    """
    fates: Counter[str] = Counter()
    reasons: Counter[str] = Counter()

    def offers(
        cells: pl.DataFrame, skips: Sequence[Skipping], *, whole: bool = True
    ) -> pl.DataFrame:
        first = cells[cell(0)].str.strip_chars(BLANKS)
        blank, again = _blank(first, cells, width), _headers(first, cells, header)
        sums = _sums(first, cells, sums_in) if whole and sums_in else first.is_null()
        if blank.any() or again.any() or sums.any():
            again &= ~blank
            sums &= ~again
            fates["blank"] += int(blank.sum())
            for mask, reason in ((again, HEADER_AGAIN), (sums, SUMS)):
                if times := int(mask.sum()):
                    fates["skipped"] += times
                    reasons[reason] += times
            cells = cells.filter(~(blank | again | sums))
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
        some = [offers(ragged.filter(short), (), whole=False), offers(ragged.filter(~short), skips)]
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


def _sums(first: pl.Series, cells: pl.DataFrame, sums_in: Sums) -> pl.Series:
    """Which records are rows of sums: few begin with a word of theirs, or with a blank cell."""
    words = pl.Series(sorted(SPELLINGS)).implode()
    sums = first.is_in(words)
    if (blank := first == "").any():
        others = pl.col([cell(index) for index in range(sums_in.width)]).str.strip_chars(BLANKS)
        sums |= blank & cells.select(pl.any_horizontal(others.is_in(words))).to_series()
    if sums.any():
        names = list(map(cell, range(sums_in.width)))
        rows = cells.filter(sums).select([*names, MORE]).iter_rows()
        sums = sums.scatter(sums.arg_true(), list(map(sums_in, rows)))
    return sums
