"""The catalog: searching it, and one product with its prices, its past and its origin."""

from decimal import Decimal
from typing import Any, Final, Literal
from urllib.parse import urlencode

from attrs import asdict, frozen
from litestar import Response

from commerce_core.catalog.product import Availability, ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.history.lineage import Lineage
from commerce_core.history.timelines import MOST_DAYS, PriceHistory
from entrypoints.dashboard.kit import formats as write
from entrypoints.dashboard.kit.pages import page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.http.kit.downloads import download
from entrypoints.http.kit.queries import WhoseQuery
from entrypoints.reading import optional
from entrypoints.scalars import FeedId, ProductId

NEAR_LINES: Final = 1_000
"""A record up to this line is looked up in its raw file with the page; beyond it, on request."""
REVISIONS: Final = 20


@frozen(kw_only=True)
class Search(WhoseQuery):
    """Filters of the catalog."""

    q: str | None = optional(None, "Words.")
    feed_id: FeedId | None = optional(None, "Feed.")
    brand: str | None = optional(None, "Brand.")
    category: str | None = optional(None, "Category.")
    availability: Availability | None = optional(None, "Availability.")
    sellable: bool | None = optional(None, "Sellable.")
    status: Literal["active", "removed", "all"] = optional("active", "Status.")
    cursor: str | None = optional(None, "Where the page begins.")

    @property
    def query(self) -> ProductQuery:
        """The filters as the core takes them."""
        return ProductQuery(
            feed_id=self.feed_id, brand=self.brand, category=self.category,
            availability=self.availability, sellable=self.sellable, status=self.status, q=self.q,
        )  # fmt: skip

    @property
    def parameters(self) -> str:
        """The filters as the parameters of the API."""
        given = {n: v for n, v in asdict(self).items() if v is not None and n != "cursor"}
        if given["status"] == "active":
            del given["status"]
        if "sellable" in given:
            given["sellable"] = str(given["sellable"]).lower()
        return f"?{urlencode(given)}" if given else ""


@frozen(kw_only=True)
class WhichProduct:
    """What of a product is shown."""

    origin: bool = optional(default=False, meaning="Whether to look it up in its raw file.")
    cursor: str | None = optional(None, "Where its history begins.")


@page("/products", scope="catalog:read", is_expensive=lambda search: bool(search and search.q))
def show_products(commerce: Commerce, parameters: Search) -> View:
    """Searches the catalog."""
    products = commerce.products.page(
        parameters.query, parameters.cursor, partner=parameters.partner
    )
    values = {
        "products": products,
        "filters": parameters,
        "export_query": parameters.parameters,
    }
    q = f" --q {parameters.q!r}" if parameters.q else ""
    return View(
        "products.html", "Catalog", values=values, curl=f"/products{parameters.parameters}",
        command=f"products list{q}", saved_as="products",
    )  # fmt: skip


@page("/products/export", scope="catalog:read", lane="exports")
def export_products(commerce: Commerce, parameters: Search) -> Response[Any]:
    """Downloads the products that match as CSV."""
    export = commerce.products.export(parameters.query, partner=parameters.partner)
    return download(export, "products.csv", "text/csv; charset=utf-8")


@page(
    "/products/{product_id:str}",
    scope="catalog:read",
    is_expensive=lambda which: bool(which and which.origin),
)
def show_product(commerce: Commerce, product_id: ProductId, parameters: WhichProduct) -> View:
    """Shows a product: what it costs and cost, what changed it, where its values come from."""
    product = commerce.products.get(product_id)
    now = commerce.context.clock()
    periods = commerce.history.prices(product_id, before=now, days=MOST_DAYS)
    is_near = product.line <= NEAR_LINES or parameters.origin
    may_read = "feeds:read" in commerce.context.principal.scopes
    lineage = commerce.history.lineage(product_id) if is_near and may_read else None
    values = {
        "product": product,
        "prices": periods_with_lowest(commerce.history.prices(product_id), periods),
        "lineage": lineage,
        "marked": _marked(lineage) if lineage else {},
        "revisions": commerce.history.page_revisions(product_id, parameters.cursor, REVISIONS),
        **_chart(periods, product.currency, now),
    }
    return View(
        "product.html", product.product_name, values=values, curl=f"/products/{product_id}",
        command=f"products explain {product_id}",
    )  # fmt: skip


def periods_with_lowest(usual: PriceHistory, whole: PriceHistory) -> PriceHistory:
    """All periods of a year, with the lowest price before the current one began."""
    return PriceHistory(usual.product_id, usual.before, usual.days, usual.lowest, whole.periods)


def _marked(lineage: Lineage) -> dict[int, list[str]]:
    """By version, the cells that values of the product were read from."""
    found: dict[int, list[str]] = {}
    for origin in lineage.values:
        cells = found.setdefault(origin.version, [])
        cells += [cell.cell for cell in origin.cells if cell.cell]
    return {witness.version: found.get(witness.version, []) for witness in lineage.witnesses}


def _chart(history: PriceHistory, currency: str | None, now: Any) -> dict[str, Any]:  # noqa: ANN401 - a time
    """The price of the last year as points, and the labels around the chart."""
    oldest_first = [p for p in reversed(history.periods) if p.currency in (currency, None)]
    points: list[tuple[Any, Decimal | None]] = [(p.since, p.unit_price) for p in oldest_first]
    known = [price for _, price in points if price is not None]
    if points:
        points.append((now, points[-1][1]))
    return {
        "points": points,
        "chart_high": write.amount(max(known), currency) if known else "",
        "chart_low": write.amount(min(known), currency) if len(set(known)) > 1 else "",
        "chart_ends": [write.stamp(points[0][0]), write.stamp(now)] if points else [],
    }


ROUTES = (show_products, export_products, show_product)
