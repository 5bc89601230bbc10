"""Events: what the platform announces, for clients that follow it."""

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from commerce_core.activity.events import (
    EVENT_KINDS,
    EVENTS_KEPT,
    LARGEST_EVENTS,
    MOST_FORGOTTEN,
    Event,
    EventKind,
    EventQuery,
    scope_of,
)
from commerce_core.base.errors import Malformed
from commerce_core.base.paging import (
    DEFAULT_LIMIT,
    Position,
    check_limit,
    read_cursor,
    write_cursor,
)
from commerce_core.usecases.context import Context, Listed

LATEST: Final = "latest"
"""The cursor after everything that has happened so far."""
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


@frozen
class Events:
    """What happened, in one order for all readers."""

    _context: Context

    def list(
        self,
        cursor: str | None = None,
        *,
        kinds: tuple[EventKind, ...] = (),
        partner: str | None = None,
    ) -> Iterator[Event]:
        """All visible events after the cursor, up to the latest."""
        while True:
            listed = self._next(cursor, LARGEST_EVENTS, kinds, partner)
            yield from listed.items
            if listed.next_cursor == cursor:
                return
            cursor = listed.next_cursor

    def page(
        self,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        kinds: tuple[EventKind, ...] = (),
        partner: str | None = None,
    ) -> Listed[Event]:
        """The next events after the cursor; the page is empty if there are none yet.

        The page always has a cursor to continue with. Without a cursor, it starts with the oldest
        event kept; `latest` stands for the end. Malformed `cursor_expired` if events were missed.
        """
        return self._next(cursor, check_limit(limit, LARGEST_EVENTS), kinds, partner)

    def forget_old(self) -> int:
        """Deletes the events past their retention time, and returns how many."""
        gone, before = 0, self._context.clock() - EVENTS_KEPT
        while True:
            with self._context.store.begin() as unit:
                forgotten = unit.events.forget(before, MOST_FORGOTTEN)
            gone += forgotten
            if forgotten < MOST_FORGOTTEN:
                return gone

    def _next(
        self, cursor: str | None, limit: int, kinds: tuple[EventKind, ...], partner: str | None
    ) -> Listed[Event]:
        context = self._context
        with context.store.begin() as unit:
            owner = context.partner_filter(unit, partner)
            # By the kinds asked for: new kinds don't invalidate cursors for all kinds.
            asked = ("events", owner, tuple(sorted(set(kinds))))
            if cursor == LATEST:
                return Listed((), _cursor(asked, unit.events.latest()))
            unit.events.forget(context.clock() - EVENTS_KEPT, MOST_FORGOTTEN)
            query = EventQuery(owner, self._visible(kinds or EVENT_KINDS))
            page = unit.events.page(query, _number(read_cursor(asked, cursor)), limit)
        own = context.principal.partner_id
        seen = tuple(event.seen_by(own) for event in page.items)
        return Listed(seen, _cursor(asked, page.after))

    def _visible(self, kinds: tuple[EventKind, ...]) -> tuple[EventKind, ...]:
        """The kinds whose subjects the principal may read."""
        scopes = self._context.principal.scopes
        return tuple(kind for kind in kinds if scope_of(kind) in scopes)


def _cursor(asked: object, number: int) -> str | None:
    return write_cursor(asked, Position(None, str(number)))


def _number(after: Position | None) -> int | None:
    """The number after which a page begins; Malformed if no page can have ended there."""
    if after is None:
        return None
    if not _NUMBER.fullmatch(after.id):
        raise Malformed.at("/cursor", "bad_cursor", f"No page of events ends at {after.id!r}.")
    return int(after.id)
