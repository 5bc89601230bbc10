"""The SQL that makes rollups: sums of entries by blocks, each level from the finer one before it.

One row is everything that was placed in a block, and what was taken back: then (`back`), or at any
time from orders that were placed then (`late`). So the kinds of entries don't multiply the rows.
"""

from collections.abc import Sequence
from typing import Final, LiteralString

from adapters.postgres.collections.rollup_entries import (
    ALL,
    AMOUNTS,
    COUNTS,
    ENTRIES,
    NAMES,
    NO_ID,
    PRODUCT,
    RULE,
    SALES,
    SUMS,
    in_units,
    nothing,
    summed,
)

LEVELS: Final = ("quarters", "hours", "watches", "days", "octads", "seasons")
"""The names of levels in the SQL, by the spans of blocks."""
_FINER: Final[Sequence[tuple[LiteralString, LiteralString]]] = (
    ("quarters", "changes"),
    ("hours", "quarters"),
    ("watches", "hours"),
    ("days", "watches"),
    ("octads", "days"),
    ("seasons", "octads"),
)
"""What each level is made of; that of days has the sums by product besides, which begin there."""
_WHOLE: Final[LiteralString] = f"{SUMS}, NULL::numeric[]"
_EXACT: Final[LiteralString] = f"""
    {", ".join(COUNTS)}, {", ".join(f"NULL::bigint AS {name}" for name in AMOUNTS)},
    ARRAY[{", ".join(f"{name} * 0.0001" for name in AMOUNTS)}]"""
"""What is kept of sums: amounts are whole numbers, or beside them decimals of any size."""


def _added(kept: LiteralString, more: LiteralString) -> LiteralString:
    """Both added up; a sum of nothing is NULL, which takes neither room nor time."""
    return f"coalesce({kept} + {more}, {kept}, {more})"


_ADDED: Final[LiteralString] = ", ".join(
    f"{name} = {_added(f'r.{name}', f'excluded.{name}')}" for name in NAMES
)
_PLACES: Final[Sequence[LiteralString]] = ("1", "2", "3", "4", "5", "6", "7", "8")
_ADDED_EXACT: Final[LiteralString] = ", ".join(
    _added(f"r.exact[{n}]", f"excluded.exact[{n}]") for n in _PLACES
)
_OF_RULES: Final[LiteralString] = f"""
    count(*), {nothing(*COUNTS[2:], "gross", "discount")}, {in_units("sum(platform_discount)")},
    {in_units("sum(amount)")}, {nothing(*AMOUNTS[4:])}"""
_CHANGES: Final[LiteralString] = f"""
    changes (dimension, starts_at, partner_id, subject, currency, {SUMS}) AS (
        SELECT {SALES}, starts_at, partner_id, {NO_ID}, currency, {SUMS}
        FROM by_partner
        UNION ALL
        SELECT {ALL}, starts_at, {NO_ID}, {NO_ID}, currency, all_orders, {", ".join(NAMES[1:])}
        FROM by_partner
        UNION ALL
        SELECT CASE WHEN partner_id = {NO_ID} THEN {ALL} ELSE {SALES} END,
               date_bin('15 minutes', placed_at, 'epoch'::timestamptz), partner_id, {NO_ID},
               currency, -1, {nothing(*NAMES[1:])}
        FROM gone
        UNION ALL
        SELECT {RULE}, at, partner_id, rule_id, currency, count(*), {_OF_RULES}
        FROM by_rule
        GROUP BY at, partner_id, rule_id, currency
        UNION ALL
        SELECT {RULE}, at, {NO_ID}, rule_id, currency, count(DISTINCT order_id), {_OF_RULES}
        FROM by_rule
        GROUP BY at, rule_id, currency
    ),"""  # noqa: S608 - names of ours
_LEVELS: Final[LiteralString] = "".join(
    f"""
    {level} AS MATERIALIZED (
        SELECT dimension, date_bin(make_interval(secs => %({level})s), starts_at,
                                   'epoch'::timestamptz) AS starts_at,
               partner_id, subject, currency, {summed(*NAMES)}
        FROM {finer}
        GROUP BY 1, 2, 3, 4, 5
        {"UNION ALL SELECT * FROM by_product" if level == "days" else ""}
    ),"""  # noqa: S608 - names of ours
    for level, finer in _FINER
)
_NEWEST: Final[LiteralString] = f"""
    newest AS MATERIALIZED (
        SELECT span, max(starts_at) AS starts_at
        FROM unnest(ARRAY[{", ".join(f"%({level})s::int" for level in LEVELS)}]) AS each (span)
        CROSS JOIN (VALUES ({ALL}), ({SALES}), ({PRODUCT}), ({RULE})) AS of (dimension)
        CROSS JOIN LATERAL (
            SELECT max(r.starts_at) AS starts_at
            FROM sales_blocks r
            WHERE r.dimension = of.dimension AND r.span = each.span
        ) AS r
        GROUP BY span
    ),"""  # noqa: S608 - names of ours


