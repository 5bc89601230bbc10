"""Causes that need a person, and marks, in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from adapters.postgres.connection.rows import (
    Connection,
    fetch,
    maybe_digits,
    named,
    params_of,
    rows_of,
)
from commerce_core.activity.inbox import Failures, Mark, RejectCounts

_FAILURES: Final = rows_of(Failures, latest_feed_id=named("feed"))
_REJECTS: Final = rows_of(RejectCounts)
_MARKS: Final = rows_of(Mark)


@frozen
class Causes:
    """Implements `commerce_core.ports.inbox.Causes`."""

    _db: Connection

    def failures(self, partner_id: str | None, since: datetime, limit: int) -> Sequence[Failures]:
        """The failures that nothing has replaced, by source and code."""
        return fetch(
            self._db,
            _FAILURES,
            """
            WITH failed AS (
                SELECT j.partner_id, f.source_id, j.feed_id, j.finished_at AS at,
                       j.error ->> 'code' AS code, j.error ->> 'message' AS message
                FROM jobs j
                JOIN feeds f ON f.partner_id = j.partner_id AND f.feed_id = j.feed_id
                WHERE j.status = 'failed' AND j.finished_at >= %(since)s AND j.kind = 'ingest'
                  AND j.error IS NOT NULL AND f.status IN ('failed', 'rejected')
                  AND (%(partner_id)s::uuid IS NULL OR j.partner_id = %(partner_id)s::uuid)
            ),
            -- Looked up once for each source, however many of its feeds have failed.
            applied AS (
                SELECT s.source_id, latest.feed_id
                FROM (SELECT DISTINCT source_id FROM failed) AS s
                CROSS JOIN LATERAL (
                    SELECT feed_id
                    FROM feeds
                    WHERE source_id = s.source_id AND status = 'applied'
                    ORDER BY feed_id DESC
                    LIMIT 1
                ) AS latest
            )
            SELECT partner_id, source_id, code, count(DISTINCT feed_id) AS count,
                   min(at) AS first_at, max(at) AS latest_at,
                   (array_agg(feed_id ORDER BY at DESC, feed_id DESC))[1] AS latest_feed_id,
                   (array_agg(message ORDER BY at DESC, feed_id DESC))[1] AS message
            FROM failed
            WHERE NOT EXISTS (
                SELECT
                FROM applied
                WHERE applied.source_id = failed.source_id AND applied.feed_id > failed.feed_id
            )
            GROUP BY partner_id, source_id, code
            ORDER BY latest_at DESC, source_id DESC, code DESC
            LIMIT %(limit)s
            """,
            {"partner_id": maybe_digits(partner_id), "since": since, "limit": limit},
        )

    def rejects(self, partner_id: str | None, recent: int) -> Sequence[RejectCounts]:
        """What the latest ingest of each source rejected."""
        return fetch(
            self._db,
            _REJECTS,
            """
            WITH recent AS (
                SELECT job_id, feed_id, partner_id, created_at, finished_at, outcome,
                       (summary ->> 'records_read')::bigint - (summary ->> 'blank')::bigint
                           AS records,
                       (summary ->> 'rejected')::bigint AS rejected
                FROM jobs
                WHERE status = 'completed' AND kind = 'ingest' AND summary IS NOT NULL
                  AND (%(partner_id)s::uuid IS NULL OR partner_id = %(partner_id)s::uuid)
                ORDER BY job_id DESC
                LIMIT %(recent)s
            ),
            counted AS (
                SELECT r.*, f.source_id,
                       row_number() OVER (PARTITION BY f.source_id ORDER BY r.job_id DESC) AS n
                FROM recent r
                JOIN feeds f ON f.partner_id = r.partner_id AND f.feed_id = r.feed_id
                WHERE r.outcome IS DISTINCT FROM 'superseded' AND f.status = 'applied'
            )
            SELECT partner_id, source_id, (array_agg(feed_id ORDER BY n))[1] AS feed_id,
                   (array_agg(coalesce(finished_at, created_at) ORDER BY n))[1] AS at,
                   (array_agg(records ORDER BY n))[1] AS records,
                   (array_agg(rejected ORDER BY n))[1] AS rejected,
                   coalesce(sum(records) FILTER (WHERE n > 1), 0)::bigint AS records_before,
                   coalesce(sum(rejected) FILTER (WHERE n > 1), 0)::bigint AS rejected_before
            FROM counted
            GROUP BY partner_id, source_id
            ORDER BY source_id
            """,
            {"partner_id": maybe_digits(partner_id), "recent": recent},
        )

    def oversold(
        self, partner_id: str | None, since: datetime, limit: int
    ) -> Mapping[str, tuple[datetime, datetime]]:
        """The products that recent events name."""
        rows = self._db.execute(
            """
            SELECT product ->> 'product_id', min(occurred_at), max(occurred_at)
            FROM (
                SELECT occurred_at, data
                FROM events
                WHERE kind = 'stock.oversold' AND occurred_at >= %(since)s
                  AND (%(partner_id)s::uuid IS NULL OR %(partner_id)s::uuid = ANY(partner_ids))
                ORDER BY occurred_at DESC, event_id DESC
                LIMIT %(limit)s
            ) AS recent
            CROSS JOIN LATERAL jsonb_array_elements(data -> 'products') AS named (product)
            GROUP BY 1
            """,
            {"partner_id": maybe_digits(partner_id), "since": since, "limit": limit},
        ).fetchall()
        return {product_id: (first, latest) for product_id, first, latest in rows}

    def marks(self, owner: str, cause_ids: Iterable[str]) -> Mapping[str, Mark]:
        """The marks of these items."""
        rows = fetch(
            self._db,
            _MARKS,
            """
            SELECT owner, cause_id, actor, at, acknowledged, snoozed_until, assignee, note
            FROM inbox_marks
            WHERE owner = %s AND cause_id = ANY(%s)
            """,
            [owner, list(cause_ids)],
        )
        return {mark.cause_id: mark for mark in rows}

    def put(self, mark: Mark) -> None:
        """Keeps a mark."""
        self._db.execute(
            """
            INSERT INTO inbox_marks (owner, cause_id, actor, at, acknowledged, snoozed_until,
                                     assignee, note)
            VALUES (%(owner)s, %(cause_id)s, %(actor)s, %(at)s, %(acknowledged)s,
                    %(snoozed_until)s, %(assignee)s, %(note)s)
            ON CONFLICT (owner, cause_id) DO UPDATE
            SET actor = excluded.actor, at = excluded.at, acknowledged = excluded.acknowledged,
                snoozed_until = excluded.snoozed_until, assignee = excluded.assignee,
                note = excluded.note
            """,
            params_of(mark),
        )
