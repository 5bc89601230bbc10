"""The SQL that reads the entries of one step, and sums them up by the shortest blocks.

What was placed is summed up in one pass, as are the fewer entries of what was taken back. Amounts
are whole numbers on the way, which are added in a fraction of the time of decimals.
"""

from typing import Final, LiteralString

COUNTS: Final = ("orders", "placed", "units", "back", "back_units", "late", "late_units")
AMOUNTS: Final = (
    "gross", "discount", "platform_discount", "amount",
    "back_cancelled", "back_refunded", "late_cancelled", "late_refunded",
)  # fmt: skip
NAMES: Final = (*COUNTS, *AMOUNTS)
SUMS: Final[LiteralString] = ", ".join(NAMES)
ALL: Final[LiteralString] = "0::smallint"
SALES: Final[LiteralString] = "1::smallint"
PRODUCT: Final[LiteralString] = "2::smallint"
RULE: Final[LiteralString] = "3::smallint"
"""What sums are of. Numbers, since keys that begin with a text take longer to keep."""
NO_ID: Final[LiteralString] = "'00000000-0000-0000-0000-000000000000'::uuid"
"""The partner that stands for all of them, and the subject of sums that have none."""


def summed(*names: LiteralString) -> LiteralString:
    """Their sums, of what was summed before."""
    return ", ".join(f"exact_sum({name}) AS {name}" for name in names)


def nothing(*names: LiteralString) -> LiteralString:
    """NULL for each of them."""
    return ", ".join(
        f"NULL::{'units' if name in AMOUNTS else 'bigint'} AS {name}" for name in names
    )


def in_units(amount: LiteralString) -> LiteralString:
    """An amount in ten thousandths of its currency; out of range if that isn't exact."""
    return f"({amount} * CASE WHEN scale({amount}) <= 4 THEN 10000 ELSE beyond END)::units"


_STEP: Final[LiteralString] = """(
    txid >= %(before)s::xid8 AND txid < %(after)s::xid8
    OR txid IS NULL AND %(before)s::xid8 = '0'::xid8
)"""
_LINE: Final[LiteralString] = f"""
    at, partner_id, product_id, currency, quantity AS units,
    {in_units("gross")} AS gross, nullif({in_units("discount")}, 0) AS discount,
    nullif({in_units("platform_discount")}, 0) AS platform_discount, {in_units("amount")} AS amount
"""
_FEW: Final[LiteralString] = f"""
    -- What was taken back, and what older versions placed, are a tenth; they are read once.
    few AS MATERIALIZED (
        SELECT *
        FROM sales_entries
        WHERE {_STEP}
          AND (kind IN ('cancelled', 'refunded', 'goodwill') OR kind = 'placed' AND opens IS NULL)
    ),"""  # noqa: S608 - names of ours
_PLACED: Final[LiteralString] = f"""
    placed AS (
        SELECT {_LINE}, opens
        FROM sales_entries
        WHERE {_STEP} AND kind = 'placed' AND opens IS NOT NULL
        UNION ALL
        -- Of older versions: an order counts with its first line, and with that of each partner.
        SELECT {_LINE},
               CASE row_number() OVER of_order
                   WHEN 1 THEN 2
                   WHEN rank() OVER of_order THEN 1
                   ELSE 0
               END
        FROM few
        WHERE kind = 'placed'
        WINDOW of_order AS (PARTITION BY order_id ORDER BY partner_id)
    ),
    of_placed AS MATERIALIZED (
        SELECT quarter, day, partner_id, product_id, currency,
               count(*) FILTER (WHERE opens = 2) AS all_orders,
               count(*) FILTER (WHERE opens > 0) AS orders, count(*) AS placed,
               sum(units) AS units, {summed(*AMOUNTS[:4])}
        FROM (
            SELECT *, date_bin('15 minutes', at, 'epoch'::timestamptz) AS quarter,
                   date_bin('1 day', at, 'epoch'::timestamptz) AS day
            FROM placed
        ) AS placed
        GROUP BY GROUPING SETS (
            (quarter, currency, partner_id), (day, currency, partner_id, product_id)
        )
    ),"""  # noqa: S608 - names of ours
