"""Webhooks as their users see them: who is called about what, how often, and what is logged."""

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
import standardwebhooks

from commerce_core.activity.audit import AuditQuery
from commerce_core.activity.events import EVENT_KINDS, EventKind
from commerce_core.base.errors import Conflict, Forbidden, InvalidInput, NotFound
from commerce_core.base.network import LONGEST_URL
from commerce_core.commerce import Commerce
from commerce_core.orders.wanted import Wanted
from commerce_core.webhooks.delivery import DISABLED_AFTER, KEPT, DeliveryQuery
from commerce_core.webhooks.subscription import (
    LONGEST_DESCRIPTION,
    LONGEST_GRACE_HOURS,
    MOST_SECRETS,
    MOST_WEBHOOKS,
)
from tests.support.receivers import URL, Receivers, receivers

CATALOG = b"sku,title,price,quantity\nA,Lamp,5,9\n"
OTHER = "https://receiver.example/other"
HOUR = timedelta(hours=1)


@pytest.fixture
def made() -> Iterator[Receivers]:
    with receivers() as found:
        yield found


def load(commerce: Commerce, partner: str = "Acme", body: bytes = CATALOG) -> None:
    commerce.feeds.load(io.BytesIO(body), partner=partner)


def order(commerce: Commerce, partner: str = "Acme") -> str:
    product = commerce.products.get(partner=partner, sku="A")
    return commerce.orders.place([Wanted(1, product.product_id)]).order_id


def partners_key(commerce: Commerce, *scopes: str) -> Commerce:
    issued = commerce.keys.add(partner="Acme", scopes=list(scopes))
    return commerce.authenticated(issued.secret)


ALL = ("webhooks:read", "webhooks:write", "feeds:read", "catalog:read", "orders:read")


def test_a_receiver_gets_what_happens_signed_and_in_order(made: Receivers):
    """One message per event, with a sequence, and a cursor from which the log continues."""
    load(made.commerce)
    issued = made.commerce.webhooks.add(URL)
    order(made.commerce)
    load(made.commerce, body=CATALOG.replace(b"5", b"6"))
    made.deliver()
    kinds = [body["type"] for body in made.bodies()]
    assert kinds == ["order.created", "feed.received", "feed.applied", "catalog.changed"]
    assert [body["sequence"] for body in made.bodies()] == [4, 5, 6, 7]
    first, request = made.bodies()[0], made.web.requests[0]
    rest = list(made.commerce.events.list(first["cursor"]))
    assert [event.kind for event in rest] == kinds[1:]
    assert request.headers["webhook-id"] == first["event_id"]
    assert issued.secret is not None
    verifier = standardwebhooks.Webhook(issued.secret)
    assert verifier.verify(request.body, dict(request.headers)) == first
    assert made.deliver() == []


def test_a_thin_message_has_only_ids(made: Receivers):
    made.commerce.webhooks.add(URL, body="thin", kinds=["feed.applied"])
    load(made.commerce)
    made.deliver()
    (body,) = made.bodies()
    assert set(body["data"]) == {"feed_id", "source_id", "partner_id", "job_id"}
    assert body["subject"] == body["data"]["feed_id"]


def test_a_partner_gets_what_concerns_it_and_only_what_its_key_may_read(made: Receivers):
    """Without kinds, all that it may read; the others' events never, nor their ids."""
    acme = partners_key(made.commerce, "webhooks:write", "webhooks:read", "orders:read")
    webhook = acme.webhooks.add(URL).webhook
    assert {kind.partition(".")[0] for kind in webhook.kinds} == {"order", "webhook"}
    with pytest.raises(Forbidden):
        acme.webhooks.add(URL, kinds=["feed.applied"])
    for partner in ("Acme", "Bloom"):
        load(made.commerce, partner)
    for partner in ("Bloom", "Acme"):
        order(made.commerce, partner)
    made.deliver()
    (body,) = made.bodies()
    assert (body["type"], body["partner_ids"]) == ("order.created", [webhook.partner_id])


def test_a_key_that_may_read_no_events_adds_no_webhook(made: Receivers):
    """Nor does it change one to all kinds, which it would get if none stood for all."""
    blind = partners_key(made.commerce, "webhooks:write")
    with pytest.raises(Forbidden):
        blind.webhooks.add(URL)
    own = partners_key(made.commerce, *ALL).webhooks.add(URL, kinds=["feed.applied"]).webhook
    with pytest.raises(Forbidden):
        blind.webhooks.change(own.webhook_id, kinds=[])


