"""Hypothesis strategies for what comes from outside: feeds as bytes, and histories of sales."""

import codecs
import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from attrs import evolve, frozen
from hypothesis import assume
from hypothesis import strategies as st

from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.questions import SalesQuestion
from commerce_core.base.errors import FileRefused
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.schema.fields import LONGEST_SKU, PRODUCT_FIELDS, Mode
from commerce_core.schema.record import Record

# --- feeds ----------------------------------------------------------------------------------------

SKUS = (
    "A", "a", "B", "AB", "A B", "A-1", "A_1", "10", "9", "1e3", "007", "7", "ÄÖ", "A\u0308", "Ä",
    "ß", "SS", "😀", "a,b", 'a"b', "a\nb", "a'b", "%", "\\N", "\\", "NULL", "x" * LONGEST_SKU,
)  # fmt: skip
"""Skus that some sort, fold, quote or escape in a way of their own."""
ODD_SKU_CELLS = ("", " ", "'", "x" * (LONGEST_SKU + 1), "A\0B", " A ", "'007", "\ufeffA", "A\xa0")

TEXTS = (
    "Plain", "plain", "", " ", "Ünïcode 📦", "a,b", 'say "hi"', "two\nlines", "two\r\nlines",
    "tab\tx", "\\N", "\\", "NULL", "None", "'quoted", "x" * 1000, "x" * 1001, "nul\0here", "\u2028",
    "\x7f\x1b[1m", "#N/A", "#1 mug", "#DIV/0!",
)  # fmt: skip
NUMBERS = (
    "1.50", "19.99", "20", "", "0", "0.00", "1.0", "19.999", "19.9900", "1e2", "2.69e+01", "-1",
    "-0", "+3", "007.50", ".5", "1_000", "1,50", "1.234,56", "NaN", "inf", "٣", "999999999999.99",
    "9" * 13, "9" * 20, "1 ", "\xa05", "0.0001", "1.250", "0.500", "9.90EUR", "1250p", "n/a", "-",
)  # fmt: skip
DEBRIS = (
    "#N/A", "#REF!", "#WERT!", "#DIV/0!", "Err:502", "#5", '="0042"', '="a ""b"" "', '=""', "1E+05",
    "4.00638E+12", "A\u200e", "\u202a5.00\u202c", "7\u200b", "A\xadB", "A\u2009B", "Cafe\u0301",
    "\u212b", "\uac00\u11a8", "👩\u200d🚀", "\u200f", "http://a/e\u0301\u200b", "= 1",
)  # fmt: skip
"""What spreadsheets and copying leave in cells of any field."""
WHOLES = ("0", "1", "5", "", "10.0", "-3", "9223372036854775807", "9223372036854775808", "1.5",
          "1.000", "NULL", "none", "#REF!")  # fmt: skip
CELLS: dict[str, tuple[str, ...]] = {
    "product_name": ("One", "Two", "Three", *TEXTS),
    "group_id": ("G1", "G2", *TEXTS),
    "options": (
        "Colour: Red", "", "Colour:Red; Size : 42;", "Colour", ": ", '{"C": "Red", "Size": 4}',
        '{"Colour": {"is": "Red"}}', '{"Colour": null}', "{Colour}",
    ),
    "description": TEXTS,
    "brand": TEXTS,
    "condition": ("new", "Pre-Owned", "", "renewed", "broken"),
    "category": ("A > B", "A>B", "A", "", " > "),
    "gtin": ("4006381333931", "'00012345678905", "", "4006381333930", "4.00638E+12", "123"),
    "mpn": TEXTS,
    "price": NUMBERS,
    "currency": ("EUR", "", "usd", "JPY", "KWD", "DEM", "XYZ", "EUR ", "GBp", "GBX", "GBP",
                 "NULL", "#N/A"),
    "sale_price": ("1.00", "", "19.00", *NUMBERS),
    "sale_starts_at": ("2026-01-01", "", "2026-03-29T02:30", "2026-01-01T00:00:00Z", "0001-01-01"),
    "sale_ends_at": ("2026-02-01T12:00:00.123456+05:30", "", "9999-12-31T23:59:59Z", "2025-12-31",
                     "2026-01-01", "20260101T00Z", "2026-W01-4", "none", "#N/A"),
    "availability": ("in stock", "", "OUT_OF_STOCK", "preorder", "Back Order", "eol", "maybe"),
    "quantity": WHOLES,
    "weight": ("100", "1.5kg", "", "2 LB", "0.0005", "100.000", "heavy"),
    "product_url": ("https://example.com/ü?q=1#f", "", "http://a", "http://", "ftp://example.com"),
    "image_url": ("https://example.com/a.png", "", "HTTP://EXAMPLE.COM", "http://a/b c,http://a/d"),
    "additional_image_urls": ("https://a.example/1,https://a.example/2 https://b.example", "", "x"),
    "deleted": ("", "", "no", "yes", "1", "perhaps"),
}  # fmt: skip
"""For each field cells that read well, three of them first, then more and such as read badly."""
MODES: tuple[Mode, ...] = ("full", "delta")
ODDITIES = (
    "blank line",
    "blank cells",
    "too few",
    "too many",
    "broken quotes",
    "debris",
    "header again",
)


