"""How prices move, and which move is a leap."""

from decimal import Decimal

import pytest

from commerce_core.plans.price_moves import (
    EDGES,
    MOST_LEAPS_LISTED,
    MOST_MOVES_LISTED,
    NO_MOVES,
    PriceMove,
    move_of,
    price_moves,
)
from tests.unit.core.plans.test_comparison import product

TEN_EUROS = product(price=Decimal("10.00"), currency="EUR")


def move(
    before: str, after: str, sku: str = "A", line: int = 2, *, kept: bool = False
) -> PriceMove:
    return PriceMove.of(sku, line, "EUR", before=Decimal(before), after=Decimal(after), kept=kept)


@pytest.mark.parametrize(
    ("before", "after", "percent"),
    [
        ("10.00", "12.50", "25.00"),
        ("10.00", "7.50", "-25.00"),
        ("10.00", "0.00", "-100.00"),
        ("3.00", "4.00", "33.33"),
        ("3.00", "2.00", "-33.33"),
        ("999999999999.99", "1000000000000.00", "0.00"),
        ("0.01", "999999999999.99", "9999999999999800.00"),
    ],
)
def test_a_move_is_measured_in_percent_cut_towards_zero(before: str, after: str, percent: str):
    assert move(before, after).percent == Decimal(percent)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"price": Decimal("49.99")}, False),
        ({"price": Decimal("50.00")}, True),
        ({"price": Decimal("2.01")}, False),
        ({"price": Decimal("2.00")}, True),
        ({"price": Decimal("0.00")}, False),
    ],
)
def test_a_leap_is_fivefold_up_or_down_and_never_to_nothing(
    values: dict[str, Decimal], *, kept: bool
):
    moved = move_of(TEN_EUROS, "A", 2, values, 5)
    assert moved is not None
    assert moved.kept is kept
    without_a_guard = move_of(TEN_EUROS, "A", 2, values, None)
    assert without_a_guard is not None
    assert not without_a_guard.kept


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"price": None},
        {"price": Decimal("10.00")},
        {"price": Decimal("90.00"), "currency": "USD"},
    ],
)
def test_nothing_moves_without_two_prices_of_one_currency_that_differ(values: dict[str, object]):
    assert move_of(TEN_EUROS, "A", 2, values, 5) is None  # type: ignore[arg-type]
    assert move_of(product(), "A", 2, {"price": Decimal(1), "currency": "EUR"}, 5) is None
    free = product(price=Decimal("0.00"), currency="EUR")
    assert move_of(free, "A", 2, {"price": Decimal(1)}, 5) is None


def test_every_move_is_in_one_range_and_a_range_begins_with_its_edge():
    moves = price_moves([move("100.00", str(100 + Decimal(edge) / 100)) for edge in EDGES])
    assert [found.products for found in moves.ranges] == [0, *[1] * len(EDGES)]
    assert (moves.ranges[0].from_percent, moves.ranges[-1].to_percent) == (None, None)
    assert moves.ranges[1].from_percent == -80


def test_the_median_is_of_how_far_whichever_the_direction():
    moves = price_moves([move("10", "11"), move("10", "8"), move("10", "13"), move("10", "5")])
    assert (moves.moved, moves.median_percent) == (4, Decimal("20.00"))
    assert price_moves([]) == NO_MOVES


def test_the_largest_are_those_by_most_fold_and_those_to_nothing_before_all():
    moves = [
        move("10", after, sku)
        for sku, after in zip("abcde", ("11", "0", "1", "99", "5"), strict=True)
    ]
    assert [found.sku for found in price_moves(moves).largest] == ["b", "c", "d", "e", "a"]


def test_all_are_counted_and_the_first_listed():
    count = MOST_LEAPS_LISTED + 1
    moves = price_moves([move("1", "9", f"{n:03}", count - n, kept=True) for n in range(count)])
    assert (moves.moved, moves.kept) == (count, count)
    assert len(moves.largest) == MOST_MOVES_LISTED
    assert [leap.line for leap in moves.leaps] == list(range(1, count))
