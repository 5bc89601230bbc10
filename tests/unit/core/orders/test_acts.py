"""Acts on orders: what becomes of units and money, by part and line, and every refusal."""

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import Conflict, InvalidInput
from commerce_core.base.ids import Kind
from commerce_core.orders import acts
from commerce_core.orders.acts import AnyAsked, Outcome
from commerce_core.orders.asking import (
    LONGEST_CARRIER,
    LONGEST_REASON,
    LONGEST_TRACKING_NUMBER,
    MOST_RECORDS,
    AskedUnits,
    CancelAsked,
    ConfirmAsked,
    FulfilAsked,
    RefundAsked,
)
from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import Order
from commerce_core.orders.wanted import LARGEST_QUANTITY, MOST_ITEMS
from tests.contracts import samples

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ONE, TWO = "ptn_" + "1" * 32, "ptn_" + "2" * 32
_numbers = itertools.count()


def new_id(kind: Kind) -> str:
    return f"{kind}_{next(_numbers):032x}"


def line(total: str = "10.00", quantity: int = 1, partner: str = ONE, **more: object) -> OrderItem:
    amount = Decimal(total)
    made = OrderItem(
        new_id("item"), new_id("prod"), 1, partner, "SKU", "Name", quantity, amount, amount, amount
    )
    return evolve(made, **more)


def order(*lines: OrderItem, **more: object) -> Order:
    return samples.order(*lines, **more)


def units(of: Order | OrderItem, quantity: int | None = None, n: int = 0) -> tuple[AskedUnits, ...]:
    item = of if isinstance(of, OrderItem) else of.items[n]
    return (AskedUnits(item.item_id, quantity),)


def done(of: Order, asked: AnyAsked) -> Order:
    return acts.decide(of, asked, LATER, new_id).order


def refund(of: Order, **asked: object) -> Order:
    return done(of, evolve(RefundAsked(reason="why"), **asked))


def refused(of: Order, asked: AnyAsked) -> list[tuple[str, str]]:
    with pytest.raises((InvalidInput, Conflict)) as refusal:
        acts.decide(of, asked, LATER, new_id)
    return [(fault.pointer, fault.code) for fault in refusal.value.faults]


# --- units ----------------------------------------------------------------------------------------


def test_some_sent_leaves_the_rest_open():
    sent = done(order(line("30.00", 3)), FulfilAsked(items=None))
    assert sent.status == "fulfilled"
    placed = order(line("30.00", 3))
    sent = done(placed, FulfilAsked(items=units(placed, 2)))
    assert (sent.status, sent.items[0].open, sent.items[0].fulfilled) == (
        "partially_fulfilled", 1, 2,
    )  # fmt: skip
    assert sent.parts[0].fulfilments[0].items[0].quantity == 2


def test_cancelling_never_takes_what_was_sent():
    placed = order(line("30.00", 3))
    sent = done(placed, FulfilAsked(items=units(placed, 1)))
    cancelled = done(sent, CancelAsked())
    assert (cancelled.status, cancelled.items[0].cancelled) == ("fulfilled", 2)
    assert str(cancelled.cancelled_amount) == "20.00"
    assert refused(cancelled, CancelAsked()) == [("", "order_fulfilled")]


def test_units_of_a_cancelled_fulfilment_can_be_sent_again():
    placed = order(line("30.00", 3))
    sent = done(placed, FulfilAsked(items=units(placed, 2)))
    outcome = acts.cancel_fulfilment(sent, sent.fulfilments[0].fulfilment_id, LATER)
    assert (outcome.order.status, outcome.order.items[0].open) == ("confirmed", 3)
    with pytest.raises(Conflict) as refusal:
        acts.cancel_fulfilment(outcome.order, sent.fulfilments[0].fulfilment_id, LATER)
    assert refusal.value.code == "fulfilment_cancelled"
    assert done(outcome.order, FulfilAsked()).status == "fulfilled"


