"""What going back would do to the products in memory, and going back."""

from collections.abc import Iterator, Sequence

from attrs import evolve

from adapters.memory.tables import Tables
from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import Publication
from commerce_core.plans.revert import Decided, RevertPlan, plan_revert


class Reverts:
    """Implements `commerce_core.ports.catalog.Reverts`."""

    def __init__(self, kept: Tables) -> None:
        self._kept = kept
        self._decided: Decided | None = None

    def plan(self, partner_id: str, undone: Sequence[str], most_kept: int) -> RevertPlan:
        """What undoing these publications would do."""
        numbers = {id_: p.number or 0 for id_, p in self._kept.publications.items()}
        live = [row for row in self._kept.products.values() if row.partner_id == partner_id]
        decided = plan_revert(partner_id, undone, live, self._earlier, numbers, most_kept=most_kept)
        self._decided = decided
        return decided.plan

    def _earlier(self, product: Product) -> Iterator[Product]:
        numbers = range(product.version - 1, 0, -1)
        kept = (self._kept.history.get((product.product_id, number)) for number in numbers)
        return (version for version in kept if version is not None)

    def apply(self, plan: RevertPlan, publication: Publication) -> int:
        """Does what the last plan says."""
        decided, self._decided = self._decided, None
        if decided is None or decided.plan is not plan:
            raise ValueError("only the last plan of this unit can be applied")
        kept = self._kept
        for ordinal, change in enumerate(decided.changes, start=1):
            live, becomes = change.live, change.becomes
            kept.history[live.product_id, live.version] = live
            kept.fingerprints[live.product_id] = None
            feed_id = becomes.feed_id if becomes.origin_id else publication.feed_id
            kept.products[live.product_id] = evolve(
                becomes,
                feed_id=feed_id,
                version=live.version + 1,
                publication_id=publication.publication_id,
                ordinal=ordinal,
            )
        own = (row for row in kept.products.values() if row.partner_id == plan.partner_id)
        return sum(row.status == "active" for row in own)
