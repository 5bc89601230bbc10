"""The first load of a partner: its records by COPY straight into the catalog, while they are read.

That is right only if every record becomes a new product. Anything else (a sku that comes twice, a
record that deletes, a price without a currency) undoes it, and the feed is compared instead. The
result is that of `plans.comparison.compare` against an empty catalog.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import numpy as np
import polars as pl
import psycopg
from attrs import define, field, frozen
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.connection.rows import Connection, digits, fetch
from adapters.postgres.ingest.bare_amounts import NotExact, in_currency
from adapters.postgres.ingest.copy import copying
from adapters.postgres.ingest.copy_binary import (
    BEGINS,
    CELLS,
    ENDS,
    Cells,
    NotPlain,
    block_of,
    whole,
)
from adapters.postgres.ingest.copy_columns import ROWS_OF_BLOCK, frame_of
from adapters.postgres.ingest.fingerprint_entries import ID, packed_with, without_ids
from adapters.postgres.ingest.known_packed import keep, parts_of
from adapters.postgres.ingest.not_sellable import NewReasons
from adapters.postgres.ingest.session_tables import sql_type
from commerce_core.catalog.publication import Publication
from commerce_core.plans.changes import SAMPLES_OF_KIND, Sample
from commerce_core.plans.comparison import FeedContext, Plan
from commerce_core.ports.engine import Batch
from commerce_core.schema.fields import BY_NAME, PRODUCT_FIELDS, Value

# The first key from there on: asked for by equality, all products before its own may be read.
_HAS_PRODUCTS: Final = """
    SELECT EXISTS (
        SELECT
        FROM (
            SELECT partner_id
            FROM products
            WHERE partner_id >= %(partner_id)s
            ORDER BY partner_id, sku
            LIMIT 1
        ) AS first
        WHERE partner_id = %(partner_id)s
    )"""


class _NotNew(Exception):
    """A record does anything but create a product."""


@frozen
class Loaded:
    """What a first load has done, and which of its products can't be sold."""

    plan: Plan
    not_sellable: NewReasons


def load(
    db: Connection,
    feed_context: FeedContext,
    batches: Iterable[Batch],
    publication: Publication,
    stem: str,
) -> Loaded | None:
    """Loads the batches of a partner without any product; None if they have to be compared."""
    (has_products,) = db.execute(
        _HAS_PRODUCTS,
        {"partner_id": digits(feed_context.partner_id)},
    ).fetchone() or (True,)
    if has_products:
        return None
    names = tuple(n for n in PRODUCT_FIELDS if n in feed_context.columns or n == "currency")
    rows = _NewRows(feed_context, names, publication, stem, NewReasons(publication))
    columns = sql.SQL(", ").join(map(sql.Identifier, (*_FIXED, *names)))
    copy = sql.SQL("COPY products ({}) FROM STDIN (FORMAT BINARY)").format(columns)
    try:
        with db.transaction():
            with copying(db, copy) as sender:
                for block in rows.of(batches):
                    sender.put(block)
            rows.check_rejected()
            keep(db, feed_context.source_id, publication.publication_id, parts_of(rows.packed()))
    except (_NotNew, NotExact, NotPlain, psycopg.errors.UniqueViolation):
        return None
    plan = Plan(
        feed_context=feed_context,
        created=sender.rows,
        rejected=rows.rejected,
        skus_unreadable=rows.skus_unreadable,
        samples=tuple(_samples(db, publication)),
    )
    return Loaded(plan, rows.not_sellable)


_FIXED: Final = (
    "partner_id", "source_id", "publication_id", "product_id", "ordinal", "line", "sku",
    "fingerprint_upper", "fingerprint_lower",
)  # fmt: skip


