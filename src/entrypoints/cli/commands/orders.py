"""`commerce orders`: orders, whose prices are frozen when they are placed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from decimal import Decimal

    from commerce_core.orders.order import Order, OrderItem, OrderStatus, Wanted
    from commerce_core.pricing.terms import PriceTerms
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


class Amount(click.ParamType["Decimal"]):
    """An amount such as 79.90."""

    name = "amount"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Decimal":
        """The text as a decimal number."""
        from decimal import Decimal, InvalidOperation

        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite():
            self.fail(f"{value!r} is not an amount such as 79.90.", param, ctx)
        return amount


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
@click.option("--code", "codes", multiple=True, metavar="CODE", help="Code; repeatable.")
@click.option("--customer", metavar="ID", help="Your own id of the customer.")
@click.option("--customer-group", metavar="NAME", help="The customer's group.")
@click.option("--channel", metavar="NAME", help="The channel in which it is bought.")
@click.option(
    "--expect", type=Amount(), metavar="TOTAL",
    help="What it should cost; if it would cost something else, it isn't placed.",
)  # fmt: skip
def create(session: Session, **given: Any) -> None:  # noqa: ANN401 - options of several types
    """Place an order: freeze its prices, and reserve its units.

    If anything is wrong with the order, all the reasons are reported and nothing is written.
    """
    from commerce_core.usecases.context import IdempotencyKey

    key = given["key"]
    idempotency_key = IdempotencyKey(key) if key is not None else None
    order = session.commerce.orders.place(
        wanted_items(session, given["items"], given["partner"]),
        reference=given["reference"],
        terms=terms_of(given),
        expected_total=given["expect"],
        key=idempotency_key,
    )
    if idempotency_key is not None and idempotency_key.replayed:
        notice("An order with this key already exists; no new order was placed.")
    _show(session.out, order)


def terms_of(given: dict[str, Any]) -> "PriceTerms":
    """The terms of the price that the options state."""
    from commerce_core.pricing.terms import PriceTerms

    names = ("customer", "customer_group", "channel")
    return PriceTerms(tuple(given["codes"]), *(given[name] for name in names))


def wanted_items(
    session: Session, items: tuple[tuple[str, int], ...], partner: str | None
) -> "list[Wanted]":
    """The items as the core takes them; with a partner, a text that is no product id is a sku."""
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


@orders.verb("explain", scope="orders:read")
@click.argument("order_id")
def explain(session: Session, order_id: str) -> None:
    """Explain the price of an order, line by line, as it was frozen."""
    found = session.commerce.orders.explain(order_id)
    if session.out.as_json:
        session.out.document(found)
        return
    for line in found.items:
        session.out.line(f"{line.sku}: {line.list_total} -> {line.line_total} {found.currency}")
        for sentence in line.explanation:
            session.out.line(f"  {sentence}")


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
