"""What requests are made of: identifiers, files, and values that come as text."""

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NewType, TypeVar, get_origin

from litestar.datastructures import UploadFile

from commerce_core.base.errors import Fault, InvalidInput, Malformed
from commerce_core.base.ids import Kind, parse
from entrypoints.reading import fields_of, pointer, read_json, read_value
from entrypoints.scalars import LEAVES, WHOLE_NUMBER, YES_NO, Hint, InvalidValue, Read, matching

PartnerId = NewType("PartnerId", str)
SourceId = NewType("SourceId", str)
FeedId = NewType("FeedId", str)
JobId = NewType("JobId", str)
ProductId = NewType("ProductId", str)
OrderId = NewType("OrderId", str)
KeyId = NewType("KeyId", str)
_IDS: Final = (PartnerId, SourceId, FeedId, JobId, ProductId, OrderId, KeyId)
_KINDS: Final[tuple[Kind, ...]] = ("ptn", "src", "feed", "job", "prod", "ord", "key")
ID_KINDS: Final[Mapping[Any, Kind]] = MappingProxyType(dict(zip(_IDS, _KINDS, strict=True)))
"""Identifiers in paths and filters; NotFound for a text that can't be one."""
T = TypeVar("T")


def read_id(kind: Hint, text: str) -> str:
    """An identifier in a path; NotFound if it can't be one of its kind."""
    return _TEXTS[kind](text)


def read_body(kind: type[T], content: bytes) -> T:
    """A JSON body; Malformed if it isn't JSON, InvalidInput if it breaks a rule."""
    return read_json(kind, content, _BODIES)


def read_form(kind: type[T], parts: Iterable[tuple[str, str | UploadFile]]) -> T:
    """The form as that class, its blank fields counting as not sent; InvalidInput otherwise."""
    filled = [(name, value) for name, value in parts if isinstance(value, UploadFile) or value]
    return _from_pairs(kind, filled, "The form doesn't match its description.", InvalidInput)


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
            why = "Omit a parameter that has no value."
            faults.append(Fault(pointer("", name), "blank", why))
        elif name in known and get_origin(known[name][1]) is tuple:
            found.setdefault(name, []).append(value)
        elif name in found:
            why = f"{name[:80]!r} occurs twice."
            faults.append(Fault(pointer("", name), "given_twice", why))
        else:
            found[name] = value
    if faults:
        raise refusal(detail, faults=faults)
    return read_value(kind, found, detail, leaves=_TEXTS, refusal=refusal)


def _file(value: object) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise InvalidValue("not_a_file", "Send a file: a part with a file name.")
    return value


def _is_true(text: str) -> bool:
    return text.lower() == "true"


def _id(kind: Kind, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue("not_a_text", "A text is expected.")
    return parse(kind, value)


_BODIES: Final[Mapping[Hint, Read]] = {
    **LEAVES,
    **{hint: partial(_id, kind) for hint, kind in ID_KINDS.items()},
}
_TEXTS: Final[Mapping[Hint, Read]] = {
    **_BODIES,
    int: partial(matching, r"-?[0-9]{1,18}", int, *WHOLE_NUMBER),
    # Clients in Python send `True`.
    bool: partial(matching, "(?i:true|false)", _is_true, *YES_NO),
    UploadFile: _file,
}
"""How values of queries and forms are read."""
