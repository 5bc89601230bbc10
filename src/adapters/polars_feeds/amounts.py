"""Amounts and their currency, for many records at once: `RecordReader._settle_amounts` as columns.

A currency that a record states, in a cell or beside a number, comes before that of a header, the
profile or the partner. An amount that fits its currency as it stands, or by zeros alone,
is settled here; each other pair of an amount and a currency is fitted by the reference.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import polars as pl
from attrs import frozen

from adapters.polars_feeds.faults import Faults, Slot
from adapters.polars_feeds.kinds import Readings
from adapters.polars_feeds.texts import behind, nulls, place_behind
from commerce_core.base.money import find_currency, is_minor
from commerce_core.parsing.record_reader import Terms, fit
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.profiles.profile import Column
from commerce_core.schema.cells import Misread, Warned
from commerce_core.schema.fields import AMOUNTS


@frozen
class Settled:
    """Amounts with the decimals of their currency, and what is wrong with them.

    `misfits` shows for each amount which rows have lost it.
    """

    currency: pl.Series
    amounts: Mapping[str, pl.Series]
    misfits: Mapping[str, pl.Series]
    slots: Sequence[Slot]


@frozen
class Settling:
    """Settles the amounts of one file."""

    mapping: HeaderMapping
    terms: Terms
    faults: Faults

    def __call__(self, readings: Mapping[str, Readings], count: int) -> Settled:
        """The amounts of records, and their currencies."""
        amounts = {name: readings[name].values for name in AMOUNTS if name in readings}
        stated = {n: s for n in amounts if (s := readings[n].stated) is not None}
        own = readings.get("currency", Readings(nulls(count)))
        named, in_minor = _without_minor(own.values)
        unread = nulls(count, pl.Boolean) if own.misread is None else own.misread
        frame = pl.DataFrame(
            {
                "named": named,
                "unread": unread.fill_null(value=False) if own.misread is None else unread,
                **amounts,
                **{_stated(name): codes for name, codes in stated.items()},
            }
        )
        found = frame.select(*self._currencies(tuple(amounts), tuple(stated)))
        slots: list[Slot] = []
        if found["conflict"].any():
            declared = ((n, a) for n, a in amounts.items() if self._declared(n))
            columns = (*stated.items(), *declared)
            slots += self._at_first(columns, found["conflict"], "currency_conflict")
        if found["lacking"].any():
            slots += self._at_first(amounts.items(), found["lacking"], "missing_currency")
        fitted = {
            name: self._fitted(
                name, amount, found["code"], found["open"], _but_stated(in_minor, stated.get(name))
            )
            for name, amount in amounts.items()
        }
        return Settled(
            found["currency"],
            {name: values for name, (values, _) in fitted.items()},
            {
                n: faults.is_in(self.faults.errors().implode()) & faults.is_not_null()
                for n, (_, faults) in fitted.items()
                if faults is not None
            },
            slots + [Slot.of(n, faults) for n, (_, faults) in fitted.items() if faults is not None],
        )

    def _currencies(self, amounts: Sequence[str], stated: Sequence[str]) -> Iterator[pl.Expr]:
        """Of each record: its currency, the one that its amounts have, and what stands against."""
        named, unread = pl.col("named"), pl.col("unread")
        codes = [*(pl.col(_stated(name)) for name in stated), named]
        first = pl.coalesce(codes)
        conflict = pl.lit(value=False)
        own = list(self._own(amounts, stated))
        if stated or len({self._declared(name) for name in amounts}) > 1:
            conflict = ~unread & (_differ(codes) | _differ(own))
        if bare := self._bare_price(amounts, stated):
            conflict |= ~unread & bare[0]
        is_open = ~(unread | conflict)
        code = pl.when(is_open).then(pl.coalesce(first, *self._of_columns(amounts)))
        has_amount = pl.lit(value=False)
        if amounts:
            has_amount = pl.any_horizontal(pl.col(name).is_not_null() for name in amounts)
        is_known = code.is_not_null() & (has_amount | named.is_not_null())
        yield pl.when(is_known).then(code).otherwise(named).alias("currency")
        yield code.alias("code")
        yield is_open.alias("open")
        yield conflict.alias("conflict")
        lacking = is_open & code.is_null() & has_amount
        yield (lacking if self.terms.mode == "full" else pl.lit(value=False)).alias("lacking")

    def _bare_price(self, amounts: Sequence[str], stated: Sequence[str]) -> tuple[pl.Expr, ...]:
        """Whether a price names no currency, but an amount beside it another one than usual."""
        home = self.terms.home_currency
        others = [pl.col(_stated(name)) for name in stated if name != "price"]
        if "price" not in amounts or self._declared("price") or home is None or not others:
            return ()
        bare = pl.col("price").is_not_null() & pl.col("named").is_null()
        if "price" in stated:
            bare &= pl.col(_stated("price")).is_null()
        return (bare & (pl.coalesce(others) != home).fill_null(value=False),)

    def _of_columns(self, amounts: Sequence[str]) -> Iterator[pl.Expr]:
        """The currency that a header or the profile declares, else the one that is assumed."""
        for name in amounts:
            if code := self._declared(name):
                yield pl.when(pl.col(name).is_not_null()).then(pl.lit(code))
        yield pl.lit(self.terms.assumed_currency, pl.String)

    def _declared(self, name: str) -> str | None:
        """The currency that a header or the profile declares for an amount."""
        return self.mapping.field_mappings[name].currency

    def _own(self, amounts: Sequence[str], stated: Sequence[str]) -> Iterator[pl.Expr]:
        """For each amount the currency beside it, else the one declared for it, where it is."""
        for name in amounts:
            there = pl.when(pl.col(name).is_not_null())
            declared = there.then(pl.lit(self._declared(name), pl.String))
            yield pl.coalesce(pl.col(_stated(name)), declared) if name in stated else declared

    def _at_first(
        self, where: Iterable[tuple[str, pl.Series]], mask: pl.Series, code: str
    ) -> Sequence[Slot]:
        """A fault in the first of the fields that has something there."""
        slots: list[Slot] = []
        for name, column in where:
            slots.append(Slot.where(name, mask & column.is_not_null(), self.faults.number_of(code)))
            mask &= column.is_null()
        return slots

    def _fitted(
        self, name: str, amount: pl.Series, code: pl.Series, open_to_us: pl.Series,
        in_minor: pl.Series | None,
    ) -> tuple[pl.Series, pl.Series | None]:  # fmt: skip
        """The amounts with the decimals of their currencies, and the faults of those that can't."""
        column, count = self.mapping.field_mappings[name].column, len(amount)
        minor = column.unit == "minor"
        if minor or (in_minor is not None and in_minor.all()):
            in_minor = pl.repeat(value=True, n=count, dtype=pl.Boolean, eager=True)
        as_sent = amount
        amount, asked = (amount, amount.is_null()) if minor else _with_zeros(amount, code)
        if in_minor is not None:
            amount = as_sent.zip_with(in_minor, amount)
            asked = (asked | in_minor) & open_to_us & amount.is_not_null()
        if self.terms.doubts(column, None):
            asked |= _could_be_thousands(amount, code) & open_to_us
        if not asked.any():
            return amount, None
        if in_minor is None:
            in_minor = pl.repeat(value=False, n=count, dtype=pl.Boolean, eager=True)
        pairs = pl.DataFrame({"amount": amount, "code": code, "minor": in_minor}).filter(asked)
        unique = pairs.unique()
        results = [self._fit(column, *each) for each in unique.iter_rows()]
        table = unique.with_columns(n=pl.int_range(pl.len(), dtype=pl.UInt32))
        joined = pairs.join(
            table, on=pairs.columns, how="left", nulls_equal=True, maintain_order="left"
        )
        place = place_behind(asked, joined["n"])
        values, faults = zip(*results, strict=True)
        return behind(amount, values, place), behind(nulls(count, pl.UInt32), faults, place)

    def _fit(
        self,
        column: Column,
        text: str,
        code: str | None,
        minor: bool,  # noqa: FBT001 - a row's cell
    ) -> tuple[str | None, int | None]:
        currency = find_currency(code) if code else None
        doubt = self.terms.doubts(column, currency)
        fitted = fit(Decimal(text), currency, "minor" if minor else None, doubt=doubt)
        match fitted:
            case Misread():
                return None, self.faults.number(fitted)
            case Warned():
                return str(fitted.value), self.faults.number(fitted)
            case _:
                return str(fitted), None


