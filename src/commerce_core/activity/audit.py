"""Audit: who did what, when, to what, and how it was before; kept for good, and never a secret."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal, get_args

from attrs import AttrsInstance, asdict, frozen

Action = Literal[
    "partner.added",
    "partner.changed",
    "source.added",
    "source.changed",
    "source.removed",
    "profile.saved",
    "key.issued",
    "key.revoked",
    "feed.approved",
    "feed.rejected",
    "feed.reverted",
    "job.cancelled",
]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
LONGEST_NOTE: Final = 1_000
_UNTOLD: Final = frozenset({"digest", "created_at", "updated_at"})
"""What no entry says: secrets, and times that follow from the entry's own."""

Said = Mapping[str, Any]
"""What JSON can say of a thing's attributes."""


@frozen
class AuditEntry:
    """One thing that somebody did.

    `actor` is the id of the key that was used, or `operator` for who works on the machine itself;
    `subjects` are the ids of what it was done to, the thing itself first. `before` and `after` have
    what differs.
    """

    audit_id: str
    at: datetime
    actor: str
    action: Action
    partner_id: str | None
    subjects: tuple[str, ...]
    note: str | None = None
    before: Said | None = None
    after: Said | None = None


@frozen
class AuditQuery:
    """Which entries: all that fit every filter given, newest first."""

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


def difference(
    before: AttrsInstance | None, after: AttrsInstance | None
) -> tuple[Said | None, Said | None]:
    """What differs between two states of a thing, and how it was in each; None where it wasn't."""
    one, other = _said(before), _said(after)
    names = {*one, *other}
    differing = {name for name in names if one.get(name) != other.get(name)}
    return _only(one, differing), _only(other, differing)


def _only(said: dict[str, Any], names: set[str]) -> Said | None:
    return {name: value for name, value in said.items() if name in names} or None


def _said(thing: AttrsInstance | None) -> dict[str, Any]:
    if thing is None:
        return {}
    return asdict(
        thing,
        filter=lambda attribute, _: attribute.name not in _UNTOLD,
        value_serializer=lambda _, __, value: _as_json(value),
    )


def _as_json(value: object) -> object:
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat()
        case tuple() | frozenset():
            return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] whatever is in it
        case _:
            return value
