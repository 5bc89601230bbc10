"""Publications in PostgreSQL: the one clock, a row that every publication advances."""

from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from adapters.postgres.rows import Connection, digits, fetch_one, params_of, rows_of
from commerce_core.publications import Publication

_PUBLICATIONS: Final = rows_of(Publication)


@frozen
class Publications:
    """Implements `commerce_core.ports.Publications`."""

    _db: Connection

    def add(self, publication: Publication, at: datetime) -> Publication:
        """Keeps it with the next number."""
        # The clock's row stays locked until the commit, so numbers have no gaps and the order of
        # commits. A sequence has neither: it counts what is rolled back too, and hands out early.
        row = self._db.execute(
            """
            WITH tick AS (
                UPDATE publication_clock
                SET number = number + 1, published_at = greatest(published_at, %(at)s)
                RETURNING number, published_at
            )
            INSERT INTO publications (publication_id, partner_id, source_id, feed_id, mode, actor,
                                      profile_version, number, published_at)
            SELECT %(publication_id)s, %(partner_id)s, %(source_id)s, %(feed_id)s, %(mode)s,
                   %(actor)s, %(profile_version)s, number, published_at
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
        return fetch_one(
            self._db,
            _PUBLICATIONS,
            """
            SELECT publication_id, partner_id, source_id, feed_id, mode, actor, profile_version,
                   number, published_at
            FROM publications
            WHERE source_id = %s
            ORDER BY number DESC
            LIMIT 1
            """,
            [digits(source_id)],
        )
