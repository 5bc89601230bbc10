"""The JSON shapes of the core's values, the same for HTTP and for the command line.

Of each attrs class a msgspec Struct is made, its view, with what the class shows; msgspec encodes
views. Amounts become text, times RFC 3339 in UTC. What a class hides, adds or calls otherwise
stands in the tables here, from which the API's description is made too.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import attrgetter
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, cast, get_args, get_origin, get_type_hints

import msgspec
from attrs import Attribute, Factory, asdict, fields, has

from commerce_core.activity.inbox import InboxItem
from commerce_core.alerts.alert import Alert
from commerce_core.alerts.channel import Channel
from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.reconciliation import Reconciliation
from commerce_core.analytics.reports import Compared, Report
from commerce_core.analytics.statement import Statement
from commerce_core.base.durations import duration_text
from commerce_core.catalog.product import Product
from commerce_core.feeds.bulk_act import BulkAct
from commerce_core.feeds.job import Job
from commerce_core.feeds.place import PLACE_SETTINGS
from commerce_core.feeds.pull import Fetch, Pull
from commerce_core.feeds.scorecard import Scorecard
from commerce_core.feeds.source import REJECT_FEED, REJECT_RECORDS, OnError
from commerce_core.orders.line import OrderItem
from commerce_core.orders.order import Order
from commerce_core.orders.part import Part
from commerce_core.partners.api_key import ApiKey
from commerce_core.partners.saved_view import SavedView
from commerce_core.partners.terms import Term
from commerce_core.pricing.explanation import RuleOutcome
from commerce_core.pricing.form import rule_form, whole_form
from commerce_core.pricing.priced import PricedBasket, PricedItem
from commerce_core.pricing.priced_product import Include, PricedProduct, members_of
from commerce_core.pricing.rules import PriceRule, Rule
from commerce_core.pricing.what_if import WhatIfRun
from commerce_core.profiles.profile import Column, Group, Locations, Parents, Profile, Skip, Totals
from commerce_core.usecases.alerts import IssuedChannel
from commerce_core.usecases.context import Listed
from commerce_core.usecases.feeds import Receipt
from commerce_core.usecases.keys import IssuedKey
from commerce_core.usecases.webhooks import IssuedWebhook
from commerce_core.webhooks.delivery import Delivery, DeliveryWithTries
from commerce_core.webhooks.subscription import Webhook, WebhookSecret

SPARSE: Final = (Profile, Column, Skip, Group, Parents, Totals, Locations)
"""Values that are shown without what is at its default."""

Json = dict[str, Any] | list[Any] | str | int | float | bool | None
View = Any
"""What msgspec encodes as a value's shape."""

