"""The application: all routes, who is let in, and how everything else is answered."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final, Self

from attrs import evolve
from litestar import Litestar, Router
from litestar.concurrency import set_asyncio_executor
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.types import LifespanHook

from commerce_core.commerce import Commerce
from entrypoints.apart import Examiners, InProcesses
from entrypoints.http.admission.admission import Admission
from entrypoints.http.kit.guarded import Guarded
from entrypoints.http.kit.openapi import describe
from entrypoints.http.kit.problems import HANDLERS
from entrypoints.http.kit.security import add_headers
from entrypoints.http.routes import (
    alerts,
    analytics,
    audit,
    bulk_acts,
    doctor,
    events,
    feeds,
    health,
    history,
    inbox,
    jobs,
    keys,
    orders,
    pages,
    partners,
    plans,
    price_lists,
    pricing,
    products,
    pulls,
    reverts,
    saved_views,
    sources,
    statements,
    webhooks,
)
from entrypoints.scraping import Watch
from entrypoints.settings import Settings

THREADS: Final = 16
"""How many blocks of downloads, and looks at jobs, are taken at once in one process."""
MOST_BODY_BYTES: Final = 1024**2
"""How large a body may be that isn't a feed's file."""
FORM_BYTES: Final = 1024**2
"""What a form may have around its file."""
V1: Final = "/v1"

_V1_ROUTES: Final = (
    *partners.ROUTES,
    *keys.ROUTES,
    *sources.ROUTES,
    *pulls.ROUTES,
    *feeds.ROUTES,
    *jobs.ROUTES,
    *plans.ROUTES,
    *products.ROUTES,
    *history.ROUTES,
    *reverts.ROUTES,
    *pricing.ROUTES,
    *price_lists.ROUTES,
    *orders.ROUTES,
    *statements.ROUTES,
    *analytics.ROUTES,
    *events.ROUTES,
    *webhooks.ROUTES,
    *alerts.ROUTES,
    *saved_views.ROUTES,
    *audit.ROUTES,
    *inbox.ROUTES,
    *bulk_acts.ROUTES,
    *health.ROUTES,
)


class _Prefix(Router):
    """Routes below a prefix, made for one application: it needs no copy of all their terms."""

    def __deepcopy__(self, _: object) -> Self:
        """Itself: Litestar copies what it registers."""
        return self


def create_app(
    commerce: Commerce,
    settings: Settings,
    *,
    home: Sequence[HTTPRouteHandler] = (pages.show_home,),
    on_shutdown: Sequence[LifespanHook] = (),
) -> Litestar:
    """The application on a platform that is open; `commerce` acts as the operator.

    `home` has the pages at `/` and below it: the dashboard, or a page that only shows whether the
    parts are up.
    """
    set_asyncio_executor(_threads())
    upload_limit = settings.most_upload_bytes + FORM_BYTES
    examined_limit = doctor.EXAMINED_BYTES + FORM_BYTES
    app = Guarded(
        [
            _Prefix(V1, route_handlers=_V1_ROUTES),
            _Prefix(V1, route_handlers=[sources.TRIAL], request_max_body_size=sources.TRIED_BYTES),
            _Prefix(V1, route_handlers=[doctor.EXAMINE], request_max_body_size=examined_limit),
            _Prefix(V1, route_handlers=feeds.UPLOADS, request_max_body_size=upload_limit),
            _Prefix("/", route_handlers=[*health.PROBES, *pages.ROUTES, *home]),
        ],
        exception_handlers=HANDLERS,
        before_send=[add_headers],
        request_max_body_size=MOST_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    attach(app, commerce, settings, on_shutdown=on_shutdown)
    return app


def attach(
    app: Litestar,
    commerce: Commerce,
    settings: Settings,
    *,
    on_shutdown: Sequence[LifespanHook] = (),
) -> None:
    """Makes an application answer for a platform that is open, and for no other any more.

    What its routes were made from stays: the limit of uploads, and the pages at `/`.
    """
    examiners = Examiners.of(settings)
    commerce = Commerce(evolve(commerce.context, apart=InProcesses(examiners)))
    admission = Admission.of(settings, settings.proxies, commerce.context.store)
    own = {
        "commerce": commerce,
        "description": api_description(),
        "watch": Watch(commerce),
        "admission": admission,
        "shows_metrics": settings.metrics == "on",
        "key_file": str(settings.operator_key_file) if settings.is_embedded else "",
    }
    app.state = State(own)
    app.on_shutdown = [admission.close, examiners.close, *on_shutdown]


@cache
def api_description() -> Mapping[str, Any]:
    """The API's description (OpenAPI 3.1); needs no platform. It is the same for all: read only."""
    return describe(described_routes())


def described_routes() -> Iterator[tuple[str, HTTPRouteHandler]]:
    """The routes for programs, each with the prefix of its address; pages are for people."""
    for handler in (*_V1_ROUTES, sources.TRIAL, doctor.EXAMINE, *feeds.UPLOADS):
        yield V1, handler
    for handler in health.PROBES:
        yield "", handler


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="streams")
