"""Routes of what happened: the events that are announced, and who did what."""

from attrs import frozen

from commerce_core.activity.audit import Action, AuditEntry, AuditQuery
from commerce_core.activity.events import LARGEST_EVENTS, Event, EventKind
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import Listed
from entrypoints.http.queries import Page, SpanQuery, WhoseQuery, instant
from entrypoints.http.routing import route
from entrypoints.http.values import said


@frozen(kw_only=True)
class EventFilters(WhoseQuery):
    """Which events. The cursor `latest` stands behind all that there are now."""

    limit: int = said(DEFAULT_LIMIT, "How many events.", minimum=1, maximum=LARGEST_EVENTS)
    cursor: str | None = said(None, "`next_cursor` of the page before; nothing else may change.")
    kind: tuple[EventKind, ...] = said((), "What happened; any of several if it is repeated.")


@frozen(kw_only=True)
class AuditFilters(WhoseQuery, SpanQuery, Page):
    """Which entries; the times are those at which it was done."""

    actor: str | None = said(None, "Who did it: the id of a key, or operator.")
    action: Action | None = said(None, "What was done.")
    subject: str | None = said(None, "The id of what it was done to: a feed, a source, a key.")


@route("GET", "/events", scope="feeds:read")
def list_events(commerce: Commerce, query: EventFilters) -> Listed[Event]:
    """Lists what happened, in order and without a gap; `next_cursor` is never null.

    An empty page means that one has caught up: ask again later with its `next_cursor`.
    """
    return commerce.events.page(query.cursor, query.limit, kinds=query.kind, partner=query.partner)


@route("GET", "/audit", scope="keys:write")
def list_audit(commerce: Commerce, query: AuditFilters) -> Listed[AuditEntry]:
    """Lists who did what, newest first."""
    wanted = AuditQuery(
        actor=query.actor,
        action=query.action,
        subject=query.subject,
        since=instant(query.from_),
        until=instant(query.to),
    )
    return commerce.audit.page(
        wanted, query.cursor, query.limit, partner=query.partner, count=query.count
    )


ROUTES = (list_events, list_audit)
