"""What a comparison shows besides its counts: price moves, ids that changed, samples.

All of it is read off `decided`, and costs by what changes. No more rows leave the database than are
shown. The figures are defined in `commerce_core.plans.price_moves`, `rekeying` and `changes`.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, LiteralString, cast

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.connection.rows import Connection, fetch, named
from adapters.postgres.ingest.decide import AMONG_CHANGED, settled_value
from adapters.postgres.ingest.match import owner
from adapters.postgres.ingest.staging import MOST_FORMS, Staged
from commerce_core.catalog.publication import ChangeKind
from commerce_core.plans.changes import SAMPLES_OF_KIND, Sample
from commerce_core.plans.comparison import MONEY, FeedContext
from commerce_core.plans.price_moves import (
    EDGES,
    MOST_LEAPS_LISTED,
    MOST_MOVES_LISTED,
    NO_MOVES,
    PriceMove,
    PriceMoves,
    percent_of,
    ranges_of,
)
from commerce_core.plans.rekeying import DROPPED, MOST_PAIRS_LISTED, Pair, Rekeyed
from commerce_core.schema.fields import PRODUCT_FIELDS, Value

_product_id: Final = named("prod")
# Whole hundredths of a percent, cut towards zero as in `price_moves`: a quotient with decimals
# would be rounded differently from one database and language to another.
_HUNDREDTHS: Final = "div((moved_to - moved_from) * 10000, moved_from)"
_FOLD: Final = """
    (moved_to > 0),
    CASE WHEN moved_to > 0
         THEN div(greatest(moved_from, moved_to) * 100, least(moved_from, moved_to))
    END DESC"""


def price_moves(db: Connection) -> PriceMoves:
    """How far prices move."""
    counted = db.execute(
        f"""
        WITH moves AS MATERIALIZED (
            SELECT {_HUNDREDTHS} AS hundredths, leaps
            FROM decided
            WHERE moved_from IS NOT NULL
        )
        SELECT width_bucket(hundredths, %s::numeric[]), count(*), count(*) FILTER (WHERE leaps),
               (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY abs(hundredths)) FROM moves)
        FROM moves
        GROUP BY 1
        """,  # noqa: S608 - a literal of ours
        [list(EDGES)],
    ).fetchall()
    if not counted:
        return NO_MOVES
    counts = [0] * (len(EDGES) + 1)
    for bucket, moved, *_ in counted:
        counts[bucket] = moved
    kept = sum(leaping for _, _, leaping, _ in counted)
    *_, median = counted[0]
    largest = _moves(db, "moved_from IS NOT NULL", _FOLD, MOST_MOVES_LISTED)
    leaps = _moves(db, "leaps", "line", MOST_LEAPS_LISTED) if kept else ()
    return PriceMoves(
        sum(counts), percent_of(int(median)), ranges_of(counts), tuple(largest), kept, tuple(leaps)
    )


def _moves(
    db: Connection, which: LiteralString, order: LiteralString, limit: int
) -> Iterator[PriceMove]:
    """The first moves in an order, those that are alike by sku."""
    rows = db.execute(
        f"""
        SELECT s.sku, d.line, d.currency, d.moved_from, d.moved_to, d.leaps
        FROM (
            SELECT line, currency, moved_from, moved_to, leaps
            FROM decided
            WHERE {which}
            ORDER BY {order}
            FETCH FIRST (%(limit)s) ROWS WITH TIES
        ) AS d
        JOIN staged s ON s.line = d.line
        ORDER BY {order}, s.sku
        LIMIT %(limit)s
        """,  # noqa: S608 - literals of ours
        {"limit": limit},
    )
    for sku, line, currency, before, after, leaps in rows:
        yield PriceMove.of(sku, line, currency, before=before, after=after, kept=leaps)


def rekeyed(db: Connection, feed_context: FeedContext, staged: Staged) -> Rekeyed:
    """Which vanished ids have a newcomer each that is the same product."""
    query = sql.SQL(
        """
        WITH vanished AS (
            SELECT p.sku, k.trait, k.key
            FROM decided d
            JOIN products p ON {among_changed} AND p.product_id = d.product_id,
            LATERAL (VALUES {old_keys}) AS k (trait, key)
            WHERE d.fate = 'absent' AND k.key <> ''
        ),
        newcomers AS (
            SELECT s.sku, k.trait, k.key
            FROM decided d
            JOIN staged s ON s.line = d.line,
            LATERAL (VALUES {new_keys}) AS k (trait, key)
            WHERE d.fate = 'created' AND k.key <> ''
        ),
        -- A key that several products of one side share identifies none of them.
        old AS (SELECT trait, key, min(sku) AS sku FROM vanished
                GROUP BY trait, key HAVING count(*) = 1),
        new AS (SELECT trait, key, min(sku) AS sku FROM newcomers
                GROUP BY trait, key HAVING count(*) = 1),
        pairs AS (
            SELECT DISTINCT ON (old.sku) old.sku AS vanished, new.sku AS newcomer, trait
            FROM old
            JOIN new USING (trait, key)
            ORDER BY old.sku, trait
        )
        SELECT vanished, newcomer, (%(traits)s::text[])[trait], count(*) OVER ()
        FROM pairs
        ORDER BY vanished
        LIMIT %(limit)s
        """
    ).format(
        among_changed=sql.SQL(AMONG_CHANGED),
        old_keys=_keys({name: sql.Identifier("p", name) for name in _TRAITS}),
        new_keys=_keys({name: staged.own(name) for name in _TRAITS}),
    )
    params = owner(feed_context) | {"limit": MOST_PAIRS_LISTED, "traits": list(_TRAITS)}
    rows = db.execute(query, params).fetchall()
    pairs = tuple(Pair(vanished, newcomer, by) for vanished, newcomer, by, _ in rows)
    return Rekeyed(rows[0][3] if rows else 0, pairs)


_TRAITS: Final = ("gtin", "product_name", "product_url")


def _keys(column: Mapping[str, sql.Composable]) -> sql.Composable:
    """Rows of (number of the trait, its key), as `rekeying.key_of` makes it."""
    # In the collation "C" lower() knows ASCII alone, on every machine.
    return sql.SQL(
        "(1, lpad({gtin}, 14, '0')),"
        """(2, translate(lower({name} COLLATE "C"), {dropped}, '')),"""
        "(3, rtrim(regexp_replace("
        """lower({url} COLLATE "C"), '^https?://(www[.])?', ''), '/'))"""
    ).format(
        gtin=column["gtin"],
        name=column["product_name"],
        url=column["product_url"],
        dropped=sql.Literal(DROPPED),
    )


def samples(db: Connection, staged: Staged, kinds: Iterable[ChangeKind]) -> tuple[Sample, ...]:
    """The first changes of each of these kinds."""
    return tuple(sample for kind in kinds for sample in _samples(db, staged, kind))


_FATES: Final[Mapping[ChangeKind, tuple[str, ...]]] = {
    "created": ("created",),
    "updated": ("updated",),
    "restored": ("restored",),
    "removed": ("removed", "absent"),
}


def _samples(db: Connection, staged: Staged, kind: ChangeKind) -> Iterator[Sample]:
    names, query = _fields_of(staged), _sample_statement(staged.form)
    params = {"fates": list(_FATES[kind]), "limit": SAMPLES_OF_KIND}
    for row in fetch(db, dict_row, query, params):
        known = {name: _value(row[f"before_{name}"]) for name in PRODUCT_FIELDS}
        values = {name: _value(row[f"after_{name}"]) for name in names} if kind != "removed" else {}
        product_id = row["product_id"]
        yield Sample.of(
            kind,
            row["sku"],
            row["line"],
            _product_id(product_id) if product_id else None,
            before=known,
            values=values,
        )


@lru_cache(MOST_FORMS)
def _sample_statement(staged: Staged) -> bytes:
    after = [
        sql.SQL("{} AS {}").format(settled_value(staged, name), sql.Identifier(f"after_{name}"))
        for name in _fields_of(staged)
    ]
    before = [
        sql.SQL("p.{} AS {}").format(sql.Identifier(name), sql.Identifier(f"before_{name}"))
        for name in PRODUCT_FIELDS
    ]
    made = sql.SQL(
        """
        SELECT coalesce(p.sku, s.sku) AS sku, d.line, d.product_id, {values}
        FROM (
            SELECT *
            FROM decided
            WHERE fate = ANY(%(fates)s)
            ORDER BY product_id, line
            LIMIT %(limit)s
        ) AS d
        LEFT JOIN staged s ON s.line = d.line
        LEFT JOIN (
            SELECT *
            FROM products
            WHERE product_id = ANY(ARRAY(
                SELECT product_id FROM decided WHERE fate = ANY(%(fates)s)
                ORDER BY product_id LIMIT %(limit)s
            ))
            OFFSET 0
        ) AS p ON p.product_id = d.product_id
        ORDER BY d.product_id, d.line
        """
    ).format(values=sql.SQL(", ").join([*after, *before]))
    return made.as_bytes()


def _fields_of(staged: Staged) -> list[str]:
    """The fields that records of a form can change."""
    return [name for name in PRODUCT_FIELDS if name in (*staged.fields, *MONEY)]


def _value(column: Any) -> Value:  # noqa: ANN401 - whatever a column gives
    return tuple(cast("list[str]", column)) if isinstance(column, list) else column
