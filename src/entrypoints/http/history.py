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
from entrypoints.http.queries import Moment, Page, Part, WhoseQuery, instant
from entrypoints.http.routing import route
from entrypoints.http.values import FeedId, ProductId, SourceId, said

Kind = Literal["created", "updated", "removed", "restored"]


@frozen(kw_only=True, slots=False)
class ChangePart:
    """A part of a list of changes."""

    limit: int = said(DEFAULT_LIMIT, "How many changes.", minimum=1, maximum=LARGEST_CHANGES)
    cursor: str | None = said(None, "`next_cursor` of the page before; nothing else may change.")
    kind: tuple[Kind, ...] = said((), "What happened; any of several if it is repeated.")


@frozen(kw_only=True)
class ChangeFilters(WhoseQuery, ChangePart):
    """Which changes. The cursor `latest` stands behind all that is published now."""

    source_id: SourceId | None = said(None, "The source that published them.")


@frozen(kw_only=True)
class PriceFilters:
    """Which part of a product's prices."""

    before: Moment | None = said(
        None, "The moment up to which to look; that at which the present price began, unless said."
    )
    days: int = said(USUAL_DAYS, "How many days to look back.", minimum=1, maximum=MOST_DAYS)


@frozen
class AvailabilityHistory:
    """When a product could be bought and when not, as far as its feeds say, newest first."""

    product_id: str
    periods: tuple[AvailabilityPeriod, ...]


@route("GET", "/products/{product_id:str}/history", scope="catalog:read")
def list_revisions(commerce: Commerce, product_id: ProductId, query: Part) -> Listed[Revision]:
    """Lists every version of a product, newest first, and what each changed."""
    return commerce.history.page_revisions(product_id, query.cursor, query.limit)


@route("GET", "/products/{product_id:str}/prices", scope="catalog:read")
def get_prices(commerce: Commerce, product_id: ProductId, query: PriceFilters) -> PriceHistory:
    """Shows what a product cost in the days before a moment, and the lowest price in them."""
    before = instant(query.before)
    return commerce.history.prices(product_id, before=before, days=query.days)


@route("GET", "/products/{product_id:str}/availability", scope="catalog:read")
def get_availability(commerce: Commerce, product_id: ProductId) -> AvailabilityHistory:
    """Shows when a product could be bought and when not."""
    return AvailabilityHistory(product_id, tuple(commerce.history.availability(product_id)))


@frozen(kw_only=True)
class WhichVersion:
    """Which version of a product."""

    version: int | None = said(
        None, "The version, as orders' items name it; the live one unless said."
    )


@route("GET", "/products/{product_id:str}/lineage", scope="feeds:read")
def get_lineage(commerce: Commerce, product_id: ProductId, query: WhichVersion) -> Lineage:
    """Shows where every value of a product came from: feed, line, cells, and how they are read."""
    return commerce.history.lineage(product_id, query.version)


@route("GET", "/products/changes", scope="catalog:read")
def list_changes(commerce: Commerce, query: ChangeFilters) -> Listed[Version]:
    """Lists what changed in the catalog, in order and without a gap; `next_cursor` is never null.

    An empty page means that one has caught up: ask again later with its `next_cursor`.
    """
    wanted = ChangeQuery(source_id=query.source_id, kinds=query.kind)
    return commerce.history.page_changes(wanted, query.cursor, query.limit, partner=query.partner)


@route("GET", "/feeds/{feed_id:str}/changes", scope="catalog:read")
def list_feed_changes(commerce: Commerce, feed_id: FeedId, query: ChangePart) -> Listed[Version]:
    """Lists what a feed changed, whatever later feeds did."""
    return commerce.feeds.page_changes(feed_id, query.cursor, query.limit, kinds=query.kind)


@route("GET", "/feeds/{feed_id:str}/products", scope="catalog:read")
def list_feed_products(commerce: Commerce, feed_id: FeedId, query: Page) -> Listed[Product]:
    """Lists the products that a feed created, updated or restored, as it wrote them."""
    return commerce.feeds.page_products(feed_id, query.cursor, query.limit, count=query.count)


@route("GET", "/products/by-feed/{feed_id:str}", scope="catalog:read")
def list_products_of_feed(commerce: Commerce, feed_id: FeedId, query: Page) -> Listed[Product]:
    """Lists the products that a feed created, updated or restored, as it wrote them."""
    return commerce.feeds.page_products(feed_id, query.cursor, query.limit, count=query.count)


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
