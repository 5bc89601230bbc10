"""Arrivals, and the standings of sources, in memory."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from adapters.memory.tables import Tables
from commerce_core.feeds.arrival import Arrival
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.freshness import LateSource, Standing, Watched
from commerce_core.feeds.job import Job
from commerce_core.feeds.rhythm import LEARNED_FROM
from commerce_core.feeds.schedule import Schedule
from commerce_core.feeds.scorecard import FeedCounts
from commerce_core.feeds.source import Source
from commerce_core.partners.freshness_states import State


@frozen
class Arrivals:
    """Implements `commerce_core.ports.freshness.Arrivals`."""

    _kept: Tables

    def before(self, feed_id: str, source_id: str, limit: int) -> Sequence[Arrival]:
        """The others of the source, newest first."""
        own = [a for a in arrivals_of(self._kept, source_id) if a.feed_id != feed_id]
        return own[::-1][:limit]

    def add(self, arrival: Arrival) -> None:
        """Keeps it."""
        self._kept.arrivals[arrival.feed_id] = arrival
        self._update(arrival.source_id, arrival.products)

    def mark(self, feed_id: str, *, reverted: bool) -> None:
        """Keeps whether it is reverted."""
        arrival = self._kept.arrivals.get(feed_id)
        if arrival is not None:
            self._kept.arrivals[feed_id] = evolve(arrival, reverted=reverted)
            self._update(arrival.source_id, None)

    def _update(self, source_id: str, products: int | None) -> None:
        source = self._kept.sources.get(source_id)
        if source is None:
            return
        standing = standing_of(self._kept, source)
        fresh = [a for a in arrivals_of(self._kept, source_id) if a.verdict == "fresh"]
        self._kept.standings[source_id] = evolve(
            standing,
            last_fresh_at=fresh[-1].at if fresh else None,
            last_feed_id=fresh[-1].feed_id if fresh else None,
            products=standing.products if products is None else products,
            judged_at=None,
        )

    def between(self, partner_id: str, since: datetime, until: datetime) -> Sequence[Arrival]:
        """The partner's, oldest first."""
        own = (a for a in self._kept.arrivals.values() if a.partner_id == partner_id)
        return sorted((a for a in own if since <= a.at < until), key=lambda a: (a.at, a.feed_id))

    def counts(self, partner_id: str, bounds: Sequence[datetime]) -> Sequence[FeedCounts]:
        """What became of feeds."""
        found: dict[tuple[str, int], FeedCounts] = {}
        for feed in self._kept.feeds.values():
            week = bisect_right(bounds, feed.received_at) - 1
            if feed.partner_id != partner_id or not 0 <= week < len(bounds) - 1:
                continue
            key = (feed.source_id, week)
            jobs = [
                job
                for job in self._kept.jobs.values()
                if job.feed_id == feed.feed_id and job.kind == "ingest"
            ]
            found[key] = _counted(found.get(key, FeedCounts(*key)), feed, jobs)
        return list(found.values())

    def forget(self, before: datetime, most: int) -> int:
        """Forgets old ones."""
        old = [a.feed_id for a in self._kept.arrivals.values() if a.at < before][:most]
        for feed_id in old:
            del self._kept.arrivals[feed_id]
        return len(old)


def _counted(counts: FeedCounts, feed: Feed, jobs: Sequence[Job]) -> FeedCounts:
    """The counts with a feed, by what its last ingest with a summary found."""
    summaries = [job.summary for job in sorted(jobs, key=lambda j: j.job_id) if job.summary]
    last = summaries[-1] if summaries else None
    return evolve(
        counts,
        received=counts.received + 1,
        held=counts.held + any(job.status == "held" or job.decision for job in jobs),
        rejected=counts.rejected + (feed.status == "rejected"),
        failed=counts.failed + (feed.status == "failed"),
        records=counts.records + (last.records if last else 0),
        records_rejected=counts.records_rejected + (last.rejected if last else 0),
        drifted=counts.drifted + bool(last and last.drift),
    )


def arrivals_of(kept: Tables, source_id: str) -> list[Arrival]:
    """The arrivals of a source, oldest first, without those that are reverted."""
    own = (a for a in kept.arrivals.values() if a.source_id == source_id and not a.reverted)
    return sorted(own, key=lambda a: (a.at, a.feed_id))


