"""Where sources are fetched from in PostgreSQL, and their fetches, tick by tick."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from attrs import frozen

from adapters.postgres.collections.listing import Condition, ListById, asked, count
from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_by_id,
    fetch_one,
    maybe_digits,
    params_of,
    rows_of,
)
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.backfill import Backfill
from commerce_core.feeds.job import JobError
from commerce_core.feeds.place import PLACE_SETTINGS, Place, place_of
from commerce_core.feeds.pull import Fetch, FetchQuery, Pull
from commerce_core.feeds.remote_file import PulledFile
from commerce_core.work.attempt import Progress
from commerce_core.work.task import TaskKind, lane_of

_PULLS: Final = rows_of(
    Pull, place=lambda settings: place_of(**settings), queue_error=read_as(JobError)
)
_SELECT: Final = """
    SELECT source_id, partner_id, coalesce(settings, '{}') || jsonb_build_object('url', url)
           AS place, username, sealed, cron, time_zone, due_at, etag, last_modified, sha256,
           queue_error, updated_at
    FROM pulls"""
_FETCHES: Final = rows_of(
    Fetch, error=read_as(JobError), progress=read_as(Progress), backfill=read_as(Backfill)
)
_SELECT_FETCHES: Final = """
    SELECT fetch_id, source_id, partner_id, cause, due_at, created_at, missed, outcome, feed_id,
           bytes, error, finished_at, tries, feeds, refused, waiting, progress, backfill
    FROM (
        SELECT f.fetch_id, f.source_id, f.partner_id, f.cause, f.due_at, f.created_at, f.missed,
               f.outcome, f.feed_id, f.bytes, f.error, f.finished_at,
               greatest(f.feeds, (f.feed_id IS NOT NULL)::int) AS feeds, f.refused, f.waiting,
               f.backfill,
               coalesce(t.attempts, f.tries) AS tries,
               coalesce(t.progress, '{}') AS progress
        FROM fetches f
        LEFT JOIN tasks t
          ON f.outcome IS NULL AND t.kind IN ('fetch', 'backfill')
             AND t.subject = 'ftch_' || replace(f.fetch_id::text, '-', '')
    ) AS fetches"""
_LIST: Final = ListById(_FETCHES, _SELECT_FETCHES, "fetch_id", attrgetter("fetch_id"))


@frozen
class Pulls:
    """Implements `commerce_core.ports.pulls.Pulls`."""

    _db: Connection

    def put(self, pull: Pull) -> None:
        """Keeps it."""
        self._db.execute(
            """
            INSERT INTO pulls (source_id, partner_id, url, settings, username, sealed, cron,
                               time_zone, due_at, etag, last_modified, sha256, queue_error,
                               host, updated_at)
            VALUES (%(source_id)s, %(partner_id)s, %(url)s, %(settings)s, %(username)s, %(sealed)s,
                    %(cron)s, %(time_zone)s, %(due_at)s, %(etag)s, %(last_modified)s, %(sha256)s,
                    %(queue_error)s, %(host)s, %(updated_at)s)
            ON CONFLICT (source_id) DO UPDATE
            SET url = excluded.url, settings = excluded.settings, username = excluded.username,
                sealed = excluded.sealed, cron = excluded.cron, time_zone = excluded.time_zone,
                due_at = excluded.due_at, etag = excluded.etag,
                last_modified = excluded.last_modified, sha256 = excluded.sha256,
                queue_error = excluded.queue_error, host = excluded.host,
                updated_at = excluded.updated_at
            """,
            params_of(pull)
            | {
                "place": None,
                "url": pull.url,
                "settings": document(_settings(pull.place)),
                "queue_error": document(pull.queue_error),
                "host": pull.place.host,
            },
        )

    def get(self, source_id: str) -> Pull | None:
        """Where the source is fetched from."""
        return fetch_one(self._db, _PULLS, f"{_SELECT} WHERE source_id = %s", [digits(source_id)])

    def lock(self, source_id: str) -> Pull | None:
        """The same, locked."""
        query = f"{_SELECT} WHERE source_id = %s FOR UPDATE"
        return fetch_one(self._db, _PULLS, query, [digits(source_id)])

    def remove(self, source_id: str) -> None:
        """Deletes it."""
        self._db.execute("DELETE FROM pulls WHERE source_id = %s", [digits(source_id)])

    def remove_of(self, partner_id: str) -> Sequence[str]:
        """Deletes a partner's."""
        query = "DELETE FROM pulls WHERE partner_id = %s RETURNING source_id"
        rows = self._db.execute(query, [digits(partner_id)]).fetchall()
        return [f"src_{source_id.hex}" for (source_id,) in rows]

    def due(self, most: int) -> tuple[datetime, Sequence[Pull]]:
        """What is due, longest first."""
        (now,) = self._db.execute("SELECT clock_timestamp()").fetchall()[0]
        query = f"""{_SELECT}
            WHERE due_at <= %s
            ORDER BY due_at
            LIMIT %s
            FOR UPDATE SKIP LOCKED"""
        return now, fetch(self._db, _PULLS, query, [now, most])

    def watched(self, most: int) -> Sequence[Pull]:
        """Those with a queue."""
        query = f"{_SELECT} WHERE settings ? 'queue_url' ORDER BY source_id LIMIT %s"
        return fetch(self._db, _PULLS, query, [most])

    def advance(self, due_at: Mapping[str, datetime | None]) -> None:
        """Sets the next ticks."""
        self._db.execute(
            """
            UPDATE pulls p
            SET due_at = n.due_at
            FROM unnest(%s::uuid[], %s::timestamptz[]) AS n (source_id, due_at)
            WHERE p.source_id = n.source_id
            """,
            [[digits(source_id) for source_id in due_at], list(due_at.values())],
        )


