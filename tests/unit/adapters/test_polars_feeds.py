"""The vectorised engine finds in every file what the reference finds, in the same order."""

import csv
import gzip
import io
import json
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import reduce
from itertools import product
from random import Random
from typing import Any, cast
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from attrs import evolve, frozen
from hypothesis import assume, example, given
from hypothesis import strategies as st

from adapters.polars_feeds import PolarsEngine, chunks, prepared, reject_buffer
from adapters.polars_feeds.debris import is_plain, odd_texts
from adapters.polars_feeds.tables import Table
from commerce_core.ingestion.progress import listed_with
from commerce_core.parsing import raw_records
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, IndexedFingerprints
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.parsing.returned_exports import EXPORT_COLUMNS
from commerce_core.ports.engine import Batch, FeedEngine
from commerce_core.profiles.profile import (
    Column,
    DecimalMark,
    Delimiter,
    Group,
    Parents,
    Preset,
    Profile,
    Skip,
    Totals,
)
from commerce_core.schema.fields import BY_NAME, Mode, bits_of
from commerce_core.schema.listed_problems import MOST_ALIKE
from commerce_core.schema.problems import Noted, Problem
from tests.support.engines import assert_alike, csv_text, read, report, spelled_record
from tests.support.strategies import (
    CELLS,
    DEBRIS,
    MODES,
    FeedFile,
    SentFile,
    feed_files,
    sent_files,
)
from tests.unit.core.profiles.test_presets import ETSY, SHOPWARE_VARIANTS, WIDE
from tests.unit.core.profiles.test_sellers_presets import (
    EBAY,
    EBAY_ACTIONS,
    ECWID,
    WIX,
    WIX_BEFORE,
)

ROME = ZoneInfo("Europe/Rome")
CHUNKS = (1, 2, 3, 50, 200, 1 << 24)
TERMS = Terms("full", "EUR", ROME)


@given(feed_files(), st.sampled_from(CHUNKS))
def test_nasty_files_read_alike(file: FeedFile, chunk: int):
    assert_alike(file.body, Terms(file.mode, file.currency, ROME), chunk)


@given(sent_files(), st.sampled_from(CHUNKS))
def test_any_dialect_and_encoding_reads_alike(file: SentFile, chunk: int):
    encoding = file.encoding if file.encoding == "cp1252" else None
    profile = Profile(encoding=encoding, delimiter=cast("Delimiter | None", file.delimiter))
    assert_alike(file.body, Terms(file.mode, file.currency, ROME, profile), chunk)


PIECES = (
    '"', '"', ",", ",", "\n", "\n", "a", "b", '""', "\r\n", "\r", " ", "x" * 9, "\0", "ä", "\ufeff",
    '","', 'A,"b', '"\n', ',"', '",', ', "', '" ,', ' "', '" \n', "\t", "sku,product_name\n",
    "Fatal error: ", "<b>Warning</b>: ",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.sampled_from(CHUNKS))
@example('A,"b\nC"d,e\n', 1)
@example('A,"b\r\nC",e\nB,c\r\n', 1 << 24)
@example('a"b,"c\nd,e\n', 1 << 24)
@example("x\x01,b\nB,c\n", 1 << 24)
@example('A, "b\nC" ,d\nB, "x, y"\n', 1)
@example('A,"he, ""said"" , so\nand"" , x"\nB, "\n"\n', 1 << 24)
@example('A, ""\nB, """x\n" \n', 1 << 24)
@example("A,b\n\ufeffsku, product_name ,\nB", 1 << 24)
@example("A,b\n<br />\n<b>Fatal error</b>: x,y,z\n", 1 << 24)
@example("A,b\nPHP Warning: x,y\nB,c\n", 1 << 24)
@example('A,b\n"PHP Warning: x"\n<html>\nTraceback (most recent call last):\nB\n', 1)
def test_any_quoting_reads_alike(text: str, chunk: int):
    assert_alike(f"sku,product_name\n{text}".encode(), TERMS, chunk)


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_however_few_lines_are_read_at_a_time_it_reads_alike(
    most: int, end: str, monkeypatch: pytest.MonkeyPatch
):
    """Of tiny records too few, and a quoted cell of many lines is read on to its end."""
    monkeypatch.setattr(chunks, "MOST_LINES", most)
    rows = ["sku,product_name", "A,1", 'B,"2', "", '3"', "C,4", "", 'D,"5', '"', "E,6"]
    for last in ("", end):
        assert_alike((end.join(rows) + last).encode(), TERMS)


@pytest.mark.slow
def test_where_a_chunk_ends_doesnt_matter():
    text = (
        'sku,product_name,price\nA,One,1.50\nB,"Two, ""2""\nlines",2\n"C",Three\n\nD,"x"y,3\n'
        'E,"five\r\nends",,\nF,Sechs ü,x\n"G\n",G,7'
    )
    wanted = read(ReferenceEngine(), text.encode(), TERMS)
    for size in range(1, len(text) + 1):
        assert read(PolarsEngine(size), text.encode(), TERMS) == wanted


