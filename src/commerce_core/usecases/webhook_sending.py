"""Sending webhooks: what a worker does for webhooks, from the event log to the log of tries.

    read_events   events ──> deliveries of all subscriptions, in the unit that notes how far it read
    claim         deliveries that are due, as many as the worker has room for
    send          one try, outside of any unit; it never raises
    record        what became of the tries, which subscriptions fail, and which are disabled

A crash between two steps loses nothing: a unit that stores deliveries also notes how far it read,
and what was sent but not recorded is sent again, under the same id.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from commerce_core.activity.events import EVENT_KINDS, Event, EventPage, EventQuery
from commerce_core.base.errors import InvalidInput, Unavailable, Unreachable
from commerce_core.base.ids import mint, mint_block
from commerce_core.ports.secrets import vault_name
from commerce_core.ports.store import UnitOfWork
from commerce_core.ports.web import WebRequest
from commerce_core.usecases.context import Context
from commerce_core.webhooks.delivery import (
    DEADLINE,
    KEPT,
    KEPT_ANSWER,
    LONGEST_ANSWER,
    MOST_AT_ONCE,
    Claim,
    Claimed,
    Judged,
    Reply,
    judge,
    new_deliveries,
)
from commerce_core.webhooks.message import body_of
from commerce_core.webhooks.signature import signed
from commerce_core.webhooks.subscription import Webhook, WebhookQuery, facts

MOST_READ: Final = 500
"""The most events whose deliveries one unit stores."""
USER_AGENT: Final = "open-commerce-webhooks/1"
_CHANCES: Final = 1 << 16
_ANY: Final = WebhookQuery()


@frozen
class Sending:
    """Deliveries, as workers see them."""

    _context: Context

    def is_needed(self) -> bool:
        """Whether there are any subscriptions."""
        with self._context.store.read_only() as unit:
            return bool(unit.webhooks.page(_ANY, None, 1).items)

    def read_events(self) -> int:
        """Stores the deliveries of new events, and returns how many events it read."""
        with self._context.store.begin() as unit:
            read = unit.deliveries.lock_read()
            if read is None:
                return 0
            page = _page(unit, read)
            if not page.items:
                if page.after > read:
                    unit.deliveries.set_read(page.after)
                return 0
            self._store_deliveries(unit, page)
            unit.deliveries.set_read(page.after)
        return len(page.items)

    def _store_deliveries(self, unit: UnitOfWork, page: EventPage) -> None:
        # Read after the events: a subscription that is older than one of them is seen.
        webhooks, now = unit.webhooks.live(), self._context.clock()
        ids = iter(mint_block("dlv", now, self._context.entropy))
        events = zip(page.numbers, page.items, strict=True)
        unit.deliveries.add(new_deliveries(events, webhooks, ids, now))

    def claim(self, *rooms: Claim) -> Sequence[Claimed]:
        """Claims deliveries that are due; the caller has to send and record them, or give back."""
        lease = DEADLINE + 2 * self._context.lease  # Beyond what waiting for a thread may take.
        with self._context.store.begin() as unit:
            return [
                claimed
                for room in rooms
                if not room.is_empty
                for claimed in unit.deliveries.claim(room, lease)
            ]

    def give_back(self, claimed: Collection[Claimed]) -> None:
        """Ends claims without a try."""
        with self._context.store.begin() as unit:
            unit.deliveries.give_back([one.delivery for one in claimed])

    def send(self, claimed: Claimed) -> Judged:
        """One try, and what follows from it."""
        context, event = self._context, claimed.event
        if event is None:
            reply = Reply(at=context.clock(), error="event_gone", seconds={})
        else:
            reply = attempt(context, claimed.webhook, event, claimed.delivery.sequence)
        return self._judged(claimed, reply)

    def broken(self, claimed: Claimed) -> Judged:
        """What follows from a try that an internal error ended."""
        return self._judged(claimed, Reply(at=self._context.clock(), error="internal", seconds={}))

    def _judged(self, claimed: Claimed, reply: Reply) -> Judged:
        chance = int.from_bytes(self._context.entropy(2), "big") / _CHANCES
        return judge(claimed, reply, chance)

    def record(self, judged: Collection[Judged]) -> frozenset[str]:
        """Stores what became of tries; returns the subscriptions that it disabled."""
        disables: dict[str, Judged] = {}
        with self._context.store.begin() as unit:
            recorded = unit.deliveries.record(judged)
            valid = [one for one in judged if one.delivery.delivery_id in recorded]
            unit.webhooks.note_health(*_health(valid), self._context.clock())
            for one in valid:
                if one.disables is not None:
                    disables[one.delivery.webhook_id] = one
            gone = {id_ for id_, one in disables.items() if self._disable(unit, one)}
        for webhook_id in gone:
            miss_all(self._context, webhook_id)
        return frozenset(gone)

    def _disable(self, unit: UnitOfWork, judged: Judged) -> bool:
        now = self._context.clock()
        webhook = unit.webhooks.lock(judged.delivery.webhook_id)
        if webhook.status != "active" or webhook.url != judged.url or judged.disables is None:
            return False
        disabled = webhook.disabled(judged.disables, now)
        unit.webhooks.put(disabled)
        event = self._context.new_event()
        unit.events.add([event.of_webhook("webhook.disabled", webhook.partner_id, facts(disabled))])
        return True

    def oldest_due(self) -> datetime | None:
        """When the delivery became due that has waited longest, of active subscriptions."""
        with self._context.store.read_only() as unit:
            return unit.deliveries.oldest_due()

    def _miss_left(self) -> int:
        with self._context.store.begin() as unit:
            return unit.deliveries.miss_left(self._context.clock(), MOST_AT_ONCE)

    def forget_old(self) -> int:
        """Deletes deliveries and tries past their retention time, and returns how many.

        Before that, what is left of webhooks that are no longer active is marked as missed: what
        was under way when that happened, and what a crash kept from being marked.
        """
        while self._miss_left() == MOST_AT_ONCE:
            pass
        gone, before = 0, mint("dlv", self._context.clock() - KEPT, bytes)
        while True:
            with self._context.store.begin() as unit:
                forgotten = unit.deliveries.forget(before, MOST_AT_ONCE)
            gone += forgotten
            if forgotten < MOST_AT_ONCE:
                return gone


def attempt(
    context: Context, webhook: Webhook, event: Event, number: int, *, test: bool = False
) -> Reply:
    """Sends one message, once: signs it, judges the address, and reads the answer."""
    at = context.clock()
    body = body_of(webhook, event, number, test=test)
    try:
        secrets = [
            context.vault.open(secret.sealed, vault_name("webhook", webhook.webhook_id))
            for secret in webhook.live_secrets(at)
        ]
        request = WebRequest(
            "POST",
            webhook.url,
            {
                "content-type": "application/json",
                "user-agent": USER_AGENT,
                **signed(secrets, event.event_id, at, body),
            },
            body,
            DEADLINE.total_seconds(),
            is_repeatable=True,  # Its id stays the same.
        )
        with context.web.send(request) as answer:
            content = answer.stream.read(LONGEST_ANSWER)
            return Reply(
                at=at,
                http_status=answer.status,
                retry_after=answer.headers.get("retry-after"),
                answer=content[:KEPT_ANSWER],
                seconds=dict(answer.seconds),
            )
    except Unreachable as error:
        return Reply(at=at, error=error.code, seconds=error.seconds)
    except (InvalidInput, Unavailable) as error:
        return Reply(at=at, error=error.code, seconds={})


def miss_all(context: Context, webhook_id: str) -> None:
    """Marks the pending deliveries of a subscription that isn't active as missed."""
    while True:
        with context.store.begin() as unit:
            missed = unit.deliveries.miss(webhook_id, context.clock(), MOST_AT_ONCE)
        if missed < MOST_AT_ONCE:
            return


def _page(unit: UnitOfWork, read: int) -> EventPage:
    """The next events; those that were deleted before they were read are skipped."""
    query = EventQuery(kinds=EVENT_KINDS)
    try:
        return unit.events.page(query, read, MOST_READ)
    except InvalidInput:
        return unit.events.page(query, None, MOST_READ)


def _health(judged: Collection[Judged]) -> tuple[frozenset[str], frozenset[str]]:
    """The subscriptions to which something failed, and those to which something succeeded."""
    ok = frozenset(one.delivery.webhook_id for one in judged if _succeeded(one))
    tried = (one for one in judged if one.tried.error != "event_gone")
    return frozenset(one.delivery.webhook_id for one in tried) - ok, ok


def _succeeded(judged: Judged) -> bool:
    return judged.delivery.status == "delivered"
