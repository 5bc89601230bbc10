"""Writes that are sent together: a failure among them undoes the unit, and the connection lives."""

from contextlib import closing
from typing import cast

import psycopg
import pytest

from adapters.postgres import PostgresStore
from adapters.postgres.store import Unit
from commerce_core.orders.order import OrderQuery
from commerce_core.ports.store import UnitOfWork
from commerce_core.stock.reservation import Taking
from tests.contracts import samples
from tests.contracts.samples import T0


@pytest.fixture
def single(database: str):
    """A store with one connection."""
    with closing(PostgresStore(database, most_connections=1)) as store:
        yield store


def is_together(unit: UnitOfWork) -> bool:
    """Whether the unit's connection sends without waiting."""
    db = cast("Unit", unit).orders._db
    return db.info.pipeline_status == psycopg.pq.PipelineStatus.ON


def test_writes_are_sent_without_waiting_for_each(single: PostgresStore):
    with single.begin() as unit:
        with unit.together():
            unit.orders.add(samples.order(samples.line()))
            assert is_together(unit)
        assert not is_together(unit)


@pytest.mark.parametrize("reads", [True, False])
def test_a_failure_is_raised_by_what_returns_something_at_the_latest_or_at_the_end(
    single: PostgresStore, reads: bool
):
    """Sooner if the server has answered before the rest is sent."""
    order = samples.order(samples.line())
    with single.begin() as unit:
        unit.orders.add(order)
    reached: list[str] = []

    def fail() -> None:
        with single.begin() as unit, unit.together():
            unit.orders.add(samples.order(samples.line()))
            unit.orders.add(order)
            if reads:
                unit.stock.take([Taking(samples.new_id("prod"), samples.new_id("item"), 1)], T0)
            reached.append("end")

    with pytest.raises(psycopg.errors.UniqueViolation):
        fail()
    assert not (reads and reached)
    with single.begin() as unit:
        assert unit.orders.count(OrderQuery()) == 1
        assert not is_together(unit)
        assert unit.orders.get(order.order_id) == order
