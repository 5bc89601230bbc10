"""Ports: events, the audit, and the answers kept under idempotency keys."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from commerce_core.activity.audit import AuditEntry, AuditQuery
from commerce_core.activity.events import Event, EventPage, EventQuery
from commerce_core.base.errors import Conflict
from commerce_core.ports.listing import Listing, T


class Events(Protocol):
    """What the platform announces, in one order for everybody."""

    def add(self, events: Iterable[Event]) -> None:
        """Keeps events, which are announced once this unit has ended well."""
        ...

    def page(self, query: EventQuery, after: int | None, limit: int) -> EventPage:
        """The next events that fit behind that number (None: behind what was forgotten).

        Units that end at the same time wait for nobody; still nothing ever appears behind an event
        that was given here. Where fewer than `limit` fit, `after` of the page is behind all that
        there are. Malformed `cursor_expired` where events behind that number were forgotten.
        """
        ...

    def latest(self) -> int:
        """The number of the last event that there is now; 0 before the first."""
        ...

    def forget(self, before: datetime, most: int) -> int:
        """Forgets at most so many of the oldest events, up to the first that is of later.

        Returns how many it were.
        """
        ...


class Audit(Listing[AuditQuery, AuditEntry], Protocol):
    """Who did what, newest first; entries are kept for good."""

    def add(self, entry: AuditEntry) -> None:
        """Keeps an entry."""
        ...


class Idempotency(Protocol):
    """What was answered under which key, so that a request sent twice has one effect."""

    def claim(self, owner: str, key: str, digest: str, answer: type[T]) -> T | None:
        """None if the key is now ours to answer, else the value kept under it, read as `answer`.

        A unit that claims a key which another unit has claimed waits for that one's end. Conflict
        `idempotency_key_reused` if the key belongs to a request with another digest.
        """
        ...

    def keep(self, owner: str, key: str, value: object) -> None:
        """Keeps the answer (one of the core's attrs values) of a key claimed in this unit."""
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
        """What was answered under which key."""
        ...


def key_reused(key: str) -> Conflict:
    """The refusal of a request whose idempotency key has come with another one."""
    return Conflict(
        f"The idempotency key {key!r} was used for another request.",
        "Take a new key for a new request.",
        code="idempotency_key_reused",
    )