@frozen
class FeedFile:
    """A file of a feed, and what has to be known to read it."""

    body: bytes
    mode: Mode
    currency: str | None = "EUR"

    def read(self) -> tuple[dict[str, str], list[Record]]:
        """The columns by field, and all records, as the reference reads them."""
        zone = ZoneInfo("Europe/Rome")
        reader = open_feed(io.BytesIO(self.body), Terms(self.mode, self.currency, zone))
        named = {name: reader.mapping.column_of(name) for name in ("sku", *PRODUCT_FIELDS)}
        return {name: column for name, column in named.items() if column}, list(reader)


def cells(name: str) -> st.SearchStrategy[str]:
    """Cells of a field, most of which read well: a record has many, and one bad one rejects it."""
    known = CELLS[name]
    usual = st.sampled_from(known[:3])
    return st.one_of(usual, usual, usual, usual, st.sampled_from(known))


@st.composite
def sku_cells(draw: st.DrawFn, most: int) -> str:
    """A cell with a sku: one of the first `most` usually, seldom one that can't be read."""
    if draw(st.integers(0, 40)) == 40:
        return draw(st.sampled_from(ODD_SKU_CELLS))
    return draw(st.sampled_from(SKUS[:most]))


@st.composite
def headers(draw: st.DrawFn, mode: Mode) -> list[str]:
    """The columns of a file: those that the mode requires and some others, in any order."""
    required = ["sku", "product_name"] if mode == "full" else ["sku"]
    likely = draw(st.sampled_from([[], ["product_name", "price", "quantity"]]))
    others = draw(st.lists(st.sampled_from(sorted(CELLS)), max_size=8))
    return draw(st.permutations(list(dict.fromkeys([*required, *likely, *others]))))


@st.composite
def rows(draw: st.DrawFn, names: list[str], most_skus: int) -> list[str]:
    """The cells of a record; now and then too few, too many, or none that isn't blank."""
    row = [draw(sku_cells(most_skus) if name == "sku" else cells(name)) for name in names]
    match draw(st.sampled_from([*[""] * 30, *ODDITIES])):
        case "blank line":
            return []
        case "blank cells":
            return [" "] * len(row)
        case "too few":
            return row[:-1]
        case "too many":
            return [*row, "more"]
        case "broken quotes":
            return [BROKEN]
        case "debris":
            return [draw(st.sampled_from((cell, *DEBRIS))) for cell in row]
        case "header again":
            return [draw(st.sampled_from((f" {name}", name.upper()))) for name in names]
        case _:
            return row


BROKEN = "a quoted cell that goes on after its quote"


@st.composite
def feed_files(draw: st.DrawFn, most_skus: int = len(SKUS), most_records: int = 12) -> FeedFile:
    """A file of either mode with any columns and nasty cells, which reads to its end."""
    mode = draw(st.sampled_from(MODES))
    names = draw(headers(mode))
    records = draw(st.lists(rows(names, most_skus), max_size=most_records))
    text = io.StringIO(draw(st.sampled_from(["", "\ufeff"])))
    text.seek(0, io.SEEK_END)
    ending, dialect = draw(st.sampled_from([("\n", csv.unix_dialect), ("\r\n", csv.excel)]))
    writer = csv.writer(text, dialect, lineterminator=ending)
    for row in ([name.upper() for name in names], *records):
        if row == [BROKEN]:
            text.write(f'"a"b{ending}')
        else:
            writer.writerow(row)
    file = FeedFile(text.getvalue().encode(), mode, draw(st.sampled_from(["EUR", None, "JPY"])))
    assume(_reads(file))
    return file


def _reads(file: FeedFile) -> bool:
    """Whether the file isn't refused as a whole: a tiny one with a NUL is taken for binary."""
    try:
        file.read()
    except FileRefused:
        return False
    return True


