"""A feed against the catalog by set operations: `commerce_core.plans.comparison.compare` in SQL.

Whatever the planner is asked here costs one pass over the records or the partner's products, never
one for each. A property runs this and the reference on the same feeds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache, partial
from itertools import chain
from typing import Final, LiteralString
from uuid import UUID

import polars as pl
from attrs import evolve, frozen
from psycopg import sql
from psycopg.abc import Params, QueryNoTemplate
from psycopg.rows import dict_row

from adapters.postgres.connection.locks import hold_feeds_of
from adapters.postgres.connection.rows import Connection, digits, fetch_one, prefixed
from adapters.postgres.connection.timeouts import bear_stalls
from adapters.postgres.ingest.copy_columns import all_of_them
from adapters.postgres.ingest.decide import PROBLEMS, SOLD_OUT, decide
from adapters.postgres.ingest.figures import price_moves, rekeyed, samples
from adapters.postgres.ingest.known_fingerprints import Matched, ProductFingerprints
from adapters.postgres.ingest.known_values import Agreeing, may_agree
from adapters.postgres.ingest.match import (
    EACH_BY_ITS_KEY,
    count_present,
    find_absent,
    find_lost_zeros,
    match,
    owner,
    remove_absent,
)
from adapters.postgres.ingest.reading_ahead import meanwhile
from adapters.postgres.ingest.session_tables import FEW_UNANALYSED
from adapters.postgres.ingest.staging import Staged, by_sets, stage
from adapters.postgres.ingest.stock import OWN_STOCK, sold_out
from commerce_core.catalog.publication import CHANGE_KINDS, ChangeKind
from commerce_core.plans.comparison import (
    FeedContext,
    Plan,
    Stock,
    duplicate_hint,
    field_problem,
    leap_problem,
    other_source_hint,
    removes_absent,
)
from commerce_core.plans.near_skus import MOST_NAMED, lost_zeros_hint, near_skus, unknown_hint
from commerce_core.plans.price_moves import PriceMove
from commerce_core.plans.rekeying import NONE_REKEYED
from commerce_core.ports.engine import Batch
from commerce_core.schema.fields import PRODUCT_FIELDS
from commerce_core.schema.listed_problems import MOST_ALIKE
from commerce_core.schema.problems import Problem


@frozen
class Comparison:
    """A plan, and what applying it needs besides the temporary tables.

    `reread` counts the records that could have been matched by what is `known`, and agree with
    their products; of those in `agreed` this was found before they were staged. `matched` is
    whether any was.
    """

    plan: Plan
    staged: Staged
    reread: int = 0
    matched: bool = False
    known: ProductFingerprints | None = None
    agreed: Sequence[pl.DataFrame] = ()


def compare(
    db: Connection,
    feed_context: FeedContext,
    batches: Iterable[Batch],
    problem_limit: int,
    known: ProductFingerprints | None,
    *,
    without: frozenset[int],
    again: bool,
) -> Comparison:
    """Stages the records and decides their fates; this unit has locked the partner.

    With `again`, this unit has compared before, and has to read the products `without`.
    """
    matched = Matched(known, without) if known else None
    passing = matched.watched(batches) if matched else iter(batches)
    agreeing = None
    coming: Iterable[Batch | pl.DataFrame] = passing
    if matched and (first := next(passing, None)) is not None:
        coming = passing = chain((first,), passing)
        if may_agree(db, feed_context, matched, first):
            agreeing, coming = meanwhile(
                partial(Agreeing.among, db, feed_context, matched), passing
            )
    sift = agreeing.sift if agreeing else all_of_them
    staged = stage(db, feed_context.columns, coming, sift=sift, again=again)
    owned = _count_owned(db, feed_context, matched)
    with by_sets(db, few=staged.records <= FEW_UNANALYSED):
        unmatched = matched.keep_unmatched(db) if matched and matched.count else None
        elsewhere = match(db, feed_context, staged, unmatched) > 0
        if (
            matched
            and unmatched is not None
            and (contested := matched.contested(db, elsewhere=elsewhere))
        ):
            return Comparison(Plan(feed_context=feed_context, contested=contested), staged)
        decide(db, feed_context, staged)
        plan = _plan(db, feed_context, staged, problem_limit, matched, owned=owned)
    # A feed that is read without fingerprints, a small delta, will be so the next time too.
    if not matched:
        return Comparison(plan, staged)
    agreed = [*matched.renewed, *(agreeing.found if agreeing else ())]
    reread = plan.unchanged - matched.count + sum(map(len, agreed))
    found = matched.count > 0
    return Comparison(plan, staged, reread, matched=found, known=known, agreed=agreed)


def contained(db: Connection, comparison: Comparison, product_ids: Sequence[str]) -> list[UUID]:
    """Which of these products the feed contains, as records that it doesn't reject."""
    # Without a table of unmatched products, none was matched by its fingerprint.
    by_fingerprint: LiteralString = """
        UNION
        SELECT product_id
        FROM products
        WHERE product_id = ANY(%(ids)s::uuid[]) AND source_id = %(source_id)s
          AND status = 'active'
          AND NOT EXISTS (SELECT FROM unmatched u WHERE u.product_id = products.product_id)"""
    by_sku: LiteralString = """
        SELECT product_id
        FROM decided
        WHERE product_id = ANY(%(ids)s::uuid[]) AND fate <> ALL(%(refused)s)"""
    query = by_sku + by_fingerprint if comparison.matched else by_sku
    feed_context = comparison.plan.feed_context
    params = {"ids": list(product_ids), "refused": [*PROBLEMS, "absent"]}
    rows = db.execute(query, owner(feed_context) | params, prepare=False).fetchall()
    return [row[0] for row in rows]


