"""Ports: products and their publications, versions, past states and reverts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from commerce_core.base.paging import Page, Position
from commerce_core.catalog.product import NotSellable, Oversold, Product, ProductQuery
from commerce_core.catalog.publication import Publication
from commerce_core.history.versions import ChangeQuery, PastQuery, Version
from commerce_core.parsing.fingerprints import FingerprintIndex
from commerce_core.plans.comparison import FeedContext, Plan
from commerce_core.plans.revert import RevertPlan
from commerce_core.ports.engine import Batch
from commerce_core.ports.listing import Listing
from commerce_core.pricing.public_price import PriceFacts


class Products(Listing[ProductQuery, Product], Protocol):
    """The catalog. Products are read with their partner's name and their reserved units.

    `query.fitting` defines which products match a query, and `sorting` their order. Listing and
    counting may raise InvalidInput `too_broad` if too many products would have to be examined;
    when sorted by id or time without further filters, they never do.
    """

    def lock_partner(self, partner_id: str) -> None:
        """Waits until no other unit writes the partner's products; none can until this unit ends.

        `fingerprints`, `load` and `compare` lock it as well.
        """
        ...

    def fingerprints(self, partner_id: str, source_id: str) -> FingerprintIndex:
        """The fingerprints of the source's active products, for an engine to match records by."""
        ...

    def load(
        self,
        feed_context: FeedContext,
        batches: Iterable[Batch],
        publication: Publication,
        stem: str,
    ) -> Plan | None:
        """Compares and applies the first feed of a partner in one go; the plan is what was done.

        None if the partner has products, or if a record is anything but a new product or a
        rejected record; then nothing has been done, and the feed has to be compared. Only for
        feeds that no guard can block. Otherwise like `compare` and `apply`.
        """
        ...

    def compare(
        self, feed_context: FeedContext, batches: Iterable[Batch], problem_limit: int
    ) -> Plan:
        """What the feed would change, exactly as `comparison.compare` defines; changes no product.

        The numbers that a batch matched refer to this unit's last `fingerprints`.
        """
        ...

    def contained(self, product_ids: Collection[str]) -> Collection[str]:
        """Which of these existing products the last plan's feed contains, as accepted records.

        Whether the records change them doesn't matter. Only between `compare` and `apply`.
        """
        ...

    def apply(self, plan: Plan, publication: Publication, stem: str) -> int:
        """Applies this unit's last plan; returns the number of the source's active products.

        ValueError for any other plan. Changed products get the publication, their line, the next
        version and an ordinal from 1 (existing products by id, then new ones by line), and belong
        to the feed's source; their earlier state is kept as history. The n-th new product, from 0,
        has the id `ids.Block("prod", stem)[n]`, and is created now by the store's own clock. They
        can be read once this unit has added the publication, which supplies their feed and
        `updated_at`.
        """
        ...

    def get(self, product_id: str) -> Product:
        """The product, whether active or removed; NotFound if it never existed."""
        ...

    def get_many(self, product_ids: Iterable[str]) -> Mapping[str, Product]:
        """These products by id, whether active or removed; unknown ids are left out."""
        ...

    def resolve(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The ids of these pairs of partner id and sku, if known, including removed products."""
        ...

    def oversold(self, publication: Publication, limit: int) -> Sequence[Oversold]:
        """The oversold active products that this unit has written for a publication.

        The first ones by sku, even if the publication itself hasn't been added yet.
        """
        ...

    def not_sellable(self, publication: Publication) -> Mapping[NotSellable, int]:
        """The active products that this unit has written for a publication and that can't be sold.

        Returns their number for each reason that applies to any, the most frequent first.
        """
        ...


class Publications(Protocol):
    """The one clock: everything that changed the catalog, numbered without gaps."""

    def add(self, publication: Publication, at: datetime) -> Publication:
        """Stores it with the next number, at `at` or, if later, just after its predecessor.

        Must be the unit's last write, except for its events: from here to the commit all other
        publications wait.
        """
        ...

    def get(self, publication_id: str) -> Publication:
        """The publication, or NotFound."""
        ...

    def get_many(self, publication_ids: Iterable[str]) -> Mapping[str, Publication]:
        """The existing ones of these publications, by id."""
        ...

    def of_feed(self, feed_id: str) -> Sequence[Publication]:
        """All publications that applied or reverted this feed, by number."""
        ...

    def of_partner(self, partner_id: str, after: int, limit: int) -> Sequence[Publication]:
        """The partner's first publications after that number, by number."""
        ...

    def number_at(self, at: datetime | None = None) -> int:
        """The number of the last publication (up to that moment, if given); 0 if there is none."""
        ...

    def latest(self, source_id: str) -> Publication | None:
        """The source's last publication."""
        ...


class Versions(Protocol):
    """All versions of products; each product itself is its latest version."""

    def changes(self, query: ChangeQuery, after: Position, limit: int) -> Page[Version]:
        """The first matching versions after that position of the stream, by number and ordinal.

        The page's `after` is never None: with fewer than `limit` versions, it is the end of the
        stream. Nothing published later comes before a position that was returned.
        """
        ...

    def history(self, product_id: str, after: Position | None, limit: int) -> Page[Version]:
        """Every version of a product, newest first; NotFound if the product never existed."""
        ...

    def as_of(self, product_id: str, number: int) -> Product | None:
        """The product as it was after that publication; None before its first version."""
        ...

    def price_facts(self, products: Sequence[Product]) -> Mapping[str, Sequence[PriceFacts]]:
        """What the price of each product depended on, by its id, oldest first.

        Up to the version that each product is; of more versions than `MOST_VERSIONS` only the
        latest are read. Versions that change nothing about the price are left out.
        """
        ...

    def forget(self, number: int, at: datetime) -> int:
        """Deletes the versions superseded by that publication or earlier; returns how many."""
        ...

    def forgotten(self) -> int:
        """The publication number of the last `forget`; 0 if nothing was forgotten.

        From this publication on, the history is complete.
        """
        ...


class PastProducts(Listing[PastQuery, Product], Protocol):
    """The catalog as it was after a publication, by product id ascending."""


class Reverts(Protocol):
    """Undoing what publications wrote."""

    def plan(self, partner_id: str, undone: Sequence[str], most_kept: int) -> RevertPlan:
        """What undoing these publications would change, as `revert.plan_revert` defines.

        From now until the unit ends no other feed of the partner is compared or applied.
        """
        ...

    def apply(self, plan: RevertPlan, publication: Publication) -> int:
        """Applies this unit's last plan; returns the number of the partner's active products.

        ValueError for any other plan. Changed products get the publication, the next version and an
        ordinal from 1, by id; their earlier state is kept as history. They lose their fingerprints.
        """
        ...


class FeedProducts(Listing[str, Product], Protocol):
    """What feeds wrote; the query is a feed's id.

    Each product that the feed created, updated or restored, as the feed last wrote it, in the order
    of the stream; later feeds don't change this.
    """


class CatalogUnit(Protocol):
    """The part of a unit of work for the catalog, past and present."""

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
        """The versions of products, and their changes."""
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