@st.composite
def offers(draw: st.DrawFn, most_skus: int) -> FeedFile:
    """A file of either mode without a fault, whose products can mostly be bought."""
    mode = draw(st.sampled_from(MODES))
    price = st.sampled_from(["1.50", "19.99", "20", "7", "0", ""])
    quantity = st.sampled_from(["", "3", "1", "0"])
    known = st.sampled_from(SKUS[:most_skus])
    skus = draw(st.lists(known, unique=True, min_size=2, max_size=most_skus))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["sku", "product_name", "price", "quantity"])
    writer.writerows([sku, f"Name of {sku}", draw(price), draw(quantity)] for sku in skus)
    return FeedFile(text.getvalue().encode(), mode)


FORMULAS = (
    "=1+1", "=cmd|' /C calc'!A0", "@SUM(1)", "+5", "-12.50", "-x", "'=x", "''@", "'-5", "\t=x",
    "\r=x", "+1-1", "=x\ny", "-",
)  # fmt: skip
"""Cells that a spreadsheet runs, or that look like it."""
MARKS = {"utf-8-sig": b"", "utf-16": b"", "utf-16-be": codecs.BOM_UTF16_BE}


@frozen
class SentFile:
    """A file as a partner may send it; `delimiter` is None for JSONL."""

    body: bytes
    mode: Mode
    currency: str | None
    encoding: str
    delimiter: str | None

    def text(self, body: bytes) -> str:
        """The text of this file, or of a report of it, in its encoding."""
        return body.removeprefix(MARKS.get(self.encoding, b"")).decode(self.encoding)

    def bytes(self, text: str) -> bytes:
        """Text in its encoding."""
        return MARKS.get(self.encoding, b"") + text.encode(self.encoding)


@st.composite
def sent_files(draw: st.DrawFn, most_skus: int = 8) -> SentFile:
    """Files in any dialect and encoding, with nasty cells and formulas."""
    mode = draw(st.sampled_from(MODES))
    names = draw(headers(mode))
    records = draw(st.lists(rows(names, most_skus), min_size=1, max_size=10))
    for row in records:
        if len(row) == len(names) and draw(st.integers(0, 2)) == 0:
            row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(FORMULAS))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|", None]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"]))
    table = [[name.upper() for name in names], *records]
    text = _jsonl(draw, table) if delimiter is None else _delimited(draw, table, delimiter)
    if encoding == "cp1252":
        # So that it is no UTF-8 for sure, nor any record that comes from it.
        text = text.encode(encoding, "replace").decode(encoding).replace("\xc3", "A")
    file = SentFile(b"", mode, draw(st.sampled_from(["EUR", None, "JPY"])), encoding, delimiter)
    return evolve(file, body=file.bytes(text))


def _delimited(draw: st.DrawFn, table: list[list[str]], delimiter: str) -> str:
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    dialect = draw(st.sampled_from([csv.excel, csv.unix_dialect]))
    text = io.StringIO()
    writer = csv.writer(text, dialect, delimiter=delimiter, lineterminator=ending)
    for row in table:
        if row == [BROKEN]:
            text.write(f'"a"b{delimiter}=1{ending}')
        elif ending != "\n" or not any("\r" in cell for cell in row):
            writer.writerow(row)  # Before 3.13 a CR is quoted only where lines end with one.
    return text.getvalue().removesuffix(draw(st.sampled_from(["", ending])))


def _jsonl(draw: st.DrawFn, table: list[list[str]]) -> str:
    """Objects, some of which lack keys that others have."""
    header, *records = table
    lines = [json.dumps(dict.fromkeys(header))]
    for row in records:
        lacks = draw(st.just(()) | st.sets(st.sampled_from(header)))
        members = zip([*header, "MORE"], row, strict=False)
        kept = {key: cell for key, cell in members if key not in lacks}
        whole = json.dumps(kept, ensure_ascii=False)
        lines.append('{"SKU": "a", "PRICE": 1.2.3}' if row == [BROKEN] else whole)
    return "\n".join(lines)


@st.composite
def object_files(draw: st.DrawFn, most_skus: int) -> FeedFile:
    """A file of JSON objects, some of which lack keys that others have."""
    mode = draw(st.sampled_from(MODES))
    names = draw(headers(mode))
    records = draw(st.lists(rows(names, most_skus), min_size=1, max_size=8))
    return FeedFile(_jsonl(draw, [names, *records]).encode(), mode)


def feed_series(most_skus: int = 6) -> st.SearchStrategy[list[FeedFile]]:
    """Feeds that come one after the other and are about much the same products."""
    files = feed_files(most_skus=most_skus)
    return st.lists(files | files | object_files(most_skus), min_size=1, max_size=4)


# --- sales ----------------------------------------------------------------------------------------

