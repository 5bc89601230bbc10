"""What the collection of bulk acts promises, and the groups that they are made of."""

from datetime import datetime

import pytest
from attrs import evolve

from commerce_core.base.errors import NotFound
from commerce_core.feeds.bulk_act import BulkAct, BulkItem, BulkQuery, FeedGroup
from commerce_core.feeds.feed import FeedStatus
from commerce_core.feeds.job import JobError
from commerce_core.feeds.source import Source
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, T0

AGAIN = FeedGroup("process_again")
HELD = FeedGroup("approve")


def failed(
    store: Store, of: Source, code: str, at: datetime = T0, status: FeedStatus = "failed",
    **job: object,
) -> str:  # fmt: skip
    """A feed whose job has failed."""
    feed = samples.received(store, of, received_at=at, status=status)
    error = JobError(code, f"{code} of {feed.feed_id}")
    settled = {"status": "failed", "finished_at": at, "error": error} | job
    samples.queued(store, feed, **settled)
    return feed.feed_id


def held(store: Store, of: Source) -> str:
    return samples.received(store, of, status="held").feed_id


def members(store: Store, group: FeedGroup, limit: int = 100) -> list[str]:
    with store.begin() as unit:
        return list(unit.bulk_acts.members(group, limit))


def bulk_act(**changes: object) -> BulkAct:
    return evolve(
        BulkAct(samples.new_id("bulk"), None, "Ada", AGAIN, "queued", 3, T0), **changes
    )  # fmt: skip


def kept(store: Store, act: BulkAct, feed_ids: list[str] | None = None) -> BulkAct:
    with store.begin() as unit:
        unit.bulk_acts.add(act, feed_ids or [samples.new_id("feed") for _ in range(act.total)])
    return act


class TestGroups:
    def test_failures_are_counted_by_cause(self, store: Store):
        """Of each: how many, of how many partners and sources, the first and the latest."""
        acme, main = samples.settled(store)
        _, other = samples.settled(store)
        failed(store, main, "html", T0)
        failed(store, other, "html", T0 + MINUTE)
        latest = failed(store, main, "html", T0 + 2 * MINUTE)
        failed(store, main, "truncated", T0)
        with store.begin() as unit:
            most, least = unit.bulk_acts.causes(None, 100, 10)
            (own, _) = unit.bulk_acts.causes(acme.partner_id, 100, 10)
            assert [c.code for c in unit.bulk_acts.causes(None, 100, 1)] == ["html"]
            (of_latest,) = unit.bulk_acts.causes(None, 1, 10)
        assert (most.code, most.count, most.partners, most.sources) == ("html", 3, 2, 2)
        assert (most.first_at, most.latest_at) == (T0, T0 + 2 * MINUTE)
        assert (most.latest_feed_id, most.message) == (latest, f"html of {latest}")
        assert (least.code, least.count) == ("truncated", 1)
        assert (own.code, own.count, own.partners) == ("html", 2, 1)
        assert of_latest.count == 1

    def test_feeds_that_were_processed_again_or_decided_are_no_members(self, store: Store):
        _, main = samples.settled(store)
        wanted = failed(store, main, "html")
        retried = failed(store, main, "html")
        with store.begin() as unit:
            again = unit.feeds.get(retried)
        samples.queued(store, again)
        failed(store, main, "html", kind="validate")
        failed(store, main, "html", status="superseded")
        failed(store, main, "html", status="rejected", error=None)
        samples.received(store, main)
        held(store, main)
        assert members(store, AGAIN) == [wanted]

    def test_members_match_every_filter_oldest_first(self, store: Store):
        acme, main = samples.settled(store)
        _, other = samples.settled(store)
        first, second = failed(store, main, "html"), failed(store, main, "html", T0 + DAY)
        third, fourth = failed(store, other, "html", T0 + DAY), failed(store, main, "cut")
        assert members(store, AGAIN) == [first, second, third, fourth]
        assert members(store, AGAIN, 2) == [first, second]
        for asked, found in (
            ({"code": "html"}, [first, second, third]),
            ({"partner_id": acme.partner_id, "code": "html"}, [first, second]),
            ({"source_id": other.source_id}, [third]),
            ({"received_from": T0 + DAY}, [second, third]),
            ({"received_to": T0 + DAY}, [first, fourth]),
        ):
            assert members(store, evolve(AGAIN, **asked)) == found, asked

    @pytest.mark.parametrize("kind", ["approve", "reject"])
    def test_held_feeds_are_those_to_decide_about(self, store: Store, kind: str):
        acme, main = samples.settled(store)
        _, other = samples.settled(store)
        wanted, others = held(store, main), held(store, other)
        failed(store, main, "html")
        group = evolve(HELD, kind=kind)
        assert members(store, group) == [wanted, others]
        assert members(store, evolve(group, partner_id=acme.partner_id)) == [wanted]


