"""What the collections of feeds and jobs promise, and the queue that jobs make."""

import threading
from datetime import timedelta

import pytest
from attrs import evolve

from commerce_core.base.errors import NotFound, RunLost
from commerce_core.base.paging import Position, every
from commerce_core.feeds.coalescing import UnderWay
from commerce_core.feeds.feed import SMALL_FEED_BYTES, Feed, FeedQuery, LatestJob, Returned
from commerce_core.feeds.job import Backlog, Job, JobError, JobQuery, Progress
from commerce_core.feeds.source import Source
from commerce_core.feeds.summary import Stage, Summary
from commerce_core.ports.store import Store
from commerce_core.schema.fields import Mode
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, T0
from tests.contracts.threads import meanwhile, together
from tests.support.waiting import PATIENCE, assert_waits, outlast, pause

SHORT = timedelta(milliseconds=30)
"""A lease that a test can outlive."""


def claim(store: Store, lease: timedelta = MINUTE, job_id: str | None = None) -> Job | None:
    with store.begin() as unit:
        return unit.jobs.claim(T0, lease, job_id)


def claimed(store: Store, lease: timedelta = MINUTE, job_id: str | None = None) -> Job:
    job = claim(store, lease, job_id)
    assert job is not None
    return job


def kept(store: Store, job: Job) -> Job:
    with store.begin() as unit:
        return unit.jobs.get(job.job_id)


def source_of(store: Store, feed: Feed) -> Source:
    with store.begin() as unit:
        return unit.sources.get(feed.source_id)


