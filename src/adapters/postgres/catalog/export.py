"""Snapshots of the catalog: as products, and as files that the database itself writes.

The files are what `commerce_core.catalog.export` writes. One COPY is one statement, and here its
rows are only bytes that pass through. What many products share, the name of a partner, the time of
a publication, is written once, into an object in which each product looks it up: a join may lose
the order, and sort everything once more. If there are too many of them, the others are looked up by
their key.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from time import monotonic
from typing import Final, LiteralString

from attrs import frozen
from psycopg import sql
from psycopg.types.string import TextLoader

from adapters.postgres.catalog.filters import STALE_SOURCES
from adapters.postgres.catalog.pages import LegAlong, by_id, is_walk, ordered, snapshot_of
from adapters.postgres.collections.escrow import RESERVED
from adapters.postgres.collections.listing import walking, where
from adapters.postgres.connection.rows import Connection, rows_of
from commerce_core.base.errors import Unavailable
from commerce_core.catalog.export import (
    HEADER,
    PRODUCTS_OF_BATCH,
    SHOWN,
    ExportForm,
    csv_header,
)
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.schema.fields import (
    FREE_TEXTS,
    LISTS,
    Attributes,
    Instant,
    Url,
    Urls,
    Whole,
    YesNo,
    product_fields_of,
)

_BLOCK: Final = 1 << 16
_PRODUCTS: Final = rows_of(Product, **dict.fromkeys(LISTS, tuple))

# `parsing.formulas.escape_formula` in SQL. Few texts need it: the first character decides most.
_ESCAPED: Final = r"""
    CASE
        WHEN ascii({text}) IN (9, 10, 13, 39, 43, 45, 61, 64, 65291, 65293, 65309, 65312)
             AND {text} ~ '^''*[-+=@\t\r\n\uff0b\uff0d\uff1d\uff20]'
             AND {text} !~ '^[+-]\.?[0-9][0-9.,]*([eE][+-]?[0-9]{{1,3}})?$'
        THEN '''' || {text}
        ELSE {text}
    END"""
# `catalog.export.sku_cell` in SQL.
_SKU: Final = "(CASE WHEN ascii(p.sku) = 39 THEN '''' || p.sku ELSE p.sku END)"
_MOMENT: Final = """
    CASE
        WHEN {time} = date_trunc('second', {time})
        THEN to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ELSE to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    END"""
# In the order of `Product.not_sellable_reason`.
NOT_SELLABLE_REASON: Final[LiteralString] = (
    "CASE "  # noqa: S608 - our own text
    """
        WHEN p.partner_id = ANY(
            ARRAY(SELECT partner_id FROM partners WHERE status = 'offboarded')
        ) THEN 'partner_gone'
        WHEN p.status = 'removed' THEN 'removed'
        WHEN p.availability = 'discontinued' THEN 'discontinued'
        WHEN p.source_id = ANY("""
    + STALE_SOURCES
    + """) THEN 'stale'
        WHEN p.price IS NULL THEN 'unpriced'
        WHEN p.price = 0 THEN 'zero_price'
        WHEN p.availability = 'out_of_stock' OR (p.availability IS NULL AND p.quantity = 0)
        THEN 'out_of_stock'
        WHEN p.quantity <= coalesce(h.units, 0)
             AND coalesce(p.availability, '') NOT IN ('preorder', 'backorder')
        THEN 'no_stock'
    END"""
)
# The greatest of NULL and 0 would be 0.
_AVAILABLE: Final = """
    (CASE WHEN p.quantity IS NOT NULL THEN greatest(0, p.quantity - coalesce(h.units, 0)) END)"""


def _column(name: str) -> sql.Composable:
    return sql.Identifier("p", name)


def _escaped(text: sql.Composable) -> sql.Composable:
    return sql.SQL(_ESCAPED).format(text=text)


def _moment(time: sql.Composable) -> sql.Composable:
    return sql.SQL(_MOMENT).format(time=time)


def _id(uuid: LiteralString, prefix: LiteralString) -> sql.Composable:
    return sql.SQL("'" + prefix + "_' || replace((" + uuid + ")::text, '-', '')")


MOST_SHARED: Final = 10_000
"""Partners, and latest publications, that are written once; others are, product by product."""
_OF_PARTNER: Final = """
    coalesce(
        (SELECT jsonb_object_agg(partner_id, {text})
         FROM (SELECT * FROM partners LIMIT {most}) AS shared) ->> p.partner_id::text,
        (SELECT {text} FROM partners WHERE partner_id = p.partner_id)
    )"""
_OF_PUBLICATION: Final = """
    coalesce(
        (SELECT jsonb_object_agg(publication_id, {text})
         FROM (SELECT * FROM publications ORDER BY number DESC LIMIT {most}) AS shared)
            ->> {of}::text,
        (SELECT {text} FROM publications WHERE publication_id = {of})
    )"""


def _of_partner(text: sql.Composable) -> sql.Composable:
    return sql.SQL(_OF_PARTNER).format(text=text, most=sql.Literal(MOST_SHARED))


def _of_publication(text: sql.Composable, of: LiteralString) -> sql.Composable:
    return sql.SQL(_OF_PUBLICATION).format(text=text, of=sql.SQL(of), most=sql.Literal(MOST_SHARED))


