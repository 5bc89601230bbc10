"""Sending alerts: what a worker does for alerts, from the inbox to the log of what was sent.

    look     inbox ──> streaks and alerts of all channels, in one unit
    claim    the alert that is due longest, under a lease
    send     one try, outside of any unit
    record   what became of it, and whether its channel fails

A crash between two steps loses nothing: what was made is sent after the lease, under the same id.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from commerce_core.activity.inbox import ITEM_KINDS, MOST_ITEMS, DailySales, InboxItem, ItemKind
from commerce_core.alerts.alert import (
    DEADLINE,
    KEPT,
    MOST_FORGOTTEN,
    Alert,
    highest,
    listed,
)
from commerce_core.alerts.channel import Channel
from commerce_core.alerts.streak import Decision, Streak, decide
from commerce_core.alerts.wording import body_of, subject_of, text_of
from commerce_core.base.errors import CommerceError, Unreachable
from commerce_core.base.ids import mint
from commerce_core.partners.access import OPERATOR_SCOPES, Principal
from commerce_core.ports.mail import Letter
from commerce_core.ports.secrets import vault_name
from commerce_core.ports.store import UnitOfWork
from commerce_core.ports.web import WebRequest
from commerce_core.usecases.context import Context
from commerce_core.usecases.inbox import InboxItems
from commerce_core.webhooks.delivery import LONGEST_ANSWER, OK
from commerce_core.webhooks.signature import signed

USER_AGENT: Final = "open-commerce-alerts/1"
MOST_SENT: Final = 500
"""The most messages that one run sends; the next run continues."""


@frozen
class Alerting:
    """Alerts, as workers see them."""

    _context: Context

    def run(self) -> int:
        """Looks at the inbox, sends what is due, forgets what is old; returns how many it sent."""
        self.look()
        sent = self.send_due()
        self.forget_old()
        return sent

    def look(self) -> int:
        """Makes the alerts that the inbox calls for now, and returns how many."""
        now = self._context.clock()
        with self._context.store.begin() as unit:
            channels = unit.channels.lock_active()
            if not channels:
                return 0
            streaks = _by_channel(unit.alerts.streaks([c.channel_id for c in channels]))
            decided = [
                (channel, decide(channel, streaks[channel.channel_id], items, _cut(items), now))
                for owner, own in _by_owner(channels).items()
                for items in [self._items(unit, owner, now)]
                for channel in own
            ]
            unit.alerts.put_streaks([s for _, decision in decided for s in decision.changed])
            unit.alerts.end_streaks({c.channel_id: d.ended for c, d in decided if d.ended})
            alerts = list(self._alerts(unit, decided, now))
            unit.alerts.add(alerts)
        return len(alerts)

    def _items(self, unit: UnitOfWork, owner: str | None, now: datetime) -> Sequence[InboxItem]:
        """The inbox of an owner of channels; a channel takes from it the kinds that it may have."""
        return self._inbox(owner).all_in(unit, now)

    def _inbox(self, owner: str | None) -> InboxItems:
        watcher = Principal("alerts", owner, frozenset(OPERATOR_SCOPES))
        return InboxItems(self._context.acting_as(watcher))

    def _alerts(
        self, unit: UnitOfWork, decided: Iterable[tuple[Channel, Decision]], now: datetime
    ) -> Iterator[Alert]:
        sales: dict[str | None, Mapping[str, Sequence[DailySales]]] = {}
        for channel, decision in decided:
            if not decision.report:
                continue
            owner = channel.partner_id
            if owner not in sales:  # Mostly nothing is reported, and then it isn't asked for.
                sales[owner] = self._inbox(owner).sales_in(unit, now)
            entries, more = listed(decision.report)
            entries = tuple(
                evolve(entry, a_day=tuple(sales[owner].get(entry.partner_id, ())))
                for entry in entries
            )
            yield Alert(
                alert_id=self._context.mint("alrt"), channel_id=channel.channel_id,
                partner_id=channel.partner_id, severity=highest(decision.report), entries=entries,
                more=more, created_at=now, due_at=now,
            )  # fmt: skip

    def send_due(self) -> int:
        """Sends the alerts that are due, one after the other, and returns how many were sent.

        A channel that fails once isn't tried again in this run, so it doesn't delay the others.
        """
        failed: set[str] = set()
        sent = 0
        lease = DEADLINE + 2 * self._context.lease
        for _ in range(MOST_SENT):
            with self._context.store.begin() as unit:
                claimed = unit.alerts.claim(lease, failed)
                if claimed is None:
                    break
                channel = unit.channels.get(claimed.channel_id)
            after = self._tried(channel, claimed)
            with self._context.store.begin() as unit:
                if unit.alerts.record(after):
                    error = None if after.status == "sent" else after.error
                    unit.channels.note_health(channel.channel_id, error, self._context.clock())
            self._context.after_alert(after)
            if after.status == "sent":
                sent += 1
            else:
                failed.add(channel.channel_id)
        return sent

    def _tried(self, channel: Channel, alert: Alert) -> Alert:
        try:
            refused = send(self._context, channel, alert)
        except CommerceError as error:
            return alert.not_sent(self._context.clock(), error.code)
        return alert.sent(self._context.clock(), "some_refused" if refused else None)

    def oldest_due(self) -> datetime | None:
        """When the alert became due that has waited longest, of active channels."""
        with self._context.store.read_only() as unit:
            return unit.alerts.oldest_due()

    def forget_old(self) -> int:
        """Deletes alerts past their retention time, and returns how many."""
        gone, before = 0, mint("alrt", self._context.clock() - KEPT, bytes)
        while True:
            with self._context.store.begin() as unit:
                forgotten = unit.alerts.forget(before, MOST_FORGOTTEN)
            gone += forgotten
            if forgotten < MOST_FORGOTTEN:
                return gone


def send(context: Context, channel: Channel, alert: Alert) -> frozenset[str]:
    """Sends one message, once, and returns the recipients that were refused; raises otherwise."""
    if channel.url is None:
        letter = Letter(
            alert.alert_id,
            channel.recipients,
            subject_of(alert),
            text_of(alert, context.link),
            alert.created_at,
        )
        return context.mail.send(letter)
    body, at = body_of(alert, context.link), context.clock()
    secret = context.vault.open(channel.sealed or "", vault_name("channel", channel.channel_id))
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        **signed([secret], alert.alert_id, at, body),
    }
    request = WebRequest("POST", channel.url, headers, body, DEADLINE.total_seconds())
    with context.web.send(request) as answer:
        answer.stream.read(LONGEST_ANSWER)
        if answer.status not in OK:
            raise Unreachable(f"It answers {answer.status}.", code=f"http_{answer.status}")
    return frozenset()


def _cut(items: Sequence[InboxItem]) -> frozenset[ItemKind]:
    """The kinds of which the inbox may have left some out."""
    numbers = Counter(item.kind for item in items)
    return frozenset[ItemKind](kind for kind in ITEM_KINDS if numbers[kind] >= MOST_ITEMS)


def _by_owner(channels: Sequence[Channel]) -> dict[str | None, list[Channel]]:
    found: defaultdict[str | None, list[Channel]] = defaultdict(list)
    for channel in channels:
        found[channel.partner_id].append(channel)
    return found


def _by_channel(streaks: Sequence[Streak]) -> defaultdict[str, dict[str, Streak]]:
    found: defaultdict[str, dict[str, Streak]] = defaultdict(dict)
    for streak in streaks:
        found[streak.channel_id][streak.cause_id] = streak
    return found
