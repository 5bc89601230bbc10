"""Price rules as TOML or JSON files: one rule, or several under `rules`."""

import re
import tomllib
from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, Final, cast

from commerce_core.base.errors import InvalidInput, Malformed
from entrypoints.reading import parse_json

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
    if isinstance(parsed, dict) and set(cast("dict[str, object]", parsed)) == {"rules"}:
        parsed = cast("dict[str, object]", parsed)["rules"]
    rules: list[object] = cast("Any", parsed) if isinstance(parsed, list) else [parsed]
    if rules in ([], [{}]):
        raise InvalidInput.at("/rules", "required", "The file has no rules.")
    for number, rule in enumerate(rules):
        if not isinstance(rule, dict):
            detail = f"Rule {number + 1} isn't a table."
            raise InvalidInput.at(f"/rules/{number}", "not_an_object", detail)
    return cast("list[Mapping[str, Any]]", rules)


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
        raise InvalidInput.at("", "not_toml", "The file is not UTF-8.") from error
    except (ValueError, RecursionError) as error:
        detail = f"The file is neither TOML nor JSON: {error}."
        raise InvalidInput.at("", "not_toml", detail) from error


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
            return f"{value:%H:%M}"
        case _:
            return value
