"""Escrow in PostgreSQL: that hot products are divided, and that what divides them holds.

What it promises stands in `tests.contracts.stock_contract`, which knows nothing of rows.
"""

from collections.abc import Generator
from datetime import timedelta
from typing import TypeAlias

import psycopg
import pytest

from adapters.postgres import PostgresStore
from adapters.postgres.collections.escrow import COOLING, HOT, LEAST_IN_SLOT, MOST_IN_SLOT, SLOTS
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import SECOND, T0
from tests.contracts.stock_contract import reserved, stocked, taking

Second: TypeAlias = psycopg.Connection[tuple[int, ...]]


@pytest.fixture
def db(store: PostgresStore, database: str) -> Generator[Second]:
    """A second connection to the same database."""
    with psycopg.connect(database, autocommit=True) as db:
        yield db


def slots(db: Second) -> list[int]:
    return [row[0] for row in db.execute("SELECT units FROM escrow_units ORDER BY slot").fetchall()]


def take(store: Store, times: int, every: timedelta = timedelta(0), sku: str = "A") -> None:
    product = samples.catalog(store)[sku]
    for number in range(times):
        with store.begin() as unit:
            assert not unit.stock.take([taking(product, 1)], T0 + number * every)


class TestEscrow:
    def test_half_of_what_a_hot_product_can_supply_is_divided(
        self, store: PostgresStore, db: Second
    ):
        stocked(store, A=1_000)
        take(store, HOT - 1)
        assert slots(db) == []
        take(store, 1)
        assert slots(db) == [(1_000 - HOT) // 2 // SLOTS] * SLOTS
        assert reserved(store) == {"A": HOT}

    def test_what_has_no_limit_is_divided_too(self, store: PostgresStore, db: Second):
        stocked(store, A=None)
        take(store, HOT + 3)
        assert sum(slots(db)) == MOST_IN_SLOT * SLOTS - 3
        assert reserved(store) == {"A": HOT + 3}

    def test_orders_that_come_slowly_divide_nothing(self, store: PostgresStore, db: Second):
        stocked(store, A=None)
        take(store, HOT * 2, every=SECOND / COOLING)
        assert slots(db) == []

    def test_the_last_units_are_not_divided(self, store: PostgresStore, db: Second):
        few = HOT + 2 * SLOTS * LEAST_IN_SLOT
        stocked(store, A=few - 1, B=few)
        take(store, HOT)
        assert slots(db) == []
        take(store, HOT, sku="B")
        assert slots(db) == [LEAST_IN_SLOT] * SLOTS

    def test_an_order_of_a_divided_product_waits_for_nobody(self, store: PostgresStore):
        a = stocked(store, A=1_000)["A"]
        take(store, HOT)
        with store.begin() as one, store.begin() as other, store.begin() as third:
            for unit in (one, other, third):
                assert not unit.stock.take([taking(a, 2)], T0)
        assert reserved(store) == {"A": HOT + 6}

    def test_slots_that_are_empty_are_filled_again(self, store: PostgresStore, db: Second):
        a = stocked(store, A=None)["A"]
        take(store, HOT)
        for _ in range(SLOTS):
            with store.begin() as unit:
                assert not unit.stock.take([taking(a, MOST_IN_SLOT)], T0)
        assert slots(db) == [0] * SLOTS
        with store.begin() as unit:
            assert unit.stock.take([taking(a, 1)], T0)
        with store.begin() as unit:
            assert not unit.stock.take([taking(a, 1)], T0, whole=True)
        assert slots(db) == [MOST_IN_SLOT] * SLOTS
        assert reserved(store) == {"A": HOT + SLOTS * MOST_IN_SLOT + 1}

    def test_a_product_that_has_cooled_down_is_whole_again(self, store: PostgresStore, db: Second):
        a = stocked(store, A=1_000)["A"]
        take(store, HOT)
        with store.begin() as unit:
            assert not unit.stock.take([taking(a, 1)], T0 + 60 * SECOND, whole=True)
        assert slots(db) == []
        assert reserved(store) == {"A": HOT + 1}

    def test_no_slot_is_ever_below_zero(self, store: PostgresStore, db: Second):
        stocked(store, A=1_000)
        take(store, HOT)
        with pytest.raises(psycopg.errors.CheckViolation):
            db.execute("UPDATE escrow_units SET units = -1")
