"""What the collection of the inbox promises."""

from datetime import datetime

from attrs import evolve

from commerce_core.activity.events import Event
from commerce_core.activity.inbox import Failures, Mark, RejectCounts
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import Job, JobError
from commerce_core.feeds.source import Source
from commerce_core.feeds.summary import Summary
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, T0


def failed(
    store: Store, of: Source, code: str, at: datetime = T0, status: str = "failed"
) -> tuple[Feed, Job]:
    feed = samples.received(store, of, status=status)
    error = JobError(code, f"{code} at {at:%H:%M}")
    job = samples.queued(store, feed, status="failed", finished_at=at, error=error)
    return feed, job


def ingested(
    store: Store, of: Source, records: int, rejected: int, outcome: str = "with_rejects"
) -> Feed:
    feed = samples.received(store, of, status="applied")
    summary = Summary(records_read=records + 1, blank=1, rejected=rejected)
    samples.queued(
        store, feed, status="completed", finished_at=T0, summary=summary, outcome=outcome
    )
    return feed


def oversold(store: Store, at: datetime, partner_id: str, *product_ids: str) -> None:
    data = {"products": [{"product_id": product_id} for product_id in product_ids]}
    event = Event(samples.new_id("evt"), "stock.oversold", at, (partner_id,), data)
    with store.begin() as unit:
        unit.events.add([event, evolve(event, event_id=samples.new_id("evt"), kind="feed.held")])


class TestCauses:
    def test_failures_are_grouped_by_source_and_code(self, store: Store):
        """With the number of feeds, the first and last time, and the last message."""
        someone, main = samples.settled(store)
        failed(store, main, "empty", T0)
        last, _ = failed(store, main, "empty", T0 + 2 * MINUTE)
        other, _ = failed(store, main, "html", T0 + MINUTE, status="rejected")
        with store.begin() as unit:
            found = unit.inbox.failures(None, T0 - DAY, 10)
            assert unit.inbox.failures(None, T0 - DAY, 1) == found[:1]
        of = (someone.partner_id, main.source_id)
        assert list(found) == [
            Failures(
                *of, "empty", 2, T0, T0 + 2 * MINUTE, last.feed_id, f"empty at {last_minute(2)}"
            ),
            Failures(
                *of, "html", 1, T0 + MINUTE, T0 + MINUTE, other.feed_id,
                f"html at {last_minute(1)}",
            ),
        ]  # fmt: skip

    def test_a_later_feed_that_was_applied_replaces_failures(self, store: Store):
        """Those of its own source before it, and no others."""
        someone, main = samples.settled(store)
        stock = samples.source(someone, "stock")
        with store.begin() as unit:
            unit.sources.add(stock)
        failed(store, main, "empty")
        kept_one, _ = failed(store, stock, "empty")
        samples.received(store, main, status="applied")
        late, _ = failed(store, main, "html")
        with store.begin() as unit:
            found = unit.inbox.failures(None, T0 - DAY, 10)
        assert {one.latest_feed_id for one in found} == {kept_one.feed_id, late.feed_id}

    def test_failures_of_long_ago_of_others_and_of_feeds_that_went_on_are_left_out(
        self, store: Store
    ):
        someone, main = samples.settled(store)
        _, others = samples.settled(store)
        failed(store, main, "empty", T0 - DAY)
        failed(store, main, "html", status="received")
        failed(store, others, "empty")
        with store.begin() as unit:
            assert list(unit.inbox.failures(someone.partner_id, T0, 10)) == []
            assert [f.partner_id for f in unit.inbox.failures(None, T0, 10)] == [others.partner_id]

    def test_rejects_of_the_latest_ingest_are_beside_those_before(self, store: Store):
        someone, main = samples.settled(store)
        ingested(store, main, 100, 1)
        ingested(store, main, 50, 2)
        ingested(store, main, 10, 9, outcome="superseded")
        last = ingested(store, main, 200, 40)
        of = (someone.partner_id, main.source_id, last.feed_id, T0)
        with store.begin() as unit:
            assert list(unit.inbox.rejects(None, 100)) == [RejectCounts(*of, 200, 40, 150, 3)]
            assert list(unit.inbox.rejects(None, 1)) == [RejectCounts(*of, 200, 40, 0, 0)]
            assert list(unit.inbox.rejects(samples.new_id("ptn"), 100)) == []

    def test_products_are_found_that_recent_events_name_as_oversold(self, store: Store):
        someone = samples.new_id("ptn")
        one, two, old = (samples.new_id("prod") for _ in range(3))
        oversold(store, T0 - DAY, someone, old)
        oversold(store, T0, someone, one)
        oversold(store, T0 + MINUTE, someone, one, two)
        with store.begin() as unit:
            assert unit.inbox.oversold(None, T0, 10) == {
                one: (T0, T0 + MINUTE),
                two: (T0 + MINUTE, T0 + MINUTE),
            }
            assert set(unit.inbox.oversold(someone, T0, 1)) == {one, two}
            assert unit.inbox.oversold(samples.new_id("ptn"), T0, 10) == {}

    def test_the_latest_mark_of_each_owner_is_kept(self, store: Store):
        own = Mark(owner="", cause_id="held:a", actor="key", at=T0, acknowledged=True)
        later = evolve(own, at=T0 + DAY, assignee="Ada", note="n", snoozed_until=T0 + 2 * DAY)
        partners = evolve(own, owner=samples.new_id("ptn"))
        with store.begin() as unit:
            for mark in (own, partners, later):
                unit.inbox.put(mark)
        with store.begin() as unit:
            assert unit.inbox.marks("", ["held:a", "held:b"]) == {"held:a": later}
            assert unit.inbox.marks(partners.owner, ["held:a"]) == {"held:a": partners}


def last_minute(minute: int) -> str:
    return f"{T0 + minute * MINUTE:%H:%M}"
