"""Records read as columns: `parsing.record_reader.RecordReader` for many records at once."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import polars as pl
from attrs import define, evolve, field, frozen

from adapters.polars_feeds.amounts import Settling
from adapters.polars_feeds.debris import odd_skus
from adapters.polars_feeds.extractors import gathered
from adapters.polars_feeds.faults import (
    Faults,
    Slot,
    faulty_rows,
    listed_rows,
    noted,
    rejected_rows,
    remembered,
)
from adapters.polars_feeds.keeping import FieldOfTable, reader_of_field
from adapters.polars_feeds.kinds import Readings, restored
from adapters.polars_feeds.parsing import cell
from adapters.polars_feeds.patterns import kept_of
from adapters.polars_feeds.reject_buffer import REJECTS
from adapters.polars_feeds.report_rows import shown, summed_up
from adapters.polars_feeds.texts import behind, nulls, read_distinct
from commerce_core.base.text import BLANKS
from commerce_core.parsing.record_reader import Terms, sku_reader
from commerce_core.profiles.mapping import PICTURES, HeaderMapping
from commerce_core.profiles.sale_periods import unread_periods
from commerce_core.schema.cells import Misread, Reading, Warned, reader_of
from commerce_core.schema.fields import BY_NAME, Urls, Value, bits_of
from commerce_core.schema.problems import Noted, Problem
from commerce_core.schema.record import Record

PICTURES_OF_OTHERS: Final = "pictures"
"""The column for the pictures of records that were folded into these, where some have any."""
LACKING: Final = "lacking"
"""The column for the fields that a record leaves alone, as bits, where some lack any."""
_MOST_DECIMALS: Final = 4


@define
class TableReader:
    """Reads the records under one header."""

    mapping: HeaderMapping
    terms: Terms
    faults: Faults = field(factory=Faults)
    _fields: dict[str, FieldOfTable] = field(init=False)
    _settling: Settling = field(init=False)
    _periods: tuple[int, ...] = field(init=False)
    _read_sku: Callable[[str], str | Misread | Warned] = field(init=False)
    _read_urls: Callable[[str], Reading] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Prepares a reader for each field that the file has."""
        self._settling = Settling(self.mapping, self.terms, self.faults)
        self._periods = unread_periods(self.mapping)
        self._read_sku = sku_reader(self.mapping.field_mappings["sku"], self.terms)
        self._read_urls = reader_of(Urls(), self.terms.zone)
        self._fields = {
            name: reader_of_field(feeding, self.terms, self.faults)
            for name, feeding in self.mapping.field_mappings.items()
            if name != "sku"
        }

    def __call__(self, cells: pl.DataFrame, *, plain: bool = False) -> "Table":
        """The records with the values of their cells, and every problem they have.

        The cells are known to be `plain` text if the whole file is so far.
        """
        count = len(cells)
        texts = gathered({n: f.gather for n, f in self.mapping.field_mappings.items()}, cells)
        skus, sku_faults = self._skus(texts["sku"])
        readings = {name: read(texts[name], plain=plain) for name, read in self._fields.items()}
        values = {name: found.values for name, found in readings.items()}
        absent = {n: found.misread for n, found in readings.items() if found.misread is not None}
        faults = {"sku": sku_faults, **{name: found.faults for name, found in readings.items()}}
        slots = [Slot.of(name, column) for name, column in faults.items() if column is not None]
        if PICTURES_OF_OTHERS in cells.columns and (cells[PICTURES_OF_OTHERS] != "").any():
            slots += self._add_pictures(cells[PICTURES_OF_OTHERS], values, absent)
        deletes = values["deleted"].fill_null(value=False) if "deleted" in values else None
        lacking = self._lacking(cells)
        for name, mask in lacking.items():
            absent[name] = absent[name] | mask if name in absent else mask
        slots += self._missing_names(readings, deletes, lacking)
        settled = self._settling(readings, count)
        slots += settled.slots
        values |= settled.amounts
        for name, misfits in settled.misfits.items():
            absent[name] = absent[name] | misfits if name in absent else misfits
        values["currency"] = settled.currency
        self._take_reductions(values)
        slots += self._odd_sales(values, cells)
        if deletes is not None and deletes.any():
            # The other cells of a product no longer matter.
            rows = deletes.arg_true().cast(pl.UInt32)
            slots = [s if s.name in ("sku", "deleted") else s.without(rows) for s in slots]
        slots = [slot for slot in slots if not slot.places.is_empty()]
        return Table(self, cells, texts, skus, values, absent, slots, deletes)

    def _skus(self, texts: pl.Series) -> tuple[pl.Series, pl.Series | None]:
        """The skus, null where unreadable, and what is wrong with those."""
        column = self.mapping.field_mappings["sku"].column
        none = nulls(len(texts), pl.UInt32)
        odd: pl.Series | None = none.is_null()
        kept = texts if column.pattern is None else kept_of(texts, column.pattern)
        if kept is not None and not column.values and column.part is None:
            odd = odd_skus(texts)
            if kept is not texts:
                kept_odd = odd_skus(kept.fill_null(""))
                odd = kept_odd if odd is None else odd if kept_odd is None else odd | kept_odd
        if odd is None:
            return kept if kept is not None else texts, None
        results, place = read_distinct(texts, odd, self._sku_of)
        skus, faults = zip(*results, strict=True)
        return behind(texts if kept is None else kept, skus, place), behind(none, faults, place)

    def _sku_of(self, text: str) -> tuple[str | None, int | None]:
        sku = self._read_sku(text)
        if isinstance(sku, Warned):
            return str(sku.value), self.faults.number(sku)
        return (None, self.faults.number(sku)) if isinstance(sku, Misread) else (sku, None)

    def _add_pictures(
        self,
        pictures: pl.Series,
        values: dict[str, pl.Series],
        absent: dict[str, pl.Series],
    ) -> Iterator[Slot]:
        """The pictures of the records that were folded into these join their own."""
        own = values[PICTURES].list.join(" ").fill_null("")
        urls = pl.select(pl.concat_str(own, pl.lit(" "), pictures).str.strip_chars(" ")).to_series()
        results, place = read_distinct(urls, pictures != "", self._urls_of)
        fault = behind(nulls(len(urls), pl.UInt32), [fault for _, fault in results], place)
        found = [found for found, _ in results]
        read = (pictures != "") & fault.is_null()
        joined = behind(values[PICTURES], found, place)
        values[PICTURES] = joined.zip_with(read, values[PICTURES])
        if PICTURES in absent:
            absent[PICTURES] &= ~read
        yield evolve(Slot.of(PICTURES, fault), shown=urls)

    def _urls_of(self, text: str) -> tuple[object, int | None]:
        urls = self._read_urls(text)
        if isinstance(urls, Misread):
            return None, self.faults.number(urls)
        return urls, None

    def _lacking(self, cells: pl.DataFrame) -> dict[str, pl.Series]:
        """The rows that leave a field alone, by field."""
        if LACKING not in cells.columns:
            return {}
        bits = cells[LACKING]
        return {n: (bits & bits_of((n,))) != 0 for n in self.mapping.field_mappings if n != "sku"}

    def _missing_names(
        self,
        readings: Mapping[str, Readings],
        deletes: pl.Series | None,
        lacking: Mapping[str, pl.Series],
    ) -> Sequence[Slot]:
        if "product_name" not in readings:
            return ()
        found = readings["product_name"]
        missing = found.values.is_null()
        for other in (found.misread, deletes, lacking.get("product_name")):
            missing = missing if other is None else missing & ~other
        if not missing.any():
            return ()
        return (Slot.where("product_name", missing, self.faults.number_of("missing_value")),)

    def _take_reductions(self, values: dict[str, pl.Series]) -> None:
        """Where a price was higher before, that is the price, and what was sent the sale's."""
        sale = self.mapping.field_mappings.get("sale_price")
        if sale is None or not sale.column.compare_at:
            return
        before = values["sale_price"]
        price = values.get("price", nulls(len(before)))
        charged = _exact(price)
        reduced = ((_exact(before) > charged) & (charged > 0)).fill_null(value=False)
        values["sale_price"] = pl.select(pl.when(reduced).then(price)).to_series()
        if "price" in values:
            values["price"] = before.zip_with(reduced, price)

    def _odd_sales(self, values: dict[str, pl.Series], cells: pl.DataFrame) -> Iterator[Slot]:
        """Takes sale prices away that are none, or whose period is over at once or isn't read."""
        sale = values.get("sale_price")
        if sale is None or self.terms.exported:
            return
        none = nulls(len(sale))
        price, starts, ends = (
            values.get(name, none) for name in ("price", "sale_starts_at", "sale_ends_at")
        )
        of_zero = (_exact(sale) == 0).fill_null(value=False)
        too_high = (_exact(sale) >= _exact(price)).fill_null(value=False) & ~of_zero
        # Moments in UTC sort as their texts do.
        never = sale.is_not_null() & (ends <= starts).fill_null(value=False) & ~(too_high | of_zero)
        odd = too_high | never | of_zero
        values["sale_price"] = pl.select(pl.when(~odd).then(sale)).to_series()
        number_of = self.faults.number_of
        yield Slot.where("sale_price", of_zero, number_of("sale_price_of_zero"))
        yield Slot.where("sale_price", too_high, number_of("sale_not_below_price"))
        yield Slot.where("sale_ends_at", never, number_of("sale_ends_before_start"))
        for index in self._periods:
            text, sale = cells[cell(index)], values["sale_price"]
            unread = sale.is_not_null() & (text.str.strip_chars(BLANKS) != "")
            values["sale_price"] = pl.select(pl.when(~unread).then(sale)).to_series()
            slot = Slot.where("sale_price", unread, number_of("sale_period_unread"))
            yield evolve(slot, shown=text, column=self.mapping.header[index])


