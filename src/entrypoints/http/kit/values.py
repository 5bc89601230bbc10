"""What the values of a request are: their types, and how strictly each is read.

Nothing is coerced, but for what comes as text: numbers and booleans of queries and forms.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NewType

import attrs
from litestar.datastructures import UploadFile

from commerce_core.ids import Kind, parse

PartnerId = NewType("PartnerId", str)
SourceId = NewType("SourceId", str)
FeedId = NewType("FeedId", str)
JobId = NewType("JobId", str)
ProductId = NewType("ProductId", str)
OrderId = NewType("OrderId", str)
KeyId = NewType("KeyId", str)
ID_KINDS: Final[Mapping[Any, Kind]] = MappingProxyType(
    {
        PartnerId: "ptn",
        SourceId: "src",
        FeedId: "feed",
        JobId: "job",
        ProductId: "prod",
        OrderId: "ord",
        KeyId: "key",
    }
)
"""Identifiers in paths and filters; a text that can't be one of its kind is NotFound."""
Share = NewType("Share", Decimal)
Moment = datetime | date
"""A time, or a day, which stands for its first moment."""

Hint = Any
"""A type as annotations have it: a class, a union, a literal."""
Read = Callable[[Any], Any]
"""Reads a value of one type, or raises InvalidValue."""

MISSING: Final[Any] = object()
"""The default of a field that a change leaves alone where it isn't sent."""

YEARS: Final = range(1900, 3000)
"""Times outside can't be expressed in every time zone."""
_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_BLANK_FOR_PLUS: Final = re.compile(r" (?=[0-9]{2}:[0-9]{2}$)", re.ASCII)
"""A `+` that wasn't escaped in a query arrives as a blank."""
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class InvalidValue(ValueError):
    """A value that isn't of its field's type; `detail` is what is wanted."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def optional(default: object, meaning: str, **schema: object) -> Any:  # noqa: ANN401 as attrs.field
    """A field with a default, and what the API's description states about it."""
    return attrs.field(default=default, metadata={"meaning": meaning, "schema": schema})


def required(meaning: str, **schema: object) -> Any:  # noqa: ANN401 as attrs.field
    """A field that has to be sent, and what the API's description states about it."""
    return attrs.field(metadata={"meaning": meaning, "schema": schema})


def sent(change: object) -> dict[str, Any]:
    """The fields of a change that were sent, with their values."""
    values = attrs.asdict(change, recurse=False)  # pyright: ignore[reportArgumentType] any attrs
    return {name: value for name, value in values.items() if value is not MISSING}


def name_of(attribute: "attrs.Attribute[Any]") -> str:
    """The name clients use: `from_` is `from`, which Python keeps for itself."""
    return attribute.name.rstrip("_")


def text(value: object) -> str:
    """A text that a database can store."""
    if not isinstance(value, str):
        raise InvalidValue("not_a_text", "A text is wanted.")
    if _UNSTORABLE.search(value):
        raise InvalidValue("bad_text", "A text has no NUL, and no half of a surrogate pair.")
    return value


def word(words: tuple[str, ...], value: object) -> str:
    """One of these words."""
    if (found := text(value)) not in words:
        raise InvalidValue("not_one_of", f"One of {', '.join(words)} is wanted.")
    return found


def _only(kind: type, code: str, wanted: str, value: object) -> Any:  # noqa: ANN401 of that type
    """A value that has this very type already."""
    if type(value) is not kind:
        raise InvalidValue(code, f"{wanted} is wanted.")
    return value


def _match(pattern: str, make: Read, code: str, wanted: str, value: object) -> Any:  # noqa: ANN401
    """What is made of a text of that form."""
    found = text(value)
    if not re.fullmatch(pattern, found, re.ASCII):
        raise InvalidValue(code, f"{wanted} is wanted.")
    return make(found)


def _checked_time(found: str) -> datetime:
    try:
        time = datetime.fromisoformat(found.upper())
    except ValueError as error:
        raise InvalidValue("not_a_time", f"There is no such time: {error}.") from error
    if time.year not in YEARS:
        raise InvalidValue("not_a_time", f"Years are {YEARS[0]} to {YEARS[-1]}.")
    return time


def _instant(value: object) -> datetime:
    found = _BLANK_FOR_PLUS.sub("+", text(value))
    wanted = "A time as 2026-06-17T14:00:00Z"
    return _match(_TIME, _checked_time, "not_a_time", wanted, found).astimezone(UTC)


def _moment(value: object) -> Moment:
    found = text(value)
    is_day = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", found, re.ASCII)
    return _checked_time(found).date() if is_day else _instant(found)


def _share(value: object) -> Decimal:
    """A share as a number or as decimal text."""
    found = str(value) if type(value) in (int, float, str) else ""
    if not re.fullmatch(r"[01]|0\.[0-9]{1,12}|1\.0{1,12}", found, re.ASCII):
        raise InvalidValue("bad_share", "A share is 0 to 1, as 0.05.")
    return Decimal(found)


def _id(kind: Kind, value: object) -> str:
    """An identifier; NotFound for a text that can't be one of its kind, whatever is in it."""
    if not isinstance(value, str):
        raise InvalidValue("not_a_text", "A text is wanted.")
    return parse(kind, value)


_INT: Final = ("not_a_whole_number", "A whole number")
_BOOL: Final = ("not_a_boolean", "true or false")
_FILE: Final = ("not_a_file", "A file: a part with a file name,")
_AMOUNT: Final = (r"[0-9]{1,12}(\.[0-9]{1,4})?", Decimal, "not_an_amount")
FROM_JSON: Final[Mapping[Hint, Read]] = {
    str: text,
    int: partial(_only, int, *_INT),
    bool: partial(_only, bool, *_BOOL),
    Decimal: partial(_match, *_AMOUNT, "A decimal number as 79.90"),
    datetime: _instant,
    Moment: _moment,
    Share: _share,
    UploadFile: partial(_only, UploadFile, *_FILE),
    **{hint: partial(_id, kind) for hint, kind in ID_KINDS.items()},
}
"""How values that have a type already are read."""
FROM_TEXT: Final[Mapping[Hint, Read]] = {
    **FROM_JSON,
    int: partial(_match, r"-?[0-9]{1,18}", int, *_INT),
    bool: partial(_match, r"(?i:true|false)", lambda found: found.lower() == "true", *_BOOL),
}
"""How values of queries and forms are read. Clients in Python send `True`."""
