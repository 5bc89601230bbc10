"""Amounts that name no currency: they are in their partner's."""

import polars as pl

from commerce_core.base.money import find_currency
from commerce_core.schema.fields import AMOUNTS


class NotExact(Exception):
    """An amount isn't one of the partner's currency."""


def in_currency(frame: pl.DataFrame, currency: str | None) -> pl.DataFrame:
    """The records, with the partner's currency for amounts that name none, in its decimals.

    NotExact if one has more decimals than that, or the partner has no currency.
    """
    amounts = [name for name in AMOUNTS if name in frame.columns]
    if not amounts:
        return frame
    priced = pl.any_horizontal(pl.col(name).is_not_null() for name in amounts)
    bare = pl.col("currency").is_null() & priced
    if not frame.select(bare.any()).item():
        return frame
    known = find_currency(currency) if currency else None
    if known is None:
        raise NotExact
    decimals = {
        name: pl.col(name).str.extract(r"\.([0-9]*)$").fill_null("").str.strip_chars_end("0")
        for name in amounts
    }
    exact = pl.all_horizontal(text.str.len_chars() <= known.exponent for text in decimals.values())
    if not frame.filter(bare).select(exact.all()).item():
        raise NotExact
    point = "." if known.exponent else ""
    rounded = (
        pl.when(bare & pl.col(name).is_not_null())
        .then(
            pl.col(name).str.extract(r"^([0-9]+)") + point + text.str.pad_end(known.exponent, "0")
        )
        .otherwise(pl.col(name))
        .alias(name)
        for name, text in decimals.items()
    )
    named = pl.when(bare).then(pl.lit(known.code)).otherwise("currency").alias("currency")
    return frame.with_columns(*rounded, named)
