"""Causes that need a person, and marks, in memory: the reference."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from attrs import frozen

from adapters.memory.tables import Tables
from commerce_core.activity.inbox import Failures, Mark, RejectCounts
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import Job
from commerce_core.feeds.summary import Summary


@frozen
class Causes:
    """Implements `commerce_core.ports.inbox.Causes`."""

    _kept: Tables

    def failures(self, partner_id: str | None, since: datetime, limit: int) -> Sequence[Failures]:
        """The failures that nothing has replaced, by source and code."""
        groups: defaultdict[tuple[str, str, str], list[Job]] = defaultdict(list)
        for job, feed in self._ingests(partner_id, "failed"):
            at = job.finished_at
            if at is None or at < since or feed.status not in ("failed", "rejected"):
                continue
            if job.error is not None and not self._is_replaced(feed):
                groups[job.partner_id, feed.source_id, job.error.code].append(job)
        found = [_failures(key, jobs) for key, jobs in groups.items()]
        found.sort(key=lambda one: (one.latest_at, one.source_id, one.code), reverse=True)
        return found[:limit]

    def _is_replaced(self, feed: Feed) -> bool:
        return any(
            (later.source_id, later.status) == (feed.source_id, "applied")
            and later.feed_id > feed.feed_id
            for later in self._kept.feeds.values()
        )

    def rejects(self, partner_id: str | None, recent: int) -> Sequence[RejectCounts]:
        """What the latest ingest of each source rejected."""
        done = sorted(
            ((job, feed) for job, feed in self._ingests(partner_id, "completed") if job.summary),
            key=lambda pair: pair[0].job_id,
            reverse=True,
        )
        by_source: defaultdict[str, list[tuple[Job, Feed, Summary]]] = defaultdict(list)
        for job, feed in islice(done, recent):
            if job.summary is not None and job.outcome != "superseded" and feed.status == "applied":
                by_source[feed.source_id].append((job, feed, job.summary))
        return [_reject_counts(by_source[source_id]) for source_id in sorted(by_source)]

    def _ingests(self, partner_id: str | None, status: str) -> Iterator[tuple[Job, Feed]]:
        for job in self._kept.jobs.values():
            own = partner_id in (None, job.partner_id)
            if own and (job.kind, job.status) == ("ingest", status):
                yield job, self._kept.feeds[job.feed_id]

    def oversold(
        self, partner_id: str | None, since: datetime, limit: int
    ) -> Mapping[str, tuple[datetime, datetime]]:
        """The products that recent events name."""
        events = [
            event
            for event in self._kept.events.values()
            if event.kind == "stock.oversold" and event.occurred_at >= since
            if partner_id is None or partner_id in event.partner_ids
        ]
        events.sort(key=lambda event: (event.occurred_at, event.event_id), reverse=True)
        times: defaultdict[str, list[datetime]] = defaultdict(list)
        for event in events[:limit]:
            for product in event.data["products"]:
                times[product["product_id"]].append(event.occurred_at)
        return {product_id: (min(at), max(at)) for product_id, at in times.items()}

    def marks(self, owner: str, cause_ids: Iterable[str]) -> Mapping[str, Mark]:
        """The marks of these items."""
        kept = self._kept.marks
        return {id_: kept[owner, id_] for id_ in cause_ids if (owner, id_) in kept}

    def put(self, mark: Mark) -> None:
        """Keeps a mark."""
        self._kept.marks[mark.owner, mark.cause_id] = mark


def _failures(key: tuple[str, str, str], jobs: list[Job]) -> Failures:
    ended = sorted((job.finished_at, job.feed_id, job) for job in jobs if job.finished_at)
    first_at, latest_at, latest = ended[0][0], ended[-1][0], ended[-1][2]
    return Failures(
        *key, len({job.feed_id for job in jobs}), first_at, latest_at, latest.feed_id,
        latest.error.message if latest.error else "",
    )  # fmt: skip


def _reject_counts(newest_first: list[tuple[Job, Feed, Summary]]) -> RejectCounts:
    (job, feed, summary), earlier = newest_first[0], newest_first[1:]
    return RejectCounts(
        job.partner_id, feed.source_id, feed.feed_id, job.finished_at or job.created_at,
        summary.records, summary.rejected,
        sum(before.records for _, _, before in earlier),
        sum(before.rejected for _, _, before in earlier),
    )  # fmt: skip
