"""The route of events: what happened, as it is announced."""

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
    """Which events. The cursor `latest` stands behind all that there are now."""

    limit: int = optional(DEFAULT_LIMIT, "How many events.", minimum=1, maximum=LARGEST_EVENTS)
    cursor: str | None = optional(
        None, "`next_cursor` of the page before; nothing else may change."
    )
    kind: tuple[EventKind, ...] = optional((), "What happened; any of several if it is repeated.")


@get("/events", scope="feeds:read")
def list_events(commerce: Commerce, parameters: EventFilters) -> Listed[Event]:
    """Lists what happened, in order and without a gap; `next_cursor` is never null.

    An empty page means that one has caught up: ask again later with its `next_cursor`.
    """
    return commerce.events.page(
        parameters.cursor, parameters.limit, kinds=parameters.kind, partner=parameters.partner
    )


ROUTES = (list_events,)
