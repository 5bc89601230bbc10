"""Timelines: what a product cost and when it could be bought, from its versions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import Malformed
from commerce_core.catalog.product import Product
from commerce_core.history.timelines import (
    MOST_DAYS,
    PriceHistory,
    availabilities,
    check_days,
    price_history,
    prices,
)
from commerce_core.pricing.price import partner_price
from commerce_core.usecases import history as commerce_history
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.contracts.samples import DAY, T0

OFFER = Product(
    product_id="prod_1",
    partner_id="ptn_1",
    partner_name="Acme",
    source_id="src_1",
    sku="A-1",
    product_name="Lamp",
    price=Decimal("100.00"),
    currency="EUR",
    feed_id="feed_1",
    line=2,
    publication_id="pub_1",
    created_at=T0,
    updated_at=T0,
)


def version(day: int, cost: str | None = "100.00", **changes: object) -> Product:
    amount = None if cost is None else Decimal(cost)
    return evolve(OFFER, price=amount, updated_at=T0 + day * DAY, **changes)


def lowest(
    versions: Sequence[Product], *, before: int | None = None, now: int = 100
) -> tuple[str, int] | None:
    """The lowest price of thirty days, and the day on which it began to be in force in them."""
    found = history(versions, before=before, now=now).lowest
    return found and (str(found.unit_price), (found.since - T0) // DAY)


def history(
    versions: Sequence[Product], *, before: int | None = None, now: int = 100
) -> PriceHistory:
    at = None if before is None else T0 + before * DAY
    return price_history("prod_1", prices(versions), at, 30, T0 + now * DAY)


def test_a_reduction_is_compared_with_what_was_asked_before_it():
    """Unless another moment is named, it is the begin of the present price; that doesn't count."""
    versions = [version(0), version(40, "80.00"), version(50, "95.00"), version(60, "70.00")]
    assert lowest(versions) == ("80.00", 40)
    assert history(versions).before == T0 + 60 * DAY


def test_a_price_that_began_earlier_counts_from_the_first_day_on():
    versions = [version(0, "90.00"), version(60, "95.00"), version(80, "85.00")]
    assert lowest(versions) == ("90.00", 50)
    assert lowest(versions, before=91) == ("85.00", 80)
    assert lowest(versions, before=90) == ("85.00", 80)
    assert lowest(versions, before=80) == ("90.00", 50)


def test_a_price_that_ended_as_the_days_began_is_out_of_them():
    versions = [version(0, "10.00"), version(30, "95.00"), version(60, "90.00")]
    assert lowest(versions) == ("95.00", 30)


def test_a_sale_counts_while_it_runs():
    """Its window cuts the time of a version, whenever the feed that told of it came."""
    sale = {
        "sale_price": Decimal("60.00"),
        "sale_starts_at": T0 + 10 * DAY,
        "sale_ends_at": T0 + 20 * DAY,
    }
    periods = prices([version(0, **sale)])
    assert [(str(p.unit_price), p.on_sale) for p in periods] == [
        ("100.00", False),
        ("60.00", True),
        ("100.00", False),
    ]
    assert [p.since for p in periods] == [T0, T0 + 10 * DAY, T0 + 20 * DAY]
    assert lowest([version(0, **sale)], now=15) == ("100.00", 0)
    assert lowest([version(0, **sale)], now=25) == ("60.00", 10)
    assert lowest([version(0, **sale)], now=5) is None


@pytest.mark.parametrize(
    "away",
    [version(40, "1.00", status="removed"), version(40, None, currency=None), version(40, "0.00")],
)
def test_what_was_not_offered_has_no_price(away: Product):
    """While removed, unpriced or at 0 nobody could pay that price, so it isn't the lowest."""
    versions = [version(0), away, version(50, "95.00")]
    assert lowest(versions, before=60) == ("95.00", 50)
    assert lowest(versions, before=50) == ("100.00", 20)
    assert lowest([away]) is None


def test_prices_compare_within_a_currency():
    versions = [version(0, "10.00", currency="KWD"), version(10, "30.00"), version(20, "40.00")]
    assert lowest(versions) == ("30.00", 10)


