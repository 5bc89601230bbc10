"""The roller: adds the entries below the horizon to the rollups, in one transaction at a time.

The horizon is a transaction id: all transactions before it have ended, so what they wrote is there,
and nothing will be added. Each entry has the id of its transaction, so it is either in the rollups
or above the horizon, never both; writers take no part in this.
"""

from typing import Final

from attrs import frozen

from adapters.postgres.connection.rows import Connection
from commerce_core.analytics.rollup import PRODUCT_SPANS, SPANS

MEMORY: Final = "128MB"
"""What the server may use for each of the sums of one step."""
NOTHING: Final = "0"
"""The horizon below which there is nothing."""


@frozen
class Roller:
    """Keeps the rollups of one database."""

    _db: Connection

    def roll_up(self, most: int) -> int:
        """Adds about that many entries to the rollups, and returns how many."""
        # The first time, it may have a ledger of years to add.
        self._db.execute(
            """
            SELECT set_config('statement_timeout', '0', TRUE), set_config('work_mem', %s, TRUE)
            """,
            [MEMORY],
        )
        self._db.execute(
            "INSERT INTO sales_horizon (txid) VALUES (%s::xid8) ON CONFLICT DO NOTHING", [NOTHING]
        )
        before = self._locked_horizon()
        after = self._next_horizon(before, most)
        if after is None:
            return 0
        params = {
            "before": before, "after": after, "unplaced": self._unplaced(),
            "dimensions": [*["sales"] * len(SPANS), *["rule"] * len(SPANS),
                           *["product"] * len(PRODUCT_SPANS)],
            "spans": [int(s.total_seconds()) for s in (*SPANS, *SPANS, *PRODUCT_SPANS)],
        }  # fmt: skip
        (rolled,) = self._db.execute(_ROLL_UP, params).fetchone() or (0,)
        self._db.execute("UPDATE sales_horizon SET txid = %s::xid8", [after])
        return rolled

    def _locked_horizon(self) -> str:
        """The horizon, locked, so that nobody else moves it before this unit ends."""
        (txid, is_foreign) = self._db.execute(
            """
            SELECT txid::text, txid > pg_snapshot_xmax(pg_current_snapshot())
            FROM sales_horizon
            FOR UPDATE
            """
        ).fetchone() or (NOTHING, False)
        if is_foreign:
            self._start_again()
            return NOTHING
        return txid

    def _start_again(self) -> None:
        """Empties the rollups of a database that was restored into another server.

        There, transaction ids begin anew, so those of all entries that are visible mean nothing:
        without one, an entry counts as committed before there were rollups.
        """
        for statement in (
            "UPDATE sales_entries SET txid = NULL WHERE txid IS NOT NULL",
            "DELETE FROM sales_rollups",
            "DELETE FROM sales_cancelled_orders",
            "DELETE FROM sales_unplaced_orders",
        ):
            self._db.execute(statement)

    def _next_horizon(self, before: str, most: int) -> str | None:
        """The next horizon, with that many entries more below it, if there are; None if it stays.

        A transaction is never divided, so one with more entries is added as a whole.
        """
        (after,) = self._db.execute(
            """
            WITH ended AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS txid),
            last AS (
                SELECT e.txid
                FROM sales_entries e
                WHERE e.txid >= %(before)s::xid8 AND e.txid < (SELECT txid FROM ended)
                ORDER BY e.txid
                OFFSET %(most)s::bigint - 1
                LIMIT 1
            ),
            next AS (
                SELECT e.txid
                FROM sales_entries e
                WHERE e.txid > (SELECT txid FROM last) AND e.txid < (SELECT txid FROM ended)
                ORDER BY e.txid
                LIMIT 1
            )
            SELECT coalesce((SELECT txid FROM next), txid)::text
            FROM ended
            WHERE txid > %(before)s::xid8
            """,
            {"before": before, "most": most},
        ).fetchone() or (None,)
        return after

    def _unplaced(self) -> list[object]:
        """The orders whose placement was still above the horizon, no longer kept as such."""
        rows = self._db.execute("DELETE FROM sales_unplaced_orders RETURNING order_id").fetchall()
        return [order_id for (order_id,) in rows]


