"""The temporary tables in which a feed is compared, made once for each session.

    staged      the records of a feed that weren't matched by their fingerprints
    unmatched   the known products that no record matched, if any was
    matched     the product of each staged record, and the place where its row stands
    repeated    the staged records that a later one of the same sku overrides
    decided     the fates
    missing     the source's active products that the file doesn't contain
    with_zeros  those of them whose skus begin with zeros

They are empty again when a transaction ends. Making them takes as long as comparing a small feed,
would have all statements on them parsed anew, and would leave as many dead rows in the catalog of
the database as an hourly fleet has feeds.
"""

from functools import cache
from typing import Final, LiteralString, assert_never

from psycopg import sql

from adapters.postgres.connection.rows import Connection
from commerce_core.schema import fields as schema
from commerce_core.schema.fields import BY_NAME, PRODUCT_FIELDS, Kind

FEW_UNANALYSED: Final = 500
"""Rows of a temporary table up to which making its statistics takes longer than they can save."""
_TABLES: Final[dict[LiteralString, LiteralString]] = {
    "staged": """
        line int4, shape int4, rejected bool, deletes bool, sku text COLLATE "C", upper int8,
        lower int8, {fields}""",
    "unmatched": "product_id uuid",
    "matched": "line int4, product_id uuid, place tid",
    "repeated": "line int4, later int4",
    "decided": """
        line int4, fate text, product_id uuid, place tid, changed int8, price numeric,
        sale_price numeric, currency text, field text, amount numeric, moved_from numeric,
        moved_to numeric, leaps boolean, doubt text, near text""",
    "missing": "product_id uuid, place tid",
    "with_zeros": 'product_id uuid, sku text COLLATE "C", bare text COLLATE "C"',
}
"""The columns of each; a record has those of the fields that its feed brings, all others NULL."""


def make_tables(db: Connection, *, again: bool) -> None:
    """Makes those that the session doesn't have; `again` empties them within a unit."""
    db.execute(_making())
    if again:
        names = sql.SQL(", ").join(sql.Identifier("pg_temp", name) for name in _TABLES)
        db.execute(sql.SQL("TRUNCATE {}").format(names))


def analyse_if_many(db: Connection, table: LiteralString, rows: int) -> None:
    """Lets the planner know a temporary table; it takes every record for the same one otherwise."""
    if rows > FEW_UNANALYSED:
        # A tenth of the usual sample: only numbers of rows and of values matter.
        db.execute(
            f"SET LOCAL default_statistics_target = 10; ANALYZE {table};"
            "SET LOCAL default_statistics_target TO DEFAULT"
        )


def sql_type(kind: Kind) -> LiteralString:
    """The type of the column that keeps values of a kind."""
    match kind:
        case (
            schema.Text() | schema.Word() | schema.CurrencyCode() | schema.Gtin()
            | schema.Category() | schema.Options() | schema.Url()
        ):  # fmt: skip
            return "text"
        case schema.Amount() | schema.Grams():
            return "numeric"
        case schema.Whole():
            return "int8"
        case schema.Instant():
            return "timestamptz"
        case schema.Urls():
            return "text[]"
        case schema.YesNo():
            return "bool"
        case schema.Attributes():
            return "jsonb"
        case _:
            assert_never(kind)


@cache
def _making() -> bytes:
    fields = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(sql_type(BY_NAME[name].kind)))
        for name in PRODUCT_FIELDS
    )
    # In one statement, and without a notice for each table that is there already.
    tables = sql.SQL("; ").join(
        sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(
            sql.Identifier(name), sql.SQL(columns).format(fields=fields)
        )
        for name, columns in _TABLES.items()
    )
    quiet = sql.SQL("SET LOCAL client_min_messages = warning; ")
    return (quiet + tables).as_bytes()