ZONES = (
    "UTC", "Europe/Rome", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "America/St_Johns",
    "Australia/Lord_Howe", "Atlantic/Azores", "America/Havana", "Africa/Cairo",
    "Pacific/Kiritimati",
)  # fmt: skip
"""Offsets of quarters, steps of half an hour, days that begin at one, midnights that come twice."""
STEPS = tuple(
    datetime.fromisoformat(f"2025-{text}+00:00")
    for text in (
        "03-30T01:00", "10-26T01:00", "03-09T07:00", "11-02T06:00", "03-09T05:00", "11-02T05:00",
        "04-24T22:00", "10-30T21:00", "04-05T15:00", "10-04T15:30", "04-05T14:00", "09-27T14:00",
        "01-01T00:00", "02-28T23:59", "06-30T22:00", "12-31T23:00",
    )
)  # fmt: skip
"""Moments at which clocks are put forward or back in those zones, or a month ends."""
PARTNERS = tuple(f"ptn_{number:032x}" for number in (3, 1, 2))


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Moments of 2025, many close to where the clocks change."""
    if draw(st.booleans()):
        minutes = draw(st.integers(-26 * 60, 26 * 60))
        return draw(st.sampled_from(STEPS)) + timedelta(minutes=minutes)
    anywhere = st.datetimes(datetime(2024, 12, 20), datetime(2026, 1, 10))  # noqa: DTZ001 - given below
    return draw(anywhere).replace(tzinfo=UTC)


def amounts(currency: str) -> st.SearchStrategy[Decimal]:
    """Amounts with the decimals of EUR, JPY or KWD."""
    places = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    return st.integers(0, 10**9).map(lambda units: Decimal(units).scaleb(-places))


@st.composite
def sales_of_an_order(draw: st.DrawFn, number: int) -> list[SalesEntry]:
    """What happened to an order: lines placed at once, and parts of them taken back later."""
    code, at = draw(st.sampled_from(["EUR", "JPY", "KWD"])), draw(moments())
    entries: list[SalesEntry] = []
    for line in range(draw(st.integers(1, 3))):
        amount, discount = draw(amounts(code)), draw(amounts(code))
        placed = SalesEntry(
            f"ent_{number:016x}{line:08x}{0:08x}", "placed", at, f"ord_{number:032x}",
            f"item_{number:016x}{line:016x}", draw(st.sampled_from(PARTNERS)),
            f"prod_{draw(st.integers(0, 3)):032x}", "sku", code, draw(st.integers(1, 5)),
            amount + discount, discount, amount,
            platform_discount=draw(st.sampled_from([Decimal(0), discount])),
        )  # fmt: skip
        entries += [placed, *draw(_taken_back(placed))]
    return entries


@st.composite
def _taken_back(draw: st.DrawFn, placed: SalesEntry) -> list[SalesEntry]:
    """Reversals of a line, of no more units than there are."""
    left, found = placed.quantity, list[SalesEntry]()
    for number in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        kind = draw(st.sampled_from(["cancelled", "cancelled", "refunded", "goodwill"]))
        units = 0 if kind == "goodwill" else draw(st.sampled_from([left, min(1, left)]))
        if not units and kind != "goodwill":
            continue
        left -= units
        later = timedelta(minutes=draw(st.sampled_from([0, 1, 60, 1440, 50_000])))
        amount = draw(amounts(placed.currency))
        found.append(
            evolve(
                placed,
                entry_id=f"{placed.entry_id[:-8]}{number + 1:08x}",
                kind=kind,
                at=placed.at + later,
                quantity=units,
                gross=amount,
                discount=Decimal(0),
                platform_discount=Decimal(0),
                amount=amount,
                partner_amount=amount,
                reason=draw(st.sampled_from([None, "late", "damaged"])),
            )
        )
    return found


@st.composite
def sales_histories(draw: st.DrawFn, first: int = 0) -> Sequence[SalesEntry]:
    """Entries of several orders, partners and currencies, in no order."""
    count = draw(st.integers(0, 5))
    orders = range(first, first + count)
    entries = [entry for number in orders for entry in draw(sales_of_an_order(number))]
    return draw(st.permutations(entries))


@st.composite
def sales_questions(draw: st.DrawFn) -> SalesQuestion:
    """Questions over ranges long and short, by every grain, in every zone."""
    since = draw(moments())
    return SalesQuestion(
        since,
        since + timedelta(minutes=draw(st.sampled_from([0, 1, 59, 60, 1500, 45_000, 590_000]))),
        draw(st.sampled_from([None, None, None, PARTNERS[0]])),
        draw(st.sampled_from([None, None, None, "JPY"])),
        draw(st.sampled_from([None, "hour", "day", "week", "month"])),
        draw(st.sampled_from(ZONES)),
        draw(st.sampled_from(["event", "event", "order"])),
        draw(st.booleans()),
    )
