"""What ranges consist of, in forty zones, and the period before."""

from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.analytics.period_before import Comparison, period_before
from commerce_core.analytics.questions import SalesQuestion
from commerce_core.analytics.rollup import (
    DAY,
    PRODUCT_SPANS,
    QUARTER,
    SPANS,
    bounds_of,
    cover,
    cover_one,
)
from commerce_core.base.errors import InvalidInput
from tests.support import strategies

ZONES = (
    "UTC", "Europe/Rome", "Europe/London", "Europe/Lisbon", "Europe/Moscow", "Europe/Istanbul",
    "Atlantic/Azores", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Anchorage", "America/Halifax", "America/St_Johns",
    "America/Sao_Paulo", "America/Havana", "America/Asuncion", "America/Caracas", "America/Nuuk",
    "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "Asia/Kolkata", "Asia/Kathmandu",
    "Asia/Tehran", "Asia/Kabul", "Asia/Beirut", "Asia/Gaza", "Asia/Yangon", "Asia/Shanghai",
    "Asia/Tokyo", "Asia/Pyongyang", "Australia/Adelaide", "Australia/Eucla", "Australia/Lord_Howe",
    "Australia/Sydney", "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
)  # fmt: skip


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(
    strategies.moments(),
    st.timedeltas(timedelta(0), timedelta(days=400)),
    st.sampled_from([SPANS, PRODUCT_SPANS]),
)
def test_a_range_is_covered_once(since: datetime, length: timedelta, spans: tuple[timedelta, ...]):
    """Blocks and what is left add up to the range, without a gap and without an overlap."""
    found = cover([since, since + length], spans)
    parts = sorted((*found.runs, *found.rests), key=lambda part: part.since)
    at = since
    for part in parts:
        assert part.since == at < part.until
        at = part.until
    assert at == since + length
    assert all((run.until - run.since) % run.span == timedelta(0) for run in found.runs)
    assert sum((rest.until - rest.since for rest in found.rests), timedelta(0)) < 2 * spans[0]
    assert len(parts) <= 2 * len(spans) + 1


