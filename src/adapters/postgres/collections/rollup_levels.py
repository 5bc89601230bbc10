"""The SQL that makes rollups: sums of entries by blocks, each level from the finer one before it.

One row is everything that was placed in a block, and what was taken back: then (`back`), or at any
time from orders that were placed then (`late`). So the kinds of entries don't multiply the rows.
"""

from collections.abc import Sequence
from typing import Final, LiteralString

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
_COUNTS: Final = ("orders", "placed", "units", "back", "back_units", "late", "late_units")
_AMOUNTS: Final = (
    "gross", "discount", "platform_discount", "amount",
    "back_cancelled", "back_refunded", "late_cancelled", "late_refunded",
)  # fmt: skip
_OF_PLACED: Final = ("placed", "units", *_AMOUNTS[:4])
_OF_BACK: Final = (*_COUNTS[3:], *_AMOUNTS[4:])
_NAMES: Final = (*_COUNTS, *_AMOUNTS)
_SUMS: Final[LiteralString] = ", ".join(_NAMES)


def _summed(*names: LiteralString) -> LiteralString:
    """Their sums. Without the filter, the server keeps a state of each even if it sums nothing."""
    return ", ".join(
        f"(sum({name}) FILTER (WHERE {name} IS NOT NULL))"
        f"::{'bigint' if name in _COUNTS else 'numeric'} AS {name}"
        for name in names
    )


def _nothing(*names: LiteralString) -> LiteralString:
    """NULL for each of them."""
    return ", ".join(
        f"NULL::{'bigint' if name in _COUNTS else 'numeric'} AS {name}" for name in names
    )


