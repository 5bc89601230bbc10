"""The live catalog in memory: what `comparison.compare` makes of it, and what it then becomes."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from attrs import evolve

from adapters.memory.pages import page_of
from adapters.memory.tables import Tables, found
from commerce_core.base.ids import Block
from commerce_core.base.paging import Page, Position
from commerce_core.catalog.product import NotSellable, Oversold, Product, ProductQuery
from commerce_core.catalog.publication import Publication
from commerce_core.catalog.query import fitting
from commerce_core.catalog.sorting import place_of, position_of
from commerce_core.feeds.source import Source
from commerce_core.parsing.fingerprints import Fingerprint, FingerprintIndex, IndexedFingerprints
from commerce_core.plans.changes import Change
from commerce_core.plans.comparison import FeedContext, Plan, compare, contained
from commerce_core.ports.engine import Batch
from commerce_core.ports.runtime import Clock
from commerce_core.schema.record import Record


class Products:
    """Implements `commerce_core.ports.catalog.Products`."""

    def __init__(self, kept: Tables, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._plan: Plan | None = None
        self._changes: Sequence[Change] = ()
        self._contained: set[str] = set()
        self._numbered: Sequence[Product] = ()

    def page(self, query: ProductQuery, after: Position | None, limit: int) -> Page[Product]:
        """Pages of products."""
        position = partial(position_of, query)
        descending, rows = query.order == "desc", self._fitting(query)
        return page_of(rows, position, after, limit, descending=descending, place=place_of(query))

    def count(self, query: ProductQuery) -> int:
        """How many products fit."""
        return sum(1 for _ in self._fitting(query))

    def _fitting(self, query: ProductQuery) -> Iterator[Product]:
        return filter(fitting(query), map(self._shown, self._kept.products.values()))

    def _shown(self, row: Product) -> Product:
        return as_shown(self._kept, row, self._clock())

    def _active(self, source_id: str) -> list[Product]:
        return [
            row
            for row in self._kept.products.values()
            if row.source_id == source_id and row.status == "active"
        ]

    def lock_partner(self, partner_id: str) -> None:
        """Nothing to do: one unit is under way at a time."""

    def fingerprints(self, partner_id: str, source_id: str) -> FingerprintIndex:  # noqa: ARG002 a source is enough
        """The fingerprints of the source's active products."""
        self._numbered = self._active(source_id)
        kept = self._kept.fingerprints
        return IndexedFingerprints.of(kept.get(row.product_id) for row in self._numbered)

    def load(
        self,
        feed_context: FeedContext,
        batches: Iterable[Batch],
        publication: Publication,
        stem: str,
    ) -> Plan | None:
        """Loads the first feed of a partner."""
        if any(partner_id == feed_context.partner_id for partner_id, _ in self._kept.skus):
            return None
        plan = self.compare(feed_context, batches, 0)
        if plan.problems_by_code or plan.unchanged:
            return None
        self.apply(plan, publication, stem)
        return plan

    def compare(
        self, feed_context: FeedContext, batches: Iterable[Batch], problem_limit: int
    ) -> Plan:
        """The plan of a feed."""

        def find(sku: str) -> Product | None:
            product_id = self._kept.skus.get((feed_context.partner_id, sku))
            return self._kept.products[product_id] if product_id else None

        active = self._active(feed_context.source_id)
        numbers: list[int] = []
        records: list[Record] = []
        for batch in batches:
            numbers += batch.matched
            records += batch
        contested = self._contested(numbers, records)
        matched = [self._numbered[number] for number in numbers]
        self._contained = {
            *(product.product_id for product in contained(feed_context, records, find)),
            *(() if contested else (product.product_id for product in matched)),
        }
        plan, self._changes = compare(
            feed_context,
            records,
            find,
            active,
            problem_limit,
            matched=[] if contested else matched,
        )
        self._plan = evolve(plan, contested=contested)
        return self._plan

    def _contested(self, numbers: Sequence[int], records: Iterable[Record]) -> tuple[int, ...]:
        """The matched records that the file brings again, by the same text or another."""
        again = {record.sku for record in records}
        return tuple(
            number
            for number, times in Counter(numbers).items()
            if times > 1 or self._numbered[number].sku in again
        )

    def contained(self, product_ids: Collection[str]) -> Collection[str]:
        """Which of these products the last feed contains."""
        return self._contained.intersection(product_ids)

    def apply(self, plan: Plan, publication: Publication, stem: str) -> int:
        """Does what the last plan says."""
        if plan is not self._plan or plan.contested:
            raise ValueError("only the last plan of this unit can be applied")
        now, new_ids = self._clock(), iter(Block("prod", stem))
        for ordinal, change in enumerate(self._changes, start=1):
            product = change.before or _created(plan.feed_context, change, next(new_ids), now)
            self._keep(
                evolve(
                    product,
                    **change.values,
                    source_id=plan.feed_context.source_id,
                    status="removed" if change.kind == "removed" else "active",
                    feed_id=plan.feed_context.feed_id,
                    line=change.line,
                    version=product.version + 1,
                    publication_id=publication.publication_id,
                    ordinal=ordinal,
                    origin_id=None,
                ),
                change.fingerprint,
            )
        self._plan = None
        return len(self._active(plan.feed_context.source_id))

    def _keep(self, product: Product, fingerprint: Fingerprint | None) -> None:
        self._kept.fingerprints[product.product_id] = fingerprint
        before = self._kept.products.get(product.product_id)
        if before is not None:
            self._kept.history[before.product_id, before.version] = before
        self._kept.products[product.product_id] = product
        self._kept.skus[product.partner_id, product.sku] = product.product_id

    def get(self, product_id: str) -> Product:
        """The product."""
        return self._shown(found(self._kept.products, product_id, "product"))

    def resolve(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The product ids of these pairs of partner id and sku."""
        return {key: self._kept.skus[key] for key in keys if key in self._kept.skus}

    def oversold(self, publication: Publication, limit: int) -> Sequence[Oversold]:
        """The first oversold products of a publication."""
        written = [
            (row, self._kept.reserved.get(row.product_id, 0))
            for row in self._kept.products.values()
            if row.publication_id == publication.publication_id and row.status == "active"
        ]
        short = [
            Oversold(row.product_id, row.sku, row.quantity, reserved)
            for row, reserved in written
            if row.quantity is not None and row.quantity < reserved
        ]
        return sorted(short, key=lambda product: product.sku)[:limit]

    def not_sellable(self, publication: Publication) -> Mapping[NotSellable, int]:
        """The products of a publication that can't be sold, by reason."""
        now, source = self._clock(), self._kept.sources.get(publication.source_id)
        stale = source is not None and _is_stale(self._kept, source, now)
        written = (
            evolve(row, reserved=self._kept.reserved.get(row.product_id, 0), stale=stale)
            for row in self._kept.products.values()
            if row.publication_id == publication.publication_id and row.status == "active"
        )
        reasons = Counter[NotSellable](
            reason for row in written if (reason := row.not_sellable_reason)
        )
        return dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])))

    def get_many(self, product_ids: Iterable[str]) -> Mapping[str, Product]:
        """These products by id."""
        known = (id_ for id_ in dict.fromkeys(product_ids) if id_ in self._kept.products)
        return {product_id: self.get(product_id) for product_id in known}


