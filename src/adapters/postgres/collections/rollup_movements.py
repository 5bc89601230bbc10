"""The SQL behind reports: all movements that count, from rollups, and from entries by themselves.

Queries begin with `WITH`, and are filled in by `rollup_reader`; a report adds what it sums up.
"""

from typing import Final, LiteralString

_HORIZON: Final[LiteralString] = """
    WITH horizon AS MATERIALIZED (
        SELECT coalesce(
            (SELECT txid FROM sales_blocks_horizon
             WHERE txid <= pg_snapshot_xmax(pg_current_snapshot())),
            '0'::xid8
        ) AS txid
    ),
    -- Thousands of moments come as the few after which others follow at regular intervals.
    periods AS MATERIALIZED (
        SELECT array_agg(first + n * step * interval '1 microsecond' ORDER BY first, n) AS starts
        FROM unnest(%(start_first)s::timestamptz[], %(start_step)s::bigint[],
                    %(start_count)s::int[])
             AS start (first, step, count)
        CROSS JOIN LATERAL generate_series(0, count - 1) AS n
    ),
    rest AS (
        SELECT *
        FROM unnest(%(rest_since)s::timestamptz[], %(rest_until)s::timestamptz[],
                    %(rest_period)s::int[], %(rest_sign)s::int[])
             AS rest (since, until, period, sign)
        WHERE (SELECT txid FROM horizon) > '0'::xid8
    ),
    tail AS MATERIALIZED (
        SELECT {columns}
        FROM sales_entries e
        WHERE e.txid >= %(horizon)s::xid8 AND e.txid >= (SELECT txid FROM horizon) AND {own}
        UNION ALL
        SELECT {columns}
        FROM sales_entries e
        WHERE e.txid IS NULL AND (SELECT txid FROM horizon) = '0'::xid8 AND {own}
    ),"""
# The fence of OFFSET keeps the planner from anything but a look into the index for each block.
_BLOCKS: Final[LiteralString] = """
        CROSS JOIN LATERAL (
            SELECT r.*
            FROM {rollups} r
            WHERE {rolled_own} AND r.span = run.span
              AND r.starts_at >= run.since AND r.starts_at < run.until
            OFFSET 0
        ) AS r
        WHERE (SELECT txid FROM horizon) > '0'::xid8"""
_ROLLED: Final[LiteralString] = f"""
    rolled AS (
        SELECT width_bucket(r.starts_at, (SELECT starts FROM periods)) - 1 AS period, r.*
        FROM unnest(%(run_span)s::int[], %(run_since)s::timestamptz[],
                    %(run_until)s::timestamptz[])
             AS run (span, since, until)
        {_BLOCKS}
    ),"""  # noqa: S608 - names of ours
SURPLUS: Final[LiteralString] = f"""
    surplus AS (
        SELECT run.period, r.*
        FROM unnest(%(surplus_span)s::int[], %(surplus_since)s::timestamptz[],
                    %(surplus_until)s::timestamptz[], %(surplus_period)s::int[])
             AS run (span, since, until, period)
        {_BLOCKS}
    ),"""  # noqa: S608 - names of ours
"""What blocks have beyond the ends of periods."""
TAKEN_OFF: Final[LiteralString] = """
        UNION ALL
        SELECT period, partner_id, subject, currency, -orders, -placed, -{back}, -units,
               -{back_units}, -{gross}, -{discount}, -{platform_discount}, -{amount},
               -{back_cancelled}, -{back_refunded}, exact
        FROM surplus"""
BELOW: Final[LiteralString] = """
    (e.txid < (SELECT txid FROM horizon)
     OR e.txid IS NULL AND (SELECT txid FROM horizon) > '0'::xid8)"""
"""Whether an entry `e` is in the rollups."""

LOOSE: Final[LiteralString] = """
    loose AS (
        SELECT rest.period, rest.sign, e.*
        FROM rest
        CROSS JOIN LATERAL (
            SELECT {columns}
            FROM sales_entries e
            WHERE e.at >= rest.since AND e.at < rest.until AND {own} AND {below}
            OFFSET 0
        ) AS e
        UNION ALL
        SELECT width_bucket(at, (SELECT starts FROM periods)) - 1, 1, tail.*
        FROM tail
        WHERE at >= %(since)s AND at < %(until)s
    ),"""
"""The entries that count by themselves, when they happened."""
LOOSE_BY_ORDER: Final[LiteralString] = """
    loose AS (
        SELECT rest.period, rest.sign, e.*
        FROM rest
        CROSS JOIN LATERAL (
            SELECT {columns}
            FROM (
                SELECT DISTINCT e.order_id
                FROM sales_entries e
                WHERE e.at >= rest.since AND e.at < rest.until AND e.kind = 'placed' AND {own}
            ) AS of
            JOIN sales_entries e USING (order_id)
            WHERE {own} AND {below}
        ) AS e
        UNION ALL
        SELECT width_bucket(placed.at, (SELECT starts FROM periods)) - 1, 1, tail.*
        FROM tail
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN tail.kind = 'placed' THEN tail.at
                ELSE (SELECT min(e.at) FROM sales_entries e
                      WHERE e.order_id = tail.order_id AND e.kind = 'placed')
            END AS at
        ) AS placed
        WHERE placed.at >= %(since)s AND placed.at < %(until)s
    ),"""
