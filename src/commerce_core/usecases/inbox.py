"""The inbox: what needs a person now, and what people decide about it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from attrs import evolve, frozen

from commerce_core.activity.inbox import (
    ATTENTION_DAYS,
    MOST_ITEMS,
    MOST_OVERSOLD_EVENTS,
    MOST_RECENT,
    DailySales,
    Inbox,
    InboxItem,
    InboxQuery,
    Mark,
    failed_item,
    held_item,
    late_item,
    oversold_item,
    rejects_item,
    shortages,
    sorted_items,
    statement_items,
)
from commerce_core.analytics.questions import SalesQuestion
from commerce_core.base.errors import NotFound
from commerce_core.base.money import currency
from commerce_core.base.text import UNSTORABLE
from commerce_core.feeds.feed import FeedQuery
from commerce_core.feeds.job import JobQuery
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context
from commerce_core.webhooks.subscription import Webhook, WebhookQuery

_OPEN: Final = InboxQuery()
_DAYS: Final = 7
"""Days over which the sales of a partner are averaged."""


@frozen
class InboxItems:
    """What needs a person now; a partner sees what concerns its own feeds and products."""

    _context: Context

    def get(self, query: InboxQuery = _OPEN, *, partner: str | None = None) -> Inbox:
        """The matching items, the most urgent first, and the number of items in each state."""
        now = self._context.clock()
        with self._context.store.read_only() as unit:
            owner = self._context.partner_filter(unit, partner)
            found = self._items(unit, owner, now)
            complete = len(found) < MOST_ITEMS
            items = [item for item in found if _fits(item, query)]
            items = list(self._with_sales(unit, items, owner, now))
        states = [item.state for item in found]
        return Inbox(
            tuple(items), states.count("open"), states.count("acknowledged"),
            states.count("snoozed"), complete,
        )  # fmt: skip

    def mark(
        self,
        cause_id: str,
        *,
        acknowledged: bool | None = None,
        snoozed_until: datetime | None = None,
        assignee: str | None = None,
        note: str | None = None,
    ) -> InboxItem:
        """Acknowledges, snoozes or assigns an item; what isn't given stays as it was.

        Acknowledging ends a snooze, and with False both are undone. An empty `assignee` or `note`
        removes it. NotFound if there is no such item, or it is another partner's.
        """
        now, owner = self._context.clock(), self._context.principal.partner_id
        with self._context.writing() as unit:
            item = self._item(unit, cause_id, owner, now)
            before = unit.inbox.marks(owner or "", [cause_id]).get(cause_id)
            # What no longer holds must not hold again because of a new mark.
            mark = Mark(
                owner=owner or "",
                cause_id=cause_id,
                actor=self._context.principal.name,
                at=now,
                acknowledged=item.state == "acknowledged",
                snoozed_until=item.snoozed_until,
                assignee=item.assignee,
                note=item.note,
            )
            if acknowledged is not None:
                mark = evolve(mark, acknowledged=acknowledged, snoozed_until=None)
            if snoozed_until is not None:
                mark = evolve(mark, acknowledged=False, snoozed_until=snoozed_until)
            if assignee is not None:
                mark = evolve(mark, assignee=assignee.strip() or None)
            if note is not None:
                mark = evolve(mark, note=UNSTORABLE.sub("\ufffd", note).strip() or None)
            unit.inbox.put(mark)
            self._context.note(
                unit, "inbox.marked", *item.subjects, partner_id=item.partner_id or None,
                note=mark.note, before=before, after=mark,
            )  # fmt: skip
            return item.marked(mark, now)

    def _item(self, unit: UnitOfWork, cause_id: str, owner: str | None, now: datetime) -> InboxItem:
        for item in self._items(unit, owner, now):
            if item.cause_id == cause_id:
                return item
        raise NotFound(f"There is no item {cause_id[:80]!r} in the inbox.", "It may be over.")

    def all_in(self, unit: UnitOfWork, now: datetime) -> Sequence[InboxItem]:
        """All items in this principal's view, within an open unit, the most urgent first."""
        return self._items(unit, self._context.principal.partner_id, now)

    def sales_in(self, unit: UnitOfWork, now: datetime) -> Mapping[str, Sequence[DailySales]]:
        """What each partner in this principal's view sells a day, within an open unit."""
        return _sales_a_day(unit, self._context.principal.partner_id, now)

    def _items(self, unit: UnitOfWork, owner: str | None, now: datetime) -> list[InboxItem]:
        """All items in this principal's view, marked."""
        items = sorted_items(self._causes(unit, owner, now))
        marks = unit.inbox.marks(
            self._context.principal.partner_id or "", [item.cause_id for item in items]
        )
        names = unit.partners.names({item.partner_id for item in items if not item.partner_name})
        return [
            evolve(item, partner_name=item.partner_name or names.get(item.partner_id, ""))
            .marked(marks.get(item.cause_id), now)
            for item in items
        ]  # fmt: skip

    def _causes(self, unit: UnitOfWork, owner: str | None, now: datetime) -> Iterator[InboxItem]:
        since, scopes = now - timedelta(days=ATTENTION_DAYS), self._context.principal.scopes
        if "feeds:read" in scopes:
            yield from _held(unit, owner)
            late = unit.standings.late(owner, now, MOST_ITEMS)
            yield from (late_item(source, now) for source in late)
            yield from map(failed_item, unit.inbox.failures(owner, since, MOST_ITEMS))
            rejects = unit.inbox.rejects(owner, MOST_RECENT)
            yield from (rejects_item(r) for r in rejects if r.has_risen and r.at >= since)
        if "catalog:read" in scopes:
            reported = unit.inbox.oversold(owner, since, MOST_OVERSOLD_EVENTS)
            products = unit.products.get_many(reported).values()
            mine = (p for p in products if owner in (None, p.partner_id))
            yield from map(oversold_item, shortages(mine, reported))
        if "money:read" in scopes and self._context.principal.partner_id is None:
            yield from islice(statement_items(unit.books.differences(owner)), MOST_ITEMS)
        if "webhooks:read" in scopes:
            disabled = WebhookQuery(owner, "disabled")
            yield from map(_disabled, unit.webhooks.page(disabled, None, MOST_ITEMS).items)

    def _with_sales(
        self, unit: UnitOfWork, items: Iterable[InboxItem], owner: str | None, now: datetime
    ) -> Iterator[InboxItem]:
        """The items with what their partners sell a day, if this principal may know it."""
        items = list(items)
        sales: Mapping[str, list[DailySales]] = {}
        if items and "analytics:read" in self._context.principal.scopes:
            sales = _sales_a_day(unit, owner, now)
        return (evolve(item, a_day=tuple(sales.get(item.partner_id, ()))) for item in items)


