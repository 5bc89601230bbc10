"""What is announced of feeds and orders, to whom, and what the audit remembers of people."""

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from commerce_core.activity.audit import AuditQuery
from commerce_core.activity.events import EVENTS_KEPT, Event
from commerce_core.base.errors import Malformed
from commerce_core.commerce import Commerce
from commerce_core.orders.wanted import Wanted
from commerce_core.profiles.profile import Profile
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.announcements import check_announced

CATALOG = "sku,title,price,quantity\nA,Lamp,5,9\nB,Chair,6,9\n"


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as made:
        made.partners.add("Acme", currency="EUR")
        made.partners.add("Bloom", currency="EUR")
        yield made
        check_announced(made)


def load(commerce: Commerce, body: str = CATALOG, partner: str = "Acme") -> str:
    return commerce.feeds.load(io.BytesIO(body.encode()), partner=partner).feed_id


def key_of(commerce: Commerce, partner: str | None, *scopes: str) -> Commerce:
    issued = commerce.keys.add(partner=partner, scopes=list(scopes) or None)
    return commerce.authenticated(issued.secret)


def kinds(events: Iterator[Event]) -> list[str]:
    return [event.kind for event in events]


def test_an_upload_is_announced_with_what_it_is(commerce: Commerce):
    receipt = commerce.feeds.upload(
        io.BytesIO(b"sku\n"), partner="Acme", file_name="a.csv", mode="full"
    )
    (told,) = commerce.events.list(kinds=("feed.received",))
    assert told.partner_ids == (receipt.partner_id,)
    assert told.data["feed_id"] == receipt.feed_id
    assert told.data["job_id"] == receipt.job_id
    assert (told.data["file_name"], told.data["mode"], told.data["bytes"]) == ("a.csv", "full", 4)


def test_a_refused_upload_and_one_that_is_sent_twice_under_a_key_announce_nothing_more(
    commerce: Commerce,
):
    for _ in range(2):
        commerce.feeds.upload(io.BytesIO(b"sku\n"), partner="Acme", key="one")
    assert len(list(commerce.events.list())) == 1


def test_orders_are_announced_to_each_partner_without_the_others(commerce: Commerce):
    acme, bloom = (commerce.partners.get(name).partner_id for name in ("Acme", "Bloom"))
    load(commerce)
    load(commerce, partner="Bloom")
    items = [Wanted(1, partner_id=partner, sku="A") for partner in (acme, bloom)]
    both = commerce.orders.place(items)
    commerce.orders.cancel(both.order_id)
    told = list(commerce.events.list(kinds=("order.created", "order.cancelled")))
    assert [event.data["status"] for event in told] == ["created", "cancelled"]
    assert {event.partner_ids for event in told} == {(acme, bloom)}
    (seen, _) = key_of(commerce, "Bloom").events.list(kinds=("order.created",)), None
    (event,) = seen
    assert event.partner_ids == (bloom,)
    assert event.data["order_id"] == both.order_id


def test_a_key_sees_only_events_about_what_it_may_read(commerce: Commerce):
    acme = commerce.partners.get("Acme").partner_id
    load(commerce)
    commerce.orders.place([Wanted(1, partner_id=acme, sku="A")])
    told = kinds(key_of(commerce, "Acme", "feeds:read").events.list())
    assert "feed.received" in told
    assert "order.created" not in told
    assert kinds(key_of(commerce, "Bloom").events.list()) == []


def test_a_cursor_goes_on_where_the_page_ended_and_belongs_to_its_question(commerce: Commerce):
    load(commerce)
    first = commerce.events.page(limit=1)
    rest = commerce.events.page(first.next_cursor, 1_000)
    assert not {e.event_id for e in first.items} & {e.event_id for e in rest.items}
    caught_up = commerce.events.page(rest.next_cursor)
    assert (caught_up.items, caught_up.next_cursor) == ((), rest.next_cursor)
    latest = commerce.events.page("latest")
    assert (latest.items, latest.next_cursor) == ((), rest.next_cursor)
    for refused in (
        lambda: commerce.events.page(rest.next_cursor, kinds=("feed.failed",)),
        lambda: commerce.events.page(rest.next_cursor, partner="Acme"),
        lambda: commerce.events.page("nonsense"),
        lambda: commerce.events.page(limit=1_001),
    ):
        with pytest.raises(Malformed):
            refused()


