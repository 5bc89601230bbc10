"""Schedules: no tick is lost, doubled or moved, in any zone, when clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import InvalidInput
from commerce_core.feeds.schedule import LONGEST_CRON, Schedule

ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "America/Argentina/Buenos_Aires",
    "America/Bogota", "America/Chicago", "America/Denver", "America/Halifax", "America/Havana",
    "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Nuuk",
    "America/Santiago", "America/Sao_Paulo", "America/St_Johns", "America/Asuncion",
    "Asia/Beirut", "Asia/Dubai", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata",
    "Asia/Shanghai", "Asia/Tehran", "Asia/Tokyo", "Atlantic/Azores", "Australia/Adelaide",
    "Australia/Brisbane", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin",
    "Europe/Dublin", "Europe/Istanbul", "Europe/Lisbon", "Europe/London", "Europe/Moscow",
    "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "UTC",
]  # fmt: skip
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def between(schedule: Schedule, since: datetime, until: datetime) -> list[datetime]:
    return list(takewhile(lambda tick: tick < until, schedule.after(since - MINUTE)))


def local(cron: str, zone: str, since: str, count: int = 3) -> list[str]:
    start = datetime.fromisoformat(since).replace(tzinfo=ZoneInfo(zone))
    ticks = islice(Schedule(cron, zone).after(start), count)
    return [tick.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for tick in ticks]


def test_there_are_forty_zones():
    assert len(set(ZONES)) == 40


@pytest.mark.parametrize("zone", ZONES)
def test_each_minute_of_days_on_which_clocks_change_is_a_tick_once(zone: str):
    """Every instant whose local minute is new is a tick; those of an hour that returns are none."""
    for first in changes(zone):
        since = first - 12 * HOUR
        until = first + 12 * HOUR
        seen: set[datetime] = set()
        expected: list[datetime] = []
        at = since - 4 * HOUR
        while at < until:
            minute = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            if minute not in seen and at >= since:
                expected.append(at)
            seen.add(minute)
            at += MINUTE
        assert between(Schedule("* * * * *", zone), since, until) == expected


def changes(zone: str) -> list[datetime]:
    """Two moments: those at which the zone's clocks change in 2026, or any."""
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + n * HOUR for n in range(365 * 24)]
    offsets = [hour.astimezone(ZoneInfo(zone)).utcoffset() for hour in hours]
    pairs = zip(hours[1:], offsets[1:], offsets, strict=False)
    found = [hour for hour, after, before in pairs if after != before]
    return [*found, hours[2_000], hours[6_000]][:2]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", ["2026-03-01", "2026-09-15"])
def test_a_daily_schedule_has_one_tick_for_each_local_day(zone: str, start: str):
    """Whatever the minute, in 70 days in which clocks change."""
    since = datetime.fromisoformat(start).replace(tzinfo=UTC)
    for cron in ("30 2 * * *", "0 0 * * *", "59 1 * * *"):
        ticks = list(islice(Schedule(cron, zone).after(since), 70))
        days = [tick.astimezone(ZoneInfo(zone)).date() for tick in ticks]
        assert [b - a for a, b in pairwise(days)] == [timedelta(days=1)] * 69


def test_hours_stay_local_when_clocks_change():
    assert local("0 7-8 * * *", "America/Los_Angeles", "2020-03-07T12:00") == [
        "2020-03-08T07:00-07:00", "2020-03-08T08:00-07:00", "2020-03-09T07:00-07:00",
    ]  # fmt: skip


def test_a_minute_in_the_gap_is_the_first_instant_after_it():
    assert local("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00") == [
        "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00", "2026-03-31T02:30+02:00",
    ]  # fmt: skip
    assert local("*/20 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00", 4) == [
        "2026-03-29T03:00+02:00", "2026-03-29T03:20+02:00", "2026-03-29T03:40+02:00",
        "2026-03-30T02:00+02:00",
    ]  # fmt: skip


def test_a_minute_that_occurs_twice_is_a_tick_once():
    assert local("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == [
        "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00",
    ]  # fmt: skip


def test_a_day_that_a_zone_skipped_is_one_tick():
    assert local("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00", 3) == [
        "2011-12-29T12:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T12:00+14:00",
    ]  # fmt: skip


FIELD = st.sampled_from(["*", "*/2", "1", "1-5", "3,5", "1-6/2"])


@given(minute=FIELD, hour=FIELD, day=FIELD, month=FIELD, weekday=FIELD)
def test_fields_mean_what_they_mean_to_cron(
    minute: str, hour: str, day: str, month: str, weekday: str
):
    cron = f"{minute} {hour} {day} {month} {weekday}"
    start = datetime(2026, 2, 27, 23, 58, tzinfo=UTC)
    assert list(islice(Schedule(cron).after(start), 5)) == list(islice(CronSim(cron, start), 5))


def test_names_and_sunday_as_seven_are_understood():
    named, numbered = Schedule("0 6 * jan-mar sun,mon"), Schedule("0 6 * 1-3 7,1")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert list(islice(named.after(start), 20)) == list(islice(numbered.after(start), 20))


@pytest.mark.parametrize(
    "cron",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
     "a * * * *", "5-1 * * * *", "*/0 * * * *", "0 0 31 2 *", "\u0661 * * * *", "* * * * 8",
     "0," * LONGEST_CRON + "0 * * * *"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(cron: str):
    with pytest.raises(InvalidInput) as refusal:
        Schedule(cron)
    assert refusal.value.faults[0].code == "bad_cron"


@pytest.mark.parametrize("zone", ["", "Berlin", "../etc/passwd", "x" * 65])
def test_zones_that_there_are_not_are_refused(zone: str):
    with pytest.raises(InvalidInput) as refusal:
        Schedule("0 6 * * *", zone)
    assert refusal.value.faults[0].code == "bad_time_zone"


def test_the_29th_of_february_is_found():
    assert local("0 0 29 2 *", "UTC", "2024-03-01T00:00", 1) == ["2028-02-29T00:00+00:00"]
