"""What is announced of feeds and orders, to whom, and what the audit remembers of people."""

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from commerce_core.audit import AuditQuery
from commerce_core.errors import Malformed
from commerce_core.events import EVENTS_KEPT, Event
from commerce_core.orders import Wanted
from commerce_core.profiles import Profile
from commerce_core.usecases import Commerce
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

CATALOG = "sku,title,price,quantity\nA,Lamp,5,9\nB,Chair,6,9\n"


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as made:
        made.intake.add_partner("Acme", currency="EUR")
        made.intake.add_partner("Bloom", currency="EUR")
        yield made


def load(commerce: Commerce, body: str = CATALOG, partner: str = "Acme") -> str:
    return commerce.intake.load(io.BytesIO(body.encode()), partner=partner).feed_id


def key_of(commerce: Commerce, partner: str | None, *scopes: str) -> Commerce:
    issued = commerce.operations.issue_key(partner=partner, scopes=list(scopes) or None)
    return commerce.authenticated(issued.secret)


def kinds(events: Iterator[Event]) -> list[str]:
    return [event.kind for event in events]


def test_an_upload_is_announced_with_what_it_is(commerce: Commerce):
    receipt = commerce.intake.upload(
        io.BytesIO(b"sku\n"), partner="Acme", file_name="a.csv", mode="full"
    )
    (told,) = commerce.chronicle.events(kinds=("feed.received",))
    assert told.partner_ids == (receipt.partner_id,)
    assert told.data["feed_id"] == receipt.feed_id
    assert told.data["job_id"] == receipt.job_id
    assert (told.data["file_name"], told.data["mode"], told.data["bytes"]) == ("a.csv", "full", 4)


def test_a_refused_upload_and_one_that_is_sent_twice_under_a_key_announce_nothing_more(
    commerce: Commerce,
):
    for _ in range(2):
        commerce.intake.upload(io.BytesIO(b"sku\n"), partner="Acme", key="one")
    assert len(list(commerce.chronicle.events())) == 1


def test_orders_are_announced_to_each_partner_without_the_others(commerce: Commerce):
    acme, bloom = (commerce.intake.get_partner(name).partner_id for name in ("Acme", "Bloom"))
    load(commerce)
    load(commerce, partner="Bloom")
    items = [Wanted(1, partner_id=partner, sku="A") for partner in (acme, bloom)]
    both = commerce.ordering.place(items)
    commerce.ordering.cancel(both.order_id)
    told = list(commerce.chronicle.events(kinds=("order.created", "order.cancelled")))
    assert [event.data["status"] for event in told] == ["created", "cancelled"]
    assert {event.partner_ids for event in told} == {(acme, bloom)}
    (seen, _) = key_of(commerce, "Bloom").chronicle.events(kinds=("order.created",)), None
    (event,) = seen
    assert event.partner_ids == (bloom,)
    assert event.data["order_id"] == both.order_id


def test_a_key_is_told_of_what_it_may_read(commerce: Commerce):
    acme = commerce.intake.get_partner("Acme").partner_id
    load(commerce)
    commerce.ordering.place([Wanted(1, partner_id=acme, sku="A")])
    told = kinds(key_of(commerce, "Acme", "feeds:read").chronicle.events())
    assert "feed.received" in told
    assert "order.created" not in told
    assert kinds(key_of(commerce, "Bloom").chronicle.events()) == []


def test_a_cursor_goes_on_where_the_page_ended_and_belongs_to_its_question(commerce: Commerce):
    load(commerce)
    first = commerce.chronicle.page_events(limit=1)
    rest = commerce.chronicle.page_events(first.next_cursor, 1_000)
    assert not {e.event_id for e in first.items} & {e.event_id for e in rest.items}
    caught_up = commerce.chronicle.page_events(rest.next_cursor)
    assert (caught_up.items, caught_up.next_cursor) == ((), rest.next_cursor)
    latest = commerce.chronicle.page_events("latest")
    assert (latest.items, latest.next_cursor) == ((), rest.next_cursor)
    for refused in (
        lambda: commerce.chronicle.page_events(rest.next_cursor, kinds=("feed.failed",)),
        lambda: commerce.chronicle.page_events(rest.next_cursor, partner="Acme"),
        lambda: commerce.chronicle.page_events("nonsense"),
        lambda: commerce.chronicle.page_events(limit=1_001),
    ):
        with pytest.raises(Malformed):
            refused()


