"""What a report puts around a partner's cells is harmless, and comes off again."""

import csv
import io
import tracemalloc
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.feeds.feed import report_name
from commerce_core.ingestion.reject_report import RejectReport
from commerce_core.parsing.delimited import written
from commerce_core.parsing.formulas import (
    escape_formula,
    escape_formulas,
    needs_escaping,
    unescape_formula,
    unescape_formulas,
)
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import Profile
from tests.support.strategies import FORMULAS

UTC_ZONE = ZoneInfo("UTC")
TERMS = Terms("delta", "EUR", UTC_ZONE)
ENGINE = ReferenceEngine()
STARTS = tuple("=+-@\t\r\n") + tuple("\uff1d\uff0b\uff0d\uff20")
ODD = st.text(st.sampled_from("'\"=+-@\t\r\n,;.5aA \uff1d"), max_size=12)
DELIMITERS = (",", ";", "\t", "|")


@given(st.one_of(ODD, st.sampled_from(FORMULAS), st.text()))
def test_a_guarded_cell_is_no_formula_and_becomes_itself_again(cell: str):
    safe = escape_formula(cell)
    assert unescape_formula(safe) == cell
    assert safe in {cell, f"'{cell}"}
    if safe.startswith(STARTS):
        assert safe[0] in "+-"
        assert set(safe[1:]) <= set("0123456789.,eE+-")


@pytest.mark.parametrize("number", ["-12.50", "+5", "-1,299.00", "-.5", "+1e5", "-3E-2"])
def test_numbers_stay_as_they_are(number: str):
    assert escape_formula(number) == number


@pytest.mark.parametrize("formula", ["-1-1", "+1+cmd|' /C calc'!A0", "-", "+a", "-1\n", "-١"])
def test_what_only_begins_like_a_number_is_guarded(formula: str):
    assert escape_formula(formula) == f"'{formula}"


@given(ODD, st.sampled_from(DELIMITERS))
def test_broken_text_is_guarded_and_becomes_itself_again(text: str, delimiter: str):
    assert unescape_formulas(escape_formulas(text, delimiter), delimiter) == text


def test_broken_text_has_a_guard_wherever_a_cell_may_begin():
    text = '=A,"a"b,"=B",-1,-x,\'=C\n@D'
    assert escape_formulas(text, ",") == "'=A,\"a\"b,\"'=B\",-1,'-x,''=C\n'@D"


@given(st.lists(st.lists(ODD, min_size=2, max_size=3), min_size=1), st.sampled_from(DELIMITERS))
def test_no_cell_of_a_report_is_a_formula(records: Sequence[Sequence[str]], delimiter: str):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(records)
    body = f"sku{delimiter}quantity\n{text.getvalue()}".encode()
    for row in csv.reader(io.StringIO(report_of(body).decode(), newline=""), delimiter=delimiter):
        for cell in row:
            assert cell == escape_formula(unescape_formula(cell)) or not cell.startswith(STARTS)


def report_of(body: bytes, terms: Terms = TERMS) -> bytes:
    return made(body, terms).stream().read()


def made(body: bytes, terms: Terms = TERMS, look: Callable[[], object] = int) -> RejectReport:
    """The report of a file that has been read to its end."""
    reading = ENGINE.open(io.BytesIO(body), terms)
    for _ in reading.batches():
        pass
    return RejectReport.of("feed_0", reading, lambda: io.BytesIO(body), {}, look)


def test_columns_in_another_place_are_ignored_as_well():
    """Somebody has moved them, or deleted some."""
    report = "sku,_hint,quantity,_feed\nA,x,'=5,feed_1\n"
    reader = open_feed(io.BytesIO(report.encode()), TERMS)
    assert (reader.header.corrects, reader.mapping.header) == ("feed_1", ("sku", "quantity"))
    (record,) = reader
    assert [(p.column, p.value) for p in record.problems] == [("quantity", "=5")]
    again = report_of(report.encode()).decode().splitlines()
    assert again[0] == "_feed,_line,_code,_column,_value,_hint,sku,quantity"
    assert again[1].endswith(",A,'=5")


