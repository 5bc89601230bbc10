"""What the collections of alert channels and of alerts promise."""

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from commerce_core.activity.inbox import InboxItem
from commerce_core.alerts.alert import Alert, AlertQuery, entry_of
from commerce_core.alerts.channel import Channel, ChannelQuery, QuietHours
from commerce_core.alerts.streak import Streak
from commerce_core.base.errors import NotFound
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import MINUTE, T0
from tests.contracts.threads import together
from tests.support.waiting import outlast

SHORT = timedelta(milliseconds=30)
ITEM = InboxItem(
    cause_id="held:feed_1", kind="held", title="prices.csv is held", reason="Too many removals.",
    partner_id="ptn_1", partner_name="Acme", count=1, products=108, first_at=T0,
    latest_at=T0 + MINUTE, subjects=("feed_1",),
)  # fmt: skip


def channel(partner_id: str | None = None, **changes: object) -> Channel:
    made = Channel(
        channel_id=samples.new_id("chan"),
        partner_id=partner_id,
        recipients=("ops@example.com", "lead@example.com"),
        severities=("critical", "info"),
        kinds=("held", "webhook"),
        quiet_hours=QuietHours("22:00", "07:00", "Europe/Berlin"),
        digest_minutes=90,
        description="Night shift",
        created_at=T0,
        updated_at=T0,
    )
    return evolve(made, **changes)


def kept(store: Store, *channels: Channel) -> Channel:
    with store.begin() as unit:
        for one in channels:
            unit.channels.add(one)
    return channels[0]


def streak(of: Channel, cause_id: str = "held:feed_1", **changes: object) -> Streak:
    entry = evolve(entry_of(ITEM, "new"), cause_id=cause_id)
    made = Streak(channel_id=of.channel_id, cause_id=cause_id, entry=entry)
    return evolve(made, **changes)


def made(store: Store, of: Channel, number: int = 1, **changes: object) -> list[Alert]:
    new = [
        evolve(
            Alert(
                alert_id=samples.new_id("alrt"),
                channel_id=of.channel_id,
                partner_id=of.partner_id,
                severity="warning",
                entries=(entry_of(ITEM, "new"), entry_of(ITEM, "over")),
                more=3,
                created_at=T0,
                due_at=T0,
            ),
            **changes,
        )
        for _ in range(number)
    ]
    with store.begin() as unit:
        unit.alerts.add(new)
    return new


def claim(store: Store, lease: timedelta = MINUTE, *without: Channel) -> Alert | None:
    with store.begin() as unit:
        return unit.alerts.claim(lease, [one.channel_id for one in without])


def claimed(store: Store, lease: timedelta = MINUTE, *without: Channel) -> Alert:
    """One that is due."""
    found = claim(store, lease, *without)
    assert found is not None
    return found


