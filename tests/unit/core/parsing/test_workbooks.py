"""Workbooks: the rows of a sheet are records, as a person sees their cells."""

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from xlsxwriter.worksheet import Worksheet

import commerce_core
from commerce_core.base.errors import FileRefused
from commerce_core.parsing.decoding import read_text
from commerce_core.parsing.new_workbook import workbook
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.sheet_rows import MOST_ROWS, as_number
from commerce_core.parsing.sheets import SheetRows, cells_of_row
from commerce_core.profiles.profile import CANONICAL, Profile
from tests.unit.core.parsing.test_documents import ROWS, Table, as_lines, read, values

HEADER: Final = ("sku", "product_name", "price", "brand", "quantity")


def book(fill: Callable[[xlsxwriter.Workbook, Worksheet], None], **options: object) -> bytes:
    """The bytes of a workbook whose first sheet is filled in."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, options) as made:
        fill(made, made.add_worksheet("First"))
    return out.getvalue()


def table_of(rows: Sequence[Sequence[object]]) -> bytes:
    """A workbook with these cells."""

    def fill(_: xlsxwriter.Workbook, sheet: Worksheet) -> None:
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                elif cell is not None:
                    sheet.write(number, column, cell)

    return book(fill)


def of_table(table: Table) -> bytes:
    return table_of([HEADER, *([row[name] for name in HEADER] for row in table)])


@given(table=st.lists(ROWS, min_size=1, max_size=8))
def test_a_table_gives_the_same_records_as_a_workbook(table: Table):
    assert values(read(of_table(table))) == values(read(as_lines(table).encode()))


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        ("19.989999999999998", "19.99"),
        ("0.30000000000000004", "0.3"),
        ("4006381333931", "4006381333931"),
        ("123456789012345678", "123456789012346000"),
        ("1E+15", "1000000000000000"),
        ("1.5E-7", "0.00000015"),
        ("0.000", "0"),
        ("-0", "-0"),
        ("1E-400", "0"),
        ("1E+308", "1" + "0" * 308),
        ("1E+309", "1E+309"),
        ("1E+999999999", "1E+999999999"),
        ("nan", "nan"),
        ("-inf", "-inf"),
        ("1_0", "1_0"),
        ("N/A", "N/A"),
    ],
)
def test_a_number_is_read_to_the_digits_that_a_workbook_shows(stored: str, seen: str):
    assert as_number(stored) == seen


def test_cells_are_read_as_they_are_seen():
    def fill(made: xlsxwriter.Workbook, sheet: Worksheet) -> None:
        zeros = made.add_format({"num_format": "0000"})
        day = made.add_format({"num_format": 'dd.mm.yyyy "Uhr"'})
        moment = made.add_format({"num_format": 22})
        for column, name in enumerate((*HEADER, "sale_price", "sale_starts_at", "sale_ends_at")):
            sheet.write(0, column, name)
        sheet.write(1, 0, 42, zeros)
        sheet.write(1, 1, "two\nlines")
        sheet.write(1, 2, 0.1 + 0.2)
        sheet.write_formula(1, 4, "=2+3", None, 5)
        sheet.write(1, 5, 0.25)
        sheet.write_datetime(1, 6, datetime(2026, 3, 1, 12, 30), moment)  # noqa: DTZ001 - a cell has none
        sheet.write_datetime(1, 7, datetime(2026, 12, 24), day)  # noqa: DTZ001
        sheet.merge_range(1, 3, 2, 3, "Nord")
        sheet.write(2, 0, 4006381333931)
        sheet.write_boolean(2, 1, True)
        sheet.write(2, 2, 1e15)

    first, second = read(book(fill))
    assert first.sku == "0042"
    assert first.values["product_name"] == "two\nlines"
    assert first.values["price"] == Decimal("0.3")
    assert (first.values["quantity"], first.values["brand"]) == (5, "Nord")
    assert first.values["sale_starts_at"] == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert first.values["sale_ends_at"] == datetime(2026, 12, 25, tzinfo=UTC)
    assert (second.sku, second.values["brand"]) == ("4006381333931", "Nord")
    assert second.values["product_name"] == "TRUE"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ('#,##0.00 "€"', "EUR"), ("_-* #,##0.00\\ [$€-407]_-", "EUR"), ("[$£-809]0.00", "GBP"),
        ('"$"#,##0.00', None), ("[$$-409]0.00", "USD"), ("[$$-1009]0.00", "CAD"),
        ("[$USD] 0.00", "USD"), ('0.00 "CHF"', "CHF"), ("[$zł-415]0.00", "PLN"),
    ],
)  # fmt: skip
def test_an_amount_has_the_currency_that_its_format_shows(code: str, shown: str | None):
    """A dollar without a country is as ambiguous as in any other file."""
    (found,) = read(_formatted(code))
    assert found.values.get("currency") == shown
    assert [p.code for p in found.problems] == ([] if shown else ["ambiguous_currency"])


@pytest.mark.parametrize("code", ['0.00 "SKU"', "[$-409]0.00", "0.00%", "#,##0.00_);[Red](0)"])
def test_what_only_looks_like_a_currency_is_none(code: str):
    (found,) = read(_formatted(code))
    assert (found.values["price"], found.values.get("currency")) == (Decimal("12.5"), "EUR")


def _formatted(code: str) -> bytes:
    """A workbook with a price of 12.5 in that format."""

    def fill(made: xlsxwriter.Workbook, sheet: Worksheet) -> None:
        for column, name in enumerate(("sku", "product_name", "price")):
            sheet.write(0, column, name)
            sheet.write(1, column, name if column < 2 else 12.5, made.add_format())
        sheet.write(1, 2, 12.5, made.add_format({"num_format": code}))

    return book(fill)


def test_a_hidden_sheet_is_passed_over():
    """Unless the profile names it, or all are hidden."""

    def fill(made: xlsxwriter.Workbook, sheet: Worksheet) -> None:
        for name, sku in (("Products", "A"), ("Old", "B")):
            other = made.add_worksheet(name)
            for row, cells in enumerate((("sku", "product_name"), (sku, "n"))):
                other.write_row(row, 0, cells)
        sheet.write(0, 0, "settings")
        sheet.very_hidden()
        made.worksheets()[1].activate()

    assert [record.sku for record in read(book(fill))] == ["A"]
    with pytest.raises(FileRefused, match="settings"):
        read(book(fill), Profile(sheet="First"))


def test_days_since_1904_are_the_same_days():
    def fill(made: xlsxwriter.Workbook, sheet: Worksheet) -> None:
        for column, name in enumerate(
            ("sku", "product_name", "price", "sale_price", "sale_ends_at")
        ):
            sheet.write(0, column, name)
            sheet.write(1, column, ("A", "n", 5, 4, None)[column])
        day = made.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_datetime(1, 4, datetime(2026, 12, 24), day)  # noqa: DTZ001 - a cell has none

    for options in ({}, {"date_1904": True}):
        (record,) = read(book(fill, **options))
        assert record.values["sale_ends_at"] == datetime(2026, 12, 25, tzinfo=UTC)


def test_a_line_is_the_number_of_a_row():
    body = table_of([[], ["sku", "product_name"], ["A", "n"], [], [], ["B", "a\nb"], ["C", "n"]])
    found = [(record.line, record.sku) for record in read(body) if record.sku]
    assert found == [(3, "A"), (6, "B"), (7, "C")]


def test_the_sheet_is_the_one_that_the_profile_names():
    def fill(made: xlsxwriter.Workbook, sheet: Worksheet) -> None:
        sheet.write(0, 0, "notes")
        other = made.add_worksheet("Products")
        for column, name in enumerate(("sku", "product_name")):
            other.write(0, column, name)
            other.write(1, column, "A")

    body = book(fill)
    assert [record.sku for record in read(body, Profile(sheet="Products"))] == ["A"]
    with pytest.raises(FileRefused, match="notes"):
        read(body)
    with pytest.raises(FileRefused, match="Its sheets are: First, Products"):
        read(body, Profile(sheet="Product"))


def test_rows_above_the_header_are_passed_over():
    body = table_of([["Price list"], ["as of today"], ["sku", "product_name"], ["A", "n"]])
    assert [record.sku for record in read(body, Profile(header_line=3))] == ["A"]


def test_a_damaged_workbook_is_refused():
    whole = of_table([dict.fromkeys(HEADER, "x")])
    for cut in (100, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        with pytest.raises(FileRefused) as refused:
            read(whole[:cut])
        assert refused.value.code == "truncated"
    with pytest.raises(FileRefused) as refused:
        read(whole.replace(b"PK\x01\x02", b"PK\x01\x09", 1))
    assert refused.value.code == "undecodable"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_workbook_whose_parts_are_compressed_as_in_no_other_is_refused(method: int):
    """Their decompressors fail with OSError, which would be the fault of the machine."""
    packed, sink = table_of([["sku", "price"], ["A", "5"]]), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as before, zipfile.ZipFile(sink, "w", method) as after:
        for name in before.namelist():
            after.writestr(name, before.read(name))
    for body in (sink.getvalue(), _said_to_be(packed, method)):
        with pytest.raises(FileRefused, match="damaged") as refused:
            list(read_text(io.BytesIO(body)))
        assert refused.value.code == "undecodable"


def _said_to_be(packed: bytes, method: int) -> bytes:
    """A workbook whose directory and parts claim another method than they have."""
    local = re.sub(rb"(PK\x03\x04....)\x08\x00", _claiming(method), packed, flags=re.DOTALL)
    return re.sub(rb"(PK\x01\x02......)\x08\x00", _claiming(method), local, flags=re.DOTALL)


def _claiming(method: int) -> Callable[[re.Match[bytes]], bytes]:
    return lambda found: found[1] + method.to_bytes(2, "little")


def _with_sheet(xml: str) -> bytes:
    out = io.BytesIO(of_table([]))
    packed = io.BytesIO()
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            is_sheet = part.filename.endswith("sheet1.xml")
            new.writestr(part.filename, xml if is_sheet else old.read(part))
    return packed.getvalue()


HOSTILE: Final[Mapping[str, tuple[str, str]]] = {
    "a row beyond the last": (f'<row r="{10**12}"/>', "undecodable"),
    "a row just beyond the last": (f'<row r="{MOST_ROWS + 1}"/>', "undecodable"),
    "a range of cells": ('</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/>', "too_large"),
    "a bomb": ("<row>" + " " * 10**8 + "</row>", "too_large"),
    "a text that isn't there": ('<row><c t="s"><v>9</v></c></row>', "undecodable"),
    "no number": ('<row r="x"/>', "undecodable"),
    "a document type": ("<!DOCTYPE x>", "undecodable"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_sheet_is_refused(name: str):
    inner, code = HOSTILE[name]
    with pytest.raises(FileRefused) as refused:
        read(_with_sheet(f"<worksheet><sheetData>{inner}</sheetData></worksheet>"))
    assert refused.value.code == code


_NOT_OF_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _trimmed(row: Sequence[str]) -> list[str]:
    """The cells up to the last one that has a text."""
    while row and not row[-1]:
        row = row[:-1]
    return list(row)


@given(st.lists(st.lists(st.text(max_size=9), min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_is_written_is_a_workbook_with_these_cells(rows: list[list[str]]):
    """Characters that XML can't have are left out."""
    writer = SheetRows(rows[0], RawRecord(1, []))
    texts = [writer.row(row, RawRecord(1, [])) for row in rows]
    body = b"".join(workbook(iter(texts)))
    text = "".join(read_text(io.BytesIO(body)))
    assert CalamineWorkbook.from_filelike(io.BytesIO(body)).sheet_names == ["Rejected"]
    kept = [[_NOT_OF_XML.sub("", cell) for cell in cells_of_row(text)] for text in texts]
    read_back = [cells_of_row(line) for line in text.removesuffix("\n").split("\n")]
    assert [_trimmed(row) for row in read_back] == [_trimmed(row) for row in kept]


