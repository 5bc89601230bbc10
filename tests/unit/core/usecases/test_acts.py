"""In memory, orders, stock and money go through any acts as an oracle has them."""

from datetime import UTC, datetime

from adapters.memory import MemoryStore
from tests.contracts.acts_machine import hold


def test_whatever_is_done_to_orders_units_and_money_add_up():
    hold(MemoryStore(lambda: datetime.now(UTC)), examples=15, steps=25)
