"""When a source's next file is overdue, in any zone, and what history makes expected."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.calendar import Weekday
from commerce_core.feeds.expectation import Expectation, dues, stated
from commerce_core.feeds.freshness import Freshness, Standing, Watched
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.feeds.rhythm import LEAST_ARRIVALS, expectation_of, learned
from commerce_core.feeds.schedule import Schedule
from commerce_core.partners.freshness_states import PartnerFreshness
from tests.unit.core.feeds.test_schedule import ZONES, changes

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTHING = Expected()
MONDAY = datetime(2026, 6, 1, 6, tzinfo=UTC)


def standing(**changes: Any) -> Standing:  # noqa: ANN401 - each has its own type
    return Standing(source_id="src_1", partner_id="ptn_1", since=MONDAY - 90 * DAY, **changes)


def watched(
    expected: Expected = NOTHING,
    last: datetime | None = None,
    **changes: Any,  # noqa: ANN401 - each has its own type
) -> Watched:
    return evolve(Watched(standing(last_fresh_at=last), expected), **changes)


def state(of: Watched, now: datetime) -> str:
    return of.judged(now).state_at(now)


def next_local(
    expected: Expected, last: str, count: int = 3, zone: str = "Europe/Rome"
) -> list[str]:
    """When the files after a local time are expected, in local time."""
    clocks = ZoneInfo(zone)
    found = expectation_of(expected, None, zone, ())
    assert found is not None
    start = datetime.fromisoformat(last).replace(tzinfo=clocks)
    return [
        f"{due.at.astimezone(clocks):%a %d %H:%M}"
        for due in islice(dues(found, expected, start), count)
    ]


class TestStates:
    def test_a_source_is_fresh_then_late_then_stale(self):
        """Late after the grace of its next file, stale after that of the third."""
        source = watched(Expected(cron="0 6 * * *", grace=HOUR), MONDAY)
        states = [
            (0 * DAY, "fresh"), (DAY + HOUR - MINUTE, "fresh"), (DAY + HOUR, "late"),
            (3 * DAY + HOUR - MINUTE, "late"), (3 * DAY + HOUR, "stale"), (99 * DAY, "stale"),
        ]  # fmt: skip
        assert [state(source, MONDAY + after) for after, _ in states] == [s for _, s in states]

    def test_where_selling_stops_the_source_becomes_stale_just_then(self):
        """Be that before it is late, or long after."""
        expected = Expected(cron="0 6 * * *", grace=HOUR)
        for limit, before in ((12 * HOUR, "fresh"), (9 * DAY, "late")):
            source = watched(expected, MONDAY, stop_selling_after=limit)
            assert state(source, MONDAY + limit - MINUTE) == before
            assert state(source, MONDAY + limit) == "stale"

    def test_of_a_source_without_history_nothing_is_known(self):
        assert state(watched(), MONDAY) == "unknown"
        assert state(watched(stop_selling_after=DAY), MONDAY) == "unknown"

    def test_a_source_that_never_sent_what_was_declared_is_late(self):
        """Counted from when it was added, or its partner became active again."""
        source = watched(Expected(every=DAY, grace=0 * DAY))
        assert state(source, MONDAY) == "stale"
        resumed = evolve(source, standing=evolve(source.standing, since=MONDAY))
        assert state(resumed, MONDAY + DAY - MINUTE) == "fresh"
        assert state(resumed, MONDAY + DAY) == "late"

    def test_nothing_is_expected_of_a_partner_that_isnt_active(self):
        source = watched(Expected(every=DAY), MONDAY, is_active=False)
        assert state(source, MONDAY + 99 * DAY) == "unknown"

    def test_what_was_judged_is_kept_until_it_needs_judging(self):
        kept = standing(expected_by=MONDAY, judged_at=MONDAY)
        source = Watched(kept, Expected(every=DAY), needs_judging=False)
        assert source.current(MONDAY) is kept
        assert evolve(source, needs_judging=True).current(MONDAY).basis == "declared"

    def test_what_is_shown_has_the_beginning_of_a_streak_only_in_one(self):
        source = watched(Expected(every=DAY, grace=HOUR), MONDAY).judged(MONDAY)
        assert Freshness.of(source, MONDAY).late_since is None
        late = Freshness.of(source, MONDAY + 2 * DAY)
        assert (late.state, late.late_since) == ("late", MONDAY + DAY + HOUR)

    def test_a_partner_is_as_fresh_as_its_worst_source(self):
        found = PartnerFreshness.of(["fresh", "late", "unknown", "fresh"])
        assert found == PartnerFreshness("late", fresh=2, late=1, stale=0, unknown=1)
        assert PartnerFreshness.of(["stale", "late"]).state == "stale"
        assert PartnerFreshness.of(["unknown", "fresh"]).state == "fresh"
        assert PartnerFreshness.of([]).state == "unknown"


class TestDues:
    def test_a_schedule_is_expected_in_its_zone(self):
        expected = Expected(cron="30 6 * * mon-fri", time_zone="Europe/Rome")
        assert next_local(expected, "2026-06-04T06:40") == [
            "Fri 05 06:30", "Mon 08 06:30", "Tue 09 06:30",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("sent", "next_one"),
        [
            ("05:00", "Tue 02 06:00"),  # by no more than the grace
            ("04:59", "Mon 01 06:00"),
            ("06:00", "Tue 02 06:00"),
            ("23:00", "Tue 02 06:00"),
        ],
    )
    def test_a_file_may_come_early_by_the_grace(self, sent: str, next_one: str):
        expected = Expected(cron="0 6 * * *", grace=HOUR)
        assert next_local(expected, f"2026-06-01T{sent}", 1) == [next_one]

    def test_a_file_is_early_by_no_more_than_half_of_the_interval(self):
        expected = Expected(cron="0 * * * *", grace=3 * HOUR)
        assert next_local(expected, "2026-06-01T06:29", 1) == ["Mon 01 07:00"]
        assert next_local(expected, "2026-06-01T06:30", 1) == ["Mon 01 08:00"]

    def test_what_is_fetched_is_never_early(self):
        """A fetch on request shortly before a tick doesn't stand for that."""
        found = expectation_of(NOTHING, Schedule("0 6 * * *"), "UTC", ())
        assert found is not None
        first = next(dues(found, NOTHING, MONDAY - MINUTE))
        assert (found.basis, first.at, first.by) == ("schedule", MONDAY, MONDAY + HOUR)

    def test_no_file_is_expected_on_days_off(self):
        expected = Expected(
            cron="0 6 * * *", weekdays_off=("sat", "sun"), dates_off=(date(2026, 6, 8),)
        )
        assert next_local(expected, "2026-06-04T06:00") == [
            "Fri 05 06:00", "Tue 09 06:00", "Wed 10 06:00",
        ]  # fmt: skip
        often = Expected(
            every=12 * HOUR, weekdays_off=("sat", "sun"), dates_off=(date(2026, 6, 8),)
        )
        assert next_local(often, "2026-06-05T09:00") == [
            "Fri 05 21:00", "Tue 09 09:00", "Tue 09 21:00",
        ]  # fmt: skip

    def test_days_off_are_days_of_their_zone(self):
        """At 22:30 in Rome it is Saturday in Tokyo."""
        expected = Expected(every=HOUR, weekdays_off=("sat",), time_zone="Asia/Tokyo")
        start = datetime(2026, 6, 5, 14, 30, tzinfo=UTC)
        found = expectation_of(expected, None, "Europe/Rome", ())
        assert found is not None
        assert next(dues(found, expected, start)).at == datetime(2026, 6, 6, 15, 30, tzinfo=UTC)

    def test_a_schedule_whose_every_day_is_off_expects_nothing(self):
        expected = Expected(cron="0 6 * * sat", weekdays_off=("sat",))
        assert next_local(expected, "2026-06-01T06:00") == []
        assert state(watched(expected, MONDAY), MONDAY + 99 * DAY) == "unknown"

    @pytest.mark.parametrize(
        ("cron", "every", "grace"),
        [
            ("0 6 * * *", None, HOUR), ("0 * * * *", None, 15 * MINUTE),
            ("*/10 * * * *", None, 5 * MINUTE), ("0 6 1 1 *", None, HOUR),
            (None, 2 * HOUR, 30 * MINUTE), (None, 5 * MINUTE, 5 * MINUTE),
        ],
    )  # fmt: skip
    def test_the_default_grace_is_a_quarter_of_the_interval(
        self, cron: str | None, every: timedelta | None, grace: timedelta
    ):
        assert stated("declared", cron, every, "UTC", None).grace == grace

    def test_no_grace_at_all_can_be_declared(self):
        assert stated("declared", "0 6 * * *", None, "UTC", 0 * DAY).grace == 0 * DAY

    @pytest.mark.parametrize("zone", ZONES)
    def test_one_file_a_local_day_is_expected_through_changes_of_the_clock(self, zone: str):
        """Whatever the minute of the day: none is skipped, none asked for twice, none hours off."""
        for change in changes(zone):
            for at in ("00:00", "01:30", "02:30", "03:15", "23:59"):
                hour, minute = at.split(":")
                expected = Expected(cron=f"{minute} {hour} * * *", time_zone=zone, grace=HOUR)
                source = watched(expected, change - 40 * HOUR, time_zone=zone)
                last, found = source.standing.last_fresh_at, list[datetime]()
                for _ in range(4):
                    made = evolve(source, standing=standing(last_fresh_at=last)).judged(change)
                    assert made.expected_at is not None
                    assert made.expected_by == made.expected_at + HOUR
                    found.append(made.expected_at)
                    # It arrives ten minutes after it was expected.
                    last = made.expected_at + 10 * MINUTE
                assert all(22 * HOUR <= b - a <= 26 * HOUR for a, b in pairwise(found))

    @pytest.mark.parametrize("zone", ZONES)
    def test_days_off_hold_through_changes_of_the_clock(self, zone: str):
        clocks = ZoneInfo(zone)
        for change in changes(zone):
            day = change.astimezone(clocks).date()
            expected = Expected(every=6 * HOUR, dates_off=(day,), time_zone=zone)
            found = expectation_of(expected, None, zone, ())
            assert found is not None
            due = list(islice(dues(found, expected, change - 54 * HOUR), 30))
            days = [one.at.astimezone(clocks).date() for one in due]
            assert day not in days
            assert day - DAY in days
            assert day + DAY in days
            assert all(later.at > earlier.at for earlier, later in pairwise(due))


