"""The reference reading of one record: texts become values, then rules span fields."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from attrs import field, frozen

from commerce_core.base.money import Currency, find_currency, is_minor
from commerce_core.base.text import BLANKS
from commerce_core.parsing.other_files import BREAKS_OFF
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.raw_records import Corrected, RawRecord, without_end
from commerce_core.parsing.unforeseen import NOT_OF_FILE
from commerce_core.partners.partner import Partner
from commerce_core.profiles.mapping import PICTURES, FieldMapping, HeaderMapping, tidy_header
from commerce_core.profiles.normalise import Style, Translation, currencies_meant, translation
from commerce_core.profiles.profile import CANONICAL, Column, Profile, Unit
from commerce_core.profiles.sale_periods import unread_periods
from commerce_core.schema.cells import (
    Misread,
    Reading,
    Warned,
    read_sku,
    reader_of,
    sku_reading,
    unkept,
)
from commerce_core.schema.debris import is_code, without_debris
from commerce_core.schema.fields import (
    AMOUNTS,
    LONGEST_CELL,
    Amount,
    CurrencyCode,
    Mode,
    Urls,
    Value,
)
from commerce_core.schema.problems import PROBLEMS, Problem
from commerce_core.schema.record import Record

_CODE: Final = 4
"""The length of ` EUR`, as canonical amounts may end."""
_THOUSANDS: Final = 3
"""The digits behind a mark that may separate thousands."""
_BREAKS_OFF: Final = re.compile(BREAKS_OFF)
_AT_FAULT: Final = re.compile(r"\bon line(?:[ \t]|<[^<>]*>)*[0-9]+(?:[ \t]|<[^<>]*>)*$")
"""How an error message of PHP ends."""
_BROKEN_OFF: Final = (
    "The program that wrote the file reports an error here, so records may be missing. Mend that "
    "program, and send the whole file again."
)


@frozen
class Terms:
    """What a file alone doesn't specify: mode, profile, the partner's currency and time zone.

    An `exported` file shows products as they are, so no rule that spans fields doubts its records.
    `corrected` are the skus of the records that the rows of a corrected report stand for, `named`
    the parents that the file's records name, if a profile needs them and they have been looked for.
    """

    mode: Mode
    currency: str | None
    zone: tzinfo
    profile: Profile = CANONICAL
    exported: bool = False
    corrected: Mapping[Corrected, str] = field(factory=dict[Corrected, str], eq=False, repr=False)
    named: frozenset[str] | None = field(default=None, eq=False, repr=False)

    @classmethod
    def of(cls, partner: Partner, mode: Mode, profile: Profile) -> "Terms":
        """The terms of a partner's files."""
        return cls(mode, partner.currency, ZoneInfo(partner.time_zone), profile)

    @property
    def assumed_currency(self) -> str | None:
        """The currency of a price that names none. In delta mode it is the product's."""
        return self.profile.currency or (self.currency if self.mode == "full" else None)

    @property
    def home_currency(self) -> str | None:
        """The currency that the source's amounts are usually in."""
        return self.profile.currency or self.currency

    @property
    def style(self) -> Style:
        """How the file's numbers are written, and which currency a mere symbol stands for."""
        profile = self.profile
        return Style(profile.decimal, self.home_currency, bool(profile.escapes))

    def doubts(self, column: Column, currency: Currency | None) -> bool:
        """Whether a point before three digits of an amount could separate thousands.

        It couldn't if the profile declares the decimal mark, or if the currency has three decimals.
        """
        if self.exported or column.decimal or self.style.decimal:
            return False
        likely = currency or find_currency(self.style.currency or "")
        return likely is None or likely.exponent < _THOUSANDS


