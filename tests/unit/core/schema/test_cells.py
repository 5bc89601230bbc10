"""One cell at a time: what each kind takes, what it refuses, and that nothing else ever happens."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.money import LARGEST_AMOUNT
from commerce_core.base.text import BLANKS
from commerce_core.schema import cells
from commerce_core.schema.blanks import LONGEST_BLANK_WORD, MARKS, blank_words, is_blank_word
from commerce_core.schema.cells import Misread, Reading, Warned, gtin_fits, read_sku, reader_of
from commerce_core.schema.fields import (
    AVAILABILITIES,
    CONDITIONS,
    FIELDS,
    LARGEST_WHOLE,
    LONGEST_CELL,
    LONGEST_SKU,
    LONGEST_URL,
    MOST_URLS,
    Amount,
    Attributes,
    Category,
    CurrencyCode,
    Grams,
    Gtin,
    Instant,
    Kind,
    Options,
    Text,
    Url,
    Urls,
    Whole,
    Word,
    YesNo,
)
from commerce_core.schema.instants import INSTANT
from commerce_core.schema.problems import PROBLEMS
from tests.support.effort import assert_effort

ROME = ZoneInfo("Europe/Rome")
ZONES = ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Rome")
ALL_KINDS: tuple[Kind, ...] = (
    Text(10), Word(CONDITIONS), Word(AVAILABILITIES), Amount(), Whole(), Grams(), CurrencyCode(),
    Gtin(),
    Category(), Options(), Instant(), Url(), Urls(), YesNo(), Attributes(),
)  # fmt: skip


def read(kind: Kind, text: str) -> Reading:
    return reader_of(kind, ROME)(text)


def told(kind: Kind, text: str) -> str:
    """What is read, as text; a problem by its code, a warned value with both."""
    reading = read(kind, text)
    if isinstance(reading, Misread):
        return reading.code
    if isinstance(reading, Warned):
        return f"{reading.value} ({reading.code})"
    return str(reading)


# --- amounts --------------------------------------------------------------------------------------

FORTY_NINES = "9" * 40


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("0", "0"), ("1", "1"), ("1.5", "1.5"), ("1.50", "1.50"), ("19.9900", "19.9900"),
        ("19.99000", "19.99"),
        (".5", "0.5"), ("+3", "3"), ("007.50", "7.50"), ("-0", "0"), ("-0.00", "0.00"),
        ("0.0001", "0.0001"),
        ("999999999999.9999", "999999999999.9999"), ("1000000000000", "too_large_number"),
        ("999999999999.99990", "999999999999.9999"), ("999999999999.99991", "too_large_number"),
        (FORTY_NINES, "too_large_number"), ("9" * 41, "not_a_number"), ("0" * 39 + "1", "1"),
        ("0.00001", "too_many_decimals"), ("19.99001", "too_many_decimals"),
        ("1." + "0" * 40, "1"), ("1." + "0" * 39 + "1", "too_many_decimals"),
        ("19." + "9" * 40, "too_many_decimals"), ("1." + "0" * 41, "not_a_number"),
        ("-1", "negative_number"), ("-0.01", "negative_number"), ("-1e0", "negative_number"),
        ("2.69e+01", "26.9 (exponent_number)"), ("1E2", "100 (exponent_number)"),
        ("1e-4", "0.0001 (exponent_number)"),
        ("-0e5", "0 (exponent_number)"), ("0e99", "0 (exponent_number)"),
        ("0.0e-99", "0 (exponent_number)"),
        ("1e-5", "too_many_decimals"), ("1e-99", "too_many_decimals"), ("1e12", "too_large_number"),
        ("9e99", "too_large_number"), ("1e100", "not_a_number"),
        ("99999999999999999999.5e-20", "too_many_decimals"),
        ("12345678901234567890.12345678901234567890e-19", "too_many_decimals"),
        ("1e", "not_a_number"), ("e5", "not_a_number"), (".e5", "not_a_number"),
        ("1,50", "not_a_number"), ("1.234,56", "not_a_number"), ("1,234.56", "not_a_number"),
        ("1.2.3", "not_a_number"),
        ("1.", "not_a_number"), (".", "not_a_number"), ("-", "None"),
        ("+-1", "not_a_number"), ("--1", "not_a_number"), ("--", "None"),
        ("1_000", "not_a_number"), ("1 000", "not_a_number"), ("1\u00a0000", "not_a_number"),
        ("1\u202f000", "not_a_number"),
        ("１９", "not_a_number"), ("٣", "not_a_number"), ("1٣", "not_a_number"),
        ("²", "not_a_number"), ("½", "not_a_number"),
        ("NaN", "None"), ("nan", "None"), ("sNaN", "not_a_number"),
        ("inf", "not_a_number"),
        ("Infinity", "not_a_number"), ("-inf", "not_a_number"), ("0x10", "not_a_number"),
        ("1e+", "not_a_number"),
        ("−1", "not_a_number"), ("€1", "not_a_number"), ("1 EUR", "not_a_number"),
        ("1\n", "not_a_number"), ("1\n2", "not_a_number"),
        ("free", "not_a_number"), ("1\x00", "not_a_number"), ("1\ud800", "not_a_number"),
    ],
)  # fmt: skip
def test_amounts(text: str, meaning: str):
    assert told(Amount(), text) == meaning


@pytest.mark.parametrize(
    ("text", "proposal"),
    [("1,50", "Write 1.50."), ("1.234,56", "Write 1234.56."), ("1.234.567,8", "Write 1234567.8.")],
)
def test_a_comma_before_decimals_gets_a_proposal(text: str, proposal: str):
    reading = read(Amount(), text)
    assert isinstance(reading, Misread)
    assert proposal in (reading.hint or "")


@given(st.from_regex(cells.NUMBER, fullmatch=True) | st.from_regex(cells.EXPONENT, fullmatch=True))
def test_an_amount_is_read_exactly_or_refused(text: str):
    reading = read(Amount(), text)
    if isinstance(reading, Misread):
        return
    amount = reading.value if isinstance(reading, Warned) else reading
    assert isinstance(amount, Decimal)
    assert Fraction(amount) == Fraction(text)
    assert not amount.is_signed()
    assert amount <= LARGEST_AMOUNT
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    assert -4 <= exponent <= 0


def test_amounts_do_not_hang_on_the_callers_context():
    with localcontext() as context:
        context.prec = 2
        assert told(Amount(), "123456.78000") == "123456.78"
        assert told(Amount(), "1.2345678e5") == "123456.78 (exponent_number)"
        assert told(Grams(), "123.456kg") == "123456"


# --- whole numbers, weights -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("0", "0"), ("12", "12"), ("+12", "12"), ("007", "7"), ("12.0", "12"), ("12.00", "12"),
        ("-0", "0"), ("-0.0", "0"),
        ("-3", "0 (negative_quantity)"), ("-3.0", "0 (negative_quantity)"),
        (str(LARGEST_WHOLE), str(LARGEST_WHOLE)), (str(LARGEST_WHOLE + 1), "too_large_number"),
        (FORTY_NINES, "too_large_number"), ("-" + FORTY_NINES, "too_large_number"),
        ("9" * 41, "not_a_whole_number"),
        ("12.5", "not_a_whole_number"), ("12.", "not_a_whole_number"),
        ("1e3", "not_a_whole_number"), ("1,000", "not_a_whole_number"),
        ("1_000", "not_a_whole_number"), ("１２", "not_a_whole_number"),
        ("٣", "not_a_whole_number"),
        ("NaN", "None"), ("1.000", "1 (thousands_or_decimals)"), ("1000.000", "1000"),
        ("999.000", "999 (thousands_or_decimals)"), ("0.000", "0"), ("012.000", "12"),
        ("inf", "not_a_whole_number"), ("12 pcs", "not_a_whole_number"),
        ("1\xa0", "not_a_whole_number"), (">10", "not_a_whole_number"),
    ],
)  # fmt: skip
def test_whole_numbers(text: str, meaning: str):
    assert told(Whole(), text) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("0", "0"), ("100", "100"), ("100.000", "100"), ("0.5", "0.5"), ("250g", "250"),
        ("250 G", "250"), ("1.5kg", "1500"),
        ("1.5 KG", "1500"), ("1lb", "453.592"), ("1 oz", "28.35"), ("2 LB", "907.185"),
        ("0.0004", "0"), ("0.0005", "0.001"),
        ("0.0015", "0.002"), ("0.0025", "0.003"), ("999999999999.999", "999999999999.999"),
        ("999999999999.9995", "too_large_number"), ("1000000000kg", "too_large_number"),
        ("999999999.999999kg", "999999999999.999"), ("2204622621.848lb", "999999999999.648"),
        ("999999999999.999999999lb", "too_large_number"),
        ("-1", "not_a_weight"), ("1e3", "not_a_weight"), ("1,5kg", "not_a_weight"),
        ("1  kg", "not_a_weight"), ("1\xa0kg", "not_a_weight"),
        ("1 \u212ag", "not_a_weight"), ("1kgs", "not_a_weight"), ("kg", "not_a_weight"),
        (".5", "not_a_weight"), ("5.", "not_a_weight"),
        ("1_000", "not_a_weight"), ("１", "not_a_weight"), ("NaN", "None"),
        ("9" * 13, "not_a_weight"), ("1mg", "not_a_weight"),
    ],
)  # fmt: skip
def test_weights(text: str, meaning: str):
    assert told(Grams(), text) == meaning


@given(st.from_regex(cells.GRAMS, fullmatch=True))
def test_a_weight_is_rounded_once_to_the_milligram(text: str):
    grams = read(Grams(), text)
    if grams == Misread("too_large_number"):
        return
    assert isinstance(grams, Decimal)
    matched = re.fullmatch(r"([0-9.]+) ?([a-z]*)", text.lower())
    assert matched
    unit = {"": "1", "g": "1", "kg": "1000", "lb": "453.59237", "oz": "28.349523125"}[matched[2]]
    exact = Fraction(matched[1]) * Fraction(unit)
    assert abs(Fraction(grams) - exact) <= Fraction(1, 2000)
    assert "E" not in str(grams)


# --- codes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("EUR", "EUR"), ("eur", "EUR"), ("dem", "DEM"),
        ("GBp", "GBp"), ("GBX", "GBp"), ("gbp", "GBP"), ("ZAC", "ZAr"), ("ZAc", "ZAr"),
        ("ila", "ILs"), ("p", "unknown_currency"), ("XYZ", "unknown_currency"),
        ("XTS", "unknown_currency"), ("€", "unknown_currency"),
        ("EURO", "unknown_currency"), ("EU", "unknown_currency"), ("E UR", "unknown_currency"),
        ("ＥＵＲ", "unknown_currency"),
        ("\ufb01m", "unknown_currency"), ("\u0131nr", "unknown_currency"),
        ("\x1cEUR", "unknown_currency"), ("EUR\x00", "unknown_currency"),
    ],
)  # fmt: skip
def test_currencies(text: str, meaning: str):
    assert told(CurrencyCode(), text) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("4006381333931", "4006381333931"), ("'4006381333931", "4006381333931"),
        ("96385074", "96385074"), ("036000291452", "036000291452"),
        ("00012345678905", "00012345678905"), ("4006381333930", "4006381333930 (gtin_check_digit)"),
        ("00000000", "00000000"),
        ("4.00638E+12", "not_a_gtin"), ("4006381333931.0", "not_a_gtin"),
        ("400638133393", "400638133393 (gtin_check_digit)"),
        ("40063813339", "not_a_gtin"), ("123456789", "not_a_gtin"),
        ("400638133393100", "not_a_gtin"), ("4006381-333931", "not_a_gtin"),
        ("４006381333931", "not_a_gtin"), ("400638133393X", "not_a_gtin"),
        ("''4006381333931", "not_a_gtin"), ("'", "not_a_gtin"), ("n/a", "None"),
    ],
)  # fmt: skip
def test_gtins(text: str, meaning: str):
    assert told(Gtin(), text) == meaning


def test_a_gtin_that_a_spreadsheet_rounded_is_refused_with_the_reason():
    reading = read(Gtin(), "4.00638E+12")
    assert isinstance(reading, Misread)
    assert "spreadsheet" in (reading.hint or "")


@given(
    st.sampled_from([8, 12, 13, 14]).flatmap(
        lambda n: st.text("0123456789", min_size=n, max_size=n)
    )
)
def test_check_digits_agree_with_the_published_formula(digits: str):
    # GS1: over fourteen places from the left, odd places thrice, even once; up to the next ten.
    padded = digits.zfill(14)
    odd, even = (sum(map(int, padded[begin:13:2])) for begin in (0, 1))
    assert gtin_fits(digits) == (int(padded[13]) == -(3 * odd + even) % 10)


@given(st.text("0123456789", min_size=13, max_size=13), st.integers(0, 12), st.integers(1, 9))
def test_any_one_digit_mistyped_is_noticed(digits: str, place: int, by: int):
    if gtin_fits(digits):
        wrong = str((int(digits[place]) + by) % 10)
        assert not gtin_fits(digits[:place] + wrong + digits[place + 1 :])


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("new", "new"), ("NEW", "new"), ("Pre-Owned", "used"), ("pre owned", "used"),
        ("PRE_OWNED", "used"), ("second\xa0hand", "used"),
        ("broken", "unknown_word"), ("ｎｅｗ", "unknown_word"), ("new.", "unknown_word"),
        ("-", "unknown_word"), ("new\x00", "unknown_word"),
    ],
)  # fmt: skip
def test_words(text: str, meaning: str):
    assert told(Word(CONDITIONS), text) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("In Stock", "in_stock"), ("in_stock", "in_stock"), ("OUT-OF-STOCK", "out_of_stock"),
        ("Sold out", "out_of_stock"),
        ("Pre-order", "preorder"), ("back order", "backorder"), ("end of life", "discontinued"),
        ("maybe", "unknown_word"), ("1", "unknown_word"),
    ],
)  # fmt: skip
def test_availabilities(text: str, meaning: str):
    assert told(Word(AVAILABILITIES), text) == meaning


def test_an_unknown_word_is_refused_with_the_known_ones():
    reading = read(Word(CONDITIONS), "?")
    assert reading == Misread("unknown_word", "Use one of: new, used, refurbished.")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("yes", "True"), ("Y", "True"), ("TRUE", "True"), ("1", "True"), ("no", "False"),
        ("n", "False"), ("False", "False"), ("0", "False"),
        ("on", "not_yes_or_no"), ("2", "not_yes_or_no"), ("１", "not_yes_or_no"),
        ("yes!", "not_yes_or_no"), ("ye\u017f", "not_yes_or_no"), ("_", "not_yes_or_no"),
    ],
)  # fmt: skip
def test_yes_or_no(text: str, meaning: str):
    assert told(YesNo(), text) == meaning


# --- texts ----------------------------------------------------------------------------------------


def test_texts_are_kept_as_sent_up_to_their_length():
    assert read(Text(3), "äöü") == "äöü"
    assert read(Text(3), "a\nb") == "a\nb"
    assert read(Text(3), "📦📦📦") == "📦📦📦"
    assert told(Text(3), "abcd") == "too_long"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("A", "A"), ("A > B", "A > B"), ("A>B>C", "A > B > C"), (" A\xa0>\xa0B ", "A > B"),
        ("A >> B", "A > B"), ("> A >", "A"),
        ("A › B", "A › B"), (">", "None"), (" > > ", "None"), ("A" * 1000, "A" * 1000),
        ("A" * 1001, "too_long"),
    ],
)  # fmt: skip
def test_categories(text: str, meaning: str):
    assert told(Category(), text) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Colour: Red", "Colour: Red"), ("Colour:Red", "Colour: Red"),
        ("Colour:Red;Size:42", "Colour: Red; Size: 42"),
        ("Colour : Red ; Size : 42 ;", "Colour: Red; Size: 42"), ("Time: 12:30", "Time: 12:30"),
        ("Größe:\xa0L", "Größe: L"),
        ("Colour", "not_options"), ("Colour:", "not_options"), (": Red", "not_options"),
        ("Colour: ;", "not_options"), (" : x", "not_options"),
        ("Colour: Red;;", "not_options"), ("Colour: Red; Size", "not_options"),
        (";", "not_options"), ("a:\x00", "not_options"),
        ("; ".join(f"n{i}: {i}" for i in range(10)), "; ".join(f"n{i}: {i}" for i in range(10))),
        ("; ".join(f"n{i}: {i}" for i in range(11)), "not_options"),
        ("n" * 100 + ":" + "v" * 500, "n" * 100 + ": " + "v" * 500),
        ("n" * 101 + ":v", "not_options"), ("n:" + "v" * 502, "not_options"),
    ],
)  # fmt: skip
def test_options(text: str, meaning: str):
    assert told(Options(), text) == meaning


@pytest.mark.parametrize(
    ("cell", "sku"),
    [
        ("A", "A"), (" A ", "A"), ("\ufeffA\xa0", "A"), ("'007", "007"), (" ' 007 ", "007"),
        ("''7", "'7"), ("7'", "7'"), ("a b", "a b"), ("a\nb", "a\nb"),
        ("x" * LONGEST_SKU, "x" * LONGEST_SKU), ("'" + "x" * LONGEST_SKU, "x" * LONGEST_SKU),
        ("x" * (LONGEST_SKU + 1), None),
        ("", None), (" ", None), ("'", None), (" ' ", None), ("A\0", None), ("\0", None),
    ],
)  # fmt: skip
def test_skus(cell: str, sku: str | None):
    assert read_sku(cell) == sku


@given(st.text())
def test_a_sku_read_is_trimmed_and_reads_as_itself(cell: str):
    sku = read_sku(cell)
    if sku is not None and not sku.startswith("'"):
        assert read_sku(sku) == sku
    assert sku is None or (sku.strip(BLANKS) == sku and 1 <= len(sku) <= LONGEST_SKU)


# --- moments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("2026-03-31", "2026-03-30 22:00"), ("2026-01-31", "2026-01-30 23:00"),
        ("2024-02-29", "2024-02-28 23:00"),
        ("2026-03-31T18:00", "2026-03-31 16:00"), ("2026-03-31 18:00:00", "2026-03-31 16:00"),
        ("2026-03-31T18:00Z", "2026-03-31 18:00"),
        ("2026-03-31T18:00+0530", "2026-03-31 12:30"),
        ("2026-03-31T18:00-05:30", "2026-03-31 23:30"),
        ("2026-03-31T18:00+23:59", "2026-03-30 18:01"),
        ("2026-03-29T02:30", "2026-03-29 01:30"), ("2026-10-25T02:30", "2026-10-25 00:30"),
        ("0001-01-02T00:00Z", "0001-01-02 00:00"), ("9999-12-31T23:59Z", "9999-12-31 23:59"),
        ("0000-01-01", "not_a_time"), ("0001-01-01", "not_a_time"),
        ("0001-01-01T00:00+01:00", "not_a_time"), ("9999-12-31T23:59-00:01", "not_a_time"),
        ("2026-02-29", "not_a_time"), ("2026-13-01", "not_a_time"), ("2026-00-10", "not_a_time"),
        ("2026-01-00", "not_a_time"), ("2026-01-32", "not_a_time"),
        ("2026-03-31T24:00", "2026-03-31 22:00"), ("2026-03-31T24:00:00Z", "2026-04-01 00:00"),
        ("2026-12-31T240000,0Z", "2027-01-01 00:00"), ("9999-12-31T24:00Z", "not_a_time"),
        ("2026-03-31T24:01", "not_a_time"), ("2026-03-31T24:00:00.1Z", "not_a_time"),
        ("2026-03-31T23:60", "not_a_time"), ("2026-03-31T23:59:60Z", "not_a_time"),
        ("2026-03-31T18:00+24:00", "not_a_time"), ("2026-03-31T18:00+05:60", "not_a_time"),
        ("2026-03-31T18:00+5", "not_a_time"),
        ("2026-03-31T18:00+05", "2026-03-31 13:00"), ("2026-03-31T18", "2026-03-31 16:00"),
        ("2026-03-31Z", "not_a_time"), ("2026-03-31t18:00z", "2026-03-31 18:00"),
        ("2026-03-31T18:00:00.1234567Z", "2026-03-31 18:00"),
        ("2026-03-31T18:00:00,5Z", "2026-03-31 18:00"),
        ("20260331T180000Z", "2026-03-31 18:00"), ("20260331T1800-0130", "2026-03-31 19:30"),
        ("2026-03-31 18:00:00 UTC", "2026-03-31 18:00"),
        ("2026-03-31 18:00:00 +0100", "2026-03-31 17:00"),
        ("20260331", "2026-03-30 22:00"), ("2026-W14-2", "2026-03-30 22:00"),
        ("2026W142T18Z", "2026-03-31 18:00"), ("2026-090", "2026-03-30 22:00"),
        ("2024-366T00:00Z", "2024-12-31 00:00"), ("2026-366", "not_a_time"),
        ("2026-000", "not_a_time"), ("2026-W54-1", "not_a_time"), ("2026-W00-1", "not_a_time"),
        ("2026-W14-8", "not_a_time"), ("2026-W14", "not_a_time"), ("2026-03", "not_a_time"),
        ("2026090", "not_a_time"), ("2026-03-31T25:00", "not_a_time"),
        ("31.03.2026", "not_a_time"), ("03/31/2026", "not_a_time"), ("２０26-03-31", "not_a_time"),
        ("2026-03-31\n", "not_a_time"), ("-026-03-31", "not_a_time"),
        ("2026-03-31T18:00 Z", "2026-03-31 18:00"), ("2026-03-31T18:00  Z", "not_a_time"),
        ("now", "not_a_time"), ("1774980000", "not_a_time"),
        ("NaT", "None"), ("12026-01-01", "not_a_time"),
    ],
)  # fmt: skip
def test_moments(text: str, meaning: str):
    reading = read(Instant(), text)
    shown = (
        reading.isoformat(" ", "minutes")
        if isinstance(reading, datetime)
        else told(Instant(), text)
    )
    assert shown.removesuffix("+00:00") == meaning


@pytest.mark.parametrize(
    ("zone", "text", "meaning"),
    [
        ("Europe/Berlin", "2030-11-29", "2030-11-29T23:00:00+00:00"),
        ("UTC", "20301231", "2031-01-01T00:00:00+00:00"),
        ("UTC", "2030-365", "2031-01-01T00:00:00+00:00"),
        ("America/New_York", "2026-11-01", "2026-11-02T05:00:00+00:00"),
        ("America/New_York", "2026-03-08", "2026-03-09T04:00:00+00:00"),
        ("America/Sao_Paulo", "2018-11-03", "2018-11-04T03:00:00+00:00"),
        ("Europe/Berlin", "2030-11-29T00:00", "2030-11-28T23:00:00+00:00"),
        ("Europe/Berlin", "2030-11-29T24:00", "2030-11-29T23:00:00+00:00"),
    ],
)
def test_what_ends_on_a_bare_date_ends_with_that_day_in_the_partners_zone(
    zone: str, text: str, meaning: str
):
    ending = reader_of(Instant(ends=True), ZoneInfo(zone))(text)
    assert ending == datetime.fromisoformat(meaning)


def test_the_last_day_of_all_has_no_end():
    assert told(Instant(ends=True), "9999-12-31") == "not_a_time"


def test_parts_of_a_second_are_kept():
    assert read(Instant(), "2026-03-31T18:00:00.1Z") == datetime(
        2026, 3, 31, 18, 0, 0, 100_000, UTC
    )
    assert read(Instant(), "2026-03-31T18:00:00.123456Z") == datetime(
        2026, 3, 31, 18, 0, 0, 123_456, UTC
    )


@pytest.mark.parametrize(
    ("zone", "text", "meaning"),
    [
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00+00:00"),
        ("Atlantic/Azores", "2025-10-26", "2025-10-26T00:00:00+00:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00"),
    ],
)
def test_a_date_alone_is_its_first_moment_also_where_midnight_is_skipped_or_comes_twice(
    zone: str, text: str, meaning: str
):
    assert reader_of(Instant(), ZoneInfo(zone))(text) == datetime.fromisoformat(meaning)


@given(
    st.from_regex(INSTANT, fullmatch=True),
    st.sampled_from(ZONES),
)
def test_what_looks_like_a_moment_is_one_in_utc_or_refused(text: str, zone: str):
    reading = reader_of(Instant(), ZoneInfo(zone))(text)
    assert isinstance(reading, Misread) or (
        isinstance(reading, datetime) and reading.utcoffset() == timedelta(0)
    )


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "http://a", "https://example.com/a?b=c#d", "HTTPS://EXAMPLE.COM",
        "https://example.com:8080/", "https://münchen.example/ü",
        "https://user:pw@example.com/", "http://[::1]/", "https://example.com/a,b;c=d&e=%20",
        "https://例え.テスト/道", "http://a/" + "b" * (LONGEST_URL - 9),
    ],
)  # fmt: skip
def test_addresses_are_kept_as_sent(text: str):
    assert read(Url(), text) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://", "https:///path", "http://?q", "http://#f", "ftp://example.com", "example.com",
        "//example.com", "javascript:alert(1)",
        "http:/example.com", "http//example.com", "https://a b", "https://a|b", "https://a/\tb",
        "https://a/\nb", "https://a\xa0b", "https://a/\u2003b",
        "https://a/\u200bb", "https://a{b}", "https://<a>/",
        "https://a/\x00", "https://a/\x7f", "http\u017f://a", "ｈttp://a", " https://a",
        "data:text/html,x", "https://\\\\a",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str):
    assert told(Url(), text) == "not_a_url"


def test_an_address_has_a_length():
    assert told(Url(), "http://a/" + "b" * (LONGEST_URL - 8)) == "too_long"


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("https://a", ("https://a",)),
        ("https://a,https://b", ("https://a", "https://b")),
        ("https://a , https://b\thttps://c\xa0HTTP://d,", ("https://a", "https://b", "https://c", "HTTP://d")),
        ("https://a/w_300,h_200/x,https://b", ("https://a/w_300,h_200/x", "https://b")),
        (",https://a,,https://b,", ("https://a", "https://b")),
    ],
)  # fmt: skip
def test_several_addresses(text: str, urls: tuple[str, ...]):
    assert read(Urls(), text) == urls


def test_several_addresses_are_at_most_twenty_and_each_is_one():
    many = [f"https://a/{number}" for number in range(MOST_URLS + 1)]
    assert read(Urls(), " ".join(many[:-1])) == tuple(many[:-1])
    assert told(Urls(), " ".join(many)) == "too_many_urls"
    assert told(Urls(), "https://a b,https://c") == "not_a_url"
    assert told(Urls(), ",") == "not_a_url"
    assert told(Urls(), "https://a/" + "b" * LONGEST_URL) == "too_long"


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ('{"colour": "red", "fit": ""}', {"colour": "red", "fit": ""}),
        ("{}", {}),
        ('{"n": 1}', Misread("not_attributes")),
        ('["red"]', Misread("not_attributes")),
        ("red", Misread("not_attributes")),
        ("[" * 100_000, Misread("not_attributes")),
        ('{"a": "\\ud800"}', Misread("not_attributes")),
    ],
)
def test_attributes_are_an_object_of_texts(text: str, reading: Reading):
    assert read(Attributes(), text) == reading


# --- all kinds ------------------------------------------------------------------------------------


def test_every_field_has_a_kind_that_is_read_here():
    assert {type(field.kind) for field in FIELDS} == {type(kind) for kind in ALL_KINDS}


nasty = st.text(
    st.sampled_from("0123456789+-.,eE:;>TZ/ '\"\t\n\xa0\u2028٣１Ａ_kglboz\0htps#?\ud800"),
    max_size=60,
)


@given(st.sampled_from(ALL_KINDS), st.text() | nasty)
def test_no_text_raises_and_every_problem_has_a_public_code(kind: Kind, text: str):
    reading = read(kind, text)
    if isinstance(reading, Misread):
        assert PROBLEMS[reading.code][0] == "error"
    elif isinstance(reading, Warned):
        assert PROBLEMS[reading.code][0] == "warning"


# --- blanks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_what_databases_write_for_no_value_is_blank_in_every_kind(kind: Kind):
    assert [read(kind, mark) for mark in MARKS] == [None, None]


@pytest.mark.parametrize("word", ["none", "N/A", "-", "\u2014", "nil", "NaN", "n.a."])
@pytest.mark.parametrize("kind", [Amount(), Grams(), Gtin(), Instant(), Url(), Urls(), Category()])
def test_what_people_write_for_no_value_is_blank_where_nothing_else_can_be_meant(
    kind: Kind, word: str
):
    assert read(kind, word) is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Whole(), ("none", "N/A", "-")),
        (Word(AVAILABILITIES), ("none", "N/A", "-", "nan")),
        (CurrencyCode(), ("N/A", "-")),
        (YesNo(), ("-", "n/a")),
    ],
)
def test_a_word_that_could_mean_sold_out_or_another_currency_is_refused(
    kind: Kind, words: tuple[str, ...]
):
    assert all(isinstance(read(kind, word), Misread) for word in words)


def test_in_a_text_any_word_is_a_text():
    for word in ("None", "N/A", "-", "null", "Nil"):
        assert read(Text(10), word) == word


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!"])
def test_what_a_spreadsheet_could_not_compute_is_blank_or_refused_but_never_a_value(error: str):
    for kind in (Text(10), Gtin(), Url(), Category(), Grams()):
        assert told(kind, error) == "None (spreadsheet_error_ignored)"
    for kind in (Amount(), Whole(), Instant(), Word(CONDITIONS), CurrencyCode(), YesNo()):
        assert told(kind, error) == "spreadsheet_error"


def test_words_for_blank_are_short():
    """Faster engines look no further than that."""
    assert max(len(word) for kind in ALL_KINDS for word in blank_words(kind)) <= LONGEST_BLANK_WORD


NUMERIC: tuple[Kind, ...] = (Amount(), Whole(), Grams(), Gtin(), CurrencyCode(), Instant())


@given(st.sampled_from(NUMERIC), st.text(min_size=1).filter(lambda text: not text.isascii()))
def test_numbers_codes_and_moments_are_ascii_only(kind: Kind, text: str):
    cell = text.strip(BLANKS) or "٣"
    assert isinstance(read(kind, cell), Misread) or is_blank_word(kind, cell)


MIRRORED: tuple[tuple[Kind, st.SearchStrategy[str]], ...] = (
    (Amount(), st.from_regex(cells.NUMBER, fullmatch=True)),
    (Whole(), st.from_regex(cells.WHOLE, fullmatch=True)),
    (Grams(), st.from_regex(cells.GRAMS, fullmatch=True)),
    (Category(), st.text("aB >\xa0", min_size=1)),
    (Options(), st.from_regex(cells.OPTIONS, fullmatch=True)),
    (Url(), st.from_regex(cells.URL, fullmatch=True)),
)


@pytest.mark.parametrize(
    ("kind", "texts"), MIRRORED, ids=["amount", "whole", "grams", "category", "options", "url"]
)
@given(data=st.data())
def test_a_value_written_out_and_read_again_is_the_same(
    kind: Kind, texts: st.SearchStrategy[str], data: st.DataObject
):
    value = read(kind, data.draw(texts).strip(BLANKS))
    if not isinstance(value, Misread | Warned | None):
        assert read(kind, str(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "x" + " " * (LONGEST_CELL - 2) + "x",
        "https://a" + ", " * (LONGEST_CELL // 2 - 10) + "x",
        "9" * LONGEST_CELL,
        "1." + "0" * (LONGEST_CELL - 2),
        "a:b;" * (LONGEST_CELL // 4),
        ":" * LONGEST_CELL,
        ">" * LONGEST_CELL,
        "https://" * (LONGEST_CELL // 8),
    ],
    ids=["blanks", "commas", "nines", "zeros", "options", "colons", "steps", "schemes"],
)
def test_the_longest_cells_are_read_in_no_time(text: str):
    for kind in ALL_KINDS:
        assert_effort(partial(read, kind, text), 2_000)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("https://a/b c\xa0d", "https://a/b%20c%C2%A0d"),
        ("https://a/{b}|^`?q=<x>", "https://a/%7Bb%7D%7C%5E%60?q=%3Cx%3E"),
        ('https://a/"\\', "https://a/%22%5C"),
        ("https://a/[b]/ü", "https://a/[b]/ü"),
        ("https://a/b%20c", "https://a/b%20c"),
    ],
)
def test_what_may_not_stand_in_the_path_of_an_address_is_escaped(text: str, escaped: str):
    assert told(Url(), text) == escaped
    assert told(Urls(), f"{text}, https://b") == str((escaped, "https://b"))


@pytest.mark.parametrize("between", [" ", ",", ", ", ";", " | ", "\n"])
def test_of_several_addresses_where_one_is_wanted_the_first_counts_with_a_warning(between: str):
    assert told(Url(), f"https://a/1{between}https://a/2") == "https://a/1 (several_urls)"
    assert told(Urls(), f"https://a/1{between}https://a/2") == str(("https://a/1", "https://a/2"))
    assert told(Url(), f"https://a b/1{between}https://a/2") == "not_a_url"
