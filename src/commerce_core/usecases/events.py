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
"""The cursor behind everything that has been announced by now."""
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


@frozen
class Events:
    """What was announced, in one order for all."""

    _context: Context

    def list(
        self,
        cursor: str | None = None,
        *,
        kinds: tuple[EventKind, ...] = (),
        partner: str | None = None,
    ) -> Iterator[Event]:
        """All events behind the cursor that there are to see, until there are no more."""
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
        """The next events behind the cursor; an empty page is for whoever has caught up.

        There always is a cursor to go on with. `latest` is behind all there are now; without one
        it begins with the oldest that is kept. Malformed `cursor_expired` where some were missed.
        """
        return self._next(cursor, check_limit(limit, LARGEST_EVENTS), kinds, partner)

    def cursor_behind_all(
        self, *, kinds: tuple[EventKind, ...] = (), partner: str | None = None
    ) -> str:
        """The cursor behind all events that there are now."""
        return self._next(LATEST, 1, kinds, partner).next_cursor or ""

    def forget_old(self) -> int:
        """Forgets the events that are older than they are kept; how many it were."""
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
            whose = context.partner_filter(unit, partner)
            # Kinds that come to be known later don't end the cursors of those who want them all.
            asked = ("events", whose, tuple(sorted(set(kinds))))
            if cursor == LATEST:
                return Listed((), _cursor(asked, unit.events.latest()))
            unit.events.forget(context.clock() - EVENTS_KEPT, MOST_FORGOTTEN)
            query = EventQuery(whose, self._visible(kinds or EVENT_KINDS))
            page = unit.events.page(query, _number(read_cursor(asked, cursor)), limit)
        own = context.principal.partner_id
        seen = tuple(event.seen_by(own) for event in page.items)
        return Listed(seen, _cursor(asked, page.after))

    def _visible(self, kinds: tuple[EventKind, ...]) -> tuple[EventKind, ...]:
        """Those of which the principal may read what they are about."""
        scopes = self._context.principal.scopes
        return tuple(kind for kind in kinds if scope_of(kind) in scopes)


def _cursor(asked: object, number: int) -> str | None:
    return write_cursor(asked, Position(None, str(number)))


def _number(after: Position | None) -> int | None:
    """The number behind which a page begins; Malformed where no page can have ended."""
    if after is None:
        return None
    if not _NUMBER.fullmatch(after.id):
        raise Malformed.at("/cursor", "bad_cursor", f"No page of events ended at {after.id!r}.")
    return int(after.id)