NUMBERS = (
    "1299", "1299.00", "1.299,00", "1,299.00", "1 299,5", "1'299.00", "12,5", "12.5", "1.250",
    "12,34,567.00", "1.25 EUR", "EUR 5", "€ 3,50", "$5", "5 usd", "490,-", "7 XYZ", "1.234.567",
    "0", "00", "-1", "1e2", "999999999999.9999", "9999999999999", "0.00001", "", "5 KWD", "7 JPY",
    "2.345 KWD", "5.5 JPY", "9.90EUR", "12zł", "1.250EUR", "1250p", "99.5 pence", "5¢", "1250 GBX",
    "1.000", "1000.000", "0.500", "1.250 KWD", "N/A", "none", "NULL", "-", "#N/A", "#DIV/0!",
    "EUR", "Rs.500", "0,0000", "12.3456", "100",
)  # fmt: skip
WEIGHTS = ("1", "1.5", "2 kg", "2kgs", "0.0005", "1,5", "7 lb", "0", "00.10", "", "x", "1000000000")
DATES = (
    "2030-01-01T00:00:00,5+01",
    "20300101T240000Z",
    "2030-001",
    "-",
    "#N/A",
    "31.12.2026",
    "31.12.2026 23:59",
    "2026-01-01",
    "2026-13-01",
    "",
    "01.01.0001",
)
LISTS = (
    "https://a.example/1", "https://a.example/1|https://a.example/2", "https://a.example/1, http://b",
    "https://a.example/1,x", "", "https://a.example/a,b.png", "http://a http://b", "A/B/C",
    "A / /B",
    "https://a.example/f,q/1.jpg", "https://a.example/f,q/1.jpg,https://a.example/f,q/2 2.jpg",
    "http://a/1;http://a/2", "http://a/1 | http://a/2;", "http://a/[x]{y}|z", "http://a b/1",
    "http://a/1 x", 'http://a/"\\^`<>', "http://a|b", "http://a/\xa0é", "http://a;http://b",
    '["A", "B > C"]', '["A", 1]', "[A]", '{"Colour": "Red"}',
    ",".join(f"http://a/{n}" for n in range(21)), ",".join(f"http://a/{n}" for n in range(20)),
)  # fmt: skip
WORDS = ("ja", "Nein", "auf Lager", "weg", "in stock", "", "yes", "1")
OWN_SKIP = (Skip("Z", ("no", "draft"), "no offers"),)
WITHDRAWING = (Skip("Z", ("no", "draft"), "not published", withdraws=True), Skip("N", ("*",), "n"))
OF_FIELD = {
    "price": NUMBERS, "sale_price": NUMBERS, "quantity": (*NUMBERS, "3", "-4", "10.0"),
    "weight": WEIGHTS, "sale_starts_at": DATES, "sale_ends_at": DATES,
    "additional_image_urls": LISTS, "image_url": LISTS, "category": LISTS, "availability": WORDS,
}  # fmt: skip


@st.composite
def columns(draw: st.DrawFn, name: str) -> Column:
    """How a profile may read a field."""
    choose: Callable[..., Any] = lambda *options: draw(st.sampled_from(options))  # noqa: E731
    headers = choose((f"X {name}",), (f"X {name}", f"Y {name}"))
    column: dict[str, Any] = {"join": choose(None, None, " ")} if len(headers) > 1 else {}
    if name in ("price", "sale_price"):
        column |= {
            "decimal": choose(None, ",", "."),
            "unit": choose(None, None, "minor"),
            "currency": choose(None, None, "KWD", "JPY", "GBP"),
        }
    elif name == "weight":
        column |= {"unit": choose(None, "g", "kg", "lb"), "decimal": choose(None, ",")}
    elif name in ("sale_starts_at", "sale_ends_at"):
        column |= {"dates": choose(None, "DD.MM.YYYY", "DD.MM.YYYY hh:mm")}
    elif name in ("additional_image_urls", "image_url", "category"):
        column |= {
            "separator": choose(None, ",", "|", "/"),
            "part": choose(None, None, "first", "rest", "first_path"),
        }
    elif name == "availability":
        column |= {"values": {"auf Lager": "in stock", "weg": "out of stock"}}
    column |= {
        "pattern": choose(None, None, None, r"([^ ]*).*", r"(.*)[0-9]", r"\b(\d*?)(?:\B.*|)"),
        "otherwise": choose("problem", "blank"),
        "needs": choose((), (), ("Z",)),
        "unless_positive": choose((), (), (), ("Stock",)),
        "compare_at": name == "sale_price" and choose(True, False),
    }
    return Column(from_=headers, **column)


CURRENCIES = st.sampled_from(["GBP", "GBp", "GBX", "", "EUR", "KWD", "XYZ"])
SHOPIFY = Profile(preset="shopify")
UTF_7 = Profile(encoding="utf-7")
FOUND = st.sampled_from(
    [
        Problem.of("duplicate_sku", line=0, column="SKU", field="sku", value="A"),
        Problem.of("unknown_sku", line=0, column="=SKU", field="sku", value='=A,"'),
        Problem.of("too_many_decimals", line=0, column=None, field="price", value=None),
        Problem.of("price_leap", line=0, column="PRICE", field="price", value="5"),
    ]
)
"""What a comparison may find."""


@frozen
class ProfiledFile:
    """A file and the profile that it is read by."""

    body: bytes
    terms: Terms


