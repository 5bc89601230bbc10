"""Reading what a client sent, strictly: nothing is coerced, nothing unknown is passed over.

A body, a form and a query are each described by an attrs class. Every fault is told at once, each
with the JSON pointer of its place: a body's is InvalidInput (it was read and breaks a rule), a
query's is Malformed.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar, cast

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)
from litestar.datastructures import UploadFile

from commerce_core.base.errors import CommerceError, Fault, InvalidInput, Malformed
from entrypoints.http.values import UNSAID, Hint, Unfit, converter, is_list, name_of

LONGEST_NUMBER: Final = 100
"""Digits of a number in a body."""
_FROM_JSON: Final = converter(from_text=False)
_FROM_TEXT: Final = converter(from_text=True)

T = TypeVar("T")


def read_json(kind: type[T], content: bytes) -> T:
    """The body as that class; Malformed if it isn't JSON, InvalidInput if it is another thing."""
    try:
        parsed = json.loads(
            content.decode("utf-8"),
            parse_constant=_no_number,
            parse_int=_whole_number,
            object_pairs_hook=_object_of,
        )
    except UnicodeDecodeError as error:
        raise _not_json("it is not UTF-8") from error
    except RecursionError as error:
        raise _not_json("it is nested too deeply") from error
    except ValueError as error:
        raise _not_json(str(error)) from error
    return _structured(_FROM_JSON, kind, parsed, "The body isn't as it has to be.", InvalidInput)


def read_value(kind: type[T], value: object, detail: str) -> T:
    """What was parsed already as that class, just as strictly; InvalidInput otherwise."""
    return _structured(_FROM_JSON, kind, value, detail, InvalidInput)


def _not_json(why: str) -> InvalidInput:
    return Malformed.at("", "not_json", f"The body is not JSON: {why}.")


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no number in JSON")


def _whole_number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number has over {LONGEST_NUMBER} digits")
    return int(digits)


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has one name twice")
    return found


def read_form(kind: type[T], parts: Iterable[tuple[str, str | UploadFile]]) -> T:
    """The form as that class, its blank fields counting as not sent; InvalidInput otherwise."""
    filled = [(name, value) for name, value in parts if isinstance(value, UploadFile) or value]
    return _from_pairs(kind, filled, "The form isn't as it has to be.", InvalidInput)


def read_query(kind: type[T], pairs: Iterable[tuple[str, str]]) -> T:
    """The query parameters as that class; Malformed otherwise, and for a blank one."""
    given = list(pairs)
    blank = [
        Fault(
            _pointer("", name), "blank", "A parameter without a value says nothing; leave it out."
        )
        for name, value in given
        if not value
    ]
    detail = "The query parameters can't be read."
    if blank:
        raise Malformed(detail, faults=blank)
    return _from_pairs(kind, given, detail, Malformed)


def read_id(kind: Hint, text: str) -> str:
    """The identifier that stands in a path; NotFound if it can't be one of its kind."""
    return _FROM_TEXT.structure(text, kind)


def sent(change: object) -> dict[str, Any]:
    """The fields of a change that were sent, with their values."""
    kind: Any = type(change)
    names = (field.name for field in attrs.fields(kind))
    return {name: getattr(change, name) for name in names if getattr(change, name) is not UNSAID}


def _from_pairs(
    kind: type[T], pairs: Iterable[tuple[str, Any]], detail: str, refusal: type[InvalidInput]
) -> T:
    """Values by name, those of a repeatable field as a list."""
    repeatable = {
        name_of(field) for field in attrs.fields(cast("Any", kind)) if is_list(field.type)
    }
    found: dict[str, Any] = {}
    twice: list[Fault] = []
    for name, value in pairs:
        if name in repeatable:
            found.setdefault(name, []).append(value)
        elif name in found:
            twice.append(Fault(_pointer("", name), "given_twice", f"{name[:80]!r} is there twice."))
        else:
            found[name] = value
    if twice:
        raise refusal(detail, faults=twice)
    return _structured(_FROM_TEXT, kind, found, detail, refusal)


def _structured(
    using: cattrs.Converter, kind: type[T], value: object, detail: str, refusal: type[InvalidInput]
) -> T:
    try:
        return using.structure(value, kind)
    except (BaseValidationError, Unfit) as error:
        raise refusal(detail, faults=list(_faults(error, ""))) from error


def _faults(error: Exception, pointer: str) -> Iterator[Fault]:
    """The leaves of an error's tree, each with the pointer of its place."""
    match error:
        case BaseValidationError():
            for inner in error.exceptions:
                yield from _faults(inner, _pointer(pointer, _place(inner)))
        case ForbiddenExtraKeysError():
            for name in sorted(error.extra_fields):
                detail = f"{name[:80]!r} is not known here."
                yield Fault(_pointer(pointer, name), "unknown_field", detail)
        case KeyError():
            yield Fault(pointer, "required", f"{pointer.rpartition('/')[2]} is required.")
        case Unfit():
            yield Fault(pointer, error.code, error.detail)
        case CommerceError():
            raise error
        case _:
            raise AssertionError("a converter raises nothing else") from error


def _place(error: Exception) -> str | int | None:
    """The name or number of the member in which the error arose."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return note.name.rstrip("_")
        if isinstance(note, IterableValidationNote):
            return note.index
    return None


def _pointer(pointer: str, place: str | int | None) -> str:
    if place is None:
        return pointer
    text = str(place).encode(errors="backslashreplace").decode()
    return f"{pointer}/{text.replace('~', '~0').replace('/', '~1')}"
