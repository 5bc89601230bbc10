"""Ports: events, the audit log, and the answers kept under idempotency keys."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from commerce_core.activity.audit import AuditEntry, AuditQuery
from commerce_core.activity.events import Event, EventPage, EventQuery
from commerce_core.base.errors import Conflict
from commerce_core.ports.listing import Listing, T


class Events(Protocol):
    """The events of the platform, in one order for all readers."""

    def add(self, events: Iterable[Event]) -> None:
        """Stores events; readers see them once this unit is committed."""
        ...

    def page(self, query: EventQuery, after: int | None, limit: int) -> EventPage:
        """The next matching events after that number (None: after the last deleted one).

        Units that end at the same time don't wait for each other; still, no event ever appears
        before one that was returned here. If fewer than `limit` match, the page's `after` is the
        number of the last event. Malformed `cursor_expired` if events after that number were
        deleted.
        """
        ...

    def latest(self) -> int:
        """The number of the last event so far; 0 before the first."""
        ...

    def forget(self, before: datetime, most: int) -> int:
        """Deletes at most `most` of the oldest events, up to the first that isn't before that time.

        Returns how many were deleted.
        """
        ...


class Audit(Listing[AuditQuery, AuditEntry], Protocol):
    """Who did what, newest first; entries are never changed or deleted."""

    def add(self, entry: AuditEntry) -> None:
        """Stores an entry."""
        ...


class Idempotency(Protocol):
    """The answers stored under idempotency keys, so that a request sent twice takes effect once."""

    def claim(self, owner: str, key: str, digest: str, answer: type[T]) -> T | None:
        """None if the key is new, so this unit now owns it; else its stored value, as an `answer`.

        Waits while another unit that claimed the key is open. Conflict `idempotency_key_reused`
        if the key belongs to a request with another digest.
        """
        ...

    def keep(self, owner: str, key: str, value: object) -> None:
        """Stores the answer (one of the core's attrs values) under a key claimed in this unit."""
        ...


class ActivityUnit(Protocol):
    """The part of a unit of work that records what happens, and who does it."""

    @property
    def events(self) -> Events:
        """The events."""
        ...

    @property
    def audit(self) -> Audit:
        """Who did what."""
        ...

    @property
    def idempotency(self) -> Idempotency:
        """The answers stored under idempotency keys."""
        ...


def key_reused(key: str) -> Conflict:
    """The error for a request whose idempotency key was used for another one."""
    return Conflict(
        f"The idempotency key {key!r} was used for another request.",
        "Use a new key for each new request.",
        code="idempotency_key_reused",
    )
