"""Gathering for many records at once: `commerce_core.profiles.extractors`, case by case."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

import polars as pl

from adapters.polars_feeds.parsing import cell, index_of
from adapters.polars_feeds.texts import behind, holds, place_behind
from commerce_core.base.text import BLANKS
from commerce_core.profiles import extractors
from commerce_core.profiles.extractors import (
    Constant,
    Extractor,
    SkuOrTemplate,
    Template,
    agrees,
    is_positive,
)

_ESCAPED: Final = {
    character: json.dumps(character)[1:-1] for character in (*map(chr, range(0x20)), '"', "\\")
}
"""How JSON writes the characters that no text of it may contain as they are."""
_HAS_ESCAPED: Final = r'[\x00-\x1f"\\]'


def gathered(hows: Mapping[str, Extractor], cells: pl.DataFrame) -> dict[str, pl.Series]:
    """The text of each field in each record."""
    places = {how.index for how in hows.values() if isinstance(how, extractors.Cell)}
    trimmed = cells.select(pl.col(list(map(cell, places))).str.strip_chars(BLANKS))
    return {
        name: trimmed[cell(how.index)] if isinstance(how, extractors.Cell) else _one(how, cells)
        for name, how in hows.items()
    }


def _one(how: Extractor, cells: pl.DataFrame) -> pl.Series:
    match how:
        case extractors.Constant(text):
            return pl.repeat(text, len(cells), dtype=pl.String, eager=True)
        case extractors.Cell(index):
            return cells[cell(index)].str.strip_chars(BLANKS)
        case extractors.FirstOf(indexes):
            return _or_blank(pl.coalesce([*map(_said, indexes), pl.lit("")]), cells)
        case extractors.Joined(indexes, between):
            return _or_blank(_joined([_said(index) for index in indexes], between), cells)
        case extractors.OptionPairs(pairs):
            return _or_blank(
                _joined([_option(n, i) for n, i in pairs if i is not None], "; "), cells
            )
        case extractors.RequireColumns(needs, within):
            text = _one(within, cells)
            agreed = pl.all_horizontal(holds(cells[cell(index)], agrees) for index in needs)
            return pl.select(pl.when(agreed).then(text).otherwise(pl.lit(""))).to_series()
        case extractors.UnlessPositive(indexes, within):
            text = _one(within, cells)
            positive = pl.any_horizontal(holds(cells[cell(i)], is_positive) for i in indexes)
            return pl.select(pl.when(positive).then(pl.lit("")).otherwise(text)).to_series()
        case extractors.SkuOrTemplate(within):
            return _identified(how, _one(within, cells), cells)
        case extractors.Template():
            return templated(how, cells)
        case extractors.AttributeMap(named):
            return _object([_member(name, index, cells) for name, index in named], cells)
        case extractors.Added():
            return _one_by_one(how, cells)
        case _:
            assert_never(how)


def templated(how: Template, cells: pl.DataFrame) -> pl.Series:
    """A text made of cells, blank where the template says so."""
    parts = [pl.lit(None, pl.String) if i is None else _said(i) for i in how.places]
    pieces = [
        pl.concat_str(pl.lit(before), part).fill_null("")
        for before, part in zip(how.literals, parts, strict=False)
    ]
    text = pl.concat_str(*pieces, pl.lit(how.literals[-1]))
    first, *others = (part.is_not_null() for part in parts)
    is_named = first & pl.any_horizontal(others) if others else first
    return _or_blank(pl.when(is_named).then(text), cells)


def _said(index: int) -> pl.Expr:
    """A cell, trimmed; null where it is blank."""
    text = pl.col(cell(index)).str.strip_chars(BLANKS)
    return pl.when(text != "").then(text)


def _joined(parts: Sequence[pl.Expr], between: str) -> pl.Expr:
    return pl.concat_str(parts, separator=between, ignore_nulls=True) if parts else pl.lit("")


def _option(name: Constant | extractors.Cell, index: int) -> pl.Expr:
    if isinstance(name, Constant):
        named = pl.lit(name.text or None, pl.String)
    else:
        named = _said(name.index)
    return pl.concat_str(named, pl.lit(": "), _said(index))


def _object(members: Sequence[pl.Expr], cells: pl.DataFrame) -> pl.Series:
    """JSON with the members that are there, spelled as the reference spells it."""
    joined = _joined(members, ", ")
    return _or_blank(
        pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}"))), cells
    )


def _member(name: str, index: int, cells: pl.DataFrame) -> pl.Expr:
    """A cell under its name; null where it is blank."""
    text = _said(index)
    if cells[cell(index)].str.contains(_HAS_ESCAPED).any():
        text = text.str.replace_many(_ESCAPED)
    key = json.dumps(name, ensure_ascii=False)
    return pl.concat_str(pl.lit(f'{key}: "'), text, pl.lit('"'))


def _or_blank(text: pl.Expr, cells: pl.DataFrame) -> pl.Series:
    made = cells.select(pl.lit("").alias("blank"), text.fill_null("").alias("text"))["text"]
    return made if len(made) == len(cells) else made.new_from_index(0, len(cells))


def _identified(how: SkuOrTemplate, text: pl.Series, cells: pl.DataFrame) -> pl.Series:
    """The skus, and what stands in for those that are blank."""
    blank = text == ""
    if not blank.any():
        return text
    some = cells.filter(blank)
    made = pl.repeat("", len(some), dtype=pl.String, eager=True)
    for template in how.templates:
        made = made.zip_with(made != "", templated(template, some))
    return behind(text, made.to_list(), place_behind(blank, pl.int_range(len(made), eager=True)))


def _one_by_one(how: Extractor, cells: pl.DataFrame) -> pl.Series:
    names = [name for name in cells.columns if index_of(name) is not None]
    return pl.Series(list(map(how, cells.select(names).iter_rows())), dtype=pl.String)