def lock_partner(db: Connection, partner_id: str) -> None:
    """Waits until no other unit feeds the partner; then none does until this unit ends."""
    # Work on a feed takes as long as its file is long, and the lease watches over it.
    db.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
    bear_stalls(db)
    hold_feeds_of(db, UUID(digits(partner_id)))


def _plan(
    db: Connection,
    feed_context: FeedContext,
    staged: Staged,
    problem_limit: int,
    matched: Matched | None,
    *,
    owned: Mapping[str, int],
) -> Plan:
    """The counts and figures of what was decided."""
    unread = matched.count if matched else 0
    read, (fates, doubts) = _count_read(db), _count_decided(db)
    if feed_context.mode == "delta" and not unread and not fates["created"]:
        # Nothing will be removed for being absent, so it needn't be known what is.
        absent = owned["before"] - count_present(db, feed_context)
    else:
        absent = find_absent(db, feed_context, matched=unread > 0)
        if absent and fates["created"]:
            absent -= find_lost_zeros(db)
            fates, doubts = _count_decided(db)
    vanished = 0
    if absent and removes_absent(feed_context, read["skus_unreadable"]):
        vanished = remove_absent(db)
    updates = _count_updates(db) if fates["updated"] else Counter[str]()
    moves = price_moves(db)
    found = +Counter(
        {
            "duplicate_sku": read["duplicate"],
            "price_leap": moves.kept,
            **{code: fates[code] for code in PROBLEMS},
            **doubts,
        }
    )
    changed: dict[ChangeKind, int] = {
        "created": fates["created"],
        "updated": fates["updated"],
        "restored": fates["restored"],
        "removed": fates["removed"] + vanished,
    }
    return Plan(
        feed_context=feed_context,
        created=changed["created"],
        updated=changed["updated"],
        restored=changed["restored"],
        unchanged=(
            unread + read["judged"] - fates.total() + fates["unchanged"] + fates["withheld"]
        ),
        deleted=fates["removed"],
        rejected=read["rejected"] + sum(fates[code] for code in PROBLEMS),
        duplicate=read["duplicate"],
        absent=absent,
        removed=changed["removed"],
        before=owned["before"],
        skus_unreadable=read["skus_unreadable"],
        updated_by_field={name: n for name, n in updates.items() if name != _SOLD_OUT},
        problems_by_code=found,
        problems=tuple(_listed_problems(db, feed_context, staged, problem_limit)) if found else (),
        withheld=fates["withheld"],
        price_moves=moves,
        stock=Stock(owned["in_stock"], updates[_SOLD_OUT]),
        rekeyed=rekeyed(db, feed_context, staged)
        if vanished and fates["created"]
        else NONE_REKEYED,
        samples=samples(db, staged, [kind for kind in CHANGE_KINDS if changed[kind]]),
    )


