"""Several processes on one database: who runs a job, who takes it over, and how they end."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from attrs import define, evolve, frozen
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres import PostgresStore
from adapters.postgres.store import Unit
from commerce_core.base.errors import RunLost
from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import MOST_CRASHED_ATTEMPTS
from commerce_core.ports.files import Files
from commerce_core.ports.store import Store
from commerce_core.usecases.feeds import Receipt
from entrypoints.worker import Worker
from tests.support.ports import free_port
from tests.support.servers.platform import Platform, finished
from tests.support.waiting import PATIENCE, outlast, pause, until

pytestmark = pytest.mark.processes

FEED = b"sku,product_name,price,currency\nA-1,Lamp,12.50,USD\nA-2,Chair,7.00,USD\n"
KILLED = -signal.SIGKILL
LONG = timedelta(hours=1)
"""A lease that no run outlasts, however busy the machine is."""
SHORT = {"COMMERCE_LEASE_SECONDS": "1"}
"""Of a worker whose job is to be taken over."""


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Platform:
    """Nobody runs on it yet."""
    parts = conninfo_to_dict(database)
    name = parts.pop("dbname")
    return Platform(f"postgresql:///{name}?{urlencode(parts)}", tmp_path, lease=LONG)


@pytest.fixture
def commerce(platform: Platform) -> Generator[Commerce]:
    """The platform in this process, in which no worker runs."""
    with platform.opened() as opened:
        yield opened


def send(commerce: Commerce, partner: str, feed: bytes = FEED, *, run: bool = True) -> Receipt:
    """A feed of that partner, who is new unless known."""
    if partner not in {known.partner_name for known in commerce.partners.list()}:
        commerce.partners.add(partner)
    return commerce.feeds.upload(io.BytesIO(feed), partner=partner, run=run)


def stopped(pid: int) -> bool:
    """Whether a process is stopped, as by SIGSTOP."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(") ")[2].startswith("T")


# --- one after the other, and beside each other ---------------------------------------------------


def test_several_workers_run_each_job_once(platform: Platform, commerce: Commerce):
    """With three workers on two dozen jobs each job has one attempt, and all are completed."""
    jobs = [send(commerce, f"Partner {number % 6}").job_id for number in range(24)]
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(platform.worker())
        ended = [finished(commerce, job_id) for job_id in jobs]
    assert {(job.status, job.attempts, job.crashed_attempts) for job in ended} == {
        ("completed", 1, 0)
    }


@frozen
class _Deaf:
    """A store that gives no hints."""

    store: Store

    def subscribe(self, _: Callable[[], None]) -> AbstractContextManager[Any]:
        return ExitStack()

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


@contextmanager
def working(commerce: Commerce, poll_every: timedelta) -> Generator[Worker]:
    worker = Worker(commerce, poll_every=poll_every)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def test_a_released_job_wakes_an_idle_worker(commerce: Commerce):
    """A worker that looks by itself once an hour takes a job at once when it is released."""
    with working(commerce, poll_every=timedelta(hours=1)):
        pause(0.5)
        held = send(commerce, "Aroma", run=False)
        commerce.jobs.release(held.job_id)
        assert finished(commerce, held.job_id).status == "completed"


def test_without_a_hint_a_worker_finds_the_job_by_looking(commerce: Commerce):
    """Where no notification comes through, jobs are run all the same."""
    deaf = Commerce(evolve(commerce.context, store=cast("Store", _Deaf(commerce.context.store))))
    with working(deaf, poll_every=timedelta(milliseconds=50)):
        assert finished(commerce, send(commerce, "Aroma").job_id).status == "completed"


def test_a_first_feed_needs_no_prices(commerce: Commerce):
    """It is copied straight into the catalog all the same."""
    commerce.partners.add("Aroma")
    job = commerce.feeds.load(io.BytesIO(b"sku,product_name\nA,Lamp\nB,Chair\n"), partner="Aroma")
    assert (job.status, job.outcome, job.attempts) == ("completed", "clean", 1)
    assert [p.price for p in commerce.products.page(ProductQuery(), partner="Aroma").items] == [
        None
    ] * 2