"""The same when their orders were placed."""
_SUMMED: Final[LiteralString] = """
    movement AS (
        SELECT period, partner_id, subject, currency, orders, placed, {back} AS back, units,
               {back_units} AS back_units, {gross} AS gross, {discount} AS discount,
               {platform_discount} AS platform_discount, {amount} AS amount,
               {back_cancelled} AS cancelled, {back_refunded} AS refunded, exact
        FROM rolled
        UNION ALL
        SELECT period, {seller}, {subject}, currency, NULL,
               CASE WHEN is_placed THEN sign END, CASE WHEN NOT is_placed THEN sign END,
               CASE WHEN is_placed THEN sign * quantity END,
               CASE WHEN NOT is_placed THEN sign * quantity END,
               CASE WHEN is_placed THEN sign * {entry_gross} END,
               CASE WHEN is_placed THEN sign * {entry_discount} END,
               CASE WHEN is_placed THEN sign * {entry_platform_discount} END,
               CASE WHEN is_placed THEN sign * {entry_amount} END,
               CASE WHEN kind = 'cancelled' THEN sign * {entry_amount} END,
               CASE WHEN kind IN ('refunded', 'goodwill') THEN sign * {entry_amount} END, NULL
        FROM (SELECT *, kind = 'placed' AS is_placed FROM loose) AS loose
        {taken_off}
        {orders}
    )"""
ORDERS: Final[LiteralString] = """
        UNION ALL
        SELECT period, partner_id, NULL, currency, orders, NULL, NULL, NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, NULL, NULL
        FROM (
            -- Placed in what is left between blocks, and not cancelled below the horizon.
            SELECT period, partner_id, currency, 1 AS orders
            FROM (
                SELECT DISTINCT rest.period, {seller} AS partner_id, e.currency, e.order_id
                FROM rest
                CROSS JOIN LATERAL (
                    SELECT {columns}
                    FROM sales_entries e
                    WHERE e.at >= rest.since AND e.at < rest.until AND e.kind = 'placed'
                      AND {own} AND {below}
                    OFFSET 0
                ) AS e
            ) AS o
            WHERE NOT EXISTS (
                SELECT FROM sales_gone_orders c
                WHERE c.order_id = o.order_id AND c.partner_id = o.partner_id
            )
            {later}
            UNION ALL
            -- What the entries above the horizon make of their orders, whenever these were placed.
            SELECT width_bucket(placed_at, (SELECT starts FROM periods)) - 1, partner_id,
                   currency, orders
            FROM (
                SELECT {seller} AS partner_id, e.currency,
                       min(e.at) FILTER (WHERE e.kind = 'placed') AS placed_at,
                       (coalesce(sum(e.quantity) FILTER (WHERE e.kind = 'placed'), 0)
                        > coalesce(sum(e.quantity) FILTER (WHERE {undone}), 0))::int
                       - (coalesce(sum(e.quantity) FILTER (WHERE e.kind = 'placed' AND {below}), 0)
                          > coalesce(sum(e.quantity) FILTER (WHERE {undone} AND {below}), 0)
                         )::int AS orders
                FROM (
                    SELECT DISTINCT order_id FROM tail WHERE kind IN ('placed', 'cancelled')
                ) AS touched
                JOIN sales_entries e USING (order_id)
                WHERE e.kind IN ('placed', 'cancelled') AND {own}
                GROUP BY e.order_id, {seller}, e.currency
            ) AS changed
            WHERE placed_at >= %(since)s AND placed_at < %(until)s AND orders <> 0
        ) AS counted"""
LATER: Final[LiteralString] = """
            UNION ALL
            -- Cancelled below the horizon, but not before the end of the range.
            SELECT width_bucket(c.placed_at, (SELECT starts FROM periods)) - 1, c.partner_id,
                   c.currency, 1
            FROM generate_series(0, 22) AS bits
            CROSS JOIN LATERAL (
                SELECT c.*
                FROM sales_gone_orders c
                WHERE c.longer = bits AND c.cancelled_at >= %(until)s
                  AND c.cancelled_at < %(until)s + make_interval(days => 1 << bits)
                  AND c.placed_at >= %(since)s AND c.placed_at < %(until)s AND {gone_own}
                OFFSET 0
            ) AS c
            WHERE (SELECT txid FROM horizon) > '0'::xid8"""
"""The orders that count although they were cancelled as a whole later."""

