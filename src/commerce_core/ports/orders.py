"""Ports: orders, and the ledger of sales."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from commerce_core.analytics.figures import RankedTotal, ReasonTotal, RuleTotal, SalesTotal
from commerce_core.analytics.ledger import EntryQuery, SalesEntry
from commerce_core.analytics.questions import Ranking, SalesQuestion
from commerce_core.orders.order import Order, OrderQuery
from commerce_core.orders.part import Fulfilment, Refund
from commerce_core.ports.listing import Listing


class Orders(Listing[OrderQuery, Order], Protocol):
    """Orders with their lines, newest first."""

    def add(self, order: Order) -> None:
        """Stores a new order."""
        ...

    def get(self, order_id: str) -> Order:
        """The order, or NotFound."""
        ...

    def lock(self, order_id: str) -> Order:
        """The order, locked against other changes until this unit ends; NotFound if none exists."""
        ...

    def placed(
        self, since: datetime, until: datetime, after: str | None, limit: int
    ) -> Sequence[Order]:
        """The first orders created from `since` on and before `until`, with ids above `after`.

        They are in the order of their ids, which is that in which they were placed.
        """
        ...

    def put(
        self,
        order: Order,
        fulfilments: Sequence[Fulfilment] = (),
        refunds: Sequence[Refund] = (),
    ) -> None:
        """Replaces what becomes of a locked order: states, versions, times, units and money back.

        `fulfilments` are its new and its changed ones, `refunds` its new ones. What is frozen never
        changes.
        """
        ...

    def of_fulfilment(self, fulfilment_id: str) -> str:
        """The id of the order that the fulfilment belongs to; NotFound if it doesn't exist."""
        ...

    def refund(self, refund_id: str) -> Refund:
        """The refund, or NotFound."""
        ...

    def recent(
        self, reference: str, since: datetime, limit: int, *, exclusive: bool
    ) -> Sequence[Order]:
        """The last orders with that reference placed since then, newest first, without cancelled.

        `exclusive`: other units that ask so about the same reference wait until this one ends.
        """
        ...

    def expired(
        self,
        at: datetime,
        limit: int,
        product_ids: Collection[str] | None = None,
        rule_ids: Collection[str] | None = None,
    ) -> Sequence[str]:
        """The ids of the first orders that had expired by then, by when they expired.

        With `product_ids`, only orders that have one of these products; with `rule_ids`, only
        orders that took from the limits of one of these rules.
        """
        ...


class Sales(Listing[EntryQuery, SalesEntry], Protocol):
    """The ledger, newest entry first."""

    def add(self, entries: Iterable[SalesEntry]) -> None:
        """Stores entries, which are never changed or deleted.

        What is placed of an order is added at once.
        """
        ...

    def get(self, entry_id: str) -> SalesEntry:
        """The entry, or NotFound."""
        ...

    def of_order(self, order_id: str) -> Sequence[SalesEntry]:
        """All entries of an order, oldest first."""
        ...

    def reversing(self, entry: SalesEntry) -> Sequence[SalesEntry]:
        """The entries that reverse that one, none of them over a day older; oldest first."""
        ...

    def totals(self, question: SalesQuestion) -> Sequence[SalesTotal]:
        """The figures, exactly as `figures.fold` returns them.

        InvalidInput if the question has too many periods, or goes beyond the calendar.
        """
        ...

    def ranks(self, question: SalesQuestion, ranking: Ranking) -> Sequence[RankedTotal]:
        """Ranks by the brands and categories of now, exactly as `figures.fold_ranks` returns them.

        `grain` and `by_partner` of the question don't matter here, nor in the next two.
        """
        ...

    def reasons(self, question: SalesQuestion) -> Sequence[ReasonTotal]:
        """What was cancelled and refunded, exactly as `figures.fold_reasons` returns it."""
        ...

    def rules(self, question: SalesQuestion) -> Sequence[RuleTotal]:
        """What price rules did, exactly as `figures.fold_rules` returns it."""
        ...

    def complete_to(self) -> datetime:
        """The moment before which all entries are visible to what is asked after this.

        Units that are under way may still add entries from then on.
        """
        ...

    def roll_up(self, most: int) -> int:
        """Prepares about that many entries for faster answers, which stay the same.

        Returns how many; fewer than `most` once all that can be prepared are.
        """
        ...

    def first_at(self, partner_id: str | None = None) -> datetime | None:
        """The time of the first entry (of that partner, if given); None without entries."""
        ...


class OrdersUnit(Protocol):
    """The part of a unit of work for orders and their ledger."""

    @property
    def orders(self) -> Orders:
        """The orders."""
        ...

    @property
    def sales(self) -> Sales:
        """The ledger of their sales."""
        ...
