"""The partner's own price of a unit: the list price, or the sale price within its window."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.pricing.price import PartnerPrice, next_sale_change, partner_price
from tests.unit.core.pricing.shop import product

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
MOMENT = timedelta.resolution
CHAIR = product("A", "10.00")


def test_without_a_sale_a_unit_costs_its_list_price():
    priced = partner_price(CHAIR, NOW)
    assert priced == PartnerPrice("EUR", Decimal("10.00"), Decimal("10.00"))
    assert not priced.on_sale


def test_a_sale_leaves_the_list_price():
    priced = partner_price(evolve(CHAIR, sale_price=Decimal("8.50")), NOW)
    assert priced == PartnerPrice("EUR", Decimal("10.00"), Decimal("8.50"))
    assert priced.on_sale


@pytest.mark.parametrize(
    ("starts", "ends", "runs"),
    [
        (None, None, True),
        (NOW, None, True),
        (NOW + MOMENT, None, False),
        (None, NOW, False),
        (None, NOW + MOMENT, True),
        (NOW, NOW + MOMENT, True),
        (NOW - MOMENT, NOW, False),
        (NOW + MOMENT, NOW - MOMENT, False),
    ],
)
def test_a_sale_runs_from_its_start_and_no_longer_at_its_end(
    starts: datetime | None, ends: datetime | None, runs: bool
):
    on_sale = evolve(CHAIR, sale_price=Decimal(8), sale_starts_at=starts, sale_ends_at=ends)
    assert partner_price(on_sale, NOW).unit_price == (8 if runs else 10)


def test_the_next_change_is_a_start_or_an_end_that_is_still_to_come():
    on_sale = evolve(CHAIR, sale_price=Decimal(8), sale_starts_at=NOW, sale_ends_at=NOW + MOMENT)
    assert next_sale_change(on_sale, NOW - MOMENT) == NOW
    assert next_sale_change(on_sale, NOW) == NOW + MOMENT
    assert next_sale_change(on_sale, NOW + MOMENT) is None
    assert next_sale_change(evolve(on_sale, sale_price=None), NOW - MOMENT) is None


@pytest.mark.parametrize("sale", ["10.00", "10.01", "999", "9.996", "0", "0.004"])
def test_a_sale_that_is_no_cheaper_or_nothing_once_rounded_is_none(sale: str):
    assert not partner_price(evolve(CHAIR, sale_price=Decimal(sale)), NOW).on_sale


@pytest.mark.parametrize(
    ("code", "shown"), [("EUR", "10.00"), ("JPY", "10"), ("KWD", "10.000"), ("CLF", "10.0000")]
)
def test_prices_show_the_decimals_of_their_currency(code: str, shown: str):
    priced = partner_price(evolve(CHAIR, price=Decimal(10), currency=code), NOW)
    assert str(priced.unit_price) == shown


@pytest.mark.parametrize("lacking", [{"price": None}, {"currency": None}])
def test_what_has_no_price_cannot_be_priced(lacking: dict[str, None]):
    with pytest.raises(ValueError, match="prod_p1_A"):
        partner_price(evolve(CHAIR, **lacking), NOW)


cents = st.integers(0, 10**14).map(lambda number: Decimal(number).scaleb(-2))


@given(cents, st.none() | cents)
def test_the_unit_price_is_the_lower_of_list_price_and_sale_price(
    listed: Decimal, sale: Decimal | None
):
    """A sale price of 0 is none, since nothing is sold for 0."""
    priced = partner_price(evolve(CHAIR, price=listed, sale_price=sale), NOW)
    assert priced.unit_price == min(listed, sale or listed)