def test_what_was_announced_long_ago_is_forgotten(commerce: Commerce):
    load(commerce)
    load(commerce)
    first = commerce.chronicle.page_events(limit=1).next_cursor
    clock = commerce.context.clock
    later = Commerce(
        evolve(commerce.context, clock=lambda: clock() + EVENTS_KEPT + timedelta(hours=1))
    )
    assert list(later.chronicle.events()) == []
    with pytest.raises(Malformed, match="kept for 90 days"):
        later.chronicle.page_events(first)


# --- the audit ------------------------------------------------------------------------------------


def entries(commerce: Commerce, **filters: Any) -> list[tuple[str, Any, Any]]:  # noqa: ANN401 - whatever was changed
    found = commerce.chronicle.audit(AuditQuery(**filters))
    return [(entry.action, entry.before, entry.after) for entry in found]


def test_changes_are_remembered_with_what_was_before(commerce: Commerce):
    commerce.intake.change_partner("Acme", currency="USD")
    source = commerce.sourcing.change("main", partner="Acme", mode="full", guards={"removals": 30})
    commerce.sourcing.set_profile(Profile(preset="shopify"), partner="Acme")
    acme = commerce.intake.get_partner("Acme").partner_id
    profile, changed, partner, added = commerce.chronicle.audit(partner="Acme")
    assert (partner.action, partner.before, partner.after) == (
        "partner.changed",
        {"currency": "EUR"},
        {"currency": "USD"},
    )
    assert (changed.subjects, changed.partner_id) == ((source.source_id,), acme)
    assert changed.before is not None
    assert changed.after is not None
    assert (changed.before["mode"], changed.after["mode"]) == ("delta", "full")
    assert changed.after["guards"]["removals"] == 30
    assert profile.note == "Version 1 of the profile, after version 0."
    assert (added.action, added.before) == ("partner.added", None)
    assert added.after is not None
    assert added.after["partner_name"] == "Acme"


def test_what_changes_nothing_is_not_remembered(commerce: Commerce):
    before = len(entries(commerce))
    commerce.sourcing.change("main", partner="Acme", mode="delta")
    commerce.sourcing.set_profile(Profile(), partner="Acme")
    assert len(entries(commerce)) == before


def test_sources_come_and_go_in_the_audit(commerce: Commerce):
    commerce.sourcing.add("Acme", "web", key="one")
    made = commerce.sourcing.add("Acme", "web", key="one")
    commerce.sourcing.remove("web", partner="Acme")
    told = entries(commerce, subject=made.source_id)
    assert [action for action, *_ in told] == ["source.removed", "source.added"]
    assert told[0][1]["source_name"] == "web"
    assert told[0][2] is None


def test_keys_are_remembered_and_their_secrets_nowhere(commerce: Commerce):
    issued = commerce.operations.issue_key(partner="Acme")
    asking = key_of(commerce, None)
    asking.operations.revoke_key(issued.key.key_id)
    asking.operations.revoke_key(issued.key.key_id)
    revoked, made = commerce.chronicle.audit(AuditQuery(subject=issued.key.key_id))
    assert (made.action, made.actor) == ("key.issued", "operator")
    assert (revoked.action, revoked.actor) == ("key.revoked", asking.context.principal.name)
    assert revoked.before == {"revoked_at": None}
    whole = repr(list(commerce.chronicle.audit()))
    assert issued.secret is not None
    assert issued.secret not in whole
    assert "digest" not in whole
