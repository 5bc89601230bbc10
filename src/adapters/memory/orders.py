"""Orders in memory, and the ledger of what was sold."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from attrs import frozen

from adapters.memory.pages import agrees, by_id, page_of, within
from adapters.memory.tables import Tables, found
from commerce_core.analytics import figures
from commerce_core.analytics.figures import RankedTotal, ReasonTotal, RuleTotal, SalesTotal
from commerce_core.analytics.ledger import EntryQuery, SalesEntry
from commerce_core.analytics.questions import Ranking, SalesQuestion
from commerce_core.base.errors import no_such
from commerce_core.base.paging import Page, Position
from commerce_core.orders.order import Order, OrderQuery
from commerce_core.orders.part import Fulfilment, Refund
from commerce_core.orders.states import OrderStatus
from commerce_core.ports.runtime import Clock


@frozen
class Orders:
    """Implements `commerce_core.ports.orders.Orders`."""

    _kept: Tables

    def page(self, query: OrderQuery, after: Position | None, limit: int) -> Page[Order]:
        """Pages of orders."""
        return page_of(self._fitting(query), lambda order: by_id(order.order_id), after, limit)

    def count(self, query: OrderQuery) -> int:
        """How many orders fit."""
        return len(self._fitting(query))

    def _fitting(self, query: OrderQuery) -> list[Order]:
        return [
            order
            for order in self._kept.orders.values()
            if query.partner_id in (None, *(item.partner_id for item in order.items))
            and query.status in (None, _status(query, order))
            and query.customer_reference in (None, _reference(query, order))
            and within(order.created_at, query.created_from, query.created_to)
        ]

    def add(self, order: Order) -> None:
        """Keeps a new order."""
        self._kept.orders[order.order_id] = order

    def get(self, order_id: str) -> Order:
        """The order."""
        return found(self._kept.orders, order_id, "order")

    def lock(self, order_id: str) -> Order:
        """The order; no other unit is about."""
        return self.get(order_id)

    def placed(
        self, since: datetime, until: datetime, after: str | None, limit: int
    ) -> Sequence[Order]:
        """Orders of a range, oldest first."""
        fitting = self._fitting(OrderQuery(created_from=since, created_to=until))
        rest = [order for order in fitting if after is None or order.order_id > after]
        return sorted(rest, key=lambda order: order.order_id)[:limit]

    def put(
        self,
        order: Order,
        fulfilments: Sequence[Fulfilment] = (),  # noqa: ARG002 the order has them
        refunds: Sequence[Refund] = (),  # noqa: ARG002 the order has them
    ) -> None:
        """Replaces an order."""
        self._kept.orders[order.order_id] = order

    def of_fulfilment(self, fulfilment_id: str) -> str:
        """The order that it belongs to."""
        for order in self._kept.orders.values():
            if any(sent.fulfilment_id == fulfilment_id for sent in order.fulfilments):
                return order.order_id
        raise no_such("fulfilment", fulfilment_id)

    def refund(self, refund_id: str) -> Refund:
        """The refund."""
        refunds = (refund for order in self._kept.orders.values() for refund in order.refunds)
        return found({refund.refund_id: refund for refund in refunds}, refund_id, "refund")

    def recent(
        self,
        reference: str,
        since: datetime,
        limit: int,
        *,
        exclusive: bool,  # noqa: ARG002 no other unit is about
    ) -> Sequence[Order]:
        """The last orders with that reference."""
        fitting = [
            order
            for order in self._kept.orders.values()
            if order.customer_reference == reference
            and order.created_at >= since
            and order.status != "cancelled"
        ]
        return sorted(fitting, key=lambda order: order.order_id, reverse=True)[:limit]

    def expired(
        self,
        at: datetime,
        limit: int,
        product_ids: Collection[str] | None = None,
        rule_ids: Collection[str] | None = None,
    ) -> Sequence[str]:
        """The orders that had expired by then."""
        uses = self._kept.rule_uses.values()
        users = {use.order_id for use in uses if rule_ids is None or use.rule_id in rule_ids}
        fitting = [
            (order.expires_at, order.order_id)
            for order in self._kept.orders.values()
            if order.expires_at is not None
            and order.has_expired(at)
            and (product_ids is None or any(item.product_id in product_ids for item in order.items))
            and (rule_ids is None or order.order_id in users)
        ]
        return [order_id for _, order_id in sorted(fitting)[:limit]]


def _status(query: OrderQuery, order: Order) -> OrderStatus:
    """The order's state, as who asks sees it."""
    seen = order if query.seen_by is None else order.part_of(query.seen_by)
    expired = query.as_of is not None and order.has_expired(query.as_of)
    return "cancelled" if expired else (seen or order).status


