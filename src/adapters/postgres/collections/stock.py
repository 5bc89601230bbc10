"""The units of products that orders deduct, in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from adapters.postgres.collections.escrow import COOLING, HOT, RESERVED, SLOTS, Escrow
from adapters.postgres.connection.documents import rows_document
from adapters.postgres.connection.rows import Connection, digits, fetch, prefixed, rows_of
from commerce_core.stock.reservation import (
    Deduction,
    StockMove,
    Taking,
    decide,
    needs_deductions,
)

_DEDUCTIONS: Final = rows_of(Deduction)
_product_id: Final = prefixed("prod")
# Slots come after all rows that others may wait for: that is what counting them is for.
_TAKE: Final = """
    WITH wanted AS MATERIALIZED (
        SELECT p.partner_id, p.product_id, wanted.units, p.quantity,
               p.quantity IS NULL OR p.availability IN ('preorder', 'backorder') AS any_,
               held.units AS held, coalesce(held.divided, 0) > 0 AS is_divided
        FROM json_to_recordset(%(wanted)s::json) AS wanted (product_id uuid, units bigint)
        CROSS JOIN LATERAL (
            SELECT * FROM products WHERE product_id = wanted.product_id OFFSET 0
        ) AS p
        LEFT JOIN LATERAL (
            SELECT units, divided
            FROM held_units
            WHERE partner_id = p.partner_id AND product_id = p.product_id
            OFFSET 0
        ) AS held ON TRUE
    ),
    taken AS (
        INSERT INTO held_units AS held (partner_id, product_id, units, heat, heated_at)
        SELECT partner_id, product_id, units, 1, %(at)s
        FROM wanted
        WHERE NOT is_divided AND (any_ OR units <= quantity)
        ORDER BY partner_id, product_id
        ON CONFLICT (partner_id, product_id)
        DO UPDATE SET units = held.units + excluded.units, heated_at = excluded.heated_at,
            heat = 1 + greatest(
                0,
                held.heat - %(cooling)s * greatest(
                    0, extract(epoch FROM excluded.heated_at - held.heated_at)
                )
            )
        WHERE (
            SELECT p.quantity IS NULL OR p.availability IN ('preorder', 'backorder')
                OR held.units + excluded.units <= p.quantity
            FROM products p
            WHERE p.product_id = excluded.product_id
        )
        RETURNING product_id, CASE divided WHEN 0 THEN heat ELSE 0 END AS heat
    ),
    slot AS MATERIALIZED (
        SELECT product_id, free.slot, wanted.units
        FROM wanted
        CROSS JOIN LATERAL (
            SELECT e.slot
            FROM escrow_units e
            WHERE e.product_id = wanted.product_id AND e.units >= wanted.units
            ORDER BY (e.slot + pg_backend_pid()) %% %(slots)s
            LIMIT 1
            FOR UPDATE SKIP LOCKED
        ) AS free
        WHERE is_divided AND (any_ OR held <= quantity)
              AND (SELECT count(*) FROM taken) >= 0
    ),
    given AS (
        UPDATE escrow_units e
        SET units = e.units - slot.units
        FROM slot
        WHERE e.product_id = slot.product_id AND e.slot = slot.slot
        RETURNING e.product_id
    )
    SELECT product_id, heat FROM taken
    UNION ALL
    SELECT product_id, 0 FROM given"""


@frozen
class Stock:
    """Implements `commerce_core.ports.stock.Stock`.

    Rows are always locked in the order of partner and product, deductions before reserved units,
    and these before units in escrow, so that no two units wait for each other.
    """

    _db: Connection

    def take(
        self, takings: Sequence[Taking], at: datetime, *, whole: bool = False
    ) -> Mapping[str, int]:
        """Reserves what can be supplied; returns what else could have been."""
        wanted: dict[str, int] = {}
        for taking in takings:
            wanted[taking.product_id] = wanted.get(taking.product_id, 0) + taking.units
        if whole:
            self._escrow.gather(wanted, at)
        taken = self._take(wanted, at)
        if hot := [product_id for product_id, heat in taken.items() if heat >= HOT]:
            self._escrow.divide(hot)
        short = [product_id for product_id in wanted if product_id not in taken]
        net = [taking for taking in takings if taking.net_of_orders and taking.product_id in taken]
        if net:
            rows = [Deduction(t.product_id, t.item_id, "", at, t.units) for t in net]
            self._keep(rows)
        return self._supply(short) if short else {}

    @property
    def _escrow(self) -> Escrow:
        return Escrow(self._db)

    def _take(self, wanted: Mapping[str, int], at: datetime) -> Mapping[str, float]:
        """Takes what there is; returns how hot each product is that could supply its units."""
        # One statement, so that it holds the rows as shortly as can be. What a product can supply
        # is judged when its row is locked, after everybody who was before.
        rows = self._db.execute(
            _TAKE,
            {
                "wanted": rows_document(
                    [{"product_id": digits(id_), "units": units} for id_, units in wanted.items()]
                ),
                "at": at,
                "cooling": COOLING,
                "slots": SLOTS,
            },
        ).fetchall()
        return {_product_id(row[0]): row[1] for row in rows}

    def _supply(self, product_ids: Sequence[str]) -> Mapping[str, int]:
        """What these products can still supply."""
        rows = self._db.execute(
            """
            SELECT p.product_id, greatest(0, p.quantity - coalesce(held.units, 0))
            FROM products p
            LEFT JOIN """  # noqa: S608 - our own text
            + RESERVED
            + """ held USING (partner_id, product_id)
            WHERE p.product_id = ANY(%s::uuid[])
            """,
            [[digits(product_id) for product_id in product_ids]],
        ).fetchall()
        return dict.fromkeys(product_ids, 0) | {_product_id(row[0]): row[1] or 0 for row in rows}

    def move(self, moves: Sequence[StockMove], at: datetime) -> None:
        """Moves units of lines."""
        if not moves:
            return
        known: Sequence[Deduction] = ()
        if needs_deductions(moves):
            known = fetch(
                self._db,
                _DEDUCTIONS,
                """
                SELECT product_id, item_id, cause, since, units
                FROM stock_deductions
                WHERE item_id = ANY(%s::uuid[])
                ORDER BY partner_id, product_id, item_id, cause
                FOR UPDATE
                """,
                [[digits(move.item_id) for move in moves]],
            )
        change = decide(moves, known, at)
        self._keep([deduction for deduction in change.deductions if deduction.units])
        self._drop([deduction for deduction in change.deductions if not deduction.units])
        self._add(change.reserved)

    def _keep(self, deductions: Sequence[Deduction]) -> None:
        if deductions:
            self._db.execute(
                """
                INSERT INTO stock_deductions AS kept (partner_id, product_id, item_id, cause, since,
                                                      units)
                SELECT p.partner_id, p.product_id, d.item_id, d.cause, d.since, d.units
                FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::bigint[])
                     AS d (product_id, item_id, cause, since, units)
                CROSS JOIN LATERAL (
                    SELECT * FROM products WHERE product_id = d.product_id OFFSET 0
                ) AS p
                ORDER BY p.partner_id, p.product_id, d.item_id, d.cause
                ON CONFLICT (item_id, cause) DO UPDATE SET units = excluded.units
                """,
                [
                    [digits(d.product_id) for d in deductions],
                    [digits(d.item_id) for d in deductions],
                    [d.cause for d in deductions],
                    [d.since for d in deductions],
                    [d.units for d in deductions],
                ],
            )

    def _drop(self, deductions: Sequence[Deduction]) -> None:
        if deductions:
            self._db.execute(
                """
                DELETE FROM stock_deductions
                WHERE (item_id, cause) IN (SELECT * FROM unnest(%s::uuid[], %s::text[]))
                """,
                [[digits(d.item_id) for d in deductions], [d.cause for d in deductions]],
            )

    def _add(self, units: Mapping[str, int]) -> None:
        """Adds to the reserved units of products, whose rows are there already."""
        if not units:
            return
        self._db.execute(
            """
            WITH locked AS MATERIALIZED (
                SELECT held.partner_id, held.product_id, moved.units
                FROM unnest(%s::uuid[], %s::bigint[]) AS moved (product_id, units)
                CROSS JOIN LATERAL (
                    SELECT partner_id FROM products WHERE product_id = moved.product_id OFFSET 0
                ) AS p
                JOIN held_units held USING (partner_id, product_id)
                ORDER BY held.partner_id, held.product_id
                FOR UPDATE OF held
            )
            UPDATE held_units AS held
            SET units = held.units + locked.units
            FROM locked
            WHERE held.partner_id = locked.partner_id AND held.product_id = locked.product_id
            """,
            [[digits(product_id) for product_id in units], list(units.values())],
        )

    def deducting(self, partner_id: str, before: datetime) -> Collection[str]:
        """The partner's products with deductions since before that moment."""
        rows = self._db.execute(
            """
            SELECT DISTINCT product_id
            FROM stock_deductions
            WHERE partner_id = %s AND since < %s
            ORDER BY product_id
            """,
            [digits(partner_id), before],
        ).fetchall()
        return [_product_id(row[0]) for row in rows]

    def settle(self, product_ids: Collection[str], snapshot_at: datetime) -> None:
        """Ends the deductions of these products since before that moment."""
        rows = self._db.execute(
            """
            WITH ended AS MATERIALIZED (
                SELECT item_id, cause
                FROM stock_deductions
                WHERE product_id = ANY(%s::uuid[]) AND since < %s
                ORDER BY partner_id, product_id, item_id, cause
                FOR UPDATE
            )
            DELETE FROM stock_deductions
            WHERE (item_id, cause) IN (SELECT item_id, cause FROM ended)
            RETURNING product_id, units
            """,
            [[digits(product_id) for product_id in product_ids], snapshot_at],
        ).fetchall()
        units: dict[str, int] = {}
        for product_id, number in rows:
            named = _product_id(product_id)
            units[named] = units.get(named, 0) - number
        self._add(units)
