"""The identities of reconciliation about orders, the ledger and rollups, in SQL."""

from typing import Final, LiteralString

ORDERS: Final[LiteralString] = """
    placed AS (
        SELECT item_id, sum(amount) AS amount, sum(quantity) AS units
        FROM sales_entries
        WHERE kind = 'placed'
        GROUP BY item_id
    ),
    net AS (
        SELECT order_id, sum({sign} * amount) AS amount
        FROM sales_entries
        WHERE {of_sales}
        GROUP BY order_id
    ),
    lines AS (
        SELECT order_id, sum(line_total) AS total, sum(coalesce(cancelled_amount, 0)) AS cancelled
        FROM order_items
        GROUP BY order_id
    ),
    of_orders (identity, subject, left_, right_) AS (
        SELECT 'lines_make_orders', 'ord_' || order_id, coalesce(total, 0), total_amount
        FROM orders
        LEFT JOIN lines USING (order_id)
        UNION ALL
        SELECT 'ledger_makes_orders', 'ord_' || order_id, coalesce(amount, 0),
               CASE status
                   -- A version that doesn't know cancelled units cancels orders as a whole.
                   WHEN 'cancelled' THEN 0
                   ELSE total_amount - coalesce(cancelled, 0) - refunded_amount
               END
        FROM orders
        LEFT JOIN net USING (order_id)
        LEFT JOIN lines USING (order_id)
        UNION ALL
        SELECT 'lines_are_placed', 'item_' || item_id, coalesce(line_total, 0), coalesce(amount, 0)
        FROM order_items
        FULL JOIN placed USING (item_id)
        UNION ALL
        SELECT 'units_are_placed', 'item_' || item_id, coalesce(quantity, 0), coalesce(units, 0)
        FROM order_items
        FULL JOIN placed USING (item_id)
    )"""
LEDGER: Final[LiteralString] = """
    reversed AS (
        SELECT reverses, sum(amount) AS amount
        FROM sales_entries
        WHERE reverses IS NOT NULL AND {of_sales}
        GROUP BY reverses
    ),
    of_ledger (identity, subject, left_, right_) AS (
        SELECT 'parts_make_entries', 'ent_' || entry_id,
               coalesce(partner_amount, amount) + coalesce(platform_amount, 0), amount
        FROM sales_entries
        UNION ALL
        SELECT 'reversals_fit', 'ent_' || r.reverses, r.amount,
               least(r.amount, coalesce(e.amount, 0))
        FROM reversed r
        LEFT JOIN sales_entries e ON e.entry_id = r.reverses
    )"""
