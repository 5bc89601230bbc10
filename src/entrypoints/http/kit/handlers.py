"""What a handler of Litestar is here: a function that calls a use case, and the terms of its route.

`commerce` is the platform as the caller sees it; `parameters`, `payload` and `form` are attrs
classes by which the query and the body are read, strictly; `content` is a body that is a file;
`key` is the idempotency key, `request` the request. Every other name is an identifier in the path.
What the function returns is encoded in the thread in which it ran. The API's description is made
from the same signature.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import (
    Any,
    BinaryIO,
    Final,
    Generic,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from attrs import evolve, field, frozen
from litestar import Request, Response
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency, Provide
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from commerce_core.base.errors import Malformed
from commerce_core.partners.access import Scope
from commerce_core.usecases.context import IdempotencyKey
from entrypoints.http.kit.access_log import note
from entrypoints.http.kit.downloads import KEPT, etag_of, is_known
from entrypoints.http.kit.forms import read_content, read_parts, whole
from entrypoints.http.kit.problems import UnsupportedMedia
from entrypoints.http.kit.security import Connection, enter
from entrypoints.http.kit.values import read_body, read_form, read_id, read_query
from entrypoints.shapes import encoded

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
JSON_TYPES: Final = ("application/json", "application/merge-patch+json")
FORM_TYPE: Final = "multipart/form-data"
OPERATION: Final = "operation"
"""Under this name a handler's `opt` has its Operation."""
_BEGUN: Final = "begun"

Asked = Request[Any, Any, Any]
T = TypeVar("T")


@frozen
class Answer(Generic[T]):
    """A value with a status of its own."""

    value: T
    status: int


@frozen
class NoParameters:
    """The query of a route that has none."""


@frozen
class Operation:
    """The terms of a route; a decorator that makes a function its handler.

    Callers need the `scope` (None: no key). `status` are those of answers that aren't problems,
    `refuses` its own problems, besides those that follow from what it takes. `location` is the
    address of what it creates, with attributes of the answer in braces. What has an `etag` isn't
    sent to a client that has it already. `media` are the types of an answer that isn't JSON,
    `example` is a payload that pages for trying the API begin with.
    """

    method: HttpMethod
    path: str
    scope: Scope | None = field(kw_only=True)
    status: Sequence[int] = field(default=(200,), kw_only=True)
    refuses: Sequence[int] = field(default=(), kw_only=True)
    location: str | None = field(default=None, kw_only=True)
    etag: bool = field(default=False, kw_only=True)
    media: Sequence[str] = field(default=(), kw_only=True)
    example: Mapping[str, object] | None = field(default=None, kw_only=True)
    function: Callable[..., Any] = field(default=NoParameters, kw_only=True)
    hints: Mapping[str, Any] = field(factory=dict[str, Any], kw_only=True)

    def __call__(self, function: Callable[..., Any]) -> HTTPRouteHandler:
        """The handler that calls the function: use cases block, so they run in threads."""
        declared = evolve(self, function=function, hints=get_type_hints(function))
        is_async = inspect.iscoroutinefunction(function)
        return HTTPRouteHandler(
            self.path,
            http_method=self.method,
            name=function.__name__,
            opt={OPERATION: declared, "scope": self.scope},
            status_code=self.status[0],
            sync_to_thread=None if is_async else True,
        )(declared.handling(is_async=is_async))

    @property
    def parameters(self) -> type[Any]:
        """The class of its query parameters."""
        return self.hints.get("parameters", NoParameters)

    @property
    def path_ids(self) -> dict[str, Any]:
        """The identifiers in its path, and the type of each."""
        special = (*DEPENDENCIES, "commerce", "parameters", "key", "request", "return")
        return {name: hint for name, hint in self.hints.items() if name not in special}

    @property
    def returns(self) -> Any:  # noqa: ANN401 an annotation may be anything
        """The type of its answers."""
        returned = self.hints["return"]
        return get_args(returned)[0] if get_origin(returned) is Answer else returned

    @property
    def takes_input(self) -> bool:
        """Whether it has a body of any kind, so that faults aren't the query's."""
        return not self.hints.keys().isdisjoint(("payload", "form", "content"))

    def handling(self, *, is_async: bool) -> Callable[..., Any]:
        """The function as Litestar calls it, with the body it takes, if any, as a dependency."""

        def handle(request: Asked, **body: Any) -> Response[Any]:  # noqa: ANN401 as declared
            # All in this thread: others go on meanwhile, and what was made in it is at hand.
            taken = self.begin(request) | body
            return self._answer(request, self.function(**self._wanted(taken)), taken.get("key"))

        async def wait(request: Asked, **body: Any) -> Response[Any]:  # noqa: ANN401 as declared
            taken = self.begin(request) | body
            value = await self.function(**self._wanted(taken))
            return self._answer(request, value, taken.get("key"))

        handling: Any = wait if is_async else handle
        # What is read has its type already: Litestar is to pass it on as it is.
        types = {name: NamedDependency[Any] for name in self.hints if name in DEPENDENCIES}
        types = {"request": Asked, **types}
        handling.__name__ = self.function.__name__
        handling.__annotations__ = {**types, "return": Response[Any]}
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [inspect.Parameter(n, keyword, annotation=t) for n, t in types.items()]
        handling.__signature__ = inspect.Signature(parameters, return_annotation=Response[Any])
        return handling

    def begin(self, request: Connection) -> dict[str, Any]:
        """All that the request has but its body; the first time, it has to come from who may ask.

        Raises Unauthenticated, Forbidden, NotFound for an id that can't be one, Malformed.
        """
        if _BEGUN not in request.state:
            commerce = enter(request, self.scope)
            key = request.headers.get(IDEMPOTENCY_KEY) if "key" in self.hints else None
            request.state[_BEGUN] = {
                "request": request,
                "commerce": commerce,
                "parameters": read_query(self.parameters, request.query_params.multi_items()),
                **{n: read_id(kind, request.path_params[n]) for n, kind in self.path_ids.items()},
                "key": None if key is None else IdempotencyKey(key),
            }
        return request.state[_BEGUN]

    def _wanted(self, taken: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in taken.items() if name in self.hints}

    def _answer(self, request: Asked, value: object, key: IdempotencyKey | None) -> Response[Any]:
        status = self.status[0]
        if isinstance(value, Answer):
            value, status = cast("Answer[object]", value).value, value.status
        note(request.scope, value)
        if isinstance(value, Response):
            return cast("Response[Any]", value)
        body, headers = encoded(value), dict[str, str]()
        if self.location:
            headers["Location"] = self.location.format(value)
        if key is not None and key.replayed:
            headers[REPLAYED] = "true"
        if self.etag:
            headers = {"ETag": etag_of(body), **KEPT}
            if is_known(request.headers.get("if-none-match"), headers["ETag"]):
                return Response(None, status_code=304, headers=headers)
        return Response(body, status_code=status, headers=headers, media_type=JSON_TYPES[0])


