"""The fate of every record of a feed, decided by one statement over all of them.

    staged     the records as read, and the products that they matched
    repeated   those that a later record of the same sku overrides
    decided    every record that changes a product or has a problem that only the comparison finds,
               with the fields that get another value, and the price from and to which it asks
               that product's to be moved

What isn't decided is unchanged, so a feed that changes little writes little. The fates and their
order, and what is settled of prices and currencies, are those of `commerce_core.plans.comparison`.
"""

from functools import lru_cache
from typing import Final

from psycopg import sql

from adapters.postgres.connection.rows import Connection, digits
from adapters.postgres.ingest.match import AT_PLACE
from adapters.postgres.ingest.staging import MOST_FORMS, Staged
from adapters.postgres.ingest.stock import OWN_STOCK, sold_out
from commerce_core.base.money import currencies
from commerce_core.plans.comparison import MONEY, FeedContext
from commerce_core.schema.fields import PRODUCT_FIELDS

PROBLEMS: Final = (
    "sku_of_other_source",
    "unknown_sku",
    "missing_currency",
    "currency_without_price",
    "too_many_decimals",
    "sku_lost_zeros",
)
"""The fates that reject a record, which are codes of problems."""
AMONG_CHANGED: Final = """
    p.ctid = ANY(ARRAY(
        SELECT place FROM decided WHERE fate IN ('updated', 'restored', 'removed', 'absent')
    ))"""
SOLD_OUT: Final = len(PRODUCT_FIELDS)
"""The bit of `changed` behind those of the fields: the product sells out."""


def decide(db: Connection, feed_context: FeedContext, staged: Staged) -> None:
    """Decides the fate of each staged record that counts."""
    _find_repeated(db)
    _decide(db, feed_context, staged)


def _find_repeated(db: Connection) -> None:
    """Keeps each record that a later one overrides, with that one's line."""
    # Grouping is a hash in one pass; the window, which sorts, sees only what is there twice.
    db.execute(
        """
        INSERT INTO repeated (line, later)
        SELECT line, later
        FROM (
            SELECT line, lead(line) OVER (PARTITION BY sku ORDER BY line) AS later
            FROM staged
            WHERE sku IN (
                SELECT sku
                FROM staged
                WHERE sku IS NOT NULL
                GROUP BY sku
                HAVING count(*) > 1
            )
        ) AS records
        WHERE later IS NOT NULL
        """
    )


def _decide(db: Connection, feed_context: FeedContext, staged: Staged) -> None:
    """Decides the fate of each record that counts, and keeps it unless it is `unchanged`."""
    known = currencies()
    db.execute(
        _statement(staged.form, own_first=feed_context.mode == "delta"),
        {
            "partner_id": digits(feed_context.partner_id),
            "source_id": digits(feed_context.source_id),
            "assumed": feed_context.currency,
            "codes": list(known),
            "exponents": list(known.values()),
            "price_leap": feed_context.price_leap,
            "without_removals": feed_context.without_removals,
        },
    )


@lru_cache(MOST_FORMS)
def _statement(staged: Staged, *, own_first: bool) -> bytes:
    """The statement for records of that form; whether the product's own currency goes first."""
    assumed = (
        "coalesce(own_currency, %(assumed)s)"
        if own_first
        else "coalesce(%(assumed)s, own_currency)"
    )
    made = sql.SQL(_DECIDE).format(
        assumed=sql.SQL(assumed),
        product_name=staged.own("product_name"),
        currency=staged.own("currency"),
        sets_currency=staged.sets("currency"),
        sets_money=staged.sets(*MONEY),
        sets_price=staged.sets("price"),
        sets_sale=staged.sets("sale_price"),
        sets_window=staged.sets("price", "sale_price", "sale_starts_at", "sale_ends_at"),
        sets_whole_price=staged.sets_all("price", "sale_price"),
        sets_whole_window=staged.sets_all("sale_price", "sale_starts_at", "sale_ends_at"),
        starts=staged.value("sale_starts_at"),
        ends=staged.value("sale_ends_at"),
        price=staged.value("price"),
        sale_price=staged.value("sale_price"),
        differing=_differing(staged),
        sells_out=_sells_out(staged),
        price_bit=_bit("price"),
        sale_price_bit=_bit("sale_price"),
        currency_bit=_bit("currency"),
        sold_out_bit=sql.Literal(1 << SOLD_OUT),
        product=sql.SQL(AT_PLACE),
    )
    return made.as_bytes()


