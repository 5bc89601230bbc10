"""Which records are offers: `Grouping.alone` for many records at once."""

from collections import Counter
from collections.abc import Sequence

import polars as pl
from attrs import frozen

from adapters.polars_feeds.parsing import MORE, Parsed, cell
from adapters.polars_feeds.texts import holds
from commerce_core.base.text import BLANKS
from commerce_core.parsing.grouping import Skipping


@frozen
class Offers:
    """Records that are offers, by what they are, and what became of the others."""

    fitting: pl.DataFrame
    ragged: pl.DataFrame
    fates: Counter[str]
    reasons: Counter[str]


def offers_in(parsed: Parsed, width: int, skips: Sequence[Skipping]) -> Offers:
    """Leaves blank records out, and those that a rule skips; one that is too short can't say."""
    fates: Counter[str] = Counter()
    reasons: Counter[str] = Counter()

    def offers(cells: pl.DataFrame, skips: Sequence[Skipping]) -> pl.DataFrame:
        blank = _blank(cells, width)
        if blank.any():
            fates["blank"] += int(blank.sum())
            cells = cells.filter(~blank)
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


def _blank(cells: pl.DataFrame, width: int) -> pl.Series:
    """Which records have nothing in any cell; most have something in the first."""
    blank = cells[cell(0)].str.strip_chars(BLANKS) == ""
    if blank.any():
        names = [*map(cell, range(1, width)), MORE]
        others = pl.all_horizontal(pl.col(names).str.strip_chars(BLANKS) == "")
        blank &= cells.select(others).to_series()
    return blank
