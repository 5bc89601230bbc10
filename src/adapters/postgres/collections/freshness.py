"""Arrivals, and the standings of sources, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, cast

from attrs import fields, frozen

from adapters.postgres.connection.documents import read_as
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    maybe_digits,
    named,
    params_of,
    rows_as,
    rows_of,
)
from commerce_core.feeds.arrival import Arrival
from commerce_core.feeds.freshness import LateSource, Standing, Watched
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.feeds.rhythm import LEARNED_FROM
from commerce_core.feeds.schedule import Schedule
from commerce_core.feeds.scorecard import FeedCounts
from commerce_core.partners.freshness_states import State

_ARRIVALS: Final = rows_of(Arrival)
_COUNTS: Final = rows_of(FeedCounts)
_SELECT_ARRIVALS: Final = """
    SELECT feed_id, source_id, partner_id, at, mode, sha256, records, products, verdict, reverted
    FROM arrivals"""
_STANDING: Final = tuple(attribute.name for attribute in fields(Standing))
_JUDGED: Final = (
    "expected_at", "expected_by", "stale_at", "basis", "cron", "every", "time_zone", "grace",
    "confidence", "judged_at",
)  # fmt: skip
_TYPES: Final[Mapping[str, LiteralString]] = {
    "basis": "text", "cron": "text", "every": "interval", "time_zone": "text", "grace": "interval",
    "confidence": "numeric",
}  # fmt: skip


# Names of the schema.
def _columns(row: LiteralString) -> LiteralString:
    return cast("LiteralString", ", ".join(f'{row}."{name}"' for name in _STANDING))


_WATCHED: Final[LiteralString] = (
    "SELECT "  # noqa: S608 - names of the schema
    """
           s.source_id AS id, s.partner_id AS owner, s.created_at, s.expected,
           s.stop_selling_after, partners.time_zone AS zone, partners.status AS partner_status,
           p.cron AS pull_cron, p.time_zone AS pull_zone, needs.judging AS needs_judging,
           CASE WHEN needs.judging THEN ARRAY(
               SELECT a.at
               FROM arrivals a
               WHERE a.source_id = s.source_id AND a.at > f.last_fresh_at - %(learned_from)s
                     AND a.verdict = 'fresh' AND NOT a.reverted
               ORDER BY a.at
           ) END AS arrivals, """
    + _columns("f")
    + """
    FROM sources s
    JOIN partners ON partners.partner_id = s.partner_id
    LEFT JOIN source_freshness f ON f.source_id = s.source_id
    LEFT JOIN pulls p ON p.source_id = s.source_id
    CROSS JOIN LATERAL (
        SELECT f.judged_at IS NULL OR coalesce(p.updated_at > f.judged_at, FALSE)
               OR (f.basis IS NOT DISTINCT FROM 'schedule' AND p.cron IS NULL) AS judging
        OFFSET 0
    ) AS needs"""
)


def _watched(row: dict[str, Any]) -> Watched:
    of_source = {
        "source_id": row.pop("id"), "partner_id": row.pop("owner"), "since": row.pop("created_at"),
    }  # fmt: skip
    pull_cron, pull_zone = row.pop("pull_cron"), row.pop("pull_zone")
    settings: dict[str, Any] = {
        "expected": row.pop("expected"),
        "stop_selling_after": row.pop("stop_selling_after"),
        "time_zone": row.pop("zone"),
        "is_active": row.pop("partner_status") == "active",
        "needs_judging": row.pop("needs_judging"),
        "arrivals": tuple(row.pop("arrivals") or ()),
    }
    # Without a standing of its own, all its columns are NULL.
    kept = {name: row[name] for name in _STANDING if row[name] is not None}
    schedule = None if pull_cron is None else Schedule(pull_cron, pull_zone)
    return Watched(Standing(**{**of_source, **kept}), schedule=schedule, **settings)


_WATCHED_ROWS: Final = rows_as(
    _watched, expected=read_as(Expected), id=named("src"), owner=named("ptn")
)
_LATE_ROWS: Final = rows_as(
    lambda row: LateSource(
        Standing(**{name: row[name] for name in _STANDING}), row["source_name"], row["partner_name"]
    )
)
_SELECT_LATE: Final[LiteralString] = (
    "SELECT "  # noqa: S608 - names of the schema
    + _columns("f")
    + """, s.source_name, partners.partner_name
    FROM source_freshness f
    JOIN sources s ON s.source_id = f.source_id
    JOIN partners ON partners.partner_id = f.partner_id"""
)


@frozen
class Arrivals:
    """Implements `commerce_core.ports.freshness.Arrivals`."""

    _db: Connection

    def before(self, feed_id: str, source_id: str, limit: int) -> Sequence[Arrival]:
        """The others of the source, newest first."""
        query = f"""{_SELECT_ARRIVALS}
            WHERE source_id = %s AND feed_id <> %s AND NOT reverted
            ORDER BY at DESC, feed_id DESC
            LIMIT %s"""
        return fetch(self._db, _ARRIVALS, query, [digits(source_id), digits(feed_id), limit])

    def add(self, arrival: Arrival) -> None:
        """Keeps it, and what its source's standing is now."""
        self._db.execute(
            """
            INSERT INTO arrivals (feed_id, source_id, partner_id, at, mode, sha256, records,
                                  products, verdict, reverted)
            VALUES (%(feed_id)s, %(source_id)s, %(partner_id)s, %(at)s, %(mode)s, %(sha256)s,
                    %(records)s, %(products)s, %(verdict)s, %(reverted)s)
            ON CONFLICT (feed_id) DO UPDATE
            SET records = excluded.records, products = excluded.products,
                verdict = excluded.verdict, reverted = excluded.reverted
            """,
            params_of(arrival),
        )
        self._update(digits(arrival.source_id), arrival.products)

    def mark(self, feed_id: str, *, reverted: bool) -> None:
        """Keeps whether it is reverted."""
        marked = self._db.execute(
            "UPDATE arrivals SET reverted = %s WHERE feed_id = %s RETURNING source_id",
            [reverted, digits(feed_id)],
        ).fetchone()
        if marked is not None:
            self._update(marked[0], None)

    def _update(self, source_id: object, products: int | None) -> None:
        self._db.execute(
            """
            INSERT INTO source_freshness AS f (source_id, partner_id, since, last_fresh_at,
                                               last_feed_id, products)
            SELECT s.source_id, s.partner_id, s.created_at, latest.at, latest.feed_id,
                   %(products)s::bigint
            FROM sources s
            LEFT JOIN LATERAL (
                SELECT at, feed_id
                FROM arrivals
                WHERE source_id = s.source_id AND verdict = 'fresh' AND NOT reverted
                ORDER BY at DESC, feed_id DESC
                LIMIT 1
            ) AS latest ON TRUE
            WHERE s.source_id = %(source_id)s
            ON CONFLICT (source_id) DO UPDATE
            SET last_fresh_at = excluded.last_fresh_at, last_feed_id = excluded.last_feed_id,
                products = coalesce(excluded.products, f.products), judged_at = NULL
            """,
            {"source_id": source_id, "products": products},
        )

    def between(self, partner_id: str, since: datetime, until: datetime) -> Sequence[Arrival]:
        """The partner's, oldest first."""
        query = f"""{_SELECT_ARRIVALS}
            WHERE partner_id = %s AND at >= %s AND at < %s
            ORDER BY at, feed_id"""
        return fetch(self._db, _ARRIVALS, query, [digits(partner_id), since, until])

    def counts(self, partner_id: str, bounds: Sequence[datetime]) -> Sequence[FeedCounts]:
        """What became of feeds, by source and week."""
        return fetch(
            self._db,
            _COUNTS,
            """
            WITH sent AS (
                SELECT source_id, status, width_bucket(received_at, %(bounds)s::timestamptz[]) - 1
                       AS week, done.held, done.summary
                FROM feeds f
                CROSS JOIN LATERAL (
                    SELECT bool_or(status = 'held' OR decision IS NOT NULL) AS held,
                           (array_agg(summary ORDER BY job_id DESC)
                                FILTER (WHERE summary IS NOT NULL))[1] AS summary
                    FROM jobs
                    WHERE feed_id = f.feed_id AND kind = 'ingest'
                ) AS done
                WHERE partner_id = %(partner_id)s
                      AND received_at >= %(since)s AND received_at < %(until)s
            )
            SELECT source_id, week, count(*) AS received,
                   count(*) FILTER (WHERE held) AS held,
                   count(*) FILTER (WHERE status = 'rejected') AS rejected,
                   count(*) FILTER (WHERE status = 'failed') AS failed,
                   coalesce(sum((summary ->> 'records_read')::bigint
                                - (summary ->> 'blank')::bigint), 0)::bigint AS records,
                   coalesce(sum((summary ->> 'rejected')::bigint), 0)::bigint AS records_rejected,
                   count(*) FILTER (WHERE jsonb_array_length(summary -> 'drift') > 0) AS drifted
            FROM sent
            GROUP BY source_id, week
            """,
            {
                "partner_id": digits(partner_id),
                "bounds": list(bounds),
                "since": bounds[0],
                "until": bounds[-1],
            },
        )

    def forget(self, before: datetime, most: int) -> int:
        """Deletes old ones."""
        return self._db.execute(
            """
            DELETE FROM arrivals
            WHERE feed_id = ANY(ARRAY(
                SELECT feed_id FROM arrivals WHERE at < %s ORDER BY at LIMIT %s
            ))
            """,
            [before, most],
        ).rowcount


