"""Ports: what arrived of each source, and what that makes expected."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from commerce_core.feeds.arrival import Arrival
from commerce_core.feeds.freshness import LateSource, Standing, Watched
from commerce_core.feeds.scorecard import FeedCounts
from commerce_core.partners.freshness_states import State


class Arrivals(Protocol):
    """The feeds that were applied. Each is stored with the standing of its source."""

    def before(self, feed_id: str, source_id: str, limit: int) -> Sequence[Arrival]:
        """The source's latest arrivals other than that feed, newest first; no reverted ones."""
        ...

    def add(self, arrival: Arrival) -> None:
        """Stores an arrival, in place of an earlier one of the same feed.

        The standing of its source then has its latest fresh arrival, and needs judging.
        """
        ...

    def mark(self, feed_id: str, *, reverted: bool) -> None:
        """Stores whether the feed is reverted, and what that leaves; nothing if it isn't stored."""
        ...

    def between(self, partner_id: str, since: datetime, until: datetime) -> Sequence[Arrival]:
        """The partner's arrivals from then until before then, oldest first."""
        ...

    def counts(self, partner_id: str, bounds: Sequence[datetime]) -> Sequence[FeedCounts]:
        """What became of the feeds that the partner's sources sent, between each two bounds.

        Those between the first two bounds have the week 0. A source without feeds in a week isn't
        among them.
        """
        ...

    def forget(self, before: datetime, most: int) -> int:
        """Deletes at most that many arrivals from before then, and returns their number.

        Standings keep what they have.
        """
        ...


class Standings(Protocol):
    """How fresh sources are. A source without a standing has one that needs judging."""

    def watched(self, source_ids: Sequence[str]) -> Sequence[Watched]:
        """These sources, as far as they exist, in any order.

        One needs judging if it was never judged, if that was taken back, or if the way in which it
        is fetched has changed since.
        """
        ...

    def of_partners(self, partner_ids: Sequence[str]) -> Sequence[Watched]:
        """All sources of these partners, in the same way."""
        ...

    def to_judge(self, most: int) -> Sequence[Watched]:
        """Sources that need judging, with their standings locked; those locked by others aren't."""
        ...

    def judge(self, standings: Sequence[Standing]) -> None:
        """Stores what is expected of these sources, and when that was judged."""
        ...

    def rejudge(
        self, *, partner_id: str | None = None, source_id: str | None = None,
        since: datetime | None = None,
    ) -> None:  # fmt: skip
        """Takes back the judgement of a source, or of a partner's sources.

        With `since`, files are expected from then on.
        """
        ...

    def to_announce(self, now: datetime, most: int) -> Sequence[LateSource]:
        """Sources that became late or stale, or no longer are, since this was last announced.

        They are locked; those locked by others aren't returned. Their cost follows their number,
        not that of all sources.
        """
        ...

    def announce(self, late_since: Mapping[str, datetime | None]) -> None:
        """Stores the beginning of each source's streak; None ends it."""
        ...

    def late(self, partner_id: str | None, now: datetime, most: int) -> Sequence[LateSource]:
        """The sources that are late or stale, the longest first, optionally of a partner."""
        ...

    def counts(self, now: datetime) -> Mapping[State, int]:
        """How many standings are in each state."""
        ...

    def remove(self, source_id: str) -> None:
        """Deletes the standing of a source, and its arrivals."""
        ...


class FreshnessUnit(Protocol):
    """The part of a unit of work for freshness."""

    @property
    def arrivals(self) -> Arrivals:
        """What arrived."""
        ...

    @property
    def standings(self) -> Standings:
        """What is expected."""
        ...
