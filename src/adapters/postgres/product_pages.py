"""Pages of products: which rows, in which order, and along which index they are walked.

A page is read in legs, one after the other until it is full: products sorted by price come in two,
since those without a price are last whichever the direction, which no index is for both.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, LiteralString

from attrs import frozen
from psycopg import sql

from adapters.postgres.pages import Condition, asked, where
from adapters.postgres.rows import Connection, digits, maybe_digits
from commerce_core.errors import Malformed
from commerce_core.paging import Position
from commerce_core.products import Product, ProductQuery

_PRICE: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)

SELECT_SHOWN: Final = """
    SELECT p.product_id, p.partner_id, partners.partner_name, p.source_id, p.sku, p.product_name,
           p.group_id, p.options, p.description, p.brand, p.condition, p.category, p.gtin, p.mpn,
           p.price, p.currency, p.sale_price, p.sale_starts_at, p.sale_ends_at, p.availability,
           p.quantity, p.weight, p.product_url, p.image_url, p.additional_image_urls,
           p.attributes, p.status, p.line, p.version, p.publication_id, p.ordinal, p.origin_id,
           p.created_at, u.published_at AS updated_at,
           coalesce(
               (SELECT o.feed_id FROM publications o WHERE o.publication_id = p.origin_id),
               u.feed_id
           ) AS feed_id"""
"""What is read of a product, from a row `p` and its publication `u`."""
SELECT: Final = (
    SELECT_SHOWN
    + """, coalesce(h.units, 0) AS held
    FROM {products} p
    JOIN partners ON partners.partner_id = p.partner_id
    JOIN publications u ON u.publication_id = p.publication_id
    LEFT JOIN held_units h ON h.partner_id = p.partner_id AND h.product_id = p.product_id"""
)


@frozen
class Leg:
    """The rows that meet the conditions, in the order of columns, all in one direction.

    `of_each_partner` merges the first rows of every partner, so that an index that begins with the
    partner serves a list of all.
    """

    conditions: Sequence[Condition]
    order: tuple[LiteralString, ...]
    descending: bool
    of_each_partner: bool = False

    def query(self, limit: int) -> tuple[sql.Composed, list[Any]]:
        """The query of its first rows. What is looked up is looked up for those alone."""
        direction = " DESC" if self.descending else ""
        order = sql.SQL(", ").join(sql.SQL(column + direction) for column in self.order)
        own = [_OF_THAT_PARTNER] if self.of_each_partner else []
        condition, params = where([*own, *self.conditions])
        rows = sql.SQL(_ROWS).format(condition=condition, order=order)
        params.append(limit)
        if self.of_each_partner:
            rows = sql.SQL(_OF_EACH_PARTNER).format(rows=rows, order=order)
            params.append(limit)
        return sql.SQL(SELECT + " ORDER BY {order}").format(products=rows, order=order), params


_ROWS: Final = "(SELECT p.* FROM products p{condition} ORDER BY {order} LIMIT %s)"
_OF_EACH_PARTNER: Final = """(
    SELECT p.*
    FROM partners AS each
    CROSS JOIN LATERAL {rows} AS p
    ORDER BY {order}
    LIMIT %s
)"""
_OF_THAT_PARTNER: Final[Condition] = ("p.partner_id = each.partner_id", ())
_PRICED: Final[Condition] = ("p.price IS NOT NULL", ())
_UNPRICED: Final[Condition] = ("p.price IS NULL", ())


def legs(query: ProductQuery, own: Sequence[Condition], after: Position | None) -> Iterator[Leg]:
    """The legs of a page after that position, in the order in which they are walked."""
    descending = query.order == "desc"
    by_id: LiteralString = "p.product_id < %s" if descending else "p.product_id > %s"
    beyond_id = asked(by_id, digits(after.id) if after else None)
    if query.sort_by == "product_id":
        yield Leg([*own, *beyond_id], ("p.product_id",), descending)
        return
    everyone = query.partner_id is None
    if after is None or after.value is not None:
        priced = [*own, _PRICED, *_beyond_price(after, descending=descending)]
        yield Leg(priced, ("p.price", "p.product_id"), descending, everyone)
        beyond_id = []
    unpriced = [*own, _UNPRICED, *beyond_id]
    # By no price and id: that is the order of the index by price, and of no other.
    yield Leg(unpriced, ("p.price", "p.product_id"), descending, everyone)


def _beyond_price(after: Position | None, *, descending: bool) -> list[Condition]:
    if after is None or after.value is None:
        return []
    beyond: LiteralString = (
        "(p.price, p.product_id) < (%s, %s)" if descending else "(p.price, p.product_id) > (%s, %s)"
    )
    return [(beyond, [_price(after.value), digits(after.id)])]


def _price(text: str) -> Decimal:
    if _PRICE.fullmatch(text):
        return Decimal(text)
    raise Malformed.at("/cursor", "bad_cursor", f"No page of this list ended at {text!r}.")


def position(query: ProductQuery, product: Product) -> Position:
    """Where a page that ends with this product ends."""
    value = product.price if query.sort_by == "price" else None
    return Position(None if value is None else str(value), product.product_id)


def conditions(db: Connection, query: ProductQuery) -> list[Condition]:
    """What the filters of a query ask of a row `p`."""
    # Where it isn't said whose sku it is, the primary key is asked for it once per partner.
    by_sku: LiteralString = "p.sku = ANY(%s)"
    if query.partner_id is None:
        by_sku += " AND p.partner_id = ANY(ARRAY(SELECT partner_id FROM partners))"
    return [
        *asked("p.partner_id = %s", maybe_digits(query.partner_id)),
        *asked("p.source_id = %s", maybe_digits(query.source_id)),
        *([] if query.feed_id is None else [_of_feed(db, query.feed_id)]),
        *asked(by_sku, list(query.skus) or None),
        *asked("p.currency = %s", query.currency),
        *asked("p.status = %s", None if query.status == "all" else query.status),
    ]


def _of_feed(db: Connection, feed_id: str) -> Condition:
    """The condition that the row's values came from a feed, be it that a revert brought them."""
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
    # Looked up beforehand: a planner that sees which one it is knows whether it is large or small.
    if len(published) == 1:
        return "p.publication_id = %s AND p.origin_id IS NULL", published
    return "p.publication_id = ANY(%s::uuid[]) AND p.origin_id IS NULL", [published]
