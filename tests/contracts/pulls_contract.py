"""What collections of pulled sources promise: every tick once, one fetch of a source at a time."""

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from commerce_core.base.errors import NotFound
from commerce_core.base.ids import mint
from commerce_core.feeds.backfill import Backfill
from commerce_core.feeds.job import JobError
from commerce_core.feeds.place import SCHEMES, HttpsPlace, Place, S3Place, SftpPlace
from commerce_core.feeds.pull import Fetch, FetchQuery, Pull
from commerce_core.feeds.remote_file import PulledFile
from commerce_core.ports.store import Store
from commerce_core.work.attempt import Progress
from commerce_core.work.task import Task
from tests.contracts.samples import DAY, T0, settled
from tests.contracts.threads import together

PARTNER = mint("ptn", T0, lambda n: b"\1" * n)
LEASE = timedelta(seconds=30)
URL = "https://partner.example/feed.csv"
KEY = "SHA256:" + "A" * 43
QUEUE = "https://sqs.us-east-1.amazonaws.com/1/news"
PLACES: tuple[Place, ...] = (
    HttpsPlace(URL),
    HttpsPlace(URL.replace("https:", "http:")),
    SftpPlace("sftp://partner.example/out/", (KEY, KEY), "*.csv", "{name}.done"),
    S3Place("s3://bucket/out/", "https://s3.example", "us-east-1", "*", None, QUEUE),
)


def source(number: int) -> str:
    return mint("src", T0, lambda n: bytes([number]) * n)


def pull(number: int = 1, due_at: datetime | None = T0, **others: object) -> Pull:
    made = Pull(
        source(number), PARTNER, HttpsPlace(URL), T0, "anna", "v1.a.b", "0 6 * * *",
        "Europe/Berlin", due_at,
    )  # fmt: skip
    return evolve(made, **others)


def fetch_of(number: int = 1, due_at: datetime = T0, id_: int = 1) -> Fetch:
    fetch_id = mint("ftch", T0 + DAY * id_, lambda n: bytes([number]) * n)
    return Fetch(fetch_id, source(number), PARTNER, "schedule", due_at, T0, missed=2)


def source_of(store: Store, task: Task) -> int:
    """The number of the source that a task fetches."""
    with store.begin() as unit:
        fetched = unit.fetches.get(task.subject).source_id
    return next(number for number in range(20) if source(number) == fetched)


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

    def test_places_of_every_scheme_are_tried(self):
        assert {place.url.partition(":")[0] for place in PLACES} == SCHEMES.keys()

    @pytest.mark.parametrize("place", PLACES, ids=[place.url.partition(":")[0] for place in PLACES])
    def test_each_kind_of_place_is_kept_and_shown_at_its_source(self, store: Store, place: Place):
        _, sample = settled(store)
        with store.begin() as unit:
            assert unit.sources.get(sample.source_id).kind == "push"
            unit.pulls.put(pull(place=place, source_id=sample.source_id))
        with store.begin() as unit:
            assert unit.pulls.get(sample.source_id) == pull(place=place, source_id=sample.source_id)
            for shown in (
                unit.sources.get(sample.source_id), unit.sources.lock(sample.source_id),
                unit.sources.lock_shared(sample.source_id),
                unit.sources.find(sample.partner_id, sample.source_name),
                *unit.sources.page(sample.partner_id, None, 9).items,
            ):  # fmt: skip
                assert shown is not None
                if shown.source_id == sample.source_id:
                    assert shown.kind == place.kind
            unit.pulls.remove(sample.source_id)
            assert unit.sources.get(sample.source_id).kind == "push"

    def test_only_places_with_a_queue_are_watched(self, store: Store):
        error = JobError("denied", "The queue refused the key.")
        watched = [
            pull(number, place=PLACES[-1], queue_error=error if number == 2 else None)
            for number in (2, 3, 4)
        ]
        with store.begin() as unit:
            for each in (*watched, pull(1), pull(5, place=PLACES[1])):
                unit.pulls.put(each)
        with store.begin() as unit:
            found = unit.pulls.watched(9)
            assert sorted(found, key=lambda each: each.source_id) == watched
            assert len(unit.pulls.watched(2)) == 2

    def test_all_of_a_partner_are_removed_at_once(self, store: Store):
        other = mint("ptn", T0, lambda n: b"\2" * n)
        with store.begin() as unit:
            for each in (pull(1), pull(2), pull(3, partner_id=other)):
                unit.pulls.put(each)
            assert sorted(unit.pulls.remove_of(PARTNER)) == [source(1), source(2)]
            assert unit.pulls.remove_of(PARTNER) == []
        with store.begin() as unit:
            assert unit.pulls.get(source(1)) is None
            assert unit.pulls.get(source(3)) is not None

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

    def test_a_backfill_is_kept_with_a_task_of_its_own_kind(self, store: Store):
        """Versions that don't know backfills would take other files than it means."""
        wanted = Backfill("sftp://partner.example/old/", "*.csv", T0, T0 + DAY)
        (plain, added) = add(
            store, fetch_of(), evolve(fetch_of(2, id_=2), cause="backfill", backfill=wanted)
        )
        assert (plain.backfill, added.backfill) == (None, wanted)
        with store.begin() as unit:
            tasks = [unit.tasks.claim("fetches", T0, LEASE) for _ in range(2)]
            kinds = {task.subject: task.kind for task in tasks if task is not None}
            assert kinds == {plain.fetch_id: "fetch", added.fetch_id: "backfill"}
            unit.fetches.finish(evolve(added, feeds=3, waiting=4))
        with store.begin() as unit:
            shown = unit.fetches.get(added.fetch_id)
            assert (shown.status, shown.tries, shown.feeds, shown.waiting) == ("running", 1, 3, 4)
            assert shown.backfill == wanted
            assert unit.fetches.unfinished(source(2)) == shown

    @pytest.mark.parametrize("per_host", [1, 2, 3])
    def test_a_host_has_as_many_fetches_as_allowed_however_many_claim(
        self, store: Store, per_host: int
    ):
        """Whatever port its sources name; others, and tasks without a host, aren't delayed."""
        urls = ["https://a.example/1", "https://A.example:8443/2", "http://a.example./3"]
        places = [*map(HttpsPlace, urls), HttpsPlace("https://b.example/"), PLACES[-1]]
        with store.begin() as unit:
            for number, place in enumerate(places):
                unit.pulls.put(pull(number, place=place))
        add(store, *(fetch_of(number, id_=number) for number in range(9)))

        def claim() -> Task | None:
            with store.begin() as unit:
                return unit.tasks.claim("fetches", T0, LEASE, per_host)

        claimed = [task for task in together(*[claim] * 9) if task is not None]
        numbers = sorted(source_of(store, task) for task in claimed)
        assert len([number for number in numbers if number < 3]) == per_host
        assert numbers[per_host:] == [*range(3, 9)]
        first = next(task for task in claimed if source_of(store, task) == numbers[0])
        with store.begin() as unit:
            unit.tasks.finish(first)
        left = [source_of(store, task) for task in (claim(), claim()) if task is not None]
        assert len(left) == min(1, 3 - per_host)
        assert {*left} <= {0, 1, 2} - {*numbers}

    def test_a_lease_that_has_expired_takes_no_place_at_its_host(self, store: Store):
        with store.begin() as unit:
            for number in (1, 2):
                unit.pulls.put(pull(number))
        add(store, fetch_of(1), fetch_of(2, id_=2))
        for number in (1, 2, 1):
            with store.begin() as unit:
                task = unit.tasks.claim("fetches", T0, timedelta(), 1)
            assert task is not None
            assert source_of(store, task) == number

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
            tries=3, feeds=2, refused=1, waiting=4,
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


