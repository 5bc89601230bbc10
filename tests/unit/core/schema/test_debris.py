"""Debris in cells is taken off with a warning, or refused; it never makes another product."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.text import UNSEEN, composed, squash, visible, with_plain_blanks
from commerce_core.schema.blanks import error_is_blank
from commerce_core.schema.cells import Misread, Warned, sku_reading
from commerce_core.schema.debris import (
    SHORTENED,
    is_code,
    is_spreadsheet_error,
    without_debris,
)
from commerce_core.schema.fields import FIELDS


@pytest.mark.parametrize(
    ("cell", "sku", "code"),
    [
        ("U-1\u200e", "U-1", "invisible_characters"),
        ("\u202aU-1\u202c", "U-1", "invisible_characters"),
        ("U\u200b-\xad1", "U-1", "invisible_characters"),
        ("U\xa01", "U 1", "invisible_characters"),
        ('="0042"', "0042", "spreadsheet_text"),
        ("1E+05", "1E+05", "shortened_sku"),
        ("4,00638E+12", "4,00638E+12", "shortened_sku"),
    ],
)
def test_debris_is_taken_off_a_sku_with_a_warning(cell: str, sku: str, code: str):
    assert sku_reading(cell) == Warned(sku, code)


@pytest.mark.parametrize(
    ("cell", "sku"),
    [
        (" A-1 ", "A-1"),
        ("'0042", "0042"),
        ("Cafe\u0301", "Café"),
        ("#1001", "#1001"),
        ("1E5", "1E5"),
        ("=A", "=A"),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_sku_in_any_spelling_is_one(cell: str, sku: str):
    assert sku_reading(cell) == sku


@pytest.mark.parametrize("cell", ["", " ", "'", "\u200e", '=""', "#N/A", "#REF!", "#BEZUG!", "#NV"])
def test_where_nothing_can_be_seen_or_a_spreadsheet_failed_there_is_no_sku(cell: str):
    reading = sku_reading(cell)
    assert isinstance(reading, Misread)
    assert reading.code == "missing_value"


def test_a_sku_that_is_too_long_or_cannot_be_stored_is_none():
    assert sku_reading("x" * 256) == Misread("too_long")
    assert sku_reading("A\0") == Misread("nul_character")


@pytest.mark.parametrize(
    "text",
    ["#N/A", "#N/D", "#NV", "#REF!", "#DIV/0!", "#NAME?", "#VALUE!", "#¿NOMBRE?", "#ÜBERLAUF!",
     "#GETTING_DATA", "Err:502"],
)  # fmt: skip
def test_the_errors_of_spreadsheets_are_known_in_several_languages(text: str):
    assert is_spreadsheet_error(text)


@pytest.mark.parametrize("text", ["#1", "#hash", "# N/A", "N/A", "#N/A x", "#A!b", "Err", ""])
def test_other_texts_are_no_errors(text: str):
    assert not is_spreadsheet_error(text)


def test_a_text_may_have_what_a_code_may_not():
    """Joiners make pictures of several people, and are letters' business in some scripts."""
    assert without_debris("👩\u200d🚀", is_code=False) == ("👩\u200d🚀", None)
    assert without_debris("1\xa0299", is_code=True) == ("1\xa0299", None)
    assert without_debris("7\u200d", is_code=True) == ("7", "invisible_characters")
    assert {f.name for f in FIELDS if not is_code(f.kind)} >= {
        "product_name",
        "options",
        "category",
    }
    assert not any(not error_is_blank(f.kind) and not is_code(f.kind) for f in FIELDS)


def test_numbers_that_a_spreadsheet_shortened_are_known():
    shortened = ["1E+05", "4.00638E+12", "1e-07"]
    assert all(SHORTENED.fullmatch(text) for text in shortened)
    assert not any(
        SHORTENED.fullmatch(text) for text in ("1E5", "1E+5", "A1E+05", "E+05", "12E+05")
    )


@given(st.text(st.sampled_from(f"aé\u0301 \xa0\u2009{UNSEEN}"), max_size=8))
def test_what_is_taken_off_once_is_gone(text: str):
    seen = visible(composed(text))
    assert visible(seen) == seen
    assert not set(seen) & {*UNSEEN}
    assert not set(with_plain_blanks(text)) & {"\xa0", "\u2009"}
    assert unicodedata.is_normalized("NFC", composed(text))


@pytest.mark.parametrize("name", ["Pri\u200bce", "\ufeffprice", "pr\u00adice\u200e", "PRICE\xa0"])
def test_headers_and_words_are_the_same_with_what_nobody_sees(name: str):
    assert squash(name) == "price"
