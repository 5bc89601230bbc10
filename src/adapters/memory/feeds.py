"""Feeds in memory."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from adapters.memory.pages import agrees, by_id, page_of, within
from adapters.memory.tables import Tables, found
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.feed import Feed, FeedQuery, LatestJob
from commerce_core.schema.fields import Mode


@frozen
class Feeds:
    """Implements `commerce_core.ports.feeds.Feeds`."""

    _kept: Tables

    def page(self, query: FeedQuery, after: Position | None, limit: int) -> Page[Feed]:
        """Pages of feeds."""
        page = page_of(self._fitting(query), lambda feed: by_id(feed.feed_id), after, limit)
        return evolve(page, items=tuple(map(self._shown, page.items)))

    def count(self, query: FeedQuery) -> int:
        """How many feeds fit."""
        return len(self._fitting(query))

    def _fitting(self, query: FeedQuery) -> list[Feed]:
        return [
            feed
            for feed in self._kept.feeds.values()
            if agrees(query, feed, "partner_id", "source_id", "status")
            and within(feed.received_at, query.received_from, query.received_to)
        ]

    def _shown(self, feed: Feed) -> Feed:
        """The feed with what changes around it: its partner's name, its newest job."""
        own = [job for job in self._kept.jobs.values() if job.feed_id == feed.feed_id]
        job = max(own, key=lambda job: job.job_id, default=None)
        brief = LatestJob(job.job_id, job.kind, job.status, job.outcome) if job else None
        name = self._kept.partners[feed.partner_id].partner_name
        return evolve(feed, partner_name=name, latest_job=brief)

    def add(self, feed: Feed) -> None:
        """Keeps a new feed."""
        self._kept.feeds[feed.feed_id] = feed

    def put(self, feed: Feed) -> None:
        """Replaces a feed."""
        self.get(feed.feed_id)
        self._kept.feeds[feed.feed_id] = feed

    def get(self, feed_id: str) -> Feed:
        """The feed."""
        return self._shown(found(self._kept.feeds, feed_id, "feed"))

    def file_names(self, feed_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of these feeds' files."""
        kept = self._kept.feeds
        return {known: kept[known].file_name for known in feed_ids if known in kept}

    def supersede(self, feed_ids: Iterable[str]) -> None:
        """Those of these feeds that were never applied are superseded."""
        for feed in map(self.get, feed_ids):
            if feed.applied_at is None:
                self._kept.feeds[feed.feed_id] = feed.became("superseded")

    def newer(self, source_id: str, snapshot_at: datetime, limit: int) -> Sequence[Feed]:
        """The source's applied feeds that show a later moment."""
        found = [
            feed
            for feed in self._kept.feeds.values()
            if (feed.source_id, feed.status) == (source_id, "applied")
            and feed.snapshot_at > snapshot_at
        ]
        found.sort(key=lambda f: (f.mode == "full", f.snapshot_at, f.feed_id), reverse=True)
        return [self._shown(feed) for feed in found[:limit]]

    def baseline(self, source_id: str, mode: Mode) -> Feed | None:
        """The source's own last applied feed in that mode."""
        applied = [
            feed
            for feed in self._kept.feeds.values()
            if (feed.source_id, feed.mode, feed.status) == (source_id, mode, "applied")
            and feed.returned is None
        ]
        last = max(applied, key=lambda feed: (feed.snapshot_at, feed.feed_id), default=None)
        return last and self._shown(last)