@frozen
class Table:
    """Implements `Part` for records as columns, in the order of the file.

    `cells` has what was parsed, and where it stood. `absent` says for each field which rows have no
    value for it, not even none. `slots` are in the order of a record's problems.
    """

    _by: TableReader
    cells: pl.DataFrame
    texts: Mapping[str, pl.Series]
    skus: pl.Series
    values: Mapping[str, pl.Series]
    absent: Mapping[str, pl.Series]
    slots: Sequence[Slot]
    deletes: pl.Series | None

    def __len__(self) -> int:
        return len(self.cells)

    def faulty(self) -> pl.Series:
        """The rows that have a problem."""
        return faulty_rows(self.slots)

    def rejected(self) -> int:
        """How many have an error."""
        return len(self._rejected())

    def skus_unreadable(self) -> int:
        """How many have no sku that can be read."""
        return self.skus.null_count()

    def skus_without_error(self) -> Sequence[str]:
        """The skus of those that have no error."""
        fine = ~_mask(self._rejected(), len(self))
        return self.skus.filter(fine).drop_nulls().to_list()

    def _rejected(self) -> pl.Series:
        return rejected_rows(self.slots, self._by.faults)

    def noted(self) -> Counter[Noted]:
        """The problems, counted."""
        return noted(self.slots, self._by.faults, self._column_of)

    def columns(self, schema: pl.Schema) -> pl.DataFrame:
        """The records as columns."""
        count, prints = len(self), self._fingerprints()
        no = nulls(count, pl.Boolean).is_not_null()
        own = {
            "line": self.cells["line"],
            "sku": self.skus,
            "rejected": _mask(self._rejected(), count),
            "deletes": no if self.deletes is None else self.deletes,
            "upper": prints["upper"],
            "lower": prints["lower"],
            "lacking": self.cells[LACKING] if LACKING in self.cells else nulls(count, pl.Int64),
        }
        return pl.DataFrame({n: own[n] if n in own else self.values[n] for n in schema})

    def _fingerprints(self) -> pl.DataFrame:
        """The fingerprints, by the hashes of the texts and the warnings found."""
        hashes = self.cells.select("upper", "lower")
        found = remembered(self.slots, self._by.faults)
        if found.is_empty():
            return hashes
        codes = pl.repeat(0, len(self), dtype=pl.Int64, eager=True)
        codes = codes.scatter(found["row"], found["code"])
        lower = hashes["lower"] ^ codes
        upper = hashes.select(pl.when(codes.is_not_null()).then("upper")).to_series()
        return pl.DataFrame({"upper": upper, "lower": lower})

    def __iter__(self) -> Iterator[Record]:
        return self._records(pl.int_range(len(self), dtype=pl.UInt32, eager=True))

    def rejects(self, asked: pl.Series) -> pl.DataFrame:
        """Those that have an error, and those on the lines asked for, as a report needs them."""
        rejects = summed_up(map(self._errors, self.slots))
        if len(asked):
            rows = self.cells["line"].is_in(asked.implode()).arg_true().cast(pl.UInt32)
            rejects = rejects.join(rows.to_frame("row"), on="row", how="full", coalesce=True).sort(
                "row"
            )
        came = self.cells.select(pl.col("line", "text", "end").gather(rejects["row"]))
        whole = pl.concat([rejects, came], how="horizontal")
        return whole.with_columns(broken=pl.lit(value=False)).select(*REJECTS)

    def _errors(self, slot: Slot) -> pl.DataFrame:
        """The errors of a slot, as a report shows them."""
        errors = slot.errors(self._by.faults)
        texts = self._shown(slot).gather(errors["row"]).to_frame("value")
        column = pl.lit(self._column_of(slot), pl.String)
        described = self._by.faults.described(errors["fault"])
        return pl.concat([errors.select("row"), described, texts], how="horizontal").select(
            "row", "code", column.alias("column"), shown(pl.col("value")), "hint"
        )

    def _records(self, rows: pl.Series) -> Iterator[Record]:
        """The records in these rows."""
        problems = self._problems(rows)
        lines = self.cells["line"].gather(rows)
        prints = self._fingerprints()[rows].iter_rows()
        value_sets = self._values_of(rows)
        skus = self.skus.gather(rows)
        for row, line, sku, values, (upper, lower) in zip(
            rows, lines, skus, value_sets, prints, strict=True
        ):
            found = tuple(problems.get(row, ()))
            fingerprint = None if upper is None else (upper, lower)
            yield Record(line, sku, values, found, fingerprint=fingerprint)

    def problems(self, limit: int, before: int | None) -> Iterator[Problem]:
        """The problems of the first rows that have any: at least `limit`, if there are as many."""
        rows = self.faulty()
        if before is not None:
            rows = rows.filter(self.cells["line"].gather(rows) < before)
        for found in self._problems(rows.head(limit)).values():
            yield from found

    def listing(self, limit: int, before: int | None) -> Iterator[Problem]:
        """The problems of the rows that have the first errors, or the first warnings of a kind."""
        rows = listed_rows(self.slots, self._by.faults, limit)
        if before is not None:
            rows = rows.filter(self.cells["line"].gather(rows) < before)
        for found in self._problems(rows).values():
            yield from found

    def _problems(self, rows: pl.Series) -> dict[int, list[Problem]]:
        """The problems of each of these rows that has any, rows in their order."""
        found: dict[int, list[Problem]] = {}
        for slot in self.slots:
            here = slot.places if len(rows) == len(self) else slot.within(rows).places
            places = here["row"]
            lines = self.cells["line"].gather(places)
            texts = self._shown(slot).gather(places)
            make = self._problem_of(slot)
            for row, fault, line, text in zip(places, here["fault"], lines, texts, strict=True):
                found.setdefault(row, []).append(make(fault, line, text))
        return dict(sorted(found.items()))

    def _column_of(self, slot: Slot) -> str | None:
        return slot.column if slot.shown is not None else self._by.mapping.column_of(slot.name)

    def _shown(self, slot: Slot) -> pl.Series:
        """The one cell of each record as it stands, or its text put together."""
        if slot.shown is not None:
            return slot.shown
        feeding = self._by.mapping.field_mappings[slot.name]
        if len(feeding.indexes) == 1 and not self._by.terms.profile.identity:
            return self.cells[cell(feeding.indexes[0])]
        return self.texts[slot.name]

    def _problem_of(self, slot: Slot) -> Callable[[int, int, str], Problem]:
        name, column, listed = slot.name, self._column_of(slot), self._by.faults.listed

        def make(fault: int, line: int, text: str) -> Problem:
            code, hint = listed[fault]
            shown = text if text.strip(BLANKS) else None
            return Problem.of(code, line=line, column=column, field=name, value=shown, hint=hint)

        return make

    def _values_of(self, rows: pl.Series) -> list[dict[str, Value]]:
        """The values that each of these rows sets, by field."""
        columns = [
            restored(BY_NAME[name].kind, column.gather(rows))
            for name, column in self.values.items()
        ]
        value_sets = [
            dict(zip(self.values, row, strict=True)) for row in zip(*columns, strict=True)
        ]
        for name, absent in self._absent_in(rows).items():
            for place in absent.arg_true():
                del value_sets[place][name]
        return value_sets

    def _absent_in(self, rows: pl.Series) -> dict[str, pl.Series]:
        absent = {name: column.gather(rows) for name, column in self.absent.items()}
        if "currency" not in self._by.mapping.field_mappings or LACKING in self.cells:
            # A record that has no cell for it sets it if it is known.
            none = self.values["currency"].gather(rows).is_null()
            absent["currency"] = none & absent["currency"] if "currency" in absent else none
        return absent


def _exact(amount: pl.Series) -> pl.Series:
    return amount.str.to_decimal(scale=_MOST_DECIMALS)


def _mask(rows: pl.Series, count: int) -> pl.Series:
    """True in these rows."""
    mask = nulls(count).is_not_null()
    return mask.scatter(rows, True) if len(rows) else mask  # noqa: FBT003 - a value
