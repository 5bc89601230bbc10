"""The units of products that orders deduct, in memory."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from adapters.memory.tables import Tables
from commerce_core.stock.reservation import Deduction, StockMove, Taking, decide


@frozen
class Stock:
    """Implements `commerce_core.ports.stock.Stock`."""

    _kept: Tables

    def take(
        self,
        takings: Sequence[Taking],
        at: datetime,
        *,
        whole: bool = False,  # noqa: ARG002 - nothing is divided here
    ) -> Mapping[str, int]:
        """Reserves what can be supplied; returns what else could have been."""
        wanted = Counter[str]()
        for taking in takings:
            wanted[taking.product_id] += taking.units
        short: dict[str, int] = {}
        for product_id, units in wanted.items():
            row = self._kept.products.get(product_id)
            reserved = self._kept.reserved.get(product_id, 0)
            if row is not None and evolve(row, reserved=reserved).can_supply(units):
                self._kept.reserved[product_id] = reserved + units
            else:
                quantity = row.quantity or 0 if row else 0
                short[product_id] = max(0, quantity - reserved)
        for t in takings:
            if t.net_of_orders and t.product_id not in short:
                kept = Deduction(t.product_id, t.item_id, "", at, t.units)
                self._kept.deductions[t.item_id, ""] = kept
        return short

    def move(self, moves: Sequence[StockMove], at: datetime) -> None:
        """Moves units of lines."""
        lines = {move.item_id for move in moves}
        own = [d for d in self._kept.deductions.values() if d.item_id in lines]
        change = decide(moves, own, at)
        for deduction in change.deductions:
            key = (deduction.item_id, deduction.cause)
            if deduction.units:
                self._kept.deductions[key] = deduction
            elif key in self._kept.deductions:
                del self._kept.deductions[key]
        self._add(change.reserved)

    def _add(self, units: Mapping[str, int]) -> None:
        for product_id, number in units.items():
            before = self._kept.reserved.get(product_id, 0)
            self._kept.reserved[product_id] = before + number

    def deducting(self, partner_id: str, before: datetime) -> Collection[str]:
        """The partner's products with deductions since before that moment."""
        since = {d.product_id for d in self._kept.deductions.values() if d.since < before}
        rows = self._kept.products
        return sorted(id_ for id_ in since if rows[id_].partner_id == partner_id)

    def settle(self, product_ids: Collection[str], snapshot_at: datetime) -> None:
        """Ends the deductions of these products since before that moment."""
        ended = Counter[str]()
        for key, deduction in tuple(self._kept.deductions.items()):
            if deduction.product_id in product_ids and deduction.since < snapshot_at:
                ended[deduction.product_id] -= deduction.units
                del self._kept.deductions[key]
        self._add(ended)
