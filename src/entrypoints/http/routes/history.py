"""Routes of the catalog through time: the past of products, the changes, what feeds did."""

from typing import Literal

from attrs import frozen

from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.catalog.product import Product
from commerce_core.commerce import Commerce
from commerce_core.history.lineage import Lineage
from commerce_core.history.timelines import MOST_DAYS, USUAL_DAYS, AvailabilityPeriod, PriceHistory
from commerce_core.history.versions import LARGEST_CHANGES, ChangeQuery, Revision, Version
from commerce_core.usecases.context import Listed
from entrypoints.http.kit.handlers import get
from entrypoints.http.kit.queries import Page, Part, WhoseQuery, instant
from entrypoints.reading import optional
from entrypoints.scalars import FeedId, Moment, ProductId, SourceId

Kind = Literal["created", "updated", "removed", "restored"]


@frozen(kw_only=True, slots=False)
class ChangePart:
    """A part of a list of changes."""

    limit: int = optional(DEFAULT_LIMIT, "How many changes.", minimum=1, maximum=LARGEST_CHANGES)
    cursor: str | None = optional(
        None, "`next_cursor` of the page before; nothing else may change."
    )
    kind: tuple[Kind, ...] = optional((), "What happened; any of several if it is repeated.")


@frozen(kw_only=True)
class ChangeFilters(WhoseQuery, ChangePart):
    """Which changes. The cursor `latest` stands behind all that is published now."""

    source_id: SourceId | None = optional(None, "The source that published them.")


@frozen(kw_only=True)
class PriceFilters:
    """Which part of a product's prices."""

    before: Moment | None = optional(
        None, "The moment up to which to look (default: when the present price began)."
    )
    days: int = optional(USUAL_DAYS, "How many days to look back.", minimum=1, maximum=MOST_DAYS)


@frozen
class AvailabilityHistory:
    """When a product could be bought and when not, as far as its feeds say, newest first."""

    product_id: str
    periods: tuple[AvailabilityPeriod, ...]


@get("/products/{product_id:str}/history", scope="catalog:read")
def list_revisions(commerce: Commerce, product_id: ProductId, parameters: Part) -> Listed[Revision]:
    """Lists every version of a product, newest first, and what each changed."""
    return commerce.history.page_revisions(product_id, parameters.cursor, parameters.limit)


@get("/products/{product_id:str}/prices", scope="catalog:read")
def get_prices(commerce: Commerce, product_id: ProductId, parameters: PriceFilters) -> PriceHistory:
    """Shows what a product cost in the days before a moment, and the lowest price in them."""
    before = instant(parameters.before)
    return commerce.history.prices(product_id, before=before, days=parameters.days)


@get("/products/{product_id:str}/availability", scope="catalog:read")
def get_availability(commerce: Commerce, product_id: ProductId) -> AvailabilityHistory:
    """Shows when a product could be bought and when not."""
    return AvailabilityHistory(product_id, tuple(commerce.history.availability(product_id)))


@frozen(kw_only=True)
class WhichVersion:
    """Which version of a product."""

    version: int | None = optional(
        None, "The version, as orders' items name it (default: the live one)."
    )


@get("/products/{product_id:str}/lineage", scope="feeds:read")
def get_lineage(commerce: Commerce, product_id: ProductId, parameters: WhichVersion) -> Lineage:
    """Shows where every value of a product came from: feed, line, cells, and how they are read."""
    return commerce.history.lineage(product_id, parameters.version)


@get("/products/changes", scope="catalog:read")
def list_changes(commerce: Commerce, parameters: ChangeFilters) -> Listed[Version]:
    """Lists what changed in the catalog, in order and without a gap; `next_cursor` is never null.

    An empty page means that one has caught up: ask again later with its `next_cursor`.
    """
    wanted = ChangeQuery(source_id=parameters.source_id, kinds=parameters.kind)
    return commerce.history.page_changes(
        wanted, parameters.cursor, parameters.limit, partner=parameters.partner
    )


@get("/feeds/{feed_id:str}/changes", scope="catalog:read")
def list_feed_changes(
    commerce: Commerce, feed_id: FeedId, parameters: ChangePart
) -> Listed[Version]:
    """Lists what a feed changed, whatever later feeds did."""
    return commerce.feeds.page_changes(
        feed_id, parameters.cursor, parameters.limit, kinds=parameters.kind
    )


@get("/feeds/{feed_id:str}/products", scope="catalog:read")
def list_feed_products(commerce: Commerce, feed_id: FeedId, parameters: Page) -> Listed[Product]:
    """Lists the products that a feed created, updated or restored, as it wrote them."""
    return commerce.feeds.page_products(
        feed_id, parameters.cursor, parameters.limit, count=parameters.count
    )


@get("/products/by-feed/{feed_id:str}", scope="catalog:read")
def list_products_of_feed(commerce: Commerce, feed_id: FeedId, parameters: Page) -> Listed[Product]:
    """Lists the products that a feed created, updated or restored, as it wrote them."""
    return commerce.feeds.page_products(
        feed_id, parameters.cursor, parameters.limit, count=parameters.count
    )


ROUTES = (
    list_revisions,
    get_prices,
    get_availability,
    get_lineage,
    list_changes,
    list_feed_changes,
    list_feed_products,
    list_products_of_feed,
)