# OFFSET 0 keeps what is built on from being computed anew for each time that it is named.
_DECIDE: Final = """
    INSERT INTO decided (line, fate, product_id, place, changed, price, sale_price, currency, field,
                         amount, moved_from, moved_to, leaps, doubt)
    WITH judged_by AS (
        SELECT s.line, s.deletes, p.product_id, p.source_id, p.ctid AS place,
               (p.product_id IS NULL OR p.status = 'removed') AS gone,
               (coalesce({product_name}, '') = '') AS nameless,
               {sets_money} AS sets_money,
               {sets_currency} AS sets_currency,
               {sets_price} AS sets_price,
               {sets_sale} AS sets_sale,
               {sets_window} AS sets_window,
               {sets_whole_price} AS sets_whole_price,
               {sets_whole_window} AS sets_whole_window,
               {starts} AS starts,
               {ends} AS ends,
               {currency} AS stated_currency,
               p.currency AS own_currency,
               {price} AS price,
               {sale_price} AS stated_sale_price,
               p.price AS own_price,
               p.sale_price AS own_sale_price,
               {differing} AS differing,
               {sells_out} AS sells_out
        FROM staged s
        LEFT JOIN matched m ON m.line = s.line
        LEFT JOIN {product} AS p ON TRUE
        WHERE NOT s.rejected AND s.sku IS NOT NULL
          AND NOT EXISTS (SELECT FROM repeated r WHERE r.line = s.line)
    ),
    -- A price that names no currency takes one; without any price a blank currency clears it.
    named AS (
        SELECT judged_by.*,
               CASE
                   WHEN NOT sets_money THEN own_currency
                   WHEN stated_currency IS NOT NULL THEN stated_currency
                   WHEN price IS NOT NULL OR stated_sale_price IS NOT NULL THEN {assumed}
                   WHEN NOT sets_currency THEN own_currency
               END AS currency
        FROM judged_by
        OFFSET 0
    ),
    -- No amount keeps its number in another currency: a new price clears the sale price.
    exchanged AS (
        SELECT named.*,
               CASE
                   WHEN currency <> own_currency AND sets_money AND sets_price AND NOT sets_sale
                       THEN NULL
                   ELSE stated_sale_price
               END AS sale_price,
               (currency <> own_currency AND sets_money AND NOT sets_price
                AND (own_price IS NOT NULL
                     OR (NOT sets_sale AND own_sale_price IS NOT NULL))) IS TRUE AS stranded
        FROM named
    ),
    -- Amounts in the decimals of their currency, as far as money is set at all.
    settled AS (
        SELECT exchanged.*,
               CASE WHEN sets_money THEN round(price, known.exponent) END AS round_price,
               CASE WHEN sets_money THEN round(sale_price, known.exponent) END AS round_sale_price
        FROM exchanged
        LEFT JOIN unnest(%(codes)s::text[], %(exponents)s::int[]) AS known (code, exponent)
               ON known.code = exchanged.currency
        OFFSET 0
    ),
    -- A price moves within its currency, from something to something else.
    moving AS (
        SELECT settled.*,
               (sets_money AND NOT gone AND own_price > 0 AND round_price <> own_price
                AND currency = own_currency) IS TRUE AS moves
        FROM settled
    ),
    leaping AS (
        SELECT moving.*,
               (moves AND round_price > 0 AND (round_price >= own_price * %(price_leap)s::int
                OR round_price * %(price_leap)s::int <= own_price)) IS TRUE AS leaps
        FROM moving
        OFFSET 0
    ),
    -- A sale price that is none beside what the product keeps is taken away.
    doubting AS (
        SELECT leaping.*,
               CASE
                   WHEN deletes OR leaps OR product_id IS NULL OR NOT sets_window THEN NULL
                   WHEN sale_price IS NULL THEN NULL
                   WHEN sale_price >= price AND NOT sets_whole_price THEN 'sale_not_below_price'
                   WHEN sale_price >= price THEN NULL
                   WHEN ends <= starts AND NOT sets_whole_window THEN 'sale_ends_before_start'
               END AS doubt
        FROM leaping
    ),
    -- A price that leaps stays as it is, and its sale price with it.
    changing AS (
        SELECT doubting.*,
               differing
               + CASE WHEN NOT leaps AND price IS DISTINCT FROM own_price
                      THEN {price_bit} ELSE 0 END
               + CASE WHEN NOT leaps
                           AND CASE WHEN doubt IS NULL THEN sale_price END
                               IS DISTINCT FROM own_sale_price
                      THEN {sale_price_bit} ELSE 0 END
               + CASE WHEN currency IS DISTINCT FROM own_currency
                      THEN {currency_bit} ELSE 0 END AS changed
        FROM doubting
    ),
    judged AS (
        SELECT changing.*,
               CASE
                   WHEN deletes AND gone THEN 'unchanged'
                   WHEN NOT gone AND source_id <> %(source_id)s THEN 'sku_of_other_source'
                   WHEN deletes AND %(without_removals)s THEN 'withheld'
                   WHEN deletes THEN 'removed'
                   WHEN product_id IS NULL AND nameless THEN 'unknown_sku'
                   WHEN sets_money AND currency IS NULL
                        AND (price IS NOT NULL OR sale_price IS NOT NULL) THEN 'missing_currency'
                   WHEN stranded THEN 'currency_without_price'
                   WHEN price <> round_price OR sale_price <> round_sale_price
                       THEN 'too_many_decimals'
                   WHEN product_id IS NULL THEN 'created'
                   WHEN gone THEN 'restored'
                   WHEN changed <> 0 THEN 'updated'
                   ELSE 'unchanged'
               END AS fate
        FROM changing
        OFFSET 0
    ),
    concluded AS (
        SELECT judged.*, fate IN ('updated', 'unchanged', 'restored') AND doubt IS NOT NULL AS warns
        FROM judged
    )
    SELECT line, fate, product_id, place,
           changed + CASE WHEN sells_out THEN {sold_out_bit} ELSE 0 END,
           CASE WHEN leaps THEN own_price ELSE coalesce(round_price, price) END,
           CASE
               WHEN leaps THEN own_sale_price
               WHEN doubt IS NULL THEN coalesce(round_sale_price, sale_price)
           END,
           currency,
           CASE fate
               WHEN 'missing_currency'
                   THEN CASE WHEN price IS NULL THEN 'sale_price' ELSE 'price' END
               WHEN 'currency_without_price' THEN 'currency'
               WHEN 'too_many_decimals'
                   THEN CASE WHEN price <> round_price THEN 'price' ELSE 'sale_price' END
           END,
           CASE fate
               WHEN 'missing_currency' THEN coalesce(price, sale_price)
               WHEN 'too_many_decimals'
                   THEN CASE WHEN price <> round_price THEN price ELSE sale_price END
               ELSE CASE WHEN warns THEN coalesce(round_sale_price, sale_price) END
           END,
           CASE WHEN moves AND fate IN ('updated', 'unchanged') THEN own_price END,
           CASE WHEN moves AND fate IN ('updated', 'unchanged') THEN round_price END,
           leaps AND fate IN ('updated', 'unchanged'),
           CASE WHEN warns THEN doubt END
    FROM concluded
    WHERE fate <> 'unchanged' OR leaps OR warns"""


def _bit(name: str) -> sql.Literal:
    """The bit of a field in `changed`."""
    return sql.Literal(1 << PRODUCT_FIELDS.index(name))


def _differing(staged: Staged) -> sql.Composable:
    """The bits of the fields that a staged record sets to another value, except money."""
    return sql.SQL(" + ").join([
        sql.SQL("0::int8"),
        *(
            sql.SQL("CASE WHEN {} IS DISTINCT FROM p.{} THEN {} ELSE 0 END").format(
                staged.value(name), sql.Identifier(name), _bit(name)
            )
            for name in staged.fields
            if name not in MONEY
        ),
    ])  # fmt: skip


def _sells_out(staged: Staged) -> sql.Composable:
    """Whether a product that was in stock isn't any more."""
    stock = staged.value("availability"), staged.value("quantity")
    return sql.SQL("({} AND NOT {})").format(sold_out(*stock), sold_out(*OWN_STOCK))


def settled_value(staged: Staged, name: str) -> sql.Composable:
    """The SQL of what a field becomes: money as decided in `d`, the rest as staged in `s`."""
    return sql.SQL("d.{}").format(sql.Identifier(name)) if name in MONEY else staged.value(name)
