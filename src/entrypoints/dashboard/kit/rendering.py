"""Pages from templates: everything that is inserted is escaped, whatever it is."""

import shlex
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from attrs import field, frozen
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

from commerce_core.base.durations import duration_words
from commerce_core.commerce import Commerce
from commerce_core.partners.access import Principal, Scope
from commerce_core.partners.saved_view import PageName
from commerce_core.partners.session import form_token
from entrypoints.dashboard.kit import charts, formats
from entrypoints.dashboard.kit.assets import asset_path
from entrypoints.dashboard.kit.saved import saved_links
from entrypoints.dashboard.kit.sessions import (
    FORM_FIELD,
    NOTICE_COOKIE,
    keep_visit,
    notice_of,
    visit_token,
)
from entrypoints.http.kit.security import Asked

TEMPLATES: Final = Path(__file__).parents[1] / "templates"
POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""What pages may load: what this server serves, and nothing from elsewhere; no inline script."""


@frozen
class Place:
    """An entry of the navigation: shown to those who have the scope.

    `beside` are other paths whose pages belong to it.
    """

    path: str
    label: str
    scope: Scope | None = None
    operator: bool = False
    beside: tuple[str, ...] = ()

    def is_for(self, principal: Principal) -> bool:
        """Whether this principal can use the page."""
        if self.operator and principal.partner_id is not None:
            return False
        return self.scope is None or self.scope in principal.scopes

    def is_at(self, path: str) -> bool:
        """Whether the page belongs to this entry."""
        at = (self.path, *self.beside)
        return path in at or any(p != "/" and path.startswith(f"{p}/") for p in at)


NAVIGATION: Final = (
    Place("/", "Inbox", "feeds:read"),
    Place("/feeds", "Feeds", "feeds:read"),
    Place("/upload", "Upload", "feeds:write"),
    Place("/jobs", "Jobs", "feeds:read", beside=("/failures", "/bulk-acts")),
    Place("/products", "Catalog", "catalog:read"),
    Place("/orders", "Orders", "orders:read"),
    Place("/partners", "Partners", "partners:read"),
    Place("/sources", "Sources", "feeds:read", beside=("/fetches",)),
    Place("/rules", "Rules", "pricing:read"),
    Place("/analytics", "Analytics", "analytics:read"),
    Place("/statements", "Statements", "money:read"),
    Place("/webhooks", "Webhooks", "webhooks:read", beside=("/deliveries",)),
    Place("/alert-channels", "Alerts", "alerts:read", beside=("/alerts",)),
    Place("/system", "System", operator=True),
)


@frozen(kw_only=True)
class View:
    """What a page shows: a template, its title and its values.

    A list whose filters can be saved as a view is `saved_as` one of that page.
    `curl` is the address that returns the same to programs, with `body` if it takes one, and
    `command` what shows it on the command line.
    """

    template: str = field(kw_only=False)
    title: str = field(kw_only=False)
    values: Mapping[str, Any] = field(factory=dict[str, Any])
    curl: str | None = None
    body: str | None = None
    command: str | None = None
    status: int = 200
    saved_as: PageName | None = None


@cache
def environment() -> Environment:
    """The templates, compiled once in a process."""
    made: Any = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for function in (
        formats.count, formats.amount, formats.size, formats.seconds, formats.stamp, formats.name,
        formats.words, formats.value, formats.visible, formats.marks, formats.local_day,
        formats.guard_limit, formats.guard_figure, formats.arrival, duration_words,
    ):  # fmt: skip
        made.filters[function.__name__] = function
    made.globals.update(
        line_chart=charts.line_chart,
        bar_chart=charts.bar_chart,
        share_chart=charts.share_chart,
        dot_plot=charts.dot_plot,
        stage_spans=charts.stage_spans,
        none_or_text=formats.none_or_text,
        meter=charts.meter,
        asset=asset_path,
        FORM_FIELD=FORM_FIELD,
    )
    return made


def rendered(request: Asked, commerce: Commerce | None, view: View) -> Response[Any]:
    """The page as a response; `commerce` is None if no user is signed in."""
    text = environment().get_template(view.template).render(**_context(request, commerce, view))
    response = Response(
        text,
        status_code=view.status,
        media_type="text/html",
        headers={
            "Content-Security-Policy": POLICY,
            # A form that is refused leads back to its page; no other site gets an address.
            "Referrer-Policy": "same-origin",
            "Vary": "Cookie",
        },
    )
    keep_visit(request, response)
    if notice_of(request):
        response.delete_cookie(NOTICE_COOKIE)
    return response


def fragment(commerce: Commerce, template: str, **values: Any) -> str:  # noqa: ANN401 - as it has them
    """A part of a page, for a page that is open already."""
    made = environment().get_template(template)
    return made.render(**_shared(commerce), **values)


def _shared(commerce: Commerce | None) -> dict[str, Any]:
    principal = commerce.context.principal if commerce else None
    values: dict[str, Any] = {"me": principal, "can": partial(_can, principal)}
    if commerce is not None:
        now = commerce.context.clock()
        values |= {
            "now": now,
            "when": partial(formats.when, now=now),
            "age": partial(formats.age, now=now),
        }
    return values


def _can(principal: Principal | None, scope: Scope) -> bool:
    return principal is not None and scope in principal.scopes


def _context(request: Asked, commerce: Commerce | None, view: View) -> dict[str, Any]:
    path = request.scope["path"]
    me = commerce.context.principal if commerce else None
    places = [place for place in NAVIGATION if me is not None and place.is_for(me)]
    query = request.scope["query_string"].decode("latin-1")
    return {
        **_shared(commerce),
        "title": view.title,
        "places": places,
        "path": path,
        "here": f"{path}?{query}" if query else path,
        "with_query": partial(_with_query, request),
        "token": form_token(visit_token(request)),
        "notice": notice_of(request),
        "curl": view.curl,
        "body": shlex.quote(view.body) if view.body else None,
        "command": view.command,
        "saved_as": view.saved_as,
        "saved": saved_links(request, commerce, view.saved_as),
        "address": str(request.base_url).rstrip("/"),
        "viewer": _viewer(commerce),
        **view.values,
    }


def _viewer(commerce: Commerce | None) -> str:
    """Whose view it is: the partner's name, or the operator."""
    me = commerce.context.principal if commerce else None
    if commerce is None or me is None:
        return ""
    if me.partner_id is None:
        return "Operator"
    with commerce.context.store.read_only() as unit:
        return unit.partners.names([me.partner_id]).get(me.partner_id, "Partner")


def _with_query(request: Asked, **changes: object) -> str:
    """This page's address with other parameters; None leaves one out."""
    pairs = {name: value for name, value in request.query_params.multi_items() if value}
    pairs |= {name: str(value) for name, value in changes.items() if value is not None}
    for name, value in changes.items():
        if value is None:
            pairs.pop(name, None)
    query = urlencode(pairs)
    return f"{request.scope['path']}?{query}" if query else request.scope["path"]