# --- hard ends ------------------------------------------------------------------------------------


def test_a_stopped_worker_is_taken_over_and_commits_nothing_when_it_goes_on(
    platform: Platform, commerce: Commerce, connect: Callable[[], psycopg.Connection]
):
    """A worker stopped just before its commit holds the locks of all; its session is ended."""
    receipt = send(commerce, "Aroma")
    with platform.worker(COMMERCE_FAIL_AT="publications.add.after:stop", **SHORT) as zombie:
        until(lambda: stopped(zombie.pid))
        with platform.worker():
            job = finished(commerce, receipt.job_id)
            assert (job.status, job.outcome, job.attempts) == ("completed", "clean", 2)
            zombie.send_signal(signal.SIGCONT)
            # It is of use again.
            other = send(commerce, "Bouquet")
            assert finished(commerce, other.job_id).status == "completed"
        last = send(commerce, "Aroma", FEED.replace(b"Lamp", b"Light"))
        assert finished(commerce, last.job_id).attempts == 1
    numbers = connect().execute("SELECT array_agg(number ORDER BY number) FROM publications")
    assert numbers.fetchone() == ([1, 2, 3],)
    assert commerce.jobs.get(receipt.job_id) == job


def test_a_feed_that_kills_its_workers_is_set_aside_and_others_go_on(
    platform: Platform, commerce: Commerce
):
    """After three silent ends feed and job are failed with `set_aside`; no other feed is."""
    deadly = send(commerce, "Aroma")
    for _ in range(MOST_CRASHED_ATTEMPTS):
        with platform.worker(COMMERCE_FAIL_AT="publications.add.before", **SHORT) as worker:
            until(partial(died_of, worker, commerce, deadly.job_id))
    other = send(commerce, "Bouquet")
    with platform.worker():
        job = finished(commerce, deadly.job_id)
        assert finished(commerce, other.job_id).status == "completed"
    assert job.error
    assert (job.status, job.error.code, job.attempts) == ("failed", "set_aside", 4)
    assert commerce.feeds.get(deadly.feed_id).status == "failed"
    assert not commerce.products.page(ProductQuery(), partner="Aroma").items


def died_of(worker: "subprocess.Popen[str]", commerce: Commerce, job_id: str) -> bool:
    """Whether the worker was killed by the job; an error if it can't be any more."""
    job = commerce.jobs.get(job_id)
    assert not job.is_finished, job
    assert worker.poll() in (None, KILLED)
    return worker.poll() == KILLED


def test_an_outage_counts_against_no_feed(platform: Platform, commerce: Commerce):
    """A run that an outage ends is given back at once, and is run again after a pause."""
    with platform.worker(COMMERCE_FAIL_AT="files.open.before:outage"):
        job = finished(commerce, send(commerce, "Aroma").job_id)
    assert (job.status, job.attempts, job.crashed_attempts) == ("completed", 2, 0)


# --- ends in order --------------------------------------------------------------------------------


def test_a_worker_that_is_asked_to_end_finishes_its_job_and_takes_no_other(
    platform: Platform, commerce: Commerce, connect: Callable[[], psycopg.Connection]
):
    """SIGTERM in the middle of a feed: that feed is applied, the next one is left to others."""
    first, second = send(commerce, "Aroma"), send(commerce, "Aroma")
    db = connect()
    with platform.worker() as worker:
        with db.transaction():
            db.execute("SELECT FROM publication_clock FOR UPDATE")  # so the feed can't end
            until(lambda: waits_for_a_lock(commerce))
            worker.send_signal(signal.SIGTERM)
            until(lambda: has_taken(signal.SIGTERM, worker.pid))
        assert worker.wait(PATIENCE) == 0
    assert commerce.jobs.get(first.job_id).status == "completed"
    assert commerce.jobs.get(second.job_id).status == "queued"


