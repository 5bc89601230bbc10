"""Everything the system does, in eight parts. Each public method of a part is one use case.

    Intake      partners, their feeds, the jobs and decisions about them   (intake, ingest)
    Sourcing    the sources of feeds, and the profiles that read them      (sourcing)
    Catalog     products as they now stand                                 (catalog)
    History     what they were, how they changed, where values came from   (history)
    Ordering    orders at frozen prices, from stock that is there          (ordering)
    Reporting   what was sold, by partner, over time, in shares            (reporting)
    Operations  API keys, who asks, whether every part is up               (operations)
    Chronicle   what was announced, and who did what                       (chronicle)

    upload ──> raw file + feed + job ──> run: read ─> compare ─> guards ─┬> apply ──> publication
                                               │         │               └> hold ──> a decision
                                      records, problems plan
    publication ──> products, versions ──> changes, the past, lineage, revert, replay, export
    products ──> order: hold units, price, freeze lines, ledger entries ──> figures

A use case looks, decides with the pure core, and writes once: one `with store.begin()` is one
transaction. Entry points translate to these and back and decide nothing. What a product costs is
decided in `pricing`, whether it can be sold in `products`, what a record means in `feed_reader`,
what becomes of it in `plans`, whether that waits for a person in `guards` and `holding`. What
others are to know of it is told by `events`, and what people did stands in the `audit`, each
written in the same transaction.
"""

from attrs import frozen

from commerce_core.catalog import Catalog
from commerce_core.chronicle import Chronicle
from commerce_core.context import Context
from commerce_core.history import History
from commerce_core.intake import Intake
from commerce_core.operations import Operations
from commerce_core.ordering import Ordering
from commerce_core.partners import Principal
from commerce_core.reporting import Reporting
from commerce_core.sourcing import Sourcing


@frozen
class Commerce:
    """The platform as one principal sees it. Safe to share between threads."""

    context: Context

    @property
    def intake(self) -> Intake:
        """Partners, feeds and jobs."""
        return Intake(self.context)

    @property
    def sourcing(self) -> Sourcing:
        """Sources and their profiles."""
        return Sourcing(self.context)

    @property
    def catalog(self) -> Catalog:
        """Products."""
        return Catalog(self.context)

    @property
    def history(self) -> History:
        """The catalog through time."""
        return History(self.context)

    @property
    def ordering(self) -> Ordering:
        """Orders."""
        return Ordering(self.context)

    @property
    def reporting(self) -> Reporting:
        """Figures."""
        return Reporting(self.context)

    @property
    def operations(self) -> Operations:
        """Keys and health."""
        return Operations(self.context)

    @property
    def chronicle(self) -> Chronicle:
        """Events and the audit."""
        return Chronicle(self.context)

    def acting_as(self, principal: Principal) -> "Commerce":
        """The same platform, seen by somebody else."""
        return Commerce(self.context.acting_as(principal))

    def authenticated(self, secret: str | None) -> "Commerce":
        """The platform as the holder of an API key sees it; Unauthenticated if there is none."""
        return self.acting_as(self.operations.authenticate(secret))
