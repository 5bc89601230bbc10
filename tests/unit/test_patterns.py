"""Every regular expression of the project: its character classes have no range by accident."""

import importlib
import pkgutil
import re
import warnings
from collections.abc import Iterator, Mapping
from re import _constants, _parser  # type: ignore[attr-defined]  # the only parser of patterns
from types import ModuleType
from typing import Any

import pytest

import adapters
import commerce_core
import entrypoints

PACKAGES = (commerce_core, adapters, entrypoints)


def modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def patterns_in(value: object) -> Iterator[str]:
    """The patterns that a value of a module is or holds; texts count if they have a class."""
    if isinstance(value, re.Pattern):
        value = value.pattern
    if isinstance(value, str):
        if "[" in value and "-" in value:
            yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from patterns_in(member)
    elif isinstance(value, tuple | list):
        for member in value:
            yield from patterns_in(member)


def ranges_in(parsed: Any) -> Iterator[tuple[int, int]]:  # noqa: ANN401 - the parser has no types
    if isinstance(parsed, _parser.SubPattern | tuple | list):
        members = list(parsed)
        if len(members) == 2 and members[0] is _constants.RANGE:
            yield members[1]
        for member in members:
            yield from ranges_in(member)


def odd_ranges(pattern: str) -> list[str]:
    """The ranges whose ends aren't of one kind: two digits, two capitals, two controls ..."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # A text, as of SQL, may look like a set.
            parsed = _parser.parse(pattern)
    except (re.error, OverflowError):
        return []  # A text that isn't a pattern.
    found = ((chr(first), chr(last)) for first, last in ranges_in(parsed))
    return [f"{first}-{last}" for first, last in found if kind_of(first) != kind_of(last)]


def kind_of(character: str) -> str:
    if not character.isascii():
        return "beyond ASCII"
    kinds = {
        "digit": character.isdigit(),
        "upper": character.isupper(),
        "lower": character.islower(),
    }
    kinds["control or blank"] = character <= " " or character == "\x7f"
    return next((kind for kind, is_it in kinds.items() if is_it), "mark")


def test_an_accidental_range_is_found():
    assert odd_ranges("[0-9.,-\u2014]") == [",-\u2014"]
    assert odd_ranges("(?:a|[+-\u2013b]{2})*") == ["+-\u2013"]
    assert odd_ranges(r"[A-Za-z0-9+\-.,\x00-\x20]") == []


@pytest.mark.parametrize("module", list(modules()), ids=lambda module: module.__name__)
def test_no_character_class_has_a_range_by_accident(module: ModuleType):
    """A hyphen between two marks makes a range of everything between them, letters too."""
    odd = {
        name: ranges
        for name, value in vars(module).items()
        for pattern in patterns_in(value)
        if (ranges := odd_ranges(pattern))
    }
    assert odd == {}
