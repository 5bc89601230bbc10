"""Routes of products: the catalog as it now stands."""

from typing import Literal

from attrs import frozen

from commerce_core.context import Listed
from commerce_core.products import Product, ProductQuery, SortBy
from commerce_core.usecases import Commerce
from entrypoints.http.queries import Moment, Page, WhoseQuery, instant
from entrypoints.http.routing import route
from entrypoints.http.values import FeedId, ProductId, SourceId, said


@frozen(kw_only=True, slots=False)
class Sorting:
    """In which order."""

    sort_by: SortBy = said("product_id", "What to sort by; by price, name a currency or a partner.")
    order: Literal["asc", "desc"] = said("asc", "Ascending or descending.")


@frozen(kw_only=True)
class ProductFilters(WhoseQuery, Sorting, Page):
    """Which products, in which order."""

    source_id: SourceId | None = said(None, "The source that published them.")
    feed_id: FeedId | None = said(None, "The feed that their present version came from.")
    sku: tuple[str, ...] = said((), "Their sku; any of several if it is repeated.")
    currency: str | None = said(None, "The currency of their price.")
    status: Literal["active", "removed", "all"] = said("active", "Whether they are in the catalog.")


@route("GET", "/products", scope="catalog:read")
def list_products(commerce: Commerce, query: ProductFilters) -> Listed[Product]:
    """Lists products; those without a price come last in either order of prices."""
    wanted = ProductQuery(
        source_id=query.source_id,
        feed_id=query.feed_id,
        skus=query.sku,
        currency=query.currency,
        status=query.status,
        sort_by=query.sort_by,
        order=query.order,
    )
    return commerce.catalog.page(
        wanted, query.cursor, query.limit, partner=query.partner, count=query.count
    )


@frozen(kw_only=True)
class AsOf:
    """When."""

    as_of: Moment | None = said(None, "What it was at this moment; what it is now unless said.")


@route("GET", "/products/{product_id:str}", scope="catalog:read")
def get_product(commerce: Commerce, product_id: ProductId, query: AsOf) -> Product:
    """Shows a product, a removed one too; `as_of` a moment as it was then."""
    return commerce.catalog.get(product_id, as_of=instant(query.as_of))


ROUTES = (list_products, get_product)
