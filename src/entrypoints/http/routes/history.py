"""Routes of the catalog's history: past versions, changes, and what feeds did."""

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
    """One page of a list of changes."""

    limit: int = optional(
        DEFAULT_LIMIT, "Maximum number of changes.", minimum=1, maximum=LARGEST_CHANGES
    )
    cursor: str | None = optional(
        None, "`next_cursor` of the previous page; all other parameters must be the same."
    )
    kind: tuple[Kind, ...] = optional((), "Only changes of this kind; repeatable.")


@frozen(kw_only=True)
class ChangeFilters(WhoseQuery, ChangePart):
    """Filters of changes. The cursor `latest` skips all existing changes."""

    source_id: SourceId | None = optional(None, "Only changes published by this source.")


@frozen(kw_only=True)
class PriceFilters:
    """The period for which to show a product's prices."""

    before: Moment | None = optional(
        None, "End of the period (default: when the current price took effect)."
    )
    days: int = optional(USUAL_DAYS, "Length of the period in days.", minimum=1, maximum=MOST_DAYS)


@frozen
class AvailabilityHistory:
    """When a product could be ordered according to its feeds, newest first."""

    product_id: str
    periods: tuple[AvailabilityPeriod, ...]


@get("/products/{product_id:str}/history", scope="catalog:read")
def list_revisions(commerce: Commerce, product_id: ProductId, parameters: Part) -> Listed[Revision]:
    """Lists every version of a product, newest first, and what each changed."""
    return commerce.history.page_revisions(product_id, parameters.cursor, parameters.limit)


@get("/products/{product_id:str}/prices", scope="catalog:read")
def get_prices(commerce: Commerce, product_id: ProductId, parameters: PriceFilters) -> PriceHistory:
    """Shows a product's prices in a period, and the lowest of them."""
    before = instant(parameters.before)
    return commerce.history.prices(product_id, before=before, days=parameters.days)


@get("/products/{product_id:str}/availability", scope="catalog:read")
def get_availability(commerce: Commerce, product_id: ProductId) -> AvailabilityHistory:
    """Shows when a product could be ordered, and when not."""
    return AvailabilityHistory(product_id, tuple(commerce.history.availability(product_id)))


@frozen(kw_only=True)
class WhichVersion:
    """Which version of a product."""

    version: int | None = optional(
        None, "Version, such as the one that an order's item names (default: the current one)."
    )


@get("/products/{product_id:str}/lineage", scope="feeds:read", lane="queries")
def get_lineage(commerce: Commerce, product_id: ProductId, parameters: WhichVersion) -> Lineage:
    """Shows where each value of a product came from: feed, line, cells, and how they were read."""
    return commerce.history.lineage(product_id, parameters.version)


@get("/products/changes", scope="catalog:read")
def list_changes(commerce: Commerce, parameters: ChangeFilters) -> Listed[Version]:
    """Lists the changes of the catalog, in order and without gaps; `next_cursor` is never null.

    An empty page means that there are no more changes yet: ask again later with its `next_cursor`.
    """
    wanted = ChangeQuery(source_id=parameters.source_id, kinds=parameters.kind)
    return commerce.history.page_changes(
        wanted, parameters.cursor, parameters.limit, partner=parameters.partner
    )


@get("/feeds/{feed_id:str}/changes", scope="catalog:read")
def list_feed_changes(
    commerce: Commerce, feed_id: FeedId, parameters: ChangePart
) -> Listed[Version]:
    """Lists what a feed changed, including changes that later feeds overwrote."""
    return commerce.feeds.page_changes(
        feed_id, parameters.cursor, parameters.limit, kinds=parameters.kind
    )


@get("/feeds/{feed_id:str}/products", scope="catalog:read")
def list_feed_products(commerce: Commerce, feed_id: FeedId, parameters: Page) -> Listed[Product]:
    """Lists the products that a feed created, updated or restored, as the feed wrote them."""
    return commerce.feeds.page_products(
        feed_id, parameters.cursor, parameters.limit, count=parameters.count
    )


@get("/products/by-feed/{feed_id:str}", scope="catalog:read")
def list_products_of_feed(commerce: Commerce, feed_id: FeedId, parameters: Page) -> Listed[Product]:
    """Lists the products that a feed created, updated or restored, as the feed wrote them."""
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
