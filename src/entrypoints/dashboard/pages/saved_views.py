"""Saved views: their list, saving the filters of a page, renaming and removing them."""

from typing import Any

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.partners.saved_view import PageName
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.paging import Paging
from entrypoints.dashboard.kit.rendering import View
from entrypoints.dashboard.kit.saved import PAGE_PATHS, filters_in, path_of_view
from entrypoints.reading import optional, required
from entrypoints.scalars import ViewId


@frozen(kw_only=True)
class NewView:
    """A page as it is filtered now."""

    page: PageName = required("The page.")
    view_name: str = required("Name.")
    query: str = optional("", "The query of the page's address.")
    shared: bool = optional(default=False, meaning="Whether all see it.")


@frozen(kw_only=True)
class ViewChange:
    """A view's name, and who sees it."""

    view_name: str = required("Name.")
    shared: bool = optional(default=False, meaning="Whether all see it.")


@page("/views")
def show_views(commerce: Commerce, parameters: Paging) -> View:
    """Lists saved views, newest first."""
    views = commerce.saved_views.page(parameters.cursor)
    values: dict[str, Any] = {
        "views": views,
        "paths": {view.view_id: path_of_view(view) for view in views.items},
    }
    return View("views.html", "Saved views", values=values, curl="/views", command="views list")


@page("/views/{view_id:str}")
def open_view(commerce: Commerce, view_id: ViewId) -> Goto:
    """Leads to the page of a view, with its filters."""
    return Goto(path_of_view(commerce.saved_views.get(view_id)))


@act("/views")
def add_view(commerce: Commerce, form: NewView) -> Goto:
    """Saves the filters of a page as a view."""
    filters = filters_in(form.query)
    view = commerce.saved_views.add(form.page, form.view_name, filters, shared=form.shared)
    return Goto(path_of_view(view), f"Saved as {view.view_name}.")


@act("/views/{view_id:str}")
def change_view(commerce: Commerce, view_id: ViewId, form: ViewChange) -> Goto:
    """Renames a view, or shares it."""
    commerce.saved_views.change(view_id, view_name=form.view_name, shared=form.shared)
    return Goto("/views", "Saved.")


@act("/views/{view_id:str}/remove")
def remove_view(commerce: Commerce, view_id: ViewId) -> Goto:
    """Removes a view."""
    view = commerce.saved_views.remove(view_id)
    return Goto("/views", f"Removed {view.view_name}. {PAGE_PATHS[view.page]} itself stays.")


ROUTES = (show_views, open_view, add_view, change_view, remove_view)
