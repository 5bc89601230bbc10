"""Subscriptions: who is called about which events, at which address, with which secrets.

    active <──> paused          by a person
       └──────> disabled        after five days of failures, or by a receiver that answers 410
    any ──────> removed         by a person, for good

While a subscription isn't active, its deliveries are *missed*: they are listed, and are sent only
if a person asks for that.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal

from attrs import evolve, frozen

from commerce_core.activity.events import EVENT_KINDS, Event, EventKind, scope_of
from commerce_core.base.errors import Conflict, Fault, refuse_if
from commerce_core.base.network import LONGEST_URL
from commerce_core.base.text import UNSTORABLE, did_you_mean
from commerce_core.partners.access import Principal

Body = Literal["full", "thin"]
"""Whether messages have an event's whole content, or only the ids of what it is about."""
Status = Literal["active", "paused", "disabled", "removed"]
DisabledReason = Literal["failing", "gone"]

MOST_WEBHOOKS: Final = 100
"""How many subscriptions an owner (the operator, or a partner) may have."""
LONGEST_DESCRIPTION: Final = 200
MOST_SECRETS: Final = 5
"""How many secrets of a subscription may be live at once."""
DEFAULT_GRACE_HOURS: Final = 24
LONGEST_GRACE_HOURS: Final = 30 * 24
DISABLED_AFTER: Final = timedelta(days=5)
"""A subscription to which everything has failed for this long is disabled."""


@frozen
class WebhookSecret:
    """A secret, sealed; from `expires_at` on messages aren't signed with it any more."""

    sealed: str
    created_at: datetime
    expires_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether messages are signed with it."""
        return self.expires_at is None or now < self.expires_at


@frozen(kw_only=True)
class Webhook:
    """A subscription. `kinds` are the events it is about; none stands for all kinds.

    `partner_id` is the partner whose events it gets (None: the operator, who gets all). With
    `ordered`, a message about a subject waits for the earlier ones about it. `begins_after` is the
    number of the last event before it began. `failing_since` is when the failures began, if nothing
    has succeeded since. `missed` is the number of missed deliveries, counted only for a single
    subscription that is shown.
    """

    webhook_id: str
    partner_id: str | None
    url: str
    kinds: tuple[EventKind, ...] = ()
    body: Body = "full"
    ordered: bool = False
    description: str | None = None
    status: Status = "active"
    disabled_reason: DisabledReason | None = None
    secrets: tuple[WebhookSecret, ...] = ()
    begins_after: int = 0
    created_at: datetime
    updated_at: datetime
    failing_since: datetime | None = None
    missed: int = 0

    def wants(self, event: Event, number: int) -> bool:
        """Whether that event, with its number, concerns this subscription."""
        return (
            self.status != "removed"
            and number > self.begins_after
            and (not self.kinds or event.kind in self.kinds)
            and (self.partner_id is None or self.partner_id in event.partner_ids)
        )

    def live_secrets(self, now: datetime) -> Sequence[WebhookSecret]:
        """The secrets with which messages are signed, the newest first."""
        return [secret for secret in self.secrets if secret.is_live(now)]

    def with_secret(self, sealed: str, now: datetime, grace: timedelta) -> "Webhook":
        """The subscription with one secret more; the others expire after the grace.

        Conflict `too_many_secrets` if too many are live.
        """
        live = self.live_secrets(now)
        if len(live) >= MOST_SECRETS:
            raise Conflict(
                f"{MOST_SECRETS} secrets of this webhook are live.",
                "Wait until one of them expires, or rotate with a grace of 0 hours.",
                code="too_many_secrets",
            )
        until = now + grace
        kept = [evolve(s, expires_at=min(s.expires_at or until, until)) for s in live if grace]
        secrets = (WebhookSecret(sealed, now), *kept)
        return evolve(self, secrets=secrets, updated_at=now)

    def disabled(self, reason: DisabledReason, now: datetime) -> "Webhook":
        """The subscription as it is once it was disabled."""
        return evolve(self, status="disabled", disabled_reason=reason, updated_at=now)

    def removed(self, now: datetime) -> "Webhook":
        """The subscription as it is once it was removed: without its secrets."""
        return evolve(self, status="removed", secrets=(), updated_at=now)

    def moved(self, url: str) -> "Webhook":
        """The subscription at another address, to which nothing has failed yet."""
        return self if url == self.url else evolve(self, url=url, failing_since=None)

    def enabled(self, now: datetime) -> "Webhook":
        """The subscription as it is once it was enabled again; its failures are forgotten."""
        return evolve(
            self, status="active", disabled_reason=None, failing_since=None, updated_at=now
        )

    def check_changeable(self) -> None:
        """Conflict if it was removed."""
        if self.status == "removed":
            raise Conflict("This webhook was removed.", code="webhook_removed")

    def check_active(self) -> None:
        """Conflict unless it is active."""
        if self.status != "active":
            raise Conflict(
                f"This webhook is {self.status}.", "Enable it first.", code="webhook_not_active"
            )


@frozen
class WebhookQuery:
    """Selects subscriptions, newest first; removed ones only by that status."""

    IDENTITY: ClassVar = "WebhookQuery(partner_id={0.partner_id!r}, status={0.status!r})"
    partner_id: str | None = None
    status: Status | None = None


def check_terms(url: str, description: str | None, kinds: Sequence[str]) -> None:
    """InvalidInput for terms that can't be; whether the address may be called isn't examined."""
    refuse_if(
        "The webhook can't be saved.",
        (
            not 1 <= len(url) <= LONGEST_URL,
            Fault("/url", "bad_url", f"Use 1 to {LONGEST_URL} characters."),
        ),
        (
            description is not None
            and (len(description) > LONGEST_DESCRIPTION or bool(UNSTORABLE.search(description))),
            Fault("/description", "too_long", f"Use at most {LONGEST_DESCRIPTION} characters."),
        ),
        *(
            (
                kind not in EVENT_KINDS,
                Fault(
                    f"/kinds/{place}",
                    "unknown_kind",
                    f"There are no events of that kind.{did_you_mean(kind, EVENT_KINDS)}",
                ),
            )
            for place, kind in enumerate(kinds)
        ),
    )


def kinds_for(principal: Principal, kinds: Sequence[EventKind]) -> tuple[EventKind, ...]:
    """The kinds that a subscription of this principal gets: those asked for, else all it may read.

    Forbidden if one of those asked for needs a scope that the principal lacks, or if it may read
    none: no kinds would stand for all.
    """
    for kind in kinds:
        principal.require(scope_of(kind))
    if kinds:
        return tuple(dict.fromkeys(kinds))
    readable: tuple[EventKind, ...] = tuple(
        kind for kind in EVENT_KINDS if scope_of(kind) in principal.scopes
    )
    if not readable:
        principal.require(scope_of(EVENT_KINDS[0]))
    return () if readable == EVENT_KINDS else readable


def facts(webhook: Webhook) -> dict[str, Any]:
    """What an event about a subscription contains; its address may be secret."""
    return {
        "webhook_id": webhook.webhook_id,
        "description": webhook.description,
        "status": webhook.status,
        "reason": webhook.disabled_reason,
        "failing_since": webhook.failing_since.isoformat() if webhook.failing_since else None,
    }