_SOLD_OUT: Final = "sold out"
"""What is counted of updated products beside their fields; no field is called so."""


def _count_read(db: Connection) -> Mapping[str, int]:
    """What became of the records as such; `judged` are those whose fate was to be decided."""
    return _counts(
        db,
        """
        SELECT count(*) FILTER (WHERE sku IS NULL) AS skus_unreadable,
               count(*) FILTER (
                   WHERE sku IS NULL OR (rejected AND r.line IS NULL)
               ) AS rejected,
               count(r.line) AS duplicate,
               count(*) FILTER (
                   WHERE sku IS NOT NULL AND NOT rejected AND r.line IS NULL
               ) AS judged
        FROM staged s
        LEFT JOIN repeated r ON r.line = s.line
        """,
    )


def _count_decided(db: Connection) -> tuple[Counter[str], Counter[str]]:
    """How many records have each fate, and how many each doubt."""
    fates, doubts = Counter[str](), Counter[str]()
    query = "SELECT fate, doubt, count(*) FROM decided GROUP BY fate, doubt"
    for fate, doubt, times in db.execute(query):
        fates[fate] += times
        if doubt is not None:
            doubts[doubt] += times
    return fates, doubts


def _count_owned(
    db: Connection, feed_context: FeedContext, matched: Matched | None
) -> Mapping[str, int]:
    """The active products of the source, and those of them that are in stock."""
    if matched:
        known = matched.known
        return {"before": len(known), "in_stock": known.in_stock}
    query = sql.SQL(
        """
        SELECT count(*) AS before, count(*) FILTER (WHERE NOT {}) AS in_stock
        FROM products p
        WHERE p.partner_id = %(partner_id)s AND p.source_id = %(source_id)s
          AND p.status = 'active'
        """
    ).format(sold_out(*OWN_STOCK))
    with by_sets(db):
        return _counts(db, query, owner(feed_context))


def _count_updates(db: Connection) -> Counter[str]:
    """How many updated products get another value, by field; and how many sell out."""
    return +Counter(_counts(db, _update_counts()))


@cache
def _update_counts() -> bytes:
    bits = {name: bit for bit, name in enumerate(PRODUCT_FIELDS)} | {_SOLD_OUT: SOLD_OUT}
    counts = sql.SQL(", ").join(
        sql.SQL("count(*) FILTER (WHERE changed & {} <> 0) AS {}").format(
            sql.Literal(1 << bit), sql.Identifier(name)
        )
        for name, bit in bits.items()
    )
    query = sql.SQL("SELECT {} FROM decided WHERE fate = 'updated'").format(counts)
    return query.as_bytes()


def _problems_query(staged: Staged) -> sql.Composed:
    """The problems to list: errors first, and of the warnings of one code the first."""
    differing = sql.SQL(", ").join(
        sql.SQL("CASE WHEN s.{0} IS DISTINCT FROM other.{0} THEN {1} END").format(
            sql.Identifier(name), sql.Literal(name)
        )
        for name in staged.fields
    )
    return sql.SQL(
        """
        WITH problems AS (
            SELECT line, later, NULL::uuid AS product_id, NULL::text AS fate, NULL::text AS field,
                   NULL::numeric AS amount,
                   NULL::text AS doubt, NULL::text AS near,
                   NULL::numeric AS moved_from, NULL::numeric AS moved_to, NULL::text AS currency,
                   'duplicate_sku' AS warning
            FROM repeated
            UNION ALL
            SELECT line, NULL, product_id, fate, field, amount, doubt, near, moved_from, moved_to,
                   currency,
                   CASE WHEN doubt IS NOT NULL THEN doubt
                        WHEN fate <> ALL(%(codes)s) THEN 'price_leap' END
            FROM decided
            WHERE fate = ANY(%(codes)s) OR leaps OR doubt IS NOT NULL
        ),
        alike AS (
            SELECT *, row_number() OVER (PARTITION BY warning ORDER BY line) AS nth
            FROM problems
        ),
        found AS (
            SELECT *
            FROM alike
            WHERE warning IS NULL OR nth <= %(alike)s
            ORDER BY warning IS NOT NULL, line
            LIMIT %(limit)s
        )
        SELECT found.line, found.fate, found.field, found.amount, s.sku, found.later,
               array_remove(ARRAY[{differing}], NULL), p.source_id, doubt, near,
               moved_from, moved_to, found.currency
        FROM found
        JOIN staged s ON s.line = found.line
        LEFT JOIN staged other ON other.line = found.later
        LEFT JOIN (
            SELECT product_id, source_id
            FROM products
            WHERE product_id = ANY(ARRAY(
                SELECT product_id FROM found WHERE fate = 'sku_of_other_source'
            ))
            OFFSET 0
        ) AS p ON p.product_id = found.product_id
        ORDER BY found.line
        """
    ).format(differing=differing)