_ROLL_UP: Final = """
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
        SELECT at AS counted_at, FALSE AS by_order, * FROM fresh
        UNION ALL
        SELECT placed_at, TRUE, * FROM fresh WHERE kind <> 'placed' AND placed_at IS NOT NULL
    ),
    by_partner AS MATERIALIZED (
        SELECT date_bin('15 minutes', counted_at, 'epoch'::timestamptz) AS starts_at, partner_id,
               currency, kind, reason, by_order, count(*) AS entries, sum(quantity) AS units,
               sum(gross) AS gross, sum(discount) AS discount,
               sum(platform_discount) AS platform_discount, sum(amount) AS amount
        FROM counted
        GROUP BY 1, 2, 3, 4, 5, 6
    ),
    by_product AS (
        SELECT date_bin('1 day', counted_at, 'epoch'::timestamptz) AS starts_at, partner_id,
               product_id, currency, kind, by_order, count(*) AS entries, sum(quantity) AS units,
               sum(gross) AS gross, sum(discount) AS discount,
               sum(platform_discount) AS platform_discount, sum(amount) AS amount
        FROM counted
        WHERE product_id IS NOT NULL
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
    ),
    changes (dimension, starts_at, partner_id, subject, currency, kind, reason, by_order, entries,
             orders, units, gross, discount, platform_discount, amount) AS (
        SELECT 'sales' COLLATE "C", starts_at, seller,
               '00000000-0000-0000-0000-000000000000'::uuid, currency, kind, reason,
               by_order, entries, 0, units, gross, discount, platform_discount, amount
        FROM by_partner
        CROSS JOIN LATERAL (
            VALUES (partner_id), ('00000000-0000-0000-0000-000000000000'::uuid)
        ) AS of (seller)
        UNION ALL
        SELECT 'sales', at, partner_id, '00000000-0000-0000-0000-000000000000'::uuid, currency,
               'placed', '', FALSE, 0, count(*), 0, 0, 0, 0, 0
        FROM placed
        GROUP BY at, partner_id, currency
        UNION ALL
        SELECT 'sales', at, '00000000-0000-0000-0000-000000000000'::uuid,
               '00000000-0000-0000-0000-000000000000'::uuid, currency, 'placed', '', FALSE, 0,
               count(DISTINCT order_id), 0, 0, 0, 0, 0
        FROM placed
        GROUP BY at, currency
        UNION ALL
        SELECT 'sales', placed_at, partner_id, '00000000-0000-0000-0000-000000000000'::uuid,
               currency, 'cancelled', '', TRUE, 0, count(*), 0, 0, 0, 0, 0
        FROM gone
        GROUP BY placed_at, partner_id, currency
        UNION ALL
        SELECT 'product', starts_at, partner_id, product_id, currency, kind, '', by_order, entries,
               0, units, gross, discount, platform_discount, amount
        FROM by_product
        UNION ALL
        SELECT 'rule', at, partner_id, rule_id, currency, 'placed', '', FALSE, count(*), count(*),
               0, 0, 0, sum(platform_discount), sum(amount)
        FROM by_rule
        GROUP BY at, partner_id, rule_id, currency
        UNION ALL
        SELECT 'rule', at, '00000000-0000-0000-0000-000000000000'::uuid, rule_id, currency,
               'placed', '', FALSE, count(*), count(DISTINCT order_id), 0, 0, 0,
               sum(platform_discount), sum(amount)
        FROM by_rule
        GROUP BY at, rule_id, currency
    ),
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
    kept AS (
        INSERT INTO sales_rollups AS r
            (dimension, span, starts_at, partner_id, subject, currency, kind, reason, by_order,
             entries, orders, units, gross, discount, platform_discount, amount)
        SELECT dimension, span,
               date_bin(make_interval(secs => span), starts_at, 'epoch'::timestamptz), partner_id,
               subject, currency, kind, reason, by_order, sum(entries), sum(orders), sum(units),
               sum(gross), sum(discount), sum(platform_discount), sum(amount)
        FROM changes
        JOIN unnest(%(dimensions)s::text[], %(spans)s::int[]) AS block (dimension, span)
            USING (dimension)
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
        ON CONFLICT (dimension, span, starts_at, partner_id, subject, currency, kind, reason,
                     by_order)
        DO UPDATE SET entries = r.entries + excluded.entries,
                      orders = r.orders + excluded.orders,
                      units = r.units + excluded.units,
                      gross = r.gross + excluded.gross,
                      discount = r.discount + excluded.discount,
                      platform_discount = r.platform_discount + excluded.platform_discount,
                      amount = r.amount + excluded.amount
    )
    SELECT count(*) FROM fresh"""
