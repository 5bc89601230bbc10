"""Subscriptions of webhooks in memory, and their deliveries."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from heapq import nsmallest

from attrs import evolve, frozen

from adapters.memory.pages import agrees, by_id, page_of, within
from adapters.memory.tables import Tables, found
from commerce_core.base.paging import Page, Position
from commerce_core.ports.runtime import Clock
from commerce_core.webhooks.delivery import (
    Claim,
    Claimed,
    Delivery,
    DeliveryQuery,
    Judged,
    Try,
    redelivered,
)
from commerce_core.webhooks.subscription import Webhook, WebhookQuery

_UNFINISHED = ("pending", "sending")


@frozen
class Webhooks:
    """Implements `commerce_core.ports.webhooks.Webhooks`."""

    _kept: Tables

    def page(self, query: WebhookQuery, after: Position | None, limit: int) -> Page[Webhook]:
        """Pages of subscriptions."""
        return page_of(self._fitting(query), lambda w: by_id(w.webhook_id), after, limit)

    def count(self, query: WebhookQuery) -> int:
        """How many fit."""
        return len(self._fitting(query))

    def _fitting(self, query: WebhookQuery) -> list[Webhook]:
        return [
            webhook
            for webhook in self._kept.webhooks.values()
            if agrees(query, webhook, "partner_id", "status")
            and (query.status is not None or webhook.status != "removed")
        ]

    def add(self, webhook: Webhook) -> None:
        """Keeps one."""
        self._kept.webhooks[webhook.webhook_id] = webhook

    def put(self, webhook: Webhook) -> None:
        """Replaces one."""
        self.get(webhook.webhook_id)
        self._kept.webhooks[webhook.webhook_id] = evolve(webhook, missed=0)

    def get(self, webhook_id: str) -> Webhook:
        """One of them."""
        return found(self._kept.webhooks, webhook_id, "webhook")

    def lock(self, webhook_id: str) -> Webhook:
        """Units never meet here."""
        return self.get(webhook_id)

    def lock_owner(self, partner_id: str | None) -> None:
        """Units never meet here."""

    def live(self) -> Sequence[Webhook]:
        """All that aren't removed."""
        rows = self._kept.webhooks.values()
        return sorted((w for w in rows if w.status != "removed"), key=lambda w: w.webhook_id)

    def remove_of(self, partner_id: str, at: datetime) -> Sequence[str]:
        """Removes a partner's."""
        gone = [w for w in self.live() if w.partner_id == partner_id]
        for webhook in gone:
            self.put(webhook.removed(at))
        return [webhook.webhook_id for webhook in gone]

    def note_health(self, failed: Collection[str], ok: Collection[str], at: datetime) -> None:
        """Notes how they do."""
        for webhook_id in {*failed, *ok}:
            webhook = self.get(webhook_id)
            since = None if webhook_id in ok else webhook.failing_since or at
            self._kept.webhooks[webhook_id] = evolve(webhook, failing_since=since)


