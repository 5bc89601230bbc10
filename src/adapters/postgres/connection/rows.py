"""Between rows and values: ids and their uuids, rows that become attrs values.

In the database an identifier is the 16 bytes of its 32 digits; its prefix follows from the name of
the column. Parameters take the digits as text, which PostgreSQL reads as a uuid.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from struct import unpack
from typing import Any, Final, TypeAlias, TypeVar, cast
from uuid import UUID

import attrs
import psycopg
from psycopg.abc import Buffer, Params, QueryNoTemplate
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.rows import RowFactory, TupleRow, tuple_row
from psycopg.types.string import ByteaBinaryLoader, TextLoader

from commerce_core.base import ids
from commerce_core.base.errors import no_such

T = TypeVar("T")
Connection: TypeAlias = psycopg.Connection[TupleRow]
Convert: TypeAlias = Callable[[Any], Any]

PREFIXES: Final[Mapping[str, ids.Kind]] = {
    "partner_id": "ptn",
    "source_id": "src",
    "feed_id": "feed",
    "last_feed_id": "feed",
    "job_id": "job",
    "product_id": "prod",
    "publication_id": "pub",
    "origin_id": "pub",
    "reverts": "pub",
    "order_id": "ord",
    "item_id": "item",
    "duplicate_of": "ord",
    "fulfilment_id": "ful",
    "rule_id": "rule",
    "list_id": "list",
    "what_if_id": "wif",
    "bulk_id": "bulk",
    "key_id": "key",
    "view_id": "view",
    "successor_id": "key",
    "entry_id": "ent",
    "reverses": "ent",
    "part_id": "part",
    "refund_id": "rfnd",
    "statement_id": "stmt",
    "fetch_id": "ftch",
    "event_id": "evt",
    "audit_id": "aud",
    "session_id": "ses",
    "webhook_id": "hook",
    "delivery_id": "dlv",
    "channel_id": "chan",
    "alert_id": "alrt",
}
_BIGINTS: Final = 1016
"""The number of the type `bigint[]`, which has no name in the driver."""
_ARRAY_HEAD: Final = 20
_ARRAY_STEP: Final = 12
_BODY: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NO_ID: Final = "f" * 32


def digits(id_: str) -> str:
    """The 32 digits of an id, for a lookup; digits that no row has if the text isn't an id."""
    body = id_.rpartition("_")[2]
    return body if _BODY.fullmatch(body) else _NO_ID


def maybe_digits(id_: str | None) -> str | None:
    """The digits of an id, if there is one."""
    return None if id_ is None else digits(id_)


def digits_array(ids: Iterable[str]) -> str:
    """The digits of ids as one parameter for `uuid[]`.

    For a few of them, writing the array takes less than what the driver does for a list.
    """
    return f"{{{','.join(map(digits, ids))}}}"


def params_of(value: attrs.AttrsInstance) -> dict[str, Any]:
    """The attributes of a value, by name, as parameters of its table's columns."""
    return {a.name: _param(a.name, getattr(value, a.name)) for a in attrs.fields(type(value))}


def _param(name: str, value: object) -> object:
    if isinstance(value, tuple):
        # psycopg takes a list for an array, and a tuple for a composite.
        return list(cast("tuple[object, ...]", value))
    if name not in PREFIXES or not isinstance(value, str):
        return value
    body = value.rpartition("_")[2]
    if not _BODY.fullmatch(body):
        raise ValueError(f"{value!r} can't be kept as the id in {name}")
    return body


def rows_of(kind: Callable[..., T], **converts: Convert) -> RowFactory[T]:
    """Makes a value of each row, with its columns as arguments; `converts` changes some first."""
    return _rows(partial(_maker, kind), converts)


def rows_as(make: Callable[[dict[str, Any]], T], **converts: Convert) -> RowFactory[T]:
    """The same for a value that is made in another way than by calling its class."""
    return _rows(lambda names: lambda cells: make(dict(zip(names, cells, strict=True))), converts)


def _maker(kind: Callable[..., T], names: Sequence[str]) -> Callable[[Sequence[Any]], T]:
    """What makes a value of the cells of these columns."""
    if isinstance(kind, type) and _is_its_attributes(cast("type[Any]", kind), names):
        own = cast("type[Any]", kind)

        def made(cells: Sequence[Any]) -> T:
            # As values are unpickled: calling the class takes more than twice as long.
            value = object.__new__(own)
            vars(cast("object", value)).update(zip(names, cells, strict=True))
            return value

        return made
    return lambda cells: kind(**dict(zip(names, cells, strict=True)))


