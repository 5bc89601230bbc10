"""Acts on orders: confirmed, fulfilled, cancelled, refunded; each decided, then written at once."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from attrs import evolve, frozen

from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.postings import entries_of
from commerce_core.base.errors import InvalidInput, Stale, no_such
from commerce_core.base.identity import requested
from commerce_core.base.ids import parse
from commerce_core.base.money import currency
from commerce_core.orders import acts
from commerce_core.orders.acts import AnyAsked, Outcome, as_of
from commerce_core.orders.asking import (
    CancelAsked,
    ConfirmAsked,
    FulfilAsked,
    RefundAsked,
    unknown_part,
)
from commerce_core.orders.order import Order
from commerce_core.orders.part import Refund
from commerce_core.orders.states import OrderStatus
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context, IdempotencyKey

ActKind = Literal[
    "order.confirmed",
    "order.fulfilled",
    "order.fulfilment_cancelled",
    "order.cancelled",
    "order.refunded",
]
"""What is done to orders; events and entries of the audit have the same names."""
ALWAYS_IN_ACTS: Final = frozenset(
    {"partner_id", "items", "item_id", "quantity", "version", "carrier", "tracking_number"}
    | {"reason", "amount", "currency", "returned", "restock"}
)
"""What is always part of an idempotency key's request; fields that are added later aren't."""
MOST_EXPIRED: Final = 100
"""The most orders that are written as expired in one go."""


def _kind_of(asked: AnyAsked) -> ActKind:
    match asked:
        case ConfirmAsked():
            return "order.confirmed"
        case FulfilAsked():
            return "order.fulfilled"
        case CancelAsked():
            return "order.cancelled"
        case RefundAsked():
            return "order.refunded"


@frozen
class PlannedUnits:
    """What a plan pays back for a line."""

    item_id: str
    sku: str
    quantity: int
    amount: Decimal


@frozen
class PlannedMoney:
    """What a plan pays back in all, and for each line."""

    currency: str
    amount: Decimal
    items: tuple[PlannedUnits, ...]


@frozen
class PlannedStock:
    """What is available of a product before and after; None if its stock isn't tracked."""

    product_id: str
    sku: str
    available_before: int | None
    available_after: int | None


@frozen
class PlannedStatement:
    """By how much what is owed to a partner changes, on its next statement."""

    partner_id: str
    currency: str
    amount: Decimal


@frozen
class ActPlan:
    """What an act will do: the order afterwards, money back, stock, ledger entries, statements."""

    order: Order
    refund: PlannedMoney
    stock: tuple[PlannedStock, ...]
    ledger: tuple[SalesEntry, ...]
    statement: tuple[PlannedStatement, ...]


@frozen
class _State:
    """What the audit records of an order before and after an act."""

    status: OrderStatus
    version: int
    cancelled_amount: Decimal
    refunded_amount: Decimal

    @classmethod
    def of(cls, order: Order) -> "_State":
        return cls(order.status, order.version, order.cancelled_amount, order.refunded_amount)


