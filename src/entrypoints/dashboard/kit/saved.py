"""Saved views as links: the addresses of lists with the filters that were saved."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.partners.saved_view import MOST_VIEWS, PageName, SavedView
from entrypoints.http.kit.security import Asked

PAGE_PATHS: Final[Mapping[PageName, str]] = {
    "inbox": "/",
    "feeds": "/feeds",
    "jobs": "/jobs",
    "failures": "/failures",
    "products": "/products",
    "orders": "/orders",
    "analytics": "/analytics",
    "best_sellers": "/analytics/top",
    "hours": "/analytics/hours",
    "refunds": "/analytics/refunds",
    "rule_costs": "/analytics/rules",
    "statements": "/statements",
    "alerts": "/alerts",
}
_NOT_FILTERS: Final = ("cursor", "format")


@frozen
class SavedLink:
    """A saved view as a link; `is_here` if the page shows just that."""

    view: SavedView
    path: str
    is_here: bool


def path_of_view(view: SavedView) -> str:
    """The address of the page with the view's filters."""
    path = PAGE_PATHS[view.page]
    return f"{path}?{urlencode(view.filters)}" if view.filters else path


def filters_in(query: str) -> dict[str, str]:
    """The filters in the query of a page's address; those left blank count as not there."""
    pairs = parse_qsl(query)
    return {name: value for name, value in pairs if value.strip() and name not in _NOT_FILTERS}


def saved_links(
    request: Asked, commerce: Commerce | None, page: PageName | None
) -> Sequence[SavedLink]:
    """The views of this page, by name; none for a page without any."""
    if commerce is None or page is None:
        return ()
    here = filters_in(request.url.query)
    views = commerce.saved_views.page(None, 2 * MOST_VIEWS, page=page).items
    return [
        SavedLink(view, path_of_view(view), is_here=dict(view.filters) == here)
        for view in sorted(views, key=lambda view: (view.view_name.casefold(), view.view_id))
    ]
