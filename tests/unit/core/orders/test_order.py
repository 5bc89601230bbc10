"""Orders: every reason to refuse one, frozen lines, and which lines a principal sees."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.base.money import LARGEST_AMOUNT
from commerce_core.catalog.product import Product
from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import Order, freeze_line, new_order, units_by_product
from commerce_core.orders.part import Fulfilment, PartMark, Refund
from commerce_core.orders.states import OrderStatus
from commerce_core.orders.wanted import (
    LARGEST_QUANTITY,
    LONGEST_METADATA,
    LONGEST_REFERENCE,
    MOST_ITEMS,
    MOST_METADATA,
    Wanted,
    check_request,
    judge_items,
)
from commerce_core.partners.access import OPERATOR, Principal
from commerce_core.pricing.basket import price_basket
from commerce_core.pricing.priced import Basket, BasketItem

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def product(name: str = "A", **changes: object) -> Product:
    made = Product(
        product_id=f"prod_{name}",
        partner_id="p1",
        partner_name="Partner",
        source_id="main",
        sku=name,
        product_name="Chair",
        price=Decimal("10.00"),
        currency="EUR",
        feed_id="feed",
        line=2,
        version=7,
        publication_id="pub",
        created_at=NOW,
        updated_at=NOW,
    )
    return evolve(made, **changes)


def wanted(quantity: int = 1, name: str = "A") -> Wanted:
    return Wanted(quantity, product_id=f"prod_{name}")


def frozen_line(item_id: str, of: Product, quantity: int, at: datetime) -> OrderItem:
    basket = Basket((BasketItem(of, quantity),))
    return freeze_line(item_id, price_basket(basket, (), at).items[0])


def told(faults: list[Fault] | tuple[Fault, ...]) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in faults]


def refused(
    items: list[Wanted], reference: str | None = None, metadata: dict[str, str] | None = None
) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        check_request(items, reference, metadata or {})
    return told(refusal.value.faults)


# --- before any product is looked at --------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "reference", "metadata"),
    [
        ([wanted(1)], None, {}),
        ([wanted(LARGEST_QUANTITY)] * MOST_ITEMS, "x", {}),
        ([Wanted(1, partner_id="p", sku="A")], "x" * LONGEST_REFERENCE, {}),
        ([wanted()], None, {"k" * LONGEST_METADATA: "v" * LONGEST_METADATA, "": ""}),
        ([wanted()], None, {str(number): "v" for number in range(MOST_METADATA)}),
    ],
    ids=["least", "most items", "longest reference", "longest metadata", "most metadata"],
)
def test_what_keeps_to_the_limits_is_taken(
    items: list[Wanted], reference: str | None, metadata: dict[str, str]
):
    check_request(items, reference, metadata)


@pytest.mark.parametrize("count", [0, MOST_ITEMS + 1])
def test_an_order_has_some_items_and_not_too_many(count: int):
    assert refused([wanted()] * count) == [("/items", "bad_items")]


@pytest.mark.parametrize("quantity", [-1, 0, LARGEST_QUANTITY + 1, 2**63])
def test_a_quantity_is_at_least_one_and_not_too_large(quantity: int):
    assert judged((wanted(), product()), (wanted(quantity), product())) == [
        ("/items/1/quantity", "bad_quantity")
    ]
    assert refused([wanted(quantity)], "") == [
        ("/items/0/quantity", "bad_quantity"),
        ("/customer_reference", "bad_reference"),
    ]


def test_a_bad_quantity_hides_nothing_that_is_wrong_with_the_products():
    assert judged(
        (wanted(0), None),
        (wanted(-1), product(status="removed")),
        (wanted(4), product(quantity=3)),
        (wanted(0), product("C", currency="USD")),
    ) == [
        ("/items/0/product_id", "unknown_product"),
        ("/items/0/quantity", "bad_quantity"),
        ("/items/1/product_id", "not_sellable"),
        ("/items/1/quantity", "bad_quantity"),
        ("/items/2/quantity", "insufficient_stock"),
        ("/items/3/quantity", "bad_quantity"),
        ("/items", "mixed_currencies"),
    ]


@pytest.mark.parametrize("item", [Wanted(1), Wanted(1, partner_id="p"), Wanted(1, "", "p", "")])
def test_an_item_names_its_product(item: Wanted):
    assert refused([item]) == [("/items/0", "unnamed_product")]


@pytest.mark.parametrize("text", ["A\0", "\ud800"])
def test_texts_that_no_database_takes_are_refused_where_they_stand(text: str):
    assert refused([Wanted(1, product_id=text)]) == [("/items/0/product_id", "unknown_product")]
    by_sku = Wanted(1, partner_id=text, sku=text)
    assert refused([by_sku]) == [
        ("/items/0/partner_id", "unknown_product"),
        ("/items/0/sku", "unknown_product"),
    ]
    assert refused([wanted()], text) == [("/customer_reference", "bad_reference")]
    assert refused([wanted()], None, {text: "v"}) == [("/metadata", "bad_metadata")]
    assert refused([wanted()], None, {"k": text}) == [("/metadata", "bad_metadata")]


@pytest.mark.parametrize("reference", ["", "x" * (LONGEST_REFERENCE + 1)])
def test_a_reference_has_a_length(reference: str):
    assert refused([wanted()], reference) == [("/customer_reference", "bad_reference")]


@pytest.mark.parametrize(
    "metadata",
    [
        {str(number): "" for number in range(MOST_METADATA + 1)},
        {"k": "v" * (LONGEST_METADATA + 1)},
        {"k" * (LONGEST_METADATA + 1): "v"},
    ],
    ids=["too many", "long value", "long key"],
)
def test_metadata_has_limits(metadata: dict[str, str]):
    assert refused([wanted()], None, metadata) == [("/metadata", "bad_metadata")]


def test_all_faults_are_listed_at_once_in_the_order_of_the_request():
    assert refused([wanted(0), Wanted(-1), wanted()], "", {"\0": ""}) == [
        ("/items/0/quantity", "bad_quantity"),
        ("/items/1/quantity", "bad_quantity"),
        ("/items/1", "unnamed_product"),
        ("/customer_reference", "bad_reference"),
        ("/metadata", "bad_metadata"),
    ]


# --- whether the products can be sold -------------------------------------------------------------


def judged(*pairs: tuple[Wanted, Product | None]) -> list[tuple[str, str]]:
    items, products = zip(*pairs, strict=True)
    return told(judge_items(items, products, NOW))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "removed"}, "removed"),
        ({"availability": "discontinued"}, "discontinued"),
        ({"price": None, "currency": None}, "no price"),
        ({"price": Decimal(0)}, "price is 0"),
        ({"availability": "out_of_stock", "quantity": 9}, "out of stock"),
        ({"quantity": 0}, "out of stock"),
        ({"quantity": 1, "reserved": 1}, "no units are left"),
    ],
)
def test_what_cannot_be_sold_is_refused_with_the_reason(changes: dict[str, object], reason: str):
    sold = evolve(product(), **changes)
    (fault,) = judge_items([wanted()], [sold], NOW)
    assert (fault.pointer, fault.code) == ("/items/0/product_id", "not_sellable")
    assert reason in fault.detail
    assert "A " in fault.detail


def test_a_sale_at_nothing_is_no_sale():
    free = product(sale_price=Decimal(0))
    assert judge_items([wanted()], [free], NOW) == []
    assert frozen_line("item", free, 1, NOW).unit_price == free.price


@pytest.mark.parametrize(
    ("changes", "quantity", "taken"),
    [
        ({"quantity": None}, 1_000, True),
        ({"quantity": 5}, 5, True),
        ({"quantity": 5}, 6, False),
        ({"quantity": 5, "availability": "in_stock"}, 6, False),
        ({"quantity": 0, "availability": "preorder"}, 6, True),
        ({"quantity": 1, "availability": "backorder"}, 6, True),
    ],
)
def test_as_many_are_sold_as_there_are(changes: dict[str, object], quantity: int, taken: bool):
    sold = evolve(product(), **changes)
    faults = judged((wanted(quantity), sold))
    assert faults == ([] if taken else [("/items/0/quantity", "insufficient_stock")])


def test_units_held_by_other_orders_are_not_there():
    assert judged((wanted(3), product(quantity=5, reserved=2))) == []
    assert judged((wanted(4), product(quantity=5, reserved=2))) == [
        ("/items/0/quantity", "insufficient_stock")
    ]


def test_items_of_one_product_are_judged_together():
    chair = product(quantity=5)
    assert judged((wanted(3), chair), (wanted(3), chair)) == [
        ("/items/0/quantity", "insufficient_stock"),
        ("/items/1/quantity", "insufficient_stock"),
    ]


def test_every_fault_of_every_item_is_listed_and_mixed_currencies_last():
    faults = judged(
        (Wanted(1, product_id="prod_X"), None),
        (Wanted(1, partner_id="p1", sku="Y"), None),
        (wanted(1, "A"), product("A", status="removed")),
        (Wanted(9, partner_id="p1", sku="B"), product("B", quantity=3, currency="USD")),
        (wanted(1, "C"), product("C")),
    )
    assert faults == [
        ("/items/0/product_id", "unknown_product"),
        ("/items/1/sku", "unknown_product"),
        ("/items/2/product_id", "not_sellable"),
        ("/items/3/quantity", "insufficient_stock"),
        ("/items", "mixed_currencies"),
    ]


# --- lines and totals -----------------------------------------------------------------------------


def line(name: str = "A", partner: str = "p1", total: str = "10.00") -> OrderItem:
    return OrderItem(
        f"item_{name}", f"prod_{name}", 1, partner, name, "Chair", 1, Decimal(total),
        Decimal(total), Decimal(total)
    )  # fmt: skip


def order(*items: OrderItem, status: OrderStatus = "created") -> Order:
    made = new_order("ord_1", items or (line(),), "EUR", NOW, reference=None, metadata={})
    return evolve(made, status=status)


def test_a_line_is_a_frozen_copy_at_the_price_of_the_moment():
    on_sale = product(sale_price=Decimal("8.50"), sale_ends_at=LATER)
    frozen = frozen_line("item_1", on_sale, 3, NOW)
    assert (frozen.sku, frozen.product_name, frozen.product_version) == ("A", "Chair", 7)
    assert (frozen.list_price, frozen.unit_price) == (Decimal("10.00"), Decimal("8.50"))
    assert str(frozen.line_total) == "25.50"
    assert [step.amount for step in frozen.adjustments] == [Decimal("-4.50")]
    assert frozen_line("item_1", on_sale, 3, LATER).unit_price == Decimal("10.00")


def test_a_line_of_the_most_of_the_dearest_is_exact():
    dearest = product(price=Decimal("999999999999.9999"), currency="CLF")
    total = frozen_line("item_1", dearest, LARGEST_QUANTITY, NOW).line_total
    assert str(total) == "999999999999999900.0000"


@given(st.lists(st.tuples(st.integers(1, 10**8), st.integers(1, 1000)), min_size=1, max_size=9))
def test_the_total_is_the_sum_of_the_lines(prices: list[tuple[int, int]]):
    lines = [
        frozen_line(f"item_{n}", product(price=Decimal(cents).scaleb(-2)), units, NOW)
        for n, (cents, units) in enumerate(prices)
    ]
    made = new_order("ord_1", lines, "EUR", NOW, reference="r", metadata={"k": "v"})
    assert made.total_amount == Decimal(sum(cents * units for cents, units in prices)).scaleb(-2)
    assert (made.status, made.refunded_amount, made.created_at) == ("created", 0, NOW)
    assert sum(units_by_product(made.items).values()) == sum(units for _, units in prices)


def test_a_total_beyond_what_money_can_be_is_refused():
    at_most = line(total=str(LARGEST_AMOUNT.quantize(Decimal("0.01"), "ROUND_DOWN")))
    assert order(at_most).total_amount == at_most.line_total
    with pytest.raises(InvalidInput) as refusal:
        order(at_most, line("B", total="0.01"))
    assert told(refusal.value.faults) == [("/items", "too_large_total")]


def test_the_metadata_of_an_order_is_its_own():
    metadata = {"k": "v"}
    made = new_order("ord_1", [line()], "EUR", NOW, reference=None, metadata=metadata)
    metadata["k"] = "other"
    assert made.metadata == {"k": "v"}


# --- who sees what -------------------------------------------------------------------------------


def partner(partner_id: str) -> Principal:
    return Principal("key", partner_id, frozenset({"orders:read"}))


def test_a_partner_sees_its_own_lines_and_their_sum():
    both = order(line("A", "p1", "10.00"), line("B", "p2", "5.50"), line("C", "p1", "1.00"))
    seen = both.seen_by(partner("p1"))
    assert seen is not None
    assert [item.sku for item in seen.items] == ["A", "C"]
    assert str(seen.total_amount) == "11.00"


def test_an_order_without_a_line_of_ones_own_is_not_there():
    assert order(line("A", "p1")).seen_by(partner("p2")) is None


def test_the_operator_and_an_only_partner_see_the_whole_order():
    whole = order(line("A", "p1"), line("B", "p2"))
    assert whole.seen_by(OPERATOR) == whole
    alone = order(line("A", "p1"), line("B", "p1"))
    assert alone.seen_by(partner("p1")) == alone


def test_what_a_partner_sees_of_a_shared_order_is_its_own():
    """The operator's reference and metadata aren't, but for those under the partner's id."""
    shared = evolve(
        order(line("A", "p1"), line("B", "p2")),
        customer_reference="web-1",
        metadata={"gift": "yes", "p1.reference": "P-77", "p1.note": "fragile", "p2.note": "x"},
    )
    seen = shared.seen_by(partner("p1"))
    assert seen
    assert (seen.customer_reference, seen.metadata) == ("P-77", {"note": "fragile"})
    without = evolve(shared, metadata={"p1": "x", "p11.note": "y"}).seen_by(partner("p1"))
    assert without
    assert (without.customer_reference, without.metadata) == (None, {})
    assert shared.seen_by(OPERATOR) == shared


