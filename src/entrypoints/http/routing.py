"""What a route is: a function whose signature says what it takes and gives, and who may call it.

A parameter's name says where its value comes from: `commerce` is the platform as the caller sees
it, `query`, `body` and `form` are attrs classes that are read strictly, `content` is a body that is
a file, `key` is the idempotency key, `request` the request itself; every other name is an
identifier in the path. What the function returns is sent in its JSON shape. The API's description
is made from the same signature.
"""

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Final, TypeVar, get_type_hints

from attrs import frozen
from litestar import Request, Response
from litestar.concurrency import sync_to_thread
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from commerce_core.base.errors import InvalidInput, Malformed
from commerce_core.partners.access import Scope
from commerce_core.usecases.context import IdempotencyKey
from entrypoints.http import etags
from entrypoints.http.errors import UnsupportedMedia
from entrypoints.http.forms import read_content, read_parts, whole
from entrypoints.http.reading import read_form, read_id, read_json, read_query
from entrypoints.http.security import OPENS, enter, platform
from entrypoints.http.watching import note
from entrypoints.shapes import shape

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
JSON_TYPES: Final = ("application/json", "application/merge-patch+json")
FORM_TYPE: Final = "multipart/form-data"
OPT: Final = "endpoint"
"""Under this name a handler's `opt` has its Endpoint."""
_SPECIAL: Final = ("commerce", "query", "body", "form", "content", "key", "request", "return")

Asked = Request[Any, Any, Any]
F = TypeVar("F", bound=Callable[..., Any])


@frozen
class NoQuery:
    """The query of a route that has none."""


@frozen
class Answer:
    """A value with a status of its own."""

    value: object
    status: int


@frozen
class Endpoint:
    """A function and how it is reached; `statuses` are those of its answers that aren't problems.

    `refuses` are its own problems, besides those that follow from what it takes. What is `tagged`
    has an ETag, and isn't sent to a client that has it already.
    """

    function: Callable[..., Any]
    scope: Scope | None
    statuses: Sequence[int]
    refuses: Sequence[int]
    location: str | None
    tagged: bool
    hints: Mapping[str, Any]

    @property
    def query(self) -> type[Any]:
        """The class of its query parameters."""
        return self.hints.get("query", NoQuery)

    @property
    def path_ids(self) -> dict[str, Any]:
        """The identifiers in its path, and the type of each."""
        return {name: hint for name, hint in self.hints.items() if name not in _SPECIAL}

    @property
    def takes_input(self) -> bool:
        """Whether it has a body of any kind, so that faults aren't the query's."""
        return not self.hints.keys().isdisjoint(("body", "form", "content"))

    @property
    def at_once(self) -> bool:
        """Whether nothing is waited for but the use case, so that one thread can do it all."""
        return not (self.takes_input or inspect.iscoroutinefunction(self.function))

    async def serve(self, request: Asked) -> Response[Any]:
        """Reads what it takes, calls the function, and answers what that returns.

        Use cases block, so they run in threads; only what waits long is a coroutine.
        """
        if self.at_once:
            return await sync_to_thread(self._serve_at_once, request)
        async with AsyncExitStack() as stack:
            arguments = {**self._said(request), **await self._sent(request, stack)}
            if inspect.iscoroutinefunction(self.function):
                with self._faults_placed():
                    value = await self.function(**arguments)
                return self._answer(request, arguments, value)
            return await sync_to_thread(self._call, request, arguments)

    def _serve_at_once(self, request: Asked) -> Response[Any]:
        enter(request, self.scope)
        return self._call(request, self._said(request))

    def _call(self, request: Asked, arguments: dict[str, Any]) -> Response[Any]:
        with self._faults_placed():
            value = self.function(**arguments)
        # Made here too: what was made in this thread is at hand in it, and others go on meanwhile.
        return self._answer(request, arguments, value)

    @contextmanager
    def _faults_placed(self) -> Generator[None]:
        """Where there is no input, what is at fault is the query."""
        try:
            yield
        except InvalidInput as error:
            if self.takes_input or isinstance(error, Malformed):
                raise
            raise Malformed(
                error.detail, error.remedy, faults=error.faults, code=error.code
            ) from error

    def _said(self, request: Asked) -> dict[str, Any]:
        """What address and headers say."""
        query = read_query(self.query, request.query_params.multi_items())
        found: dict[str, Any] = {
            name: read_id(kind, request.path_params[name]) for name, kind in self.path_ids.items()
        }
        readers: dict[str, Any] = {
            "commerce": lambda: platform(request),
            "request": lambda: request,
            "query": lambda: query,
            "key": lambda: _idempotency_key(request),
        }
        found.update({name: read() for name, read in readers.items() if name in self.hints})
        return found

    async def _sent(self, request: Asked, stack: AsyncExitStack) -> dict[str, Any]:
        """What the body says."""
        found: dict[str, Any] = {}
        if "body" in self.hints:
            found["body"] = await _body(self.hints["body"], request)
        if "content" in self.hints:
            found["content"] = await read_content(whole(request.stream()), stack)
        if "form" in self.hints:
            found["form"] = await _form(self.hints["form"], request, stack)
        return found

    def _answer(self, request: Asked, arguments: Mapping[str, Any], value: object) -> Response[Any]:
        note(request.scope, value)
        if self.tagged:
            return etags.tagged(shape(value), request.headers.get("if-none-match"))
        return self._response(value, arguments.get("key"))

    def _response(self, value: object, key: IdempotencyKey | None) -> Response[Any]:
        if isinstance(value, Response):
            return value  # pyright: ignore[reportUnknownVariableType] it is finished already
        status = self.statuses[0]
        if isinstance(value, Answer):
            value, status = value.value, value.status
        shaped: Any = shape(value)
        headers: dict[str, str] = {}
        if self.location:
            headers["Location"] = self.location.format_map(shaped)
        if key is not None and key.replayed:
            headers[REPLAYED] = "true"
        return Response(shaped, status_code=status, headers=headers, media_type="application/json")


