"""Turns on any store: partners are served one after the other, small feeds in their own lane."""

from collections import Counter
from datetime import timedelta
from typing import Final

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.feeds.feed import SMALL_FEED_BYTES
from commerce_core.feeds.job import FeedLane, Job
from commerce_core.feeds.source import Source
from commerce_core.feeds.summary import Summary
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import MINUTE, ONE_STORE_AND_ANOTHER, T0
from tests.contracts.threads import together
from tests.support.examples import scaled
from tests.support.waiting import outlast

SHORT = timedelta(milliseconds=30)
LARGE: Final = SMALL_FEED_BYTES + 1
PARTNERS: Final = 4


def claim(store: Store, lane: FeedLane = "feeds", lease: timedelta = MINUTE) -> Job | None:
    with store.begin() as unit:
        return unit.jobs.claim(T0, lease, lane=lane)


def claimed(store: Store, lane: FeedLane = "feeds", lease: timedelta = MINUTE) -> Job:
    job = claim(store, lane, lease)
    assert job is not None
    return job


def finish(store: Store, job: Job) -> None:
    with store.begin() as unit:
        unit.jobs.finish(job.complete(T0, Summary(), "clean"))


def run(store: Store, lane: FeedLane = "feeds") -> Job:
    job = claimed(store, lane)
    finish(store, job)
    return job


def sent(store: Store, source: Source, size: int = 10) -> Job:
    return samples.queued(store, samples.received(store, source, bytes=size))


@define
class _Waits:
    """Whose jobs wait, and how often each other partner was served meanwhile, lane by lane."""

    waiting: dict[str, list[Job]] = field(factory=dict[str, list[Job]])
    running: list[Job] = field(factory=list[Job])
    small: set[str] = field(factory=set[str])
    passed: dict[tuple[str, str], Counter[str]] = field(factory=dict[tuple[str, str], Counter[str]])

    def ready(self, lane: FeedLane) -> set[str]:
        """The partners that have a job for this lane, and none running."""
        busy = {job.partner_id for job in self.running}
        return {
            partner
            for partner, jobs in self.waiting.items()
            if partner not in busy and jobs
            if lane == "feeds" or jobs[0].job_id in self.small
        }

    def took(self, lane: FeedLane, job: Job) -> None:
        """Counts the claim against all who go on waiting; in a lane nobody is passed twice."""
        for partner in self.ready(lane) - {job.partner_id}:
            count = self.passed.setdefault((lane, partner), Counter[str]())
            count[job.partner_id] += 1
            assert count[job.partner_id] == 1, f"{job.partner_id} was served twice, {partner} never"
        self.waiting[job.partner_id].remove(job_of(self.waiting[job.partner_id], job))
        for known in ("feeds", "small_feeds"):
            self.passed.pop((known, job.partner_id), None)
        self.running.append(job)


def job_of(jobs: list[Job], job: Job) -> Job:
    return next(one for one in jobs if one.job_id == job.job_id)


