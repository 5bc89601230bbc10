"""What events contain is what their schemas declare, in samples and in what is announced."""

import json
import secrets
from datetime import UTC, datetime

import jsonschema_rs
import pytest

from commerce_core.activity.event_schemas import EVENT_SCHEMAS, json_schema, sample_event
from commerce_core.activity.events import EVENT_KINDS, Event, EventKind

NOW = datetime(2026, 6, 17, 4, tzinfo=UTC)


def check(event: Event) -> None:
    """The event's data has what its schema requires, and nothing that the schema doesn't have."""
    schema = json_schema(event.kind)
    data = event.seen_by(None).data
    jsonschema_rs.validate(schema, json.loads(json.dumps(data)))
    assert set(data) <= set(schema["properties"])


def test_every_kind_has_a_schema():
    assert set(EVENT_SCHEMAS) == set(EVENT_KINDS)


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_samples_match_their_schemas(kind: EventKind):
    check(sample_event(kind, "evt_1", NOW, None, secrets.token_bytes))
    partners = sample_event(kind, "evt_1", NOW, "ptn_1", secrets.token_bytes)
    assert partners.partner_ids == ("ptn_1",)