def _is_its_attributes(kind: type, names: Sequence[str]) -> bool:
    """Whether a value of the class is just these attributes, which nothing checks or changes."""
    if not attrs.has(kind) or "__slots__" in vars(kind) or hasattr(kind, "__attrs_post_init__"):
        return False
    declared = attrs.fields(kind)
    return {each.name for each in declared} == set(names) and not any(
        each.validator or each.converter or not each.init for each in declared
    )


def _rows(
    maker: Callable[[Sequence[str]], Callable[[Sequence[Any]], T]], converts: Mapping[str, Convert]
) -> RowFactory[T]:
    @cache
    def plan(
        columns: tuple[bytes, ...],
    ) -> tuple[Callable[[Sequence[Any]], T], Sequence[tuple[int, Convert]]]:
        # Interned names are the same objects as the names of the arguments, so each is found at
        # once among dozens. Comparing texts would take most of the time.
        names = [sys.intern(column.decode()) for column in columns]
        return maker(names), [
            (n, convert) for n, name in enumerate(names) if (convert := _convert(name, converts))
        ]

    def factory(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], T]:
        # A cursor's description would make an object for each column, for each query.
        result = cursor.pgresult
        count = result.nfields if result is not None else 0
        make, changed = plan(tuple(result.fname(n) or b"" for n in range(count)) if result else ())

        def value_of(row: Sequence[Any]) -> T:
            cells = list(row)
            for n, convert in changed:
                if cells[n] is not None:
                    cells[n] = convert(cells[n])
            return make(cells)

        return value_of

    return factory


def _convert(name: str, converts: Mapping[str, Convert]) -> Convert | None:
    kind = PREFIXES.get(name)
    return converts.get(name) or (named(kind) if kind else None)


def prefixed(kind: ids.Kind) -> Callable[[UUID], str]:
    """Converts uuids to ids of that kind."""
    return lambda uuid: f"{kind}_{uuid.hex}"


def named(kind: ids.Kind) -> Callable[[str], str]:
    """The same for uuids that came as text."""
    return lambda text: f"{kind}_{text.replace('-', '')}"


def fetch(
    db: Connection,
    rows: RowFactory[T],
    query: QueryNoTemplate,
    params: Params = (),
    *,
    anew: bool = False,
) -> list[T]:
    """All rows of a query; with `anew` it isn't prepared, and so planned each time."""
    with _cursor(db, rows) as cursor:
        return cursor.execute(query, params, prepare=False if anew else None).fetchall()


class _WholeNumbers(Loader):
    """Reads an array of `bigint` without NULL: one call for thousands of numbers."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Sequence[int]:
        """The numbers: after 20 bytes, each is 8 bytes behind 4 for its length."""
        count = max(0, len(data) - _ARRAY_HEAD) // _ARRAY_STEP
        return unpack(f">{_ARRAY_HEAD * bool(count)}x{'4xq' * count}", data)


def fetch_columns(
    db: Connection, query: QueryNoTemplate, params: Params = ()
) -> Sequence[Sequence[Any]]:
    """The columns of a query with one row, whose cells are arrays; none if they are NULL.

    Reading thousands of rows takes several times as long. A uuid is its 16 bytes.
    """
    with db.cursor(row_factory=tuple_row, binary=True) as cursor:
        cursor.adapters.register_loader("uuid", ByteaBinaryLoader)
        cursor.adapters.register_loader(_BIGINTS, _WholeNumbers)
        columns = cursor.execute(query, params).fetchone()
        return columns if columns and columns[0] is not None else ()


def fetch_one(
    db: Connection, rows: RowFactory[T], query: QueryNoTemplate, params: Params = ()
) -> T | None:
    """The first row of a query, if it has any."""
    with _cursor(db, rows) as cursor:
        return cursor.execute(query, params).fetchone()


def fetch_by_id(
    db: Connection, rows: RowFactory[T], query: QueryNoTemplate, noun: str, id_: str
) -> T:
    """The row of a query whose only parameter is an id, or NotFound."""
    return found(fetch_one(db, rows, query, [digits(id_)]), noun, id_)


def _cursor(db: Connection, rows: RowFactory[T]) -> psycopg.Cursor[T]:
    cursor = db.cursor(row_factory=rows)
    # An id is made faster from a uuid's text.
    cursor.adapters.register_loader("uuid", TextLoader)
    return cursor


def found(row: T | None, noun: str, id_: str) -> T:
    """The row, or NotFound if there is none."""
    if row is None:
        raise no_such(noun, id_)
    return row
