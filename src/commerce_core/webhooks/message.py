"""Messages: what a receiver gets about an event, after the payloads of Standard Webhooks."""

import json
from typing import Any, Final

from commerce_core.activity.events import Event
from commerce_core.base.paging import Position, write_cursor
from commerce_core.webhooks.subscription import Webhook

_SUBJECTS: Final = {
    "feed": ("feed_id", "source_id"),
    "order": ("order_id",),
    "catalog": ("source_id", "partner_id"),
    "stock": ("source_id", "partner_id"),
    "webhook": ("webhook_id",),
}
"""By the first part of an event's kind, the ids in its data that may name its subject."""


def subject_of(event: Event) -> str:
    """The id of what the event is about; its own id if its data names nothing.

    All events about a subject have a `sequence` that grows.
    """
    names = _SUBJECTS.get(event.kind.partition(".")[0], ())
    ids = (event.data.get(name) for name in (*names, *sorted(_ids(event))))
    return next((str(id_) for id_ in ids if id_), event.event_id)


def body_of(webhook: Webhook, event: Event, number: int, *, test: bool = False) -> bytes:
    """The body of the message about an event, as this subscription gets it.

    `number` is the event's in the log. It is also the message's `sequence`: later events about a
    subject have a greater one. From `cursor` on, `GET /v1/events` has what follows.
    """
    seen = event.seen_by(webhook.partner_id)
    data = seen.data if webhook.body == "full" else _ids(seen)
    content: dict[str, Any] = {
        "type": seen.kind,
        "timestamp": seen.occurred_at.isoformat().replace("+00:00", "Z"),
        "event_id": seen.event_id,
        "subject": subject_of(seen),
        "sequence": number,
        "cursor": cursor_after(webhook.partner_id, number),
        "partner_ids": list(seen.partner_ids),
        "data": data,
    }
    if test:
        content["test"] = True
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def cursor_after(partner_id: str | None, number: int) -> str:
    """The cursor of the list of all events after that number, as that partner reads it."""
    asked = ("events", partner_id, ())
    return write_cursor(asked, Position(None, str(number))) or ""


def _ids(event: Event) -> dict[str, Any]:
    return {name: value for name, value in event.data.items() if name.endswith("_id") and value}
