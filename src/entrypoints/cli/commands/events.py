"""`commerce events` and `commerce audit`: what happened, and who did what."""

import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

import click

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Moment, Session, in_utc, limit_option, partner_option, verb

if TYPE_CHECKING:
    from commerce_core.activity.audit import Action, AuditEntry, State
    from commerce_core.activity.events import Event, EventKind
    from entrypoints.cli.kit.tables import Column

_LOOK_EVERY: Final = 1.0


class _Name(click.ParamType[str]):
    """The name of an event kind or an action; the core's lists are imported only when needed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from commerce_core.activity.audit import ACTIONS
        from commerce_core.activity.events import EVENT_KINDS

        names = EVENT_KINDS if self.name == "kind" else ACTIONS
        if value not in names:
            self.fail(f"{value!r} is not one of: {', '.join(names)}.", param, ctx)
        return str(value)


@verb("events", scope="feeds:read")
@click.option("--cursor", help="Continue after this cursor; `latest` skips all existing events.")
@click.option(
    "--kind",
    "kinds",
    type=_Name("kind"),
    multiple=True,
    help="Only events of this kind, such as feed.held; repeatable.",
)
@partner_option("Only events of this partner.")
@click.option("--follow", is_flag=True, help="Wait for further events, until Ctrl-C.")
@limit_option
def events(
    session: Session,
    *,
    cursor: str | None,
    kinds: "tuple[EventKind, ...]",
    partner: str | None,
    follow: bool,
    limit: int | None,
) -> None:
    """List what happened, in order and without gaps."""
    stream = _stream(session, cursor, kinds, partner, follow=follow)
    if follow and not session.out.as_json:
        for event in islice(stream, limit):
            session.out.line("  ".join(column.text(event) for column in _event_columns()))
    else:
        session.out.many(stream, _event_columns(), limit, "There are no further events.")


def _stream(
    session: Session,
    cursor: str | None,
    kinds: "tuple[EventKind, ...]",
    partner: str | None,
    *,
    follow: bool,
) -> "Iterator[Event]":
    """The events after the cursor; with `follow`, also those still to come."""
    while True:
        listed = session.commerce.events.page(cursor, 200, kinds=kinds, partner=partner)
        yield from listed.items
        caught_up, cursor = listed.next_cursor == cursor or not listed.items, listed.next_cursor
        if caught_up:
            if not follow:
                notice(f"To continue from here: --cursor {cursor}")
                return
            time.sleep(_LOOK_EVERY)


def _event_columns() -> "list[Column[Event]]":
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("time (UTC)", lambda e: moment(e.occurred_at)),
        Column("event", lambda e: e.kind),
        Column("subject", _subject),
        Column("details", _details, crops=True, from_width=100),
    ]


_SUBJECTS: Final = ("feed_id", "order_id", "source_id")
_DETAILS: Final = (
    "source_name", "file_name", "status", "state", "outcome", "error", "created", "updated",
    "removed",
)  # fmt: skip


def _subject(event: "Event") -> str:
    """The id of what an event is about."""
    return next((str(event.data[name]) for name in _SUBJECTS if event.data.get(name)), "")


def _details(event: "Event") -> str:
    """The most important members of an event's data, as text."""
    details = {name: event.data[name] for name in _DETAILS if event.data.get(name)}
    if "error" in details:
        details["error"] = details["error"]["code"]
    return ", ".join(f"{name} {value}" for name, value in details.items())


@verb("audit", scope="keys:write")
@click.option(
    "--actor", metavar="ACTOR", help="Only actions of this actor: a key's id, or operator."
)
@click.option(
    "--action", type=_Name("action"), help="Only actions of this kind, such as key.issued."
)
@click.option("--subject", metavar="ID", help="Only actions on the object with this id.")
@partner_option("Only actions on this partner, and on what belongs to it.")
@click.option(
    "--from",
    "since",
    type=Moment(),
    help="Only actions at or after this time; UTC if it has no offset.",
)
@click.option(
    "--to", "until", type=Moment(), help="Only actions before this time; UTC if it has no offset."
)
@limit_option
def audit(
    session: Session,
    *,
    actor: str | None,
    action: "Action | None",
    subject: str | None,
    partner: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
) -> None:
    """List who did what, newest first."""
    from commerce_core.activity.audit import AuditQuery

    query = AuditQuery(
        actor=actor, action=action, subject=subject, since=in_utc(since), until=in_utc(until)
    )
    found = session.commerce.audit.list(query, partner=partner)
    session.out.many(found, _audit_columns(), limit, "No actions found.")


def _audit_columns() -> "list[Column[AuditEntry]]":
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("time (UTC)", lambda e: moment(e.at)),
        Column("actor", lambda e: e.actor, crops=True, most=20),
        Column("action", lambda e: e.action),
        Column("subject", lambda e: ", ".join(e.subjects)),
        Column("details", _change_text, crops=True, from_width=100),
    ]


def _change_text(entry: "AuditEntry") -> str:
    """The note; else what differs from before; else the name of what was added or removed."""
    if entry.note:
        return entry.note
    before, after = _flat(entry.before), _flat(entry.after)
    if before and after:
        names = [name for name in after if before.get(name) != after[name]]
        return ", ".join(f"{name}: {before.get(name)} -> {after[name]}" for name in names)
    only = after or before
    return str(only.get("source_name") or only.get("partner_name") or only.get("scopes") or "")


def _flat(state: "State | None") -> dict[str, Any]:
    """A state of a subject; members of nested objects get dotted names."""
    flat: dict[str, Any] = {}
    for name, value in (state or {}).items():
        members = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        flat |= {f"{name}.{key}": member for key, member in members.items()} or {name: value}
    return flat
