"""The API's description, OpenAPI 3.1, made from the routes themselves."""

import inspect
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, BinaryIO, Final

import attrs
from litestar.handlers import HTTPRouteHandler

from entrypoints.http.kit.downloads import VERSION
from entrypoints.http.kit.handlers import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    OPERATION,
    REPLAYED,
    Operation,
)
from entrypoints.http.kit.inputs import BODIES, JSON_TYPES
from entrypoints.http.kit.problems import MEDIA_TYPE
from entrypoints.http.kit.queries import WhoseQuery
from entrypoints.http.kit.schemas import (
    BINARY,
    PROBLEM,
    TEXT,
    Components,
    Schema,
    field_schema,
    first_sentence,
    reference,
    schema_of,
)
from entrypoints.http.kit.security import REQUEST_ID
from entrypoints.reading import fields_of
from entrypoints.scalars import ID_KINDS, without_none

_ABOUT: Final = """Partners send product feeds, which are merged into one catalog. Clients place
orders from it and read sales reports. Every list is paged, every error is a problem (RFC 9457), and
every response carries an `X-Request-Id`."""
_HEADERS: Final = {
    REQUEST_ID: (
        "Id of the request in the server's log: the client's own, if valid.",
        TEXT,
    ),
    REPLAYED: (
        "`true` if this is the stored response to the first such request.",
        {**TEXT, "enum": ["true"]},
    ),
    "Retry-After": ("Seconds to wait before trying again.", {"type": "integer"}),
    "RateLimit-Limit": ("What the limit that was reached allows.", {"type": "number"}),
    "RateLimit-Remaining": ("What is left of it.", {"type": "integer"}),
    "RateLimit-Reset": ("Seconds until something is left again.", {"type": "integer"}),
    "ETag": ("Tag of the response; sent as `If-None-Match`, it gets 304 until a change.", TEXT),
    "Location": ("Address of what was created.", TEXT),
}
_LATER: Final[Mapping[int, tuple[str, ...]]] = {
    429: ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    503: ("Retry-After",),
}
"""Headers of responses to requests that may succeed later."""
_SCHEMES: Final = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def describe(routes: Iterable[tuple[str, HTTPRouteHandler]]) -> dict[str, Any]:
    """The description of these routes, each with the prefix of its address."""
    components: Components = {"ProblemDetails": PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for prefix, handler in routes:
        operation: Operation = handler.opt[OPERATION]
        address = prefix + re.sub(r":\w+}", "}", operation.path)
        paths.setdefault(address, {})[operation.method.lower()] = _operation(operation, components)
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
    return {
        "operationId": function.__name__,
        "tags": [function.__module__.rpartition(".")[2]],
        "summary": first_sentence(function),
        "description": f"{inspect.getdoc(function) or ''}\n\n{needs}",
        "parameters": [*_parameters(operation, components)],
        "responses": _responses(operation, components),
        "security": [{"apiKey": []}, {"bearer": []}] if scope else [],
        **_body(operation, components),
    }


def _parameters(operation: Operation, components: Components) -> Iterable[Schema]:
    for name, kind in operation.path_ids.items():
        example = f"{ID_KINDS[kind]}_0199c2f4a1b07e3d8c215f60a9d2b4c7"
        yield _parameter("path", name, {**TEXT, "examples": [example]}, required=True)
    for name, (field, hint) in fields_of(operation.parameters).items():
        # No query can express null.
        schema = field_schema(field, without_none(hint), components)
        yield _parameter("query", name, schema, required=field.default is attrs.NOTHING)
    if "key" in operation.hints:
        about = "However often a request is sent with the same key, it takes effect once."
        schema = {**TEXT, "minLength": 1, "maxLength": 255, "description": about}
        yield _parameter("header", IDEMPOTENCY_KEY, schema)
    if "if_match" in operation.hints:
        about = "ETag of the version that the client has seen; if it has changed, this is a 412."
        schema = {**TEXT, "pattern": VERSION.pattern, "description": about}
        yield _parameter("header", IF_MATCH, schema)
    if operation.etag:
        about = "ETag of the client's copy; if that is still current, the response is 304."
        yield _parameter("header", "If-None-Match", {**TEXT, "description": about})


def _parameter(place: str, name: str, schema: Schema, *, required: bool = False) -> Schema:
    about = {"description": schema.pop("description")} if "description" in schema else {}
    several = {"explode": True} if schema.get("type") == "array" else {}
    return {"name": name, "in": place, "required": required, "schema": schema, **about, **several}


def _body(operation: Operation, components: Components) -> dict[str, Any]:
    if operation.body is None:
        return {}
    kind, (media_type, _) = operation.hints[operation.body], BODIES[operation.body]
    required = kind is BinaryIO or any(f.default is attrs.NOTHING for f in attrs.fields(kind))
    example = {"example": operation.example} if operation.example is not None else {}
    content = {media_type: {"schema": schema_of(kind, components), **example}}
    return {"requestBody": {"required": required, "content": content}}


def _responses(operation: Operation, components: Components) -> dict[str, Any]:
    declared = {
        REPLAYED: "key" in operation.hints,
        "Location": operation.location,
        "ETag": operation.etag or operation.versioned,
        REQUEST_ID: True,
    }
    headers = [name for name, applies in declared.items() if applies]
    content = {media_type: _file(media_type) for media_type in operation.media}
    if not (operation.media and operation.is_file):
        content[JSON_TYPES[0]] = {"schema": schema_of(operation.returns, components)}
    statuses = (*operation.status, 304) if operation.etag else operation.status
    problems = {str(status): _problem(status) for status in _refusals(operation)}
    return problems | {str(status): _response(status, headers, content) for status in statuses}


def _file(media_type: str) -> dict[str, Any]:
    if media_type == "text/event-stream":
        return {}  # a schema would be that of each event
    return {"schema": TEXT if media_type.startswith("text/") else BINARY}


def _problem(status: int) -> dict[str, Any]:
    later = _LATER.get(status, ())
    content = {MEDIA_TYPE: {"schema": reference("ProblemDetails")}}
    return _response(status, [REQUEST_ID, *later], content)


def _response(status: int, headers: Iterable[str], content: dict[str, Any]) -> dict[str, Any]:
    references = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    sent = {} if status == HTTPStatus.NOT_MODIFIED else {"content": content}
    return {"description": HTTPStatus(status).phrase, "headers": references, **sent}


def _refusals(operation: Operation) -> list[int]:
    """With which statuses a route may refuse: its own, and those that follow from what it takes."""
    follow: Mapping[tuple[int, ...], bool] = {
        (400, 500, 503): True,
        (401, 403): operation.scope is not None,
        (429,): True,
        (404,): bool(operation.path_ids) or issubclass(operation.parameters, WhoseQuery),
        (409,): "key" in operation.hints,
        (412,): "if_match" in operation.hints,
        (408, 413, 415, 422): operation.body is not None,
    }
    found = {status for statuses, applies in follow.items() if applies for status in statuses}
    return sorted({*found, *operation.refuses} - set(operation.status))
