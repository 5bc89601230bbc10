"""`commerce events`, `commerce audit`: what was announced, and who did what."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

import click

from entrypoints.cli.kit.output import say
from entrypoints.cli.kit.verbs import Moment, Session, limit_option, partner_option, verb

if TYPE_CHECKING:
    from commerce_core.activity.audit import Action, AuditEntry, State
    from commerce_core.activity.events import Event, EventKind
    from entrypoints.cli.kit.tables import Column

_LOOK_EVERY: Final = 1.0


class _Word(click.ParamType[str]):
    """One of the words that the core knows, which are looked up when one is given."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from commerce_core.activity.audit import ACTIONS
        from commerce_core.activity.events import EVENT_KINDS

        words = EVENT_KINDS if self.name == "kind" else ACTIONS
        if value not in words:
            self.fail(f"{value!r} is none of: {', '.join(words)}.", param, ctx)
        return str(value)


@verb("events", scope="feeds:read")
@click.option("--cursor", help="Go on from here; `latest` is behind all that there are now.")
@click.option(
    "--kind", "kinds", type=_Word("kind"), multiple=True, help="As feed.held; repeatable."
)
@partner_option("Those of this partner alone.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
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
    """Tells what happened, in order and without a gap."""
    stream = _stream(session, cursor, kinds, partner, follow=follow)
    if follow and not session.out.as_json:
        for event in islice(stream, limit):
            session.out.line("  ".join(column.text(event) for column in _event_columns()))
    else:
        session.out.many(stream, _event_columns(), limit, "Nothing has happened since.")


def _stream(
    session: Session,
    cursor: str | None,
    kinds: "tuple[EventKind, ...]",
    partner: str | None,
    *,
    follow: bool,
) -> "Iterator[Event]":
    """The events behind the cursor; then, if one follows, whatever comes."""
    while True:
        listed = session.commerce.events.page(cursor, 200, kinds=kinds, partner=partner)
        yield from listed.items
        caught_up, cursor = listed.next_cursor == cursor or not listed.items, listed.next_cursor
        if caught_up:
            if not follow:
                say(f"To go on from here: --cursor {cursor}")
                return
            time.sleep(_LOOK_EVERY)


def _event_columns() -> "list[Column[Event]]":
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("at (UTC)", lambda e: moment(e.occurred_at)),
        Column("what", lambda e: e.kind),
        Column("about", lambda e: str(e.data.get("feed_id") or e.data.get("order_id") or "")),
        Column("details", _details, crops=True, from_width=100),
    ]


_SHOWN: Final = ("file_name", "status", "outcome", "error", "created", "updated", "removed")


def _details(event: "Event") -> str:
    """What else an event says, in a few words."""
    told = {name: event.data[name] for name in _SHOWN if event.data.get(name)}
    if "error" in told:
        told["error"] = told["error"]["code"]
    return ", ".join(f"{name} {value}" for name, value in told.items())


@verb("audit", scope="keys:write")
@click.option("--actor", metavar="WHO", help="The id of a key, or operator.")
@click.option("--action", type=_Word("action"), help="What was done, as key.issued.")
@click.option("--subject", metavar="ID", help="What it was done to.")
@partner_option("What was done to this partner and its things.")
@click.option("--from", "since", type=Moment(), help="From then on; UTC unless said.")
@click.option("--to", "until", type=Moment(), help="Before then; UTC unless said.")
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
    """Tells who did what, newest first."""
    from commerce_core.activity.audit import AuditQuery

    query = AuditQuery(
        actor=actor, action=action, subject=subject, since=_placed(since), until=_placed(until)
    )
    found = session.commerce.audit.list(query, partner=partner)
    session.out.many(found, _audit_columns(), limit, "Nobody has done such a thing.")


def _placed(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _audit_columns() -> "list[Column[AuditEntry]]":
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    return [
        Column("at (UTC)", lambda e: moment(e.at)),
        Column("who", lambda e: e.actor, crops=True, most=20),
        Column("did", lambda e: e.action),
        Column("to", lambda e: ", ".join(e.subjects)),
        Column("details", _told, crops=True, from_width=100),
    ]


def _told(entry: "AuditEntry") -> str:
    """The note; or what differs from before; or what came or went."""
    if entry.note:
        return entry.note
    before, after = _flat(entry.before), _flat(entry.after)
    if before and after:
        names = [name for name in after if before.get(name) != after[name]]
        return ", ".join(f"{name}: {before.get(name)} -> {after[name]}" for name in names)
    told = after or before
    return str(told.get("source_name") or told.get("partner_name") or told.get("scopes") or "")


def _flat(said: "State | None") -> dict[str, Any]:
    """What was said, the members of an object under names of their own."""
    flat: dict[str, Any] = {}
    for name, value in (said or {}).items():
        members = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        flat |= {f"{name}.{key}": member for key, member in members.items()} or {name: value}
    return flat
