"""Routes of webhooks: who is called about which events, and the log of their deliveries."""

from datetime import datetime

from attrs import frozen

from commerce_core.activity.events import EventKind
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import IdempotencyKey, Listed
from commerce_core.usecases.webhooks import IssuedWebhook, Redelivery
from commerce_core.webhooks.delivery import (
    Delivery,
    DeliveryQuery,
    DeliveryStatus,
    DeliveryWithTries,
    Try,
)
from commerce_core.webhooks.subscription import (
    DEFAULT_GRACE_HOURS,
    LONGEST_GRACE_HOURS,
    Body,
    Status,
    Webhook,
    WebhookQuery,
)
from entrypoints.http.kit.handlers import delete, get, patch, post
from entrypoints.http.kit.queries import Page, SpanQuery, WhoseQuery, instant
from entrypoints.reading import MISSING, optional, required, sent
from entrypoints.scalars import DeliveryId, EventId, PartnerId, WebhookId


@frozen(kw_only=True)
class NewWebhook:
    """A webhook to add."""

    url: str = required("Address to call: https, and reachable from the internet.")
    kinds: tuple[EventKind, ...] = optional((), "Kinds of events (default: all).")
    partner_id: PartnerId | None = optional(None, "Only events that concern this partner.")
    body: Body = optional(
        "full", "Whether messages have an event's whole content (full) or only its ids (thin)."
    )
    ordered: bool = optional(
        default=False,
        meaning="Whether a message waits for the earlier ones about the same subject.",
    )
    description: str | None = optional(None, "What it is for.")


@frozen(kw_only=True)
class WebhookChange:
    """Changes to a webhook; omitted fields stay as they are."""

    url: str = optional(MISSING, "Address to call.")
    kinds: tuple[EventKind, ...] = optional(
        MISSING, "Kinds of events; an empty list stands for all."
    )
    body: Body = optional(MISSING, "Whether messages are full or thin.")
    ordered: bool = optional(MISSING, "Whether messages about a subject wait for each other.")
    description: str = optional(MISSING, "What it is for.")
    status: Status = optional(
        MISSING, "`paused`, or `active` to enable it again; the other two can't be set."
    )


@frozen(kw_only=True)
class SecretRotation:
    """How a webhook's secret is rotated."""

    grace_hours: int = optional(
        DEFAULT_GRACE_HOURS,
        "Hours for which messages are also signed with the older secrets.",
        minimum=0,
        maximum=LONGEST_GRACE_HOURS,
    )


@frozen(kw_only=True)
class TestMessage:
    """A sample to send."""

    kind: EventKind | None = optional(
        None, "Kind of the sample (default: the first that the webhook is about)."
    )


@frozen(kw_only=True)
class RedeliveryRequest:
    """Which finished deliveries to send again; all that match every filter."""

    status: DeliveryStatus | None = optional(
        None, "Only `failed`, `missed` or `delivered` ones (default: all of them)."
    )
    kind: EventKind | None = optional(None, "Only those about events of this kind.")
    since: datetime | None = optional(None, "Only those created at this time or later.")
    plan: bool = optional(default=False, meaning="Only count them.")


@frozen(kw_only=True)
class WebhookFilters(WhoseQuery, Page):
    """Filters of webhooks."""

    status: Status | None = optional(
        None, "Only those with this status; removed ones are listed only if asked for."
    )


@frozen(kw_only=True)
class DeliveryFilters(WhoseQuery, SpanQuery, Page):
    """Filters of deliveries; the range is of the times when they were written."""

    webhook_id: WebhookId | None = optional(None, "Only those of this webhook.")
    status: DeliveryStatus | None = optional(None, "Only those with this status.")
    kind: EventKind | None = optional(None, "Only those about events of this kind.")
    event_id: EventId | None = optional(None, "Only those of this event.")


@post(
    "/webhooks",
    scope="webhooks:write",
    status=(201,),
    refuses=[404, 409],
    location="/v1/webhooks/{.webhook.webhook_id}",
    example={"url": "https://example.com/hooks", "kinds": ["feed.held", "feed.failed"]},
)
def add_webhook(
    commerce: Commerce, payload: NewWebhook, key: IdempotencyKey | None
) -> IssuedWebhook:
    """Adds a webhook for what happens from now on; its secret is shown in this response only."""
    return commerce.webhooks.add(
        payload.url,
        kinds=payload.kinds,
        partner=payload.partner_id,
        body=payload.body,
        ordered=payload.ordered,
        description=payload.description,
        key=key,
    )


