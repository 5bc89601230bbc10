"""The packed copy of the fingerprints of a source's products: the table `known_products`.

    parts as of a publication + what was published since ──> entries, one for each active product

A million products are 33 MB in the pages of a few thousand rows, read in a sixth of the time
that a pass over the products themselves takes. It needn't be kept up to date: each change of a
product names a later publication, so the index along which changes are read finds it. The copy is
made anew once there are many changes, or once many records in another form agreed with their
products: then only the copy has their fingerprints.
"""

from collections.abc import Iterable, Iterator
from typing import Final, LiteralString
from uuid import UUID

from psycopg import sql
from psycopg.abc import Params

from adapters.postgres.connection.rows import Connection, digits
from adapters.postgres.ingest.fingerprint_entries import (
    ENTRY,
    GONE,
    IN_STOCK,
    MOST_OF_PART,
    SOLD_OUT,
    Entries,
)
from adapters.postgres.ingest.stock import OWN_STOCK, sold_out

_MUCH: Final = 16
"""The copy is made anew once one in this many entries has changed."""
_CHANGED_AT_ONCE: Final = 100_000
"""Entries that are looked for at a time, which takes ten times as much memory as they do."""
_BYTES: Final = MOST_OF_PART * ENTRY.itemsize
"""The size of a full part."""


def current_entries(db: Connection, partner_id: str, source_id: str) -> Entries:
    """The entries of a source's active products, by the copy where there is one."""
    copied = _copied(db, source_id)
    if copied is None:
        entries = _all(db, partner_id, source_id)
        _keep_current(db, partner_id, source_id, entries)
        return entries
    entries, number = copied
    since = _publications_since(db, partner_id, number)
    changed = _changed(db, source_id, since)
    entries = entries.with_changes(changed)
    # Few products may have been changed often, and each publication is looked into.
    if is_much(max(len(changed), len(since)), len(entries)):
        _keep_current(db, partner_id, source_id, entries)
    return entries


def is_much(some: int, entries: int) -> bool:
    """Whether this many changed entries, or publications to look into, are worth a new copy."""
    return some * _MUCH > entries


def keep_also(
    db: Connection, partner_id: str, source_id: str, current: Entries, changed: Entries
) -> None:
    """Makes the copy anew of current entries and these changed ones of products that haven't."""
    for at in range(0, len(changed), _CHANGED_AT_ONCE):
        current = current.with_changes(changed[at : at + _CHANGED_AT_ONCE])
    _keep_current(db, partner_id, source_id, current)


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


def parts_of(packed: Iterable[bytes]) -> Iterator[bytes]:
    """The parts of a copy that has these bytes, one block behind the other."""
    rest = b""
    for block in packed:
        rest += block
        whole = len(rest) - len(rest) % _BYTES
        yield from (rest[at : at + _BYTES] for at in range(0, whole, _BYTES))
        rest = rest[whole:]
    if rest:
        yield rest


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
        starts = range(0, len(entries), MOST_OF_PART)
        keep(db, source_id, row[0].hex, (entries[at : at + MOST_OF_PART].packed() for at in starts))


def _copied(db: Connection, source_id: str) -> tuple[Entries, int] | None:
    """The copy, and the number of the publication as of which it is; None if there is no whole one.

    Removing a source deletes its copy without a lock.
    """
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
    entries = Entries.room_for(last * MOST_OF_PART + size // ENTRY.itemsize)
    statement = """
        COPY (SELECT part, entries FROM known_products WHERE source_id = %s)
        TO STDOUT (FORMAT BINARY)
        """
    with db.cursor() as cursor, cursor.copy(statement, [digits(source_id)]) as copy:
        copy.set_types(["int4", "bytea"])
        lacking = len(entries)
        for part, packed in copy.rows():
            entries.put(part * MOST_OF_PART, packed)
            lacking -= len(packed) // ENTRY.itemsize
    return None if lacking else (entries, number)


STATE: Final = sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(
    sold_out(*OWN_STOCK), *(sql.Literal(bytes([state])) for state in (SOLD_OUT, IN_STOCK))
)
"""Of a product `p` that is active."""
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
    query = sql.SQL(_PACKED + where).format(state=STATE)
    entries = fetch_entries(db, query, [digits(partner_id), digits(source_id)])
    db.execute(
        "SET LOCAL enable_indexscan TO DEFAULT; SET LOCAL parallel_setup_cost TO DEFAULT;"
        "SET LOCAL jit TO DEFAULT"
    )
    return entries


def _publications_since(db: Connection, partner_id: str, number: int) -> list[UUID]:
    """The partner's publications behind that number that changed something."""
    rows = db.execute(
        """
        SELECT publication_id
        FROM publications
        WHERE partner_id = %s AND number > %s AND changes IS DISTINCT FROM 0
        """,
        [digits(partner_id), number],
    )
    return [publication_id for (publication_id,) in rows]


def _changed(db: Connection, source_id: str, since: list[UUID]) -> Entries:
    """The entries of the products that these publications have changed.

    Those that aren't active, or of another source by now, are gone.
    """
    state = sql.SQL(
        "CASE WHEN p.source_id = %s AND p.status = 'active' THEN {} ELSE {} END"
    ).format(STATE, sql.Literal(bytes([GONE])))
    query = sql.SQL(_PACKED + "WHERE p.publication_id = ANY(%s)").format(state=state)
    return fetch_entries(db, query, [digits(source_id), since])


def fetch_entries(db: Connection, query: sql.Composed, params: Params) -> Entries:
    """The entries of a query that gives their bytes.

    It isn't prepared: a plan that is kept may be one for a table without rows.
    """
    with db.cursor(binary=True) as cursor:
        (packed,) = cursor.execute(query, params, prepare=False).fetchone() or (None,)
    return Entries.of(packed or b"")