class TestFeeds:
    def test_a_feed_is_kept_as_it_is(self, store: Store):
        """`get` gives the very feed that was added, with its partner's name."""
        someone, source = samples.settled(store)
        feeds = [
            samples.feed(source),
            samples.feed(
                source,
                file_name="números 📦.csv",
                content_type="text/csv; charset=utf-8",
                bytes=2**40,
                sha256="0f" * 32,
                mode="delta",
                status="failed",
                received_at=T0 + timedelta(microseconds=1),
                snapshot_at=T0 - 400 * DAY,
                expected_rows=10**12,
                applied_at=T0 + DAY,
            ),
        ]
        with store.begin() as unit:
            for feed in feeds:
                unit.feeds.add(feed)
        with store.begin() as unit:
            for feed in feeds:
                named = evolve(feed, partner_name=someone.partner_name)
                assert unit.feeds.get(feed.feed_id) == named

    def test_a_feed_is_read_with_its_partners_name_as_it_is_now(self, store: Store):
        """A renamed partner has its new name on every feed, one by one and in pages."""
        someone, source = samples.settled(store, "Aroma")
        feed = samples.received(store, source)
        with store.begin() as unit:
            unit.partners.put(someone.changed(T0, partner_name="Bouquet"))
        with store.begin() as unit:
            assert unit.feeds.get(feed.feed_id).partner_name == "Bouquet"
            (listed,) = unit.feeds.page(FeedQuery(), None, 10).items
            assert listed.partner_name == "Bouquet"

    def test_names_of_files(self, store: Store):
        """`file_names` gives the names of the files of those feeds that there are."""
        _, source = samples.settled(store)
        one, two = (samples.feed(source, file_name=f"{n}.csv") for n in "ab")
        with store.begin() as unit:
            unit.feeds.add(one)
            unit.feeds.add(two)
            wanted = [two.feed_id, samples.new_id("feed"), two.feed_id]
            assert unit.feeds.file_names(wanted) == {two.feed_id: "b.csv"}
            assert unit.feeds.file_names([]) == {}

    def test_a_feed_is_read_with_its_newest_job(self, store: Store):
        """`latest_job` is the feed's newest job as it is now, one by one and in pages."""
        _, source = samples.settled(store)
        feed, other = samples.received(store, source), samples.received(store, source)
        samples.queued(store, feed)
        newest = samples.queued(store, feed, status="completed", outcome="clean")
        with store.begin() as unit:
            brief = LatestJob(newest.job_id, "ingest", "completed", "clean")
            assert unit.feeds.get(feed.feed_id).latest_job == brief
            assert unit.feeds.get(other.feed_id).latest_job is None
            listed = unit.feeds.page(FeedQuery(), None, 10).items
            assert [each.latest_job for each in listed] == [None, brief]

    def test_put_replaces_status_and_times(self, store: Store):
        """`put` changes what becomes of a feed."""
        _, source = samples.settled(store)
        feed = samples.received(store, source)
        with store.begin() as unit:
            unit.feeds.put(unit.feeds.get(feed.feed_id).became("applied", T0 + MINUTE))
        with store.begin() as unit:
            found = unit.feeds.get(feed.feed_id)
            assert (found.status, found.applied_at) == ("applied", T0 + MINUTE)
            assert found.received_at == feed.received_at

    def test_put_replaces_what_there_is(self, store: Store):
        """`put` of a feed that was never added is NotFound."""
        _, source = samples.settled(store)
        with pytest.raises(NotFound), store.begin() as unit:
            unit.feeds.put(samples.feed(source))

    def test_a_baseline_and_newer_feeds(self, store: Store):
        """Only applied feeds of the source count; a returned file of ours is no baseline."""
        someone, source = samples.settled(store)
        other = samples.source(someone, "other")
        with store.begin() as unit:
            unit.sources.add(other)
            assert unit.feeds.baseline(source.source_id, "full") is None
            for day, of, mode, status in [
                (1, source, "full", "applied"),
                (2, source, "full", "applied"),
                (3, source, "full", "failed"),
                (4, source, "full", "superseded"),
                (5, source, "delta", "applied"),
                (6, other, "full", "applied"),
            ]:
                at = T0 + day * DAY
                unit.feeds.add(
                    samples.feed(of, mode=mode, status=status, snapshot_at=at, applied_at=at)
                )
            latest: dict[Mode, int] = {"full": 2, "delta": 5}
            for mode, day in latest.items():
                last = unit.feeds.baseline(source.source_id, mode)
                assert last is not None
                assert last == unit.feeds.get(last.feed_id)
                assert last.snapshot_at == T0 + day * DAY

            def newer(than: int, limit: int = 9) -> list[int]:
                found = unit.feeds.newer(source.source_id, T0 + than * DAY, limit)
                assert all(feed == unit.feeds.get(feed.feed_id) for feed in found)
                return [(feed.snapshot_at - T0).days for feed in found]

            # Full ones first, of each mode the latest; those of the moment itself aren't newer.
            assert newer(0) == [2, 1, 5]
            assert (newer(1), newer(2), newer(5)) == ([2, 5], [5], [])
            assert newer(0, limit=1) == [2]

    @pytest.mark.parametrize("returned", ["export", "report"])
    def test_a_returned_file_of_ours_is_no_baseline(self, store: Store, returned: Returned):
        """Neither where it was added as one, nor where that was found out later."""
        _, source = samples.settled(store)
        with store.begin() as unit:
            for day in (1, 2, 3):
                at = T0 + day * DAY
                feed = samples.feed(source, status="applied", snapshot_at=at, applied_at=at)
                unit.feeds.add(evolve(feed, returned=returned if day == 3 else None))
                if day == 2:
                    unit.feeds.put(evolve(feed, returned=returned))
            last = unit.feeds.baseline(source.source_id, "full")
            assert last is not None
            assert last.snapshot_at == T0 + DAY
            assert last.returned is None

    def test_feeds_are_superseded_unless_they_were_applied(self, store: Store):
        """`supersede` changes the state of those feeds alone that never were in the catalog."""
        _, source = samples.settled(store)
        new = samples.received(store, source)
        applied = samples.received(store, source, status="applied", applied_at=T0)
        other = samples.received(store, source)
        with store.begin() as unit:
            unit.feeds.supersede([new.feed_id, applied.feed_id])
        with store.begin() as unit:
            states = [unit.feeds.get(feed.feed_id).status for feed in (new, applied, other)]
        assert states == ["superseded", "applied", "received"]

    def test_a_query_keeps_what_fits_every_filter(self, store: Store):
        """Partner, source, status and time of receipt (from included, to not) all have to fit."""
        one, main = samples.settled(store)
        _, elsewhere = samples.settled(store)
        second = samples.source(one, "second")
        with store.begin() as unit:
            unit.sources.add(second)
        feeds = [
            samples.received(store, main, received_at=T0),
            samples.received(store, main, received_at=T0 + DAY, status="applied"),
            samples.received(store, second, received_at=T0 + 2 * DAY, status="applied"),
            samples.received(store, elsewhere, received_at=T0 + DAY, status="applied"),
        ]

        def fitting(**filters: object) -> list[int]:
            query = FeedQuery(**filters)  # type: ignore[arg-type]
            with store.begin() as unit:
                found = unit.feeds.page(query, None, 10).items
                assert unit.feeds.count(query) == len(found)
            ids = [feed.feed_id for feed in feeds]
            return [ids.index(feed.feed_id) for feed in found]

        assert fitting() == [3, 2, 1, 0]
        assert fitting(partner_id=one.partner_id) == [2, 1, 0]
        assert fitting(source_id=main.source_id) == [1, 0]
        assert fitting(status="applied") == [3, 2, 1]
        assert fitting(received_from=T0 + DAY) == [3, 2, 1]
        assert fitting(received_to=T0 + DAY) == [0]
        assert fitting(received_from=T0, received_to=T0 + 2 * DAY) == [3, 1, 0]
        assert fitting(partner_id=one.partner_id, status="applied", received_to=T0 + 2 * DAY) == [1]
        assert fitting(partner_id=one.partner_id, source_id=elsewhere.source_id) == []