def waits_for_a_lock(commerce: Commerce) -> bool:
    """Whether any session of the database does."""
    query = """
        SELECT count(*)
        FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
        """
    with commerce.context.store.begin() as unit:
        return cast("Unit", unit).partners._db.execute(query).fetchone() != (0,)


def has_taken(number: signal.Signals, pid: int) -> bool:
    """Whether no such signal waits for the process to take it."""
    status = Path(f"/proc/{pid}/status").read_text()
    (waiting,) = re.findall(r"ShdPnd:\s*([0-9a-f]+)", status)
    return not int(waiting, 16) >> (number - 1) & 1


@frozen
class _Endless:
    """Files whose end doesn't come until the test is over: they trickle."""

    files: Files
    over: threading.Event

    @contextmanager
    def open(self, key: str) -> Generator[BinaryIO]:
        with self.files.open(key) as stream:
            yield cast("BinaryIO", _Trickle(stream, self.over))

    def __getattr__(self, name: str) -> object:
        return getattr(self.files, name)


@define
class _Trickle:
    """Enough to see what it is, and then hardly anything."""

    stream: BinaryIO
    over: threading.Event
    blocks: int = 20

    def read(self, _: int = -1) -> bytes:
        pause()
        self.blocks -= 1
        more = b"" if self.over.is_set() else b"\nA-2,Chair,7.00,USD"
        return self.stream.read(1 << 16) or more * (1000 if self.blocks > 0 else 1)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


def test_a_job_that_takes_too_long_is_given_back(platform: Platform, commerce: Commerce):
    """A worker told to end gives back what it can't finish; that is no silent end, and undone."""
    over = threading.Event()
    endless = cast("Files", _Endless(commerce.context.files, over))
    receipt = send(commerce, "Aroma")
    worker = Worker(Commerce(evolve(commerce.context, files=endless)), grace=timedelta(seconds=0.5))
    worker.start()
    until(lambda: commerce.jobs.get(receipt.job_id).progress.stage == "read")
    worker.stop()
    job = commerce.jobs.get(receipt.job_id)
    assert (job.status, job.released, job.attempts, job.crashed_attempts) == ("queued", True, 1, 0)
    over.set()
    with platform.worker():
        job = finished(commerce, receipt.job_id)
    assert (job.status, job.attempts, job.crashed_attempts) == ("completed", 2, 0)
    assert job.summary
    assert job.summary.records_read == 2


def test_a_run_that_failed_leaves_its_session_to_others(store: PostgresStore, platform: Platform):
    """The takeover of a run that failed ends no session: its connection has other work by then."""
    platform.lease = timedelta(seconds=0.2)
    with platform.opened() as commerce:
        receipt = send(commerce, "Aroma")
        files = cast("Files", _Broken(commerce.context.files))
        broken = Commerce(evolve(commerce.context, files=files))
        job = broken.queue.claim()
        assert job
        with pytest.raises(ZeroDivisionError):
            broken.queue.execute(job)
        with commerce.context.store.begin() as unit:  # the same connection, as the pool gives it
            outlast(platform.lease)
            with store.begin() as other:
                taken = other.jobs.claim(job.created_at, LONG)
            assert taken
            assert unit.jobs.get(receipt.job_id).attempts == 2


@frozen
class _Broken:
    """Files with a fault of ours in them."""

    files: Files

    def open(self, _: str) -> BinaryIO:
        raise ZeroDivisionError

    def __getattr__(self, name: str) -> object:
        return getattr(self.files, name)


# --- the server -----------------------------------------------------------------------------------


def test_a_server_that_is_asked_to_end_answers_those_who_wait(
    platform: Platform, commerce: Commerce
):
    """A request that waits for a job is answered with how far it is, and the server ends at 0."""
    secret = commerce.keys.add().secret
    send(commerce, "Aroma")
    held = send(commerce, "Aroma", run=False)
    answers: list[httpx.Response] = []
    assert Commerce(evolve(commerce.context, lease=timedelta(minutes=1))).queue.claim()
    with platform.server() as server:

        def wait() -> None:
            url = f"{server.address}/v1/jobs/{held.job_id}/run?wait=60"
            answers.append(httpx.post(url, headers={"X-API-Key": secret or ""}, timeout=PATIENCE))

        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: commerce.jobs.get(held.job_id).released)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        thread.join(PATIENCE)
    assert [answer.status_code for answer in answers] == [202]


