"""Reading one column: plainly fine cells by the grammar of their kind, all others by the reference.

Laid out like `schema.cells.reader_of`. An expression knows the canonical form of a kind and
some others that are frequent; what it doesn't know is read once for each different text by the
reference itself, so the two can't differ there.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, assert_never

import polars as pl
from attrs import define, field, frozen

from adapters.polars_feeds.debris import odd_texts
from adapters.polars_feeds.faults import Faults
from adapters.polars_feeds.texts import behind, nulls, read_distinct
from commerce_core.base.money import currencies
from commerce_core.base.text import BLANKS, composed
from commerce_core.parsing.record_reader import FieldReader
from commerce_core.profiles.extractors import AttributeMap
from commerce_core.profiles.normalise import currencies_meant
from commerce_core.profiles.profile import Column, DecimalMark
from commerce_core.schema import fields as schema
from commerce_core.schema.blanks import LONGEST_BLANK_WORD, MARKS
from commerce_core.schema.cells import Misread, Warned
from commerce_core.schema.fields import Kind, Value

_T: Final = pl.col("t")
_IS_HASH: Final = _T.str.starts_with("#")
_IS_MARK: Final = pl.any_horizontal([_T.eq(mark) for mark in sorted(MARKS)])
_MAY_BE_BLANK: Final = (_T.str.len_chars() <= LONGEST_BLANK_WORD) | _IS_HASH
"""What may be a word for blank, or a spreadsheet's error: the reference decides."""
_WHOLE: Final = "(?:0|[1-9][0-9]{0,11})"
_NOT_IN_URL: Final = BLANKS + r"\x00-\x20\x7f\"<>\\^`{|}"
_HTTP: Final = "[hH][tT][tT][pP][sS]?://"
_URL: Final = f"^{_HTTP}[^{_NOT_IN_URL}/?#]+[^{_NOT_IN_URL}]*$"
_SEVERAL_URLS: Final = f"[,;]{_HTTP}"
_BARE_URL: Final = f"{_HTTP}[^{_NOT_IN_URL},;/?#]+[^{_NOT_IN_URL},;]*"
_SHORT: Final = _T.str.len_bytes() <= schema.LONGEST_URL
_APART: Final = frozenset(BLANKS + ',;"<>\\^`{|}')
"""What doesn't occur in addresses that are read here, so that it stands between them."""
_PART_OF_PATH: Final = f"[^>{BLANKS}](?:[^>]*[^>{BLANKS}])?"
_PATH: Final = f"^{_PART_OF_PATH}(?: > {_PART_OF_PATH})*$"
_CODES: Final = tuple(code for code in currencies() if currencies_meant(code) == (code,))
_CODE: Final = 3
_LONGEST_GTIN: Final = 14
_WEIGHED: Final = pl.Series(
    [n % 10 + n // 100 % 10 + 3 * (n // 10 % 10 + n // 1000) for n in range(10_000)], dtype=pl.Int32
)
"""What four digits weigh, 1 and 3 in turn from the right."""
_MOST_REMEMBERED: Final = 100_000
"""Readings of one column that are kept from one batch to the next."""


@frozen
class Plain:
    """Which texts an expression reads, the value that it makes of them, the currency they state.

    None of them is blank. `code` is what is wrong with them; where that is an error, no value is
    made.
    """

    fits: pl.Expr
    value: pl.Expr | None = _T
    stated: pl.Expr | None = None
    code: str | None = None


_PLAIN_OBJECTS: Final = (Plain(_T.str.len_bytes().is_between(1, schema.LONGEST_CELL)),)
"""Objects put together of cells: they are spelled as values are, if their names are composed."""


def plain_of(kind: Kind, column: Column, decimal: DecimalMark | None) -> tuple[Plain, ...]:
    """What is read without asking the reference, of trimmed texts that aren't blank."""
    if column.pattern is not None or column.values:
        return ()
    if column.part is not None:
        return _plain_parts(kind, column)
    match kind:
        case schema.Text(longest):
            return (Plain(_T.str.len_bytes().is_between(1, longest) & ~_IS_MARK & ~_IS_HASH),)
        case schema.Amount():
            return _plain_amounts(column.decimal or decimal)
        case schema.Whole():
            return (
                Plain(_T.str.contains("^(?:0|[1-9][0-9]{0,17})$"), _T.cast(pl.Int64, strict=False)),
            )
        case schema.Grams():
            return _plain_grams(column)
        case schema.Gtin():
            return _plain_gtins()
        case schema.Category() if column.separator is None:
            return (
                Plain(
                    (_T.str.len_bytes() <= schema.LONGEST_SHORT_TEXT)
                    & ~_MAY_BE_BLANK
                    & _T.str.contains(_PATH)
                    & ~_T.str.starts_with("[")
                ),
            )
        case schema.Url():
            short = _T.str.len_bytes().is_between(1, schema.LONGEST_URL)
            is_one = _T.str.contains(_URL) & ~_T.str.contains(_SEVERAL_URLS)
            is_none = ~_T.str.contains(f"^{_HTTP}") & ~_MAY_BE_BLANK
            return (
                # Nearly all addresses are these, and then only this is asked.
                Plain(short & _T.str.contains(f"^{_BARE_URL}$")),
                Plain(short & is_one),
                Plain(short & is_none, None, code="not_a_url"),
            )
        case schema.Urls():
            return _plain_urls(column)
        case (
            schema.Word() | schema.CurrencyCode() | schema.Options() | schema.Instant()
            | schema.YesNo() | schema.Attributes() | schema.Category()
        ):  # fmt: skip
            return ()
        case _:
            assert_never(kind)


def _takes_any_text(kind: Kind) -> bool:
    """Whether the expressions of a kind fit texts that are more than digits and the like."""
    return isinstance(
        kind, schema.Text | schema.Category | schema.Url | schema.Urls | schema.Attributes
    )


def type_of(kind: Kind) -> pl.DataType:
    """What values of a kind are in a column; texts but for a few."""
    match kind:
        case schema.Whole():
            return pl.Int64()
        case schema.YesNo():
            return pl.Boolean()
        case schema.Urls():
            return pl.List(pl.String)
        case _:
            return pl.String()


def canonical(value: Value) -> object:
    """A value as it stands in a column: as the core prints it, and as databases read it."""
    match value:
        case None | bool() | int() | str():
            return value
        case tuple():
            return list(value)
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case _:
            return json.dumps(dict(value), ensure_ascii=False)


def restored(kind: Kind, column: pl.Series) -> list[Value]:
    """The values of a column of that kind."""
    found = column.to_list()
    match kind:
        case schema.Amount() | schema.Grams():
            return [value and Decimal(value) for value in found]
        case schema.Instant():
            return [value and datetime.fromisoformat(value) for value in found]
        case schema.Attributes():
            return [value and json.loads(value) for value in found]
        case schema.Urls():
            return [value and tuple(value) for value in found]
        case _:
            return found


def _plain_amounts(decimal: DecimalMark | None) -> tuple[Plain, ...]:
    """Numbers, in a declared style with thousands apart, and numbers with a code behind them."""
    mark, other = (",", ".") if decimal == "," else (".", ",")
    decimals = f"(?:[{mark}][0-9]{{1,4}})?"
    code, amount = _T.str.tail(_CODE), _T.str.head(-_CODE - 1)
    named = _T.str.contains(f"^{_WHOLE}{decimals} [A-Z]{{3}}$") & code.is_in(_CODES)

    def pointed(text: pl.Expr) -> pl.Expr:
        return text if mark == "." else text.str.replace(",", ".", literal=True)

    bare = Plain(_T.str.contains(f"^{_WHOLE}{decimals}$"), pointed(_T))
    coded = Plain(named, pointed(amount), code)
    if decimal is None:
        return bare, coded
    grouped = _T.str.contains(f"^[1-9][0-9]{{0,2}}(?:[{other}][0-9]{{3}}){{1,3}}{decimals}$")
    return bare, coded, Plain(grouped, pointed(_T.str.replace_all(other, "", literal=True)))


def _plain_grams(column: Column) -> tuple[Plain, ...]:
    """Grams without zeros at the end of their decimals; other units take arithmetic."""
    if column.unit not in (None, "g"):
        return ()
    return (Plain(_T.str.contains(rf"^{_WHOLE}(?:\.[0-9]{{0,2}}[1-9])?$")),)


def _plain_gtins() -> tuple[Plain, ...]:
    """Digits whose number and check digit fit, whose check digit doesn't, and of another number.

    Of seven, and of nine to eleven, a spreadsheet may have dropped zeros: those aren't read here.
    """
    whole, fits = _T.str.contains("^(?:[0-9]{8}|[0-9]{12,14})$"), _check_digit_fits()
    neither = _T.str.contains("^(?:[0-9]{1,6}|[0-9]{15,40})$")
    return (
        Plain(whole & fits),
        Plain(whole & ~fits, code="gtin_check_digit"),
        Plain(neither, None, code="not_a_gtin"),
    )


def _check_digit_fits() -> pl.Expr:
    """Whether the digits, weighed 1 and 3 in turn from the right, add up to a multiple of ten."""
    number = _T.cast(pl.Int64, strict=False).fill_null(0)
    fours = [number // 10**place % 10_000 for place in range(0, _LONGEST_GTIN, 4)]
    return pl.sum_horizontal(pl.lit(_WEIGHED).gather(four) for four in fours) % 10 == 0


def _between(separator: str) -> tuple[pl.Expr, pl.Expr] | None:
    """Which texts are addresses between separators, be it with a blank behind, and the addresses.

    None if a separator may be within one.
    """
    if not _APART.issuperset(separator):
        return None
    between = "".join(rf"\x{{{ord(character):X}}}" for character in separator)
    several = _SHORT & _T.str.contains(f"^{_BARE_URL}(?:{between} ?{_BARE_URL})*$")
    without_blanks = _T.str.replace_all(f"{separator} ", separator, literal=True)
    return several, without_blanks.str.split(separator)


def _plain_urls(column: Column) -> tuple[Plain, ...]:
    """Addresses between separators, or one alone."""
    if (found := _between(column.separator or ",")) is not None:
        several, listed = found
        return (Plain(several & (listed.list.len() <= schema.MOST_URLS), listed),)
    one = _SHORT & _T.str.contains(f"^{_BARE_URL}$")
    own = _T.str.contains(column.separator or ",", literal=True)
    return (Plain(one & ~own, pl.concat_list(_T)),)


def _plain_parts(kind: Kind, column: Column) -> tuple[Plain, ...]:
    """The first of such addresses, or all others."""
    found = _between(column.separator or ",")
    if found is None:
        return ()
    several, listed = found
    match (kind, column.part):
        case (schema.Url(), "first"):
            return (Plain(several, listed.list.first()),)
        case (schema.Urls(), "rest"):
            some = pl.when(listed.list.len() > 1).then(listed.list.slice(1))
            return (Plain(several & (listed.list.len() <= schema.MOST_URLS), some),)
        case _:
            return ()


@frozen
class Readings:
    """A column read: values, null where blank or unreadable, and what is wrong with them.

    `misread` are the rows without a value because of it; `stated` are currencies beside amounts.
    None stands for a column of nothing.
    """

    values: pl.Series
    faults: pl.Series | None = None
    misread: pl.Series | None = None
    stated: pl.Series | None = None


_TextReading = tuple[object, int | None, bool, str | None]
"""A text's value, the number of its fault, whether it is misread, the currency it states."""


@define
class ColumnReader:
    """Reads one field of many records at once."""

    reader: FieldReader
    _faults: Faults
    _plain: tuple[Plain, ...]
    _remembered: dict[str, _TextReading] = field(factory=dict[str, _TextReading])

    @classmethod
    def of(cls, reader: FieldReader, faults: Faults, decimal: DecimalMark | None) -> "ColumnReader":
        """For one field of a file."""
        feeding = reader.feeding
        match feeding.gather:
            case AttributeMap(named) if all(name == composed(name) for name, _ in named):
                return cls(reader, faults, _PLAIN_OBJECTS)
            case _:
                return cls(reader, faults, plain_of(feeding.field.kind, feeding.column, decimal))

    @property
    def kind(self) -> Kind:
        """What its cells mean."""
        return self.reader.feeding.field.kind

    def __call__(self, texts: pl.Series, *, plain: bool = False) -> Readings:
        """The readings of trimmed texts, all of which are `plain` characters if that is known."""
        frame = texts.alias("t").to_frame()
        if not self._plain:
            nothing = Readings(nulls(len(frame), type_of(self.kind)))
            return self._by_reference(texts, texts != "", nothing)
        first = self._plain[0]
        fits = frame.select(first.fits).to_series()
        odd = odd_texts(texts, plain=plain) if _takes_any_text(self.kind) else None
        if odd is not None:
            fits &= ~odd
        if fits.all():
            values = texts if first.value is _T else frame.select(first.value).to_series()
            return Readings(values)
        others = (plain.fits.alias(str(n)) for n, plain in enumerate(self._plain[1:], start=1))
        masks = frame.select(fits.alias("0"), *others)
        if odd is not None:
            masks = masks.select(pl.all() & ~odd)
        made = frame.select(*self._made(masks))
        stated, faults = (made[n] if n in made.columns else None for n in ("stated", "faults"))
        misread = made["misread"] if "misread" in made.columns else None
        readings = Readings(made["value"], faults, misread, stated)
        return self._by_reference(texts, made["rest"], readings)

    def _made(self, masks: pl.DataFrame) -> Iterator[pl.Expr]:
        """What the expressions make of the texts that they read, and which they don't read."""
        read = [(pl.when(masks[str(n)]), plain) for n, plain in enumerate(self._plain)]
        values = (when.then(plain.value) for when, plain in read if plain.value is not None)
        yield pl.coalesce(values).alias("value")
        if stating := [w.then(plain.stated) for w, plain in read if plain.stated is not None]:
            yield pl.coalesce(stating).alias("stated")
        wrong = [
            when.then(pl.lit(self._faults.number_of(plain.code), pl.UInt32))
            for number, (when, plain) in enumerate(read)
            if plain.code is not None and masks[str(number)].any()
        ]
        if wrong:
            lost = [masks[str(n)] for n, (_, plain) in enumerate(read) if plain.value is None]
            yield pl.coalesce(wrong).alias("faults")
            yield pl.any_horizontal(lost or [pl.lit(value=False)]).alias("misread")
        yield (~pl.any_horizontal(list(masks)) & (_T != "")).alias("rest")

    def _by_reference(self, texts: pl.Series, rest: pl.Series, found: Readings) -> Readings:
        """The readings; the remaining texts are read by the reference, each distinct one once."""
        if not rest.any():
            return found
        results, place = read_distinct(texts, rest, self._reading_of)
        values, faults, misread, codes = zip(*results, strict=True)

        def with_results(
            column: pl.Series | None, results: Sequence[object], dtype: type[pl.DataType]
        ) -> pl.Series | None:
            if column is None and not any(value is not None for value in results):
                return None
            return behind(nulls(len(rest), dtype) if column is None else column, results, place)

        lost = with_results(found.misread, [is_lost or None for is_lost in misread], pl.Boolean)
        return Readings(
            behind(found.values, values, place),
            with_results(found.faults, faults, pl.UInt32),
            None if lost is None else lost.fill_null(value=False),
            with_results(found.stated, codes, pl.String),
        )

    def _reading_of(self, text: str) -> _TextReading:
        known = self._remembered.get(text)
        if known is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[text] = self._read(text)
        return known

    def _read(self, text: str) -> _TextReading:
        reading, stated = self.reader(text)
        if isinstance(reading, Misread):
            return None, self._faults.number(reading), True, stated
        if isinstance(reading, Warned):
            return canonical(reading.value), self._faults.number(reading), False, stated
        return canonical(reading), None, False, stated
