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

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from commerce_core.catalog.export import ExportForm
from commerce_core.catalog.product import ProductQuery
from commerce_core.ports.activity import ActivityUnit
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.ports.feeds import FeedsUnit
from commerce_core.ports.orders import OrdersUnit
from commerce_core.ports.partners import PartnersUnit
from commerce_core.ports.work import WorkUnit


class UnitOfWork(
    PartnersUnit, FeedsUnit, CatalogUnit, OrdersUnit, ActivityUnit, WorkUnit, Protocol
):
    """One transaction: its collections see each other's writes, and others see all or nothing.

    A function that touches some collections only takes the part that has them.
    """

    @property
    def session(self) -> str:
        """Names the connection of this unit, so that a takeover can end it."""
        ...


class Store(Protocol):
    """Keeps the state of the platform."""

    def begin(self, *, dry_run: bool = False) -> AbstractContextManager[UnitOfWork]:
        """A new unit: commits on a clean exit, rolls back on an error or on `dry_run`."""
        ...

    def read_only(self) -> AbstractContextManager[UnitOfWork]:
        """A unit in which nothing is written or locked, so that nothing has to end it."""
        ...

    def export(
        self, query: ProductQuery, form: ExportForm
    ) -> AbstractContextManager[Iterator[bytes]]:
        """All products that fit, as one file in blocks: what `export.blocks_of` makes, by id.

        All of it is as of one moment, however slowly the blocks are taken; memory stays flat.
        Unavailable also where too many exports are under way.
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
