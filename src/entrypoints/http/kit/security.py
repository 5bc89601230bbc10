"""Who may call what: a request's key, a route's scope; and the headers of every answer."""

import re
import secrets
from collections.abc import Iterator
from typing import Any, Final, cast

from litestar import Request
from litestar.routes import HTTPRoute
from litestar.types import Message, Scope

from commerce_core.base.errors import Malformed
from commerce_core.commerce import Commerce
from commerce_core.partners.access import Principal
from commerce_core.partners.access import Scope as KeyScope
from entrypoints.http.admission.admission import admission_of

REQUEST_ID: Final = "X-Request-Id"
KEY_HEADERS: Final = ("x-api-key", "authorization")
"""The headers in which a key may come."""
_SANE_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
STATUS: Final = "status"
"""Under this name a request's state has the status of its answer."""
_CALLER: Final = "caller"

DEFAULTS: Final = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
"""Headers of every answer that has none of its own by that name."""

Asked = Request[Any, Any, Any]


def enter(request: Asked, scope: KeyScope | None) -> Commerce:
    """The platform as the holder of the request's key sees it, if that one has the scope.

    From here on the request acts as that holder. Raises Unauthenticated, Forbidden, Malformed.
    """
    commerce: Commerce = request.app.state.commerce
    if scope is not None:
        secret = _secret(request) or ""
        with admission_of(request).judging(request, secret):
            commerce = commerce.authenticated(secret)
        admit(request, commerce.context.principal)
        commerce.context.principal.require(scope)
    return commerce


def admit(request: Asked, principal: Principal) -> None:
    """Notes who calls, for the log, and counts the request with its key. TooMany as in `charge`."""
    request.state[_CALLER] = principal
    admission_of(request).charge(request, principal.key_id or "")


def caller(scope: Scope) -> Principal | None:
    """The holder of the request's key; None where none was needed, or it wasn't known."""
    return cast("Any", scope)["state"].get(_CALLER)


def _secret(request: Asked) -> str | None:
    """The key that came with the request, in either of its two headers.

    Malformed if it came with two, since others on the way may have judged by the other one.
    """
    in_own, in_other = (list(_keys_in(request, name)) for name in KEY_HEADERS)
    sent = {*in_own, *in_other}
    if len(in_own) > 1 or len(in_other) > 1 or len(sent) > 1:
        raise Malformed(
            "The request has more than one API key.",
            "Send one key, in one header: X-API-Key or Authorization.",
            code="several_keys",
        )
    return next(iter(sent), None)


def _keys_in(request: Asked, name: str) -> Iterator[str]:
    """The keys in all headers of that name; proxies join several with commas."""
    for header in request.headers.getall(name, []):
        scheme, _, token = header.partition(" ")
        if name == KEY_HEADERS[0] or scheme.lower() == "bearer":
            keys = header if name == KEY_HEADERS[0] else token
            yield from filter(None, map(str.strip, keys.split(",")))


def request_id(scope: Scope) -> str:
    """The request's id: the client's own if it is sane, else a new one; the same all through it."""
    state: dict[str, Any] = cast("Any", scope).setdefault("state", {})
    if REQUEST_ID not in state:
        given = dict(scope["headers"]).get(REQUEST_ID.lower().encode(), b"").decode("latin-1")
        state[REQUEST_ID] = given if _SANE_REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
    return state[REQUEST_ID]


async def add_headers(message: Message, scope: Scope) -> None:
    """Gives every answer its request id, and the headers that keep browsers from harm."""
    if message["type"] != "http.response.start" or scope["type"] != "http":
        return
    cast("Any", scope)["state"][STATUS] = message["status"]
    sent = [(name.lower(), value) for name, value in message["headers"]]
    # Each cookie has a header of its own, under one name.
    cookies = [pair for pair in sent if pair[0] == b"set-cookie"]
    headers = DEFAULTS | {name: value for name, value in sent if name != b"set-cookie"}
    headers[b"x-request-id"] = request_id(scope).encode()
    if scope["method"] == "OPTIONS" and (address := scope.get("path_template")):
        # The framework's own answer lacks the methods that were added after the first.
        routes = (route for route in scope["litestar_app"].routes if isinstance(route, HTTPRoute))
        methods = next(route.methods for route in routes if route.path_format == address)
        headers[b"allow"] = ", ".join(sorted(methods)).encode()
    message["headers"] = [*headers.items(), *cookies]
