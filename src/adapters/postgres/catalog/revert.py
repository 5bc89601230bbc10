"""Undoing what publications wrote, by sets: `commerce_core.plans.revert.plan_revert` in SQL.

    undoing    every product that changes, with the version whose values it gets (NULL: removed)

Each statement costs what these publications wrote, however large the catalog is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from attrs import define
from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.connection.locks import hold_feeds_of
from adapters.postgres.connection.rows import Connection, digits, fetch, fetch_one, rows_of
from adapters.postgres.ingest.apply import COLUMNS
from adapters.postgres.ingest.staging import by_sets
from commerce_core.catalog.publication import Publication
from commerce_core.plans.revert import Kept, RevertPlan
from commerce_core.schema.fields import PRODUCT_FIELDS

_KEPT: Final = rows_of(Kept)
_IS_OF: Final[LiteralString] = """
    ({0}.publication_id = ANY(%(undone)s::uuid[])
     OR ({0}.origin_id IS NOT NULL AND {0}.origin_id = ANY(%(undone)s::uuid[])))"""
_VALUES: Final = ("status", "source_id", *PRODUCT_FIELDS)


@define
class Reverts:
    """Implements `commerce_core.ports.catalog.Reverts`."""

    _db: Connection
    _plan: RevertPlan | None = None

    def plan(self, partner_id: str, undone: Sequence[str], most_kept: int) -> RevertPlan:
        """What undoing these publications would do."""
        db = self._db
        params: dict[str, Any] = {
            "partner_id": digits(partner_id),
            "undone": [digits(publication_id) for publication_id in undone],
            "most_kept": most_kept,
        }
        db.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        hold_feeds_of(db, UUID(params["partner_id"]))
        _decide(db, params)
        self._plan = RevertPlan(
            partner_id, tuple(undone), **_count(db, params), listed=tuple(_listed(db, params))
        )
        return self._plan

    def apply(self, plan: RevertPlan, publication: Publication) -> int:
        """Applies the last plan."""
        if plan is not self._plan:
            raise ValueError("only the last plan of this unit can be applied")
        self._plan = None
        params = {
            "partner_id": digits(plan.partner_id),
            "publication_id": digits(publication.publication_id),
        }
        with by_sets(self._db):
            if plan.changes:
                _keep_history(self._db, params)
                _undo(self._db, params)
            return _count_active(self._db, params)


def _is_of(row: LiteralString) -> sql.Composable:
    """The condition that one of the publications wrote a version, or first had its values."""
    return sql.SQL(_IS_OF).format(sql.SQL(row))


def _row(row: LiteralString) -> sql.Composable:
    """The values of a version, to be compared with those of another."""
    return sql.SQL(", ").join(sql.Identifier(row, name) for name in _VALUES)


def _decide(db: Connection, params: Mapping[str, Any]) -> None:
    """Collects each product whose live version is undone, and whether that changes it."""
    query = """
        CREATE TEMPORARY TABLE undoing ON COMMIT DROP AS
        SELECT p.product_id, former.version AS target,
               p.status AS status_now, coalesce(former.status, 'removed') AS status_then,
               CASE
                   WHEN former.version IS NULL THEN p.status = 'active'
                   ELSE NOT (p.status = 'removed' AND former.status = 'removed')
                        AND ({live}) IS DISTINCT FROM ({then})
               END AS changes
        FROM products p
        LEFT JOIN LATERAL (
            SELECT v.*
            FROM product_versions v
            WHERE v.partner_id = p.partner_id AND v.product_id = p.product_id AND NOT {v_is_of}
            ORDER BY v.version DESC
            LIMIT 1
        ) AS former ON TRUE
        WHERE p.partner_id = %(partner_id)s AND {p_is_of}
        """
    # A unit may plan twice; the second plan is the one that counts.
    db.execute("DROP TABLE IF EXISTS pg_temp.undoing")
    composed = sql.SQL(query).format(
        live=_row("p"), then=_row("former"), v_is_of=_is_of("v"), p_is_of=_is_of("p")
    )
    db.execute(composed, params)
    db.execute("ANALYZE undoing")


def _count(db: Connection, params: Mapping[str, Any]) -> dict[str, int]:
    """The figures of the plan."""
    query = """
        SELECT count(*) FILTER (
                   WHERE changes AND status_now = 'active' AND status_then = 'active'
               ) AS updated,
               count(*) FILTER (WHERE changes AND status_now <> 'active') AS restored,
               count(*) FILTER (WHERE changes AND status_then <> 'active') AS removed,
               count(*) FILTER (WHERE NOT changes) AS unchanged,
               ({kept}) AS kept,
               (SELECT count(*) FROM products
                WHERE partner_id = %(partner_id)s AND status = 'active') AS before
        FROM undoing
        """
    kept = sql.SQL("SELECT count(*) FROM {} AS kept").format(_kept())
    return fetch_one(db, dict_row, sql.SQL(query).format(kept=kept), params) or {}


def _kept() -> sql.Composable:
    """Products that were changed later."""
    query = """(
        SELECT p.product_id, p.sku, p.version, p.publication_id, p.origin_id
        FROM products p
        WHERE p.partner_id = %(partner_id)s AND NOT {is_of}
          AND p.product_id = ANY(ARRAY(
              SELECT v.product_id
              FROM product_versions v
              WHERE v.publication_id = ANY(%(undone)s::uuid[])
          ))
    )"""
    return sql.SQL(query).format(is_of=_is_of("p"))


def _listed(db: Connection, params: Mapping[str, Any]) -> list[Kept]:
    query = """
        SELECT kept.product_id, kept.sku, kept.version, u.number AS publication,
               coalesce(o.feed_id, u.feed_id) AS feed_id
        FROM {kept} AS kept
        JOIN publications u ON u.publication_id = kept.publication_id
        LEFT JOIN publications o ON o.publication_id = kept.origin_id
        ORDER BY kept.product_id
        LIMIT %(most_kept)s
        """
    return fetch(db, _KEPT, sql.SQL(query).format(kept=_kept()), params)


_AMONG: Final[LiteralString] = """
    p.partner_id = %(partner_id)s
    AND p.product_id = ANY(ARRAY(SELECT product_id FROM undoing WHERE changes))"""


def _keep_history(db: Connection, params: Mapping[str, Any]) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    query = """
        INSERT INTO product_versions ({columns}, replaced_by)
        SELECT {columns}, %(publication_id)s
        FROM products p
        WHERE {among}
        """
    db.execute(sql.SQL(query).format(columns=columns, among=sql.SQL(_AMONG)), params)


def _undo(db: Connection, params: Mapping[str, Any]) -> None:
    """Restores each product's former values; one that didn't exist keeps its values, removed."""
    values = sql.SQL(", ").join(
        sql.SQL("{0} = CASE WHEN u.target IS NULL THEN p.{0} ELSE former.{0} END").format(
            sql.Identifier(name)
        )
        for name in ("source_id", *PRODUCT_FIELDS)
    )
    query = """
        UPDATE products p
        SET {values}, status = u.status_then, line = coalesce(former.line, 0),
            origin_id = coalesce(former.origin_id, former.publication_id),
            publication_id = %(publication_id)s, version = p.version + 1, ordinal = u.ordinal,
            fingerprint_upper = NULL, fingerprint_lower = NULL
        FROM (
            SELECT product_id, target, status_then,
                   row_number() OVER (ORDER BY product_id) AS ordinal
            FROM undoing
            WHERE changes
        ) AS u
        LEFT JOIN product_versions former
             ON former.partner_id = %(partner_id)s AND former.product_id = u.product_id
                AND former.version = u.target
        WHERE {among} AND p.product_id = u.product_id
        """
    db.execute(sql.SQL(query).format(values=values, among=sql.SQL(_AMONG)), params)


def _count_active(db: Connection, params: Mapping[str, Any]) -> int:
    (counted,) = db.execute(
        "SELECT count(*) FROM products WHERE partner_id = %(partner_id)s AND status = 'active'",
        params,
    ).fetchone() or (0,)
    return counted
