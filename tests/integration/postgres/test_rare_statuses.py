"""Lists by status read what they show, however rare the status is."""

from collections.abc import Callable
from typing import Final, cast

import psycopg
import pytest

from adapters.postgres import PostgresStore
from adapters.postgres.store import Unit
from commerce_core.alerts.alert import AlertQuery
from commerce_core.base.paging import Position
from commerce_core.orders.order import Order, OrderQuery
from commerce_core.orders.states import OrderStatus
from tests.contracts.samples import SECOND, T0
from tests.support.shelf import rows_read

Connect = Callable[[], psycopg.Connection]
MANY, RARE, LIMIT = 5_000, 10, 4
EVERY: Final = MANY // RARE
PLACED: Final = """
    INSERT INTO orders (order_id, status, currency, total_amount, refunded_amount, metadata,
                        created_at, updated_at, expires_at)
    SELECT lpad(to_hex(n), 32, '0')::uuid,
           CASE n %% %(every)s WHEN 1 THEN 'confirmed' WHEN 2 THEN 'cancelled'
                               WHEN 3 THEN 'created' WHEN 4 THEN 'created' ELSE 'fulfilled' END,
           'EUR', 1, 0, '{}', %(now)s, %(now)s,
           CASE n %% %(every)s WHEN 3 THEN %(now)s WHEN 4 THEN %(now)s + interval '1 day' END
    FROM generate_series(1, %(many)s) AS n"""
"""Of each five hundred orders one is confirmed, cancelled, expired at T0, and not yet confirmed."""


@pytest.mark.parametrize(
    ("status", "found", "beside"),
    [("confirmed", 10, 0), ("cancelled", 20, 3 * RARE), ("created", 10, RARE)],
)
def test_orders_of_a_rare_status_are_found_without_the_others(
    store: PostgresStore, connect: Connect, status: OrderStatus, found: int, beside: int
):
    """Cancelled are those that are struck, and those that have expired: both are looked up."""
    with connect() as db:
        db.execute(PLACED, {"many": MANY, "every": EVERY, "now": T0})
        db.execute("ANALYZE orders")
    query = OrderQuery(status=status, as_of=T0 + SECOND)
    with store.begin() as unit:
        db = cast("Unit", unit).orders._db
        whole = unit.orders.page(query, None, MANY).items
        assert len(whole) == unit.orders.count(query) == found
        for first in (0, 2):
            after = Position(None, whole[first - 1].order_id) if first else None
            page: list[Order] = []
            read = rows_read(
                db, lambda at=after, to=page: to.extend(unit.orders.page(query, at, LIMIT).items)
            )
            assert page == list(whole[first : first + LIMIT])
            assert read["orders"] <= RARE + beside


ALERTED: Final = """
    INSERT INTO alerts (alert_id, channel_id, severity, entries, more, status, attempts, created_at)
    SELECT lpad(to_hex(n), 32, '0')::uuid, gen_random_uuid(), 'warning', '[]', 0,
           CASE n %% %(every)s WHEN 1 THEN 'failed' ELSE 'sent' END, 1, %(now)s
    FROM generate_series(1, %(many)s) AS n"""


def test_alerts_that_failed_are_found_without_the_others(store: PostgresStore, connect: Connect):
    with connect() as db:
        db.execute(ALERTED, {"many": MANY, "every": EVERY, "now": T0})
        db.execute("ANALYZE alerts")
    query = AlertQuery(status="failed")
    with store.begin() as unit:
        db = cast("Unit", unit).alerts._db
        assert len(unit.alerts.page(query, None, MANY).items) == RARE
        assert rows_read(db, lambda: unit.alerts.page(query, None, LIMIT))["alerts"] <= RARE
