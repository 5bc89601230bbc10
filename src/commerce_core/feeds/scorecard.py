"""Scorecards: what a partner sent week by week, against what was expected of it.

A week begins on Monday in the partner's zone. What is expected is what is expected now, also of
weeks in which something else was.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from attrs import evolve, fields, frozen

from commerce_core.base.errors import InvalidInput
from commerce_core.feeds.arrival import Arrival
from commerce_core.feeds.expectation import Due, Expectation, dues, early_by, ticks_after
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.feeds.schedule import Schedule

MOST_WEEKS: Final = 53
DEFAULT_WEEKS: Final = 4
MOST_APPOINTMENTS: Final = 50_000
"""How many expected files of a source are looked at; weeks before those are shown as if nothing had
been expected."""
_INSTANT: Final = timedelta(microseconds=1)

Outcome = Literal["on_time", "late", "missed"]


@frozen
class FeedCounts:
    """What became of the feeds that a source sent in a week.

    `week` is the number of the week among those asked for, from 0. `held` were held once, whatever
    was decided; `records` and `records_rejected` are those that were read, and `drifted` the feeds
    whose columns had changed.
    """

    source_id: str
    week: int
    received: int = 0
    held: int = 0
    rejected: int = 0
    failed: int = 0
    records: int = 0
    records_rejected: int = 0
    drifted: int = 0


@frozen(kw_only=True)
class ScoreRow:
    """A week of a source: what was expected and came, and what became of it.

    `expected` is None if nothing is; else it is `on_time`, `late` and `missed` together. Files that
    were applied are `fresh` or aren't: the `same_bytes`, most of the records lost (`shrunk`), or
    for another reason.
    """

    week: datetime
    source_id: str
    source_name: str
    expected: int | None = None
    on_time: int = 0
    late: int = 0
    missed: int = 0
    received: int = 0
    fresh: int = 0
    same_bytes: int = 0
    shrunk: int = 0
    held: int = 0
    rejected: int = 0
    failed: int = 0
    records: int = 0
    records_rejected: int = 0
    drifted: int = 0


@frozen
class Scorecard:
    """The weeks of a partner's sources, oldest first, and by name of the source within a week."""

    partner_id: str
    partner_name: str
    since: datetime
    until: datetime
    tz: str
    results: tuple[ScoreRow, ...]


@frozen
class Appointment:
    """A file that was expected, and what became of that."""

    at: datetime
    outcome: Outcome


def check_weeks(weeks: int) -> None:
    """InvalidInput unless a scorecard can have that many weeks."""
    if not 1 <= weeks <= MOST_WEEKS:
        detail = f"Use 1 to {MOST_WEEKS} weeks."
        raise InvalidInput.at("/weeks", "bad_weeks", detail)


def appointments(
    expectation: Expectation,
    expected: Expected,
    arrivals: Sequence[datetime],
    span: tuple[datetime, datetime],
    now: datetime,
) -> list[Appointment]:
    """The files that were expected from the first moment until before the second.

    `arrivals` are the fresh ones in rising order, some from before too. A file that is expected and
    not overdue yet isn't among them.
    """
    by_interval = expectation.every is not None
    found = (_intervals if by_interval else _ticks)(expectation, expected, arrivals, span, now)
    return list(found)


def _ticks(
    expectation: Expectation, expected: Expected, arrivals: Sequence[datetime],
    span: tuple[datetime, datetime], now: datetime,
) -> Iterator[Appointment]:  # fmt: skip
    """Each tick takes the arrivals from shortly before it until shortly before the next one."""
    since, until = span
    schedule = Schedule(expectation.cron or "", expectation.time_zone)
    zone = ZoneInfo(expected.time_zone or expectation.time_zone)
    ticks = ticks_after(schedule, expected, since - _INSTANT, zone)
    tick = next(ticks, None)
    following = next(ticks, None)
    begins = None if tick is None else tick - early_by(expectation, tick, following)
    while tick is not None and begins is not None and tick < min(until, now):
        after = next(ticks, None)
        ends = None if following is None else following - early_by(expectation, following, after)
        outcome = _outcome(arrivals, begins, ends, Due(tick, tick + expectation.grace), now)
        if outcome is not None:
            yield Appointment(tick, outcome)
        tick, following, begins = following, after, ends


