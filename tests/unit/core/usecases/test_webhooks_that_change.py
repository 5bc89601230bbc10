"""Webhooks that change while messages are under way: none is lost, none called for nothing."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
from attrs import evolve

from commerce_core.alerts.channel import ChannelQuery
from commerce_core.base.errors import Conflict
from commerce_core.commerce import Commerce
from commerce_core.webhooks.delivery import DeliveryQuery, Judged
from commerce_core.webhooks.subscription import DISABLED_AFTER, WebhookQuery
from tests.support.receivers import ROOMS, URL, Receivers, receivers

OTHER = "https://receiver.example/other"
HOUR = timedelta(hours=1)


@pytest.fixture
def made() -> Iterator[Receivers]:
    with receivers() as found:
        yield found


def load(made: Receivers, price: int = 5) -> None:
    body = f"sku,title,price,quantity\nA,Lamp,{price},9\n".encode()
    made.commerce.feeds.load(io.BytesIO(body), partner="Acme")


def sent(made: Receivers) -> list[Judged]:
    """Everything that is due, sent but not recorded yet."""
    while made.commerce.sending.read_events():
        pass
    return [made.commerce.sending.send(one) for one in made.commerce.sending.claim(*ROOMS)]


def statuses(made: Receivers) -> list[str]:
    return [delivery.status for delivery in made.commerce.webhooks.deliveries()]


def verifies(secret: str | None, made: Receivers) -> bool:
    """Whether the latest message is signed with that secret, as the reference library signs."""
    request = made.web.requests[-1]
    name, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    at = datetime.fromtimestamp(int(stamp), UTC)
    body = (request.body or b"").decode()
    expected = standardwebhooks.Webhook(secret or "").sign(name, at, body)
    return expected in request.headers["webhook-signature"].split()


def test_what_waited_while_the_secret_was_rotated_is_signed_with_both(made: Receivers):
    issued = made.commerce.webhooks.add(URL, kinds=["feed.applied"])
    load(made)
    made.answer(500)
    made.deliver()
    second = made.commerce.webhooks.rotate(issued.webhook.webhook_id, grace_hours=1)
    made.later(timedelta(minutes=10))
    made.answer(204)
    assert len(made.deliver()) == 1
    assert (verifies(issued.secret, made), verifies(second.secret, made)) == (True, True)
    made.later(HOUR)
    load(made, 6)
    made.deliver()
    assert (verifies(issued.secret, made), verifies(second.secret, made)) == (False, True)


@pytest.mark.parametrize("end", ["paused", "removed"])
def test_a_failed_try_under_way_when_a_webhook_ends_is_missed(made: Receivers, end: str):
    """It is neither tried again nor pending forever."""
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied"]).webhook
    load(made)
    made.answer(500)
    under_way = sent(made)
    if end == "paused":
        made.commerce.webhooks.change(webhook.webhook_id, status="paused")
    else:
        made.commerce.webhooks.remove(webhook.webhook_id)
    made.commerce.sending.record(under_way)
    made.later(HOUR)
    assert made.deliver() == []
    made.commerce.sending.forget_old()
    assert statuses(made) == ["missed"]


def test_what_a_crashed_worker_had_is_missed_once_its_webhook_is_removed(made: Receivers):
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied"]).webhook
    load(made)
    sent(made)
    made.commerce.webhooks.remove(webhook.webhook_id)
    made.commerce.sending.forget_old()
    assert statuses(made) == ["sending"]
    made.later(HOUR)
    made.commerce.sending.forget_old()
    assert statuses(made) == ["missed"]


def test_a_retry_goes_to_the_new_address(made: Receivers):
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied"]).webhook
    load(made)
    made.answer(500)
    made.deliver()
    made.commerce.webhooks.change(webhook.webhook_id, url=OTHER)
    made.later(HOUR)
    made.deliver()
    assert [request.url for request in made.web.requests] == [URL, OTHER]
    assert statuses(made) == ["delivered"]


def test_an_answer_of_the_former_address_does_not_disable_the_new_one(made: Receivers):
    """A receiver that has moved answers 410 at its old address."""
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied"]).webhook
    load(made)
    made.answer(410)
    under_way = sent(made)
    made.commerce.webhooks.change(webhook.webhook_id, url=OTHER)
    assert made.commerce.sending.record(under_way) == frozenset()
    assert made.commerce.webhooks.get(webhook.webhook_id).status == "active"


def test_failures_at_a_former_address_do_not_count_for_the_new_one(made: Receivers):
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied"]).webhook
    made.answer(500)
    load(made)
    made.deliver()
    made.later(DISABLED_AFTER)
    moved = made.commerce.webhooks.change(webhook.webhook_id, url=OTHER)
    assert moved.failing_since is None
    made.answer(500, url=OTHER)
    made.deliver()
    assert made.commerce.webhooks.get(webhook.webhook_id).status == "active"


def test_a_failure_of_this_side_disables_no_receiver(made: Receivers):
    """A missing key of the vault, for one, is no fault of the receiver."""
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied"]).webhook
    (secret,) = webhook.secrets
    with made.commerce.context.store.begin() as unit:
        unit.webhooks.put(evolve(webhook, secrets=(evolve(secret, sealed="v1.lost.AAAA"),)))
    for price in (5, 6):
        load(made, price)
        made.deliver()
        made.later(DISABLED_AFTER)
    assert {d.error for d in made.commerce.webhooks.deliveries()} == {"cannot_open"}
    assert made.commerce.webhooks.get(webhook.webhook_id).status == "active"


def test_an_event_that_was_forgotten_is_sent_no_more_and_blames_nobody(made: Receivers):
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied"]).webhook
    load(made)
    made.deliver()
    made.later(timedelta(days=91))
    made.commerce.events.forget_old()
    assert made.commerce.webhooks.redeliver(webhook.webhook_id).deliveries == 1
    (tried,) = made.deliver()
    assert (tried.tried.error, tried.delivery.status) == ("event_gone", "failed")
    assert made.commerce.webhooks.get(webhook.webhook_id).failing_since is None


def test_events_that_waited_are_sent_although_their_kind_is_no_longer_subscribed(made: Receivers):
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied", "feed.received"]).webhook
    made.answer(500)
    load(made)
    made.deliver()
    made.commerce.webhooks.change(webhook.webhook_id, kinds=["feed.received"])
    made.answer(204)
    made.later(HOUR)
    assert {one.delivery.kind for one in made.deliver()} == {"feed.applied", "feed.received"}
    load(made, 6)
    assert {one.delivery.kind for one in made.deliver()} == {"feed.received"}


def test_what_was_missed_and_what_happens_meanwhile_is_sent_once_each(made: Receivers):
    webhook = made.commerce.webhooks.add(URL, kinds=["feed.applied"]).webhook
    made.commerce.webhooks.change(webhook.webhook_id, status="paused")
    for price in range(5, 9):
        load(made, price)
        made.deliver()
    made.commerce.webhooks.change(webhook.webhook_id, status="active")
    load(made, 9)
    under_way = sent(made)
    missed = DeliveryQuery(status="missed")
    assert made.commerce.webhooks.redeliver(webhook.webhook_id, missed, most=2).more
    load(made, 10)
    made.commerce.sending.record(under_way)
    made.deliver()
    assert made.commerce.webhooks.redeliver(webhook.webhook_id, missed).deliveries == 2
    made.deliver()
    received = [request.headers["webhook-id"] for request in made.web.requests]
    assert (len(received), len(set(received))) == (6, 6)
    assert set(statuses(made)) == {"delivered"}


def test_a_partner_that_is_offboarded_is_sent_nothing_more(made: Receivers):
    """Neither webhooks nor alerts, not even what waited; the operator's own go on."""
    acme = made.commerce.webhooks.add(URL, kinds=["feed.applied"], partner="Acme").webhook
    channel = made.commerce.alerts.add(url=URL, partner="Acme").channel
    mine = made.commerce.webhooks.add(OTHER, kinds=["feed.applied"]).webhook
    load(made)
    made.answer(500)
    made.deliver()
    made.commerce.partners.change("Acme", status="offboarded")
    before = len(made.bodies())
    made.later(HOUR)
    made.deliver()
    made.commerce.alerting.run()
    assert len(made.bodies()) == before
    assert [w.webhook_id for w in made.commerce.webhooks.list()] == [mine.webhook_id]
    (gone,) = made.commerce.webhooks.list(WebhookQuery(status="removed"))
    assert (gone.webhook_id, gone.secrets) == (acme.webhook_id, ())
    (ended,) = made.commerce.alerts.list(ChannelQuery(status="removed"))
    assert (ended.channel_id, ended.sealed) == (channel.channel_id, None)
    notes = {(e.action, e.note) for e in made.commerce.audit.list() if e.action.endswith("removed")}
    why = "The partner was offboarded."
    assert notes == {("webhook.removed", why), ("channel.removed", why)}


def test_nothing_is_added_for_a_partner_that_is_offboarded(made: Receivers):
    made.commerce.partners.change("Acme", status="offboarded")
    for add in (_webhook, _channel):
        with pytest.raises(Conflict) as refusal:
            add(made.commerce)
        assert refusal.value.code == "partner_offboarded"


def _webhook(commerce: Commerce) -> None:
    commerce.webhooks.add(URL, partner="Acme")


def _channel(commerce: Commerce) -> None:
    commerce.alerts.add(url=URL, partner="Acme")
