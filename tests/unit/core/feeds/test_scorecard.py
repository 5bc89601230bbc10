"""What became of the files that were expected."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from commerce_core.base.errors import InvalidInput
from commerce_core.feeds.arrival import Arrival
from commerce_core.feeds.expectation import Expectation
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.feeds.scorecard import (
    MOST_APPOINTMENTS,
    MOST_WEEKS,
    FeedCounts,
    ScoredSource,
    appointments,
    check_weeks,
    score_rows,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 6, 1, 6, tzinfo=UTC)
WEEK = (MONDAY - 6 * HOUR, MONDAY + 7 * DAY - 6 * HOUR)
LATER = MONDAY + 99 * DAY
DAILY = Expectation("declared", "0 6 * * *", None, "UTC", HOUR)
EVERY_DAY = Expectation("declared", None, DAY, "UTC", HOUR)
NOTHING = Expected()


def outcomes(
    expectation: Expectation,
    arrivals: Sequence[datetime],
    expected: Expected = NOTHING,
    now: datetime = LATER,
) -> list[str]:
    found = appointments(expectation, expected, arrivals, WEEK, now)
    assert [one.at for one in found] == sorted(one.at for one in found)
    return [one.outcome for one in found]


def test_each_tick_of_a_week_is_on_time_late_or_missed():
    arrivals = [
        MONDAY + 30 * MINUTE, MONDAY + DAY + HOUR, MONDAY + 2 * DAY + 5 * HOUR,
        MONDAY + 4 * DAY - 40 * MINUTE, MONDAY + 5 * DAY - 70 * MINUTE,
    ]  # fmt: skip
    assert outcomes(DAILY, arrivals) == [
        "on_time", "on_time", "late", "missed", "on_time", "missed", "missed",
    ]  # fmt: skip


def test_a_file_that_is_still_awaited_doesnt_count():
    now = MONDAY + 2 * DAY + 30 * MINUTE
    assert outcomes(DAILY, [MONDAY], now=now) == ["on_time", "missed"]
    assert outcomes(DAILY, [MONDAY, now], now=now) == ["on_time", "missed", "on_time"]


def test_no_file_is_missed_on_a_day_off():
    assert outcomes(DAILY, [], Expected(weekdays_off=("sat", "sun"))) == ["missed"] * 5


def test_intervals_are_counted_from_file_to_file():
    """A file moves the next one; after the last one, each interval is missed."""
    before = MONDAY - 12 * HOUR
    arrivals = [before, before + DAY + HOUR, before + 2 * DAY]
    assert outcomes(EVERY_DAY, arrivals, now=before + 5 * DAY) == [
        "on_time", "on_time", "missed", "missed",
    ]  # fmt: skip


def test_a_long_interval_is_one_late_file_and_the_missed_ones_before_it():
    arrivals = [MONDAY, MONDAY + 3 * DAY + 12 * HOUR, MONDAY + 4 * DAY]
    found = outcomes(EVERY_DAY, arrivals, now=MONDAY + 4 * DAY + HOUR)
    assert found == ["late", "missed", "missed", "on_time"]


def test_without_any_file_no_interval_begins():
    assert outcomes(EVERY_DAY, []) == []


@pytest.mark.parametrize("weeks", [0, MOST_WEEKS + 1])
def test_a_scorecard_has_at_least_one_week_and_at_most_a_year(weeks: int):
    check_weeks(1)
    check_weeks(MOST_WEEKS)
    with pytest.raises(InvalidInput):
        check_weeks(weeks)


def test_the_latest_weeks_are_judged_if_there_are_more_files_than_are_looked_at():
    often = Expectation("declared", "* * * * *", None, "UTC", 0 * DAY)
    source = ScoredSource("src_1", "main", NOTHING, often, (), MONDAY)
    weeks = [MONDAY + 7 * DAY * number for number in range(9)]
    rows = score_rows([source], [], weeks, weeks[-1] + DAY)
    judged = -(-MOST_APPOINTMENTS // (7 * 24 * 60))
    assert [row.expected for row in rows] == [None] * (8 - judged) + [7 * 24 * 60] * judged
    assert [row.missed for row in rows] == [row.expected or 0 for row in rows]


def test_nothing_is_expected_of_a_source_before_it_was_added():
    added = WEEK[1] + 3 * DAY
    source = ScoredSource("src_1", "main", NOTHING, DAILY, (), added)
    weeks = (WEEK[0], WEEK[1], WEEK[1] + 7 * DAY, WEEK[1] + 14 * DAY)
    rows = score_rows([source], [], weeks, weeks[-1] + DAY)
    assert [row.expected for row in rows] == [None, 4, 7]


def test_rows_are_by_week_and_source_with_what_was_sent():
    def arrival(at: datetime, verdict: str = "fresh") -> Arrival:
        return Arrival("feed_1", "src_1", "ptn_1", at, "full", "ab", 1, 1, verdict)  # pyright: ignore[reportArgumentType] a verdict

    weeks = (WEEK[0], WEEK[1], WEEK[1] + 7 * DAY)
    sent = tuple(arrival(MONDAY + n * DAY) for n in range(7))
    again = arrival(MONDAY + 8 * DAY, "same_bytes")
    sources = [
        ScoredSource("src_1", "main", NOTHING, DAILY, (*sent, again), WEEK[0]),
        ScoredSource("src_2", "extra", NOTHING, None, (), WEEK[0]),
    ]
    counts = [FeedCounts("src_1", 1, 3, 1, 1, 1, 100, 5, 2)]
    rows = score_rows(sources, counts, weeks, LATER)
    assert [(row.week, row.source_name) for row in rows] == [
        (weeks[0], "extra"), (weeks[0], "main"), (weeks[1], "extra"), (weeks[1], "main"),
    ]  # fmt: skip
    assert [row.expected for row in rows] == [None, 7, None, 7]
    first, second = rows[1], rows[3]
    assert (first.on_time, first.fresh, first.received) == (7, 7, 0)
    assert (second.missed, second.same_bytes, second.received, second.held) == (7, 1, 3, 1)
    assert (second.records, second.records_rejected, second.drifted) == (100, 5, 2)