@st.composite
def profiled_files(draw: st.DrawFn) -> ProfiledFile:
    """Files under a profile that uses all that one can say."""
    mapped = draw(st.lists(st.sampled_from(sorted(OF_FIELD)), unique=True, max_size=5))
    by_name = {name: draw(columns(name)) for name in mapped}
    if draw(st.booleans()):
        by_name["options"] = Column(pairs=(("=Size", "Size"), ("N", "V")))
    identity = draw(st.sampled_from([(), (), ("{Handle}/{Size}", "{Handle}-{V}x")]))
    profile = Profile(
        columns=by_name,
        quotes=draw(st.sampled_from(["double", "double", "double", "none"])),
        header_line=draw(st.sampled_from([1, 1, 1, 2, 4])),
        decimal=draw(st.sampled_from([None, ",", "."])),
        currency=draw(st.sampled_from([None, "USD", "JPY"])),
        constants=draw(st.sampled_from([{}, {"condition": "new"}, {"availability": "perhaps"}])),
        identity=identity,
        attributes=draw(st.sampled_from([(), ("Size", "Z")])),
        skip=draw(st.sampled_from([(), OWN_SKIP, WITHDRAWING])),
        escapes=draw(st.sampled_from([None, None, "woocommerce"])),
        names=draw(st.sampled_from([{}, {"Place": ("Size",), "Z": ("V",), "sku": ("x",)}])),
        **draw(joining()),
    )
    own = [header for column in by_name.values() for header in column.from_]
    names = ["sku", "product_name", "currency", *own, "Z", "Size", "N", "V", "Handle", "Stock"]
    names = draw(st.permutations(names))[: draw(st.integers(8, len(names)))]
    grouped = ["Handle", "Size", "Picture"] if profile.group else []
    grouped += ["Handle", "Z"] if profile.parents else []
    names = list(dict.fromkeys([*names, "sku", "product_name", *grouped]))
    whole = st.tuples(*map(profiled_cells, names))
    cut = st.tuples(whole, st.integers(0, len(names) + 2)).map(lambda r: (*r[0], "", "x")[: r[1]])
    odd = st.sampled_from([('a"b', "c"), ("\0",) * len(names), ("", "")])
    records = draw(st.lists(whole | whole | whole | cut | odd, min_size=1, max_size=8))
    text = io.StringIO('Shop "x\n\nas of today;\n' if profile.header_line > 1 else "")
    text.seek(0, io.SEEK_END)
    writer = csv.writer(text, lineterminator="\n")
    again = draw(st.sampled_from([(), (), (names,)]))
    writer.writerows([names, *(record for record in records if record), *again])
    if draw(st.integers(0, 4)) == 0:
        text.write('"a"b,c\n')
    mode: Mode = draw(st.sampled_from(MODES))
    currency = draw(st.sampled_from(["EUR", None, "KWD"]))
    return ProfiledFile(text.getvalue().encode(), Terms(mode, currency, ROME, profile))


def joining() -> st.SearchStrategy[dict[str, Any]]:
    """What makes one record of several, or lets one take cells from another."""
    parents = st.builds(
        Parents,
        st.just("Handle"),
        st.sampled_from([("{sku}",), ("{sku}", "h{Size}")]),
        st.sampled_from([(), ("product_name", "X price"), ("Size", "sku")]),
        st.sampled_from([(), ("draft",), ("Size",)]),
        st.sampled_from([(), ("Z",)]),
    )
    totals = st.builds(Totals, st.just("Stock"), st.just("Place"), st.sampled_from([(), ("no",)]))
    return st.one_of(
        st.just({}),
        groups().map(lambda group: {"group": group}),
        parents.map(lambda found: {"parents": found}),
        totals.map(lambda found: {"totals": found}),
    )


def groups() -> st.SearchStrategy[Group]:
    """How records may belong together."""
    columns = st.sampled_from([(), ("Size",), ("product_name", "Z", "X price"), ("Size", "sku")])
    append = st.sampled_from(["Picture", "Picture", None])
    return st.builds(Group, st.just("Handle"), columns, columns, append)


def profiled_cells(header: str) -> st.SearchStrategy[str]:
    """Cells of a column of such a file."""
    name = header[2:]
    pictures = ("", "", "http://a/1", "http://a/2.png ", "none", "http://a/3,http://a/4")
    usual = {"Z": ("yes", "", "no", "draft, x", "Wert"), "Handle": ("h", "", "h 2", " ")}
    usual["Handle"] += ("A", "B", "h42") if header == "Handle" else ()
    usual |= {"Picture": pictures, "Stock": ("", "0", "3", "-2", "2.0", "no", "many")}
    known = (
        OF_FIELD.get(name)
        or CELLS.get(header)
        or usual.get(header)
        or ("Size", "", "42", " x", "'=1", "a\\, b", "'-3")
    )
    return st.sampled_from(("A", "B", "C", "")) if header == "sku" else st.sampled_from(known)


@given(profiled_files(), st.sampled_from(CHUNKS))
def test_profiles_mean_the_same(file: ProfiledFile, chunk: int):
    assert_alike(file.body, file.terms, chunk)


@given(profiled_files(), st.sampled_from(CHUNKS), st.dictionaries(st.integers(2, 10), FOUND))
def test_reports_under_any_profile_are_the_same(
    file: ProfiledFile, chunk: int, found: dict[int, Problem]
):
    """With the records that rejected ones take something from, and those folded into them."""
    found = {line: evolve(problem, line=line) for line, problem in found.items()}
    made = report(PolarsEngine(chunk), file.body, file.terms, found)
    assert made == report(ReferenceEngine(), file.body, file.terms, found)


@given(sent_files(), st.sampled_from(MODES))
def test_a_report_of_ours_reads_alike(file: SentFile, mode: Mode):
    """Mended or not; its own report too."""
    profile = Profile(encoding="cp1252", delimiter=cast("Delimiter | None", file.delimiter))
    terms = Terms(mode, file.currency, ROME, profile)
    made = report(ReferenceEngine(), file.body, terms, {})
    assume(isinstance(made, tuple))
    assert isinstance(made, tuple)
    assert_alike(made[1], terms)
    again = report(PolarsEngine(), made[1], terms, {})
    assert again == report(ReferenceEngine(), made[1], terms, {})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("preset", "text"),
    [
        ("shopware", SHOPWARE_VARIANTS),
        ("shopify", WIDE),
        ("etsy", ETSY),
        ("wix", WIX),
        ("wix", WIX_BEFORE),
        ("ecwid", ECWID),
        ("ebay", EBAY),
        ("ebay", EBAY_ACTIONS),
    ],
)
def test_what_only_several_cells_or_records_tell_is_read_alike(
    preset: Preset, text: str, mode: Mode
):
    terms = Terms(mode, "EUR", ROME, Profile(preset=preset))
    assert_alike(text.encode(), terms)
    reports = [report(e, text.encode(), terms, {}) for e in (PolarsEngine(), ReferenceEngine())]
    assert reports[0] == reports[1]