class TestChannels:
    def test_a_channel_comes_back_as_it_was_added(self, store: Store):
        by_mail = kept(store, channel())
        hook = kept(
            store,
            channel(samples.new_id("ptn"), recipients=(), url="https://example.com/", sealed="x",
                    quiet_hours=None, description=None),
        )  # fmt: skip
        with store.begin() as unit:
            assert [unit.channels.get(c.channel_id) for c in (by_mail, hook)] == [by_mail, hook]
            assert unit.channels.lock(hook.channel_id) == hook
            many = [hook.channel_id, samples.new_id("chan"), by_mail.channel_id]
            assert unit.channels.get_many(many) == {
                by_mail.channel_id: by_mail, hook.channel_id: hook,
            }  # fmt: skip
            with pytest.raises(NotFound):
                unit.channels.get(samples.new_id("chan"))

    def test_a_channel_is_replaced_without_what_workers_note(self, store: Store):
        one = kept(store, channel())
        with store.begin() as unit:
            unit.channels.note_health(one.channel_id, "cut_off", T0)
        changed = evolve(one, status="paused", quiet_hours=None, kinds=(), description=None)
        with store.begin() as unit:
            unit.channels.put(changed)
        with store.begin() as unit:
            found = unit.channels.get(one.channel_id)
        assert found == evolve(changed, failing_since=T0, error="cut_off")
        with pytest.raises(NotFound), store.begin() as unit:
            unit.channels.put(channel())

    def test_channels_are_listed_newest_first(self, store: Store):
        """Removed ones only by that status, a partner's by the partner."""
        partner_id = samples.new_id("ptn")
        one, gone, own = (
            channel(), channel(status="removed"), channel(partner_id, status="paused"),
        )  # fmt: skip
        kept(store, one, gone, own)
        with store.begin() as unit:
            for query, found in {
                ChannelQuery(): [own, one],
                ChannelQuery(partner_id): [own],
                ChannelQuery(status="removed"): [gone],
                ChannelQuery(status="active"): [one],
            }.items():
                assert list(unit.channels.page(query, None, 10).items) == found
                assert unit.channels.count(query) == len(found)
            assert list(unit.channels.lock_active()) == [one]

    def test_an_owner_has_as_many_as_were_not_removed(self, store: Store):
        partner_id = samples.new_id("ptn")
        kept(store, channel(), channel(), channel(status="removed"), channel(partner_id))
        with store.begin() as unit:
            assert unit.channels.lock_owner(None) == 2
            assert unit.channels.lock_owner(partner_id) == 1
            assert unit.channels.lock_owner(samples.new_id("ptn")) == 0

    def test_only_one_unit_adds_channels_of_an_owner_at_a_time(self, store: Store):
        def add() -> int:
            with store.begin() as unit:
                before = unit.channels.lock_owner(None)
                unit.channels.add(channel())
                return before

        assert sorted(together(*[add] * 4)) == [0, 1, 2, 3]

    def test_health_has_the_first_failure_and_the_latest_code(self, store: Store):
        one = kept(store, channel())

        def noted(error: str | None, at: datetime) -> tuple[datetime | None, str | None]:
            with store.begin() as unit:
                unit.channels.note_health(one.channel_id, error, at)
            with store.begin() as unit:
                found = unit.channels.get(one.channel_id)
            return found.failing_since, found.error

        assert noted("cut_off", T0) == (T0, "cut_off")
        assert noted("timed_out", T0 + MINUTE) == (T0, "timed_out")
        assert noted(None, T0 + MINUTE) == (None, None)

    def test_the_channels_of_a_partner_are_removed_with_what_they_were_going_to_report(
        self, store: Store
    ):
        acme = samples.new_id("ptn")
        one = channel(acme, recipients=(), url="https://example.com/", sealed="sealed")
        other = channel()
        kept(store, one, other, channel(acme, status="removed"))
        for of in (one, other):
            made(store, of)
            with store.begin() as unit:
                unit.alerts.put_streaks([streak(of)])
        with store.begin() as unit:
            assert unit.channels.remove_of(acme, T0 + MINUTE) == [one.channel_id]
            assert unit.channels.remove_of(acme, T0 + MINUTE) == []
        with store.read_only() as unit:
            after = unit.channels.get(one.channel_id)
            assert (after.status, after.sealed, after.updated_at) == ("removed", None, T0 + MINUTE)
            left = unit.alerts.streaks([one.channel_id, other.channel_id])
            assert [s.channel_id for s in left] == [other.channel_id]
            alerts = unit.alerts.page(AlertQuery(), None, 9).items
            assert {(a.channel_id, a.status, a.error) for a in alerts} == {
                (one.channel_id, "failed", "removed"),
                (other.channel_id, "pending", None),
            }


