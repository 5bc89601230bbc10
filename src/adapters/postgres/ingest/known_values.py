"""Records that agree with their products, found by values before they are staged.

A fingerprint is of a record's text and of its header and profile, so none matches once one of these
has changed. The records are read then, though nearly all of them say what the catalog says. Of each
active product of the source one text is made, of its sku and of the fields that the file has, and
of each record the same text. Where the hashes of both are equal, the record would change nothing.

    product ──> text ──> hash ┐
    record  ──> text ──> hash ┴──> equal: counted by number, as if matched by its fingerprint
"""

import io
import json
from collections.abc import Iterable, Iterator
from threading import Event
from typing import Final, assert_never
from uuid import UUID

import numpy as np
import polars as pl
from attrs import define, field
from numpy.typing import NDArray
from psycopg import sql

from adapters.postgres.connection.rows import Connection
from adapters.postgres.ingest.bare_amounts import NotExact, in_currency
from adapters.postgres.ingest.copy_columns import frame_of
from adapters.postgres.ingest.fingerprint_entries import ID, Entries
from adapters.postgres.ingest.known_fingerprints import Matched
from adapters.postgres.ingest.match import AT_PLACE, EACH_BY_ITS_KEY, owner
from commerce_core.plans.comparison import MONEY, FeedContext
from commerce_core.ports.engine import Batch
from commerce_core.schema import fields as schema
from commerce_core.schema.fields import BY_NAME, PRODUCT_FIELDS, Kind

LEAST: Final = 1_000
"""Known products below which reading them costs more than it saves."""
_AT_ONCE: Final = 5_000
"""Products whose texts come at a time."""
_SAMPLE: Final = 200
"""Records that are compared first, from all over the first batch; there may be twice as many."""
_WORTH: Final = 4
"""One in this many has to agree, since staging a record takes longer than reading a product."""
_VALUE, _END, _OTHER, _NULL = "\x03", "\x02", "\x04", "\x05"
"""What stands before each value, behind each text, nowhere, and for a value that isn't there.

A text has one of the first and the last for each field. So where a value has one of them too, there
are too many, and texts with the right number are equal only if all their values are.
"""
_TAGS: Final = f"[{_VALUE}{_NULL}]"
_SEEDS: Final = {"upper": 1, "lower": 2}
_SALT: Final = "second"


def may_agree(db: Connection, feed_context: FeedContext, matched: Matched, first: Batch) -> bool:
    """Whether records are worth comparing by their values, by the first batch of a file.

    A delta may bring a few of a million products, and all would be read for it. So they would for a
    file in which nearly all records say something new: some records are compared first.
    """
    if feed_context.mode != "full" or len(matched.known) < LEAST or len(first.matched):
        return False
    frame = frame_of(first)
    return frame is not None and _some_agree(db, feed_context, frame)


