"""Routes that tell whether the platform works; they need no key."""

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from commerce_core.usecases import Commerce
from entrypoints.http.routing import Answer, route


@frozen
class Health:
    """Whether every part is up; `parts` has `ok` for each, or what is wrong with it."""

    status: Literal["ok", "down"]
    parts: Mapping[str, str]


@frozen
class Alive:
    """The process answers."""

    status: Literal["ok"]


def _health(commerce: Commerce) -> Health | Answer:
    parts = commerce.operations.health()
    if all(state == "ok" for state in parts.values()):
        return Health("ok", parts)
    return Answer(Health("down", parts), 503)


@route("GET", "/health", scope=None, status=(200, 503))
def get_health(commerce: Commerce) -> Health | Answer:
    """Shows the state of each part; 503 when one is down."""
    return _health(commerce)


@route("GET", "/health/live", scope=None)
def get_live() -> Alive:
    """Answers as long as the process does; looks at no other part."""
    return Alive("ok")


@route("GET", "/health/ready", scope=None, status=(200, 503))
def get_ready(commerce: Commerce) -> Health | Answer:
    """Answers 200 when requests can be served, 503 while a part is down."""
    return _health(commerce)


ROUTES = (get_health,)
PROBES = (get_live, get_ready)
