"""The packed copy of what a source's records are recognised by: the table `known_products`.

    parts as of a publication + what was published since ──> entries, one for each active product

A million products are 33 MB in the pages of a few thousand rows, read in a twentieth of the time
that a pass over the products themselves takes. Nobody has to keep the copy up to date: each change
of a product names a later publication, so it is told by the index along which changes are read. The
copy is made anew where that has become much.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

import numpy as np
import polars as pl
from attrs import field, frozen
from numpy.typing import NDArray
from psycopg import sql

from adapters.postgres.rows import Connection, digits
from adapters.postgres.stock import OWN_STOCK, sold_out

ID: Final = np.dtype([("high", np.int64), ("low", np.int64)])
_ENTRY: Final = np.dtype([("id", ID), ("upper", ">i8"), ("lower", ">i8"), ("state", "u1")])
_OF_PART: Final = 240
"""So many entries fit into a page beside their keys."""
_BYTES_OF_PART: Final = _OF_PART * _ENTRY.itemsize
_CHANGED_OF_ALL: Final = 16
"""The copy is made anew when one of so many entries has changed since."""
GONE: Final = 0
SOLD_OUT: Final = 1
IN_STOCK: Final = 2


@frozen(eq=False)
class Entries:
    """Products, by column; a fingerprint of 0 and 0 is none."""

    ids: NDArray[np.void] = field(repr=False)
    upper: NDArray[np.int64] = field(repr=False)
    lower: NDArray[np.int64] = field(repr=False)
    state: NDArray[np.uint8] = field(repr=False)

    @classmethod
    def room_for(cls, count: int) -> "Entries":
        """Room for so many."""
        return cls(
            np.empty(count, ID),
            np.empty(count, np.int64),
            np.empty(count, np.int64),
            np.empty(count, np.uint8),
        )

    @classmethod
    def of(cls, packed: bytes) -> "Entries":
        """Those that are packed in some bytes."""
        entries = cls.room_for(len(packed) // _ENTRY.itemsize)
        entries.put(0, packed)
        return entries

    def put(self, at: int, packed: bytes) -> None:
        """Takes packed ones in, from that place on."""
        some = np.frombuffer(packed, _ENTRY)
        here = slice(at, at + len(some))
        self.ids[here], self.state[here] = some["id"], some["state"]
        self.upper[here], self.lower[here] = some["upper"], some["lower"]

    def packed(self) -> bytes:
        """Their bytes."""
        some = np.empty(len(self), _ENTRY)
        some["id"], some["state"] = self.ids, self.state
        some["upper"], some["lower"] = self.upper, self.lower
        return some.tobytes()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, places: slice | NDArray[Any]) -> "Entries":
        return Entries(self.ids[places], self.upper[places], self.lower[places], self.state[places])

    def with_changes(self, changed: "Entries") -> "Entries":
        """The same, in their order, of which these have changed, are gone, or are new."""
        if not len(changed):
            return self
        places, of_changed = same_ids(self.ids, changed.ids)
        for column, other in zip(self.columns, changed.columns, strict=True):
            column[places] = other[of_changed]
        is_new = np.ones(len(changed), np.bool_)
        is_new[of_changed] = False
        there = self.state != GONE
        kept = self if there.all() else self[there]
        new = changed[is_new & (changed.state != GONE)]
        if not len(new):
            return kept
        pairs = zip(kept.columns, new.columns, strict=True)
        return Entries(*(np.concatenate(pair) for pair in pairs))

    @property
    def in_stock(self) -> int:
        """How many aren't sold out."""
        return int(np.count_nonzero(self.state == IN_STOCK))

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """What there is of each."""
        return self.ids, self.upper, self.lower, self.state


def entries_of(
    ids: NDArray[np.void], upper: pl.Series, lower: pl.Series, sold_out: pl.Series
) -> Entries:
    """Those of products that are active."""
    return Entries(
        ids,
        upper.fill_null(0).to_numpy(),
        lower.fill_null(0).to_numpy(),
        np.where(sold_out.to_numpy(), np.uint8(SOLD_OUT), np.uint8(IN_STOCK)),
    )


def same_ids(
    many: NDArray[np.void], few: NDArray[np.void]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the same ids stand in two arrays: the places in the one and in the other."""
    maybe = np.flatnonzero(pl.Series(_half(many, "low")).is_in(_half(few, "low")))
    one, other = (
        pl.DataFrame({half: _half(ids, half) for half in ("high", "low")}).with_row_index("place")
        for ids in (many[maybe], few)
    )
    both = one.join(other, on=["high", "low"], how="inner")
    return maybe[both["place"].to_numpy()], both["place_right"].to_numpy()


def _half(ids: NDArray[np.void], half: str) -> NDArray[np.int64]:
    return np.ascontiguousarray(ids[half])


def current_entries(db: Connection, partner_id: str, source_id: str) -> Entries:
    """The entries of a source's active products, by the copy where there is one."""
    copied = _copied(db, source_id)
    if copied is None:
        entries, changed = _all(db, partner_id, source_id), None
    else:
        entries, number = copied
        changed = _changed(db, partner_id, source_id, number)
        entries = entries.with_changes(changed)
    if changed is None or len(changed) * _CHANGED_OF_ALL > len(entries):
        _keep_current(db, partner_id, source_id, entries)
    return entries


def keep(db: Connection, source_id: str, publication_id: str, parts: Iterable[bytes]) -> None:
    """Makes the copy anew, as of that publication."""
    source, publication = UUID(digits(source_id)), UUID(digits(publication_id))
    db.execute("DELETE FROM known_products WHERE source_id = %s", [source])
    statement = """
        COPY known_products (source_id, part, publication_id, entries)
        FROM STDIN (FORMAT BINARY)
        """
    with db.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["uuid", "int4", "uuid", "bytea"])
        for number, part in enumerate(parts):
            copy.write_row((source, number, publication, part))


