"""Freshness: whether what a source sent last is still fresh, and when its next file is expected.

what is expected   declared (a schedule or an interval), else the schedule by which the source
                   is fetched, else learned from its history
fresh              the next file isn't overdue
late               a file is overdue: it was expected, and the grace has passed too
stale              three files in a row are overdue, or the source's products are no longer sold
unknown            nothing is expected
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from attrs import evolve, fields, frozen

from commerce_core.feeds.expectation import Basis, Due, Expectation, dues
from commerce_core.feeds.freshness_settings import NOTHING_DECLARED, Expected
from commerce_core.feeds.rhythm import expectation_of
from commerce_core.feeds.schedule import Schedule
from commerce_core.partners.freshness_states import State

OVERDUE_TO_BE_STALE: Final = 3
"""A source is stale once this many of its files in a row are overdue."""


@frozen(kw_only=True)
class Standing:
    """What is stored of a source's freshness: what it sent last, and what that makes expected.

    `since` is when its partner began to be expected to send: files are expected from then on, or
    from its last fresh one. `products` is how many active products it had after its last file.
    What is expected was computed at `judged_at`; None: it has to be computed again. `late_since` is
    the beginning of the streak that was announced, if one has been.
    """

    source_id: str
    partner_id: str
    since: datetime
    last_fresh_at: datetime | None = None
    last_feed_id: str | None = None
    products: int | None = None
    late_since: datetime | None = None
    expected_at: datetime | None = None
    expected_by: datetime | None = None
    stale_at: datetime | None = None
    basis: Basis | None = None
    cron: str | None = None
    every: timedelta | None = None
    time_zone: str | None = None
    grace: timedelta | None = None
    confidence: Decimal | None = None
    judged_at: datetime | None = None

    @property
    def overdue_at(self) -> datetime | None:
        """When a streak begins or began: the source is late, or stale before that."""
        return min(filter(None, (self.expected_by, self.stale_at)), default=None)

    @property
    def expectation(self) -> Expectation | None:
        """What is expected, as far as that is sure."""
        if self.basis is None or self.time_zone is None or self.grace is None:
            return None
        found = Expectation(
            self.basis, self.cron, self.every, self.time_zone, self.grace, self.confidence
        )
        return found if found.is_sure else None

    def state_at(self, now: datetime) -> State:
        """The state of the source."""
        if self.stale_at is not None and self.stale_at <= now:
            return "stale"
        if self.expected_by is None:
            return "unknown"
        return "late" if self.expected_by <= now else "fresh"


@frozen
class LateSource:
    """A source that is late or stale, with its name and that of its partner."""

    standing: Standing
    source_name: str
    partner_name: str


@frozen
class Freshness:
    """How fresh a source is, and what is expected of it, as of a moment.

    `expected_at` is when its next file is expected, `expected_by` when that is overdue, and
    `stale_at` when the source becomes stale. `late_since` is when its files became overdue, if they
    are. The other fields are what is expected: declared, by schedule or learned.
    """

    state: State
    last_fresh_at: datetime | None = None
    last_feed_id: str | None = None
    expected_at: datetime | None = None
    expected_by: datetime | None = None
    stale_at: datetime | None = None
    late_since: datetime | None = None
    basis: Basis | None = None
    cron: str | None = None
    every: timedelta | None = None
    time_zone: str | None = None
    grace: timedelta | None = None
    confidence: Decimal | None = None

    @classmethod
    def of(cls, standing: Standing, now: datetime) -> "Freshness":
        """What a standing means now."""
        state = standing.state_at(now)
        shown: dict[str, Any] = {a.name: getattr(standing, a.name) for a in fields(cls)[1:]}
        shown["late_since"] = standing.overdue_at if state in ("late", "stale") else None
        return cls(state, **shown)


@frozen
class Watched:
    """A source whose standing has to be computed, with the settings that this depends on.

    `time_zone` is its partner's, `schedule` that by which it is fetched. If it `needs_judging`,
    `arrivals` are the times of its fresh ones, in the weeks up to the last, in rising order.
    """

    standing: Standing
    expected: Expected = NOTHING_DECLARED
    stop_selling_after: timedelta | None = None
    time_zone: str = "UTC"
    is_active: bool = True
    schedule: Schedule | None = None
    arrivals: tuple[datetime, ...] = ()
    needs_judging: bool = True

    def current(self, now: datetime) -> Standing:
        """The standing, judged if it needs that."""
        return self.judged(now) if self.needs_judging else self.standing

    def judged(self, now: datetime) -> Standing:
        """The standing with what is expected now. Of a partner that isn't active, nothing is."""
        standing = self.standing
        expectation = expectation_of(self.expected, self.schedule, self.time_zone, self.arrivals)
        coming: Sequence[Due] = ()
        if expectation is not None and expectation.is_sure and self.is_active:
            last = max(standing.since, standing.last_fresh_at or standing.since)
            coming = tuple(islice(dues(expectation, self.expected, last), OVERDUE_TO_BE_STALE))
        shown = expectation or _NO_EXPECTATION
        return evolve(
            standing,
            expected_at=coming[0].at if coming else None,
            expected_by=coming[0].by if coming else None,
            stale_at=self._stale_at(coming),
            basis=None if expectation is None else expectation.basis,
            cron=shown.cron,
            every=shown.every,
            time_zone=None if expectation is None else expectation.time_zone,
            grace=None if expectation is None else expectation.grace,
            confidence=shown.confidence,
            judged_at=now,
        )

    def _stale_at(self, coming: Sequence[Due]) -> datetime | None:
        """When its products are no longer sold; without that limit, when three are overdue."""
        if self.stop_selling_after is not None:
            last = self.standing.last_fresh_at
            return None if last is None else last + self.stop_selling_after
        return coming[-1].by if len(coming) == OVERDUE_TO_BE_STALE else None


_NO_EXPECTATION: Final = Expectation("learned", None, None, "UTC", timedelta())
