"""The handlers of pages and of acts: a session, scopes, filters in the address, tokens in forms.

A page is a function that returns a View; an act is one that takes a form and returns where to go
next. As in the API, `commerce` is the platform as the person sees it, `parameters` and `form` are
attrs classes that are read strictly, and any other name is an identifier in the path.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, Self, cast, get_origin, get_type_hints
from urllib.parse import parse_qsl, urlencode, urlsplit

from attrs import evolve, field, frozen
from litestar import Response
from litestar.datastructures import UploadFile
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from commerce_core.base.errors import CommerceError, InvalidInput, Malformed, Unauthenticated
from commerce_core.commerce import Commerce
from commerce_core.partners.access import Scope
from entrypoints import logs
from entrypoints.dashboard.kit.rendering import View, rendered
from entrypoints.dashboard.kit.sessions import (
    FORM_FIELD,
    check_form_token,
    check_own_site,
    enter_session,
    forget_session,
    keep_notice,
)
from entrypoints.http.admission.admission import admission_of, bounded
from entrypoints.http.admission.lanes import LaneName
from entrypoints.http.kit.characters import check_characters
from entrypoints.http.kit.handlers import OPERATION, NoParameters
from entrypoints.http.kit.inputs import FORM_TYPE, from_pairs, read_parts, read_query, whole_body
from entrypoints.http.kit.problems import waiting_headers
from entrypoints.http.kit.security import Asked, request_id
from entrypoints.problems import problem_of
from entrypoints.reading import fields_of
from entrypoints.scalars import read_id

URLENCODED: Final = "application/x-www-form-urlencoded"
MOST_FIELDS: Final = 200
"""The most fields of a form."""
_OWN_NAMES: Final = ("commerce", "parameters", "form", "request", "return")
SERVER_FAULT: Final = 500


@frozen
class Goto:
    """Where an act leads: another page, which shows the notice once."""

    path: str
    notice: str = ""


@frozen(kw_only=True)
class Page:
    """The terms of a page or an act; a decorator that makes a function its handler.

    `is_public` pages need no session. It runs in its `lane`, or in that of expensive queries if
    `is_expensive` says so of its parameters.
    """

    method: HttpMethod = field(kw_only=False)
    path: str = field(kw_only=False)
    scope: Scope | None = None
    is_operators: bool = False
    is_public: bool = False
    lane: LaneName = "requests"
    is_expensive: Callable[[Any], bool] = lambda _: False
    most_bytes: int | None = None
    function: Callable[..., Any] = NoParameters
    hints: Mapping[str, Any] = field(factory=dict[str, Any])

    def __call__(self, function: Callable[..., Any]) -> HTTPRouteHandler:
        """The handler that calls the function."""
        declared = evolve(self, function=function, hints=get_type_hints(function))
        more: dict[str, Any] = {}
        if self.most_bytes is not None:
            more["request_max_body_size"] = self.most_bytes
        return HTTPRouteHandler(
            self.path,
            http_method=self.method,
            name=f"page_{function.__name__}",
            opt={OPERATION: declared, "scope": self.scope, "page": declared},
            **more,
        )(declared.handler())

    def __deepcopy__(self, _: object) -> Self:
        """Itself, as the API's operations are."""
        return self

    @property
    def body(self) -> str | None:
        """As in the API's operations, where refusals ask for it."""
        return "form" if "form" in self.hints else None

    @property
    def is_act(self) -> bool:
        """Whether it changes something, and so needs a form's token."""
        return self.method is not HttpMethod.GET

    def handler(self) -> Callable[..., Any]:
        """The function as Litestar calls it; every error is a page too."""

        async def handle(request: Asked) -> Response[Any]:
            try:
                return await self._handle(request)
            except Exception as error:  # noqa: BLE001 - here every error becomes a page
                shown = partial(_error_page, request, error, leads_on=not self.is_public)
                return await admission_of(request).run(shown)

        return handle

    async def _handle(self, request: Asked) -> Response[Any]:
        admission = admission_of(request)
        if self.lane == "requests" and not self.is_act:
            commerce, taken = await admission.run(self._begin, request)
            if not self.is_expensive(taken.get("parameters")):
                return await admission.run(self._finish, request, commerce, taken)
            lane: LaneName = "queries"
        else:
            lane = self.lane
            admission.check(request, lane)
            commerce, taken = await admission.run(self._begin, request)
            if commerce is not None:
                await admission.charge_lane(lane, commerce.context.principal.key_id)
        place = admission.enter(request, lane)
        async with AsyncExitStack() as stack:
            if self.is_act:
                taken["form"] = await self._form(request, stack)
            if commerce is None:
                return await place.run(self._finish, request, commerce, taken)
            async with bounded(request, lane, commerce) as commerce:
                taken["commerce"] = commerce
                return await place.run(self._finish, request, commerce, taken)

    def _begin(self, request: Asked) -> tuple[Commerce | None, dict[str, Any]]:
        """All that the request has but its form; it has to come from someone who may ask."""
        ids = {name: hint for name, hint in self.hints.items() if name not in _OWN_NAMES}
        check_characters(request, ids, ())
        if self.is_act:
            check_own_site(request)
        commerce = None if self.is_public else enter_session(request, self.scope)
        if self.is_operators and commerce and commerce.context.principal.partner_id is not None:
            commerce.context.principal.require("partners:write")
        kind = self.hints.get("parameters", NoParameters)
        # A field of a filter that was left blank counts as not sent.
        pairs = [(n, v) for n, v in request.query_params.multi_items() if v.strip()]
        return commerce, {
            "request": request,
            "commerce": commerce,
            "parameters": read_query(kind, gathered(kind, pairs)),
            **{n: read_id(hint, request.path_params[n]) for n, hint in ids.items()},
        }

    async def _form(self, request: Asked, stack: AsyncExitStack) -> Any:  # noqa: ANN401 - of its kind
        """The form; Forbidden unless it carries the token of this session."""
        pairs = await _pairs(request, stack)
        tokens = [text for name, text in pairs if name == FORM_FIELD and isinstance(text, str)]
        check_form_token(request, tokens[0] if tokens else "")
        # A browser sends an empty file, without a name, if none was chosen.
        filled = [
            (name, one)
            for name, one in pairs
            if name != FORM_FIELD and (isinstance(one, UploadFile) or one.strip())
        ]
        kind = self.hints.get("form", NoParameters)
        return from_pairs(kind, gathered(kind, filled), "The form isn't complete.", InvalidInput)

    def _finish(
        self, request: Asked, commerce: Commerce | None, taken: Mapping[str, Any]
    ) -> Response[Any]:
        made = self.function(**{n: value for n, value in taken.items() if n in self.hints})
        if isinstance(made, Response):
            return cast("Response[Any]", made)
        if isinstance(made, Goto):
            return going_to(request, made)
        return rendered(request, commerce, made)


