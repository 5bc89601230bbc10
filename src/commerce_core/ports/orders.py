"""Ports: orders, and the ledger of sales."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from commerce_core.analytics.ledger import EntryQuery, SalesEntry, SalesQuestion, SalesTotal
from commerce_core.orders.order import Order, OrderQuery
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

    def put(self, order: Order) -> None:
        """Replaces an order's status, refunded amount and time; its lines never change."""
        ...


class Sales(Listing[EntryQuery, SalesEntry], Protocol):
    """The ledger, newest entry first."""

    def add(self, entries: Iterable[SalesEntry]) -> None:
        """Stores entries, which are never changed or deleted."""
        ...

    def get(self, entry_id: str) -> SalesEntry:
        """The entry, or NotFound."""
        ...

    def of_order(self, order_id: str) -> Sequence[SalesEntry]:
        """All entries of an order, oldest first."""
        ...

    def totals(self, question: SalesQuestion) -> Sequence[SalesTotal]:
        """The figures, exactly as `ledger.fold` returns them."""
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