def _outcome(
    arrivals: Sequence[datetime], begins: datetime, ends: datetime | None, due: Due, now: datetime
) -> Outcome | None:
    """What became of an expected file; None if it is still awaited."""
    place = bisect_left(arrivals, begins)
    came = arrivals[place] if place < len(arrivals) else None
    if came is not None and (ends is None or came < ends):
        return "on_time" if came <= due.by else "late"
    return "missed" if due.by <= now else None


def _intervals(
    expectation: Expectation, expected: Expected, arrivals: Sequence[datetime],
    span: tuple[datetime, datetime], now: datetime,
) -> Iterator[Appointment]:  # fmt: skip
    """From each file on the next is due, and one more for each interval until that came."""
    since, until = span
    before = max(0, bisect_right(arrivals, since) - 1)
    following = (*arrivals[before + 1 :], None)
    for last, came in zip(arrivals[before:], following, strict=False):
        for number, due in enumerate(dues(expectation, expected, last)):
            is_over = number > 0 and came is not None and due.by >= came
            if is_over or due.at >= until or (came is None and due.at >= now):
                break
            outcome = _of_interval(due, came, now, is_first=number == 0)
            if due.at >= since and outcome is not None:
                yield Appointment(due.at, outcome)


def _of_interval(
    due: Due, came: datetime | None, now: datetime, *, is_first: bool
) -> Outcome | None:
    if came is not None and is_first:
        return "on_time" if came <= due.by else "late"
    return "missed" if came is not None or due.by <= now else None


@frozen
class ScoredSource:
    """A source of the partner: its name, what is expected of it, what it sent, since when it is."""

    source_id: str
    source_name: str
    expected: Expected
    expectation: Expectation | None
    arrivals: tuple[Arrival, ...]
    created_at: datetime


def score_rows(
    sources: Iterable[ScoredSource],
    counts: Sequence[FeedCounts],
    weeks: Sequence[datetime],
    now: datetime,
) -> list[ScoreRow]:
    """A row for each week and source; `weeks` are their beginnings and the end of the last."""
    counted = {(found.source_id, found.week): found for found in counts}
    rows = [
        _with_feeds(row, counted.get((source.source_id, number)))
        for source in sources
        for number, row in enumerate(_rows(source, weeks, now))
    ]
    return sorted(rows, key=lambda row: (row.week, row.source_name))


def _rows(source: ScoredSource, weeks: Sequence[datetime], now: datetime) -> Iterator[ScoreRow]:
    """The weeks of a source, with what was expected and what arrived."""
    fresh = [arrival.at for arrival in source.arrivals if arrival.verdict == "fresh"]
    expectation = source.expectation
    spans = list(pairwise(weeks))
    outcomes: list[list[Outcome]] = []
    while expectation is not None and len(outcomes) < len(spans):
        if sum(map(len, outcomes)) >= MOST_APPOINTMENTS:
            break
        week, until = spans[-1 - len(outcomes)]
        if until <= source.created_at:
            break
        span = (max(week, source.created_at), until)
        found = appointments(expectation, source.expected, fresh, span, now)
        outcomes.append([one.outcome for one in found])
    unjudged = [None] * (len(spans) - len(outcomes))
    for (week, until), found in zip(spans, [*unjudged, *reversed(outcomes)], strict=True):
        verdicts = [a.verdict for a in source.arrivals if week <= a.at < until]
        yield ScoreRow(
            week=week,
            source_id=source.source_id,
            source_name=source.source_name,
            expected=None if found is None else len(found),
            **_counted(found or ()),
            fresh=verdicts.count("fresh"),
            same_bytes=verdicts.count("same_bytes"),
            shrunk=verdicts.count("shrunk"),
        )


def _counted(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return {name: outcomes.count(name) for name in ("on_time", "late", "missed")}


def _with_feeds(row: ScoreRow, counts: FeedCounts | None) -> ScoreRow:
    if counts is None:
        return row
    shared: dict[str, Any] = {a.name: getattr(counts, a.name) for a in fields(FeedCounts)[2:]}
    return evolve(row, **shared)
