"""What the collections of arrivals and of standings promise, and what that makes of products."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.catalog.export import WRITERS
from commerce_core.catalog.product import ProductQuery
from commerce_core.feeds.arrival import Arrival, Verdict
from commerce_core.feeds.freshness import Standing, Watched
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.feeds.place import HttpsPlace
from commerce_core.feeds.pull import Pull
from commerce_core.feeds.rhythm import LEARNED_FROM
from commerce_core.feeds.schedule import Schedule
from commerce_core.feeds.scorecard import FeedCounts
from commerce_core.feeds.source import Source
from commerce_core.feeds.summary import Drift, Summary
from commerce_core.partners.partner import Partner
from commerce_core.ports.store import Store, UnitOfWork
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, T0

HOUR = timedelta(hours=1)
NOW = T0 + 30 * DAY


def arrived(
    store: Store, of: Source, at: datetime = T0, verdict: Verdict = "fresh", **changes: object
) -> Arrival:
    feed = samples.feed(of)
    made = Arrival(
        feed.feed_id, of.source_id, of.partner_id, at, "full", "ab" * 32, 100, 90, verdict
    )
    made = evolve(made, **changes)
    with store.begin() as unit:
        unit.arrivals.add(made)
    return made


def another(store: Store, of: Partner, name: str) -> Source:
    made = samples.source(of, name)
    with store.begin() as unit:
        unit.sources.add(made)
    return made


def standing(store: Store, of: Source) -> Standing:
    return watched(store, of).standing


def watched(store: Store, of: Source) -> Watched:
    with store.begin() as unit:
        (found,) = unit.standings.watched([of.source_id])
    return found


def judged(store: Store, of: Source, **changes: object) -> Standing:
    """The source's standing, judged as one with these attributes."""
    made = evolve(standing(store, of), judged_at=NOW, **changes)
    with store.begin() as unit:
        assert of.source_id in [w.standing.source_id for w in unit.standings.to_judge(100)]
        unit.standings.judge([made])
    return made