_HIDDEN: Final[Mapping[type, frozenset[str]]] = {
    Job: frozenset({"crashed_attempts", "disconnected_attempts"}),
    Product: frozenset(
        {
            "publication_id",
            "ordinal",
            "origin_id",
            "reserved",
            "partner_gone",
            "net_of_orders",
            "stale",
        }
    ),
    ApiKey: frozenset({"digest"}),
    Pull: frozenset({"sealed", "place"}),
    PricedBasket: frozenset({"uses"}),
    Webhook: frozenset({"begins_after"}),
    WebhookSecret: frozenset({"sealed"}),
    Channel: frozenset({"sealed"}),
    Alert: frozenset({"due_at"}),
    Delivery: frozenset({"due_at", "attempts_before", "claims"}),
    OrderItem: frozenset({"net_of_orders"}),
    Order: frozenset({"fulfilments", "refunds", "marks", "duplicate_of"}),
}
_ADDED: Final[Mapping[type, tuple[str, ...]]] = {
    Job: ("waiting_for",),
    Pull: (
        "kind",
        "url",
        *("host_key" if name == "host_keys" else name for name in PLACE_SETTINGS),
        "has_secret",
        "next_at",
    ),
    Fetch: ("status",),
    BulkAct: ("waiting",),
    Product: ("sellable", "not_sellable_reason", "available"),
    PricedItem: ("explanation",),
    OrderItem: ("open", "refundable_amount"),
    Part: ("refundable_amount",),
    Order: ("cancelled_amount", "refundable_amount", "partner_amount", "parts", "warnings"),
    RuleOutcome: ("sentences",),
    SalesEntry: ("platform_amount",),
    Delivery: ("next_at",),
    Alert: ("next_at",),
    InboxItem: ("severity",),
    SavedView: ("shared",),
    Reconciliation: ("ok",),
}
_RENAMED: Final[Mapping[type, Mapping[str, str]]] = {
    Report: {"since": "from", "until": "to"},
    Statement: {"since": "from", "until": "to"},
    Term: {"since": "from", "until": "to"},
    Compared: {"since": "from", "until": "to"},
    Scorecard: {"since": "from", "until": "to"},
    PricedBasket: {"outcomes": "rules"},
    WhatIfRun: {"since": "from", "until": "to"},
}
INCLUDED: Final[Mapping[type, type]] = {Product: PricedProduct}
"""Classes to which members are added on request, each with the class that has them."""
_FLAT: Final[Mapping[type, tuple[str, type]]] = {
    IssuedKey: ("key", ApiKey),
    IssuedWebhook: ("webhook", Webhook),
    IssuedChannel: ("channel", Channel),
    DeliveryWithTries: ("delivery", Delivery),
}
"""Classes that show the members of one of their members as their own."""


def shape(value: object) -> Json:
    """The JSON shape of a value: of the core, or made of such values."""
    return msgspec.to_builtins(view(value))


def encoded(value: object) -> bytes:
    """The JSON of a value."""
    return msgspec.json.encode(view(value))


def view(value: object) -> View:
    """What msgspec encodes as the shape of the value."""
    kind = type(value)
    return value if kind in _PLAIN else _viewer(kind)(value)


@cache
def _viewer(kind: type) -> Callable[[Any], View]:
    """What makes the views of a class, looked up once and not value by value."""
    if kind in _SPECIAL:
        return _SPECIAL[kind]
    for general, viewer in _GENERAL:
        if issubclass(kind, general):
            return viewer
    return _viewer_of_object(kind)


def _viewer_of_object(kind: type) -> Callable[[Any], View]:
    return _viewer_of(kind, shown(kind))


def _viewer_of(kind: type, paths: Mapping[str, str]) -> Callable[[Any], View]:
    made = msgspec.defstruct(kind.__name__, paths)
    members = attrgetter(*paths.values(), "__class__")  # of one name it would give no tuple
    # What is plain by its type, which is most, isn't looked at again in each value.
    hints = [hint_at(kind, path) for path in paths.values()]
    others = [(n, _viewer_by(hint)) for n, hint in enumerate(hints) if not _is_plain(hint)]

    def viewed(value: object) -> View:
        parts = list(members(value)[:-1])
        for number, viewer in others:
            if parts[number] is not None:
                parts[number] = viewer(parts[number])
        return made(*parts)

    return viewed


@cache
def shown(kind: type) -> Mapping[str, str]:
    """What a value of that class shows: by name, the path of the attribute or property."""
    if not has(kind):
        raise TypeError(f"{kind.__name__} has no JSON shape")
    hidden, renamed = _HIDDEN.get(kind, ()), _RENAMED.get(kind, {})
    found: dict[str, str] = {}
    if kind in _FLAT:
        outer, inner = _FLAT[kind]
        hidden = (outer,)
        found = {name: f"{outer}.{path}" for name, path in shown(inner).items()}
    own = [attribute.name for attribute in fields(kind) if attribute.name not in hidden]
    found.update({renamed.get(name, name): name for name in (*own, *_ADDED.get(kind, ()))})
    return found


def hint_at(kind: type, path: str) -> Any:  # noqa: ANN401 an annotation may be anything
    """The annotation of what stands at that path in values of the class."""
    name, _, rest = path.partition(".")
    hints = get_type_hints(kind)
    if name not in hints:
        return get_type_hints(getattr(kind, name).fget)["return"]
    return hint_at(hints[name], rest) if rest else hints[name]


