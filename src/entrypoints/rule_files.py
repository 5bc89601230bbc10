"""Price rules as TOML or JSON files: one rule, or several under `rules`."""

import re
import tomllib
from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, Final, cast

from commerce_core.base.errors import InvalidInput, Malformed
from entrypoints.reading import parse_json, pointer

LONGEST_RULES: Final = 1 << 22
"""Maximum size of a file of rules, in bytes."""
_JSON: Final = re.compile(rb"\s*(\{|\[\s*[{\]])")
"""How JSON begins; the tables of TOML begin with `[name]` or `[[name]]`."""


def read_rules(content: bytes) -> list[Mapping[str, Any]]:
    """The written forms in a file: JSON if it begins as an object or a list of them, else TOML.

    InvalidInput if it is neither, has no rules, or anything but tables. What a rule says isn't read
    yet.
    """
    if len(content) > LONGEST_RULES:
        detail = f"A file of rules has at most {LONGEST_RULES:,} bytes."
        raise InvalidInput.at("", "too_long", detail)
    text = content.removeprefix(BOM_UTF8)
    parsed: object = _parse_json(text) if _JSON.match(text) else _parse_toml(text)
    if isinstance(parsed, dict):
        parsed = _listed(cast("dict[str, object]", parsed))
    rules: list[object] = cast("Any", parsed) if isinstance(parsed, list) else [parsed]
    if rules in ([], [{}]):
        raise InvalidInput.at("/rules", "required", "The file has no rules.")
    for number, rule in enumerate(rules):
        if not isinstance(rule, dict):
            detail = f"Rule {number + 1} isn't a table."
            raise InvalidInput.at(f"/rules/{number}", "not_an_object", detail)
    return cast("list[Mapping[str, Any]]", rules)


def _listed(table: Mapping[str, object]) -> object:
    """The rules in a table: those under `rules`, or the table itself as the only one."""
    if set(table) == {"rules"}:
        return table["rules"]
    for name, value in table.items():
        if isinstance(value, list) and "benefit" not in table:
            detail = f"A file has one rule, or several under `rules`, and no {name[:80]!r}."
            raise InvalidInput.at(pointer("", name), "unknown_field", detail)
    return table


def _parse_json(content: bytes) -> object:
    try:
        return parse_json(content)
    except Malformed as error:
        detail = str(error).replace("The body", "The file", 1)
        raise InvalidInput.at("", "not_json", detail) from error


def _parse_toml(content: bytes) -> object:
    try:
        return _plain(tomllib.loads(content.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise InvalidInput.at("", "not_toml", "The file is not UTF-8; save it as that.") from error
    except (ValueError, RecursionError) as error:
        detail = f"The file is neither TOML nor JSON: {_why(error)}."
        raise InvalidInput.at("", "not_toml", detail) from error


def _why(error: Exception) -> str:
    if isinstance(error, tomllib.TOMLDecodeError):
        return str(error)
    return "a number has too many digits" if isinstance(error, ValueError) else "it is too deep"


def _plain(value: object) -> object:
    """The value with TOML's own days and times as the texts that JSON has for them."""
    match value:
        case dict():
            return {name: _plain(v) for name, v in cast("dict[str, object]", value).items()}
        case list():
            return [_plain(each) for each in cast("list[object]", value)]
        case datetime() | date():
            return value.isoformat()
        case time():
            return value.isoformat("auto" if value.second or value.microsecond else "minutes")
        case _:
            return value