def test_a_report_is_a_workbook_and_comes_back():
    rows = [HEADER, ["0042", "Lamp", "5", "", ""], ["B", "<b>Pot\n2", "wrong", "", ""]]
    with commerce_core.connect("memory:") as commerce:
        commerce.partners.add("Acme", currency="EUR")
        job = commerce.feeds.load(io.BytesIO(table_of(rows)), partner="Acme", mode="full")
        with commerce.jobs.report(job.job_id) as stream:
            report = CalamineWorkbook.from_filelike(io.BytesIO(stream.read()))
        cells = report.get_sheet_by_index(0).to_python()
        assert [row[6] for row in cells] == ["sku", "B"]
        mended = [["6" if cell == "wrong" else str(cell) for cell in row] for row in cells]
        again = commerce.feeds.load(io.BytesIO(table_of(mended)), partner="Acme")
        assert again.summary is not None
        assert (again.summary.created, again.summary.rejected) == (1, 0)
        assert commerce.products.get(partner="Acme", sku="B").product_name == "<b>Pot\n2"
        assert CANONICAL.sheet is None


def test_a_tab_in_a_cell_shifts_no_column_and_is_no_end_of_a_cell():
    header = ["sku", "product_name", "brand", "price"]
    days = ["Lamp\tAcme", ""], ["Lamp", "Acme\t"]
    with commerce_core.connect("memory:") as commerce:
        commerce.partners.add("Acme", currency="EUR")
        for name, brand in days:
            table = table_of([header, ["A", name, brand, "5"]])
            commerce.feeds.load(io.BytesIO(table), partner="Acme", mode="full")
            product = commerce.products.get(partner="Acme", sku="A")
            assert (product.product_name, product.brand) == (name, brand.strip() or None)
            assert product.price == Decimal(5)
        (product,) = commerce.products.list()
        lineage = commerce.history.lineage(product.product_id)
        assert lineage.written_by.text == "A\tLamp\tAcme\t\t5"