def seen(path: str = "/out/a.csv", version: str = "1", number: int = 1) -> PulledFile:
    return PulledFile(source(number), PARTNER, path, version, "seen", T0, 7, T0 - DAY)


def taken(file: PulledFile, id_: int = 1) -> PulledFile:
    fetch_id = mint("ftch", T0, lambda n: bytes([id_]) * n)
    feed_id = mint("feed", T0, lambda n: bytes([id_]) * n)
    return evolve(
        file, state="taken", seen_at=T0 + DAY, fetch_id=fetch_id, feed_id=feed_id, sha256="ab" * 32
    )


class TestPulledFiles:
    def test_when_a_version_was_first_seen_stays(self, store: Store):
        with store.begin() as unit:
            unit.pulled_files.see([seen(), seen("/out/b.csv")])
            unit.pulled_files.see([evolve(seen(), seen_at=T0 + DAY)])
            unit.pulled_files.see([])
        with store.begin() as unit:
            assert list(unit.pulled_files.of(source(1), ["/out/a.csv"])) == [seen()]
            assert unit.pulled_files.of(source(2), ["/out/a.csv"]) == []
            assert unit.pulled_files.of(source(1), []) == []

    def test_a_version_that_was_only_seen_gives_way_to_the_next(self, store: Store):
        decided = taken(seen(version="0"))
        with store.begin() as unit:
            unit.pulled_files.decide(decided)
            unit.pulled_files.see([seen(version="1")])
            unit.pulled_files.see([seen(version="2"), seen("/out/b.csv")])
        with store.begin() as unit:
            found = unit.pulled_files.of(source(1), ["/out/a.csv"])
            assert {file.version for file in found} == {"0", "2"}

    def test_what_became_of_a_file_is_kept_with_its_fetch(self, store: Store):
        refused = evolve(
            seen("/out/b.csv"), state="refused", fetch_id=taken(seen()).fetch_id,
            error=JobError("html", "A web page."),
        )  # fmt: skip
        with store.begin() as unit:
            unit.pulled_files.see([seen()])
            unit.pulled_files.decide(refused)
            unit.pulled_files.decide(taken(seen()))
            unit.pulled_files.decide(taken(seen("/out/c.csv"), id_=2))
        with store.begin() as unit:
            (file,) = unit.pulled_files.of(source(1), ["/out/a.csv"])
            assert file == evolve(taken(seen()), seen_at=T0)
            assert list(unit.pulled_files.of_fetch(str(file.fetch_id))) == [file, refused]

    def test_what_is_known_of_a_source_can_be_forgotten(self, store: Store):
        with store.begin() as unit:
            unit.pulled_files.see([seen()])
            unit.pulled_files.see([seen(number=2)])
            unit.pulled_files.forget(source(1))
        with store.begin() as unit:
            assert unit.pulled_files.of(source(1), ["/out/a.csv"]) == []
            assert len(unit.pulled_files.of(source(2), ["/out/a.csv"])) == 1