def test_a_report_whose_first_record_is_broken_names_its_feed():
    report = report_of(b'sku,quantity\n"a"b,1\n')
    reader = open_feed(io.BytesIO(report), TERMS)
    assert reader.header.corrects == "feed_0"
    assert [p.value for record in reader for p in record.problems] == ['"a"b,1']


def test_a_declared_encoding_is_that_of_the_report():
    terms = evolve(TERMS, profile=Profile(encoding="cp1252"))
    body = "sku;product_name;price\nA;Größe €;x\n".encode("cp1252")
    assert report_of(body, terms).endswith(";A;Größe €;x\n".encode("cp1252"))


def test_a_long_report_is_made_in_little_memory():
    body = b"sku,product_name,price\n" + f"A,{'Lamp' * 100},dear\n".encode() * 6_000
    report = made(body)
    stream, size = report.stream(), 0
    tracemalloc.start()
    while block := stream.read(1 << 16):
        size += len(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.records == 6_000
    assert size > 3_000_000
    assert peak < 2_500_000


@pytest.mark.parametrize(
    ("sent", "report"),
    [
        ("beer.csv", "beer-rejected.csv"),
        ("beer.2026.TSV.gz", "beer.2026-rejected.TSV"),
        ("beer.jsonl.zip", "beer-rejected.jsonl"),
        ("beer.zip", "beer-rejected.csv"),
        ("beer", "beer-rejected.csv"),
        ("beer.xlsx", "beer-rejected.xlsx"),
        ("beer.XML.bz2", "beer-rejected.XML"),
        ("beer.json", "beer-rejected.jsonl"),
        (".csv", ".csv-rejected.csv"),
        ("beer.csv.zst", "beer-rejected.csv"),
    ],
)
def test_a_report_is_named_after_its_feed(sent: str, report: str):
    assert report_name(sent, is_workbook=sent.endswith("xlsx")) == report


@pytest.mark.parametrize("sent", ["beer.parquet", "beer.csv", "beer.parquet.zst", "beer"])
def test_a_report_that_is_a_workbook_is_named_as_one(sent: str):
    assert report_name(sent, is_workbook=True) == "beer-rejected.xlsx"


def test_a_report_that_is_text_is_not_named_as_a_workbook():
    assert report_name("beer.xlsx") == "beer-rejected.csv"


def test_a_long_report_shows_again_and_again_that_it_is_being_made():
    """Whoever keeps a unit open meanwhile has to use it."""
    body = b"sku,price\n" + b"A,5\n" * 12_500
    looks: list[int] = []
    report = made(body, look=lambda: looks.append(1))
    report.stream().read()
    assert (report.records, len(looks)) == (0, 2)


@given(st.lists(ODD, min_size=1, max_size=4), st.sampled_from(DELIMITERS), st.booleans())
def test_where_nothing_may_run_no_cell_needs_a_guard(
    cells: list[str], delimiter: str, quoted: bool
):
    """However the cells are quoted, so that most records needn't be taken apart."""
    text = written(cells, delimiter, quoted=quoted)
    assert needs_escaping(text, delimiter) or [escape_formula(cell) for cell in cells] == cells


@given(st.lists(ODD, min_size=1, max_size=4), st.sampled_from(DELIMITERS))
def test_cells_are_written_as_the_standard_library_writes_them(cells: list[str], delimiter: str):
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    assert written(cells, delimiter) + "\r\n" == line.getvalue()


@pytest.mark.parametrize(
    ("line", "code", "expected"),
    [
        ("3", "not_a_number", ("feed_1", 3)),
        (" 3 ", "", ("feed_1", 3)),
        ("", "not_a_number", None),
        ("3", "unknown_sku", None),
        ("3", "sku_lost_zeros", None),
        ("3", "sku_of_other_source", None),
        ("three", "", None),
        ("-3", "", None),
        ("\u0663", "", None),
        ("9" * 18, "", ("feed_1", int("9" * 18))),
        ("9" * 19, "", None),
    ],
)
def test_a_row_stands_for_the_line_it_names(line: str, code: str, expected: tuple[str, int] | None):
    """Unless it names none, or its sku is what had to be corrected."""
    report = f"_feed,_line,_code,sku,quantity\nfeed_1,{line},{code},A,5\n"
    reader = open_feed(io.BytesIO(report.encode()), TERMS)
    assert [prepared.raw.corrects for prepared in reader.prepared] == [expected]
