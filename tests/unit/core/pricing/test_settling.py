"""What limits the amounts of a rule, and how what one line can't give goes to the others."""

from collections.abc import Sequence
from fractions import Fraction

import pytest

from commerce_core.pricing.rules import PriceRule
from commerce_core.pricing.settling import allocate
from tests.unit.core.pricing.shop import price, product, rule, totals

FLOOR = rule({"floor": {"price": "8.00"}}, 9)
MAP_OF_B = rule({"floor": {"price": "19.50"}}, 9, condition={"sku": ["B"]})


@pytest.mark.parametrize(
    ("rules", "left", "limited"),
    [
        ((rule({"amount": "500"}, applies_to="order"),), ("0.00", "0.00"), ("zero", "zero")),
        ((rule({"amount": "15"}, applies_to="order"), FLOOR), ("8.00", "8.00"), ("floor", None)),
        ((rule({"percent": "50"}), FLOOR), ("8.00", "10.00"), ("floor", None)),
        ((rule({"percent": "20"}), FLOOR), ("8.00", "16.00"), (None, None)),
        (
            (rule({"percent": "10"}, limits={"max_amount": "1.50"}),),
            ("9.50", "19.00"),
            ("cap", "cap"),
        ),
        (
            (rule({"percent": "10"}, limits={"max_amount": "3.00"}),),
            ("9.00", "18.00"),
            (None, None),
        ),
        (
            (rule({"amount": "6"}, applies_to="order", limits={"max_amount": "3"}),),
            ("9.00", "18.00"),
            ("cap", "cap"),
        ),
        (
            (rule({"amount": "6"}, applies_to="order"), MAP_OF_B),
            ("4.50", "19.50"),
            (None, "floor"),
        ),
    ],
)
def test_each_step_has_what_limited_it(
    rules: Sequence[PriceRule], left: tuple[str, str], limited: tuple[str | None, str | None]
):
    """Two lines, of 10.00 and 20.00."""
    priced = price([(product("A", "10.00"), 1), (product("B", "20.00"), 1)], *rules)
    assert totals(priced) == dict(zip("AB", left, strict=True))
    found = tuple(item.adjustments[0].limited_by for item in priced.items)
    assert found == limited
    assert [item.adjustments[0].units for item in priced.items] == [1, 1]


@pytest.mark.parametrize(
    ("amount", "weights", "rooms", "given"),
    [
        (10, [1, 1, 1], [9, 9, 9], [4, 3, 3]),
        (10, [1, 1, 1], [2, 9, 9], [2, 4, 4]),
        (10, [1, 1, 1], [2, 3, 9], [2, 3, 5]),
        (10, [1, 1, 1], [2, 3, 4], [2, 3, 4]),
        (10, [1, 0, 1], [9, 9, 9], [5, 0, 5]),
        (10, [1, 0, 1], [0, 9, 9], [0, 0, 9]),
        (0, [1, 1], [9, 9], [0, 0]),
        (10, [], [], []),
        (10, [3, 1], [5, 5], [5, 5]),
        (1, [1, 1], [1, 1], [1, 0]),
    ],
)
def test_an_amount_goes_to_lines_with_room(
    amount: int, weights: list[int], rooms: list[int], given: list[int]
):
    assert allocate(amount, [Fraction(weight) for weight in weights], rooms) == given