def _rows(is_newer: LiteralString) -> LiteralString:
    """The rows of all levels that are newer than those kept, or those that aren't.

    Reports find what they read of a range side by side; products are many.
    """
    return " UNION ALL ".join(
        f"""
        SELECT %({level})s::int, dimension, starts_at, partner_id, subject, currency, kept_sums
        FROM (SELECT * FROM {level} ORDER BY dimension = {PRODUCT}, starts_at) AS {level}
        WHERE (starts_at > (SELECT n.starts_at FROM newest n WHERE n.span = %({level})s))
              {is_newer}"""  # noqa: S608 - names of ours
        for level in LEVELS
    )


_KEPT: Final[LiteralString] = f"""
    kept_orders AS (
        INSERT INTO sales_gone_orders
            (order_id, partner_id, currency, placed_at, cancelled_at, longer)
        SELECT order_id, partner_id, currency, placed_at, cancelled_at,
               length(ltrim(greatest(0, extract(day FROM cancelled_at - placed_at))::int
                            ::bit(32)::text, '0'))
        FROM gone
        ORDER BY order_id, partner_id
    ),
    kept_unplaced AS (
        INSERT INTO sales_awaited_orders (order_id)
        SELECT order_id
        FROM cancelled c
        WHERE NOT EXISTS (
            SELECT FROM of_order o
            WHERE o.order_id = c.order_id AND o.currency IS NULL AND o.placed_at IS NOT NULL
        )
    ),
    kept_reasons AS (
        INSERT INTO sales_reason_blocks AS r
            (partner_id, span, starts_at, currency, kind, reason, by_order, entries, units, amount)
        SELECT of.seller, span,
               date_bin(make_interval(secs => span), starts_at, 'epoch'::timestamptz), currency,
               kind, reason, is_late, sum(entries), sum(units), sum(amount) * 0.0001
        FROM by_reason
        CROSS JOIN LATERAL (VALUES (partner_id), ({NO_ID})) AS of (seller)
        CROSS JOIN unnest(%(reason_spans)s::int[]) AS span
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (partner_id, span, starts_at, currency, kind, reason, by_order)
        DO UPDATE SET entries = r.entries + excluded.entries, units = r.units + excluded.units,
                      amount = r.amount + excluded.amount
    ),
    added AS (
        INSERT INTO sales_blocks AS r
            (span, dimension, starts_at, partner_id, subject, currency, {SUMS}, exact)
        {_rows("IS FALSE")}
        ON CONFLICT (dimension, span, starts_at, partner_id, subject, currency)
        DO UPDATE SET {_ADDED},
                      exact = CASE
                          WHEN r.exact IS NULL THEN excluded.exact
                          WHEN excluded.exact IS NULL THEN r.exact
                          ELSE ARRAY[{_ADDED_EXACT}]
                      END
    ),
    kept AS (
        -- Nothing can be in their way; looking for it takes as long as writing them.
        INSERT INTO sales_blocks
            (span, dimension, starts_at, partner_id, subject, currency, {SUMS}, exact)
        {_rows("IS NOT FALSE")}
    )
    SELECT coalesce(sum(placed), 0)::bigint + coalesce(sum(back), 0)::bigint
    FROM by_partner"""  # noqa: S608 - names of ours
_TEXT: Final[LiteralString] = f"{ENTRIES}{_CHANGES}{_LEVELS}{_NEWEST}{_KEPT}"
ROLL_UP: Final[LiteralString] = (
    _TEXT.replace("kept_sums", _WHOLE).replace("::units", "::bigint").replace("beyond", "1e99")
)
"""Adds the entries from `before` to `after`, and returns how many.

Amounts are whole ten thousandths of a currency, since none of today's has more decimals. If one is
finer, or sums don't fit into 64 bits, it raises NumericValueOutOfRange.
"""
ROLL_UP_ANY: Final[LiteralString] = (
    _TEXT.replace("kept_sums", _EXACT).replace("::units", "::numeric").replace("beyond", "10000")
)
"""The same with decimals of any size, which takes longer."""
