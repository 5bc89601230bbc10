"""The identities of reconciliation in PostgreSQL: one statement, so all are as of one moment."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString

from attrs import frozen
from psycopg import sql

from adapters.postgres.collections.escrow import RESERVED
from adapters.postgres.collections.ledger import OF_SALES, SIGN
from adapters.postgres.collections.reconciliation_of_sales import LEDGER, ORDERS, PARTS, ROLLUPS
from adapters.postgres.connection.rows import (
    Connection,
    fetch,
    maybe_digits,
    rows_as,
    rows_of,
)
from commerce_core.analytics.reconciliation import (
    IDENTITIES,
    MOST_DIFFERENCES,
    MOST_FAILURES,
    Check,
    Failure,
    Identity,
    StatementDifference,
)
from commerce_core.analytics.rollup import PRODUCT_SPANS, REASON_SPANS, SPANS

MOST_SECONDS: Final = 600
"""How long it may take, since it reads all orders and all entries."""


def _check(row: dict[str, Any]) -> Check:
    failures = tuple(
        Failure(each["subject"], Decimal(each["left"]), Decimal(each["right"]))
        for each in row.pop("failures") or ()
    )
    left, right = IDENTITIES[row["identity"]]
    return Check(**row, left=left, right=right, failures=failures)


_CHECKS: Final = rows_as(_check)
_DIFFERENCES: Final = rows_of(StatementDifference)
_LEVELS: Final = {
    name: [int(span.total_seconds()) for span in spans]
    for name, spans in (
        ("spans", SPANS),
        ("product_spans", PRODUCT_SPANS),
        ("reason_spans", REASON_SPANS),
    )
}
"""The lengths of the blocks that rollups must have."""


@frozen
class Books:
    """Implements `commerce_core.ports.money.Books`."""

    _db: Connection

    def checks(self) -> Mapping[Identity, Check]:
        """The identities that have something to compare."""
        self._db.execute(f"SET LOCAL statement_timeout = '{MOST_SECONDS}s'".encode())
        found = fetch(self._db, _CHECKS, _STATEMENT, {"most": MOST_FAILURES, **_LEVELS})
        return {check.identity: check for check in found}

    def note_differences(self, at: datetime) -> int:
        """Keeps which statements differ, in one statement."""
        self._db.execute(f"SET LOCAL statement_timeout = '{MOST_SECONDS}s'".encode())
        return self._db.execute(_NOTING, {"at": at, "most": MOST_DIFFERENCES}).rowcount

    def differences(self, partner_id: str | None) -> Sequence[StatementDifference]:
        """What was kept."""
        query = """
            SELECT d.statement_id, s.partner_id, s.number, s.currency, d.identity,
                   d.left_ AS "left", d.right_ AS "right", d.first_at, d.latest_at
            FROM statement_differences d
            JOIN statements s USING (statement_id)
            WHERE %(partner)s::uuid IS NULL OR s.partner_id = %(partner)s::uuid
            ORDER BY d.statement_id, d.identity"""
        return fetch(self._db, _DIFFERENCES, query, {"partner": maybe_digits(partner_id)})


_STOCK_AND_RULES: Final[LiteralString] = (
    """
    wanted AS (
        SELECT product_id, sum(units) AS units
        FROM (
            SELECT i.product_id, i.quantity - i.fulfilled - i.cancelled AS units
            FROM orders
            JOIN order_items i USING (order_id)
            WHERE status <> 'cancelled' AND NOT i.net_of_orders
            UNION ALL
            SELECT product_id, units FROM stock_deductions
        ) deducted
        GROUP BY product_id
    ),
    used AS (
        SELECT rule_id, count(*) AS uses
        FROM price_rule_uses
        WHERE given_back_at IS NULL
        GROUP BY rule_id
    ),
    spent AS (
        SELECT rule_id, currency, sum(amount) AS amount
        FROM price_rule_uses
        WHERE given_back_at IS NULL
        GROUP BY rule_id, currency
    ),
    of_limits (identity, subject, left_, right_) AS (
        SELECT 'units_are_held', 'prod_' || product_id, coalesce(held.units, 0),
               coalesce(wanted.units, 0)
        FROM """  # noqa: S608 - our own text
    + RESERVED
    + """ held
        FULL JOIN wanted USING (product_id)
        UNION ALL
        SELECT 'uses_are_counted', 'rule_' || c.rule_id, c.uses, coalesce(used.uses, 0)
        FROM price_rule_counters c
        LEFT JOIN used USING (rule_id)
        WHERE c.customer = '' AND c.currency = ''
        UNION ALL
        SELECT 'money_is_counted', 'rule_' || c.rule_id, c.spent, coalesce(spent.amount, 0)
        FROM price_rule_counters c
        LEFT JOIN spent USING (rule_id, currency)
        WHERE c.customer = '' AND c.currency <> ''
    )"""
)
_STATEMENTS: Final[LiteralString] = """
    taken AS (
        SELECT t.statement_id, sum({sign} * coalesce(e.partner_amount, e.amount)) AS amount,
               count(*) FILTER (
                   WHERE e.partner_id = s.partner_id AND e.currency = s.currency AND e.at < s.until
               ) AS entries
        FROM statement_entries t
        LEFT JOIN sales_entries e USING (entry_id)
        LEFT JOIN statements s USING (statement_id)
        GROUP BY t.statement_id
    ),
    of_statements (identity, subject, left_, right_) AS (
        SELECT 'statements_add_up', 'stmt_' || statement_id, closing, opening + entries - payouts
        FROM statements
        UNION ALL
        SELECT 'statements_follow', 'stmt_' || s.statement_id, s.opening, coalesce(f.closing, 0)
        FROM statements s
        LEFT JOIN statements f ON f.partner_id = s.partner_id AND f.currency = s.currency
            AND f.number = s.number - 1
        UNION ALL
        SELECT 'statements_join', 'stmt_' || s.statement_id, trunc(extract(epoch FROM s.since)),
               trunc(extract(epoch FROM coalesce(f.until, s.until)))
        FROM statements s
        LEFT JOIN statements f ON f.partner_id = s.partner_id AND f.currency = s.currency
            AND f.number = s.number - 1
        WHERE s.number > 1
        UNION ALL
        SELECT 'statements_make_ledger', 'stmt_' || statement_id, s.entries - payouts,
               coalesce(amount, 0)
        FROM statements s
        LEFT JOIN taken USING (statement_id)
        UNION ALL
        SELECT 'entries_belong', 'stmt_' || statement_id, coalesce(entry_count, 0),
               coalesce(taken.entries, 0)
        FROM statements
        FULL JOIN taken USING (statement_id)
    )"""
_CATALOG: Final[LiteralString] = """
    kept AS (
        SELECT partner_id, product_id, count(*) AS versions, min(version) AS first
        FROM product_versions
        GROUP BY partner_id, product_id
    ),
    written AS (
        SELECT publication_id, count(*) AS versions
        FROM (
            SELECT publication_id FROM products
            UNION ALL SELECT publication_id FROM product_versions
        ) AS version
        GROUP BY publication_id
    ),
    sold AS (
        SELECT partner_id, count(*) AS products
        FROM products
        WHERE status = 'active'
        GROUP BY partner_id
    ),
    grown AS (
        SELECT partner_id, sum(
            coalesce((summary ->> 'created')::bigint, 0)
            + coalesce((summary ->> 'restored')::bigint, 0)
            - coalesce((summary ->> 'removed')::bigint, 0)
        ) AS grown
        FROM jobs
        WHERE kind IN ('ingest', 'revert') AND status = 'completed'
        GROUP BY partner_id
    ),
    of_catalog (identity, subject, left_, right_) AS (
        SELECT 'publications_have_no_gap', 'publications', count(*),
               coalesce((SELECT number FROM publication_clock), 0)
        FROM publications
        HAVING count(*) > 0
        UNION ALL
        SELECT 'versions_have_no_gap', 'prod_' || p.product_id, versions, p.version - first
        FROM kept
        JOIN products p USING (partner_id, product_id)
        UNION ALL
        SELECT 'publications_make_versions', 'pub_' || publication_id, coalesce(versions, 0),
               changes
        FROM publications
        LEFT JOIN written USING (publication_id)
        WHERE changes IS NOT NULL
          AND number > (SELECT coalesce(max(number), 0) FROM forgotten_history)
        UNION ALL
        SELECT 'catalogs_add_up', 'ptn_' || partner_id, coalesce(products, 0), coalesce(grown, 0)
        FROM sold
        FULL JOIN grown USING (partner_id)
    )"""
_JUDGED: Final[LiteralString] = """
    compared (identity, subject, left_, right_) AS (
        SELECT * FROM of_orders
        UNION ALL SELECT * FROM of_parts
        UNION ALL SELECT * FROM of_ledger
        UNION ALL SELECT * FROM of_rollups
        UNION ALL SELECT * FROM of_limits
        UNION ALL SELECT * FROM of_statements
        UNION ALL SELECT * FROM of_catalog
    ),
    failing AS (
        SELECT identity, replace(subject, '-', '') AS subject, left_, right_,
               row_number() OVER (PARTITION BY identity ORDER BY subject COLLATE "C") AS number
        FROM compared
        WHERE left_ <> right_
    ),
    listed AS (
        SELECT identity,
               jsonb_agg(
                   jsonb_build_object(
                       'subject', subject, 'left', left_::text, 'right', right_::text
                   ) ORDER BY number
               ) AS failures
        FROM failing
        WHERE number <= %(most)s
        GROUP BY identity
    ),
    summed AS (
        SELECT identity, count(*) AS compared, sum(left_) AS left_sum, sum(right_) AS right_sum,
               count(*) FILTER (WHERE left_ <> right_) AS failed
        FROM compared
        GROUP BY identity
    )
    SELECT identity, compared, left_sum, right_sum, failed, failures
    FROM summed
    LEFT JOIN listed USING (identity)"""
_PARTS: Final = (ORDERS, PARTS, LEDGER, ROLLUPS, _STOCK_AND_RULES, _STATEMENTS, _CATALOG, _JUDGED)
_STATEMENT: Final = sql.SQL("WITH ") + sql.SQL(", ").join(
    sql.SQL(part).format(sign=sql.SQL(SIGN), of_sales=sql.SQL(OF_SALES)) for part in _PARTS
)
_DIFFERING: Final[LiteralString] = """
    differing AS (
        SELECT substr(subject, 6)::uuid AS statement_id, identity, left_, right_
        FROM of_statements
        WHERE left_ <> right_ AND subject IS NOT NULL
        ORDER BY 1, 2
        LIMIT %(most)s
    ),
    gone AS (
        DELETE FROM statement_differences d
        WHERE NOT EXISTS (
            SELECT FROM differing f
            WHERE f.statement_id = d.statement_id AND f.identity = d.identity
        )
    )
    INSERT INTO statement_differences AS d
        (statement_id, identity, left_, right_, first_at, latest_at)
    SELECT statement_id, identity, left_, right_, %(at)s, %(at)s
    FROM differing
    ON CONFLICT (statement_id, identity) DO UPDATE
    SET left_ = excluded.left_, right_ = excluded.right_, latest_at = excluded.latest_at"""
_NOTING: Final = sql.SQL("WITH ") + sql.SQL(", ").join(
    sql.SQL(part).format(sign=sql.SQL(SIGN), of_sales=sql.SQL(OF_SALES))
    for part in (_STATEMENTS, _DIFFERING)
)