_TAKEN_BACK: Final[LiteralString] = f"""
    fresh_back AS MATERIALIZED (
        SELECT order_id, kind, coalesce(reason, '') AS reason, at, partner_id, product_id,
               currency, quantity, {in_units("amount")} AS amount
        FROM few
        WHERE kind <> 'placed'
    ),
    cancelled AS MATERIALIZED (
        SELECT order_id FROM fresh_back WHERE kind = 'cancelled'
        UNION
        SELECT unnest(%(unplaced)s::uuid[])
    ),
    -- Each order by currency and partner, by currency, and as a whole: then it has no currency.
    of_order AS MATERIALIZED (
        SELECT e.order_id, coalesce(e.partner_id, {NO_ID}) AS partner_id, e.currency,
               min(e.at) FILTER (WHERE e.kind = 'placed') AS first_at,
               min(e.at) FILTER (WHERE e.kind = 'placed' AND is_below) AS placed_at,
               max(e.at) FILTER (WHERE e.kind = 'cancelled' AND is_below) AS cancelled_at,
               sum(e.quantity) FILTER (WHERE e.kind = 'placed' AND is_below)
               = sum(e.quantity) FILTER (WHERE e.kind = 'cancelled' AND is_below) AS is_gone
        FROM (
            -- Looked up in the order in which they were written, more or less.
            SELECT order_id FROM fresh_back UNION SELECT order_id FROM cancelled ORDER BY order_id
        ) AS touched
        CROSS JOIN LATERAL (
            SELECT e.*, e.txid < %(after)s::xid8 OR e.txid IS NULL AS is_below
            FROM sales_entries e
            WHERE e.order_id = touched.order_id AND e.kind IN ('placed', 'cancelled')
            OFFSET 0
        ) AS e
        GROUP BY GROUPING SETS (
            (e.order_id), (e.order_id, e.currency), (e.order_id, e.currency, e.partner_id)
        )
    ),
    gone AS MATERIALIZED (
        SELECT *
        FROM of_order o
        WHERE is_gone AND currency IS NOT NULL
          AND order_id IN (SELECT order_id FROM cancelled)
          AND NOT EXISTS (
              SELECT FROM sales_gone_orders c
              WHERE c.order_id = o.order_id AND c.partner_id = o.partner_id
          )
    ),
    taken_back AS MATERIALIZED (
        SELECT at AS counted_at, FALSE AS is_late, partner_id, product_id, currency, kind, reason,
               quantity, amount
        FROM fresh_back
        UNION ALL
        SELECT o.first_at, TRUE, b.partner_id, b.product_id, b.currency, b.kind, b.reason,
               b.quantity, b.amount
        FROM fresh_back b
        JOIN of_order o ON o.order_id = b.order_id AND o.currency IS NULL
        WHERE o.first_at IS NOT NULL
    ),
    of_back AS MATERIALIZED (
        SELECT quarter, day, partner_id, product_id, currency,
               count(*) FILTER (WHERE NOT is_late) AS back,
               sum(quantity) FILTER (WHERE NOT is_late) AS back_units,
               count(*) FILTER (WHERE is_late) AS late,
               sum(quantity) FILTER (WHERE is_late) AS late_units,
               exact_sum(amount) FILTER (WHERE NOT is_late AND is_cancelled) AS back_cancelled,
               exact_sum(amount) FILTER (WHERE NOT is_late AND NOT is_cancelled) AS back_refunded,
               exact_sum(amount) FILTER (WHERE is_late AND is_cancelled) AS late_cancelled,
               exact_sum(amount) FILTER (WHERE is_late AND NOT is_cancelled) AS late_refunded
        FROM (
            SELECT *, kind = 'cancelled' AS is_cancelled,
                   date_bin('15 minutes', counted_at, 'epoch'::timestamptz) AS quarter,
                   date_bin('1 day', counted_at, 'epoch'::timestamptz) AS day
            FROM taken_back
        ) AS taken_back
        GROUP BY GROUPING SETS (
            (quarter, currency, partner_id), (day, currency, partner_id, product_id)
        )
    ),
    by_reason AS MATERIALIZED (
        SELECT date_bin(make_interval(secs => %(watches)s), counted_at,
                        'epoch'::timestamptz) AS starts_at,
               partner_id, currency, kind, reason, is_late, count(*) AS entries,
               sum(quantity) AS units, exact_sum(amount) AS amount
        FROM taken_back
        GROUP BY 1, 2, 3, 4, 5, 6
    ),"""  # noqa: S608 - names of ours
_BY_RULE: Final[LiteralString] = f"""
    by_rule AS MATERIALIZED (
        SELECT e.order_id, date_bin('15 minutes', e.at, 'epoch'::timestamptz) AS at, e.currency,
               e.partner_id, split_part(step ->> 'rule_id', '_', 2)::uuid AS rule_id,
               -sum((step ->> 'amount')::numeric) AS amount,
               sum(CASE
                       WHEN step ->> 'partner_amount' IS NOT NULL
                           THEN (step ->> 'partner_amount')::numeric
                       WHEN step ->> 'funded_by' = 'partner' THEN (step ->> 'amount')::numeric
                       ELSE 0
                   END - (step ->> 'amount')::numeric) AS platform_discount
        FROM sales_entries e
        JOIN order_items i ON i.order_id = e.order_id AND i.item_id = e.item_id
        CROSS JOIN jsonb_array_elements(i.adjustments) AS step
        WHERE {_STEP} AND e.kind = 'placed' AND step ->> 'rule_id' IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5
    ),"""  # noqa: S608 - names of ours
_BOTH: Final[LiteralString] = f"""
    by_partner AS MATERIALIZED (
        SELECT quarter AS starts_at, partner_id, currency, all_orders, {SUMS}
        FROM (SELECT * FROM of_placed WHERE quarter IS NOT NULL) AS p
        FULL JOIN (SELECT * FROM of_back WHERE quarter IS NOT NULL) AS b
            USING (quarter, partner_id, currency)
    ),
    by_product AS (
        SELECT {PRODUCT} AS dimension, day AS starts_at, partner_id,
               product_id AS subject, currency, {nothing("orders")}, {", ".join(NAMES[1:])}
        FROM (SELECT * FROM of_placed WHERE product_id IS NOT NULL) AS p
        FULL JOIN (SELECT * FROM of_back WHERE product_id IS NOT NULL) AS b
            USING (day, partner_id, product_id, currency)
    ),"""  # noqa: S608 - names of ours
ENTRIES: Final[LiteralString] = f"WITH {_FEW}{_PLACED}{_TAKEN_BACK}{_BY_RULE}{_BOTH}"
"""The entries of a step as sums: `by_partner`, `by_product`, `by_reason` and `by_rule`; and `gone`.

Tokens stand for what depends on the kind of numbers: `units` is a type, `beyond` a factor.
"""
