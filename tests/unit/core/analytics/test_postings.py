"""From acts to entries: both parts of each amount, what is reversed, and the fee."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.analytics.entries_file import ENTRY_COLUMNS, write_entries
from commerce_core.analytics.ledger import ENTRY_KINDS, SIGNS, SalesEntry
from commerce_core.analytics.postings import entries_of
from commerce_core.base.money import share_of_units
from commerce_core.orders import acts
from commerce_core.orders.asking import CancelAsked
from commerce_core.orders.line import OrderItem
from commerce_core.orders.movement import Movement
from commerce_core.orders.movement import placed as placements
from commerce_core.orders.order import Order, freeze_line
from commerce_core.orders.part import part_id_of
from commerce_core.pricing.explanation import Adjustment
from commerce_core.pricing.priced import PricedItem
from tests.contracts import samples
from tests.contracts.samples import DAY, T0

TEN = Decimal(10)


def priced(quantity: int = 2, *steps: Adjustment, price: str = "50.00") -> PricedItem:
    whole = Decimal(price) * quantity
    total = whole + sum((step.amount for step in steps), Decimal(0))
    return PricedItem(
        "prod_" + "0" * 32, 1, "ptn_" + "1" * 32, "A-1", "Lamp", quantity, Decimal(price),
        Decimal(price), total, steps,
    )  # fmt: skip


def taken(amount: str, partner: str, funded_by: str = "both") -> Adjustment:
    return Adjustment(
        "rule", "Rule", -Decimal(amount), funded_by=funded_by,  # type: ignore[arg-type]
        partner_amount=-Decimal(partner),
    )  # fmt: skip


def numbered() -> Iterator[str]:
    return (f"ent_{number:032x}" for number in count())


@pytest.mark.parametrize(
    ("line", "percent", "partner"),
    [
        (priced(), "0", "100.00"),
        (priced(), "10", "90.00"),
        (priced(), "100", "0.00"),
        (priced(1, price="0.05"), "10", "0.04"),
        (priced(1, price="0.10"), "33.333", "0.07"),
        # A discount of the platform is the platform's loss; one of the partner is the partner's.
        (priced(2, taken("20.00", "0.00")), "10", "90.00"),
        (priced(2, taken("20.00", "20.00")), "10", "72.00"),
        (priced(2, taken("20.00", "5.00")), "10", "85.50"),
        # What the platform adds is the platform's.
        (priced(2, Adjustment("rule", "M", TEN, partner_amount=Decimal(0))), "0", "100.00"),
        # A partner's own sale price.
        (priced(2, Adjustment("sale", "Sale", -TEN)), "0", "90.00"),
        (priced(2, taken("100.00", "0.00")), "10", "90.00"),
    ],
)
def test_the_partners_amount_is_what_it_sells_for_less_commission(
    line: PricedItem, percent: str, partner: str
):
    item = freeze_line("item_" + "2" * 32, line, Decimal(percent))
    assert str(item.partner_amount) == partner
    assert item.commission_percent == Decimal(percent)


def order_of(item: OrderItem) -> Order:
    return samples.order(item)


def test_a_placement_has_both_parts_and_its_fee():
    line = priced(2, taken("20.00", "5.00"))
    item = freeze_line("item_" + "2" * 32, line, TEN, Decimal("0.30"))
    order = order_of(item)
    placed, fee = entries_of(order, placements(order), T0, numbered().__next__)
    assert (placed.kind, placed.quantity, placed.at) == ("placed", 2, T0)
    assert (placed.gross, placed.discount, placed.amount) == (100, 20, 80)
    assert (placed.partner_amount, placed.platform_amount) == (Decimal("85.50"), Decimal("-5.50"))
    assert placed.platform_discount == 15
    assert (fee.kind, fee.amount, fee.quantity, fee.reverses) == ("fee", 0, 0, None)
    assert (fee.partner_amount, fee.platform_amount) == (Decimal("-0.30"), Decimal("0.30"))


def test_a_cancellation_takes_all_of_it_back():
    line = priced(2, taken("20.00", "5.00"))
    item = freeze_line("item_" + "2" * 32, line, TEN, Decimal("0.30"))
    order, mint = order_of(item), numbered().__next__
    made = entries_of(order, placements(order), T0, mint)
    movements = acts.cancel(order, CancelAsked(), T0 + DAY).movements
    undone = entries_of(order, movements, T0 + DAY, mint, made)
    assert [(entry.kind, entry.reverses) for entry in undone] == [
        ("cancelled", made[0].entry_id),
        ("fee", made[1].entry_id),
    ]
    assert {entry.part_id for entry in (*made, undone[0])} == {
        part_id_of(order.order_id, item.partner_id)
    }
    assert nothing_is_left([*made, *undone])


def nothing_is_left(entries: list[SalesEntry]) -> bool:
    names = (
        "quantity", "gross", "discount", "amount", "partner_amount", "platform_amount",
        "platform_discount",
    )  # fmt: skip
    sums = [sum(getattr(entry.signed, name) for entry in entries) for name in names]
    return sums == [0] * len(names)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 500), st.integers(0, 99))
def test_whatever_the_steps_a_line_that_is_cancelled_leaves_nothing(
    steps: list[int], cents: int, fee: int
):
    of = sum(steps)
    discount = min(Decimal(cents), 50 * Decimal(of) * 100) / 100
    line = priced(of, taken(str(discount), "0.00"), price="50.00")
    item = freeze_line("item_" + "2" * 32, line, TEN, Decimal(fee) / 100)
    order, mint = order_of(item), numbered().__next__
    entries, gone = entries_of(order, placements(order), T0, mint), 0
    placed = entries[0]
    for units in steps:
        gross, amount, partner = (
            share_of_units(whole, gone, units, of)
            for whole in (placed.gross, placed.amount, placed.partner_amount)
        )
        part_id = "part_" + "3" * 32
        step = Movement("cancelled", item, units, gross, amount, partner, part_id)
        entries += entries_of(order, [step], T0, mint, entries)
        gone += units
    assert nothing_is_left(entries)
    assert all(e.partner_amount + e.platform_amount == e.amount for e in entries)


def test_goodwill_has_no_units_and_no_discount():
    item = freeze_line("item_" + "2" * 32, priced(2, taken("20.00", "0.00")), TEN, TEN)
    order, mint = order_of(item), numbered().__next__
    made = entries_of(order, placements(order), T0, mint)
    part_id = "part_" + "3" * 32
    amounts = (Decimal(0), Decimal(5), Decimal("4.50"))
    kindness = Movement("goodwill", item, 0, *amounts, part_id, reason="Late.")
    (entry,) = entries_of(order, [kindness], T0, mint, made)
    assert (entry.gross, entry.discount, entry.platform_discount) == (5, 0, 0)
    assert (entry.signed.partner_amount, entry.reason) == (Decimal("-4.50"), "Late.")


@pytest.mark.parametrize(
    ("total", "of", "shares"),
    [
        ("10.00", 3, ["3.33", "3.33", "3.34"]),
        ("1000", 3, ["333", "333", "334"]),
        ("0.010", 3, ["0.003", "0.003", "0.004"]),
        ("-0.05", 2, ["-0.03", "-0.02"]),
        ("0.00", 2, ["0.00", "0.00"]),
    ],
)
def test_units_one_by_one_have_the_whole(total: str, of: int, shares: list[str]):
    found = [share_of_units(Decimal(total), before, 1, of) for before in range(of)]
    assert list(map(str, found)) == shares
    assert sum(found) == share_of_units(Decimal(total), 0, of, of) == Decimal(total)


def test_every_kind_counts_in_one_direction():
    assert set(SIGNS) == set(ENTRY_KINDS)
    item = samples.line()
    for kind in ENTRY_KINDS:
        entry = samples.entry(samples.order(item), item, kind=kind)
        assert entry.signed.amount == SIGNS[kind] * entry.amount


def test_the_file_of_entries_adds_up_and_has_no_formulas():
    item = samples.line(sku="=1+1")
    order = samples.order(item)
    made = [
        samples.entry(order, item),
        samples.entry(order, item, kind="cancelled", reason='@risk, "why"\n'),
    ]
    text = b"".join(write_entries(entry.signed for entry in made)).decode()
    header, first, *_ = text.split("\n")
    assert header == ",".join(ENTRY_COLUMNS)
    cells = dict(zip(ENTRY_COLUMNS, first.split(","), strict=True))
    assert (cells["sku"], cells["amount"], cells["at"]) == (
        "'=1+1",
        "18.00",
        "2026-01-01T12:00:00Z",
    )
    assert "'@risk" in text
    assert ",-18.00," in text