def test_what_was_announced_long_ago_is_forgotten(commerce: Commerce):
    load(commerce)
    load(commerce)
    first = commerce.events.page(limit=1).next_cursor
    clock = commerce.context.clock
    later = Commerce(
        evolve(commerce.context, clock=lambda: clock() + EVENTS_KEPT + timedelta(hours=1))
    )
    kept = len(list(commerce.events.list()))
    assert commerce.events.forget_old() == 0
    assert later.events.forget_old() == kept
    assert list(later.events.list()) == []
    with pytest.raises(Malformed, match="kept for 90 days"):
        later.events.page(first)


# --- the audit ------------------------------------------------------------------------------------


def entries(commerce: Commerce, **filters: Any) -> list[tuple[str, Any, Any]]:  # noqa: ANN401 - whatever was changed
    found = commerce.audit.list(AuditQuery(**filters))
    return [(entry.action, entry.before, entry.after) for entry in found]


def test_changes_are_remembered_with_what_was_before(commerce: Commerce):
    commerce.partners.change("Acme", currency="USD")
    source = commerce.sources.change("main", partner="Acme", mode="full", guards={"removals": 30})
    commerce.sources.set_profile(Profile(preset="shopify"), partner="Acme")
    acme = commerce.partners.get("Acme").partner_id
    profile, changed, partner, added = commerce.audit.list(partner="Acme")
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
    assert profile.note == "Version 1 of the profile replaced version 0."
    assert (added.action, added.before) == ("partner.added", None)
    assert added.after is not None
    assert added.after["partner_name"] == "Acme"


def test_what_changes_nothing_is_not_remembered(commerce: Commerce):
    before = len(entries(commerce))
    commerce.sources.change("main", partner="Acme", mode="delta")
    commerce.sources.set_profile(Profile(), partner="Acme")
    assert len(entries(commerce)) == before


def test_sources_come_and_go_in_the_audit(commerce: Commerce):
    commerce.sources.add("Acme", "web", key="one")
    made = commerce.sources.add("Acme", "web", key="one")
    commerce.sources.remove("web", partner="Acme")
    told = entries(commerce, subject=made.source_id)
    assert [action for action, *_ in told] == ["source.removed", "source.added"]
    assert told[0][1]["source_name"] == "web"
    assert told[0][2] is None


def test_keys_are_remembered_and_their_secrets_nowhere(commerce: Commerce):
    issued = commerce.keys.add(partner="Acme")
    asking = key_of(commerce, None)
    asking.keys.revoke(issued.key.key_id)
    asking.keys.revoke(issued.key.key_id)
    revoked, made = commerce.audit.list(AuditQuery(subject=issued.key.key_id))
    assert (made.action, made.actor) == ("key.issued", "operator")
    assert (revoked.action, revoked.actor) == ("key.revoked", asking.context.principal.name)
    assert revoked.before == {"revoked_at": None}
    whole = repr(list(commerce.audit.list()))
    assert issued.secret is not None
    assert issued.secret not in whole
    assert "digest" not in whole


# --- feeds ----------------------------------------------------------------------------------------


def told_of(commerce: Commerce, feed_id: str) -> list[Event]:
    return [e for e in commerce.events.list() if e.data.get("feed_id") == feed_id]


def test_an_applied_feed_is_announced_with_figures_and_the_cursor_to_its_changes(
    commerce: Commerce,
):
    feed_id = load(commerce)
    received, applied, changed = told_of(commerce, feed_id)
    assert (received.kind, applied.kind) == ("feed.received", "feed.applied")
    assert (applied.data["outcome"], applied.data["created"]) == ("clean", 2)
    assert (changed.kind, changed.data["publication"], changed.data["created"]) == (
        "catalog.changed",
        1,
        2,
    )
    changes = commerce.history.page_changes(cursor=changed.data["changes_cursor"])
    assert {change.product.feed_id for change in changes.items} == {feed_id}
    theirs = key_of(commerce, "Acme")
    (seen,) = theirs.events.list(kinds=("catalog.changed",))
    assert theirs.history.page_changes(cursor=seen.data["changes_cursor"]).items


def test_a_feed_that_changes_nothing_is_applied_and_no_change_is_announced(commerce: Commerce):
    load(commerce)
    again, other = load(commerce), load(commerce, CATALOG.replace("Lamp", " Lamp"))
    for feed_id in (again, other):
        assert [event.kind for event in told_of(commerce, feed_id)] == [
            "feed.received",
            "feed.applied",
        ]


