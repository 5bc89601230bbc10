"""Exports in SQL: the text that `commerce_core.exports` writes, written by the database itself.

One COPY is one statement, and so sees one moment. Here the rows are bytes that pass by.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, LiteralString

from psycopg import sql

from adapters.postgres.pages import where
from adapters.postgres.product_filters import conditions
from adapters.postgres.rows import Connection
from commerce_core.exports import GUARDED, HEADER, SHOWN, ExportForm
from commerce_core.mending import written
from commerce_core.products import ProductQuery

_BLOCK: Final = 1 << 16

# The guard of `commerce_core.mending`. Few texts need it: a look at the first character tells most.
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


_IDS: Final[Mapping[str, sql.Composable]] = {
    "product_id": _id("p.product_id", "prod"),
    "partner_id": sql.SQL("partner.id"),
    "source_id": sql.SQL("source.id"),
    "feed_id": sql.SQL("CASE WHEN p.origin_id IS NULL THEN publication.feed_id ELSE {} END").format(
        _id("SELECT o.feed_id FROM publications o WHERE o.publication_id = p.origin_id", "feed")
    ),
}
_TIMES: Final[Mapping[str, sql.Composable]] = {
    "sale_starts_at": _moment(_column("sale_starts_at")),
    "sale_ends_at": _moment(_column("sale_ends_at")),
    "created_at": _moment(_column("created_at")),
    "updated_at": sql.SQL("publication.updated_at"),
}
_CELLS: Final[Mapping[str, sql.Composable]] = {
    **_TIMES,
    **{name: _guarded(_column(name)) for name in GUARDED},
    **{f"_{name}": made for name, made in _IDS.items()},
    "_partner_name": sql.SQL("partner.guarded_name"),
    "_version": _column("version"),
    "_updated_at": _TIMES["updated_at"],
    "sku": _guarded(sql.SQL(_SKU)),
    "additional_image_urls": sql.SQL("array_to_string(p.additional_image_urls, ' ')"),
    "deleted": sql.SQL("CASE WHEN p.status = 'removed' THEN 'yes' END"),
}
_JSON_TEXTS: Final[Mapping[str, sql.Composable]] = {
    "partner_name": sql.SQL("partner.partner_name"),
    **{
        name: _column(name)
        for name in ("sku", *GUARDED, "product_url", "image_url", "additional_image_urls")
    },
}
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
    if name in _JSON_TEXTS:
        return sql.SQL("coalesce(to_json({})::text, 'null')").format(_JSON_TEXTS[name])
    if name in _NUMBERS:
        return sql.SQL("coalesce({}::text, 'null')").format(_NUMBERS[name])
    plain = _PLAIN_TEXTS.get(name, _column(name))
    return sql.SQL("coalesce('\"' || {} || '\"', 'null')").format(plain)


# What is the same for many products is written once and kept (OFFSET 0 makes the planner do so).
_FROM: Final = """
    FROM products p
    CROSS JOIN LATERAL (
        SELECT {partner_id} AS id, partner_name, {guarded_name} AS guarded_name
        FROM partners
        WHERE partners.partner_id = p.partner_id
        OFFSET 0
    ) AS partner
    CROSS JOIN LATERAL (
        SELECT {feed_id} AS feed_id, {updated_at} AS updated_at
        FROM publications u
        WHERE u.publication_id = p.publication_id
        OFFSET 0
    ) AS publication
    CROSS JOIN LATERAL (SELECT {source_id} AS id OFFSET 0) AS source
    LEFT JOIN held_units h ON h.partner_id = p.partner_id AND h.product_id = p.product_id
    CROSS JOIN LATERAL (SELECT {reason} AS why OFFSET 0) AS reason{condition}
    ORDER BY p.product_id"""
_ONCE: Final[Mapping[str, sql.Composable]] = {
    "partner_id": _id("partners.partner_id", "ptn"),
    "guarded_name": _guarded(sql.SQL("partners.partner_name")),
    "feed_id": _id("u.feed_id", "feed"),
    "updated_at": _moment(sql.SQL("u.published_at")),
    "source_id": _id("p.source_id", "src"),
}
_COPY_CSV: Final = "COPY (SELECT {shown}" + _FROM + ") TO STDOUT (FORMAT csv)"
# There are no control characters in JSON, so nothing is ever quoted.
_COPY_NDJSON: Final = (
    "COPY (SELECT concat({shown})"
    + _FROM
    + ") TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
)


def export(db: Connection, query: ProductQuery, form: ExportForm) -> Iterator[bytes]:
    """The file in blocks; until the last one the connection is taken."""
    condition, params = where(conditions(db, query))
    if form == "csv":
        yield f"{written(HEADER, ',')}\n".encode()
        copy, shown, reason = _COPY_CSV, _row(), "NULL"
    else:
        copy, shown, reason = _COPY_NDJSON, _object(), _REASON
    text = sql.SQL(copy).format(shown=shown, reason=sql.SQL(reason), condition=condition, **_ONCE)
    with db.cursor() as cursor, cursor.copy(text, params) as rows:
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