class TestArrivals:
    def test_arrivals_before_a_feed_are_those_of_its_source_newest_first(self, store: Store):
        someone, main = samples.settled(store)
        other = another(store, someone, "stock")
        made = [arrived(store, main, T0 + n * DAY, "same_bytes") for n in range(4)]
        arrived(store, other)
        with store.begin() as unit:
            unit.arrivals.mark(made[1].feed_id, reverted=True)
            found = unit.arrivals.before(made[3].feed_id, main.source_id, 10)
            assert list(found) == [made[2], made[0]]
            assert list(unit.arrivals.before("", main.source_id, 1)) == [made[3]]

    def test_the_standing_of_a_source_has_its_latest_fresh_arrival(self, store: Store):
        """One that isn't fresh changes only how many products there are."""
        _, main = samples.settled(store)
        assert standing(store, main) == Standing(
            source_id=main.source_id, partner_id=main.partner_id, since=main.created_at
        )
        first = arrived(store, main, T0 + DAY)
        arrived(store, main, T0 + 2 * DAY, "shrunk", products=12)
        arrived(store, main, T0)
        found = standing(store, main)
        assert (found.last_fresh_at, found.last_feed_id) == (first.at, first.feed_id)
        assert found.products == 90
        assert found.judged_at is None

    def test_an_arrival_that_is_stored_again_replaces_the_first(self, store: Store):
        _, main = samples.settled(store)
        first = arrived(store, main)
        with store.begin() as unit:
            unit.arrivals.add(evolve(first, verdict="shrunk", records=None, products=3))
            found = unit.arrivals.before("", main.source_id, 10)
        assert list(found) == [evolve(first, verdict="shrunk", records=None, products=3)]
        assert standing(store, main).last_fresh_at is None

    def test_a_reverted_feed_was_no_arrival_until_that_is_undone(self, store: Store):
        _, main = samples.settled(store)
        first, second = arrived(store, main), arrived(store, main, T0 + DAY)
        for reverted, latest in ((True, first), (False, second)):
            judged(store, main)
            with store.begin() as unit:
                unit.arrivals.mark(second.feed_id, reverted=reverted)
                unit.arrivals.mark(samples.new_id("feed"), reverted=reverted)
            found = standing(store, main)
            assert (found.last_feed_id, found.judged_at) == (latest.feed_id, None)

    def test_a_partners_arrivals_of_some_time_are_listed_oldest_first(self, store: Store):
        someone, main = samples.settled(store)
        _, others = samples.settled(store)
        made = [arrived(store, main, T0 + n * DAY) for n in (3, 1, 2, 0)]
        arrived(store, others)
        with store.begin() as unit:
            found = unit.arrivals.between(someone.partner_id, T0 + DAY, T0 + 3 * DAY)
        assert list(found) == [made[1], made[2]]

    def test_feeds_are_counted_by_source_and_week(self, store: Store):
        """By what the last ingest of each found; `held` also if that was decided since."""
        someone, main = samples.settled(store)
        _, others = samples.settled(store)
        stock = another(store, someone, "stock")
        summary = Summary(records_read=11, blank=1, rejected=2)
        drift = (Drift("column_added", "Colour", None, ""),)
        bounds = [T0, T0 + 7 * DAY, T0 + 14 * DAY]
        for of, at, status, done in (
            (main, T0, "applied", summary),
            (main, T0 + 6 * DAY, "failed", None),
            (main, T0 + 6 * DAY, "rejected", evolve(summary, drift=drift)),
            (main, T0 + 7 * DAY, "held", summary),
            (stock, T0 + 13 * DAY, "applied", evolve(summary, drift=drift)),
            (main, T0 + 14 * DAY, "applied", summary),
            (main, T0 - MINUTE, "applied", summary),
            (others, T0, "applied", summary),
        ):
            feed = samples.received(store, of, status=status, received_at=at)
            samples.queued(store, feed, status="failed", summary=evolve(summary, rejected=9))
            held = status == "held"
            samples.queued(store, feed, status="held" if held else "completed", summary=done)
            samples.queued(store, feed, kind="revert", status="completed", summary=Summary())
        with store.begin() as unit:
            found = {
                (c.source_id, c.week): c for c in unit.arrivals.counts(main.partner_id, bounds)
            }
        rejected = 2 + 9 + 2
        assert found == {
            (main.source_id, 0): FeedCounts(main.source_id, 0, 3, 0, 1, 1, 30, rejected, 1),
            (main.source_id, 1): FeedCounts(main.source_id, 1, 1, 1, 0, 0, 10, 2, 0),
            (stock.source_id, 1): FeedCounts(stock.source_id, 1, 1, 0, 0, 0, 10, 2, 1),
        }

    def test_as_many_old_arrivals_are_forgotten_as_asked(self, store: Store):
        """The standing keeps what it has."""
        _, main = samples.settled(store)
        made = [arrived(store, main, T0 + n * DAY) for n in range(4)]
        with store.begin() as unit:
            assert unit.arrivals.forget(T0 + 3 * DAY, 2) == 2
            assert unit.arrivals.forget(T0 + 3 * DAY, 2) == 1
            assert unit.arrivals.forget(T0 + 3 * DAY, 2) == 0
            assert list(unit.arrivals.before("", main.source_id, 10)) == [made[3]]
        assert standing(store, main).last_feed_id == made[3].feed_id


