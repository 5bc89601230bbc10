"""The ledger in PostgreSQL, and the reports over it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, LiteralString

from attrs import asdict, evolve, frozen
from psycopg import sql

from adapters.postgres.collections.listing import Condition, ListById, asked, count, own
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    fetch,
    fetch_one,
    found,
    maybe_digits,
    params_of,
    rows_of,
)
from commerce_core.analytics.ledger import EntryQuery, SalesEntry, SalesQuestion, SalesTotal
from commerce_core.base.calendar import MOST_PERIODS
from commerce_core.base.paging import Page, Position

_TOTALS: Final = rows_of(SalesTotal)
_STEP: Final = timedelta(hours=MOST_PERIODS // 3)
SIGN: Final = """
    (CASE WHEN kind IN ('cancelled', 'refunded', 'goodwill', 'payout') THEN -1 ELSE 1 END)"""
"""What the figures of an entry are multiplied by to add up; `ledger.SIGNS` is the same."""
OF_SALES: Final = "kind IN ('placed', 'cancelled', 'refunded', 'goodwill')"
"""The condition that an entry is about sales, as `ledger.SALE_KINDS`."""
_COLUMNS: Final[Mapping[str, LiteralString]] = {
    "entry_id": "uuid", "kind": "text", "at": "timestamptz", "order_id": "uuid", "item_id": "uuid",
    "partner_id": "uuid", "product_id": "uuid", "sku": "text", "currency": "text",
    "quantity": "int", "gross": "numeric", "discount": "numeric", "amount": "numeric",
    "partner_amount": "numeric", "platform_amount": "numeric", "platform_discount": "numeric",
    "part_id": "uuid", "refund_id": "uuid", "reverses": "uuid", "reason": "text",
}  # fmt: skip
# Rows of versions before there were terms have no parts: what was paid is the partner's.
SELECT_ENTRIES: Final = """
    SELECT entry_id, kind, at, order_id, item_id, partner_id, product_id, sku, currency, quantity,
           gross, discount, amount, coalesce(partner_amount, amount) AS partner_amount,
           coalesce(platform_discount, 0) AS platform_discount,
           part_id, refund_id, reverses, reason
    FROM sales_entries"""
ENTRIES: Final = rows_of(SalesEntry)
_LIST: Final = ListById(ENTRIES, SELECT_ENTRIES, "entry_id", attrgetter("entry_id"))


@frozen
class Sales:
    """Implements `commerce_core.ports.orders.Sales`."""

    _db: Connection

    def add(self, entries: Iterable[SalesEntry]) -> None:
        """Keeps entries."""
        rows = [params_of(entry) | {"platform_amount": entry.platform_amount} for entry in entries]
        self._db.execute(_INSERT, {name: [row[name] for row in rows] for name in _COLUMNS})

    def page(self, query: EntryQuery, after: Position | None, limit: int) -> Page[SalesEntry]:
        """Pages of entries."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: EntryQuery) -> int:
        """How many entries fit."""
        return count(self._db, "sales_entries", _conditions(query))

    def get(self, entry_id: str) -> SalesEntry:
        """The entry."""
        query = f"{SELECT_ENTRIES} WHERE entry_id = %s"
        row = fetch_one(self._db, ENTRIES, query, [digits(entry_id)])
        return found(row, "ledger entry", entry_id)

    def of_order(self, order_id: str) -> Sequence[SalesEntry]:
        """An order's entries, oldest first."""
        query = f"{SELECT_ENTRIES} WHERE order_id = %s ORDER BY entry_id"
        return fetch(self._db, ENTRIES, query, [digits(order_id)])

    def totals(self, question: SalesQuestion) -> Sequence[SalesTotal]:
        """The figures, exactly as `ledger.fold` returns them."""
        # The core defines where periods begin. date_trunc differs from it where clocks are set at
        # midnight or by half an hour, and the server's time zones may be older ones.
        period = "(%(starts)s::timestamptz[])[width_bucket(at, %(starts)s::timestamptz[])]"
        query = sql.SQL(_SELECT_TOTALS).format(
            period=sql.SQL(period if question.grain else "NULL::timestamptz"),
            filters=_filters(question),
            sign=sql.SQL(SIGN),
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


_INSERT: Final = sql.SQL("INSERT INTO sales_entries ({}) SELECT * FROM unnest({})").format(
    sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)),
    sql.SQL(", ").join(
        sql.SQL("{}::{}[]").format(sql.Placeholder(name), sql.SQL(kind))
        for name, kind in _COLUMNS.items()
    ),
)

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
           sum({sign} * e.quantity)::bigint AS units,
           coalesce(sum(gross) FILTER (WHERE kind = 'placed'), 0) AS gross,
           sum({sign} * amount) AS net
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
    wanted: list[LiteralString] = [OF_SALES, "at >= %(since)s", "at < %(until)s"]
    if question.partner_id is not None:
        wanted.append("partner_id = %(partner_id)s")
    if question.currency is not None:
        wanted.append("currency = %(currency)s")
    return sql.SQL(" AND ").join(sql.SQL(condition) for condition in wanted)


def _conditions(query: EntryQuery) -> list[Condition]:
    return [
        *own(query.partner_id),
        *asked("kind = %s", query.kind),
        *asked("currency = %s", query.currency),
        *asked("order_id = %s", maybe_digits(query.order_id)),
        *asked(
            """EXISTS (
                SELECT FROM statement_entries t
                WHERE t.entry_id = sales_entries.entry_id AND t.statement_id = %s
            )""",
            maybe_digits(query.statement_id),
        ),
        *asked("at >= %s", query.since),
        *asked("at < %s", query.until),
    ]


def _params(question: SalesQuestion) -> dict[str, Any]:
    return asdict(question) | {"partner_id": maybe_digits(question.partner_id)}
