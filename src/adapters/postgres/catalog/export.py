"""Exports in SQL: what `commerce_core.catalog.export` writes, written by the database itself.

One COPY is one statement, and so sees one moment. Here the rows are bytes that pass by. What many
products share, the name of a partner, the time of a publication, is written once, into an object in
which each product looks it up: a join may lose the order, and sort everything once more. What isn't
among so many is looked up along its key.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Final, LiteralString

from psycopg import sql

from adapters.postgres.catalog.pages import by_id, is_walk, ordered
from adapters.postgres.collections.listing import walking, where
from adapters.postgres.connection.rows import Connection
from commerce_core.catalog.export import GUARDED, HEADER, SHOWN, ExportForm
from commerce_core.catalog.product import ProductQuery
from commerce_core.parsing.returned_reports import written

_BLOCK: Final = 1 << 16

# The escapes of `parsing.returned_reports`. Few texts need them: the first character decides most.
_GUARD: Final = r"""
    CASE
        WHEN ascii({text}) IN (9, 10, 13, 39, 43, 45, 61, 64, 65291, 65293, 65309, 65312)
             AND {text} ~ '^''*[-+=@\t\r\n\uff0b\uff0d\uff1d\uff20]'
             AND {text} !~ '^[+-]\.?[0-9][0-9.,]*([eE][+-]?[0-9]{{1,3}})?$'
        THEN '''' || {text}
        ELSE {text}
    END"""
# Reading takes one apostrophe off a sku, whosever it is.
_SKU: Final = "(CASE WHEN ascii(p.sku) = 39 THEN '''' || p.sku ELSE p.sku END)"
_MOMENT: Final = """
    CASE
        WHEN {time} = date_trunc('second', {time})
        THEN to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ELSE to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    END"""
# In the order of `Product.not_sellable_reason`.
_REASON: Final = """
    CASE
        WHEN p.status = 'removed' THEN 'removed'
        WHEN p.availability = 'discontinued' THEN 'discontinued'
        WHEN p.price IS NULL THEN 'unpriced'
        WHEN p.price = 0 THEN 'zero_price'
        WHEN p.availability = 'out_of_stock' OR (p.availability IS NULL AND p.quantity = 0)
        THEN 'out_of_stock'
        WHEN p.quantity <= coalesce(h.units, 0)
             AND coalesce(p.availability, '') NOT IN ('preorder', 'backorder')
        THEN 'no_stock'
    END"""
# The greatest of nothing and 0 would be 0.
_AVAILABLE: Final = """
    (CASE WHEN p.quantity IS NOT NULL THEN greatest(0, p.quantity - coalesce(h.units, 0)) END)"""


def _column(name: str) -> sql.Composable:
    return sql.Identifier("p", name)


def _guarded(text: sql.Composable) -> sql.Composable:
    return sql.SQL(_GUARD).format(text=text)


def _moment(time: sql.Composable) -> sql.Composable:
    return sql.SQL(_MOMENT).format(time=time)


def _id(uuid: LiteralString, prefix: LiteralString) -> sql.Composable:
    return sql.SQL("'" + prefix + "_' || replace((" + uuid + ")::text, '-', '')")


MOST_SHARED: Final = 10_000
"""Partners, and latest publications, that are written once; any others are, product by product."""
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
    "sale_starts_at": _moment(_column("sale_starts_at")),
    "sale_ends_at": _moment(_column("sale_ends_at")),
    "created_at": _moment(_column("created_at")),
    "updated_at": _of_publication(_moment(sql.SQL("published_at")), "p.publication_id"),
}
_CELLS: Final[Mapping[str, sql.Composable]] = {
    **_TIMES,
    **{name: _guarded(_column(name)) for name in GUARDED},
    **{f"_{name}": made for name, made in _IDS.items()},
    "_partner_name": _of_partner(_guarded(sql.SQL("partner_name"))),
    "_version": _column("version"),
    "_updated_at": _TIMES["updated_at"],
    "sku": _guarded(sql.SQL(_SKU)),
    "additional_image_urls": sql.SQL("array_to_string(p.additional_image_urls, ' ')"),
    "deleted": sql.SQL("CASE WHEN p.status = 'removed' THEN 'yes' END"),
}
_JSON: Final = "coalesce(to_json({})::text, 'null')"
_JSON_TEXTS: Final = ("sku", *GUARDED, "product_url", "image_url", "additional_image_urls")
_NUMBERS: Final[Mapping[str, sql.Composable]] = {
    "quantity": _column("quantity"),
    "line": _column("line"),
    "version": _column("version"),
    "sellable": sql.SQL("(reason.why IS NULL)::text"),
    "available": sql.SQL(_AVAILABLE),
    "attributes": _column("attributes"),
}
_PLAIN_TEXTS: Final[Mapping[str, sql.Composable]] = {
    **_IDS,
    **_TIMES,
    "not_sellable_reason": sql.SQL("reason.why"),
}


def _member(name: str) -> sql.Composable:
    """The JSON of a member. Only what a partner writes freely is escaped, which takes long."""
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
# There are no control characters in JSON, so nothing is ever quoted. The reason is told twice, and
# found once (OFFSET 0 makes the planner do so).
_COPY_NDJSON: Final = """
    COPY (
        SELECT concat({shown})
        FROM products p
        LEFT JOIN held_units h ON h.partner_id = p.partner_id AND h.product_id = p.product_id
        CROSS JOIN LATERAL (SELECT {reason} AS why OFFSET 0) AS reason{condition}
        ORDER BY {order}
    ) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"""


def export(db: Connection, query: ProductQuery, form: ExportForm) -> Iterator[bytes]:
    """The file in blocks; until the last one the connection is taken."""
    leg = by_id(db, query, None)
    condition, params = where(leg.conditions)
    parts = {"condition": condition, "order": ordered(leg.order)}
    if form == "csv":
        yield f"{written(HEADER, ',')}\n".encode()
        text = sql.SQL(_COPY_CSV).format(shown=_row(), **parts)
    else:
        text = sql.SQL(_COPY_NDJSON).format(shown=_object(), reason=sql.SQL(_REASON), **parts)
    with (
        walking(db) if is_walk(query) else nullcontext(),
        db.cursor() as cursor,
        cursor.copy(text, params) as rows,
    ):
        yield from _blocks(rows.read)


def _row() -> sql.Composable:
    """The cells of a row, as they are made, or else as they are kept."""
    return sql.SQL(", ").join(_CELLS.get(name, _column(name)) for name in HEADER)


def _object() -> sql.Composable:
    """The parts of an object's text. Its names and braces are put together here, not row by row."""
    parts: list[sql.Composable] = []
    for number, name in enumerate(SHOWN):
        parts += [sql.Literal(f'{", " if number else "{"}"{name}": '), _member(name)]
    return sql.SQL(", ").join([*parts, sql.Literal("}")])


def _blocks(read: Callable[[], bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """Rows put together, since they come one by one."""
    block = bytearray()
    while row := read():
        block += row
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
