"""Values of queries and forms: pairs of names and texts, or files, read as strictly as bodies."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeVar, get_origin

from litestar.datastructures import UploadFile

from commerce_core.base.errors import Fault, InvalidInput, Malformed
from entrypoints.reading import fields_of, pointer, read_value
from entrypoints.scalars import LEAVES, WHOLE_NUMBER, YES_NO, Hint, InvalidValue, Read, matching

T = TypeVar("T")


def read_form(kind: type[T], parts: Iterable[tuple[str, str | UploadFile]]) -> T:
    """The form as that class, its blank fields counting as not sent; InvalidInput otherwise."""
    filled = [(name, value) for name, value in parts if isinstance(value, UploadFile) or value]
    return _from_pairs(kind, filled, "The form isn't as it has to be.", InvalidInput)


def read_query(kind: type[T], pairs: Iterable[tuple[str, str]]) -> T:
    """The query parameters as that class; Malformed otherwise, and for a blank one."""
    return _from_pairs(kind, pairs, "The query parameters can't be read.", Malformed)


def _from_pairs(
    kind: type[T], pairs: Iterable[tuple[str, Any]], detail: str, refusal: type[InvalidInput]
) -> T:
    """Values by name, those of a repeatable field as a list."""
    known = fields_of(kind)
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in pairs:
        if not value:
            why = "A parameter without a value has no meaning; leave it out."
            faults.append(Fault(pointer("", name), "blank", why))
        elif name in known and get_origin(known[name][1]) is tuple:
            found.setdefault(name, []).append(value)
        elif name in found:
            why = f"{name[:80]!r} is there twice."
            faults.append(Fault(pointer("", name), "given_twice", why))
        else:
            found[name] = value
    if faults:
        raise refusal(detail, faults=faults)
    return read_value(kind, found, detail, leaves=_TEXTS, refusal=refusal)


def _file(value: object) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise InvalidValue("not_a_file", "A file is wanted: a part with a file name.")
    return value


def _is_true(text: str) -> bool:
    return text.lower() == "true"


_TEXTS: Final[Mapping[Hint, Read]] = {
    **LEAVES,
    int: partial(matching, r"-?[0-9]{1,18}", int, *WHOLE_NUMBER),
    # Clients in Python send `True`.
    bool: partial(matching, "(?i:true|false)", _is_true, *YES_NO),
    UploadFile: _file,
}