class TestStandings:
    def test_a_watched_source_has_its_settings_and_its_fresh_arrivals(self, store: Store):
        """Of the weeks before the latest, in rising order, with the schedule of its fetches."""
        someone, main = samples.settled(store, time_zone="Asia/Tokyo")
        expected = Expected(every=HOUR, grace=5 * MINUTE, dates_off=(T0.date(),))
        main = evolve(main, expected=expected, stop_selling_after=3 * DAY)
        pull = Pull(
            main.source_id, someone.partner_id, HttpsPlace("https://partner.example/feed.csv"), T0,
            cron="0 6 * * *", time_zone="Europe/Rome",
        )  # fmt: skip
        with store.begin() as unit:
            unit.sources.put(main)
            unit.pulls.put(pull)
        for days in (0, 1, 2):
            arrived(store, main, T0 + LEARNED_FROM + days * DAY)
        arrived(store, main, T0 + LEARNED_FROM + 3 * DAY, "same_bytes")
        reverted = arrived(store, main, T0 + LEARNED_FROM + DAY)
        arrived(store, main, T0 + 2 * DAY)
        with store.begin() as unit:
            unit.arrivals.mark(reverted.feed_id, reverted=True)
        found = watched(store, main)
        assert found == Watched(
            standing(store, main), expected, 3 * DAY, "Asia/Tokyo", True,
            Schedule("0 6 * * *", "Europe/Rome"),
            tuple(T0 + LEARNED_FROM + days * DAY for days in range(3)), True,
        )  # fmt: skip

    def test_sources_of_partners_are_watched_whether_active_or_not(self, store: Store):
        someone, main = samples.settled(store)
        paused, other = samples.settled(store, status="paused")
        third = another(store, paused, "stock")
        with store.begin() as unit:
            found = unit.standings.of_partners([paused.partner_id])
            assert {w.standing.source_id for w in found} == {other.source_id, third.source_id}
            assert not any(w.is_active for w in found)
            assert len(unit.standings.of_partners([someone.partner_id, paused.partner_id])) == 3
            assert len(unit.standings.watched([main.source_id, samples.new_id("src")])) == 1

    def test_what_is_expected_is_stored_as_it_was_judged(self, store: Store):
        _, main = samples.settled(store)
        arrived(store, main)
        made = judged(
            store, main, expected_at=T0 + DAY, expected_by=T0 + DAY + HOUR, stale_at=T0 + 3 * DAY,
            basis="learned", cron="0 6 * * *", every=DAY, time_zone="Europe/Rome", grace=HOUR,
            confidence=Decimal("0.97"),
        )  # fmt: skip
        assert standing(store, main) == made
        assert not watched(store, main).needs_judging
        assert watched(store, main).arrivals == ()
        cleared = Standing(
            source_id=main.source_id, partner_id=main.partner_id, since=made.since,
            last_fresh_at=made.last_fresh_at, last_feed_id=made.last_feed_id,
            products=made.products, judged_at=NOW,
        )  # fmt: skip
        with store.begin() as unit:
            unit.standings.judge([cleared])
        assert standing(store, main) == cleared

    def test_as_many_sources_are_judged_as_asked_new_ones_too(self, store: Store):
        someone, main = samples.settled(store)
        stock = another(store, someone, "stock")
        arrived(store, stock)
        with store.begin() as unit:
            assert len(unit.standings.to_judge(1)) == 1
            assert {w.standing.source_id for w in unit.standings.to_judge(9)} == {
                main.source_id, stock.source_id,
            }  # fmt: skip
        for source in (main, stock):
            judged(store, source)
        with store.begin() as unit:
            assert list(unit.standings.to_judge(9)) == []

    @pytest.mark.parametrize("removed", [False, True])
    def test_another_way_of_fetching_is_judged_again(self, store: Store, removed: bool):
        """One that was set since, or one that is gone although it determined what is expected."""
        _, main = samples.settled(store)
        pull = Pull(
            main.source_id, main.partner_id, HttpsPlace("https://x.example/a"), T0, cron="0 6 * * *"
        )
        with store.begin() as unit:
            unit.pulls.put(pull)
        judged(store, main, basis="schedule")
        assert not watched(store, main).needs_judging
        with store.begin() as unit:
            if removed:
                unit.pulls.remove(main.source_id)
            else:
                unit.pulls.put(evolve(pull, updated_at=NOW + MINUTE))
            assert [w.standing.source_id for w in unit.standings.to_judge(9)] == [main.source_id]

    def test_judgements_are_taken_back_for_a_source_or_a_partner(self, store: Store):
        someone, main = samples.settled(store)
        stock = another(store, someone, "stock")
        _, others = samples.settled(store)
        for source in (main, stock, others):
            judged(store, source)
        with store.begin() as unit:
            unit.standings.rejudge(source_id=main.source_id)
        assert [watched(store, s).needs_judging for s in (main, stock, others)] == [
            True, False, False,
        ]  # fmt: skip
        assert standing(store, main).since == main.created_at
        with store.begin() as unit:
            unit.standings.rejudge(partner_id=someone.partner_id, since=NOW)
        assert [watched(store, s).needs_judging for s in (main, stock, others)] == [
            True, True, False,
        ]  # fmt: skip
        assert [standing(store, s).since for s in (main, stock, others)] == [
            NOW, NOW, others.created_at,
        ]  # fmt: skip

    def test_a_streak_is_announced_once_and_so_is_its_end(self, store: Store):
        someone, main = samples.settled(store, "Acme")
        judged(store, main, expected_by=T0, stale_at=T0 + DAY)
        with store.begin() as unit:
            assert list(unit.standings.to_announce(T0 - MINUTE, 9)) == []
            (found,) = unit.standings.to_announce(T0, 9)
            assert (found.source_name, found.partner_name) == ("main", "Acme")
            assert found.standing == standing_in(unit, main)
            unit.standings.announce({main.source_id: T0})
        with store.begin() as unit:
            assert list(unit.standings.to_announce(T0 + 2 * DAY, 9)) == []
            unit.standings.judge([evolve(standing_in(unit, main), expected_by=None, stale_at=None)])
            (found,) = unit.standings.to_announce(T0 + 2 * DAY, 9)
            assert found.standing.late_since == T0
            unit.standings.announce({main.source_id: None})
            assert list(unit.standings.to_announce(T0 + 2 * DAY, 9)) == []
        assert someone.partner_id == found.standing.partner_id

    def test_as_many_are_announced_as_asked(self, store: Store):
        """Those that are stale before they are late as well."""
        someone, main = samples.settled(store)
        stock = another(store, someone, "stock")
        judged(store, main, expected_by=T0 + DAY, stale_at=T0)
        judged(store, stock, expected_by=T0)
        with store.begin() as unit:
            assert len(unit.standings.to_announce(T0, 1)) == 1
            assert len(unit.standings.to_announce(T0, 9)) == 2

    def test_late_sources_are_listed_the_longest_first(self, store: Store):
        someone, main = samples.settled(store)
        stock = another(store, someone, "stock")
        _, others = samples.settled(store)
        judged(store, main, expected_by=T0)
        judged(store, stock, expected_by=T0 + DAY, stale_at=T0 - DAY)
        judged(store, others, expected_by=T0 + MINUTE)

        def late(partner_id: str | None, now: datetime, most: int = 9) -> list[str]:
            with store.begin() as unit:
                return [
                    late.standing.source_id for late in unit.standings.late(partner_id, now, most)
                ]

        assert late(None, T0) == [stock.source_id, main.source_id]
        assert late(None, T0 + MINUTE, 1) == [stock.source_id]
        assert late(others.partner_id, T0 + MINUTE) == [others.source_id]
        assert late(someone.partner_id, T0 - 2 * DAY) == []

    def test_standings_are_counted_by_state(self, store: Store):
        someone, main = samples.settled(store)
        sources = [main, *(another(store, someone, name) for name in "abc")]
        judged(store, sources[0], expected_by=T0 + MINUTE)
        judged(store, sources[1], expected_by=T0)
        judged(store, sources[2], expected_by=T0 + DAY, stale_at=T0)
        judged(store, sources[3])
        with store.begin() as unit:
            counts = unit.standings.counts(T0)
        assert counts == {"fresh": 1, "late": 1, "stale": 1, "unknown": 1}

    def test_a_removed_source_has_neither_a_standing_nor_arrivals(self, store: Store):
        someone, main = samples.settled(store)
        stock = another(store, someone, "stock")
        for source in (main, stock):
            arrived(store, source)
        with store.begin() as unit:
            unit.standings.remove(stock.source_id)
            unit.standings.remove(samples.new_id("src"))
            assert [a.source_id for a in unit.arrivals.between(someone.partner_id, T0, NOW)] == [
                main.source_id
            ]
            assert unit.standings.counts(NOW) == {"unknown": 1}