def route(
    method: str,
    path: str,
    *,
    scope: Scope | None,
    status: int | Sequence[int] = 200,
    refuses: Sequence[int] = (),
    location: str | None = None,
    tagged: bool = False,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Makes a function a route; whoever calls it has to have the scope (None: nobody has to).

    `location` is the address of what it creates, with names of the answer in braces. A `tagged`
    answer has an ETag, and is 304 where the client has it already.
    """
    statuses = (status,) if isinstance(status, int) else tuple(status)
    if tagged:
        statuses = (*statuses, 304)

    def declare(function: Callable[..., Any]) -> HTTPRouteHandler:
        hints = get_type_hints(function)
        endpoint = Endpoint(function, scope, statuses, tuple(refuses), location, tagged, hints)

        async def handle(request: Asked) -> Response[Any]:
            return await endpoint.serve(request)

        handle.__name__ = function.__name__
        declared = HTTPRouteHandler(
            path,
            http_method=HttpMethod(method),
            name=function.__name__,
            opt={OPT: endpoint, "scope": scope, OPENS: endpoint.at_once},
            status_code=statuses[0],
        )
        return declared(handle)

    return declare


def _idempotency_key(request: Asked) -> IdempotencyKey | None:
    text = request.headers.get(IDEMPOTENCY_KEY)
    return None if text is None else IdempotencyKey(text)


async def _body(kind: type[Any], request: Asked) -> object:
    """The body; one that isn't there is an empty object, since some bodies may be left out."""
    content = b"".join([chunk async for chunk in whole(request.stream())])
    if not content:
        return read_json(kind, b"{}")
    if request.content_type[0] not in JSON_TYPES:
        raise UnsupportedMedia(f"Send the body as {JSON_TYPES[0]}, and say so in Content-Type.")
    return read_json(kind, content)


async def _form(kind: type[Any], request: Asked, stack: AsyncExitStack) -> object:
    content_type, options = request.content_type
    if content_type != FORM_TYPE:
        raise UnsupportedMedia(f"Send a form as {FORM_TYPE}.")
    boundary = options.get("boundary")
    if not boundary:
        raise Malformed.at("", "bad_form", "The Content-Type names no boundary.")
    return read_form(kind, await read_parts(whole(request.stream()), boundary, stack))
