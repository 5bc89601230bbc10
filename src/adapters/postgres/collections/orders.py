"""Orders in PostgreSQL, with their lines as frozen copies."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, LiteralString, TypeVar

from attrs import evolve, frozen
from psycopg.types.json import Jsonb

from adapters.postgres.collections.listing import Condition, ListById, any_of, asked, count
from adapters.postgres.connection.documents import content, document, read_as, rows_document
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_one,
    found,
    maybe_digits,
    params_of,
    rows_as,
    rows_of,
)
from commerce_core.base.paging import Page, Position
from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import OWN_REFERENCE, Order, OrderQuery
from commerce_core.orders.part import FulfilledUnits, Fulfilment, PartMark, Refund, RefundedUnits
from commerce_core.pricing.explanation import Adjustment

T = TypeVar("T")

_SELECT: Final = """
    SELECT order_id, status, customer_reference, currency, total_amount, refunded_amount, metadata,
           created_at, updated_at, codes, customer, customer_group, channel, version, expires_at,
           duplicate_of
    FROM orders"""


_ADJUSTMENTS: Final = read_as(tuple[Adjustment, ...])


def _item(row: dict[str, Any]) -> tuple[str, OrderItem]:
    steps: list[dict[str, Any]] = row["adjustments"]
    for step in steps:
        # Up to the first version that has rules, an amount was that of a unit.
        if "funded_by" not in step:
            step["amount"] = str(Decimal(step["amount"]) * row["quantity"])
    row["adjustments"] = _ADJUSTMENTS(steps)
    # What an earlier version has placed lacks some of these.
    known = {name: value for name, value in row.items() if value is not None}
    return known.pop("order_id"), OrderItem(**known)


def _of_order(kind: Callable[..., T]) -> Callable[[dict[str, Any]], tuple[str, T]]:
    """Makes a value of a row, beside the id of the order it belongs to."""
    return lambda row: (row.pop("order_id"), kind(**row))


_ORDERS: Final = rows_as(lambda row: Order(**row, items=()), codes=tuple)
_ITEMS: Final = rows_as(_item)
_MARKS: Final = rows_as(_of_order(PartMark))
_FULFILMENTS: Final = rows_as(_of_order(Fulfilment), items=read_as(tuple[FulfilledUnits, ...]))
_REFUND: Final = rows_of(Refund, items=read_as(tuple[RefundedUnits, ...]))
_SELECT_REFUND: Final = """
    SELECT refund_id, order_id, part_id, partner_id, kind, reason, currency, amount, items,
           returned, restock, created_at
    FROM refunds"""

_LIST: Final = ListById(_ORDERS, _SELECT, "order_id", attrgetter("order_id"))
_OLDEST: Final = evolve(_LIST, newest_first=False)


@frozen
class Orders:
    """Implements `commerce_core.ports.orders.Orders`."""

    _db: Connection

    def page(self, query: OrderQuery, after: Position | None, limit: int) -> Page[Order]:
        """Pages of orders."""
        page = _LIST.page(self._db, _conditions(query), after, limit, _by_status(query))
        return evolve(page, items=self._with_items(page.items))

    def count(self, query: OrderQuery) -> int:
        """How many orders fit."""
        return count(self._db, "orders", [*_conditions(query), *any_of(_by_status(query))])

    def add(self, order: Order) -> None:
        """Keeps a new order."""
        items = [
            params_of(item) | {"position": position, "adjustments": content(item.adjustments)}
            for position, item in enumerate(order.items, start=1)
        ]
        self._db.execute(
            """
            WITH placed AS (
                INSERT INTO orders (order_id, status, customer_reference, currency, total_amount,
                                    refunded_amount, metadata, created_at, updated_at, codes,
                                    customer, customer_group, channel, version, expires_at,
                                    duplicate_of)
                VALUES (%(order_id)s, %(status)s, %(customer_reference)s, %(currency)s,
                        %(total_amount)s, %(refunded_amount)s, %(metadata)s, %(created_at)s,
                        %(updated_at)s, %(codes)s, %(customer)s, %(customer_group)s, %(channel)s,
                        %(version)s, %(expires_at)s, %(duplicate_of)s)
            )
            INSERT INTO order_items (order_id, position, item_id, product_id, product_version,
                                     partner_id, sku, product_name, quantity, list_price,
                                     unit_price, line_total, adjustments, partner_amount,
                                     commission_percent, fee, net_of_orders)
            SELECT %(order_id)s, position, item_id, product_id, product_version, partner_id, sku,
                   product_name, quantity, list_price, unit_price, line_total, adjustments,
                   partner_amount, commission_percent, fee, net_of_orders
            FROM json_to_recordset(%(items)s::json)
                 AS item (position int, item_id uuid, product_id uuid, product_version int,
                          partner_id uuid, sku text, product_name text, quantity int,
                          list_price numeric, unit_price numeric, line_total numeric,
                          adjustments jsonb, partner_amount numeric, commission_percent numeric,
                          fee numeric, net_of_orders boolean)
            """,
            _params(order)
            | {"metadata": Jsonb(dict(order.metadata)), "items": rows_document(items)},
        )

    def get(self, order_id: str) -> Order:
        """The order."""
        return self._one(f"{_SELECT} WHERE order_id = %s", order_id)

    def lock(self, order_id: str) -> Order:
        """The order, locked until this unit ends."""
        return self._one(f"{_SELECT} WHERE order_id = %s FOR NO KEY UPDATE", order_id)

    def placed(
        self, since: datetime, until: datetime, after: str | None, limit: int
    ) -> Sequence[Order]:
        """Orders of a range, oldest first, along the key."""
        query = OrderQuery(created_from=since, created_to=until)
        position = None if after is None else Position(None, after)
        return self._with_items(_OLDEST.page(self._db, _conditions(query), position, limit).items)

    def _one(self, query: LiteralString, order_id: str) -> Order:
        row = fetch_one(self._db, _ORDERS, query, [digits(order_id)])
        return self._with_items([found(row, "order", order_id)])[0]

    def _with_items(self, orders: Sequence[Order]) -> tuple[Order, ...]:
        """The orders with their lines and what has become of them, fetched for all at once."""
        params = [[digits(order.order_id) for order in orders]]
        items = _grouped(fetch(self._db, _ITEMS, _SELECT_ITEMS, params))
        changed = [[digits(order.order_id) for order in orders if order.version > 1]]
        # Most orders of a list may be as they were placed.
        if not changed[0]:
            return tuple(_whole(order, items) for order in orders)
        marks = _grouped(fetch(self._db, _MARKS, _SELECT_MARKS, changed))
        sent = _grouped(fetch(self._db, _FULFILMENTS, _SELECT_FULFILMENTS, changed))
        of_orders = " WHERE order_id = ANY(%s::uuid[]) ORDER BY refund_id"
        back = fetch(self._db, _REFUND, _SELECT_REFUND + of_orders, changed)
        refunds = _grouped((refund.order_id, refund) for refund in back)
        return tuple(
            evolve(
                _whole(order, items),
                marks=marks[order.order_id],
                fulfilments=sent[order.order_id],
                refunds=refunds[order.order_id],
            )
            for order in orders
        )

    def put(
        self,
        order: Order,
        fulfilments: Sequence[Fulfilment] = (),
        refunds: Sequence[Refund] = (),
    ) -> None:
        """Replaces what becomes of an order."""
        changed = self._db.execute(
            """
            UPDATE orders
            SET status = %(status)s, refunded_amount = %(refunded_amount)s,
                updated_at = %(updated_at)s, version = %(version)s, expires_at = %(expires_at)s
            WHERE order_id = %(order_id)s
            RETURNING order_id
            """,
            _params(order) | {"metadata": None},
        ).fetchone()
        found(changed, "order", order.order_id)
        if order.items:
            self._put_items(order)
        if order.marks:
            self._put_marks(order)
        for sent in fulfilments:
            self._put_fulfilment(order, sent)
        for refund in refunds:
            self._add_refund(refund)

    def _put_items(self, order: Order) -> None:
        columns = _columns_of([params_of(item) for item in order.items])
        self._db.execute(
            """
            UPDATE order_items AS item
            SET fulfilled = new.fulfilled, cancelled = new.cancelled, returned = new.returned,
                refunded = new.refunded, cancelled_amount = new.cancelled_amount,
                refunded_amount = new.refunded_amount
            FROM unnest(%(item_id)s::uuid[], %(fulfilled)s::int[], %(cancelled)s::int[],
                        %(returned)s::int[], %(refunded)s::int[], %(cancelled_amount)s::numeric[],
                        %(refunded_amount)s::numeric[])
                 AS new (item_id, fulfilled, cancelled, returned, refunded, cancelled_amount,
                         refunded_amount)
            WHERE item.order_id = %(order_id)s AND item.item_id = new.item_id
              AND (item.fulfilled, item.cancelled, item.returned, item.refunded,
                   item.cancelled_amount, item.refunded_amount)
                  IS DISTINCT FROM
                  (new.fulfilled, new.cancelled, new.returned, new.refunded,
                   new.cancelled_amount, new.refunded_amount)
            """,
            columns | {"order_id": digits(order.order_id), "adjustments": None},
        )

    def _put_marks(self, order: Order) -> None:
        columns = _columns_of([params_of(mark) for mark in order.marks])
        self._db.execute(
            """
            INSERT INTO order_parts AS part (order_id, partner_id, version, status, confirmed_at,
                                             updated_at)
            SELECT %(order_id)s, *
            FROM unnest(%(partner_id)s::uuid[], %(version)s::int[], %(status)s::text[],
                        %(confirmed_at)s::timestamptz[], %(updated_at)s::timestamptz[])
            ON CONFLICT (order_id, partner_id)
            DO UPDATE SET version = excluded.version, status = excluded.status,
                          confirmed_at = excluded.confirmed_at, updated_at = excluded.updated_at
            WHERE part.version < excluded.version
            """,
            columns | {"order_id": digits(order.order_id)},
        )

    def _put_fulfilment(self, order: Order, sent: Fulfilment) -> None:
        own = {"order_id": digits(order.order_id), "items": document(sent.items)}
        self._db.execute(
            """
            INSERT INTO fulfilments (fulfilment_id, order_id, part_id, partner_id, status, items,
                                     carrier, tracking_number, created_at, cancelled_at)
            VALUES (%(fulfilment_id)s, %(order_id)s, %(part_id)s, %(partner_id)s, %(status)s,
                    %(items)s, %(carrier)s, %(tracking_number)s, %(created_at)s, %(cancelled_at)s)
            ON CONFLICT (fulfilment_id)
            DO UPDATE SET status = excluded.status, cancelled_at = excluded.cancelled_at
            """,
            params_of(sent) | own,
        )

    def _add_refund(self, refund: Refund) -> None:
        self._db.execute(
            """
            INSERT INTO refunds (refund_id, order_id, part_id, partner_id, kind, reason, currency,
                                 amount, items, returned, restock, created_at)
            VALUES (%(refund_id)s, %(order_id)s, %(part_id)s, %(partner_id)s, %(kind)s, %(reason)s,
                    %(currency)s, %(amount)s, %(items)s, %(returned)s, %(restock)s, %(created_at)s)
            """,
            params_of(refund) | {"items": document(refund.items)},
        )

    def of_fulfilment(self, fulfilment_id: str) -> str:
        """The order that it belongs to."""
        query = "SELECT order_id FROM fulfilments WHERE fulfilment_id = %s"
        row = self._db.execute(query, [digits(fulfilment_id)]).fetchone()
        return f"ord_{found(row, 'fulfilment', fulfilment_id)[0].hex}"

    def refund(self, refund_id: str) -> Refund:
        """The refund."""
        query = f"{_SELECT_REFUND} WHERE refund_id = %s"
        return found(fetch_one(self._db, _REFUND, query, [digits(refund_id)]), "refund", refund_id)

    def recent(
        self, reference: str, since: datetime, limit: int, *, exclusive: bool
    ) -> Sequence[Order]:
        """The last orders with that reference."""
        if exclusive:
            query = "SELECT pg_advisory_xact_lock(hashtextextended('reference ' || %s, 0))"
            self._db.execute(query, [reference])
        query = f"""{_SELECT}
            WHERE customer_reference = %s AND created_at >= %s AND status <> 'cancelled'
            ORDER BY order_id DESC
            LIMIT %s"""
        rows = fetch(self._db, _ORDERS, query, [reference, since, limit])
        return self._with_items(rows) if rows else ()

    def expired(
        self,
        at: datetime,
        limit: int,
        product_ids: Collection[str] | None = None,
        rule_ids: Collection[str] | None = None,
    ) -> Sequence[str]:
        """The orders that had expired by then."""
        among = None if product_ids is None else [digits(id_) for id_ in product_ids]
        rules = None if rule_ids is None else [digits(id_) for id_ in rule_ids]
        rows = self._db.execute(
            """
            SELECT order_id
            FROM orders
            WHERE expires_at <= %(at)s AND (
                %(among)s::uuid[] IS NULL OR EXISTS (
                    SELECT FROM order_items item
                    WHERE item.order_id = orders.order_id AND item.product_id = ANY(%(among)s)
                )
            ) AND (
                %(rules)s::uuid[] IS NULL OR EXISTS (
                    SELECT FROM price_rule_uses used
                    WHERE used.order_id = orders.order_id AND used.rule_id = ANY(%(rules)s)
                )
            )
            ORDER BY expires_at, order_id
            LIMIT %(limit)s
            """,
            {"at": at, "limit": limit, "among": among, "rules": rules},
        ).fetchall()
        return [f"ord_{row[0].hex}" for row in rows]


_SELECT_ITEMS: Final = """
    SELECT order_id, item_id, product_id, product_version, partner_id, sku, product_name,
           quantity, list_price, unit_price, line_total, adjustments, fulfilled, cancelled,
           returned, refunded, cancelled_amount, refunded_amount, partner_amount,
           commission_percent, fee, net_of_orders
    FROM order_items
    WHERE order_id = ANY(%s::uuid[])
    ORDER BY order_id, position"""
_SELECT_MARKS: Final = """
    SELECT order_id, partner_id, version, status, confirmed_at, updated_at
    FROM order_parts
    WHERE order_id = ANY(%s::uuid[])
    ORDER BY partner_id"""
_SELECT_FULFILMENTS: Final = """
    SELECT order_id, fulfilment_id, part_id, partner_id, status, items, carrier, tracking_number,
           created_at, cancelled_at
    FROM fulfilments
    WHERE order_id = ANY(%s::uuid[])
    ORDER BY fulfilment_id"""


def _params(order: Order) -> dict[str, Any]:
    """The columns of the order itself."""
    return params_of(evolve(order, items=(), metadata={}, fulfilments=(), refunds=(), marks=()))


def _grouped(rows: Iterable[tuple[str, T]]) -> defaultdict[str, tuple[T, ...]]:
    """What belongs to each order, in the order of the rows."""
    found_of = defaultdict[str, tuple[T, ...]](tuple)
    for order_id, value in rows:
        found_of[order_id] += (value,)
    return found_of


def _whole(order: Order, items: Mapping[str, tuple[OrderItem, ...]]) -> Order:
    """The order with its lines. An earlier version that cancels an order leaves them as they are.

    Parts that were acted on are in the order of the lines.
    """
    lines = items[order.order_id]
    if order.status == "cancelled" and any(line.open for line in lines):
        lines = tuple(
            evolve(
                line,
                cancelled=line.cancelled + line.open,
                cancelled_amount=line.line_total - line.refunded_amount,
            )
            for line in lines
        )
    return evolve(order, items=lines)


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
        *_by_reference(query),
        *asked("created_at >= %s", query.created_from),
        *asked("created_at < %s", query.created_to),
    ]


_EXPIRED: Final = """
    order_id = ANY(ARRAY(
        SELECT waited.order_id
        FROM orders waited
        WHERE waited.expires_at <= %s AND waited.status <> 'cancelled'
    ))"""
"""What has expired and isn't struck yet: few, so that is looked up, not searched in the list."""


def _by_status(query: OrderQuery) -> list[Condition]:
    """The state that who asks sees, as `Order.part_of` has it: one of these conditions holds."""
    if query.status is None:
        return []
    if query.seen_by is None:
        if query.status == "cancelled":
            return [("""status COLLATE "C" = 'cancelled'""", []), (_EXPIRED, [query.as_of])]
        open_: LiteralString = 'status COLLATE "C" = %s AND (expires_at <= %s) IS NOT TRUE'
        return [(open_, [query.status, query.as_of])]
    expired: LiteralString = "CASE WHEN expires_at <= %s THEN 'cancelled' ELSE "
    of_part: LiteralString = """
        CASE
            WHEN NOT EXISTS (
                SELECT FROM order_items i
                WHERE i.order_id = orders.order_id AND i.partner_id <> %s
            )
            THEN status
            ELSE coalesce(
                (
                    SELECT part.status
                    FROM order_parts part
                    WHERE part.order_id = orders.order_id AND part.partner_id = %s
                ),
                -- An earlier version cancels orders as a whole.
                CASE WHEN version = 1 THEN status ELSE 'created' END
            )
        END
        END = %s"""
    own = digits(query.seen_by)
    return [(expired + of_part, [query.as_of, own, own, query.status])]


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
