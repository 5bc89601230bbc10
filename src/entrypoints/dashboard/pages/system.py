"""The system: its parts, its queue, and what people did last."""

from commerce_core.commerce import Commerce
from entrypoints.dashboard.kit.assets import vendored
from entrypoints.dashboard.kit.pages import page
from entrypoints.dashboard.kit.paging import Paging
from entrypoints.dashboard.kit.rendering import View
from entrypoints.http.kit.security import Asked
from entrypoints.http.routes.health import watch_of


@page("/system", scope="keys:write", is_operators=True)
def show_system(commerce: Commerce, request: Asked, parameters: Paging) -> View:
    """Shows the parts, the queue, and the audit."""
    values = {
        "parts": watch_of(request).parts(),
        "backlog": commerce.queue.backlog(),
        "entries": commerce.audit.page(cursor=parameters.cursor, limit=30),
        "vendored": vendored(),
    }
    return View("system.html", "System", values=values, curl="/audit", command="health")


ROUTES = (show_system,)
