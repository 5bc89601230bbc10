"""One alert per cause and streak: what is reported, what waits, and what stays quiet."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from attrs import define, evolve, field

from commerce_core.activity.inbox import (
    ITEM_KINDS,
    SEVERITIES,
    SEVERITY,
    InboxItem,
    ItemKind,
    ItemState,
)
from commerce_core.alerts.channel import MESSAGE_EVERY, Channel, QuietHours
from commerce_core.alerts.streak import OVER_AFTER, Decision, Streak, decide
from tests.contracts.samples import DAY, MINUTE, T0

HOUR = timedelta(hours=1)
NIGHT = QuietHours("22:00", "07:00", "Europe/Berlin")
"""From 21:00 to 6:00 UTC, in winter."""


def item(
    kind: ItemKind = "failed", *, name: str = "a", count: int = 1, state: ItemState = "open",
    at: datetime = T0,
) -> InboxItem:  # fmt: skip
    return InboxItem(
        cause_id=f"{kind}:{name}", kind=kind, state=state, title=f"{kind} {name}",
        reason="Because.", partner_id="ptn_1", count=count, first_at=T0, latest_at=at,
        subjects=("feed_1",),
    )  # fmt: skip


def a_channel(**changes: object) -> Channel:
    made = Channel(
        channel_id="chan_1", partner_id=None, recipients=("ops@example.com",), created_at=T0,
        updated_at=T0,
    )  # fmt: skip
    return evolve(made, **changes)


@define
class Watch:
    """A channel that looks at the inbox now and then."""

    channel: Channel = field(factory=a_channel)
    now: datetime = T0
    streaks: dict[str, Streak] = field(factory=dict[str, Streak])
    cut: tuple[ItemKind, ...] = ()

    def look(self, *items: InboxItem, after: timedelta = timedelta()) -> Sequence[tuple[str, str]]:
        """What is reported then: phases and causes."""
        self.now += after
        decision: Decision = decide(self.channel, self.streaks, items, self.cut, self.now)
        for streak in decision.changed:
            self.streaks[streak.cause_id] = streak
        for cause_id in decision.ended:
            self.streaks.pop(cause_id, None)
        if decision.report:
            self.channel = evolve(self.channel, messaged_at=self.now)
        return [(entry.phase, entry.cause_id) for entry in decision.report]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_every_kind_of_cause_has_a_severity():
    assert set(SEVERITY) == set(ITEM_KINDS)
    assert set(SEVERITY.values()) == set(SEVERITIES)


def test_a_cause_is_reported_once_and_once_more_when_it_is_over(watch: Watch):
    """However often the channel looks meanwhile."""
    assert watch.look(item()) == [("new", "failed:a")]
    assert [watch.look(item(), after=MINUTE) for _ in range(60)] == [[]] * 60
    assert watch.look(after=MINUTE) == []
    assert watch.look(after=OVER_AFTER) == [("over", "failed:a")]
    assert watch.look(after=HOUR) == []
    assert watch.streaks == {}


def test_ten_thousand_equal_failures_are_one_alert_and_one_digest_an_hour(watch: Watch):
    """Which has the count of then; once nothing is added, nothing is sent."""
    assert watch.look(item(count=1)) == [("new", "failed:a")]
    reports = [watch.look(item(count=n), after=MINUTE) for n in range(2, 10_002, 100)]
    assert [report for report in reports if report] == [[("grown", "failed:a")]]
    assert watch.streaks["failed:a"].entry.count == 9902
    assert watch.look(item(count=9902), after=HOUR) == [("grown", "failed:a")]
    assert watch.look(item(count=9902), after=DAY) == []


def test_a_cause_that_occurs_again_has_grown(watch: Watch):
    watch.look(item())
    assert watch.look(item(at=T0 + MINUTE), after=HOUR) == [("grown", "failed:a")]


def test_a_digest_has_all_that_has_grown(watch: Watch):
    """Not one message for each."""
    watch.look(item())
    watch.look(item(), item(name="b"), after=30 * MINUTE)
    both = [item(count=2), item(name="b", count=2)]
    assert watch.look(*both, after=29 * MINUTE) == []
    assert watch.look(*both, after=MINUTE) == [("grown", "failed:a"), ("grown", "failed:b")]


def test_a_channel_gets_at_most_one_message_in_five_minutes(watch: Watch):
    """What occurs meanwhile goes into the next."""
    watch.look(item())
    names = "bcdef"
    items = [item()]
    reports = []
    for name in names:
        items.append(item(name=name))
        reports.append(watch.look(*items, after=MESSAGE_EVERY / 5))
    assert reports[:-1] == [[]] * 4
    assert reports[-1] == [("new", f"failed:{name}") for name in names]


def test_a_cause_that_flickers_is_one_streak(watch: Watch):
    watch.look(item())
    for _ in range(20):
        assert watch.look(after=OVER_AFTER - MINUTE) == []
        assert watch.look(item(), after=MINUTE) == []


@pytest.mark.parametrize("state", ["acknowledged", "snoozed"])
def test_what_a_person_has_marked_stays_quiet(watch: Watch, state: ItemState):
    """When it grows, and when it is over; one that was marked before it was seen begins nothing."""
    assert watch.look(item(state=state)) == []
    assert watch.streaks == {}
    watch.look(item())
    assert watch.look(item(state=state, count=9), after=DAY) == []
    assert watch.look(after=DAY) == []
    assert watch.streaks == {}


@pytest.mark.parametrize("state", ["acknowledged", "snoozed"])
def test_a_marked_cause_is_new_when_it_occurs_again(watch: Watch, state: ItemState):
    watch.look(item())
    watch.look(item(state=state), after=HOUR)
    assert watch.look(item(), after=MINUTE) == [("new", "failed:a")]


def test_in_quiet_hours_only_critical_causes_are_reported():
    """The others follow when they end, if they are still there then."""
    watch = Watch(a_channel(quiet_hours=NIGHT), T0.replace(hour=22))
    held, other = item("held"), item("held", name="b")
    assert watch.look(item(), held, other) == [("new", "failed:a")]
    assert watch.look(item(), held, after=HOUR) == []
    assert watch.look(item(), held, after=7 * HOUR) == [("new", "held:a")]


@pytest.mark.parametrize(
    ("night", "appears", "reported"),
    [
        # 2:00 is followed by 3:00: the quiet hours end with the hour that is left out.
        ("2026-03-28", {"a": "22:00", "b": "00:59", "c": "01:02"}, {"01:00": "ab", "01:05": "c"}),
        # The hour from 2:00 comes twice, and so do its quiet minutes.
        (
            "2026-10-24",
            {"a": "22:00", "b": "00:10", "c": "00:40", "d": "01:10"},
            {"00:30": "ab", "00:40": "c", "01:30": "d"},
        ),
    ],
)
def test_each_cause_is_reported_once_in_the_night_that_the_clock_changes(
    night: str, appears: dict[str, str], reported: dict[str, str]
):
    """Quiet hours that end at 2:30 in Berlin, looked at each minute, by UTC."""
    quiet = QuietHours("22:00", "02:30", "Europe/Berlin")
    begins = datetime.fromisoformat(f"{night}T21:30+00:00")
    watch = Watch(a_channel(quiet_hours=quiet), begins)
    seen: dict[str, str] = {}
    for minute in range(8 * 60):
        at = begins + minute * MINUTE
        hours = {name: (begins + _until(begins, time)) for name, time in appears.items()}
        there = [item("held", name=name, at=hours[name]) for name in appears if at >= hours[name]]
        watch.now = at
        for phase, cause_id in watch.look(*there):
            assert phase == "new"
            seen[f"{at:%H:%M}"] = seen.get(f"{at:%H:%M}", "") + cause_id.removeprefix("held:")
    assert seen == reported


def _until(begins: datetime, time: str) -> timedelta:
    """How long it is until that time of the day, by UTC."""
    hour, minute = map(int, time.split(":"))
    at = begins.replace(hour=hour, minute=minute)
    return (at - begins) % DAY


def test_a_recovery_waits_for_the_end_of_the_quiet_hours():
    watch = Watch(a_channel(quiet_hours=NIGHT), T0.replace(hour=20))
    watch.look(item("held"))
    assert watch.look(after=2 * HOUR) == []
    assert watch.look(after=HOUR) == []
    assert watch.look(after=8 * HOUR) == [("over", "held:a")]


def test_a_critical_recovery_does_not_wait():
    watch = Watch(a_channel(quiet_hours=NIGHT), T0.replace(hour=20))
    watch.look(item())
    watch.look(after=2 * HOUR)
    assert watch.look(after=OVER_AFTER) == [("over", "failed:a")]


def test_what_the_channel_does_not_want_is_not_reported():
    """By severity, and by kind."""
    watch = Watch(a_channel(severities=("critical",)))
    assert watch.look(item("held"), item()) == [("new", "failed:a")]
    watch = Watch(a_channel(kinds=("held",)))
    assert watch.look(item("held"), item()) == [("new", "held:a")]


def test_a_channel_that_is_changed_reports_no_recovery_of_what_it_no_longer_wants(watch: Watch):
    watch.look(item())
    watch.channel = evolve(watch.channel, kinds=("held",))
    assert [watch.look(item(), after=HOUR) for _ in range(3)] == [[]] * 3
    assert watch.streaks == {}


def test_what_was_cut_off_from_a_long_inbox_is_not_over(watch: Watch):
    watch.look(item(), item(name="b"))
    watch.cut = ("failed",)
    assert [watch.look(item(), after=HOUR) for _ in range(3)] == [[]] * 3
    watch.cut = ()
    assert watch.look(item(), after=HOUR) == []
    assert watch.look(item(), after=OVER_AFTER) == [("over", "failed:b")]