class TestBulkActs:
    def test_one_is_kept_as_it_is(self, store: Store):
        """With all that it was asked for."""
        acme, main = samples.settled(store)
        group = FeedGroup("approve", acme.partner_id, main.source_id, None, T0, T0 + DAY)
        act = kept(
            store,
            bulk_act(
                partner_id=acme.partner_id, group=group, key_id=samples.new_id("key"),
                without=("removals",), note="Reviewed",
            ),
        )  # fmt: skip
        other = kept(store, bulk_act(group=evolve(AGAIN, code="html")))
        with store.begin() as unit:
            assert unit.bulk_acts.get(act.bulk_id) == act
            assert unit.bulk_acts.lock(other.bulk_id) == other
            assert unit.bulk_acts.unfinished() == 2
            ended = evolve(act, done=1, refused=1).ended("cancelled", T0 + DAY, "why")
            unit.bulk_acts.put(ended)
        with store.begin() as unit:
            assert unit.bulk_acts.get(act.bulk_id) == ended
            assert unit.bulk_acts.unfinished() == 1
            assert unit.bulk_acts.page(BulkQuery(), None, 10).items == (other, ended)
            assert unit.bulk_acts.page(BulkQuery(acme.partner_id), None, 10).items == (ended,)
            assert unit.bulk_acts.count(BulkQuery(acme.partner_id)) == 1

    def test_an_unknown_one_is_not_found(self, store: Store):
        with store.begin() as unit:
            for ask in (unit.bulk_acts.get, unit.bulk_acts.lock):
                with pytest.raises(NotFound):
                    ask(samples.new_id("bulk"))
            with pytest.raises(NotFound):
                unit.bulk_acts.put(bulk_act())

    def test_each_member_has_a_result(self, store: Store):
        feeds = [samples.new_id("feed") for _ in range(3)]
        act = kept(store, bulk_act(), feeds)
        kept(store, bulk_act())
        first, second, third = (BulkItem(n, feed) for n, feed in enumerate(feeds, 1))
        done = evolve(first, status="done", job_id=samples.new_id("job"))
        refused = evolve(third, status="refused", code="paused", detail="It is paused.")
        with store.begin() as unit:
            assert unit.bulk_acts.waiting(act.bulk_id, 2) == [first, second]
            unit.bulk_acts.record(act.bulk_id, [done, refused])
        with store.begin() as unit:
            assert unit.bulk_acts.waiting(act.bulk_id, 5) == [second]
            page = unit.bulk_acts.items(act.bulk_id, None, None, 2)
            assert page.items == (done, second)
            rest = unit.bulk_acts.items(act.bulk_id, None, page.after, 2)
            assert (rest.items, rest.after) == ((refused,), None)
            assert unit.bulk_acts.items(act.bulk_id, "refused", None, 5).items == (refused,)

    def test_those_that_finished_before_a_moment_are_forgotten(self, store: Store):
        old, new, queued = kept(store, bulk_act()), kept(store, bulk_act()), kept(store, bulk_act())
        with store.begin() as unit:
            unit.bulk_acts.put(old.ended("completed", T0))
            unit.bulk_acts.put(new.ended("completed", T0 + DAY))
        with store.begin() as unit:
            assert unit.bulk_acts.forget(T0 + DAY) == 1
            left = unit.bulk_acts.page(BulkQuery(), None, 10).items
            assert [act.bulk_id for act in left] == [queued.bulk_id, new.bulk_id]
            assert unit.bulk_acts.items(old.bulk_id, None, None, 5).items == ()
            assert len(unit.bulk_acts.items(new.bulk_id, None, None, 5).items) == 3
