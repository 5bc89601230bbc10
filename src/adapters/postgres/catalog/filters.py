"""Filters of products in SQL: they match exactly what `commerce_core.catalog.query` matches."""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from typing import Final, LiteralString

import psycopg

from adapters.postgres.collections.escrow import RESERVED
from adapters.postgres.collections.listing import Condition, asked, is_idle
from adapters.postgres.connection.rows import Connection, digits, maybe_digits
from commerce_core.base.text import spellings, words_of
from commerce_core.catalog.product import ProductQuery
from commerce_core.catalog.query import too_broad
from commerce_core.schema.cells import PATH

STALE_SOURCES: Final[LiteralString] = """
    ARRAY(
        SELECT s.source_id
        FROM sources s
        JOIN source_freshness f ON f.source_id = s.source_id
        WHERE s.stop_selling_after IS NOT NULL
              AND f.last_fresh_at + s.stop_selling_after <= now()
    )"""
"""The sources whose last fresh file is too old to sell by; read once, by an index of few."""
# As in `Product.not_sellable_reason`. An unknown value decides nothing, hence IS TRUE.
_SELLABLE: Final[LiteralString] = (
    "("  # noqa: S608 - our own text
    """
     p.status = 'active' AND p.price > 0
     AND p.availability IS DISTINCT FROM 'discontinued'
     AND p.availability IS DISTINCT FROM 'out_of_stock'
     AND (p.availability IS NOT NULL OR p.quantity IS DISTINCT FROM 0)
     AND p.partner_id <> ALL(ARRAY(SELECT partner_id FROM partners WHERE status = 'offboarded'))
     AND p.source_id <> ALL("""
    + STALE_SOURCES
    + """)
     AND (p.quantity IS NULL OR p.availability IN ('preorder', 'backorder')
          OR p.quantity > coalesce((
              SELECT units
              FROM """
    + RESERVED
    + """ h
              WHERE h.partner_id = p.partner_id AND h.product_id = p.product_id
          ), 0)))"""
)
# No pattern matches a blank, so no match spans two fields.
_SEARCHED: Final = """
    concat_ws(' ', p.sku, p.product_name, p.brand, p.category, p.options, p.gtin, p.mpn)
    COLLATE "C" ~ %s"""
SLOWEST: Final = "10s"
"""How long a list or a count may search before its filters are too broad."""
_SPECIAL: Final = re.compile(r"[][\\.*+?{}()|^$]")


def conditions(db: Connection, query: ProductQuery) -> list[Condition]:
    """The conditions of a query's filters on a row `p`."""
    partner_id = maybe_digits(query.partner_id)
    return [
        # Keys name the partner, and any other condition by partner could be taken for the key.
        *asked("p.partner_id = %s", None if query.skus else partner_id),
        *asked("p.source_id = %s", maybe_digits(query.source_id)),
        *([] if query.feed_id is None else [_of_feed(db, query.feed_id)]),
        *([(_AT_KEYS, [list(query.skus), partner_id])] if query.skus else []),
        *asked("p.currency = %s", query.currency),
        *asked("p.status = %s", None if query.status == "all" else query.status),
        *asked("p.brand = %s", query.brand),
        *([] if query.category is None else [_below(query.category)]),
        *asked("p.availability = %s", query.availability),
        *([] if query.sellable is None else [_sellable(wanted=query.sellable)]),
        *asked("p.price >= %s", query.price_min),
        *asked("p.price <= %s", query.price_max),
        *asked(_UPDATED_SINCE, query.updated_since),
        *_having(query.q or ""),
    ]


# One step along the primary key for each sku of the partner, or of each partner, as when records
# are matched: by equality, a partner without statistics would be read as a whole.
_AT_KEYS: Final = """
    p.ctid = ANY(ARRAY(
        SELECT found.place
        FROM unnest(%s::text[]) AS wanted (sku)
        JOIN partners ON partners.partner_id = coalesce(%s::uuid, partners.partner_id),
        LATERAL (
            SELECT partner_id, sku, ctid AS place
            FROM products
            WHERE (partner_id, sku) >= (partners.partner_id, wanted.sku)
            ORDER BY partner_id, sku
            LIMIT 1
        ) AS found
        WHERE found.partner_id = partners.partner_id AND found.sku = wanted.sku
    ))"""
_UPDATED_SINCE: Final = """
    p.publication_id IN (SELECT publication_id FROM publications WHERE published_at >= %s)"""


def _below(path: str) -> Condition:
    return "(p.category = %s OR starts_with(p.category, %s))", [path, path + PATH]


def _sellable(*, wanted: bool) -> Condition:
    return (_SELLABLE + " IS TRUE" if wanted else _SELLABLE + " IS NOT TRUE"), ()


def _having(text: str) -> Iterator[Condition]:
    for word in words_of(text):
        yield _SEARCHED, ["".join(map(_any_of, spellings(word)))]


def _any_of(characters: str) -> str:
    """A pattern for any of these; only letters have several, and no letter is special."""
    return f"[{characters}]" if len(characters) > 1 else _SPECIAL.sub(r"\\\g<0>", characters)


def _of_feed(db: Connection, feed_id: str) -> Condition:
    """The condition that the row's values came from a feed, directly or by a revert."""
    rows = db.execute(
        """
        SELECT publication_id, EXISTS (SELECT FROM products WHERE origin_id = u.publication_id)
        FROM publications u
        WHERE feed_id = %s
        """,
        [digits(feed_id)],
    ).fetchall()
    published = [row[0] for row in rows]
    if any(brought_back for _, brought_back in rows):
        either: LiteralString = """
            (p.publication_id = ANY(%s::uuid[]) AND p.origin_id IS NULL
             OR p.origin_id = ANY(%s::uuid[]))"""
        return either, [published, published]
    # Looked up beforehand: a planner that sees the publication knows how large it is.
    if len(published) == 1:
        return "p.publication_id = %s AND p.origin_id IS NULL", published
    return "p.publication_id = ANY(%s::uuid[]) AND p.origin_id IS NULL", [published]


@contextmanager
def bounded(db: Connection, query: ProductQuery, what: str = "list") -> Generator[None]:
    """Limits each statement inside to `SLOWEST`; InvalidInput `too_broad` beyond that."""
    read = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, TRUE)"
    with db.transaction() if is_idle(db) else nullcontext():
        before = db.execute(read, [SLOWEST]).fetchone() or ("",)
        try:
            yield
        except psycopg.errors.QueryCanceled as error:
            raise too_broad(query, what) from error
        db.execute("SELECT set_config('statement_timeout', %s, TRUE)", [before[0]])
