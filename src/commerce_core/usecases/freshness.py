"""Freshness: which sources are late, who is announced as such, and what lists show of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.calendar import period_start
from commerce_core.base.paging import Page, Position
from commerce_core.feeds.arrival import Arrival
from commerce_core.feeds.freshness import Freshness as Shown
from commerce_core.feeds.freshness import LateSource
from commerce_core.feeds.freshness_settings import LONGEST_EVERY
from commerce_core.feeds.scorecard import (
    DEFAULT_WEEKS,
    Scorecard,
    ScoredSource,
    check_weeks,
    score_rows,
)
from commerce_core.feeds.source import Source
from commerce_core.partners.freshness_states import STATES, PartnerFreshness, State
from commerce_core.partners.partner import Partner
from commerce_core.ports.freshness import FreshnessUnit
from commerce_core.ports.partners import Partners, Sources
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context

MOST_AT_ONCE: Final = 200
"""How many sources are judged, or announced, in one transaction."""
MOST_LATE: Final = 50
"""How many late sources are named by figures of all of them."""
ARRIVALS_KEPT: Final = timedelta(days=400)
"""How long arrivals are kept."""
MOST_FORGOTTEN: Final = 10_000
"""The most arrivals that are deleted at once."""


@frozen
class Lateness:
    """How many sources are in each state, and the ones that are late or stale longest."""

    counts: Mapping[State, int]
    late: Sequence[LateSource]


@frozen
class Freshness:
    """How fresh sources are, which workers watch."""

    _context: Context

    def watch(self) -> int:
        """Computes what is expected of sources, announces who is late, and returns how many.

        Workers do this each minute; any number of them may at once. What was announced counts both
        ways: sources that are late now, and those that no longer are.
        """
        while self._judge() == MOST_AT_ONCE:
            pass
        announced = 0
        while (number := self._announce()) == MOST_AT_ONCE:
            announced += number
        return announced + number

    def _judge(self) -> int:
        now = self._context.clock()
        with self._context.store.begin() as unit:
            waiting = unit.standings.to_judge(MOST_AT_ONCE)
            if waiting:
                unit.standings.judge([watched.judged(now) for watched in waiting])
            return len(waiting)

    def _announce(self) -> int:
        now, context = self._context.clock(), self._context
        with context.store.begin() as unit:
            changed = unit.standings.to_announce(now, MOST_AT_ONCE)
            late = {s.standing.source_id for s in changed if s.standing.late_since is None}
            if changed:
                unit.standings.announce(
                    {
                        s.standing.source_id: s.standing.overdue_at
                        if s.standing.source_id in late
                        else None
                        for s in changed
                    }
                )
                unit.events.add(
                    context.new_event().late(source)
                    if source.standing.source_id in late
                    else context.new_event().recovered(source)
                    for source in changed
                )
            return len(changed)

    def overview(self) -> Lateness:
        """How many sources are in each state, and the first that are late or stale."""
        now = self._context.clock()
        with self._context.store.read_only() as unit:
            counts = unit.standings.counts(now)
            return Lateness(
                {state: counts.get(state, 0) for state in STATES},
                unit.standings.late(None, now, MOST_LATE),
            )

    def scorecard(self, partner: str, *, weeks: int = DEFAULT_WEEKS) -> Scorecard:
        """What the partner's sources sent in the last weeks, the present one among them.

        It begins in the week in which the partner was added, and expects nothing of a source before
        that was.

        InvalidInput for fewer than 1 or more than 53 weeks.
        """
        check_weeks(weeks)
        now = self._context.clock()
        with self._context.store.read_only() as unit:
            owner = self._context.partner(unit, partner)
            bounds = _weeks(owner.created_at, now, weeks, owner.time_zone)
            arrivals = unit.arrivals.between(
                owner.partner_id, bounds[0] - LONGEST_EVERY, bounds[-1]
            )
            counts = unit.arrivals.counts(owner.partner_id, bounds)
            sources = list(_scored(unit, owner, arrivals, now))
        rows = score_rows(sources, counts, bounds, now)
        return Scorecard(
            owner.partner_id, owner.partner_name, bounds[0], bounds[-1], owner.time_zone,
            tuple(rows),
        )  # fmt: skip

    def forget_old(self) -> int:
        """Deletes arrivals past their retention time, and returns how many."""
        gone, before = 0, self._context.clock() - ARRIVALS_KEPT
        while True:
            with self._context.store.begin() as unit:
                forgotten = unit.arrivals.forget(before, MOST_FORGOTTEN)
            gone += forgotten
            if forgotten < MOST_FORGOTTEN:
                return gone


def _weeks(first: datetime, now: datetime, weeks: int, zone: str) -> list[datetime]:
    """The beginnings of the weeks from a first moment up to the present one, and its end."""
    bounds = [period_start(now, "week", zone)]
    while len(bounds) < weeks and first < bounds[0]:
        bounds.insert(0, period_start(bounds[0] - timedelta(days=1), "week", zone))
    return [*bounds, period_start(bounds[-1] + timedelta(days=8), "week", zone)]


def _scored(
    unit: UnitOfWork, owner: Partner, arrivals: Sequence[Arrival], now: datetime
) -> Iterator[ScoredSource]:
    """The partner's sources, with what is expected of each and what it sent."""
    watched = unit.standings.of_partners([owner.partner_id])
    standings = {found.standing.source_id: found.current(now) for found in watched}
    own: defaultdict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        if not arrival.reverted:
            own[arrival.source_id].append(arrival)
    for source in unit.sources.of(owner.partner_id):
        yield ScoredSource(
            source.source_id,
            source.source_name,
            source.expected,
            standings[source.source_id].expectation,
            tuple(own[source.source_id]),
            source.created_at,
        )