get = partial(Operation, HttpMethod.GET)
post = partial(Operation, HttpMethod.POST)
put = partial(Operation, HttpMethod.PUT)
patch = partial(Operation, HttpMethod.PATCH)
delete = partial(Operation, HttpMethod.DELETE)


async def admit(request: Connection, handler: BaseRouteHandler) -> None:
    """A guard: before a body is read, or anything waited for, the request is held to be sound.

    Where there is no body, a handler does it itself, in the thread in which it does the rest.
    """
    if cast("Any", request.scope)["method"] == "OPTIONS":
        return
    operation: Operation = handler.opt[OPERATION]  # a route without terms is a fault
    if operation.takes_input or inspect.iscoroutinefunction(operation.function):
        await sync_to_thread(operation.begin, request)


async def _payload(request: Asked) -> Any:  # noqa: ANN401 each route has its own class
    """The body; one that isn't there is an empty object, since some bodies may be left out."""
    content = b"".join([chunk async for chunk in whole(request.stream())])
    if content and request.content_type[0] not in JSON_TYPES:
        raise UnsupportedMedia(f"Send the body as {JSON_TYPES[0]}, declared in Content-Type.")
    return read_body(_kind(request, "payload"), content or b"{}")


async def _form(request: Asked) -> AsyncGenerator[Any]:
    content_type, options = request.content_type
    if content_type != FORM_TYPE:
        raise UnsupportedMedia(f"Send a form as {FORM_TYPE}.")
    if not (boundary := options.get("boundary")):
        raise Malformed.at("", "bad_form", "The Content-Type names no boundary.")
    async with AsyncExitStack() as stack:
        parts = await read_parts(whole(request.stream()), boundary, stack)
        yield read_form(_kind(request, "form"), parts)


async def _content(request: Asked) -> AsyncGenerator[BinaryIO]:
    async with AsyncExitStack() as stack:
        yield await read_content(whole(request.stream()), stack)


def _kind(request: Asked, name: str) -> type[Any]:
    return request.route_handler.opt[OPERATION].hints[name]


DEPENDENCIES: Final[Mapping[str, Provide]] = {
    "payload": Provide(_payload),
    "form": Provide(_form),
    "content": Provide(_content),
}
"""The bodies that handlers take by name, as the application provides them."""