def test_pictures_of_folded_records_join_those_of_their_product_alike():
    """Whatever is in its own cell, and whatever the others have."""
    own = ("", "http://a/0", "bad", ",".join(f"http://a/{n}" for n in range(20)), "http://a/0 x")
    others = ((), ("http://a/1",), ("bad",), ("http://a/1", "http://a/2 ", ""), ("http://a/1,x",))
    rows = [["Handle", "sku", "product_name", "price", "More", "Picture"]]
    for (n, cell), (m, pictures) in product(enumerate(own), enumerate(others)):
        rows.append([f"h{n}{m}", f"S-{n}{m}", "Lamp", "5", cell, "http://a/main"])
        rows += [[f"h{n}{m}", "", "", "", "", picture] for picture in pictures]
        rows += [
            [f"h{n}{m}", f"T-{n}{m}", "", "x", cell, ""],
            [f"h{n}{m}", "", "", "", "", "http://b"],
        ]
    body, group = csv_text(*rows).encode(), Group("Handle", ("product_name",), ("sku",), "Picture")
    for columns in ({}, {"additional_image_urls": Column(("More",))}):
        for mode in MODES:
            terms = Terms(mode, "EUR", ROME, Profile(columns=columns, group=group))
            assert_alike(body, terms)
            reports = [report(e, body, terms, {}) for e in (PolarsEngine(), ReferenceEngine())]
            assert reports[0] == reports[1]


def test_what_an_export_says_together_is_doubted_by_neither():
    ours = ",".join(EXPORT_COLUMNS)
    body = f"{ours},sku,product_name,price,sale_price\n{'x,' * 6}A,Lamp,5,6\n".encode()
    assert_alike(body, TERMS)
    (batch,) = PolarsEngine().open(io.BytesIO(body), TERMS).batches()
    assert [record.values["sale_price"] for record in batch] == [Decimal(6)]


@given(feed_files())
def test_an_export_reads_alike(file: FeedFile):
    """What its cells say together is doubted by neither."""
    assume(b'"a"b' not in file.body)
    header, *records = csv.reader(io.StringIO(file.body.decode("utf-8-sig"), newline=""))
    rows = ([*EXPORT_COLUMNS, *header], *(["x"] * len(EXPORT_COLUMNS) + row for row in records))
    assert_alike(csv_text(*rows).encode(), Terms(file.mode, file.currency, ROME))


@pytest.mark.parametrize("name", sorted(set(CELLS) | set(OF_FIELD)))
@pytest.mark.parametrize("decimal", [None, ".", ","])
def test_each_kind_reads_every_cell_alike(name: str, decimal: DecimalMark | None):
    cells = [*CELLS.get(name, ()), *OF_FIELD.get(name, ()), *NUMBERS, *WEIGHTS, *DATES, *LISTS]
    cells += DEBRIS
    cells += [f" {cell}\u2003" for cell in cells] + ["a > b", "a >b", " > a", ">", "A>", "x" * 2049]
    cells += ["http://" + "x" * 2041, "http://" + "x" * 2042, "HtTpS://a/?#", "http://a\u200bb"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["sku", "product_name", name] if name != "product_name" else ["sku", name])
    for number, cell in enumerate(cells):
        writer.writerow([f"S{number}", *(["N"] if name != "product_name" else []), cell])
    for mode in MODES:
        terms = Terms(mode, "EUR", ROME, Profile(decimal=decimal))
        assert_alike(text.getvalue().encode(), terms)


@given(
    st.lists(st.tuples(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), CURRENCIES), max_size=9),
    st.sampled_from(["price", "Price (GBP)", "Price (pence)", "Price (cents)", "Price (GBp)"]),
    st.sampled_from([None, ",", "."]),
    st.sampled_from(["GBP", "KWD", None]),
)
@example([("5", "1299", "GBp"), ("1299", "1.250", "")], "price", None, None)
def test_amounts_in_minor_units_and_with_three_decimals_read_alike(
    amounts: list[tuple[str, str, str]], header: str, decimal: DecimalMark | None, own: str | None
):
    rows = ([f"S{n}", *cells] for n, cells in enumerate(amounts))
    body = csv_text(["sku", header, "sale_price", "currency"], *rows).encode()
    for mode in MODES:
        assert_alike(body, Terms(mode, own, ROME, Profile(decimal=decimal)))


AMOUNT_CELLS = st.sampled_from(["", "5", "4", "x", "4 EUR", "USD 5", "x EUR", "USD 4"])


@given(
    st.lists(st.tuples(AMOUNT_CELLS, AMOUNT_CELLS, st.sampled_from(["", "EUR", "x"])), max_size=9),
    st.sampled_from(["price", "Price (EUR)", "Price (cents)"]),
    st.sampled_from(["sale_price", "Sale price (EUR)", "Sale price [USD]"]),
    st.sampled_from([None, "EUR"]),
)
@example(
    [("5", "USD 4", ""), ("x", "USD 4", ""), ("5", "USD 4", "EUR")], "price", "sale_price", "EUR"
)
@example([("5", "4", ""), ("5 USD", "4", ""), ("", "4", "EUR")], "Price (EUR)",
         "Sale price [USD]", "EUR")  # fmt: skip