class TestTurns:
    @pytest.fixture
    def sources(self, store: Store) -> list[Source]:
        """The sources of some partners."""
        return [samples.settled(store)[1] for _ in range(PARTNERS)]

    def test_a_partner_with_many_feeds_lets_another_go_first(
        self, store: Store, sources: list[Source]
    ):
        """One that comes late, with a single feed, waits for the running one alone."""
        many = [sent(store, sources[1]) for _ in range(5)]
        first = claimed(store)
        one = sent(store, sources[0])
        finish(store, first)
        order = [run(store).job_id for _ in range(5)]
        assert order == [one.job_id, *(job.job_id for job in many[1:])]

    def test_partners_are_served_in_a_circle(self, store: Store, sources: list[Source]):
        """Each gets one feed, in the order of the partners, before the first gets its second."""
        for source in reversed(sources):
            for _ in range(2):
                sent(store, source)
        served = [run(store).partner_id for _ in range(2 * PARTNERS)]
        assert served == [source.partner_id for source in sources] * 2

    def test_feeds_of_a_source_keep_their_order(self, store: Store, sources: list[Source]):
        """Whatever their sizes, and whichever lane takes them."""
        sizes = (LARGE, 1, 1, LARGE, 1)
        jobs = [sent(store, sources[0], size) for size in sizes]
        assert claim(store, "small_feeds") is None
        lanes: list[FeedLane] = ["feeds", "small_feeds", "small_feeds", "feeds", "small_feeds"]
        assert [run(store, lane).job_id for lane in lanes] == [job.job_id for job in jobs]

    def test_the_lane_of_small_feeds_takes_no_large_one(self, store: Store, sources: list[Source]):
        """A feed of exactly the limit is small; the other lane takes all, whatever their size."""
        large, small = sent(store, sources[0], LARGE), sent(store, sources[1], SMALL_FEED_BYTES)
        assert claimed(store, "small_feeds").job_id == small.job_id
        assert claim(store, "small_feeds") is None
        assert claimed(store).job_id == large.job_id

    def test_a_small_feed_passes_a_large_one_of_another_source(
        self, store: Store, sources: list[Source]
    ):
        """As long as that one waits; the partner still has one running at a time."""
        with store.begin() as unit:
            other = samples.source(unit.partners.get(sources[0].partner_id), "other")
            unit.sources.add(other)
        large, small = sent(store, sources[0], LARGE), sent(store, other)
        first = claimed(store, "small_feeds")
        assert first.job_id == small.job_id
        assert claim(store) is None
        finish(store, first)
        assert claimed(store).job_id == large.job_id

    def test_lanes_have_their_own_turns(self, store: Store, sources: list[Source]):
        """However many small feeds come, a large one is taken when its partner's turn comes."""
        large = sent(store, sources[1], LARGE)
        for _ in range(6):
            sent(store, sources[0])
            sent(store, sources[2])
        for _ in range(4):
            run(store, "small_feeds")
        assert large.job_id in [run(store).job_id for _ in range(2)]

    def test_an_expired_job_comes_first(self, store: Store, sources: list[Source]):
        """It had its turn; a large one only in the lane that takes large ones."""
        expired = sent(store, sources[3], LARGE)
        claimed(store, lease=SHORT)
        sent(store, sources[0])
        outlast(SHORT)
        assert claimed(store, "small_feeds").partner_id == sources[0].partner_id
        assert claimed(store).job_id == expired.job_id

    def test_of_jobs_with_crashed_attempts_one_runs_at_a_time(
        self, store: Store, sources: list[Source]
    ):
        """So a feed that ran beside one that ends its worker is blamed for it once at most."""
        jobs = [sent(store, source) for source in sources[:2]]
        for lane in ("feeds", "small_feeds"):
            claimed(store, lane, SHORT)
        outlast(SHORT)
        first = claimed(store)
        assert first.crashed_attempts == 1
        assert claim(store, "small_feeds") is None
        finish(store, first)
        second = claimed(store, "small_feeds")
        assert {first.job_id, second.job_id} == {job.job_id for job in jobs}

    def test_claims_at_once_serve_different_partners(self, store: Store, sources: list[Source]):
        """They don't wait for each other, and each gets a job."""
        for source in sources:
            sent(store, source)
            sent(store, source)
        got = together(*[lambda: claim(store)] * PARTNERS)
        assert {job.partner_id for job in got if job} == {s.partner_id for s in sources}

    @settings(suppress_health_check=ONE_STORE_AND_ANOTHER, max_examples=scaled(30))
    @given(
        acts=st.lists(
            st.one_of(
                st.tuples(st.just("send"), st.integers(0, PARTNERS - 1), st.booleans()),
                st.tuples(st.just("claim"), st.sampled_from(["feeds", "small_feeds"])),
                st.tuples(st.just("finish"), st.integers(0, 9)),
            ),
            max_size=60,
        )
    )
    def test_nobody_waits_for_more_than_two_feeds_of_another(
        self, store: Store, acts: list[tuple[str, int, bool]]
    ):
        """For the one that is running when its job comes, and for one more in the same lane."""
        sources = [samples.settled(store)[1] for _ in range(PARTNERS)]
        waits = _Waits()
        for act in acts:
            match act:
                case ("send", number, is_large):
                    job = sent(store, sources[number], LARGE if is_large else 1)
                    waits.waiting.setdefault(job.partner_id, []).append(job)
                    waits.small.update(() if is_large else (job.job_id,))
                case ("claim", ("feeds" | "small_feeds") as lane):
                    job = claim(store, lane)
                    assert (job is None) == (not waits.ready(lane))
                    if job is not None:
                        waits.took(lane, job)
                case (_, number):
                    if waits.running:
                        finish(store, waits.running.pop(number % len(waits.running)))
        # The store serves several examples: nothing of this one stays behind.
        for job in waits.running:
            finish(store, job)
        with store.begin() as unit:
            for job in (job for jobs in waits.waiting.values() for job in jobs):
                unit.jobs.put(job.cancel(T0))
