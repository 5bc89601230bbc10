# pyright: reportUnknownMemberType=false
"""Which records are offers: `Grouping.alone` for many records at once."""

from collections import Counter
from collections.abc import Sequence

import polars as pl
from attrs import frozen

from adapters.polars_feeds.parsing import cell
from adapters.polars_feeds.texts import holds
from commerce_core.feed_schema import BLANKS
from commerce_core.grouping import Skipping


@frozen
class Offers:
    """Records that are offers, and what became of the others."""

    cells: pl.DataFrame
    fates: Counter[str]
    reasons: Counter[str]


def offers_in(cells: pl.DataFrame, width: int, skips: Sequence[Skipping]) -> Offers:
    """Leaves blank records out, and those that a rule skips."""
    fates: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    blank = _blank(cells, width)
    if blank.any():
        fates["blank"] = int(blank.sum())
        cells = cells.filter(~blank)
    for rule in skips:
        fitting = holds(cells[cell(rule.index)], rule.fits)
        if times := int(fitting.sum()):
            fates["skipped"] += times
            reasons[rule.reason] += times
            cells = cells.filter(~fitting)
    return Offers(cells, fates, reasons)


def _blank(cells: pl.DataFrame, width: int) -> pl.Series:
    """Which records have nothing in any cell; most have something in the first."""
    blank = cells[cell(0)].str.strip_chars(BLANKS) == ""
    if width > 1 and blank.any():
        others = (pl.col(cell(index)).str.strip_chars(BLANKS) == "" for index in range(1, width))
        blank &= cells.select(pl.all_horizontal(others)).to_series()
    return blank
