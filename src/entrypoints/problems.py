"""How the core's errors are reported: HTTP status, exit code and title, in one table."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import field, frozen

from commerce_core.base.errors import (
    CommerceError,
    Conflict,
    FileRefused,
    Forbidden,
    InvalidInput,
    Malformed,
    NotFound,
    RunLost,
    Stale,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unreachable,
)

EXIT_USAGE: Final = 2
EXIT_HELD: Final = 3
EXIT_REFUSED: Final = 65
EXIT_NOT_FOUND: Final = 66
EXIT_BUG: Final = 70
EXIT_CONFLICT: Final = 73
EXIT_TRY_AGAIN: Final = 75
EXIT_NO_PERMISSION: Final = 77

_TABLE: Final[Mapping[type, tuple[int, int, str]]] = {
    Malformed: (400, EXIT_USAGE, "The request can't be read"),
    InvalidInput: (422, EXIT_REFUSED, "The request breaks a rule"),
    Unauthenticated: (401, EXIT_NO_PERMISSION, "An API key is needed"),
    Forbidden: (403, EXIT_NO_PERMISSION, "The key doesn't allow this"),
    NotFound: (404, EXIT_NOT_FOUND, "Not found"),
    Conflict: (409, EXIT_CONFLICT, "The state doesn't allow this"),
    Stale: (412, EXIT_CONFLICT, "It has changed meanwhile"),
    TooLarge: (413, EXIT_REFUSED, "Too large"),
    FileRefused: (422, EXIT_REFUSED, "The file can't be processed"),
    TooMany: (429, EXIT_TRY_AGAIN, "Too many requests"),
    RunLost: (409, EXIT_TRY_AGAIN, "Another run took over"),
    Unreachable: (502, EXIT_TRY_AGAIN, "Another server can't be called"),
    Unavailable: (503, EXIT_TRY_AGAIN, "Try again later"),
    CommerceError: (500, EXIT_BUG, "Something went wrong"),
}

MOST_FAULTS: Final = 100
"""How many faults a problem lists; the others are counted."""
LONGEST_POINTER: Final = 500
"""Characters of a pointer; it contains names that the client has made up."""
NO_REMEDIES: Final[Mapping[str, str]] = MappingProxyType({})


@frozen
class Problem:
    """An error as clients see it (RFC 9457), and its exit code on the command line.

    `errors` are the first faults in the input, each with a JSON pointer, and `more_errors` is the
    number of those left out; `shown` are extension members.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[dict[str, str], ...]
    exit_code: int
    more_errors: int = 0
    shown: Mapping[str, Any] = field(factory=dict[str, Any])


def problem_of(error: CommerceError, remedies: Mapping[str, str] = NO_REMEDIES) -> Problem:
    """The problem that reports this error.

    `remedies` are the caller's own advice, by code. They name its routes or commands, which the
    core doesn't know, and may contain what the error shows (`{feed_id}`).
    """
    kind = next(cls for cls in type(error).__mro__ if cls in _TABLE)
    status, exit_code, title = _TABLE[kind]
    faults = error.faults if isinstance(error, InvalidInput | Conflict) else ()
    return Problem(
        type=problem_type(error.code),
        title=title,
        status=status,
        detail=_detail(error, remedies),
        code=error.code,
        errors=tuple(
            {"pointer": _cut(fault.pointer), "code": fault.code, "detail": fault.detail}
            for fault in faults[:MOST_FAULTS]
        ),
        exit_code=exit_code,
        more_errors=max(0, len(faults) - MOST_FAULTS),
        shown=_extensions(error),
    )


def _cut(pointer: str) -> str:
    return pointer if len(pointer) <= LONGEST_POINTER else f"{pointer[:LONGEST_POINTER]}..."


def _detail(error: CommerceError, remedies: Mapping[str, str]) -> str:
    if error.code not in remedies:
        return str(error)
    shown = error.shown if isinstance(error, Conflict) else {}
    return f"{error.detail} {remedies[error.code].format_map(shown)}"


def _extensions(error: CommerceError) -> Mapping[str, Any]:
    """The extension members of the problem, in their JSON shape."""
    if not isinstance(error, Conflict) or not error.shown:
        return {}
    from entrypoints.shapes import shape

    return {name: shape(value) for name, value in error.shown.items()}


def problem_type(code: str) -> str:
    """The URI that identifies a kind of problem."""
    return f"urn:open-commerce:problem:{code}"