def _problems(
    db: Connection, feed_context: FeedContext, staged: Staged, limit: int
) -> Iterator[Problem]:
    """The problems to list, by line, without the skus that unknown ones may mean.

    They are those that `listed` takes: each warning that is found here is of one column.
    """
    query = _problems_query(staged)
    for line, fate, name, amount, sku, later, fields, owner_id, doubt, near, *moved in db.execute(
        query, {"codes": list(PROBLEMS), "alike": MOST_ALIKE, "limit": limit}
    ):
        if doubt is not None:
            yield field_problem(feed_context, line, doubt, "sale_price", f"{amount:f}")
            continue
        if later is None and fate not in PROBLEMS:
            yield leap_problem(feed_context, _leap(sku, line, *moved))
            continue
        at, value = (name, str(moved[-1] if amount is None else amount)) if name else ("sku", sku)
        hint = duplicate_hint(line, later, fields) if later is not None else None
        if owner_id is not None:
            hint = other_source_hint(feed_context, prefixed("src")(owner_id))
        if near is not None:
            hint = lost_zeros_hint(near)
        yield Problem.of(
            fate or "duplicate_sku",
            line=line,
            column=feed_context.columns.get(at),
            field=at,
            value=value,
            hint=hint,
        )


def _listed_problems(
    db: Connection, feed_context: FeedContext, staged: Staged, limit: int
) -> Iterator[Problem]:
    """The problems to list, by line; those of unknown skus name a near one."""
    found = list(_problems(db, feed_context, staged, limit))
    unknown = [problem for problem in found if problem.code == "unknown_sku"][:MOST_NAMED]
    spellings = {problem.line: near_skus(problem.value or "") for problem in unknown}
    known = _known_among(db, feed_context, {sku for some in spellings.values() for sku in some})
    for problem in found:
        near = next((sku for sku in spellings.get(problem.line, ()) if sku in known), None)
        yield evolve(problem, hint=unknown_hint(problem.hint, near) or problem.hint)


def _known_among(db: Connection, feed_context: FeedContext, skus: set[str]) -> set[str]:
    """Which of these are skus of active products of the partner."""
    if not skus:
        return set()
    rows = db.execute(
        sql.SQL(
            """
            SELECT p.sku
            FROM unnest(%(skus)s::text[]) AS s (sku)
            JOIN {among} AS p ON p.partner_id = %(partner_id)s AND p.sku = s.sku
            WHERE p.status = 'active'
            """
        ).format(among=sql.SQL(EACH_BY_ITS_KEY)),
        owner(feed_context) | {"skus": sorted(skus)},
    )
    return {sku for (sku,) in rows}


def _leap(sku: str, line: int, before: Decimal, after: Decimal, currency: str) -> PriceMove:
    return PriceMove.of(sku, line, currency, before=before, after=after, kept=True)


def _counts(db: Connection, query: QueryNoTemplate, params: Params = ()) -> Mapping[str, int]:
    """The one row of a query that counts, by column."""
    return fetch_one(db, dict_row, query, params) or {}
