"""Sources of partners in PostgreSQL, and the versions of their profiles."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import psycopg
from attrs import frozen

from adapters.postgres.collections.listing import ListById, count, own
from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_one,
    found,
    params_of,
    rows_of,
)
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.feeds.guards import DEFAULT_GUARDS, GUARD_SETTINGS, GuardSettings
from commerce_core.feeds.source import OnError, Source, name_taken
from commerce_core.profiles.profile import UNPROFILED, Profile, SavedProfile, version_taken

_SOURCES: Final = rows_of(
    Source, on_error=read_as(OnError), guards=read_as(GuardSettings), expected=read_as(Expected)
)
_PROFILES: Final = rows_of(SavedProfile, profile=read_as(Profile))

_SELECT: Final = """
    SELECT source_id, partner_id, source_name, mode, created_at,
           coalesce((
               SELECT CASE split_part(p.url, ':', 1) WHEN 'http' THEN 'https'
                      ELSE split_part(p.url, ':', 1) END
               FROM pulls p
               WHERE p.source_id = sources.source_id
           ), 'push') AS kind,
           run, on_error, guards, snapshot_pattern, net_of_orders, expected, stop_selling_after
    FROM sources"""
_LIST: Final = ListById(_SOURCES, _SELECT, "source_id", attrgetter("source_id"), newest_first=False)


@frozen
class Sources:
    """Implements `commerce_core.ports.partners.Sources`."""

    _db: Connection

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[Source]:
        """Pages of sources."""
        return _LIST.page(self._db, own(query), after, limit)

    def count(self, query: str | None) -> int:
        """How many sources there are to see."""
        return count(self._db, "sources", own(query))

    def add(self, source: Source) -> None:
        """Keeps a new source."""
        added = self._db.execute(
            """
            INSERT INTO sources (partner_id, source_name, source_id, mode, created_at, run,
                                 on_error, guards, snapshot_pattern, net_of_orders, expected,
                                 stop_selling_after)
            VALUES (%(partner_id)s, %(source_name)s, %(source_id)s, %(mode)s, %(created_at)s,
                    %(run)s, %(on_error)s, %(guards)s, %(snapshot_pattern)s,
                    %(net_of_orders)s, %(expected)s, %(stop_selling_after)s)
            ON CONFLICT (partner_id, source_name) DO NOTHING
            """,
            _params(source),
        )
        if not added.rowcount:
            raise name_taken(source)

    def put(self, source: Source) -> None:
        """Replaces a source's name and settings."""
        try:
            with self._db.transaction():
                changed = self._db.execute(
                    """
                    UPDATE sources
                    SET source_name = %(source_name)s, mode = %(mode)s, run = %(run)s,
                        on_error = %(on_error)s, guards = %(guards)s,
                        snapshot_pattern = %(snapshot_pattern)s,
                        net_of_orders = %(net_of_orders)s, expected = %(expected)s,
                        stop_selling_after = %(stop_selling_after)s
                    WHERE source_id = %(source_id)s
                    RETURNING source_id
                    """,
                    _params(source),
                ).fetchone()
        except psycopg.errors.UniqueViolation as error:
            raise name_taken(source) from error
        found(changed, "source", source.source_id)

    def get(self, source_id: str) -> Source:
        """The source."""
        query = f"{_SELECT} WHERE source_id = %s"
        return found(fetch_one(self._db, _SOURCES, query, [digits(source_id)]), "source", source_id)

    def lock_shared(self, source_id: str) -> Source:
        """The source, which can't be removed until this unit ends."""
        query = f"{_SELECT} WHERE source_id = %s FOR KEY SHARE"
        return found(fetch_one(self._db, _SOURCES, query, [digits(source_id)]), "source", source_id)

    def lock(self, source_id: str) -> Source:
        """The source, locked until this unit ends."""
        query = f"{_SELECT} WHERE source_id = %s FOR UPDATE"
        return found(fetch_one(self._db, _SOURCES, query, [digits(source_id)]), "source", source_id)

    def find(self, partner_id: str, source_name: str) -> Source | None:
        """The partner's source with that name."""
        query = f"{_SELECT} WHERE partner_id = %s AND source_name = %s"
        return fetch_one(self._db, _SOURCES, query, [digits(partner_id), source_name])

    def of(self, partner_id: str) -> Sequence[Source]:
        """All sources of a partner."""
        query = f"{_SELECT} WHERE partner_id = %s ORDER BY source_name"
        return fetch(self._db, _SOURCES, query, [digits(partner_id)])

    def remove(self, source_id: str) -> None:
        """Deletes a source. Publications refer to versions of its profile, so the profile stays."""
        query = "DELETE FROM sources WHERE source_id = %s RETURNING source_id"
        found(self._db.execute(query, [digits(source_id)]).fetchone(), "source", source_id)
        self._db.execute("DELETE FROM known_products WHERE source_id = %s", [digits(source_id)])

    def profile(self, source_id: str, version: int | None = None) -> SavedProfile:
        """That version of the source's profile, or the latest."""
        saved = fetch_one(
            self._db,
            _PROFILES,
            """
            SELECT version, profile, author, saved_at
            FROM source_profiles
            WHERE source_id = %s AND version <= coalesce(%s, version)
            ORDER BY version DESC
            LIMIT 1
            """,
            [digits(source_id), version],
        )
        return saved or UNPROFILED

    def save_profile(self, source_id: str, saved: SavedProfile) -> None:
        """Keeps a new version."""
        added = self._db.execute(
            """
            INSERT INTO source_profiles (source_id, version, profile, author, saved_at)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (source_id, version) DO NOTHING
            """,
            [
                digits(source_id),
                saved.version,
                document(saved.profile),
                saved.author,
                saved.saved_at,
            ],
        )
        if not added.rowcount:
            raise version_taken(saved)


def _params(source: Source) -> dict[str, Any]:
    guards = {
        name: value
        for name in GUARD_SETTINGS
        if (value := getattr(source.guards, name)) != getattr(DEFAULT_GUARDS, name)
    }
    return params_of(source) | {
        "on_error": document(source.on_error),
        "guards": document(guards),
        "expected": document(source.expected),
        "freshness": None,
    }