def test_a_partner_sees_only_its_own(made: Receivers):
    """Another's webhooks and deliveries are like unknown ones."""
    acme = partners_key(made.commerce, *ALL)
    theirs = made.commerce.webhooks.add(URL, partner="Bloom").webhook
    own = acme.webhooks.add(URL).webhook
    load(made.commerce, "Bloom")
    made.deliver()
    assert [w.webhook_id for w in acme.webhooks.list()] == [own.webhook_id]
    assert list(acme.webhooks.deliveries()) == []
    (delivery, *_) = made.commerce.webhooks.deliveries()
    for use in (
        lambda: acme.webhooks.get(theirs.webhook_id),
        lambda: acme.webhooks.change(theirs.webhook_id, url=OTHER),
        lambda: acme.webhooks.change(theirs.webhook_id, status="active"),
        lambda: acme.webhooks.remove(theirs.webhook_id),
        lambda: acme.webhooks.rotate(theirs.webhook_id),
        lambda: acme.webhooks.test(theirs.webhook_id),
        lambda: acme.webhooks.redeliver(theirs.webhook_id),
        lambda: acme.webhooks.delivery(delivery.delivery_id),
        lambda: acme.webhooks.redeliver_one(delivery.delivery_id),
    ):
        with pytest.raises(NotFound):
            use()


@pytest.mark.parametrize(
    "url",
    [
        "https://[::ffff:127.0.0.1]/", "https://0x7f000001/", "https://2130706433/",
        "https://127.1/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
        "https://inside.example/", "http://receiver.example/", "ftp://receiver.example/",
        "https://user:pass@receiver.example/", "https://receiver.example:6379/", "",
        "https://receiver.example/" + "a" * LONGEST_URL,
    ],
)  # fmt: skip
def test_addresses_that_may_not_be_called_are_refused_when_saved(made: Receivers, url: str):
    with pytest.raises(InvalidInput):
        made.commerce.webhooks.add(url)
    webhook = made.commerce.webhooks.add(URL).webhook
    with pytest.raises(InvalidInput):
        made.commerce.webhooks.change(webhook.webhook_id, url=url)


def test_addresses_are_judged_again_when_used(made: Receivers):
    """For a test too; and what the server answers there is never kept."""
    webhook = made.commerce.webhooks.add(URL).webhook
    made.web.hosts = {"receiver.example": ["93.184.216.34", "169.254.169.254"]}
    made.answer(200, b"credentials")
    tried = made.commerce.webhooks.test(webhook.webhook_id)
    assert (tried.error, tried.http_status, tried.answer) == ("address_refused", None, "")
    load(made.commerce)
    assert {one.tried.error for one in made.deliver()} == {"address_refused"}
    assert made.web.requests == []


def test_redirects_are_not_followed(made: Receivers):
    made.commerce.webhooks.add(URL, kinds=["feed.applied"])
    made.answer(302, location="http://169.254.169.254/latest/meta-data/")
    load(made.commerce)
    made.deliver()
    (delivery,) = made.commerce.webhooks.deliveries()
    assert (delivery.http_status, delivery.error, delivery.status) == (302, "redirect", "pending")
    assert len(made.web.requests) == 1


def test_all_tries_have_one_id_and_are_logged(made: Receivers):
    made.commerce.webhooks.add(URL, kinds=["feed.applied"])
    made.answer(500, b"broken")
    load(made.commerce)
    made.deliver()
    (delivery,) = made.commerce.webhooks.deliveries()
    (tried,) = made.commerce.webhooks.delivery(delivery.delivery_id).tries
    assert (tried.number, tried.http_status, tried.answer) == (1, 500, "broken")
    assert tried.next_at is not None
    made.answer(204)
    made.commerce.webhooks.redeliver_one(delivery.delivery_id)
    assert made.commerce.webhooks.delivery(delivery.delivery_id).delivery.status == "pending"
    assert len({request.headers["webhook-id"] for request in made.web.requests}) == 1


