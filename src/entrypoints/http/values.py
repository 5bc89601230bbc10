"""What the values of a request are: their types, and how strictly each is read.

Nothing is coerced. There are two converters, since a body's values have types already and those of
forms and queries are text. A value that isn't of its type is Unfit; `reading` tells where it stood.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Literal, NewType, cast, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override
from litestar.datastructures import UploadFile

from commerce_core.base.ids import Kind, parse
from commerce_core.feeds.source import REJECT_FEED, REJECT_RECORDS, OnError
from commerce_core.profiles.profile import Column, Profile

PartnerId = NewType("PartnerId", str)
SourceId = NewType("SourceId", str)
FeedId = NewType("FeedId", str)
JobId = NewType("JobId", str)
ProductId = NewType("ProductId", str)
OrderId = NewType("OrderId", str)
KeyId = NewType("KeyId", str)
Share = NewType("Share", Decimal)
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
"""Identifiers as they stand in paths and filters; one that can't be of its kind is NotFound."""

Hint = Any
"""A type as annotations have it: a class, a union, a literal."""
Default = Any
"""What stands where a field has its default; the field's own type is what counts."""
Hook = Callable[[object, object], Any]
"""Reads a value; the second argument is the type that is wanted."""

UNSAID: Final[Any] = object()
"""The default of a field that a change leaves alone where it isn't sent."""

EARLIEST_YEAR: Final = 1900
LATEST_YEAR: Final = 2999
"""Times outside can't be told in every time zone, and nobody sells then."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_SHARE: Final = re.compile(r"[01]|0\.[0-9]{1,12}|1\.0{1,12}", re.ASCII)
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_BLANK_FOR_PLUS: Final = re.compile(r" (?=[0-9]{2}:[0-9]{2}$)", re.ASCII)
"""A `+` that wasn't escaped in a query arrives as a blank."""
_UNFIT_TEXT: Final = re.compile("[\0\ud800-\udfff]")


class Unfit(ValueError):
    """A value that isn't of its field's type."""

    def __init__(self, code: str, detail: str) -> None:
        """Says in `detail` what is wanted."""
        super().__init__(detail)
        self.code = code
        self.detail = detail


def said(default: object, meaning: str, **schema: object) -> Default:
    """A field with a default, and what the API's description says of it."""
    return attrs.field(default=default, metadata={"meaning": meaning, "schema": schema})


def needed(meaning: str, **schema: object) -> Default:
    """A field that has to be sent, and what the API's description says of it."""
    return attrs.field(metadata={"meaning": meaning, "schema": schema})


def name_of(attribute: "attrs.Attribute[Any]") -> str:
    """The name clients use: `from_` is `from`, which Python keeps for itself."""
    return attribute.name.rstrip("_")


def converter(*, from_text: bool) -> cattrs.Converter:
    """A converter for values that have their types already, or for values that are text."""
    made = cattrs.Converter(forbid_extra_keys=True)
    made.register_structure_hook(str, _text)
    made.register_structure_hook(int, _whole_from_text if from_text else _whole)
    made.register_structure_hook(bool, _yes_no_from_text if from_text else _yes_no)
    made.register_structure_hook(Decimal, _amount)
    made.register_structure_hook(datetime, _instant)
    made.register_structure_hook_func(_is_date_too, _instant_or_date)
    made.register_structure_hook(UploadFile, _file)
    for id_type, kind in ID_KINDS.items():
        made.register_structure_hook(id_type, _id_reader(kind))
    made.register_structure_hook_func(lambda kind: get_origin(kind) is Literal, _word)
    made.register_structure_hook_factory(is_list, partial(_list_reader, made))
    made.register_structure_hook_factory(is_map, partial(_map_reader, made))
    made.register_structure_hook_factory(attrs.has, partial(_object_reader, made))
    made.register_structure_hook(Column, _column_reader(made))
    made.register_structure_hook(Profile, _profile_reader(made))
    made.register_structure_hook(OnError, _on_error_reader(made))
    return made


def is_list(kind: Hint) -> bool:
    """Whether values of this type are lists."""
    return get_origin(kind) is tuple


def is_map(kind: Hint) -> bool:
    """Whether values of this type are objects with names of the client's choice."""
    return get_origin(kind) is Mapping


def _is_date_too(kind: Hint) -> bool:
    return {date, datetime} <= set(get_args(kind))


