"""The records of a feed on their way in: the table `staged` of the session, filled by COPY.

Matched records aren't there. A record's `shape` numbers the set of fields that it sets. Nearly
always a file has one or two, so "left alone or cleared?" costs nothing: it is answered when the SQL
is written.
"""

from collections.abc import Collection, Generator, Iterable
from contextlib import contextmanager
from typing import Final

import polars as pl
from attrs import evolve, frozen
from psycopg import sql

from adapters.postgres.connection.rows import Connection
from adapters.postgres.ingest.copy import copying
from adapters.postgres.ingest.copy_columns import FIXED, Shapes, Sift, all_of_them, rows_of
from adapters.postgres.ingest.session_tables import analyse_if_many, make_tables
from commerce_core.ports.engine import Batch
from commerce_core.schema.fields import PRODUCT_FIELDS

MOST_FORMS: Final = 64
"""Forms of files whose statements are kept; making one takes longer than a small feed needs it."""


@contextmanager
def by_sets(db: Connection, *, few: bool = False) -> Generator[None]:
    """Makes the planner join by hashing meanwhile, whatever it believes the tables to hold.

    A catalog that has just been loaded has no statistics yet. The planner then takes a partner's
    million products for one, and walks the staged records for each of them. What the session has
    prepared is planned anew: its plans may be those for tables without rows.

    For a `few` records that would take longer than executing them. Their plans are kept, and look
    for products by keys and places alone, which is right for any number of products.
    """
    plans, scans = ("force_generic_plan", "off") if few else ("force_custom_plan", "on")
    db.execute(
        "SET LOCAL enable_nestloop = off; SET LOCAL jit = off; SET LOCAL work_mem = '64MB';"
        f"SET LOCAL plan_cache_mode = {plans}; SET LOCAL enable_seqscan = {scans}"
    )
    yield
    db.execute(
        "SET LOCAL enable_nestloop TO DEFAULT; SET LOCAL jit TO DEFAULT;"
        "SET LOCAL work_mem TO DEFAULT; SET LOCAL plan_cache_mode TO DEFAULT;"
        "SET LOCAL enable_seqscan TO DEFAULT"
    )


@frozen
class Staged:
    """What has been staged: which fields the table has, and which of them each shape sets."""

    fields: tuple[str, ...]
    shapes: tuple[frozenset[str], ...]
    records: int

    @property
    def form(self) -> "Staged":
        """The same whatever the number of records: by it statements are kept once they are made."""
        return evolve(self, records=0)

    def sets(self, *names: str) -> sql.Composed:
        """The SQL condition that a staged record `s` sets any of these fields."""
        setting = [n for n, shape in enumerate(self.shapes) if not shape.isdisjoint(names)]
        if len(setting) in (0, len(self.shapes)):
            return sql.SQL("TRUE" if setting else "FALSE").format()
        return sql.SQL("s.shape = ANY({})").format(sql.Literal(setting))

    @property
    def written(self) -> tuple[str, ...]:
        """The fields that may change: a sale price goes with what it depends on."""
        wanted = {*self.fields}
        if not wanted.isdisjoint(("price", "currency", "sale_starts_at", "sale_ends_at")):
            wanted.add("sale_price")
        return tuple(name for name in PRODUCT_FIELDS if name in wanted)

    def sets_all(self, *names: str) -> sql.Composed:
        """The SQL condition that a staged record `s` sets all of these fields."""
        return sql.SQL(" AND ").join(self.sets(name) for name in names)

    def own(self, name: str) -> sql.Composed:
        """The SQL of a field as `s` sets it, NULL if it doesn't."""
        if name not in self.fields:
            return sql.SQL("NULL::text").format()
        return sql.SQL("s.{}").format(sql.Identifier(name))

    def value(self, name: str) -> sql.Composed:
        """The SQL of a field as `s` sets it, or else as the product `p` has it."""
        if name not in self.fields:
            return sql.SQL("p.{}").format(sql.Identifier(name))
        return sql.SQL("CASE WHEN {} THEN s.{} ELSE p.{} END").format(
            self.sets(name), sql.Identifier(name), sql.Identifier(name)
        )


def stage(
    db: Connection,
    columns: Collection[str],
    batches: Iterable[Batch | pl.DataFrame],
    *,
    sift: Sift = all_of_them,
    again: bool = False,
) -> Staged:
    """Stages the offers of a file with these columns; making them can't use this connection.

    Of what comes as columns only what `sift` leaves. A unit may compare `again`; the second plan is
    the one that counts.
    """
    wanted = {*columns, "currency"}
    names = tuple(name for name in PRODUCT_FIELDS if name in wanted)
    make_tables(db, again=again)
    shapes = Shapes(names)
    sets_currency = "currency" in columns
    sent = sql.SQL(", ").join(map(sql.Identifier, (*FIXED, *names)))
    with copying(db, sql.SQL("COPY staged ({}) FROM STDIN").format(sent)) as sender:
        for block in rows_of(batches, names, shapes, sift, sets_currency=sets_currency):
            sender.put(block)
    analyse_if_many(db, "staged (line, sku)", sender.rows)
    return Staged(names, tuple(map(frozenset, shapes.numbers)), sender.rows)
