"""Ports: subscriptions of webhooks, and their deliveries. Due times run by the store's clock."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from commerce_core.ports.listing import Listing
from commerce_core.webhooks.delivery import (
    Claim,
    Claimed,
    Delivery,
    DeliveryQuery,
    Judged,
    Try,
)
from commerce_core.webhooks.subscription import Webhook, WebhookQuery


class Webhooks(Listing[WebhookQuery, Webhook], Protocol):
    """Subscriptions, newest first. All are kept; removed ones are listed only by that status."""

    def add(self, webhook: Webhook) -> None:
        """Stores a new subscription."""
        ...

    def put(self, webhook: Webhook) -> None:
        """Replaces a subscription; NotFound if there is none."""
        ...

    def get(self, webhook_id: str) -> Webhook:
        """The subscription, or NotFound."""
        ...

    def lock(self, webhook_id: str) -> Webhook:
        """The subscription, which no other unit changes until this one ends; or NotFound."""
        ...

    def lock_owner(self, partner_id: str | None) -> None:
        """Keeps other units from adding subscriptions of this owner until this unit ends."""
        ...

    def live(self) -> Sequence[Webhook]:
        """All subscriptions that aren't removed, by id."""
        ...

    def remove_of(self, partner_id: str, at: datetime) -> Sequence[str]:
        """Removes all subscriptions of a partner, with their secrets; returns their ids."""
        ...

    def note_health(self, failed: Collection[str], ok: Collection[str], at: datetime) -> None:
        """Notes which subscriptions fail, from `at` on unless they failed before, and which don't.

        One that is in both succeeds.
        """
        ...


class Deliveries(Listing[DeliveryQuery, Delivery], Protocol):
    """Deliveries, newest first, and the queue that they form."""

    def lock_read(self) -> int | None:
        """The number of the last event whose deliveries are stored; None if another unit has this.

        No other unit gets it until this one ends.
        """
        ...

    def set_read(self, number: int) -> None:
        """Moves that number on."""
        ...

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Stores new deliveries. One that exists for the same event and subscription stays."""
        ...

    def get(self, delivery_id: str) -> Delivery:
        """The delivery, or NotFound."""
        ...

    def tries(self, delivery_id: str) -> Sequence[Try]:
        """The log of its tries, the first one first."""
        ...

    def claim(self, room: Claim, lease: timedelta) -> Sequence[Claimed]:
        """Claims due deliveries of active subscriptions, oldest first: they are `sending` now.

        Claims whose lease is over are due again. No more are claimed than there is room for. An
        ordered delivery isn't claimed before the earlier ones about its subject are finished.
        """
        ...

    def give_back(self, deliveries: Collection[Delivery]) -> None:
        """Ends these claims without a try: the deliveries are due at once."""
        ...

    def record(self, judged: Collection[Judged]) -> frozenset[str]:
        """Stores what became of claimed deliveries, and logs the tries; returns their ids.

        Those that were claimed again meanwhile are left out.
        """
        ...

    def redeliver(
        self, query: DeliveryQuery, after: str, until: str, most: int
    ) -> tuple[int, str | None]:
        """Queues finished deliveries that match again, oldest first, with a fresh schedule.

        Only those with an id greater than `after` and up to `until`, at most `most` of them.
        Returns their number and the id of the last, which is None if there are no more.
        """
        ...

    def miss_left(self, at: datetime, most: int) -> int:
        """Marks what is left of subscriptions that aren't active as missed; returns how many.

        That is what is pending, and what was claimed by a worker whose lease is over.
        """
        ...

    def miss(self, webhook_id: str, at: datetime, most: int) -> int:
        """Marks pending deliveries of a subscription as missed; returns how many."""
        ...

    def oldest_due(self) -> datetime | None:
        """When the delivery became due that has waited longest, of active subscriptions.

        None if none is due.
        """
        ...

    def forget(self, before: str, most: int) -> int:
        """Deletes the oldest deliveries with ids before that one, and returns how many."""
        ...


class WebhooksUnit(Protocol):
    """The part of a unit of work for webhooks."""

    @property
    def webhooks(self) -> Webhooks:
        """The subscriptions."""
        ...

    @property
    def deliveries(self) -> Deliveries:
        """Their deliveries."""
        ...