def test_out_of_stock_is_offered_all_the_same():
    versions = [version(0, "50.00", quantity=0), version(10, "60.00")]
    assert lowest(versions) == ("50.00", 0)


def test_a_product_without_a_past_has_no_lowest_price():
    assert price_history("prod_1", [], None, 30, T0).lowest is None


def test_versions_that_cost_the_same_are_one_period():
    versions = [version(0), version(1, brand="New"), version(2, quantity=3), version(3, "90.00")]
    assert len(prices(versions)) == 2
    assert prices(versions)[0].until == T0 + 3 * DAY


def test_availability_is_a_list_of_periods():
    """Neighbours that say the same are one, and units on open orders are no part of the past."""
    versions = [
        version(0, quantity=5),
        version(1, quantity=3, reserved=3),
        version(2, quantity=0),
        version(3, status="removed"),
    ]
    periods = availabilities(versions)
    assert [(p.sellable, p.not_sellable_reason) for p in periods] == [
        (True, None),
        (False, "out_of_stock"),
        (False, "removed"),
    ]
    assert [p.until for p in periods] == [T0 + 2 * DAY, T0 + 3 * DAY, None]


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1])
def test_one_looks_back_for_a_number_of_days(days: int):
    with pytest.raises(Malformed):
        check_days(days)
    assert check_days(1) == 1
    assert check_days(MOST_DAYS) == MOST_DAYS


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["8.00", "9.00", "10.00", None]),
            st.sampled_from([None, "5.00", "9.00", "20.00"]),
            st.none() | st.integers(-2, 40),
            st.none() | st.integers(-2, 40),
            st.sampled_from(["active", "active", "removed"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_periods_say_of_every_moment_what_a_sale_would_have_cost(told: list[tuple[Any, ...]]):
    """Without a gap or an overlap, and as the pricing of orders would have it at that moment."""
    versions = [
        version(
            5 * number, cost, sale_price=sale and Decimal(str(sale)),
            sale_starts_at=None if starts is None else T0 + starts * DAY,
            sale_ends_at=None if ends is None else T0 + ends * DAY, status=status,
        )
        for number, (cost, sale, starts, ends, status) in enumerate(told)
    ]  # fmt: skip
    periods = prices(versions)
    assert periods[0].since == T0
    assert periods[-1].until is None
    assert all(one.until == other.since for one, other in pairwise(periods))
    for half in range(90):
        at = T0 + half * timedelta(hours=12)
        (period,) = [p for p in periods if p.since <= at and (p.until is None or at < p.until)]
        assert period.unit_price == cost_at(versions, at)


def cost_at(versions: Sequence[Product], at: datetime) -> Decimal | None:
    then = [one for one in versions if one.updated_at <= at][-1]
    if then.status == "removed" or then.price is None:
        return None
    return partner_price(then, at).unit_price


def test_a_timeline_is_made_of_the_newest_versions(monkeypatch: pytest.MonkeyPatch):
    """As many as there may be, and not one more, however many a product has had."""
    monkeypatch.setattr(commerce_history, "MOST_VERSIONS", 4)
    monkeypatch.setattr(commerce_history, "LARGEST_LIMIT", 2)
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme", currency="EUR")
        for number in range(1, 7):
            feed = f"sku,product_name,price,quantity\nA,Lamp,9,{number % 2}\n".encode()
            commerce.feeds.load(BytesIO(feed), partner="Acme")
            product = next(commerce.products.list())
            periods = commerce.history.availability(product.product_id)
            assert len(periods) == min(number, 4)
            assert periods[0].since == product.updated_at


def test_the_price_before_a_reduction_is_the_same_on_every_day_of_it():
    """The lowest of the thirty days before the running reduction began, on its fortieth day too."""
    offered = [version(0), version(60, "80.00")]
    assert {lowest(offered, now=day) for day in range(60, 101)} == {("100.00", 30)}
    again = [version(0), version(40, "80.00"), version(45), version(50, "90.00")]
    assert {lowest(again, now=day) for day in range(50, 91)} == {("80.00", 40)}