@pytest.mark.parametrize(
    ("body", "code"), [("colour\nred\n", "no_header"), ("sku,title\n", "nothing_accepted")]
)
def test_a_failed_feed_is_announced_with_the_reason(commerce: Commerce, body: str, code: str):
    _, failed = told_of(commerce, load(commerce, body))
    assert (failed.kind, failed.data["error"]["code"]) == ("feed.failed", code)


def test_drift_is_announced_with_the_columns(commerce: Commerce):
    load(commerce)
    feed_id = load(commerce, "sku,title,price,colour\nA,Lamp,5,red\n")
    (drifted,) = [e for e in told_of(commerce, feed_id) if e.kind == "feed.drifted"]
    columns = {(drift["kind"], drift["column"]) for drift in drifted.data["drift"]}
    assert columns == {("column_added", "colour"), ("column_gone", "quantity")}


def test_a_held_feed_is_announced_and_what_is_decided_is_remembered(commerce: Commerce):
    rows = [f"P{number},Product {number},5\n" for number in range(60)]
    head = "sku,title,price\n"

    def send(body: str) -> str:
        stream = io.BytesIO(body.encode())
        return commerce.feeds.load(stream, partner="Acme", mode="full").feed_id

    send(head + "".join(rows))
    held = send(head + "".join(rows[:30]))
    event = told_of(commerce, held)[-1]
    assert event.kind == "feed.held"
    assert {guard["guard"] for guard in event.data["guards"]} >= {"removals"}
    commerce.plans.reject(held, note="An accident.")
    event = told_of(commerce, held)[-1]
    assert (event.kind, event.data["error"]["message"]) == ("feed.rejected", "An accident.")
    again = send(head + "".join(rows[:29]))
    commerce.plans.approve(again, note="It is right.")
    assert [event.kind for event in told_of(commerce, again)] == [
        "feed.received", "feed.held", "feed.applied", "catalog.changed",
    ]  # fmt: skip
    approved, rejected = (
        next(commerce.audit.list(AuditQuery(subject=feed_id))) for feed_id in (again, held)
    )
    assert (rejected.action, rejected.note) == ("feed.rejected", "An accident.")
    assert (approved.action, approved.note) == ("feed.approved", "It is right.")


def test_a_held_feed_that_a_newer_one_ends_is_announced_as_superseded(commerce: Commerce):
    rows = [f"P{number},Product {number},5\n" for number in range(60)]
    for count in (60, 30, 59):
        body = "sku,title,price\n" + "".join(rows[:count])
        commerce.feeds.load(io.BytesIO(body.encode()), partner="Acme", mode="full")
    (event,) = commerce.events.list(kinds=("feed.superseded",))
    assert event.data["by"] != event.data["feed_id"]


def test_a_revert_and_its_undoing_are_announced_and_remembered(commerce: Commerce):
    load(commerce)
    feed_id = load(commerce, CATALOG.replace("5", "7"))
    commerce.jobs.run(commerce.reverts.start(feed_id).job_id)
    commerce.jobs.run(commerce.reverts.start(feed_id, undo=True).job_id)
    assert [event.kind for event in told_of(commerce, feed_id)][1:] == [
        "feed.applied", "catalog.changed", "feed.reverted", "catalog.changed", "feed.applied",
        "catalog.changed",
    ]  # fmt: skip
    undone, reverted = commerce.audit.list(AuditQuery(subject=feed_id))
    assert {undone.action, reverted.action} == {"feed.reverted"}
    assert (undone.note, reverted.note) == ("Undoes the revert.", None)


def test_stock_that_orders_hold_and_a_feed_denies_is_announced(commerce: Commerce):
    acme = commerce.partners.get("Acme").partner_id
    load(commerce)
    commerce.orders.place([Wanted(5, partner_id=acme, sku="A")])
    feed_id = load(commerce, "sku,quantity\nA,3\nB,1\n")
    (event,) = commerce.events.list(kinds=("stock.oversold",))
    (product,) = event.data["products"]
    assert (event.data["feed_id"], product["sku"]) == (feed_id, "A")
    assert (product["quantity"], product["held"]) == (3, 5)


def test_a_cancelled_job_is_remembered(commerce: Commerce):
    receipt = commerce.feeds.upload(io.BytesIO(b"sku\n"), partner="Acme")
    commerce.jobs.cancel(receipt.job_id)
    (entry,) = commerce.audit.list(AuditQuery(subject=receipt.feed_id))
    assert entry.action == "job.cancelled"
