"""Reports from rollups: what is rolled up, the rest of the range, and what is above the horizon.

All three are read in one statement, so in one snapshot, together with the horizon: an entry is in
exactly one of them, whatever is written or rolled up meanwhile.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal, LiteralString

from attrs import frozen
from psycopg import sql
from psycopg.rows import tuple_row

from adapters.postgres.collections.rollup_movements import (
    BELOW,
    BY_REASON,
    LATER,
    LOOSE,
    LOOSE_BY_ORDER,
    ORDERS,
    RANKED,
    RULES,
    SURPLUS,
    TAKEN_OFF,
    TOTALS,
)
from adapters.postgres.connection.rows import Connection, fetch, maybe_digits, named, rows_of
from commerce_core.analytics.figures import (
    ALL_PARTNERS,
    RankedTotal,
    ReasonTotal,
    RuleTotal,
    SalesTotal,
)
from commerce_core.analytics.questions import Dimension, Measure, Ranking, SalesQuestion
from commerce_core.analytics.rollup import (
    PRODUCT_SPANS,
    REASON_SPANS,
    Cover,
    bounds_of,
    cover,
    cover_one,
)

Of = Literal["sales", "product", "rule", "reason"]

MEMORY: Final = "64MB"
"""What the server may use for each of the sums of a report."""
_partner_id: Final = named("ptn")
_RANKS: Final = rows_of(RankedTotal)
_RANKED_PRODUCTS: Final = rows_of(RankedTotal, name=named("prod"))
_REASONS: Final = rows_of(ReasonTotal)
_RULES: Final = rows_of(RuleTotal)
_ALL: Final[LiteralString] = "'00000000-0000-0000-0000-000000000000'::uuid"
"""The partner that stands for all of them."""
_ENTRY: Final[LiteralString] = """
    e.order_id, e.item_id, e.kind, coalesce(e.reason, '') AS reason, e.at, e.partner_id,
    e.product_id, e.currency, e.quantity, e.gross, e.discount,
    coalesce(e.platform_discount, 0) AS platform_discount, e.amount"""
_NAMED: Final[Mapping[Dimension, LiteralString]] = {
    "product": """
        SELECT product_id AS name, currency, units, gross, net FROM by_product""",
    "brand": """
        SELECT p.brand COLLATE "C" AS name, s.currency, sum(units) AS units,
               sum(s.gross) AS gross, sum(net) AS net
        FROM by_product s
        LEFT JOIN products p USING (product_id)
        GROUP BY p.brand, s.currency""",
    "category": """
        SELECT p.category COLLATE "C" AS name, s.currency, sum(units) AS units,
               sum(s.gross) AS gross, sum(net) AS net
        FROM by_product s
        LEFT JOIN products p USING (product_id)
        GROUP BY p.category, s.currency""",
}
_BACK: Final = ("back", "back_units", "back_cancelled", "back_refunded")
"""What was taken back then; by order, the columns of what was taken back late."""
_DIMENSIONS: Final[Mapping[str, LiteralString | None]] = {
    "all": "r.dimension = 'all'",
    "sales": "r.dimension = 'sales'",
    "product": "r.dimension = 'product'",
    "rule": "r.dimension = 'rule'",
    "reason": None,
}
_MEASURES: Final[Mapping[Measure, LiteralString]] = {
    "net": "net",
    "gross": "gross",
    "units": "units",
}


@frozen
class Rollups:
    """Answers questions about the ledger of one database."""

    _db: Connection

    def totals(self, question: SalesQuestion) -> list[SalesTotal]:
        """The figures, exactly as `figures.fold` returns them."""
        starts = list(question.periods()) if question.grain else [question.since]
        bounds = bounds_of(starts, question.since, question.until)
        partner = "movement.partner_id" if question.by_partner else "NULL::uuid AS partner_id"
        # An hour is one block, or two: a state for each of its sums would take longer than adding.
        added = sql.SQL("exact_sum" if question.grain == "hour" else "sum")
        query = _query(TOTALS, question, partner=sql.SQL(partner), sum=added)
        params = self._params(question, cover(bounds, beyond=True), starts)
        rows = fetch(self._db, tuple_row, query, params)
        # There may be thousands: their columns are in the order of the class.
        names = {id_: _partner_id(id_) if id_ else ALL_PARTNERS for id_ in {row[1] for row in rows}}
        periods = starts if question.grain else [None]
        return [SalesTotal(periods[int(row[0])], names[row[1]], *row[2:]) for row in rows]

    def ranks(self, question: SalesQuestion, ranking: Ranking) -> list[RankedTotal]:
        """Ranks, exactly as `figures.fold_ranks` returns them."""
        query = _query(
            RANKED,
            question,
            "product",
            names=sql.SQL(_NAMED[ranking.by]),
            measure=sql.SQL(_MEASURES[ranking.measure]),
        )
        parts = cover_one(question.since, question.until, PRODUCT_SPANS)
        params = self._params(question, parts) | {"limit": ranking.limit}
        rows = _RANKED_PRODUCTS if ranking.by == "product" else _RANKS
        return fetch(self._db, rows, query, params)

    def reasons(self, question: SalesQuestion) -> list[ReasonTotal]:
        """What was taken back, exactly as `figures.fold_reasons` returns it."""
        parts = cover([question.since, question.until], REASON_SPANS)
        query = _query(BY_REASON, question, "reason")
        return fetch(self._db, _REASONS, query, self._params(question, parts))

    def rules(self, question: SalesQuestion) -> list[RuleTotal]:
        """What rules did, exactly as `figures.fold_rules` returns it."""
        parts = cover([question.since, question.until])
        return fetch(
            self._db, _RULES, _query(RULES, question, "rule"), self._params(question, parts)
        )

    def _params(
        self, question: SalesQuestion, parts: Cover, starts: Sequence[datetime] = ()
    ) -> dict[str, Any]:
        """What a question consists of: blocks, the rests between them, and starts of periods."""
        even = list(_even(starts or [question.since]))
        return {
            "horizon": self._horizon(),
            "since": question.since,
            "until": question.until,
            "partner_id": maybe_digits(question.partner_id),
            "currency": question.currency,
            "start_first": _array(first for first, _, _ in even),
            "start_step": [step // timedelta.resolution for _, step, _ in even],
            "start_count": [count for _, _, count in even],
            "run_span": [int(run.span.total_seconds()) for run in parts.runs],
            "run_since": _array(run.since for run in parts.runs),
            "run_until": _array(run.until for run in parts.runs),
            "surplus_span": [int(each.span.total_seconds()) for each in parts.surpluses],
            "surplus_since": _array(each.since for each in parts.surpluses),
            "surplus_until": _array(each.until for each in parts.surpluses),
            "surplus_period": [each.period for each in parts.surpluses],
            "rest_since": _array(rest.since for rest in parts.rests),
            "rest_until": _array(rest.until for rest in parts.rests),
            "rest_period": [rest.period for rest in parts.rests],
            "rest_sign": [-1 if rest.is_beyond else 1 for rest in parts.rests],
        }

    def _horizon(self) -> str:
        """A horizon that the statement's own can't be before; the planner needs it beforehand.

        A database that was restored into another server has none until it is rolled up again.
        The settings hold for the rest of the unit: many groups are summed up without sorting, and
        a plan for any question would be a bad one for most.
        """
        (txid, *_) = self._db.execute(
            """
            SELECT (SELECT txid::text
                    FROM sales_horizon
                    WHERE txid <= pg_snapshot_xmax(pg_current_snapshot())),
                   set_config('work_mem', %s, TRUE), set_config('jit', 'off', TRUE),
                   set_config('plan_cache_mode', 'force_custom_plan', TRUE)
            """,
            [MEMORY],
        ).fetchone() or (None,)
        return txid or "0"


def _array(moments: Iterable[datetime]) -> str:
    """An array of moments, as text: quoting each of thousands takes longer than summing them up."""
    return f"{{{','.join(map(datetime.isoformat, moments))}}}"


def _even(starts: Sequence[datetime]) -> Iterator[tuple[datetime, timedelta, int]]:
    """Moments at regular intervals: the first of them, the step, and how many there are."""
    first, step, count = starts[0], timedelta(0), 1
    for before, at in pairwise(starts):
        if at - before == step:
            count += 1
        elif count == 1:
            step, count = at - before, 2
        else:
            yield first, step, count
            first, step, count = at, timedelta(0), 1
    yield first, step, count


def _query(
    text: LiteralString, question: SalesQuestion, of: Of = "sales", **more: sql.Composable
) -> sql.Composed:
    """The text with a question's conditions; all values are parameters."""
    is_event = question.basis == "event"
    back = "back" if is_event else "late"
    parts: dict[str, sql.Composable] = {
        "rollups": sql.Identifier("sales_reason_rollups" if of == "reason" else "sales_rollups"),
        "columns": sql.SQL(_ENTRY),
        "below": sql.SQL(BELOW),
        "seller": sql.SQL(_seller(question)),
        "subject": sql.SQL("product_id" if of == "product" else "NULL::uuid"),
        "by_order": sql.Literal(not is_event),
        **{name: sql.Identifier(f"{back}{name[4:]}") for name in _BACK},
        "own": _all_of(
            "e.kind IN ('placed', 'cancelled', 'refunded', 'goodwill')",
            question.partner_id and "e.partner_id = %(partner_id)s",
            question.currency and "e.currency = %(currency)s",
        ),
        "rolled_own": _of_sums(question, of),
        "gone_own": _of_cancelled_orders(question),
        "undone": sql.SQL(
            "e.kind = 'cancelled' AND e.at < %(until)s" if is_event else "e.kind = 'cancelled'"
        ),
    }
    later = sql.SQL(LATER if is_event else "").format(**parts)
    loose = sql.SQL(LOOSE if is_event else LOOSE_BY_ORDER).format(**parts)
    orders = sql.SQL(ORDERS if text is TOTALS else "").format(**parts, later=later)
    has_surplus = text in (TOTALS, RANKED)
    surplus = sql.SQL(SURPLUS if has_surplus else "").format(**parts)
    taken_off = sql.SQL(TAKEN_OFF if has_surplus else "").format(**parts)
    return sql.SQL(text).format(
        **parts, loose=loose, orders=orders, surplus=surplus, taken_off=taken_off, **more
    )


