"""A feed against the catalog by set operations: `commerce_core.plans.compare` in SQL.

Whatever the planner is asked here costs one pass over the records or the partner's products, never
one for each. A property runs this and the reference on the same feeds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from attrs import frozen
from psycopg import sql
from psycopg.abc import Params, QueryNoTemplate
from psycopg.rows import dict_row

from adapters.postgres.deciding import (
    AMONG_CHANGED,
    MONEY,
    PROBLEMS,
    decide,
    owner,
    remove_absent,
    settled_value,
)
from adapters.postgres.locks import hold_feeds_of
from adapters.postgres.rows import Connection, digits, fetch_one
from adapters.postgres.staging import Staged, by_sets, stage
from commerce_core.feed_schema import PRODUCT_FIELDS, Problem, Record
from commerce_core.plans import Incoming, Plan, duplicate_hint, removes_absent


@frozen
class Comparison:
    """A plan, and what applying it needs besides the temporary tables."""

    plan: Plan
    staged: Staged


def compare(
    db: Connection, incoming: Incoming, records: Iterable[Record], problem_limit: int
) -> Comparison:
    """Stages the records and decides their fates; from now on this unit alone feeds the partner."""
    # Work on a feed takes as long as its file is long, and the lease watches over it.
    db.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
    hold_feeds_of(db, UUID(digits(incoming.partner_id)))
    staged = stage(db, {*incoming.columns, "currency"}, records)
    with by_sets(db):
        decide(db, incoming, staged)
        return Comparison(_plan(db, incoming, staged, problem_limit), staged)


def _plan(db: Connection, incoming: Incoming, staged: Staged, problem_limit: int) -> Plan:
    """What was decided, in figures."""
    read, fates, owned = _count_read(db), _count_fates(db), _count_owned(db, incoming)
    removed = fates["removed"]
    if removes_absent(incoming, read["skus_unreadable"]):
        removed += remove_absent(db, incoming)
    return Plan(
        incoming,
        created=fates["created"],
        updated=fates["updated"],
        restored=fates["restored"],
        unchanged=read["judged"] - fates.total(),
        deleted=fates["removed"],
        rejected=read["rejected"] + sum(fates[code] for code in PROBLEMS),
        duplicate=read["duplicate"],
        blank=read["blank"],
        absent=owned["before"] - owned["present"],
        removed=removed,
        before=owned["before"],
        skus_unreadable=read["skus_unreadable"],
        updated_by_field=_count_updates(db, incoming, staged) if fates["updated"] else {},
        problems_by_code=+Counter(
            {"duplicate_sku": read["duplicate"], **{code: fates[code] for code in PROBLEMS}}
        ),
        problems=tuple(_problems(db, incoming, staged, problem_limit)),
    )


def _count_read(db: Connection) -> Mapping[str, int]:
    """What became of the records as such; `judged` are those whose fate was to be decided."""
    return _counts(
        db,
        """
        SELECT count(*) FILTER (WHERE blank) AS blank,
               count(*) FILTER (WHERE NOT blank AND sku IS NULL) AS skus_unreadable,
               count(*) FILTER (
                   WHERE NOT blank AND (sku IS NULL OR (rejected AND r.line IS NULL))
               ) AS rejected,
               count(r.line) AS duplicate,
               count(*) FILTER (
                   WHERE NOT blank AND sku IS NOT NULL AND NOT rejected AND r.line IS NULL
               ) AS judged
        FROM staged s
        LEFT JOIN repeated r ON r.line = s.line
        """,
    )


def _count_fates(db: Connection) -> Counter[str]:
    return Counter(dict(db.execute("SELECT fate, count(*) FROM decided GROUP BY fate").fetchall()))


def _count_owned(db: Connection, incoming: Incoming) -> Mapping[str, int]:
    """The active products of the source, and how many of them the file contains."""
    # Records that are rejected or overridden count as present.
    return _counts(
        db,
        """
        SELECT count(*) AS before, count(s.sku) AS present
        FROM products p
        LEFT JOIN (SELECT DISTINCT sku FROM staged WHERE NOT blank) AS s ON s.sku = p.sku
        WHERE p.partner_id = %(partner_id)s AND p.source_id = %(source_id)s
          AND p.status = 'active'
        """,
        owner(incoming),
    )


def _count_updates(db: Connection, incoming: Incoming, staged: Staged) -> Mapping[str, int]:
    """How many updated products get another value, by field."""
    counts = [
        sql.SQL("count(*) FILTER (WHERE {} IS DISTINCT FROM p.{name}) AS {name}").format(
            settled_value(staged, name), name=sql.Identifier(name)
        )
        for name in PRODUCT_FIELDS
        if name in (*staged.fields, *MONEY)
    ]
    query = sql.SQL(
        """
        SELECT {counts}
        FROM decided d
        JOIN staged s ON s.line = d.line
        JOIN products p ON {among_changed} AND p.product_id = d.product_id
        WHERE d.fate = 'updated'
        """
    ).format(counts=sql.SQL(", ").join(counts), among_changed=sql.SQL(AMONG_CHANGED))
    return +Counter(_counts(db, query, owner(incoming)))


def _problems(db: Connection, incoming: Incoming, staged: Staged, limit: int) -> Iterator[Problem]:
    """The first problems by line."""
    differing = sql.SQL(", ").join(
        sql.SQL("CASE WHEN s.{0} IS DISTINCT FROM other.{0} THEN {1} END").format(
            sql.Identifier(name), sql.Literal(name)
        )
        for name in staged.fields
    )
    query = sql.SQL(
        """
        WITH told AS (
            SELECT line, later, NULL::text AS fate, NULL::text AS field, NULL::numeric AS amount
            FROM repeated
            UNION ALL
            SELECT line, NULL, fate, field, amount
            FROM decided
            WHERE fate = ANY(%(codes)s)
            ORDER BY line
            LIMIT %(limit)s
        )
        SELECT told.line, told.fate, told.field, told.amount, s.sku, told.later,
               array_remove(ARRAY[{differing}], NULL)
        FROM told
        JOIN staged s ON s.line = told.line
        LEFT JOIN staged other ON other.line = told.later
        ORDER BY told.line
        """
    ).format(differing=differing)
    for line, fate, name, amount, sku, later, fields in db.execute(
        query, {"codes": list(PROBLEMS), "limit": limit}
    ):
        at, value = (name, str(amount)) if name else ("sku", sku)
        yield Problem.of(
            fate or "duplicate_sku",
            line=line,
            column=incoming.columns.get(at),
            field=at,
            value=value,
            hint=duplicate_hint(line, later, fields) if later is not None else None,
        )


def _counts(db: Connection, query: QueryNoTemplate, params: Params = ()) -> Mapping[str, int]:
    """The one row of a query that counts, by column."""
    return fetch_one(db, dict_row, query, params) or {}
