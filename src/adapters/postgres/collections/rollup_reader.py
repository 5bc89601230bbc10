"""Reports from rollups: what is rolled up, the rest of the range, and what is above the horizon.

All three are read in one statement, so in one snapshot, together with the horizon: an entry is in
exactly one of them, whatever is written or rolled up meanwhile.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any, Final, Literal, LiteralString, TypeVar

from attrs import frozen
from psycopg import sql
from psycopg.errors import NumericValueOutOfRange

from adapters.postgres.collections.rollup_entries import (
    ALL,
    AMOUNTS,
    PRODUCT,
    RULE,
    SALES,
    in_units,
)
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
from adapters.postgres.connection.rows import (
    Connection,
    fetch,
    fetch_columns,
    maybe_digits,
    named,
    rows_of,
)
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
    stretches,
)

T = TypeVar("T")
Of = Literal["sales", "product", "rule", "reason"]
Amounts = Literal["whole", "exact"]
"""Amounts as ten thousandths of their currency, or as decimals of any size."""

MEMORY: Final = "64MB"
"""What the server may use for each of the sums of a report."""
_UNIT: Final = Decimal("0.0001")
_WIDE: Final = Context(prec=30)
"""For any number of 64 bits, whatever the caller's context is."""
_FEW: Final = 2
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
_DIMENSIONS: Final[Mapping[str, LiteralString | None]] = {
    "all": f"r.dimension = {ALL}",
    "sales": f"r.dimension = {SALES}",
    "product": f"r.dimension = {PRODUCT}",
    "rule": f"r.dimension = {RULE}",
    "reason": None,
}
_NONE_EXACT: Final[LiteralString] = """
    CASE WHEN count(exact) > 0 THEN (count(exact) * 1e99)::bigint ELSE 0 END"""
"""Nothing; out of range if amounts of a group aren't whole numbers."""
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
        params = self._params(question, cover(bounds, beyond=True), starts)

        def read(amounts: Amounts) -> list[SalesTotal]:
            query = _query(TOTALS, question, amounts=amounts, partner=sql.SQL(partner))
            columns = fetch_columns(self._db, query, params)
            return _totals(columns, starts if question.grain else None, amounts)

        return self._whole_or_exact(read)

    def ranks(self, question: SalesQuestion, ranking: Ranking) -> list[RankedTotal]:
        """Ranks, exactly as `figures.fold_ranks` returns them."""
        parts = cover_one(question.since, question.until, PRODUCT_SPANS)
        params = self._params(question, parts) | {"limit": ranking.limit}
        rows = _RANKED_PRODUCTS if ranking.by == "product" else _RANKS

        def read(amounts: Amounts) -> list[RankedTotal]:
            query = _query(
                RANKED,
                question,
                "product",
                amounts=amounts,
                names=sql.SQL(_NAMED[ranking.by]),
                measure=sql.SQL(_MEASURES[ranking.measure]),
            )
            return fetch(self._db, rows, query, params)

        return self._whole_or_exact(read)

    def _whole_or_exact(self, read: Callable[[Amounts], list[T]]) -> list[T]:
        """What it reads by whole numbers, or by decimals if an amount doesn't fit into those."""
        try:
            with self._db.transaction():
                return read("whole")
        except NumericValueOutOfRange:
            return read("exact")

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
        starts = starts or [question.since]
        even = [*stretches(starts), (starts[-1], timedelta(0), 1)]
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
                    FROM sales_blocks_horizon
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


def _query(
    text: LiteralString,
    question: SalesQuestion,
    of: Of = "sales",
    *,
    amounts: Amounts = "exact",
    **more: sql.Composable,
) -> sql.Composed:
    """The text with a question's conditions; all values are parameters."""
    is_event = question.basis == "event"
    back = "back" if is_event else "late"
    parts: dict[str, sql.Composable] = {
        "rollups": sql.Identifier("sales_reason_blocks" if of == "reason" else "sales_blocks"),
        "columns": sql.SQL(_ENTRY),
        "below": sql.SQL(BELOW),
        "seller": sql.SQL(_seller(question)),
        "subject": sql.SQL("product_id" if of == "product" else "NULL::uuid"),
        "by_order": sql.Literal(not is_event),
        "back": sql.Identifier(back),
        "back_units": sql.Identifier(f"{back}_units"),
        **_amounts(back, amounts),
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


def _amounts(back: LiteralString, amounts: Amounts) -> dict[str, sql.Composable]:
    """The expressions of amounts in blocks and in entries, and what follows from their kind."""
    columns = [*AMOUNTS[:4], f"{back}_cancelled", f"{back}_refunded"]
    if amounts == "whole":
        kept: list[sql.Composable] = [sql.Identifier(name) for name in columns]
        entries = [sql.SQL(in_units(name).replace("::units", "::bigint").replace("beyond", "1e99"))
                   for name in AMOUNTS[:4]]  # fmt: skip
        unit, least = "0.0001", _NONE_EXACT
    else:
        kept = [
            sql.SQL("(coalesce({name} * 0.0001, 0) + coalesce(exact[{place}], 0))").format(
                name=sql.Identifier(name), place=sql.Literal(AMOUNTS.index(name) + 1)
            )
            for name in columns
        ]
        entries = [sql.SQL(name) for name in AMOUNTS[:4]]
        unit, least = "1", "0"
    return {
        **dict(zip(AMOUNTS, kept, strict=False)),
        **{f"entry_{name}": entry for name, entry in zip(AMOUNTS, entries, strict=False)},
        "unit": sql.SQL(unit),
        "least": sql.SQL(least),
    }


def _totals(
    columns: Sequence[Sequence[Any]], starts: Sequence[datetime] | None, amounts: Amounts
) -> list[SalesTotal]:
    """Totals of their columns, which are in the order of the class; there may be thousands."""
    if not columns:
        return []
    period, partner = columns[:2]
    names = {id_: f"ptn_{id_.hex()}" if id_ else ALL_PARTNERS for id_ in set(partner)}
    figures = columns[5:]
    if amounts == "whole":
        figures = [_in_currency(column) for column in figures]
    periods: list[datetime | None] = [starts[n] if starts else None for n in period]
    partners = [names[id_] for id_ in partner]
    return list(map(SalesTotal, periods, partners, *columns[2:5], *figures))


def _in_currency(column: Sequence[int]) -> Sequence[Decimal]:
    """Ten thousandths as decimals; many columns have few different ones."""
    distinct = set(column)
    with localcontext(_WIDE):
        if len(distinct) * _FEW < len(column):
            amounts = {amount: Decimal(amount) * _UNIT for amount in distinct}
            return [amounts[amount] for amount in column]
        return [Decimal(amount) * _UNIT for amount in column]


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
