"""Products: the catalog as it is now, as it was, and as a file."""

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final

from attrs import frozen

from commerce_core.base.errors import InvalidInput, NotFound
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.catalog.export import ExportForm, Snapshot, write
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.catalog.query import tidied
from commerce_core.history.versions import check_as_of, past_query
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.ports.partners import PartnersUnit
from commerce_core.usecases.context import Context, Listed

_ALL_ACTIVE: Final = ProductQuery()


@frozen
class Products:
    """The products that the principal may see."""

    _context: Context

    def get(
        self,
        product_id: str | None = None,
        *,
        partner: str | None = None,
        sku: str | None = None,
        as_of: datetime | None = None,
    ) -> Product:
        """The product with that id, or the partner's with that sku; whether active or removed.

        With `as_of`, the product as it was at that moment, without reserved units; NotFound before
        its first version.
        """
        with self._context.store.read_only() as unit:
            if product_id is None:
                if partner is None or sku is None:
                    raise InvalidInput("Name the product by its id, or by partner and sku.")
                key = (self._context.partner(unit, partner).partner_id, sku)
                product_id = unit.products.resolve([key]).get(key)
                if product_id is None:
                    raise NotFound(f"Partner {partner!r} has no product {sku[:255]!r}.")
            product = self._context.seen("prod", product_id, unit.products.get)
            return product if as_of is None else self._as_of(unit, product, as_of)

    def _as_of(self, unit: CatalogUnit, product: Product, at: datetime) -> Product:
        number = _number_at(unit, at)
        then = unit.versions.as_of(product.product_id, number)
        if then is None:
            raise NotFound(
                f"There was no product {product.product_id} at {at.isoformat()}.",
                "See its history for when it was first published.",
                code="not_yet",
            )
        return then

    def list(
        self,
        query: ProductQuery = _ALL_ACTIVE,
        *,
        partner: str | None = None,
        as_of: datetime | None = None,
    ) -> Iterator[Product]:
        """All matching products, in the query's order, fetched page by page.

        With `as_of`, the products as they were at that moment, by id.
        """
        if as_of is not None:
            with self._context.store.begin() as unit:
                past = past_query(self._own_in(unit, query, partner), _number_at(unit, as_of))
            return self._context.walk(lambda unit: unit.past_products, past)
        return self._context.walk(lambda unit: unit.products, self._own(query, partner))

    def page(
        self,
        query: ProductQuery = _ALL_ACTIVE,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
        as_of: datetime | None = None,
    ) -> Listed[Product]:
        """A page of the matching products, in the query's order; with `as_of`, by id."""
        with self._context.store.begin() as unit:
            own = self._own_in(unit, query, partner)
            if as_of is None:
                return self._context.listed(unit.products, own, cursor, limit, count=count)
            past = past_query(own, _number_at(unit, as_of))
            return self._context.listed(unit.past_products, past, cursor, limit, count=count)

    def export(
        self,
        query: ProductQuery = _ALL_ACTIVE,
        *,
        form: ExportForm = "csv",
        partner: str | None = None,
    ) -> AbstractContextManager[Iterator[bytes]]:
        """All matching products, by id, as of a single moment: a file, in blocks of bytes.

        A CSV file is a feed: loading the unchanged export of a source changes nothing.
        """
        return _written(self._context.store.snapshot(self._own(query, partner)), form)

    def _own(self, query: ProductQuery, partner: str | None) -> ProductQuery:
        with self._context.store.read_only() as unit:
            return self._own_in(unit, query, partner)

    def _own_in(self, unit: PartnersUnit, query: ProductQuery, partner: str | None) -> ProductQuery:
        return tidied(self._context.own_in(unit, query, partner))


@contextmanager
def _written(
    taken: AbstractContextManager[Snapshot], form: ExportForm
) -> Generator[Iterator[bytes]]:
    with taken as snapshot:
        yield write(snapshot, form)


def _number_at(unit: CatalogUnit, at: datetime) -> int:
    """The number of the last publication up to that moment, if its history is still kept."""
    return check_as_of(unit.versions.forgotten(), unit.publications.number_at(at))
