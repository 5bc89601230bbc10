"""What a unit costs, and the explanation that always comes to it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.catalog.product import Product
from commerce_core.pricing.price import FEED_RULES, Adjustment, Price, Rule, price

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
MOMENT = timedelta.resolution
CHAIR = Product(
    product_id="prod_1",
    partner_id="p1",
    partner_name="Partner",
    source_id="main",
    sku="A",
    product_name="Chair",
    price=Decimal("10.00"),
    currency="EUR",
    feed_id="feed",
    line=2,
    publication_id="pub",
    created_at=NOW,
    updated_at=NOW,
)


def test_without_a_sale_a_unit_costs_its_list_price():
    assert price(CHAIR, NOW) == Price("EUR", Decimal("10.00"), Decimal("10.00"))


def test_a_sale_is_explained_as_the_difference_from_the_list_price():
    on_sale = evolve(CHAIR, sale_price=Decimal("8.50"))
    assert price(on_sale, NOW) == Price(
        "EUR",
        Decimal("10.00"),
        Decimal("8.50"),
        (Adjustment("sale", "Partner's sale price", Decimal("-1.50")),),
    )


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
    assert price(on_sale, NOW).unit_price == (8 if runs else 10)


@pytest.mark.parametrize("sale", ["10.00", "10.01", "999"])
def test_a_sale_that_is_no_cheaper_is_none(sale: str):
    assert price(evolve(CHAIR, sale_price=Decimal(sale)), NOW).adjustments == ()


@pytest.mark.parametrize(
    ("code", "shown"), [("EUR", "10.00"), ("JPY", "10"), ("KWD", "10.000"), ("CLF", "10.0000")]
)
def test_prices_show_the_decimals_of_their_currency(code: str, shown: str):
    assert str(price(evolve(CHAIR, price=Decimal(10), currency=code), NOW).unit_price) == shown


@pytest.mark.parametrize("lacking", [{"price": None}, {"currency": None}])
def test_what_has_no_price_cannot_be_priced(lacking: dict[str, None]):
    with pytest.raises(ValueError, match="prod_1"):
        price(evolve(CHAIR, **lacking), NOW)


def test_each_rule_is_applied_to_what_the_one_before_left():
    half = Rule("half", "Half price", lambda _, left, __: left / 2)
    third = Rule("third", "A third off", lambda _, left, __: left * 2 / 3)
    never = Rule("never", "Never", lambda *_: None)
    explained = price(CHAIR, NOW, (half, never, third))
    assert explained.unit_price == Decimal("3.33")
    assert [(a.reason, a.amount) for a in explained.adjustments] == [
        ("half", Decimal("-5.00")),
        ("third", Decimal("-1.67")),
    ]


cents = st.integers(0, 10**14).map(lambda number: Decimal(number).scaleb(-2))


@given(cents, st.none() | cents)
def test_the_steps_come_from_the_list_price_to_the_unit_price(
    listed: Decimal, sale: Decimal | None
):
    explained = price(evolve(CHAIR, price=listed, sale_price=sale), NOW, FEED_RULES)
    steps = sum((step.amount for step in explained.adjustments), Decimal(0))
    assert explained.list_price + steps == explained.unit_price
    assert explained.unit_price == min(listed, sale if sale is not None else listed)
