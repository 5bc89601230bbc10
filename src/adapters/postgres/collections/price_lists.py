"""Price lists in PostgreSQL: each entry once, with the versions from which and before which it is.

A file's entries are sent to a temporary table by COPY, and compared and applied by sets.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import psycopg
from attrs import frozen
from psycopg import sql

from adapters.postgres.collections.listing import ListById, count
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_one,
    found,
    rows_as,
    rows_of,
)
from adapters.postgres.ingest.copy import copying
from adapters.postgres.ingest.staging import by_sets
from commerce_core.base.errors import NotFound
from commerce_core.base.paging import Page, Position
from commerce_core.ports.price_lists import Repeated, list_name_taken
from commerce_core.pricing.price_list import (
    ListDifference,
    ListPrices,
    ListQuery,
    ListSpell,
    ListVersion,
    PackedEntries,
    PriceList,
)

_SELECT: Final = """
    SELECT list_id, name, currency, version, entries, created_at, updated_at
    FROM price_lists"""


def _version(row: dict[str, Any]) -> ListVersion:
    names = ("entries", "added", "changed", "removed", "unchanged")
    figures = [row.pop(name) for name in names]
    return ListVersion(**row, difference=ListDifference(*figures))


_LISTS: Final = rows_of(PriceList)
_VERSIONS: Final = rows_as(_version)
_SPELLS: Final = rows_of(ListSpell)
_LIST: Final = ListById(_LISTS, _SELECT, "list_id", attrgetter("list_id"), newest_first=False)


@frozen
class PriceLists:
    """Implements `commerce_core.ports.price_lists.PriceLists`."""

    _db: Connection

    def page(self, query: ListQuery, after: Position | None, limit: int) -> Page[PriceList]:
        """Pages of lists."""
        del query
        return _LIST.page(self._db, [], after, limit)

    def count(self, query: ListQuery) -> int:
        """How many lists there are."""
        del query
        return count(self._db, "price_lists", [])

    def add(self, price_list: PriceList) -> None:
        """Keeps an empty list."""
        try:
            with self._db.transaction():
                self._db.execute(
                    """
                    INSERT INTO price_lists (list_id, name, currency, version, entries, created_at,
                                             updated_at)
                    VALUES (%s, %s, %s, %s, %s, %s, %s)
                    """,
                    [
                        digits(price_list.list_id),
                        price_list.name,
                        price_list.currency,
                        price_list.version,
                        price_list.entries,
                        price_list.created_at,
                        price_list.updated_at,
                    ],
                )
        except psycopg.errors.UniqueViolation as error:
            raise list_name_taken(price_list.name) from error

    def get(self, list_id: str) -> PriceList:
        """The list."""
        query = f"{_SELECT} WHERE list_id = %s"
        return found(fetch_one(self._db, _LISTS, query, [digits(list_id)]), "price list", list_id)

    def find(self, name: str) -> PriceList | None:
        """The list with that name."""
        return fetch_one(self._db, _LISTS, f"{_SELECT} WHERE name = %s", [name])

    def lock(self, list_id: str) -> PriceList:
        """The list, locked."""
        query = f"{_SELECT} WHERE list_id = %s FOR NO KEY UPDATE"
        return found(fetch_one(self._db, _LISTS, query, [digits(list_id)]), "price list", list_id)

    def stage(self, entries: PackedEntries, limit: int) -> Sequence[Repeated]:
        """Sends entries to a temporary table: they are packed in the text format of COPY."""
        self._make_room()
        statement = sql.SQL("COPY staged_prices (line, sku, minimum_quantity, price) FROM STDIN")
        with copying(self._db, statement) as sender:
            for block in entries.blocks:
                sender.put(block)
        self._db.execute("ANALYZE staged_prices")
        with by_sets(self._db):
            rows = self._db.execute(
                """
                SELECT line, sku, minimum_quantity, first_line
                FROM (
                    SELECT *, min(line) OVER (PARTITION BY sku, minimum_quantity) AS first_line
                    FROM staged_prices
                ) AS each
                WHERE line > first_line
                ORDER BY line
                LIMIT %s
                """,
                [limit],
            ).fetchall()
        return [Repeated(*row) for row in rows]

    def _make_room(self) -> None:
        # However long a list takes to be read, compared and written.
        self._db.execute("SET LOCAL statement_timeout = 0")
        self._db.execute("DROP TABLE IF EXISTS pg_temp.staged_prices")
        self._db.execute(
            """
            CREATE TEMPORARY TABLE staged_prices (
                line bigint, sku text COLLATE "C", minimum_quantity bigint, price numeric
            ) ON COMMIT DROP
            """
        )

    def stage_version(self, list_id: str, version: int) -> None:
        """Copies the entries of a version to a temporary table."""
        known = {each.version for each in self.versions(list_id)}
        if version not in {0, *known}:
            raise NotFound(f"The price list has no version {version}.", code="no_version")
        self._make_room()
        self._db.execute(
            """
            INSERT INTO staged_prices (line, sku, minimum_quantity, price)
            SELECT 0, sku, minimum_quantity, price
            FROM price_list_entries
            WHERE list_id = %(list_id)s AND since <= %(version)s
              AND (until IS NULL OR until > %(version)s)
            """,
            {"list_id": digits(list_id), "version": version},
        )

    def compare(self, list_id: str) -> ListDifference:
        """Counts what would change, by one join."""
        with by_sets(self._db):
            row = self._db.execute(
                """
                SELECT count(s.sku), count(s.sku) FILTER (WHERE e.sku IS NULL),
                       count(s.sku) FILTER (WHERE e.price <> s.price),
                       count(e.sku) FILTER (WHERE s.sku IS NULL),
                       count(s.sku) FILTER (WHERE e.price = s.price)
                FROM staged_prices s
                FULL JOIN (
                    SELECT * FROM price_list_entries WHERE list_id = %s AND until IS NULL
                ) AS e USING (sku, minimum_quantity)
                """,
                [digits(list_id)],
            ).fetchone()
        return ListDifference(*(row or (0, 0, 0, 0, 0)))

    def apply(self, version: ListVersion) -> None:
        """Ends what changes or goes, and adds what is new."""
        own = {"list_id": digits(version.list_id), "version": version.version}
        with by_sets(self._db):
            self._db.execute(
                """
                UPDATE price_list_entries AS e
                SET until = %(version)s
                WHERE e.list_id = %(list_id)s AND e.until IS NULL AND NOT EXISTS (
                    SELECT FROM staged_prices s
                    WHERE s.sku = e.sku AND s.minimum_quantity = e.minimum_quantity
                      AND s.price = e.price
                )
                """,
                own,
            )
            self._db.execute(
                """
                INSERT INTO price_list_entries (list_id, sku, minimum_quantity, price, since)
                SELECT %(list_id)s, s.sku, s.minimum_quantity, s.price, %(version)s
                FROM staged_prices s
                WHERE NOT EXISTS (
                    SELECT FROM price_list_entries e
                    WHERE e.list_id = %(list_id)s AND e.until IS NULL AND e.sku = s.sku
                      AND e.minimum_quantity = s.minimum_quantity
                )
                """,
                own,
            )
        self._note(version)

    def _note(self, version: ListVersion) -> None:
        difference = version.difference
        self._db.execute(
            """
            INSERT INTO price_list_versions (list_id, version, published_at, actor, entries, added,
                                             changed, removed, unchanged, sha256, reverted_to)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                digits(version.list_id),
                version.version,
                version.published_at,
                version.actor,
                difference.entries,
                difference.added,
                difference.changed,
                difference.removed,
                difference.unchanged,
                version.sha256,
                version.reverted_to,
            ],
        )
        self._db.execute(
            "UPDATE price_lists SET version = %s, entries = %s, updated_at = %s WHERE list_id = %s",
            [version.version, difference.entries, version.published_at, digits(version.list_id)],
        )

    def versions(self, list_id: str) -> Sequence[ListVersion]:
        """All versions, the newest first."""
        self.get(list_id)
        query = """
            SELECT list_id, version, published_at, actor, entries, added, changed, removed,
                   unchanged, sha256, reverted_to
            FROM price_list_versions
            WHERE list_id = %s
            ORDER BY version DESC"""
        return fetch(self._db, _VERSIONS, query, [digits(list_id)])

    def prices(
        self,
        list_ids: Collection[str],
        skus: Collection[str],
        currency: str,
        as_of: datetime | None = None,
    ) -> ListPrices:
        """The entries of these skus, along the key."""
        rows = self._db.execute(
            """
            SELECT e.list_id, e.sku, e.minimum_quantity, e.price
            FROM price_lists AS list
            CROSS JOIN LATERAL (
                SELECT coalesce(max(version), 0) AS number
                FROM price_list_versions
                WHERE list_id = list.list_id
                  AND (%(as_of)s::timestamptz IS NULL OR published_at <= %(as_of)s)
            ) AS current
            JOIN price_list_entries e
              ON e.list_id = list.list_id AND e.sku = ANY(%(skus)s::text[])
                 AND e.since <= current.number AND (e.until IS NULL OR e.until > current.number)
            WHERE list.list_id = ANY(%(list_ids)s::uuid[]) AND list.currency = %(currency)s
            ORDER BY e.list_id, e.sku, e.minimum_quantity
            """,
            {
                "list_ids": [digits(list_id) for list_id in list_ids],
                "skus": list(skus),
                "currency": currency,
                "as_of": as_of,
            },
        ).fetchall()
        known: defaultdict[str, dict[str, tuple[tuple[int, Decimal], ...]]] = defaultdict(dict)
        for uuid, sku, quantity, price in rows:
            of_list = known[f"list_{uuid.hex}"]
            of_list[sku] = (*of_list.get(sku, ()), (quantity, price))
        return known

    def spells(
        self, list_ids: Collection[str], skus: Collection[str], since: datetime
    ) -> Sequence[ListSpell]:
        """The entries for one unit, along the key."""
        query = """
            SELECT e.list_id, list.currency, e.sku, e.price, begun.published_at AS since,
                   ended.published_at AS until
            FROM price_lists AS list
            JOIN price_list_entries e
              ON e.list_id = list.list_id AND e.sku = ANY(%(skus)s::text[])
                 AND e.minimum_quantity = 1
            JOIN price_list_versions AS begun
              ON begun.list_id = e.list_id AND begun.version = e.since
            LEFT JOIN price_list_versions AS ended
              ON ended.list_id = e.list_id AND ended.version = e.until
            WHERE list.list_id = ANY(%(list_ids)s::uuid[])
              AND (ended.published_at IS NULL OR ended.published_at > %(since)s)"""
        params = {
            "list_ids": [digits(list_id) for list_id in list_ids],
            "skus": list(skus),
            "since": since,
        }
        return fetch(self._db, _SPELLS, query, params)
