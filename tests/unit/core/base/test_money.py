"""Money: decimals of each currency, the one rounding, and splits that add up."""

from decimal import Decimal, localcontext
from fractions import Fraction

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import InvalidInput
from commerce_core.base.money import (
    LARGEST_AMOUNT,
    Currency,
    apportion,
    currencies,
    currency,
    find_currency,
)

PUBLISHED = {each.code: each.exponent for each in iso4217.Currency}
# Metals, units of account, the codes for testing and for nothing: nobody pays in them.
NOT_MONEY = {
    "XAU", "XAG", "XPT", "XPD", "XBA", "XBB", "XBC", "XBD", "XDR", "XSU", "XUA", "XTS", "X" * 3,
}  # fmt: skip
EUR, JPY, KWD = (Currency("EUR", 2), Currency("JPY", 0), Currency("KWD", 3))

amounts = st.decimals(0, LARGEST_AMOUNT, places=4)
weights = st.lists(st.decimals(0, LARGEST_AMOUNT, places=4), min_size=1, max_size=30)
any_decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda number: abs(number.adjusted()) < 60
)


@pytest.mark.parametrize("code", sorted(PUBLISHED.keys() - NOT_MONEY))
def test_current_currencies_have_the_decimals_that_iso_publishes(code: str):
    assert currency(code) == Currency(code, PUBLISHED[code] or 0)


def test_what_is_no_longer_published_is_historic_and_known():
    historic = currencies().keys() - PUBLISHED.keys()
    assert {"DEM", "ITL", "FRF", "HRK", "ZWL", "TMM"} <= historic
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in historic)


def test_metals_and_test_codes_are_no_currencies():
    assert not NOT_MONEY & currencies().keys()


@pytest.mark.parametrize("text", ["eur", " EUR ", "Eur", "\tEUR\n"])
def test_a_code_is_found_in_any_case_and_between_blanks(text: str):
    assert currency(text) == EUR


@pytest.mark.parametrize(
    "text", ["", "EU", "EURO", "€", "XTS", "E UR", "ＥＵＲ", "\ufb01m", "\u0131nr", "EUR\0"]
)
def test_other_texts_are_refused_with_the_reason(text: str):
    assert find_currency(text) is None
    with pytest.raises(InvalidInput) as refused:
        currency(text)
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/currency", "unknown_currency")


def test_the_table_given_away_is_a_copy():
    currencies().clear()
    assert currency("EUR") == EUR


@pytest.mark.parametrize(
    ("money", "amount", "rounded"),
    [
        (EUR, "1.005", "1.01"),
        (EUR, "1.004999", "1.00"),
        (EUR, "1.015", "1.02"),
        (EUR, "-1.005", "-1.01"),
        (EUR, "80", "80.00"),
        (JPY, "0.5", "1"),
        (JPY, "1.5", "2"),
        (JPY, "80", "80"),
        (KWD, "80", "80.000"),
        (KWD, "0.0005", "0.001"),
    ],
)
def test_halves_are_rounded_away_from_zero_and_decimals_shown(
    money: Currency, amount: str, rounded: str
):
    assert str(money.round(Decimal(amount))) == rounded


@pytest.mark.parametrize(("money", "zero"), [(EUR, "0.00"), (JPY, "0"), (KWD, "0.000")])
def test_nothing_is_shown_with_the_decimals_of_the_currency(money: Currency, zero: str):
    assert str(money.zero) == zero


@given(any_decimals, st.sampled_from([EUR, JPY, KWD]))
def test_rounding_is_within_half_a_unit_for_any_amount(amount: Decimal, money: Currency):
    rounded = money.round(amount)
    assert abs(Fraction(rounded) - Fraction(amount)) * 2 * 10**money.exponent <= 1
    assert money.is_exact(amount) == (Fraction(rounded) == Fraction(amount))
    assert money.is_exact(rounded)


def test_rounding_does_not_hang_on_the_callers_context():
    with localcontext() as context:
        context.prec = 3
        assert EUR.round(Decimal("123456.785")) == Decimal("123456.79")


@given(amounts, weights, st.sampled_from([EUR, JPY, KWD]))
def test_parts_add_up_and_none_is_a_unit_off_its_share(
    total: Decimal, shared_by: list[Decimal], money: Currency
):
    total = money.round(total)
    parts = money.allocate(total, shared_by)
    assert sum(parts) == total
    assert len(parts) == len(shared_by)
    whole = sum(shared_by)
    for part, weight in zip(parts, shared_by, strict=True):
        share = Fraction(weight) / Fraction(whole) if whole else Fraction(1, len(parts))
        assert abs(Fraction(part) - Fraction(total) * share) * 10**money.exponent < 1
        assert money.is_exact(part)


@given(any_decimals, st.lists(any_decimals, min_size=1, max_size=8), st.integers(0, 4))
def test_parts_add_up_whatever_the_weights(total: Decimal, shared_by: list[Decimal], decimals: int):
    total = Currency("XYZ", decimals).round(total)
    parts = apportion(total, shared_by, decimals)
    assert sum(map(Fraction, parts)) == Fraction(total)


def test_units_left_over_go_to_the_largest_remainder_and_among_equals_to_the_first():
    third = [Decimal(1)] * 3
    assert list(map(str, EUR.allocate(Decimal(100), third))) == ["33.34", "33.33", "33.33"]
    assert list(map(str, JPY.allocate(Decimal(100), third))) == ["34", "33", "33"]
    uneven = [Decimal(1), Decimal(5), Decimal(1)]
    assert list(map(str, JPY.allocate(Decimal(10), uneven))) == ["2", "7", "1"]


@pytest.mark.parametrize("shared_by", [["0", "0"], ["-1", "1"], ["-3", "1"]])
def test_weights_that_come_to_nothing_count_as_equal(shared_by: list[str]):
    parts = EUR.allocate(Decimal("0.03"), list(map(Decimal, shared_by)))
    assert parts == [Decimal("0.02"), Decimal("0.01")]


def test_nothing_is_split_into_no_parts():
    assert EUR.allocate(Decimal(1), []) == []
