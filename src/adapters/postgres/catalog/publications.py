"""Publications in PostgreSQL: the one clock, a row that every publication advances."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_one,
    found,
    params_of,
    rows_of,
)
from commerce_core.catalog.publication import Publication

_PUBLICATIONS: Final = rows_of(Publication)
_SELECT: Final = """
    SELECT publication_id, partner_id, source_id, feed_id, mode, actor, profile_version, number,
           published_at, kind, reverts, changes, currency, time_zone, price_leap, without_removals,
           reading_version
    FROM publications"""


@frozen
class Publications:
    """Implements `commerce_core.ports.catalog.Publications`."""

    _db: Connection

    def add(self, publication: Publication, at: datetime) -> Publication:
        """Stores it with the next number."""
        # The clock's row stays locked until the commit, so numbers have no gaps and the order of
        # commits. A sequence guarantees neither: it also counts what is rolled back.
        row = self._db.execute(
            """
            WITH tick AS (
                UPDATE publication_clock
                SET number = number + 1,
                    published_at = greatest(published_at + interval '1 microsecond', %(at)s)
                RETURNING number, published_at
            )
            INSERT INTO publications (publication_id, partner_id, source_id, feed_id, mode, actor,
                                      profile_version, kind, reverts, changes, currency, time_zone,
                                      price_leap, without_removals, reading_version, number,
                                      published_at)
            SELECT %(publication_id)s, %(partner_id)s, %(source_id)s, %(feed_id)s, %(mode)s,
                   %(actor)s, %(profile_version)s, %(kind)s, %(reverts)s, %(changes)s,
                   %(currency)s, %(time_zone)s, %(price_leap)s, %(without_removals)s,
                   %(reading_version)s, number, published_at
            FROM tick
            RETURNING number, published_at
            """,
            params_of(publication) | {"at": at},
        ).fetchone()
        if row is None:
            raise RuntimeError("the publication clock has lost its row")
        return evolve(publication, number=row[0], published_at=row[1])

    def latest(self, source_id: str) -> Publication | None:
        """The source's last publication."""
        query = _SELECT + " WHERE source_id = %s ORDER BY number DESC LIMIT 1"
        return fetch_one(self._db, _PUBLICATIONS, query, [digits(source_id)])

    def get(self, publication_id: str) -> Publication:
        """The publication."""
        query = _SELECT + " WHERE publication_id = %s"
        row = fetch_one(self._db, _PUBLICATIONS, query, [digits(publication_id)])
        return found(row, "publication", publication_id)

    def get_many(self, publication_ids: Iterable[str]) -> Mapping[str, Publication]:
        """These publications, by id."""
        wanted = [digits(publication_id) for publication_id in publication_ids]
        query = _SELECT + " WHERE publication_id = ANY(%s::uuid[])"
        found = fetch(self._db, _PUBLICATIONS, query, [wanted])
        return {publication.publication_id: publication for publication in found}

    def of_feed(self, feed_id: str) -> Sequence[Publication]:
        """All publications that applied this feed or reverted it."""
        query = _SELECT + " WHERE feed_id = %s ORDER BY number"
        return fetch(self._db, _PUBLICATIONS, query, [digits(feed_id)])

    def of_partner(self, partner_id: str, after: int, limit: int) -> Sequence[Publication]:
        """The partner's first publications behind that number."""
        query = _SELECT + " WHERE partner_id = %s AND number > %s ORDER BY number LIMIT %s"
        return fetch(self._db, _PUBLICATIONS, query, [digits(partner_id), after, limit])

    def number_at(self, at: datetime | None = None) -> int:
        """The number of the last publication not after that moment."""
        # Numbers and times rise together, so the first match backwards is the one.
        row = self._db.execute(
            """
            SELECT number
            FROM publications
            WHERE published_at <= coalesce(%s, 'infinity'::timestamptz)
            ORDER BY number DESC
            LIMIT 1
            """,
            [at],
        ).fetchone()
        return row[0] if row else 0