@frozen
class Standings:
    """Implements `commerce_core.ports.freshness.Standings`."""

    _db: Connection

    def watched(self, source_ids: Sequence[str]) -> Sequence[Watched]:
        """These sources."""
        return self._watched("s.source_id = ANY(%(ids)s::uuid[])", source_ids)

    def of_partners(self, partner_ids: Sequence[str]) -> Sequence[Watched]:
        """All of these partners."""
        return self._watched("s.partner_id = ANY(%(ids)s::uuid[])", partner_ids)

    def _watched(self, condition: LiteralString, ids: Sequence[str]) -> Sequence[Watched]:
        params = {"ids": [digits(id_) for id_ in ids], "learned_from": LEARNED_FROM}
        query: LiteralString = _WATCHED + " WHERE " + condition
        return fetch(self._db, _WATCHED_ROWS, query, params)

    def to_judge(self, most: int) -> Sequence[Watched]:
        """Those that need judging, locked."""
        waiting = self._db.execute(
            """
            SELECT s.source_id, f.source_id IS NULL
            FROM sources s
            LEFT JOIN source_freshness f ON f.source_id = s.source_id
            LEFT JOIN pulls p ON p.source_id = s.source_id
            WHERE f.judged_at IS NULL OR p.updated_at > f.judged_at
                  OR (f.basis IS NOT DISTINCT FROM 'schedule' AND p.cron IS NULL)
            LIMIT %s
            """,
            [most],
        ).fetchall()
        if not waiting:
            return []
        self._add([source_id for source_id, is_new in waiting if is_new])
        params = {"ids": [source_id for source_id, _ in waiting], "learned_from": LEARNED_FROM}
        query: LiteralString = (
            _WATCHED
            + """
            WHERE f.source_id = ANY(%(ids)s::uuid[]) AND needs.judging
            FOR UPDATE OF f SKIP LOCKED"""
        )
        return fetch(self._db, _WATCHED_ROWS, query, params)

    def _add(self, source_ids: Sequence[object]) -> None:
        """Stores a standing for sources that have none."""
        if source_ids:
            self._db.execute(
                """
                INSERT INTO source_freshness (source_id, partner_id, since)
                SELECT source_id, partner_id, created_at
                FROM sources
                WHERE source_id = ANY(%s::uuid[])
                ON CONFLICT (source_id) DO NOTHING
                """,
                [list(source_ids)],
            )

    def judge(self, standings: Sequence[Standing]) -> None:
        """Stores what is expected of all of them at once."""
        names = ", ".join(f'"{name}"' for name in _JUDGED)
        lists = ", ".join(f"%s::{_TYPES.get(name, 'timestamptz')}[]" for name in _JUDGED)
        values = ", ".join(f'"{name}" = n."{name}"' for name in _JUDGED)
        query = f"""
            UPDATE source_freshness f
            SET {values}
            FROM unnest(%s::uuid[], {lists}) AS n (source_id, {names})
            WHERE f.source_id = n.source_id"""  # noqa: S608 - names of the schema
        self._db.execute(
            cast("LiteralString", query),
            [
                [digits(standing.source_id) for standing in standings],
                *([getattr(standing, name) for standing in standings] for name in _JUDGED),
            ],
        )

    def rejudge(
        self, *, partner_id: str | None = None, source_id: str | None = None,
        since: datetime | None = None,
    ) -> None:  # fmt: skip
        """Takes judgements back."""
        self._db.execute(
            """
            INSERT INTO source_freshness AS f (source_id, partner_id, since)
            SELECT source_id, partner_id, coalesce(%(since)s, created_at)
            FROM sources
            WHERE source_id = %(source_id)s OR partner_id = %(partner_id)s
            ON CONFLICT (source_id) DO UPDATE
            SET judged_at = NULL, since = coalesce(%(since)s, f.since)
            """,
            {
                "since": since,
                "source_id": maybe_digits(source_id),
                "partner_id": maybe_digits(partner_id),
            },
        )

    def to_announce(self, now: datetime, most: int) -> Sequence[LateSource]:
        """Those that are out of step, locked."""
        query: LiteralString = (
            _SELECT_LATE  # noqa: S608 - our own text
            + """
            WHERE f.source_id = ANY(ARRAY(
                (SELECT source_id
                 FROM source_freshness
                 WHERE least(expected_by, stale_at) <= %(now)s AND late_since IS NULL)
                UNION ALL
                (SELECT source_id
                 FROM source_freshness
                 WHERE late_since IS NOT NULL
                       AND (least(expected_by, stale_at) <= %(now)s) IS NOT TRUE)
                LIMIT %(most)s
            ))
            FOR UPDATE OF f SKIP LOCKED"""
        )
        return fetch(self._db, _LATE_ROWS, query, {"now": now, "most": most})

    def announce(self, late_since: Mapping[str, datetime | None]) -> None:
        """Stores the streaks."""
        self._db.execute(
            """
            UPDATE source_freshness f
            SET late_since = n.late_since
            FROM unnest(%s::uuid[], %s::timestamptz[]) AS n (source_id, late_since)
            WHERE f.source_id = n.source_id
            """,
            [[digits(source_id) for source_id in late_since], list(late_since.values())],
        )

    def late(self, partner_id: str | None, now: datetime, most: int) -> Sequence[LateSource]:
        """Those that are late."""
        query: LiteralString = (
            _SELECT_LATE
            + """
            WHERE least(f.expected_by, f.stale_at) <= %(now)s
                  AND (%(partner_id)s::uuid IS NULL OR f.partner_id = %(partner_id)s::uuid)
            ORDER BY least(f.expected_by, f.stale_at), f.source_id
            LIMIT %(most)s"""
        )
        params = {"now": now, "partner_id": maybe_digits(partner_id), "most": most}
        return fetch(self._db, _LATE_ROWS, query, params)

    def counts(self, now: datetime) -> Mapping[State, int]:
        """How many there are, counted in one statement."""
        rows = self._db.execute(
            """
            SELECT CASE
                       WHEN stale_at <= %(now)s THEN 'stale'
                       WHEN expected_by IS NULL THEN 'unknown'
                       WHEN expected_by <= %(now)s THEN 'late'
                       ELSE 'fresh'
                   END AS state,
                   count(*)
            FROM source_freshness
            GROUP BY state
            """,
            {"now": now},
        ).fetchall()
        return dict(rows)

    def remove(self, source_id: str) -> None:
        """Deletes a source's."""
        self._db.execute("DELETE FROM source_freshness WHERE source_id = %s", [digits(source_id)])
        self._db.execute("DELETE FROM arrivals WHERE source_id = %s", [digits(source_id)])
