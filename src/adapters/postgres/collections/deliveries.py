"""Deliveries of webhooks in PostgreSQL: each webhook has a queue, read along an index."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from attrs import frozen
from psycopg import sql
from psycopg.types.json import Jsonb

from adapters.postgres.collections.events import numbered_events
from adapters.postgres.collections.listing import (
    Condition,
    ListById,
    asked,
    count,
    own,
    walking,
    where,
)
from adapters.postgres.collections.webhooks import SELECT_WEBHOOKS, WEBHOOKS
from adapters.postgres.connection.documents import read_as
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_by_id,
    maybe_digits,
    rows_of,
)
from commerce_core.base.paging import Page, Position
from commerce_core.webhooks.delivery import (
    Claim,
    Claimed,
    Delivery,
    DeliveryQuery,
    Judged,
    Try,
)

_DELIVERIES: Final = rows_of(Delivery)
_TRIES: Final = rows_of(Try, seconds=read_as(Mapping[str, float]))
_COLUMNS: Final = """delivery_id, webhook_id, partner_id, event_id, sequence, kind, subject,
           ordered, status, attempts, attempts_before, claims, created_at, due_at, finished_at,
           http_status, error"""
_SELECT: Final = f"SELECT {_COLUMNS} FROM webhook_deliveries"  # noqa: S608 - names of ours
_LIST: Final = ListById(_DELIVERIES, _SELECT, "delivery_id", attrgetter("delivery_id"))


@frozen
class Deliveries:
    """Implements `commerce_core.ports.webhooks.Deliveries`."""

    _db: Connection

    def page(self, query: DeliveryQuery, after: Position | None, limit: int) -> Page[Delivery]:
        """Pages of deliveries."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: DeliveryQuery) -> int:
        """How many fit."""
        return count(self._db, "webhook_deliveries", _conditions(query))

    def lock_read(self) -> int | None:
        """Up to which event deliveries are kept, locked until this unit ends."""
        row = self._db.execute(
            "SELECT last FROM webhook_reader FOR NO KEY UPDATE SKIP LOCKED"
        ).fetchone()
        return row[0] if row else None

    def set_read(self, number: int) -> None:
        """Moves it on."""
        self._db.execute("UPDATE webhook_reader SET last = %s", [number])

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Keeps new ones."""
        columns = list(zip(*map(_row, deliveries), strict=True))
        if columns:
            self._db.execute(_ADD, [list(column) for column in columns])

    def get(self, delivery_id: str) -> Delivery:
        """The delivery."""
        query = f"{_SELECT} WHERE delivery_id = %s"
        return fetch_by_id(self._db, _DELIVERIES, query, "delivery", delivery_id)

    def tries(self, delivery_id: str) -> Sequence[Try]:
        """The log of its tries."""
        query = """
            SELECT number, at, http_status, error, answer, seconds, next_at
            FROM webhook_tries
            WHERE delivery_id = %s
            ORDER BY number
            """
        return tuple(fetch(self._db, _TRIES, query, [digits(delivery_id)]))

    def claim(self, room: Claim, lease: timedelta) -> Sequence[Claimed]:
        """Claims what is due."""
        params = {
            "most": room.most,
            "known": [*map(digits, room.rooms)],
            "rooms": [*room.rooms.values()],
            "others": room.others,
            "failing": room.failing,
            "lease": lease,
        }
        # After a crash of the database the claim is void, and the message is sent again.
        self._db.execute("SET LOCAL synchronous_commit = off")
        with walking(self._db):  # The planner may know nothing yet of a queue that just grew.
            taken = fetch(self._db, _DELIVERIES, CLAIM, params)
        if not taken:
            return ()
        query = f"{SELECT_WEBHOOKS} WHERE webhook_id = ANY(%s::uuid[])"
        ids = list({digits(delivery.webhook_id) for delivery in taken})
        webhooks = {w.webhook_id: w for w in fetch(self._db, WEBHOOKS, query, [ids])}
        events = numbered_events(self._db, [delivery.sequence for delivery in taken])
        taken.sort(key=lambda delivery: (delivery.created_at, delivery.delivery_id))
        return [Claimed(d, webhooks[d.webhook_id], events.get(d.sequence)) for d in taken]

    def give_back(self, deliveries: Collection[Delivery]) -> None:
        """Ends these claims."""
        self._db.execute(
            """
            UPDATE webhook_deliveries AS d
            SET status = 'pending', due_at = now()
            FROM unnest(%s::uuid[], %s::integer[]) AS given (delivery_id, claims)
            WHERE d.delivery_id = given.delivery_id AND d.claims = given.claims
              AND d.status = 'sending'
            """,
            [[digits(d.delivery_id) for d in deliveries], [d.claims for d in deliveries]],
        )

    def record(self, judged: Collection[Judged]) -> frozenset[str]:
        """Keeps what became of them, and logs it."""
        if not judged:
            return frozenset()
        columns = zip(*map(_outcome, judged), strict=True)
        self._db.execute("SET LOCAL synchronous_commit = off")  # As for claims.
        rows = self._db.execute(_RECORD, [list(column) for column in columns]).fetchall()
        return frozenset(f"dlv_{delivery_id.hex}" for (delivery_id,) in rows)

    def redeliver(
        self, query: DeliveryQuery, after: str, until: str, most: int
    ) -> tuple[int, str | None]:
        """Queues them again."""
        condition, params = where(
            [
                *_conditions(query),
                ("status NOT IN ('pending', 'sending')", []),
                *asked("delivery_id > %s", digits(after) if after else None),
                ("delivery_id <= %s", [digits(until)]),
            ]
        )
        chosen = sql.SQL("SELECT delivery_id FROM webhook_deliveries") + condition
        statement = (
            sql.SQL("WITH chosen AS (")
            + chosen
            + sql.SQL(
                """ ORDER BY delivery_id LIMIT %s FOR NO KEY UPDATE), again AS (
                UPDATE webhook_deliveries AS d
                SET status = 'pending', attempts_before = attempts, due_at = now(),
                    finished_at = NULL
                FROM chosen
                WHERE d.delivery_id = chosen.delivery_id
                RETURNING d.delivery_id
            )
            SELECT count(*), max(delivery_id::text) FROM again"""
            )
        )
        number, last = self._db.execute(statement, [*params, most]).fetchone() or (0, None)
        return number, last and f"dlv_{last.replace('-', '')}"

    def miss_left(self, at: datetime, most: int) -> int:
        """Marks what is left of others than active ones as missed."""
        return self._db.execute(
            """
            UPDATE webhook_deliveries AS d
            SET status = 'missed', due_at = NULL, finished_at = %s
            WHERE delivery_id = ANY(ARRAY(
                SELECT left_over.delivery_id
                FROM webhooks AS w
                CROSS JOIN LATERAL (
                    SELECT o.delivery_id
                    FROM webhook_deliveries AS o
                    WHERE o.webhook_id = w.webhook_id AND o.status IN ('pending', 'sending')
                      AND (o.status = 'pending' OR o.due_at <= now())
                    FOR NO KEY UPDATE OF o SKIP LOCKED
                ) AS left_over
                WHERE w.status <> 'active'
                LIMIT %s
            ))
            """,
            [at, most],
        ).rowcount

    def miss(self, webhook_id: str, at: datetime, most: int) -> int:
        """Marks them as missed."""
        return self._db.execute(
            """
            UPDATE webhook_deliveries AS d
            SET status = 'missed', due_at = NULL, finished_at = %s
            WHERE delivery_id IN (
                SELECT delivery_id
                FROM webhook_deliveries
                WHERE webhook_id = %s AND status = 'pending'
                LIMIT %s
                FOR NO KEY UPDATE SKIP LOCKED
            )
            """,
            [at, digits(webhook_id), most],
        ).rowcount

    def oldest_due(self) -> datetime | None:
        """When the one became due that has waited longest."""
        (oldest,) = self._db.execute(
            """
            SELECT min(first.due_at)
            FROM webhooks w
            CROSS JOIN LATERAL (
                SELECT due_at
                FROM webhook_deliveries d
                WHERE d.webhook_id = w.webhook_id AND d.status IN ('pending', 'sending')
                  AND d.due_at <= now()
                ORDER BY due_at
                LIMIT 1
            ) AS first
            WHERE w.status = 'active'
            """
        ).fetchone() or (None,)
        return oldest

    def forget(self, before: str, most: int) -> int:
        """Deletes the oldest, by arrays: joined, the planner may read the whole table for each."""
        return self._db.execute(FORGET, [digits(before), most]).rowcount


_ADD: Final = """
    INSERT INTO webhook_deliveries (delivery_id, webhook_id, partner_id, event_id, sequence, kind,
                                    subject, ordered, status, attempts, attempts_before, claims,
                                    created_at, due_at, finished_at)
    SELECT delivery_id, webhook_id, partner_id, event_id, sequence, kind, subject, ordered, status,
           0, 0, 0, created_at, CASE WHEN status = 'pending' THEN now() END, finished_at
    FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::text[],
                %s::text[], %s::boolean[], %s::text[], %s::timestamptz[], %s::timestamptz[])
         AS new (delivery_id, webhook_id, partner_id, event_id, sequence, kind, subject, ordered,
                 status, created_at, finished_at)
    ON CONFLICT (webhook_id, sequence) DO NOTHING"""

# By now(), which stays the same in a statement, an index can be read up to what is due.
CLAIM: Final = f"""
    WITH chosen AS MATERIALIZED (
        SELECT webhook_id, coalesce(known.room, %(others)s::integer) AS room
        FROM webhooks
        LEFT JOIN unnest(%(known)s::uuid[], %(rooms)s::integer[]) AS known (webhook_id, room)
            USING (webhook_id)
        WHERE status = 'active' AND (failing_since IS NOT NULL) = %(failing)s
    ),
    due AS (
        SELECT queue.delivery_id
        FROM chosen
        CROSS JOIN LATERAL (
            SELECT d.delivery_id, d.due_at
            FROM webhook_deliveries AS d
            WHERE d.webhook_id = chosen.webhook_id AND d.status IN ('pending', 'sending')
              AND d.due_at <= now()
              AND NOT (d.ordered AND EXISTS (
                  SELECT FROM webhook_deliveries AS earlier
                  WHERE earlier.webhook_id = d.webhook_id AND earlier.subject = d.subject
                    AND earlier.sequence < d.sequence AND earlier.ordered
                    AND earlier.status IN ('pending', 'sending')
              ))
            ORDER BY d.due_at, d.sequence
            LIMIT chosen.room
            FOR NO KEY UPDATE OF d SKIP LOCKED
        ) AS queue
        WHERE chosen.room > 0
        ORDER BY queue.due_at
        LIMIT %(most)s
    )
    UPDATE webhook_deliveries AS d
    SET status = 'sending', claims = d.claims + 1, due_at = clock_timestamp() + %(lease)s
    FROM due
    WHERE d.delivery_id = due.delivery_id
    RETURNING {_COLUMNS.replace("delivery_id,", "d.delivery_id,", 1)}"""  # noqa: S608 - the same

FORGET: Final = """
    WITH gone AS (
        DELETE FROM webhook_deliveries
        WHERE delivery_id = ANY(ARRAY(
            SELECT delivery_id
            FROM webhook_deliveries
            WHERE delivery_id < %s
            ORDER BY delivery_id
            LIMIT %s
        ))
          AND status NOT IN ('pending', 'sending')
        RETURNING delivery_id
    ),
    tries AS (
        DELETE FROM webhook_tries
        WHERE delivery_id = ANY(ARRAY(SELECT delivery_id FROM gone))
    )
    SELECT FROM gone"""

_RECORD: Final = """
    WITH judged AS (
        SELECT *
        FROM unnest(%s::uuid[], %s::integer[], %s::text[], %s::integer[], %s::interval[],
                    %s::timestamptz[], %s::integer[], %s::text[], %s::timestamptz[], %s::text[],
                    %s::jsonb[], %s::timestamptz[])
             AS judged (delivery_id, claims, status, attempts, pause, finished_at, http_status,
                        error, at, answer, seconds, next_at)
    ),
    done AS (
        UPDATE webhook_deliveries AS d
        SET status = judged.status, attempts = judged.attempts, due_at = now() + judged.pause,
            finished_at = judged.finished_at, http_status = judged.http_status,
            error = judged.error
        FROM judged
        WHERE d.delivery_id = judged.delivery_id AND d.claims = judged.claims
          AND d.status = 'sending'
        RETURNING d.delivery_id
    ),
    logged AS (
        INSERT INTO webhook_tries (delivery_id, number, at, http_status, error, answer, seconds,
                                   next_at)
        SELECT delivery_id, attempts, at, http_status, error, answer, seconds, next_at
        FROM judged
        JOIN done USING (delivery_id)
        ON CONFLICT (delivery_id, number) DO NOTHING
    )
    SELECT delivery_id FROM done"""


def _row(delivery: Delivery) -> tuple[Any, ...]:
    return (
        digits(delivery.delivery_id), digits(delivery.webhook_id),
        maybe_digits(delivery.partner_id), digits(delivery.event_id), delivery.sequence,
        delivery.kind, delivery.subject, delivery.ordered, delivery.status, delivery.created_at,
        delivery.finished_at,
    )  # fmt: skip


def _outcome(judged: Judged) -> tuple[Any, ...]:
    delivery, tried = judged.delivery, judged.tried
    pause = tried.next_at - tried.at if tried.next_at is not None else None
    return (
        digits(delivery.delivery_id), delivery.claims, delivery.status, delivery.attempts, pause,
        delivery.finished_at, delivery.http_status, delivery.error, tried.at, tried.answer,
        Jsonb(dict(tried.seconds)), tried.next_at,
    )  # fmt: skip


def _conditions(query: DeliveryQuery) -> list[Condition]:
    return [
        *own(query.partner_id),
        *asked("webhook_id = %s", maybe_digits(query.webhook_id)),
        *asked("status = %s", query.status),
        *asked("kind = %s", query.kind),
        *asked("event_id = %s", maybe_digits(query.event_id)),
        *asked("created_at >= %s", query.since),
        *asked("created_at < %s", query.until),
    ]
