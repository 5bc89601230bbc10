"""Conditions, and lists that are read along an id."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Generic, LiteralString, TypeAlias, TypeVar

import psycopg
from attrs import frozen
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import RowFactory

from adapters.postgres.connection.rows import Connection, digits, fetch, maybe_digits
from commerce_core.base.paging import Page, Position

T = TypeVar("T")
Condition: TypeAlias = tuple[LiteralString, Sequence[Any]]
"""A part of a WHERE, and the values of its placeholders."""


def asked(condition: LiteralString, value: object) -> list[Condition]:
    """The condition on one value; none if the value is None."""
    return [] if value is None else [(condition, [value])]


def own(partner_id: str | None) -> list[Condition]:
    """The condition of a query that names the only partner to show; none if it is None."""
    return asked("partner_id = %s", maybe_digits(partner_id))


def where(conditions: Iterable[Condition]) -> tuple[sql.Composed, list[Any]]:
    """The WHERE of these conditions, empty if there are none, and its parameters."""
    texts: list[LiteralString] = []
    params: list[Any] = []
    for condition, values in conditions:
        texts.append(condition)
        params += values
    joined = sql.SQL(" AND ").join(sql.SQL(text) for text in texts)
    return sql.SQL(" WHERE " if texts else "") + joined, params


def any_of(conditions: Sequence[Condition]) -> list[Condition]:
    """The condition that one of these holds; none if there are none."""
    if not conditions:
        return []
    text: LiteralString = " OR ".join(f"({text})" for text, _ in conditions)
    return [(f"({text})", [value for _, values in conditions for value in values])]


def count(db: Connection, table: LiteralString, conditions: Sequence[Condition]) -> int:
    """How many rows of a table fit."""
    condition, params = where(conditions)
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.SQL(table)) + condition
    (counted,) = db.execute(query, params).fetchone() or (0,)
    return counted


@contextmanager
def walking(db: Connection, *, in_groups: bool = False) -> Generator[None]:
    """Makes the planner read in the order of an index meanwhile, and stop where the page ends.

    The planner knows nothing yet about a catalog that was just loaded: it would take a partner's
    million products for ten, and read and sort all of them. `in_groups`: rows that come in groups
    may still be sorted, each group by itself.
    """
    settings = WALKING_IN_GROUPS if in_groups else WALKING
    if not is_idle(db):
        db.execute(settings)
        yield
        db.execute(_AS_BEFORE)
        return
    # A transaction of its own ends the settings too, which saves two round trips.
    db.execute(_BEGIN + settings)
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            db.rollback()
        raise
    db.commit()


def is_idle(db: Connection) -> bool:
    """Whether no transaction is under way, as in units that only read."""
    return db.info.transaction_status is TransactionStatus.IDLE


_BEGIN: Final = "BEGIN READ ONLY; "
WALKING_IN_GROUPS: Final = """
    SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off;
    SET LOCAL jit = off"""
WALKING: Final = WALKING_IN_GROUPS + "; SET LOCAL enable_incremental_sort = off"
_AS_BEFORE: Final = """
    SET LOCAL enable_sort TO DEFAULT; SET LOCAL enable_bitmapscan TO DEFAULT;
    SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL jit TO DEFAULT;
    SET LOCAL enable_incremental_sort TO DEFAULT"""


@frozen
class ListById(Generic[T]):
    """What `select` returns, as values in the order of `id_column`; `id_of` returns a value's."""

    rows: RowFactory[T]
    select: LiteralString
    id_column: LiteralString
    id_of: Callable[[T], str]
    newest_first: bool = True

    def page(
        self,
        db: Connection,
        conditions: Sequence[Condition],
        after: Position | None,
        limit: int,
        either: Sequence[Condition] = (),
    ) -> Page[T]:
        """The page after that position.

        If there are conditions in `either`, one of them has to hold, and no two may at once. Each
        is read along its own index up to the page's end, which one statement with OR isn't.
        """
        beyond, direction = (" < %s", " DESC") if self.newest_first else (" > %s", "")
        rest = asked(self.id_column + beyond, digits(after.id) if after else None)
        order = sql.SQL(" ORDER BY " + self.id_column + direction + " LIMIT %s")
        branches: list[sql.Composed] = []
        params: list[Any] = []
        for branch in [[condition] for condition in either] or [[]]:
            condition, values = where([*conditions, *branch, *rest])
            branches.append(sql.SQL(self.select) + condition + order)
            params += [*values, limit + 1]
        query = branches[0]
        if len(branches) > 1:
            union = sql.SQL(" UNION ALL ").join(sql.SQL("({})").format(one) for one in branches)
            query, params = union + order, [*params, limit + 1]
        rows = fetch(db, self.rows, query, params)
        return Page[T].cut(rows, limit, lambda row: Position(None, self.id_of(row)))
