"""Every version of every product in memory, and the catalog as it was."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from adapters.memory.pages import agrees, by_id, page_of
from adapters.memory.products import as_shown
from adapters.memory.tables import Tables, found
from commerce_core.base.paging import Page, Position
from commerce_core.catalog.product import Product
from commerce_core.history.versions import ChangeQuery, PastQuery, Version, first_changes, place
from commerce_core.pricing.public_price import MOST_VERSIONS, PriceFacts, changes_of_price


@frozen
class Versions:
    """Implements `commerce_core.ports.catalog.Versions`."""

    _kept: Tables

    def changes(self, query: ChangeQuery, after: Position, limit: int) -> Page[Version]:
        """The first versions that fit behind that position."""
        at = place(after)
        fitting = [version for version in self.stream(query) if place(version.position) > at]
        return first_changes(fitting, limit, len(self._kept.publications))

    def stream(self, query: ChangeQuery) -> list[Version]:
        """All versions that fit, in their order."""
        made = (
            p
            for p in self._kept.publications.values()
            if agrees(query, p, "partner_id", "source_id", "feed_id")
            and (query.feed_id is None or p.kind == "feed")
        )
        of_whom = {publication.publication_id for publication in made}
        everything = (*self._kept.products.values(), *self._kept.history.values())
        versions = [self._version(row) for row in everything if row.publication_id in of_whom]
        fitting = (v for v in versions if not query.kinds or v.change in query.kinds)
        return sorted(fitting, key=lambda version: (version.publication, version.ordinal))

    def _version(self, row: Product) -> Version:
        before = self._kept.history.get((row.product_id, row.version - 1))
        number = self._kept.publications[row.publication_id].number or 0
        return Version.of(number, as_shown(self._kept, row), before)

    def history(self, product_id: str, after: Position | None, limit: int) -> Page[Version]:
        """Every version of a product, newest first."""
        live = found(self._kept.products, product_id, "product")
        rows = [live, *(row for (id_, _), row in self._kept.history.items() if id_ == product_id)]
        page = page_of(rows, lambda row: Position(str(row.version), row.product_id), after, limit)
        return Page(tuple(map(self._version, page.items)), page.after)

    def as_of(self, product_id: str, number: int) -> Product | None:
        """The product as it was once that publication had been made."""
        page = self.history(product_id, None, len(self._kept.publications) + 1)
        return next((v.product for v in page.items if v.publication <= number), None)

    def price_facts(self, products: Sequence[Product]) -> Mapping[str, Sequence[PriceFacts]]:
        """What prices depended on."""
        latest = {product.product_id: product.version for product in products}
        rows: defaultdict[str, list[Product]] = defaultdict(list)
        for row in (*self._kept.products.values(), *self._kept.history.values()):
            if row.version <= latest.get(row.product_id, 0):
                rows[row.product_id].append(as_shown(self._kept, row))
        return {
            id_: tuple(
                changes_of_price(sorted(of_it, key=lambda row: row.version)[-MOST_VERSIONS:])
            )
            for id_, of_it in rows.items()
        }

    def forget(self, number: int, at: datetime) -> int:
        """Forgets the versions that were no longer live by that publication."""
        self._kept.forgotten[number] = at
        numbers = {id_: p.number or 0 for id_, p in self._kept.publications.items()}
        gone = [
            (product_id, version)
            for product_id, version in self._kept.history
            if numbers[self._after(product_id, version).publication_id] <= number
        ]
        for key in gone:
            del self._kept.history[key]
        return len(gone)

    def _after(self, product_id: str, version: int) -> Product:
        """The version that replaced this one."""
        replaced_by = self._kept.history.get((product_id, version + 1))
        return replaced_by or self._kept.products[product_id]

    def forgotten(self) -> int:
        """The number of the last publication by which versions were forgotten."""
        return max(self._kept.forgotten, default=0)


@frozen
class FeedProducts:
    """Implements `commerce_core.ports.catalog.FeedProducts`."""

    _kept: Tables

    def page(self, query: str, after: Position | None, limit: int) -> Page[Product]:
        """Pages of what a feed wrote."""
        written = self._written(query)
        rows = [v for v in written if after is None or place(v.position) > place(after)]
        page = Page[Version].cut(rows, limit, lambda version: version.position)
        return Page(tuple(version.product for version in page.items), page.after)

    def count(self, query: str) -> int:
        """How many products a feed wrote."""
        return len(self._written(query))

    def _written(self, feed_id: str) -> list[Version]:
        """What the feed wrote last of each product, where that is in the catalog."""
        everything = Versions(self._kept).stream(ChangeQuery(feed_id=feed_id))
        last = {version.product_id: version for version in everything}
        return [v for v in everything if last[v.product_id] is v and v.change != "removed"]


@frozen
class PastProducts:
    """Implements `commerce_core.ports.catalog.PastProducts`."""

    _kept: Tables

    def page(self, query: PastQuery, after: Position | None, limit: int) -> Page[Product]:
        """Pages of the catalog as it was."""
        rows = self._fitting(query)
        return page_of(rows, lambda p: by_id(p.product_id), after, limit, descending=False)

    def count(self, query: PastQuery) -> int:
        """How many products there were."""
        return len(self._fitting(query))

    def _fitting(self, query: PastQuery) -> list[Product]:
        versions = Versions(self._kept)
        then = (versions.as_of(product_id, query.number) for product_id in self._kept.products)
        return [
            row
            for row in then
            if row is not None
            and query.status in ("all", row.status)
            and agrees(query, row, "partner_id", "source_id")
            and (not query.skus or row.sku in query.skus)
        ]