def _some_agree(db: Connection, feed_context: FeedContext, frame: pl.DataFrame) -> bool:
    """Whether a good part of some records agrees with their products, found by their keys."""
    names = _names(feed_context)
    if not {*names} <= {*frame.columns}:
        return False
    fine = frame.filter(pl.col("sku").is_not_null() & ~pl.col("rejected") & ~pl.col("deletes"))
    some = fine.gather_every(max(1, len(fine) // _SAMPLE))
    query = sql.SQL(
        """
        SELECT string_agg(textsend({text}), {end}::bytea)
        FROM unnest(%(skus)s::text[]) AS s (sku)
        JOIN {by_key} AS m ON m.partner_id = %(partner_id)s AND m.sku = s.sku
        JOIN {product} AS p ON TRUE
        WHERE p.source_id = %(source_id)s AND p.status = 'active'
        """
    ).format(
        text=_text_of_product(names),
        end=_END.encode(),
        by_key=sql.SQL(EACH_BY_ITS_KEY),
        product=sql.SQL(AT_PLACE),
    )
    with db.cursor(binary=True) as cursor:
        params = owner(feed_context) | {"skus": some["sku"].to_list()}
        (texts,) = cursor.execute(query, params, prepare=False).fetchone() or (None,)
    if texts is None:
        return False
    own = texts_of(_settled(some, feed_context), names)
    return int(own.is_in(_split(texts).implode()).sum()) * _WORTH >= len(some)


@define
class Agreeing:
    """Takes the records that agree with their products out of what is to be staged.

    `found` are the numbers of those products, with the fingerprints of the records.
    """

    _feed_context: FeedContext
    _matched: Matched
    _names: tuple[str, ...]
    _texts: pl.DataFrame
    found: list[pl.DataFrame] = field(factory=list[pl.DataFrame])

    @classmethod
    def among(
        cls, db: Connection, feed_context: FeedContext, matched: Matched, stop: Event
    ) -> "Agreeing":
        """Those of the products that this feed may match; none of them any more after `stop`."""
        names = _names(feed_context)
        return cls(feed_context, matched, names, _texts(db, feed_context, matched, names, stop))

    def sift(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The records that don't agree; the others are noted as matched."""
        if not set(self._names) <= {*frame.columns}:
            return frame
        numbers = self._numbers(frame)
        agrees = numbers.is_not_null()
        # A filter that leaves all rows copies none, and would keep the whole batch in memory.
        found = frame.select(numbers.alias("number"), "upper", "lower")[agrees.arg_true()]
        self._matched.note(found["number"].to_numpy().astype(np.int64))
        self.found.append(found)
        return frame.filter(~agrees)

    def _numbers(self, frame: pl.DataFrame) -> pl.Series:
        """The number of the product that each record agrees with, if it does."""
        if self._texts.is_empty():
            return pl.repeat(None, len(frame), dtype=pl.UInt32, eager=True)
        texts = hashed(texts_of(_settled(frame, self._feed_context), self._names))
        places = self._texts["upper"].search_sorted(texts["upper"].fill_null(0))
        near = self._texts[places.clip(0, len(self._texts) - 1)]
        same = (near["upper"] == texts["upper"]) & (near["lower"] == texts["lower"])
        return pl.select(pl.when(same).then(near["number"])).to_series()


def renewed(known: Entries, found: Iterable[pl.DataFrame]) -> Entries:
    """Known entries, with the fingerprints of the records that were found to agree with them."""
    for some in found:
        whole = some.drop_nulls()
        places = whole["number"].to_numpy()
        known.upper[places] = whole["upper"].to_numpy()
        known.lower[places] = whole["lower"].to_numpy()
    return known


def _names(feed_context: FeedContext) -> tuple[str, ...]:
    """The fields that are compared: those of the file, and the currency of its amounts."""
    wanted = {*feed_context.columns}
    if not wanted.isdisjoint(MONEY):
        wanted.add("currency")
    return ("sku", *(name for name in PRODUCT_FIELDS if name in wanted))


def _settled(frame: pl.DataFrame, feed_context: FeedContext) -> pl.DataFrame:
    """The records with the currency that their amounts will have."""
    try:
        return in_currency(frame, feed_context.currency)
    except NotExact:
        return frame


def texts_of(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.Series:
    """The texts of records; null for those that can't agree with a product as they are."""
    values = [part for name in names for part in _parts(frame, name)]
    whole = pl.col("sku").is_not_null() & ~pl.col("rejected") & ~pl.col("deletes")
    if "lacking" in frame.columns:
        whole &= pl.col("lacking").fill_null(0) == 0
    text = pl.concat_str(*values, pl.lit(_VALUE))
    found = frame.select(text=text, whole=whole)
    right = pl.col("text").str.count_matches(_TAGS) == len(names) + 1
    return found.select(pl.when(pl.col("whole") & right).then("text")).to_series()


def _parts(frame: pl.DataFrame, name: str) -> Iterator[pl.Expr]:
    """What one field puts into texts; where no value is missing, two parts take half the time."""
    value = _as_text(name, frame.schema[name])
    if frame[name].null_count():
        yield pl.concat_str(pl.lit(_VALUE), value).fill_null(_NULL)
    else:
        yield pl.lit(_VALUE)
        yield value


def _as_text(name: str, kept: pl.DataType) -> pl.Expr:
    """A value of a record as the database gives that of its product, below."""
    value = pl.col(name)
    match BY_NAME[name].kind:
        case schema.Urls() if isinstance(kept, pl.List):
            return value.list.join(" ")
        case schema.Instant():
            at = value.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False)
            return pl.coalesce(at.dt.epoch("us").cast(pl.String), value)
        case schema.Attributes():
            return value.map_elements(_in_order, return_dtype=pl.String)
        case _:
            return value.cast(pl.String)


def _in_order(text: str) -> str:
    """An object with its members in the order of `jsonb`: short names first."""
    members: dict[str, object] = json.loads(text)
    ordered = sorted(members.items(), key=lambda member: (len(member[0].encode()), member[0]))
    return json.dumps(dict(ordered), ensure_ascii=False)


def _kept(kind: Kind) -> sql.SQL:
    """A value of a product as a text."""
    match kind:
        case (
            schema.Text() | schema.Word() | schema.CurrencyCode() | schema.Gtin()
            | schema.Category() | schema.Options() | schema.Url()
        ):  # fmt: skip
            return sql.SQL("p.{}")
        case schema.Amount() | schema.Grams() | schema.Whole():
            return sql.SQL("p.{}::text")
        case schema.YesNo() | schema.Attributes():
            return sql.SQL("p.{}::text")
        case schema.Instant():
            return sql.SQL("(extract(epoch FROM p.{}) * 1000000)::int8::text")
        case schema.Urls():
            return sql.SQL("array_to_string(p.{}, ' ')")
        case _:
            assert_never(kind)


def _texts(
    db: Connection,
    feed_context: FeedContext,
    matched: Matched,
    names: tuple[str, ...],
    stop: Event,
) -> pl.DataFrame:
    """The hashes of the texts of the source's products, sorted, with the products' numbers."""
    ids, texts = bytearray(), [pl.DataFrame(schema=dict.fromkeys(_SEEDS, pl.UInt64))]
    for some, found in _blocks(db, feed_context, names):
        ids += some
        texts.append(found)
        if stop.is_set():
            break
    numbers = _in_order_of_ids(matched.known.ids)
    if not np.array_equal(matched.known.ids[numbers], np.frombuffer(bytes(ids), ID)):
        return pl.concat(texts).clear().with_columns(number=pl.lit(0, pl.UInt32))
    found = pl.concat(texts).with_columns(number=pl.Series(numbers, dtype=pl.UInt32))
    without = pl.Series([*matched.without], dtype=pl.UInt32).implode()
    return found.drop_nulls().filter(~pl.col("number").is_in(without)).sort("upper")


def _text_of_product(names: tuple[str, ...]) -> sql.Composed:
    """The text of a product `p`.

    One that would be doubted as it is, which a record may have to name, has the text of none.
    """
    values = (
        sql.SQL("coalesce({} || {}, {})").format(
            sql.Literal(_VALUE), _kept(BY_NAME[name].kind).format(sql.Identifier(name)), _NULL
        )
        for name in names
    )
    return sql.SQL(
        """CASE WHEN p.sale_price >= p.price OR p.sale_ends_at <= p.sale_starts_at
                THEN {none} ELSE {text} END"""
    ).format(none=_NULL, text=sql.SQL(" || ").join([*values, sql.Literal(_VALUE)]))


def _in_order_of_ids(ids: NDArray[np.void]) -> NDArray[np.int64]:
    """The numbers of products in the order of their ids, as the database has it."""
    halves = np.frombuffer(ids.tobytes(), ">u8").reshape(-1, 2).astype(np.uint64)
    return np.lexsort((halves[:, 1], halves[:, 0]))


def _blocks(
    db: Connection, feed_context: FeedContext, names: tuple[str, ...]
) -> Iterator[tuple[bytes, pl.DataFrame]]:
    """The ids of products and the hashes of their texts, some thousand at a time."""
    query = sql.SQL(
        """
        SELECT string_agg(uuid_send(product_id), '') FILTER (WHERE counts),
               string_agg(textsend({text}), {end}::bytea) FILTER (WHERE counts),
               max(product_id::text COLLATE "C")
        FROM (
            SELECT *, source_id = %(source_id)s AND status = 'active' AS counts
            FROM products
            WHERE (partner_id, product_id) > (%(partner_id)s, %(after)s)
            ORDER BY partner_id, product_id
            LIMIT %(limit)s
        ) AS p
        WHERE partner_id = %(partner_id)s
        """
    ).format(text=_text_of_product(names), end=_END.encode())
    after = str(UUID(int=0))
    # Asked for in its order, the index by partner and id is what the planner has left.
    db.execute("SET LOCAL enable_sort = off; SET LOCAL jit = off")
    with db.cursor(binary=True) as cursor:
        while after is not None:
            params = owner(feed_context) | {"after": after, "limit": _AT_ONCE}
            row = cursor.execute(query, params, prepare=False).fetchone()
            ids, texts, after = row or (None, None, None)
            if ids is None or texts is None:
                continue
            found = hashed(_split(texts))
            count = len(ids) // ID.itemsize
            yield ids, found if len(found) == count else found.clear(count)
    db.execute("SET LOCAL enable_sort TO DEFAULT; SET LOCAL jit TO DEFAULT")


def _split(texts: bytes) -> pl.Series:
    """The texts; fewer or more of them if one of their values has what ends a text."""
    if _OTHER.encode() in texts:
        return pl.Series(dtype=pl.String)
    return pl.read_csv(
        io.BytesIO(texts),
        has_header=False,
        separator=_OTHER,
        eol_char=_END,
        quote_char=None,
        schema={"text": pl.String},
    )["text"]


def hashed(texts: pl.Series) -> pl.DataFrame:
    """Their hashes, null for a text that is.

    Nothing promises that two seeds make hashes that don't depend on each other, so the second one
    is of another text.
    """
    both = {"upper": texts, "lower": _SALT + texts}
    found = pl.DataFrame({name: text.hash(_SEEDS[name]) for name, text in both.items()})
    return found.select(pl.when(texts.is_not_null()).then(pl.all()))
