"""The store: what the core needs to keep its state, in units of work.

    Store.begin() ──> UnitOfWork ──> partners · sources · keys · sessions PartnersUnit
                                     feeds · jobs                         FeedsUnit
                                     bulk_acts                            BulkActsUnit
                                     tasks                                WorkUnit
                                     products · publications · versions   CatalogUnit
                                     past_products · feed_products · reverts
                                     rules                                RulesUnit
                                     price_lists                          PriceListsUnit
                                     what_ifs                             WhatIfsUnit
                                     orders · sales                       OrdersUnit
                                     terms · statements · books           MoneyUnit
                                     stock                                StockUnit
                                     events · audit · idempotency         ActivityUnit
                                     rates                                RatesUnit
                                     inbox                                InboxUnit
                                     webhooks · deliveries                WebhooksUnit
                                     channels · alerts                    AlertsUnit
                                     saved_views                          SavedViewsUnit
                                     secrets                              SecretsUnit
                                     pulls · fetches · pulled_files       PullsUnit
                                     arrivals · standings                 FreshnessUnit
    Files             the raw bytes of every feed and the reports of rejected records
    FeedEngine        reads feeds
    KeepLease         keeps the lease of work while it runs, in units of its own
    Clock, Entropy    functions, since the core has no clock and no randomness of its own

Everything inside one `with store.begin()` happens, or nothing. To add a storage, implement these
methods and run the contract suite (`tests/contracts`) against them; `adapters.memory` is the
shortest example. Each method may raise Unavailable; its docstring names the other errors.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from commerce_core.base.errors import TooMany
from commerce_core.catalog.export import Snapshot
from commerce_core.catalog.product import ProductQuery
from commerce_core.ports.activity import ActivityUnit
from commerce_core.ports.alerts import AlertsUnit
from commerce_core.ports.bulk_acts import BulkActsUnit
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.ports.feeds import FeedsUnit
from commerce_core.ports.freshness import FreshnessUnit
from commerce_core.ports.inbox import InboxUnit
from commerce_core.ports.money import MoneyUnit
from commerce_core.ports.orders import OrdersUnit
from commerce_core.ports.partners import PartnersUnit
from commerce_core.ports.price_lists import PriceListsUnit
from commerce_core.ports.pulls import PullsUnit
from commerce_core.ports.rates import RatesUnit
from commerce_core.ports.rules import RulesUnit
from commerce_core.ports.runtime import Effort
from commerce_core.ports.saved_views import SavedViewsUnit
from commerce_core.ports.secrets import SecretsUnit
from commerce_core.ports.stock import StockUnit
from commerce_core.ports.webhooks import WebhooksUnit
from commerce_core.ports.what_ifs import WhatIfsUnit
from commerce_core.ports.work import WorkUnit


class UnitOfWork(
    PartnersUnit,
    FeedsUnit,
    BulkActsUnit,
    CatalogUnit,
    RulesUnit,
    PriceListsUnit,
    WhatIfsUnit,
    OrdersUnit,
    MoneyUnit,
    StockUnit,
    ActivityUnit,
    WorkUnit,
    RatesUnit,
    InboxUnit,
    WebhooksUnit,
    AlertsUnit,
    SavedViewsUnit,
    SecretsUnit,
    PullsUnit,
    FreshnessUnit,
    Protocol,
):
    """One transaction: its collections see each other's writes, and others see all or nothing.

    A function that needs only some of the collections takes only the part that has them.
    """

    @property
    def session(self) -> str:
        """Names the connection of this unit, so that a takeover can end it."""
        ...

    @property
    def together(self) -> Callable[[], AbstractContextManager[object]]:
        """Makes a context in which writes are sent to the store together, without waiting.

        What one of them fails with is raised by the next one that returns something, or at the end.
        """
        ...


class Store(Protocol):
    """Keeps the state of the platform."""

    def begin(self, *, dry_run: bool = False) -> AbstractContextManager[UnitOfWork]:
        """A new unit: commits on a clean exit, rolls back on an error or on `dry_run`."""
        ...

    def read_only(self) -> AbstractContextManager[UnitOfWork]:
        """A unit in which nothing is written or locked, so there is nothing to commit."""
        ...

    def snapshot(self, query: ProductQuery) -> AbstractContextManager[Snapshot]:
        """All products that match, in batches, by id.

        All are as of one moment, however slowly they are consumed; memory stays flat.
        Unavailable also if too many snapshots are being taken.
        """
        ...

    def bounded(self, effort: Effort) -> "Store":
        """The same store for one effort: each statement ends when the effort does.

        Its units and snapshots then raise what `effort.over()` returns. TooMany if its caller
        already takes `effort.snapshots` snapshots, counting those of all processes.
        """
        ...

    def check(self) -> None:
        """Returns if the store can be used now; Unavailable otherwise, within five seconds."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Calls `wake`, from any thread, when there may be a job to claim, while the context lasts.

        Best effort: notifications may be late, spurious or lost, so callers must also poll.
        """
        ...


SNAPSHOT_FREE_AFTER: Final = 5.0
"""Seconds after which a caller that takes too many snapshots may try again."""


def too_many_snapshots(effort: Effort) -> TooMany:
    """The error of a caller that already takes as many snapshots as it may."""
    return TooMany(
        f"{effort.snapshots} exports with this key are under way.",
        "Take one of them to its end first.",
        limit="exports",
        most=effort.snapshots,
        retry_after=SNAPSHOT_FREE_AFTER,
    )
