"""The system: its parts, its queue, and what people did last."""

from collections.abc import Mapping
from typing import Final

from commerce_core.commerce import Commerce
from entrypoints.dashboard.kit.assets import vendored
from entrypoints.dashboard.kit.pages import page
from entrypoints.dashboard.kit.paging import Paging
from entrypoints.dashboard.kit.rendering import View
from entrypoints.http.kit.security import Asked
from entrypoints.http.routes.health import watch_of

_PAGES: Final[Mapping[str, str]] = {
    "ptn": "partners", "src": "sources", "feed": "feeds", "job": "jobs", "prod": "products",
    "ord": "orders", "rule": "rules", "stmt": "statements", "hook": "webhooks", "dlv": "deliveries",
    "chan": "alert-channels", "bulk": "bulk-acts",
}  # fmt: skip
"""The pages of things, by how their ids begin."""


def path_of_id(id_: str) -> str | None:
    """The page of a thing; None if it has none."""
    page_of = _PAGES.get(id_.partition("_")[0])
    return f"/{page_of}/{id_}" if page_of else None


@page("/system", scope="keys:write", is_operators=True)
def show_system(commerce: Commerce, request: Asked, parameters: Paging) -> View:
    """Shows the parts, the queue, and the audit."""
    values = {
        "parts": watch_of(request).parts(),
        "backlog": commerce.queue.backlog(),
        "entries": commerce.audit.page(cursor=parameters.cursor, limit=30),
        "path_of_id": path_of_id,
        "vendored": vendored(),
    }
    return View("system.html", "System", values=values, curl="/audit", command="health")


ROUTES = (show_system,)
