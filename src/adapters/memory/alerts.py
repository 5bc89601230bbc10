"""Alert channels in memory, the streaks that they know, and their alerts: the reference."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import nsmallest

from attrs import evolve, frozen

from adapters.memory.pages import agrees, by_id, page_of
from adapters.memory.tables import Tables, found
from commerce_core.alerts.alert import Alert, AlertQuery
from commerce_core.alerts.channel import Channel, ChannelQuery
from commerce_core.alerts.streak import Streak
from commerce_core.base.paging import Page, Position
from commerce_core.ports.runtime import Clock


@frozen
class Channels:
    """Implements `commerce_core.ports.alerts.Channels`."""

    _kept: Tables

    def page(self, query: ChannelQuery, after: Position | None, limit: int) -> Page[Channel]:
        """Pages of channels."""
        return page_of(self._fitting(query), lambda c: by_id(c.channel_id), after, limit)

    def count(self, query: ChannelQuery) -> int:
        """How many fit."""
        return len(self._fitting(query))

    def _fitting(self, query: ChannelQuery) -> list[Channel]:
        return [
            channel
            for channel in self._kept.channels.values()
            if agrees(query, channel, "partner_id", "status")
            and (query.status is not None or channel.status != "removed")
        ]

    def add(self, channel: Channel) -> None:
        """Keeps one."""
        self._kept.channels[channel.channel_id] = channel

    def put(self, channel: Channel) -> None:
        """Replaces one."""
        kept = self.get(channel.channel_id)
        self._kept.channels[channel.channel_id] = evolve(
            channel, messaged_at=kept.messaged_at, failing_since=kept.failing_since,
            error=kept.error,
        )  # fmt: skip

    def get(self, channel_id: str) -> Channel:
        """One of them."""
        return found(self._kept.channels, channel_id, "alert channel")

    def get_many(self, channel_ids: Collection[str]) -> Mapping[str, Channel]:
        """Those that there are."""
        return {id_: self._kept.channels[id_] for id_ in channel_ids if id_ in self._kept.channels}

    def lock(self, channel_id: str) -> Channel:
        """Units never meet here."""
        return self.get(channel_id)

    def lock_owner(self, partner_id: str | None) -> int:
        """How many the owner has."""
        rows = self._kept.channels.values()
        return sum(c.partner_id == partner_id and c.status != "removed" for c in rows)

    def lock_active(self) -> Sequence[Channel]:
        """All that are active."""
        rows = self._kept.channels.values()
        return sorted((c for c in rows if c.status == "active"), key=lambda c: c.channel_id)

    def remove_of(self, partner_id: str, at: datetime) -> Sequence[str]:
        """Removes a partner's, and what they were going to report."""
        gone = [
            channel.channel_id
            for channel in self._kept.channels.values()
            if channel.partner_id == partner_id and channel.status != "removed"
        ]
        for channel_id in gone:
            self._kept.channels[channel_id] = self.get(channel_id).removed(at)
        for place in [place for place in self._kept.streaks if place[0] in gone]:
            del self._kept.streaks[place]
        for alert in list(self._kept.alerts.values()):
            if alert.channel_id in gone and alert.status == "pending":
                self._kept.alerts[alert.alert_id] = evolve(
                    alert, status="failed", due_at=None, error="removed"
                )
        return gone

    def note_health(self, channel_id: str, error: str | None, at: datetime) -> None:
        """Notes how it does."""
        channel = self.get(channel_id)
        since = None if error is None else channel.failing_since or at
        self._kept.channels[channel_id] = evolve(channel, failing_since=since, error=error)


@frozen
class Alerts:
    """Implements `commerce_core.ports.alerts.Alerts`."""

    _kept: Tables
    _clock: Clock

    def page(self, query: AlertQuery, after: Position | None, limit: int) -> Page[Alert]:
        """Pages of alerts."""
        return page_of(self._fitting(query), lambda a: by_id(a.alert_id), after, limit)

    def count(self, query: AlertQuery) -> int:
        """How many fit."""
        return len(self._fitting(query))

    def _fitting(self, query: AlertQuery) -> list[Alert]:
        rows = self._kept.alerts.values()
        return [a for a in rows if agrees(query, a, "partner_id", "channel_id", "status")]

    def streaks(self, channel_ids: Collection[str]) -> Sequence[Streak]:
        """All of these channels."""
        return [s for s in self._kept.streaks.values() if s.channel_id in channel_ids]

    def put_streaks(self, changed: Collection[Streak]) -> None:
        """Keeps them."""
        for streak in changed:
            self._kept.streaks[streak.channel_id, streak.cause_id] = streak

    def end_streaks(self, ended: Mapping[str, Collection[str]]) -> None:
        """Forgets them."""
        for channel_id, cause_ids in ended.items():
            for cause_id in cause_ids:
                if (channel_id, cause_id) in self._kept.streaks:
                    del self._kept.streaks[channel_id, cause_id]

    def end_all_streaks(self, channel_id: str) -> None:
        """Forgets all of a channel."""
        own = self.streaks([channel_id])
        self.end_streaks({channel_id: [streak.cause_id for streak in own]})

    def add(self, alerts: Collection[Alert]) -> None:
        """Keeps new ones."""
        for alert in alerts:
            self._kept.alerts[alert.alert_id] = evolve(alert, due_at=self._clock())
            channel = self._kept.channels[alert.channel_id]
            self._kept.channels[alert.channel_id] = evolve(channel, messaged_at=alert.created_at)

    def claim(self, lease: timedelta, without: Collection[str]) -> Alert | None:
        """The one that has been due longest."""
        now = self._clock()
        due = [a for a in self._due(now) if a.channel_id not in without]
        for alert in nsmallest(1, due, key=lambda a: (a.due_at, a.alert_id)):
            claimed = evolve(alert, attempts=alert.attempts + 1, due_at=now + lease)
            self._kept.alerts[alert.alert_id] = claimed
            return claimed
        return None

    def _due(self, now: datetime) -> list[Alert]:
        channels = self._kept.channels
        return [
            alert
            for alert in self._kept.alerts.values()
            if alert.status == "pending" and alert.due_at is not None and alert.due_at <= now
            if channels[alert.channel_id].status == "active"
        ]

    def record(self, alert: Alert) -> bool:
        """Keeps what became of it."""
        kept = self._kept.alerts.get(alert.alert_id)
        if kept is None or (kept.status, kept.attempts) != ("pending", alert.attempts):
            return False
        self._kept.alerts[alert.alert_id] = alert
        return True

    def oldest_due(self) -> datetime | None:
        """When the one became due that has waited longest."""
        due = (alert.due_at for alert in self._due(self._clock()))
        return min(filter(None, due), default=None)

    def drop(self, channel_id: str, error: str) -> None:
        """Fails what is pending."""
        for alert in self._fitting(AlertQuery(channel_id=channel_id, status="pending")):
            self._kept.alerts[alert.alert_id] = evolve(
                alert, status="failed", due_at=None, error=error
            )

    def forget(self, before: str, most: int) -> int:
        """Forgets the oldest."""
        rows = self._kept.alerts
        old = [id_ for id_, alert in rows.items() if id_ < before and alert.status != "pending"]
        gone = nsmallest(most, old)
        for alert_id in gone:
            del self._kept.alerts[alert_id]
        return len(gone)