def test_amounts_under_headers_with_currencies_read_alike(
    amounts: list[tuple[str, str, str]], price: str, sale: str, own: str | None
):
    rows = ([f"S{n}", *cells] for n, cells in enumerate(amounts))
    body = csv_text(["sku", price, sale, "currency"], *rows).encode()
    for mode in MODES:
        assert_alike(body, Terms(mode, own, ROME))


def test_debris_in_an_export_is_read_alike():
    rows = (["x"] * len(EXPORT_COLUMNS) + [cell, cell, cell, cell] for cell in DEBRIS)
    header = [*EXPORT_COLUMNS, "sku", "product_name", "gtin", "price"]
    assert_alike(csv_text(header, *rows).encode(), TERMS)


def test_keys_that_come_late_are_reported_alike():
    rows = ['{"sku": "A", "price": 5}'] * 1_000
    rows += [
        '{"sku": "Z", "price": "x", "sale_price": 4}',
        '{"sku": "Y", "colour": 1, "list_price": 2}',
    ]
    assert_alike("\n".join(rows).encode(), evolve(TERMS, mode="delta"))


@pytest.mark.parametrize("column", [Column(("sku",)), Column(("sku",), pattern="([^ ]*).*")])
def test_skus_with_debris_read_alike(column: Column):
    rows = [(cell, "N") for cell in (*DEBRIS, "'007", "'#N/A", '\'="1"', "a 1E+05", "E5", "Err:5")]
    body = csv_text(("sku", "product_name"), *rows).encode()
    assert_alike(body, evolve(TERMS, profile=Profile(columns={"sku": column})))


def test_whatever_composing_changes_is_left_to_the_reference():
    """All that has another form in NFC, alone or behind another character."""
    changed = [c for c in map(chr, range(0x110000)) if unicodedata.normalize("NFC", c) != c]
    marks = [c for c in map(chr, range(0x110000)) if unicodedata.combining(c)]
    joining = [chr(c) for c in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3), 0x9BE, 0x1133E)]
    texts = pl.Series([c for c in (*changed, *marks, *joining) if not "\ud800" <= c <= "\udfff"])
    odd = odd_texts(texts)
    assert odd is not None
    assert texts.filter(~odd).to_list() == []
    assert not any(map(is_plain, (text.encode() for text in texts)))
    usual = ["Ünïcode 📦", "漢字", "한글", "Ёлка", "10 m² \xa0"]
    assert odd_texts(pl.Series(usual)) is None
    assert is_plain("Ünïcode Ёлка m² \xa0 í".encode())


@given(feed_files() | sent_files(), st.sampled_from(CHUNKS))
def test_columns_say_what_the_records_say(file: FeedFile | SentFile, chunk: int):
    terms = Terms(file.mode, file.currency, ROME, Profile(encoding="cp1252"))
    assume(not isinstance(file, SentFile) or file.delimiter is None)
    for batch in PolarsEngine(chunk).open(io.BytesIO(file.body), terms).batches():
        records, columns = list(batch), pl.DataFrame(batch)
        assert columns["line"].to_list() == [record.line for record in records]
        assert columns["sku"].to_list() == [record.sku for record in records]
        assert columns["rejected"].to_list() == [record.rejected for record in records]
        assert columns["deletes"].to_list() == [record.deletes for record in records]
        prints = [record.fingerprint or (None, None) for record in records]
        assert columns.select("upper", "lower").rows() == prints
        for name in columns.columns[7:]:
            printed = [in_column(record.values.get(name)) for record in records]
            assert columns[name].to_list() == printed
        for bits, record in zip(columns["lacking"], records, strict=True):
            alone = bits_of(set(columns.columns[7:]) - record.values.keys() - {"currency"})
            whole = not (record.rejected or record.deletes)
            assert not whole or (bits or 0) & ~bits_of(["currency", "deleted"]) == alone
        said = {name for record in records for name in record.values}
        assert said <= {*columns.columns, "deleted"}
        assert "currency" in columns.columns


