"""What a handler of Litestar is here: a function that calls a use case, and the terms of its route.

`commerce` is the platform as the caller sees it; `parameters`, `payload` and `form` are attrs
classes by which the query and the body are read, strictly; `content` is a body that is a file;
`key` is the idempotency key, `if_match` the version that the client has seen, `request` the
request. Every other name is an identifier in the path.
What the function returns is encoded in the thread in which it ran. The API's description is made
from the same signature.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import UnionType
from typing import (
    Any,
    Final,
    Generic,
    Self,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from attrs import evolve, field, frozen
from litestar import Response
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from commerce_core.partners.access import Scope
from commerce_core.usecases.context import IdempotencyKey
from entrypoints.http.admission.admission import admission_of, bounded, caller_of
from entrypoints.http.admission.lanes import LaneName
from entrypoints.http.kit.access_log import note
from entrypoints.http.kit.characters import check_characters
from entrypoints.http.kit.downloads import KEPT, etag_of, is_known, tag_of_version, version_of
from entrypoints.http.kit.inputs import (
    BODIES,
    JSON_TYPES,
    is_small,
    read_payload,
    read_query,
    small_body,
)
from entrypoints.http.kit.security import Asked, enter
from entrypoints.scalars import read_id
from entrypoints.shapes import encoded

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
IF_MATCH: Final = "If-Match"
REPLAYED: Final = "Idempotency-Replayed"
OPERATION: Final = "operation"
"""Under this name a handler's `opt` has its Operation."""
_NOT_IN_PATH: Final = (
    *BODIES, "commerce", "parameters", "key", "if_match", "request", "return",
)  # fmt: skip

T = TypeVar("T")


@frozen
class Answer(Generic[T]):
    """A value with a status of its own."""

    value: T
    status: int


@frozen
class NoParameters:
    """The query of a route that has none."""


