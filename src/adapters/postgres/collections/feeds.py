"""Feeds in PostgreSQL, each read with its partner's name and its newest job."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from attrs import frozen

from adapters.postgres.collections.listing import Condition, ListById, asked, count
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_one,
    found,
    maybe_digits,
    params_of,
    rows_as,
)
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.feed import Feed, FeedQuery, LatestJob
from commerce_core.schema.fields import Mode


def _feed(row: dict[str, Any]) -> Feed:
    brief = LatestJob(
        row.pop("job_id"), row.pop("job_kind"), row.pop("job_status"), row.pop("job_outcome")
    )
    return Feed(**row, latest_job=brief if brief.job_id else None)


_FEEDS: Final = rows_as(_feed)

_FILE_NAMES: Final = rows_as(lambda row: (row["feed_id"], row["file_name"]))

_SELECT: Final = """
    SELECT f.feed_id, f.partner_id, p.partner_name, f.source_id, f.file_name, f.content_type,
           f.bytes, f.sha256, f.mode, f.status, f.received_at, f.snapshot_at, f.expected_rows,
           f.applied_at, f.returned, j.job_id, j.kind AS job_kind, j.status AS job_status,
           j.outcome AS job_outcome
    FROM feeds f
    JOIN partners p ON p.partner_id = f.partner_id
    LEFT JOIN LATERAL (
        SELECT job_id, kind, status, outcome
        FROM jobs
        WHERE jobs.feed_id = f.feed_id
        ORDER BY job_id DESC
        LIMIT 1
    ) j ON TRUE"""

_LIST: Final = ListById(_FEEDS, _SELECT, "f.feed_id", attrgetter("feed_id"))


@frozen
class Feeds:
    """Implements `commerce_core.ports.feeds.Feeds`."""

    _db: Connection

    def page(self, query: FeedQuery, after: Position | None, limit: int) -> Page[Feed]:
        """Pages of feeds."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: FeedQuery) -> int:
        """How many feeds fit."""
        return count(self._db, "feeds f", _conditions(query))

    def add(self, feed: Feed) -> None:
        """Keeps a new feed."""
        self._db.execute(
            """
            INSERT INTO feeds (partner_id, feed_id, source_id, file_name, content_type, bytes,
                               sha256, mode, status, received_at, snapshot_at, expected_rows,
                               applied_at, returned)
            VALUES (%(partner_id)s, %(feed_id)s, %(source_id)s, %(file_name)s, %(content_type)s,
                    %(bytes)s, %(sha256)s, %(mode)s, %(status)s, %(received_at)s, %(snapshot_at)s,
                    %(expected_rows)s, %(applied_at)s, %(returned)s)
            """,
            params_of(feed),
        )

    def put(self, feed: Feed) -> None:
        """Replaces a feed's status, mode, times and `returned`."""
        changed = self._db.execute(
            """
            UPDATE feeds
            SET status = %(status)s, mode = %(mode)s, snapshot_at = %(snapshot_at)s,
                applied_at = %(applied_at)s, returned = %(returned)s
            WHERE partner_id = %(partner_id)s AND feed_id = %(feed_id)s
            RETURNING feed_id
            """,
            params_of(feed),
        ).fetchone()
        found(changed, "feed", feed.feed_id)

    def get(self, feed_id: str) -> Feed:
        """The feed."""
        query = f"{_SELECT} WHERE f.feed_id = %s"
        return found(fetch_one(self._db, _FEEDS, query, [digits(feed_id)]), "feed", feed_id)

    def file_names(self, feed_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of these feeds' files."""
        query = "SELECT feed_id, file_name FROM feeds WHERE feed_id = ANY(%s::uuid[])"
        return dict(fetch(self._db, _FILE_NAMES, query, [[digits(id_) for id_ in feed_ids]]))

    def supersede(self, feed_ids: Iterable[str]) -> None:
        """Marks these feeds as superseded, except those that were applied."""
        self._db.execute(
            """
            UPDATE feeds
            SET status = 'superseded'
            WHERE feed_id = ANY(%s::uuid[]) AND applied_at IS NULL
            """,
            [[digits(feed_id) for feed_id in feed_ids]],
        )

    def newer(self, source_id: str, snapshot_at: datetime, limit: int) -> Sequence[Feed]:
        """The source's applied feeds that show a later moment."""
        query = f"""{_SELECT}
            WHERE f.source_id = %s AND f.status = 'applied' AND f.snapshot_at > %s
            ORDER BY f.mode = 'full' DESC, f.snapshot_at DESC, f.feed_id DESC
            LIMIT %s"""
        return fetch(self._db, _FEEDS, query, [digits(source_id), snapshot_at, limit])

    def baseline(self, source_id: str, mode: Mode) -> Feed | None:
        """The source's own last applied feed in that mode."""
        query = f"""{_SELECT}
            WHERE f.source_id = %s AND f.mode = %s AND f.status = 'applied'
              AND f.returned IS NULL
            ORDER BY f.snapshot_at DESC, f.feed_id DESC
            LIMIT 1"""
        return fetch_one(self._db, _FEEDS, query, [digits(source_id), mode])


def _conditions(query: FeedQuery) -> list[Condition]:
    return [
        *asked("f.partner_id = %s", maybe_digits(query.partner_id)),
        *asked("f.source_id = %s", maybe_digits(query.source_id)),
        *asked("f.status = %s", query.status),
        *asked("f.received_at >= %s", query.received_from),
        *asked("f.received_at < %s", query.received_to),
    ]
