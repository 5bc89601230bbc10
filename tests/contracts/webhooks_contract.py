"""What the collections of webhooks and of their deliveries promise."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from attrs import evolve

from commerce_core.activity.events import Event
from commerce_core.base.errors import NotFound
from commerce_core.ports.store import Store
from commerce_core.webhooks.delivery import (
    Claim,
    Claimed,
    Delivery,
    DeliveryQuery,
    Judged,
    Reply,
    judge,
)
from commerce_core.webhooks.subscription import Webhook, WebhookQuery, WebhookSecret
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, T0
from tests.contracts.threads import together
from tests.support.waiting import outlast

SHORT = timedelta(milliseconds=30)
ROOM = Claim(100, others=100)
OK = Reply(at=T0, http_status=204, seconds={"wait": 0.1})
BAD = Reply(at=T0, http_status=500, answer=b"no", seconds={"wait": 0.2, "body": 0.1})


def webhook(partner_id: str | None = None, **changes: object) -> Webhook:
    made = Webhook(
        webhook_id=samples.new_id("hook"),
        partner_id=partner_id,
        url="https://example.com/hook?token=1",
        secrets=(WebhookSecret("sealed", T0), WebhookSecret("older", T0, T0 + DAY)),
        created_at=T0,
        updated_at=T0,
    )
    return evolve(made, **changes)


def kept(store: Store, *webhooks: Webhook) -> Webhook:
    with store.begin() as unit:
        for one in webhooks:
            unit.webhooks.add(one)
    return webhooks[0]


def announced(store: Store, number: int) -> Sequence[tuple[int, Event]]:
    """New events, with their numbers."""
    with store.begin() as unit:
        before = unit.events.latest()
        unit.events.add(
            Event(samples.new_id("evt"), "order.created", T0, (), {"order_id": f"ord_{n}"})
            for n in range(number)
        )
    with store.begin() as unit:
        unit.events.latest()
    return [(before + 1 + n, event) for n, event in enumerate(_latest(store, before))]


def _latest(store: Store, after: int) -> Sequence[Event]:
    from commerce_core.activity.events import EventQuery

    with store.begin() as unit:
        return unit.events.page(EventQuery(), after, 100).items


def queued(store: Store, to: Webhook, number: int = 1, **changes: object) -> list[Delivery]:
    """Pending deliveries of new events."""
    new = [
        evolve(
            Delivery(
                delivery_id=samples.new_id("dlv"),
                webhook_id=to.webhook_id,
                partner_id=to.partner_id,
                event_id=event.event_id,
                sequence=sequence,
                kind=event.kind,
                subject=event.data["order_id"],
                created_at=T0,
                due_at=T0,
            ),
            **changes,
        )
        for sequence, event in announced(store, number)
    ]
    with store.begin() as unit:
        unit.deliveries.add(new)
    return new


def claim(store: Store, room: Claim = ROOM, lease: timedelta = MINUTE) -> list[Claimed]:
    with store.begin() as unit:
        return list(unit.deliveries.claim(room, lease))


def record(store: Store, *judged: Judged) -> frozenset[str]:
    with store.begin() as unit:
        return unit.deliveries.record(judged)


def find(store: Store, delivery: Delivery) -> Delivery:
    with store.begin() as unit:
        return unit.deliveries.get(delivery.delivery_id)


def ids(found: Sequence[Claimed]) -> list[str]:
    return [one.delivery.delivery_id for one in found]


def names(found: Sequence[Delivery]) -> list[str]:
    return [one.delivery_id for one in found]


class TestWebhooks:
    def test_a_webhook_is_read_as_it_was_stored(self, store: Store):
        """Secrets stay sealed; a change replaces what there was."""
        first = kept(store, webhook(kinds=("order.created", "feed.held"), description="index"))
        with store.begin() as unit:
            assert unit.webhooks.get(first.webhook_id) == first
            assert unit.webhooks.lock(first.webhook_id) == first
            changed = evolve(first, status="paused", kinds=(), ordered=True, failing_since=T0)
            unit.webhooks.put(changed)
            assert unit.webhooks.get(first.webhook_id) == changed

    def test_unknown_webhooks_are_not_found(self, store: Store):
        with store.begin() as unit:
            for look in (unit.webhooks.get, unit.webhooks.lock):
                with pytest.raises(NotFound):
                    look("hook_1")
            with pytest.raises(NotFound):
                unit.webhooks.put(webhook())

    def test_webhooks_are_listed_by_owner_newest_first(self, store: Store):
        """Removed ones are listed only by that status, and aren't live."""
        acme = samples.new_id("ptn")
        one, two, gone = webhook(acme), webhook(), webhook(acme, status="removed")
        kept(store, one, two, gone)
        with store.begin() as unit:
            assert list(unit.webhooks.page(WebhookQuery(), None, 9).items) == [two, one]
            assert list(unit.webhooks.page(WebhookQuery(acme), None, 9).items) == [one]
            assert list(unit.webhooks.page(WebhookQuery(None, "removed"), None, 9).items) == [gone]
            assert unit.webhooks.count(WebhookQuery(acme)) == 1
            assert list(unit.webhooks.live()) == [one, two]

    def test_the_webhooks_of_a_partner_are_removed_with_their_secrets(self, store: Store):
        acme = samples.new_id("ptn")
        one, paused, other = webhook(acme), webhook(acme, status="paused"), webhook()
        kept(store, one, paused, other, webhook(acme, status="removed"))
        with store.begin() as unit:
            gone = unit.webhooks.remove_of(acme, T0 + DAY)
            assert set(gone) == {one.webhook_id, paused.webhook_id}
            assert list(unit.webhooks.live()) == [other]
            after = unit.webhooks.get(one.webhook_id)
            assert after == evolve(one, status="removed", secrets=(), updated_at=T0 + DAY)
            assert unit.webhooks.remove_of(acme, T0 + DAY) == []

    def test_failures_are_noted_from_the_first_on(self, store: Store):
        """What succeeds ends them; what succeeds and fails at once doesn't fail."""
        one, two = webhook(), webhook()
        kept(store, one, two)
        with store.begin() as unit:
            unit.webhooks.note_health([one.webhook_id, two.webhook_id], [two.webhook_id], T0)
            unit.webhooks.note_health([one.webhook_id], [], T0 + DAY)
            assert [w.failing_since for w in unit.webhooks.live()] == [T0, None]
            unit.webhooks.note_health([], [one.webhook_id], T0 + DAY)
            assert unit.webhooks.get(one.webhook_id).failing_since is None


