"""JSON Schemas of what is sent and answered, made from the same attrs classes that do it."""

import inspect
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, BinaryIO, Final, Literal, Union, get_args, get_origin

import attrs
import msgspec
from litestar.datastructures import UploadFile

from commerce_core.feeds.source import OnError
from commerce_core.pricing.priced_product import MEMBERS
from commerce_core.pricing.rules import PriceRule, Rule
from commerce_core.profiles.profile import Column, Profile
from commerce_core.usecases.context import Listed
from commerce_core.usecases.feeds import Receipt
from entrypoints.http.kit.rule_schemas import add_rule_schemas
from entrypoints.reading import MISSING, NewRule, RejectBeyond, RuleBody, fields_of
from entrypoints.scalars import Change, Hint, Share
from entrypoints.shapes import INCLUDED, SPARSE, hint_at, shown

Schema = dict[str, Any]
Components = dict[str, Schema]

TEXT: Final[Schema] = {"type": "string"}
BINARY: Final[Schema] = {**TEXT, "format": "binary"}
_AMOUNT: Final[Schema] = {
    "type": "string",
    "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
    "description": "A decimal number as text; money has as many decimals as its currency.",
}
_OWN: Final[Mapping[Hint, Schema]] = {
    Decimal: _AMOUNT,
    Change: _AMOUNT,
    Share: {"type": ["string", "number"]},
    datetime: {**TEXT, "format": "date-time"},
    BinaryIO: BINARY,
    UploadFile: {**BINARY, "contentMediaType": "application/octet-stream"},
}
"""Types that msgspec would describe otherwise."""
RULES: Final = (Rule, NewRule, RuleBody, PriceRule)
"""Types whose written form is their own."""


def schema_of(kind: Hint, components: Components) -> Schema:
    """The schema of a type; those of classes are put among the components and referred to."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _OWN:
        return dict(_OWN[kind])
    if origin in (UnionType, Union):
        return _any_of(arguments, components)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": schema_of(arguments[0], components)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": schema_of(arguments[1], components)}
    if not attrs.has(origin or kind):
        return msgspec.json.schema(kind)
    if kind in RULES:
        if kind.__name__ not in components:
            add_rule_schemas(components)
        return reference(kind.__name__)
    name = f"{arguments[0].__name__}List" if origin is Listed else kind.__name__
    if name not in components:
        components[name] = {}  # classes may refer to each other
        components[name] = _class(kind, components)
    return reference(name)


def reference(name: str) -> Schema:
    """A schema that is found among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def _any_of(kinds: tuple[Hint, ...], components: Components) -> Schema:
    schemas = [schema_of(kind, components) for kind in kinds if kind is not NoneType]
    if len(schemas) == len(kinds):
        return {"anyOf": schemas}
    only = schemas[0]
    if len(schemas) == 1 and "type" in only and "enum" not in only:
        known: Any = only["type"]
        return {**only, "type": [*([known] if isinstance(known, str) else known), "null"]}
    return {"anyOf": [*schemas, {"type": "null"}]}


def _class(kind: Hint, components: Components) -> Schema:
    if get_origin(kind) is Listed:
        return _page(get_args(kind)[0], components)
    if kind is OnError:
        forms = schema_of(Literal["records", "feed"] | RejectBeyond, components)
        return {"description": first_sentence(kind), **forms}
    if kind in SPARSE or any("meaning" in each.metadata for each in attrs.fields(kind)):
        return _sent(kind, components)
    properties = {n: schema_of(hint_at(kind, path), components) for n, path in shown(kind).items()}
    if kind is Receipt:
        properties["links"] = {"type": "object", "additionalProperties": TEXT}
    return _object(first_sentence(kind), {**properties, **_included(kind, components)}, properties)


def _included(kind: Hint, components: Components) -> Mapping[str, Schema]:
    """The members that are there only if they are asked for."""
    if kind not in INCLUDED:
        return {}
    asked = (name for names in MEMBERS.values() for name in names)
    about = "Only if it is included."
    return {
        name: {**schema_of(hint_at(INCLUDED[kind], name), components), "description": about}
        for name in asked
    }


def _object(about: str, properties: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    known = {"properties": properties, "required": list(required)}
    return {"type": "object", "description": about, **known}


def _sent(kind: Hint, components: Components) -> Schema:
    """What a body or form may have; nothing else may be in it."""
    known = fields_of(kind)
    properties = {n: field_schema(f, hint, components) for n, (f, hint) in known.items()}
    required = [name for name, (f, _) in known.items() if f.default is attrs.NOTHING]
    if kind is Profile:
        scalar: Schema = {"type": ["string", "integer", "boolean"]}
        properties["constants"] = {"type": "object", "additionalProperties": scalar}
    table = _object(first_sentence(kind), properties, required) | {"additionalProperties": False}
    if kind is not Column:
        return table
    components["ColumnTable"] = table
    return {"anyOf": [reference("ColumnTable"), TEXT, {"type": "array", "items": TEXT}]}


def field_schema(field: "attrs.Attribute[Any]", hint: Hint, components: Components) -> Schema:
    """The schema of one field that is sent, with its meaning and default where it has them."""
    schema = schema_of(hint, components)
    if "meaning" in field.metadata:
        schema |= {**field.metadata["schema"], "description": field.metadata["meaning"]}
        if field.default not in (attrs.NOTHING, MISSING, None, ()):
            schema["default"] = field.default
    return schema


def _page(kind: Hint, components: Components) -> Schema:
    cursor = "The `cursor` of the next page; null on the last page."
    properties: Mapping[str, Schema] = {
        "items": {"type": "array", "items": schema_of(kind, components)},
        "next_cursor": {"type": ["string", "null"], "description": cursor},
        "count": {"type": "integer", "description": "Number of all matching items, if requested."},
    }
    return _object("One page of a list.", properties, ["items", "next_cursor"])


def first_sentence(described: object) -> str:
    """The first line of what is written about a class or function."""
    return (inspect.getdoc(described) or "").partition("\n")[0]


_FAULT: Final = {
    "pointer": {**TEXT, "description": "JSON pointer to the invalid value."},
    "code": TEXT,
    "detail": TEXT,
}
PROBLEM: Final = _object(
    "Why a request was refused (RFC 9457).",
    {
        "type": {**TEXT, "format": "uri"},
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "instance": {**TEXT, "description": "Path of the request."},
        "code": {**TEXT, "description": "Stable code of the error, for programs."},
        "errors": {
            "type": "array",
            "description": "The faults in the request; the first hundred of them.",
            "items": {"type": "object", "properties": _FAULT, "required": list(_FAULT)},
        },
        "more_errors": {
            "type": "integer",
            "description": "Number of faults that aren't listed; absent if all are.",
        },
        "plan": reference("SavedPlan"),
        "expected_total": {**TEXT, "description": "The total that an order was expected to cost."},
        "total_amount": {**TEXT, "description": "The total that it would cost."},
        "currency": TEXT,
        "feed_id": {**TEXT, "description": "Feed to create a new job for."},
        "request_id": {**TEXT, "description": "The value of X-Request-Id."},
    },
    ["type", "title", "status", "detail", "instance", "code", "errors", "request_id"],
)
