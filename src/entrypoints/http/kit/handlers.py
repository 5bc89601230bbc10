"""What a handler of Litestar is here: a function that calls a use case, and the terms of its route.

`commerce` is the platform as the caller sees it; `parameters`, `payload` and `form` are attrs
classes by which the query and the body are read, strictly; `content` is a body that is a file;
`key` is the idempotency key. These are dependencies. Every other name but `request` is an
identifier in the path. What the function returns is encoded, in the thread in which it ran. The
API's description is made from the same signature.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, BinaryIO, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from attrs import frozen
from litestar import Request, Response
from litestar.di import NamedDependency, Provide
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from commerce_core.context import IdempotencyKey
from commerce_core.errors import Malformed
from commerce_core.partners import Scope
from entrypoints.http.kit.access_log import note
from entrypoints.http.kit.downloads import KEPT, etag_of, is_known
from entrypoints.http.kit.forms import read_content, read_parts, whole
from entrypoints.http.kit.problems import UnsupportedMedia
from entrypoints.http.kit.reading import read_form, read_json, read_query
from entrypoints.http.kit.security import platform
from entrypoints.shapes import encoded

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
JSON_TYPES: Final = ("application/json", "application/merge-patch+json")
FORM_TYPE: Final = "multipart/form-data"
OPERATION: Final = "operation"
"""Under this name a handler's `opt` has its Operation."""

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
    """A function and the terms of its route; `statuses` are those of answers that aren't problems.

    `refuses` are its own problems, besides those that follow from what it takes. `location` is the
    address of what it creates, with attributes of the answer in braces. What has an `etag` isn't sent to
    a client that has it already. `media` are the types of an answer that isn't JSON.
    """

    function: Callable[..., Any]
    scope: Scope | None
    statuses: Sequence[int]
    refuses: Sequence[int]
    location: str | None
    etag: bool
    media: Sequence[str]
    hints: Mapping[str, Any]

    @property
    def parameters(self) -> type[Any]:
        """The class of its query parameters."""
        return self.hints.get("parameters", NoParameters)

    @property
    def path_ids(self) -> dict[str, Any]:
        """The identifiers in its path, and the type of each."""
        special = (*DEPENDENCIES, "request", "return")
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

    def answer(self, request: Asked, value: Any, key: IdempotencyKey | None) -> Response[Any]:
        """The response that has this value; it is encoded here, in the thread of the use case."""
        if isinstance(value, Response):
            return value  # pyright: ignore[reportUnknownVariableType] it is finished already
        status = self.statuses[0]
        if isinstance(value, Answer):
            value, status = value.value, value.status
        note(request.scope, value)
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


def route(
    method: str,
    path: str,
    *,
    scope: Scope | None,
    status: int | Sequence[int] = 200,
    refuses: Sequence[int] = (),
    location: str | None = None,
    etag: bool = False,
    media: Sequence[str] = (),
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Makes a function a handler that callers with the scope may reach (None: every caller)."""
    statuses = (status,) if isinstance(status, int) else tuple(status)

    def declare(function: Callable[..., Any]) -> HTTPRouteHandler:
        operation = Operation(
            function,
            scope,
            (*statuses, 304) if etag else statuses,
            refuses,
            location,
            etag,
            media,
            get_type_hints(function),
        )
        is_async = inspect.iscoroutinefunction(function)
        declared = HTTPRouteHandler(
            path,
            http_method=HttpMethod(method),
            name=function.__name__,
            opt={OPERATION: operation, "scope": scope},
            status_code=statuses[0],
            sync_to_thread=None if is_async else True,
        )
        return declared(_handling(operation, is_async=is_async))

    return declare


get, post, put, patch, delete = (
    partial(route, method) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
)


def _handling(operation: Operation, *, is_async: bool) -> Callable[..., Any]:
    """The function as Litestar calls it: use cases block and run in threads, waiting doesn't."""
    function, hints = operation.function, operation.hints

    def arguments(request: Asked, taken: dict[str, Any]) -> dict[str, Any]:
        return {**taken, "request": request} if "request" in hints else taken

    def handle(request: Asked, **taken: Any) -> Response[Any]:
        value = function(**arguments(request, taken))
        return operation.answer(request, value, taken.get("key"))

    async def wait(request: Asked, **taken: Any) -> Response[Any]:
        value = await function(**arguments(request, taken))
        return operation.answer(request, value, taken.get("key"))

    handling: Any = wait if is_async else handle
    handling.__name__ = function.__name__
    # What is read has its type already: Litestar is to pass it on as it is.
    kinds = {n: NamedDependency[Any] if n in DEPENDENCIES else FromPath[str] for n in hints}
    types = {**kinds, "request": Asked, "return": Response[Any]}
    handling.__annotations__ = types
    handling.__signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
            for name, kind in types.items()
            if name != "return"
        ],
        return_annotation=types["return"],
    )
    return handling


def operation_of(request: Asked) -> Operation:
    """The operation of the handler that the request is for."""
    return request.route_handler.opt[OPERATION]


def _parameters(request: Asked) -> Any:  # noqa: ANN401 each route has its own class
    return read_query(operation_of(request).parameters, request.query_params.multi_items())


async def _payload(request: Asked) -> Any:  # noqa: ANN401 each route has its own class
    """The body; one that isn't there is an empty object, since some bodies may be left out."""
    content = b"".join([chunk async for chunk in whole(request.stream())])
    if content and request.content_type[0] not in JSON_TYPES:
        raise UnsupportedMedia(f"Send the body as {JSON_TYPES[0]}, declared in Content-Type.")
    return read_json(operation_of(request).hints["payload"], content or b"{}")


async def _form(request: Asked) -> AsyncGenerator[Any]:
    content_type, options = request.content_type
    if content_type != FORM_TYPE:
        raise UnsupportedMedia(f"Send a form as {FORM_TYPE}.")
    if not (boundary := options.get("boundary")):
        raise Malformed.at("", "bad_form", "The Content-Type names no boundary.")
    async with AsyncExitStack() as stack:
        parts = await read_parts(whole(request.stream()), boundary, stack)
        yield read_form(operation_of(request).hints["form"], parts)


async def _content(request: Asked) -> AsyncGenerator[BinaryIO]:
    async with AsyncExitStack() as stack:
        yield await read_content(whole(request.stream()), stack)


def _key(request: Asked) -> IdempotencyKey | None:
    text = request.headers.get(IDEMPOTENCY_KEY)
    return None if text is None else IdempotencyKey(text)


DEPENDENCIES: Final[Mapping[str, Provide]] = {
    "commerce": Provide(platform, sync_to_thread=False),
    "parameters": Provide(_parameters, sync_to_thread=False),
    "payload": Provide(_payload),
    "form": Provide(_form),
    "content": Provide(_content),
    "key": Provide(_key, sync_to_thread=False),
}
"""What handlers take by name, as the application provides it."""
