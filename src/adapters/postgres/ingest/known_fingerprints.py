"""The fingerprints that records are matched by, and which of the products a file brings again.

The products that a file didn't bring go back to the server as the table `unmatched`: only among
those is anything to be removed.
"""

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray
from psycopg import sql

from adapters.postgres.connection.rows import Connection
from adapters.postgres.ingest.fingerprint_entries import ID, IN_STOCK, Entries, same_ids
from adapters.postgres.ingest.known_packed import STATE, current_entries, fetch_entries
from adapters.postgres.ingest.match import AT_PLACE, owner
from adapters.postgres.ingest.session_tables import analyse_if_many
from commerce_core.parsing.fingerprints import Fingerprint, IndexedFingerprints, Match, Renewed
from commerce_core.plans.comparison import FeedContext
from commerce_core.ports.engine import Batch

_COPY_BEGINS: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_ENDS: Final = b"\xff\xff"
_RENEWED: Final = {"number": pl.UInt32, "upper": pl.Int64, "lower": pl.Int64}
_COPIED_ID: Final = np.dtype([("fields", ">i2"), ("length", ">i4"), ("id", ID)])


@frozen(eq=False, slots=False)
class ProductFingerprints:
    """Implements `parsing.fingerprints.FingerprintIndex` for the active products of a source."""

    ids: NDArray[np.void] = field(repr=False)
    fingerprints: pl.DataFrame = field(repr=False)
    state: NDArray[np.uint8] = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def in_stock(self) -> int:
        """How many of them aren't sold out."""
        return int(np.count_nonzero(self.state == IN_STOCK))

    @property
    def entries(self) -> Entries:
        """A copy of them, as they were fetched."""
        whole = self.fingerprints.fill_null(0)
        upper, lower = (whole[half].to_numpy().copy() for half in ("upper", "lower"))
        return Entries(self.ids, upper, lower, self.state.copy())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The fingerprints as columns, in the order of their numbers."""
        return self.fingerprints.__arrow_c_stream__(requested_schema)

    def match(self, text: Fingerprint) -> Match | None:
        """What a text matches; for engines that ask one by one."""
        return self._indexed.match(text)

    @cached_property
    def _indexed(self) -> IndexedFingerprints:
        rows = self.fingerprints.iter_rows()
        return IndexedFingerprints.of(
            None if upper is None else (upper, lower) for upper, lower in rows
        )

    def without(self, numbers: Collection[int]) -> "ProductFingerprints":
        """The same numbers, but these have no fingerprint any more."""
        kept = ~pl.int_range(pl.len()).is_in(list(numbers))
        forgotten = self.fingerprints.with_columns(pl.when(kept).then(pl.all()))
        return evolve(self, fingerprints=forgotten)

    def numbers_of(self, ids: Collection[bytes]) -> tuple[int, ...]:
        """The numbers of some products."""
        places, _ = same_ids(self.ids, np.frombuffer(b"".join(ids), ID))
        return tuple(places.tolist())


def fetch_fingerprints(db: Connection, partner_id: str, source_id: str) -> ProductFingerprints:
    """The fingerprints of the source's active products."""
    entries = current_entries(db, partner_id, source_id)
    fingerprints = pl.DataFrame({"upper": entries.upper, "lower": entries.lower})
    none = pl.col("upper").eq(0) & pl.col("lower").eq(0)
    if fingerprints.select(none.any()).item():
        fingerprints = fingerprints.select(pl.when(~none).then(pl.all()))
    return ProductFingerprints(entries.ids, fingerprints, entries.state)


@define
class Matched:
    """Which of the known products a file brings again, as its batches pass.

    `without` are the numbers of those that have to be read. `renewed` are the new fingerprints of
    those that were known by a former one.
    """

    known: ProductFingerprints
    without: frozenset[int] = frozenset()
    renewed: list[pl.DataFrame] = field(factory=list[pl.DataFrame], init=False)
    _seen: NDArray[np.bool_] = field(init=False)
    _twice: set[int] = field(factory=set[int], init=False)

    def __attrs_post_init__(self) -> None:
        self._seen = np.zeros(len(self.known), np.bool_)

    def watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches; the numbers they matched are noted, and what is renewed."""
        for batch in batches:
            if len(batch.matched):
                self.note(np.asarray(batch.matched, np.int64))
            if len(batch.renewed.numbers):
                self.renewed.append(_frame_of(batch.renewed))
            yield batch

    def note(self, numbers: NDArray[np.int64]) -> None:
        """Records were found to say what these products do."""
        once, times = np.unique(numbers, return_counts=True)
        again = once[self._seen[once] | (times > 1)]
        self._twice.update(again.tolist())
        self._seen[once] = True

    @property
    def count(self) -> int:
        """How many products were matched."""
        return int(self._seen.sum())

    def keep_unmatched(self, db: Connection) -> int:
        """Fills the table of the products that no record matched, `unmatched`; their number."""
        ids = self.known.ids[~self._seen]
        rows = np.empty(len(ids), _COPIED_ID)
        rows["fields"], rows["length"], rows["id"] = 1, ID.itemsize, ids
        with (
            db.cursor() as cursor,
            cursor.copy("COPY unmatched FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.write(_COPY_BEGINS + rows.tobytes() + _COPY_ENDS)
        analyse_if_many(db, "unmatched", len(ids))
        return len(ids)

    def contested(self, db: Connection, *, elsewhere: bool) -> tuple[int, ...]:
        """The numbers of the products that the file brings more than once, in whatever form.

        `elsewhere`: records may have products that aren't among the unmatched ones.
        """
        again: tuple[int, ...] = ()
        if elsewhere:
            rows = db.execute(
                """
                SELECT m.product_id
                FROM matched m
                WHERE NOT EXISTS (SELECT FROM unmatched u WHERE u.product_id = m.product_id)
                """
            )
            ids = {product_id.bytes for (product_id,) in rows}
            again = self.known.numbers_of(ids) if ids else ()
        return tuple(sorted({*again, *self._twice}))


def _frame_of(renewed: Renewed) -> pl.DataFrame:
    columns = (renewed.numbers, renewed.upper, renewed.lower)
    whole = {name: np.asarray(c) for name, c in zip(_RENEWED, columns, strict=True)}
    return pl.DataFrame(whole, schema_overrides=_RENEWED)


def reread(db: Connection, feed_context: FeedContext) -> Entries:
    """The entries of the products that a staged record agrees with already.

    Such a record is matched by its fingerprint from now on, though it wrote nothing.
    """
    query = sql.SQL(
        """
        SELECT string_agg(
            uuid_send(p.product_id) || int8send(s.upper) || int8send(s.lower) || {state}, ''
        )
        FROM staged s
        JOIN matched m ON m.line = s.line
        JOIN {product} AS p ON TRUE
        WHERE NOT s.rejected AND NOT s.deletes AND s.upper IS NOT NULL
          AND p.source_id = %(source_id)s AND p.status = 'active'
          AND NOT EXISTS (SELECT FROM repeated r WHERE r.line = s.line)
          AND NOT EXISTS (SELECT FROM decided d WHERE d.line = s.line)
        """
    ).format(state=STATE, product=sql.SQL(AT_PLACE))
    return fetch_entries(db, query, owner(feed_context))