def _reference(query: OrderQuery, order: Order) -> str | None:
    """The order's reference, as who asks sees it."""
    seen = order if query.seen_by is None else order.part_of(query.seen_by)
    return seen and seen.customer_reference


@frozen
class Sales:
    """Implements `commerce_core.ports.orders.Sales`."""

    _kept: Tables
    _clock: Clock

    def add(self, entries: Iterable[SalesEntry]) -> None:
        """Keeps entries for good."""
        for entry in entries:
            self._kept.entries[entry.entry_id] = entry

    def page(self, query: EntryQuery, after: Position | None, limit: int) -> Page[SalesEntry]:
        """Pages of entries."""
        return page_of(self._fitting(query), lambda entry: by_id(entry.entry_id), after, limit)

    def count(self, query: EntryQuery) -> int:
        """How many entries fit."""
        return len(self._fitting(query))

    def _fitting(self, query: EntryQuery) -> list[SalesEntry]:
        return [
            entry
            for entry in self._kept.entries.values()
            if agrees(query, entry, "partner_id", "kind", "currency", "order_id")
            and within(entry.at, query.since, query.until)
            and query.statement_id in (None, self._kept.taken.get(entry.entry_id))
        ]

    def get(self, entry_id: str) -> SalesEntry:
        """The entry."""
        return found(self._kept.entries, entry_id, "ledger entry")

    def of_order(self, order_id: str) -> Sequence[SalesEntry]:
        """An order's entries, oldest first."""
        found = self._fitting(EntryQuery(order_id=order_id))
        return sorted(found, key=lambda entry: entry.entry_id)

    def reversing(self, entry: SalesEntry) -> Sequence[SalesEntry]:
        """What reverses an entry, oldest first."""
        own = self._fitting(EntryQuery(partner_id=entry.partner_id, currency=entry.currency))
        found = (other for other in own if other.reverses == entry.entry_id)
        return sorted(found, key=lambda other: other.entry_id)

    def totals(self, question: SalesQuestion) -> Sequence[SalesTotal]:
        """The figures exactly as `figures.fold` gives them."""
        if question.grain:
            list(question.periods())
        return figures.fold(self._kept.entries.values(), question)

    def ranks(self, question: SalesQuestion, ranking: Ranking) -> Sequence[RankedTotal]:
        """Ranks, by what the catalog has now."""

        def name_of(product_id: str) -> str | None:
            if ranking.by == "product":
                return product_id
            product = self._kept.products.get(product_id)
            return product and (product.brand if ranking.by == "brand" else product.category)

        return figures.fold_ranks(self._kept.entries.values(), question, ranking, name_of)

    def reasons(self, question: SalesQuestion) -> Sequence[ReasonTotal]:
        """What was cancelled and refunded."""
        return figures.fold_reasons(self._kept.entries.values(), question)

    def rules(self, question: SalesQuestion) -> Sequence[RuleTotal]:
        """What price rules did."""
        lines = {item.item_id: item for o in self._kept.orders.values() for item in o.items}
        return figures.fold_rules(self._kept.entries.values(), question, lines)

    def complete_to(self) -> datetime:
        """Now: no other unit is about."""
        return self._clock()

    def roll_up(self, most: int) -> int:
        """Every answer is folded anew, so there is nothing to prepare."""
        del most
        return 0

    def first_at(self, partner_id: str | None = None) -> datetime | None:
        """When the first entry happened; of that partner, where one is given."""
        entries = self._kept.entries.values()
        times = (entry.at for entry in entries if partner_id in (None, entry.partner_id))
        return min(times, default=None)
