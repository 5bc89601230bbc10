"""A feed against the catalog by set operations: `commerce_core.plans.compare` in SQL.

    staged     the records as read
    repeated   those that a later record of the same sku overrides
    decided    every record that changes a product or has a problem that only the comparison finds

What isn't decided is unchanged, so a feed that changes little writes little. The fates and their
order, and what is settled of prices and currencies, are those of `plans.compare`; a property runs
both on the same feeds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from uuid import UUID

from attrs import frozen
from psycopg import sql
from psycopg.abc import Params, QueryNoTemplate
from psycopg.rows import dict_row

from adapters.postgres.locks import hold_feeds_of
from adapters.postgres.rows import Connection, digits, fetch_one
from adapters.postgres.staging import Staged, by_sets, stage
from commerce_core.feed_schema import AMOUNTS, PRODUCT_FIELDS, Problem, Record
from commerce_core.money import currencies
from commerce_core.plans import Incoming, Plan, duplicate_hint, removes_absent

MONEY: Final = (*AMOUNTS, "currency")
_PROBLEMS: Final = ("sku_of_other_source", "unknown_sku", "missing_currency", "too_many_decimals")
"""The fates that reject a record, which are codes of problems."""
# Without it the planner would look through all products of the partner.
AMONG_CHANGED: Final = """
    p.partner_id = %(partner_id)s AND p.product_id = ANY(ARRAY(
        SELECT product_id FROM decided WHERE fate IN ('updated', 'restored', 'removed', 'absent')
    ))"""


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
        _find_repeated(db)
        _decide(db, incoming, staged)
        return Comparison(_plan(db, incoming, staged, problem_limit), staged)


def _plan(db: Connection, incoming: Incoming, staged: Staged, problem_limit: int) -> Plan:
    """What was decided, in figures."""
    read, fates, owned = _count_read(db), _count_fates(db), _count_owned(db, incoming)
    removed = fates["removed"]
    if removes_absent(incoming, read["skus_unreadable"]):
        removed += _remove_absent(db, incoming)
    return Plan(
        incoming,
        created=fates["created"],
        updated=fates["updated"],
        restored=fates["restored"],
        unchanged=read["judged"] - fates.total(),
        deleted=fates["removed"],
        rejected=read["rejected"] + sum(fates[code] for code in _PROBLEMS),
        duplicate=read["duplicate"],
        blank=read["blank"],
        absent=owned["before"] - owned["present"],
        removed=removed,
        before=owned["before"],
        skus_unreadable=read["skus_unreadable"],
        updated_by_field=_count_updates(db, incoming, staged) if fates["updated"] else {},
        problems_by_code=+Counter(
            {"duplicate_sku": read["duplicate"], **{code: fates[code] for code in _PROBLEMS}}
        ),
        problems=tuple(_problems(db, incoming, staged, problem_limit)),
    )


def _find_repeated(db: Connection) -> None:
    """Keeps each record that a later one overrides, with that one's line."""
    # Grouping is a hash in one pass; the window, which sorts, sees only what is there twice.
    db.execute(
        """
        CREATE TEMPORARY TABLE repeated ON COMMIT DROP AS
        SELECT line, later
        FROM (
            SELECT line, lead(line) OVER (PARTITION BY sku ORDER BY line) AS later
            FROM staged
            WHERE NOT blank AND sku IN (
                SELECT sku
                FROM staged
                WHERE NOT blank AND sku IS NOT NULL
                GROUP BY sku
                HAVING count(*) > 1
            )
        ) AS records
        WHERE later IS NOT NULL
        """
    )


def _decide(db: Connection, incoming: Incoming, staged: Staged) -> None:
    """Decides the fate of each record that counts, and keeps it unless it is `unchanged`."""
    db.execute(
        """
        CREATE TEMPORARY TABLE decided (
            line int4,
            fate text,
            product_id uuid,
            price numeric,
            sale_price numeric,
            currency text,
            field text,
            amount numeric
        ) ON COMMIT DROP
        """
    )
    own_first = incoming.mode == "delta"
    assumed = (
        "coalesce(own_currency, %(assumed)s)"
        if own_first
        else "coalesce(%(assumed)s, own_currency)"
    )
    query = sql.SQL(_DECIDE).format(
        assumed=sql.SQL(assumed),
        product_name=staged.said("product_name"),
        currency=staged.said("currency"),
        says_currency=staged.says("currency"),
        says_money=staged.says(*MONEY),
        price=staged.value("price"),
        sale_price=staged.value("sale_price"),
        differs=_differs(staged),
        of_catalog=staged.of_catalog,
    )
    known = currencies()
    db.execute(
        query,
        {
            "partner_id": digits(incoming.partner_id),
            "source_id": digits(incoming.source_id),
            "assumed": incoming.currency,
            "codes": list(known),
            "exponents": list(known.values()),
        },
    )


