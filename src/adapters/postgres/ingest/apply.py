"""Applying a comparison: what `decide` has decided becomes the catalog, its past the history.

Always the same few statements, whatever the feed's size, and none touches a row that stays.
"""

from functools import cache, lru_cache
from typing import Final, LiteralString

from psycopg import sql
from psycopg.abc import Params

from adapters.postgres.connection.rows import Connection, digits
from adapters.postgres.ingest.compare import Comparison
from adapters.postgres.ingest.decide import AMONG_CHANGED, settled_value
from adapters.postgres.ingest.known_fingerprints import reread
from adapters.postgres.ingest.known_packed import is_much, keep_also
from adapters.postgres.ingest.known_values import renewed
from adapters.postgres.ingest.session_tables import FEW_UNANALYSED
from adapters.postgres.ingest.staging import MOST_FORMS, Staged, by_sets
from commerce_core.catalog.publication import Publication
from commerce_core.plans.comparison import MONEY
from commerce_core.schema.fields import PRODUCT_FIELDS

COLUMNS: Final = (
    "partner_id", "product_id", "source_id", "publication_id", "created_at", "line", "version",
    "ordinal", "status", "sku", "origin_id", *PRODUCT_FIELDS,
)  # fmt: skip
"""The columns of a product, which those of its earlier versions are too."""

# Existing products are numbered by id, whatever happens to them; new ones follow by line.
_CHANGED: Final = """(
    SELECT line, fate, product_id, price, sale_price, currency, leaps, doubt,
           row_number() OVER (ORDER BY product_id) AS ordinal
    FROM decided
    WHERE fate IN ('updated', 'restored', 'removed', 'absent')
)"""


def apply(db: Connection, comparison: Comparison, publication: Publication, stem: str) -> int:
    """Does what was decided; returns the source's active products afterwards."""
    plan, staged = comparison.plan, comparison.staged
    changed = plan.updated + plan.restored + plan.removed
    params = {
        "partner_id": digits(plan.feed_context.partner_id),
        "source_id": digits(plan.feed_context.source_id),
        "publication_id": digits(publication.publication_id),
        "stem": stem,
        "before_new": changed,
    }
    after = plan.before
    if comparison.known is not None and is_much(comparison.reread, plan.before):
        with by_sets(db):
            again = reread(db, plan.feed_context)
        feed_context, known = plan.feed_context, comparison.known.entries
        current = renewed(known, comparison.agreed)
        keep_also(db, feed_context.partner_id, feed_context.source_id, current, again)
    with by_sets(db, few=max(staged.records, changed) <= FEW_UNANALYSED):
        if changed:
            _keep_history(db, params)
            if plan.updated + plan.restored:
                after += _change(db, staged, params) - plan.updated
            if plan.removed:
                after -= _remove(db, params)
        if plan.created:
            after += _create(db, staged, params)
    return after


def _keep_history(db: Connection, params: Params) -> None:
    db.execute(_history_statement(), params)


@cache
def _history_statement() -> bytes:
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    query = """
        INSERT INTO product_versions ({columns}, replaced_by)
        SELECT {columns}, %(publication_id)s
        FROM products p
        WHERE {among_changed}
        """
    return _format(query, columns=columns).as_bytes()


def _change(db: Connection, staged: Staged, params: Params) -> int:
    """Gives updated and restored products their values, and returns their number."""
    return db.execute(_change_statement(staged.form), params).rowcount


@lru_cache(MOST_FORMS)
def _change_statement(staged: Staged) -> bytes:
    values = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), settled_value(staged, name))
        for name in staged.written
    )
    query = """
        UPDATE products p
        SET {values}, status = 'active', source_id = %(source_id)s, line = d.line,
            publication_id = %(publication_id)s, origin_id = NULL, ordinal = d.ordinal,
            version = p.version + 1,
            fingerprint_upper = CASE WHEN NOT d.leaps AND d.doubt IS NULL THEN s.upper END,
            fingerprint_lower = CASE WHEN NOT d.leaps AND d.doubt IS NULL THEN s.lower END
        FROM {changed} d
        JOIN staged s ON s.line = d.line
        WHERE {among_changed} AND p.product_id = d.product_id
          AND d.fate IN ('updated', 'restored')
        """
    return _format(query, values=values).as_bytes()


def _remove(db: Connection, params: Params) -> int:
    """Removes deleted and absent products, whose values stay; returns their number."""
    query = """
        UPDATE products p
        SET status = 'removed', line = d.line, publication_id = %(publication_id)s,
            origin_id = NULL, ordinal = d.ordinal, version = p.version + 1,
            fingerprint_upper = NULL, fingerprint_lower = NULL
        FROM {changed} d
        WHERE {among_changed} AND p.product_id = d.product_id
          AND d.fate IN ('removed', 'absent')
        """
    return db.execute(_format(query), params).rowcount


def _create(db: Connection, staged: Staged, params: Params) -> int:
    """Adds the new products, in the order of lines and so of ids; returns their number."""
    query = """
        INSERT INTO products (partner_id, product_id, source_id, publication_id, created_at, line,
                              version, ordinal, status, sku, fingerprint_upper, fingerprint_lower,
                              {names})
        SELECT %(partner_id)s, (%(stem)s || lpad(to_hex(d.n - 1), 8, '0'))::uuid, %(source_id)s,
               %(publication_id)s, now(), d.line, 1, %(before_new)s + d.n,
               'active', s.sku, s.upper, s.lower, {values}
        FROM (
            SELECT *, row_number() OVER (ORDER BY line) AS n
            FROM decided
            WHERE fate = 'created'
        ) d
        JOIN staged s ON s.line = d.line
        ORDER BY d.n
        """
    names = sql.SQL(", ").join(map(sql.Identifier, staged.fields))
    values = sql.SQL(", ").join(_new_value(name) for name in staged.fields)
    return db.execute(sql.SQL(query).format(names=names, values=values), params).rowcount


def _format(query: LiteralString, **parts: sql.Composable) -> sql.Composed:
    return sql.SQL(query).format(
        changed=sql.SQL(_CHANGED), among_changed=sql.SQL(AMONG_CHANGED), **parts
    )


def _new_value(name: str) -> sql.Composed:
    row = "d" if name in MONEY else "s"
    return sql.SQL("{}.{}").format(sql.Identifier(row), sql.Identifier(name))
