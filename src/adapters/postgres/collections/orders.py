"""Orders in PostgreSQL, with their lines as frozen copies."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, LiteralString

from attrs import evolve, frozen
from psycopg.types.json import Jsonb

from adapters.postgres.collections.listing import Condition, ListById, asked, count
from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_one,
    found,
    maybe_digits,
    params_of,
    rows_as,
)
from commerce_core.base.paging import Page, Position
from commerce_core.orders.order import OWN_REFERENCE, Order, OrderItem, OrderQuery
from commerce_core.pricing.explanation import Adjustment

_SELECT: Final = """
    SELECT order_id, status, customer_reference, currency, total_amount, refunded_amount, metadata,
           created_at, updated_at, codes, customer, customer_group, channel
    FROM orders"""


_ADJUSTMENTS: Final = read_as(tuple[Adjustment, ...])


def _item(row: dict[str, Any]) -> tuple[str, OrderItem]:
    steps: list[dict[str, Any]] = row["adjustments"]
    for step in steps:
        # Up to the first version that has rules, an amount was that of a unit.
        if "funded_by" not in step:
            step["amount"] = str(Decimal(step["amount"]) * row["quantity"])
    row["adjustments"] = _ADJUSTMENTS(steps)
    return row.pop("order_id"), OrderItem(**row)


_ORDERS: Final = rows_as(lambda row: Order(**row, items=()), codes=tuple)
_ITEMS: Final = rows_as(_item)

_LIST: Final = ListById(_ORDERS, _SELECT, "order_id", attrgetter("order_id"))


@frozen
class Orders:
    """Implements `commerce_core.ports.orders.Orders`."""

    _db: Connection

    def page(self, query: OrderQuery, after: Position | None, limit: int) -> Page[Order]:
        """Pages of orders."""
        page = _LIST.page(self._db, _conditions(query), after, limit)
        return evolve(page, items=self._with_items(page.items))

    def count(self, query: OrderQuery) -> int:
        """How many orders fit."""
        return count(self._db, "orders", _conditions(query))

    def add(self, order: Order) -> None:
        """Keeps a new order."""
        self._db.execute(
            """
            INSERT INTO orders (order_id, status, customer_reference, currency, total_amount,
                                refunded_amount, metadata, created_at, updated_at, codes, customer,
                                customer_group, channel)
            VALUES (%(order_id)s, %(status)s, %(customer_reference)s, %(currency)s,
                    %(total_amount)s, %(refunded_amount)s, %(metadata)s, %(created_at)s,
                    %(updated_at)s, %(codes)s, %(customer)s, %(customer_group)s, %(channel)s)
            """,
            params_of(order) | {"metadata": Jsonb(dict(order.metadata)), "items": None},
        )
        if order.items:
            self._add_items(order)

    def _add_items(self, order: Order) -> None:
        columns = _columns_of([params_of(item) for item in order.items])
        adjustments = [document(item.adjustments) for item in order.items]
        self._db.execute(
            """
            INSERT INTO order_items (order_id, position, item_id, product_id, product_version,
                                     partner_id, sku, product_name, quantity, list_price,
                                     unit_price, line_total, adjustments, partner_amount,
                                     commission_percent, fee)
            SELECT %(order_id)s, position, item_id, product_id, product_version, partner_id, sku,
                   product_name, quantity, list_price, unit_price, line_total, adjustments,
                   partner_amount, commission_percent, fee
            FROM unnest(%(item_id)s::uuid[], %(product_id)s::uuid[], %(product_version)s::int[],
                        %(partner_id)s::uuid[], %(sku)s::text[], %(product_name)s::text[],
                        %(quantity)s::int[], %(list_price)s::numeric[], %(unit_price)s::numeric[],
                        %(line_total)s::numeric[], %(adjustments)s::jsonb[],
                        %(partner_amount)s::numeric[], %(commission_percent)s::numeric[],
                        %(fee)s::numeric[])
                 WITH ORDINALITY
                 AS item (item_id, product_id, product_version, partner_id, sku, product_name,
                          quantity, list_price, unit_price, line_total, adjustments,
                          partner_amount, commission_percent, fee, position)
            """,
            columns | {"order_id": digits(order.order_id), "adjustments": adjustments},
        )

    def get(self, order_id: str) -> Order:
        """The order."""
        return self._one(f"{_SELECT} WHERE order_id = %s", order_id)

    def lock(self, order_id: str) -> Order:
        """The order, locked until this unit ends."""
        return self._one(f"{_SELECT} WHERE order_id = %s FOR NO KEY UPDATE", order_id)

    def _one(self, query: LiteralString, order_id: str) -> Order:
        row = fetch_one(self._db, _ORDERS, query, [digits(order_id)])
        return self._with_items([found(row, "order", order_id)])[0]

    def _with_items(self, orders: Sequence[Order]) -> tuple[Order, ...]:
        """The orders with their lines, which one query fetches for all of them."""
        rows = fetch(
            self._db,
            _ITEMS,
            """
            SELECT order_id, item_id, product_id, product_version, partner_id, sku, product_name,
                   quantity, list_price, unit_price, line_total, adjustments,
                   coalesce(partner_amount, line_total) AS partner_amount,
                   coalesce(commission_percent, 0) AS commission_percent, coalesce(fee, 0) AS fee
            FROM order_items
            WHERE order_id = ANY(%s::uuid[])
            ORDER BY order_id, position
            """,
            [[digits(order.order_id) for order in orders]],
        )
        items = {
            order_id: tuple(item for _, item in group)
            for order_id, group in groupby(rows, key=lambda row: row[0])
        }
        return tuple(evolve(order, items=items.get(order.order_id, ())) for order in orders)

    def put(self, order: Order) -> None:
        """Replaces an order's status, refunded amount and time."""
        changed = self._db.execute(
            """
            UPDATE orders
            SET status = %(status)s, refunded_amount = %(refunded_amount)s,
                updated_at = %(updated_at)s
            WHERE order_id = %(order_id)s
            RETURNING order_id
            """,
            params_of(evolve(order, items=(), metadata={})) | {"metadata": None},
        ).fetchone()
        found(changed, "order", order.order_id)


def _columns_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _conditions(query: OrderQuery) -> list[Condition]:
    return [
        *asked(
            """EXISTS (
                SELECT FROM order_items i
                WHERE i.order_id = orders.order_id AND i.partner_id = %s
            )""",
            maybe_digits(query.partner_id),
        ),
        *asked("status = %s", query.status),
        *_by_reference(query),
        *asked("created_at >= %s", query.created_from),
        *asked("created_at < %s", query.created_to),
    ]


def _by_reference(query: OrderQuery) -> list[Condition]:
    """The condition on the reference that who asks sees, as `Order.part_of` has it."""
    partner_id = query.seen_by
    if partner_id is None or query.customer_reference is None:
        return asked("customer_reference = %s", query.customer_reference)
    of_part: LiteralString = """
        CASE
            WHEN EXISTS (
                SELECT FROM order_items i
                WHERE i.order_id = orders.order_id AND i.partner_id <> %s
            )
            THEN metadata ->> %s
            ELSE customer_reference
        END = %s"""
    own = f"{partner_id}.{OWN_REFERENCE}"
    return [(of_part, [digits(partner_id), own, query.customer_reference])]