def test_after_five_days_of_failures_a_webhook_is_disabled(made: Receivers):
    """That is announced; what it misses from then on is counted, and sent when asked for."""
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.received"]).webhook
    made.commerce.webhooks.add(OTHER, kinds=["webhook.disabled", "webhook.enabled"])
    made.answer(500)
    load(made.commerce)
    made.deliver()
    made.later(DISABLED_AFTER)
    load(made.commerce, body=CATALOG.replace(b"5", b"6"))
    made.deliver()
    found = made.commerce.webhooks.get(webhook.webhook_id)
    assert (found.status, found.disabled_reason) == ("disabled", "failing")
    load(made.commerce, body=CATALOG.replace(b"5", b"7"))
    made.deliver()
    with pytest.raises(Conflict, match="disabled"):
        made.commerce.webhooks.redeliver(webhook.webhook_id)
    found = made.commerce.webhooks.change(webhook.webhook_id, status="active")
    assert (found.status, found.missed, found.failing_since) == ("active", 3, None)
    before = len(made.bodies())
    made.answer(204)
    made.deliver()
    assert len(made.bodies()) == before
    missed = DeliveryQuery(status="missed")
    plan = made.commerce.webhooks.redeliver(webhook.webhook_id, missed, plan=True)
    assert (plan.deliveries, plan.planned) == (3, True)
    done = made.commerce.webhooks.redeliver(webhook.webhook_id, missed)
    assert (done.deliveries, done.planned, done.more) == (3, False, False)
    made.deliver()
    assert len(made.bodies()) == before + 3
    told = [(b["type"], b["data"]["reason"]) for b in made.bodies(OTHER)]
    assert told == [("webhook.disabled", "failing"), ("webhook.enabled", None)]


def test_a_receiver_that_answers_410_is_disabled_at_once(made: Receivers):
    webhook = made.commerce.webhooks.add(URL).webhook
    made.answer(410)
    load(made.commerce)
    made.deliver()
    found = made.commerce.webhooks.get(webhook.webhook_id)
    assert (found.status, found.disabled_reason) == ("disabled", "gone")
    statuses = {d.status for d in made.commerce.webhooks.deliveries()}
    assert statuses == {"missed"}


def test_a_paused_webhook_misses_what_happens(made: Receivers):
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied"]).webhook
    assert made.commerce.webhooks.change(webhook.webhook_id, status="paused").status == "paused"
    load(made.commerce)
    assert made.deliver() == []
    assert made.commerce.webhooks.change(webhook.webhook_id, status="active").missed == 1
    with pytest.raises(InvalidInput):
        made.commerce.webhooks.change(webhook.webhook_id, status="disabled")


def test_all_since_a_time_can_be_sent_again(made: Receivers):
    """In parts, if there are many; what isn't finished can't be."""
    webhook = made.commerce.webhooks.add(URL).webhook
    load(made.commerce)
    made.deliver()
    made.later(HOUR)
    since = made.now
    load(made.commerce, body=CATALOG.replace(b"5", b"6"))
    made.deliver()
    query = DeliveryQuery(since=since)
    plan = made.commerce.webhooks.redeliver(webhook.webhook_id, query, plan=True)
    assert plan.deliveries == 3
    part = made.commerce.webhooks.redeliver(webhook.webhook_id, query, most=2)
    assert (part.deliveries, part.more) == (2, True)
    assert len(made.deliver()) == 2
    with pytest.raises(InvalidInput):
        made.commerce.webhooks.redeliver(webhook.webhook_id, DeliveryQuery(status="sending"))


def test_messages_are_signed_with_every_live_secret(made: Receivers):
    """Until the grace is over; without one the old secret ends at once."""
    issued = made.commerce.webhooks.add(URL)
    second = made.commerce.webhooks.rotate(issued.webhook.webhook_id, grace_hours=1)

    def signatures() -> int:
        made.commerce.webhooks.test(issued.webhook.webhook_id)
        return len(made.web.requests[-1].headers["webhook-signature"].split())

    assert (issued.secret != second.secret, signatures()) == (True, 2)
    made.later(HOUR)
    assert signatures() == 1
    made.commerce.webhooks.rotate(issued.webhook.webhook_id, grace_hours=0)
    assert signatures() == 1