_FILLED: Final[LiteralString] = ", ".join(f"coalesce({name}, 0)" for name in _NAMES)
"""Sums of nothing are NULL until they are kept: adding up zeros takes as long as any number."""
_ADDED: Final[LiteralString] = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in _NAMES)
_NOTHING: Final[LiteralString] = "'00000000-0000-0000-0000-000000000000'::uuid"
_FRESH: Final[LiteralString] = f"""
    WITH fresh AS MATERIALIZED (
        SELECT order_id, item_id, kind, coalesce(reason, '') AS reason, at, partner_id, product_id,
               currency, quantity, gross, nullif(discount, 0) AS discount,
               nullif(platform_discount, 0) AS platform_discount, amount,
               CASE
                   WHEN kind <> 'placed'
                       THEN (SELECT min(p.at) FROM sales_entries p
                             WHERE p.order_id = e.order_id AND p.kind = 'placed')
               END AS placed_at
        FROM sales_entries e
        WHERE kind IN ('placed', 'cancelled', 'refunded', 'goodwill')
          AND (txid >= %(before)s::xid8 AND txid < %(after)s::xid8
               OR txid IS NULL AND %(before)s::xid8 = '0'::xid8)
    ),
    placed AS (
        -- An order counts with its first line, and with the first of each partner.
        SELECT at, partner_id, currency, 1 AS placed, quantity AS units, gross, discount,
               platform_discount, amount,
               CASE WHEN row_number() OVER of_order = 1 THEN 1 END AS all_orders,
               CASE WHEN row_number() OVER of_order = rank() OVER of_order THEN 1 END AS orders
        FROM fresh
        WHERE kind = 'placed'
        WINDOW of_order AS (PARTITION BY order_id ORDER BY partner_id)
    ),
    taken_back AS MATERIALIZED (
        SELECT counted_at, is_late, partner_id, product_id, currency, kind, reason, quantity,
               amount,
               CASE WHEN NOT is_late THEN 1 END AS back,
               CASE WHEN NOT is_late THEN quantity END AS back_units,
               CASE WHEN is_late THEN 1 END AS late,
               CASE WHEN is_late THEN quantity END AS late_units,
               CASE WHEN NOT is_late AND kind = 'cancelled' THEN amount END AS back_cancelled,
               CASE WHEN NOT is_late AND kind <> 'cancelled' THEN amount END AS back_refunded,
               CASE WHEN is_late AND kind = 'cancelled' THEN amount END AS late_cancelled,
               CASE WHEN is_late AND kind <> 'cancelled' THEN amount END AS late_refunded
        FROM fresh
        CROSS JOIN LATERAL (VALUES (at, FALSE), (placed_at, TRUE)) AS moment (counted_at, is_late)
        WHERE kind <> 'placed' AND counted_at IS NOT NULL
    ),
    by_partner (starts_at, partner_id, currency, all_orders, {_SUMS}) AS MATERIALIZED (
        SELECT date_bin('15 minutes', at, 'epoch'::timestamptz), partner_id, currency,
               sum(all_orders), {_summed("orders", "placed", "units")}, {_nothing(*_COUNTS[3:])},
               {_summed(*_AMOUNTS[:4])}, {_nothing(*_AMOUNTS[4:])}
        FROM placed
        GROUP BY 1, 2, 3
        UNION ALL
        SELECT date_bin('15 minutes', counted_at, 'epoch'::timestamptz), partner_id, currency,
               NULL, {_nothing("orders", "placed", "units")}, {_summed(*_COUNTS[3:])},
               {_nothing(*_AMOUNTS[:4])}, {_summed(*_AMOUNTS[4:])}
        FROM taken_back
        GROUP BY 1, 2, 3
    ),
    by_product (dimension, starts_at, partner_id, subject, currency, {_SUMS}) AS (
        SELECT 'product' COLLATE "C", date_bin('1 day', at, 'epoch'::timestamptz), partner_id,
               product_id, currency, {_nothing("orders")}, {_summed(*_NAMES[1:])}
        FROM (
            SELECT at, partner_id, product_id, currency, 1 AS placed, quantity AS units, gross,
                   discount, platform_discount, amount, {_nothing(*_OF_BACK)}
            FROM fresh
            WHERE kind = 'placed'
            UNION ALL
            SELECT counted_at, partner_id, product_id, currency, {_nothing(*_OF_PLACED)},
                   {", ".join(_OF_BACK)}
            FROM taken_back
        ) AS counted
        WHERE product_id IS NOT NULL
        GROUP BY 2, 3, 4, 5
    ),
    by_reason AS MATERIALIZED (
        SELECT date_bin(make_interval(secs => %(watches)s), counted_at,
                        'epoch'::timestamptz) AS starts_at,
               partner_id, currency, kind, reason, is_late, count(*) AS entries,
               sum(quantity) AS units, sum(amount) AS amount
        FROM taken_back
        GROUP BY 1, 2, 3, 4, 5, 6
    ),
    by_rule AS MATERIALIZED (
        SELECT f.order_id, date_bin('15 minutes', f.at, 'epoch'::timestamptz) AS at, f.currency,
               f.partner_id, split_part(step ->> 'rule_id', '_', 2)::uuid AS rule_id,
               -sum((step ->> 'amount')::numeric) AS amount,
               sum(CASE
                       WHEN step ->> 'partner_amount' IS NOT NULL
                           THEN (step ->> 'partner_amount')::numeric
                       WHEN step ->> 'funded_by' = 'partner' THEN (step ->> 'amount')::numeric
                       ELSE 0
                   END - (step ->> 'amount')::numeric) AS platform_discount
        FROM fresh f
        JOIN order_items i ON i.order_id = f.order_id AND i.item_id = f.item_id
        CROSS JOIN jsonb_array_elements(i.adjustments) AS step
        WHERE f.kind = 'placed' AND step ->> 'rule_id' IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5
    ),
    touched AS MATERIALIZED (
        SELECT order_id FROM fresh WHERE kind = 'cancelled'
        UNION
        SELECT unnest(%(unplaced)s::uuid[])
    ),
    of_touched AS MATERIALIZED (
        SELECT e.order_id,
               coalesce(e.partner_id, '00000000-0000-0000-0000-000000000000'::uuid) AS partner_id,
               e.currency, min(e.at) FILTER (WHERE e.kind = 'placed') AS placed_at,
               max(e.at) FILTER (WHERE e.kind = 'cancelled') AS cancelled_at,
               sum(e.quantity) FILTER (WHERE e.kind = 'placed')
               = sum(e.quantity) FILTER (WHERE e.kind = 'cancelled') AS is_gone
        FROM touched
        CROSS JOIN LATERAL (
            SELECT e.*
            FROM sales_entries e
            WHERE e.order_id = touched.order_id AND e.kind IN ('placed', 'cancelled')
              AND (e.txid < %(after)s::xid8 OR e.txid IS NULL)
            OFFSET 0
        ) AS e
        GROUP BY GROUPING SETS ((e.order_id, e.partner_id, e.currency), (e.order_id, e.currency))
    ),
    gone AS MATERIALIZED (
        SELECT *
        FROM of_touched t
        WHERE is_gone AND NOT EXISTS (
            SELECT FROM sales_cancelled_orders c
            WHERE c.order_id = t.order_id AND c.partner_id = t.partner_id
        )
    ),"""  # noqa: S608 - names of ours
