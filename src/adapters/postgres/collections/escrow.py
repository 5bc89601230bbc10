"""Escrow: units of products in which many orders meet, divided among rows that nobody waits for.

While a product isn't divided, each order updates its one row, and the next one waits until that
order has committed. A product in which many orders meet has a part of what it can still supply
divided among slots. An order takes its units from a slot that no other order has locked, and waits
for nobody. `held_units.units` contains what is left in the slots, so whatever is judged by it never
oversells; readers subtract what is left (`RESERVED`), so what they see is exact.

Locks are taken in this order: the rows of products that aren't divided, by product; then slots that
are free, without waiting. An order that gets none starts again and takes its units as a whole: it
locks the rows of all of its products, by product, then all of their slots, by product and slot, and
returns what is left in them. So none waits for a slot while it holds one for which others wait.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final, LiteralString

from attrs import frozen

from adapters.postgres.connection.rows import Connection, digits

SLOTS: Final = 16
"""How many rows the units of a product are divided among."""
MOST_IN_SLOT: Final = 64
"""The most units that are put into a slot at once."""
LEAST_IN_SLOT: Final = 4
"""Of products that have fewer for each slot, none are divided: their last units are sold one order
after the other."""
HOT: Final = 30
"""A product is divided when this many orders more have met in it than `COOLING` allows for."""
COOLING: Final = 10
"""Orders a second that may meet in a product without making it any hotter."""
RESERVED: Final[LiteralString] = """(
        SELECT partner_id, product_id,
               CASE divided
                   WHEN 0 THEN units
                   ELSE units - coalesce((
                       SELECT sum(slot.units)::bigint
                       FROM escrow_units slot
                       WHERE slot.product_id = held_units.product_id
                   ), 0)
               END AS units
        FROM held_units
    )"""
"""In place of a table: the units that orders deduct from each product."""


@frozen
class Escrow:
    """The divided units of one database."""

    _db: Connection

    def divide(self, product_ids: Collection[str]) -> None:
        """Divides half of what hot products can still supply; their rows are locked already.

        One with too little left stays as it is, and cools down.
        """
        self._db.execute(
            """
            WITH share AS MATERIALIZED (
                SELECT held.partner_id, held.product_id,
                       CASE
                           WHEN p.quantity IS NULL OR p.availability IN ('preorder', 'backorder')
                               THEN %(most)s
                           ELSE least(%(most)s, (p.quantity - held.units) / (2 * %(slots)s))
                       END AS units
                FROM unnest(%(ids)s::uuid[]) AS hot (product_id)
                CROSS JOIN LATERAL (
                    SELECT * FROM products WHERE product_id = hot.product_id OFFSET 0
                ) AS p
                JOIN held_units held
                  ON held.partner_id = p.partner_id AND held.product_id = p.product_id
                WHERE held.divided = 0
            ),
            slots AS (
                INSERT INTO escrow_units (product_id, slot, units)
                SELECT product_id, slot, units
                FROM share
                CROSS JOIN generate_series(1, %(slots)s) AS slot
                WHERE units >= %(least)s
            )
            UPDATE held_units held
            SET heat = 0,
                units = held.units
                    + CASE WHEN share.units >= %(least)s THEN %(slots)s * share.units ELSE 0 END,
                divided = CASE WHEN share.units >= %(least)s THEN %(slots)s * share.units ELSE 0 END
            FROM share
            WHERE held.partner_id = share.partner_id AND held.product_id = share.product_id
            """,
            {
                "ids": [digits(id_) for id_ in product_ids],
                "slots": SLOTS,
                "most": MOST_IN_SLOT,
                "least": LEAST_IN_SLOT,
            },
        )

    def gather(self, product_ids: Collection[str], at: datetime) -> None:
        """Returns to the rows of products what is left in their slots, and locks these rows.

        What was taken from the slots since they were filled counts as orders that met.
        """
        params = {"ids": [digits(id_) for id_ in product_ids], "at": at, "cooling": COOLING}
        self._db.execute(
            """
            SELECT FROM unnest(%(ids)s::uuid[]) AS wanted (product_id)
            CROSS JOIN LATERAL (
                SELECT partner_id FROM products WHERE product_id = wanted.product_id OFFSET 0
            ) AS p
            JOIN held_units held USING (partner_id, product_id)
            ORDER BY held.partner_id, held.product_id
            FOR UPDATE OF held
            """,
            params,
        )
        self._db.execute(
            """
            SELECT FROM escrow_units
            WHERE product_id = ANY(%(ids)s::uuid[])
            ORDER BY product_id, slot
            FOR UPDATE
            """,
            params,
        )
        # Its own statement, so that it sees what the others have left.
        self._db.execute(
            """
            WITH slots AS (
                DELETE FROM escrow_units
                WHERE product_id = ANY(%(ids)s::uuid[])
                RETURNING product_id, units
            ),
            left_ AS (
                SELECT p.partner_id, product_id, sum(slots.units)::bigint AS units
                FROM slots
                JOIN products p USING (product_id)
                GROUP BY p.partner_id, product_id
            )
            UPDATE held_units held
            SET units = held.units - left_.units, divided = 0, heated_at = %(at)s,
                heat = greatest(
                    0,
                    held.heat + held.divided - left_.units
                    - %(cooling)s * greatest(0, extract(epoch FROM %(at)s - held.heated_at))
                )
            FROM left_
            WHERE held.partner_id = left_.partner_id AND held.product_id = left_.product_id
            """,
            params,
        )
