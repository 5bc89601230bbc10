"""JSON Schemas of what is sent and answered, made from the same attrs classes that do it."""

import inspect
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import attrs
from litestar import Response
from litestar.datastructures import UploadFile

from commerce_core.analytics.reports import Report
from commerce_core.feeds.source import OnError
from commerce_core.partners.access import ApiKey
from commerce_core.profiles.profile import Column, Profile
from commerce_core.usecases.context import Listed
from commerce_core.usecases.feeds import Receipt
from commerce_core.usecases.keys import IssuedKey
from entrypoints.http.routing import Answer
from entrypoints.http.values import ID_KINDS, UNSAID, Hint, is_list, is_map, name_of
from entrypoints.shapes import SPARSE, shown_names

Schema = dict[str, Any]
Components = dict[str, Schema]

_TEXT: Final[Schema] = {"type": "string"}
_AMOUNT: Final[Schema] = {
    "type": "string",
    "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
    "description": "A decimal number as text; an amount of money has its currency's decimals.",
}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_DAY: Final[Schema] = {"type": "string", "format": "date"}
_PLAIN: Final[Mapping[Any, Schema]] = {
    Any: {},
    str: _TEXT,
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Decimal: _AMOUNT,
    datetime: _TIME,
    date: _DAY,
    UploadFile: {"type": "string", "contentMediaType": "application/octet-stream"},
}