page = partial(Page, HttpMethod.GET)
act = partial(Page, HttpMethod.POST)


def gathered(kind: type[Any], pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The pairs, with those named `field.key` as one mapping, if the field is one."""
    tables = {name for name, (_, hint) in fields_of(kind).items() if get_origin(hint) is Mapping}
    single: list[tuple[str, Any]] = []
    made: dict[str, dict[str, Any]] = {}
    for name, value in pairs:
        table, _, key = name.partition(".")
        if table in tables and key and key not in made.get(table, {}):
            made.setdefault(table, {})[key] = value
        else:
            single.append((name, value))
    return [*single, *made.items()]


async def _pairs(request: Asked, stack: AsyncExitStack) -> list[tuple[str, str | UploadFile]]:
    content_type, options = request.content_type
    if content_type == FORM_TYPE and (boundary := options.get("boundary")):
        return await read_parts(whole_body(request), boundary, stack)
    if content_type not in (URLENCODED, ""):
        raise HTTPException(status_code=415, detail="Send a form.")
    content = b"".join([chunk async for chunk in whole_body(request)])
    try:
        text = content.decode("ascii")
        return [
            *parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        ]
    except ValueError as error:
        raise Malformed.at("", "bad_form", "The form can't be read.") from error


def going_to(request: Asked, goto: Goto) -> Response[Any]:
    """Sends the browser to another page."""
    response: Response[Any] = Response(
        b"", status_code=303, media_type="text/plain", headers={"Location": goto.path}
    )
    if goto.notice:
        keep_notice(request, response, goto.notice)
    return response


def _error_page(request: Asked, error: Exception, *, leads_on: bool) -> Response[Any]:
    """The page of an error. A person who isn't signed in is sent to sign in, and back again."""
    if isinstance(error, Unauthenticated) and leads_on:
        there = request.scope["path"]
        if query := request.scope["query_string"].decode("latin-1"):
            there += f"?{query}"
        back = {"next": there} if request.method == "GET" and there != "/" else {}
        path = "/sign-in" + (f"?{urlencode(back)}" if back else "")
        response = going_to(request, Goto(path))
        forget_session(response)
        return response
    view, headers = _problem(error)
    commerce = None
    try:
        commerce = enter_session(request, None)
    except CommerceError:
        logs.debug("page.without_session")
    values = {
        **view.values,
        "request_id": request_id(request.scope),
        "came_from": _came_from(request),
    }
    response = rendered(request, commerce, evolve(view, values=values))
    response.headers.update(headers)
    return response


def _came_from(request: Asked) -> str:
    """The page of this server whose form was refused; empty if it can't be known."""
    if request.method == "GET":
        return ""
    there = urlsplit(request.headers.get("referer", ""))
    if there.netloc != request.base_url.netloc or not there.path.startswith("/"):
        return ""
    return there.path + (f"?{there.query}" if there.query else "")


def _problem(error: Exception) -> tuple[View, Mapping[str, str]]:
    """What the page of an error shows; a bug shows nothing of itself."""
    if isinstance(error, HTTPException):
        values = {"code": "", "detail": error.detail, "faults": ()}
        return View("error.html", "That didn't work", values=values, status=error.status_code), {}
    if not isinstance(error, CommerceError):
        logs.error("request.fault", error)
        detail = "This is a fault of the server. Its log has the error under the request's id."
        values = {"code": "internal_error", "detail": detail, "faults": ()}
        return View("error.html", "Something went wrong", values=values, status=SERVER_FAULT), {}
    problem = problem_of(error)
    values = {"code": problem.code, "detail": problem.detail, "faults": problem.errors}
    view = View("error.html", problem.title, values=values, status=problem.status)
    return view, waiting_headers(error)
