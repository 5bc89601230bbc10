"""From a partner's text to canonical text: the declared is understood, and nothing is guessed."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.profiles.normalise import Style, translation
from commerce_core.profiles.profile import Column, DecimalMark
from commerce_core.schema.cells import Misread, Warned, reader_of
from commerce_core.schema.fields import (
    Amount,
    Category,
    Grams,
    Instant,
    Kind,
    Options,
    Text,
    Url,
    Urls,
    Whole,
)
from tests.support.examples import scaled
from tests.unit.core.parsing.test_reader import UTC_ZONE

MARKS: tuple[DecimalMark | None, ...] = (None, ".", ",")
BLANKS = (" ", "\u00a0", "\u202f", "\u2009", "'", "\u2019")


def told(
    text: str, kind: Kind, column: Column | None = None, decimal: DecimalMark | None = None,
    currency: str | None = None,
) -> str:  # fmt: skip
    """The canonical text, or the code of the problem."""
    translated = translation(column or Column(), kind, Style(decimal, currency))(text)
    return translated.code if isinstance(translated, Misread) else translated


def value(text: str, decimal: DecimalMark | None) -> Decimal | None:
    """What an amount is read as; None where it is refused."""
    read = reader_of(Amount(), UTC_ZONE)(told(text, Amount(), decimal=decimal))
    read = read.value if isinstance(read, Warned) else read
    return read if isinstance(read, Decimal) else None


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("1299.00", None, "1299.00"), ("1 299.00", None, "1299.00"), ("1'299.00", None, "1299.00"),
        ("1,299.00", None, None), ("1.299,00", None, None), ("12,50", None, None),
        ("1,299.00", ".", "1299.00"), ("1,23,456.50", ".", "123456.50"), ("12,50", ".", None),
        ("1,299", ".", "1299"), ("1.299,00", ".", None), ("5.-", ".", "5"),
        ("1.299,00", ",", "1299.00"), ("1.299", ",", "1299"), ("12,50", ",", "12.50"),
        ("1 299,5", ",", "1299.5"), ("12.50", ",", None), ("1,299.00", ",", None),
        ("5,-", ",", "5"),
        ("1.29.00", ",", None), ("12.99.000", ",", None), ("1.2345", ",", None), (",5", ",", "0.5"),
        ("", None, None), ("-", ",", None), (".", ".", None), ("1 23", None, None),
    ],
)  # fmt: skip
def test_a_number_is_read_in_its_style_or_refused(
    text: str, decimal: DecimalMark | None, number: str | None
):
    assert value(text, decimal) == (number and Decimal(number))


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Decimal, DecimalMark]:
    """A number in some style: its text, what it is, and the mark before its decimals."""
    whole, places = draw(st.integers(0, 10**9)), draw(st.integers(0, 2))
    cents = draw(st.integers(0, 10**places - 1))
    decimal: DecimalMark = draw(st.sampled_from([".", ","]))
    group = draw(st.sampled_from(["", ".,".replace(decimal, ""), *BLANKS]))
    text = f"{whole:,}".replace(",", group)
    if places:
        text += f"{decimal}{cents:0{places}d}"
    return text, Decimal(whole) + Decimal(cents).scaleb(-places), decimal


@settings(max_examples=scaled(400))
@given(written())
def test_a_number_in_the_declared_style_reads_back_equal(made: tuple[str, Decimal, DecimalMark]):
    text, number, decimal = made
    assert value(text, decimal) == number


@settings(max_examples=scaled(400))
@given(written())
def test_without_a_style_a_number_is_equal_or_refused_and_never_another(
    made: tuple[str, Decimal, DecimalMark],
):
    """A lone group of three is the one text that two styles read: `1.299` is a number as it is."""
    text, number, decimal = made
    lone_group = decimal == "," and text.count(".") == 1 and "," not in text
    if not lone_group:
        assert value(text, None) in (number, None)


@settings(max_examples=scaled(400))
@given(written())
def test_in_the_other_style_a_number_with_one_or_two_decimals_is_never_another(
    made: tuple[str, Decimal, DecimalMark],
):
    text, number, decimal = made
    other: DecimalMark = "," if decimal == "." else "."
    if decimal in text:
        assert value(text, other) in (number, None)


@pytest.mark.parametrize(
    ("text", "decimal", "canonical"),
    [("1.000", ",", "1000"), ("1,000", ".", "1000"), ("7", None, "7"), ("1,5", None, "1,5")],
)
def test_whole_numbers_have_the_style_too(text: str, decimal: DecimalMark | None, canonical: str):
    assert told(text, Whole(), decimal=decimal) == canonical


# --- currencies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "decimal", "currency", "canonical"),
    [
        ("15.00 USD", None, None, "15.00 USD"), ("USD15.00", None, None, "15.00 USD"),
        ("1.299,00 €", ",", None, "1299.00 EUR"), ("€ 5", None, None, "5 EUR"),
        ("15 000 Fcfa", None, "XOF", "15000 XOF"), ("15 000 Fcfa", None, "XAF", "15000 XAF"),
        ("352 AED", None, "EUR", "352 AED"), ("11995 GBP", None, None, "11995 GBP"),
        ("$15", None, "CAD", "15 CAD"), ("$15", None, None, "ambiguous_currency"),
        ("$15", None, "EUR", "ambiguous_currency"),
        ("15 000 Fcfa", None, None, "ambiguous_currency"),
        ("15 blobs", None, None, "unknown_currency"), ("₹\u00a01,23,456", ".", None, "123456 INR"),
        ("5,- €", ",", None, "5 EUR"), ("12,50 €", None, None, "12,50 €"),
        ("12 zł", None, None, "12 PLN"), ("12zł", None, None, "12 PLN"),
        ("9.90EUR", None, None, "9.90 EUR"), ("352AED", None, "EUR", "352 AED"),
        ("15000Fcfa", None, "XOF", "15000 XOF"), ("1.299,00€", ",", None, "1299.00 EUR"),
        ("490,-Kč", ",", None, "490 CZK"), ("5–€", ",", None, "5–€"), ("9.90E", None, None,
        "unknown_currency"), ("9EUR9", None, None, "9EUR9"),
        ("1250p", None, None, "12.5 GBP"), ("99 pence", None, None, "0.99 GBP"),
        ("1250 GBX", None, None, "12.5 GBP"), ("100GBp", None, None, "1 GBP"),
        ("5 GBP", None, None, "5 GBP"), ("50¢", None, "EUR", "0.5 EUR"),
        ("50¢", None, None, "ambiguous_currency"), ("-5p", None, None, "-0.05 GBP"),
        ("9" * 40 + "p", None, None, "9" * 38 + ".99 GBP"),
        ("N/A", None, "EUR", "N/A"), ("#DIV/0!", None, "EUR", "#DIV/0!"),
        ("1e5", None, None, "1e5"), ("free", None, None, "free"),
    ],
)  # fmt: skip
def test_the_text_beside_a_number_is_its_currency(
    text: str, decimal: DecimalMark | None, currency: str | None, canonical: str
):
    assert told(text, Amount(), decimal=decimal, currency=currency) == canonical


# --- weights, dates, patterns, words, lists -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "unit", "decimal", "canonical"),
    [
        ("5", None, None, "5 g"), ("5", "kg", None, "5 kg"), ("0,2", "kg", ",", "0.2 kg"),
        ("1,5 kg", "g", ",", "1.5 kg"), ("2 Lbs.", None, None, "2 lb"),
        ("3 ounces", "kg", None, "3 oz"),
        ("250gr", None, None, "250 g"), ("1.000 g", None, ",", "1000 g"),
        ("heavy", "kg", None, "heavy"),
    ],
)  # fmt: skip
def test_a_bare_weight_has_the_unit_of_its_column_and_another_its_own(
    text: str, unit: str | None, decimal: DecimalMark | None, canonical: str
):
    column = Column(unit=unit)  # type: ignore[arg-type]
    assert told(text, Grams(), column, decimal) == canonical


@pytest.mark.parametrize(
    ("text", "dates", "canonical"),
    [
        ("31.03.2026", "DD.MM.YYYY", "2026-03-31"), ("n/a", "DD.MM.YYYY", "n/a"),
        ("03/31/2026 18:05", "MM/DD/YYYY hh:mm", "2026-03-31T18:05:00"),
        ("20260331180509", "YYYYMMDDhhmmss", "2026-03-31T18:05:09"),
        ("2026-03-31", "DD.MM.YYYY", "not_a_time"), ("31.3.2026", "DD.MM.YYYY", "not_a_time"),
        ("31x03x2026", "DD.MM.YYYY", "not_a_time"), ("٣١.03.2026", "DD.MM.YYYY", "not_a_time"),
    ],
)  # fmt: skip
def test_a_date_has_the_declared_format_or_is_refused(text: str, dates: str, canonical: str):
    assert told(text, Instant(), Column(dates=dates)) == canonical


@pytest.mark.parametrize(
    ("text", "otherwise", "canonical"),
    [("5 new", "problem", "5"), ("new", "problem", "pattern_mismatch"), ("new", "blank", ""),
     ("5" * 2_000, "problem", "5" * 2_000), ("5" * 2_001, "problem", "pattern_mismatch"),
     ("5" * 2_001, "blank", "pattern_mismatch")],
)  # fmt: skip
def test_of_a_pattern_its_group_counts(text: str, otherwise: str, canonical: str):
    column = Column(pattern="([0-9]+)(?: new)?", otherwise=otherwise)  # type: ignore[arg-type]
    assert told(text, Whole(), column) == canonical


def test_words_are_understood_however_they_are_spelled_and_others_stay():
    column = Column(values={"auf Lager": "in_stock"})
    assert told("AUF_LAGER", Text(99), column) == "in_stock"
    assert told("weg", Text(99), column) == "weg"


def test_a_separator_makes_lists_and_paths_or_takes_a_part():
    assert told("a| b||c", Urls(), Column(separator="|")) == "a b c"
    assert told("A / B", Category(), Column(separator="/")) == "A > B"
    assert told("A, B, C", Text(99), Column(separator=",", part="first")) == "A"
    assert told("A, B, C", Text(99), Column(separator=",", part="rest")) == "B, C"


def test_a_separator_within_an_address_separates_nothing():
    two = "https://a/f,q/1.jpg, https://a/f,q/2.jpg"
    assert told(two, Urls(), Column(separator=",")) == two.replace(", ", " ")
    assert told(two, Url(), Column(separator=",", part="first")) == "https://a/f,q/1.jpg"
    assert told(two, Urls(), Column(separator=",", part="rest")) == "https://a/f,q/2.jpg"


def test_a_list_in_json_is_a_path_and_an_object_is_options():
    assert told('["Home & Garden", "Tea"]', Category()) == "Home & Garden > Tea"
    assert told('[["Home"]]', Category()) == '[["Home"]]'
    assert told("[Sale] > Tea", Category()) == "[Sale] > Tea"
    assert told('{"Colour": "Red", "Size": 42, "Fit": null}', Options()) == "Colour: Red; Size: 42"
    assert told('{"Colour": ["Red"]}', Options()) == '{"Colour": ["Red"]}'