def _seller(question: SalesQuestion) -> LiteralString:
    """The partner for which an entry counts."""
    of_each = question.by_partner or question.partner_id is not None
    return "partner_id" if of_each else _ALL


def _of_sums(question: SalesQuestion, of: Of) -> sql.Composed:
    """Which rollups a question is about; of rules and reasons there are those of all partners."""
    dimension = of
    is_all = question.partner_id is None and not question.by_partner
    if of == "sales" and is_all:
        dimension = "all"
    partner = question.partner_id and "r.partner_id = %(partner_id)s"
    if of in ("rule", "reason") and question.partner_id is None:
        partner = f"r.partner_id = {_ALL}"
    return _all_of(
        _DIMENSIONS[dimension],
        partner,
        question.currency and "r.currency = %(currency)s",
    )


def _of_cancelled_orders(question: SalesQuestion) -> sql.Composed:
    """Which cancelled orders a question is about: those of a partner, of each, or of all."""
    partner: LiteralString = f"c.partner_id {'<>' if question.by_partner else '='} {_ALL}"
    return _all_of(
        "c.partner_id = %(partner_id)s" if question.partner_id else partner,
        question.currency and "c.currency = %(currency)s",
    )


def _all_of(*conditions: LiteralString | str | None) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL(c) for c in conditions if c)  # type: ignore[arg-type]
