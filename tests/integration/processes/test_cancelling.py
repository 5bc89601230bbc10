"""Running jobs that are ended from outside: cancelled, out of time, or with their partner gone."""

import contextlib
import io
import signal
import threading
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final, cast
from urllib.parse import urlencode

import psycopg
import pytest
from attrs import evolve, frozen
from psycopg.conninfo import conninfo_to_dict

from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.ports.files import Files
from entrypoints.leases import lease_keeper
from entrypoints.worker import Worker
from tests.support.servers.platform import Platform, finished
from tests.support.waiting import PATIENCE, pause, until

pytestmark = pytest.mark.processes

FEED: Final = b"sku,product_name,price,currency\nA-1,Lamp,12.50,USD\nA-2,Chair,cheap,USD\n"
LONG: Final = timedelta(hours=1)


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Platform:
    """Nobody runs on it yet; no lease expires."""
    parts = conninfo_to_dict(database)
    name = parts.pop("dbname")
    return Platform(f"postgresql:///{name}?{urlencode(parts)}", tmp_path, lease=LONG)


@pytest.fixture
def commerce(platform: Platform) -> Generator[Commerce]:
    """The platform in this process, in which no worker runs."""
    with platform.opened() as opened:
        yield opened


@frozen
class _Endless:
    """Files of which hardly anything comes, and never an end."""

    files: Files

    @contextlib.contextmanager
    def open(self, key: str) -> Generator[BinaryIO]:
        with self.files.open(key) as stream:
            yield cast("BinaryIO", _Trickle(stream))

    def __getattr__(self, name: str) -> object:
        return getattr(self.files, name)


@frozen
class _Trickle:
    stream: BinaryIO

    def read(self, _: int = -1) -> bytes:
        pause()
        return self.stream.read(1 << 16) or b"\nA-2,Chair,7.00,USD" * 1000

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


@contextlib.contextmanager
def working(commerce: Commerce) -> Generator[Worker]:
    worker = Worker(commerce, grace=timedelta(seconds=2))
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def endless(commerce: Commerce, budget: timedelta = LONG) -> Commerce:
    """The platform, with files that never end."""
    context = commerce.context
    files = cast("Files", _Endless(context.files))
    return Commerce(
        evolve(context, files=files, keep_lease=lease_keeper(context.store, LONG, budget))
    )


def send(commerce: Commerce, partner: str = "Aroma") -> str:
    if partner not in {known.partner_name for known in commerce.partners.list()}:
        commerce.partners.add(partner)
    return commerce.feeds.upload(io.BytesIO(FEED), partner=partner, run=True).job_id


def is_reading(commerce: Commerce, job_id: str) -> bool:
    return commerce.jobs.get(job_id).progress.stage == "read"


def is_blocked(db: psycopg.Connection) -> bool:
    """Whether a session of this database waits for a lock."""
    query = """
        SELECT count(*)
        FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
        """
    return db.execute(query).fetchone() != (0,)


def assert_nothing_is_left(commerce: Commerce, job: Job) -> None:
    """No product, no problem, no report; the feed is as it was received."""
    assert commerce.products.page(ProductQuery()).items == ()
    assert list(commerce.jobs.problems(job.job_id)) == []
    assert list(commerce.context.files.list(f"{job.reports}/")) == []
    assert commerce.feeds.get(job.feed_id).status == "received"


def test_a_job_that_reads_is_cancelled_and_its_worker_goes_on(commerce: Commerce):
    """The lane is free for the next feed as soon as the run notices; the job stays cancelled."""
    with working(endless(commerce)):
        job_id = send(commerce)
        until(lambda: is_reading(commerce, job_id))
        cancelled = commerce.jobs.cancel(job_id)
        assert cancelled.status == "cancelled"
        assert cancelled.error is not None
        assert "Cancelled by the operator in stage read" in cancelled.error.message
        other = send(commerce, "Bouquet")
        until(lambda: is_reading(commerce, other))
        commerce.jobs.cancel(other)
    assert commerce.jobs.get(job_id) == cancelled
    assert_nothing_is_left(commerce, cancelled)