_DECIDE: Final = """
    INSERT INTO decided (line, fate, product_id, price, sale_price, currency, field, amount)
    WITH met AS (
        SELECT s.line, s.deletes, p.product_id, p.source_id,
               (p.product_id IS NULL OR p.status = 'removed') AS gone,
               (coalesce({product_name}, '') = '') AS nameless,
               {says_money} AS says_money,
               {says_currency} AS says_currency,
               {currency} AS said_currency,
               p.currency AS own_currency,
               {price} AS price,
               {sale_price} AS sale_price,
               p.price AS own_price,
               p.sale_price AS own_sale_price,
               {differs} AS differs
        FROM staged s
        LEFT JOIN products p ON {of_catalog} AND p.sku = s.sku
        WHERE NOT s.blank AND NOT s.rejected AND s.sku IS NOT NULL
          AND NOT EXISTS (SELECT FROM repeated r WHERE r.line = s.line)
    ),
    -- A price that names no currency takes one; without any price a blank currency clears it.
    named AS (
        SELECT met.*,
               CASE
                   WHEN NOT says_money THEN own_currency
                   WHEN said_currency IS NOT NULL THEN said_currency
                   WHEN price IS NOT NULL OR sale_price IS NOT NULL THEN {assumed}
                   WHEN NOT says_currency THEN own_currency
               END AS currency
        FROM met
    ),
    -- Amounts in the decimals of their currency, as far as money is spoken of at all.
    settled AS (
        SELECT named.*,
               CASE WHEN says_money THEN round(price, known.exponent) END AS round_price,
               CASE WHEN says_money THEN round(sale_price, known.exponent) END AS round_sale_price
        FROM named
        LEFT JOIN unnest(%(codes)s::text[], %(exponents)s::int[]) AS known (code, exponent)
               ON known.code = named.currency
    ),
    judged AS (
        SELECT settled.*,
               CASE
                   WHEN deletes AND gone THEN 'unchanged'
                   WHEN NOT gone AND source_id <> %(source_id)s THEN 'sku_of_other_source'
                   WHEN deletes THEN 'removed'
                   WHEN product_id IS NULL AND nameless THEN 'unknown_sku'
                   WHEN says_money AND currency IS NULL
                        AND (price IS NOT NULL OR sale_price IS NOT NULL) THEN 'missing_currency'
                   WHEN price <> round_price OR sale_price <> round_sale_price
                       THEN 'too_many_decimals'
                   WHEN product_id IS NULL THEN 'created'
                   WHEN gone THEN 'restored'
                   WHEN differs OR (price, sale_price, currency)
                        IS DISTINCT FROM (own_price, own_sale_price, own_currency) THEN 'updated'
                   ELSE 'unchanged'
               END AS fate
        FROM settled
    )
    SELECT line, fate, product_id,
           coalesce(round_price, price),
           coalesce(round_sale_price, sale_price),
           currency,
           CASE fate
               WHEN 'missing_currency'
                   THEN CASE WHEN price IS NULL THEN 'sale_price' ELSE 'price' END
               WHEN 'too_many_decimals'
                   THEN CASE WHEN price <> round_price THEN 'price' ELSE 'sale_price' END
           END,
           CASE fate
               WHEN 'missing_currency' THEN coalesce(price, sale_price)
               WHEN 'too_many_decimals'
                   THEN CASE WHEN price <> round_price THEN price ELSE sale_price END
           END
    FROM judged
    WHERE fate <> 'unchanged'"""


def _differs(staged: Staged) -> sql.Composable:
    """Whether a staged record says anything else than its product has, money left aside."""
    return sql.SQL(" OR ").join([
        sql.SQL("FALSE"),
        *(
            sql.SQL("{} IS DISTINCT FROM p.{}").format(staged.value(name), sql.Identifier(name))
            for name in staged.fields
            if name not in MONEY
        ),
    ])  # fmt: skip


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
        _owner(incoming),
    )


def _remove_absent(db: Connection, incoming: Incoming) -> int:
    """Decides that what isn't in the file is removed; how many products that is."""
    return db.execute(
        """
        INSERT INTO decided (line, fate, product_id)
        SELECT 0, 'absent', p.product_id
        FROM products p
        WHERE p.partner_id = %(partner_id)s AND p.source_id = %(source_id)s
          AND p.status = 'active'
          AND NOT EXISTS (SELECT FROM staged s WHERE s.sku = p.sku AND NOT s.blank)
        """,
        _owner(incoming),
    ).rowcount


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
    return +Counter(_counts(db, query, _owner(incoming)))


def settled_value(staged: Staged, name: str) -> sql.Composable:
    """The SQL of what a field becomes: money as decided in `d`, the rest as staged in `s`."""
    return sql.SQL("d.{}").format(sql.Identifier(name)) if name in MONEY else staged.value(name)


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
        query, {"codes": list(_PROBLEMS), "limit": limit}
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


def _owner(incoming: Incoming) -> dict[str, str]:
    return {
        "partner_id": digits(incoming.partner_id),
        "source_id": digits(incoming.source_id),
    }


def _counts(db: Connection, query: QueryNoTemplate, params: Params = ()) -> Mapping[str, int]:
    """The one row of a query that counts, by column."""
    return fetch_one(db, dict_row, query, params) or {}
