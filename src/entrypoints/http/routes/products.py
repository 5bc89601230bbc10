"""Routes of products: the catalog as it now stands."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from attrs import frozen
from litestar import Response

from commerce_core.catalog.export import ExportForm
from commerce_core.catalog.product import Availability, Product, ProductQuery, SortBy
from commerce_core.catalog.query import LONGEST_SEARCH, MOST_SKUS, SEARCHED
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import Listed
from commerce_core.usecases.history import LATEST
from entrypoints.http.kit.downloads import download
from entrypoints.http.kit.handlers import get
from entrypoints.http.kit.queries import Page, WhoseQuery, instant
from entrypoints.reading import optional
from entrypoints.scalars import FeedId, Moment, ProductId, SourceId

_MEDIA_TYPES: Final[Mapping[ExportForm, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}

CHANGES_CURSOR: Final = "X-Changes-Cursor"


@frozen(kw_only=True, slots=False)
class ProductFilters(WhoseQuery):
    """Which products."""

    source_id: SourceId | None = optional(None, "The source that published them.")
    feed_id: FeedId | None = optional(None, "The feed that their present version came from.")
    sku: tuple[str, ...] = optional(
        (), "Their sku; any of several if it is repeated.", maxItems=MOST_SKUS
    )
    brand: str | None = optional(None, "Their brand, exactly.")
    category: str | None = optional(None, "Their category `A > B`, and all that is below it.")
    availability: Availability | None = optional(None, "What their partner states.")
    sellable: bool | None = optional(None, "Whether an order for one unit would be taken.")
    status: Literal["active", "removed", "all"] = optional(
        "active", "Whether they are in the catalog."
    )
    currency: str | None = optional(None, "The currency of their price.")
    price_min: Decimal | None = optional(None, "They cost at least so much; name the currency.")
    price_max: Decimal | None = optional(None, "They cost at most so much; name the currency.")
    updated_since: Moment | None = optional(
        None, "Changed at this time or later; a day is its first moment in UTC."
    )
    q: str | None = optional(
        None,
        f"Words that they all have in {', '.join(SEARCHED[:-1])} or {SEARCHED[-1]}, in any case.",
        maxLength=LONGEST_SEARCH,
    )

    def asked(self, sort_by: SortBy, order: Literal["asc", "desc"]) -> ProductQuery:
        """The query as the core takes it."""
        return ProductQuery(
            source_id=self.source_id,
            feed_id=self.feed_id,
            skus=self.sku,
            brand=self.brand,
            category=self.category,
            availability=self.availability,
            sellable=self.sellable,
            status=self.status,
            currency=self.currency,
            price_min=self.price_min,
            price_max=self.price_max,
            updated_since=instant(self.updated_since),
            q=self.q,
            sort_by=sort_by,
            order=order,
        )


@frozen(kw_only=True)
class ExportTerms(ProductFilters):
    """Which products, and in which form."""

    format: ExportForm = optional("csv", "A feed as CSV, or a JSON object a line.")


@frozen(kw_only=True)
class ProductListing(ProductFilters, Page):
    """Which products, in which order."""

    sort_by: SortBy = optional(
        "product_id", "What to sort by; by price, name a currency or a partner."
    )
    order: Literal["asc", "desc"] = optional("asc", "Ascending or descending.")
    as_of: Moment | None = optional(
        None, "What they were at this moment; then only by id, partner, source, sku and status."
    )


@get("/products", scope="catalog:read", etag=True)
def list_products(commerce: Commerce, parameters: ProductListing) -> Listed[Product]:
    """Lists products; those without what they are sorted by come last in either order."""
    wanted = parameters.asked(parameters.sort_by, parameters.order)
    return commerce.products.page(
        wanted,
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
        as_of=instant(parameters.as_of),
    )


@frozen(kw_only=True)
class AsOf:
    """When."""

    as_of: Moment | None = optional(None, "What it was at this moment (default: now).")


@get("/products/export", scope="catalog:read", media=["text/csv", "application/x-ndjson"])
def export_products(commerce: Commerce, parameters: ExportTerms) -> Response[Any]:
    """Gives all products that fit as one file, as of one moment; as CSV it is a feed again.

    `X-Changes-Cursor` is where to go on from in `/products/changes`, of that partner or of all.
    Some of what comes from there on may be in the file already.
    """
    wanted = parameters.asked("product_id", "asc")
    opened = commerce.products.export(wanted, form=parameters.format, partner=parameters.partner)
    # Taken before the moment of the file: rather twice than not at all.
    latest = commerce.history.page_changes(cursor=LATEST, partner=parameters.partner).next_cursor
    answer = download(opened, f"products.{parameters.format}", _MEDIA_TYPES[parameters.format])
    answer.headers[CHANGES_CURSOR] = latest or ""
    return answer


@get("/products/{product_id:str}", scope="catalog:read", etag=True)
def get_product(commerce: Commerce, product_id: ProductId, parameters: AsOf) -> Product:
    """Shows a product, a removed one too; `as_of` a moment as it was then."""
    return commerce.products.get(product_id, as_of=instant(parameters.as_of))


ROUTES = (list_products, export_products, get_product)
