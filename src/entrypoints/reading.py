"""Reading input strictly: nothing is coerced, and nothing unknown is ignored.

What is read is described by attrs classes. All faults are reported at once, each with its JSON
pointer. HTTP requests and profile files are read by this.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any, Final, Literal, TypeVar, cast, get_args, get_origin
from typing import get_type_hints as hints_of

import attrs
from attrs import define, field

from commerce_core.base.errors import Fault, InvalidInput, Malformed
from commerce_core.base.text import did_you_mean
from commerce_core.feeds.source import REJECT_FEED, REJECT_RECORDS, OnError
from commerce_core.pricing.form import read_rule
from commerce_core.pricing.rules import Rule, RuleStatus
from commerce_core.profiles.profile import Column, Profile
from entrypoints.scalars import LEAVES, Hint, InvalidValue, Read, Share, only, without_none, word

LONGEST_NUMBER: Final = 100
"""Digits of a number in JSON."""
MISSING: Final[Any] = object()
"""Stands for a value that wasn't sent, or that has a fault."""

T = TypeVar("T")


def optional(default: object, meaning: str, **schema: object) -> Any:  # noqa: ANN401 as attrs.field
    """A field with a default, and what the API's description states about it."""
    return attrs.field(default=default, metadata={"meaning": meaning, "schema": schema})


def required(meaning: str, **schema: object) -> Any:  # noqa: ANN401 as attrs.field
    """A field that has to be sent, and what the API's description states about it."""
    return attrs.field(metadata={"meaning": meaning, "schema": schema})


def sent(change: object) -> dict[str, Any]:
    """The fields of a change that were sent, with their values."""
    values = attrs.asdict(cast("Any", change), recurse=False)
    return {name: value for name, value in values.items() if value is not MISSING}


def read_json(kind: type[T], content: bytes) -> T:
    """JSON as that class; Malformed if it isn't JSON, InvalidInput if it doesn't fit the class."""
    return read_value(kind, parse_json(content), "The body doesn't match its description.")


def parse_json(content: bytes) -> Any:  # noqa: ANN401 whatever it is
    """The value that JSON is; Malformed if it isn't JSON."""
    try:
        return json.loads(
            content.decode("utf-8"),
            parse_constant=_no_number,
            parse_int=_whole_number,
            object_pairs_hook=_object_of,
        )
    except (ValueError, RecursionError) as error:
        raise Malformed.at("", "not_json", f"The body is not JSON: {_why(error)}.") from error


def read_value(
    kind: type[T],
    value: object,
    detail: str,
    *,
    leaves: Mapping[Hint, Read] = LEAVES,
    refusal: type[InvalidInput] = InvalidInput,
) -> T:
    """A value already parsed as that class, read just as strictly."""
    reading = Reading(leaves)
    read = reading.read(kind, value, "")
    if reading.faults:
        raise refusal(detail, faults=reading.faults)
    return read


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def _whole_number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number has over {LONGEST_NUMBER} digits")
    return int(digits)


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counted.items() if count > 1)
        raise ValueError(f"an object has the same name twice: {twice[:80]!r}")
    return found


def name_of(attribute: "attrs.Attribute[Any]") -> str:
    """The public name: `from_` is `from`, which is reserved in Python."""
    return attribute.name.rstrip("_")


@cache
def fields_of(kind: type[Any]) -> Mapping[str, tuple["attrs.Attribute[Any]", Hint]]:
    """The fields of a class and their types, by public name."""
    hints = hints_of(kind)
    return {name_of(each): (each, hints[each.name]) for each in attrs.fields(kind)}


def pointer(at: str, place: str | int) -> str:
    """The JSON pointer of a member of the value at that pointer."""
    escaped = str(place).encode(errors="backslashreplace").decode()
    return f"{at}/{escaped.replace('~', '~0').replace('/', '~1')}"


@define
class Reading:
    """One value being read, and all that is wrong with it so far."""

    leaves: Mapping[Hint, Read]
    faults: list[Fault] = field(factory=list[Fault])

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
            return None if value is None else self._read(without_none(kind), value, at)
        if origin is Literal:
            return word(arguments, value)
        if origin is tuple:
            members = enumerate(only(list, "not_a_list", "A list", value))
            return tuple([self.read(arguments[0], each, pointer(at, n)) for n, each in members])
        if origin is Mapping:
            places = {name: pointer(at, name) for name in _table(value)}
            name, member = arguments
            return {
                self.read(name, each, place): self.read(member, value[each], place)
                for each, place in places.items()
            }
        return self.fields(kind, value, at)

    def fields(self, kind: type[Any], value: object, at: str) -> Any:  # noqa: ANN401 of that kind
        """An object with the fields of the class, no others."""
        known, given, found = fields_of(kind), _table(value), dict[str, Any]()
        for name, (attribute, hint) in known.items():
            if name in given:
                found[attribute.name] = self.read(hint, given[name], pointer(at, name))
            elif attribute.default is attrs.NOTHING:
                self.faults.append(Fault(pointer(at, name), "required", f"{name} is required."))
        for name in sorted(given.keys() - known.keys()):
            detail = f"{name[:80]!r} is not a known name.{did_you_mean(name, known)}"
            self.faults.append(Fault(pointer(at, name), "unknown_field", detail))
        return MISSING if self.faults else kind(**found)