def parts_of(packed: bytearray) -> Iterator[bytes]:
    """The parts of a copy that has these bytes."""
    return (bytes(packed[at : at + _BYTES_OF_PART]) for at in range(0, len(packed), _BYTES_OF_PART))


def _keep_current(db: Connection, partner_id: str, source_id: str, entries: Entries) -> None:
    """Makes the copy anew as of the partner's last publication; without one there is nothing."""
    row = db.execute(
        """
        SELECT publication_id
        FROM publications
        WHERE partner_id = %s
        ORDER BY number DESC
        LIMIT 1
        """,
        [digits(partner_id)],
    ).fetchone()
    if row:
        starts = range(0, len(entries), _OF_PART)
        keep(db, source_id, row[0].hex, (entries[at : at + _OF_PART].packed() for at in starts))


def _copied(db: Connection, source_id: str) -> tuple[Entries, int] | None:
    """The copy, and the number of the publication as of which it is; None if there is none."""
    row = db.execute(
        """
        SELECT k.part, octet_length(k.entries), u.number
        FROM known_products k
        JOIN publications u ON u.publication_id = k.publication_id
        WHERE k.source_id = %s
        ORDER BY k.part DESC
        LIMIT 1
        """,
        [digits(source_id)],
    ).fetchone()
    if row is None:
        return None
    last, size, number = row
    entries = Entries.room_for(last * _OF_PART + size // _ENTRY.itemsize)
    statement = """
        COPY (SELECT part, entries FROM known_products WHERE source_id = %s)
        TO STDOUT (FORMAT BINARY)
        """
    with db.cursor() as cursor, cursor.copy(statement, [digits(source_id)]) as copy:
        copy.set_types(["int4", "bytea"])
        for part, packed in copy.rows():
            entries.put(part * _OF_PART, packed)
    return entries, number


_STATE: Final = sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(
    sold_out(*OWN_STOCK), *(sql.Literal(bytes([state])) for state in (SOLD_OUT, IN_STOCK))
)
_PACKED: Final[LiteralString] = """
    SELECT string_agg(uuid_send(p.product_id) || int8send(coalesce(p.fingerprint_upper, 0))
                      || int8send(coalesce(p.fingerprint_lower, 0)) || {state}, '')
    FROM products p
    """


def _all(db: Connection, partner_id: str, source_id: str) -> Entries:
    """The entries of a source's active products, by a pass over the products."""
    # Along the key a million rows come one by one; a bitmap or the whole table is read by several.
    db.execute(
        "SET LOCAL enable_indexscan = off; SET LOCAL parallel_setup_cost = 0; SET LOCAL jit = off"
    )
    where = "WHERE p.partner_id = %s AND p.source_id = %s AND p.status = 'active'"
    query = sql.SQL(_PACKED + where).format(state=_STATE)
    entries = _entries(db, query, [digits(partner_id), digits(source_id)])
    db.execute(
        "SET LOCAL enable_indexscan TO DEFAULT; SET LOCAL parallel_setup_cost TO DEFAULT;"
        "SET LOCAL jit TO DEFAULT"
    )
    return entries


def _changed(db: Connection, partner_id: str, source_id: str, number: int) -> Entries:
    """The entries of the partner's products that were changed behind that publication.

    Those that aren't active, or of another source by now, are gone.
    """
    state = sql.SQL(
        "CASE WHEN p.source_id = %s AND p.status = 'active' THEN {} ELSE {} END"
    ).format(_STATE, sql.Literal(bytes([GONE])))
    where = """
        WHERE p.publication_id = ANY(ARRAY(
            SELECT u.publication_id
            FROM publications u
            WHERE u.partner_id = %s AND u.number > %s AND u.changes IS DISTINCT FROM 0
        ))
        """
    query = sql.SQL(_PACKED + where).format(state=state)
    return _entries(db, query, [digits(source_id), digits(partner_id), number])


def _entries(db: Connection, query: sql.Composed, params: Sequence[object]) -> Entries:
    with db.cursor(binary=True) as cursor:
        (packed,) = cursor.execute(query, params).fetchone() or (None,)
    return Entries.of(packed or b"")