@frozen(kw_only=True)
class Operation:
    """The terms of a route; a decorator that makes a function its handler.

    Callers need the `scope` (None: no key). `status` are those of answers that aren't problems,
    `refuses` its own problems, besides those that follow from what it takes. `location` is the
    address of what it creates, with attributes of the answer in braces. What has an `etag` isn't
    sent to a client that has it already; the tag of what is `versioned` is its version. `media` are
    the types of an answer that isn't JSON, `example` is a payload that pages for trying the API
    begin with. It runs in its `lane`, or in that of expensive queries if its parameters make it one
    (EXPENSIVE); `is_probe` is a route that answers however busy the server is.
    """

    method: HttpMethod = field(kw_only=False)
    path: str = field(kw_only=False)
    scope: Scope | None
    status: Sequence[int] = (200,)
    refuses: Sequence[int] = ()
    location: str | None = None
    etag: bool = False
    versioned: bool = False
    media: Sequence[str] = ()
    example: Mapping[str, object] | None = None
    lane: LaneName = "requests"
    is_probe: bool = False
    function: Callable[..., Any] = NoParameters
    hints: Mapping[str, Any] = field(factory=dict[str, Any])

    def __call__(self, function: Callable[..., Any]) -> HTTPRouteHandler:
        """The handler that calls the function."""
        declared = evolve(self, function=function, hints=get_type_hints(function))
        return HTTPRouteHandler(
            self.path,
            http_method=self.method,
            name=function.__name__,
            opt={OPERATION: declared, "scope": self.scope},
            status_code=self.status[0],
        )(declared.handler())

    def __deepcopy__(self, _: object) -> Self:
        """Itself: Litestar copies all that a handler has whenever it is registered."""
        return self

    @property
    def parameters(self) -> type[Any]:
        """The class of its query parameters."""
        return self.hints.get("parameters", NoParameters)

    @property
    def path_ids(self) -> dict[str, Any]:
        """The identifiers in its path, and the type of each."""
        return {name: hint for name, hint in self.hints.items() if name not in _NOT_IN_PATH}

    @property
    def headers(self) -> list[str]:
        """The headers that it reads, besides those of keys."""
        read = {
            IDEMPOTENCY_KEY: "key" in self.hints,
            "If-None-Match": self.etag,
            IF_MATCH: "if_match" in self.hints,
        }
        return [name for name, reads in read.items() if reads]

    @property
    def returns(self) -> Any:  # noqa: ANN401 an annotation may be anything
        """The type of its answers; of one that is JSON or a file, that of the JSON."""
        returned = self.hints["return"]
        if get_origin(returned) in (Union, UnionType):
            kinds = [kind for kind in get_args(returned) if get_origin(kind) is not Response]
            return cast("Any", Union)[tuple(kinds)]
        return get_args(returned)[0] if get_origin(returned) is Answer else returned

    @property
    def is_file(self) -> bool:
        """Whether its answers are never JSON."""
        return get_origin(self.returns) is Response

    @property
    def body(self) -> str | None:
        """The name under which it takes a body of any kind."""
        return next((name for name in BODIES if name in self.hints), None)

    def handler(self) -> Callable[..., Any]:
        """The function as Litestar calls it.

        Use cases block, so they run in threads, and others go on meanwhile. Before a body is read,
        or anything waited for, the request is held to be sound; but for a small body of a known
        caller.
        """
        body, waits = self.body, inspect.iscoroutinefunction(self.function)

        async def handle(request: Asked) -> Response[Any]:
            admission, lane = admission_of(request), self._lane_of(request)
            if self.is_probe:
                return await admission.run_probe(partial(self._serve, request))
            if lane == "requests" and not (body or waits):
                return await admission.run(self._serve, request)
            if lane == "requests" and body == "payload" and not waits and may_come_first(request):
                # One thread does all of it: each handing over to a thread costs.
                return await admission.run(self._serve_body, request, await small_body(request))
            admission.check(request, lane)
            async with AsyncExitStack() as stack:
                taken = await admission.run(self._begin, request)
                await admission.charge_lane(lane, taken["commerce"].context.principal.key_id)
                place = admission.enter(request, lane)
                if body:
                    read = BODIES[body][1]
                    taken[body] = await read(request, self.hints[body], stack)
                if waits:
                    return self._answer(request, await self._call(request, taken), taken["key"])
                async with bounded(request, lane, taken["commerce"]) as taken["commerce"]:
                    return await place.run(self._serve, request, taken)

        return handle

    def _lane_of(self, request: Asked) -> LaneName:
        """The lane in which the request runs, found before anything of it is read."""
        expensive = getattr(self.parameters, "EXPENSIVE", None)
        if self.lane == "requests" and expensive and request.scope["query_string"]:
            for name, value in request.query_params.multi_items():
                if name in expensive and expensive[name](value):
                    return "queries"
        return self.lane

    def _serve(self, request: Asked, taken: dict[str, Any] | None = None) -> Response[Any]:
        """All of it in one thread, so what was made in it is at hand."""
        taken = taken or self._begin(request)
        return self._answer(request, self._call(request, taken), taken["key"])

    def _serve_body(self, request: Asked, content: bytes) -> Response[Any]:
        """The same with a body that has come before the caller was asked for."""
        return self._serve(request, {**self._begin(request), "payload": content})

    def _begin(self, request: Asked) -> dict[str, Any]:
        """All that the request has but its body; it has to come from someone who may ask.

        Raises Unauthenticated, Forbidden, NotFound for an id that can't be one, Malformed.
        """
        check_characters(request, self.path_ids, self.headers)
        commerce = enter(request, self.scope)
        key = request.headers.get(IDEMPOTENCY_KEY) if "key" in self.hints else None
        return {
            "request": request,
            "commerce": commerce,
            "parameters": read_query(self.parameters, request.query_params.multi_items()),
            **{n: read_id(kind, request.path_params[n]) for n, kind in self.path_ids.items()},
            "key": None if key is None else IdempotencyKey(key),
            "if_match": self._if_match(request),
        }

    def _if_match(self, request: Asked) -> int | None:
        return version_of(request.headers.get(IF_MATCH)) if "if_match" in self.hints else None

    def _call(self, request: Asked, taken: dict[str, Any]) -> Any:  # noqa: ANN401 as the function has it
        if "payload" in taken:
            taken["payload"] = read_payload(request, self.hints["payload"], taken["payload"])
        return self.function(**{n: value for n, value in taken.items() if n in self.hints})

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
        version = getattr(value, "version", None) if self.versioned else None
        if version is not None:
            headers["ETag"] = tag_of_version(version)
        if self.etag:
            headers = {"ETag": headers.get("ETag") or etag_of(body), **KEPT}
            if is_known(request.headers.get("if-none-match"), headers["ETag"]):
                return Response(None, status_code=304, headers=headers)
        return Response(body, status_code=status, headers=headers, media_type=JSON_TYPES[0])


def may_come_first(request: Asked) -> bool:
    """Whether the body is received before the key is looked up: if it is small, and the key known.

    A key counts as known once it was found to be valid; all others wait outside with their bodies.
    """
    return caller_of(request).is_known and is_small(request)


get = partial(Operation, HttpMethod.GET)
post = partial(Operation, HttpMethod.POST)
put = partial(Operation, HttpMethod.PUT)
patch = partial(Operation, HttpMethod.PATCH)
delete = partial(Operation, HttpMethod.DELETE)
