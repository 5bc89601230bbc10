"""Which products the records of a file match, and which products it lacks.

    matched    the product of each staged record, and the place where its row stands
    missing    the source's active products that the file doesn't contain

Rows are looked for by their keys once, here. Later statements take them from their places, which
they keep: while this unit has locked the partner, no other one writes to its products.

Where some records were matched by their fingerprints, nearly all others are of the products that no
record matched. These are read in one walk along the index of ids, and only records whose product
isn't among them are looked for by their keys.

OFFSET 0 behind a condition by key, here and elsewhere, keeps others away from it: those by partner
look as good to a planner that doesn't know the partner yet, and then all its products are read.
"""

from typing import Any, Final, LiteralString

from psycopg import sql

from adapters.postgres.connection.rows import Connection, digits
from adapters.postgres.ingest.session_tables import FEW_UNANALYSED
from adapters.postgres.ingest.staging import Staged
from commerce_core.plans.comparison import FeedContext

FEW: Final = 200_000
"""Up to this many records their products are fetched one by one, not all of the partner's."""
EACH_BY_ITS_KEY: Final[LiteralString] = """LATERAL (
    SELECT partner_id, sku, product_id, status, ctid AS place
    FROM products
    WHERE (partner_id, sku) >= (%(partner_id)s, s.sku)
    ORDER BY partner_id, sku
    LIMIT 1
)"""
"""The product at the record's key, or the next one, which then doesn't match.

Put like this, one step along the key is the only way, whatever the statistics say. Asked for by
equality, a partner that was loaded after the last ANALYZE is expected to have no products, so any
index by partner looks as good as the key, and all its products would be read for each record.
"""
_ALL_OF_PARTNER: Final[LiteralString] = """(
    SELECT partner_id, sku, product_id, ctid AS place
    FROM products
    WHERE partner_id = %(partner_id)s
)"""


_WITHOUT_PRODUCT: Final[LiteralString] = """(
    SELECT line, sku
    FROM staged
    WHERE NOT EXISTS (SELECT FROM matched m WHERE m.line = staged.line)
)"""
_AMONG_UNMATCHED: Final[LiteralString] = """(
    SELECT partner_id, sku, product_id, ctid AS place
    FROM products
    WHERE product_id = ANY(ARRAY(SELECT product_id FROM unmatched))
    OFFSET 0
)"""


def match(
    db: Connection, feed_context: FeedContext, staged: Staged, unmatched: int | None = None
) -> int:
    """Finds the product of each staged record, if there is one.

    `unmatched` is how many products the table of that name has, None if it isn't filled. Returns
    how many records were looked for among others too, and have a product.
    """
    sought = staged.records
    found = 0
    # A product by its id costs about half of a record by its key.
    if sought > FEW_UNANALYSED and unmatched is not None and unmatched <= 2 * min(sought, FEW):
        sought -= _match(db, feed_context, _AMONG_UNMATCHED)
    if sought:
        among = EACH_BY_ITS_KEY if sought <= FEW else _ALL_OF_PARTNER
        found = _match(db, feed_context, among, behind=sought < staged.records)
    if staged.records > FEW:
        # Otherwise the planner hashes the records, and not these.
        db.execute("ANALYZE matched (line)")
    return found


def _match(
    db: Connection, feed_context: FeedContext, among: LiteralString, *, behind: bool = False
) -> int:
    """Matches records with some products; `behind` other ones, those that have none yet."""
    query = sql.SQL(
        """
        INSERT INTO matched (line, product_id, place)
        SELECT s.line, p.product_id, p.place
        FROM {records} AS s
        JOIN {among} AS p ON p.partner_id = %(partner_id)s AND p.sku = s.sku
        """
    ).format(among=sql.SQL(among), records=sql.SQL(_WITHOUT_PRODUCT if behind else "staged"))
    return db.execute(query, owner(feed_context)).rowcount


AT_PLACE: Final = "LATERAL (SELECT ctid, * FROM products WHERE ctid = m.place OFFSET 0)"
"""The product that `m`, of `matched`, stands for, taken from its place.

OFFSET 0 keeps the planner from hashing whole products for it, which wouldn't fit into memory.
"""


def count_present(db: Connection, feed_context: FeedContext) -> int:
    """How many active products of the source the file contains, if none matched by fingerprint."""
    query = sql.SQL(
        """
        SELECT count(DISTINCT p.product_id)
        FROM matched m
        JOIN {product} AS p ON TRUE
        WHERE p.source_id = %(source_id)s AND p.status = 'active'
        """
    ).format(product=sql.SQL(AT_PLACE))
    (present,) = db.execute(query, owner(feed_context)).fetchone() or (0,)
    return present


def find_absent(db: Connection, feed_context: FeedContext, *, matched: bool) -> int:
    """Makes the table of the source's active products that the file doesn't contain.

    Returns their number.

    Rejected and overridden records count as present, and so do those matched by fingerprint; if
    there are any, only the `unmatched` products have to be looked at.
    """
    among: LiteralString = """(
        SELECT ctid, *
        FROM products
        WHERE product_id = ANY(ARRAY(
            SELECT u.product_id
            FROM unmatched u
            WHERE NOT EXISTS (SELECT FROM matched m WHERE m.product_id = u.product_id)
        ))
        OFFSET 0
    )"""
    query = sql.SQL(
        """
        INSERT INTO missing (product_id, place)
        SELECT p.product_id, p.ctid AS place
        FROM {among} p
        WHERE p.partner_id = %(partner_id)s AND p.source_id = %(source_id)s
          AND p.status = 'active'
          AND NOT EXISTS (SELECT FROM matched m WHERE m.product_id = p.product_id)
          AND p.sku <> ALL(%(overtaken)s::text[])
        """
    ).format(among=sql.SQL(among if matched else "products"))
    return db.execute(
        query, owner(feed_context) | {"overtaken": list(feed_context.overtaken)}
    ).rowcount


def find_lost_zeros(db: Connection) -> int:
    """Refuses new skus that are those of absent products without leading zeros.

    Those products are then no longer missing; returns their number.
    """
    query = sql.SQL(
        """
        INSERT INTO with_zeros (product_id, sku, bare)
        SELECT p.product_id, p.sku, ltrim(p.sku, '0') AS bare
        FROM missing m
        JOIN {product} AS p ON TRUE
        WHERE p.sku ~ '^0+[1-9][0-9]*$'
        """
    ).format(product=sql.SQL(AT_PLACE))
    db.execute(query)
    db.execute(
        """
        UPDATE decided d
        SET fate = 'sku_lost_zeros', near = z.sku
        FROM staged s
        JOIN (SELECT bare, min(sku) AS sku FROM with_zeros GROUP BY bare) AS z ON z.bare = s.sku
        WHERE d.fate = 'created' AND s.line = d.line
        """
    )
    return db.execute(
        """
        DELETE FROM missing m
        USING with_zeros z
        WHERE m.product_id = z.product_id AND EXISTS (
            SELECT FROM decided d
            JOIN staged s ON s.line = d.line
            WHERE d.fate = 'sku_lost_zeros' AND s.sku = z.bare
        )
        """
    ).rowcount


def remove_absent(db: Connection) -> int:
    """Decides that the absent products are removed; returns their number."""
    return db.execute(
        """
        INSERT INTO decided (line, fate, product_id, place)
        SELECT 0, 'absent', product_id, place
        FROM missing
        """
    ).rowcount


def owner(feed_context: FeedContext) -> dict[str, Any]:
    """The parameters that name whose products a feed may change."""
    return {
        "partner_id": digits(feed_context.partner_id),
        "source_id": digits(feed_context.source_id),
    }
