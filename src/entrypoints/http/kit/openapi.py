"""The API's description, OpenAPI 3.1, made from the routes themselves."""

import inspect
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from types import NoneType
from typing import Any, Final, Union, get_args, get_type_hints

import attrs
from litestar.handlers import HTTPRouteHandler

from entrypoints.http.kit.handlers import (
    FORM_TYPE,
    IDEMPOTENCY_KEY,
    JSON_TYPES,
    OPERATION,
    REPLAYED,
    Operation,
)
from entrypoints.http.kit.problems import MEDIA_TYPE
from entrypoints.http.kit.queries import WhoseQuery
from entrypoints.http.kit.schemas import (
    PROBLEM,
    Components,
    Schema,
    field_schema,
    first_sentence,
    is_raw,
    schema_of,
)
from entrypoints.http.kit.security import REQUEST_ID
from entrypoints.http.kit.values import ID_KINDS
from entrypoints.reading import name_of
from entrypoints.scalars import Hint

_ABOUT: Final = """Partners send product feeds, which become one catalog. Orders are placed from it,
and sales are reported. Every list is paged, every error is a problem (RFC 9457), and every response
carries an `X-Request-Id`."""
_TEXT: Final = {"type": "string"}
_HEADERS: Final = {
    REQUEST_ID: (
        "Id of the request in the server's log: the client's own, if valid.",
        _TEXT,
    ),
    REPLAYED: (
        "`true` if this is the stored response to the first such request.",
        {**_TEXT, "enum": ["true"]},
    ),
    "Retry-After": ("Seconds to wait before trying again.", {"type": "integer"}),
    "ETag": ("Tag of the response; sent as `If-None-Match`, it gets 304 until a change.", _TEXT),
    "Location": ("Address of what was created.", _TEXT),
}
_SCHEMES: Final = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def describe(routes: Iterable[tuple[str, HTTPRouteHandler]]) -> dict[str, Any]:
    """The description of these routes, each with the prefix of its address."""
    components: Components = {"ProblemDetails": PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for prefix, handler in routes:
        described = _operation(handler.opt[OPERATION], components)
        for path in handler.paths:
            address = prefix + re.sub(r":\w+}", "}", path)
            for method in handler.http_methods:
                paths.setdefault(address, {})[method.lower()] = described
    headers = {n: {"description": about, "schema": s} for n, (about, s) in _HEADERS.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Open Commerce",
            "version": version("open-commerce"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "headers": headers,
            "securitySchemes": _SCHEMES,
        },
    }


def _operation(operation: Operation, components: Components) -> dict[str, Any]:
    function, scope = operation.function, operation.scope
    needs = f"Needs the scope `{scope}`." if scope else "Needs no key."
    body = _body(operation, components)
    return {
        "operationId": function.__name__,
        "tags": [function.__module__.rpartition(".")[2]],
        "summary": first_sentence(function),
        "description": f"{inspect.getdoc(function) or ''}\n\n{needs}",
        "parameters": [*_parameters(operation, components)],
        "responses": _responses(operation, components),
        "security": [{"apiKey": []}, {"bearer": []}] if scope else [],
        **({"requestBody": body} if body else {}),
    }


def _parameters(operation: Operation, components: Components) -> Iterable[Schema]:
    for name, kind in operation.path_ids.items():
        example = {"examples": [f"{ID_KINDS[kind]}_0199c2f4a1b07e3d8c215f60a9d2b4c7"]}
        schema = {**schema_of(kind, components), **example}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    hints = get_type_hints(operation.parameters)
    for field in attrs.fields(operation.parameters):
        yield _query_parameter(field, hints[field.name], components)
    if "key" in operation.hints:
        about = "However often a request is sent with the same key, it takes effect once."
        yield _header_parameter(IDEMPOTENCY_KEY, about, minLength=1, maxLength=255)
    if operation.etag:
        about = "ETag of the client's copy; if that is still current, the response is 304."
        yield _header_parameter("If-None-Match", about)


def _header_parameter(name: str, about: str, **limits: int) -> Schema:
    schema = {**_TEXT, **limits}
    return {"name": name, "in": "header", "required": False, "description": about, "schema": schema}


def _query_parameter(
    field: "attrs.Attribute[Any]", hint: Hint, components: Components
) -> dict[str, Any]:
    # No query can express null.
    kinds = tuple(kind for kind in get_args(hint) if kind is not NoneType)
    optional = NoneType in get_args(hint)
    schema = field_schema(field, Union[kinds] if optional else hint, components)  # noqa: UP007
    several = {"explode": True} if schema.get("type") == "array" else {}
    return {
        "name": name_of(field),
        "in": "query",
        "required": field.default is attrs.NOTHING,
        "description": schema.pop("description"),
        "schema": schema,
        **several,
    }


def _body(operation: Operation, components: Components) -> dict[str, Any] | None:
    for name, media_type in (("form", FORM_TYPE), ("payload", JSON_TYPES[0])):
        if kind := operation.hints.get(name):
            required = any(field.default is attrs.NOTHING for field in attrs.fields(kind))
            example = {"example": operation.example} if operation.example is not None else {}
            content = {media_type: {"schema": schema_of(kind, components), **example}}
            return {"required": required, "content": content}
    if "content" in operation.hints:
        return {"required": True, "content": _files(["application/octet-stream"])}
    return None


def _files(media_types: Iterable[str]) -> dict[str, Any]:
    binary = {**_TEXT, "format": "binary"}
    # A schema beside a stream of events would be that of each event.
    schemas = {m: _TEXT if m.startswith("text/") else binary for m in media_types}
    return {m: {} if m == "text/event-stream" else {"schema": s} for m, s in schemas.items()}


def _responses(operation: Operation, components: Components) -> dict[str, Any]:
    problems = {str(status): _problem(status) for status in problem_statuses(operation)}
    statuses = (*operation.status, 304) if operation.etag else operation.status
    answers = {str(each): _answer(operation, each, components) for each in statuses}
    return {**problems, **answers}


def _answer(operation: Operation, status: int, components: Components) -> dict[str, Any]:
    declared = {
        REPLAYED: "key" in operation.hints,
        "Location": operation.location,
        "ETag": operation.etag,
    }
    answer = _response(status, REQUEST_ID, *[name for name, applies in declared.items() if applies])
    if status == HTTPStatus.NOT_MODIFIED:
        return answer
    kind = operation.returns
    json = {} if is_raw(kind) else {JSON_TYPES[0]: {"schema": schema_of(kind, components)}}
    return {**answer, "content": json or _files(operation.media)}


def _problem(status: int) -> dict[str, Any]:
    later = ["Retry-After"] if status == HTTPStatus.SERVICE_UNAVAILABLE else []
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {**_response(status, REQUEST_ID, *later), "content": {MEDIA_TYPE: {"schema": schema}}}


def _response(status: int, *headers: str) -> dict[str, Any]:
    references = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return {"description": HTTPStatus(status).phrase, "headers": references}


def problem_statuses(operation: Operation) -> list[int]:
    """With which statuses a route may refuse: its own, and those that follow from what it takes."""
    follow: Mapping[tuple[int, ...], bool] = {
        (400, 500, 503): True,
        (401, 403): operation.scope is not None,
        (404,): bool(operation.path_ids) or issubclass(operation.parameters, WhoseQuery),
        (409,): "key" in operation.hints,
        (413, 415, 422): operation.takes_input,
    }
    found = {status for statuses, applies in follow.items() if applies for status in statuses}
    return sorted({*found, *operation.refuses} - set(operation.status))