def as_shown(kept: Tables, row: Product, now: datetime | None = None) -> Product:
    """The product with what is kept elsewhere: names, reserved units, and when it was published.

    With `now`, also whether its source's last fresh file is too old to sell by.
    """
    partner, source = kept.partners[row.partner_id], kept.sources.get(row.source_id)
    return evolve(
        row,
        partner_name=partner.partner_name,
        partner_gone=partner.status == "offboarded",
        updated_at=kept.publications[row.publication_id].published_at,
        reserved=kept.reserved.get(row.product_id, 0),
        net_of_orders=source is not None and source.net_of_orders,
        stale=source is not None and now is not None and _is_stale(kept, source, now),
    )


def _is_stale(kept: Tables, source: Source, now: datetime) -> bool:
    standing = kept.standings.get(source.source_id)
    if standing is None or standing.last_fresh_at is None or source.stop_selling_after is None:
        return False
    return standing.last_fresh_at + source.stop_selling_after <= now


def _created(feed_context: FeedContext, change: Change, product_id: str, now: datetime) -> Product:
    """A new product before its first version: what it will be for good."""
    return Product(
        product_id=product_id,
        partner_id=feed_context.partner_id,
        partner_name="",
        source_id=feed_context.source_id,
        sku=change.sku,
        product_name="",
        feed_id=feed_context.feed_id,
        line=change.line,
        version=0,
        publication_id="",
        created_at=now,
        updated_at=now,
    )