def fresh_sources(
    unit: FreshnessUnit, sources: Iterable[Source], now: datetime
) -> tuple[Source, ...]:
    """The sources, each with how fresh it is now; what was never judged is judged for this."""
    sources = tuple(sources)
    found = {
        watched.standing.source_id: Shown.of(watched.current(now), now)
        for watched in unit.standings.watched([source.source_id for source in sources])
    }
    return tuple(evolve(source, freshness=found.get(source.source_id)) for source in sources)


def fresh_partners(
    unit: FreshnessUnit, partners: Iterable[Partner], now: datetime
) -> tuple[Partner, ...]:
    """The partners, each with how fresh its sources are now."""
    partners = tuple(partners)
    states: defaultdict[str, list[State]] = defaultdict(list)
    for watched in unit.standings.of_partners([partner.partner_id for partner in partners]):
        standing = watched.current(now)
        states[standing.partner_id].append(standing.state_at(now))
    return tuple(
        evolve(partner, freshness=PartnerFreshness.of(states[partner.partner_id]))
        for partner in partners
    )


@frozen
class FreshSources:
    """The list of sources, with how fresh each is."""

    _sources: Sources
    _unit: FreshnessUnit
    _now: datetime

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[Source]:
        """Pages of sources."""
        page = self._sources.page(query, after, limit)
        return evolve(page, items=fresh_sources(self._unit, page.items, self._now))

    def count(self, query: str | None) -> int:
        """How many sources there are to see."""
        return self._sources.count(query)


@frozen
class FreshPartners:
    """The list of partners, with how fresh the sources of each are."""

    _partners: Partners
    _unit: FreshnessUnit
    _now: datetime

    def page(self, query: str | None, after: Position | None, limit: int) -> Page[Partner]:
        """Pages of partners."""
        page = self._partners.page(query, after, limit)
        return evolve(page, items=fresh_partners(self._unit, page.items, self._now))

    def count(self, query: str | None) -> int:
        """How many partners there are to see."""
        return self._partners.count(query)