_CHANGES: Final[LiteralString] = f"""
    changes (dimension, starts_at, partner_id, subject, currency, {_SUMS}) AS (
        SELECT 'sales' COLLATE "C", starts_at, partner_id, {_NOTHING}, currency, {_SUMS}
        FROM by_partner
        UNION ALL
        SELECT 'all', starts_at, {_NOTHING}, {_NOTHING}, currency, all_orders,
               {", ".join(_NAMES[1:])}
        FROM by_partner
        UNION ALL
        SELECT CASE WHEN partner_id = {_NOTHING} THEN 'all' ELSE 'sales' END,
               date_bin('15 minutes', placed_at, 'epoch'::timestamptz), partner_id, {_NOTHING},
               currency, -1, {_nothing(*_NAMES[1:])}
        FROM gone
        UNION ALL
        SELECT 'rule', at, partner_id, rule_id, currency, count(*), count(*),
               {_nothing(*_COUNTS[2:], "gross", "discount")}, sum(platform_discount), sum(amount),
               {_nothing(*_AMOUNTS[4:])}
        FROM by_rule
        GROUP BY at, partner_id, rule_id, currency
        UNION ALL
        SELECT 'rule', at, {_NOTHING}, rule_id, currency, count(DISTINCT order_id), count(*),
               {_nothing(*_COUNTS[2:], "gross", "discount")}, sum(platform_discount), sum(amount),
               {_nothing(*_AMOUNTS[4:])}
        FROM by_rule
        GROUP BY at, rule_id, currency
    ),"""  # noqa: S608 - names of ours
_LEVELS: Final[LiteralString] = "".join(
    f"""
    {level} AS MATERIALIZED (
        SELECT dimension, date_bin(make_interval(secs => %({level})s), starts_at,
                                   'epoch'::timestamptz) AS starts_at,
               partner_id, subject, currency,
               {_summed(*_NAMES)}
        FROM {finer}
        GROUP BY 1, 2, 3, 4, 5
        {"UNION ALL SELECT * FROM by_product" if level == "days" else ""}
    ),"""  # noqa: S608 - names of ours
    for level, finer in _FINER
)
_ROWS: Final[LiteralString] = " UNION ALL ".join(
    f"""
        SELECT %({level})s::int, dimension, starts_at, partner_id, subject, currency, {_FILLED}
        FROM (
            -- Reports find what they read of a range side by side; products are many.
            SELECT * FROM {level} ORDER BY dimension = 'product', starts_at, partner_id
        ) AS {level}"""  # noqa: S608 - names of ours
    for level, _ in _FINER
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
        FROM touched t
        WHERE NOT EXISTS (
            SELECT FROM of_touched o
            WHERE o.order_id = t.order_id AND o.placed_at IS NOT NULL
        )
    ),
    kept_reasons AS (
        INSERT INTO sales_reason_rollups AS r
            (partner_id, span, starts_at, currency, kind, reason, by_order, entries, units, amount)
        SELECT of.seller, span,
               date_bin(make_interval(secs => span), starts_at, 'epoch'::timestamptz), currency,
               kind, reason, is_late, sum(entries), sum(units), sum(amount)
        FROM by_reason
        CROSS JOIN LATERAL (VALUES (partner_id), ({_NOTHING})) AS of (seller)
        CROSS JOIN unnest(%(reason_spans)s::int[]) AS span
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (partner_id, span, starts_at, currency, kind, reason, by_order)
        DO UPDATE SET entries = r.entries + excluded.entries, units = r.units + excluded.units,
                      amount = r.amount + excluded.amount
    ),
    kept AS (
        INSERT INTO sales_rollups AS r
            (span, dimension, starts_at, partner_id, subject, currency, {_SUMS})
        {_ROWS}
        ON CONFLICT (dimension, span, starts_at, partner_id, subject, currency)
        DO UPDATE SET {_ADDED}
    )
    SELECT count(*) FROM fresh"""  # noqa: S608 - names of ours
ROLL_UP: Final[LiteralString] = f"{_FRESH}{_CHANGES}{_LEVELS}{_KEPT}"
"""Adds the entries from `before` to `after`, and returns how many."""
