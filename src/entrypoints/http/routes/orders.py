"""Routes of orders."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.orders.acts import AnyAsked
from commerce_core.orders.asking import (
    AskedUnits,
    CancelAsked,
    ConfirmAsked,
    FulfilAsked,
    RefundAsked,
)
from commerce_core.orders.order import Order, OrderExplanation, OrderQuery
from commerce_core.orders.part import Refund
from commerce_core.orders.states import OrderStatus
from commerce_core.usecases.acts import ActPlan
from commerce_core.usecases.context import IdempotencyKey, Listed
from entrypoints.http.kit.handlers import get, post
from entrypoints.http.kit.queries import Page, SpanQuery, WhoseQuery, instant
from entrypoints.http.routes.pricing import BasketLine, TermsBody, wanted_items
from entrypoints.reading import optional, required
from entrypoints.scalars import FulfilmentId, OrderId, PartnerId, RefundId

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


@get("/orders/{order_id:str}", scope="orders:read", etag=True, versioned=True)
def get_order(commerce: Commerce, order_id: OrderId) -> Order:
    """Shows an order; a partner sees only its own lines."""
    return commerce.orders.get(order_id)


@frozen(kw_only=True)
class ActQuery:
    """How an act is asked for."""

    plan: bool = optional(
        default=False, meaning="Whether to return what it would do, without doing it."
    )


@frozen(kw_only=True)
class LineUnits:
    """Units of a line of an order."""

    item_id: str = required("Id of the line.")
    quantity: int | None = optional(None, "Number of units (default: all that are possible).")


@frozen(kw_only=True)
class PartBody:
    """The part of an order that an act is about."""

    partner_id: PartnerId | None = optional(
        None, "Partner whose part it is about (default: all parts that the key may act on)."
    )


@frozen(kw_only=True)
class UnitsBody(PartBody):
    """The units that an act is about."""

    items: tuple[LineUnits, ...] | None = optional(
        None, "Lines and units (default: all that are possible)."
    )

    @property
    def units(self) -> tuple[AskedUnits, ...] | None:
        """The units as the core takes them."""
        if self.items is None:
            return None
        return tuple(AskedUnits(item.item_id, item.quantity) for item in self.items)


@frozen(kw_only=True)
class Confirmation(PartBody):
    """What to confirm."""


@frozen(kw_only=True)
class Cancellation(UnitsBody):
    """What to cancel."""


@frozen(kw_only=True)
class NewFulfilment(UnitsBody):
    """What was sent, and how."""

    carrier: str | None = optional(None, "Carrier of the parcel.")
    tracking_number: str | None = optional(None, "The carrier's number of the parcel.")


@frozen(kw_only=True)
class NewRefund(UnitsBody):
    """What to pay back: units, an amount without units, or all that is left; and why."""

    reason: str = required("Why it is paid back.")
    amount: Decimal | None = optional(None, "An amount to pay back without units.")
    currency: str | None = optional(None, "Currency of the amount; it must be the order's.")
    returned: bool = optional(default=False, meaning="Whether the units have come back.")
    restock: bool = optional(
        default=False, meaning="Whether the units that came back can be sold again."
    )


@post(
    "/orders/{order_id:str}/confirm",
    scope="orders:act",
    refuses=[409],
    versioned=True,
    example={},
)
def confirm_order(
    commerce: Commerce,
    order_id: OrderId,
    payload: Confirmation,
    *,
    parameters: ActQuery,
    if_match: int | None,
    key: IdempotencyKey | None,
) -> Order | ActPlan:
    """Confirms an order, or a part of it, so that it no longer expires."""
    asked = ConfirmAsked(payload.partner_id, None, if_match)
    return _act(commerce, order_id, asked, parameters, key)


@post(
    "/orders/{order_id:str}/fulfil",
    scope="orders:act",
    refuses=[409],
    versioned=True,
    example={"carrier": "DHL", "tracking_number": "00340434161094021501"},
)
def fulfil_order(
    commerce: Commerce,
    order_id: OrderId,
    payload: NewFulfilment,
    *,
    parameters: ActQuery,
    if_match: int | None,
    key: IdempotencyKey | None,
) -> Order | ActPlan:
    """Records that open units were sent, as one fulfilment for each part."""
    asked = FulfilAsked(
        payload.partner_id, payload.units, if_match, payload.carrier, payload.tracking_number
    )
    return _act(commerce, order_id, asked, parameters, key)


@post(
    "/orders/{order_id:str}/cancel",
    scope="orders:act",
    refuses=[409],
    versioned=True,
    example={},
)
def cancel_order(
    commerce: Commerce,
    order_id: OrderId,
    payload: Cancellation,
    *,
    parameters: ActQuery,
    if_match: int | None,
    key: IdempotencyKey | None,
) -> Order | ActPlan:
    """Cancels open units, and releases them for sale; units that were sent stay."""
    asked = CancelAsked(payload.partner_id, payload.units, if_match)
    return _act(commerce, order_id, asked, parameters, key)


@post(
    "/orders/{order_id:str}/refund",
    scope="orders:act",
    refuses=[409],
    versioned=True,
    example={"reason": "damaged", "amount": "5.00"},
)
def refund_order(
    commerce: Commerce,
    order_id: OrderId,
    payload: NewRefund,
    *,
    parameters: ActQuery,
    if_match: int | None,
    key: IdempotencyKey | None,
) -> Order | ActPlan:
    """Records a refund: of units, of an amount without units, or of all that is left."""
    asked = RefundAsked(
        payload.partner_id, payload.units, if_match, payload.reason, payload.amount,
        payload.currency, payload.returned, payload.restock,
    )  # fmt: skip
    return _act(commerce, order_id, asked, parameters, key)


def _act(
    commerce: Commerce,
    order_id: str,
    asked: AnyAsked,
    parameters: ActQuery,
    key: IdempotencyKey | None,
) -> Order | ActPlan:
    if parameters.plan:
        return commerce.orders.plan(order_id, asked)
    return commerce.orders.act(order_id, asked, key)


@post("/fulfilments/{fulfilment_id:str}/cancel", scope="orders:act", refuses=[409], versioned=True)
def cancel_fulfilment(
    commerce: Commerce,
    fulfilment_id: FulfilmentId,
    if_match: int | None,
    key: IdempotencyKey | None,
) -> Order:
    """Cancels a fulfilment: its units are open again. Returns its order."""
    return commerce.orders.cancel_fulfilment(fulfilment_id, version=if_match, key=key)


@get("/refunds/{refund_id:str}", scope="orders:read")
def get_refund(commerce: Commerce, refund_id: RefundId) -> Refund:
    """Shows a refund."""
    return commerce.orders.get_refund(refund_id)


ROUTES = (
    place_order,
    list_orders,
    get_order,
    explain_order,
    confirm_order,
    fulfil_order,
    cancel_order,
    refund_order,
    cancel_fulfilment,
    get_refund,
)