def test_nothing_of_a_killed_server_is_left(platform: Platform, commerce: Commerce):
    """When the parent is killed its processes end too, and the address is free again."""
    with platform.server(workers=2) as server:
        os.kill(server.process.pid, signal.SIGKILL)
        port = int(server.address.rpartition(":")[2])
        until(lambda: _is_free(port))


def logged(platform: Platform, event: str, role: str) -> list[dict[str, Any]]:
    """The events of that name about that role, in their order."""
    lines = (line for line in platform.log().splitlines() if line.startswith("{"))
    events = (json.loads(line) for line in lines)
    return [e for e in events if e.get("event") == event and e.get("role") == role]


def newest(platform: Platform, role: str, known: int) -> int:
    """The process of that role that started as the next after so many."""
    until(lambda: len(logged(platform, "process.started", role)) > known)
    return logged(platform, "process.started", role)[known]["pid"]


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/live", timeout=PATIENCE).is_success
    except httpx.TransportError:
        return False


def test_processes_that_are_killed_again_and_again_are_started_again(
    platform: Platform, commerce: Commerce
):
    """The one that answers HTTP, and the one that works; a feed sent then is applied."""
    with platform.server() as server:
        for times in range(3):
            for role in ("server", "worker"):
                os.kill(newest(platform, role, times), signal.SIGKILL)
        newest(platform, "server", 3)
        newest(platform, "worker", 3)
        until(lambda: answers(server.address))
        assert finished(commerce, send(commerce, "Aroma").job_id).status == "completed"
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
    for role in ("server", "worker"):
        ends = logged(platform, "process.ended", role)
        assert [(end["exit_code"], end["restarted_in"]) for end in ends] == [
            (KILLED, 0.5), (KILLED, 1.0), (KILLED, 2.0),
        ]  # fmt: skip


def test_a_worker_that_is_killed_takes_no_request_along(platform: Platform, commerce: Commerce):
    """The server answers all the time, while a feed ends the worker again and again."""
    fatal = {"COMMERCE_FAIL_AT": "products.load.after", **SHORT}
    with evolve(platform, environ=fatal).server() as server:
        receipt = send(commerce, "Aroma")
        refused = 0
        while not (job := commerce.jobs.get(receipt.job_id)).is_finished:
            refused += not answers(server.address)
    assert refused == 0
    assert job.error is not None
    assert (job.error.code, job.crashed_attempts) == ("set_aside", MOST_CRASHED_ATTEMPTS)


def test_a_server_without_a_worker_leaves_jobs_alone(platform: Platform, commerce: Commerce):
    """They wait for a worker elsewhere."""
    receipt = send(commerce, "Aroma")
    with platform.running("serve", "--port", str(free_port()), "--no-worker") as process:
        assert process.stdout
        process.stdout.readline()
        pause(1)
        assert commerce.jobs.get(receipt.job_id).status == "queued"
        with platform.worker():
            assert finished(commerce, receipt.job_id).status == "completed"


def _is_free(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def test_a_job_that_was_given_back_is_claimed_when_its_pause_is_over(commerce: Commerce):
    """Nobody claims it before; whoever had it can't give it back twice."""
    receipt = send(commerce, "Aroma")
    job = commerce.queue.claim()
    assert job
    moment = timedelta(milliseconds=1)
    commerce.queue.give_back(job, moment)
    with pytest.raises(RunLost):
        commerce.queue.give_back(job)
    outlast(moment)
    again = commerce.queue.claim()
    assert again
    assert (again.job_id, again.attempts, again.crashed_attempts) == (receipt.job_id, 2, 0)
    commerce.queue.give_back(again, LONG)
    assert commerce.queue.claim() is None
