"""Windows: when they apply, and when that changes, beside what a clock on the wall shows."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from commerce_core.pricing.windows import Hours, Weekday, Window

ZONE = "Europe/Berlin"
BERLIN = ZoneInfo(ZONE)
STEP = timedelta(minutes=10)
SPRING = datetime(2027, 3, 24, tzinfo=UTC)
"""Some days before the clocks skip 2:00 to 3:00, on a Sunday."""
AUTUMN = datetime(2027, 10, 27, tzinfo=UTC)
"""Some days before the clocks show 2:00 to 3:00 twice, on a Sunday."""
DAYS = 12

Shown = Callable[[datetime], bool]


def hours(from_: str, until: str) -> Hours:
    return Hours(time.fromisoformat(from_), time.fromisoformat(until))


def minutes(local: datetime) -> int:
    return local.hour * 60 + local.minute


CASES: list[tuple[Window, Shown]] = [
    (Window(ZONE, days=("sat", "sun")), lambda local: local.weekday() >= 5),
    (Window(ZONE, days=("mon",)), lambda local: local.weekday() == 0),
    (
        Window(ZONE, hours=hours("18:00", "20:30")),
        lambda local: 18 * 60 <= minutes(local) < 20 * 60 + 30,
    ),
    (
        Window(ZONE, hours=hours("22:00", "02:00")),
        lambda local: local.hour >= 22 or local.hour < 2,
    ),
    (
        Window(ZONE, days=("fri",), hours=hours("22:00", "02:00")),
        lambda local: (
            (local.weekday() == 4 and local.hour >= 22) or (local.weekday() == 5 and local.hour < 2)
        ),
    ),
    (
        Window(ZONE, days=("sun",), hours=hours("00:00", "00:00")),
        lambda local: local.weekday() == 6,
    ),
    (
        Window(ZONE, hours=hours("02:20", "02:50")),
        lambda local: local.hour == 2 and 20 <= local.minute < 50,
    ),
    (Window(ZONE, hours=hours("01:30", "02:30")), lambda local: 90 <= minutes(local) < 150),
    (
        Window(ZONE, days=("tue",), hours=hours("00:00", "00:00")),
        lambda local: local.weekday() == 1,
    ),
    (
        Window(ZONE, date(2027, 3, 26), date(2027, 3, 28), hours=hours("12:00", "00:00")),
        lambda local: date(2027, 3, 26) <= local.date() <= date(2027, 3, 28) and local.hour >= 12,
    ),
    (
        Window(ZONE, from_=datetime.fromisoformat("2027-03-27T13:00"), days=("sat", "mon")),
        lambda local: (
            local.replace(tzinfo=None) >= datetime.fromisoformat("2027-03-27T13:00")
            and local.weekday() in (5, 0)
        ),
    ),
    (
        Window(ZONE, until=datetime.fromisoformat("2027-10-30T13:00"), days=("sat", "thu")),
        lambda local: (
            local.replace(tzinfo=None) < datetime.fromisoformat("2027-10-30T13:00")
            and local.weekday() in (5, 3)
        ),
    ),
    (Window(ZONE, date(2027, 3, 27)), lambda local: local.date() >= date(2027, 3, 27)),
    (Window(ZONE, until=date(2027, 10, 29)), lambda local: local.date() <= date(2027, 10, 29)),
]
STARTS = (SPRING, AUTUMN)


def moments(start: datetime) -> list[datetime]:
    return [start + n * STEP for n in range(DAYS * 24 * 6)]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(("window", "shown"), CASES)
def test_it_contains_the_moments_at_which_clocks_show_it(
    window: Window, shown: Shown, start: datetime
):
    for at in moments(start):
        assert window.contains(at) == shown(at.astimezone(BERLIN)), at


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("window", [window for window, _ in CASES])
def test_the_next_change_is_the_first_moment_that_differs_from_now(window: Window, start: datetime):
    held = [(at, window.contains(at)) for at in moments(start)]
    for n in range(0, len(held) // 4, 7):
        at, now = held[n]
        first = next((later for later, holds in held[n:] if holds != now), None)
        found = window.next_change(at)
        assert found == first or (first is None and found is not None and found > held[-1][0]), at


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("window", [window for window, _ in CASES])
def test_between_two_changes_it_stays_as_it_is(window: Window, start: datetime):
    every = moments(start)
    since, until = every[5], every[-100]
    changes = set(window.changes(since, until))
    assert all(since <= change <= until for change in changes)
    inner = [at for at in every if since < at <= until]
    differs = {at for at in inner if window.contains(at) != window.contains(at - STEP)}
    assert differs <= changes
    # It may list a midnight that changes nothing, but hardly more than that.
    assert len(changes - differs) <= 3 * DAYS


def test_a_beginning_far_away_and_an_end_in_the_past_are_found():
    window = Window(ZONE, date(2027, 6, 1), date(2027, 6, 30), ("tue",))
    assert window.next_change(SPRING) == datetime(2027, 5, 31, 22, tzinfo=UTC)  # a Tuesday
    assert window.next_change(datetime(2027, 7, 1, tzinfo=UTC)) is None
    assert window.next_change(datetime(2027, 6, 29, 10, tzinfo=UTC)) == datetime(
        2027, 6, 29, 22, tzinfo=UTC
    )
    assert window.next_change(datetime(2027, 6, 30, 10, tzinfo=UTC)) is None


def test_a_week_day_far_away_is_found_after_a_beginning_that_is_another_day():
    window = Window(ZONE, date(2027, 6, 2), days=("tue",))  # begins on a Wednesday
    assert window.next_change(SPRING) == datetime(2027, 6, 7, 22, tzinfo=UTC)
    assert window.next_change(datetime(2027, 6, 9, 10, tzinfo=UTC)) == datetime(
        2027, 6, 14, 22, tzinfo=UTC
    )


def test_changes_at_both_ends_of_a_range_are_listed():
    window = Window(ZONE, hours=hours("18:00", "20:00"))
    since, until = datetime(2027, 6, 1, 16, tzinfo=UTC), datetime(2027, 6, 1, 18, tzinfo=UTC)
    assert set(window.changes(since, until)) == {since, until}


def test_ends_in_hours_that_are_skipped_or_shown_twice():
    skipped, twice = (
        datetime.fromisoformat("2027-03-28T02:30"),
        datetime.fromisoformat("2027-10-31T02:30"),
    )
    gap, fold = datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, tzinfo=UTC)
    half = timedelta(minutes=30)
    assert (Window(ZONE, skipped).begins, Window(ZONE, until=skipped).ends) == (gap, gap)
    assert Window(ZONE, twice).begins == fold + half
    assert Window(ZONE, until=twice).ends == fold + half + 2 * half
    assert Window(ZONE, date(2027, 3, 28), date(2027, 3, 28)).ends == gap + timedelta(hours=21)


@pytest.mark.parametrize("day", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
def test_each_day_of_a_week_is_one_of_seven(day: Weekday):
    noon = datetime(2027, 6, 7, 10, tzinfo=UTC)  # a Monday
    window = Window(ZONE, days=(day,))
    held = [window.contains(noon + n * timedelta(days=1)) for n in range(7)]
    assert held.index(True) == ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(day)
    assert sum(held) == 1
