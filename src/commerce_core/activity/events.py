"""Events: what the platform announces, each beside what caused it and in one order for everybody.

An event says what happened by ids and figures; whoever wants more asks for the thing itself. What
happened to single products is told by the stream of changes, so a changed catalog is one event.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from attrs import evolve, frozen

from commerce_core.base.errors import InvalidInput, Malformed
from commerce_core.base.paging import write_cursor
from commerce_core.catalog.product import Oversold
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.guards import GuardResult
from commerce_core.feeds.job import JobError
from commerce_core.feeds.summary import Drift, Summary
from commerce_core.history.versions import ChangeQuery, behind
from commerce_core.orders.order import Order
from commerce_core.partners.access import Scope

EventKind = Literal[
    "feed.received",
    "feed.held",
    "feed.applied",
    "feed.rejected",
    "feed.superseded",
    "feed.failed",
    "feed.reverted",
    "feed.drifted",
    "catalog.changed",
    "stock.oversold",
    "order.created",
    "order.cancelled",
]
EVENT_KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)
LARGEST_EVENTS: Final = 1_000
"""Events of a page; a service that follows them reads many at a time."""
EVENTS_KEPT: Final = timedelta(days=90)
"""After so long an event is forgotten."""
MOST_FORGOTTEN: Final = 10_000
"""Events that are forgotten at once."""
MOST_OVERSOLD: Final = 100
"""Oversold products that an event names, by sku."""
MOST_DRIFTS: Final = 20
"""Drifts that an event names; the job's summary has all of them."""

_SCOPES: Final[Mapping[str, Scope]] = {
    "feed": "feeds:read",
    "catalog": "catalog:read",
    "stock": "catalog:read",
    "order": "orders:read",
}
_COUNTS: Final = (
    "records_read", "created", "updated", "restored", "unchanged", "deleted", "removed", "rejected",
    "duplicate", "overtaken", "warnings",
)  # fmt: skip

Data = Mapping[str, Any]
"""What JSON can say: texts, numbers, lists and objects of them."""


@frozen
class Event:
    """Something that happened; `partner_ids` are the partners whose business it is."""

    event_id: str
    kind: EventKind
    occurred_at: datetime
    partner_ids: tuple[str, ...]
    data: Data

    def seen_by(self, partner_id: str | None) -> "Event":
        """The event as that partner may know it (None: the operator), the others not named.

        A change of the catalog comes with the cursor from which the stream of changes tells it.
        """
        data = self.data
        if self.kind == "catalog.changed":
            before = behind(data["publication"] - 1)
            cursor = write_cursor(ChangeQuery(partner_id=partner_id), before)
            data = {**data, "changes_cursor": cursor}
        partners = self.partner_ids if partner_id is None else (partner_id,)
        return evolve(self, data=data, partner_ids=partners)


@frozen
class EventQuery:
    """Which events: those of these kinds, that are this partner's business (None: anybody's)."""

    partner_id: str | None = None
    kinds: tuple[EventKind, ...] = EVENT_KINDS


def cursor_expired() -> InvalidInput:
    """The refusal of a reader who has been away for too long."""
    detail = (
        f"Events behind this cursor are gone: they are kept for {EVENTS_KEPT.days} days. Begin "
        "anew without one, and look at the things themselves for what was missed."
    )
    return Malformed.at("/cursor", "cursor_expired", detail)


@frozen
class EventPage:
    """Events in their order, and the number of the last one that was looked at."""

    items: Sequence[Event]
    after: int


def scope_of(kind: EventKind) -> Scope:
    """What one has to be allowed to read to be told of such an event."""
    return _SCOPES[kind.partition(".")[0]]


@frozen
class NewEvent:
    """The id and the moment of an event that is about to be told."""

    event_id: str
    at: datetime

    def of_feed(self, kind: EventKind, feed: Feed, **more: object) -> Event:
        """Something about a feed."""
        data = {
            "feed_id": feed.feed_id,
            "source_id": feed.source_id,
            "partner_id": feed.partner_id,
            "file_name": feed.file_name,
            "mode": feed.mode,
            "snapshot_at": feed.snapshot_at.isoformat(),
            **more,
        }
        return Event(self.event_id, kind, self.at, (feed.partner_id,), data)

    def applied(self, feed: Feed, job_id: str, summary: Summary) -> Event:
        """A feed is in the catalog now."""
        return self.of_feed(
            "feed.applied", feed, job_id=job_id, outcome=summary.outcome, **_counts(summary)
        )

    def failed(
        self, kind: Literal["feed.failed", "feed.rejected"], feed: Feed, job_id: str, why: JobError
    ) -> Event:
        """Nothing of a feed has landed, and why."""
        error = {"code": why.code, "message": why.message}
        return self.of_feed(kind, feed, job_id=job_id, error=error)

    def held(self, feed: Feed, job_id: str, guards: Sequence[GuardResult]) -> Event:
        """A feed waits for a person, and what the guards say that hold it."""
        told = [
            {"guard": guard.guard, "value": f"{guard.value:f}", "limit": f"{guard.limit:f}"}
            for guard in guards
        ]
        return self.of_feed("feed.held", feed, job_id=job_id, guards=told)

    def drifted(self, feed: Feed, job_id: str, drifts: Sequence[Drift]) -> Event:
        """The form of a source's files has changed."""
        told = [
            {"kind": drift.kind, "column": drift.column, "field": drift.field}
            for drift in drifts[:MOST_DRIFTS]
        ]
        return self.of_feed("feed.drifted", feed, job_id=job_id, drift=told)

    def changed(self, publication: Publication, summary: Summary) -> Event:
        """The catalog has changed, by that publication."""
        data = {
            "publication": publication.number,
            "feed_id": publication.feed_id,
            "source_id": publication.source_id,
            "partner_id": publication.partner_id,
            **{
                name: getattr(summary, name)
                for name in ("created", "updated", "restored", "removed")
            },
        }
        return Event(self.event_id, "catalog.changed", self.at, (publication.partner_id,), data)

    def oversold(self, publication: Publication, products: Sequence[Oversold]) -> Event:
        """Less is there than open orders hold, by that publication."""
        told = [
            {
                "product_id": product.product_id,
                "sku": product.sku,
                "quantity": product.quantity,
                "held": product.held,
            }
            for product in products
        ]
        data = {
            "publication": publication.number,
            "feed_id": publication.feed_id,
            "source_id": publication.source_id,
            "partner_id": publication.partner_id,
            "products": told,
        }
        return Event(self.event_id, "stock.oversold", self.at, (publication.partner_id,), data)

    def of_order(self, kind: EventKind, order: Order) -> Event:
        """Something about an order. Of its lines nothing is told, since some may be another's."""
        partners = dict.fromkeys(item.partner_id for item in order.items)
        data = {"order_id": order.order_id, "status": order.status, "currency": order.currency}
        return Event(self.event_id, kind, self.at, tuple(partners), data)


def announced(
    told: Callable[[], NewEvent],
    publication: Publication,
    summary: Summary,
    oversold: Sequence[Oversold],
) -> Iterator[Event]:
    """What there is to tell of a publication itself: what it changed, and what is oversold now."""
    if summary.changes:
        yield told().changed(publication, summary)
    if oversold:
        yield told().oversold(publication, oversold)


def _counts(summary: Summary) -> dict[str, int]:
    return {name: getattr(summary, name) for name in _COUNTS}
