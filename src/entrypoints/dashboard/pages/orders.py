"""Orders: their list, and one order with its parts, its units and how its price came about."""

from collections.abc import Iterable
from typing import Any, Final, get_args

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.orders.order import OrderQuery
from commerce_core.orders.states import OrderStatus
from entrypoints.dashboard.kit.pages import page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.dashboard.pages.order_acts import Verb, possible_verbs, words_of
from entrypoints.dashboard.pages.shown import partner_names
from entrypoints.http.kit.queries import SpanQuery, WhoseQuery, instant
from entrypoints.reading import optional
from entrypoints.scalars import OrderId

STATUSES: Final = get_args(OrderStatus)


@frozen(kw_only=True)
class Filters(WhoseQuery, SpanQuery):
    """Filters of orders."""

    status: OrderStatus | None = optional(None, "Status.")
    customer_reference: str | None = optional(None, "Reference.")
    cursor: str | None = optional(None, "Where the page begins.")


@page("/orders", scope="orders:read")
def show_orders(commerce: Commerce, parameters: Filters) -> View:
    """Lists orders, newest first."""
    query = OrderQuery(
        status=parameters.status,
        customer_reference=parameters.customer_reference,
        created_from=instant(parameters.from_),
        created_to=instant(parameters.to),
    )
    orders = commerce.orders.page(query, parameters.cursor, partner=parameters.partner)
    values = {"orders": orders, "filters": parameters, "STATUSES": STATUSES}
    return View(
        "orders.html",
        "Orders",
        values=values,
        curl="/orders",
        command="orders list",
        saved_as="orders",
    )


@page("/orders/{order_id:str}", scope="orders:read")
def show_order(commerce: Commerce, order_id: OrderId) -> View:
    """Shows an order: its parts, what became of its units, and how its price came about."""
    order = commerce.orders.get(order_id)
    values = {
        "order": order,
        "items": {item.item_id: item for item in order.items},
        "explained": _explained(commerce, order_id),
        "verbs": _titled(possible_verbs(order.parts)),
        "part_verbs": {part.partner_id: _titled(possible_verbs([part])) for part in order.parts},
        "names": partner_names(commerce, order.partner_ids),
    }
    return View(
        "order.html", order.customer_reference or order_id, values=values,
        curl=f"/orders/{order_id}/explanation", command=f"orders explain {order_id}",
    )  # fmt: skip


def _titled(verbs: Iterable[Verb]) -> list[tuple[Verb, str]]:
    return [(verb, words_of(verb).title) for verb in verbs]


def _explained(commerce: Commerce, order_id: str) -> list[dict[str, Any]]:
    """Each line with its steps, beside each step's sentence."""
    return [
        {
            "line": line,
            "steps": list(zip(line.adjustments, line.explanation, strict=True)),
        }
        for line in commerce.orders.explain(order_id).items
    ]


ROUTES = (show_orders, show_order)