def standing_of(kept: Tables, source: Source) -> Standing:
    """The source's standing, or that of one that isn't kept."""
    return kept.standings.get(source.source_id) or Standing(
        source_id=source.source_id, partner_id=source.partner_id, since=source.created_at
    )


@frozen
class Standings:
    """Implements `commerce_core.ports.freshness.Standings`."""

    _kept: Tables

    def watched(self, source_ids: Sequence[str]) -> Sequence[Watched]:
        """These sources."""
        sources = (self._kept.sources.get(source_id) for source_id in source_ids)
        return [self._watched(source) for source in sources if source is not None]

    def of_partners(self, partner_ids: Sequence[str]) -> Sequence[Watched]:
        """All of these partners."""
        own = (s for s in self._kept.sources.values() if s.partner_id in partner_ids)
        return [self._watched(source) for source in own]

    def _watched(self, source: Source) -> Watched:
        partner, pull = (
            self._kept.partners[source.partner_id],
            self._kept.pulls.get(source.source_id),
        )
        standing = standing_of(self._kept, source)
        cron = None if pull is None else pull.cron
        judged_at = standing.judged_at
        needs_judging = (
            judged_at is None
            or (pull is not None and pull.updated_at > judged_at)
            or (cron is None and standing.basis == "schedule")
        )
        return Watched(
            standing,
            source.expected,
            source.stop_selling_after,
            partner.time_zone,
            partner.status == "active",
            None if pull is None or cron is None else Schedule(cron, pull.time_zone),
            tuple(self._fresh(standing)) if needs_judging else (),
            needs_judging,
        )

    def _fresh(self, standing: Standing) -> Iterator[datetime]:
        if standing.last_fresh_at is None:
            return
        since = standing.last_fresh_at - LEARNED_FROM
        for arrival in arrivals_of(self._kept, standing.source_id):
            if arrival.verdict == "fresh" and arrival.at > since:
                yield arrival.at

    def to_judge(self, most: int) -> Sequence[Watched]:
        """Those that need judging."""
        waiting = (self._watched(source) for source in self._kept.sources.values())
        return [watched for watched in waiting if watched.needs_judging][:most]

    def judge(self, standings: Sequence[Standing]) -> None:
        """Keeps what is expected."""
        for standing in standings:
            self._kept.standings[standing.source_id] = standing

    def rejudge(
        self, *, partner_id: str | None = None, source_id: str | None = None,
        since: datetime | None = None,
    ) -> None:  # fmt: skip
        """Takes judgements back."""
        for source in list(self._kept.sources.values()):
            if source.partner_id == partner_id or source.source_id == source_id:
                standing = standing_of(self._kept, source)
                self._kept.standings[source.source_id] = evolve(
                    standing, judged_at=None, since=since or standing.since
                )

    def to_announce(self, now: datetime, most: int) -> Sequence[LateSource]:
        """Those that are out of step."""
        kept = self._kept.standings.values()
        out = [s for s in kept if _is_late(s, now) != (s.late_since is not None)]
        return [self._named(standing) for standing in out[:most]]

    def announce(self, late_since: Mapping[str, datetime | None]) -> None:
        """Keeps the streaks."""
        for source_id, since in late_since.items():
            standing = self._kept.standings[source_id]
            self._kept.standings[source_id] = evolve(standing, late_since=since)

    def late(self, partner_id: str | None, now: datetime, most: int) -> Sequence[LateSource]:
        """Those that are late."""
        late = [
            (standing.overdue_at or now, standing.source_id, standing)
            for standing in self._kept.standings.values()
            if partner_id in (None, standing.partner_id) and _is_late(standing, now)
        ]
        return [self._named(standing) for *_, standing in sorted(late, key=lambda s: s[:2])[:most]]

    def _named(self, standing: Standing) -> LateSource:
        source = self._kept.sources[standing.source_id]
        partner = self._kept.partners[standing.partner_id]
        return LateSource(standing, source.source_name, partner.partner_name)

    def counts(self, now: datetime) -> Mapping[State, int]:
        """How many there are."""
        return Counter(standing.state_at(now) for standing in self._kept.standings.values())

    def remove(self, source_id: str) -> None:
        """Forgets a source."""
        if source_id in self._kept.standings:
            del self._kept.standings[source_id]
        for arrival in list(self._kept.arrivals.values()):
            if arrival.source_id == source_id:
                del self._kept.arrivals[arrival.feed_id]


def _is_late(standing: Standing, now: datetime) -> bool:
    return standing.state_at(now) in ("late", "stale")
