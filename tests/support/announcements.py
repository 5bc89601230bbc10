"""What is announced, compared with what the schemas of events declare."""

import json

import jsonschema_rs

from commerce_core.activity.event_schemas import json_schema
from commerce_core.activity.events import Event, EventKind
from commerce_core.commerce import Commerce


def check(event: Event) -> None:
    """The event's data has what its schema requires, and nothing that the schema doesn't have."""
    schema = json_schema(event.kind)
    for reader in (None, *event.partner_ids):
        data = event.seen_by(reader).data
        jsonschema_rs.validate(schema, json.loads(json.dumps(data)))
        assert set(data) <= set(schema["properties"])


def check_announced(commerce: Commerce) -> set[EventKind]:
    """Checks all events so far, and returns their kinds."""
    events = list(commerce.events.list())
    for event in events:
        check(event)
    return {event.kind for event in events}