def schema_of(kind: Hint, components: Components) -> Schema:
    """The schema of a type; those of classes are put among the components and referred to."""
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if kind in ID_KINDS:
        return {**_TEXT, "examples": [f"{ID_KINDS[kind]}_0199c2f4a1b07e3d8c215f60a9d2b4c7"]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (UnionType, Union):
        return _any_of(arguments, components)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if is_list(kind):
        return {"type": "array", "items": schema_of(arguments[0], components)}
    if is_map(kind):
        return {"type": "object", "additionalProperties": schema_of(arguments[1], components)}
    if origin is Listed:
        return _component(
            f"{arguments[0].__name__}List", _page(arguments[0], components), components
        )
    return _class(kind, components)


def _any_of(kinds: tuple[Any, ...], components: Components) -> Schema:
    answers = [kind for kind in kinds if kind not in (NoneType, Answer)]
    schemas = [schema_of(kind, components) for kind in answers]
    if NoneType not in kinds:
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    only = schemas[0]
    if len(schemas) == 1 and "type" in only and "enum" not in only:
        return {**only, "type": [only["type"], "null"]}
    return {"anyOf": [*schemas, {"type": "null"}]}


def _class(kind: Hint, components: Components) -> Schema:
    name = kind.__name__
    if name in components:
        return _component(name, components[name], components)
    components[name] = {}  # classes may refer to each other
    if kind in _SPECIAL:
        return _component(name, _SPECIAL[kind](components), components)
    if kind in SPARSE:
        return _component(name, _sparse(kind, components), components)
    if kind.__module__.startswith("commerce_core") or not _is_input(kind):
        return _component(name, _answer(kind, components), components)
    return _component(name, input_schema(kind, components), components)


def _is_input(kind: Hint) -> bool:
    return any("meaning" in field.metadata for field in attrs.fields(kind))


def _component(name: str, schema: Schema, components: Components) -> Schema:
    components[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(kind: Hint, components: Components) -> Schema:
    """Everything that `shape` shows of the class; all of it is always there."""
    hints = get_type_hints(kind)
    properties = {
        name: schema_of(hints.get(name) or _property_type(kind, name), components)
        for name in shown_names(kind)
    }
    return {
        "type": "object",
        "description": first_sentence(kind),
        "properties": properties,
        "required": list(properties),
    }


def _sparse(kind: Hint, components: Components) -> Schema:
    """A part of a profile, sent and shown alike: what is at its default is left out."""
    hints = get_type_hints(kind)
    fields: tuple[Any, ...] = attrs.fields(kind)
    table: Schema = {
        "type": "object",
        "description": first_sentence(kind),
        "properties": {name_of(f): schema_of(hints[f.name], components) for f in fields},
        "required": [name_of(f) for f in fields if f.default is attrs.NOTHING],
        "additionalProperties": False,
    }
    if kind is Profile:
        scalar: Schema = {"type": ["string", "integer", "boolean"]}
        table["properties"]["constants"] = {"type": "object", "additionalProperties": scalar}
    headers = {"type": "array", "items": _TEXT}
    return {"anyOf": [table, _TEXT, headers]} if kind is Column else table


def _property_type(kind: Hint, name: str) -> Hint:
    return get_type_hints(getattr(kind, name).fget)["return"]


def input_schema(kind: Hint, components: Components) -> Schema:
    """What a body or form may have; nothing else may be in it."""
    hints = get_type_hints(kind)
    fields: tuple[Any, ...] = attrs.fields(kind)
    return {
        "type": "object",
        "description": first_sentence(kind),
        "properties": {name_of(f): field_schema(f, hints[f.name], components) for f in fields},
        "required": [name_of(f) for f in fields if f.default is attrs.NOTHING],
        "additionalProperties": False,
    }


def field_schema(field: "attrs.Attribute[Any]", hint: Hint, components: Components) -> Schema:
    """The schema of one field that is sent, with its meaning and default."""
    schema = {**schema_of(hint, components), **field.metadata["schema"]}
    schema["description"] = field.metadata["meaning"]
    if field.default not in (attrs.NOTHING, UNSAID, None, ()):
        schema["default"] = field.default
    return schema


def _page(kind: Hint, components: Components) -> Schema:
    return {
        "type": "object",
        "description": "A part of a list.",
        "properties": {
            "items": {"type": "array", "items": schema_of(kind, components)},
            "next_cursor": {
                "type": ["string", "null"],
                "description": "What to send as `cursor` for the next page; null at the end.",
            },
            "count": {"type": "integer", "description": "All that fit, where it was asked for."},
        },
        "required": ["items", "next_cursor"],
    }


def _report(components: Components) -> Schema:
    rows = get_args(get_type_hints(Report)["results"])[0]
    return {
        "type": "object",
        "description": first_sentence(Report),
        "properties": {
            "from": _TIME,
            "to": _TIME,
            "tz": _TEXT,
            "results": {"type": "array", "items": schema_of(rows, components)},
        },
        "required": ["from", "to", "tz", "results"],
    }


def _issued_key(components: Components) -> Schema:
    schema = _answer(ApiKey, components)
    schema["properties"]["secret"] = {
        "type": ["string", "null"],
        "description": "The key itself; null when the answer is replayed.",
    }
    return schema


def _receipt(components: Components) -> Schema:
    schema = _answer(Receipt, components)
    schema["properties"]["links"] = {"type": "object", "additionalProperties": _TEXT}
    return schema


def _on_error(components: Components) -> Schema:
    del components
    share: Schema = {"type": ["string", "number"], "description": "0 to 1, shown as text."}
    count: Schema = {"type": "integer", "minimum": 0}
    threshold: Schema = {
        "type": "object",
        "description": "More rejected records than so many, or than this share, reject the feed.",
        "properties": {"share": share, "count": count},
        "minProperties": 1,
        "additionalProperties": False,
    }
    beyond: Schema = {
        "type": "object",
        "properties": {"threshold": threshold},
        "required": ["threshold"],
        "additionalProperties": False,
    }
    words: Schema = {"type": "string", "enum": ["records", "feed"]}
    return {"description": first_sentence(OnError), "anyOf": [words, beyond]}


_SPECIAL: Final[Mapping[Any, Any]] = {
    Report: _report,
    IssuedKey: _issued_key,
    Receipt: _receipt,
    OnError: _on_error,
}


def first_sentence(described: object) -> str:
    """The first line of what is written about a class or function."""
    return (inspect.getdoc(described) or "").partition("\n")[0]


def is_raw(kind: Hint) -> bool:
    """Whether an answer is bytes rather than JSON."""
    return (get_origin(kind) or kind) is Response


PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "instance": {"type": "string", "description": "The address that was asked."},
        "code": {"type": "string", "description": "What happened, for programs; it never changes."},
        "errors": {
            "type": "array",
            "description": "Every fault of what was sent.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "The JSON pointer of the value at fault.",
                    },
                    "code": _TEXT,
                    "detail": _TEXT,
                },
                "required": ["pointer", "code", "detail"],
            },
        },
        "plan": {"$ref": "#/components/schemas/SavedPlan"},
        "request_id": {"type": "string", "description": "As in X-Request-Id."},
    },
    "required": ["type", "title", "status", "detail", "instance", "code", "errors", "request_id"],
}