def test_a_fulfilment_with_refunded_units_stays():
    placed = order(line("30.00", 3))
    sent = done(placed, FulfilAsked())
    back = refund(sent, items=units(sent, 1))
    with pytest.raises(Conflict) as refusal:
        acts.cancel_fulfilment(back, sent.fulfilments[0].fulfilment_id, LATER)
    assert refusal.value.code == "units_refunded"


def test_a_refunded_unit_is_not_sent_and_a_refund_in_part_changes_no_state():
    placed = done(order(line("20.00", 2)), ConfirmAsked())
    back = refund(placed, items=units(placed, 1))
    assert (back.status, str(back.refunded_amount)) == ("confirmed", "10.00")
    assert (back.items[0].open, back.items[0].cancelled) == (1, 1)
    assert done(back, FulfilAsked()).status == "fulfilled"


def test_sent_units_are_refunded_before_open_ones_and_alone_can_come_back():
    placed = order(line("30.00", 3))
    sent = done(placed, FulfilAsked(items=units(placed, 1)))
    assert refused(sent, RefundAsked(items=units(sent, 2), reason="x", returned=True)) == [
        ("/items/0/quantity", "too_few_units")
    ]
    back = refund(sent, items=units(sent, 2), returned=False)
    assert (back.items[0].refunded, back.items[0].cancelled, back.items[0].open) == (1, 1, 1)
    assert back.refunds[0].items[0].cancelled == 1


def test_all_that_is_left_comes_back_at_once():
    placed = order(line("30.00", 3), line("5.00"))
    sent = done(placed, FulfilAsked(items=units(placed, 1)))
    back = refund(refund(sent, amount=Decimal(4)), returned=True, restock=True)
    assert (back.status, back.refundable_amount) == ("refunded", 0)
    assert str(back.refunded_amount) == "35.00"
    assert (back.items[0].returned, back.items[0].cancelled) == (1, 2)
    assert refused(back, RefundAsked(reason="again")) == [("", "order_refunded")]


def test_acts_by_part_leave_the_other_part_alone():
    placed = order(line(partner=ONE), line(partner=TWO))
    one = done(placed, FulfilAsked(ONE))
    assert [part.status for part in one.parts] == ["fulfilled", "created"]
    assert [part.version for part in one.parts] == [2, 1]
    assert (one.status, one.version) == ("partially_fulfilled", 2)
    assert done(one, CancelAsked(TWO)).status == "fulfilled"
    assert done(done(placed, ConfirmAsked(ONE)), CancelAsked(TWO)).status == "confirmed"
    assert done(placed, CancelAsked()).status == "cancelled"
    assert done(placed, ConfirmAsked()).status == "confirmed"
    assert refused(done(placed, ConfirmAsked(ONE)), ConfirmAsked(ONE)) == [("", "order_confirmed")]


def test_one_fulfilment_and_one_refund_for_each_part():
    placed = order(line(partner=ONE), line(partner=TWO), line(partner=ONE))
    sent = done(placed, FulfilAsked(carrier="DHL", tracking_number="1"))
    assert [len(part.fulfilments) for part in sent.parts] == [1, 1]
    assert {f.part_id for f in sent.fulfilments} == {part.part_id for part in sent.parts}
    back = refund(sent)
    assert [str(part.refunds[0].amount) for part in back.parts] == ["20.00", "10.00"]


def test_an_order_that_was_not_confirmed_in_time_is_cancelled():
    placed = order(line(), expires_at=LATER)
    assert acts.as_of(placed, LATER - timedelta.resolution) == placed
    expired = acts.as_of(placed, LATER)
    assert (expired.status, expired.updated_at, expired.expires_at) == ("cancelled", LATER, None)
    confirmed = done(placed, ConfirmAsked())
    assert confirmed.expires_at is None
    with pytest.raises(ValueError, match="doesn't expire"):
        acts.expire(confirmed)


# --- money ----------------------------------------------------------------------------------------


