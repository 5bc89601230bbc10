"""States of orders and parts: the table over all vectors, and how parts make up an order."""

from itertools import product as every
from pathlib import Path

import pytest

from commerce_core.orders.states import STATUSES, OrderStatus, Standing, meanings

FEW = (0, 1, 2)


def by_hand(open_: int, fulfilled: int, confirmed: bool, paid_back: bool) -> OrderStatus:
    """The state as a person would tell it, branch by branch."""
    if paid_back:
        return "refunded"
    if open_:
        if fulfilled:
            return "partially_fulfilled"
        return "confirmed" if confirmed else "created"
    return "fulfilled" if fulfilled else "cancelled"


@pytest.mark.parametrize(
    ("open_", "fulfilled", "confirmed", "paid_back"),
    list(every(FEW, FEW, (False, True), (False, True))),
)
def test_every_vector_has_the_state_of_the_table(
    open_: int, fulfilled: int, confirmed: bool, paid_back: bool
):
    standing = Standing(open_, fulfilled, confirmed, paid_back)
    assert standing.status == by_hand(open_, fulfilled, confirmed, paid_back)


def test_the_table_names_every_state_once_and_always_applies():
    states = [status for status, _ in meanings()]
    assert sorted(states) == sorted(STATUSES)
    assert list(meanings())[-1] == ("created", "otherwise")


def test_the_documentation_has_the_table():
    page = Path("docs/concepts/orders-stock-and-money.md").read_text(encoding="utf-8")
    assert all(f"| `{status}` | {meaning} |" in page for status, meaning in meanings())