def test_a_job_is_cancelled_in_the_middle_of_a_statement(
    commerce: Commerce, connect: Callable[[], psycopg.Connection]
):
    """A run that is about to publish, with its report written, ends at once and leaves nothing."""
    db, watching = connect(), connect()
    with working(commerce):
        with db.transaction():
            db.execute("SELECT FROM publication_clock FOR UPDATE")  # so the feed can't end
            job_id = send(commerce)
            until(lambda: is_blocked(watching))
            cancelled = commerce.jobs.cancel(job_id)
            until(lambda: not is_blocked(watching))
        assert finished(commerce, send(commerce, "Bouquet")).status == "completed"
    job = commerce.jobs.get(job_id)
    assert job == cancelled
    aroma = commerce.products.page(ProductQuery(), partner="Aroma")
    assert aroma.items == ()
    assert list(commerce.context.files.list(f"{job.reports}/")) == []


def test_a_cancelled_feed_can_be_run_again(commerce: Commerce):
    """By a new job, which is applied as if the other had never been."""
    with working(endless(commerce)):
        job_id = send(commerce)
        until(lambda: is_reading(commerce, job_id))
        feed_id = commerce.jobs.cancel(job_id).feed_id
    again = commerce.jobs.run(commerce.jobs.start(feed_id).job_id)
    assert (again.status, again.outcome) == ("completed", "with_rejects")


def test_a_job_whose_worker_stands_still_is_cancelled_and_stays_so(
    platform: Platform, commerce: Commerce, connect: Callable[[], psycopg.Connection]
):
    """A stopped process can't hold the cancellation up, and commits nothing when it goes on."""
    db, watching = connect(), connect()
    with platform.worker() as worker, db.transaction():
        db.execute("SELECT FROM publication_clock FOR UPDATE")
        job_id = send(commerce)
        until(lambda: is_blocked(watching))
        worker.send_signal(signal.SIGSTOP)
        cancelled = commerce.jobs.cancel(job_id)
        worker.send_signal(signal.SIGCONT)
        until(lambda: "job.cancelled" in platform.log())
    with platform.worker():
        assert finished(commerce, send(commerce, "Bouquet")).status == "completed"
    assert commerce.jobs.get(job_id) == cancelled


def test_a_feed_that_uses_up_its_time_fails_once_and_says_how_far_it_was(commerce: Commerce):
    """It isn't tried again; the next feed is."""
    with working(endless(commerce, budget=timedelta(seconds=0.5))):
        job = finished(commerce, send(commerce))
    assert (job.status, job.attempts, job.crashed_attempts) == ("failed", 1, 0)
    assert job.error is not None
    assert job.error.code == "out_of_time"
    assert "time budget of 0.5 seconds was used up in stage read" in job.error.message
    assert commerce.feeds.get(job.feed_id).status == "failed"


def test_a_statement_that_outlasts_the_budget_is_ended(
    commerce: Commerce, connect: Callable[[], psycopg.Connection]
):
    """A run that waits in the database fails too, though it can't look at any clock."""
    db = connect()
    context = commerce.context
    brief = lease_keeper(context.store, LONG, timedelta(seconds=0.5))
    with working(Commerce(evolve(context, keep_lease=brief))), db.transaction():
        commerce.partners.add("Aroma")
        db.execute("LOCK products IN SHARE MODE")  # nobody writes a product
        job = finished(commerce, send(commerce))
    assert job.error is not None
    assert (job.status, job.error.code, job.attempts) == ("failed", "out_of_time", 1)


def test_who_is_offboarded_has_no_jobs_any_more(commerce: Commerce):
    """What runs is ended, what waits is cancelled, and other partners' feeds go on."""
    with working(endless(commerce)):
        running = send(commerce)
        until(lambda: is_reading(commerce, running))
        waiting = send(commerce)
        commerce.partners.change("Aroma", status="offboarded")
        jobs = [commerce.jobs.get(job_id) for job_id in (running, waiting)]
        other = send(commerce, "Bouquet")
        until(lambda: is_reading(commerce, other))
        commerce.jobs.cancel(other)
    for job in jobs:
        assert job.status == "cancelled"
        assert job.error is not None
        assert job.error.code == "partner_offboarded"
        assert_nothing_is_left(commerce, job)


def test_many_cancel_one_job_at_once(commerce: Commerce):
    """One of them does; the others learn that it is finished."""
    job_id = send(commerce)
    outcomes: list[str] = []

    def cancel() -> None:
        try:
            outcomes.append(commerce.jobs.cancel(job_id).status)
        except Exception as error:  # noqa: BLE001 - its kind is asserted below
            outcomes.append(getattr(error, "code", repr(error)))

    threads = [threading.Thread(target=cancel) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(outcomes) == ["cancelled", *["job_finished"] * 4]
