"""Events in PostgreSQL: written without a number, and numbered by the first reader.

If an event got its number when it is written, either writers would wait for each other until they
commit, or readers would miss events: a later number may be committed first. What is numbered here
has been committed, and one reader at a time does it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from psycopg import sql

from adapters.postgres.collections.listing import Condition, asked, where
from adapters.postgres.connection.documents import content, rows_document
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    maybe_digits,
    named,
    rows_as,
)
from commerce_core.activity.events import Event, EventPage, EventQuery, cursor_expired

MOST_NUMBERED: Final = 10_000
"""How many events get their numbers at once; the next reader numbers the rest."""


def _numbered(row: dict[str, Any]) -> tuple[int, Event]:
    number, partners = row.pop("number"), row.pop("partner_ids")
    return number, Event(**row, partner_ids=tuple(map(_partner_id, partners)))


_partner_id: Final = named("ptn")
_EVENTS: Final = rows_as(_numbered)
_SELECT: Final = """
    SELECT event_id, number, kind, occurred_at, partner_ids, data
    FROM events"""


@frozen
class Events:
    """Implements `commerce_core.ports.activity.Events`."""

    _db: Connection

    def add(self, events: Iterable[Event]) -> None:
        """Keeps events."""
        rows = list(map(_row, events))
        if rows:
            self._db.execute(
                """
                INSERT INTO events (event_id, kind, occurred_at, partner_ids, data)
                SELECT event_id, kind, occurred_at, partner_ids, data
                FROM json_to_recordset(%s::json)
                     AS new (event_id uuid, kind text, occurred_at timestamptz, partner_ids uuid[],
                             data jsonb)
                """,
                [rows_document(rows)],
            )

    def page(self, query: EventQuery, after: int | None, limit: int) -> EventPage:
        """The next events that fit."""
        last, forgotten = self._number_what_is_new()
        after = forgotten if after is None else after
        if after < forgotten:
            raise cursor_expired()
        condition, params = where(
            [("number > %s", [after]), ("number <= %s", [last]), *_conditions(query)]
        )
        listed = sql.SQL(_SELECT) + condition + sql.SQL(" ORDER BY number LIMIT %s")
        rows = fetch(self._db, _EVENTS, listed, [*params, limit])
        reached = rows[-1][0] if len(rows) == limit else max(after, last)
        numbers = tuple(number for number, _ in rows)
        return EventPage([event for _, event in rows], reached, numbers)

    def latest(self) -> int:
        """The last number, once all committed events have one."""
        (waiting,) = self._db.execute(
            "SELECT count(*) FROM events WHERE number IS NULL"
        ).fetchone() or (0,)
        for _ in range(0, waiting, MOST_NUMBERED):
            self._number_what_is_new()
        return self._number_what_is_new()[0]

    def forget(self, before: datetime, most: int) -> int:
        """Deletes the oldest."""
        self._number_what_is_new()
        oldest = self._db.execute(
            "SELECT occurred_at FROM events WHERE number IS NOT NULL ORDER BY number LIMIT 1"
        ).fetchone()
        if oldest is None or oldest[0] >= before:
            return 0
        self._db.execute("SELECT FROM event_numbers FOR UPDATE")
        gone, last = self._db.execute(
            """
            WITH oldest AS (
                SELECT number, occurred_at
                FROM events
                WHERE number IS NOT NULL
                ORDER BY number
                LIMIT %(most)s
            ),
            kept AS (
                SELECT coalesce(min(number) FILTER (WHERE occurred_at >= %(before)s),
                                max(number) + 1) AS first
                FROM oldest
            ),
            gone AS (
                DELETE FROM events
                USING kept
                WHERE number < kept.first
                RETURNING number
            )
            SELECT count(*), max(number) FROM gone
            """,
            {"before": before, "most": most},
        ).fetchone() or (0, None)
        if gone:
            self._db.execute("UPDATE event_numbers SET forgotten = %s", [last])
        return gone

    def _number_what_is_new(self) -> tuple[int, int]:
        """Numbers what is committed by now; returns the last number, and the last one deleted."""
        (new,) = self._db.execute(
            "SELECT EXISTS (SELECT FROM events WHERE number IS NULL)"
        ).fetchone() or (False,)
        if new:
            # With the lock, the next statement sees what its last holder has numbered.
            self._db.execute("SELECT FROM event_numbers FOR UPDATE")
            self._db.execute(_NUMBER, {"most": MOST_NUMBERED})
        return self._db.execute("SELECT last, forgotten FROM event_numbers").fetchone() or (0, 0)


def numbered_events(db: Connection, numbers: Collection[int]) -> Mapping[int, Event]:
    """The events with these numbers that are still kept."""
    rows = fetch(db, _EVENTS, f"{_SELECT} WHERE number = ANY(%s)", [list(numbers)])
    return dict(rows)


_NUMBER: Final = """
    WITH new AS (
        SELECT event_id, row_number() OVER (ORDER BY event_id) AS place
        FROM (
            SELECT event_id
            FROM events
            WHERE number IS NULL
            ORDER BY event_id
            LIMIT %(most)s
        ) AS unnumbered
    ),
    numbered AS (
        UPDATE events e
        SET number = n.last + new.place
        FROM new, event_numbers n
        WHERE e.event_id = new.event_id
    )
    UPDATE event_numbers
    SET last = last + (SELECT count(*) FROM new)"""


def _row(event: Event) -> dict[str, object]:
    return {
        "event_id": digits(event.event_id),
        "kind": event.kind,
        "occurred_at": event.occurred_at,
        "partner_ids": [digits(partner_id) for partner_id in event.partner_ids],
        "data": content(event.data),
    }


def _conditions(query: EventQuery) -> list[Condition]:
    return [
        *asked("kind = ANY(%s)", list(query.kinds)),
        *asked("%s::uuid = ANY(partner_ids)", maybe_digits(query.partner_id)),
    ]
