"""Ports: channels of alerts, what they know of causes, and the alerts that are sent to them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from commerce_core.alerts.alert import Alert, AlertQuery
from commerce_core.alerts.channel import Channel, ChannelQuery
from commerce_core.alerts.streak import Streak
from commerce_core.ports.listing import Listing


class Channels(Listing[ChannelQuery, Channel], Protocol):
    """Channels, newest first. All are kept; removed ones are listed only by that status."""

    def add(self, channel: Channel) -> None:
        """Stores a new channel."""
        ...

    def put(self, channel: Channel) -> None:
        """Replaces a channel, without `messaged_at`, `failing_since` and `error`; or NotFound."""
        ...

    def get(self, channel_id: str) -> Channel:
        """The channel, or NotFound."""
        ...

    def get_many(self, channel_ids: Collection[str]) -> Mapping[str, Channel]:
        """Those of these channels that there are, by id."""
        ...

    def lock(self, channel_id: str) -> Channel:
        """The channel, which no other unit changes until this one ends; or NotFound."""
        ...

    def lock_owner(self, partner_id: str | None) -> int:
        """Keeps other units from adding channels of this owner until this unit ends.

        Returns how many it has, without those that were removed.
        """
        ...

    def lock_active(self) -> Sequence[Channel]:
        """All active channels, by id, which no other unit changes until this one ends."""
        ...

    def remove_of(self, partner_id: str, at: datetime) -> Sequence[str]:
        """Removes all channels of a partner, with their secrets and streaks; returns their ids.

        Their pending alerts fail with the code `removed`.
        """
        ...

    def note_health(self, channel_id: str, error: str | None, at: datetime) -> None:
        """Notes that sending to a channel fails, from `at` on unless it did before; or doesn't."""
        ...


class Alerts(Listing[AlertQuery, Alert], Protocol):
    """Alerts, newest first, the queue that they form, and the streaks from which they are made."""

    def streaks(self, channel_ids: Collection[str]) -> Sequence[Streak]:
        """All streaks of these channels."""
        ...

    def put_streaks(self, changed: Collection[Streak]) -> None:
        """Stores streaks, new ones and such that have changed."""
        ...

    def end_streaks(self, ended: Mapping[str, Collection[str]]) -> None:
        """Deletes streaks, named by channel and cause."""
        ...

    def end_all_streaks(self, channel_id: str) -> None:
        """Deletes all streaks of a channel."""
        ...

    def add(self, alerts: Collection[Alert]) -> None:
        """Stores new alerts, due at once; their channels were messaged when these were made."""
        ...

    def claim(self, lease: timedelta, without: Collection[str]) -> Alert | None:
        """Claims the alert that has been due longest, of active channels except those.

        Claims whose lease is over are due again. None if none is due.
        """
        ...

    def record(self, alert: Alert) -> bool:
        """Stores what became of a claimed alert; False if it was claimed again meanwhile."""
        ...

    def oldest_due(self) -> datetime | None:
        """When the alert became due that has waited longest, of active channels."""
        ...

    def drop(self, channel_id: str, error: str) -> None:
        """Fails the pending alerts of a channel, with that code."""
        ...

    def forget(self, before: str, most: int) -> int:
        """Deletes the oldest finished alerts with ids before that one, and returns how many."""
        ...


class AlertsUnit(Protocol):
    """The part of a unit of work for alerts."""

    @property
    def channels(self) -> Channels:
        """Who gets alerts."""
        ...

    @property
    def alerts(self) -> Alerts:
        """The alerts that they get."""
        ...
