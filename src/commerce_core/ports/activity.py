"""Ports: events, the audit log, and the answers kept under idempotency keys."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from commerce_core.activity.audit import AuditEntry, AuditQuery
from commerce_core.activity.events import Event, EventPage, EventQuery
from commerce_core.base.errors import Conflict
from commerce_core.ports.listing import Listing, T


class Events(Protocol):
    """What the platform announces, in one order for all readers."""

    def add(self, events: Iterable[Event]) -> None:
        """Keeps events; readers see them once this unit is committed."""
        ...

    def page(self, query: EventQuery, after: int | None, limit: int) -> EventPage:
        """The next events that fit after that number (None: after the last one deleted).

        Units that end at the same time don't wait for each other; still, no event ever appears
        before one that was returned here. If fewer than `limit` fit, `after` of the page is the
        last number there is. Malformed `cursor_expired` if events after that number were deleted.
        """
        ...

    def latest(self) -> int:
        """The number of the last event so far; 0 before the first."""
        ...

    def forget(self, before: datetime, most: int) -> int:
        """Deletes the oldest events, at most `most`, up to the first that is not before that time.

        Returns how many were deleted.
        """
        ...


class Audit(Listing[AuditQuery, AuditEntry], Protocol):
    """Who did what, newest first; entries are never changed or deleted."""

    def add(self, entry: AuditEntry) -> None:
        """Keeps an entry."""
        ...


class Idempotency(Protocol):
    """What was answered under which key, so that a request sent twice has one effect."""

    def claim(self, owner: str, key: str, digest: str, answer: type[T]) -> T | None:
        """None if the key is new, and now this unit's; else the value kept under it, as `answer`.

        Waits while another unit that has claimed the key is open. Conflict `idempotency_key_reused`
        if the key belongs to a request with another digest.
        """
        ...

    def keep(self, owner: str, key: str, value: object) -> None:
        """Keeps the answer (one of the core's attrs values) to a key claimed in this unit."""
        ...


class ActivityUnit(Protocol):
    """The part of a unit of work that records what happens, and by whose doing."""

    @property
    def events(self) -> Events:
        """What is announced."""
        ...

    @property
    def audit(self) -> Audit:
        """Who did what."""
        ...

    @property
    def idempotency(self) -> Idempotency:
        """What was answered under which idempotency key."""
        ...


def key_reused(key: str) -> Conflict:
    """The refusal of a request whose idempotency key was used for another one."""
    return Conflict(
        f"The idempotency key {key!r} was used for another request.",
        "Take a new key for a new request.",
        code="idempotency_key_reused",
    )
