"""JSON Schemas of price rules, made from the reference of their written form."""

from collections.abc import Mapping
from typing import Any, Final, cast

from commerce_core.pricing.form_reference import BENEFITS, CONDITIONS, RULE, Member

Schema = dict[str, Any]
Components = dict[str, Schema]
_KINDS: Final[Mapping[type, str]] = {
    str: "string", bool: "boolean", int: "integer", list: "array", dict: "object",
}  # fmt: skip
_STATUS: Final[Schema] = {
    "type": "string",
    "enum": ["draft", "active", "paused", "archived"],
    "description": "Only active rules apply.",
}


_SHOWN: Final[Schema] = {
    "rule_id": {"type": ["string", "null"], "description": "Its id, if it is sent as shown."},
    **{
        name: {"type": ["string", "null"], "format": "date-time", "description": "Ignored."}
        for name in ("created_at", "updated_at")
    },
}
"""Members of a shown rule that may be sent back."""


def add_rule_schemas(components: Components) -> None:
    """Puts conditions, benefits, rules and their versions among the components."""
    condition = {"$ref": "#/components/schemas/RuleCondition"}
    conditions = {name: _schema(member) for name, member in CONDITIONS.items()}
    for name in ("all", "any"):
        conditions[name] |= {"items": condition}
    conditions["not"] = condition
    components["RuleCondition"] = _one_of("A condition: an object with one member.", conditions)
    benefits = {name: _schema(member) for name, member in BENEFITS.items()}
    components["RuleBenefit"] = _one_of("A benefit: an object with one member.", benefits)
    members = {name: _schema(member) for name, member in RULE.items()}
    members["condition"] = {"anyOf": [condition, {"type": "null"}]}
    for name in ("group", "currency"):
        members[name] |= {"type": [members[name]["type"], "null"]}
    members["benefit"] = {"$ref": "#/components/schemas/RuleBenefit"}
    required = ["name", "benefit"]
    written = {n: m if n in required else _or_null(m) for n, m in members.items()}
    components["Rule"] = _object("A price rule, as it is written in files.", written, required)
    version = {"type": "integer", "description": "The version that has to be the current one."}
    new = written | {"status": _or_null(_STATUS)}
    components["NewRule"] = _object("A price rule to add.", new, required)
    sent = new | {"version": _or_null(version), **_SHOWN}
    components["RuleBody"] = _object("A price rule to save.", sent, required)
    kept = {
        "rule_id": {"type": "string"},
        "version": {"type": "integer"},
        "status": _STATUS,
        **members,
        "created_at": {"type": "string", "format": "date-time"},
        "updated_at": {"type": "string", "format": "date-time"},
    }
    components["PriceRule"] = _object("A version of a price rule.", kept, list(kept))


def _schema(member: Member) -> Schema:
    schema: Schema = {"description": member.meaning}
    example: object = member.example
    kinds: set[type] = {type(example)}
    if member.meaning.endswith("any one matches."):
        kinds = {str, list}
    elif "partner_percent" in str(example):
        kinds = {str, dict}
    names = sorted(_KINDS[kind] for kind in kinds)
    if list in kinds:
        of: object = cast("list[object]", example)[0] if isinstance(example, list) else ""
        schema["items"] = {"type": _KINDS[type(of)]}
    return schema | {
        "type": names if len(names) > 1 else names[0],
        "examples": [example],
    }


def _or_null(schema: Schema) -> Schema:
    """The schema of a member that may also be null, which means its default."""
    kinds = schema.get("type", "null")
    names: list[str] = [kinds] if isinstance(kinds, str) else kinds
    if "null" in names:
        return schema
    enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema | {"type": [*names, "null"]} | enum


def _one_of(about: str, members: Mapping[str, Schema]) -> Schema:
    one = {"minProperties": 1, "maxProperties": 1}
    return _object(about, members, []) | one


def _object(about: str, members: Mapping[str, Schema], required: list[str]) -> Schema:
    return {
        "type": "object",
        "description": about,
        "properties": dict(members),
        "required": required,
        "additionalProperties": False,
    }
