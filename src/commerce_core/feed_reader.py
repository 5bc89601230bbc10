"""The reference reading of a feed: records of cells become records of values, one at a time."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import BinaryIO

from attrs import field, frozen

from commerce_core.cells import Misread, Reading, Warned, read_sku, reader_of
from commerce_core.errors import FileRefused
from commerce_core.feed_schema import AMOUNTS, BLANKS, FIELDS, LONGEST_CELL, Problem, Record, Value
from commerce_core.feed_text import RawRecord, read_records
from commerce_core.money import Currency, find_currency
from commerce_core.partners import Mode
from commerce_core.profiles import Layout, lay_out


@frozen
class Terms:
    """What a file alone doesn't say: its mode, the partner's currency and time zone."""

    mode: Mode
    currency: str | None
    zone: tzinfo

    @property
    def assumed_currency(self) -> str | None:
        """The currency of a price that names none. In delta mode it is the product's."""
        return self.currency if self.mode == "full" else None


@frozen
class Reader:
    """A feed whose header has been understood, and its records still to come.

    Iterating raises FileRefused where the file as a whole turns out to be unreadable.
    """

    layout: Layout
    _records: Iterator[RawRecord] = field(repr=False)
    _read: Callable[[RawRecord], Record] = field(repr=False)

    def __iter__(self) -> Iterator[Record]:
        """Each record in the order of the file; blank ones too, since all are accounted for."""
        return map(self._read, self._records)


def open_feed(stream: BinaryIO, terms: Terms) -> Reader:
    """Reads the header, and is ready for the records; FileRefused if there is no usable header."""
    records = read_records(stream)
    for first in records:
        if first.cells is None:
            detail = "The first record, which should be the header, has broken quoting."
            raise FileRefused("no_header", detail, "Put a header first.", line=first.line)
        if any(cell.strip(BLANKS) for cell in first.cells):
            layout = lay_out(first.cells, terms.mode, first.line)
            return Reader(layout, records, RecordReader(layout, terms))
    raise FileRefused(
        "empty", "The file has nothing but blank lines.", "Send a header and records."
    )


