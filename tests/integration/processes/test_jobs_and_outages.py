"""Jobs whose database falls over under them: by a feed's doing, or by nobody's."""

import io
import os
import signal
import threading
import uuid
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from attrs import evolve

from adapters.postgres import PostgresStore
from commerce_core.base.errors import Severed, Unavailable
from commerce_core.base.ids import parse
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import MOST_DISCONNECTED_ATTEMPTS, Job
from commerce_core.ports.work import Work
from commerce_core.work.attempt import Progress
from entrypoints import worker
from entrypoints.worker import Worker
from tests.support.servers.platform import Platform
from tests.support.servers.postgres import Postgres, running_server
from tests.support.waiting import PATIENCE, outlast, pause, until

pytestmark = pytest.mark.processes

FEED = b"sku,product_name,price,currency\nA-1,Lamp,12.50,USD\nA-2,Chair,7.00,USD\n"


@pytest.fixture(scope="module")
def server() -> Generator[Postgres]:
    """A server that may be killed."""
    with running_server(18) as running:
        yield running


@pytest.fixture
def platform(server: Postgres, tmp_path: Path) -> Platform:
    """A platform on an empty database of that server."""
    name = f"db_{uuid.uuid4().hex}"
    with psycopg.connect(server.conninfo, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}".encode())
    return Platform(server.url(database=name), tmp_path, lease=timedelta(seconds=30))


@pytest.fixture
def commerce(platform: Platform) -> Generator[Commerce]:
    """It, in this process, with two partners."""
    with platform.opened() as opened:
        for name in ("Aroma", "Bouquet"):
            opened.partners.add(name)
        yield opened


def send(commerce: Commerce, partner: str) -> str:
    """The released job of a feed."""
    return commerce.feeds.upload(io.BytesIO(FEED), partner=partner, run=True).job_id


def settled(commerce: Commerce, job_id: str) -> Job:
    """The job once it is finished, however often the database is away meanwhile."""
    found: list[Job] = []

    def is_over() -> bool:
        with suppress(Unavailable):
            found[:] = [commerce.jobs.get(job_id)]
        return bool(found) and found[0].is_finished

    until(is_over, every=0.05)
    return found[0]


@contextmanager
def working(*commerces: Commerce) -> Generator[None]:
    """A worker on each."""
    workers = [Worker(commerce, poll_every=timedelta(seconds=0.1)) for commerce in commerces]
    with ExitStack() as stack:
        for each in workers:
            each.start()
            stack.callback(each.stop)
        yield


def hooked(commerce: Commerce, job_id: str, hook: Callable[[], object]) -> Commerce:
    """The platform, which calls this within the unit in which that job's feed is read."""
    keep_lease = commerce.context.keep_lease

    @contextmanager
    def keep(work: Work, session: str) -> Generator[Callable[[Progress], None]]:
        with keep_lease(work, session) as show:
            if session and isinstance(work, Job) and work.job_id == job_id:
                hook()
            yield show

    return Commerce(evolve(commerce.context, keep_lease=keep))


def crash(platform: Platform, job_id: str) -> None:
    """Kills the server's process that works for the job, which takes all others with it."""
    body = parse("job", job_id).partition("_")[2]
    with psycopg.connect(platform.database_url) as db:
        query = "SELECT split_part(session, ':', 1)::int FROM jobs WHERE job_id = %s"
        (pid,) = db.execute(query, [body]).fetchone() or (0,)
    with suppress(ProcessLookupError):  # done already, and the run hasn't noticed
        os.kill(pid, signal.SIGKILL)


def test_a_feed_that_fells_the_database_is_set_aside_and_no_other(
    platform: Platform, commerce: Commerce, monkeypatch: pytest.MonkeyPatch
):
    """After five severed ends it is failed; what ran beside it is hit once, and completed."""
    monkeypatch.setattr(worker, "PAUSE_AFTER_FAILURE", timedelta(milliseconds=50))
    deadly, innocent = send(commerce, "Aroma"), send(commerce, "Bouquet")
    begun, felled = threading.Event(), threading.Event()

    def fell() -> None:
        begun.wait(PATIENCE)
        crash(platform, deadly)
        felled.set()

    def take_long() -> None:
        begun.set()
        felled.wait(PATIENCE)
        pause(0.5)

    both = hooked(hooked(commerce, deadly, fell), innocent, take_long)
    with working(both, both):
        job, done = settled(commerce, deadly), settled(commerce, innocent)
    assert job.error
    assert (job.status, job.error.code) == ("failed", "set_aside")
    assert (job.crashed_attempts, job.disconnected_attempts) == (0, MOST_DISCONNECTED_ATTEMPTS)
    assert "the database crashed" in job.error.message
    assert (done.status, done.crashed_attempts) == ("completed", 0)
    assert done.disconnected_attempts < MOST_DISCONNECTED_ATTEMPTS


def test_an_outage_longer_than_the_lease_is_no_silent_end(
    server: Postgres, platform: Platform, commerce: Commerce
):
    """A worker gives its job back when the database is there again, however long that took."""
    platform.lease = timedelta(seconds=1)
    job_id = send(commerce, "Aroma")
    away = threading.Event()

    def stop() -> None:
        if not away.is_set():
            away.set()
            server.stop(signal.SIGKILL)

    with platform.opened() as brief, working(hooked(brief, job_id, stop)):
        until(away.is_set)
        outlast(3 * platform.lease)
        server.start()
        job = settled(commerce, job_id)
    assert (job.status, job.attempts, job.crashed_attempts) == ("completed", 2, 0)


def test_a_lease_that_ran_out_while_the_database_was_down_is_no_silent_end(
    server: Postgres, commerce: Commerce
):
    """Nobody could renew it, so the takeover counts a severed one, though the worker is gone."""
    job_id = send(commerce, "Aroma")
    brief = Commerce(evolve(commerce.context, lease=timedelta(milliseconds=10)))
    assert brief.queue.claim()
    server.stop(signal.SIGKILL)
    server.start()
    job = commerce.queue.claim()
    assert job
    assert (job.job_id, job.crashed_attempts, job.disconnected_attempts) == (job_id, 0, 1)


def test_a_server_that_fell_over_severs_its_units(server: Postgres, platform: Platform):
    """A unit under way is told so; one that begins while the server is away isn't."""
    with closing(PostgresStore(platform.database_url)) as store:
        with pytest.raises(Severed):
            count_partners(store, meanwhile=lambda: server.stop(signal.SIGQUIT))
        with pytest.raises(Unavailable) as refused:
            count_partners(store)
        assert not isinstance(refused.value, Severed)
        server.start()


def test_a_server_that_is_asked_to_end_severs_nothing(server: Postgres, platform: Platform):
    """So neither a restart nor a failover in order counts against a feed."""
    with closing(PostgresStore(platform.database_url)) as store:
        with pytest.raises(Unavailable) as refused:
            count_partners(store, meanwhile=lambda: server.stop(signal.SIGINT))
        assert not isinstance(refused.value, Severed)
        server.start()


def count_partners(store: PostgresStore, meanwhile: Callable[[], object] = bool) -> int:
    """What a unit finds, in which something happens before it looks."""
    with store.begin() as unit:
        meanwhile()
        return unit.partners.count(None)
