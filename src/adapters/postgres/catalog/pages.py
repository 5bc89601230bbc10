"""Pages of products: which rows, in which order, and along which index they are walked.

A page is read in legs, one after the other until it is full: products that lack the value they are
sorted by are a leg of their own, last in both directions, which no single index offers. By id and
by time a leg is walked along an index and reads little more than it returns; by any other value all
matching products are read.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, LiteralString, Protocol, cast

from attrs import evolve, frozen
from psycopg import sql

from adapters.postgres.catalog.filters import STALE_SOURCES, bounded, conditions
from adapters.postgres.collections.escrow import RESERVED
from adapters.postgres.collections.listing import Condition, asked, walking, where
from adapters.postgres.connection.rows import Connection, digits, maybe_digits
from commerce_core.base.paging import Position
from commerce_core.catalog.product import ProductQuery, SortBy
from commerce_core.catalog.sorting import MOST_ORDINAL, NULLABLE, Moment, value_at
from commerce_core.schema.fields import PRODUCT_FIELDS

# A name of a field is a literal of the schema.
_FIELDS: Final = cast("LiteralString", ", ".join(f"p.{name}" for name in PRODUCT_FIELDS))
SELECT_SHOWN: Final[LiteralString] = (
    "SELECT "  # noqa: S608 - names of the schema
    + _FIELDS
    + """,
           p.product_id, p.partner_id, partners.partner_name, p.source_id, p.sku,
           p.status, p.line, p.version, p.publication_id, p.ordinal, p.origin_id,
           p.created_at, u.published_at AS updated_at,
           coalesce(
               (SELECT o.feed_id FROM publications o WHERE o.publication_id = p.origin_id),
               u.feed_id
           ) AS feed_id"""
)
"""The columns of a product, from a row `p` and its publication `u`."""
_AS_OFFERED: Final[LiteralString] = (
    SELECT_SHOWN  # noqa: S608 - our own text
    + """, coalesce(h.units, 0) AS reserved, partners.status = 'offboarded' AS partner_gone,
           coalesce(
               (SELECT s.net_of_orders FROM sources s WHERE s.source_id = p.source_id), FALSE
           ) AS net_of_orders,
           p.source_id = ANY("""
    + STALE_SOURCES
    + ") AS stale"
)
SELECT: Final[LiteralString] = (
    _AS_OFFERED  # noqa: S608 - our own text
    + """
    FROM {products} p
    CROSS JOIN LATERAL (
        SELECT * FROM partners WHERE partner_id = p.partner_id OFFSET 0
    ) AS partners
    CROSS JOIN LATERAL (
        SELECT * FROM publications WHERE publication_id = p.publication_id OFFSET 0
    ) AS u
    LEFT JOIN LATERAL (
        SELECT units
        FROM """
    + RESERVED
    + """ AS held
        WHERE partner_id = p.partner_id AND product_id = p.product_id
        OFFSET 0
    ) AS h ON TRUE"""
)
"""Some products. The other tables are looked up for each, in whatever order a planner without
statistics would join them."""
_SELECT_MANY: Final[LiteralString] = (
    _AS_OFFERED
    + """
    FROM {products} p
    JOIN partners ON partners.partner_id = p.partner_id
    JOIN publications u ON u.publication_id = p.publication_id
    LEFT JOIN """
    + RESERVED
    + """ h ON h.partner_id = p.partner_id AND h.product_id = p.product_id"""
)
"""The same for any number of products."""

# Of a text only the first `sorting.SORTED_CHARACTERS` count.
_SORTED_BY: Final[dict[SortBy, LiteralString]] = {
    "price": "p.price",
    "product_name": 'left(p.product_name, 100) COLLATE "C"',
    "brand": 'left(p.brand, 100) COLLATE "C"',
    "category": 'left(p.category, 100) COLLATE "C"',
    "created_at": "p.created_at",
}

_ID: Final = "p.product_id"

Query = tuple[sql.Composed, list[Any]]


class Leg(Protocol):
    """Some rows in an order."""

    def query(self, limit: int) -> Query:
        """The query of its first rows. Other tables are joined to those alone."""
        ...


def legs(db: Connection, query: ProductQuery, after: Position | None) -> Iterator[Leg]:
    """The legs of a page after that position, in the order in which they are walked."""
    value = value_at(query, after) if after else None
    descending = query.order == "desc"
    if query.sort_by == "updated_at":
        yield _by_time(db, query, after)
        return
    if query.sort_by == "product_id":
        yield by_id(db, query, after)
        return
    own = conditions(db, query)
    by: LiteralString = _SORTED_BY[query.sort_by]
    if after is None or value is not None:
        beyond = _beyond(by, value, after, descending=descending) if after else []
        there: list[Condition] = [(by + " IS NOT NULL", ())] if query.sort_by in NULLABLE else []
        yield LegAlong([*own, *there, *beyond], (by, _ID), descending)
        after = None
    if query.sort_by in NULLABLE:
        nothing: Condition = (by + " IS NULL", ())
        lacking = [*own, nothing, *_beyond_id(after, descending=descending)]
        yield LegAlong(lacking, (_ID,), descending)


def by_id(db: Connection, query: ProductQuery, after: Position | None) -> "LegAlong":
    """The only leg of a list by id."""
    descending = query.order == "desc"
    if query.partner_id is None or not is_walk(query):
        rest = _beyond_id(after, descending=descending)
        return LegAlong([*conditions(db, query), *rest], (_ID,), descending)
    own = conditions(db, evolve(query, partner_id=None))
    partner, nothing_yet = digits(query.partner_id), ("f" if descending else "0") * 32
    place = [partner, digits(after.id) if after else nothing_yet, partner]
    return LegAlong([(_OF_PARTNER[query.order], place), *own], _BY_PARTNER, descending)


# As a range: with `partner_id = ...` the planner may as well walk the ids of all partners, and read
# past those of the others if it believes them to be few.
_OF_PARTNER: Final[Mapping[str, LiteralString]] = {
    "asc": "(p.partner_id, p.product_id) > (%s, %s) AND p.partner_id <= %s",
    "desc": "(p.partner_id, p.product_id) < (%s, %s) AND p.partner_id >= %s",
}
_BY_PARTNER: Final = ("p.partner_id", "p.product_id")


def _beyond_id(after: Position | None, *, descending: bool) -> list[Condition]:
    beyond: LiteralString = "p.product_id < %s" if descending else "p.product_id > %s"
    return asked(beyond, digits(after.id) if after else None)


def _beyond(
    by: LiteralString, value: object, after: Position, *, descending: bool
) -> list[Condition]:
    sign: LiteralString = "<" if descending else ">"
    return [("(" + by + ", p.product_id) " + sign + " (%s, %s)", [value, digits(after.id)])]


@frozen
class LegAlong:
    """The rows that meet the conditions, ordered by columns, all in one direction."""

    conditions: Sequence[Condition]
    order: tuple[LiteralString, ...]
    descending: bool

    def query(self, limit: int) -> Query:
        """The query of its first rows."""
        order = ordered(self.order, descending=self.descending)
        condition, params = where(self.conditions)
        rows = sql.SQL(_ROWS).format(condition=condition, order=order)
        return _selected(rows, order), [*params, limit]


def snapshot_of(leg: LegAlong) -> Query:
    """The query of all rows of a leg, looked up as they are walked."""
    condition, params = where(leg.conditions)
    products = sql.SQL(_SELECT_MANY).format(products=sql.SQL("products"))
    order = sql.SQL(" ORDER BY ") + ordered(leg.order, descending=leg.descending)
    return products + condition + order, params


_ROWS: Final = "(SELECT p.* FROM products p{condition} ORDER BY {order} LIMIT %s)"


def _by_time(db: Connection, query: ProductQuery, after: Position | None) -> "_LegByTime":
    descending = query.order == "desc"
    # Time and partner are conditions on publications, so that no other index looks suitable.
    own = conditions(db, evolve(query, updated_since=None, partner_id=None))
    publications: list[Condition] = [
        ("each.changes IS DISTINCT FROM 0", ()),
        *asked("each.partner_id = %s", maybe_digits(query.partner_id)),
        # Values that a revert brought back belong to the feed that they came from.
        *asked("(each.feed_id = %s OR each.kind <> 'feed')", maybe_digits(query.feed_id)),
        *asked(_NOT_BEFORE, query.updated_since),
    ]
    value = value_at(query, after) if after else None
    if isinstance(value, Moment):
        beyond, end = (_EARLIER, MOST_ORDINAL) if descending else (_LATER, 0)
        own.append((beyond, [value.at, value.ordinal, end]))
        publications.append((_NOT_AFTER if descending else _NOT_BEFORE, [value.at]))
    return _LegByTime(own, publications, descending)


# Of the publication at the position only what is beyond its ordinal; of any other all.
_LATER: Final = "p.ordinal > CASE WHEN each.published_at = %s THEN %s ELSE %s END"
_EARLIER: Final = "p.ordinal < CASE WHEN each.published_at = %s THEN %s ELSE %s END"
# Times rise with numbers, by which publications are walked.
_NOT_BEFORE: Final = """each.number >= (
    SELECT number FROM publications WHERE published_at >= %s ORDER BY published_at LIMIT 1
)"""
_NOT_AFTER: Final = """each.number <= (
    SELECT number FROM publications WHERE published_at <= %s ORDER BY published_at DESC LIMIT 1
)"""


@frozen
class _LegByTime:
    """Rows by their publications, which are walked one by one, each in the order of ordinals."""

    conditions: Sequence[Condition]
    publications: Sequence[Condition]
    descending: bool

    def query(self, limit: int) -> Query:
        own, params = where([_OF_THAT_PUBLICATION, *self.conditions])
        by_ordinal = ordered(("p.ordinal",), descending=self.descending)
        rows = sql.SQL(_ROWS).format(condition=own, order=by_ordinal)
        walked, more = where(self.publications)
        order = ordered(("each.number", "p.ordinal"), descending=self.descending)
        rows = sql.SQL(_OF_EACH_PUBLICATION).format(rows=rows, walked=walked, order=order)
        # Not by the number of `u`: without sorting, all publications would be walked for it.
        shown = ordered(("p.number", "p.ordinal"), descending=self.descending)
        return _selected(rows, shown), [*params, limit, *more, limit]


_OF_EACH_PUBLICATION: Final = """(
    SELECT p.*, each.number
    FROM publications AS each
    CROSS JOIN LATERAL {rows} AS p{walked}
    ORDER BY {order}
    LIMIT %s
)"""
_OF_THAT_PUBLICATION: Final[Condition] = ("p.publication_id = each.publication_id", ())


def _selected(rows: sql.Composable, order: sql.Composable) -> sql.Composed:
    return sql.SQL(SELECT + " ORDER BY {order}").format(products=rows, order=order)


def ordered(columns: Sequence[LiteralString], *, descending: bool = False) -> sql.Composed:
    """An order by these columns, all in one direction."""
    direction: LiteralString = " DESC" if descending else ""
    return sql.SQL(", ").join(sql.SQL(column + direction) for column in columns)


WALKED: Final = ("product_id", "updated_at")
"""The sorts that are walked along an index."""
_PASSED: Final = (
    "source_id", "currency", "brand", "category", "availability", "sellable", "price_min",
    "price_max", "q",
)  # fmt: skip


def reading(db: Connection, query: ProductQuery) -> AbstractContextManager[None]:
    """How a page is read: along an index, or for no longer than a list may take."""
    if is_walk(query):
        return walking(db, in_groups=query.sort_by == "updated_at")
    return bounded(db, query) if _may_take_long(query) else nullcontext()


def is_walk(query: ProductQuery) -> bool:
    """Whether its list is walked along an index, and passes over no product."""
    # Products found by sku or feed aren't in the order of ids, and are sorted.
    looked_up = query.skus or (query.feed_id is not None and query.sort_by == "product_id")
    return not (looked_up or _may_take_long(query))


def _may_take_long(query: ProductQuery) -> bool:
    """Whether products may have to be passed over that don't match."""
    if query.sort_by not in WALKED or query.status == "removed":
        return True
    passed = (*_PASSED, "updated_since") if query.sort_by == "product_id" else _PASSED
    return any(getattr(query, name) is not None for name in passed)