def _table(value: object) -> dict[str, Any]:
    return only(dict, "not_an_object", "An object", value)


# Values with a short form


@attrs.frozen
class RejectionThreshold:
    """A feed is rejected if more than this number or share of its records are."""

    share: Share | None = optional(None, "A share of the records, from 0 to 1; shown as text.")
    count: int | None = optional(None, "A number of records.", minimum=0)


@attrs.frozen
class RejectBeyond:
    """A feed is rejected beyond a threshold."""

    threshold: RejectionThreshold = required("Share, count, or both.", minProperties=1)


def _on_error(reading: Reading, value: object, at: str) -> OnError:
    """`records`, `feed`, or the threshold beyond which the feed is rejected."""
    if value in ("records", "feed"):
        return REJECT_RECORDS if value == "records" else REJECT_FEED
    wanted = "records, feed, or an object with a threshold"
    beyond = reading.fields(RejectBeyond, only(dict, "not_one_of", wanted, value), at)
    if beyond is MISSING:
        return MISSING
    if beyond.threshold == RejectionThreshold():
        raise InvalidValue("no_threshold", "A threshold has a share, a count, or both.")
    return OnError(beyond.threshold.share, beyond.threshold.count)


def _column(reading: Reading, value: object, at: str) -> Column:
    """A table, or only the header or headers that it is read from."""
    table = {"from": cast("object", value)} if isinstance(value, str | list) else _table(value)
    return reading.fields(Column, _listing(table, "from"), at)


def _profile(reading: Reading, value: object, at: str) -> Profile:
    """A single template may stand for a list of one; a number or boolean for a constant's text."""
    table = _listing(_table(value), "identity")
    if isinstance(constants := table.get("constants"), dict):
        found = cast("dict[str, object]", constants)
        table["constants"] = {name: _as_text(each) for name, each in found.items()}
    return reading.fields(Profile, table, at)


def _listing(table: dict[str, Any], name: str) -> dict[str, Any]:
    """The table, with a list of one where that member is a text."""
    return {**table, name: [table[name]]} if isinstance(table.get(name), str) else {**table}


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int) else value


@attrs.frozen
class NewRule:
    """A price rule to add, with its status."""

    rule: Rule
    status: RuleStatus | None = None


@attrs.frozen
class RuleBody:
    """A price rule to save, with its status, and the version that it is expected to replace.

    It may be what a rule was shown as, with its id and its times.
    """

    rule: Rule
    status: RuleStatus | None = None
    version: int | None = None
    rule_id: str | None = None


def _rule(reading: Reading, value: object, at: str) -> Rule:
    """A price rule in its written form, which the core reads."""
    try:
        return read_rule(value)
    except InvalidInput as error:
        reading.faults += [Fault(at + f.pointer, f.code, f.detail) for f in error.faults]
        return MISSING


def _rule_body(reading: Reading, value: object, at: str) -> RuleBody:
    """The members of a rule, and beside them what isn't part of it."""
    table = {**_table(value)}
    for name in _OF_SHOWN_RULE:
        reading.read(datetime | None, table.pop(name, None), pointer(at, name))
    version = reading.read(int | None, table.pop("version", None), pointer(at, "version"))
    rule_id = reading.read(str | None, table.pop("rule_id", None), pointer(at, "rule_id"))
    new = _new_rule(reading, table, at)
    return MISSING if reading.faults else RuleBody(new.rule, new.status, version, rule_id)


def _new_rule(reading: Reading, value: object, at: str) -> NewRule:
    table = {**_table(value)}
    status = table.pop("status", None)
    rule = _rule(reading, table, at)
    status = reading.read(RuleStatus | None, status, pointer(at, "status"))
    return MISSING if reading.faults else NewRule(rule, status)


_OF_SHOWN_RULE: Final = ("created_at", "updated_at")
"""Members of a rule as it is shown that mean nothing when they are sent back."""


_WRITTEN_SHORTER: Final[Mapping[type, Callable[[Reading, Any, str], Any]]] = {
    OnError: _on_error,
    Column: _column,
    Profile: _profile,
    Rule: _rule,
    NewRule: _new_rule,
    RuleBody: _rule_body,
}