_PARTS: Final[LiteralString] = f"{_HORIZON}{_ROLLED}{{surplus}}{{loose}}"
SUMS: Final[LiteralString] = f"{_PARTS}{_SUMMED}"
"""All movements as `movement`, signed; those without entries are about the number of orders."""
_RULES: Final[LiteralString] = """
    single AS (
        SELECT loose.order_id, loose.currency, split_part(step ->> 'rule_id', '_', 2)::uuid AS rule,
               -sum((step ->> 'amount')::numeric) AS cost,
               sum(CASE
                       WHEN step ->> 'partner_amount' IS NOT NULL
                           THEN (step ->> 'partner_amount')::numeric
                       WHEN step ->> 'funded_by' = 'partner' THEN (step ->> 'amount')::numeric
                       ELSE 0
                   END - (step ->> 'amount')::numeric) AS platform_cost
        FROM loose
        JOIN order_items i ON i.order_id = loose.order_id AND i.item_id = loose.item_id
        CROSS JOIN jsonb_array_elements(i.adjustments) AS step
        WHERE loose.kind = 'placed' AND step ->> 'rule_id' IS NOT NULL
        GROUP BY 1, 2, 3
    )
    SELECT rule AS rule_id, currency, sum(uses)::bigint AS uses, sum(cost) AS cost,
           sum(platform_cost) AS platform_cost
    FROM (
        SELECT subject AS rule, currency, orders AS uses, {amount} AS cost,
               {platform_discount} AS platform_cost
        FROM rolled
        UNION ALL
        SELECT rule, currency, 1, cost, platform_cost FROM single
    ) AS used
    GROUP BY rule, currency
    ORDER BY rule, currency"""
RULES: Final[LiteralString] = f"{_PARTS}{_RULES}"
"""What price rules did when orders were placed."""

_COUNTED: Final[LiteralString] = """
        coalesce(exact_sum(placed), 0) + coalesce(exact_sum(back), 0)"""
"""How many entries there are of a group: there is no row of none."""
_UNITS: Final[LiteralString] = """
        coalesce(exact_sum(units), 0) - coalesce(exact_sum(back_units), 0)"""
_NET: Final[LiteralString] = """
        coalesce(exact_sum(amount), 0) - coalesce(exact_sum(cancelled), 0)
        - coalesce(exact_sum(refunded), 0)"""
_TOTALS: Final[LiteralString] = f"""
    SELECT array_agg(period::bigint), array_agg(partner_id), array_agg(currency),
           array_agg(orders), array_agg(units), array_agg(gross), array_agg(discount),
           array_agg(platform_discount), array_agg(cancelled), array_agg(refunded), array_agg(net)
    FROM (
        SELECT period, {{partner}}, currency, coalesce(exact_sum(orders), 0) AS orders,
               {_UNITS} AS units, coalesce(exact_sum(gross), 0) AS gross,
               coalesce(exact_sum(discount), 0) AS discount,
               coalesce(exact_sum(platform_discount), 0) AS platform_discount,
               coalesce(exact_sum(cancelled), 0) AS cancelled,
               coalesce(exact_sum(refunded), 0) AS refunded, {_NET} AS net
        FROM movement
        GROUP BY period, movement.partner_id, currency
        HAVING {_COUNTED} > {{least}}
        ORDER BY period, movement.partner_id, currency
    ) AS total"""  # noqa: S608 - names of ours
TOTALS: Final[LiteralString] = f"{SUMS}{_TOTALS}"
"""Figures by period, partner and currency, each column as an array: there may be thousands."""

_RANKED: Final[LiteralString] = f""",
    by_product AS (
        SELECT subject AS product_id, currency, {_UNITS} AS units,
               coalesce(exact_sum(gross), 0) AS gross, {_NET} AS net
        FROM movement
        GROUP BY subject, currency
        HAVING {_COUNTED} > {{least}}
    ),"""  # noqa: S608 - names of ours
_PLACES: Final[LiteralString] = """
    named AS ({names}),
    placed AS (
        SELECT named.*,
               row_number() OVER (
                   PARTITION BY currency ORDER BY {measure} DESC, name NULLS LAST
               ) AS place
        FROM named
    )
    SELECT name, currency, units::bigint, gross * {unit} AS gross, net * {unit} AS net
    FROM placed
    WHERE place <= %(limit)s
    ORDER BY currency, place"""
RANKED: Final[LiteralString] = f"{SUMS}{_RANKED}{_PLACES}"
"""Ranks of products, or of what they belong to."""

_BY_REASON: Final[LiteralString] = """
    movement AS (
        SELECT kind, reason, currency, entries, units, amount
        FROM rolled
        WHERE by_order = {by_order}
        UNION ALL
        SELECT kind, reason, currency, 1, quantity, amount
        FROM loose
        WHERE kind <> 'placed'
    )
    SELECT kind, nullif(reason, '') AS reason, currency, sum(entries)::bigint AS times,
           sum(units)::bigint AS units, sum(amount) AS amount
    FROM movement
    GROUP BY kind, movement.reason, currency
    ORDER BY kind, movement.reason, currency"""
BY_REASON: Final[LiteralString] = f"{_PARTS}{_BY_REASON}"
"""What was cancelled and refunded, and why."""
