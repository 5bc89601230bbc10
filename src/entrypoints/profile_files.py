"""Profiles as TOML or JSON files: read strictly, and written as a person would write them."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from commerce_core.base.errors import InvalidInput
from commerce_core.profiles import checks
from commerce_core.profiles.profile import Profile
from entrypoints.reading import read_json, read_value
from entrypoints.shapes import shape

LONGEST_PROFILE: Final = 1 << 20
"""Maximum size of a profile's file, in bytes."""
_DETAIL: Final = "The profile is invalid."
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_WIDTH: Final = 96


def read_profile(content: bytes) -> Profile:
    """The profile in a file: JSON if it begins with a brace, else TOML.

    InvalidInput reports every fault with its JSON pointer: unknown keys, wrong types and invalid
    values.
    """
    if len(content) > LONGEST_PROFILE:
        raise InvalidInput.at("", "too_long", f"A profile has at most {LONGEST_PROFILE:,} bytes.")
    profile = _read(content)
    checks.check(profile)
    return profile


def _read(content: bytes) -> Profile:
    if content.lstrip().startswith(b"{"):
        return read_json(Profile, content)
    try:
        parsed = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidInput.at("", "not_toml", "The profile is not UTF-8.") from error
    except (ValueError, RecursionError) as error:
        detail = f"The profile is neither TOML nor JSON: {error}."
        raise InvalidInput.at("", "not_toml", detail) from error
    return read_value(Profile, parsed, _DETAIL)


def write_json(profile: Profile) -> str:
    """The profile as JSON, without values that equal their defaults."""
    return json.dumps(_short(profile), indent=2, ensure_ascii=False) + "\n"


def write_toml(profile: Profile) -> str:
    """The profile as TOML, without values that equal their defaults."""
    return "\n".join(_toml(_short(profile))).strip("\n") + "\n"


def _short(profile: Profile) -> dict[str, Any]:
    """Its shape; a column that only names a header is shortened to that header."""
    shaped = cast("dict[str, Any]", shape(profile))
    if columns := shaped.get("columns"):
        shaped["columns"] = {name: _short_column(column) for name, column in columns.items()}
    return shaped


def _short_column(column: dict[str, Any]) -> object:
    headers = column.get("from", ())
    shortened = {**column, "from": headers[0]} if len(headers) == 1 else column
    return shortened["from"] if list(shortened) == ["from"] else shortened


def _toml(shaped: Mapping[str, Any]) -> Iterator[str]:
    """Plain values first, then tables, as TOML requires."""
    for name, value in shaped.items():
        if not _is_table(value):
            yield _pair(name, value)
    for name, value in shaped.items():
        if isinstance(value, Mapping):
            yield from _table(name, cast("Mapping[str, Any]", value))
        elif _is_table(value):
            for member in value:
                yield from ("", f"[[{name}]]", *map(_pair, *zip(*member.items(), strict=True)))


def _is_table(value: object) -> bool:
    """Whether it is a table, or a list of tables."""
    if isinstance(value, list):
        members = cast("list[object]", value)
        return bool(members) and isinstance(members[0], Mapping)
    return isinstance(value, Mapping)


def _table(path: str, members: Mapping[str, Any]) -> Iterator[str]:
    """A table; members that would make a line too long become tables of their own below it."""
    below = {name: value for name, value in members.items() if _is_long_table(name, value)}
    if len(below) < len(members):
        yield from ("", f"[{path}]")
    yield from (_pair(name, value) for name, value in members.items() if name not in below)
    for name, value in below.items():
        yield from _table(f"{path}.{_key(name)}", value)


def _is_long_table(name: str, value: object) -> bool:
    return isinstance(value, Mapping) and len(_pair(name, cast("object", value))) > _WIDTH


def _pair(name: str, value: object) -> str:
    """A line, or several if a list would make it too long (an inline table must stay on one)."""
    line = f"{_key(name)} = {_value(value)}"
    if len(line) <= _WIDTH or not isinstance(value, list):
        return line
    members = "".join(f"  {_value(member)},\n" for member in cast("list[object]", value))
    return f"{_key(name)} = [\n{members}]"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return _text(value)
        case Mapping():
            pairs = cast("Mapping[str, object]", value).items()
            return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in pairs) + " }"
        case _:
            return f"[{', '.join(map(_value, cast('list[object]', value)))}]"


def _text(text: str) -> str:
    """A TOML string: as in JSON, with DEL escaped too; literal if it contains backslashes."""
    literal = "\\" in text and "'" not in text and text.isprintable()
    return (
        f"'{text}'" if literal else json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    )