@get("/webhooks", scope="webhooks:read")
def list_webhooks(commerce: Commerce, parameters: WebhookFilters) -> Listed[Webhook]:
    """Lists webhooks, newest first, without their secrets."""
    return commerce.webhooks.page(
        WebhookQuery(status=parameters.status),
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


@get("/webhooks/{webhook_id:str}", scope="webhooks:read")
def get_webhook(commerce: Commerce, webhook_id: WebhookId) -> Webhook:
    """Shows a webhook, with the number of deliveries that it has missed."""
    return commerce.webhooks.get(webhook_id)


@patch(
    "/webhooks/{webhook_id:str}",
    scope="webhooks:write",
    refuses=[409],
    example={"status": "active"},
)
def change_webhook(commerce: Commerce, webhook_id: WebhookId, payload: WebhookChange) -> Webhook:
    """Changes, pauses or enables a webhook; `missed` deliveries are sent only on request."""
    return commerce.webhooks.change(webhook_id, **sent(payload))


@delete("/webhooks/{webhook_id:str}", scope="webhooks:write")
def remove_webhook(commerce: Commerce, webhook_id: WebhookId) -> Webhook:
    """Removes a webhook, permanently; does nothing if it is already removed."""
    return commerce.webhooks.remove(webhook_id)


@post(
    "/webhooks/{webhook_id:str}/secrets",
    scope="webhooks:write",
    status=(201,),
    refuses=[409],
    example={"grace_hours": 24},
)
def rotate_webhook_secret(
    commerce: Commerce, webhook_id: WebhookId, payload: SecretRotation, key: IdempotencyKey | None
) -> IssuedWebhook:
    """Gives a webhook a new secret; until the grace ends, messages are signed with both."""
    return commerce.webhooks.rotate(webhook_id, grace_hours=payload.grace_hours, key=key)


@post(
    "/webhooks/{webhook_id:str}/test",
    scope="webhooks:write",
    refuses=[409],
    example={"kind": "feed.applied"},
)
def send_test_message(commerce: Commerce, webhook_id: WebhookId, payload: TestMessage) -> Try:
    """Sends a sample at once, and shows what the receiver answered."""
    return commerce.webhooks.test(webhook_id, payload.kind)


@post(
    "/webhooks/{webhook_id:str}/redeliver",
    scope="webhooks:write",
    refuses=[409],
    example={"status": "missed", "plan": True},
)
def redeliver_all(
    commerce: Commerce, webhook_id: WebhookId, payload: RedeliveryRequest
) -> Redelivery:
    """Sends finished deliveries of a webhook again, under their old ids; or counts them."""
    query = DeliveryQuery(status=payload.status, kind=payload.kind, since=payload.since)
    return commerce.webhooks.redeliver(webhook_id, query, plan=payload.plan)


@get("/webhook-deliveries", scope="webhooks:read")
def list_webhook_deliveries(commerce: Commerce, parameters: DeliveryFilters) -> Listed[Delivery]:
    """Lists the deliveries of the last thirty days, newest first."""
    wanted = DeliveryQuery(
        webhook_id=parameters.webhook_id,
        status=parameters.status,
        kind=parameters.kind,
        event_id=parameters.event_id,
        since=instant(parameters.from_),
        until=instant(parameters.to),
    )
    return commerce.webhooks.delivery_page(
        wanted,
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


@get("/webhook-deliveries/{delivery_id:str}", scope="webhooks:read")
def get_webhook_delivery(commerce: Commerce, delivery_id: DeliveryId) -> DeliveryWithTries:
    """Shows a delivery, with the log of its tries."""
    return commerce.webhooks.delivery(delivery_id)


@post(
    "/webhook-deliveries/{delivery_id:str}/redeliver",
    scope="webhooks:write",
    refuses=[409],
)
def redeliver(commerce: Commerce, delivery_id: DeliveryId) -> Delivery:
    """Sends a finished delivery again, under its old id."""
    return commerce.webhooks.redeliver_one(delivery_id)


ROUTES = (
    add_webhook,
    list_webhooks,
    get_webhook,
    change_webhook,
    remove_webhook,
    rotate_webhook_secret,
    send_test_message,
    redeliver_all,
    list_webhook_deliveries,
    get_webhook_delivery,
    redeliver,
)