def test_a_cancelled_line_gives_back_what_it_cost():
    """Three of 100.00 with 30.00 off the order: 90.00, and the others stay."""
    placed = order(*(line("90.00") for _ in range(3)))
    cancelled = done(placed, CancelAsked(items=units(placed, n=1)))
    assert str(cancelled.cancelled_amount) == "90.00"
    assert [str(item.line_total) for item in cancelled.items] == ["90.00"] * 3


@pytest.mark.parametrize(
    ("total", "of", "steps", "paid"),
    [
        ("179.25", 10, [10], ["179.25"]),
        ("10.00", 3, [1, 1, 1], ["3.33", "3.33", "3.34"]),
        ("1000", 3, [1, 1, 1], ["333", "333", "334"]),
        ("0.010", 3, [1, 2], ["0.003", "0.007"]),
        ("0.00", 3, [1, 2], ["0.00", "0.00"]),
    ],
)
def test_units_one_by_one_are_worth_the_line(
    total: str, of: int, steps: list[int], paid: list[str]
):
    code = {0: "JPY", 2: "EUR", 3: "KWD"}[len(total.partition(".")[2])]
    current = done(order(line(total, of), currency=code), FulfilAsked())
    for step in steps:
        current = refund(current, items=units(current, step))
    assert [str(refund.amount) for refund in current.refunds] == paid
    assert sum(r.amount for r in current.refunds) == Decimal(total)


def test_goodwill_needs_no_units_and_goes_up_to_what_was_paid():
    placed = done(order(line("300.00", 3), line("200.00")), FulfilAsked())
    kind = refund(placed, amount=Decimal("500.00"))
    assert (kind.status, kind.refunds[0].kind, kind.items[0].refunded) == (
        "refunded",
        "goodwill",
        0,
    )
    with pytest.raises(Conflict) as refusal:
        refund(refund(placed, amount=Decimal(440)), amount=Decimal("60.01"))
    assert (refusal.value.code, refusal.value.shown["refundable"]) == (
        "too_little_left", Decimal("60.00"),
    )  # fmt: skip
    some = refund(placed, amount=Decimal(5), items=units(placed, n=1))
    assert [str(item.refunded_amount) for item in some.items] == ["0.00", "5.00"]


def test_the_partners_part_goes_back_at_the_rate_of_the_line():
    half = line("100.00", 2, partner_amount=Decimal("90.00"))
    outcome = acts.decide(
        done(order(half), FulfilAsked()), RefundAsked(reason="x", items=units(half, 1)), NOW, new_id
    )
    assert [str(m.partner_amount) for m in outcome.movements] == ["45.00"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["fulfil", "cancel", "units", "goodwill", "returned", "unfulfil"]),
        st.integers(0, 2),
        st.integers(1, 4),
        st.integers(1, 3_000),
    ),
    max_size=14,
)


@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 7)), min_size=1, max_size=3),
    steps,
    st.integers(0, 120),
)
def test_whatever_the_path_what_goes_back_adds_up_to_what_was_paid(
    lines: list[tuple[int, int]], path: Sequence[tuple[str, int, int, int]], share: int
):
    """Also the partner's part; and parts add up to the order in every column."""
    made = [
        line(str(Decimal(cents).scaleb(-2)), n, (ONE, TWO)[i % 2])
        for i, (cents, n) in enumerate(lines)
    ]
    made = [
        evolve(m, partner_amount=(m.line_total * share / 100).quantize(Decimal("0.01")))
        for m in made
    ]
    current, movements = order(*made), []
    for what, n, quantity, cents in [*path, ("rest", 0, 0, 0)]:
        outcome = attempted(current, what, n % len(made), quantity, cents)
        if outcome is not None:
            current = outcome.order
            movements += outcome.movements
            sums_agree(current)
    assert current.refundable_amount == 0
    assert sum(m.amount for m in movements) == current.total_amount
    assert sum(m.partner_amount for m in movements) == sum(m.partner_amount for m in made)
    assert all(m.amount >= 0 for m in movements)


