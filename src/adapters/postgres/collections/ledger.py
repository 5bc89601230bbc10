"""The ledger of sales in PostgreSQL, and the reports over it."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from attrs import asdict, evolve, frozen
from psycopg import sql

from adapters.postgres.connection.rows import Connection, fetch, maybe_digits, params_of, rows_of
from commerce_core.analytics.ledger import SalesEntry, SalesQuestion, SalesTotal
from commerce_core.base.calendar import MOST_PERIODS

_TOTALS: Final = rows_of(SalesTotal)
_STEP: Final = timedelta(hours=MOST_PERIODS // 3)
_COLUMNS: Final = (
    "entry_id", "kind", "at", "order_id", "item_id", "partner_id", "product_id", "sku", "currency",
    "quantity", "gross", "discount", "amount",
)  # fmt: skip


@frozen
class Sales:
    """Implements `commerce_core.ports.orders.Sales`."""

    _db: Connection

    def add(self, entries: Iterable[SalesEntry]) -> None:
        """Keeps entries."""
        rows = [params_of(entry) for entry in entries]
        self._db.execute(
            """
            INSERT INTO sales_entries (entry_id, kind, at, order_id, item_id, partner_id,
                                       product_id, sku, currency, quantity, gross, discount, amount)
            SELECT *
            FROM unnest(%(entry_id)s::uuid[], %(kind)s::text[], %(at)s::timestamptz[],
                        %(order_id)s::uuid[], %(item_id)s::uuid[], %(partner_id)s::uuid[],
                        %(product_id)s::uuid[], %(sku)s::text[], %(currency)s::text[],
                        %(quantity)s::int[], %(gross)s::numeric[], %(discount)s::numeric[],
                        %(amount)s::numeric[])
            """,
            {name: [row[name] for row in rows] for name in _COLUMNS},
        )

    def totals(self, question: SalesQuestion) -> Sequence[SalesTotal]:
        """The figures, exactly as `ledger.fold` returns them."""
        # The core defines where periods begin. date_trunc differs from it where clocks are set at
        # midnight or by half an hour, and the server's time zones may be older ones.
        period = "(%(starts)s::timestamptz[])[width_bucket(at, %(starts)s::timestamptz[])]"
        query = sql.SQL(_SELECT_TOTALS).format(
            period=sql.SQL(period if question.grain else "NULL::timestamptz"),
            filters=_filters(question),
        )
        starts = self._period_starts(question) if question.grain else []
        return fetch(self._db, _TOTALS, query, _params(question) | {"starts": starts})

    def _period_starts(self, question: SalesQuestion) -> list[datetime]:
        """The starts of those periods between the first and the last entry that count."""
        query = sql.SQL("SELECT min(at), max(at) FROM sales_entries WHERE {}")
        first, last = self._db.execute(
            query.format(_filters(question)), _params(question)
        ).fetchone() or (None, None)
        if first is None or last is None:
            return []
        return _starts(question, first, last + timedelta.resolution)

    def first_at(self, partner_id: str | None = None) -> datetime | None:
        """When the first entry happened, of that partner if one is given."""
        (first,) = self._db.execute(
            """
            SELECT min(at)
            FROM sales_entries
            WHERE %(partner_id)s::uuid IS NULL OR partner_id = %(partner_id)s::uuid
            """,
            {"partner_id": maybe_digits(partner_id)},
        ).fetchone() or (None,)
        return first


_SELECT_TOTALS: Final = """
    WITH cancelled AS (
        SELECT item_id, sum(quantity) AS quantity
        FROM sales_entries
        WHERE kind = 'cancelled' AND at < %(until)s
        GROUP BY item_id
    )
    SELECT {period} AS period, partner_id, currency,
           count(DISTINCT order_id) FILTER (
               WHERE kind = 'placed' AND e.quantity > coalesce(cancelled.quantity, 0)
           ) AS orders,
           sum(CASE kind WHEN 'placed' THEN e.quantity ELSE -e.quantity END)::bigint AS units,
           coalesce(sum(gross) FILTER (WHERE kind = 'placed'), 0) AS gross,
           sum(CASE kind WHEN 'placed' THEN amount ELSE -amount END) AS net
    FROM sales_entries e
    LEFT JOIN cancelled USING (item_id)
    WHERE {filters}
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3"""


def _starts(question: SalesQuestion, since: datetime, until: datetime) -> list[datetime]:
    """The starts of all periods in that range; the core returns a limited number at once."""
    starts: set[datetime] = set()
    while since < until:
        step = min(until, since + _STEP)
        starts.update(evolve(question, since=since, until=step).periods())
        since = step
    return sorted(starts)


def _filters(question: SalesQuestion) -> sql.Composed:
    """The conditions of a question, with named placeholders."""
    asked: list[LiteralString] = ["at >= %(since)s", "at < %(until)s"]
    if question.partner_id is not None:
        asked.append("partner_id = %(partner_id)s")
    if question.currency is not None:
        asked.append("currency = %(currency)s")
    return sql.SQL(" AND ").join(sql.SQL(condition) for condition in asked)


def _params(question: SalesQuestion) -> dict[str, Any]:
    return asdict(question) | {"partner_id": maybe_digits(question.partner_id)}
