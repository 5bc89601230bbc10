"""Webhooks: who is called about which events, and the log of what was sent."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from attrs import evolve, frozen

from commerce_core.activity.audit import Action
from commerce_core.activity.event_schemas import sample_event
from commerce_core.activity.events import EventKind
from commerce_core.base.errors import Conflict, Fault, InvalidInput, refuse_if
from commerce_core.base.ids import mint
from commerce_core.base.network import server_of
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.ports.secrets import vault_name
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.keys import check_partner_stays
from commerce_core.usecases.webhook_sending import attempt, miss_all
from commerce_core.webhooks.delivery import (
    MOST_AT_ONCE,
    MOST_REDELIVERED,
    Claimed,
    Delivery,
    DeliveryQuery,
    DeliveryStatus,
    DeliveryWithTries,
    Try,
    judge,
)
from commerce_core.webhooks.signature import new_secret
from commerce_core.webhooks.subscription import (
    DEFAULT_GRACE_HOURS,
    LONGEST_GRACE_HOURS,
    MOST_WEBHOOKS,
    Body,
    Status,
    Webhook,
    WebhookQuery,
    check_terms,
    facts,
    kinds_for,
)

_EVERY: Final = WebhookQuery()
_EVERY_DELIVERY: Final = DeliveryQuery()


@frozen
class IssuedWebhook:
    """A subscription with a new secret, which is shown only once: None in a replayed answer."""

    webhook: Webhook
    secret: str | None


@frozen
class Redelivery:
    """How many deliveries are sent again, or would be if it was only `planned`.

    `more` is whether others match that weren't reached in one request.
    """

    deliveries: int
    planned: bool
    more: bool = False


@frozen
class Webhooks:
    """Subscriptions, and the log of their deliveries."""

    _context: Context

    def add(
        self,
        url: str,
        *,
        kinds: Sequence[EventKind] = (),
        partner: str | None = None,
        body: Body = "full",
        ordered: bool = False,
        description: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> IssuedWebhook:
        """A new subscription to what happens from now on; its secret is shown only here.

        `partner` limits it to that partner's events; a partner's own is so anyway. Without `kinds`
        it gets all that this principal may read. InvalidInput if the address may not be called,
        Conflict `too_many_webhooks` if the owner has as many as it may, `partner_offboarded` if it
        is a partner no longer.
        """
        context = self._context
        check_terms(url, description, kinds)
        allowed = kinds_for(context.principal, kinds)
        context.web.judge(url)  # Asks a name server, so before anything is locked.
        request = ("add_webhook", url, kinds, partner, body, ordered, description)
        with context.writing() as unit:
            owner = context.partner_filter(unit, partner)

            def make() -> IssuedWebhook:
                check_partner_stays(unit, owner, "no webhook can be added for it")
                self._check_room(unit, owner)
                now = context.clock()
                new = Webhook(
                    webhook_id=context.mint("hook"), partner_id=owner, url=url, kinds=allowed,
                    body=body, ordered=ordered, description=description,
                    begins_after=unit.events.latest(), created_at=now, updated_at=now,
                )  # fmt: skip
                issued = self._with_secret(new, timedelta())
                unit.webhooks.add(issued.webhook)
                self._note(unit, "webhook.added", None, issued.webhook)
                return issued

            return context.once(unit, key, request, make, _without_secret, answer=IssuedWebhook)

    def _check_room(self, unit: UnitOfWork, owner: str | None) -> None:
        unit.webhooks.lock_owner(owner)
        if sum(one.partner_id == owner for one in unit.webhooks.live()) >= MOST_WEBHOOKS:
            raise Conflict(
                f"There are {MOST_WEBHOOKS} webhooks already.",
                "Remove one that isn't needed any more.",
                code="too_many_webhooks",
            )

    def list(
        self, query: WebhookQuery = _EVERY, *, partner: str | None = None
    ) -> Iterator[Webhook]:
        """All visible subscriptions, newest first."""
        own = self._context.own(query, partner)
        return self._context.walk(lambda unit: unit.webhooks, own)

    def page(
        self,
        query: WebhookQuery = _EVERY,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Webhook]:
        """A page of the subscriptions, newest first."""
        with self._context.store.read_only() as unit:
            own = self._context.own_in(unit, query, partner)
            return self._context.listed(unit.webhooks, own, cursor, limit, count=count)

    def get(self, webhook_id: str) -> Webhook:
        """A subscription, with the number of deliveries that it has missed."""
        with self._context.store.begin() as unit:
            return _counted(unit, self._context.seen("hook", webhook_id, unit.webhooks.get))

    def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        kinds: Sequence[EventKind] | None = None,
        body: Body | None = None,
        ordered: bool | None = None,
        description: str | None = None,
        status: Status | None = None,
    ) -> Webhook:
        """Changes what is given. `status` is active or paused.

        Once it is active again, what was missed is counted, but not sent: see `redeliver`.
        """
        context = self._context
        check_terms(url if url is not None else "-", description, kinds or ())
        refuse_if(
            "The webhook can't be changed.",
            (
                status not in (None, "active", "paused"),
                Fault("/status", "bad_status", "Use active or paused."),
            ),
        )
        if url is not None:
            context.web.judge(url)
        given = {
            "body": body, "ordered": ordered, "description": description,
            "kinds": None if kinds is None else kinds_for(context.principal, kinds),
        }  # fmt: skip
        changes = {name: value for name, value in given.items() if value is not None}
        if status == "active":
            self._finish_missing(webhook_id)
        with context.writing() as unit:
            before = self._locked(unit, webhook_id)
            moved = before if url is None else before.moved(url)
            after = self._in_status(unit, evolve(moved, **changes), status)
            if after != before:
                after = evolve(after, updated_at=context.clock())
                unit.webhooks.put(after)
                self._note(unit, "webhook.changed", before, after)
        if after.status == "paused" != before.status:
            miss_all(context, after.webhook_id)
        return self.get(webhook_id)

    def _in_status(self, unit: UnitOfWork, webhook: Webhook, status: Status | None) -> Webhook:
        if status in (None, webhook.status):
            return webhook
        if status == "paused":
            return evolve(webhook, status="paused", disabled_reason=None)
        enabled = webhook.enabled(self._context.clock())
        if webhook.status == "disabled":
            event = self._context.new_event()
            unit.events.add(
                [event.of_webhook("webhook.enabled", webhook.partner_id, facts(enabled))]
            )
        return enabled

    def _finish_missing(self, webhook_id: str) -> None:
        """Marks what is still pending as missed, which a crash may have interrupted."""
        with self._context.store.begin() as unit:
            webhook = self._context.seen("hook", webhook_id, unit.webhooks.get)
        if webhook.status in ("paused", "disabled"):
            miss_all(self._context, webhook.webhook_id)

    def remove(self, webhook_id: str) -> Webhook:
        """Ends a subscription for good; its log is kept. Does nothing the second time."""
        with self._context.writing() as unit:
            before = self._context.seen("hook", webhook_id, unit.webhooks.lock)
            if before.status == "removed":
                return before
            now = self._context.clock()
            after = before.removed(now)
            unit.webhooks.put(after)
            self._note(unit, "webhook.removed", before, after)
        miss_all(self._context, after.webhook_id)
        return after

    def rotate(
        self,
        webhook_id: str,
        *,
        grace_hours: int = DEFAULT_GRACE_HOURS,
        key: IdempotencyKey | str | None = None,
    ) -> IssuedWebhook:
        """A new secret, shown only here; until the grace ends, messages are signed with both."""
        refuse_if(
            "The secret can't be rotated.",
            (
                not 0 <= grace_hours <= LONGEST_GRACE_HOURS,
                Fault("/grace_hours", "bad_grace", f"Use 0 to {LONGEST_GRACE_HOURS} hours."),
            ),
        )
        with self._context.writing() as unit:
            before = self._locked(unit, webhook_id)

            def make() -> IssuedWebhook:
                issued = self._with_secret(before, timedelta(hours=grace_hours))
                unit.webhooks.put(issued.webhook)
                self._note(unit, "webhook.secret_rotated", before, issued.webhook)
                return issued

            request = ("rotate_webhook", before.webhook_id, grace_hours)
            return self._context.once(
                unit, key, request, make, _without_secret, answer=IssuedWebhook
            )

    def _with_secret(self, webhook: Webhook, grace: timedelta) -> IssuedWebhook:
        secret = new_secret(self._context.entropy)
        sealed = self._context.vault.seal(secret, vault_name("webhook", webhook.webhook_id))
        return IssuedWebhook(webhook.with_secret(sealed, self._context.clock(), grace), secret)

    def test(self, webhook_id: str, kind: EventKind | None = None) -> Try:
        """Sends a sample of that kind (default: the first it is subscribed to), at once and once.

        The address is judged as for any other delivery. The message says that it is a test.
        """
        with self._context.store.begin() as unit:
            webhook = self._context.seen("hook", webhook_id, unit.webhooks.get)
            number = unit.events.latest()
        webhook.check_changeable()
        kind = kind or (webhook.kinds or ("feed.applied",))[0]
        kinds_for(self._context.principal, (kind,))
        now = self._context.clock()
        event_id, entropy = self._context.mint("evt"), self._context.entropy
        event = sample_event(kind, event_id, now, webhook.partner_id, entropy)
        reply = attempt(self._context, webhook, event, number, test=True)
        sample = Delivery(
            delivery_id=self._context.mint("dlv"), webhook_id=webhook.webhook_id,
            partner_id=webhook.partner_id, event_id=event.event_id, sequence=number, kind=kind,
            subject="", created_at=now, due_at=now,
        )  # fmt: skip
        return evolve(judge(Claimed(sample, webhook, event), reply, 0).tried, next_at=None)

    def deliveries(
        self, query: DeliveryQuery = _EVERY_DELIVERY, *, partner: str | None = None
    ) -> Iterator[Delivery]:
        """All visible deliveries of the last thirty days, newest first."""
        own = self._context.own(query, partner)
        return self._context.walk(lambda unit: unit.deliveries, own)

    def delivery_page(
        self,
        query: DeliveryQuery = _EVERY_DELIVERY,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Delivery]:
        """A page of the deliveries, newest first."""
        with self._context.store.read_only() as unit:
            own = self._context.own_in(unit, query, partner)
            return self._context.listed(unit.deliveries, own, cursor, limit, count=count)

    def delivery(self, delivery_id: str) -> DeliveryWithTries:
        """A delivery, with the log of its tries."""
        with self._context.store.begin() as unit:
            found = self._context.seen("dlv", delivery_id, unit.deliveries.get)
            return DeliveryWithTries(found, tuple(unit.deliveries.tries(found.delivery_id)))

    def redeliver_one(self, delivery_id: str) -> Delivery:
        """Sends a finished delivery again, under its old id; one that is under way stays so.

        Conflict `webhook_not_active` if its subscription isn't active.
        """
        with self._context.writing() as unit:
            found = self._context.seen("dlv", delivery_id, unit.deliveries.get)
            webhook = self._locked(unit, found.webhook_id)
            webhook.check_active()
            query = DeliveryQuery(event_id=found.event_id, webhook_id=found.webhook_id)
            number, _ = unit.deliveries.redeliver(query, "", found.delivery_id, 1)
            if number:
                self._note_redelivery(unit, webhook, found.delivery_id)
            return unit.deliveries.get(found.delivery_id)

    def redeliver(
        self,
        webhook_id: str,
        query: DeliveryQuery = _EVERY_DELIVERY,
        *,
        plan: bool = False,
        most: int = MOST_REDELIVERED,
    ) -> Redelivery:
        """Sends finished deliveries of a subscription that match again, oldest first.

        With `plan`, only counts them. Sends at most `most`; `more` reports whether others are left.
        Conflict `webhook_not_active` if the subscription isn't active.
        """
        context = self._context
        with context.writing() as unit:
            webhook = self._locked(unit, webhook_id)
            own = evolve(query, webhook_id=webhook.webhook_id, partner_id=None)
            _check_finished(own.status)
            if plan:
                return Redelivery(_finished(unit, own), planned=True)
            webhook.check_active()
            self._note_redelivery(unit, webhook)
        # Those that are added meanwhile are sent anyway.
        until, after, done = mint("dlv", context.clock(), _last), "", 0
        while done < most:
            chunk = min(MOST_AT_ONCE, most - done)
            with context.store.begin() as unit:
                number, last = unit.deliveries.redeliver(own, after, until, chunk)
            done, after = done + number, last or after
            if number < chunk:
                return Redelivery(done, planned=False)
        return Redelivery(done, planned=False, more=True)

    def _note_redelivery(self, unit: UnitOfWork, webhook: Webhook, *deliveries: str) -> None:
        self._context.note(
            unit, "deliveries.redelivered", webhook.webhook_id, *deliveries,
            partner_id=webhook.partner_id,
        )  # fmt: skip

    def _locked(self, unit: UnitOfWork, webhook_id: str) -> Webhook:
        webhook = self._context.seen("hook", webhook_id, unit.webhooks.lock)
        webhook.check_changeable()
        return webhook

    def _note(
        self, unit: UnitOfWork, action: Action, before: Webhook | None, after: Webhook
    ) -> None:
        self._context.note(
            unit, action, after.webhook_id, partner_id=after.partner_id,
            before=before and _audited(before), after=_audited(after),
        )  # fmt: skip


def _audited(webhook: Webhook) -> Webhook:
    """What the audit may have: of the address only the server, since the rest may be secret."""
    return evolve(webhook, url=server_of(webhook.url))


def _counted(unit: UnitOfWork, webhook: Webhook) -> Webhook:
    missed = unit.deliveries.count(DeliveryQuery(webhook_id=webhook.webhook_id, status="missed"))
    return evolve(webhook, missed=missed)


def _finished(unit: UnitOfWork, query: DeliveryQuery) -> int:
    """How many finished deliveries match."""
    if query.status is not None:
        return unit.deliveries.count(query)
    finished: tuple[DeliveryStatus, ...] = ("delivered", "failed", "missed")
    return sum(unit.deliveries.count(evolve(query, status=status)) for status in finished)


def _check_finished(status: DeliveryStatus | None) -> None:
    if status in ("pending", "sending"):
        raise InvalidInput.at(
            "/status", "bad_status", "What isn't finished is sent anyway: use another status."
        )


def _last(number: int) -> bytes:
    """What makes an id the last one of its moment."""
    return b"\xff" * number


def _without_secret(issued: IssuedWebhook) -> IssuedWebhook:
    """The answer to keep for a replay, without secrets."""
    return IssuedWebhook(evolve(issued.webhook, secrets=()), None)