@given(
    strategies.moments(),
    st.lists(st.timedeltas(timedelta(0), timedelta(days=90)), min_size=1, max_size=4),
    st.sampled_from([SPANS, PRODUCT_SPANS]),
    st.data(),
)
def test_what_blocks_have_beyond_a_period_is_taken_off_it(
    since: datetime, lengths: list[timedelta], spans: tuple[timedelta, ...], data: st.DataObject
):
    """Each moment of a period is in one block more than is taken off; each other, in as many."""
    bounds = [since + sum(lengths[:number], timedelta(0)) for number in range(len(lengths) + 1)]
    found = cover(bounds, spans, beyond=True)
    assert all(since <= run.since < bounds[-1] for run in found.runs)
    edges = [edge for part in (*found.runs, *found.surpluses) for edge in (part.since, part.until)]
    at = data.draw(st.sampled_from([*bounds, *edges])) + data.draw(
        st.sampled_from([timedelta(0), -timedelta.resolution, QUARTER])
    )
    of = bisect_right(bounds, at) - 1
    counted = Counter(
        bisect_right(bounds, run.since + (at - run.since) // run.span * run.span) - 1
        for run in found.runs
        if run.since <= at < run.until
    )
    counted.update(rest.period for rest in found.rests if rest.since <= at < rest.until)
    counted.subtract(each.period for each in found.surpluses if each.since <= at < each.until)
    assert +counted == Counter([of] if since <= at < bounds[-1] else [])
    assert not -counted


@given(
    strategies.moments(),
    st.timedeltas(timedelta(0), timedelta(days=400)),
    st.sampled_from([SPANS, PRODUCT_SPANS]),
    st.data(),
)
def test_a_single_period_may_take_off_what_is_beyond_both_of_its_ends(
    since: datetime, length: timedelta, spans: tuple[timedelta, ...], data: st.DataObject
):
    """Each moment of it counts once, each other not at all, and little is left for entries."""
    until = since + length
    found = cover_one(since, until, spans)
    parts = [*found.runs, *found.surpluses, *found.rests]
    edges = [edge for part in parts for edge in (part.since, part.until)]
    at = data.draw(st.sampled_from([since, until, *edges])) + data.draw(
        st.sampled_from([timedelta(0), -timedelta.resolution, QUARTER])
    )
    counted = sum(part.since <= at < part.until for part in (*found.runs, *found.rests))
    counted -= sum(part.since <= at < part.until for part in found.surpluses)
    counted -= 2 * sum(each.since <= at < each.until for each in found.rests if each.is_beyond)
    assert counted == (since <= at < until)
    assert len(found.rests) <= 2
    if found.runs:
        assert all(2 * (rest.until - rest.since) <= spans[0] for rest in found.rests)
    for run in (*found.runs, *found.surpluses):
        assert (run.until - run.since) % run.span == timedelta(0)


@pytest.mark.parametrize("spans", [SPANS, PRODUCT_SPANS])
def test_blocks_are_within_the_calendar(spans: tuple[timedelta, ...]):
    first, last = utc("0001-01-01"), utc("9999-12-31T23:59:59.999999")
    for since, until in ((first, last), (first + 3 * DAY, last - 3 * DAY)):
        assert cover([since, until], spans, beyond=True).runs
        assert all(run.until <= last for run in cover_one(since, until, spans).runs)


def test_a_day_in_rome_is_a_day_less_an_hour_and_one_before():
    days = list(SalesQuestion(utc("2025-01-01"), utc("2025-01-09"), grain="day",
                              zone="Europe/Rome").periods())  # fmt: skip
    found = cover(days[1:], beyond=True)
    blocks = sum((run.until - run.since) // run.span for run in found.runs)
    assert (blocks, len(found.surpluses)) == (2 * len(days[2:]), len(days[2:]))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("grain", ["hour", "day", "week", "month"])
def test_hours_and_days_of_every_zone_are_sums_of_quarters(zone: str, grain: str):
    """No period of two years begins within a quarter, so nothing is left over."""
    since, until = utc("2025-01-01"), utc("2026-01-01" if grain == "hour" else "2027-01-01")
    question = SalesQuestion(since, until, grain=grain, zone=zone)  # type: ignore[arg-type]
    bounds = bounds_of(list(question.periods()), since, until)
    assert not cover(bounds).rests
    assert all((at - since) % QUARTER == timedelta(0) for at in bounds)


@given(strategies.moments(), st.sampled_from(ZONES), st.sampled_from(["hour", "day", "week"]))
def test_blocks_of_consecutive_periods_are_read_in_few_runs(since: datetime, zone: str, grain: str):
    """No two runs of a length touch, and each block is within the period in which it begins."""
    until = since + timedelta(days=9)
    question = SalesQuestion(since, until, grain=grain, zone=zone)  # type: ignore[arg-type]
    bounds = bounds_of(list(question.periods()), since, until)
    found = cover(bounds)
    for run in found.runs:
        assert all((other.span, other.since) != (run.span, run.until) for other in found.runs)
        at = run.since
        while at < run.until:
            end = bounds[bisect_right(bounds, at)]
            assert at + run.span <= end
            at += run.span
    if grain == "hour":
        assert len([run for run in found.runs if run.span == timedelta(hours=1)]) <= 3


@pytest.mark.parametrize(
    ("since", "until", "by", "zone", "expected"),
    [
        ("2026-03-01", "2026-04-01", "dates", "UTC", ("2026-02-01", "2026-03-01")),
        ("2026-11-01", "2026-11-16", "dates", "UTC", ("2026-10-01", "2026-10-16")),
        ("2026-01-01", "2027-01-01", "dates", "UTC", ("2025-01-01", "2026-01-01")),
        ("2026-03-31", "2026-04-01", "dates", "UTC", ("2026-02-28", "2026-03-01")),
        ("2026-11-02", "2026-11-09", "weekdays", "UTC", ("2026-10-26", "2026-11-02")),
        ("2026-11-02", "2026-11-12", "weekdays", "UTC", ("2026-10-19", "2026-10-29")),
        # Local midnights, before and after the clocks go back.
        ("2026-11-01T04:00", "2026-12-01T05:00", "dates", "America/New_York",
         ("2026-10-01T04:00", "2026-11-01T04:00")),
        ("2026-11-02T05:00", "2026-11-09T05:00", "weekdays", "America/New_York",
         ("2026-10-26T04:00", "2026-11-02T05:00")),
    ],
)  # fmt: skip
def test_the_period_before(
    since: str, until: str, by: Comparison, zone: str, expected: tuple[str, str]
):
    assert period_before(utc(since), utc(until), by, zone) == tuple(map(utc, expected))


@given(
    strategies.moments(),
    st.timedeltas(timedelta(minutes=1), timedelta(days=800)),
    st.sampled_from(["dates", "weekdays"]),
    st.sampled_from(ZONES),
)
def test_the_period_before_ends_before(
    since: datetime, length: timedelta, by: Comparison, zone: str
):
    """It doesn't overlap the range, and by week days it has the same local days."""
    start, end = period_before(since, since + length, by, zone)
    assert start <= end <= since
    if by == "weekdays":
        clocks = ZoneInfo(zone)
        assert (since - start) // timedelta(days=1) >= 6
        local = (at.astimezone(clocks) for at in (since, start))
        days = [at.isoweekday() for at in local]
        assert (days[0] - days[1]) % 7 in (0, 1, 6)


@pytest.mark.parametrize("by", ["dates", "weekdays"])
def test_a_period_before_the_calendar_is_refused(by: Comparison):
    with pytest.raises(InvalidInput) as refused:
        period_before(utc("0001-01-03"), utc("0001-01-09"), by, "UTC")
    assert refused.value.faults[0].code == "bad_range"
