"""The SQL of the roller: sums of entries by blocks, each level from the finer one before it.

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
_SUMS: Final[LiteralString] = ", ".join((*_COUNTS, *_AMOUNTS))
_SUMMED: Final[LiteralString] = ", ".join(
    (
        *(f"sum({name})::bigint AS {name}" for name in _COUNTS),
        *(f"sum({name}) AS {name}" for name in _AMOUNTS),
    )
)
_ADDED: Final[LiteralString] = ", ".join(
    f"{name} = r.{name} + excluded.{name}" for name in (*_COUNTS, *_AMOUNTS)
)
_MEASURES: Final[LiteralString] = ", ".join((*_COUNTS[1:], *_AMOUNTS))
_MEASURES_SUMMED: Final[LiteralString] = ", ".join(
    f"sum({name})" for name in (*_COUNTS[1:], *_AMOUNTS)
)
_NOTHING: Final[LiteralString] = "'00000000-0000-0000-0000-000000000000'::uuid"
_MEASURED: Final[LiteralString] = """
    count(*) FILTER (WHERE is_placed) AS placed,
    coalesce(sum(quantity) FILTER (WHERE is_placed), 0) AS units,
    count(*) FILTER (WHERE is_back) AS back,
    coalesce(sum(quantity) FILTER (WHERE is_back), 0) AS back_units,
    count(*) FILTER (WHERE is_late) AS late,
    coalesce(sum(quantity) FILTER (WHERE is_late), 0) AS late_units,
    coalesce(sum(gross) FILTER (WHERE is_placed), 0) AS gross,
    coalesce(sum(discount) FILTER (WHERE is_placed), 0) AS discount,
    coalesce(sum(platform_discount) FILTER (WHERE is_placed), 0) AS platform_discount,
    coalesce(sum(amount) FILTER (WHERE is_placed), 0) AS amount,
    coalesce(sum(amount) FILTER (WHERE is_back AND is_cancelled), 0) AS back_cancelled,
    coalesce(sum(amount) FILTER (WHERE is_back AND NOT is_cancelled), 0) AS back_refunded,
    coalesce(sum(amount) FILTER (WHERE is_late AND is_cancelled), 0) AS late_cancelled,
    coalesce(sum(amount) FILTER (WHERE is_late AND NOT is_cancelled), 0) AS late_refunded"""
"""All sums of a block but the number of orders, in one pass over the entries that count in it."""
_FRESH: Final[LiteralString] = f"""
    WITH fresh AS MATERIALIZED (
        SELECT order_id, item_id, kind, coalesce(reason, '') AS reason, at, partner_id, product_id,
               currency, quantity, gross, discount,
               coalesce(platform_discount, 0) AS platform_discount, amount,
               CASE
                   WHEN kind = 'placed' THEN at
                   ELSE (SELECT min(p.at) FROM sales_entries p
                         WHERE p.order_id = e.order_id AND p.kind = 'placed')
               END AS placed_at
        FROM sales_entries e
        WHERE kind IN ('placed', 'cancelled', 'refunded', 'goodwill')
          AND (txid >= %(before)s::xid8 AND txid < %(after)s::xid8
               OR txid IS NULL AND %(before)s::xid8 = '0'::xid8)
    ),
    counted AS (
        SELECT at AS counted_at, kind = 'placed' AS is_placed, kind <> 'placed' AS is_back,
               FALSE AS is_late, kind = 'cancelled' AS is_cancelled, *
        FROM fresh
        UNION ALL
        SELECT placed_at, FALSE, FALSE, TRUE, kind = 'cancelled', *
        FROM fresh
        WHERE kind <> 'placed' AND placed_at IS NOT NULL
    ),
    by_partner AS MATERIALIZED (
        SELECT date_bin('15 minutes', counted_at, 'epoch'::timestamptz) AS starts_at, partner_id,
               currency, {_MEASURED}
        FROM counted
        GROUP BY 1, 2, 3
    ),
    by_product (dimension, starts_at, partner_id, subject, currency, {_SUMS}) AS (
        SELECT 'product' COLLATE "C", starts_at, partner_id, product_id, currency, 0, {_MEASURES}
        FROM (
            SELECT date_bin('1 day', counted_at, 'epoch'::timestamptz) AS starts_at, partner_id,
                   product_id, currency, {_MEASURED}
            FROM counted
            WHERE product_id IS NOT NULL
            GROUP BY 1, 2, 3, 4
        ) AS summed
    ),
    by_reason AS MATERIALIZED (
        SELECT date_bin(make_interval(secs => %(watches)s), counted_at,
                        'epoch'::timestamptz) AS starts_at,
               partner_id, currency, kind, reason, is_late, count(*) AS entries,
               sum(quantity) AS units, sum(amount) AS amount
        FROM counted
        WHERE NOT is_placed
        GROUP BY 1, 2, 3, 4, 5, 6
    ),
    placed AS MATERIALIZED (
        SELECT DISTINCT order_id, date_bin('15 minutes', at, 'epoch'::timestamptz) AS at, currency,
               partner_id
        FROM fresh
        WHERE kind = 'placed'
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
    wholly_cancelled AS (
        SELECT e.order_id,
               coalesce(e.partner_id, '00000000-0000-0000-0000-000000000000'::uuid) AS partner_id,
               e.currency, min(e.at) FILTER (WHERE e.kind = 'placed') AS placed_at,
               max(e.at) FILTER (WHERE e.kind = 'cancelled') AS cancelled_at
        FROM touched
        JOIN sales_entries e USING (order_id)
        WHERE e.kind IN ('placed', 'cancelled') AND (e.txid < %(after)s::xid8 OR e.txid IS NULL)
        GROUP BY GROUPING SETS ((e.order_id, e.partner_id, e.currency), (e.order_id, e.currency))
        HAVING sum(e.quantity) FILTER (WHERE e.kind = 'placed')
               = sum(e.quantity) FILTER (WHERE e.kind = 'cancelled')
    ),
    gone AS MATERIALIZED (
        SELECT *
        FROM wholly_cancelled w
        WHERE NOT EXISTS (
            SELECT FROM sales_cancelled_orders c
            WHERE c.order_id = w.order_id AND c.partner_id = w.partner_id
        )
    ),"""  # noqa: S608 - names of ours
_CHANGES: Final[LiteralString] = f"""
    changes (dimension, starts_at, partner_id, subject, currency, {_SUMS}) AS (
        SELECT 'sales' COLLATE "C", starts_at, partner_id, {_NOTHING}, currency, 0, {_MEASURES}
        FROM by_partner
        UNION ALL
        SELECT 'all', starts_at, {_NOTHING}, {_NOTHING}, currency, 0, {_MEASURES_SUMMED}
        FROM by_partner
        GROUP BY starts_at, currency
        UNION ALL
        SELECT 'sales', at, partner_id, {_NOTHING}, currency, count(*),
               0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        FROM placed
        GROUP BY at, partner_id, currency
        UNION ALL
        SELECT 'all', at, {_NOTHING}, {_NOTHING}, currency, count(*),
               0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        FROM (SELECT order_id, at, currency FROM placed GROUP BY 1, 2, 3) AS of_all
        GROUP BY at, currency
        UNION ALL
        SELECT CASE WHEN partner_id = {_NOTHING} THEN 'all' ELSE 'sales' END,
               date_bin('15 minutes', placed_at, 'epoch'::timestamptz), partner_id, {_NOTHING},
               currency, -count(*), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        FROM gone
        GROUP BY 1, 2, 3, 4, 5
        UNION ALL
        SELECT 'rule', at, partner_id, rule_id, currency, count(*), count(*),
               0, 0, 0, 0, 0, 0, 0, sum(platform_discount), sum(amount), 0, 0, 0, 0
        FROM by_rule
        GROUP BY at, partner_id, rule_id, currency
        UNION ALL
        SELECT 'rule', at, {_NOTHING}, rule_id, currency, count(DISTINCT order_id), count(*),
               0, 0, 0, 0, 0, 0, 0, sum(platform_discount), sum(amount), 0, 0, 0, 0
        FROM by_rule
        GROUP BY at, rule_id, currency
    ),"""  # noqa: S608 - names of ours
_LEVELS: Final[LiteralString] = "".join(
    f"""
    {level} AS MATERIALIZED (
        SELECT dimension, date_bin(make_interval(secs => %({level})s), starts_at,
                                   'epoch'::timestamptz) AS starts_at,
               partner_id, subject, currency,
               {_SUMMED}
        FROM {finer}
        GROUP BY 1, 2, 3, 4, 5
        {"UNION ALL SELECT * FROM by_product" if level == "days" else ""}
    ),"""  # noqa: S608 - names of ours
    for level, finer in _FINER
)
_ROWS: Final[LiteralString] = " UNION ALL ".join(
    f"SELECT %({level})s::int, {level}.* FROM {level}"  # noqa: S608 - names of ours
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
            SELECT FROM sales_entries p
            WHERE p.order_id = t.order_id AND p.kind = 'placed'
              AND (p.txid < %(after)s::xid8 OR p.txid IS NULL)
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
        -- In the order of the key, so that reports find the rows of a range beside each other.
        ORDER BY 2, 1, 3, 4, 5, 6
        ON CONFLICT (dimension, span, starts_at, partner_id, subject, currency)
        DO UPDATE SET {_ADDED}
    )
    SELECT count(*) FROM fresh"""  # noqa: S608 - names of ours
ROLL_UP: Final[LiteralString] = f"{_FRESH}{_CHANGES}{_LEVELS}{_KEPT}"
"""Adds the entries from `before` to `after`, and returns how many."""