def weeks(
    days: Sequence[Weekday] | None, hour: int, minute: int, spread: int = 5, *,
    zone: str = "Europe/Rome", count: int = 35, skipped: Sequence[int] = (),
) -> list[datetime]:  # fmt: skip
    """Arrivals on these weekdays (None: all) at about that local time, for so many days."""
    random, clocks = Random(7), ZoneInfo(zone)
    made: list[datetime] = []
    for number in range(count):
        at = datetime(2026, 5, 4, hour, minute) + number * DAY  # noqa: DTZ001 - in the zone below
        name = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[at.weekday()]
        if (days is None or name in days) and number not in skipped:
            at += random.randint(-spread, spread) * MINUTE
            made.append(at.replace(tzinfo=clocks).astimezone(UTC))
    return made


WORKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")


class TestLearning:
    def learn(self, arrivals: Sequence[datetime], expected: Expected = NOTHING) -> Expectation:
        found = learned(expected, "Europe/Rome", arrivals)
        assert found is not None
        return found

    def test_a_daily_time_is_learned(self):
        found = self.learn(weeks(None, 6, 30))
        minute, hour, *days = (found.cron or "").split()
        assert (int(hour) * 60 + int(minute)) in range(6 * 60 + 25, 6 * 60 + 36)
        assert (days, found.confidence, found.grace) == (["*"] * 3, 1, HOUR)

    def test_weekdays_are_learned(self):
        found = self.learn(weeks(WORKDAYS, 6, 30))
        assert (found.cron or "").endswith(" 6 * * mon,tue,wed,thu,fri")
        assert found.confidence == 1

    def test_one_weekday_is_learned(self):
        assert (self.learn(weeks(["wed"], 6, 30)).cron or "").endswith(" * * wed")

    @pytest.mark.parametrize("hour", [0, 12, 23])
    def test_a_time_close_to_midnight_is_learned_on_its_own_weekdays(self, hour: int):
        minute = 58 if hour == 23 else 2
        found = self.learn(weeks(WORKDAYS, hour, minute, spread=6))
        arrivals = weeks(WORKDAYS, hour, minute, spread=6)
        assert found.confidence == 1
        first = next(dues(found, NOTHING, arrivals[-2]))
        assert abs(first.at - arrivals[-1]) < 15 * MINUTE

    def test_an_interval_is_learned(self):
        arrivals = [MONDAY + n * HOUR + (n % 3) * MINUTE for n in range(100)]
        found = self.learn(arrivals)
        assert (found.cron, found.every, found.confidence) == (None, HOUR + MINUTE, 1)

    def test_files_by_the_hour_with_pauses_at_night_are_expected_in_the_morning(self):
        """An interval would make each night late."""
        day = [MONDAY + n * DAY for n in range(14)]
        found = self.learn([at + n * HOUR for at in day for n in range(9)])
        assert (found.every, found.cron) == (None, "0 8 * * *")

    def test_confidence_is_the_share_of_expected_days_that_had_a_file(self):
        found = self.learn(weeks(None, 6, 30, skipped=[3, 10, 17, 22]))
        assert found.confidence == Decimal("1.00") - (Decimal(4 - 3) / 30).quantize(Decimal("0.01"))

    def test_with_little_confidence_nothing_is_expected(self):
        """What was learned is still shown."""
        arrivals = weeks(None, 6, 30, count=28, skipped=range(7, 14))
        made = watched(NOTHING, arrivals[-1], arrivals=tuple(arrivals)).judged(MONDAY)
        assert (made.basis, made.expected_by) == ("learned", None)
        assert made.confidence is not None
        assert made.confidence < Decimal("0.8")

    def test_nothing_is_learned_from_few_files(self):
        arrivals = [MONDAY + n * HOUR for n in range(LEAST_ARRIVALS)]
        assert learned(NOTHING, "UTC", arrivals[:-1]) is None
        assert learned(NOTHING, "UTC", arrivals) is not None
        assert learned(NOTHING, "UTC", ()) is None

    def test_a_week_of_daily_files_is_too_short_to_know_the_weekdays(self):
        assert learned(NOTHING, "UTC", weeks(None, 6, 30, count=7)) is None

    def test_only_the_last_weeks_count(self):
        """A source that moved from six to nine is expected at nine."""
        old = [at - 40 * DAY for at in weeks(None, 6, 0)]
        assert " 9 * * " in f"{self.learn([*old, *weeks(None, 9, 10)]).cron}"

    def test_unsteady_times_make_a_longer_grace(self):
        assert self.learn(weeks(None, 10, 0, spread=120)).grace > 2 * HOUR

    def test_a_declared_grace_and_days_off_hold_for_what_is_learned(self):
        expected = Expected(grace=7 * MINUTE, dates_off=(date(2026, 5, 14),))
        found = self.learn(weeks(None, 6, 30, skipped=[10]), expected)
        assert (found.grace, found.confidence) == (7 * MINUTE, 1)

    def test_silence_doesnt_make_a_source_unknown(self):
        """What is learned comes from the weeks before its last file, not before today."""
        arrivals = tuple(weeks(None, 6, 30))
        source = watched(NOTHING, arrivals[-1], arrivals=arrivals, time_zone="Europe/Rome")
        assert state(source, arrivals[-1] + 200 * DAY) == "stale"

    @given(st.lists(st.integers(0, 60 * 24 * 60), min_size=4, max_size=60))
    def test_any_history_makes_something_valid_or_nothing(self, minutes: list[int]):
        arrivals = sorted(MONDAY + n * MINUTE for n in minutes)
        made = watched(NOTHING, arrivals[-1], arrivals=tuple(arrivals)).judged(arrivals[-1])
        assert made.state_at(arrivals[-1]) in ("fresh", "unknown")
        assert made.confidence is None or 0 < made.confidence <= 1


