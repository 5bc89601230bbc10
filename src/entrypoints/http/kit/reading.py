"""Reading what a client sent, strictly: nothing is coerced, nothing unknown is passed over.

A body, a form and a query are each described by an attrs class. Every fault is reported at once,
each with the JSON pointer of its place: a body's is InvalidInput (it was read and breaks a rule), a
query's is Malformed.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import NoneType
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs
from attrs import define, field
from litestar.datastructures import UploadFile

from commerce_core.errors import Fault, InvalidInput, Malformed
from commerce_core.profiles import Column, Profile
from commerce_core.sources import REJECT_FEED, REJECT_RECORDS, OnError
from entrypoints.http.kit.values import (
    FROM_JSON,
    FROM_TEXT,
    MISSING,
    Hint,
    InvalidValue,
    Read,
    Share,
    name_of,
    word,
)

LONGEST_NUMBER: Final = 100
"""Digits of a number in a body."""

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
    except (ValueError, RecursionError) as error:
        why = {UnicodeDecodeError: "it is not UTF-8", RecursionError: "it is nested too deeply"}
        detail = f"The body is not JSON: {why.get(type(error), str(error))}."
        raise Malformed.at("", "not_json", detail) from error
    return read_value(kind, parsed, "The body isn't as it has to be.")


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
    return _from_pairs(kind, pairs, "The query parameters can't be read.", Malformed)


def _from_pairs(
    kind: type[T], pairs: Iterable[tuple[str, Any]], detail: str, refusal: type[InvalidInput]
) -> T:
    """Values by name, those of a repeatable field as a list."""
    hints = _known(kind)
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in pairs:
        if not value:
            why = "A parameter without a value has no meaning; leave it out."
            faults.append(Fault(_pointer("", name), "blank", why))
        elif name in hints and get_origin(hints[name][1]) is tuple:
            found.setdefault(name, []).append(value)
        elif name in found:
            why = f"{name[:80]!r} is there twice."
            faults.append(Fault(_pointer("", name), "given_twice", why))
        else:
            found[name] = value
    if faults:
        raise refusal(detail, faults=faults)
    return _Reading(FROM_TEXT).whole(kind, found, detail, refusal)


def read_value(kind: type[T], value: object, detail: str) -> T:
    """What was parsed already as that class, just as strictly; InvalidInput otherwise."""
    return _Reading(FROM_JSON).whole(kind, value, detail, InvalidInput)


@cache
def _known(kind: type[Any]) -> Mapping[str, tuple["attrs.Attribute[Any]", Hint]]:
    """The fields of a class and their types, by the names that clients use."""
    hints = get_type_hints(kind)
    return {name_of(known): (known, hints[known.name]) for known in attrs.fields(kind)}


@define
class _Reading:
    """One value being read, and all that is wrong with it so far."""

    leaves: Mapping[Hint, Read]
    faults: list[Fault] = field(factory=list[Fault])

    def whole(self, kind: type[T], value: object, detail: str, refusal: type[InvalidInput]) -> T:
        """The value, if nothing is wrong with it."""
        read = self.read(kind, value, "")
        if self.faults:
            raise refusal(detail, faults=self.faults)
        return read

    def read(self, kind: Hint, value: Any, at: str) -> Any:  # noqa: ANN401 of that kind
        """The value; MISSING if it has a fault."""
        try:
            return self._read(kind, value, at)
        except InvalidValue as error:
            self.faults.append(Fault(at, error.code, error.detail))
            return MISSING

    def _read(self, kind: Hint, value: Any, at: str) -> Any:  # noqa: ANN401 of that kind
        origin, arguments = get_origin(kind), get_args(kind)
        if kind in self.leaves:
            return self.leaves[kind](value)
        if kind in _WRITTEN_SHORTER:
            return _WRITTEN_SHORTER[kind](self, value, at)
        if NoneType in arguments:
            rest = tuple(each for each in arguments if each is not NoneType)
            return None if value is None else self._read(Union[rest], value, at)
        if origin is Literal:
            return word(arguments, value)
        if origin is tuple:
            return self._list(arguments[0], value, at)
        if origin is Mapping:
            return self._map(*arguments, _table(value), at)
        return self.fields(kind, value, at)

    def _list(self, kind: Hint, value: object, at: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise InvalidValue("not_a_list", "A list is wanted.")
        members = enumerate(cast("list[Any]", value))
        return tuple([self.read(kind, member, _pointer(at, index)) for index, member in members])

    def _map(self, name: Hint, kind: Hint, table: dict[str, Any], at: str) -> dict[Any, Any]:
        places = {each: _pointer(at, each) for each in table}
        return {self.read(name, n, p): self.read(kind, table[n], p) for n, p in places.items()}

    def fields(self, kind: type[Any], value: object, at: str) -> Any:  # noqa: ANN401 of that kind
        """An object with the fields of the class, no others."""
        known, given, found = _known(kind), _table(value), dict[str, Any]()
        for name, (attribute, hint) in known.items():
            where = _pointer(at, name)
            if name in given:
                found[attribute.name] = self.read(hint, given[name], where)
            elif attribute.default is attrs.NOTHING:
                self.faults.append(Fault(where, "required", f"{name} is required."))
        for name in sorted(given.keys() - known.keys()):
            detail = f"{name[:80]!r} is not known here."
            self.faults.append(Fault(_pointer(at, name), "unknown_field", detail))
        return MISSING if self.faults else kind(**found)


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidValue("not_an_object", "An object is wanted.")
    return cast("dict[str, Any]", value)


def _pointer(at: str, place: str | int) -> str:
    escaped = str(place).encode(errors="backslashreplace").decode()
    return f"{at}/{escaped.replace('~', '~0').replace('/', '~1')}"


# What may be written shorter than its class has it.


@attrs.frozen
class _Threshold:
    share: Share | None = None
    count: int | None = None


@attrs.frozen
class _Beyond:
    threshold: _Threshold


def _on_error(reading: _Reading, value: object, at: str) -> OnError:
    """`records`, `feed`, or the threshold beyond which the feed is rejected."""
    if value in ("records", "feed"):
        return REJECT_RECORDS if value == "records" else REJECT_FEED
    if not isinstance(value, dict):
        wanted = "records, feed, or an object with a threshold is wanted."
        raise InvalidValue("not_one_of", wanted)
    beyond: _Beyond = reading.fields(_Beyond, cast("object", value), at)
    if beyond is MISSING:
        return MISSING
    if beyond.threshold == _Threshold():
        raise InvalidValue("no_threshold", "A threshold has a share, a count, or both.")
    return OnError(beyond.threshold.share, beyond.threshold.count)


def _column(reading: _Reading, value: object, at: str) -> Column:
    """A table, or just the header or headers it is fed from."""
    table = {"from": cast("object", value)} if isinstance(value, str | list) else value
    return reading.fields(Column, _with(table, "from", _listed), at)


def _profile(reading: _Reading, value: object, at: str) -> Profile:
    """One template may stand for a list of one; a constant's number or boolean for its text."""
    listed = _with(value, "identity", _listed)
    return reading.fields(Profile, _with(listed, "constants", _as_texts), at)


def _with(value: object, name: str, change: Read) -> object:
    """The object, with the member of that name changed."""
    if not isinstance(value, dict) or name not in value:
        return cast("object", value)
    table = cast("dict[str, object]", value)
    return {**table, name: change(table[name])}


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_texts(table: object) -> object:
    if not isinstance(table, dict):
        return table
    return {name: _as_text(each) for name, each in cast("dict[str, object]", table).items()}


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int) else value


_WRITTEN_SHORTER: Final[Mapping[type, Callable[[_Reading, Any, str], Any]]] = {
    OnError: _on_error,
    Column: _column,
    Profile: _profile,
}
