"""The ledger in PostgreSQL, and the reports over it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, LiteralString

from attrs import frozen
from psycopg import sql

from adapters.postgres.collections.listing import Condition, ListById, asked, count, own
from adapters.postgres.collections.rollup_reader import Rollups
from adapters.postgres.collections.rollup_writer import Roller
from adapters.postgres.connection.documents import rows_document
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
from commerce_core.analytics.figures import RankedTotal, ReasonTotal, RuleTotal, SalesTotal
from commerce_core.analytics.ledger import EntryQuery, SalesEntry
from commerce_core.analytics.questions import Ranking, SalesQuestion
from commerce_core.base.paging import Page, Position

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
    "opens": "smallint",
}  # fmt: skip
# Rows of versions before there were terms have no parts: what was paid is the partner's.
SELECT_ENTRIES: Final = """
    SELECT entry_id, kind, at, order_id, item_id, partner_id, product_id, sku, currency, quantity,
           gross, discount, amount, coalesce(partner_amount, amount) AS partner_amount,
           coalesce(platform_discount, 0 * amount) AS platform_discount,
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
        seen = set[tuple[str | None, ...]]()
        rows = [
            params_of(entry)
            | {"platform_amount": entry.platform_amount, "opens": _opens(entry, seen)}
            for entry in entries
        ]
        self._db.execute(_INSERT, [rows_document(rows)])

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

    def reversing(self, entry: SalesEntry) -> Sequence[SalesEntry]:
        """What reverses an entry, oldest first."""
        # By the index on partner, currency and time; the clocks of several hosts may differ.
        query = f"""{SELECT_ENTRIES}
            WHERE partner_id = %s AND currency = %s AND at >= %s - interval '1 day'
                  AND reverses = %s
            ORDER BY entry_id"""
        of = [digits(entry.partner_id), entry.currency, entry.at, digits(entry.entry_id)]
        return fetch(self._db, ENTRIES, query, of)

    def totals(self, question: SalesQuestion) -> Sequence[SalesTotal]:
        """The figures, from rollups and what is above their horizon."""
        return Rollups(self._db).totals(question)

    def ranks(self, question: SalesQuestion, ranking: Ranking) -> Sequence[RankedTotal]:
        """Ranks, by what the catalog has now."""
        return Rollups(self._db).ranks(question, ranking)

    def reasons(self, question: SalesQuestion) -> Sequence[ReasonTotal]:
        """What was cancelled and refunded."""
        return Rollups(self._db).reasons(question)

    def rules(self, question: SalesQuestion) -> Sequence[RuleTotal]:
        """What price rules did."""
        return Rollups(self._db).rules(question)

    def complete_to(self) -> datetime:
        """The start of the oldest transaction that may still write."""
        # One that has written nothing for a minute only reads: a unit ends its statements, and is
        # ended while it does nothing, within that time.
        (at,) = self._db.execute(
            """
            SELECT coalesce(
                (SELECT min(xact_start)
                 FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()
                   AND (backend_xid IS NOT NULL
                        OR xact_start > clock_timestamp() - interval '1 minute')),
                clock_timestamp()
            )
            """
        ).fetchone() or (None,)
        assert at is not None  # noqa: S101 - such a query has a row
        return at

    def roll_up(self, most: int) -> int:
        """Adds entries to the rollups."""
        return Roller(self._db).roll_up(most)

    def first_at(self, partner_id: str | None = None) -> datetime | None:
        """When the first entry happened, of that partner if one is given."""
        if partner_id is None:
            query, params = _FIRST, {}
        else:
            query, params = _FIRST_OF_PARTNER, {"partner_id": maybe_digits(partner_id)}
        (first,) = self._db.execute(query, params).fetchone() or (None,)
        return first


def _opens(entry: SalesEntry, seen: set[tuple[str | None, ...]]) -> int | None:
    """2 for the first line of an order that is placed, 1 for the first of another partner in it."""
    if entry.kind != "placed":
        return None
    before = len(seen)
    seen.update([(entry.order_id,), (entry.order_id, entry.partner_id)])
    return len(seen) - before


_FIRST: Final = "SELECT min(at) FROM sales_entries"
# By partner, the index is by currency and then by moment: one look into it for each currency.
_FIRST_OF_PARTNER: Final = """
    WITH RECURSIVE firsts AS (
        (
            SELECT currency, at
            FROM sales_entries
            WHERE partner_id = %(partner_id)s::uuid
            ORDER BY currency, at
            LIMIT 1
        )
        UNION ALL
        SELECT next.currency, next.at
        FROM firsts
        CROSS JOIN LATERAL (
            SELECT e.currency, e.at
            FROM sales_entries e
            WHERE e.partner_id = %(partner_id)s::uuid AND e.currency > firsts.currency
            ORDER BY e.currency, e.at
            LIMIT 1
        ) AS next
    )
    SELECT min(at) FROM firsts"""
# Rendered once, and not with each order.
_INSERT: Final = (
    sql.SQL(
        "INSERT INTO sales_entries ({names}) SELECT {names} "
        "FROM json_to_recordset(%s::json) AS new ({cells})"
    )
    .format(
        names=sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)),
        cells=sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
            for name, kind in _COLUMNS.items()
        ),
    )
    .as_bytes()
)


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
