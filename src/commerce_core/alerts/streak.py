"""Streaks: what a channel knows of each cause, and what is reported next.

A streak begins when a cause appears, and ends when it has been gone for a while. It is reported
once when it begins, again when it has grown and a digest is due, and when it is over. One that a
person has acknowledged or snoozed stays quiet, until it occurs again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, frozen

from commerce_core.activity.inbox import InboxItem, ItemKind
from commerce_core.alerts.alert import Entry, Phase, entry_of
from commerce_core.alerts.channel import Channel

OVER_AFTER: Final = timedelta(minutes=5)
"""How long a cause has to be gone before its streak ends: so one that flickers is one streak."""


@frozen(kw_only=True)
class Streak:
    """A cause as one channel knows it; `entry` is as it was seen last.

    `reported_at` is when the channel last got a message about it, and `reported_count` and
    `reported_latest_at` are what that message reported. `gone_since` is since when the cause isn't
    there any more.
    """

    channel_id: str
    cause_id: str
    entry: Entry
    silenced: bool = False
    reported_at: datetime | None = None
    reported_count: int = 0
    reported_latest_at: datetime | None = None
    gone_since: datetime | None = None

    @property
    def has_grown(self) -> bool:
        """Whether the cause has occurred again, or more often, since it was reported."""
        latest = self.reported_latest_at
        newer = latest is not None and self.entry.latest_at > latest
        return newer or self.entry.count > self.reported_count

    def seen(self, item: InboxItem) -> "Streak":
        """The streak once its cause was seen again; one that was silenced until now begins anew."""
        silenced = item.state != "open"
        return evolve(
            self,
            entry=entry_of(item, "new"),
            silenced=silenced,
            reported_at=None if self.silenced and not silenced else self.reported_at,
            gone_since=None,
        )

    def noted(self, now: datetime) -> "Streak":
        """The streak once it was reported as it is."""
        return evolve(
            self,
            reported_at=now,
            reported_count=self.entry.count,
            reported_latest_at=self.entry.latest_at,
        )


@frozen
class Decision:
    """What follows for one channel: its streaks that change, those that end, what to report."""

    changed: tuple[Streak, ...]
    ended: tuple[str, ...]
    report: tuple[Entry, ...]


def decide(
    channel: Channel,
    before: Mapping[str, Streak],
    items: Sequence[InboxItem],
    cut: Collection[ItemKind],
    now: datetime,
) -> Decision:
    """What a channel has to report now.

    `before` are its streaks, by cause. `items` are all causes of its owner, but of the kinds in
    `cut` only the first: what is missing there may still exist.
    """
    streaks = {**_seen(channel, before, items), **_missing(channel, before, items, cut, now)}
    after: list[Streak] = []
    ended = [cause_id for cause_id in before if cause_id not in streaks]
    report: list[Entry] = []
    digest = any(_is_digest_due(channel, streak, now) for streak in streaks.values())
    free = channel.is_free(now)
    for streak in streaks.values():
        phase = _phase(streak, now, digest=digest) if free else None
        if phase is not None and not channel.is_quiet(streak.entry.severity, now):
            report.append(evolve(streak.entry, phase=phase))
            if phase == "over":
                ended.append(streak.cause_id)
                continue
            streak = streak.noted(now)  # noqa: PLW2901 - as it is from now on
        if streak != before.get(streak.cause_id):
            after.append(streak)
    return Decision(tuple(after), tuple(ended), tuple(report))


def _seen(
    channel: Channel, before: Mapping[str, Streak], items: Sequence[InboxItem]
) -> dict[str, Streak]:
    """The streaks of causes that are there; one that is silenced from the start begins none."""
    found: dict[str, Streak] = {}
    for item in items:
        known = before.get(item.cause_id)
        if not channel.wants(item.kind, item.severity) or (known is None and item.state != "open"):
            continue
        known = known or Streak(
            channel_id=channel.channel_id, cause_id=item.cause_id, entry=entry_of(item, "new")
        )
        found[item.cause_id] = known.seen(item)
    return found


def _missing(
    channel: Channel,
    before: Mapping[str, Streak],
    items: Sequence[InboxItem],
    cut: Collection[ItemKind],
    now: datetime,
) -> dict[str, Streak]:
    """The streaks of causes that aren't there, without those that end unreported."""
    there = {item.cause_id for item in items}
    return {streak.cause_id: streak for streak in _gone(channel, before, there, cut, now)}


def _gone(
    channel: Channel,
    before: Mapping[str, Streak],
    there: Collection[str],
    cut: Collection[ItemKind],
    now: datetime,
) -> Iterator[Streak]:
    for streak in before.values():
        entry = streak.entry
        if streak.cause_id in there or not channel.wants(entry.kind, entry.severity):
            continue
        if entry.kind in cut:
            yield streak
        elif streak.reported_at is not None and not streak.silenced:
            yield evolve(streak, gone_since=streak.gone_since or now)


def _is_digest_due(channel: Channel, streak: Streak, now: datetime) -> bool:
    """Whether a cause has grown, and was reported long enough ago."""
    at = streak.reported_at
    due = at is not None and now - at >= timedelta(minutes=channel.digest_minutes)
    return due and streak.has_grown and not streak.silenced


def _phase(streak: Streak, now: datetime, *, digest: bool) -> Phase | None:
    """What there is to report of a streak; None for nothing. A digest has all that has grown."""
    if streak.gone_since is not None:
        return "over" if now - streak.gone_since >= OVER_AFTER else None
    if streak.silenced:
        return None
    if streak.reported_at is None:
        return "new"
    return "grown" if digest and streak.has_grown else None
