"""Routes of products: the catalog as it is, or was at a time."""

from decimal import Decimal
from typing import Any, ClassVar, Final, Literal, get_args

from attrs import frozen
from litestar import Response

from commerce_core.catalog.export import FileForm
from commerce_core.catalog.product import Availability, Product, ProductQuery, SortBy
from commerce_core.catalog.query import LONGEST_SEARCH, MOST_SKUS, SEARCHED
from commerce_core.commerce import Commerce
from commerce_core.pricing.priced_product import INCLUDES, Include, check_include
from commerce_core.usecases.context import Listed
from commerce_core.usecases.history import LATEST
from entrypoints.http.kit.downloads import download
from entrypoints.http.kit.handlers import get
from entrypoints.http.kit.queries import Expensive, Page, WhoseQuery, instant
from entrypoints.reading import optional
from entrypoints.scalars import FeedId, Moment, ProductId, SourceId


def _media_type(form: FileForm) -> str:
    match form:
        case "csv":
            return "text/csv; charset=utf-8"
        case "ndjson":
            return "application/x-ndjson"
        case "parquet":
            return "application/vnd.apache.parquet"


CHANGES_CURSOR: Final = "X-Changes-Cursor"


@frozen(kw_only=True, slots=False)
class ProductFilters(WhoseQuery):
    """Filters of products."""

    source_id: SourceId | None = optional(None, "Only products owned by this source.")
    feed_id: FeedId | None = optional(None, "Only products last written by this feed.")
    sku: tuple[str, ...] = optional((), "Only this sku; repeatable.", maxItems=MOST_SKUS)
    brand: str | None = optional(None, "Only this brand, matched exactly.")
    category: str | None = optional(
        None, "Only this category, such as `A > B`, and those below it."
    )
    availability: Availability | None = optional(
        None, "Only this availability, as declared by the partner."
    )
    sellable: bool | None = optional(
        None, "Only products that can (true) or can't (false) be ordered now."
    )
    status: Literal["active", "removed", "all"] = optional(
        "active", "Only products with this status."
    )
    currency: str | None = optional(None, "Only products priced in this currency.")
    price_min: Decimal | None = optional(None, "Minimum price; requires `currency`.")
    price_max: Decimal | None = optional(None, "Maximum price; requires `currency`.")
    updated_since: Moment | None = optional(
        None, "Only products changed at or after this time; a day stands for its start in UTC."
    )
    q: str | None = optional(
        None,
        "Only products that contain all these words, ignoring case, in their "
        f"{', '.join(SEARCHED[:-1])} or {SEARCHED[-1]}.",
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


@frozen(kw_only=True, slots=False)
class Included:
    """What is added to products."""

    include: str | None = optional(
        None,
        "Prices to add, separated by commas: `selling_price` is what one unit costs anyone, and "
        "`prior_price` is the lowest such price in the 30 days before the running reduction began.",
        pattern=f"^({'|'.join(INCLUDES)})(,({'|'.join(INCLUDES)}))*$",
    )

    @property
    def included(self) -> tuple[Include, ...]:
        """The prices as the core takes them."""
        return check_include(self.include.split(",")) if self.include is not None else ()


@frozen(kw_only=True)
class ExportTerms(ProductFilters, Included):
    """Filters of products, and the format of their export."""

    format: FileForm = optional("csv", "A feed as CSV, one JSON object per line, or Parquet.")


@frozen(kw_only=True)
class ProductListing(ProductFilters, Page, Included):
    """Filters of products, and their order."""

    EXPENSIVE: ClassVar[Expensive] = {
        **Page.EXPENSIVE,
        "q": bool,
        "sort_by": {"product_name", "price"}.__contains__,
    }

    sort_by: SortBy = optional(
        "product_id", "Field to sort by; `price` requires a currency or a partner."
    )
    order: Literal["asc", "desc"] = optional("asc", "Sort order: ascending or descending.")
    as_of: Moment | None = optional(
        None,
        "Products as they were then, sorted by id; filtered only by partner, source, sku, status.",
    )


@get("/products", scope="catalog:read", etag=True)
def list_products(commerce: Commerce, parameters: ProductListing) -> Listed[Product]:
    """Lists products; those without a value in the field sorted by come last, in either order."""
    wanted = parameters.asked(parameters.sort_by, parameters.order)
    return commerce.products.page(
        wanted,
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
        as_of=instant(parameters.as_of),
        include=parameters.included,
    )


@frozen(kw_only=True)
class AsOf(Included):
    """The time to look at."""

    as_of: Moment | None = optional(None, "The product as it was at this time (default: now).")


@get(
    "/products/export",
    scope="catalog:read",
    media=[_media_type(form).partition(";")[0] for form in get_args(FileForm)],
    lane="exports",
)
def export_products(commerce: Commerce, parameters: ExportTerms) -> Response[Any]:
    """Downloads all matching products, as of a single moment, as CSV, NDJSON or Parquet.

    A CSV is a feed: uploaded again unchanged, it changes nothing. To follow later changes, pass
    `X-Changes-Cursor` to `/products/changes`, with the same partner if one was given. The first of
    these changes may already be in the file.
    """
    wanted = parameters.asked("product_id", "asc")
    opened = commerce.products.export(
        wanted,
        form=parameters.format,
        partner=parameters.partner,
        include=parameters.included,
    )
    # Taken before the moment of the file: a change had better come twice than not at all.
    latest = commerce.history.page_changes(cursor=LATEST, partner=parameters.partner).next_cursor
    answer = download(opened, f"products.{parameters.format}", _media_type(parameters.format))
    answer.headers[CHANGES_CURSOR] = latest or ""
    return answer


@get("/products/{product_id:str}", scope="catalog:read", etag=True)
def get_product(commerce: Commerce, product_id: ProductId, parameters: AsOf) -> Product:
    """Shows a product, whether active or removed."""
    return commerce.products.get(
        product_id, as_of=instant(parameters.as_of), include=parameters.included
    )


ROUTES = (list_products, export_products, get_product)
