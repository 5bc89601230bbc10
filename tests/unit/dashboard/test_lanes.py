"""Pages run in the lane of expensive queries if the API does so with what they call."""

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import FunctionType
from typing import Any, Final

from attrs import fields

from entrypoints.dashboard.kit.pages import Page
from entrypoints.dashboard.routes import routes
from entrypoints.http import routes as api
from entrypoints.http.kit.handlers import OPERATION
from tests.unit.dashboard.conftest import SETTINGS

BOUNDED: Final = {("jobs", "problem_groups")}
"""For a page it reads no more than 1,000 problems, and the first 5,000 lines of a file."""
_CALL: Final = re.compile(r"\bcommerce\.(\w+)\.(\w+)\(")
Calls = set[tuple[str, str]]


def _sources(function: Callable[..., Any], seen: set[object]) -> Iterator[str]:
    """The text of a function of the entry points, and of those that it calls by name."""
    seen.add(function)
    yield inspect.getsource(function)
    for name in function.__code__.co_names:
        called = function.__globals__.get(name)
        if not isinstance(called, FunctionType) or called in seen:
            continue
        if called.__module__.startswith("entrypoints"):
            yield from _sources(called, seen)


def calls(function: Callable[..., Any]) -> Calls:
    """The use cases that it calls."""
    return {found for text in _sources(function, set()) for found in _CALL.findall(text)}


def expensive_calls() -> Calls:
    found: Calls = set()
    for module in iter_modules(api.__path__):
        for handler in getattr(import_module(f"{api.__name__}.{module.name}"), "ROUTES", ()):
            operation = handler.opt.get(OPERATION)
            if operation is not None and operation.lane == "queries":
                found |= calls(operation.function)
    return found - BOUNDED


def test_a_page_that_calls_an_expensive_use_case_is_expensive():
    known, never = expensive_calls(), fields(Page).is_expensive.default
    assert ("analytics", "summary") in known
    pages = [page for handler in routes(SETTINGS) if (page := handler.opt.get("page"))]
    cheap = [page for page in pages if page.lane == "requests" and page.is_expensive is never]
    wrong = {page.path: found for page in cheap if (found := calls(page.function) & known)}
    assert not wrong
