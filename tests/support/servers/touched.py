"""How much of its tables each statement touches, as the server itself counts it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import pytest
from attrs import define, field, frozen
from psycopg import sql
from psycopg.pq import TransactionStatus

Cursor = psycopg.Cursor[Any]
Query = str | bytes | sql.Composable
INTRANS: Final = TransactionStatus.INTRANS

_TOUCHED: Final = """
    SELECT coalesce(sum(
        pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)
        + pg_stat_get_xact_blocks_fetched(c.oid)
    ), 0)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'i') AND (n.nspname = 'public' OR n.nspname ~ '^pg_temp')
    """
"""Toast tables aren't counted: how long a text is matters to nobody here."""


@frozen
class Statement:
    """A statement, and the rows, index entries and blocks that it looked at, put together."""

    text: str
    touched: int
    step: str


@define
class Touched:
    """All statements within transactions, in their order, by the step that they were part of."""

    statements: list[Statement] = field(factory=list[Statement])
    step: str = ""

    def beyond(self, most: int) -> list[Statement]:
        """The statements that touched more than that."""
        return [statement for statement in self.statements if statement.touched > most]


@contextmanager
def watched(patch: pytest.MonkeyPatch) -> Generator[Touched]:
    """Counts what each statement of this process touches."""
    found, execute = Touched(), psycopg.Cursor.execute

    def counted(cursor: Cursor, query: Query, *args: object, **named: object) -> Cursor:
        db = cursor.connection
        if db.info.transaction_status != INTRANS:
            return execute(cursor, query, *args, **named)  # type: ignore[arg-type]
        before = count(db)
        execute(cursor, query, *args, **named)  # type: ignore[arg-type]
        if db.info.transaction_status == INTRANS:
            text = query.decode() if isinstance(query, bytes) else str(query)
            found.statements.append(Statement(text, count(db) - before, found.step))
        return cursor

    def count(db: psycopg.Connection) -> int:
        (touched,) = execute(psycopg.Cursor(db), _TOUCHED).fetchone() or (0,)
        return int(touched)

    with patch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", counted)
        yield found
