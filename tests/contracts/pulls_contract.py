"""What collections of pulled sources promise: every tick once, one fetch of a source at a time."""

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from commerce_core.base.errors import NotFound
from commerce_core.base.ids import mint
from commerce_core.feeds.job import JobError
from commerce_core.feeds.pull import Fetch, FetchQuery, Pull
from commerce_core.ports.store import Store
from commerce_core.work.attempt import Progress
from tests.contracts.samples import DAY, T0
from tests.contracts.threads import together

PARTNER = mint("ptn", T0, lambda n: b"\1" * n)
LEASE = timedelta(seconds=30)


def source(number: int) -> str:
    return mint("src", T0, lambda n: bytes([number]) * n)


def pull(number: int = 1, due_at: datetime | None = T0, **others: object) -> Pull:
    made = Pull(
        source(number), PARTNER, "https://partner.example/feed.csv", T0, "anna", "v1.a.b",
        "0 6 * * *", "Europe/Berlin", due_at,
    )  # fmt: skip
    return evolve(made, **others)


def fetch_of(number: int = 1, due_at: datetime = T0, id_: int = 1) -> Fetch:
    fetch_id = mint("ftch", T0 + DAY * id_, lambda n: bytes([number]) * n)
    return Fetch(fetch_id, source(number), PARTNER, "schedule", due_at, T0, missed=2)


def add(store: Store, *fetches: Fetch) -> list[Fetch]:
    with store.begin() as unit:
        return list(unit.fetches.add(fetches))


class TestPulls:
    def test_where_a_source_is_fetched_from_is_kept_as_it_was_put(self, store: Store):
        seen = pull(etag='"1"', last_modified="Mon", sha256="ab" * 32)
        with store.begin() as unit:
            unit.pulls.put(pull())
            unit.pulls.put(seen)
        with store.begin() as unit:
            assert unit.pulls.get(source(1)) == unit.pulls.lock(source(1)) == seen
            assert unit.pulls.get(source(2)) is None
            unit.pulls.remove(source(1))
            unit.pulls.remove(source(1))
            assert unit.pulls.get(source(1)) is None

    def test_only_what_is_due_is_due_and_the_longest_due_first(self, store: Store):
        with store.begin() as unit:
            for number, due_at in enumerate(
                [T0, T0 - DAY, datetime.max.replace(tzinfo=T0.tzinfo) - DAY]
            ):
                unit.pulls.put(pull(number, due_at))
            unit.pulls.put(pull(9, None, cron=None))
        with store.begin() as unit:
            now, due = unit.pulls.due(10)
            assert [each.source_id for each in due] == [source(1), source(0)]
            assert now > T0
            assert len(unit.pulls.due(1)[1]) == 1
            unit.pulls.advance({source(0): None, source(1): now + DAY})
            assert unit.pulls.due(10)[1] == []
        with store.begin() as unit:
            assert unit.pulls.get(source(0)) == pull(0, None)


class TestFetches:
    def test_a_fetch_is_queued_with_its_task(self, store: Store):
        (added,) = add(store, fetch_of())
        assert (added.status, added.missed) == ("queued", 2)
        with store.begin() as unit:
            task = unit.tasks.claim("fetches", T0, LEASE)
            assert task is not None
            assert (task.kind, task.subject) == ("fetch", added.fetch_id)
            unit.tasks.renew(task, Progress("fetch", 7, 9), LEASE)
            shown = unit.fetches.get(added.fetch_id)
            assert (shown.status, shown.tries, shown.progress.bytes_read) == ("running", 1, 7)

    def test_a_tick_is_stored_once(self, store: Store):
        (first,) = add(store, fetch_of())
        assert add(store, fetch_of(id_=2)) == []
        with store.begin() as unit:
            assert unit.fetches.count(FetchQuery()) == 1
            assert unit.fetches.unfinished(source(1)) == first

    def test_a_tick_during_a_fetch_is_skipped_without_a_task(self, store: Store):
        add(store, fetch_of())
        (skipped,) = add(store, fetch_of(due_at=T0 + DAY, id_=2))
        assert (skipped.outcome, skipped.status) == ("skipped", "finished")
        assert skipped.finished_at == T0
        with store.begin() as unit:
            assert unit.tasks.claim("fetches", T0, LEASE) is not None
            assert unit.tasks.claim("fetches", T0, LEASE) is None

    def test_what_became_of_a_fetch_is_kept(self, store: Store):
        (added,) = add(store, fetch_of())
        ended = evolve(
            added, outcome="failed", error=JobError("denied", "401"), finished_at=T0 + DAY, bytes=5,
            tries=3,
        )  # fmt: skip
        with store.begin() as unit:
            unit.fetches.finish(ended)
        with store.begin() as unit:
            assert unit.fetches.get(added.fetch_id) == ended
            assert unit.fetches.unfinished(source(1)) is None
        assert add(store, fetch_of(due_at=T0 + DAY, id_=2))[0].outcome is None

    def test_fetches_are_listed_newest_first_by_source_and_partner(self, store: Store):
        add(store, fetch_of(1), fetch_of(2, id_=2), fetch_of(3, id_=3))
        with store.begin() as unit:
            everything = unit.fetches.page(FetchQuery(PARTNER), None, 2)
            assert [fetch.source_id for fetch in everything.items] == [source(3), source(2)]
            rest = unit.fetches.page(FetchQuery(PARTNER), everything.after, 2)
            assert [fetch.source_id for fetch in rest.items] == [source(1)]
            assert unit.fetches.count(FetchQuery(source_id=source(2))) == 1
            assert unit.fetches.count(FetchQuery(mint("ptn", T0, lambda n: b"\2" * n))) == 0
            with pytest.raises(NotFound):
                unit.fetches.get("ftch_none")

    def test_all_that_look_at_once_take_each_tick_once(self, store: Store):
        with store.begin() as unit:
            for number in range(20):
                unit.pulls.put(pull(number))

        def look(worker: int) -> int:
            with store.begin() as unit:
                now, due = unit.pulls.due(7)
                numbers = [int(each.source_id[-2:], 16) for each in due]
                added = unit.fetches.add([fetch_of(n, id_=worker + 2) for n in numbers])
                unit.pulls.advance({each.source_id: now + DAY for each in due})
                return len(added)

        rounds = [sum(together(*[lambda n=n: look(n) for n in range(4)])) for _ in range(5)]
        assert sum(rounds) == 20
        with store.begin() as unit:
            assert unit.fetches.count(FetchQuery()) == 20