class TestAlerts:
    def test_streaks_are_kept_by_channel_and_cause(self, store: Store):
        one, other = channel(), channel()
        kept(store, one, other)
        first, second, theirs = streak(one), streak(one, "oversold:ptn_1"), streak(other)
        changed = evolve(
            first, silenced=True, reported_at=T0, reported_count=1, reported_latest_at=T0,
            gone_since=T0 + MINUTE,
        )  # fmt: skip
        with store.begin() as unit:
            unit.alerts.put_streaks([first, second, theirs])
            unit.alerts.put_streaks([changed])
            unit.alerts.put_streaks([])

        def found(*of: Channel) -> list[Streak]:
            with store.begin() as unit:
                streaks = unit.alerts.streaks([c.channel_id for c in of])
            return sorted(streaks, key=lambda s: (s.channel_id, s.cause_id))

        assert found(one, other) == [changed, second, theirs]
        with store.begin() as unit:
            unit.alerts.end_streaks({one.channel_id: [first.cause_id, "unknown"]})
            unit.alerts.end_streaks({})
        assert found(one, other) == [second, theirs]
        with store.begin() as unit:
            unit.alerts.end_all_streaks(one.channel_id)
        assert found(one, other) == [theirs]

    def test_new_alerts_are_listed_newest_first_and_note_their_channel(self, store: Store):
        partner_id = samples.new_id("ptn")
        one, own = channel(), channel(partner_id)
        kept(store, one, own)
        first, second = made(store, one, 2)
        (theirs,) = made(store, own)
        with store.begin() as unit:
            for query, ids in {
                AlertQuery(): [theirs, second, first],
                AlertQuery(partner_id): [theirs],
                AlertQuery(channel_id=one.channel_id): [second, first],
                AlertQuery(status="sent"): [],
            }.items():
                found = unit.alerts.page(query, None, 10).items
                assert [evolve(a, due_at=T0) for a in found] == ids
                assert unit.alerts.count(query) == len(ids)
            unit.alerts.add([])
            assert unit.channels.get(one.channel_id).messaged_at == T0

    def test_the_alert_that_has_been_due_longest_is_claimed(self, store: Store):
        """Each by one claim, of active channels that aren't left out."""
        one, other, paused = channel(), channel(), channel(status="paused")
        kept(store, one, other, paused)
        (first,), (second,), _ = made(store, one), made(store, other), made(store, paused)
        assert claimed(store, MINUTE, one).alert_id == second.alert_id
        found = claimed(store)
        assert (found.alert_id, found.attempts, found.status) == (first.alert_id, 1, "pending")
        assert (found.entries, found.more) == (first.entries, 3)
        assert claim(store) is None

    def test_a_claim_whose_lease_is_over_is_taken_over(self, store: Store):
        """Only the latest may record what became of it."""
        one = kept(store, channel())
        made(store, one)
        lost = claimed(store, SHORT)
        outlast(SHORT)
        mine = claimed(store)
        assert mine.attempts == 2
        with store.begin() as unit:
            assert not unit.alerts.record(lost.sent(T0))
            assert unit.alerts.record(mine.sent(T0, "some_refused"))
            assert not unit.alerts.record(mine.sent(T0))
        with store.begin() as unit:
            (found,) = unit.alerts.page(AlertQuery(), None, 10).items
        assert (found.status, found.sent_at, found.error) == ("sent", T0, "some_refused")
        assert found.due_at is None

    def test_one_that_failed_is_due_again_when_its_pause_is_over(self, store: Store):
        one = kept(store, channel())
        made(store, one)
        mine = claimed(store)
        with store.begin() as unit:
            assert unit.alerts.oldest_due() is None
            unit.alerts.record(mine.not_sent(T0, "cut_off"))
            assert unit.alerts.oldest_due() == T0 + MINUTE
        again = claimed(store)
        assert (again.attempts, again.error) == (2, "cut_off")

    def test_units_claim_different_alerts(self, store: Store):
        one = kept(store, channel())
        made(store, one, 4)
        found = together(*[lambda: claimed(store)] * 4)
        assert len({alert.alert_id for alert in found}) == 4

    def test_pending_alerts_of_a_channel_are_dropped(self, store: Store):
        one, other = channel(), channel()
        kept(store, one, other)
        made(store, one)
        (theirs,) = made(store, other)
        with store.begin() as unit:
            unit.alerts.drop(one.channel_id, "paused")
        with store.begin() as unit:
            (found,) = unit.alerts.page(AlertQuery(status="failed"), None, 10).items
        assert (found.channel_id, found.error, found.due_at) == (one.channel_id, "paused", None)
        assert claimed(store).alert_id == theirs.alert_id

    def test_as_many_old_alerts_are_forgotten_as_asked(self, store: Store):
        """Those that are pending stay."""
        one = kept(store, channel())
        old = made(store, one, 3, status="sent")
        made(store, one)
        recent = made(store, one, status="sent")
        before = recent[0].alert_id
        with store.begin() as unit:
            assert unit.alerts.forget(before, 2) == 2
            assert unit.alerts.forget(before, 2) == 1
            left = [alert.alert_id for alert in unit.alerts.page(AlertQuery(), None, 10).items]
        assert len(left) == 2
        assert not {alert.alert_id for alert in old} & set(left)