def _fits(item: InboxItem, query: InboxQuery) -> bool:
    return (
        query.state in (None, item.state)
        and query.kind in (None, item.kind)
        and query.assignee in (None, item.assignee)
    )


def _held(unit: UnitOfWork, owner: str | None) -> Iterator[InboxItem]:
    feeds = unit.feeds.page(FeedQuery(owner, status="held"), None, MOST_ITEMS).items
    if not feeds:
        return
    jobs = unit.jobs.page(JobQuery(partner_id=owner, status="held"), None, MOST_ITEMS).items
    by_feed = {job.feed_id: job for job in jobs}
    yield from (held_item(feed, by_feed.get(feed.feed_id)) for feed in feeds)


def _disabled(webhook: Webhook) -> InboxItem:
    """The item of an endpoint that was disabled."""
    gone = webhook.disabled_reason == "gone"
    why = "It answered that it is gone." if gone else "It has failed for too long."
    return InboxItem(
        cause_id=f"webhook:{webhook.webhook_id}",
        kind="webhook",
        title="A webhook is disabled",
        reason=f"{webhook.url}: {why}",
        partner_id=webhook.partner_id or "",
        first_at=webhook.failing_since or webhook.updated_at,
        latest_at=webhook.updated_at,
        subjects=(webhook.webhook_id,),
    )


def _sales_a_day(unit: UnitOfWork, owner: str | None, now: datetime) -> dict[str, list[DailySales]]:
    question = SalesQuestion(now - timedelta(days=_DAYS), now, owner, None)
    found: dict[str, list[DailySales]] = {}
    for total in unit.sales.totals(question):
        daily = currency(total.currency).round(total.net / _DAYS)
        if daily > 0:
            found.setdefault(total.partner_id, []).append(DailySales(total.currency, daily))
    return found