def in_column(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def test_columns_have_the_types_that_are_promised():
    header = ",".join(BY_NAME)
    body = f"{header}\nA,One{',' * (len(BY_NAME) - 2)}\n".encode()
    (batch,) = PolarsEngine().open(io.BytesIO(body), TERMS).batches()
    schema = pl.DataFrame(batch).schema
    assert schema["line"] == schema["upper"] == schema["lower"] == pl.Int64
    assert schema["rejected"] == schema["deletes"] == pl.Boolean
    assert schema.pop("quantity") == pl.Int64
    assert schema.pop("additional_image_urls") == pl.List(pl.String)
    assert {schema[name] for name in BY_NAME if name in schema} == {pl.String()}
    assert "deleted" not in schema


@given(sent_files(), st.sampled_from(CHUNKS), st.dictionaries(st.integers(2, 14), FOUND))
def test_reports_are_the_same(file: SentFile, chunk: int, found: dict[int, Problem]):
    """Byte for byte, whatever the comparison finds in which record."""
    assert_reports_alike(file, chunk, found)


@given(sent_files(), st.sampled_from(CHUNKS), st.dictionaries(st.integers(2, 14), FOUND))
def test_reports_are_the_same_where_there_is_no_place_for_rejected_records(
    file: SentFile, chunk: int, found: dict[int, Problem]
):
    """What can't be kept is read again."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reject_buffer, "_IN_MEMORY", 1_500)
        patched.setattr("tempfile.TemporaryFile", no_place)
        assert_reports_alike(file, chunk, found)


def no_place(*_: object, **__: object) -> object:
    raise FileNotFoundError("no usable temporary directory")


def assert_reports_alike(file: SentFile, chunk: int, found: dict[int, Problem]) -> None:
    encoding = file.encoding if file.encoding == "cp1252" else None
    profile = Profile(encoding=encoding, delimiter=cast("Delimiter | None", file.delimiter))
    terms = Terms(file.mode, file.currency, ROME, profile)
    found = {line: evolve(problem, line=line) for line, problem in found.items()}
    fast, slow = PolarsEngine(chunk), ReferenceEngine()
    assert report(fast, file.body, terms, found) == report(slow, file.body, terms, found)


@pytest.mark.slow
@pytest.mark.parametrize("place", [True, False])
def test_a_long_report_is_the_same_whether_there_is_a_place_for_it_or_not(
    place: bool, monkeypatch: pytest.MonkeyPatch
):
    """Thousands of rejected records, some for several reasons, some ragged, broken or formulas."""
    monkeypatch.setattr(reject_buffer, "_IN_MEMORY", 10_000)
    if not place:
        monkeypatch.setattr("tempfile.TemporaryFile", no_place)
    ends = ("x", "5", "5,1", '"=1+1"', '"5,0"', "-4", '"a"b', "", "5", "@x")
    rows = (f"{n},Lamp {n % 7},{ends[n % 10]},{ends[n % 9]}\n" for n in range(20_000))
    body = f"sku,product_name,price,quantity\n{''.join(rows)}".encode()
    found = {line: Problem.of("unknown_sku", line=line) for line in range(2, 20_000, 7)}
    made = report(PolarsEngine(50_000), body, TERMS, found)
    assert made == report(ReferenceEngine(), body, TERMS, found)
    assert isinstance(made, tuple)
    assert made[0] > 10_000


class InColumns:
    """Known fingerprints as a store gives them that moves columns."""

    def __init__(self, known: list[tuple[int, int] | None]) -> None:
        pairs = [pair or (None, None) for pair in known]
        self._frame = pl.DataFrame(pairs, {"upper": pl.Int64, "lower": pl.Int64}, orient="row")

    def __len__(self) -> int:
        return len(self._frame)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


def noted(batches: Iterable[Batch]) -> Counter[tuple[str, str]]:
    """The problems of batches, counted by code and severity."""
    counted: Counter[tuple[str, str]] = Counter()
    for (code, _, severity), times in sum((b.noted for b in batches), Counter[Noted]()).items():
        counted[code, severity] += times
    return counted


def first(batches: Iterable[Batch], limit: int) -> list[Problem]:
    """The problems of a file that are listed."""
    return reduce(lambda kept, batch: listed_with(kept, batch, limit), batches, list[Problem]())


ENGINES: tuple[FeedEngine, ...] = (ReferenceEngine(), *map(PolarsEngine, CHUNKS))


@given(feed_files(), st.sampled_from(ENGINES), st.randoms(), st.booleans())
def test_what_is_recognised_is_what_would_have_been_read(
    file: FeedFile, engine: FeedEngine, random: Random, in_columns: bool
):
    """Its warnings too, which are counted all the same, and the first of them listed."""
    terms = Terms(file.mode, file.currency, ROME)
    all_read = list(engine.open(io.BytesIO(file.body), terms).batches())
    records = [record for batch in all_read for record in batch]
    assert all((record.fingerprint is None) == record.rejected for record in records
               if record.fate is None)  # fmt: skip
    prints = [r.fingerprint for r in records if r.fingerprint and random.random() < 0.7]
    listed = [*dict.fromkeys(prints), None]
    in_columns = in_columns and isinstance(engine, PolarsEngine)
    known: Any = InColumns(listed) if in_columns else IndexedFingerprints.of(listed)
    batches = list(engine.open(io.BytesIO(file.body), terms).batches(known))
    left = [spelled_record(record) for batch in batches for record in batch]
    unmatched = [r for r in records if r.fingerprint not in listed or not r.fingerprint]
    assert left == [spelled_record(record) for record in unmatched]
    matched = Counter(listed[number] for batch in batches for number in batch.matched)
    assert matched == Counter(r.fingerprint for r in records if r.fingerprint in prints)
    assert noted(batches) == noted(all_read)
    for limit in (1, 2, 1_000):
        assert first(batches, limit) == first(all_read, limit)


@pytest.fixture
def soon_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of more than forty bytes are read by themselves."""
    monkeypatch.setattr("adapters.polars_feeds.unchanged.LONG", 40)
    monkeypatch.setattr("adapters.polars_feeds.splits.LONG", 40)


LONG_NAMES = (
    "x" * 36, "x" * 38, "x" * 39, "ä" * 19, "x" * 90, '"x, ' + "y" * 40 + '"',
    '"x\n' + "y" * 40 + '"', '"x' + "y" * 60, "x" * 60 + ",,,", "x" * 60 + ',"',
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG_NAMES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_long_records_read_alike_among_short_ones(soon_long: None, name: str, end: str):
    rows = ["sku,product_name", "A,One", f"B,{name}", f"C,{name}", "D,Four", f"E,{name}", ""]
    for chunk in CHUNKS:
        assert_alike(end.join(rows).encode(), TERMS, chunk)
        assert_alike(end.join(rows).strip().encode(), TERMS, chunk)


@pytest.mark.parametrize(("length", "recognised"), [(37, 3), (38, 2)])
def test_long_records_are_never_recognised_and_short_ones_beside_them_are(
    soon_long: None, length: int, recognised: int
):
    """Bytes count, and not letters; sku and delimiter are two more than the name."""
    names = ["One", "ä" * (length // 2) + "x" * (length % 2 + 1), "Three"]
    body = "\n".join(["sku,product_name", *(f"A,{name}" for name in names), ""]).encode()
    (batch,) = PolarsEngine().open(io.BytesIO(body), TERMS).batches()
    prints = [record.fingerprint for record in batch]
    assert len([one for one in prints if one is not None]) == recognised
    for known in (IndexedFingerprints.of(prints), cast("Any", InColumns(prints))):
        batches = list(PolarsEngine().open(io.BytesIO(body), TERMS).batches(known))
        assert sum(len(batch.matched) for batch in batches) == recognised
        assert [record.line for batch in batches for record in batch] == [3] * (3 - recognised)


def test_known_lines_of_json_are_recognised():
    """All but those that have changed, and those with an error or nothing in them."""
    lines = [f'{{"sku": "A{n}", "product_name": "Lamp", "price": {n % 3}.50}}' for n in range(9)]
    lines[1] = lines[1].replace("}", ', "quantity": -1}')
    lines[3:4] = ["{}", "", '{"sku": "B", "price": "x"}']
    body = "\n".join(lines).encode()
    records = [r for batch in PolarsEngine().open(io.BytesIO(body), TERMS).batches() for r in batch]
    prints = [record.fingerprint for record in records]
    assert [record.line for record in records if record.fingerprint is None] == [6]
    known = IndexedFingerprints.of(prints)
    for again, left in ((body, [6]), (body.replace(b"A8", b"A9"), [6, 11])):
        (batch,) = PolarsEngine().open(io.BytesIO(again), TERMS).batches(known)
        assert [record.line for record in batch] == left
        assert (batch.records_read, batch.fates) == (11, {"blank": 2})
        warned = [problem.code for problem in batch.problems(9) if problem.line == 2]
        assert warned == ["negative_quantity"]
        assert noted([batch])["negative_quantity", "warning"] == 1


@pytest.mark.parametrize("as_json", [False, True])
def test_warnings_of_known_records_are_read_again_only_while_they_are_listed(as_json: bool):
    """Beyond the first that are alike in the file, they are only counted."""
    names = ("sku", "product_name", "description", "quantity", "gtin")
    rows = [(f"A{n}", "Lamp", "x" * 40, "-1", "") for n in range(12_000)]
    rows[9_000] = ("A9000", "Lamp", "x" * 40, "1", "4006381333932")
    lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
    body = "\n".join(lines if as_json else map(",".join, (names, *rows))).encode()
    first_line = 1 if as_json else 2
    records = [r for batch in PolarsEngine().open(io.BytesIO(body), TERMS).batches() for r in batch]
    known = IndexedFingerprints.of([record.fingerprint for record in records])
    batches = list(PolarsEngine(1 << 16).open(io.BytesIO(body), TERMS).batches(known))
    assert sum(len(batch.matched) for batch in batches) == len(rows)
    found = [shown for batch in batches if (shown := [p.line for p in batch.listing(1_000)])]
    assert found == [list(range(first_line, first_line + MOST_ALIKE)), [9_000 + first_line]]
    assert noted(batches) == {
        ("negative_quantity", "warning"): 11_999,
        ("gtin_check_digit", "warning"): 1,
    }


@pytest.mark.slow
def test_long_files_that_are_split_one_by_one_read_alike():
    """Far beyond what is looked at for the header, packed or not."""
    names = [f"Lamp {n} {'x' * 200}" for n in range(6_000)]
    lines = [f'{{"sku": "A{n}", "product_name": "{name}"}}' for n, name in enumerate(names)]
    plain = [f"A{n},{name}" for n, name in enumerate(names)]
    for records, profile in (
        (lines, Profile()),
        (["_feed,sku,product_name", *(f"x,{record}" for record in plain)], Profile()),
        (["Handle,Variant SKU,Title", *(f"h{n // 3},{r}" for n, r in enumerate(plain))], SHOPIFY),
        (["sku,product_name", *plain], UTF_7),
    ):
        body, terms = "\n".join(records).encode(), Terms("full", "EUR", ROME, profile)
        assert_alike(body, terms)
        assert_alike(gzip.compress(body), terms)


SPLIT_ONE_BY_ONE = (
    (b'[{"sku": "A", "product_name": "One"}, {"sku": "B"}, {"sku": "C"}]', Profile(),
     "they are objects of a JSON document"),
    (b'{"sku": "A", "product_name": {"en": "One"}}\n' * 3, Profile(), "they aren't like most"),
    (b"_feed,sku,product_name\nx,A,One\nx,B,Two\nx,C,Three\n", Profile(),
     "the file is a report or an export"),
    (b"Available,Location,SKU,Title\n1,X,A,One\n2,X,B,Two\n3,X,C,Three\n", SHOPIFY,
     "some belong together"),
    (b"sku,product_name\nA,One\nB,Two\nC,Three\n", Profile(encoding="utf-7"),
     "utf-7 can write half characters"),
)  # fmt: skip


@pytest.mark.parametrize(("body", "profile", "why"), SPLIT_ONE_BY_ONE)
def test_what_has_to_be_split_one_by_one_is_reported(
    body: bytes, profile: Profile, why: str, monkeypatch: pytest.MonkeyPatch
):
    """If there is much of it."""
    for most, notes in ((3, ()), (2, (f"3 records were split one by one, since {why}.",))):
        monkeypatch.setattr(prepared, "MOST_UNNOTED", most)
        reading = PolarsEngine().open(io.BytesIO(body), Terms("full", "EUR", ROME, profile))
        deque(reading.batches(), 0)
        assert reading.notes == notes


def test_a_fingerprint_is_of_all_that_decides_what_a_record_means():
    body = b"sku,product_name\nA,One\n"
    seen = set()
    for terms in (TERMS, Terms("delta", "EUR", ROME), Terms("full", "USD", ROME)):
        (batch,) = PolarsEngine().open(io.BytesIO(body), terms).batches()
        (record,) = batch
        seen.add(record.fingerprint)
    assert len(seen) == 3


def test_both_halves_of_a_fingerprint_are_of_the_whole_record():
    rows = "".join(f"{n},Name {n % 7}\n" for n in range(2_000))
    (batch,) = (
        PolarsEngine().open(io.BytesIO(f"sku,product_name\n{rows}".encode()), TERMS).batches()
    )
    frame = pl.DataFrame(batch)
    assert frame["upper"].n_unique() == frame["lower"].n_unique() == 2_000


def test_plain_records_are_read_as_columns():
    names = "sku,product_name,description,price,currency,quantity,gtin,image_url,category"
    lines = "".join(
        f'{n},Name {n},"one, ""two""\nthree",{n}.50,EUR,{n},4006381333931,http://a/{n},A > B\n'
        for n in range(1_000)
    )
    reading: Any = PolarsEngine(10_000).open(io.BytesIO(f"{names}\n{lines}".encode()), TERMS)
    assert all(isinstance(part, Table) for batch in reading.batches() for part in batch.parts)


@pytest.mark.slow
def test_another_encoding_is_taken_from_where_utf8_ends():
    lines = [f"{n},Name {n}" for n in range(40)]
    profile = Profile(encoding="cp1252")
    for at in (0, 5, 39):
        some = list(lines)
        some[at] += " \xe4"
        text = "sku,product_name\n" + "\n".join(some)
        for chunk in CHUNKS:
            assert_alike(text.encode("cp1252"), Terms("full", "EUR", ROME, profile), chunk)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("before", ["", "ä", "x\r\ny"])
def test_bytes_that_are_no_text_are_refused_alike(mark: bytes, before: str):
    body = mark + f'sku,product_name\nA,"{before}"\nB,Two\n'.encode() + b"C,\xff\nD,Four\n"
    for chunk in CHUNKS:
        for encoding in (None, "cp1252", "ascii"):
            assert_alike(body, Terms("full", "EUR", ROME, Profile(encoding=encoding)), chunk)


@pytest.mark.parametrize("encoding", ["utf-7", "unicode_escape", "raw_unicode_escape"])
def test_half_a_character_reads_alike(encoding: str):
    body = b"sku,product_name\nA,+2AA-x\nB,\\ud800\nC,\xff\n"
    for chunk in CHUNKS:
        assert_alike(body, Terms("full", "EUR", ROME, Profile(encoding=encoding)), chunk)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records may have fifty characters only."""
    for module in (
        "commerce_core.parsing.raw_records",
        "commerce_core.parsing.delimited",
        "adapters.polars_feeds.chunks",
        "adapters.polars_feeds.splits",
    ):
        monkeypatch.setattr(f"{module}.LONGEST_RECORD", 50)


@pytest.mark.slow
@pytest.mark.parametrize("length", [30, 46, 47, 48, 49, 50, 60, 200])
@pytest.mark.parametrize("shape", ["{}", '"{}"', '"x\n{}"', '"{}', "ä{}", '"\r{}"'])
def test_records_beyond_any_length_are_refused_alike(short: None, length: int, shape: str):
    body = f"sku,product_name\nA,One\nB,{shape.format('x' * length)}\nC,Three\n".encode()
    for chunk in CHUNKS:
        assert_alike(body, TERMS, chunk)


def test_a_longest_record_reads_alike():
    body = b"sku,product_name\nA," + b"x" * raw_records.LONGEST_RECORD + b"\nB,Two\n"
    assert_alike(body, TERMS)
    assert_alike(body.replace(b"xx\n", b"\n"), TERMS)


ODD_FILES = (
    b"", b"\n", b"sku,product_name", b"sku,product_name\n", b"\n\nsku,product_name\n\nA,One",
    b"sep=;\nsku;product_name\nA;One\n", b'sku\n\nA\n\n"B"', b"name,nothing\n1,2\n",
    b"sku,product_name\r\nA,One\r\n\r\nB,Two", b"sku,product_name\nA,One,\nB,Two,,\nC,Three,x\n",
    b"sku\tproduct_name\nA\tOne\n", b'sku|product_name\nA|"On|e"\n', b"sku,product_name\nA,O\x1a",
    b'sku,name,price\nA,One,1\nTotal,,1\n,Summe:,"1.234,00"\nTotal,Total,2,\nTotal,One,1\n,,Sum\nSum',
    b"sku,name,price,sale_price,promo_period,sale_until\nA,One,3,1, ,\nB,Two,3,1,x,y\nC,Six,3,1,,z",
    b"sku,product_name\n\xef\xbb\xbfA,One\n", b'sku,"product\n name"\nA,B',
)  # fmt: skip


@pytest.mark.parametrize("body", ODD_FILES)
def test_odd_files_read_alike(body: bytes):
    for chunk in CHUNKS:
        for mode in MODES:
            assert_alike(body, Terms(mode, None, ROME), chunk)


def test_nothing_is_known_of_nothing():
    reading = PolarsEngine().open(io.BytesIO(b"sku\nA\n"), Terms("delta", None, ROME))
    assert [list(batch.matched) for batch in reading.batches(NO_FINGERPRINTS)] == [[]]


def test_the_first_chunks_are_smaller_where_nothing_is_known():
    """Since the server has nothing to do before them; each has twice as many bytes."""
    row, last = f"{'x' * 99}\n".encode(), b"y\n"
    body = b"sku\n" + row * 100_000 + last
    known = IndexedFingerprints.of([(1, 2)])

    def sizes(index: IndexedFingerprints) -> list[int]:
        reading = PolarsEngine().open(io.BytesIO(body), Terms("delta", None, ROME))
        return [batch.records_read * len(row) >> 20 for batch in reading.batches(index)]

    assert sizes(NO_FINGERPRINTS) == [1, 2, 4, 2]
    assert sizes(known) == [8, 1]