class RecordReader:
    """Reads records of one layout: cells by their kinds, then the rules that span fields."""

    def __init__(self, layout: Layout, terms: Terms) -> None:
        """Prepares one function per mapped column."""
        self._layout = layout
        self._terms = terms
        self._sku = layout.columns["sku"]
        self._width = len(layout.header)
        self._columns = [
            (f.name, layout.columns[f.name], reader_of(f.kind, terms.zone))
            for f in FIELDS
            if f.name in layout.columns and f.name != "sku"
        ]

    def __call__(self, raw: RawRecord) -> Record:
        """The record with its values and every problem it has, in the order of the fields."""
        cells = raw.cells
        if cells is None:
            return self._misquoted(raw)
        if not any(cell.strip(BLANKS) for cell in cells):
            return Record(raw.line, None, {}, blank=True)
        if len(cells) != self._width and (
            len(cells) < self._width or any(cell.strip(BLANKS) for cell in cells[self._width :])
        ):
            return self._ragged(raw, cells)
        sku = read_sku(cells[self._sku])
        problems = [] if sku else [self._bad_sku(raw.line, cells)]
        values: dict[str, Value] = {}
        for name, index, read in self._columns:
            reading = self._read_cell(cells[index], read)
            if isinstance(reading, Misread | Warned):
                problems.append(self._problem(raw.line, name, cells, reading))
                if isinstance(reading, Misread):
                    continue
                reading = reading.value
            values[name] = reading
        problems += self._judge(raw.line, values, cells)
        return Record(raw.line, sku, values, tuple(problems))

    def _read_cell(self, cell: str, read: Callable[[str], Reading]) -> Reading:
        text = cell.strip(BLANKS)
        if not text:
            return None
        if "\0" in text:
            return Misread("nul_character")
        return Misread("oversized_cell") if len(text) > LONGEST_CELL else read(text)

    def _judge(
        self, line: int, values: dict[str, Value], cells: Sequence[str]
    ) -> Iterator[Problem]:
        """The rules that span fields; each is satisfied if an operand is missing or unreadable."""
        if values.get("product_name", "") is None and values.get("deleted") is not True:
            yield self._problem(line, "product_name", cells, Misread("missing_value"))
        yield from self._settle_amounts(line, values, cells)
        yield from self._ignore_odd_sale(line, values, cells)

    def _settle_amounts(
        self, line: int, values: dict[str, Value], cells: Sequence[str]
    ) -> Iterator[Problem]:
        """Gives amounts the decimals of their currency, if the file already tells the currency."""
        price, code = values.get("price"), values.get("currency")
        if code is None and "currency" in self._layout.columns and "currency" not in values:
            return  # The cell has a problem of its own.
        if code is None and price is not None:
            code = self._terms.assumed_currency
            if code is not None:
                values["currency"] = code
            elif self._terms.mode == "full":
                yield self._problem(line, "price", cells, Misread("missing_currency"))
        currency = find_currency(code) if isinstance(code, str) else None
        if currency is not None:
            yield from self._round_amounts(line, values, cells, currency)

    def _round_amounts(
        self, line: int, values: dict[str, Value], cells: Sequence[str], currency: Currency
    ) -> Iterator[Problem]:
        for name in AMOUNTS:
            amount = values.get(name)
            if not isinstance(amount, Decimal):
                continue
            if currency.is_exact(amount):
                values[name] = currency.round(amount)
            else:
                del values[name]
                hint = f"{currency.code} has {currency.exponent} decimals; round the amount."
                yield self._problem(line, name, cells, Misread("too_many_decimals", hint))

    def _ignore_odd_sale(
        self, line: int, values: dict[str, Value], cells: Sequence[str]
    ) -> Iterator[Problem]:
        price, sale = values.get("price"), values.get("sale_price")
        starts, ends = values.get("sale_starts_at"), values.get("sale_ends_at")
        if not isinstance(sale, Decimal):
            return
        if isinstance(price, Decimal) and sale >= price:
            values["sale_price"] = None
            yield self._problem(line, "sale_price", cells, Misread("sale_not_below_price"))
        elif isinstance(starts, datetime) and isinstance(ends, datetime) and ends <= starts:
            values["sale_price"] = None
            yield self._problem(line, "sale_ends_at", cells, Misread("sale_ends_before_start"))

    def _ragged(self, raw: RawRecord, cells: Sequence[str]) -> Record:
        hint = (
            f"The header has {self._width} cells, this record {len(cells)}. "
            "Quote cells that contain the delimiter or a line break."
        )
        return self._broken(raw, "ragged_record", hint, ",".join(cells), cells[0])

    def _misquoted(self, raw: RawRecord) -> Record:
        first = raw.text.partition(",")[0]
        readable = "" if '"' in first else first
        return self._broken(raw, "malformed_quotes", None, raw.text, readable)

    def _broken(self, raw: RawRecord, code: str, hint: str | None, text: str, first: str) -> Record:
        """A record whose cells may have shifted: only a sku in the first cell can't have.

        One that covers several lines may have swallowed other records, whose skus nobody knows;
        its own is then no better than unreadable, and nothing is removed for being absent.
        """
        sku = read_sku(first) if self._sku == 0 and raw.lines == 1 else None
        return Record(raw.line, sku, {}, (Problem.of(code, line=raw.line, value=text, hint=hint),))

    def _bad_sku(self, line: int, cells: Sequence[str]) -> Problem:
        cell = cells[self._sku]
        blank = not cell.strip(BLANKS + "'")
        code = "missing_value" if blank else "nul_character" if "\0" in cell else "too_long"
        return self._problem(line, "sku", cells, Misread(code))

    def _problem(
        self, line: int, name: str, cells: Sequence[str], reading: Misread | Warned
    ) -> Problem:
        """The problem of a field's cell; a blank cell has no value to show."""
        cell = cells[self._layout.columns[name]]
        return Problem.of(
            reading.code,
            line=line,
            column=self._layout.column_of(name),
            field=name,
            value=cell if cell.strip(BLANKS) else None,
            hint=reading.hint if isinstance(reading, Misread) else None,
        )