def _without_minor(named: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """The codes of currencies, and which of them stood for minor units, if any did."""
    minor = [code for code in named.unique() if code and is_minor(code)]
    if not minor:
        return named, None
    return named.str.to_uppercase(), named.is_in(minor).fill_null(value=False)


def _but_stated(in_minor: pl.Series | None, stated: pl.Series | None) -> pl.Series | None:
    """Which amounts are in minor units: an amount that states its currency is in major ones."""
    return in_minor if in_minor is None or stated is None else in_minor & stated.is_null()


def _could_be_thousands(amount: pl.Series, code: pl.Series) -> pl.Series:
    """Which amounts without a known currency have three decimals."""
    unknown = code.is_null() & amount.is_not_null()
    if not unknown.any():
        return unknown
    return unknown & amount.str.contains(r"\.[0-9]{3}$").fill_null(value=False)


def _with_zeros(amount: pl.Series, code: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The amounts, with zeros where their currency has more decimals; and which have too many."""
    exponents = {c: found.exponent for c in code.unique() if c and (found := find_currency(c))}
    if not exponents:
        return amount, nulls(len(amount)).is_not_null()
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


def _differ(codes: Sequence[pl.Expr]) -> pl.Expr:
    """Whether a record has two different ones of these."""
    first = pl.coalesce(codes)
    return pl.any_horizontal((code != first).fill_null(value=False) for code in codes)


def _stated(name: str) -> str:
    return f"{name} states"
