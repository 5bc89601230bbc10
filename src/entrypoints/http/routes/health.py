"""Routes of health and metrics; they need no key."""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen
from litestar import Response

from commerce_core.base.errors import NotFound
from entrypoints.http.kit.handlers import Answer, get
from entrypoints.http.kit.security import Asked
from entrypoints.metrics import MEDIA_TYPE
from entrypoints.scraping import Watch


@frozen
class Health:
    """Whether every part is up; `parts` has `ok` for each, or what is wrong with it."""

    status: Literal["ok", "down"]
    parts: Mapping[str, str]


@frozen
class Alive:
    """The process answers."""

    status: Literal["ok"]


def watch_of(request: Asked) -> Watch:
    """What this process knows about the parts and the queue."""
    return request.app.state.watch


def _health(request: Asked) -> Answer[Health]:
    parts = watch_of(request).parts()
    if all(state == "ok" for state in parts.values()):
        return Answer(Health("ok", parts), 200)
    return Answer(Health("down", parts), 503)


@get("/health", scope=None, status=(200, 503), is_probe=True)
def get_health(request: Asked) -> Answer[Health]:
    """Shows the state of each part, at most a second old; 503 if one is down."""
    return _health(request)


@get("/health/live", scope=None, is_probe=True)
def get_live() -> Alive:
    """Answers as long as this process runs; checks no other part."""
    return Alive("ok")


@get("/health/ready", scope=None, status=(200, 503), is_probe=True)
def get_ready(request: Asked) -> Answer[Health]:
    """Answers 200 if requests can be served, 503 while a part is down."""
    return _health(request)


@get("/metrics", scope=None, refuses=[404], media=["text/plain"], is_probe=True)
def get_metrics(request: Asked) -> Response[Any]:
    """Returns the metrics of all processes of this server, for Prometheus; 404 if switched off."""
    if not request.app.state.shows_metrics:
        raise NotFound("The metrics aren't served at this address.")
    return Response(watch_of(request).text(), media_type=MEDIA_TYPE)


ROUTES = (get_health,)
PROBES = (get_live, get_ready, get_metrics)
