"""Pages of products: which rows, in which order, and along which index they are walked.

A page is read in legs, one after the other until it is full: products sorted by price come in two,
since those without a price are last whichever the direction, which no index is for both.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, LiteralString

from attrs import evolve, frozen
from psycopg import sql

from adapters.postgres.pages import Condition, asked, where
from adapters.postgres.rows import digits, maybe_digits
from commerce_core.errors import Malformed
from commerce_core.paging import Position
from commerce_core.products import Product, ProductQuery

_PRICE: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)

SELECT: Final = """
    SELECT p.product_id, p.partner_id, partners.partner_name, p.source_id, p.sku, p.product_name,
           p.group_id, p.options, p.description, p.brand, p.condition, p.category, p.gtin, p.mpn,
           p.price, p.currency, p.sale_price, p.sale_starts_at, p.sale_ends_at, p.availability,
           p.quantity, p.weight, p.product_url, p.image_url, p.additional_image_urls, p.status,
           u.feed_id, p.line, p.version, p.publication_id, p.ordinal, p.created_at,
           u.published_at AS updated_at, coalesce(h.units, 0) AS held
    FROM {products} p
    JOIN partners ON partners.partner_id = p.partner_id
    JOIN publications u ON u.publication_id = p.publication_id
    LEFT JOIN held_units h ON h.partner_id = p.partner_id AND h.product_id = p.product_id"""


@frozen
class Parts:
    """What the rows of a leg are divided by: the first rows of each part are merged into a page.

    So an index that begins with the part serves a list across all of them, in its order.
    """

    keys: LiteralString
    key: LiteralString
    params: Sequence[Any] = ()


_PARTNERS: Final = Parts("SELECT partner_id FROM partners", "partner_id")


@frozen
class Leg:
    """The rows that meet the conditions, in the order of columns, all in one direction."""

    conditions: Sequence[Condition]
    order: tuple[LiteralString, ...]
    descending: bool
    parts: Parts | None = None

    def query(self, limit: int) -> tuple[sql.Composed, list[Any]]:
        """The query of its first rows. What is looked up is looked up for those alone."""
        direction = sql.SQL(" DESC" if self.descending else "")
        order = sql.SQL(", ").join(sql.SQL(column) + direction for column in self.order)
        rows, params = self._rows(order, limit)
        return sql.SQL(SELECT + " ORDER BY {order}").format(products=rows, order=order), params

    def _rows(self, order: sql.Composed, limit: int) -> tuple[sql.Composed, list[Any]]:
        rows = sql.SQL("(SELECT p.* FROM products p{} ORDER BY {} LIMIT %s)")
        if self.parts is None:
            condition, params = where(self.conditions)
            return rows.format(condition, order), [*params, limit]
        of_part: Condition = (f"p.{self.parts.key} = part.{self.parts.key}", ())
        condition, params = where([of_part, *self.conditions])
        merged = sql.SQL(
            "(SELECT p.* FROM ({}) part CROSS JOIN LATERAL {} p ORDER BY {} LIMIT %s)"
        ).format(sql.SQL(self.parts.keys), rows.format(condition, order), order)
        return merged, [*self.parts.params, *params, limit, limit]


_PRICED: Final[Condition] = ("p.price IS NOT NULL", ())
_UNPRICED: Final[Condition] = ("p.price IS NULL", ())


def legs(query: ProductQuery, after: Position | None) -> Iterator[Leg]:
    """The legs of a page after that position, in the order in which they are walked."""
    parts, descending = _parts(query), query.order == "desc"
    own = conditions(evolve(query, feed_id=None))
    by_id: LiteralString = "p.product_id < %s" if descending else "p.product_id > %s"
    beyond_id = asked(by_id, digits(after.id) if after else None)
    if query.sort_by == "product_id":
        yield Leg([*own, *beyond_id], ("p.product_id",), descending, parts)
        return
    if after is None or after.value is not None:
        priced = [*own, _PRICED, *_beyond_price(after, descending=descending)]
        yield Leg(priced, ("p.price", "p.product_id"), descending, parts)
        beyond_id = []
    yield Leg([*own, _UNPRICED, *beyond_id], ("p.product_id",), descending, parts)


def _parts(query: ProductQuery) -> Parts | None:
    if query.feed_id is not None:
        publications = "SELECT publication_id FROM publications WHERE feed_id = %s"
        return Parts(publications, "publication_id", [digits(query.feed_id)])
    return _PARTNERS if query.sort_by == "price" and query.partner_id is None else None


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


def conditions(query: ProductQuery) -> list[Condition]:
    """What the filters of a query ask of a row `p`."""
    # Where it isn't said whose sku it is, the primary key is asked for it once per partner.
    by_sku: LiteralString = "p.sku = ANY(%s)"
    if query.partner_id is None:
        by_sku += " AND p.partner_id = ANY(ARRAY(SELECT partner_id FROM partners))"
    of_feed: LiteralString = """
        p.publication_id = ANY(ARRAY(SELECT publication_id FROM publications WHERE feed_id = %s))"""
    return [
        *asked("p.partner_id = %s", maybe_digits(query.partner_id)),
        *asked("p.source_id = %s", maybe_digits(query.source_id)),
        *asked(of_feed, maybe_digits(query.feed_id)),
        *asked(by_sku, list(query.skus) or None),
        *asked("p.currency = %s", query.currency),
        *asked("p.status = %s", None if query.status == "all" else query.status),
    ]
