"""The records of a feed on their way in: a temporary table of this transaction, filled by COPY.

    staged (line, shape, blank, rejected, deletes, sku, one column per field)

A record's `shape` numbers the set of fields that it says anything about. Nearly always a file has
one or two, so "left alone or cleared?" costs nothing: it is answered when the SQL is written.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, LiteralString, assert_never

from attrs import frozen
from psycopg import sql
from psycopg.types.json import Jsonb

from adapters.postgres.rows import Connection
from commerce_core import feed_schema as schema
from commerce_core.feed_schema import BY_NAME, PRODUCT_FIELDS, Kind, Record, Value

FEW: Final = 10_000
"""Up to so many records it is worth fetching their products one by one, not all of the partner."""

_FIXED: Final = ("line", "shape", "blank", "rejected", "deletes", "sku")
_FIXED_TYPES: Final[tuple[LiteralString, ...]] = ("int4", "int4", "bool", "bool", "bool", "text")


def sql_type(kind: Kind) -> LiteralString:
    """The type of the column that keeps values of a kind."""
    match kind:
        case (
            schema.Text() | schema.Word() | schema.CurrencyCode() | schema.Gtin()
            | schema.Category() | schema.Options() | schema.Url()
        ):  # fmt: skip
            return "text"
        case schema.Amount() | schema.Grams():
            return "numeric"
        case schema.Whole():
            return "int8"
        case schema.Instant():
            return "timestamptz"
        case schema.Urls():
            return "text[]"
        case schema.YesNo():
            return "bool"
        case schema.Attributes():
            return "jsonb"
        case _:
            assert_never(kind)


@contextmanager
def by_sets(db: Connection) -> Generator[None]:
    """Makes the planner join by hashing meanwhile, whatever it believes the tables to hold.

    A catalog that has just been loaded has no statistics yet. The planner then takes a partner's
    million products for one, and walks the staged records for each of them.
    """
    db.execute("SET LOCAL enable_nestloop = off; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'")
    yield
    db.execute(
        "SET LOCAL enable_nestloop TO DEFAULT; SET LOCAL jit TO DEFAULT;"
        "SET LOCAL work_mem TO DEFAULT"
    )


@frozen
class Staged:
    """What has been staged: which fields the table has, and which of them each shape says."""

    fields: tuple[str, ...]
    shapes: tuple[frozenset[str], ...]
    records: int

    @property
    def of_catalog(self) -> sql.Composable:
        """The condition on products `p` that `s` may meet: a few are fetched along the key."""
        condition = (
            "p.partner_id = %(partner_id)s AND p.sku = ANY(ARRAY(SELECT sku FROM staged))"
            if self.records <= FEW
            else "p.partner_id = %(partner_id)s"
        )
        return sql.SQL(condition)

    def says(self, *names: str) -> sql.Composed:
        """The SQL condition that a staged record `s` says any of these fields."""
        saying = [n for n, said in enumerate(self.shapes) if not said.isdisjoint(names)]
        if len(saying) in (0, len(self.shapes)):
            return sql.SQL("TRUE" if saying else "FALSE").format()
        return sql.SQL("s.shape = ANY({})").format(sql.Literal(saying))

    def said(self, name: str) -> sql.Composed:
        """The SQL of a field as `s` says it, NULL where it doesn't."""
        if name not in self.fields:
            return sql.SQL("NULL::text").format()
        return sql.SQL("s.{}").format(sql.Identifier(name))

    def value(self, name: str) -> sql.Composed:
        """The SQL of a field as `s` says it, or else as the product `p` has it."""
        if name not in self.fields:
            return sql.SQL("p.{}").format(sql.Identifier(name))
        return sql.SQL("CASE WHEN {} THEN s.{} ELSE p.{} END").format(
            self.says(name), sql.Identifier(name), sql.Identifier(name)
        )


def stage(db: Connection, fields: Iterable[str], records: Iterable[Record]) -> Staged:
    """Stages the records, which may say these fields. Their iterator can't use this connection."""
    wanted = set(fields)
    names = tuple(name for name in PRODUCT_FIELDS if name in wanted)
    own_types: list[LiteralString] = [sql_type(BY_NAME[name].kind) for name in names]
    types = (*_FIXED_TYPES, *own_types)
    _create(db, (*_FIXED, *names), types)
    shapes = _Shapes(names)
    with db.cursor() as cursor, cursor.copy("COPY staged FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in _rows(records, names, shapes):
            copy.write_row(row)
    staged = cursor.rowcount
    # Without it the planner takes every record for the same sku. The other columns it needn't know.
    db.execute("ANALYZE staged (line, sku)")
    return Staged(names, tuple(frozenset(said) for said in shapes.numbers), staged)


def _create(db: Connection, names: tuple[str, ...], types: tuple[LiteralString, ...]) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}{}").format(
            sql.Identifier(name), sql.SQL(type_), sql.SQL(' COLLATE "C"' if name == "sku" else "")
        )
        for name, type_ in zip(names, types, strict=True)
    )
    # A unit may compare twice; the second plan is the one that counts.
    db.execute("DROP TABLE IF EXISTS pg_temp.staged, pg_temp.repeated, pg_temp.decided")
    db.execute(sql.SQL("CREATE TEMPORARY TABLE staged ({}) ON COMMIT DROP").format(columns))


class _Shapes:
    """Numbers the sets of fields that records say something about, as they come."""

    def __init__(self, fields: Iterable[str]) -> None:
        self._fields = {*fields, "deleted"}
        self.numbers: dict[tuple[str, ...], int] = {}

    def number(self, values: Mapping[str, Value]) -> int:
        said = tuple(values)
        known = self.numbers.get(said)
        if known is not None:
            return known
        if not self._fields.issuperset(said):
            raise ValueError(f"a record says more than {self._fields}: {said}")
        return self.numbers.setdefault(said, len(self.numbers))


def _rows(
    records: Iterable[Record], names: tuple[str, ...], shapes: _Shapes
) -> Iterator[tuple[Any, ...]]:
    for record in records:
        rejected = bool(record.problems) and record.rejected
        # Of a record that isn't applied it doesn't matter what it leaves alone.
        shape = 0 if rejected or record.blank else shapes.number(record.values)
        said = map(record.values.get, names)
        yield (
            record.line,
            shape,
            record.blank,
            rejected,
            record.deletes,
            record.sku,
            *map(_param, said),
        )


def _param(value: Value) -> object:
    """The value as its column takes it: an array for several, a document for names and texts."""
    if type(value) is tuple:
        return list(value)
    return Jsonb(value) if isinstance(value, Mapping) else value
