"""The packed copy of what a source's records are recognised by: the table `known_products`.

    parts as of a publication + what was published since ──> entries, one for each active product

A million products are 33 MB in the pages of a few thousand rows, read in a twentieth of the time
that a pass over the products themselves takes. Nobody has to keep the copy up to date: each change
of a product names a later publication, so it is told by the index along which changes are read. The
copy is made anew where that has become much.
"""

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

import numpy as np
import polars as pl
from numpy.typing import NDArray
from psycopg import sql

from adapters.postgres.rows import Connection, digits
from adapters.postgres.stock import OWN_STOCK, sold_out

Entries = NDArray[np.void]
"""Products as ENTRY has them: a fingerprint of 0 and 0 is none."""
ID: Final = np.dtype([("high", np.int64), ("low", np.int64)])
ENTRY: Final = np.dtype([("id", ID), ("upper", ">i8"), ("lower", ">i8"), ("state", "u1")])
GONE: Final = 0
SOLD_OUT: Final = 1
IN_STOCK: Final = 2
_BYTES_OF_PART: Final = 240 * ENTRY.itemsize
"""So many entries fit into a page beside their keys."""
_CHANGED_OF_ALL: Final = 16
"""The copy is made anew when one of so many entries has changed since."""


def entries_of(
    ids: NDArray[np.void], upper: pl.Series, lower: pl.Series, sold_out: pl.Series
) -> Entries:
    """Entries of products that are active."""
    entries = np.empty(len(ids), ENTRY)
    entries["id"] = ids
    entries["upper"] = upper.fill_null(0).to_numpy()
    entries["lower"] = lower.fill_null(0).to_numpy()
    entries["state"] = np.where(sold_out.to_numpy(), SOLD_OUT, IN_STOCK)
    return entries


def current_entries(db: Connection, partner_id: str, source_id: str) -> Entries:
    """The entries of a source's active products, by the copy where there is one."""
    copied = _copied(db, source_id)
    if copied is None:
        entries, changed = _all(db, partner_id, source_id), None
    else:
        entries, number = copied
        changed = _changed(db, partner_id, source_id, number)
        entries = with_changes(entries, changed)
    if changed is None or len(changed) * _CHANGED_OF_ALL > len(entries):
        _keep_current(db, partner_id, source_id, entries)
    return entries


def with_changes(entries: Entries, changed: Entries) -> Entries:
    """The entries, in their order, of which these have changed, are gone, or are new."""
    if not len(changed):
        return entries
    rows, changed_rows = same_ids(entries["id"], changed["id"])
    entries[rows] = changed[changed_rows]
    is_new = np.ones(len(changed), np.bool_)
    is_new[changed_rows] = False
    if is_new.any():
        entries = np.concatenate([entries, changed[is_new]])
    there = entries["state"] != GONE
    return entries if there.all() else entries[there]


def same_ids(many: Entries, few: Entries) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the same ids stand in two arrays: the places in the one and in the other."""
    maybe = np.flatnonzero(pl.Series(_half(many, "low")).is_in(_half(few, "low")))
    one, other = (
        pl.DataFrame({half: _half(ids, half) for half in ("high", "low")}).with_row_index("place")
        for ids in (many[maybe], few)
    )
    both = one.join(other, on=["high", "low"], how="inner")
    return maybe[both["place"].to_numpy()], both["place_right"].to_numpy()


def _half(ids: Entries, half: str) -> NDArray[np.int64]:
    return np.ascontiguousarray(ids[half])


def keep(db: Connection, source_id: str, publication_id: str, packed: bytes | bytearray) -> None:
    """Makes the copy anew from the bytes of entries, as of that publication."""
    source, publication = UUID(digits(source_id)), UUID(digits(publication_id))
    db.execute("DELETE FROM known_products WHERE source_id = %s", [source])
    statement = """
        COPY known_products (source_id, part, publication_id, entries)
        FROM STDIN (FORMAT BINARY)
        """
    with db.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["uuid", "int4", "uuid", "bytea"])
        for part, at in enumerate(range(0, len(packed), _BYTES_OF_PART)):
            copy.write_row((source, part, publication, packed[at : at + _BYTES_OF_PART]))


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
        keep(db, source_id, row[0].hex, entries.tobytes())


def _copied(db: Connection, source_id: str) -> tuple[Entries, int] | None:
    """The copy, and the number of the publication as of which it is; None if there is none."""
    row = db.execute(
        """
        SELECT u.number, sum(octet_length(k.entries))
        FROM known_products k
        JOIN publications u ON u.publication_id = k.publication_id
        WHERE k.source_id = %s
        GROUP BY u.number
        """,
        [digits(source_id)],
    ).fetchone()
    if row is None:
        return None
    packed = np.empty(int(row[1]), np.uint8)
    statement = """
        COPY (SELECT part, entries FROM known_products WHERE source_id = %s)
        TO STDOUT (FORMAT BINARY)
        """
    with db.cursor() as cursor, cursor.copy(statement, [digits(source_id)]) as copy:
        copy.set_types(["int4", "bytea"])
        for part, some in copy.rows():
            at = part * _BYTES_OF_PART
            packed[at : at + len(some)] = np.frombuffer(some, np.uint8)
    return packed.view(ENTRY), row[0]


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
    return np.frombuffer(packed or b"", ENTRY)
