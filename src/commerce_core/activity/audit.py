"""Audit: who did what to what and when, and what it changed; kept for good, without secrets."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal, get_args

from attrs import AttrsInstance, asdict, frozen

from commerce_core.base.calendar import check_range
from commerce_core.base.durations import duration_text

Action = Literal[
    "partner.added",
    "partner.changed",
    "source.added",
    "source.changed",
    "source.removed",
    "profile.saved",
    "key.issued",
    "key.rotated",
    "key.revoked",
    "feed.approved",
    "feed.rejected",
    "feed.reverted",
    "job.cancelled",
    "bulk_act.started",
    "bulk_act.cancelled",
    "pull.set",
    "pull.removed",
    "fetch.requested",
    "fetch.cancelled",
    "backfill.requested",
    "rule.added",
    "rule.changed",
    "list.added",
    "list.changed",
    "inbox.marked",
    "webhook.added",
    "webhook.changed",
    "webhook.secret_rotated",
    "webhook.removed",
    "deliveries.redelivered",
    "channel.added",
    "channel.changed",
    "channel.removed",
    "view.added",
    "view.changed",
    "view.removed",
    "terms.changed",
    "payout.added",
    "correction.added",
    "statement.closed",
    "order.confirmed",
    "order.fulfilled",
    "order.fulfilment_cancelled",
    "order.cancelled",
    "order.refunded",
]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
LONGEST_NOTE: Final = 1_000
_OMITTED: Final = frozenset(
    {"digest", "sealed", "secrets", "created_at", "updated_at", "last_used_at", "freshness"}
)
"""The attributes that no entry contains: secrets, what is computed anew whenever it is read, and
times that follow from the entry's own."""

State = Mapping[str, Any]
"""The attributes of a thing, as JSON values."""


@frozen
class AuditEntry:
    """One action.

    `actor` is the id of the key that was used; on the command line, the name given or that of the
    account; `operator` for the library.
    `subjects` are the ids of the things it was done to, the main one first. `before` and `after`
    contain only the attributes that differ.
    """

    audit_id: str
    at: datetime
    actor: str
    action: Action
    partner_id: str | None
    subjects: tuple[str, ...]
    note: str | None = None
    before: State | None = None
    after: State | None = None


@frozen
class AuditQuery:
    """Selects the entries that match every given filter, newest first."""

    IDENTITY: ClassVar = (
        "AuditQuery(partner_id={0.partner_id!r}, actor={0.actor!r}, action={0.action!r}, "
        "subject={0.subject!r}, since={0.since!r}, until={0.until!r})"
    )
    partner_id: str | None = None
    actor: str | None = None
    action: Action | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __attrs_post_init__(self) -> None:
        check_range(self.since, self.until)


def difference(
    before: AttrsInstance | None, after: AttrsInstance | None
) -> tuple[State | None, State | None]:
    """The attributes that differ between two states of a thing, in each; None if there are none."""
    one, other = _state(before), _state(after)
    names = {*one, *other}
    differing = {name for name in names if one.get(name) != other.get(name)}
    return _only(one, differing), _only(other, differing)


def _only(state: dict[str, Any], names: set[str]) -> State | None:
    return {name: value for name, value in state.items() if name in names} or None


def _state(thing: AttrsInstance | None) -> dict[str, Any]:
    if thing is None:
        return {}
    return asdict(
        thing,
        filter=lambda attribute, _: attribute.name not in _OMITTED,
        value_serializer=lambda _, __, value: _as_json(value),
    )


def _as_json(value: object) -> object:
    match value:
        case Decimal():
            return f"{value:f}"
        case date():  # a datetime is one, too
            return value.isoformat()
        case timedelta():
            return duration_text(value)
        case tuple() | frozenset():
            return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] whatever is in it
        case _:
            return value
