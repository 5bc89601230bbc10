"""What is hashed into cursors and idempotency keys stays as it was, whatever is renamed."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from attrs import AttrsInstance, asdict, field, frozen, make_class

from commerce_core.activity.audit import AuditQuery
from commerce_core.base.identity import identity, requested
from commerce_core.base.paging import Position, read_cursor, write_cursor
from commerce_core.catalog.product import ProductQuery
from commerce_core.feeds.feed import FeedQuery
from commerce_core.feeds.guards import DEFAULT_GUARDS
from commerce_core.feeds.job import JobQuery
from commerce_core.feeds.source import OnError
from commerce_core.history.versions import ChangeQuery, PastQuery
from commerce_core.orders.asking import (
    AskedUnits,
    CancelAsked,
    ConfirmAsked,
    FulfilAsked,
    RefundAsked,
)
from commerce_core.orders.order import OrderQuery
from commerce_core.orders.wanted import Wanted
from commerce_core.pricing.basket_terms import BasketTerms
from commerce_core.usecases.acts import ALWAYS_IN_ACTS as ACT
from commerce_core.usecases.orders import ALWAYS_IN_ORDERS as ORDER

T0 = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
T0_TEXT = "datetime.datetime(2026, 11, 23, 9, 30, tzinfo=datetime.timezone.utc)"

KEPT = [
    (
        FeedQuery("ptn_1", status="held", received_from=T0),
        (
            "FeedQuery(partner_id='ptn_1', source_id=None, status='held', "
            f"received_from={T0_TEXT}, received_to=None)"
        ),
    ),
    (
        JobQuery(feed_id="feed_1", kind="plan"),
        "JobQuery(feed_id='feed_1', partner_id=None, status=None, kind='plan')",
    ),
    (
        ProductQuery(skus=("A", "B"), sellable=True, price_min=Decimal("1.50")),
        (
            "ProductQuery(partner_id=None, source_id=None, feed_id=None, skus=('A', 'B'), "
            "currency=None, status='active', sort_by='product_id', order='asc', brand=None, "
            "category=None, availability=None, sellable=True, price_min=Decimal('1.50'), "
            "price_max=None, updated_since=None, q=None)"
        ),
    ),
    (
        OrderQuery(customer_reference="it's"),
        (
            'OrderQuery(partner_id=None, status=None, customer_reference="it\'s", '
            "created_from=None, created_to=None)"
        ),
    ),
    (
        AuditQuery(actor="operator"),
        (
            "AuditQuery(partner_id=None, actor='operator', action=None, subject=None, since=None, "
            "until=None)"
        ),
    ),
    (
        ChangeQuery(partner_id="ptn_1", kinds=("created",)),
        "ChangeQuery(partner_id='ptn_1', source_id=None, feed_id=None, kinds=('created',))",
    ),
    (
        PastQuery(7, skus=("A",)),
        "PastQuery(number=7, partner_id=None, source_id=None, skus=('A',), status='active')",
    ),
    (OnError(share=Decimal("0.1")), "OnError(share=Decimal('0.1'), count=None)"),
    (
        DEFAULT_GUARDS,
        (
            "GuardSettings(removals=20, file_size=50, columns_gone=True, rekeyed=20, "
            "price_median=20, price_leap=5, out_of_stock=20, judged_from=50)"
        ),
    ),
    ("prod_1", "'prod_1'"),
    (None, "None"),
    (("events", None, ("feed.held",)), "('events', None, ('feed.held',))"),
]


@pytest.mark.parametrize(("value", "text"), KEPT, ids=lambda case: type(case).__name__)
def test_an_identity_is_the_one_that_earlier_versions_hashed(value: object, text: str) -> None:
    assert identity(value) == text


def test_a_cursor_from_an_earlier_version_goes_on() -> None:
    query = ChangeQuery(partner_id="ptn_1")
    earlier = "WyJlZjdkODRlNDY3YWY2ZjU1IiwiMTIiLCI0Il0"
    assert write_cursor(query, Position("12", "4")) == earlier
    assert read_cursor(query, earlier) == Position("12", "4")


def test_a_value_that_spells_no_identity_out_is_refused() -> None:
    @frozen
    class Nameless:
        x: int

    with pytest.raises(AttributeError):
        identity(Nameless(1))


def test_a_field_that_is_added_later_is_in_the_identity_unless_it_is_at_its_default() -> None:
    wider = make_class(
        "Wider",
        {"tag": field(default=None), "own": field(default=None)},
        bases=(JobQuery,),
        frozen=True,
        class_body={"UNHASHED": ("own",)},
    )
    before = identity(JobQuery(kind="plan"))
    assert identity(wider(kind="plan")) == identity(wider(kind="plan", own="x")) == before
    assert identity(wider(kind="plan", tag="a")) == f"{before}, tag='a'"


UNITS = (AskedUnits("item_1", 2), AskedUnits("item_2"))


@pytest.mark.parametrize(
    ("asked", "always"),
    [
        (ConfirmAsked(version=3), ACT),
        (CancelAsked("ptn_1", UNITS), ACT),
        (FulfilAsked(items=UNITS, carrier="DHL", tracking_number="1"), ACT),
        (RefundAsked(items=UNITS, reason="late", returned=True), ACT),
        (RefundAsked(amount=Decimal("1.50"), currency="EUR"), ACT),
        (Wanted(2, "prod_1"), ORDER),
        (Wanted(2, partner_id="ptn_1", sku="A-1"), ORDER),
        (BasketTerms(("SPRING",), customer="c-1"), ORDER),
    ],
)
def test_what_is_asked_of_orders_is_hashed_as_before(asked: AttrsInstance, always: frozenset[str]):
    """Whole, as it was before fields could be added: none that there is today may be left out."""
    assert list(requested(asked, always).items()) == list(asdict(asked).items())


def test_a_field_that_is_added_later_is_hashed_only_if_it_is_given():
    wider = make_class(
        "Wider", {"fee": field(default=Decimal(0))}, bases=(RefundAsked,), frozen=True
    )
    before = requested(RefundAsked(reason="late"), ACT)
    assert requested(wider(reason="late"), ACT) == before
    assert requested(wider(reason="late", fee=Decimal(5)), ACT) == {**before, "fee": Decimal(5)}