@frozen
class Deliveries:
    """Implements `commerce_core.ports.webhooks.Deliveries`."""

    _kept: Tables
    _clock: Clock

    def page(self, query: DeliveryQuery, after: Position | None, limit: int) -> Page[Delivery]:
        """Pages of deliveries."""
        return page_of(self._fitting(query), lambda d: by_id(d.delivery_id), after, limit)

    def count(self, query: DeliveryQuery) -> int:
        """How many fit."""
        return len(self._fitting(query))

    def _fitting(self, query: DeliveryQuery) -> list[Delivery]:
        return [
            delivery
            for delivery in self._kept.deliveries.values()
            if agrees(query, delivery, "partner_id", "webhook_id", "status", "kind", "event_id")
            and within(delivery.created_at, query.since, query.until)
        ]

    def lock_read(self) -> int | None:
        """Up to which event deliveries are kept."""
        return self._kept.numbers.get("deliveries_read", 0)

    def set_read(self, number: int) -> None:
        """Moves it on."""
        self._kept.numbers["deliveries_read"] = number

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Keeps new ones."""
        kept = {(d.webhook_id, d.sequence) for d in self._kept.deliveries.values()}
        for delivery in deliveries:
            if (delivery.webhook_id, delivery.sequence) not in kept:
                self._kept.deliveries[delivery.delivery_id] = delivery

    def get(self, delivery_id: str) -> Delivery:
        """One of them."""
        return found(self._kept.deliveries, delivery_id, "delivery")

    def tries(self, delivery_id: str) -> Sequence[Try]:
        """Its log."""
        return self._kept.tries.get(delivery_id, ())

    def claim(self, room: Claim, lease: timedelta) -> Sequence[Claimed]:
        """Claims what is due."""
        now = self._clock()
        due = [
            delivery
            for webhook in self._kept.webhooks.values()
            for delivery in nsmallest(_room_of(webhook, room), self._due(webhook, now), key=_place)
        ]
        claimed = [self._claimed(d, now + lease) for d in nsmallest(room.most, due, key=_place)]
        return sorted(claimed, key=lambda c: (c.delivery.created_at, c.delivery.delivery_id))

    def _due(self, webhook: Webhook, now: datetime) -> Iterator[Delivery]:
        own = [
            delivery
            for delivery in self._kept.deliveries.values()
            if delivery.webhook_id == webhook.webhook_id and delivery.status in _UNFINISHED
        ]
        first: dict[str, int] = {}
        for delivery in own:
            if delivery.ordered:
                earliest = first.get(delivery.subject, delivery.sequence)
                first[delivery.subject] = min(delivery.sequence, earliest)
        for delivery in own:
            waits = delivery.ordered and first[delivery.subject] < delivery.sequence
            if delivery.due_at is not None and delivery.due_at <= now and not waits:
                yield delivery

    def _claimed(self, delivery: Delivery, until: datetime) -> Claimed:
        taken = evolve(delivery, status="sending", claims=delivery.claims + 1, due_at=until)
        self._kept.deliveries[delivery.delivery_id] = taken
        webhook = self._kept.webhooks[delivery.webhook_id]
        return Claimed(taken, webhook, self._kept.events.get(delivery.sequence))

    def give_back(self, deliveries: Collection[Delivery]) -> None:
        """Ends claims."""
        for delivery in filter(self._is_current, deliveries):
            self._kept.deliveries[delivery.delivery_id] = evolve(
                delivery, status="pending", due_at=self._clock()
            )

    def record(self, judged: Collection[Judged]) -> frozenset[str]:
        """Keeps what became of them."""
        current = [one for one in judged if self._is_current(one.delivery)]
        for one in current:
            delivery_id = one.delivery.delivery_id
            due_at = one.tried.next_at and self._clock() + (one.tried.next_at - one.tried.at)
            self._kept.deliveries[delivery_id] = evolve(one.delivery, due_at=due_at)
            self._kept.tries[delivery_id] = (*self.tries(delivery_id), one.tried)
        return frozenset(one.delivery.delivery_id for one in current)

    def _is_current(self, delivery: Delivery) -> bool:
        kept = self._kept.deliveries.get(delivery.delivery_id)
        return kept is not None and (kept.status, kept.claims) == ("sending", delivery.claims)

    def redeliver(
        self, query: DeliveryQuery, after: str, until: str, most: int
    ) -> tuple[int, str | None]:
        """Queues them again."""
        found_ = nsmallest(
            most,
            (
                delivery
                for delivery in self._fitting(query)
                if delivery.status not in _UNFINISHED and after < delivery.delivery_id <= until
            ),
            key=lambda d: d.delivery_id,
        )
        for delivery in found_:
            self._kept.deliveries[delivery.delivery_id] = redelivered(delivery, self._clock())
        return len(found_), found_[-1].delivery_id if found_ else None

    def miss_left(self, at: datetime, most: int) -> int:
        """Marks what is left as missed."""
        active = {w.webhook_id for w in self._kept.webhooks.values() if w.status == "active"}
        left = [
            delivery
            for delivery in self._kept.deliveries.values()
            if delivery.webhook_id not in active
            and (delivery.status == "pending" or self._is_abandoned(delivery))
        ][:most]
        return self._miss_all(left, at)

    def _is_abandoned(self, delivery: Delivery) -> bool:
        due = delivery.due_at
        return delivery.status == "sending" and due is not None and due <= self._clock()

    def miss(self, webhook_id: str, at: datetime, most: int) -> int:
        """Marks them as missed."""
        pending = self._fitting(DeliveryQuery(webhook_id=webhook_id, status="pending"))
        return self._miss_all(pending[:most], at)

    def _miss_all(self, deliveries: Sequence[Delivery], at: datetime) -> int:
        for delivery in deliveries:
            self._kept.deliveries[delivery.delivery_id] = evolve(
                delivery, status="missed", due_at=None, finished_at=at
            )
        return len(deliveries)

    def oldest_due(self) -> datetime | None:
        """When the one became due that has waited longest."""
        active = {w.webhook_id for w in self._kept.webhooks.values() if w.status == "active"}
        due = (
            delivery.due_at
            for delivery in self._kept.deliveries.values()
            if delivery.webhook_id in active and delivery.status in _UNFINISHED
        )
        oldest = min(filter(None, due), default=None)
        return oldest if oldest is not None and oldest <= self._clock() else None

    def forget(self, before: str, most: int) -> int:
        """Forgets the oldest."""
        old = (d for d in self._kept.deliveries if d < before)
        gone = [
            delivery_id
            for delivery_id in nsmallest(most, old)
            if self._kept.deliveries[delivery_id].status not in _UNFINISHED
        ]
        for delivery_id in gone:
            del self._kept.deliveries[delivery_id]
            if delivery_id in self._kept.tries:
                del self._kept.tries[delivery_id]
        return len(gone)


def _place(delivery: Delivery) -> tuple[datetime | None, int]:
    """Its place among what is due: the longest due first."""
    return delivery.due_at, delivery.sequence


def _room_of(webhook: Webhook, room: Claim) -> int:
    """How many deliveries of that subscription there is room for."""
    if webhook.status != "active" or (webhook.failing_since is not None) != room.failing:
        return 0
    return room.rooms.get(webhook.webhook_id, room.others)
