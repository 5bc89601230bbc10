"""Alerts: one message to a channel, about one or more causes, and when it is tried again.

    pending ──claim──> pending, its lease running ──┬─ sent ────────────────> sent
       ^                                            ├─ failed, tries left ──> pending, after a pause
       │                                            ├─ the last try failed ─> failed
       │                                            └─ lease expired ───────> claimed again

All tries have the same id, so a reader recognises a message that came twice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal

from attrs import evolve, frozen

from commerce_core.activity.inbox import SEVERITIES, DailySales, InboxItem, ItemKind, Severity
from commerce_core.base.text import given_name

Phase = Literal["new", "grown", "over"]
AlertStatus = Literal["pending", "sent", "failed"]

SCHEDULE: Final = (
    timedelta(0),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
)
"""The pause before each try. An alert fails when the last of them has failed."""
DEADLINE: Final = timedelta(seconds=15)
"""How long a try may take in all."""
MOST_ENTRIES: Final = 50
"""The most causes that one message lists; the others are counted."""
KEPT: Final = timedelta(days=30)
"""How long alerts are kept in the log."""
MOST_FORGOTTEN: Final = 10_000
"""The most alerts that one statement deletes."""
LONGEST_TITLE: Final = 200
LONGEST_REASON: Final = 500


@frozen(kw_only=True)
class Entry:
    """What an alert says about one cause: what it is, since when, and its effect.

    `phase` is whether it is `new`, has `grown` since the last message, or is `over`. `count` is how
    many equal causes it stands for, `products` how many products or records it concerns, and
    `a_day` what its partner sells a day on average.
    """

    cause_id: str
    phase: Phase
    kind: ItemKind
    severity: Severity
    title: str
    reason: str
    partner_id: str
    partner_name: str
    since: datetime
    latest_at: datetime
    count: int
    products: int | None
    subject: str | None
    a_day: tuple[DailySales, ...] = ()


@frozen(kw_only=True)
class Alert:
    """A message to a channel. `more` is the number of causes that `entries` leaves out.

    `attempts` counts the claims. `due_at` is when it is tried next. `error` is the code of the last
    failure, also of one that concerned only some recipients. With `test`, it is a sample.
    """

    alert_id: str
    channel_id: str
    partner_id: str | None
    severity: Severity
    entries: tuple[Entry, ...]
    more: int = 0
    status: AlertStatus = "pending"
    attempts: int = 0
    created_at: datetime
    due_at: datetime | None
    sent_at: datetime | None = None
    error: str | None = None
    test: bool = False

    @property
    def next_at(self) -> datetime | None:
        """When it is tried next; None if it is finished."""
        return self.due_at if self.status == "pending" else None

    def sent(self, at: datetime, note: str | None = None) -> "Alert":
        """The alert as it is once it was sent; `note` is the code of what went wrong in part."""
        return evolve(self, status="sent", due_at=None, sent_at=at, error=note)

    def not_sent(self, at: datetime, error: str) -> "Alert":
        """The alert after a try that failed: it is tried again, unless that was the last."""
        if self.attempts >= len(SCHEDULE):
            return evolve(self, status="failed", due_at=None, error=error)
        return evolve(self, due_at=at + SCHEDULE[self.attempts], error=error)


@frozen
class AlertQuery:
    """Selects the alerts that match every given filter, newest first."""

    IDENTITY: ClassVar = (
        "AlertQuery(partner_id={0.partner_id!r}, channel_id={0.channel_id!r}, status={0.status!r})"
    )
    partner_id: str | None = None
    channel_id: str | None = None
    status: AlertStatus | None = None


def entry_of(item: InboxItem, phase: Phase) -> Entry:
    """What an alert says about an item of the inbox.

    Its texts come from files and names that others wrote: they become one line without controls.
    """
    return Entry(
        cause_id=item.cause_id,
        phase=phase,
        kind=item.kind,
        severity=item.severity,
        title=_line(item.title, LONGEST_TITLE),
        reason=_line(item.reason, LONGEST_REASON),
        partner_id=item.partner_id,
        partner_name=_line(item.partner_name, LONGEST_TITLE),
        since=item.first_at,
        latest_at=item.latest_at,
        count=item.count,
        products=item.products,
        subject=item.subjects[0] if item.subjects else None,
    )


def listed(entries: Sequence[Entry]) -> tuple[tuple[Entry, ...], int]:
    """The entries in the order in which a message lists them, and the number of those left out."""
    phases: Sequence[Phase] = ("new", "grown", "over")
    ordered = sorted(
        entries,
        key=lambda e: (phases.index(e.phase), SEVERITIES.index(e.severity), e.since, e.cause_id),
    )
    return tuple(ordered[:MOST_ENTRIES]), max(0, len(ordered) - MOST_ENTRIES)


def highest(entries: Sequence[Entry]) -> Severity:
    """The severity of the most severe of the entries."""
    found = {entry.severity for entry in entries}
    return next(severity for severity in SEVERITIES if severity in found)


def _line(text: str, most: int) -> str:
    shown = given_name(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}\u2026"
