"""The JSON shapes of the core's values, the same for HTTP and for the command line.

An attrs value becomes an object of its fields; amounts become text, times RFC 3339 in UTC. What a
value hides or adds stands in two tables here.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Final, cast

from attrs import Attribute, Factory, fields, has

from commerce_core.analytics.reports import Report
from commerce_core.catalog.product import Product
from commerce_core.feeds.job import Job
from commerce_core.feeds.source import REJECT_FEED, REJECT_RECORDS, OnError
from commerce_core.partners.access import ApiKey
from commerce_core.profiles.profile import Column, Group, Profile, Skip
from commerce_core.usecases.context import Listed
from commerce_core.usecases.feeds import Receipt
from commerce_core.usecases.keys import IssuedKey

SPARSE: Final = (Profile, Column, Skip, Group)
"""Values that are shown without what is at its default."""

Json = dict[str, Any] | list[Any] | str | int | float | bool | None

_HIDDEN: Final[Mapping[type, frozenset[str]]] = {
    Job: frozenset({"crashed_attempts", "disconnected_attempts"}),
    Product: frozenset({"publication_id", "ordinal", "origin_id", "reserved"}),
    ApiKey: frozenset({"digest"}),
}
_ADDED: Final[Mapping[type, tuple[str, ...]]] = {
    Product: ("sellable", "not_sellable_reason", "available"),
}


def shape(value: object) -> Json:
    """The JSON shape of a value: of the core, or made of such values."""
    kind = type(value)
    return cast("Json", value) if kind in _PLAIN else _shaper(kind)(value)


@cache
def _shaper(kind: type) -> Callable[[Any], Json]:
    """What shapes the values of a class, asked for once and not value by value."""
    if kind in _SPECIAL:
        return _SPECIAL[kind]
    for general, shaper in _GENERAL:
        if issubclass(kind, general):
            return shaper
    return partial(_object, shown_names(kind))


def _object(names: Sequence[str], value: object) -> dict[str, Any]:
    # What is plain, which is most, is seen to be so here, without a call for each.
    return {n: v if type(v := getattr(value, n)) in _PLAIN else shape(v) for n in names}


def _shown(value: object) -> dict[str, Any]:
    return _object(shown_names(type(value)), value)


@lru_cache(maxsize=1024)  # What one publication wrote has the same times.
def _moment(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


@cache
def shown_names(kind: type) -> tuple[str, ...]:
    """What a value of that class shows: its fields, and properties beside them."""
    if not has(kind):
        raise TypeError(f"{kind.__name__} has no JSON shape")
    hidden = _HIDDEN.get(kind, frozenset())
    own = (attribute.name for attribute in fields(kind) if attribute.name not in hidden)
    return (*own, *_ADDED.get(kind, ()))


def _sparse(value: object) -> dict[str, Any]:
    """What differs from the default, under the names that people write."""
    return {
        attribute.name.rstrip("_"): shape(getattr(value, attribute.name))
        for attribute in fields(cast("Any", type(value)))
        if getattr(value, attribute.name) != _default(attribute)
    }


def _default(attribute: "Attribute[Any]") -> object:
    made = attribute.default
    return cast("Any", made).factory() if isinstance(made, cast("type", Factory)) else made


def _listed(value: Listed[object]) -> dict[str, Any]:
    shaped = {"items": shape(value.items), "next_cursor": value.next_cursor}
    return shaped if value.count is None else {**shaped, "count": value.count}


def _report(value: Report) -> dict[str, Any]:
    return {
        "from": shape(value.since),
        "to": shape(value.until),
        "tz": value.tz,
        "results": shape(value.results),
    }


def _issued(value: IssuedKey) -> dict[str, Any]:
    return {**_shown(value.key), "secret": value.secret}


def _receipt(value: Receipt) -> dict[str, Any]:
    feed, job = f"/v1/feeds/{value.feed_id}", f"/v1/jobs/{value.job_id}"
    of_job = {name: f"{job}/{name}" for name in ("run", "problems", "report", "plan")}
    links = {"feed": feed, "job": job, **of_job}
    return {**_shown(value), "links": links}


def _on_error(value: OnError) -> dict[str, Any] | str:
    """`records`, `feed`, or the threshold beyond which the feed is rejected."""
    if value in (REJECT_RECORDS, REJECT_FEED):
        return "records" if value == REJECT_RECORDS else "feed"
    limits = {"share": shape(value.share), "count": value.count}
    return {"threshold": {name: limit for name, limit in limits.items() if limit is not None}}


_PLAIN: Final = frozenset({type(None), bool, int, float, str})
_GENERAL: Final[Sequence[tuple[tuple[type, ...], Callable[[Any], Json]]]] = (
    ((int, float, str), lambda value: value),
    ((Decimal,), lambda value: f"{value:f}"),
    ((datetime,), _moment),
    ((Mapping,), lambda value: {key: shape(member) for key, member in value.items()}),
    ((tuple, list, frozenset), lambda value: [shape(member) for member in value]),
    ((Path,), str),
)
_SPECIAL: Final[Mapping[type, Callable[[Any], dict[str, Any] | str]]] = {
    Listed: _listed,
    Report: _report,
    IssuedKey: _issued,
    Receipt: _receipt,
    OnError: _on_error,
    **dict.fromkeys(SPARSE, _sparse),
}
