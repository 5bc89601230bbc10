"""Values of one type: texts, numbers, amounts, times, ids; and how strictly each is read."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from types import NoneType
from typing import Any, Final, NewType, Union, cast, get_args

from commerce_core.base.durations import read_duration
from commerce_core.base.ids import Kind, parse
from commerce_core.base.text import did_you_mean

Moment = datetime | date
"""A time, or a day, which stands for its first moment."""
Share = NewType("Share", Decimal)
Change = NewType("Change", Decimal)
"""An amount that may be below 0."""
PartnerId = NewType("PartnerId", str)
SourceId = NewType("SourceId", str)
FeedId = NewType("FeedId", str)
JobId = NewType("JobId", str)
ProductId = NewType("ProductId", str)
OrderId = NewType("OrderId", str)
FulfilmentId = NewType("FulfilmentId", str)
RefundId = NewType("RefundId", str)
RuleId = NewType("RuleId", str)
ListId = NewType("ListId", str)
WhatIfId = NewType("WhatIfId", str)
BulkId = NewType("BulkId", str)
KeyId = NewType("KeyId", str)
EventId = NewType("EventId", str)
WebhookId = NewType("WebhookId", str)
DeliveryId = NewType("DeliveryId", str)
ChannelId = NewType("ChannelId", str)
ViewId = NewType("ViewId", str)
StatementId = NewType("StatementId", str)
EntryId = NewType("EntryId", str)
FetchId = NewType("FetchId", str)
Hint = Any
"""A type as annotations have it: a class, a union, a literal."""
Read = Callable[[Any], Any]
"""Reads a value of one type, or raises InvalidValue."""

_IDS: Final = (
    PartnerId, SourceId, FeedId, JobId, ProductId, OrderId, FulfilmentId, RefundId, RuleId, ListId,
    KeyId, EventId, WebhookId, DeliveryId, StatementId, EntryId, FetchId, WhatIfId, BulkId,
    ChannelId, ViewId,
)  # fmt: skip
_KINDS: Final[tuple[Kind, ...]] = (
    "ptn", "src", "feed", "job", "prod", "ord", "ful", "rfnd", "rule", "list", "key", "evt",
    "hook", "dlv", "stmt", "ent", "ftch", "wif", "bulk", "chan", "view",
)  # fmt: skip
ID_KINDS: Final[Mapping[Any, Kind]] = dict(zip(_IDS, _KINDS, strict=True))
"""Identifiers; a text that can't be one of its kind is NotFound."""
YEARS: Final = range(1900, 3000)
"""Times outside can't be expressed in every time zone."""
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class InvalidValue(ValueError):
    """A value that isn't of its field's type; `detail` states what is expected."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def without_none(kind: Hint) -> Hint:
    """The type of a value that is there."""
    rest = tuple(each for each in get_args(kind) if each is not NoneType)
    return Union[rest] if NoneType in get_args(kind) else kind  # noqa: UP007 of what is in a tuple


def text(value: object) -> str:
    """A text that a database can store."""
    if _UNSTORABLE.search(only(str, "not_a_text", "A text", value)):
        raise InvalidValue("bad_text", "A text can't contain NUL, or half of a surrogate pair.")
    return cast("str", value)


def matching(pattern: str, make: Read, code: str, wanted: str, value: object) -> Any:  # noqa: ANN401
    """The value made of a text of that form."""
    if not re.fullmatch(pattern, text(value), re.ASCII):
        raise InvalidValue(code, f"{wanted} is expected.")
    return make(value)


def only(kind: type, code: str, wanted: str, value: object) -> Any:  # noqa: ANN401 of that type
    """A value of exactly this type."""
    if type(value) is not kind:
        raise InvalidValue(code, f"{wanted} is expected.")
    return value


def word(words: tuple[str, ...], value: object) -> str:
    """One of these words."""
    if (found := text(value)) not in words:
        near = did_you_mean(found, words)
        raise InvalidValue("not_one_of", f"One of {', '.join(words)} is expected.{near}")
    return found


def _checked_time(found: str) -> datetime:
    try:
        time = datetime.fromisoformat(found.upper())
    except ValueError as error:
        raise InvalidValue("not_a_time", f"There is no such time: {error}.") from error
    if time.year not in YEARS:
        raise InvalidValue("not_a_time", f"The year must be {YEARS[0]} to {YEARS[-1]}.")
    return time


def _instant(value: object) -> datetime:
    # A `+` that wasn't escaped in a query arrives as a blank.
    found = re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", text(value), flags=re.ASCII)
    wanted = "A time such as 2026-06-17T14:00:00Z"
    return matching(_TIME, _checked_time, "not_a_time", wanted, found).astimezone(UTC)


def _moment(value: object) -> Moment:
    is_day = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", found := text(value), re.ASCII)
    return _checked_time(found).date() if is_day else _instant(found)


def _day(value: object) -> date:
    wanted = "A date such as 2026-12-25"
    day = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    return matching(day, _checked_time, "not_a_date", wanted, value).date()


def _duration(value: object) -> timedelta:
    found = read_duration(text(value))
    if found is None:
        raise InvalidValue(
            "not_a_duration", "A duration such as P3D, PT90M or P1DT12H is expected."
        )
    return found


def _share(value: object) -> Decimal:
    """A share as a number or as decimal text."""
    found = str(value) if type(value) in (int, float, str) else ""
    wanted = "A share of 0 to 1, such as 0.05,"
    return matching(r"[01]|0\.[0-9]{1,12}|1\.0{1,12}", Decimal, "bad_share", wanted, found)


def read_id(kind: Hint, value: object) -> str:
    """An identifier, or any text where the kind is none; NotFound if it can't be one."""
    found = only(str, "not_a_text", "A text", value)
    return parse(ID_KINDS[kind], found) if kind in ID_KINDS else found


WHOLE_NUMBER: Final = ("not_a_whole_number", "A whole number")
YES_NO: Final = ("not_a_boolean", "true or false")
_AMOUNT: Final = r"[0-9]{1,12}(\.[0-9]{1,4})?"
LEAVES: Final[Mapping[Hint, Read]] = {
    str: text,
    int: partial(only, int, *WHOLE_NUMBER),
    bool: partial(only, bool, *YES_NO),
    Decimal: partial(
        matching,
        _AMOUNT,
        Decimal,
        "not_an_amount",
        "A decimal number such as 79.90, without a sign and with at most 4 decimals,",
    ),
    Change: partial(
        matching,
        f"-?{_AMOUNT}",
        Decimal,
        "not_an_amount",
        "A decimal number such as -5.00 or 5.00, with at most 4 decimals,",
    ),
    datetime: _instant,
    Moment: _moment,
    date: _day,
    timedelta: _duration,
    Share: _share,
    **{kind: partial(read_id, kind) for kind in ID_KINDS},
}
"""How values that have a type already are read."""
