"""Routes of orders."""

from collections.abc import Mapping

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.orders.order import Order, OrderQuery, OrderStatus, Wanted
from commerce_core.usecases.context import IdempotencyKey, Listed
from entrypoints.http.queries import Page, SpanQuery, WhoseQuery, instant
from entrypoints.http.routing import route
from entrypoints.http.values import OrderId, needed, said


@frozen(kw_only=True)
class NewItem:
    """One item as asked for: a product by its id, or by partner and sku."""

    quantity: int = needed("How many units.")
    product_id: str | None = said(None, "The product.")
    partner_id: str | None = said(None, "The product's partner, beside its sku.")
    sku: str | None = said(None, "The product's sku, beside its partner.")


@frozen(kw_only=True)
class NewOrder:
    """An order as it is placed."""

    items: tuple[NewItem, ...] = needed("What is ordered, all in one currency.")
    customer_reference: str | None = said(None, "The client's own reference.")
    metadata: Mapping[str, str] = said({}, "Whatever the client wants to find again.")


@frozen(kw_only=True)
class OrderFilters(WhoseQuery, SpanQuery, Page):
    """Which orders; the times are those at which they were placed."""

    status: OrderStatus | None = said(None, "The state they are in.")
    customer_reference: str | None = said(None, "The client's own reference.")


@route(
    "POST",
    "/orders",
    scope="orders:write",
    status=201,
    refuses=[409],
    location="/v1/orders/{order_id}",
)
def place_order(commerce: Commerce, body: NewOrder, key: IdempotencyKey | None) -> Order:
    """Places an order: holds the units and freezes the prices, or lists every reason why not."""
    wanted = [
        Wanted(item.quantity, item.product_id, item.partner_id, item.sku) for item in body.items
    ]
    return commerce.orders.place(
        wanted, reference=body.customer_reference, metadata=body.metadata, key=key
    )


@route("GET", "/orders", scope="orders:read")
def list_orders(commerce: Commerce, query: OrderFilters) -> Listed[Order]:
    """Lists orders, newest first; a partner sees its own lines."""
    wanted = OrderQuery(
        status=query.status,
        customer_reference=query.customer_reference,
        created_from=instant(query.from_),
        created_to=instant(query.to),
    )
    return commerce.orders.page(
        wanted, query.cursor, query.limit, partner=query.partner, count=query.count
    )


@route("GET", "/orders/{order_id:str}", scope="orders:read")
def get_order(commerce: Commerce, order_id: OrderId) -> Order:
    """Shows an order; a partner sees its own lines."""
    return commerce.orders.get(order_id)


@route("POST", "/orders/{order_id:str}/cancel", scope="orders:write", refuses=[409])
def cancel_order(commerce: Commerce, order_id: OrderId) -> Order:
    """Cancels an open order; its units can be sold again."""
    return commerce.orders.cancel(order_id)


ROUTES = (place_order, list_orders, get_order, cancel_order)
