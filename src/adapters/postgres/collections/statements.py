"""Terms and statements in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, LiteralString

from attrs import frozen
from psycopg import sql
from psycopg.errors import UniqueViolation

from adapters.postgres.collections.ledger import SIGN
from adapters.postgres.collections.listing import Condition, ListById, asked, count, own
from adapters.postgres.connection.documents import document, read_as
from adapters.postgres.connection.rows import (
    Connection,
    digits,
    digits_array,
    fetch,
    fetch_one,
    found,
    maybe_digits,
    params_of,
    rows_as,
    rows_of,
)
from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.statement import (
    Account,
    Statement,
    StatementLine,
    StatementQuery,
    statement_closed,
)
from commerce_core.base.paging import Page, Position
from commerce_core.partners.terms import PartnerTerms, Term, terms_changed

_TERMS: Final = rows_of(PartnerTerms, terms=read_as(tuple[Term, ...]))
_SELECT_TERMS: Final = "SELECT partner_id, version, cycle, terms, created_at FROM partner_terms"


@frozen
class Terms:
    """Implements `commerce_core.ports.money.Terms`."""

    _db: Connection

    def of(self, partner_ids: Collection[str]) -> Mapping[str, PartnerTerms]:
        """The latest versions."""
        rows = fetch(
            self._db,
            _TERMS,
            """
            SELECT DISTINCT ON (partner_id) partner_id, version, cycle, terms, created_at
            FROM partner_terms
            WHERE partner_id = ANY(%s::uuid[])
            ORDER BY partner_id, version DESC
            """,
            [digits_array(partner_ids)],
        )
        return {terms.partner_id: terms for terms in rows}

    def put(self, terms: PartnerTerms) -> None:
        """Keeps the next version."""
        stored = self._db.execute(
            """
            INSERT INTO partner_terms (partner_id, version, cycle, terms, created_at)
            VALUES (%(partner_id)s, %(version)s, %(cycle)s, %(terms)s, %(created_at)s)
            ON CONFLICT DO NOTHING
            RETURNING version
            """,
            params_of(terms) | {"terms": document(terms.terms)},
        ).fetchone()
        if stored is None:
            raise terms_changed(terms)

    def versions(self, partner_id: str) -> Sequence[PartnerTerms]:
        """All versions, newest first."""
        query = f"{_SELECT_TERMS} WHERE partner_id = %s ORDER BY version DESC"
        return fetch(self._db, _TERMS, query, [digits(partner_id)])


_STATEMENTS: Final = rows_of(Statement)
_SELECT: Final = """
    SELECT statement_id, partner_id, currency, number, since, until, tz, cycle, opening, entries,
           payouts, closing, entry_count, digest, closed_at, 'closed' AS status,
           until AS complete_to
    FROM statements"""
_LIST: Final = ListById(_STATEMENTS, _SELECT, "statement_id", attrgetter("statement_id"))


def _line(row: dict[str, Any]) -> StatementLine:
    return StatementLine(reverses_statement_id=row.pop("statement_id"), entry=SalesEntry(**row))


_LINES: Final = rows_as(_line)
_ENTRY: Final = """
    SELECT e.entry_id, kind, at, order_id, item_id, partner_id, product_id, sku, currency, quantity,
           gross, discount, amount, coalesce(partner_amount, amount) AS partner_amount,
           coalesce(platform_discount, 0 * amount) AS platform_discount, part_id, refund_id,
           reverses, reason, other.statement_id
    FROM sales_entries e"""
_OPEN: Final = """
    e.partner_id = %(partner_id)s AND e.currency = %(code)s
    AND NOT EXISTS (SELECT FROM statement_entries t WHERE t.entry_id = e.entry_id)"""


@frozen
class Statements:
    """Implements `commerce_core.ports.money.Statements`."""

    _db: Connection

    def page(self, query: StatementQuery, after: Position | None, limit: int) -> Page[Statement]:
        """Pages of statements."""
        return _LIST.page(self._db, _conditions(query), after, limit)

    def count(self, query: StatementQuery) -> int:
        """How many statements fit."""
        return count(self._db, "statements", _conditions(query))

    def accounts(self, partner_id: str | None = None) -> Sequence[Account]:
        """All series of statements."""
        params = {"partner_id": maybe_digits(partner_id)}
        latest = {
            (one.partner_id, one.currency): one
            for one in fetch(self._db, _STATEMENTS, _LATEST, params)
        }

        def account(row: dict[str, Any]) -> Account:
            return Account(**row, latest=latest.get((row["partner_id"], row["currency"])))

        return fetch(self._db, rows_as(account), _ACCOUNTS, params)

    def take(self, statement_id: str, partner_id: str, code: str, until: datetime) -> None:
        """Gives the statement what none has, however long that takes."""
        self._db.execute("SET LOCAL statement_timeout = 0")
        self._db.execute(
            _TAKE,
            {
                "statement_id": digits(statement_id),
                "partner_id": digits(partner_id),
                "code": code,
                "until": until,
            },
        )

    def add(self, statement: Statement) -> None:
        """Keeps a statement."""
        try:
            with self._db.transaction():
                self._db.execute(
                    """
                    INSERT INTO statements (statement_id, partner_id, currency, number, since,
                                            until, tz, cycle, opening, entries, payouts, closing,
                                            entry_count, digest, closed_at)
                    VALUES (%(statement_id)s, %(partner_id)s, %(currency)s, %(number)s, %(since)s,
                            %(until)s, %(tz)s, %(cycle)s, %(opening)s, %(entries)s, %(payouts)s,
                            %(closing)s, %(entry_count)s, %(digest)s, %(closed_at)s)
                    """,
                    params_of(statement),
                )
        except UniqueViolation:
            raise statement_closed(statement) from None

    def get(self, statement_id: str) -> Statement:
        """The statement."""
        query = f"{_SELECT} WHERE statement_id = %s"
        row = fetch_one(self._db, _STATEMENTS, query, [digits(statement_id)])
        return found(row, "statement", statement_id)

    def lines(self, statement_id: str, after: str | None, limit: int) -> Sequence[StatementLine]:
        """What the statement has taken."""
        return fetch(
            self._db,
            _LINES,
            f"""
            {_ENTRY}
            JOIN statement_entries own USING (entry_id)
            LEFT JOIN statement_entries other
                 ON other.entry_id = e.reverses AND other.statement_id <> own.statement_id
            WHERE own.statement_id = %(statement_id)s
                AND own.entry_id > %(after)s::uuid
            ORDER BY own.entry_id
            LIMIT %(limit)s
            """,
            {"statement_id": digits(statement_id), "after": _digits_after(after), "limit": limit},
        )

    def open_lines(
        self, partner_id: str, code: str, until: datetime, after: str | None, limit: int
    ) -> Sequence[StatementLine]:
        """What no statement has taken."""
        return fetch(
            self._db,
            _LINES,
            f"""
            {_ENTRY}
            LEFT JOIN statement_entries other ON other.entry_id = e.reverses
            WHERE {_OPEN} AND e.at < %(until)s
                AND e.entry_id > %(after)s::uuid
            ORDER BY e.entry_id
            LIMIT %(limit)s
            """,
            {
                "partner_id": digits(partner_id),
                "code": code,
                "until": until,
                "after": _digits_after(after),
                "limit": limit,
            },
        )

    def owed(self, partner_id: str, code: str) -> Decimal:
        """The latest closing, and what came since."""
        (owed,) = self._db.execute(
            _OWED,
            {"partner_id": digits(partner_id), "code": code},
        ).fetchone() or (Decimal(0),)
        return owed

    def of_entry(self, entry_id: str) -> str | None:
        """The statement that has taken the entry."""
        query = "SELECT statement_id FROM statement_entries WHERE entry_id = %s"
        return fetch_one(self._db, _TAKEN, query, [digits(entry_id)])


def _digits_after(entry_id: str | None) -> str:
    """Where a page begins.

    Without an entry it is the least id: a condition that asks whether there is one isn't looked up
    in an index once the statement is prepared, and then each page would read all before it.
    """
    return digits(entry_id) if entry_id else "0" * 32


def _statement_id(row: dict[str, Any]) -> str:
    return row["statement_id"]


_TAKEN: Final = rows_as(_statement_id)
_TAKE: Final = sql.SQL(
    """
    INSERT INTO statement_entries (entry_id, statement_id)
    SELECT entry_id, %(statement_id)s::uuid
    FROM sales_entries e
    WHERE {open} AND e.at < %(until)s"""
).format(open=sql.SQL(_OPEN))
_OWED: Final = sql.SQL(
    """
    SELECT coalesce((
               SELECT closing
               FROM statements s
               WHERE s.partner_id = %(partner_id)s AND s.currency = %(code)s
               ORDER BY number DESC
               LIMIT 1
           ), 0)
        + coalesce((
               SELECT sum({sign} * coalesce(partner_amount, amount))
               FROM sales_entries e
               WHERE {open}
           ), 0)"""
).format(open=sql.SQL(_OPEN), sign=sql.SQL(SIGN))
_LATEST: Final = sql.SQL(
    """
    {statements}
    WHERE (partner_id, currency, number) IN (
            SELECT partner_id, currency, max(number) FROM statements GROUP BY partner_id, currency
        )
        AND (%(partner_id)s::uuid IS NULL OR partner_id = %(partner_id)s::uuid)"""
).format(statements=sql.SQL(_SELECT))
# The pairs of partner and currency are few beside the entries, so the index is read by leaps.
_ACCOUNTS: Final[LiteralString] = """
    WITH RECURSIVE sold AS (
        (
            SELECT partner_id, currency
            FROM sales_entries
            WHERE %(partner_id)s::uuid IS NULL OR partner_id = %(partner_id)s::uuid
            ORDER BY partner_id, currency
            LIMIT 1
        )
        UNION ALL
        SELECT following.partner_id, following.currency
        FROM sold
        CROSS JOIN LATERAL (
            SELECT partner_id, currency
            FROM sales_entries e
            WHERE (e.partner_id, e.currency) > (sold.partner_id, sold.currency)
                AND (%(partner_id)s::uuid IS NULL OR e.partner_id = %(partner_id)s::uuid)
            ORDER BY partner_id, currency
            LIMIT 1
        ) AS following
    ),
    known AS (
        SELECT partner_id, currency FROM sold
        UNION
        SELECT partner_id, currency COLLATE "C" FROM partners WHERE currency IS NOT NULL
        UNION
        SELECT partner_id, currency FROM statements
    )
    SELECT partner_id, currency,
           least(
               (SELECT min(at) FROM sales_entries e
                WHERE e.partner_id = known.partner_id AND e.currency = known.currency),
               (SELECT created_at FROM partners p
                WHERE p.partner_id = known.partner_id AND p.currency = known.currency)
           ) AS begins_at
    FROM known
    WHERE %(partner_id)s::uuid IS NULL OR partner_id = %(partner_id)s::uuid
    ORDER BY partner_id, currency"""


def _conditions(query: StatementQuery) -> list[Condition]:
    return [
        *own(query.partner_id),
        *asked("currency = %s", query.currency),
        *asked("until >= %s", query.since),
        *asked("until < %s", query.until),
    ]
