"""Writing rollups: adds the entries below the horizon to the rollups, in one transaction at a time.

The horizon is a transaction id: all transactions before it have ended, so what they wrote is there,
and nothing will be added. Each entry has the id of its transaction, so it is either in the rollups
or above the horizon, never both; writers take no part in this.
"""

from typing import Final

from attrs import frozen
from psycopg.errors import NumericValueOutOfRange

from adapters.postgres.collections.rollup_levels import LEVELS, ROLL_UP, ROLL_UP_ANY
from adapters.postgres.connection.rows import Connection
from commerce_core.analytics.rollup import REASON_SPANS, SPANS

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
            SELECT set_config('statement_timeout', '0', TRUE), set_config('work_mem', %s, TRUE),
                   set_config('jit', 'off', TRUE)
            """,
            [MEMORY],
        )
        self._db.execute(
            "INSERT INTO sales_blocks_horizon (txid) VALUES (%s::xid8) ON CONFLICT DO NOTHING",
            [NOTHING],
        )
        before = self._locked_horizon()
        after = self._next_horizon(before, most)
        if after is None:
            return 0
        params = {
            "before": before,
            "after": after,
            "unplaced": self._unplaced(),
            "reason_spans": [int(span.total_seconds()) for span in REASON_SPANS],
            **{name: int(span.total_seconds()) for name, span in zip(LEVELS, SPANS, strict=True)},
        }
        try:
            with self._db.transaction():
                (rolled,) = self._db.execute(ROLL_UP, params).fetchone() or (0,)
        except NumericValueOutOfRange:
            (rolled,) = self._db.execute(ROLL_UP_ANY, params).fetchone() or (0,)
        self._db.execute("UPDATE sales_blocks_horizon SET txid = %s::xid8", [after])
        return rolled

    def _locked_horizon(self) -> str:
        """The horizon, locked, so that no other transaction moves it before this unit ends."""
        (txid, is_foreign) = self._db.execute(
            """
            SELECT txid::text,
                   txid > pg_snapshot_xmax(pg_current_snapshot())
                   OR txid = '0'::xid8 AND EXISTS (
                       SELECT FROM sales_entries e
                       WHERE e.txid > pg_snapshot_xmax(pg_current_snapshot())
                   )
            FROM sales_blocks_horizon
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
            "DELETE FROM sales_blocks",
            "DELETE FROM sales_reason_blocks",
            "DELETE FROM sales_gone_orders",
            "DELETE FROM sales_awaited_orders",
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
        rows = self._db.execute("DELETE FROM sales_awaited_orders RETURNING order_id").fetchall()
        return [order_id for (order_id,) in rows]
