"""The catalog in PostgreSQL: products as they now stand, and the units reserved of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from attrs import define
from psycopg import sql

from adapters.postgres.catalog.export import NOT_SELLABLE_REASON
from adapters.postgres.catalog.filters import STALE_SOURCES, bounded, conditions
from adapters.postgres.catalog.pages import SELECT, legs, reading
from adapters.postgres.collections.escrow import RESERVED
from adapters.postgres.collections.listing import count
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    digits_array,
    fetch,
    fetch_one,
    found,
    params_of,
    prefixed,
    rows_of,
)
from adapters.postgres.ingest.apply import apply
from adapters.postgres.ingest.compare import Comparison, compare, contained, lock_partner
from adapters.postgres.ingest.known_fingerprints import ProductFingerprints, fetch_fingerprints
from adapters.postgres.ingest.load import Loaded, load
from adapters.postgres.ingest.staging import by_sets
from commerce_core.base.paging import Page, Position
from commerce_core.catalog.product import NotSellable, Oversold, Product, ProductQuery
from commerce_core.catalog.publication import Publication
from commerce_core.catalog.sorting import position_of
from commerce_core.parsing.fingerprints import FingerprintIndex
from commerce_core.plans.comparison import FeedContext, Plan
from commerce_core.ports.engine import Batch
from commerce_core.schema.fields import LISTS

_PRODUCTS: Final = rows_of(Product, **dict.fromkeys(LISTS, tuple))
# Made once: to put texts together takes longer than to read some products.
_ALL: Final = sql.SQL(SELECT).format(products=sql.SQL("products")).as_bytes()
_BY_ID: Final = _ALL + b" WHERE p.product_id = %s"
_BY_IDS: Final = _ALL + b" WHERE p.product_id = ANY(%s::uuid[])"
_OVERSOLD: Final = rows_of(Oversold)
_NOT_SELLABLE: Final = sql.SQL("""
    SELECT reason, count(*)
    FROM (
        SELECT {reason} AS reason
        FROM (
            SELECT *
            FROM products
            WHERE publication_id = %(publication_id)s
            OFFSET 0
        ) AS p
        LEFT JOIN {reserved} h
          ON h.partner_id = %(partner_id)s AND h.product_id = p.product_id
        WHERE p.status = 'active'
    ) written
    WHERE reason IS NOT NULL
    GROUP BY reason
    ORDER BY count(*) DESC, reason COLLATE "C"
    """).format(reason=sql.SQL(NOT_SELLABLE_REASON), reserved=sql.SQL(RESERVED))
_IS_STALE: Final = "SELECT %(source_id)s::uuid = ANY(" + STALE_SOURCES + ")"
_product_id: Final = prefixed("prod")
_partner_id: Final = prefixed("ptn")


@define
class Products:
    """Implements `commerce_core.ports.catalog.Products`."""

    _db: Connection
    _comparison: Comparison | None = None
    _loaded: Loaded | None = None
    _has_compared: bool = False
    _known: ProductFingerprints | None = None
    _contested: frozenset[int] = frozenset()
    _locked: str | None = None

    def page(self, query: ProductQuery, after: Position | None, limit: int) -> Page[Product]:
        """Pages of products."""
        rows: list[Product] = []
        with reading(self._db, query):
            for leg in legs(self._db, query, after):
                if len(rows) <= limit:
                    rows += fetch(self._db, _PRODUCTS, *leg.query(limit + 1 - len(rows)))
        return Page[Product].cut(rows, limit, partial(position_of, query))

    def count(self, query: ProductQuery) -> int:
        """How many products fit."""
        with bounded(self._db, query, "count"):
            return count(self._db, "products p", conditions(self._db, query))

    def lock_partner(self, partner_id: str) -> None:
        """Waits until no other unit feeds the partner."""
        if self._locked != partner_id:
            lock_partner(self._db, partner_id)
            self._locked = partner_id

    def fingerprints(self, partner_id: str, source_id: str) -> FingerprintIndex:
        """The fingerprints of the source's active products."""
        self.lock_partner(partner_id)
        self._known = fetch_fingerprints(self._db, partner_id, source_id)
        self._contested = frozenset()
        return self._known

    def load(
        self,
        feed_context: FeedContext,
        batches: Iterable[Batch],
        publication: Publication,
        stem: str,
    ) -> Plan | None:
        """Loads the first feed of a partner."""
        self.lock_partner(feed_context.partner_id)
        self._loaded = load(self._db, feed_context, batches, publication, stem)
        return self._loaded and self._loaded.plan

    def compare(
        self, feed_context: FeedContext, batches: Iterable[Batch], problem_limit: int
    ) -> Plan:
        """What the feed would do."""
        self.lock_partner(feed_context.partner_id)
        again, self._has_compared = self._has_compared, True
        self._comparison = compare(
            self._db,
            feed_context,
            batches,
            problem_limit,
            self._known,
            without=self._contested,
            again=again,
        )
        self._contested |= {*self._comparison.plan.contested}
        return self._comparison.plan

    def contained(self, product_ids: Collection[str]) -> Collection[str]:
        """Which of these products the last feed contains."""
        if self._comparison is None:
            raise ValueError("there is no plan of this unit that could be applied")
        found = contained(self._db, self._comparison, [digits(id_) for id_ in product_ids])
        return [_product_id(uuid) for uuid in found]

    def apply(self, plan: Plan, publication: Publication, stem: str) -> int:
        """Does what the last plan says."""
        comparison, self._comparison = self._comparison, None
        if comparison is None or comparison.plan is not plan or plan.contested:
            raise ValueError("only the last plan of this unit can be applied")
        return apply(self._db, comparison, publication, stem)

    def get(self, product_id: str) -> Product:
        """The product."""
        row = fetch_one(self._db, _PRODUCTS, _BY_ID, [digits(product_id)])
        return found(row, "product", product_id)

    def resolve(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The product ids of these pairs of partner id and sku."""
        pairs = set(keys)
        if not pairs:
            return {}
        rows = self._db.execute(
            """
            SELECT partner_id, sku, product_id
            FROM unnest(%s::uuid[], %s::text[]) AS wanted (partner_id, sku)
            JOIN products USING (partner_id, sku)
            """,
            [[digits(partner_id) for partner_id, _ in pairs], [sku for _, sku in pairs]],
        )
        return {(_partner_id(row[0]), row[1]): _product_id(row[2]) for row in rows}

    def oversold(self, publication: Publication, limit: int) -> Sequence[Oversold]:
        """The first oversold products of a publication."""
        return fetch(
            self._db,
            _OVERSOLD,
            """
            SELECT p.product_id, p.sku, p.quantity, h.units AS reserved
            FROM """  # noqa: S608 - our own text
            + RESERVED
            + """ h
            -- Units are reserved of few products, and the publication may have written many.
            CROSS JOIN LATERAL (
                SELECT * FROM products WHERE product_id = h.product_id OFFSET 0
            ) AS p
            WHERE h.partner_id = %(partner_id)s AND p.publication_id = %(publication_id)s
              AND p.status = 'active' AND p.quantity < h.units
            ORDER BY p.sku
            LIMIT %(limit)s
            """,
            params_of(publication) | {"limit": limit},
            anew=True,
        )

    def not_sellable(self, publication: Publication) -> Mapping[NotSellable, int]:
        """The products of a publication that can't be sold, by reason."""
        loaded = self._loaded and self._loaded.not_sellable
        if loaded and loaded.are_of(publication):
            (stale,) = self._db.execute(_IS_STALE, params_of(publication)).fetchone() or (False,)
            counted = loaded.counted(stale=stale)
            return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
        with by_sets(self._db):
            rows = self._db.execute(_NOT_SELLABLE, params_of(publication)).fetchall()
        return dict(rows)

    def get_many(self, product_ids: Iterable[str]) -> Mapping[str, Product]:
        """These products by id."""
        products = fetch(self._db, _PRODUCTS, _BY_IDS, [digits_array(product_ids)])
        return {product.product_id: product for product in products}