def attempted(current: Order, what: str, n: int, quantity: int, cents: int) -> Outcome | None:
    some = units(current, quantity, n)
    asked: dict[str, Callable[[], Outcome]] = {
        "fulfil": lambda: acts.decide(current, FulfilAsked(items=some), NOW, new_id),
        "cancel": lambda: acts.decide(current, CancelAsked(items=some), NOW, new_id),
        "units": lambda: acts.decide(current, RefundAsked(items=some, reason="x"), NOW, new_id),
        "returned": lambda: acts.decide(
            current, RefundAsked(items=some, reason="x", returned=True), NOW, new_id
        ),
        "goodwill": lambda: acts.decide(
            current, RefundAsked(reason="x", amount=Decimal(cents).scaleb(-2)), NOW, new_id
        ),
        "unfulfil": lambda: acts.cancel_fulfilment(
            current, current.fulfilments[n % len(current.fulfilments)].fulfilment_id, NOW
        ),
        "rest": lambda: acts.decide(current, RefundAsked(reason="x"), NOW, new_id),
    }
    try:
        return asked[what]()
    except (Conflict, ZeroDivisionError):
        return None


def sums_agree(current: Order) -> None:
    for name in (
        "total_amount", "cancelled_amount", "refunded_amount", "refundable_amount",
        "partner_amount",
    ):  # fmt: skip
        whole = getattr(current, name)
        assert sum(getattr(part, name) for part in current.parts) == whole, name
    for item in current.items:
        assert item.open + item.fulfilled + item.cancelled == item.quantity
        assert item.returned <= item.refunded <= item.fulfilled


# --- refusals -------------------------------------------------------------------------------------

PLACED = order(line("30.00", 3), line("5.00", partner=TWO))


