"""The route of events: what happened, in order."""

from attrs import frozen

from commerce_core.activity.events import LARGEST_EVENTS, Event, EventKind
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.commerce import Commerce
from commerce_core.usecases.context import Listed
from entrypoints.http.kit.handlers import get
from entrypoints.http.kit.queries import WhoseQuery
from entrypoints.reading import optional


@frozen(kw_only=True)
class EventFilters(WhoseQuery):
    """Filters of events. The cursor `latest` skips all existing events."""

    limit: int = optional(
        DEFAULT_LIMIT, "Maximum number of events.", minimum=1, maximum=LARGEST_EVENTS
    )
    cursor: str | None = optional(
        None, "`next_cursor` of the previous page; all other parameters must be the same."
    )
    kind: tuple[EventKind, ...] = optional((), "Only events of this kind; repeatable.")


@get("/events", scope="feeds:read")
def list_events(commerce: Commerce, parameters: EventFilters) -> Listed[Event]:
    """Lists what happened, in order and without gaps; `next_cursor` is never null.

    An empty page means that there are no more events yet: ask again later with its `next_cursor`.
    """
    return commerce.events.page(
        parameters.cursor, parameters.limit, kinds=parameters.kind, partner=parameters.partner
    )


ROUTES = (list_events,)