ALIKE = {"order_id", "currency", "created_at", "expires_at", "customer_group", "channel"}
"""What every partner of an order sees of it."""
OF_A_PART = {
    "status", "customer_reference", "total_amount", "refunded_amount", "items", "metadata",
    "updated_at", "version", "fulfilments", "refunds", "marks",
}  # fmt: skip
"""What a partner sees for its own part alone."""
HIDDEN = {"codes", "customer", "duplicate_of"}
"""What no partner sees of an order that has others in it."""


def test_it_is_decided_of_every_field_of_an_order_which_partner_sees_it():
    """One that is added is seen by all of them, unless `part_of` takes it away."""
    assert {each.name for each in fields(Order)} == ALIKE | OF_A_PART | HIDDEN
    sent = Fulfilment("ful_1", "part_2", "p2", "sent", (), None, None, NOW)
    refund = Refund(
        "ref_1", "ord_1", "part_2", "p2", "goodwill", "late", "EUR", Decimal("1.00"), (),
        returned=False, restock=False, created_at=NOW,
    )  # fmt: skip
    whole = evolve(
        order(line("A", "p1"), line("B", "p2"), status="fulfilled"),
        customer_reference="r", refunded_amount=Decimal("1.00"), metadata={"k": "v"},
        updated_at=LATER, codes=("CODE",), customer="c", customer_group="g", channel="web",
        version=9, fulfilments=(sent,), refunds=(refund,), marks=(PartMark("p2", 3),),
        expires_at=LATER, duplicate_of="ord_2",
    )  # fmt: skip
    seen = whole.part_of("p1")
    for name in ALIKE:
        assert getattr(whole, name)
        assert getattr(seen, name) == getattr(whole, name), name
    for name in OF_A_PART | HIDDEN:
        assert getattr(whole, name)
        assert getattr(seen, name) != getattr(whole, name), name
    assert not any(getattr(seen, name) for name in HIDDEN)