class TestPrecedence:
    SCHEDULE = Schedule("0 6 * * *", "Asia/Tokyo")

    def test_what_is_declared_comes_first(self):
        found = expectation_of(Expected(every=DAY), self.SCHEDULE, "UTC", weeks(None, 6, 0))
        assert found == Expectation("declared", None, DAY, "Asia/Tokyo", HOUR)

    def test_then_the_schedule_of_fetches(self):
        found = expectation_of(Expected(grace=MINUTE), self.SCHEDULE, "UTC", ())
        assert found == Expectation("schedule", "0 6 * * *", None, "Asia/Tokyo", MINUTE)

    def test_a_schedule_that_mostly_finds_nothing_only_looks(self):
        """Looked at every ten minutes, a file that comes daily isn't late each time."""
        arrivals = weeks(None, 6, 30)
        for cron, basis in (("*/10 * * * *", "learned"), ("35 6 * * *", "schedule")):
            schedule = Schedule(cron, "Europe/Rome")
            found = expectation_of(NOTHING, schedule, "Europe/Rome", arrivals)
            assert found is not None
            assert found.basis == basis

    def test_days_off_arent_ticks_without_a_file(self):
        arrivals = weeks(["mon", "tue"], 6, 30, count=70)
        schedule = Schedule("35 6 * * *", "Europe/Rome")
        off = Expected(weekdays_off=("wed", "thu", "fri", "sat", "sun"))
        for expected, basis in ((NOTHING, "learned"), (off, "schedule")):
            found = expectation_of(expected, schedule, "Europe/Rome", arrivals)
            assert found is not None
            assert found.basis == basis
