"""The SQL that makes rollups: sums of entries by blocks, each level from the finer one before it.

One row is everything that was placed in a block, and what was taken back: then (`back`), or at any
time from orders that were placed then (`late`). So the kinds of entries don't multiply the rows.
"""

from collections.abc import Sequence
from typing import Final, LiteralString

from adapters.postgres.collections.rollup_entries import (
    AMOUNTS,
    COUNTS,
    ENTRIES,
    NAMES,
    NO_ID,
    SUMS,
    in_units,
    nothing,
    summed,
)

LEVELS: Final = ("quarters", "hours", "watches", "days", "octads", "seasons")
"""The names of levels in the SQL, by the spans of blocks."""
_FINER: Final[Sequence[tuple[LiteralString, LiteralString]]] = (
    ("quarters", "changes"),
    ("hours", "quarters"),
    ("watches", "hours"),
    ("days", "watches"),
    ("octads", "days"),
    ("seasons", "octads"),
)
"""What each level is made of; that of days has the sums by product besides, which begin there."""
_FILLED: Final[LiteralString] = ", ".join(
    f"coalesce({name}{'' if name in COUNTS else ' * 0.0001'}, 0)" for name in NAMES
)
"""Sums of nothing are NULL until they are kept: adding up zeros takes as long as any number."""
_ADDED: Final[LiteralString] = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in NAMES)
_OF_RULES: Final[LiteralString] = f"""
    count(*), {nothing(*COUNTS[2:], "gross", "discount")}, {in_units("sum(platform_discount)")},
    {in_units("sum(amount)")}, {nothing(*AMOUNTS[4:])}"""
_CHANGES: Final[LiteralString] = f"""
    changes (dimension, starts_at, partner_id, subject, currency, {SUMS}) AS (
        SELECT 'sales' COLLATE "C", starts_at, partner_id, {NO_ID}, currency, {SUMS}
        FROM by_partner
        UNION ALL
        SELECT 'all', starts_at, {NO_ID}, {NO_ID}, currency, all_orders, {", ".join(NAMES[1:])}
        FROM by_partner
        UNION ALL
        SELECT CASE WHEN partner_id = {NO_ID} THEN 'all' ELSE 'sales' END,
               date_bin('15 minutes', placed_at, 'epoch'::timestamptz), partner_id, {NO_ID},
               currency, -1, {nothing(*NAMES[1:])}
        FROM gone
        UNION ALL
        SELECT 'rule', at, partner_id, rule_id, currency, count(*), {_OF_RULES}
        FROM by_rule
        GROUP BY at, partner_id, rule_id, currency
        UNION ALL
        SELECT 'rule', at, {NO_ID}, rule_id, currency, count(DISTINCT order_id), {_OF_RULES}
        FROM by_rule
        GROUP BY at, rule_id, currency
    ),"""  # noqa: S608 - names of ours
_LEVELS: Final[LiteralString] = "".join(
    f"""
    {level} AS MATERIALIZED (
        SELECT dimension, date_bin(make_interval(secs => %({level})s), starts_at,
                                   'epoch'::timestamptz) AS starts_at,
               partner_id, subject, currency, {summed(*NAMES)}
        FROM {finer}
        GROUP BY 1, 2, 3, 4, 5
        {"UNION ALL SELECT * FROM by_product" if level == "days" else ""}
    ),"""  # noqa: S608 - names of ours
    for level, finer in _FINER
)
_NEWEST: Final[LiteralString] = f"""
    newest AS MATERIALIZED (
        SELECT span, max(starts_at) AS starts_at
        FROM unnest(ARRAY[{", ".join(f"%({level})s::int" for level in LEVELS)}]) AS each (span)
        CROSS JOIN (VALUES ('all'), ('sales'), ('product'), ('rule')) AS of (dimension)
        CROSS JOIN LATERAL (
            SELECT max(r.starts_at) AS starts_at
            FROM sales_rollups r
            WHERE r.dimension = of.dimension AND r.span = each.span
        ) AS r
        GROUP BY span
    ),"""  # noqa: S608 - names of ours


