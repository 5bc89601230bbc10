"""A store of dicts under one lock, its units of work one after another."""

import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from attrs import frozen

from adapters.memory.activity import Audit, Events, Idempotency
from adapters.memory.alerts import Alerts, Channels
from adapters.memory.bulk_acts import BulkActs
from adapters.memory.feeds import Feeds
from adapters.memory.freshness import Arrivals, Standings
from adapters.memory.inbox import Causes
from adapters.memory.jobs import Jobs
from adapters.memory.money import Statements, Terms
from adapters.memory.orders import Orders, Sales
from adapters.memory.partners import Keys, Partners
from adapters.memory.price_lists import PriceLists
from adapters.memory.products import Products, as_shown
from adapters.memory.publications import Publications
from adapters.memory.pulls import Fetches, PulledFiles, Pulls
from adapters.memory.rates import Rates
from adapters.memory.reconciliation import Books
from adapters.memory.reverts import Reverts
from adapters.memory.rules import Rules
from adapters.memory.saved_views import SavedViews
from adapters.memory.secrets import Secrets
from adapters.memory.sessions import Sessions
from adapters.memory.sources import Sources
from adapters.memory.stock import Stock
from adapters.memory.tables import Tables
from adapters.memory.tasks import Tasks
from adapters.memory.versions import FeedProducts, PastProducts, Versions
from adapters.memory.webhooks import Deliveries, Webhooks
from adapters.memory.what_ifs import WhatIfs
from commerce_core.catalog.export import ProductSnapshot, Snapshot
from commerce_core.catalog.product import ProductQuery
from commerce_core.catalog.query import fitting
from commerce_core.ports.runtime import Clock, Effort
from commerce_core.ports.store import UnitOfWork, too_many_snapshots


class MemoryStore:
    """Implements `commerce_core.ports.store.Store`; its contents end with the process."""

    def __init__(self, clock: Clock) -> None:
        """Leases, tasks and the times of products run by `clock`."""
        self._clock = clock
        self._tables = Tables()
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._listeners: list[Callable[[], None]] = []
        self._snapshots = Counter[str]()

    @contextmanager
    def begin(self, *, dry_run: bool = False) -> Generator[UnitOfWork]:
        """One unit at a time; one within another would wait forever, and is refused."""
        if self._owner == threading.get_ident():
            raise RuntimeError("this thread is already inside a unit of this store")
        tables = self._tables
        written = False
        with self._lock:
            self._owner = threading.get_ident()
            done = False
            try:
                yield _unit(tables, self._clock)
                done = not dry_run
                written = done and bool(tables.journal)
            finally:
                if not done:
                    tables.undo()
                tables.journal.clear()
                self._owner = None
        if written:
            for wake in tuple(self._listeners):
                wake()

    def read_only(self) -> AbstractContextManager[UnitOfWork]:
        """A unit like any other."""
        return self.begin(dry_run=True)

    @contextmanager
    def snapshot(self, query: ProductQuery) -> Generator[Snapshot]:
        """Values never change, so the snapshot is a list of those that are kept now."""
        with self.begin():
            now, rows = self._clock(), self._tables.products.values()
            shown = [as_shown(self._tables, row, now) for row in rows]
        found = filter(fitting(query), shown)
        yield ProductSnapshot(sorted(found, key=lambda product: product.product_id))

    def bounded(self, effort: Effort) -> "BoundedStore":
        """The same tables, for one effort."""
        return BoundedStore(self, effort, self._snapshots)

    def check(self) -> None:
        """Memory is always available."""

    @contextmanager
    def subscribe(self, wake: Callable[[], None]) -> Generator[None]:
        """Calls `wake` after every unit that wrote anything."""
        self._listeners.append(wake)
        try:
            yield
        finally:
            self._listeners.remove(wake)


@frozen
class BoundedStore:
    """Implements `commerce_core.ports.store.Store` for one effort; what has begun is soon done."""

    _store: MemoryStore
    _effort: Effort
    _snapshots: Counter[str]

    @contextmanager
    def begin(self, *, dry_run: bool = False) -> Generator[UnitOfWork]:
        """A unit, unless the caller has gone."""
        with self._effort.ended_by(_nothing_to_end), self._store.begin(dry_run=dry_run) as unit:
            yield unit

    def read_only(self) -> AbstractContextManager[UnitOfWork]:
        """A unit like any other."""
        return self.begin(dry_run=True)

    @contextmanager
    def snapshot(self, query: ProductQuery) -> Generator[Snapshot]:
        """A snapshot that counts as one of the caller's."""
        caller = self._effort.caller
        if self._snapshots[caller] >= self._effort.snapshots:
            raise too_many_snapshots(self._effort)
        self._snapshots[caller] += 1
        try:
            with (
                self._effort.ended_by(_nothing_to_end),
                self._store.snapshot(query) as snapshot,
            ):
                yield snapshot
        finally:
            self._snapshots[caller] -= 1

    def bounded(self, effort: Effort) -> "BoundedStore":
        """The store for another effort."""
        return self._store.bounded(effort)

    def check(self) -> None:
        """Memory is always available."""

    def subscribe(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Notifications, which cost nothing."""
        return self._store.subscribe(wake)


def _nothing_to_end() -> None:
    """Units in memory end by themselves."""


@frozen
class _Unit:
    """One transaction; the ports declare what each collection promises."""

    partners: Partners
    sources: Sources
    keys: Keys
    feeds: Feeds
    jobs: Jobs
    bulk_acts: BulkActs
    tasks: Tasks
    products: Products
    publications: Publications
    versions: Versions
    feed_products: FeedProducts
    past_products: PastProducts
    reverts: Reverts
    orders: Orders
    sales: Sales
    terms: Terms
    statements: Statements
    books: Books
    stock: Stock
    rules: Rules
    price_lists: PriceLists
    what_ifs: WhatIfs
    events: Events
    audit: Audit
    idempotency: Idempotency
    rates: Rates
    sessions: Sessions
    inbox: Causes
    webhooks: Webhooks
    deliveries: Deliveries
    channels: Channels
    alerts: Alerts
    saved_views: SavedViews
    secrets: Secrets
    pulls: Pulls
    fetches: Fetches
    pulled_files: PulledFiles
    arrivals: Arrivals
    standings: Standings
    session: str = "memory"
    together: Callable[[], AbstractContextManager[object]] = nullcontext


def _unit(tables: Tables, clock: Clock) -> _Unit:
    return _Unit(
        Partners(tables), Sources(tables), Keys(tables), Feeds(tables), Jobs(tables, clock),
        BulkActs(tables),
        Tasks(tables, clock), Products(tables, clock), Publications(tables), Versions(tables),
        FeedProducts(tables), PastProducts(tables), Reverts(tables), Orders(tables),
        Sales(tables, clock), Terms(tables), Statements(tables), Books(tables), Stock(tables),
        Rules(tables), PriceLists(tables), WhatIfs(tables),
        Events(tables.events, tables.event_numbers), Audit(tables.audit),
        Idempotency(tables.answers), Rates(tables.rates, clock),
        Sessions(tables.sessions), Causes(tables),
        Webhooks(tables), Deliveries(tables, clock), Channels(tables), Alerts(tables, clock),
        SavedViews(tables), Secrets(tables),
        Pulls(tables, clock), Fetches(tables, Tasks(tables, clock)), PulledFiles(tables),
        Arrivals(tables), Standings(tables),
    )  # fmt: skip
