"""Alerts: who gets messages about what needs a person, and the log of what was sent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from attrs import evolve, frozen

from commerce_core.activity.audit import Action
from commerce_core.activity.inbox import SEVERITIES, ItemKind, Severity
from commerce_core.alerts.alert import Alert, AlertQuery, Entry
from commerce_core.alerts.channel import (
    DEFAULT_DIGEST,
    MOST_CHANNELS,
    Channel,
    ChannelQuery,
    QuietHours,
    kinds_for,
)
from commerce_core.base.errors import CommerceError, Conflict, Fault, InvalidInput, refuse_if
from commerce_core.base.network import server_of
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.ports.secrets import vault_name
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.alert_sending import send
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.keys import check_partner_stays
from commerce_core.webhooks.signature import new_secret

_EVERY: Final = ChannelQuery()
_EVERY_ALERT: Final = AlertQuery()


@frozen
class IssuedChannel:
    """A channel with its new secret, which is shown only once: None for mail, and in a replay."""

    channel: Channel
    secret: str | None


@frozen
class Alerts:
    """Channels, and the log of the alerts that were sent to them."""

    _context: Context

    def add(
        self,
        *,
        recipients: Sequence[str] = (),
        url: str | None = None,
        severities: Sequence[Severity] = (),
        kinds: Sequence[ItemKind] = (),
        partner: str | None = None,
        quiet_hours: QuietHours | None = None,
        digest_minutes: int = DEFAULT_DIGEST,
        description: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> IssuedChannel:
        """A new channel, by mail or to a webhook; its secret is shown only here.

        `partner` limits it to what concerns that partner; a partner's own is so anyway. Without
        `severities` it gets all, without `kinds` all that this principal may see. InvalidInput if
        the address may not be called; Conflict `no_mail_server` if there is no server to send mail
        by, `too_many_channels` if the owner has as many as it may, `partner_offboarded` if it is a
        partner no longer.
        """
        context = self._context
        chosen = kinds_for(context.principal, kinds)
        if url is not None:
            context.web.judge(url)  # Asks a name server, so before anything is locked.
        self._check_mail(recipients)
        request = (
            "add_channel", recipients, url, severities, kinds, partner, quiet_hours,
            digest_minutes, description,
        )  # fmt: skip
        with context.writing() as unit:
            owner = context.partner_filter(unit, partner)

            def make() -> IssuedChannel:
                check_partner_stays(unit, owner, "no channel can be added for it")
                self._check_room(unit, owner)
                now = context.clock()
                new = Channel(
                    channel_id=context.mint("chan"), partner_id=owner,
                    recipients=tuple(dict.fromkeys(recipients)), url=url,
                    severities=_chosen(severities), kinds=chosen, quiet_hours=quiet_hours,
                    digest_minutes=digest_minutes, description=description,
                    created_at=now, updated_at=now,
                )  # fmt: skip
                issued = self._with_secret(new) if url is not None else IssuedChannel(new, None)
                unit.channels.add(issued.channel)
                self._note(unit, "channel.added", None, issued.channel)
                return issued

            return context.once(unit, key, request, make, _without_secret, answer=IssuedChannel)

    def _check_mail(self, recipients: Sequence[str]) -> None:
        if recipients and not self._context.mail.is_set_up:
            raise Conflict(
                "This platform has no mail server, so it can't send alerts by mail.",
                code="no_mail_server",
            )

    def _check_room(self, unit: UnitOfWork, owner: str | None) -> None:
        if unit.channels.lock_owner(owner) >= MOST_CHANNELS:
            raise Conflict(
                f"There are {MOST_CHANNELS} channels already.",
                "Remove one that isn't needed any more.",
                code="too_many_channels",
            )

    def _with_secret(self, channel: Channel) -> IssuedChannel:
        secret = new_secret(self._context.entropy)
        sealed = self._context.vault.seal(secret, vault_name("channel", channel.channel_id))
        return IssuedChannel(evolve(channel, sealed=sealed), secret)

    def list(
        self, query: ChannelQuery = _EVERY, *, partner: str | None = None
    ) -> Iterator[Channel]:
        """All visible channels, newest first."""
        own = self._context.own(query, partner)
        return self._context.walk(lambda unit: unit.channels, own)

    def page(
        self,
        query: ChannelQuery = _EVERY,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Channel]:
        """A page of the channels, newest first."""
        with self._context.store.read_only() as unit:
            own = self._context.own_in(unit, query, partner)
            return self._context.listed(unit.channels, own, cursor, limit, count=count)

    def get(self, channel_id: str) -> Channel:
        """A channel."""
        with self._context.store.read_only() as unit:
            return self._context.seen("chan", channel_id, unit.channels.get)

    def channels_of(self, alerts: Iterable[Alert]) -> Mapping[str, Channel]:
        """The channels of visible alerts, by id, removed ones too."""
        with self._context.store.read_only() as unit:
            return unit.channels.get_many({alert.channel_id for alert in alerts})

    def change(
        self,
        channel_id: str,
        *,
        recipients: Sequence[str] | None = None,
        severities: Sequence[Severity] | None = None,
        kinds: Sequence[ItemKind] | None = None,
        quiet_hours: QuietHours | Literal["none"] | None = None,
        digest_minutes: int | None = None,
        description: str | None = None,
        status: str | None = None,
    ) -> Channel:
        """Changes what is given. `status` is active or paused; quiet hours `none` end them.

        A channel that is paused forgets what it has reported, so all that is still there is
        reported again once it is active. The recipients of a webhook, and its address, can't be
        changed: add another channel.
        """
        context = self._context
        refuse_if(
            "The channel can't be changed.",
            (
                status not in (None, "active", "paused"),
                Fault("/status", "bad_status", "Use active or paused."),
            ),
        )
        if recipients is not None:
            self._check_mail(recipients)
        given: dict[str, Any] = {
            "recipients": None if recipients is None else tuple(dict.fromkeys(recipients)),
            "severities": None if severities is None else _chosen(severities),
            "kinds": None if kinds is None else kinds_for(context.principal, kinds),
            "digest_minutes": digest_minutes,
            "description": description,
            "status": status,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        if quiet_hours is not None:
            changes["quiet_hours"] = None if quiet_hours == "none" else quiet_hours
        with context.writing() as unit:
            before = context.seen("chan", channel_id, unit.channels.lock)
            before.check_changeable()
            after = evolve(before, **changes)
            if after != before:
                after = evolve(after, updated_at=context.clock())
                unit.channels.put(after)
                if after.status == "paused" != before.status:
                    _forget(unit, after.channel_id, "paused")
                self._note(unit, "channel.changed", before, after)
            return unit.channels.get(after.channel_id)

    def remove(self, channel_id: str) -> Channel:
        """Ends a channel for good; the log of its alerts is kept. Does nothing the second time."""
        with self._context.writing() as unit:
            before = self._context.seen("chan", channel_id, unit.channels.lock)
            if before.status == "removed":
                return before
            after = before.removed(self._context.clock())
            unit.channels.put(after)
            _forget(unit, after.channel_id, "removed")
            self._note(unit, "channel.removed", before, after)
            return after

    def test(self, channel_id: str) -> Alert:
        """Sends a sample at once and once, and returns it with what became of it.

        It is not kept in the log. The message says that it is a test.
        """
        channel = self.get(channel_id)
        channel.check_changeable()
        now = self._context.clock()
        sample = Alert(
            alert_id=self._context.mint("alrt"), channel_id=channel.channel_id,
            partner_id=channel.partner_id, severity=channel.severities[0],
            entries=(_sample(channel, self._context),), attempts=1, created_at=now, due_at=now,
            test=True,
        )  # fmt: skip
        try:
            refused = send(self._context, channel, sample)
        except CommerceError as error:
            return evolve(sample, status="failed", due_at=None, error=error.code)
        return sample.sent(self._context.clock(), "some_refused" if refused else None)

    def alerts(
        self, query: AlertQuery = _EVERY_ALERT, *, partner: str | None = None
    ) -> Iterator[Alert]:
        """All visible alerts of the last thirty days, newest first."""
        own = self._context.own(query, partner)
        return self._context.walk(lambda unit: unit.alerts, own)

    def alert_page(
        self,
        query: AlertQuery = _EVERY_ALERT,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Alert]:
        """A page of the alerts, newest first."""
        with self._context.store.read_only() as unit:
            own = self._context.own_in(unit, query, partner)
            return self._context.listed(unit.alerts, own, cursor, limit, count=count)

    def _note(
        self, unit: UnitOfWork, action: Action, before: Channel | None, after: Channel
    ) -> None:
        self._context.note(
            unit, action, after.channel_id, partner_id=after.partner_id,
            before=before and _audited(before), after=_audited(after),
        )  # fmt: skip


def _chosen(severities: Sequence[Severity]) -> tuple[Severity, ...]:
    for place, severity in enumerate(severities):
        if severity not in SEVERITIES:
            raise InvalidInput.at(
                f"/severities/{place}", "unknown_severity", f"Use any of: {', '.join(SEVERITIES)}."
            )
    return tuple(one for one in SEVERITIES if not severities or one in severities)


def _sample(channel: Channel, context: Context) -> Entry:
    now = context.clock()
    return Entry(
        cause_id="test", phase="new", kind=channel.kinds[0] if channel.kinds else "held",
        severity=channel.severities[0], title="A sample of an alert",
        reason="Someone tests this channel.", partner_id=channel.partner_id or "",
        partner_name="", since=now - timedelta(minutes=1), latest_at=now, count=1, products=None,
        subject=None,
    )  # fmt: skip


def _audited(channel: Channel) -> Channel:
    """What the audit may have: of the address only the server, since the rest may be secret."""
    return evolve(channel, url=channel.url and server_of(channel.url), sealed=None)


def _forget(unit: UnitOfWork, channel_id: str, why: str) -> None:
    """Forgets what a channel has reported, and drops what it was going to report."""
    unit.alerts.end_all_streaks(channel_id)
    unit.alerts.drop(channel_id, why)


def _without_secret(issued: IssuedChannel) -> IssuedChannel:
    """The answer to keep for a replay, without secrets."""
    return IssuedChannel(evolve(issued.channel, sealed=None), None)
