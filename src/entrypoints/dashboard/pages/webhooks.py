"""Webhooks: who is called about which events, and the log of deliveries."""

from typing import Final, Literal, get_args

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.webhooks.delivery import DeliveryQuery, DeliveryStatus
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.paging import Paging
from entrypoints.dashboard.kit.rendering import View
from entrypoints.reading import optional, required
from entrypoints.scalars import DeliveryId, WebhookId

STATUSES: Final = get_args(DeliveryStatus)


@frozen(kw_only=True)
class Log(Paging):
    """Which deliveries."""

    status: DeliveryStatus | None = optional(None, "Status.")


@frozen(kw_only=True)
class NewStatus:
    """Whether a webhook is called."""

    status: Literal["active", "paused"] = required("Status.")


@page("/webhooks", scope="webhooks:read")
def show_webhooks(commerce: Commerce, parameters: Paging) -> View:
    """Lists webhooks, newest first."""
    values = {"webhooks": commerce.webhooks.page(cursor=parameters.cursor)}
    return View(
        "webhooks.html", "Webhooks", values=values, curl="/webhooks", command="webhooks list"
    )


@page("/webhooks/{webhook_id:str}", scope="webhooks:read")
def show_webhook(commerce: Commerce, webhook_id: WebhookId, parameters: Log) -> View:
    """Shows a webhook and its deliveries, newest first."""
    query = DeliveryQuery(webhook_id=webhook_id, status=parameters.status)
    values = {
        "webhook": commerce.webhooks.get(webhook_id),
        "deliveries": commerce.webhooks.delivery_page(query, parameters.cursor),
        "filters": parameters,
        "STATUSES": STATUSES,
    }
    return View(
        "webhook.html", "Webhook", values=values, curl=f"/webhooks/{webhook_id}",
        command=f"webhooks show {webhook_id}",
    )  # fmt: skip


@page("/deliveries/{delivery_id:str}", scope="webhooks:read")
def show_delivery(commerce: Commerce, delivery_id: DeliveryId) -> View:
    """Shows a delivery with each try."""
    found = commerce.webhooks.delivery(delivery_id)
    return View(
        "delivery.html", "Delivery", values={"delivery": found.delivery, "tries": found.tries},
        curl=f"/webhook-deliveries/{delivery_id}", command=f"webhooks deliveries {delivery_id}",
    )  # fmt: skip


@act("/webhooks/{webhook_id:str}", scope="webhooks:write")
def change_webhook(commerce: Commerce, webhook_id: WebhookId, form: NewStatus) -> Goto:
    """Pauses a webhook, or enables it again."""
    webhook = commerce.webhooks.change(webhook_id, status=form.status)
    missed = f" It has missed {webhook.missed:,} deliveries." if webhook.missed else ""
    return Goto(f"/webhooks/{webhook_id}", f"Now {webhook.status}.{missed}")


@act("/deliveries/{delivery_id:str}/redeliver", scope="webhooks:write")
def redeliver(commerce: Commerce, delivery_id: DeliveryId) -> Goto:
    """Sends a delivery again."""
    commerce.webhooks.redeliver_one(delivery_id)
    return Goto(f"/deliveries/{delivery_id}", "It is sent again.")


ROUTES = (show_webhooks, show_webhook, show_delivery, change_webhook, redeliver)
