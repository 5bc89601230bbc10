"""On PostgreSQL, too, orders, stock and money go through any acts as an oracle has them."""

import pytest

from adapters.postgres import PostgresStore
from tests.contracts.acts_machine import hold


@pytest.mark.slow
def test_whatever_is_done_to_orders_units_and_money_add_up(store: PostgresStore):
    hold(store, examples=6, steps=20)