class TestDeliveries:
    def test_one_unit_at_a_time_reads_events(self, store: Store):
        """`lock_read` returns how far they are read, which `set_read` moves on."""
        with store.begin() as unit:
            assert unit.deliveries.lock_read() == 0
            unit.deliveries.set_read(7)
        with store.begin() as unit:
            assert unit.deliveries.lock_read() == 7

    def test_an_event_is_delivered_once_to_a_webhook(self, store: Store):
        """`add` keeps what is there for the same event and webhook."""
        hook = kept(store, webhook())
        (first,) = queued(store, hook)
        with store.begin() as unit:
            unit.deliveries.add([evolve(first, delivery_id=samples.new_id("dlv"))])
            assert unit.deliveries.count(DeliveryQuery()) == 1
        assert find(store, first).delivery_id == first.delivery_id
        with store.begin() as unit, pytest.raises(NotFound):
            unit.deliveries.get("dlv_1")

    def test_a_claim_has_the_webhook_and_the_event(self, store: Store):
        hook = kept(store, webhook())
        (first,) = queued(store, hook)
        (claimed,) = claim(store)
        assert (claimed.webhook, claimed.delivery.status) == (hook, "sending")
        assert claimed.event is not None
        assert claimed.event.event_id == first.event_id
        assert claim(store) == []

    def test_a_claim_takes_what_there_is_room_for(self, store: Store):
        """In all, of each webhook, and of those that aren't named."""
        one, two, failing = webhook(), webhook(), webhook(failing_since=T0)
        kept(store, one, two, failing)
        for hook in (one, two, failing):
            queued(store, hook, 3)
        assert len(claim(store, Claim(4, others=3))) == 4
        assert len(claim(store, Claim(9, {one.webhook_id: 0, two.webhook_id: 0}, others=3))) == 0
        assert len(claim(store, Claim(9, {failing.webhook_id: 2}, others=0, failing=True))) == 2
        assert len(claim(store, Claim(9, others=1, failing=True))) == 1

    def test_a_claim_leaves_what_it_has_no_room_for_as_it_is(self, store: Store):
        """It takes those that have been due for longest."""
        one, two = webhook(), webhook()
        kept(store, one, two)
        (first,), (second,) = queued(store, two), queued(store, one)
        assert ids(claim(store, Claim(1))) == names([first])
        found = find(store, second)
        assert (found.status, found.claims) == ("pending", 0)

    @pytest.mark.parametrize("status", ["paused", "disabled", "removed"])
    def test_only_active_webhooks_are_served(self, store: Store, status: str):
        queued(store, kept(store, webhook(status=status)))
        assert claim(store) == []

    def test_of_many_workers_each_delivery_has_one(self, store: Store):
        queued(store, kept(store, webhook()), 20)
        found = together(*[lambda: claim(store, Claim(5, others=5))] * 6)
        taken = [id_ for claimed in found for id_ in ids(claimed)]
        taken += ids(claim(store))
        assert len(taken) == len(set(taken)) == 20

    def test_an_expired_claim_is_claimed_again(self, store: Store):
        """What the earlier one records then is ignored."""
        queued(store, kept(store, webhook()))
        (early,) = claim(store, lease=SHORT)
        outlast(SHORT)
        (late,) = claim(store)
        assert late.delivery.delivery_id == early.delivery.delivery_id
        assert record(store, judge(early, OK, 0)) == frozenset()
        assert record(store, judge(late, OK, 0)) == {late.delivery.delivery_id}
        assert find(store, late.delivery).status == "delivered"

    def test_what_is_given_back_is_due_at_once(self, store: Store):
        queued(store, kept(store, webhook()))
        (claimed,) = claim(store)
        with store.begin() as unit:
            unit.deliveries.give_back([claimed.delivery])
        (again,) = claim(store)
        assert again.delivery.attempts == 0

    def test_a_failed_try_is_logged_and_due_after_its_pause(self, store: Store):
        queued(store, kept(store, webhook()))
        (claimed,) = claim(store)
        judged = judge(claimed, BAD, 0)
        assert record(store, judged) == {claimed.delivery.delivery_id}
        found = find(store, claimed.delivery)
        assert (found.status, found.attempts, found.http_status) == ("pending", 1, 500)
        assert claim(store) == []
        with store.begin() as unit:
            assert list(unit.deliveries.tries(found.delivery_id)) == [judged.tried]

    def test_ordered_deliveries_wait_for_the_earlier_ones(self, store: Store):
        """About the same subject; others don't wait."""
        hook = kept(store, webhook(ordered=True))
        first, second = queued(store, hook, 2, ordered=True, subject="ord_1")
        (other,) = queued(store, hook, 1, ordered=True, subject="ord_2")
        found = claim(store)
        assert ids(found) == names([first, other])
        record(store, judge(found[0], OK, 0))
        assert ids(claim(store)) == names([second])

    def test_ordered_deliveries_do_not_wait_for_those_that_are_not(self, store: Store):
        """Such as those from before the webhook was changed."""
        hook = kept(store, webhook(ordered=True))
        (before,) = queued(store, hook, subject="ord_1")
        (after,) = queued(store, hook, subject="ord_1", ordered=True)
        assert ids(claim(store)) == names([before, after])

    def test_deliveries_are_found_by_every_filter(self, store: Store):
        acme = samples.new_id("ptn")
        one, two = webhook(acme), webhook()
        kept(store, one, two)
        (first,) = queued(store, one)
        (second,) = queued(store, two, status="missed", due_at=None, finished_at=T0)
        cases = {
            DeliveryQuery(): [second, first],
            DeliveryQuery(partner_id=acme): [first],
            DeliveryQuery(webhook_id=two.webhook_id): [second],
            DeliveryQuery(status="missed"): [second],
            DeliveryQuery(kind="feed.held"): [],
            DeliveryQuery(event_id=first.event_id): [first],
            DeliveryQuery(since=T0, until=T0 + MINUTE): [second, first],
            DeliveryQuery(until=T0): [],
        }
        with store.begin() as unit:
            for query, expected in cases.items():
                found = unit.deliveries.page(query, None, 9).items
                assert names(found) == names(expected)
                assert unit.deliveries.count(query) == len(expected)

    def test_finished_deliveries_are_sent_again(self, store: Store):
        """Oldest first, from an id to another, with a fresh schedule; pending ones stay."""
        hook = kept(store, webhook())
        old = queued(store, hook, 3)
        for claimed in claim(store):
            record(store, judge(claimed, evolve(BAD, error="event_gone"), 0))
        queued(store, hook)
        query = DeliveryQuery(webhook_id=hook.webhook_id)
        last = old[-1].delivery_id
        with store.begin() as unit:
            number, after = unit.deliveries.redeliver(query, "", last, 2)
            assert (number, after) == (2, old[1].delivery_id)
            assert unit.deliveries.redeliver(query, after or "", last, 2) == (1, last)
            assert unit.deliveries.redeliver(query, last, last, 2) == (0, None)
        found = find(store, old[0])
        assert (found.status, found.attempts, found.attempts_before) == ("pending", 1, 1)
        assert len(claim(store)) == 4

    def test_pending_deliveries_are_missed(self, store: Store):
        hook = kept(store, webhook())
        queued(store, hook, 3)
        with store.begin() as unit:
            assert [unit.deliveries.miss(hook.webhook_id, T0, 2) for _ in range(3)] == [2, 1, 0]
        assert claim(store) == []

    def test_what_is_left_of_webhooks_that_are_not_active_is_missed(self, store: Store):
        """Pending ones, and claims whose lease is over; as many at once as asked."""
        active, ended = webhook(), webhook()
        kept(store, active, ended)
        (mine,) = queued(store, active)
        held, lost, waiting = queued(store, ended, 3)
        with store.begin() as unit:
            claimed = [one.delivery for one in unit.deliveries.claim(ROOM, MINUTE)]
            unit.deliveries.give_back([d for d in claimed if d.delivery_id != held.delivery_id])
        with store.begin() as unit:
            unit.deliveries.claim(Claim(1, {ended.webhook_id: 1}, others=0), timedelta())
            unit.webhooks.put(evolve(ended, status="removed"))
        outlast(SHORT)
        for number in (1, 1, 0):
            with store.begin() as unit:
                assert unit.deliveries.miss_left(T0 + DAY, 1) == number
        assert (find(store, mine).status, find(store, held).status) == ("pending", "sending")
        for delivery in (lost, waiting):
            missed = find(store, delivery)
            assert (missed.status, missed.due_at, missed.finished_at) == ("missed", None, T0 + DAY)

    def test_the_oldest_due_delivery_is_known(self, store: Store):
        hook = kept(store, webhook())
        with store.begin() as unit:
            assert unit.deliveries.oldest_due() is None
        queued(store, hook)
        with store.begin() as unit:
            assert unit.deliveries.oldest_due() is not None

    def test_a_claimed_delivery_is_due_again_when_its_lease_is_over(self, store: Store):
        hook = kept(store, webhook())
        queued(store, hook)
        assert len(claim(store)) == 1
        with store.begin() as unit:
            assert unit.deliveries.oldest_due() is None
        queued(store, hook)
        assert len(claim(store, lease=SHORT)) == 1
        outlast(SHORT)
        with store.begin() as unit:
            assert unit.deliveries.oldest_due() is not None

    def test_old_deliveries_are_forgotten_with_their_tries(self, store: Store):
        """Unless they are still to be sent."""
        hook = kept(store, webhook())
        first, second, third = queued(store, hook, 3)
        claimed = claim(store)
        record(store, judge(claimed[0], OK, 0), judge(claimed[1], BAD, 0))
        with store.begin() as unit:
            assert unit.deliveries.forget(third.delivery_id, 10) == 1
            assert list(unit.deliveries.tries(first.delivery_id)) == []
        assert find(store, second).status == "pending"
