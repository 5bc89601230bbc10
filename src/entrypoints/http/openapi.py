"""The API's description, OpenAPI 3.1, made from the routes themselves."""

import inspect
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, get_type_hints

import attrs
from litestar.handlers import HTTPRouteHandler

from entrypoints.http.errors import MEDIA_TYPE
from entrypoints.http.queries import WhoseQuery
from entrypoints.http.routing import FORM_TYPE, IDEMPOTENCY_KEY, JSON_TYPES, OPT, REPLAYED, Endpoint
from entrypoints.http.schemas import (
    PROBLEM,
    Components,
    Schema,
    field_schema,
    first_sentence,
    is_raw,
    schema_of,
)
from entrypoints.http.security import REQUEST_ID
from entrypoints.http.values import Hint, is_list, name_of

_ABOUT: Final = """Partners send product feeds; feeds become a catalog; orders are placed from it;
sales are reported. Every list is read page by page, every refusal is a problem (RFC 9457), every
answer carries an `X-Request-Id`."""
_PROBLEM_REF: Final = {"$ref": "#/components/schemas/ProblemDetails"}


def describe(routes: Iterable[tuple[str, HTTPRouteHandler]]) -> dict[str, Any]:
    """The description of these routes, each with the prefix of its address."""
    components: Components = {"ProblemDetails": PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for prefix, handler in routes:
        endpoint: Endpoint = handler.opt[OPT]
        for path in handler.paths:
            address = prefix + re.sub(r":\w+}", "}", path)
            for method in handler.http_methods:
                operation = _operation(endpoint, components)
                paths.setdefault(address, {})[method.lower()] = operation
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
            "headers": _HEADERS,
            "securitySchemes": _SCHEMES,
        },
    }


_HEADERS: Final[dict[str, Schema]] = {
    REQUEST_ID: {
        "description": "Names the request in our log; the client's own if it sent a sane one.",
        "schema": {"type": "string"},
    },
    REPLAYED: {
        "description": "`true` where the answer is the one kept from the first time.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer"},
    },
    "ETag": {
        "description": "Changes with the answer; sent as `If-None-Match`, it is 304 until then.",
        "schema": {"type": "string"},
    },
    "Location": {"description": "Where it is.", "schema": {"type": "string"}},
}
_SCHEMES: Final = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def _operation(endpoint: Endpoint, components: Components) -> dict[str, Any]:
    function = endpoint.function
    operation: dict[str, Any] = {
        "operationId": function.__name__,
        "tags": [function.__module__.rpartition(".")[2]],
        "summary": first_sentence(function),
        "description": _description(endpoint),
        "parameters": _parameters(endpoint, components),
        "responses": _responses(endpoint, components),
        "security": [{"apiKey": []}, {"bearer": []}] if endpoint.scope else [],
    }
    body = _body(endpoint, components)
    return {**operation, "requestBody": body} if body else operation


def _description(endpoint: Endpoint) -> str:
    told = inspect.getdoc(endpoint.function) or ""
    needs = f"Needs the scope `{endpoint.scope}`." if endpoint.scope else "Needs no key."
    return f"{told}\n\n{needs}"


def _parameters(endpoint: Endpoint, components: Components) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": schema_of(kind, components)}
        for name, kind in endpoint.path_ids.items()
    ]
    hints = get_type_hints(endpoint.query)
    in_query = [
        _query_parameter(f, hints[f.name], components) for f in attrs.fields(endpoint.query)
    ]
    return [*in_path, *in_query, *_parameters_in_header(endpoint)]


def _parameters_in_header(endpoint: Endpoint) -> list[dict[str, Any]]:
    asked = {"key": "key" in endpoint.hints, "tag": endpoint.tagged}
    return [parameter for name, parameter in _IN_HEADER.items() if asked[name]]


_IN_HEADER: Final[Mapping[str, dict[str, Any]]] = {
    "key": {
        "name": IDEMPOTENCY_KEY,
        "in": "header",
        "required": False,
        "description": "However often the request is sent under this key, it has one effect.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "tag": {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The ETag of what the client has; the answer is 304 where it is still so.",
        "schema": {"type": "string"},
    },
}


def _query_parameter(
    field: "attrs.Attribute[Any]", hint: Hint, components: Components
) -> dict[str, Any]:
    schema = field_schema(field, hint, components)
    parameter: dict[str, Any] = {
        "name": name_of(field),
        "in": "query",
        "required": field.default is attrs.NOTHING,
        "description": schema.pop("description"),
        "schema": _unnull(schema),
    }
    return {**parameter, "explode": True} if is_list(hint) else parameter


def _unnull(schema: Schema) -> Schema:
    """The schema without null, which no query can say."""
    if isinstance(schema.get("type"), list):
        return {**schema, "type": schema["type"][0]}
    if "anyOf" in schema:
        rest = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
        others = {name: value for name, value in schema.items() if name != "anyOf"}
        return {**rest[0], **others} if len(rest) == 1 else {**others, "anyOf": rest}
    return schema


def _body(endpoint: Endpoint, components: Components) -> dict[str, Any] | None:
    if "form" in endpoint.hints:
        schema = schema_of(endpoint.hints["form"], components)
        return {"required": True, "content": {FORM_TYPE: {"schema": schema}}}
    if "content" in endpoint.hints:
        file = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
        return {"required": True, "content": {"*/*": file}}
    if "body" in endpoint.hints:
        kind = endpoint.hints["body"]
        schema = schema_of(kind, components)
        needed = any(field.default is attrs.NOTHING for field in attrs.fields(kind))
        return {"required": needed, "content": {JSON_TYPES[0]: {"schema": schema}}}
    return None


def _responses(endpoint: Endpoint, components: Components) -> dict[str, Any]:
    answers = {str(status): _answer(endpoint, status, components) for status in endpoint.statuses}
    problems = {str(status): _problem(status) for status in problem_statuses(endpoint)}
    return {**problems, **answers}


def _answer(endpoint: Endpoint, status: int, components: Components) -> dict[str, Any]:
    headers = {REQUEST_ID: _header(REQUEST_ID)}
    if "key" in endpoint.hints:
        headers[REPLAYED] = _header(REPLAYED)
    if endpoint.location:
        headers["Location"] = _header("Location")
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": headers}
    kind = endpoint.hints["return"]
    if endpoint.tagged:
        headers["ETag"] = _header("ETag")
    if status == HTTPStatus.NOT_MODIFIED:
        return answer
    if not is_raw(kind):
        answer["content"] = {JSON_TYPES[0]: {"schema": schema_of(kind, components)}}
    elif status == HTTPStatus.OK:
        answer["content"] = {"*/*": {}}
    return answer


def _problem(status: int) -> dict[str, Any]:
    headers = {REQUEST_ID: _header(REQUEST_ID)}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _header("Retry-After")
    return {
        "description": HTTPStatus(status).phrase,
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": _PROBLEM_REF}},
    }


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def problem_statuses(endpoint: Endpoint) -> list[int]:
    """With which statuses a route may refuse: its own, and those that follow from what it takes."""
    names_things = endpoint.path_ids or issubclass(endpoint.query, WhoseQuery)
    follow: Mapping[tuple[int, ...], bool] = {
        (400, 500, 503): True,
        (401, 403): endpoint.scope is not None,
        (404,): bool(names_things),
        (409,): "key" in endpoint.hints,
        (413, 415, 422): endpoint.takes_input,
    }
    found = {status for statuses, applies in follow.items() if applies for status in statuses}
    return sorted({*found, *endpoint.refuses} - set(endpoint.statuses))