def _text(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise Unfit("not_a_text", "A text is wanted.")
    if _UNFIT_TEXT.search(value):
        raise Unfit("bad_text", "A text has no NUL, and no half of a surrogate pair.")
    return value


def _whole(value: object, _: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unfit("not_a_whole_number", "A whole number is wanted.")
    return value


def _yes_no(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit("not_a_boolean", "true or false is wanted.")
    return value


def _whole_from_text(value: object, _: object) -> int:
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise Unfit("not_a_whole_number", "A whole number is wanted.")
    return int(value)


def _yes_no_from_text(value: object, _: object) -> bool:
    if value not in ("true", "false"):
        raise Unfit("not_a_boolean", "true or false is wanted.")
    return value == "true"


def _amount(value: object, _: object) -> Decimal:
    text = _text(value, str)
    if not _AMOUNT.fullmatch(text):
        raise Unfit("not_an_amount", "A decimal number as 79.90 is wanted.")
    return Decimal(text)


def _word(value: object, kind: Hint) -> str:
    words, text = get_args(kind), _text(value, str)
    if text not in words:
        raise Unfit("not_one_of", f"One of {', '.join(words)} is wanted.")
    return text


def _instant(value: object, _: object) -> datetime:
    text = _BLANK_FOR_PLUS.sub("+", _text(value, str))
    if not _INSTANT.fullmatch(text):
        raise Unfit("not_a_time", "A time as 2026-06-17T14:00:00Z is wanted.")
    return _checked_time(text).astimezone(UTC)


def _instant_or_date(value: object, _: object) -> datetime | date:
    text = _text(value, str)
    return _checked_time(text).date() if _DATE.fullmatch(text) else _instant(text, datetime)


def _checked_time(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise Unfit("not_a_time", f"There is no such time: {error}.") from error
    if not EARLIEST_YEAR <= read.year <= LATEST_YEAR:
        raise Unfit("not_a_time", f"Years are {EARLIEST_YEAR} to {LATEST_YEAR}.")
    return read


def _file(value: object, _: object) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise Unfit("not_a_file", "A file is wanted: a part with a file name.")
    return value


def _id_reader(kind: Kind) -> Hook:
    """A text that can't be an identifier, whatever is in it, is one of nothing: NotFound."""

    def read_id(value: object, _: object) -> str:
        if not isinstance(value, str):
            raise Unfit("not_a_text", "A text is wanted.")
        return parse(kind, value)

    return read_id


def _list_reader(made: cattrs.Converter, kind: Hint) -> Hook:
    read: Any = made.get_structure_hook(list[get_args(kind)[0]])

    def read_list(value: object, _: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Unfit("not_a_list", "A list is wanted.")
        return tuple(read(cast("Any", value), kind))

    return read_list


def _map_reader(made: cattrs.Converter, kind: Hint) -> Hook:
    key, member = get_args(kind)
    read: Any = made.get_structure_hook(dict[key, member])

    def read_map(value: object, _: object) -> Mapping[Any, Any]:
        if not isinstance(value, dict):
            raise Unfit("not_an_object", "An object is wanted.")
        return read(value, kind)

    return read_map


def _column_reader(made: cattrs.Converter) -> Hook:
    """A profile's column: a table, or just the header or headers it is fed from."""
    read = _object_reader(made, Column)

    def read_column(value: object, _: object) -> Column:
        alone = isinstance(value, str | list)
        table = {"from": cast("object", value)} if alone else value
        return read(_listing(table, "from"), Column)

    return read_column


def _profile_reader(made: cattrs.Converter) -> Hook:
    read = _object_reader(made, Profile)

    def read_profile(value: object, _: object) -> Profile:
        return read(_with_texts(_listing(value, "identity"), "constants"), Profile)

    return read_profile


@attrs.frozen
class _Threshold:
    """More of this than is said, and the feed is rejected."""

    share: Share | None = None
    count: int | None = None


@attrs.frozen
class _Beyond:
    """What stands in `on_error` where it is neither of the two words."""

    threshold: _Threshold


def _on_error_reader(made: cattrs.Converter) -> Hook:
    made.register_structure_hook(Share, _share)
    made.register_structure_hook(_Threshold, _object_reader(made, _Threshold))
    read = _object_reader(made, _Beyond)

    def read_on_error(value: object, _: object) -> OnError:
        if value in ("records", "feed"):
            return REJECT_RECORDS if value == "records" else REJECT_FEED
        if not isinstance(value, dict):
            raise Unfit("not_one_of", "records, feed, or an object with a threshold is wanted.")
        threshold: _Threshold = read(cast("object", value), _Beyond).threshold
        if threshold == _Threshold():
            raise Unfit("no_threshold", "A threshold has a share, a count, or both.")
        return OnError(threshold.share, threshold.count)

    return read_on_error


def _share(value: object, _: object) -> Decimal:
    """A share as a number or as decimal text."""
    text = str(value) if isinstance(value, int | float | str) else ""
    if isinstance(value, bool) or not _SHARE.fullmatch(text):
        raise Unfit("bad_share", "A share is 0 to 1, as 0.05.")
    return Decimal(text)


def _with_texts(value: object, name: str) -> object:
    """The object, in whose table of that name a number or a boolean counts as its text."""
    if not isinstance(value, dict):
        return value
    whole = cast("dict[str, object]", value)
    table = whole.get(name)
    if not isinstance(table, dict):
        return whole
    entries = cast("dict[str, object]", table).items()
    return {**whole, name: {key: _as_text(entry) for key, entry in entries}}


def _as_text(entry: object) -> object:
    if isinstance(entry, bool):
        return "yes" if entry else "no"
    return str(entry) if isinstance(entry, int) else entry


def _listing(value: object, name: str) -> object:
    """The object, in which a text under that name counts as a list of one."""
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, object]", value)
    alone = table.get(name)
    return {**table, name: [alone]} if isinstance(alone, str) else table


def _object_reader(made: cattrs.Converter, kind: Hint) -> Hook:
    renamed: dict[str, Any] = {
        field.name: override(rename=name_of(field))
        for field in attrs.fields(kind)
        if field.name != name_of(field)
    }
    read: Any = make_dict_structure_fn(kind, made, _cattrs_forbid_extra_keys=True, **renamed)

    def read_object(value: object, _: object) -> object:
        if not isinstance(value, dict):
            raise Unfit("not_an_object", "An object is wanted.")
        return read(cast("Any", value), kind)

    return read_object