def test_only_some_secrets_are_live_at_once(made: Receivers):
    webhook_id = made.commerce.webhooks.add(URL).webhook.webhook_id
    for _ in range(MOST_SECRETS - 1):
        made.commerce.webhooks.rotate(webhook_id, grace_hours=LONGEST_GRACE_HOURS)
    with pytest.raises(Conflict):
        made.commerce.webhooks.rotate(webhook_id)
    for hours in (-1, LONGEST_GRACE_HOURS + 1):
        with pytest.raises(InvalidInput):
            made.commerce.webhooks.rotate(webhook_id, grace_hours=hours)


def test_secrets_are_sealed_and_shown_once(made: Receivers):
    """A replayed answer has none, nor has the audit; the audit names only the server."""
    issued = made.commerce.webhooks.add(f"{URL}?token=planted", key="one")
    again = made.commerce.webhooks.add(f"{URL}?token=planted", key="one")
    assert (again.webhook.webhook_id, again.secret) == (issued.webhook.webhook_id, None)
    assert issued.secret is not None
    kept = made.commerce.webhooks.get(issued.webhook.webhook_id)
    assert issued.secret not in str(kept)
    audit = str(list(made.commerce.audit.list(AuditQuery(subject=kept.webhook_id))))
    assert issued.secret not in audit
    assert "planted" not in audit
    assert kept.secrets[0].sealed not in audit
    assert "https://receiver.example" in audit


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_a_sample_of_every_kind_can_be_sent(made: Receivers, kind: EventKind):
    webhook = made.commerce.webhooks.add(URL).webhook
    tried = made.commerce.webhooks.test(webhook.webhook_id, kind)
    assert (tried.http_status, tried.error, tried.next_at) == (204, None, None)
    (body,) = made.bodies()
    assert (body["type"], body["test"]) == (kind, True)
    assert list(made.commerce.webhooks.deliveries()) == []


def test_a_removed_webhook_is_called_no_more(made: Receivers):
    webhook = made.commerce.webhooks.add(URL).webhook
    load(made.commerce)
    made.commerce.sending.read_events()
    removed = made.commerce.webhooks.remove(webhook.webhook_id)
    assert made.commerce.webhooks.remove(webhook.webhook_id) == removed
    assert made.deliver() == []
    assert list(made.commerce.webhooks.list()) == []
    for use in (
        lambda: made.commerce.webhooks.change(webhook.webhook_id, ordered=True),
        lambda: made.commerce.webhooks.rotate(webhook.webhook_id),
        lambda: made.commerce.webhooks.test(webhook.webhook_id),
    ):
        with pytest.raises(Conflict, match="removed"):
            use()


def test_an_owner_has_only_so_many(made: Receivers):
    """Those of others don't count."""
    for _ in range(MOST_WEBHOOKS):
        made.commerce.webhooks.add(URL, partner="Acme")
    with pytest.raises(Conflict):
        made.commerce.webhooks.add(URL, partner="Acme")
    made.commerce.webhooks.add(URL)


def test_terms_have_limits(made: Receivers):
    made.commerce.webhooks.add(URL, description="a" * LONGEST_DESCRIPTION)
    with pytest.raises(InvalidInput):
        made.commerce.webhooks.add(URL, description="a" * (LONGEST_DESCRIPTION + 1))
    with pytest.raises(InvalidInput, match="saved") as refused:
        made.commerce.webhooks.add(URL, kinds=["order.create"])  # pyright: ignore[reportArgumentType]
    assert "order.created" in refused.value.faults[0].detail


def test_deliveries_are_kept_for_thirty_days(made: Receivers):
    made.commerce.webhooks.add(URL, kinds=["feed.applied"])
    load(made.commerce)
    made.deliver()
    made.later(KEPT)
    assert made.commerce.sending.forget_old() == 0
    made.later(HOUR)
    assert made.commerce.sending.forget_old() == 1


def test_events_that_were_deleted_unread_are_skipped(made: Receivers):
    """A worker that was away for ninety days continues with what is left."""
    made.commerce.webhooks.add(URL, kinds=["feed.received"])
    load(made.commerce)
    made.later(timedelta(days=91))
    made.commerce.events.forget_old()
    load(made.commerce, body=CATALOG.replace(b"5", b"6"))
    made.deliver()
    assert len(made.bodies()) == 1
