"""Events: what the platform announces, written with what caused it, in one order for all readers.

An event has the ids and figures of what happened; everything else is in the things themselves.
Changes of single products are in the stream of changes, so a changed catalog is one event.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from attrs import evolve, frozen

from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.statement import Statement
from commerce_core.base.errors import InvalidInput, Malformed
from commerce_core.base.paging import write_cursor
from commerce_core.catalog.product import Oversold
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.freshness import LateSource
from commerce_core.feeds.guards import GuardResult
from commerce_core.feeds.job import JobError
from commerce_core.feeds.pull import Fetch
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
    "feed.late",
    "feed.recovered",
    "feed.backfilled",
    "catalog.changed",
    "stock.oversold",
    "order.created",
    "order.confirmed",
    "order.fulfilled",
    "order.fulfilment_cancelled",
    "order.cancelled",
    "payout.added",
    "statement.closed",
    "webhook.disabled",
    "webhook.enabled",
    "order.refunded",
]
EVENT_KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)
LARGEST_EVENTS: Final = 1_000
"""The most events in a page; a service that follows them reads many at a time."""
EVENTS_KEPT: Final = timedelta(days=90)
"""How long events are kept."""
MOST_FORGOTTEN: Final = 10_000
"""The most events that are deleted at once."""
MOST_OVERSOLD: Final = 100
"""The most oversold products that an event lists, by sku."""
MOST_DRIFTS: Final = 20
"""The most drifts that an event lists; the job's summary has all of them."""

_SCOPES: Final[Mapping[str, Scope]] = {
    "feed": "feeds:read",
    "catalog": "catalog:read",
    "stock": "catalog:read",
    "order": "orders:read",
    "webhook": "webhooks:read",
    "payout": "money:read",
    "statement": "money:read",
}
_COUNTS: Final = (
    "records_read", "created", "updated", "restored", "unchanged", "deleted", "removed", "rejected",
    "duplicate", "overtaken", "warnings",
)  # fmt: skip

Data = Mapping[str, Any]
"""The content of an event, as JSON values."""


@frozen
class Event:
    """Something that happened; `partner_ids` are the partners that it concerns."""

    event_id: str
    kind: EventKind
    occurred_at: datetime
    partner_ids: tuple[str, ...]
    data: Data

    def seen_by(self, partner_id: str | None) -> "Event":
        """The event as that partner may see it (None: the operator), without the other partners.

        A change of the catalog gets the cursor at which the stream of changes has it. Of an order,
        a partner sees the state and version of its own part.
        """
        data = self.data if partner_id is None else _own_part(self.data, partner_id)
        if self.kind == "catalog.changed":
            before = behind(data["publication"] - 1)
            cursor = write_cursor(ChangeQuery(partner_id=partner_id), before)
            data = {**data, "changes_cursor": cursor}
        partners = self.partner_ids if partner_id is None else (partner_id,)
        return evolve(self, data=data, partner_ids=partners)


@frozen
class EventQuery:
    """Selects events of these kinds that concern this partner (None: any partner)."""

    partner_id: str | None = None
    kinds: tuple[EventKind, ...] = EVENT_KINDS


def cursor_expired() -> InvalidInput:
    """The refusal of a cursor that is followed by deleted events."""
    detail = (
        f"Events after this cursor were deleted: they are kept for {EVENTS_KEPT.days} days. Start "
        "again without a cursor, and read the feeds, orders and products for what was missed."
    )
    return Malformed.at("/cursor", "cursor_expired", detail)


@frozen
class EventPage:
    """Events in order, each with its number, and that of the last event that was considered."""

    items: Sequence[Event]
    after: int
    numbers: Sequence[int] = ()


def scope_of(kind: EventKind) -> Scope:
    """The scope required to read events of this kind."""
    return _SCOPES[kind.partition(".")[0]]