_IDS: Final[Mapping[str, sql.Composable]] = {
    "product_id": _id("p.product_id", "prod"),
    "partner_id": _id("p.partner_id", "ptn"),
    "source_id": _id("p.source_id", "src"),
    "feed_id": _of_publication(_id("feed_id", "feed"), "coalesce(p.origin_id, p.publication_id)"),
}
_TIMES: Final[Mapping[str, sql.Composable]] = {
    **{name: _moment(_column(name)) for name in product_fields_of(Instant)},
    "created_at": _moment(_column("created_at")),
    "updated_at": _of_publication(_moment(sql.SQL("published_at")), "p.publication_id"),
}
_CELLS: Final[Mapping[str, sql.Composable]] = {
    **_TIMES,
    **{name: _escaped(_column(name)) for name in FREE_TEXTS},
    **{f"_{name}": made for name, made in _IDS.items()},
    "_partner_name": _of_partner(_escaped(sql.SQL("partner_name"))),
    "_version": _column("version"),
    "_updated_at": _TIMES["updated_at"],
    "sku": _escaped(sql.SQL(_SKU)),
    **{name: sql.SQL("array_to_string({}, ' ')").format(_column(name)) for name in LISTS},
    "deleted": sql.SQL("CASE WHEN p.status = 'removed' THEN 'yes' END"),
}
_JSON: Final = "coalesce(to_json({})::text, 'null')"
_JSON_TEXTS: Final = ("sku", *FREE_TEXTS, *product_fields_of(Url, Urls))
_NUMBERS: Final[Mapping[str, sql.Composable]] = {
    **{name: _column(name) for name in product_fields_of(Whole, YesNo, Attributes)},
    "line": _column("line"),
    "version": _column("version"),
    "sellable": sql.SQL("(reason.why IS NULL)::text"),
    "available": sql.SQL(_AVAILABLE),
}
_PLAIN_TEXTS: Final[Mapping[str, sql.Composable]] = {
    **_IDS,
    **_TIMES,
    "not_sellable_reason": sql.SQL("reason.why"),
}


def _member(name: str) -> sql.Composable:
    """The JSON of a member. Only texts of the partner's own are escaped, since that takes long."""
    if name == "partner_name":
        return _of_partner(sql.SQL(_JSON).format(sql.SQL("partner_name")))
    if name in _JSON_TEXTS:
        return sql.SQL(_JSON).format(_column(name))
    if name in _NUMBERS:
        return sql.SQL("coalesce({}::text, 'null')").format(_NUMBERS[name])
    plain = _PLAIN_TEXTS.get(name, _column(name))
    return sql.SQL("coalesce('\"' || {} || '\"', 'null')").format(plain)


_COPY_CSV: Final = """
    COPY (SELECT {shown} FROM products p{condition} ORDER BY {order}) TO STDOUT (FORMAT csv)"""
# There are no control characters in JSON, so nothing is ever quoted. The reason is written twice,
# and found once (OFFSET 0 makes the planner do so).
_COPY_NDJSON: Final = """
    COPY (
        SELECT concat({shown})
        FROM products p
        LEFT JOIN {reserved} h ON h.partner_id = p.partner_id AND h.product_id = p.product_id
        CROSS JOIN LATERAL (SELECT {reason} AS why OFFSET 0) AS reason{condition}
        ORDER BY {order}
    ) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"""


@frozen
class CatalogSnapshot:
    """Implements `commerce_core.catalog.export.Snapshot` in a transaction that sees one moment.

    Until the last batch or block the connection is taken, for no longer than `seconds`.
    """

    _db: Connection
    _query: ProductQuery
    _seconds: float

    def __iter__(self) -> Iterator[Sequence[Product]]:
        until = monotonic() + self._seconds
        with (
            walking(self._db) if is_walk(self._query) else nullcontext(),
            self._db.cursor("snapshot", row_factory=_PRODUCTS) as cursor,
        ):
            cursor.adapters.register_loader("uuid", TextLoader)
            cursor.execute(*snapshot_of(self._leg()))
            while batch := cursor.fetchmany(PRODUCTS_OF_BATCH):
                yield batch
                if monotonic() > until:
                    raise Unavailable(
                        f"The products were not taken within {self._seconds:,.0f} seconds."
                    )

    def written(self, form: ExportForm) -> Iterator[bytes]:
        """The file in blocks, as the database writes it."""
        leg = self._leg()
        condition, params = where(leg.conditions)
        parts = {"condition": condition, "order": ordered(leg.order)}
        if form == "csv":
            yield csv_header()
            text = sql.SQL(_COPY_CSV).format(shown=_row(), **parts)
        else:
            text = sql.SQL(_COPY_NDJSON).format(
                shown=_object(),
                reason=sql.SQL(NOT_SELLABLE_REASON),
                reserved=sql.SQL(RESERVED),
                **parts,
            )
        with (
            walking(self._db) if is_walk(self._query) else nullcontext(),
            self._db.cursor() as cursor,
            cursor.copy(text, params) as rows,
        ):
            yield from _blocks(rows.read)

    def _leg(self) -> LegAlong:
        return by_id(self._db, self._query, None)


def _row() -> sql.Composable:
    """The cells of a row, as they are made, or as they are kept."""
    return sql.SQL(", ").join(_CELLS.get(name, _column(name)) for name in HEADER)


def _object() -> sql.Composable:
    """The parts of an object's text. Its names and braces are put together here, not row by row."""
    parts: list[sql.Composable] = []
    for number, name in enumerate(SHOWN):
        parts += [sql.Literal(f'{", " if number else "{"}"{name}": '), _member(name)]
    return sql.SQL(", ").join([*parts, sql.Literal("}")])


def _blocks(read: Callable[[], bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """Rows joined, since they come one by one."""
    block = bytearray()
    while row := read():
        block += row
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
