"""Routes of orders."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.orders.order import Order, OrderExplanation, OrderQuery, OrderStatus
from commerce_core.usecases.context import IdempotencyKey, Listed
from entrypoints.http.kit.handlers import get, post
from entrypoints.http.kit.queries import Page, SpanQuery, WhoseQuery, instant
from entrypoints.http.routes.pricing import BasketLine, TermsBody, wanted_items
from entrypoints.reading import optional, required
from entrypoints.scalars import OrderId

_ITEM: Final = {"product_id": "prod_0199c2f4a1b07e3d8c215f60a9d2b4c7", "quantity": 1}
_ORDER: Final = {"items": [_ITEM], "customer_reference": "web-1"}


@frozen(kw_only=True)
class NewItem(BasketLine):
    """An item to order: a product, by id or by partner and sku."""


@frozen(kw_only=True)
class NewOrder(TermsBody):
    """An order to place."""

    items: tuple[NewItem, ...] = required("The items, all in one currency.")
    customer_reference: str | None = optional(None, "The customer's reference for the order.")
    metadata: Mapping[str, str] = optional({}, "The client's own data, stored with the order.")
    expected_total: Decimal | None = optional(
        None, "What the order is expected to cost; if it would cost something else, it is refused."
    )


@frozen(kw_only=True)
class OrderFilters(WhoseQuery, SpanQuery, Page):
    """Filters of orders; the range is of the times when they were placed."""

    status: OrderStatus | None = optional(None, "Only orders with this status.")
    customer_reference: str | None = optional(None, "The customer's reference for the order.")


@post(
    "/orders",
    scope="orders:write",
    status=(201,),
    refuses=[409],
    location="/v1/orders/{.order_id}",
    example=_ORDER,
)
def place_order(commerce: Commerce, payload: NewOrder, key: IdempotencyKey | None) -> Order:
    """Places an order: freezes prices and reserves units, or reports every reason why it can't."""
    return commerce.orders.place(
        wanted_items(commerce, payload.items),
        reference=payload.customer_reference,
        metadata=payload.metadata,
        terms=payload.terms,
        expected_total=payload.expected_total,
        key=key,
    )


@get("/orders", scope="orders:read")
def list_orders(commerce: Commerce, parameters: OrderFilters) -> Listed[Order]:
    """Lists orders, newest first; a partner sees only its own lines."""
    wanted = OrderQuery(
        status=parameters.status,
        customer_reference=parameters.customer_reference,
        created_from=instant(parameters.from_),
        created_to=instant(parameters.to),
    )
    return commerce.orders.page(
        wanted,
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


@get("/orders/{order_id:str}/explanation", scope="orders:read")
def explain_order(commerce: Commerce, order_id: OrderId) -> OrderExplanation:
    """Explains the price of an order, line by line, as it was frozen."""
    return commerce.orders.explain(order_id)


@get("/orders/{order_id:str}", scope="orders:read")
def get_order(commerce: Commerce, order_id: OrderId) -> Order:
    """Shows an order; a partner sees only its own lines."""
    return commerce.orders.get(order_id)


@post("/orders/{order_id:str}/cancel", scope="orders:write", refuses=[409])
def cancel_order(commerce: Commerce, order_id: OrderId) -> Order:
    """Cancels an open order, and releases its units for sale."""
    return commerce.orders.cancel(order_id)


ROUTES = (place_order, list_orders, get_order, explain_order, cancel_order)
