"""Sources that fall silent are noticed, announced once, and shown wherever one looks."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import define, evolve

from commerce_core.activity.events import Event
from commerce_core.activity.inbox import InboxQuery
from commerce_core.base.errors import Forbidden, InvalidInput, NotFound
from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.freshness import Freshness
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.partners.access import SCOPES, Principal
from commerce_core.usecases.freshness import ARRIVALS_KEPT
from entrypoints.compose import open_platform
from entrypoints.leases import budget_keeper
from entrypoints.settings import Settings
from tests.support.announcements import check_announced

HEADER = "sku,product_name,price,currency\n"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAILY = Expected(every=DAY, grace=HOUR)


@define
class Clock:
    """The clock of the platform and of its store; a test moves it on."""

    now: datetime = datetime(2026, 6, 1, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@define
class World:
    """A platform with one partner, and its clock."""

    commerce: Commerce
    clock: Clock

    def wait(self, duration: timedelta) -> None:
        self.clock.now += duration

    def send(self, *names: str, source: str = "main", mode: str = "full") -> Feed:
        """Sends a file with a product of each name, and returns the feed as it then is."""
        rows = (f"{n},{name},5,EUR" for n, name in enumerate(names))
        file = io.BytesIO((HEADER + "\n".join(rows)).encode())
        job = self.commerce.feeds.load(file, partner="Acme", source=source, mode=mode)  # pyright: ignore[reportArgumentType] a mode
        return self.commerce.feeds.get(job.feed_id)

    def change(self, **settings: Any) -> None:  # noqa: ANN401 - each has its own type
        self.commerce.sources.change("main", partner="Acme", **settings)

    def look(self) -> list[Event]:
        """What workers announce when they look."""
        before = len(list(self.commerce.events.list()))
        self.commerce.freshness.watch()
        return list(self.commerce.events.list())[before:]

    @property
    def fresh(self) -> Freshness:
        found = self.commerce.sources.get("main", partner="Acme").freshness
        assert found is not None
        return found

    @property
    def reasons(self) -> set[str | None]:
        listed = self.commerce.products.list(ProductQuery(), partner="Acme")
        return {product.not_sellable_reason for product in listed}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    clock = Clock()
    with open_platform(Settings(database_url="memory:")) as commerce:
        monkeypatch.setattr(commerce.context.store, "_clock", clock)
        platform = Commerce(
            evolve(commerce.context, clock=clock, keep_lease=budget_keeper(clock=clock))
        )
        platform.partners.add("Acme", currency="EUR")
        yield World(platform, clock)


class TestStreaks:
    def test_a_late_source_is_announced_once_and_so_is_its_recovery(self, world: World):
        world.change(expected=DAILY)
        feed = world.send("Lamp", "Vase")
        assert world.look() == []
        world.wait(DAY + HOUR - MINUTE)
        assert world.look() == []
        world.wait(MINUTE)
        (late,) = world.look()
        assert (late.kind, late.data["state"], late.data["products"]) == ("feed.late", "late", 2)
        assert (late.data["last_feed_id"], late.data["basis"]) == (feed.feed_id, "declared")
        world.wait(30 * DAY)
        assert world.look() == []
        world.send("Lamp")
        (recovered,) = world.look()
        assert (recovered.kind, recovered.data["state"]) == ("feed.recovered", "fresh")
        assert recovered.data["overdue_since"] == late.data["overdue_since"]
        assert world.look() == []
        assert {"feed.late", "feed.recovered"} <= check_announced(world.commerce)

    def test_a_streak_that_nothing_expects_any_more_ends_too(self, world: World):
        world.change(expected=DAILY)
        world.send("Lamp")
        world.wait(9 * DAY)
        (late,) = world.look()
        assert late.data["state"] == "stale"
        world.commerce.partners.change("Acme", status="paused")
        (over,) = world.look()
        assert (over.kind, over.data["state"]) == ("feed.recovered", "unknown")

    def test_a_partner_that_is_active_again_is_expected_to_send_from_then_on(self, world: World):
        world.change(expected=DAILY)
        world.send("Lamp")
        world.commerce.partners.change("Acme", status="paused")
        world.wait(90 * DAY)
        assert world.fresh.state == "unknown"
        world.commerce.partners.change("Acme", status="active")
        assert world.fresh.state == "fresh"
        world.wait(DAY + HOUR)
        assert world.fresh.state == "late"

    def test_two_sources_have_streaks_of_their_own(self, world: World):
        world.change(expected=DAILY)
        world.commerce.sources.add("Acme", "stock", expected=evolve(DAILY, every=3 * DAY))
        world.send("Lamp")
        world.wait(2 * DAY)
        assert [event.data["source_name"] for event in world.look()] == ["main"]
        world.wait(2 * DAY)
        assert [event.data["source_name"] for event in world.look()] == ["stock"]
        found = world.commerce.partners.get("Acme").freshness
        assert found is not None
        assert (found.state, found.late, found.stale) == ("stale", 1, 1)

    def test_what_is_shown_doesnt_wait_for_a_worker(self, world: World):
        """The lists of sources and of partners agree, before anything was judged."""
        world.change(expected=DAILY)
        world.send("Lamp")
        world.wait(2 * DAY)
        (listed,) = world.commerce.sources.list()
        (paged,) = world.commerce.sources.page().items
        assert listed.freshness == paged.freshness == world.fresh
        assert world.fresh.state == "late"
        assert [p.freshness and p.freshness.state for p in world.commerce.partners.list()] == [
            "late"
        ]


class TestWhatCounts:
    @pytest.fixture(autouse=True)
    def daily(self, world: World) -> None:
        world.change(expected=DAILY)
        world.send("Lamp", "Vase", "Cup", "Pot")
        world.wait(20 * HOUR)

    def test_other_bytes_are_fresh(self, world: World):
        feed = world.send("Lamp", "Vase", "Cup", "Jug")
        assert world.fresh.last_feed_id == feed.feed_id

    def test_the_same_bytes_arent(self, world: World):
        before = world.fresh.last_feed_id
        assert world.send("Lamp", "Vase", "Cup", "Pot").status == "applied"
        assert world.fresh.last_feed_id == before

    def test_a_file_that_lost_most_of_its_records_isnt(self, world: World):
        before = world.fresh.last_feed_id
        assert world.send("Lamp").status == "applied"
        assert world.fresh.last_feed_id == before

    def test_a_held_file_isnt_until_it_is_approved(self, world: World):
        before = world.fresh.last_feed_id
        world.change(guards={"removals": 0, "judged_from": 1})
        feed = world.send("Lamp")
        assert (feed.status, world.fresh.last_feed_id) == ("held", before)
        world.commerce.plans.approve(feed.feed_id)
        assert world.fresh.last_feed_id == feed.feed_id

    def test_a_failed_file_isnt(self, world: World):
        before = world.fresh.last_feed_id
        file = io.BytesIO(b"<html>Sign in</html>")
        assert world.commerce.feeds.load(file, partner="Acme").status == "failed"
        assert world.fresh.last_feed_id == before

    def test_a_reverted_file_was_none_until_the_revert_is_undone(self, world: World):
        before = world.fresh.last_feed_id
        feed = world.send("Lamp", "Vase", "Cup", "Jug")
        for undo, latest in ((False, before), (True, feed.feed_id)):
            job = world.commerce.reverts.start(feed.feed_id, undo=undo)
            assert world.commerce.jobs.run(job.job_id).status == "completed"
            assert world.fresh.last_feed_id == latest

    def test_arrivals_are_forgotten_in_time(self, world: World):
        assert world.commerce.freshness.forget_old() == 0
        world.wait(ARRIVALS_KEPT)
        assert world.commerce.freshness.forget_old() == 1
        assert world.fresh.last_feed_id is not None


class TestSelling:
    def test_products_that_are_too_old_arent_sold_until_a_fresh_file_comes(self, world: World):
        world.change(stop_selling_after=3 * DAY)
        world.send("Lamp", "Vase")
        world.wait(3 * DAY - MINUTE)
        assert world.reasons == {None}
        world.wait(MINUTE)
        assert world.reasons == {"stale"}
        assert world.fresh.state == "stale"
        product = next(world.commerce.products.list(partner="Acme"))
        with pytest.raises(InvalidInput) as refused:
            world.commerce.orders.place([(product.product_id, 1)])
        (fault,) = refused.value.faults
        assert fault.code == "not_sellable"
        assert "last fresh file is too old" in fault.detail
        world.send("Lamp", "Cup")
        assert world.reasons == {None}
        assert world.commerce.orders.place([(product.product_id, 1)]).status == "created"

    def test_the_same_bytes_dont_make_them_sellable_again(self, world: World):
        world.change(stop_selling_after=DAY)
        world.send("Lamp")
        world.wait(DAY)
        world.send("Lamp")
        assert world.reasons == {"stale"}

    def test_a_longer_limit_and_none_hold_at_once(self, world: World):
        world.change(stop_selling_after=DAY)
        world.send("Lamp")
        world.wait(2 * DAY)
        for limit, reason in ((DAY, "stale"), (3 * DAY, None), (DAY, "stale"), (None, None)):
            world.change(stop_selling_after=limit)
            assert world.reasons == {reason}


class TestWhoMayChangeIt:
    @pytest.mark.parametrize("settings", [{"expected": DAILY}, {"stop_selling_after": DAY}])
    def test_a_partner_that_may_not_decide_doesnt_change_what_it_is_judged_by(
        self, world: World, settings: dict[str, Any]
    ):
        partner_id = world.commerce.partners.get("Acme").partner_id
        scopes = frozenset(SCOPES) - {"feeds:decide"}
        partner = world.commerce.acting_as(Principal("key_1", partner_id, scopes))
        with pytest.raises(Forbidden):
            partner.sources.change("main", partner="Acme", **settings)
        with pytest.raises(Forbidden):
            partner.sources.add("Acme", "stock", **settings)
        assert partner.sources.change("main", partner="Acme", run=True).run


class TestInbox:
    def test_a_late_source_is_one_item_with_what_it_costs(self, world: World):
        world.change(expected=DAILY)
        world.send("Lamp", "Vase")
        product = next(world.commerce.products.list(partner="Acme"))
        world.commerce.orders.place([(product.product_id, 7)])
        assert world.commerce.inbox.get().items == ()
        world.wait(DAY + HOUR)
        world.look()
        (item,) = world.commerce.inbox.get().items
        assert (item.kind, item.state, item.products, item.count) == ("late", "open", 2, 1)
        assert item.first_at == item.latest_at == world.clock.now
        assert [f"{sold.amount}" for sold in item.a_day] == ["5.00"]
        assert item.reason == (
            "The last came on 2026-06-01 06:00 UTC. One was due by 2026-06-02 07:00 UTC."
        )
        world.send("Lamp", "Cup")
        world.look()
        assert world.commerce.inbox.get().items == ()

    def test_an_acknowledged_one_is_open_again_once_it_is_stale(self, world: World):
        world.change(expected=DAILY)
        world.wait(DAY + 2 * HOUR)
        world.look()
        (item,) = world.commerce.inbox.get().items
        assert item.reason.startswith("It has never sent one.")
        world.commerce.inbox.mark(item.cause_id, acknowledged=True)
        assert world.commerce.inbox.get().items == ()
        world.wait(2 * DAY)
        (again,) = world.commerce.inbox.get(InboxQuery(kind="late")).items
        assert again.title == "Acme: main is stale, late by 2 days 1 hour"

    def test_figures_count_all_sources_and_name_the_late_ones(self, world: World):
        world.change(expected=DAILY)
        world.commerce.sources.add("Acme", "stock")
        world.wait(2 * DAY)
        world.look()
        found = world.commerce.freshness.overview()
        assert found.counts == {"fresh": 0, "late": 1, "stale": 0, "unknown": 1}
        assert [late.source_name for late in found.late] == ["main"]


class TestScorecards:
    def test_a_partners_weeks_are_shown_with_what_was_expected_and_came(self, world: World):
        """The clock begins on a Monday."""
        world.change(expected=Expected(cron="0 6 * * *", grace=HOUR))
        world.commerce.sources.add("Acme", "stock")
        for number in range(10):
            if number not in (2, 8):
                world.send("Lamp", f"Vase {number}")
            world.wait(DAY)
        world.send("Lamp", "Vase 9")
        found = world.commerce.freshness.scorecard("Acme", weeks=2)
        assert (found.since, found.until) == (
            datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 15, tzinfo=UTC),
        )  # fmt: skip
        first, _, second, empty = found.results
        assert [row.source_name for row in found.results] == ["main", "stock"] * 2
        assert (first.expected, first.on_time, first.missed, first.fresh) == (7, 6, 1, 6)
        assert (second.expected, second.on_time, second.missed) == (3, 2, 1)
        assert (second.received, second.fresh, second.same_bytes) == (3, 2, 1)
        assert (second.records, second.records_rejected) == (6, 0)
        assert (empty.expected, empty.received) == (None, 0)

    def test_it_begins_in_the_week_in_which_the_partner_was_added(self, world: World):
        world.change(expected=DAILY)
        for weeks, shown in ((53, 1), (1, 1)):
            assert len(world.commerce.freshness.scorecard("Acme", weeks=weeks).results) == shown
        world.wait(7 * DAY)
        assert len(world.commerce.freshness.scorecard("Acme", weeks=53).results) == 2

    def test_a_partner_sees_its_own_only(self, world: World):
        other = world.commerce.partners.add("Other").partner_id
        stranger = world.commerce.acting_as(Principal("key_1", other, frozenset(SCOPES)))
        with pytest.raises(NotFound):
            stranger.freshness.scorecard("Acme")
        assert stranger.freshness.scorecard("Other").partner_name == "Other"