@define
class _NewRows:
    """The rows of new products, numbered in the order of the file."""

    _feed_context: FeedContext
    _names: Sequence[str]
    _publication: Publication
    _stem: str
    not_sellable: NewReasons
    created: int = 0
    rejected: int = 0
    skus_unreadable: int = 0
    _known: list[NDArray[np.void]] = field(factory=list[NDArray[np.void]])
    _taken: list[NDArray[np.uint64]] = field(factory=list[NDArray[np.uint64]])
    _refused: list[NDArray[np.uint64]] = field(factory=list[NDArray[np.uint64]])

    def of(self, batches: Iterable[Batch]) -> Iterator[bytes]:
        """The rows of these batches; _NotNew, NotExact or NotPlain if one is anything else."""
        yield BEGINS
        for batch in batches:
            frame = frame_of(batch)
            if frame is None:
                raise _NotNew
            self._note_rejected(frame.filter("rejected"))
            taken = frame.filter(~pl.col("rejected"))
            for part in taken.iter_slices(ROWS_OF_BLOCK):
                yield self._block(part)
        yield ENDS

    def _note_rejected(self, frame: pl.DataFrame) -> None:
        self.rejected += len(frame)
        self.skus_unreadable += frame["sku"].null_count()
        self._refused.append(frame["sku"].drop_nulls().hash().to_numpy())

    def check_rejected(self) -> None:
        """_NotNew if a rejected record has the sku of another one."""
        refused = np.sort(np.concatenate([*self._refused, np.empty(0, np.uint64)]))
        if not len(refused):
            return
        if (refused[1:] == refused[:-1]).any():
            raise _NotNew
        # Sorted ones are looked for near each other.
        for taken in map(np.sort, self._taken):
            if (refused.take(refused.searchsorted(taken), mode="clip") == taken).any():
                raise _NotNew

    def packed(self) -> Iterator[bytes]:
        """The entries of all of them, packed; their ids are made anew, and needn't be kept."""
        first = 0
        for known in self._known:
            yield packed_with(_ids(self._stem, first, len(known)), known)
            first += len(known)

    def _block(self, frame: pl.DataFrame) -> bytes:
        if (
            frame["deletes"].any()
            or "product_name" not in frame
            or frame["product_name"].null_count()
        ):
            raise _NotNew
        if frame["sku"].is_duplicated().any():
            raise _NotNew
        self._taken.append(frame["sku"].hash().to_numpy())
        self._known.append(without_ids(frame["upper"], frame["lower"], _sold_out(frame)))
        self.not_sellable.add(frame)
        first, self.created = self.created, self.created + len(frame)
        ids = _ids(self._stem, first, len(frame))
        owners = {
            name: np.full(len(frame), np.void(bytes.fromhex(digits(owner))))
            for name, owner in self._owners.items()
        }
        numbers = {
            "product_id": ids,
            "ordinal": np.arange(first + 1, self.created + 1, dtype=">i4"),
            "line": frame["line"].to_numpy().astype(">i4"),
        }
        return block_of(owners | numbers, list(self._cells(frame)))

    @property
    def _owners(self) -> Mapping[str, str]:
        publication = self._publication
        return {name: getattr(publication, name) for name in _FIXED[:3]}

    def _cells(self, frame: pl.DataFrame) -> Iterator[Cells]:
        yield Cells(frame["sku"])
        yield whole(frame["upper"])
        yield whole(frame["lower"])
        settled = in_currency(frame, self._feed_context.currency)
        nothing = pl.repeat(None, len(frame), dtype=pl.String, eager=True)
        for name in self._names:
            if name in settled.columns:
                yield CELLS[sql_type(BY_NAME[name].kind)](settled[name])
            else:
                yield Cells(nothing)


def _ids(stem: str, first: int, count: int) -> NDArray[np.void]:
    """The ids of `ids.Block("prod", stem)` from that number on, as the database keeps them."""
    ids = np.empty(count, [("stem", f"V{len(stem) // 2}"), ("number", ">u4")])
    ids["stem"] = np.void(bytes.fromhex(stem))
    ids["number"] = np.arange(first, first + count)
    return ids.view(ID)


def _sold_out(frame: pl.DataFrame) -> pl.Series:
    """Which records have nothing left: `commerce_core.catalog.product.is_sold_out`."""
    availability, quantity = (
        pl.col(name) if name in frame.columns else pl.lit(None)
        for name in ("availability", "quantity")
    )
    state = availability.cast(pl.String).fill_null("in_stock")
    empty = quantity.cast(pl.Int64).fill_null(1) == 0
    sold_out = (state == "out_of_stock") | ((state == "in_stock") & empty)
    return frame.with_columns(sold_out=sold_out)["sold_out"]


def _samples(db: Connection, publication: Publication) -> Iterator[Sample]:
    """The first products that a publication wrote, all of them new."""
    fields = sql.SQL(", ").join(map(sql.Identifier, ("sku", "line", *PRODUCT_FIELDS)))
    query = sql.SQL(
        """
        SELECT {}
        FROM products
        WHERE publication_id = %s
        ORDER BY ordinal
        LIMIT %s
        """
    ).format(fields)
    params = [digits(publication.publication_id), SAMPLES_OF_KIND]
    for row in fetch(db, dict_row, query, params):
        values: Mapping[str, Value] = {name: _value(row[name]) for name in PRODUCT_FIELDS}
        yield Sample.of("created", row["sku"], row["line"], None, before={}, values=values)


def _value(column: Any) -> Value:  # noqa: ANN401 - whatever a column gives
    return tuple(cast("list[str]", column)) if isinstance(column, list) else column
