"""Bulk acts in memory: the reference."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from attrs import evolve, frozen

from adapters.memory.pages import agrees, by_id, page_of, within
from adapters.memory.tables import Tables, found
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.bulk_act import (
    BulkAct,
    BulkItem,
    BulkQuery,
    FailureCause,
    FeedGroup,
    ItemStatus,
)
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import Job, JobError


@frozen
class BulkActs:
    """Implements `commerce_core.ports.bulk_acts.BulkActs`."""

    _kept: Tables

    def causes(self, partner_id: str | None, most: int, limit: int) -> Sequence[FailureCause]:
        """The causes of the latest failures."""
        latest = sorted(self._failed(partner_id), key=lambda pair: pair[0].feed_id, reverse=True)
        by_code: defaultdict[str, list[tuple[Feed, JobError]]] = defaultdict(list)
        for feed, error in latest[:most]:
            by_code[error.code].append((feed, error))
        causes = [_cause(code, failures) for code, failures in by_code.items()]
        return sorted(causes, key=lambda cause: (-cause.count, cause.code))[:limit]

    def _failed(self, partner_id: str | None) -> Iterator[tuple[Feed, JobError]]:
        for feed in self._kept.feeds.values():
            job = self._latest_job(feed)
            if (
                partner_id in (None, feed.partner_id)
                and feed.status in ("failed", "rejected")
                and job is not None
                and (job.kind, job.status) == ("ingest", "failed")
                and job.error is not None
            ):
                yield feed, job.error

    def _latest_job(self, feed: Feed) -> Job | None:
        own = [job for job in self._kept.jobs.values() if job.feed_id == feed.feed_id]
        return max(own, key=lambda job: job.job_id, default=None)

    def members(self, group: FeedGroup, limit: int) -> Sequence[str]:
        """The group's feeds."""
        if group.kind == "process_again":
            feeds = [f for f, error in self._failed(None) if group.code in (None, error.code)]
        else:
            feeds = [feed for feed in self._kept.feeds.values() if feed.status == "held"]
        return sorted(
            feed.feed_id
            for feed in feeds
            if agrees(group, feed, "partner_id", "source_id")
            and within(feed.received_at, group.received_from, group.received_to)
        )[:limit]

    def add(self, act: BulkAct, feed_ids: Sequence[str]) -> None:
        """Keeps a new one."""
        self._kept.bulk_acts[act.bulk_id] = act
        for number, feed_id in enumerate(feed_ids, 1):
            self._kept.bulk_items[act.bulk_id, number] = BulkItem(number, feed_id)

    def get(self, bulk_id: str) -> BulkAct:
        """One of them."""
        return found(self._kept.bulk_acts, bulk_id, "bulk act")

    def lock(self, bulk_id: str) -> BulkAct:
        """Units never meet here."""
        return self.get(bulk_id)

    def put(self, act: BulkAct) -> None:
        """Replaces one."""
        before = self.get(act.bulk_id)
        self._kept.bulk_acts[act.bulk_id] = evolve(
            before, status=act.status, done=act.done, refused=act.refused,
            finished_at=act.finished_at, problem=act.problem,
        )  # fmt: skip

    def unfinished(self) -> int:
        """How many aren't finished."""
        return sum(act.finished_at is None for act in self._kept.bulk_acts.values())

    def _items(self, bulk_id: str, status: ItemStatus | None) -> list[BulkItem]:
        return [
            item
            for (of, _), item in self._kept.bulk_items.items()
            if of == bulk_id and status in (None, item.status)
        ]

    def waiting(self, bulk_id: str, limit: int) -> Sequence[BulkItem]:
        """The first without a result."""
        return sorted(self._items(bulk_id, "waiting"), key=lambda item: item.number)[:limit]

    def record(self, bulk_id: str, items: Sequence[BulkItem]) -> None:
        """Keeps results."""
        for item in items:
            self._kept.bulk_items[bulk_id, item.number] = item

    def items(
        self, bulk_id: str, status: ItemStatus | None, after: Position | None, limit: int
    ) -> Page[BulkItem]:
        """The members."""
        return page_of(
            self._items(bulk_id, status), lambda item: Position(str(item.number), ""), after,
            limit, descending=False,
        )  # fmt: skip

    def page(self, query: BulkQuery, after: Position | None, limit: int) -> Page[BulkAct]:
        """Pages of bulk acts."""
        return page_of(self._fitting(query), lambda act: by_id(act.bulk_id), after, limit)

    def count(self, query: BulkQuery) -> int:
        """How many fit."""
        return len(self._fitting(query))

    def _fitting(self, query: BulkQuery) -> list[BulkAct]:
        return [a for a in self._kept.bulk_acts.values() if agrees(query, a, "partner_id")]

    def forget(self, before: datetime) -> int:
        """Deletes old ones."""
        acts = self._kept.bulk_acts.values()
        old = {act.bulk_id for act in acts if act.finished_at and act.finished_at < before}
        for bulk_id in old:
            del self._kept.bulk_acts[bulk_id]
        for key in [key for key in self._kept.bulk_items if key[0] in old]:
            del self._kept.bulk_items[key]
        return len(old)


def _cause(code: str, newest_first: Sequence[tuple[Feed, JobError]]) -> FailureCause:
    feeds = [feed for feed, _ in newest_first]
    latest, error = newest_first[0]
    return FailureCause(
        code, len(feeds), len({f.partner_id for f in feeds}), len({f.source_id for f in feeds}),
        min(f.received_at for f in feeds), max(f.received_at for f in feeds), latest.feed_id,
        error.message,
    )  # fmt: skip
