"""Events, the audit, and the answers to requests in memory, in the order in which they came.

Units never meet here, so an event has its number at once, and numbers have the order of commits.
"""

import heapq
from collections.abc import Iterable, MutableMapping
from datetime import datetime
from typing import TypeVar

from attrs import frozen

from commerce_core.activity.audit import AuditEntry, AuditQuery
from commerce_core.activity.events import Event, EventPage, EventQuery, cursor_expired
from commerce_core.base.paging import Page, Position
from commerce_core.ports.activity import key_reused

T = TypeVar("T")


@frozen
class Events:
    """Implements `ports.activity.Events`; `_numbers` has `last` and the last one `forgotten`."""

    _rows: MutableMapping[int, Event]
    _numbers: MutableMapping[str, int]

    def add(self, events: Iterable[Event]) -> None:
        """Keeps events."""
        for number, event in enumerate(events, start=self._numbers.get("last", 0) + 1):
            self._rows[number] = event
            self._numbers["last"] = number

    def page(self, query: EventQuery, after: int | None, limit: int) -> EventPage:
        """The next events that fit."""
        last, forgotten = self.latest(), self._numbers.get("forgotten", 0)
        after = forgotten if after is None else after
        if after < forgotten:
            raise cursor_expired()
        found: list[Event] = []
        numbers: list[int] = []
        for number in range(after + 1, last + 1):
            if _fits(self._rows[number], query):
                found.append(self._rows[number])
                numbers.append(number)
            if len(found) == limit:
                return EventPage(found, number, tuple(numbers))
        return EventPage(found, max(after, last), tuple(numbers))

    def latest(self) -> int:
        """The last number."""
        return self._numbers.get("last", 0)

    def forget(self, before: datetime, most: int) -> int:
        """Forgets the oldest."""
        gone = 0
        for number in heapq.nsmallest(most, self._rows):
            if self._rows[number].occurred_at >= before:
                break
            del self._rows[number]
            self._numbers["forgotten"] = number
            gone += 1
        return gone


def _fits(event: Event, query: EventQuery) -> bool:
    whose = query.partner_id is None or query.partner_id in event.partner_ids
    return whose and event.kind in query.kinds


@frozen
class Audit:
    """Implements `commerce_core.ports.activity.Audit`."""

    _rows: MutableMapping[str, AuditEntry]

    def add(self, entry: AuditEntry) -> None:
        """Keeps an entry."""
        self._rows[entry.audit_id] = entry

    def page(self, query: AuditQuery, after: Position | None, limit: int) -> Page[AuditEntry]:
        """Pages of entries."""
        rows = [row for row in self._fitting(query) if after is None or row.audit_id < after.id]
        newest = heapq.nlargest(limit + 1, rows, key=lambda row: row.audit_id)
        return Page[AuditEntry].cut(newest, limit, lambda row: Position(None, row.audit_id))

    def count(self, query: AuditQuery) -> int:
        """How many entries fit."""
        return len(self._fitting(query))

    def _fitting(self, query: AuditQuery) -> list[AuditEntry]:
        return [row for row in self._rows.values() if _agrees(row, query)]


def _agrees(entry: AuditEntry, query: AuditQuery) -> bool:
    asked = ("partner_id", "actor", "action")
    return (
        all(getattr(query, name) in (None, getattr(entry, name)) for name in asked)
        and query.subject in (None, *entry.subjects)
        and (query.since is None or query.since <= entry.at)
        and (query.until is None or entry.at < query.until)
    )


@frozen
class Idempotency:
    """Implements `commerce_core.ports.activity.Idempotency`."""

    _answers: MutableMapping[tuple[str, str], tuple[str, object]]

    def claim(self, owner: str, key: str, digest: str, answer: type[T]) -> T | None:
        """None if the key is now ours to answer, else the value kept under it."""
        known, value = self._answers.get((owner, key), (digest, None))
        if known != digest:
            raise key_reused(key)
        if not isinstance(value, answer | None):
            raise TypeError(f"the answer kept under {key!r} is no {answer.__name__}")
        self._answers[owner, key] = (digest, value)
        return value

    def keep(self, owner: str, key: str, value: object) -> None:
        """Keeps the answer of a key claimed in this unit."""
        digest, _ = self._answers[owner, key]
        self._answers[owner, key] = (digest, value)