PARTS: Final[LiteralString] = """
    part_lines AS (
        SELECT order_id, partner_id, sum(coalesce(partner_amount, line_total)) AS partner_amount,
               sum(coalesce(refunded_amount, 0)) AS refunded
        FROM order_items
        GROUP BY order_id, partner_id
    ),
    part_placed AS (
        SELECT order_id, partner_id, sum(coalesce(partner_amount, amount)) AS partner_amount
        FROM sales_entries
        WHERE kind = 'placed'
        GROUP BY order_id, partner_id
    ),
    part_refunds AS (
        SELECT order_id, partner_id, sum(amount) AS amount
        FROM refunds
        GROUP BY order_id, partner_id
    ),
    part AS (
        SELECT order_id, partner_id, coalesce(l.partner_amount, 0) AS of_lines,
               coalesce(p.partner_amount, 0) AS of_ledger, coalesce(l.refunded, 0) AS refunded,
               coalesce(r.amount, 0) AS of_refunds,
               -- As `part_id_of` in `commerce_core.orders.part`.
               concat(
                   'part_', left(replace(order_id::text, '-', ''), 15),
                   left(encode(sha256(convert_to(
                       'ord_' || replace(order_id::text, '-', '')
                       || ' ptn_' || replace(partner_id::text, '-', ''), 'UTF8'
                   )), 'hex'), 17)
               ) AS part_id
        FROM part_lines l
        FULL JOIN part_placed p USING (order_id, partner_id)
        FULL JOIN part_refunds r USING (order_id, partner_id)
    ),
    refunded AS (
        SELECT order_id, sum(refunded) AS amount FROM part_lines GROUP BY order_id
    ),
    sent AS (
        SELECT (unit ->> 'item_id') AS item_id, sum((unit ->> 'quantity')::bigint) AS units
        FROM fulfilments
        CROSS JOIN jsonb_array_elements(items) AS unit
        WHERE status = 'sent'
        GROUP BY 1
    ),
    line AS (
        SELECT 'item_' || replace(item_id::text, '-', '') AS item_id, fulfilled FROM order_items
    ),
    back AS (
        SELECT item_id, sum(amount) AS amount
        FROM sales_entries
        WHERE kind IN ('cancelled', 'refunded', 'goodwill')
        GROUP BY item_id
    ),
    of_parts (identity, subject, left_, right_) AS (
        SELECT 'lines_went_back', 'item_' || item_id,
               CASE status
                   WHEN 'cancelled' THEN line_total
                   ELSE coalesce(i.cancelled_amount, 0) + coalesce(i.refunded_amount, 0)
               END,
               coalesce(back.amount, 0)
        FROM orders
        JOIN order_items i USING (order_id)
        LEFT JOIN back USING (item_id)
        UNION ALL
        SELECT 'parts_are_placed', part_id, of_lines, of_ledger FROM part
        UNION ALL
        SELECT 'parts_make_orders', 'ord_' || order_id, coalesce(amount, 0), refunded_amount
        FROM orders
        LEFT JOIN refunded USING (order_id)
        UNION ALL
        SELECT 'refunds_make_parts', part_id, of_refunds, refunded FROM part
        UNION ALL
        SELECT 'fulfilments_make_lines', item_id, coalesce(units, 0), coalesce(fulfilled, 0)
        FROM line
        FULL JOIN sent USING (item_id)
    )"""