@pytest.mark.parametrize(
    ("asked", "faults"),
    [
        (CancelAsked(items=()), [("/items", "bad_items")]),
        (CancelAsked(items=units(PLACED, 1) * (MOST_ITEMS + 1)), None),
        (CancelAsked(items=units(PLACED, 4)), [("/items/0/quantity", "too_few_units")]),
        (CancelAsked(items=units(PLACED, 0)), [("/items/0/quantity", "bad_quantity")]),
        (CancelAsked(items=units(PLACED, -1)), [("/items/0/quantity", "bad_quantity")]),
        (
            CancelAsked(items=units(PLACED, LARGEST_QUANTITY + 1)),
            [("/items/0/quantity", "bad_quantity")],
        ),
        (CancelAsked(items=units(PLACED, 1) * 2), [("/items/1/item_id", "repeated_item")]),
        (CancelAsked(items=(AskedUnits("item_x", 1),)), [("/items/0/item_id", "unknown_item")]),
        (CancelAsked(TWO, units(PLACED, 1)), [("/items/0/item_id", "unknown_item")]),
        (CancelAsked("ptn_x"), [("/partner_id", "unknown_part")]),
        (ConfirmAsked("ptn_x"), [("/partner_id", "unknown_part")]),
        (
            FulfilAsked(carrier=" ", tracking_number="\0"),
            [("/carrier", "bad_carrier"), ("/tracking_number", "bad_tracking_number")],
        ),
        (FulfilAsked(carrier="x" * (LONGEST_CARRIER + 1)), [("/carrier", "bad_carrier")]),
        (
            FulfilAsked(tracking_number="x" * (LONGEST_TRACKING_NUMBER + 1)),
            [("/tracking_number", "bad_tracking_number")],
        ),
        (RefundAsked(), [("/reason", "bad_reason")]),
        (RefundAsked(reason="x" * (LONGEST_REASON + 1)), [("/reason", "bad_reason")]),
        (RefundAsked(reason="x", currency="USD"), [("/currency", "wrong_currency")]),
        (RefundAsked(reason="x", restock=True), [("/restock", "restock_without_return")]),
        (RefundAsked(reason="x", amount=Decimal(0)), [("/amount", "bad_amount")]),
        (RefundAsked(reason="x", amount=Decimal("NaN")), [("/amount", "bad_amount")]),
        (RefundAsked(reason="x", amount=Decimal("0.001")), [("/amount", "too_many_decimals")]),
        (RefundAsked(reason="x", amount=Decimal("35.01")), [("/amount", "too_little_left")]),
        (
            RefundAsked(reason="x", amount=Decimal(1), returned=True, items=units(PLACED, 1)),
            [("/returned", "amount_without_units"), ("/items/0/quantity", "amount_without_units")],
        ),
        (
            RefundAsked(reason="x", returned=True, items=units(PLACED, 1)),
            [("/items/0/quantity", "too_few_units")],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_place(
    asked: AnyAsked, faults: list[tuple[str, str]] | None
):
    found = refused(PLACED, asked)
    assert found == (faults or found)
    assert faults or found[0] == ("/items", "bad_items")


def test_all_reasons_are_given_at_once():
    asked = RefundAsked(
        None, (*units(PLACED, 9), AskedUnits("item_x", 1)), None, "", None, "USD", restock=True
    )
    assert refused(PLACED, asked) == [
        ("/reason", "bad_reason"),
        ("/currency", "wrong_currency"),
        ("/restock", "restock_without_return"),
        ("/items/1/item_id", "unknown_item"),
        ("/items/0/quantity", "too_few_units"),
    ]


@pytest.mark.parametrize("asked", [FulfilAsked(), ConfirmAsked(), CancelAsked()])
def test_nothing_happens_to_what_is_finished(asked: AnyAsked):
    cancelled = done(PLACED, CancelAsked())
    with pytest.raises(Conflict) as refusal:
        acts.decide(cancelled, asked, LATER, new_id)
    assert (refusal.value.code, refusal.value.shown["version"]) == ("order_cancelled", 2)


def test_an_order_has_a_limit_of_fulfilments_and_refunds():
    sent = done(PLACED, FulfilAsked(items=units(PLACED, 1)))
    full = evolve(sent, fulfilments=sent.fulfilments * MOST_RECORDS)
    assert refused(full, FulfilAsked()) == [("", "too_many_fulfilments")]
    assert done(evolve(sent, fulfilments=full.fulfilments[1:]), FulfilAsked())
    back = refund(sent, partner_id=ONE, amount=Decimal(1))
    full = evolve(back, refunds=back.refunds * MOST_RECORDS)
    assert refused(full, RefundAsked(reason="x")) == [("", "too_many_refunds")]
    assert refund(evolve(back, refunds=full.refunds[1:]), partner_id=ONE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fulfilled": 2}, {"cancelled": 2}, {"returned": 1}, {"fulfilled": 1, "refunded": 2},
        {"cancelled_amount": Decimal("10.01")},
    ],
)  # fmt: skip
def test_a_line_whose_units_do_not_add_up_is_none(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="item_"):
        line(**wrong)


@pytest.mark.parametrize("code", ["EUR", "eur", " Eur "])
def test_the_currency_of_an_amount_may_be_in_any_case(code: str) -> None:
    paid = done(PLACED, RefundAsked(reason="late", amount=Decimal("1.00"), currency=code))
    assert paid.refunded_amount == Decimal("1.00")


@pytest.mark.parametrize(
    ("units_asked", "returned", "words"),
    [
        (
            1,
            True,
            "1 was asked for, but 0 units of SKU can be refunded as returned.",
        ),
        (4, False, "4 were asked for, but 3 units of SKU can be refunded."),
    ],
    ids=["returned", "too many"],
)
def test_a_refusal_of_units_states_what_they_lack(
    units_asked: int, returned: bool, words: str
) -> None:
    of = line(quantity=3)
    asked = RefundAsked(reason="why", items=units(of, units_asked), returned=returned)
    with pytest.raises(Conflict) as refusal:
        done(order(of), asked)
    assert refusal.value.detail == words