@frozen
class NewEvent:
    """A new event's id and time; its methods fill in what happened."""

    event_id: str
    at: datetime

    def of_feed(self, kind: EventKind, feed: Feed, **more: object) -> Event:
        """An event about a feed."""
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
        """A feed was applied; guards that warn and products that can't be sold are named."""
        more: dict[str, object] = {}
        if summary.guards:
            more["guards"] = _verdicts(summary.guards)
        if summary.not_sellable:
            more["not_sellable"] = dict(summary.not_sellable)
        counts = _counts(summary)
        return self.of_feed(
            "feed.applied", feed, job_id=job_id, outcome=summary.outcome, **counts, **more
        )

    def failed(
        self, kind: Literal["feed.failed", "feed.rejected"], feed: Feed, job_id: str, why: JobError
    ) -> Event:
        """A feed failed or was rejected, so that nothing of it was applied."""
        error = {"code": why.code, "message": why.message}
        return self.of_feed(kind, feed, job_id=job_id, error=error)

    def held(self, feed: Feed, job_id: str, guards: Sequence[GuardResult]) -> Event:
        """A feed is held by these guards, and waits for a person."""
        return self.of_feed("feed.held", feed, job_id=job_id, guards=_verdicts(guards))

    def drifted(self, feed: Feed, job_id: str, drifts: Sequence[Drift]) -> Event:
        """The form of a source's files has changed."""
        listed = [
            {"kind": drift.kind, "column": drift.column, "field": drift.field}
            for drift in drifts[:MOST_DRIFTS]
        ]
        return self.of_feed("feed.drifted", feed, job_id=job_id, drift=listed)

    def late(self, late: LateSource) -> Event:
        """A source's file is overdue, or what it sent last is too old to sell by."""
        standing = late.standing
        data = {
            **_of_source(late, self.at),
            "overdue_since": _moment(standing.overdue_at),
            "expected_at": _moment(standing.expected_at),
            "expected_by": _moment(standing.expected_by),
            "basis": standing.basis,
            "products": standing.products,
        }
        return Event(self.event_id, "feed.late", self.at, (standing.partner_id,), data)

    def recovered(self, late: LateSource) -> Event:
        """A source that was late or stale is so no longer."""
        data = {**_of_source(late, self.at), "overdue_since": _moment(late.standing.late_since)}
        partners = (late.standing.partner_id,)
        return Event(self.event_id, "feed.recovered", self.at, partners, data)

    def backfilled(self, fetch: Fetch) -> Event:
        """A backfill of a source has ended."""
        error = fetch.error and {"code": fetch.error.code, "message": fetch.error.message}
        data = {
            "source_id": fetch.source_id,
            "partner_id": fetch.partner_id,
            "fetch_id": fetch.fetch_id,
            "outcome": fetch.outcome,
            "feeds": fetch.feeds,
            "refused": fetch.refused,
            "waiting": fetch.waiting,
            "error": error,
        }
        return Event(self.event_id, "feed.backfilled", self.at, (fetch.partner_id,), data)

    def changed(self, publication: Publication, summary: Summary) -> Event:
        """A publication changed the catalog."""
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
        """A publication left less in stock than open orders have reserved."""
        listed = [
            {
                "product_id": product.product_id,
                "sku": product.sku,
                "quantity": product.quantity,
                "held": product.reserved,
            }
            for product in products
        ]
        data = {
            "publication": publication.number,
            "feed_id": publication.feed_id,
            "source_id": publication.source_id,
            "partner_id": publication.partner_id,
            "products": listed,
        }
        return Event(self.event_id, "stock.oversold", self.at, (publication.partner_id,), data)

    def of_order(
        self, kind: EventKind, order: Order, touched: Sequence[str] = (), **more: object
    ) -> Event:
        """An event about an order, or the parts of the partners that it has `touched`.

        It has no lines, since some may be another partner's.
        """
        partners = tuple(touched) or order.partner_ids
        parts = [
            {
                "part_id": part.part_id,
                "partner_id": part.partner_id,
                "status": part.status,
                "version": part.version,
            }
            for part in map(order.part, partners)
        ]
        data = {
            "order_id": order.order_id,
            "status": order.status,
            "version": order.version,
            "currency": order.currency,
            "parts": parts,
            **more,
        }
        return Event(self.event_id, kind, self.at, partners, data)

    def of_webhook(self, kind: EventKind, partner_id: str | None, facts: Data) -> Event:
        """An event about a subscription of a partner, or of the operator."""
        partners = () if partner_id is None else (partner_id,)
        return Event(self.event_id, kind, self.at, partners, facts)

    def paid_out(self, entry: SalesEntry) -> Event:
        """A partner was paid."""
        data = {
            "entry_id": entry.entry_id,
            "partner_id": entry.partner_id,
            "currency": entry.currency,
            "amount": f"{entry.amount:f}",
            "reference": entry.reason,
        }
        return Event(self.event_id, "payout.added", self.at, (entry.partner_id,), data)

    def closed(self, statement: Statement) -> Event:
        """A statement was closed."""
        data = {
            "statement_id": statement.statement_id,
            "partner_id": statement.partner_id,
            "currency": statement.currency,
            "from": statement.since.isoformat(),
            "to": statement.until.isoformat(),
            "closing": f"{statement.closing:f}",
        }
        return Event(self.event_id, "statement.closed", self.at, (statement.partner_id,), data)


def announced(
    new_event: Callable[[], NewEvent],
    publication: Publication,
    summary: Summary,
    oversold: Sequence[Oversold],
) -> Iterator[Event]:
    """The events of a publication itself: that it changed the catalog, and what is now oversold."""
    if summary.changes:
        yield new_event().changed(publication, summary)
    if oversold:
        yield new_event().oversold(publication, oversold)


def _of_source(late: LateSource, now: datetime) -> Data:
    standing = late.standing
    return {
        "source_id": standing.source_id,
        "partner_id": standing.partner_id,
        "source_name": late.source_name,
        "state": standing.state_at(now),
        "last_feed_id": standing.last_feed_id,
        "last_fresh_at": _moment(standing.last_fresh_at),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _own_part(data: Data, partner_id: str) -> Data:
    """What a partner sees of an event about an order, if it is one."""
    parts = [part for part in data.get("parts", ()) if part["partner_id"] == partner_id]
    if not parts:
        return data
    return {**data, "parts": parts, "status": parts[0]["status"], "version": parts[0]["version"]}


def _verdicts(guards: Sequence[GuardResult]) -> list[dict[str, str]]:
    return [
        {"guard": guard.guard, "value": f"{guard.value:f}", "limit": f"{guard.limit:f}"}
        for guard in guards
    ]


def _counts(summary: Summary) -> dict[str, int]:
    return {name: getattr(summary, name) for name in _COUNTS}
