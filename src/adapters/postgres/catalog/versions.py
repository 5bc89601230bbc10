"""Versions in PostgreSQL: live products and their predecessors, read as the stream of changes.

A page of the stream is read publication by publication along their numbers, and within each along
the ordinals of what it wrote. So each page costs the same, however much was published.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from attrs import frozen
from psycopg import sql

from adapters.postgres.catalog.pages import SELECT_SHOWN
from adapters.postgres.collections.listing import Condition, asked, walking, where
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    found,
    maybe_digits,
    rows_as,
)
from adapters.postgres.ingest.apply import COLUMNS
from commerce_core.base.paging import Page, Position
from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import ChangeKind
from commerce_core.history.versions import (
    START,
    ChangeQuery,
    PastQuery,
    Version,
    first_changes,
    place,
)
from commerce_core.pricing.public_price import MOST_VERSIONS, PRICE_FACTS, PriceFacts
from commerce_core.schema.fields import LISTS, PRODUCT_FIELDS

_MOST_PUBLICATIONS: Final = 200
"""Publications whose versions are read by one statement."""


def _version(row: dict[str, Any]) -> Version:
    number, change, fields = row.pop("number"), row.pop("change"), tuple(row.pop("fields"))
    product = Product(**row)
    return Version(
        number, product.ordinal, change, product.product_id, product.version, fields, product
    )


_VERSIONS: Final = rows_as(_version, **dict.fromkeys(LISTS, tuple))
_COLUMNS: Final = sql.SQL(", ").join(sql.Identifier("p", name) for name in COLUMNS)
_FIELDS: Final = sql.SQL(", ").join(
    sql.SQL("CASE WHEN p.{0} IS DISTINCT FROM b.{0} THEN {1} END").format(
        sql.Identifier(name), sql.Literal(name)
    )
    for name in PRODUCT_FIELDS
)
# Of rows `p`, each with the version `b` before it and its publication `u`.
_SELECT: Final[LiteralString] = (
    SELECT_SHOWN
    + """, 0 AS reserved, u.number,
           CASE
               WHEN p.version = 1 THEN 'created'
               WHEN p.status = 'removed' THEN 'removed'
               WHEN b.status = 'removed' THEN 'restored'
               ELSE 'updated'
           END AS change,
           CASE
               WHEN b.version IS NULL THEN ARRAY[]::text[]
               ELSE array_remove(ARRAY[{fields}], NULL)
           END AS fields
    FROM {rows} p
    JOIN partners ON partners.partner_id = p.partner_id
    JOIN publications u ON u.publication_id = p.publication_id
    LEFT JOIN product_versions b
         ON b.partner_id = p.partner_id AND b.product_id = p.product_id
            AND b.version = p.version - 1"""
)

# Each of the two tables is read along its index, and no further than the page goes.
_OF_PUBLICATIONS: Final[LiteralString] = """(
    SELECT each.*
    FROM unnest(%(publications)s::uuid[], %(numbers)s::int8[]) AS made (publication_id, number)
    CROSS JOIN LATERAL (
        (SELECT {columns} FROM products p WHERE {written} ORDER BY p.ordinal LIMIT %(limit)s)
        UNION ALL
        (SELECT {columns} FROM product_versions p WHERE {written} ORDER BY p.ordinal
         LIMIT %(limit)s)
    ) AS each
    ORDER BY made.number, each.ordinal
    LIMIT %(limit)s
)"""
_WRITTEN: Final[LiteralString] = """
    p.publication_id = made.publication_id
    AND p.ordinal > CASE made.number WHEN %(number)s THEN %(ordinal)s ELSE 0 END"""
_OF_PRODUCT: Final[LiteralString] = """(
    SELECT {columns} FROM products p
    WHERE p.partner_id = %(partner_id)s AND p.product_id = %(product_id)s
    UNION ALL
    SELECT {columns} FROM product_versions p
    WHERE p.partner_id = %(partner_id)s AND p.product_id = %(product_id)s
)"""
_GONE_BEFORE: Final[LiteralString] = """EXISTS (
        SELECT
        FROM product_versions b
        WHERE b.partner_id = p.partner_id AND b.product_id = p.product_id
          AND b.version = p.version - 1 AND b.status = 'removed'
    )"""
_KINDS: Final[Mapping[ChangeKind, LiteralString]] = {
    "created": "p.version = 1",
    "removed": "p.version > 1 AND p.status = 'removed'",
    "restored": f"p.version > 1 AND p.status = 'active' AND {_GONE_BEFORE}",
    "updated": f"p.version > 1 AND p.status = 'active' AND NOT {_GONE_BEFORE}",
}
# Both tables are read along their keys, and of each product only what was new about its price.
_PRICE_FACTS: Final[LiteralString] = """
    SELECT p.product_id, u.published_at AS since, {facts}
    FROM (
        SELECT each.*, {changed} AS changed
        FROM unnest(%(partners)s::uuid[], %(products)s::uuid[], %(versions)s::int8[])
             AS named (partner_id, product_id, latest)
        CROSS JOIN LATERAL (
            SELECT read.*
            FROM (
                SELECT p.product_id, p.version, p.publication_id, {facts}
                FROM products p
                WHERE p.partner_id = named.partner_id AND p.product_id = named.product_id
                UNION ALL
                SELECT p.product_id, p.version, p.publication_id, {facts}
                FROM product_versions p
                WHERE p.partner_id = named.partner_id AND p.product_id = named.product_id
            ) AS read
            WHERE read.version <= named.latest
            ORDER BY read.version DESC
            LIMIT %(most)s
        ) AS each
        WINDOW earlier AS (PARTITION BY each.product_id ORDER BY each.version)
    ) AS p
    JOIN publications u ON u.publication_id = p.publication_id
    WHERE p.changed
    ORDER BY p.product_id, p.version"""
_FACTS: Final = sql.SQL(", ").join(sql.Identifier("p", name) for name in PRICE_FACTS)
_CHANGED: Final = sql.SQL(" OR ").join(
    sql.SQL("{0} IS DISTINCT FROM lag({0}) OVER earlier").format(sql.Identifier("each", name))
    for name in (*PRICE_FACTS, "product_id")
)
_FACTS_OF: Final = rows_as(lambda row: (row.pop("product_id"), PriceFacts(**row)))
_IN_CATALOG: Final[LiteralString] = " AND p.status = 'active'"
# If a feed was applied several times, what it wrote last of a product counts.
_LAST_OF_FEED: Final[LiteralString] = """ AND p.status = 'active' AND NOT EXISTS (
        SELECT
        FROM (
            SELECT partner_id, product_id, version, publication_id FROM products
            UNION ALL
            SELECT partner_id, product_id, version, publication_id FROM product_versions
        ) AS later
        WHERE later.partner_id = p.partner_id AND later.product_id = p.product_id
          AND later.version > p.version AND later.publication_id = ANY(%(publications)s::uuid[])
    )"""


@frozen
class _Made:
    """A publication that may have written something."""

    uuid: UUID
    number: int
    changes: int | None


@frozen
class Versions:
    """Implements `commerce_core.ports.catalog.Versions`."""

    _db: Connection

    def changes(self, query: ChangeQuery, after: Position, limit: int) -> Page[Version]:
        """The first matching versions behind that position."""
        # Read first: what has a number by now is visible to all statements that follow.
        (latest,) = self._db.execute(
            "SELECT coalesce(max(number), 0) FROM publications"
        ).fetchone() or (0,)
        found: list[Version] = []
        (number, ordinal), kinds = place(after), _of_kinds(query)
        while len(found) < limit and number <= latest:
            wanted = limit - len(found)
            made = self._made(query, number, latest, wanted + ordinal)
            if not made:
                break
            found += _written(self._db, made, (number, ordinal), kinds, wanted)
            number, ordinal = made[-1].number + 1, 0
        return first_changes(found, limit, latest)

    def _made(self, query: ChangeQuery, number: int, latest: int, wanted: int) -> list[_Made]:
        """The publications from that number on, as many as `wanted` changes may need."""
        condition, params = where(
            [
                *asked("number >= %s", number),
                *asked("number <= %s", latest),
                ("changes IS DISTINCT FROM 0", ()),
                *asked("partner_id = %s", maybe_digits(query.partner_id)),
                *asked("source_id = %s", maybe_digits(query.source_id)),
                *asked("kind = 'feed' AND feed_id = %s", maybe_digits(query.feed_id)),
            ]
        )
        text = sql.SQL("SELECT publication_id, number, changes FROM publications")
        ordered = text + condition + sql.SQL(" ORDER BY number LIMIT %s")
        rows = self._db.execute(ordered, [*params, _MOST_PUBLICATIONS])
        made = [_Made(*row) for row in rows]
        for count, publication in enumerate(made, start=1):
            wanted -= publication.changes or 0
            if wanted <= 0 and not query.kinds:
                return made[:count]
        return made

    def history(self, product_id: str, after: Position | None, limit: int) -> Page[Version]:
        """Every version of a product, newest first."""
        before = asked("p.version < %(version)s", after and after.number)
        rows = self._of_product(product_id, before, limit + 1, version=after and after.number)
        return Page[Version].cut(rows, limit, lambda v: Position(str(v.version), v.product_id))

    def as_of(self, product_id: str, number: int) -> Product | None:
        """The product as it was once that publication had been made."""
        by_then = asked("u.number <= %(number)s", number)
        return next(
            (v.product for v in self._of_product(product_id, by_then, 1, number=number)), None
        )

    def price_facts(self, products: Sequence[Product]) -> Mapping[str, Sequence[PriceFacts]]:
        """What prices depended on, read in one statement."""
        query = sql.SQL(_PRICE_FACTS).format(facts=_FACTS, changed=_CHANGED)
        params = {
            "partners": [digits(product.partner_id) for product in products],
            "products": [digits(product.product_id) for product in products],
            "versions": [product.version for product in products],
            "most": MOST_VERSIONS,
        }
        found: defaultdict[str, list[PriceFacts]] = defaultdict(list)
        for product_id, facts in fetch(self._db, _FACTS_OF, query, params):
            found[product_id].append(facts)
        return found

    def forget(self, number: int, at: datetime) -> int:
        """Deletes the versions already superseded at that publication, and returns how many."""
        # Nothing else writes to these rows, so nothing waits for this, however long it takes.
        self._db.execute("SET LOCAL statement_timeout = 0")
        self._db.execute(
            """
            INSERT INTO forgotten_history (number, forgotten_at)
            VALUES (%s, %s)
            ON CONFLICT (number) DO NOTHING
            """,
            [number, at],
        )
        return self._db.execute(
            """
            DELETE FROM product_versions v
            USING publications u
            WHERE u.publication_id = v.replaced_by AND u.number <= %s
            """,
            [number],
        ).rowcount

    def forgotten(self) -> int:
        """The number of the last publication up to which versions were deleted."""
        (number,) = self._db.execute(
            "SELECT coalesce(max(number), 0) FROM forgotten_history"
        ).fetchone() or (0,)
        return number

    def _of_product(
        self, product_id: str, conditions: Sequence[Condition], limit: int, **params: object
    ) -> list[Version]:
        row = self._db.execute(
            "SELECT partner_id, product_id FROM products WHERE product_id = %s",
            [digits(product_id)],
        ).fetchone()
        partner_id, uuid = found(row, "product", product_id)
        condition, _ = where(conditions)
        rows = sql.SQL(_OF_PRODUCT).format(columns=_COLUMNS)
        query = sql.SQL(_SELECT).format(rows=rows, fields=_FIELDS) + condition
        query += sql.SQL(" ORDER BY p.version DESC LIMIT %(limit)s")
        own = {"partner_id": partner_id, "product_id": uuid, "limit": limit}
        return fetch(self._db, _VERSIONS, query, {**own, **params})


@frozen
class FeedProducts:
    """Implements `commerce_core.ports.catalog.FeedProducts`."""

    _db: Connection

    def page(self, query: str, after: Position | None, limit: int) -> Page[Product]:
        """Pages of what a feed wrote."""
        made = self._made(query)
        rows = _written(self._db, made, place(after or START), _lasting(made), limit + 1)
        page = Page[Version].cut(rows, limit, lambda version: version.position)
        return Page(tuple(version.product for version in page.items), page.after)

    def count(self, query: str) -> int:
        """The number of products that a feed wrote."""
        made = self._made(query)
        text = sql.SQL(
            """
            SELECT (SELECT count(*) FROM products p WHERE {written})
                 + (SELECT count(*) FROM product_versions p WHERE {written})
            """
        )
        written = "p.publication_id = ANY(%(publications)s::uuid[])" + _lasting(made)
        counting = text.format(written=sql.SQL(written))
        (counted,) = self._db.execute(counting, _params(made)).fetchone() or (0,)
        return counted

    def _made(self, feed_id: str) -> list[_Made]:
        rows = self._db.execute(
            """
            SELECT publication_id, number, changes
            FROM publications
            WHERE feed_id = %s AND kind = 'feed'
            ORDER BY number
            """,
            [digits(feed_id)],
        )
        return [_Made(*row) for row in rows]


# A live version has no end; an older one ended with the publication that replaced it. Both are read
# along an index by partner and product, and no further than the page goes. Numbers are looked up
# row by row: with a join, a planner may begin with the publications and read all that they wrote.
_THEN: Final[LiteralString] = """(
    SELECT past.*
    FROM partners AS each
    CROSS JOIN LATERAL (
        (SELECT {columns}
         FROM products p
         WHERE {of_partner}{fits} AND {number_of_it} <= %(number)s
         ORDER BY p.partner_id, p.product_id
         LIMIT %(limit)s)
        UNION ALL
        (SELECT {columns}
         FROM product_versions p
         WHERE {of_partner}{fits} AND {number_of_it} <= %(number)s
           AND {number_of_next} > %(number)s
         ORDER BY p.partner_id, p.product_id
         LIMIT %(limit)s)
    ) AS past{partner}
    ORDER BY past.product_id
    LIMIT %(limit)s
)"""
_NUMBER: Final[LiteralString] = "(SELECT number FROM publications WHERE publication_id = {})"
# As in `pages`, so that no other index looks suitable.
_OF_PARTNER: Final[LiteralString] = """
    (p.partner_id, p.product_id) > (each.partner_id, %(after)s::uuid)
    AND p.partner_id <= each.partner_id"""
# Looked up beforehand along the key, since no index of the history has skus.
_WITH_SKUS: Final[LiteralString] = """
    p.partner_id = each.partner_id AND p.product_id > %(after)s::uuid
    AND p.product_id = ANY(ARRAY(
        SELECT product_id
        FROM products
        WHERE partner_id = each.partner_id AND sku = ANY(%(skus)s)
    ))"""


@frozen
class PastProducts:
    """Implements `commerce_core.ports.catalog.PastProducts`."""

    _db: Connection

    def page(self, query: PastQuery, after: Position | None, limit: int) -> Page[Product]:
        """Pages of the catalog as it was."""
        rows, params = _then(query, after, limit + 1)
        selected = sql.SQL(_SELECT).format(rows=rows, fields=_FIELDS)
        ordered = selected + sql.SQL(" ORDER BY p.product_id")
        with nullcontext() if query.skus else walking(self._db):
            found = [version.product for version in fetch(self._db, _VERSIONS, ordered, params)]
        return Page[Product].cut(found, limit, lambda p: Position(None, p.product_id))

    def count(self, query: PastQuery) -> int:
        """The number of products at that time."""
        rows, params = _then(query, None, None)
        counting = sql.SQL("SELECT count(*) FROM {} AS p").format(rows)
        (counted,) = self._db.execute(counting, params).fetchone() or (0,)
        return counted


def _then(
    query: PastQuery, after: Position | None, limit: int | None
) -> tuple[sql.Composed, dict[str, object]]:
    """The rows of the products as they were, and the parameters."""
    fits = [
        *asked(" AND p.source_id = %(source_id)s", query.source_id),
        *asked(" AND p.status = %(status)s", None if query.status == "all" else query.status),
    ]
    partner = asked(" WHERE each.partner_id = %(partner_id)s", query.partner_id)
    texts: list[LiteralString] = [text for text, _ in fits]
    rows = sql.SQL(_THEN).format(
        columns=_COLUMNS,
        number_of_it=sql.SQL(_NUMBER).format(sql.Identifier("p", "publication_id")),
        number_of_next=sql.SQL(_NUMBER).format(sql.Identifier("p", "replaced_by")),
        of_partner=sql.SQL(_WITH_SKUS if query.skus else _OF_PARTNER),
        fits=sql.SQL("").join(map(sql.SQL, texts)),
        partner=sql.SQL("").join(sql.SQL(text) for text, _ in partner),
    )
    return rows, {
        "number": query.number,
        "after": digits(after.id) if after else "0" * 32,
        "source_id": maybe_digits(query.source_id),
        "partner_id": maybe_digits(query.partner_id),
        "skus": list(query.skus),
        "status": query.status,
        "limit": limit,
    }


def _written(
    db: Connection, made: Sequence[_Made], after: tuple[int, int], among: LiteralString, limit: int
) -> list[Version]:
    """What these publications wrote behind that place, and that meets the condition `among`."""
    rows = sql.SQL(_OF_PUBLICATIONS).format(columns=_COLUMNS, written=sql.SQL(_WRITTEN + among))
    query = sql.SQL(_SELECT).format(rows=rows, fields=_FIELDS)
    query += sql.SQL(" ORDER BY u.number, p.ordinal")
    number, ordinal = after
    params = {**_params(made), "number": number, "ordinal": ordinal, "limit": limit}
    with walking(db):
        return fetch(db, _VERSIONS, query, params)


def _params(made: Sequence[_Made]) -> dict[str, object]:
    return {
        "publications": [publication.uuid for publication in made],
        "numbers": [publication.number for publication in made],
    }


def _of_kinds(query: ChangeQuery) -> LiteralString:
    """The condition on the kind of a version."""
    if not query.kinds:
        return ""
    return " AND (" + " OR ".join([f"({_KINDS[kind]})" for kind in query.kinds]) + ")"


def _lasting(made: Sequence[_Made]) -> LiteralString:
    return _IN_CATALOG if len(made) <= 1 else _LAST_OF_FEED