def standing_in(unit: UnitOfWork, of: Source) -> Standing:
    (found,) = unit.standings.watched([of.source_id])
    return found.standing


class TestStale:
    """Products whose source's last fresh file is too old can't be sold, wherever that shows."""

    @pytest.fixture
    def main(self, store: Store) -> Source:
        _, main = samples.settled(store)
        good = {"price": Decimal(5), "currency": "EUR"}
        samples.publish(store, main, samples.record(2, "a", **good), samples.record(3, "b"))
        return main

    def limit(self, store: Store, main: Source, age: timedelta, limit: timedelta | None) -> None:
        """Sets how old its last fresh file is, by the store's own clock, and may be."""
        arrived(store, main, datetime.now(UTC) - age)
        with store.begin() as unit:
            unit.sources.put(evolve(main, stop_selling_after=limit))

    def reasons(self, store: Store) -> dict[str, str | None]:
        return {sku: p.not_sellable_reason for sku, p in samples.catalog(store).items()}

    def test_products_of_a_source_become_stale_and_fresh_again(self, store: Store, main: Source):
        self.limit(store, main, DAY, DAY + HOUR)
        assert self.reasons(store) == {"a": None, "b": "unpriced"}
        self.limit(store, main, DAY, DAY - HOUR)
        assert self.reasons(store) == {"a": "stale", "b": "stale"}
        arrived(store, main, datetime.now(UTC))
        assert self.reasons(store) == {"a": None, "b": "unpriced"}
        self.limit(store, main, 2 * DAY, None)
        assert self.reasons(store) == {"a": None, "b": "unpriced"}

    def test_a_source_that_never_sent_anything_fresh_isnt_stale(self, store: Store, main: Source):
        arrived(store, main, T0, "shrunk")
        with store.begin() as unit:
            unit.sources.put(evolve(main, stop_selling_after=HOUR))
        assert self.reasons(store) == {"a": None, "b": "unpriced"}

    def test_filters_exports_and_counts_agree(self, store: Store, main: Source):
        self.limit(store, main, DAY, HOUR)
        query, product_ids = ProductQuery(sellable=True), ids(store)
        with store.begin() as unit:
            assert unit.products.count(query) == 0
            assert unit.products.count(evolve(query, sellable=False)) == 2
            found = unit.products.get_many(product_ids).values()
        assert [product.not_sellable_reason for product in found] == ["stale", "stale"]
        with store.snapshot(ProductQuery()) as snapshot:
            blocks = snapshot.written("ndjson") or WRITERS["ndjson"](snapshot, ())
            written = b"".join(blocks).decode()
        assert written.count('"sellable": false, "not_sellable_reason": "stale"') == 2
        self.limit(store, main, DAY, 2 * DAY)
        with store.begin() as unit:
            assert unit.products.count(query) == 1

    def test_what_a_publication_left_unsellable_is_counted_as_stale(
        self, store: Store, main: Source
    ):
        self.limit(store, main, DAY, HOUR)
        made = samples.publish(store, main, samples.record(2, "c"))
        with store.begin() as unit:
            assert unit.products.not_sellable(made) == {"stale": 1}

    def test_other_sources_of_the_partner_sell_on(self, store: Store, main: Source):
        self.limit(store, main, DAY, HOUR)
        with store.begin() as unit:
            someone = unit.partners.get(main.partner_id)
        stock = another(store, someone, "stock")
        samples.publish(store, stock, samples.record(2, "z", price=Decimal(1), currency="EUR"))
        assert self.reasons(store)["z"] is None


def ids(store: Store) -> list[str]:
    return [product.product_id for product in samples.catalog(store).values()]