def _rows(is_newer: LiteralString) -> LiteralString:
    """The rows of all levels that are newer than those kept, or those that aren't.

    Reports find what they read of a range side by side; products are many.
    """
    return " UNION ALL ".join(
        f"""
        SELECT %({level})s::int, dimension, starts_at, partner_id, subject, currency, {_FILLED}
        FROM (SELECT * FROM {level} ORDER BY dimension = 'product', starts_at) AS {level}
        WHERE (starts_at > coalesce(
            (SELECT n.starts_at FROM newest n WHERE n.span = %({level})s), '-infinity'
        )) IS {is_newer}"""  # noqa: S608 - names of ours
        for level in LEVELS
    )


_KEPT: Final[LiteralString] = f"""
    kept_orders AS (
        INSERT INTO sales_cancelled_orders
            (order_id, partner_id, currency, placed_at, cancelled_at, longer)
        SELECT order_id, partner_id, currency, placed_at, cancelled_at,
               length(ltrim(greatest(0, extract(day FROM cancelled_at - placed_at))::int
                            ::bit(32)::text, '0'))
        FROM gone
    ),
    kept_unplaced AS (
        INSERT INTO sales_unplaced_orders (order_id)
        SELECT order_id
        FROM cancelled c
        WHERE NOT EXISTS (
            SELECT FROM of_order o
            WHERE o.order_id = c.order_id AND o.currency IS NULL AND o.placed_at IS NOT NULL
        )
    ),
    kept_reasons AS (
        INSERT INTO sales_reason_rollups AS r
            (partner_id, span, starts_at, currency, kind, reason, by_order, entries, units, amount)
        SELECT of.seller, span,
               date_bin(make_interval(secs => span), starts_at, 'epoch'::timestamptz), currency,
               kind, reason, is_late, sum(entries), sum(units), sum(amount) * 0.0001
        FROM by_reason
        CROSS JOIN LATERAL (VALUES (partner_id), ({NO_ID})) AS of (seller)
        CROSS JOIN unnest(%(reason_spans)s::int[]) AS span
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (partner_id, span, starts_at, currency, kind, reason, by_order)
        DO UPDATE SET entries = r.entries + excluded.entries, units = r.units + excluded.units,
                      amount = r.amount + excluded.amount
    ),
    added AS (
        INSERT INTO sales_rollups AS r
            (span, dimension, starts_at, partner_id, subject, currency, {SUMS})
        {_rows("FALSE")}
        ON CONFLICT (dimension, span, starts_at, partner_id, subject, currency)
        DO UPDATE SET {_ADDED}
    ),
    kept AS (
        -- Nothing can be in their way; looking for it takes as long as writing them.
        INSERT INTO sales_rollups
            (span, dimension, starts_at, partner_id, subject, currency, {SUMS})
        {_rows("TRUE")}
    )
    SELECT coalesce(sum(placed), 0)::bigint + coalesce(sum(back), 0)::bigint
    FROM by_partner"""  # noqa: S608 - names of ours
_TEXT: Final[LiteralString] = f"{ENTRIES}{_CHANGES}{_LEVELS}{_NEWEST}{_KEPT}"
ROLL_UP: Final[LiteralString] = _TEXT.replace("::units", "::bigint").replace("beyond", "1e99")
"""Adds the entries from `before` to `after`, and returns how many.

Amounts are whole ten thousandths of a currency, since none of today's has more decimals. If one is
finer, or sums don't fit into 64 bits, it raises NumericValueOutOfRange.
"""
ROLL_UP_ANY: Final[LiteralString] = _TEXT.replace("::units", "::numeric").replace("beyond", "10000")
"""The same with decimals of any size, which takes longer."""
