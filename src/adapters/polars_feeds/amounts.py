# pyright: reportUnknownMemberType=false
"""Amounts and their currency, for many records at once: `RecordReader._settle_amounts` as columns.

What the file says of the currency, a cell or the text beside a number, comes before what a header,
the profile or the partner does. An amount that fits its currency as it stands, or by zeros alone,
is settled here; each other pair of an amount and a currency is fitted by the reference.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import polars as pl
from attrs import frozen

from adapters.polars_feeds.faults import Faults, Slot
from adapters.polars_feeds.kinds import Readings
from adapters.polars_feeds.texts import behind, place_behind
from commerce_core.cells import Misread
from commerce_core.feed_schema import AMOUNTS
from commerce_core.layouts import Layout
from commerce_core.money import find_currency
from commerce_core.records import Terms, fit


@frozen
class Settled:
    """Amounts with the decimals of their currency, and what is wrong with them.

    `misfits` says for each amount which rows have lost it.
    """

    currency: pl.Series
    amounts: Mapping[str, pl.Series]
    misfits: Mapping[str, pl.Series]
    slots: Sequence[Slot]


@frozen
class Settling:
    """Settles the amounts of one file."""

    layout: Layout
    terms: Terms
    faults: Faults

    def __call__(self, readings: Mapping[str, Readings], count: int) -> Settled:
        """The amounts of records, and their currencies."""
        amounts = {name: readings[name].values for name in AMOUNTS if name in readings}
        named = readings["currency"].values if "currency" in readings else _nulls(count)
        unread = readings["currency"].misread if "currency" in readings else _falses(count)
        stated = {n: s for n in amounts if (s := readings[n].stated) is not None}
        said = _first([*stated.values(), named], count)
        conflict = ~unread & _any([other != said for other in (*stated.values(), named)], count)
        open_to_us = ~(unread | conflict)
        code = _when(open_to_us, _first([said, self._of_columns(amounts, count)], count))
        has_amount = _any([amount.is_not_null() for amount in amounts.values()], count)
        tells = code.is_not_null() & (has_amount | named.is_not_null())
        slots = [*self._at_first(stated, conflict, "currency_conflict")] if stated else []
        if self.terms.mode == "full":
            lacking = open_to_us & code.is_null() & has_amount
            slots += self._at_first(amounts, lacking, "missing_currency")
        fitted = {name: self._fitted(name, a, code, open_to_us) for name, a in amounts.items()}
        return Settled(
            _when(tells, code, named),
            {name: values for name, (values, _) in fitted.items()},
            {name: faults.is_not_null() for name, (_, faults) in fitted.items()},
            [*slots, *(Slot.of(name, faults) for name, (_, faults) in fitted.items())],
        )

    def _of_columns(self, amounts: Mapping[str, pl.Series], count: int) -> pl.Series:
        """The currency that a header or the profile says, else the one that is assumed."""
        assumed = pl.repeat(self.terms.assumed_currency, count, dtype=pl.String, eager=True)
        said = [
            _when(amount.is_not_null(), pl.repeat(code, count, dtype=pl.String, eager=True))
            for name, amount in amounts.items()
            if (code := self.layout.feedings[name].currency)
        ]
        return _first([*said, assumed], count)

    def _at_first(
        self, where: Mapping[str, pl.Series], mask: pl.Series, code: str
    ) -> Sequence[Slot]:
        """A fault in the first of the fields that has something there."""
        slots: list[Slot] = []
        for name, column in where.items():
            slots.append(Slot.where(name, mask & column.is_not_null(), self.faults.number_of(code)))
            mask &= column.is_null()
        return slots

    def _fitted(
        self, name: str, amount: pl.Series, code: pl.Series, open_to_us: pl.Series
    ) -> tuple[pl.Series, pl.Series]:
        """The amounts with the decimals of their currencies, and the faults of those that can't."""
        unit = self.layout.feedings[name].column.unit
        count = len(amount)
        if unit == "minor":
            asked = open_to_us & amount.is_not_null()
        else:
            amount, asked = _with_zeros(amount, code)
        if not asked.any():
            return amount, _nulls(count, pl.UInt32)
        pairs = pl.DataFrame({"amount": amount, "code": code}).filter(asked)
        unique = pairs.unique()
        told = [self._fit(text, of, unit) for text, of in unique.iter_rows()]
        table = unique.with_columns(n=pl.int_range(pl.len(), dtype=pl.UInt32))
        joined = pairs.join(
            table, on=["amount", "code"], how="left", nulls_equal=True, maintain_order="left"
        )
        place = place_behind(asked, joined["n"])
        values, faults = zip(*told, strict=True)
        return behind(amount, values, place), behind(_nulls(count, pl.UInt32), faults, place)

    def _fit(self, text: str, code: str | None, unit: object) -> tuple[str | None, int | None]:
        currency = find_currency(code) if code else None
        fitted = fit(Decimal(text), currency, "minor" if unit == "minor" else None)
        if isinstance(fitted, Misread):
            return None, self.faults.number(fitted)
        return str(fitted), None


def _with_zeros(amount: pl.Series, code: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The amounts, with zeros where their currency has more decimals; and which have too many."""
    exponents = {c: found.exponent for c in code.unique() if c and (found := find_currency(c))}
    if not exponents:
        return amount, _falses(len(amount))
    text, code_of = pl.col("amount"), pl.col("code")
    point = text.str.find(".", literal=True).cast(pl.Int32)
    frame = pl.DataFrame({"amount": amount, "code": code}).select(
        text,
        decimals=(text.str.len_bytes().cast(pl.Int32) - point - 1).fill_null(0),
        wanted=_wanted(code_of, exponents),
    )
    lacking = frame.select(pl.col("wanted") - pl.col("decimals")).to_series()
    if (lacking > 0).any():
        dot = pl.when(pl.col("decimals") == 0).then(pl.lit(".")).otherwise(pl.lit(""))
        zeros = pl.lit("0000").str.head(pl.col("wanted") - pl.col("decimals"))
        padded = pl.when(pl.col("wanted") > pl.col("decimals")).then(
            pl.concat_str(text, dot, zeros)
        )
        amount = frame.select(padded.otherwise(text).alias("amount")).to_series()
    return amount, ((lacking < 0) & amount.is_not_null()).fill_null(value=False)


def _wanted(code: pl.Expr, exponents: Mapping[str, int]) -> pl.Expr:
    if len(exponents) == 1:
        (only, exponent) = next(iter(exponents.items()))
        return pl.when(code == only).then(pl.lit(exponent, pl.Int32))
    return code.replace_strict(
        list(exponents), list(exponents.values()), default=None, return_dtype=pl.Int32
    )


def _nulls(count: int, dtype: type[pl.DataType] = pl.String) -> pl.Series:
    return pl.repeat(None, count, dtype=dtype, eager=True)


def _falses(count: int) -> pl.Series:
    return _nulls(count).is_not_null()


def _first(columns: Sequence[pl.Series], count: int) -> pl.Series:
    """For each row what the first column says that says anything."""
    return pl.select(pl.coalesce(columns)).to_series() if columns else _nulls(count)


def _any(masks: Sequence[pl.Series], count: int) -> pl.Series:
    found = _falses(count)
    for mask in masks:
        found |= mask.fill_null(value=False)
    return found


def _when(mask: pl.Series, then: pl.Series, otherwise: pl.Series | None = None) -> pl.Series:
    return pl.select(pl.when(mask).then(then).otherwise(otherwise)).to_series()
