"""`commerce orders`: orders, whose prices are frozen when they are placed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from decimal import Decimal

    from commerce_core.orders.order import Order, OrderItem, OrderStatus, Wanted
    from entrypoints.cli.kit.output import Output
    from entrypoints.cli.kit.tables import Column

orders: Final = noun(
    "orders", "Place and manage orders. Prices are frozen when an order is placed."
)
_STATUSES: Final = ("created", "confirmed", "fulfilled", "cancelled", "refunded")


class Item(click.ParamType[tuple[str, int]]):
    """`PRODUCT_ID=QTY` or, with a partner, `SKU=QTY`."""

    name = "item"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """The id or sku, and the quantity; a sku may itself contain an equals sign."""
        product, _, quantity = str(value).rpartition("=")
        try:
            return product.strip(), int(quantity)
        except ValueError:
            self.fail(f"{value!r} is not PRODUCT_ID=QTY, such as prod_...=2.", param, ctx)


@orders.verb("create", scope="orders:write")
@click.option(
    "--item", "items", type=Item(), multiple=True, required=True, metavar="PRODUCT_ID=QTY",
    help="Product and quantity; repeatable. With --partner, SKU=QTY also works.",
)  # fmt: skip
@partner_option("Partner of the skus in --item.")
@click.option("--reference", metavar="TEXT", help="The customer's reference for the order.")
@click.option(
    "--key",
    metavar="TEXT",
    help="Idempotency key: repeating the command with the same key places no second order.",
)
def create(
    session: Session,
    items: tuple[tuple[str, int], ...],
    partner: str | None,
    reference: str | None,
    key: str | None,
) -> None:
    """Place an order: freeze its prices, and reserve its units.

    If anything is wrong with the order, all the reasons are reported and nothing is written.
    """
    from commerce_core.usecases.context import IdempotencyKey

    wanted = _wanted(session, items, partner)
    idempotency_key = IdempotencyKey(key) if key is not None else None
    order = session.commerce.orders.place(wanted, reference=reference, key=idempotency_key)
    if idempotency_key is not None and idempotency_key.replayed:
        notice("An order with this key already exists; no new order was placed.")
    _show(session.out, order)


def _wanted(
    session: Session, items: tuple[tuple[str, int], ...], partner: str | None
) -> "list[Wanted]":
    from commerce_core.base.ids import looks_like
    from commerce_core.orders.order import Wanted

    owner = session.commerce.partners.get(partner).partner_id if partner else None
    return [
        Wanted(quantity, partner_id=owner, sku=text)
        if owner and not looks_like("prod", text)
        else Wanted(quantity, text)
        for text, quantity in items
    ]


@orders.verb("list", scope="orders:read")
@partner_option("Only orders that contain a product of this partner.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only orders with this status.")
@click.option("--reference", metavar="TEXT", help="Only orders with this customer reference.")
@limit_option
def list_(
    session: Session,
    partner: str | None,
    status: "OrderStatus | None",
    reference: str | None,
    limit: int | None,
) -> None:
    """List orders, newest first."""
    from commerce_core.orders.order import OrderQuery

    query = OrderQuery(status=status, customer_reference=reference)
    found = session.commerce.orders.list(query, partner=partner)
    _list(session.out, found, limit)


def _units(order: "Order") -> str:
    return f"{sum(item.quantity for item in order.items):,}"


def _list(out: "Output", found: "Iterator[Order]", limit: int | None) -> None:
    from entrypoints.cli.kit.output import moment, money
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Order]] = [
        Column("created (UTC)", lambda o: moment(o.created_at)),
        Column("status", lambda o: o.status),
        Column("reference", lambda o: o.customer_reference or "", crops=True, from_width=100),
        Column("units", _units, right=True, from_width=90),
        Column("total", lambda o: money(o.total_amount, o.currency), right=True),
        Column("id", lambda o: o.order_id),
    ]
    out.many(found, columns, limit, "No orders found.")


@orders.verb("show", scope="orders:read")
@click.argument("order_id")
def show(session: Session, order_id: str) -> None:
    """Show an order and its lines."""
    _show(session.out, session.commerce.orders.get(order_id))


@orders.verb("cancel", scope="orders:write")
@click.argument("order_id")
def cancel(session: Session, order_id: str) -> None:
    """Cancel an open order, and release its units for sale."""
    _show(session.out, session.commerce.orders.cancel(order_id))


def _show(out: "Output", order: "Order") -> None:
    from entrypoints.cli.kit.output import moment_utc, money

    out.one(
        order,
        lambda: [
            ("order", order.order_id),
            ("status", order.status),
            ("reference", order.customer_reference or ""),
            ("created", moment_utc(order.created_at)),
            ("total", money(order.total_amount, order.currency)),
        ],
    )
    if not out.as_json:
        out.line()
        out.table(order.items, line_columns(order))


def line_columns(order: "Order") -> "list[Column[OrderItem]]":
    """The columns of a list of an order's lines."""
    from entrypoints.cli.kit.output import money
    from entrypoints.cli.kit.tables import Column

    def amount(of: "Decimal") -> str:
        return money(of, order.currency)

    return [
        Column("sku", lambda i: i.sku),
        Column("name", lambda i: i.product_name, crops=True),
        Column("units", lambda i: f"{i.quantity:,}", right=True),
        Column("list price", lambda i: amount(i.list_price), right=True, from_width=90),
        Column("price", lambda i: amount(i.unit_price), right=True),
        Column("line total", lambda i: amount(i.line_total), right=True),
    ]