@frozen
class Fetches:
    """Implements `commerce_core.ports.pulls.Fetches`."""

    _db: Connection

    def page(self, query: FetchQuery, after: Position | None, limit: int) -> Page[Fetch]:
        """Pages of fetches."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: FetchQuery) -> int:
        """How many fetches fit."""
        return count(self._db, "fetches", _conditions(query))

    def add(self, fetches: Sequence[Fetch]) -> Sequence[Fetch]:
        """Keeps new fetches, and adds their tasks."""
        added = self._db.execute(
            """
            INSERT INTO fetches (fetch_id, source_id, partner_id, cause, due_at, created_at, missed,
                                 backfill, outcome, finished_at)
            SELECT n.fetch_id, n.source_id, n.partner_id, n.cause, n.due_at, n.created_at, n.missed,
                   n.backfill, CASE WHEN u.source_id IS NOT NULL THEN 'skipped' END,
                   CASE WHEN u.source_id IS NOT NULL THEN n.created_at END
            FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[],
                        %s::timestamptz[], %s::int[], %s::jsonb[])
                 AS n (fetch_id, source_id, partner_id, cause, due_at, created_at, missed,
                       backfill)
            LEFT JOIN fetches u ON u.source_id = n.source_id AND u.outcome IS NULL
            ON CONFLICT (source_id, due_at) DO NOTHING
            RETURNING fetch_id, outcome, backfill IS NOT NULL
            """,
            [
                [digits(f.fetch_id) for f in fetches],
                [digits(f.source_id) for f in fetches],
                [digits(f.partner_id) for f in fetches],
                [f.cause for f in fetches],
                [f.due_at for f in fetches],
                [f.created_at for f in fetches],
                [f.missed for f in fetches],
                [document(f.backfill) for f in fetches],
            ],
        ).fetchall()
        for kind in ("fetch", "backfill"):
            is_backfill = kind == "backfill"
            self._add_tasks(
                kind, [id_ for id_, end, is_ in added if not end and is_ == is_backfill]
            )
        ids = [fetch_id for fetch_id, *_ in added]
        query = f"{_SELECT_FETCHES} WHERE fetch_id = ANY(%s) ORDER BY fetch_id"
        return fetch(self._db, _FETCHES, query, [ids])

    def _add_tasks(self, kind: TaskKind, fetch_ids: Sequence[object]) -> None:
        if not fetch_ids:
            return
        self._db.execute(
            """
            INSERT INTO tasks (lane, kind, subject, status, due_at, lease_expires_at, attempts,
                               progress)
            SELECT %(lane)s, %(kind)s, 'ftch_' || replace(fetch_id::text, '-', ''), 'queued',
                   clock_timestamp(), clock_timestamp(), 0, %(no_progress)s
            FROM unnest(%(ids)s::uuid[]) AS n (fetch_id)
            ON CONFLICT (kind, subject) DO NOTHING
            """,
            {
                "lane": lane_of(kind),
                "kind": kind,
                "ids": list(fetch_ids),
                "no_progress": document(Progress()),
            },
        )

    def get(self, fetch_id: str) -> Fetch:
        """The fetch."""
        query = f"{_SELECT_FETCHES} WHERE fetch_id = %s"
        return fetch_by_id(self._db, _FETCHES, query, "fetch", fetch_id)

    def unfinished(self, source_id: str) -> Fetch | None:
        """The source's fetch under way."""
        query = f"{_SELECT_FETCHES} WHERE source_id = %s AND outcome IS NULL"
        return fetch_one(self._db, _FETCHES, query, [digits(source_id)])

    def finish(self, fetch: Fetch) -> None:
        """Keeps its end."""
        self._db.execute(
            """
            UPDATE fetches
            SET outcome = %(outcome)s, feed_id = %(feed_id)s, bytes = %(bytes)s,
                error = %(error)s, finished_at = %(finished_at)s, tries = %(tries)s,
                feeds = %(feeds)s, refused = %(refused)s, waiting = %(waiting)s
            WHERE fetch_id = %(fetch_id)s
            """,
            params_of(fetch) | {"error": document(fetch.error), "progress": None, "backfill": None},
        )