@frozen
class FieldReader:
    """Reads one field: puts its text together, translates it, reads it by its kind."""

    name: str
    feeding: FieldMapping
    translate: Translation
    read: Callable[[str], Reading]
    is_amount: bool
    is_code: bool
    may_have_debris: bool = True

    @classmethod
    def of(cls, feeding: FieldMapping, terms: Terms) -> "FieldReader":
        """For one field of a file, read under these terms."""
        kind = feeding.field.kind
        translate = translation(feeding.column, kind, terms.style)
        read, name = reader_of(kind, terms.zone, verbatim=terms.exported), feeding.field.name
        if isinstance(kind, CurrencyCode):
            read = _knowing_words(read)
        code = is_code(kind)
        # A text of a product may be what looks like debris; no code is.
        debris = code or not terms.exported
        return cls(name, feeding, translate, read, isinstance(kind, Amount), code, debris)

    def __call__(self, text: str) -> tuple[Reading, str | None]:
        """The value of the text, and the currency that an amount states beside its number."""
        if not text:
            return None, None
        if (refused := unkept(text)) is not None:
            return refused, None
        if len(text) > LONGEST_CELL:
            return Misread("oversized_cell"), None
        if not self.may_have_debris:
            return self._read(text)
        plain, code = without_debris(text, is_code=self.is_code)
        reading, stated = self._read(plain) if plain else (None, None)
        if code is not None and reading is not None and not isinstance(reading, Misread | Warned):
            reading = Warned(reading, code)
        return reading, stated

    def _read(self, text: str) -> tuple[Reading, str | None]:
        """The value and currency of a text without debris."""
        translated, stated = self.translate(text), None
        if isinstance(translated, Misread):
            return translated, None
        if self.is_amount and translated[-_CODE:-3] == " " and translated[-3:].isalpha():
            stated = translated[-3:].upper()
            translated = translated[:-_CODE]
        return self.read(translated) if translated else None, stated


def _knowing_words(read: Callable[[str], Reading]) -> Callable[[str], Reading]:
    """Reads a currency; the hint names the code of a word or symbol that can mean only one."""

    def knowing(text: str) -> Reading:
        reading = read(text)
        meant = currencies_meant(text) if isinstance(reading, Misread) else ()
        return Misread("unknown_currency", f"Write {meant[0]}.") if len(meant) == 1 else reading

    return knowing


def sku_reader(feeding: FieldMapping, terms: Terms) -> Callable[[str], str | Misread | Warned]:
    """The function that reads a trimmed text as a sku."""
    column = feeding.column
    if terms.exported:
        return partial(sku_reading, verbatim=True)
    if column.pattern is None and not column.values and column.part is None:
        return sku_reading
    translate = translation(column, feeding.field.kind, terms.style)

    def read(text: str) -> str | Misread | Warned:
        if (refused := unkept(text)) is not None:
            return refused
        plain, code = without_debris(text, is_code=True)
        translated = translate(plain) if plain else plain
        if isinstance(translated, Misread):
            return translated
        reading = sku_reading(translated)
        return Warned(reading, code) if code and isinstance(reading, str) else reading

    return read


def fit(
    amount: Decimal, currency: Currency | None, unit: Unit | None, *, doubt: bool = False
) -> Decimal | Misread | Warned:
    """The amount with the decimals of its currency, if known; minor units need one.

    If there is `doubt` about the decimal mark, an amount whose decimals could be thousands is
    warned about.
    """
    fitted = _fitted(amount, currency, unit)
    doubtful = doubt and unit != "minor" and bool(amount)
    if doubtful and isinstance(fitted, Decimal) and amount.as_tuple().exponent == -_THOUSANDS:
        return Warned(fitted, "thousands_or_decimals")
    return fitted


def _fitted(amount: Decimal, currency: Currency | None, unit: Unit | None) -> Decimal | Misread:
    if unit == "minor":
        if currency is None:
            # The product's would decide and isn't known here; the partner's is a guess.
            hint = "Minor units mean nothing without a currency; name it in the profile."
            return Misread("missing_currency", hint)
        amount = amount.scaleb(-currency.exponent)
    if currency is None:
        return amount
    if currency.is_exact(amount):
        return currency.round(amount)
    hint = f"{currency.code} has {currency.exponent} decimals; round the amount."
    return Misread("too_many_decimals", hint)


def _take_reduction(values: dict[str, Value]) -> None:
    """Where a price was higher before, that is the price, and what was sent as one the sale's.

    A price of 0 is no sale's: it stays, so that nothing is sold for what it cost before.
    """
    price, before = values.get("price"), values.get("sale_price")
    if isinstance(price, Decimal) and isinstance(before, Decimal) and before > price > 0:
        values |= {"price": before, "sale_price": price}
    elif "sale_price" in values:
        values["sale_price"] = None


def ragged(raw: RawRecord, cells: Sequence[str], width: int) -> Problem:
    """What is wrong with a record that has more or fewer cells than the header."""
    hint = (
        f"The header has {width} cells, but this record has {len(cells)}. "
        "Quote cells that contain the delimiter or a line break."
    )
    text = raw.delimiter.join(cells)
    return Problem.of("ragged_record", line=raw.line, value=text, hint=hint)