@frozen
class Acts:
    """Acts on orders, each in one transaction with its stock, ledger entries, events and audit."""

    _context: Context

    def do(self, order_id: str, asked: AnyAsked, key: IdempotencyKey | str | None = None) -> Order:
        """The order after the act; InvalidInput or Conflict with every reason against it.

        Stale if the order has changed since `asked.version`.
        """
        named = parse("ord", order_id)
        request = (type(asked).__name__, named, requested(asked, ALWAYS_IN_ACTS))
        with self._context.writing() as unit:
            return self._context.once(
                unit, key, request, lambda: self._do(unit, named, asked), answer=Order
            )

    def _do(self, unit: UnitOfWork, order_id: str, asked: AnyAsked) -> Order:
        before, outcome = self._decided(unit, order_id, asked)
        self.write(unit, _kind_of(asked), before, outcome)
        return self._seen(outcome.order)

    def plan(self, order_id: str, asked: AnyAsked) -> ActPlan:
        """What the act would do now; it is done, and taken back."""
        named = parse("ord", order_id)
        with self._context.store.begin(dry_run=True) as unit:
            before, outcome = self._decided(unit, named, asked)
            products = sorted({move.product_id for move in outcome.stock})
            stock = unit.products.get_many(products)
            entries = self.write(unit, _kind_of(asked), before, outcome)
            then = unit.products.get_many(products)
            return ActPlan(
                order=self._seen(outcome.order),
                refund=_money_of(outcome),
                stock=tuple(
                    PlannedStock(id_, p.sku, p.available, then[id_].available)
                    for id_, p in stock.items()
                ),
                ledger=tuple(entry.signed for entry in entries),
                statement=tuple(_statement_of(outcome, entries)),
            )

    def cancel_fulfilment(
        self,
        fulfilment_id: str,
        version: int | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Order:
        """Cancels a fulfilment, whose units are open again; returns its order."""
        named = parse("ful", fulfilment_id)
        with self._context.writing() as unit:
            return self._context.once(
                unit,
                key,
                ("cancel_fulfilment", named, version),
                lambda: self._cancel_fulfilment(unit, named, version),
                answer=Order,
            )

    def _cancel_fulfilment(
        self, unit: UnitOfWork, fulfilment_id: str, version: int | None
    ) -> Order:
        order = unit.orders.lock(unit.orders.of_fulfilment(fulfilment_id))
        sent = next(f for f in order.fulfilments if f.fulfilment_id == fulfilment_id)
        if not self._context.principal.may_see(sent.partner_id):
            raise no_such("fulfilment", fulfilment_id)
        seen = self._checked_version(order, version)
        outcome = acts.cancel_fulfilment(order, fulfilment_id, self._context.clock(), seen)
        self.write(unit, "order.fulfilment_cancelled", order, outcome)
        return self._seen(outcome.order)

    def refund(self, refund_id: str) -> Refund:
        """The refund with that id."""
        with self._context.store.begin() as unit:
            return self._context.seen("rfnd", refund_id, unit.orders.refund)

    def _decided(self, unit: UnitOfWork, order_id: str, asked: AnyAsked) -> tuple[Order, Outcome]:
        """The locked order, and what the act would make of it."""
        stored = unit.orders.lock(order_id)
        now = self._context.clock()
        order = as_of(stored, now)
        self._seen(order)
        own = self._context.principal.partner_id
        if asked.partner_id is not None:
            asked = evolve(asked, partner_id=_partner_id(asked.partner_id))
        if own is not None:
            if asked.partner_id not in (None, own):
                raise InvalidInput(
                    "The order can't be changed like this.",
                    faults=[unknown_part(asked.partner_id or "")],
                    code="act_refused",
                )
            asked = evolve(asked, partner_id=own)
        asked = evolve(asked, version=self._checked_version(order, asked.version))
        return order, acts.decide(order, asked, now, self._context.mint)

    def _checked_version(self, order: Order, version: int | None) -> int:
        """The version of the order as the principal sees it; Stale unless it is the one given."""
        current = self._seen(order).version
        if version not in (None, current):
            raise Stale(
                f"The order has version {current}, not {version}.",
                "Look at it again, then decide.",
                shown={"version": current},
            )
        return current

    def _seen(self, order: Order) -> Order:
        seen = order.seen_by(self._context.principal)
        if seen is None:
            raise no_such("order", order.order_id)
        return seen

    def write(
        self,
        unit: UnitOfWork,
        kind: ActKind,
        before: Order,
        outcome: Outcome,
        *,
        at: datetime | None = None,
        **more: object,
    ) -> Sequence[SalesEntry]:
        """Writes what was decided, stock last; returns the ledger entries.

        These are of the moment `at`, by default that of the act.
        """
        order = outcome.order
        unit.orders.put(order, outcome.fulfilments, outcome.refunds)
        if order.status == "cancelled" and before.status != "cancelled":
            unit.rules.give_back(order.order_id, order.updated_at)
        entries = self._entries(unit, outcome, at or order.updated_at)
        if entries:
            unit.sales.add(entries)
        made: dict[str, object] = {
            "fulfilment_ids": [f.fulfilment_id for f in outcome.fulfilments],
            "refund_ids": [refund.refund_id for refund in outcome.refunds],
        }
        more |= {name: ids for name, ids in made.items() if ids}
        unit.events.add([self._context.new_event().of_order(kind, order, outcome.touched, **more)])
        self._note(unit, kind, before, outcome)
        unit.stock.move(outcome.stock, order.updated_at)
        return entries

    def _entries(self, unit: UnitOfWork, outcome: Outcome, at: datetime) -> list[SalesEntry]:
        """The ledger entries of an act."""
        order = outcome.order
        if not outcome.movements:
            return []
        so_far = unit.sales.of_order(order.order_id)
        return entries_of(order, outcome.movements, at, lambda: self._context.mint("ent"), so_far)

    def _note(self, unit: UnitOfWork, action: ActKind, before: Order, outcome: Outcome) -> None:
        touched = outcome.touched
        self._context.note(
            unit,
            action,
            outcome.order.order_id,
            *(f.fulfilment_id for f in outcome.fulfilments),
            *(refund.refund_id for refund in outcome.refunds),
            partner_id=touched[0] if len(touched) == 1 else None,
            note=next((refund.reason for refund in outcome.refunds), None),
            before=_State.of(before),
            after=_State.of(outcome.order),
        )

    def expire(self, order_ids: Sequence[str]) -> int:
        """Writes that these orders have expired, each in a unit of its own; returns how many had.

        Until then they look expired, but still reserve their units.
        """
        return sum(map(self._expire, order_ids))

    def _expire(self, order_id: str) -> bool:
        with self._context.store.begin() as unit:
            order = unit.orders.lock(order_id)
            now = self._context.clock()
            if not order.has_expired(now):
                return False
            # Entries of an earlier moment could be in a period that is closed, or reported in full.
            outcome = acts.expire(order)
            self.write(unit, "order.cancelled", order, outcome, at=now, reason="expired")
            return True

    def expire_due(self) -> int:
        """Writes the expiry of all orders that have expired by now; returns their number."""
        done = 0
        while True:
            with self._context.store.begin() as unit:
                due = unit.orders.expired(self._context.clock(), MOST_EXPIRED)
            done += self.expire(due)
            if len(due) < MOST_EXPIRED:
                return done


def _partner_id(text: str) -> str:
    return text.strip().lower()


def _money_of(outcome: Outcome) -> PlannedMoney:
    """What an act pays back, by line."""
    code = outcome.order.currency
    units = {u.item_id: u.quantity for refund in outcome.refunds for u in refund.items}
    items = tuple(
        PlannedUnits(m.item.item_id, m.item.sku, units.get(m.item.item_id, m.quantity), m.amount)
        for m in outcome.movements
    )
    return PlannedMoney(code, sum((i.amount for i in items), currency(code).zero), items)


def _statement_of(outcome: Outcome, entries: Sequence[SalesEntry]) -> Iterator[PlannedStatement]:
    """By how much less is owed to each partner; a fee that is given back counts."""
    code = outcome.order.currency
    for partner_id in outcome.touched:
        own = [e.signed.partner_amount for e in entries if e.partner_id == partner_id]
        if own:
            yield PlannedStatement(partner_id, code, sum(own, currency(code).zero))