def _settings(place: Place) -> dict[str, Any] | None:
    """What the place takes beside its URL, without what is at its default."""
    settings = {name: getattr(place, name, None) for name in PLACE_SETTINGS}
    return {name: value for name, value in settings.items() if value not in (None, ())} or None


_FILES: Final = rows_of(PulledFile, error=read_as(JobError))
_SELECT_FILES: Final = """
    SELECT source_id, partner_id, path, version, state, seen_at, size, modified_at, fetch_id,
           feed_id, sha256, error
    FROM pulled_files"""


@frozen
class PulledFiles:
    """Implements `commerce_core.ports.pulls.PulledFiles`."""

    _db: Connection

    def of(self, source_id: str, paths: Sequence[str]) -> Sequence[PulledFile]:
        """What is known of these paths."""
        query = f"{_SELECT_FILES} WHERE source_id = %s AND path = ANY(%s)"
        return fetch(self._db, _FILES, query, [digits(source_id), list(paths)])

    def see(self, files: Sequence[PulledFile]) -> None:
        """Keeps what is new, and forgets other versions that were only seen."""
        if not files:
            return
        self._db.execute(
            """
            WITH seen AS (
                SELECT n.path, n.version, n.seen_at, n.size, n.modified_at
                FROM unnest(%(path)s::text[], %(version)s::text[], %(seen_at)s::timestamptz[],
                            %(size)s::bigint[], %(modified_at)s::timestamptz[])
                     AS n (path, version, seen_at, size, modified_at)
            ), forgotten AS (
                DELETE FROM pulled_files f
                USING seen n
                WHERE f.source_id = %(source_id)s AND f.path = n.path AND f.version <> n.version
                      AND f.state = 'seen'
            )
            INSERT INTO pulled_files (source_id, partner_id, path, version, state, seen_at, size,
                                      modified_at)
            SELECT %(source_id)s, %(partner_id)s, path, version, 'seen', seen_at, size, modified_at
            FROM seen
            ON CONFLICT (source_id, path, version) DO NOTHING
            """,
            {
                "source_id": digits(files[0].source_id),
                "partner_id": digits(files[0].partner_id),
                **{
                    name: [getattr(file, name) for file in files]
                    for name in ("path", "version", "seen_at", "size", "modified_at")
                },
            },
        )

    def decide(self, file: PulledFile) -> None:
        """Keeps what became of it."""
        self._db.execute(
            """
            INSERT INTO pulled_files (source_id, partner_id, path, version, state, seen_at, size,
                                      modified_at, fetch_id, feed_id, sha256, error)
            VALUES (%(source_id)s, %(partner_id)s, %(path)s, %(version)s, %(state)s, %(seen_at)s,
                    %(size)s, %(modified_at)s, %(fetch_id)s, %(feed_id)s, %(sha256)s, %(error)s)
            ON CONFLICT (source_id, path, version) DO UPDATE
            SET state = excluded.state, size = excluded.size, modified_at = excluded.modified_at,
                fetch_id = excluded.fetch_id, feed_id = excluded.feed_id,
                sha256 = excluded.sha256, error = excluded.error
            """,
            params_of(file) | {"error": document(file.error)},
        )

    def of_fetch(self, fetch_id: str) -> Sequence[PulledFile]:
        """The files that it decided about."""
        query = f"{_SELECT_FILES} WHERE fetch_id = %s ORDER BY path, version"
        return fetch(self._db, _FILES, query, [digits(fetch_id)])

    def forget(self, source_id: str) -> None:
        """Deletes what is known of the source's files."""
        self._db.execute("DELETE FROM pulled_files WHERE source_id = %s", [digits(source_id)])


def _conditions(query: FetchQuery) -> list[Condition]:
    return [
        *asked("partner_id = %s", maybe_digits(query.partner_id)),
        *asked("source_id = %s", maybe_digits(query.source_id)),
    ]
