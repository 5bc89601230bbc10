"""Routes of saved views: the filters of the dashboard's lists, under names."""

from collections.abc import Mapping

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.partners.saved_view import PageName, SavedView
from commerce_core.usecases.context import IdempotencyKey, Listed
from entrypoints.http.kit.handlers import delete, get, patch, post
from entrypoints.http.kit.queries import Page
from entrypoints.reading import MISSING, optional, required, sent
from entrypoints.scalars import ViewId


@frozen(kw_only=True)
class NewView:
    """A view to save."""

    page: PageName = required("The list that it filters.")
    view_name: str = required("Name; no other view of that page has it.")
    filters: Mapping[str, str] = optional(
        {}, "The filters by their names in the page's address, such as `status`."
    )
    shared: bool = optional(
        default=False, meaning="Whether all who act for the same owner see it, or this key alone."
    )


@frozen(kw_only=True)
class ViewChange:
    """Changes to a saved view; omitted fields stay as they are."""

    view_name: str = optional(MISSING, "Name.")
    filters: Mapping[str, str] = optional(MISSING, "Filters; they replace the previous ones.")
    shared: bool = optional(MISSING, "Whether all who act for the same owner see it.")


@frozen(kw_only=True)
class ViewFilters(Page):
    """Filters of saved views."""

    page: PageName | None = optional(None, "Only views of this list.")


@post(
    "/views",
    scope="partners:read",
    status=(201,),
    refuses=[409],
    location="/v1/views/{.view_id}",
    example={"page": "feeds", "view_name": "Held", "filters": {"status": "held"}},
)
def add_view(commerce: Commerce, payload: NewView, key: IdempotencyKey | None) -> SavedView:
    """Saves the filters of a list under a name, for this key or for all of its owner."""
    return commerce.saved_views.add(
        payload.page, payload.view_name, payload.filters, shared=payload.shared, key=key
    )


@get("/views", scope="partners:read")
def list_views(commerce: Commerce, parameters: ViewFilters) -> Listed[SavedView]:
    """Lists the views that are shared and those of this key, newest first."""
    return commerce.saved_views.page(
        parameters.cursor, parameters.limit, page=parameters.page, count=parameters.count
    )


@get("/views/{view_id:str}", scope="partners:read")
def get_view(commerce: Commerce, view_id: ViewId) -> SavedView:
    """Shows a saved view."""
    return commerce.saved_views.get(view_id)


@patch(
    "/views/{view_id:str}",
    scope="partners:read",
    refuses=[409],
    example={"view_name": "Held since yesterday"},
)
def change_view(commerce: Commerce, view_id: ViewId, payload: ViewChange) -> SavedView:
    """Renames a saved view, replaces its filters, or shares it."""
    return commerce.saved_views.change(view_id, **sent(payload))


@delete("/views/{view_id:str}", scope="partners:read")
def remove_view(commerce: Commerce, view_id: ViewId) -> SavedView:
    """Removes a saved view."""
    return commerce.saved_views.remove(view_id)


ROUTES = (add_view, list_views, get_view, change_view, remove_view)