def _is_plain(hint: Any) -> bool:  # noqa: ANN401 an annotation may be anything
    """Whether values of that type are encoded as they are."""
    if get_origin(hint) is Literal:
        return True
    arguments = get_args(hint)
    return all(map(_is_plain, arguments)) if get_origin(hint) is UnionType else hint in _PLAIN


def _viewer_by(hint: Any) -> Callable[[Any], View]:  # noqa: ANN401 an annotation may be anything
    """What makes the views of values of that type, if they are all alike; else `view`."""
    kinds = [each for each in get_args(hint) or (hint,) if each is not NoneType]
    kind = kinds[0] if get_origin(hint) is UnionType and len(kinds) == 1 else hint
    return _viewer(kind) if kind in _ALIKE else view


def _sparse(value: object) -> dict[str, View]:
    """What differs from the default, under the names that people write."""
    return {
        attribute.name.rstrip("_"): view(getattr(value, attribute.name))
        for attribute in fields(cast("Any", type(value)))
        if getattr(value, attribute.name) != _default(attribute)
    }


def _default(attribute: "Attribute[Any]") -> object:
    made = attribute.default
    return cast("Any", made).factory() if isinstance(made, cast("type", Factory)) else made


def _listed(value: Listed[object]) -> dict[str, View]:
    page = {"items": view(value.items), "next_cursor": value.next_cursor}
    return page if value.count is None else {**page, "count": value.count}


def _priced_product(value: PricedProduct) -> View:
    return _viewer_including(value.included)(value)


@cache
def _viewer_including(included: tuple[Include, ...]) -> Callable[[Any], View]:
    """What makes the views of products with what is included in them."""
    return _viewer_of(
        PricedProduct, {**shown(Product), **{name: name for name in members_of(included)}}
    )


def _receipt(value: Receipt) -> dict[str, View]:
    feed, job = f"/v1/feeds/{value.feed_id}", f"/v1/jobs/{value.job_id}"
    of_job = {name: f"{job}/{name}" for name in ("run", "problems", "report", "plan")}
    links = {"feed": feed, "job": job, **of_job}
    return {**asdict(value), "links": links}


def _on_error(value: OnError) -> dict[str, View] | str:
    """`records`, `feed`, or the threshold beyond which the feed is rejected."""
    if value in (REJECT_RECORDS, REJECT_FEED):
        return "records" if value == REJECT_RECORDS else "feed"
    limits = {"share": view(value.share), "count": value.count}
    return {"threshold": {name: limit for name, limit in limits.items() if limit is not None}}


def _price_rule(value: PriceRule) -> dict[str, View]:
    """Its written form with every member, between what the platform adds to it."""
    times = {"created_at": view(value.created_at), "updated_at": view(value.updated_at)}
    own = {"rule_id": value.rule_id, "version": value.version, "status": value.status}
    return {**own, **whole_form(value.rule), **times}


_ALIKE: Final = frozenset({Decimal, datetime})
"""Classes whose values are viewed alike, whatever subclass they are of."""
_PLAIN: Final = frozenset({NoneType, bool, int, float, str})
_GENERAL: Final[Sequence[tuple[tuple[type, ...], Callable[[Any], View]]]] = (
    ((int, float, str), lambda value: value),
    ((Decimal,), lambda value: f"{value:f}"),
    ((datetime,), lambda value: value.astimezone(UTC)),
    ((date,), lambda value: value.isoformat()),
    ((timedelta,), duration_text),
    ((Mapping,), lambda value: {key: view(member) for key, member in value.items()}),
    ((tuple, list, frozenset), lambda value: [view(member) for member in value]),
    ((Path,), str),
)
_SPECIAL: Final[Mapping[type, Callable[[Any], View]]] = {
    Listed: _listed,
    Receipt: _receipt,
    PricedProduct: _priced_product,
    OnError: _on_error,
    PriceRule: _price_rule,
    Rule: rule_form,
    **dict.fromkeys(SPARSE, _sparse),
}