class RecordReader:
    """Reads the records under one header."""

    def __init__(self, mapping: HeaderMapping, terms: Terms) -> None:
        """Prepares a reader for each field that the file has."""
        self._mapping = mapping
        self._terms = terms
        self._width = len(mapping.header)
        self._sku = mapping.field_mappings["sku"]
        self._read_sku = sku_reader(self._sku, terms)
        self._read_urls = reader_of(Urls(), terms.zone)
        sale = mapping.field_mappings.get("sale_price")
        self._periods = unread_periods(mapping)
        self._compares = sale is not None and sale.column.compare_at
        self._fields = [
            FieldReader.of(feeding, terms)
            for name, feeding in mapping.field_mappings.items()
            if name != "sku"
        ]

    def __call__(self, prepared: Prepared) -> Record:
        """The record with its values and every problem it has, in the order of the fields.

        A record whose content makes a reader fail has a problem that says so.
        """
        try:
            return self._of(prepared)
        except NOT_OF_FILE:
            raise
        except Exception as error:  # noqa: BLE001 - that it can be anything is the point
            return self._unreadable(prepared.raw, error)

    def _of(self, prepared: Prepared) -> Record:
        raw, cells = prepared.raw, prepared.raw.cells
        if prepared.fate is not None:
            return Record(raw.line, None, {}, fate=prepared.fate, reason=prepared.reason)
        if cells is None:
            return self._misquoted(raw)
        if len(cells) < self._width and raw.ends_file:
            lacking = f"It has {len(cells)} of {self._width} cells."
            hint = f"{lacking} {PROBLEMS['truncated_record'][1]}"
            return self._cut_off(raw, raw.delimiter.join(cells), hint)
        if self.breaks_off(cells):
            return self._cut_off(raw, raw.delimiter.join(cells), _BROKEN_OFF)
        if len(cells) != self._width and (
            len(cells) < self._width or any(cell.strip(BLANKS) for cell in cells[self._width :])
        ):
            return self._ragged(raw, cells)
        if prepared.withdrawn:
            return self._withdrawn(raw, cells)
        return self._read(raw, cells, prepared.pictures)

    def _read(self, raw: RawRecord, cells: Sequence[str], pictures: tuple[str, ...]) -> Record:
        line, problems = raw.line, self._late_problems(raw) if raw.late else []
        sku, lacks = self._read_sku(self._sku.gather(cells)), self.lacks(raw)
        if not isinstance(sku, str):
            problems.append(self._problem(line, "sku", cells, sku))
            sku = None if isinstance(sku, Misread) else str(sku.value)
        if (other := self._corrects_another(raw, cells, sku)) is not None:
            problems.append(other)
            sku = None
        values: dict[str, Value] = {}
        stated: dict[str, str] = {}
        unread: set[str] = set()
        for reader in self._fields:
            if lacks and reader.feeding.is_lacking(lacks):
                continue
            reading, code = reader(reader.feeding.gather(cells))
            if code is not None:
                stated[reader.name] = code
            if isinstance(reading, Misread | Warned):
                problems.append(self._problem(line, reader.name, cells, reading))
                if isinstance(reading, Misread):
                    unread.add(reader.name)
                    continue
                reading = reading.value
            values[reader.name] = reading
        if pictures:
            problems += self._add_pictures(line, values, pictures)
        problems += self._judge(line, values, cells, stated, unread)
        if values.get("deleted") is True:
            # The other cells of a product no longer matter.
            problems = [problem for problem in problems if problem.field in ("sku", "deleted")]
        return Record(line, sku, values, tuple(problems))

    def breaks_off(self, cells: Sequence[str]) -> bool:
        """Whether an error message stands where the record's sku should.

        A name may begin like one. So if the sku isn't in the first cell, the record has to end as
        such a message does, with the line at fault.
        """
        if self._terms.exported or _BREAKS_OFF.match(cells[0]) is None:
            return False
        return self._sku.indexes[:1] == (0,) or _AT_FAULT.search(" ".join(cells)) is not None

    def lacks(self, raw: RawRecord) -> Collection[int]:
        """The cells that the record doesn't have, where that leaves fields alone: in a delta."""
        return raw.lacks if self._terms.mode == "delta" else ()

    def late(self, raw: RawRecord) -> Iterator[tuple[str, str]]:
        """The keys, with their cells, that would be used, but came too late for the header.

        In a full feed a blank cell means what an absent one does, so nothing is lost with it.
        """
        for key, cell in raw.late:
            if self._mapping.uses(key) and (self._terms.mode == "delta" or cell.strip(BLANKS)):
                yield tidy_header(key), cell

    def _withdrawn(self, raw: RawRecord, cells: Sequence[str]) -> Record:
        """A record that removes its product, of which nothing but the sku matters any more."""
        read = self._read(raw, cells, ())
        problems = tuple(problem for problem in read.problems if problem.field == "sku")
        return Record(raw.line, read.sku, {**read.values, "deleted": True}, problems)

    def corrects_another(self, raw: RawRecord) -> bool:
        """Whether a row of a corrected report has another sku than the record it stands for."""
        if raw.corrects not in self._terms.corrected or len(raw.cells or ()) < self._width:
            return False
        sku = self._read_sku(self._sku.gather(raw.cells or ()))
        read = (
            None if isinstance(sku, Misread) else str(sku.value if isinstance(sku, Warned) else sku)
        )
        return self._corrects_another(raw, raw.cells or (), read) is not None

    def _corrects_another(
        self, raw: RawRecord, cells: Sequence[str], sku: str | None
    ) -> Problem | None:
        """What is wrong with a row whose sku is that of another record than it stands for."""
        former = self._terms.corrected.get(raw.corrects) if raw.corrects else None
        if former is None or sku is None or sku == former or raw.corrects is None:
            return None
        hint = (
            f"The row corrects line {raw.corrects[1]}, whose sku is {former}; here it is {sku}. "
            f"Write {former} again, or clear _line to send the row as another product."
        )
        return self._problem(raw.line, "sku", cells, Misread("corrected_sku", hint))

    def _late_problems(self, raw: RawRecord) -> list[Problem]:
        return [
            Problem.of("late_key", line=raw.line, column=key, value=cell)
            for key, cell in self.late(raw)
        ]

    def _add_pictures(
        self, line: int, values: dict[str, Value], pictures: tuple[str, ...]
    ) -> Iterator[Problem]:
        """The pictures of the records that were folded into this one join its own."""
        own = values.get(PICTURES)
        urls = " ".join((*(own if isinstance(own, tuple) else ()), *pictures))
        reading = self._read_urls(urls)
        if isinstance(reading, Misread):
            yield Problem.of(reading.code, line=line, field=PICTURES, value=urls, hint=reading.hint)
        elif not isinstance(reading, Warned):
            values[PICTURES] = reading

    def _judge(
        self, line: int, values: dict[str, Value], cells: Sequence[str], stated: Mapping[str, str],
        unread: Collection[str],
    ) -> Iterator[Problem]:  # fmt: skip
        """The rules that span fields; each is satisfied if an operand is missing or unreadable."""
        if values.get("product_name", "") is None and values.get("deleted") is not True:
            yield self._problem(line, "product_name", cells, Misread("missing_value"))
        if "currency" not in unread:
            yield from self._settle_amounts(line, values, cells, stated)
        if self._compares:
            _take_reduction(values)
        yield from self._ignore_odd_sale(line, values, cells)

    def _settle_amounts(
        self, line: int, values: dict[str, Value], cells: Sequence[str], stated: Mapping[str, str]
    ) -> Iterator[Problem]:
        """Gives amounts their currency and its decimals, as far as the file names a currency."""
        named = values.get("currency")
        in_minor = isinstance(named, str) and is_minor(named)
        if isinstance(named, str):
            values["currency"] = named = named.upper()
        codes = {*stated.values(), *([named] if isinstance(named, str) else [])}
        own = {**self._declared(values), **stated}
        beside = not named and self._is_bare_beside(values, own, stated)
        if len(codes) > 1 or len({*own.values()}) > 1 or beside:
            first = next(iter(stated or own))
            yield self._problem(line, first, cells, Misread("currency_conflict"))
            return
        code = next(iter(codes), None) or self._currency_of_columns(values)
        amounts = [name for name in AMOUNTS if values.get(name) is not None]
        if code is not None and (amounts or named):
            values["currency"] = code
        elif amounts and self._terms.mode == "full":
            yield self._problem(line, amounts[0], cells, Misread("missing_currency"))
        currency = find_currency(code) if code else None
        for name in amounts:
            minor = in_minor and name not in stated
            if problem := self._fit(values, name, currency, minor=minor):
                yield self._problem(line, name, cells, problem)

    def _is_bare_beside(
        self, values: Mapping[str, Value], own: Mapping[str, str], stated: Mapping[str, str]
    ) -> bool:
        """Whether the price names no currency, but an amount beside it another one than usual."""
        home, code = self._terms.home_currency, next(iter(stated.values()), None)
        is_bare = values.get("price") is not None and "price" not in own
        return is_bare and None not in (home, code) and home != code

    def _currency_of_columns(self, values: Mapping[str, Value]) -> str | None:
        """The currency that a header or the profile declares, else the one that is assumed."""
        return next(iter(self._declared(values).values()), self._terms.assumed_currency)

    def _declared(self, values: Mapping[str, Value]) -> dict[str, str]:
        """The currency that a header or the profile declares for each amount of the record."""
        fed = self._mapping.field_mappings
        return {
            name: code
            for name in AMOUNTS
            if values.get(name) is not None and (code := fed[name].currency)
        }

    def _fit(
        self, values: dict[str, Value], name: str, currency: Currency | None, *, minor: bool
    ) -> Misread | Warned | None:
        """Gives one amount the decimals of the currency; returns what is wrong with it."""
        amount, column = values[name], self._mapping.field_mappings[name].column
        if not isinstance(amount, Decimal):
            return None
        unit = "minor" if minor else column.unit
        fitted = fit(amount, currency, unit, doubt=self._terms.doubts(column, currency))
        if isinstance(fitted, Misread):
            del values[name]
            return fitted
        values[name] = fitted.value if isinstance(fitted, Warned) else fitted
        return fitted if isinstance(fitted, Warned) else None

    def _ignore_odd_sale(
        self, line: int, values: dict[str, Value], cells: Sequence[str]
    ) -> Iterator[Problem]:
        price, sale = values.get("price"), values.get("sale_price")
        starts, ends = values.get("sale_starts_at"), values.get("sale_ends_at")
        if not isinstance(sale, Decimal) or self._terms.exported:
            return
        if sale == 0:
            values["sale_price"] = None
            yield self._problem(line, "sale_price", cells, Misread("sale_price_of_zero"))
        elif isinstance(price, Decimal) and sale >= price:
            values["sale_price"] = None
            yield self._problem(line, "sale_price", cells, Misread("sale_not_below_price"))
        elif isinstance(starts, datetime) and isinstance(ends, datetime) and ends <= starts:
            values["sale_price"] = None
            yield self._problem(line, "sale_ends_at", cells, Misread("sale_ends_before_start"))
        elif (index := next((i for i in self._periods if cells[i].strip(BLANKS)), -1)) >= 0:
            values["sale_price"] = None
            yield Problem.of(
                "sale_period_unread",
                line=line,
                column=self._mapping.header[index],
                field="sale_price",
                value=cells[index],
            )

    def _unreadable(self, raw: RawRecord, error: Exception) -> Record:
        hint = f"{PROBLEMS['unreadable_record'][1]} ({type(error).__name__}: {error})"
        text = without_end(raw.sent)
        return Record(
            raw.line, None, {},
            (Problem.of("unreadable_record", line=raw.line, value=text, hint=hint),),
        )  # fmt: skip

    def _ragged(self, raw: RawRecord, cells: Sequence[str]) -> Record:
        if _BREAKS_OFF.match(cells[0]):
            return self._cut_off(raw, raw.delimiter.join(cells), _BROKEN_OFF)
        return self._broken(raw, ragged(raw, cells, self._width), cells[0])

    def _misquoted(self, raw: RawRecord) -> Record:
        text = raw.text.rstrip("\r\n")
        if raw.broken == "malformed_json" and raw.ends_file:
            return self._cut_off(raw, text, None)
        if raw.broken != "malformed_quotes":
            return self._broken(raw, Problem.of(raw.broken, line=raw.line, value=text), "")
        first = raw.text.partition(raw.delimiter)[0]
        readable = "" if '"' in first else first
        problem = Problem.of("malformed_quotes", line=raw.line, value=text)
        return self._broken(raw, problem, readable)

    def _cut_off(self, raw: RawRecord, text: str, hint: str | None) -> Record:
        """The record within which a file ends. Its last cell may be half a sku, so it has none."""
        problem = Problem.of("truncated_record", line=raw.line, value=text, hint=hint)
        return Record(raw.line, None, {}, (problem,))

    def _broken(self, raw: RawRecord, problem: Problem, first: str) -> Record:
        """A record whose cells may have shifted: only a sku in the first cell can't have.

        A record of several lines may have swallowed others, whose skus are then unknown; its own is
        no better than unreadable, and nothing is removed for being absent.
        """
        alone = self._sku.indexes == (0,) and raw.lines == 1
        sku = read_sku(first) if alone else None
        return Record(raw.line, sku, {}, (problem,))

    def _problem(
        self, line: int, name: str, cells: Sequence[str], reading: Misread | Warned
    ) -> Problem:
        """The problem of a field, with its one cell as it stands, or its text put together."""
        feeding = self._mapping.field_mappings[name]
        alone = len(feeding.indexes) == 1 and not self._terms.profile.identity
        text = cells[feeding.indexes[0]] if alone else feeding.gather(cells)
        return Problem.of(
            reading.code,
            line=line,
            column=self._mapping.column_of(name),
            field=name,
            value=text if text.strip(BLANKS) else None,
            hint=reading.hint if isinstance(reading, Misread) else None,
        )