# Entries below the horizon are in the rollups, once for each dimension and each span; the others
# are above it. A partner of all zeros stands for all. Reasons have only what was taken back.
ROLLUPS: Final[LiteralString] = """
    horizon AS MATERIALIZED (
        SELECT coalesce(
            (SELECT txid FROM sales_blocks_horizon
             WHERE txid <= pg_snapshot_xmax(pg_current_snapshot())),
            '0'::xid8
        ) AS txid
    ),
    entry AS MATERIALIZED (
        SELECT order_id, partner_id, currency, kind, quantity, {sign} * amount AS amount,
               CASE
                   WHEN e.txid IS NULL THEN (SELECT txid FROM horizon) = '0'::xid8
                   ELSE e.txid >= (SELECT txid FROM horizon)
               END AS above
        FROM sales_entries e
        WHERE {of_sales}
    ),
    entry_sum AS (
        SELECT coalesce(partner_id, '00000000-0000-0000-0000-000000000000'::uuid) AS partner_id,
               currency, count(*) AS entries, sum(amount) AS amount,
               count(*) FILTER (WHERE above) AS entries_above,
               sum(amount) FILTER (WHERE above) AS above,
               count(*) FILTER (WHERE kind <> 'placed') AS back,
               sum(amount) FILTER (WHERE kind <> 'placed') AS back_amount,
               count(*) FILTER (WHERE above AND kind <> 'placed') AS back_above,
               sum(amount) FILTER (WHERE above AND kind <> 'placed') AS back_amount_above
        FROM entry
        GROUP BY GROUPING SETS ((partner_id, currency), (currency))
    ),
    rolled_sum (dimension, span, partner_id, currency, entries, amount, orders) AS (
        SELECT (ARRAY['all', 'sales', 'product'])[dimension + 1], span, partner_id, currency,
               coalesce(sum(placed), 0) + coalesce(sum(back), 0) AS entries,
               (coalesce(sum(amount), 0) - coalesce(sum(back_cancelled), 0)
                - coalesce(sum(back_refunded), 0)) * 0.0001
               + coalesce(sum(exact[4]), 0) - coalesce(sum(exact[5]), 0)
               - coalesce(sum(exact[6]), 0) AS amount,
               coalesce(sum(orders), 0) AS orders
        FROM sales_blocks
        WHERE dimension < 3
        GROUP BY sales_blocks.dimension, span, partner_id, currency
        UNION ALL
        SELECT 'reason', span, partner_id, currency, sum(entries), -sum(amount), 0
        FROM sales_reason_blocks
        WHERE NOT by_order
        GROUP BY 1, 2, 3, 4
    ),
    level AS (
        SELECT of.dimension, span
        FROM (VALUES ('all', %(spans)s::int[]), ('sales', %(spans)s::int[]),
                     ('product', %(product_spans)s::int[]), ('reason', %(reason_spans)s::int[]))
             AS of (dimension, spans)
        CROSS JOIN unnest(spans) AS span
    ),
    summed_up AS (
        SELECT dimension, span, partner_id, currency, sum(entries) AS entries,
               sum(amount) AS amount, sum(all_entries) AS all_entries, sum(all_amount) AS all_amount
        FROM (
            SELECT dimension, span, partner_id, currency, entries, amount, 0 AS all_entries,
                   0 AS all_amount
            FROM rolled_sum
            WHERE (SELECT txid FROM horizon) > '0'::xid8
            UNION ALL
            SELECT dimension, span, partner_id, currency,
                   CASE dimension WHEN 'reason' THEN back_above ELSE entries_above END,
                   coalesce(CASE dimension WHEN 'reason' THEN back_amount_above ELSE above END, 0),
                   CASE dimension WHEN 'reason' THEN back ELSE entries END,
                   coalesce(CASE dimension WHEN 'reason' THEN back_amount ELSE amount END, 0)
            FROM entry_sum
            JOIN level ON CASE dimension
                WHEN 'reason' THEN TRUE
                ELSE (dimension = 'all')
                     = (partner_id = '00000000-0000-0000-0000-000000000000'::uuid)
            END
        ) AS either
        GROUP BY 1, 2, 3, 4
    ),
    kept_order AS (
        SELECT coalesce(partner_id, '00000000-0000-0000-0000-000000000000'::uuid) AS partner_id,
               currency
        FROM entry
        WHERE NOT above AND kind IN ('placed', 'cancelled')
        GROUP BY GROUPING SETS ((order_id, partner_id, currency), (order_id, currency))
        HAVING coalesce(sum(quantity) FILTER (WHERE kind = 'placed'), 0)
               > coalesce(sum(quantity) FILTER (WHERE kind = 'cancelled'), 0)
    ),
    kept_orders AS (
        SELECT partner_id, currency, count(*) AS orders FROM kept_order GROUP BY 1, 2
    ),
    rolled_orders AS (
        SELECT dimension, span, partner_id, currency, orders
        FROM rolled_sum
        WHERE dimension IN ('all', 'sales') AND (SELECT txid FROM horizon) > '0'::xid8
    ),
    of_rollups (identity, subject, left_, right_) AS (
        SELECT 'rollups_make_ledger',
               concat_ws(' ', dimension, span, 'ptn_' || partner_id, currency),
               -- Rollups may have more decimals than entries; those are shown if they aren't zeros.
               round(amount, greatest(scale(trim_scale(amount)), scale(all_amount))), all_amount
        FROM summed_up
        UNION ALL
        SELECT 'rollups_count_entries',
               concat_ws(' ', dimension, span, 'ptn_' || partner_id, currency), entries, all_entries
        FROM summed_up
        UNION ALL
        SELECT 'rollups_count_orders',
               concat_ws(' ', dimension, span, 'ptn_' || partner_id, currency), r.orders,
               coalesce(k.orders, 0)
        FROM rolled_orders r
        LEFT JOIN kept_orders k USING (partner_id, currency)
    )"""
