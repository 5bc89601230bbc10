"""Claims on any store: queued full feeds of a source come down to the newest, whoever claims."""

import io
from datetime import timedelta

import pytest
from attrs import evolve

from adapters.memory import MemoryFiles
from commerce_core.activity.events import NewEvent
from commerce_core.feeds.job import Job
from commerce_core.feeds.source import Source
from commerce_core.feeds.summary import Summary
from commerce_core.ingestion.claim import Claiming
from commerce_core.ports.store import Store
from commerce_core.schema.fields import Mode
from tests.contracts import samples
from tests.contracts.samples import MINUTE, T0
from tests.contracts.threads import meanwhile, together
from tests.support.waiting import PATIENCE

BODY = b"sku,product_name\nA,Lamp\n"
NO_CATALOG = b"colour,size\nred,5\n"
MENDED = (
    b"_line,_code,_column,_value,_hint,_feed,sku,product_name\n"
    b"2,missing_value,sku,,,feed_01990000000000000000000000000000,A,Lamp\n"
)


class TestClaiming:
    @pytest.fixture
    def files(self) -> MemoryFiles:
        """Where the raw files are."""
        return MemoryFiles()

    @pytest.fixture
    def source(self, store: Store) -> Source:
        """A source of a partner."""
        _, main = samples.settled(store)
        return main

    def send(
        self, store: Store, files: MemoryFiles, source: Source, *, shows: int = 0,
        mode: Mode = "full", body: bytes = BODY, released: bool = True,
    ) -> Job:  # fmt: skip
        """Keeps a feed that shows the state of so many minutes later, and queues its job."""
        at = T0 + shows * MINUTE
        feed = samples.received(store, source, mode=mode, snapshot_at=at)
        files.put(feed.file_key, io.BytesIO(body), 10_000)
        return samples.queued(store, feed, released=released)

    def claim(self, store: Store, files: MemoryFiles, job_id: str | None = None) -> Job | None:
        with store.begin() as unit:
            claiming = Claiming(
                unit, files, T0, MINUTE, lambda: NewEvent(samples.new_id("evt"), T0)
            )
            return claiming.next() if job_id is None else claiming.one(job_id)

    def states(self, store: Store, *jobs: Job) -> list[tuple[str, str]]:
        """What became of each job, and of its feed."""
        with store.begin() as unit:
            kept = [unit.jobs.get(job.job_id) for job in jobs]
            return [(job.status, unit.feeds.get(job.feed_id).status) for job in kept]

    def test_the_newest_of_the_waiting_full_feeds_is_run(
        self, store: Store, files: MemoryFiles, source: Source
    ):
        """The others' jobs are cancelled, with the reason; their feeds are superseded."""
        jobs = [self.send(store, files, source, shows=shows) for shows in (3, 9, 5)]
        got = self.claim(store, files)
        assert got is not None
        assert got.job_id == jobs[1].job_id
        needless = ("cancelled", "superseded")
        assert self.states(store, *jobs) == [needless, ("running", "received"), needless]
        with store.begin() as unit:
            error = unit.jobs.get(jobs[0].job_id).error
        assert error is not None
        assert error.code == "superseded"
        assert jobs[1].feed_id in error.message

    def test_deltas_keep_their_place(self, store: Store, files: MemoryFiles, source: Source):
        """A delta that was queued before the newest full feed is run before it."""
        old = self.send(store, files, source, shows=1)
        delta = self.send(store, files, source, mode="delta", shows=2)
        new = self.send(store, files, source, shows=3)
        first = self.claim(store, files)
        assert first is not None
        assert first.job_id == delta.job_id
        assert self.states(store, old, new) == [("cancelled", "superseded"), ("queued", "received")]
        with store.begin() as unit:
            unit.jobs.finish(first.complete(T0, Summary(), "clean"))
        second = self.claim(store, files)
        assert second is not None
        assert second.job_id == new.job_id

    def test_other_sources_and_unreleased_jobs_are_left_alone(
        self, store: Store, files: MemoryFiles, source: Source
    ):
        """What waits for a person neither wins nor loses."""
        with store.begin() as unit:
            partner = unit.partners.get(source.partner_id)
            other = samples.source(partner, "other")
            unit.sources.add(other)
        mine = self.send(store, files, source)
        waits = self.send(store, files, source, shows=9, released=False)
        theirs = self.send(store, files, other, shows=9)
        got = self.claim(store, files)
        assert got is not None
        assert got.job_id == mine.job_id
        assert self.states(store, waits, theirs) == [("queued", "received")] * 2

    def test_a_job_that_is_run_by_its_id_gives_way_too(
        self, store: Store, files: MemoryFiles, source: Source
    ):
        """It comes back cancelled; the newest, run by its id, makes the others needless."""
        old, new = (self.send(store, files, source, shows=shows) for shows in (1, 2))
        got = self.claim(store, files, old.job_id)
        assert got is not None
        assert (got.job_id, got.status) == (old.job_id, "cancelled")
        assert self.states(store, old, new) == [("cancelled", "superseded"), ("queued", "received")]
        older = self.send(store, files, source)
        running = self.claim(store, files, new.job_id)
        assert running is not None
        assert running.status == "running"
        assert self.states(store, older) == [("cancelled", "superseded")]

    @pytest.mark.parametrize("body", [MENDED, NO_CATALOG], ids=["mended", "unreadable"])
    def test_a_mended_report_or_a_file_that_cannot_be_read_makes_nothing_needless(
        self, store: Store, files: MemoryFiles, source: Source, body: bytes
    ):
        """Though sent as the newest full feed it isn't the whole catalog."""
        old = self.send(store, files, source, shows=1)
        odd = self.send(store, files, source, shows=2, body=body)
        got = self.claim(store, files)
        assert got is not None
        assert got.job_id == old.job_id
        assert self.states(store, odd) == [("queued", "received")]

    def test_a_feed_that_is_applied_stays_so_when_its_second_job_is_needless(
        self, store: Store, files: MemoryFiles, source: Source
    ):
        """Only the job is cancelled."""
        again = self.send(store, files, source)
        with store.begin() as unit:
            unit.feeds.put(evolve(unit.feeds.get(again.feed_id).became("applied", T0)))
        self.send(store, files, source, shows=1)
        self.claim(store, files)
        assert self.states(store, again) == [("cancelled", "applied")]

    def test_claims_at_once_run_one_and_cancel_the_others_once(
        self, store: Store, files: MemoryFiles, source: Source
    ):
        """However many claim at the same moment, the newest alone is run, and no job is lost."""
        jobs = [self.send(store, files, source, shows=shows) for shows in (4, 1, 8, 3, 7)]
        got = together(*[lambda: self.claim(store, files)] * 4)
        (running,) = filter(None, got)
        assert running.job_id == jobs[2].job_id
        states = self.states(store, *jobs)
        assert states.count(("cancelled", "superseded")) == 4

    def test_a_newest_feed_that_is_cancelled_meanwhile_makes_nothing_needless(
        self, store: Store, files: MemoryFiles, source: Source
    ):
        """Whoever claims waits for the one who cancels, and then decides again."""
        old, new = (self.send(store, files, source, shows=shows) for shows in (1, 2))
        with store.begin() as unit:
            unit.jobs.put(unit.jobs.lock(new.job_id).cancel(T0 + timedelta(1)))
            claiming = meanwhile(lambda: self.claim(store, files))
        got = claiming.result(PATIENCE)
        assert got is not None
        assert got.job_id == old.job_id
        assert self.states(store, old) == [("running", "received")]
