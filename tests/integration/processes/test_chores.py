"""Chores in several processes: by time, once a period, however busy or often killed they are."""

import io
import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlencode

import psycopg
import pytest
from attrs import evolve, frozen
from psycopg.conninfo import conninfo_to_dict

from commerce_core.commerce import Commerce
from commerce_core.ports.files import Files
from commerce_core.work.task import CHORES, Task, TaskKind, lane_of
from entrypoints.worker import Worker
from tests.support.servers.platform import Platform, finished
from tests.support.waiting import PATIENCE, until

FEED = b"sku,product_name,price,currency\nA-1,Lamp,12.50,USD\n"
pytestmark = pytest.mark.processes

KILLED = -signal.SIGKILL
Connect = Callable[[], psycopg.Connection]


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Platform:
    """No process runs on it yet."""
    parts = conninfo_to_dict(database)
    name = parts.pop("dbname")
    return Platform(f"postgresql:///{name}?{urlencode(parts)}", tmp_path)


@pytest.fixture
def commerce(platform: Platform) -> Generator[Commerce]:
    """The platform in this process, in which no worker runs."""
    with platform.opened() as opened:
        yield opened


def chore(commerce: Commerce, kind: TaskKind) -> Task | None:
    with commerce.context.store.begin() as unit:
        return unit.tasks.find(kind)


def certainly(task: Task | None) -> Task:
    assert task is not None
    return task


def is_done(commerce: Commerce, kind: TaskKind) -> bool:
    """Whether the chore waits for its next period."""
    task = chore(commerce, kind)
    now = commerce.context.clock()
    return task is not None and task.status == "queued" and task.due_at > now


def ends(platform: Platform) -> Counter[str]:
    """How often each chore was finished, as all processes report."""
    lines = [json.loads(line) for line in platform.log().splitlines() if line.startswith("{")]
    return Counter(line["kind"] for line in lines if line["event"] == "task.finished")


HOURLY: list[TaskKind] = [kind for kind, period in CHORES.items() if period == timedelta(hours=1)]
"""The chores that are due once an hour, so once during a test, however slow the machine is."""


def hourly(counts: Counter[str]) -> dict[str, int]:
    return {kind: counts[kind] for kind in HOURLY}


@pytest.mark.parametrize(
    "place", ["events.forget.before", "tasks.finish.before", "tasks.finish.committed"]
)
def test_a_chore_whose_worker_is_killed_is_done_once(
    platform: Platform, commerce: Commerce, place: str
):
    """Another worker takes it over after its lease; one that was finished is not done again."""
    with platform.worker(COMMERCE_FAIL_AT=place) as worker:
        assert worker.wait(PATIENCE) == KILLED
    # Which chore a worker comes to first is left to chance, and its lanes work side by side.
    left: dict[TaskKind, Task] = {kind: certainly(chore(commerce, kind)) for kind in HOURLY}
    with platform.worker():
        until(lambda: all(is_done(commerce, kind) for kind in CHORES))
        until(lambda: all(ends(platform)[kind] for kind in unfinished(left)))
    for kind, before in left.items():
        done = certainly(chore(commerce, kind))
        again = kind in unfinished(left)
        assert done.due_at == before.due_at + (CHORES[kind] if again else timedelta())
        assert done.attempts == before.attempts + again
        assert (done.crashed_attempts, done.disconnected_attempts) == (0, 0)
        assert ends(platform)[kind] <= 1


def unfinished(chores: dict[TaskKind, Task]) -> list[TaskKind]:
    """Those that were not begun, or were cut off."""
    return [kind for kind, task in chores.items() if task.status == "running" or not task.attempts]


def test_each_chore_is_done_once_a_period_over_all_processes(
    platform: Platform, commerce: Commerce, connect: Connect
):
    """Three workers that start at once do each once; when it is due again, one of them does it."""
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(platform.worker())
        until(lambda: all(is_done(commerce, kind) for kind in CHORES))
        until(lambda: hourly(ends(platform)) == dict.fromkeys(HOURLY, 1))
        connect().execute(
            """
            UPDATE tasks
            SET due_at = due_at - interval '1 hour',
                lease_expires_at = lease_expires_at - interval '1 hour'
            """
        )
        until(lambda: hourly(ends(platform)) == dict.fromkeys(HOURLY, 2))
        until(lambda: all(is_done(commerce, kind) for kind in CHORES))
    for kind in HOURLY:
        assert certainly(chore(commerce, kind)).attempts == 2


@frozen
class _Slow:
    """Files that can't be read until the test is over."""

    files: Files
    over: threading.Event

    @contextmanager
    def open(self, key: str) -> Generator[BinaryIO]:
        self.over.wait(PATIENCE)
        with self.files.open(key) as stream:
            yield stream

    def __getattr__(self, name: str) -> object:
        return getattr(self.files, name)


def test_a_worker_that_reads_a_feed_does_its_chores(commerce: Commerce):
    """They have a lane of their own: a busy platform forgets on time too."""
    over = threading.Event()
    slow = cast("Files", _Slow(commerce.context.files, over))
    commerce.partners.add("Aroma")
    job_id = commerce.feeds.upload(io.BytesIO(FEED), partner="Aroma", run=True).job_id
    worker = Worker(
        Commerce(evolve(commerce.context, files=slow)), poll_every=timedelta(seconds=0.1)
    )
    worker.start()
    try:
        until(lambda: commerce.jobs.get(job_id).status == "running")
        until(lambda: all(is_done(commerce, kind) for kind in CHORES))
        assert commerce.jobs.get(job_id).status == "running"
        over.set()
        assert finished(commerce, job_id).attempts == 1
    finally:
        over.set()
        worker.stop()


def test_a_chore_that_takes_too_long_is_given_back(
    commerce: Commerce, monkeypatch: pytest.MonkeyPatch
):
    """A worker asked to stop gives it back, for another to do at once; that is no crash."""
    begun, over = threading.Event(), threading.Event()

    def stand_still(_: object, task: Task) -> int:
        if lane_of(task.kind) == "chores":
            begun.set()
        over.wait(PATIENCE)
        return 0

    monkeypatch.setattr("commerce_core.usecases.queue.run_task", stand_still)
    worker = Worker(commerce, grace=timedelta(seconds=0.2))
    worker.start()
    assert begun.wait(PATIENCE)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    until(lambda: all(certainly(chore(commerce, kind)).status == "queued" for kind in CHORES))
    over.set()
    stopping.join(PATIENCE)
    tasks = [certainly(chore(commerce, kind)) for kind in CHORES if lane_of(kind) == "chores"]
    counts = sorted((task.attempts, task.crashed_attempts) for task in tasks)
    assert counts == [(0, 0)] * (len(tasks) - 1) + [(1, 0)]
    assert commerce.queue.claim("chores")
