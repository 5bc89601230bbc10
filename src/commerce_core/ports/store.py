"""What the core needs from outside: a store, a place for files, a way to keep a lease.

    Store.begin() ──> UnitOfWork ──> partners · sources · keys · feeds · jobs · products
                                     publications · versions · past_products · feed_products
                                     reverts · orders · sales · events · audit · idempotency
    Files             the raw bytes of every feed and the reports to mend, never changed
    KeepLease         keeps a job's lease while it runs, in units of its own
    Clock, Entropy    functions, since the core has neither a clock nor dice of its own

Everything inside one `with store.begin()` happens or none of it does. Whoever adds a storage writes
these methods and lets the contract suite (`tests/contracts`) judge them; `adapters.memory` is the
shortest example. Each method may raise Unavailable; other errors stand in its docstring. What reads
feeds is a port as well, `engine.FeedEngine`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from commerce_core.catalog.export import Snapshot
from commerce_core.catalog.product import ProductQuery
from commerce_core.ports.activity import Audit, Events, Idempotency
from commerce_core.ports.catalog import (
    FeedProducts,
    PastProducts,
    Products,
    Publications,
    Reverts,
    Versions,
)
from commerce_core.ports.feeds import Feeds, Jobs
from commerce_core.ports.orders import Orders, Sales
from commerce_core.ports.partners import Keys, Partners, Sources


class UnitOfWork(Protocol):
    """One transaction: its collections see each other's writes, and others see all or nothing."""

    @property
    def session(self) -> str:
        """Names the connection of this unit, so that a takeover can end it."""
        ...

    @property
    def partners(self) -> Partners:
        """Who sends feeds."""
        ...

    @property
    def sources(self) -> Sources:
        """What they send them from, and how those are read."""
        ...

    @property
    def keys(self) -> Keys:
        """API keys."""
        ...

    @property
    def feeds(self) -> Feeds:
        """Files received."""
        ...

    @property
    def jobs(self) -> Jobs:
        """What is done with them, and the queue of it."""
        ...

    @property
    def products(self) -> Products:
        """The catalog."""
        ...

    @property
    def publications(self) -> Publications:
        """What changed the catalog, by number."""
        ...

    @property
    def versions(self) -> Versions:
        """What products were, and how they changed."""
        ...

    @property
    def past_products(self) -> PastProducts:
        """The catalog as it was."""
        ...

    @property
    def reverts(self) -> Reverts:
        """Undoing what feeds wrote."""
        ...

    @property
    def feed_products(self) -> FeedProducts:
        """What feeds wrote."""
        ...

    @property
    def orders(self) -> Orders:
        """What was bought."""
        ...

    @property
    def sales(self) -> Sales:
        """The ledger of it."""
        ...

    @property
    def events(self) -> Events:
        """What is announced."""
        ...

    @property
    def audit(self) -> Audit:
        """Who did what."""
        ...

    @property
    def idempotency(self) -> Idempotency:
        """What was answered under which key."""
        ...


class Store(Protocol):
    """Keeps the state of the platform."""

    def begin(self, *, dry_run: bool = False) -> AbstractContextManager[UnitOfWork]:
        """A new unit: commits on a clean exit, rolls back on an error or on `dry_run`."""
        ...

    def read_only(self) -> AbstractContextManager[UnitOfWork]:
        """A unit in which nothing is written or locked, so that nothing has to end it."""
        ...

    def snapshot(self, query: ProductQuery) -> AbstractContextManager[Snapshot]:
        """All products that match, in batches, by id.

        All of them are as of one moment, however slowly they are taken; memory stays flat.
        Unavailable also if too many snapshots are being taken.
        """
        ...

    def check(self) -> None:
        """Returns if the store can be used now; Unavailable otherwise, within five seconds."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Calls `wake`, from any thread, when there may be a job to claim, while the context lasts.

        It is a hint: it may come late, for nothing or not at all, so whoever listens looks by
        himself now and then.
        """
        ...