class TestJobs:
    @pytest.fixture
    def feed(self, store: Store) -> Feed:
        """A received feed of one partner."""
        _, source = samples.settled(store)
        return samples.received(store, source)

    @pytest.fixture
    def feed_of_other(self, store: Store) -> Feed:
        """A received feed of another partner."""
        _, source = samples.settled(store)
        return samples.received(store, source)

    def test_a_job_is_kept_as_it_is(self, store: Store, feed: Feed):
        """`get` and `lock` give the very job that was added."""
        summary = Summary(
            records_read=2**40, created=1, problems_by_code={"not_a_url": 3}, warnings=2,
            unused_columns=("Ω", ""), notes=("One.", "Two."), stages=(Stage("read", 0.125, 3),),
        )  # fmt: skip
        jobs = [
            samples.job(feed),
            samples.job(
                feed, status="failed", released=False, attempts=2, started_at=T0,
                finished_at=T0 + DAY, progress=Progress("read", 1, 2, 3),
                error=JobError("empty", "Nothing 📦."),
            ),
            samples.job(feed, status="completed", outcome="with_rejects", summary=summary),
        ]  # fmt: skip
        with store.begin() as unit:
            for job in jobs:
                unit.jobs.add(job)
        with store.begin() as unit:
            for job in jobs:
                assert unit.jobs.get(job.job_id) == job
                assert unit.jobs.lock(job.job_id) == job

    def test_put_replaces(self, store: Store, feed: Feed):
        """`put` changes a queued job: released, cancelled."""
        job = samples.queued(store, feed, released=False)
        with store.begin() as unit:
            unit.jobs.put(unit.jobs.lock(job.job_id).release())
        assert kept(store, job) == evolve(job, released=True)
        with store.begin() as unit:
            unit.jobs.put(unit.jobs.lock(job.job_id).cancel(T0 + DAY))
        assert kept(store, job).status == "cancelled"
        assert kept(store, job).finished_at == T0 + DAY

    def test_a_locked_job_waits(self, store: Store, feed: Feed):
        """While one unit has locked a job, no other locks it."""
        job = samples.queued(store, feed, released=False)

        def see() -> bool:
            with store.begin() as unit:
                return unit.jobs.lock(job.job_id).released

        with store.begin() as unit:
            locked = unit.jobs.lock(job.job_id)
            seeing = meanwhile(see)
            unit.jobs.put(locked.release())
            assert_waits(seeing)
        assert seeing.result(PATIENCE) is True

    def test_a_query_keeps_what_fits_every_filter(
        self, store: Store, feed: Feed, feed_of_other: Feed
    ):
        """Feed, partner, status and kind all have to fit."""
        jobs = [
            samples.queued(store, feed),
            samples.queued(store, feed_of_other),
            samples.queued(store, feed, status="failed"),
        ]

        def fitting(**filters: object) -> list[int]:
            query = JobQuery(**filters)  # type: ignore[arg-type]
            with store.begin() as unit:
                found = unit.jobs.page(query, None, 10).items
                assert unit.jobs.count(query) == len(found)
            return [jobs.index(job) for job in found]

        assert fitting() == [2, 1, 0]
        assert fitting(feed_id=feed.feed_id) == [2, 0]
        assert fitting(partner_id=feed_of_other.partner_id) == [1]
        assert fitting(status="queued") == [1, 0]
        assert fitting(kind="ingest") == [2, 1, 0]
        assert fitting(partner_id=feed.partner_id, status="failed") == [2]
        assert fitting(partner_id=feed.partner_id, feed_id=feed_of_other.feed_id) == []

    def test_what_is_under_way_of_a_source(self, store: Store):
        """`under_way` has its queued and running jobs, oldest first, with what their feeds say."""
        someone, source = samples.settled(store)
        other = samples.source(someone, "other")
        with store.begin() as unit:
            unit.sources.add(other)
        feed = samples.received(
            store, source, snapshot_at=T0 - DAY, received_at=T0 + DAY, mode="delta"
        )
        first = samples.queued(store, feed, released=False)
        second = samples.queued(store, samples.received(store, source))
        samples.queued(store, feed, status="completed", outcome="clean")
        samples.queued(store, samples.received(store, other))
        claimed(store, job_id=second.job_id)
        with store.begin() as unit:
            one, two = unit.jobs.under_way(source.source_id)
            assert one == UnderWay(
                first.job_id, feed.feed_id, "ingest", "queued", False, "delta", T0 - DAY, T0 + DAY
            )
            assert (two.job_id, two.status, two.released) == (second.job_id, "running", True)
            assert list(unit.jobs.under_way(samples.new_id("src"))) == []

    def test_queued_jobs_are_cancelled_with_a_reason(self, store: Store, feed: Feed):
        """`cancel` ends those that are still queued, and tells whose feeds they are."""
        waiting = samples.queued(store, feed)
        running = samples.queued(store, feed)
        done = samples.queued(store, feed, status="completed", outcome="clean")
        untouched = samples.queued(store, feed)
        claimed(store, job_id=running.job_id)
        reason = JobError("superseded", "A newer one 📦.")
        ids = [job.job_id for job in (waiting, running, done)]
        with store.begin() as unit:
            assert list(unit.jobs.cancel(ids, T0 + DAY, reason)) == [feed.feed_id]
            assert list(unit.jobs.cancel([], T0, reason)) == []
        ended = evolve(waiting, status="cancelled", finished_at=T0 + DAY, error=reason)
        assert kept(store, waiting) == ended
        assert kept(store, running).status == "running"
        assert kept(store, done) == done
        assert kept(store, untouched) == untouched

    def test_all_jobs_of_a_partner_are_cancelled(
        self, store: Store, feed: Feed, feed_of_other: Feed
    ):
        """`cancel_all` ends what is queued and running, and nothing finished or another's."""
        running, waiting = samples.queued(store, feed), samples.queued(store, feed, released=False)
        done = samples.queued(store, feed, status="completed", outcome="clean")
        held = samples.queued(store, feed, status="held")
        others = samples.queued(store, feed_of_other)
        run = claimed(store, job_id=running.job_id)
        reason = JobError("partner_offboarded", "Gone 📦.")
        with store.begin() as unit:
            assert unit.jobs.cancel_all(feed.partner_id, T0 + DAY, reason) == 2
        for job in (running, waiting):
            ended = kept(store, job)
            assert (ended.status, ended.finished_at, ended.error) == (
                "cancelled", T0 + DAY, reason,
            )  # fmt: skip
        assert [kept(store, job) for job in (done, held, others)] == [done, held, others]
        with pytest.raises(RunLost), store.begin() as unit:
            unit.jobs.finish(run.complete(T0, Summary(), "clean"))

    def test_a_cancelled_run_commits_nothing_and_is_never_claimed_again(
        self, store: Store, feed: Feed
    ):
        """`stop` gives the job for a change; its attempt renews and finishes nothing any more."""
        job = samples.queued(store, feed)
        run = claimed(store, SHORT)
        with store.begin() as unit:
            unit.jobs.interrupt(job.job_id)
            unit.jobs.put(unit.jobs.stop(job.job_id).cancel(T0 + DAY, "Ann"))
        outlast(SHORT)
        assert claim(store) is None
        with pytest.raises(RunLost), store.begin() as unit:
            unit.jobs.renew(run, Progress(), MINUTE)
        with pytest.raises(RunLost), store.begin() as unit:
            unit.jobs.give_back(run, timedelta())
        with pytest.raises(RunLost), store.begin() as unit:
            unit.jobs.finish(run.complete(T0, Summary(), "clean"))
        assert kept(store, job).status == "cancelled"
        with pytest.raises(NotFound), store.begin() as unit:
            unit.jobs.stop(samples.new_id("job"))

    # --- the queue --------------------------------------------------------------------------------

    def test_nothing_to_claim(self, store: Store, feed: Feed):
        """`claim` gives None where there is no job, or none that is released."""
        assert claim(store) is None
        samples.queued(store, feed, released=False)
        assert claim(store) is None

    def test_a_claimed_job_is_running(self, store: Store, feed: Feed):
        """A claimed job is running since the moment given, with one more attempt; so it is kept."""
        job = samples.queued(store, feed)
        with store.begin() as unit:
            got = unit.jobs.claim(T0 + DAY, MINUTE)
        assert got == evolve(job, status="running", attempts=1, started_at=T0 + DAY)
        assert kept(store, job) == got

    def test_the_oldest_job_of_a_partner_is_claimed_first(self, store: Store, feed: Feed):
        """Released jobs of a partner are claimed in the order in which they were made."""
        first, second = samples.queued(store, feed), samples.queued(store, feed)
        running = claimed(store)
        assert running.job_id == first.job_id
        assert claim(store) is None
        with store.begin() as unit:
            unit.jobs.finish(running.complete(T0, Summary(), "clean"))
        assert claimed(store).job_id == second.job_id

    def test_jobs_of_a_partner_run_one_after_the_other(
        self, store: Store, feed: Feed, feed_of_other: Feed
    ):
        """A job is passed over as long as its partner has another one running."""
        first, second = samples.queued(store, feed), samples.queued(store, feed)
        third = samples.queued(store, feed_of_other)
        running = claimed(store)
        assert running.job_id == first.job_id
        assert claimed(store).job_id == third.job_id
        assert claim(store) is None
        with store.begin() as unit:
            unit.jobs.finish(running.complete(T0, Summary(), "clean"))
        assert claimed(store).job_id == second.job_id

    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
    def test_a_finished_job_is_never_claimed(self, store: Store, feed: Feed, status: str):
        """Whatever is finished stays so, asked for by its id too."""
        job = samples.queued(store, feed, status=status)
        assert claim(store) is None
        assert claim(store, job_id=job.job_id) is None
        assert kept(store, job) == job

    @pytest.mark.parametrize("released", [False, True])
    def test_a_job_is_claimed_by_its_id(self, store: Store, feed: Feed, released: bool):
        """With an id that job is claimed, released or not, and older ones are left alone."""
        older = samples.queued(store, feed)
        job = samples.queued(store, feed, released=released)
        assert claimed(store, job_id=job.job_id).job_id == job.job_id
        assert kept(store, older) == older

    def test_a_running_job_isnt_claimed_by_its_id(self, store: Store, feed: Feed):
        """With the id of a job whose lease holds there is nothing to claim."""
        job = samples.queued(store, feed)
        running = claimed(store)
        assert claim(store, job_id=job.job_id) is None
        assert kept(store, job) == running

    def test_an_unknown_id_claims_nothing(self, store: Store, feed: Feed):
        """With the id of no job there is nothing to claim."""
        samples.queued(store, feed)
        assert claim(store, job_id=samples.new_id("job")) is None

    def test_an_expired_lease_is_taken_over(self, store: Store, feed: Feed):
        """When its lease has run out a job is claimed again, as another attempt."""
        samples.queued(store, feed)
        first = claimed(store, SHORT)
        outlast(SHORT)
        second = claimed(store)
        assert second.job_id == first.job_id
        assert (first.attempts, second.attempts) == (1, 2)
        assert (first.crashed_attempts, second.crashed_attempts) == (0, 1)
        assert claim(store) is None

    def test_an_expired_lease_is_taken_over_by_id(self, store: Store, feed: Feed):
        """A takeover may name the job."""
        job = samples.queued(store, feed, released=False)
        claimed(store, SHORT, job.job_id)
        outlast(SHORT)
        assert claimed(store, job_id=job.job_id).attempts == 2

    def test_a_job_that_began_unreleased_is_taken_over(self, store: Store, feed: Feed):
        """A job that was claimed by its id, unreleased, isn't lost with the one who ran it."""
        job = samples.queued(store, feed, released=False)
        claimed(store, SHORT, job.job_id)
        outlast(SHORT)
        assert claimed(store).job_id == job.job_id

    def test_an_expired_lease_comes_before_younger_jobs(self, store: Store, feed: Feed):
        """A job whose lease ran out keeps its place in the queue of its partner."""
        job = samples.queued(store, feed)
        younger = samples.queued(store, feed)
        claimed(store, SHORT)
        outlast(SHORT)
        assert claimed(store).job_id == job.job_id
        assert claim(store) is None
        assert kept(store, younger) == younger

    def test_renewing_holds_the_job(self, store: Store, feed: Feed):
        """`renew` extends the lease, so nobody takes the job over."""
        samples.queued(store, feed)
        job = claimed(store, SHORT)
        with store.begin() as unit:
            unit.jobs.renew(job, Progress(), MINUTE)
        outlast(SHORT)
        assert claim(store) is None

    def test_renewing_shows_progress(self, store: Store, feed: Feed):
        """`renew` shows how far the run is; with a session, too."""
        samples.queued(store, feed)
        job = claimed(store)
        for number in (1, 2):
            progress = Progress("read", 10 * number, 100, number)
            with store.begin() as unit:
                unit.jobs.renew(job, progress, MINUTE, None if number == 1 else unit.session)
            assert kept(store, job) == evolve(job, progress=progress)

    def test_a_lease_may_be_renewed_late(self, store: Store, feed: Feed):
        """A lease that ran out without a takeover can still be renewed."""
        samples.queued(store, feed)
        job = claimed(store, SHORT)
        outlast(SHORT)
        with store.begin() as unit:
            unit.jobs.renew(job, Progress(), MINUTE)
        assert claim(store) is None

    def test_a_job_given_back_is_queued_again(self, store: Store, feed: Feed):
        """`give_back` releases the job, and counts no silent end; the next claim is an attempt."""
        job = samples.queued(store, feed, released=False)
        first = claimed(store, job_id=job.job_id)
        with store.begin() as unit:
            unit.jobs.give_back(first, timedelta())
        assert kept(store, job) == evolve(first, status="queued", released=True)
        second = claimed(store)
        assert (second.attempts, second.crashed_attempts) == (2, 0)

    def test_a_severed_end_is_counted_apart(self, store: Store, feed: Feed):
        """`give_back` counts one if told so; it is no silent end, nor the other way round."""
        samples.queued(store, feed)
        for severed in (True, False, True):
            job = claimed(store)
            with store.begin() as unit:
                unit.jobs.give_back(job, timedelta(), disconnected=severed)
        last = claimed(store, SHORT)
        assert (last.attempts, last.crashed_attempts, last.disconnected_attempts) == (4, 0, 2)
        outlast(SHORT)
        again = claimed(store)
        assert (again.attempts, again.crashed_attempts, again.disconnected_attempts) == (5, 1, 2)

    def test_of_jobs_with_severed_ends_one_runs_at_a_time(
        self, store: Store, feed: Feed, feed_of_other: Feed
    ):
        """So none is blamed for what another has done; jobs without such ends run beside it."""
        jobs = [samples.queued(store, feed), samples.queued(store, feed_of_other)]
        running = [claimed(store), claimed(store)]
        for job in running:
            with store.begin() as unit:
                unit.jobs.give_back(job, timedelta(), disconnected=True)
        first = claimed(store)
        assert first.job_id == jobs[0].job_id
        assert claim(store) is None
        assert claim(store, job_id=jobs[1].job_id) is None
        with store.begin() as unit:
            unit.jobs.finish(first.complete(T0, Summary(), "clean"))
        innocent = samples.queued(store, feed)
        assert {claimed(store).job_id, claimed(store).job_id} == {jobs[1].job_id, innocent.job_id}

    def test_a_job_given_back_waits_for_the_end_of_its_pause(
        self, store: Store, feed: Feed, feed_of_other: Feed
    ):
        """Until then nobody claims it, by its id neither; the others are not held up."""
        samples.queued(store, feed)
        job, other = claimed(store), samples.queued(store, feed_of_other)
        with store.begin() as unit:
            unit.jobs.give_back(job, MINUTE)
        assert claim(store, job_id=job.job_id) is None
        assert claimed(store).job_id == other.job_id
        assert claim(store) is None

    def test_when_its_pause_is_over_a_job_given_back_is_claimed(self, store: Store, feed: Feed):
        """By anybody, as if it had never been claimed before."""
        samples.queued(store, feed)
        job = claimed(store)
        with store.begin() as unit:
            unit.jobs.give_back(job, SHORT)
        outlast(SHORT)
        assert claimed(store).job_id == job.job_id

    def test_a_job_is_given_back_by_who_has_it(self, store: Store, feed: Feed):
        """`give_back` is RunLost for an attempt that was taken over, given back or finished."""
        samples.queued(store, feed)
        first = claimed(store, SHORT)
        outlast(SHORT)
        second = claimed(store)
        for attempt, ended in ((first, False), (second, True), (second, False)):
            if ended:
                with store.begin() as unit:
                    unit.jobs.finish(attempt.complete(T0, Summary(), "clean"))
            with pytest.raises(RunLost), store.begin() as unit:
                unit.jobs.give_back(attempt, timedelta())

    def test_the_backlog_is_what_waits_for_a_worker(
        self, store: Store, feed: Feed, feed_of_other: Feed
    ):
        """`backlog` counts released jobs that are queued, those given back too, and the running."""

        def backlog() -> Backlog:
            with store.begin() as unit:
                return unit.jobs.backlog()

        assert backlog() == Backlog(0, None)
        samples.queued(store, feed, released=False)
        assert backlog() == Backlog(0, None)
        first = samples.queued(store, feed, created_at=T0 - DAY)
        large = samples.feed(source_of(store, feed_of_other), bytes=SMALL_FEED_BYTES + 1)
        with store.begin() as unit:
            unit.feeds.add(large)
        samples.queued(store, large, created_at=T0)
        assert backlog() == Backlog(2, T0 - DAY, T0 - DAY)
        job = claimed(store)
        assert job.job_id == first.job_id
        assert backlog() == Backlog(1, T0, None, running=1)
        with store.begin() as unit:
            unit.jobs.give_back(job, MINUTE)
        assert backlog() == Backlog(2, T0 - DAY, T0 - DAY)

    def test_who_listens_is_woken(self, store: Store, feed: Feed):
        """A job that is added, released, given back or finished wakes whoever listens."""
        woken = threading.Event()

        def is_woken() -> bool:
            came = woken.wait(PATIENCE)
            woken.clear()
            return came

        with store.subscribe(woken.set):
            pause(0.3)  # a listener may hear something when it begins
            woken.clear()
            job = samples.queued(store, feed, released=False)
            assert is_woken()
            with store.begin() as unit:
                unit.jobs.put(unit.jobs.lock(job.job_id).release())
            assert is_woken()
            taken = claimed(store)
            woken.clear()
            with store.begin() as unit:
                unit.jobs.give_back(taken, timedelta())
            assert is_woken()
            taken = claimed(store)
            woken.clear()
            with store.begin() as unit:
                unit.jobs.finish(taken.complete(T0, Summary(), "clean"))
            assert is_woken()

    @pytest.fixture
    def lost(self, store: Store, feed: Feed) -> Job:
        """The first attempt of a job that a second one took over."""
        samples.queued(store, feed)
        job = claimed(store, SHORT)
        outlast(SHORT)
        claimed(store)
        return job

    def test_a_lost_run_renews_nothing(self, store: Store, lost: Job):
        """`renew` by an attempt that was taken over is RunLost, and shows nothing."""
        with pytest.raises(RunLost), store.begin() as unit:
            unit.jobs.renew(lost, Progress("read", 1, 1, 1), MINUTE)
        assert kept(store, lost).progress == Progress()

    def test_a_lost_run_finishes_nothing(self, store: Store, lost: Job):
        """`finish` by an attempt that was taken over is RunLost; its unit commits nothing."""
        someone = samples.partner()

        def finish() -> None:
            with store.begin() as unit:
                unit.partners.add(someone)
                unit.jobs.finish(lost.complete(T0, Summary(), "clean"))

        with pytest.raises(RunLost):
            finish()
        assert kept(store, lost).status == "running"
        with store.begin() as unit:
            assert unit.partners.find(someone.partner_name) is None

    def test_the_attempt_that_took_over_finishes(self, store: Store, lost: Job):
        """The later attempt isn't disturbed by the earlier one."""
        current = kept(store, lost)
        with store.begin() as unit:
            unit.jobs.renew(current, Progress("read", 1, 1, 1), MINUTE)
            unit.jobs.finish(current.complete(T0, Summary(), "clean"))
        assert kept(store, lost).status == "completed"

    def test_finishing_replaces_the_job(self, store: Store, feed: Feed):
        """`finish` keeps the finished job, whole."""
        samples.queued(store, feed)
        summary = Summary(records_read=1, created=1, problems_by_code={"not_a_url": 1})
        done = claimed(store).complete(T0 + DAY, summary, "clean")
        with store.begin() as unit:
            unit.jobs.finish(done)
        assert kept(store, done) == done

    def test_a_job_is_finished_once(self, store: Store, feed: Feed):
        """`finish` and `renew` of a job that is finished already are RunLost."""
        samples.queued(store, feed)
        job = claimed(store)
        with store.begin() as unit:
            unit.jobs.finish(job.fail(T0, JobError("empty", "Nothing.")))
        with pytest.raises(RunLost), store.begin() as unit:
            unit.jobs.finish(job.complete(T0, Summary(), "clean"))
        with pytest.raises(RunLost), store.begin() as unit:
            unit.jobs.renew(job, Progress(), MINUTE)
        assert kept(store, job).status == "failed"

    def test_a_run_that_rolls_back_may_try_again(self, store: Store, feed: Feed):
        """A finish that was rolled back leaves the job running under its lease."""
        samples.queued(store, feed)
        job = claimed(store)
        with store.begin(dry_run=True) as unit:
            unit.jobs.finish(job.complete(T0, Summary(), "clean"))
        assert kept(store, job) == job
        with store.begin() as unit:
            unit.jobs.finish(job.complete(T0, Summary(), "clean"))

    def test_every_job_is_claimed_once(self, store: Store):
        """Of many workers that claim at once, no two get the same job, and none is left out."""
        feeds = []
        for _ in range(4):
            _, source = samples.settled(store)
            feeds.append(samples.received(store, source))
        jobs = [samples.queued(store, feed) for feed in feeds]

        def work() -> str | None:
            job = claim(store)
            return job.job_id if job else None

        got = [*together(*[work] * 6), *(work() for _ in feeds)]
        assert sorted(filter(None, got)) == [job.job_id for job in jobs]

    def test_workers_never_run_two_jobs_of_a_partner(self, store: Store, feed: Feed):
        """Of many workers that claim at once, one gets a job of the partner."""
        for _ in range(4):
            samples.queued(store, feed)

        def work() -> bool:
            return claim(store) is not None

        assert sum(together(*[work] * 6)) == 1

    # --- problems ---------------------------------------------------------------------------------

    def test_problems_come_by_line(self, store: Store, feed: Feed):
        """Problems are listed by line, those of one line in the order in which they were added."""
        job = samples.queued(store, feed)
        added = [samples.problem(line, str(n)) for n, line in enumerate([30, 4, 30, 100, 4, 5, 30])]
        with store.begin() as unit:
            unit.jobs.add_problems(job.job_id, added[:3])
            unit.jobs.add_problems(job.job_id, iter(added[3:]))
        with store.begin() as unit:
            page = unit.jobs.problems(job.job_id, None, 100)
        assert page.items == tuple(sorted(added, key=lambda problem: problem.line))
        assert page.after is None

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_problems_come_in_pages(self, store: Store, feed: Feed, limit: int):
        """Pages of problems follow each other without gap or repetition, ties included."""
        job, other = samples.queued(store, feed), samples.queued(store, feed)
        lines = [2, 9, 9, 10, *[9] * 12, 101]
        added = [samples.problem(line, str(n)) for n, line in enumerate(lines)]
        with store.begin() as unit:
            unit.jobs.add_problems(job.job_id, added)
            unit.jobs.add_problems(other.job_id, added[:1])

        def page(after: Position | None):
            with store.begin() as unit:
                got = unit.jobs.problems(job.job_id, after, limit)
            assert len(got.items) <= limit
            return got

        assert list(every(page)) == sorted(added, key=lambda problem: problem.line)

    def test_a_problem_is_kept_as_it_is(self, store: Store, feed: Feed):
        """Every part of a problem comes back, missing ones as None."""
        job = samples.queued(store, feed)
        whole = samples.problem(2**31 - 1, "Ω 📦\n\ufffd")
        whole = evolve(whole, hint='Do, "this".', severity="warning")
        bare = evolve(samples.problem(1), column=None, field=None, value=None)
        with store.begin() as unit:
            unit.jobs.add_problems(job.job_id, [whole, bare])
        with store.begin() as unit:
            assert unit.jobs.problems(job.job_id, None, 9).items == (bare, whole)
            assert unit.jobs.count_problems(job.job_id) == 2

    def test_a_job_without_problems(self, store: Store, feed: Feed):
        """Of a job with none, and of no job, there are no problems."""
        job = samples.queued(store, feed)
        with store.begin() as unit:
            unit.jobs.add_problems(job.job_id, [])
            for job_id in (job.job_id, samples.new_id("job")):
                assert unit.jobs.problems(job_id, None, 9).items == ()
                assert unit.jobs.count_problems(job_id) == 0
