"""Between rows and values: ids and their uuids, rows that become attrs values, keyset pages.

In the database an identifier is the 16 bytes of its 32 digits; its prefix follows from the name of
the column. Parameters take the digits as text, which PostgreSQL reads as a uuid.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, LiteralString, TypeAlias, TypeVar
from uuid import UUID

import attrs
import psycopg
from psycopg import sql
from psycopg.abc import Params, Query
from psycopg.rows import RowFactory, TupleRow

from commerce_core import ids
from commerce_core.errors import NotFound
from commerce_core.paging import Page, Position

T = TypeVar("T")
Connection: TypeAlias = psycopg.Connection[TupleRow]
Convert: TypeAlias = Callable[[Any], Any]
Condition: TypeAlias = tuple[LiteralString, object]
"""A part of a WHERE and the value of its placeholder (a tuple for several); None: not asked for."""

PREFIXES: Final[Mapping[str, ids.Kind]] = {
    "partner_id": "ptn",
    "source_id": "src",
    "feed_id": "feed",
    "job_id": "job",
    "product_id": "prod",
    "publication_id": "pub",
    "order_id": "ord",
    "item_id": "item",
    "key_id": "key",
    "entry_id": "sale",
}
_BODY: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NOBODY: Final = "f" * 32


def digits(id_: str) -> str:
    """The 32 digits of an id, for a lookup; those of nobody where the text is no id at all."""
    body = id_.rpartition("_")[2]
    return body if _BODY.fullmatch(body) else _NOBODY


def maybe_digits(id_: str | None) -> str | None:
    """The digits of an id, if there is one."""
    return None if id_ is None else digits(id_)


def params_of(value: attrs.AttrsInstance) -> dict[str, Any]:
    """The attributes of a value, by name, as parameters of its table's columns."""
    return {a.name: _param(a.name, getattr(value, a.name)) for a in attrs.fields(type(value))}


def _param(name: str, value: object) -> object:
    if isinstance(value, tuple):
        return list(value)  # psycopg takes a list for an array, a tuple for a composite
    if name not in PREFIXES or not isinstance(value, str):
        return value
    body = value.rpartition("_")[2]
    if not _BODY.fullmatch(body):
        raise ValueError(f"{value!r} can't be kept as the id in {name}")
    return body


def rows_of(make: Callable[..., T], **converts: Convert) -> RowFactory[T]:
    """Makes a value of each row, its columns being the arguments; `converts` changes some first."""

    def factory(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], T]:
        names = [column.name for column in cursor.description or ()]
        changed = [(name, convert) for name in names if (convert := _convert(name, converts))]

        def value_of(row: Sequence[Any]) -> T:
            got = dict(zip(names, row, strict=True))
            for name, convert in changed:
                if got[name] is not None:
                    got[name] = convert(got[name])
            return make(**got)

        return value_of

    return factory


def _convert(name: str, converts: Mapping[str, Convert]) -> Convert | None:
    kind = PREFIXES.get(name)
    return converts.get(name) or (prefixed(kind) if kind else None)


def prefixed(kind: ids.Kind) -> Callable[[UUID], str]:
    """Makes ids of that kind of uuids."""
    return lambda uuid: f"{kind}_{uuid.hex}"


def fetch(db: Connection, rows: RowFactory[T], query: Query, params: Params = ()) -> list[T]:
    """All rows of a query."""
    with db.cursor(row_factory=rows) as cursor:
        return cursor.execute(query, params).fetchall()


def fetch_one(db: Connection, rows: RowFactory[T], query: Query, params: Params = ()) -> T | None:
    """The first row of a query, if it has any."""
    with db.cursor(row_factory=rows) as cursor:
        return cursor.execute(query, params).fetchone()


def found(row: T | None, noun: str, id_: str) -> T:
    """The row, or NotFound if there is none."""
    if row is None:
        raise NotFound(f"There is no {noun} {id_}.")
    return row


def where(conditions: Iterable[Condition]) -> tuple[sql.Composed, list[object]]:
    """The WHERE of those conditions that are asked for, and its parameters."""
    asked = [(condition, value) for condition, value in conditions if value is not None]
    joined = sql.SQL(" AND ").join(sql.SQL(condition) for condition, _ in asked)
    keyword = sql.SQL(" WHERE " if asked else "")
    values = [value if isinstance(value, tuple) else (value,) for _, value in asked]
    return keyword + joined, [part for value in values for part in value]


def count(db: Connection, table: LiteralString, conditions: Iterable[Condition]) -> int:
    """How many rows of a table fit."""
    condition, params = where(conditions)
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.SQL(table)) + condition
    (counted,) = db.execute(query, params).fetchone() or (0,)
    return counted


def page_by_id(
    db: Connection,
    rows: RowFactory[T],
    select: LiteralString,
    conditions: Iterable[Condition],
    id_column: LiteralString,
    after: Position | None,
    limit: int,
    position: Callable[[T], Position],
    *,
    descending: bool = True,
) -> Page[T]:
    """A page of what `select` gives, walked along the index of its id."""
    beyond, order = ("< %s", " DESC") if descending else ("> %s", "")
    last = (f"{id_column} {beyond}", digits(after.id) if after else None)
    condition, params = where((*conditions, last))
    ordered = sql.SQL(" ORDER BY {} LIMIT %s").format(sql.SQL(id_column) + sql.SQL(order))
    query = sql.SQL(select) + condition + ordered
    return Page.cut(fetch(db, rows, query, [*params, limit + 1]), limit, position)
