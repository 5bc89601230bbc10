"""Products: the catalog as it is now, as it was, and as a file."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import InvalidInput, NotFound
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.catalog.export import (
    SHOWN,
    WRITERS,
    Columns,
    ExportForm,
    FileForm,
    Snapshot,
    write,
)
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.catalog.query import tidied
from commerce_core.history.versions import check_as_of, past_query
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.ports.partners import PartnersUnit
from commerce_core.ports.store import Store
from commerce_core.pricing.priced_product import Include, check_include, members_of
from commerce_core.usecases.context import Context, Listed
from commerce_core.usecases.product_prices import Including

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
        include: Sequence[Include] = (),
    ) -> Product:
        """The product with that id, or the partner's with that sku; whether active or removed.

        With `as_of`, the product as it was at that moment, without reserved units; NotFound before
        its first version. With `include`, a PricedProduct.
        """
        including = self._including(include, as_of)
        with self._context.store.read_only() as unit:
            if product_id is None:
                if partner is None or sku is None:
                    raise InvalidInput("Name the product by its id, or by partner and sku.")
                key = (self._context.partner(unit, partner).partner_id, sku)
                product_id = unit.products.resolve([key]).get(key)
                if product_id is None:
                    raise NotFound(f"Partner {partner!r} has no product {sku[:255]!r}.")
            product = self._context.seen("prod", product_id, unit.products.get)
            product = product if as_of is None else self._as_of(unit, product, as_of)
            return including.added(unit, [product])[0]

    def _including(self, include: Sequence[str], at: datetime | None) -> Including:
        included, known = check_include(include), self._context.known_prices if at is None else None
        return Including(included, at or self._context.clock(), known)

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
        include: Sequence[Include] = (),
    ) -> Iterator[Product]:
        """All matching products, in the query's order, fetched page by page.

        With `as_of`, the products as they were at that moment, by id. With `include`, they are
        PricedProducts.
        """
        including = self._including(include, as_of)
        if as_of is None:
            found = self._context.walk(lambda unit: unit.products, self._own(query, partner))
        else:
            with self._context.store.begin() as unit:
                past = past_query(self._own_in(unit, query, partner), _number_at(unit, as_of))
            found = self._context.walk(lambda unit: unit.past_products, past)
        return including.walked(self._context.store, found) if include else found

    def page(
        self,
        query: ProductQuery = _ALL_ACTIVE,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
        as_of: datetime | None = None,
        include: Sequence[Include] = (),
    ) -> Listed[Product]:
        """A page of the matching products, in the query's order; with `as_of`, by id.

        With `include`, they are PricedProducts.
        """
        including = self._including(include, as_of)
        id_ = self._context.partner_id(query.partner_id if partner is None else partner)
        with self._context.store.read_only() as unit:
            if id_ is None:
                own = self._own_in(unit, query, partner)
            else:
                own = tidied(evolve(query, partner_id=id_))
            if as_of is None:
                page = self._context.listed(unit.products, own, cursor, limit, count=count)
            else:
                past = past_query(own, _number_at(unit, as_of))
                page = self._context.listed(unit.past_products, past, cursor, limit, count=count)
            if id_ is not None and not page.items:
                # Only now is it open whether there is such a partner.
                self._context.partner(unit, id_)
            return evolve(page, items=including.added(unit, page.items)) if include else page

    def export(
        self,
        query: ProductQuery = _ALL_ACTIVE,
        *,
        form: FileForm = "csv",
        partner: str | None = None,
        include: Sequence[Include] = (),
    ) -> AbstractContextManager[Iterator[bytes]]:
        """All matching products, by id, as of a single moment: a file, in blocks of bytes.

        A CSV file is a feed: loading the unchanged export of a source changes nothing. Parquet has
        the members of NDJSON as columns: amounts as decimals, times in UTC.
        """
        including = self._including(include, None)
        taken = self._context.store.snapshot(self._own(query, partner))

        def as_text(form: ExportForm) -> AbstractContextManager[Iterator[bytes]]:
            if include:
                return _priced(taken, form, including, self._context.store)
            return _written(taken, form)

        match form:
            case "csv" | "ndjson":
                return as_text(form)
            case "parquet":
                members = (*SHOWN, *members_of(including.included))
                return _as_columns(as_text("ndjson"), self._context.columns, members)

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


@contextmanager
def _as_columns(
    opened: AbstractContextManager[Iterator[bytes]], columns: Columns, names: tuple[str, ...]
) -> Generator[Iterator[bytes]]:
    with opened as lines:
        yield columns(lines, names)


@contextmanager
def _priced(
    taken: AbstractContextManager[Snapshot], form: ExportForm, including: Including, store: Store
) -> Generator[Iterator[bytes]]:
    with taken as snapshot:
        batches = (list(including.walked(store, batch)) for batch in snapshot)
        yield WRITERS[form](batches, tuple(members_of(including.included)))


def _number_at(unit: CatalogUnit, at: datetime) -> int:
    """The number of the last publication up to that moment, if its history is still kept."""
    return check_as_of(unit.versions.forgotten(), unit.publications.number_at(at))
