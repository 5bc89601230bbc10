"""Reading the written form of conditions: an object with one member, named after what it asks."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Final, Literal

from commerce_core.base.calendar import WEEKDAYS, find_zone
from commerce_core.base.money import find_currency
from commerce_core.pricing.conditions import (
    OVERS,
    All,
    AnyOf,
    Condition,
    HasAttribute,
    Is,
    Not,
    PriceWithin,
    Quantity,
    Total,
)
from commerce_core.pricing.form_reader import Reader
from commerce_core.pricing.lines import BASKET_TEXTS, PRODUCT_TEXTS, TextField
from commerce_core.pricing.windows import Hours, Window
from commerce_core.schema.cells import category_path

DEEPEST: Final = 8
MOST_MEMBERS: Final = 200
_NOTHING: Final = All(())
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?", re.ASCII)
_HOUR: Final = re.compile(r"[0-2][0-9]:[0-5][0-9]", re.ASCII)
YEARS: Final = range(1900, 3000)


def read_condition(reader: Reader, value: object, at: str, depth: int = 0) -> Condition:
    """The condition of that form."""
    if depth > DEEPEST:
        reader.fault(at, "too_deep", f"Conditions are nested at most {DEEPEST} deep.")
        return _NOTHING
    table = reader.table(value, at, CONDITION_NAMES)
    if table is None:
        return _NOTHING
    if len(table) != 1:
        reader.fault(at, "not_one_condition", "A condition has one member; combine them with all.")
        return _NOTHING
    ((name, inner),) = table.items()
    within = f"{at}/{name}"
    if name in ("all", "any"):
        members = reader.members(inner, within, MOST_MEMBERS)
        read = [
            read_condition(reader, each, f"{within}/{n}", depth + 1)
            for n, each in enumerate(members)
        ]
        return All(tuple(read)) if name == "all" else AnyOf(tuple(read))
    if name == "not":
        return Not(read_condition(reader, inner, within, depth + 1))
    return _LEAVES[name](reader, inner, within) if name in _LEAVES else _NOTHING


def _category(text: str) -> str:
    return category_path(text) or text


def _currency(text: str) -> str:
    """The code as baskets have it; an unknown one, which rules refuse, as it is."""
    known = find_currency(text)
    return known.code if known else text


_CANONICAL: Final[Mapping[TextField, Callable[[str], str]]] = {
    "category": _category,
    "currency": _currency,
}
"""How texts of a field are brought into the form in which products and baskets have them."""


def _text(name: TextField) -> Callable[[Reader, object, str], Condition]:
    def read(reader: Reader, value: object, at: str) -> Condition:
        texts = reader.texts(value, at)
        canonical = _CANONICAL.get(name)
        return Is(name, tuple(map(canonical, texts)) if canonical else texts)

    return read


def _attribute(reader: Reader, value: object, at: str) -> Condition:
    table = reader.table(value, at, ("name", "in"), required=("name", "in"))
    if table is None:
        return _NOTHING
    name = reader.text(table["name"], f"{at}/name")
    return HasAttribute(name, reader.texts(table["in"], f"{at}/in"))


def _price(of: Literal["list", "running"]) -> Callable[[Reader, object, str], Condition]:
    def read(reader: Reader, value: object, at: str) -> Condition:
        table = reader.table(value, at, ("min", "max"))
        bounds = reader.bounds(table, at, money=True) if table is not None else {}
        return PriceWithin(of, **bounds)

    return read


def _quantity(reader: Reader, value: object, at: str) -> Condition:
    table = reader.table(value, at, ("min", "max", "of"))
    return _NOTHING if table is None else Quantity(**_over(reader, table, at, money=False))


def _total(reader: Reader, value: object, at: str) -> Condition:
    table = reader.table(value, at, ("min", "max", "of"))
    return _NOTHING if table is None else Total(**_over(reader, table, at, money=True))


def _over(reader: Reader, table: Mapping[str, Any], at: str, *, money: bool) -> dict[str, Any]:
    found = reader.bounds(table, at, money=money)
    if table.get("of") is not None:
        found["of"] = reader.word(table["of"], f"{at}/of", OVERS)
    return found


def _window(reader: Reader, value: object, at: str) -> Condition:
    table = reader.table(value, at, ("from", "until", "tz", "days", "hours"), required=("tz",))
    if table is None:
        return _NOTHING
    zone = reader.text(table["tz"], f"{at}/tz")
    if zone and find_zone(zone) is None:
        reader.fault(f"{at}/tz", "unknown_time_zone", "Use an IANA name, such as Europe/Rome.")
        zone = "UTC"
    bounds = {
        name: _bound(reader, table[name], f"{at}/{name}")
        for name in ("from", "until")
        if table.get(name) is not None
    }
    days = table.get("days")
    listed = reader.members(days, f"{at}/days", len(WEEKDAYS)) if days is not None else []
    words: list[Any] = [
        reader.word(day, f"{at}/days/{n}", WEEKDAYS) for n, day in enumerate(listed)
    ]
    hours = table.get("hours")
    read_hours = _hours(reader, hours, f"{at}/hours") if hours is not None else None
    if all(table.get(name) is None for name in ("from", "until", "days", "hours")):
        reader.fault(at, "required", "Use from, until, days or hours.")
    return Window(zone or "UTC", bounds.get("from"), bounds.get("until"), tuple(words), read_hours)


def _bound(reader: Reader, value: object, at: str) -> datetime | date | None:
    detail = "Use a local day or time, such as 2026-03-31 or 2026-03-31T18:00, without an offset."
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            read: date = date.fromisoformat(value)
        elif isinstance(value, str) and _TIME.fullmatch(value):
            read = datetime.fromisoformat(value)
        else:
            reader.fault(at, "not_a_time", detail)
            return None
    except ValueError as error:
        reader.fault(at, "not_a_time", f"There is no such time: {error}.")
        return None
    if read.year not in YEARS:
        reader.fault(at, "not_a_time", f"The year must be {YEARS[0]} to {YEARS[-1]}.")
        return None
    return read


def _hours(reader: Reader, value: object, at: str) -> Hours | None:
    table = reader.table(value, at, ("from", "until"), required=("from", "until"))
    if table is None:
        return None
    # The end of the day is the midnight after it.
    until = "00:00" if table["until"] == "24:00" else table["until"]
    return Hours(_hour(reader, table["from"], f"{at}/from"), _hour(reader, until, f"{at}/until"))


def _hour(reader: Reader, value: object, at: str) -> time:
    try:
        if isinstance(value, str) and _HOUR.fullmatch(value):
            return time.fromisoformat(value)
    except ValueError:
        pass
    reader.fault(at, "not_a_time", "A time of day such as 18:30 is expected; until may be 24:00.")
    return time()


_LEAVES: Final[Mapping[str, Callable[[Reader, object, str], Condition]]] = {
    **{name: _text(name) for name in (*PRODUCT_TEXTS, *BASKET_TEXTS)},
    "attribute": _attribute,
    "list_price": _price("list"),
    "running_price": _price("running"),
    "quantity": _quantity,
    "total": _total,
    "window": _window,
}
CONDITION_NAMES: Final = ("all", "any", "not", *_LEAVES)
"""What a condition may be called."""
