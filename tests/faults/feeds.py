"""Feeds whose run is killed, stopped, cut off from its file, or told a wrong time."""

import contextlib
import io
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from attrs import evolve

from commerce_core.base.errors import Unavailable
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from tests.faults.house import House, feed_of, house, is_root, load, working
from tests.faults.places import places_of
from tests.support.servers.platform import Platform, finished
from tests.support.servers.postgres import running_server
from tests.support.servers.proxy import Proxy, proxy_before
from tests.support.servers.swift import running_swift
from tests.support.waiting import until

BEFORE = feed_of(1500)
AFTER = feed_of(1900, price="1.10", without_each=10)
"""It creates, changes and removes, and no guard objects."""
UPLOAD = """
import sys
from commerce_core import connect
database, files, partner, key = sys.argv[1:]
with connect(database, files) as commerce:
    commerce.feeds.upload(sys.stdin.buffer, partner=partner, mode="full", run=True, key=key)
"""


def catalog(home: House, partner: str) -> list[tuple[object, ...]]:
    """All that the partner's catalog and its past say, but for ids and times."""
    return home.ask(
        """
        SELECT p.sku, p.product_name, p.price, p.quantity, p.status, p.version, p.ordinal, p.line,
               (SELECT count(*) FROM product_versions v
                WHERE v.partner_id = p.partner_id AND v.product_id = p.product_id),
               (SELECT count(*) FROM publications u WHERE u.partner_id = p.partner_id)
        FROM products p JOIN partners USING (partner_id)
        WHERE partner_name = %s
        ORDER BY p.sku
        """,
        partner,
    )


def _mostly(rows: list[tuple[object, ...]]) -> object:
    """What readers may see of it."""
    return [row[:8] for row in rows]


def _send(home: House, partner: str, **environ: str) -> int:
    """Uploads the second feed by a process of its own, under the partner's name as its key."""
    files = f"file:{home.platform.home / 'files'}"
    command = [sys.executable, "-c", UPLOAD, home.platform.database_url, files, partner, partner]
    environment = {**home.platform.variables, **environ}
    return subprocess.run(command, input=AFTER, env=environment, check=False).returncode


def _prepared(home: House, commerce: Commerce, partner: str, point: str = "") -> str:
    """A partner with the first feed applied and the second one waiting; gives its job.

    Where a point is named the upload of the second one was killed there, and sent again.
    """
    load(commerce, partner, BEFORE, mode="full")
    if point:
        code = _send(home, partner, COMMERCE_FAIL_AT=point)
        assert code == -signal.SIGKILL, f"{point} was never passed: {code}"
        assert _send(home, partner) == 0
        jobs = list(commerce.jobs.list(partner=partner))
        assert len(jobs) == 2, f"{len(jobs)} jobs after an upload that was sent twice"
        return jobs[0].job_id
    stream = io.BytesIO(AFTER)
    receipt = commerce.feeds.upload(stream, partner=partner, mode="full", run=True)
    return receipt.job_id


@contextlib.contextmanager
def _watched(home: House, partner: str, allowed: list[object]) -> Generator[None]:
    """Reads the catalog all the time: it has to be one of these, never a mixture."""
    over, seen = threading.Event(), list[object]()

    def look() -> None:
        while not over.wait(0.05):
            now = _mostly(catalog(home, partner))
            if now not in allowed:
                seen.append(now)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not seen, f"readers of {partner} saw a catalog that is neither the old nor the new"


def killed_everywhere(
    folder: Path,
    uploads: tuple[str, ...] | None = None,
    runs: tuple[str, ...] | None = None,
    times: int = 50,
) -> str:
    """Readers see the old catalog or the new; the end equals an undisturbed run's."""
    with house(folder) as home, home.platform.opened() as commerce:
        if uploads is None:
            uploads = _places_of_an_upload(home, commerce)
        job_id = _prepared(home, commerce, "Undisturbed")
        old = catalog(home, "Undisturbed")
        begun = time.monotonic()
        passed = places_of(home.platform, lambda watched: _run(watched, job_id))
        length = max(0.5, time.monotonic() - begun)
        new = catalog(home, "Undisturbed")
        allowed = [_mostly(old), _mostly(new)]
        runs = passed if runs is None else runs
        for number, point in enumerate((*uploads, *runs, *[""] * times)):
            partner = f"{point or 'random'} {number}"
            job_id = _prepared(home, commerce, partner, point if number < len(uploads) else "")
            with _watched(home, partner, allowed):
                if number >= len(uploads):
                    _killed_run(home, commerce, job_id, point, length)
                with working(commerce):
                    finished(commerce, job_id)
            assert catalog(home, partner) == new, f"{partner} ended in another catalog"
        numbers = home.ask("SELECT count(*), max(number) FROM publications")[0]
        assert numbers[0] == numbers[1], f"{numbers}: publications have gaps"
        unfinished = "SELECT count(*) FROM jobs WHERE status NOT IN ('completed', 'cancelled')"
        assert home.ask(unfinished) == [(0,)]
    named = len(uploads) + len(runs)
    return f"{named} named points, {times} random times: {len(new)} products equal each time"


def _places_of_an_upload(home: House, commerce: Commerce) -> tuple[str, ...]:
    """What one passes; its job is cancelled."""
    commerce.partners.add("Uploading")
    places = places_of(
        home.platform,
        lambda watched: watched.feeds.upload(
            io.BytesIO(AFTER), partner="Uploading", mode="full", run=True, key="watched"
        ),
    )
    for job in commerce.jobs.list(partner="Uploading"):
        commerce.jobs.cancel(job.job_id)
    return places


def _run(commerce: Commerce, job_id: str) -> None:
    """Runs that job as a worker does."""
    job = commerce.queue.claim()
    assert job
    assert job.job_id == job_id
    assert commerce.queue.execute(job).outcome == "clean"


def _killed_run(home: House, commerce: Commerce, job_id: str, point: str, length: float) -> None:
    """Has a worker die of the job: at that point, or whenever."""
    environ = {"COMMERCE_FAIL_AT": point} if point else {}
    with home.platform.worker(**environ) as worker:
        if point:
            until(lambda: worker.poll() is not None or _is_over(commerce, job_id))
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(10)
            assert worker.poll() == -signal.SIGKILL, f"{point} was never passed"
            return
        until(lambda: commerce.jobs.get(job_id).status != "queued")
        time.sleep(random.uniform(0, length))


def _is_over(commerce: Commerce, job_id: str) -> bool:
    return commerce.jobs.get(job_id).is_finished


def stopped_past_its_lease(folder: Path) -> str:
    """A worker stopped past its lease and continued commits nothing, and blocks no other."""
    points = ("batches", "products.apply.after", "publications.add.after")
    slowest = 0.0
    with house(folder) as home, home.platform.opened() as commerce:
        for point in points:
            job_id = _prepared(home, commerce, point)
            with home.platform.worker(COMMERCE_FAIL_AT=f"{point}:stop") as zombie:
                state = Path(f"/proc/{zombie.pid}/stat")
                until(lambda s=state: s.read_text().rpartition(") ")[2][0] == "T")
                begun = time.monotonic()
                with working(commerce):
                    job = finished(commerce, job_id)
                slowest = max(slowest, time.monotonic() - begun)
                before = catalog(home, point)
                zombie.send_signal(signal.SIGCONT)
                time.sleep(2)
                assert zombie.poll() is None
            assert (job.status, job.attempts) == ("completed", 2)
            assert commerce.jobs.get(job_id) == job
            assert catalog(home, point) == before
        numbers = home.ask("SELECT count(*), max(number) FROM publications")
        assert numbers == [(6, 6)], numbers
    return f"{len(points)} zombies, 0 commits of theirs; done {slowest:.1f} s later (lease 1 s)"


def set_aside(folder: Path) -> str:
    """A feed that kills its workers is set aside after three; the others are applied."""
    with house(folder) as home, home.platform.opened() as commerce:
        deadly = _prepared(home, commerce, "Deadly")
        for _ in range(3):
            with home.platform.worker(COMMERCE_FAIL_AT="products.apply.before") as worker:
                assert worker.wait(60) == -signal.SIGKILL
        others = [_prepared(home, commerce, f"Other {n}") for n in range(5)]
        with working(commerce):
            job = finished(commerce, deadly)
            done = [finished(commerce, other).status for other in others]
        assert job.error
        assert job.error.code == "set_aside"
        assert done == ["completed"] * 5
    return f"set aside at attempt {job.attempts}, {len(done)} others completed"


def wrong_clock(folder: Path) -> str:
    """A worker whose clock is ten days off neither takes over early nor late."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        return (
            "not tried with libfaketime, which isn't installed; by an injected clock in the tests"
        )
    waited: list[float] = []
    with house(folder) as home, home.platform.opened() as commerce:
        for days in ("+10d", "-10d"):
            fake = {
                "LD_PRELOAD": str(found[0]), "FAKETIME": days, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }  # fmt: skip
            job_id = _prepared(home, commerce, f"Off {days}")
            job = Commerce(evolve(commerce.context, lease=timedelta(seconds=6))).queue.claim()
            assert job
            with home.platform.worker(**fake):
                time.sleep(4)
                assert commerce.jobs.get(job_id).attempts == 1, "taken over early"
                waited.append(4 + until(lambda j=job_id: commerce.jobs.get(j).attempts == 2))
                assert finished(commerce, job_id).status == "completed"
        assert max(waited) < 15, waited
    return f"libfaketime, +10 and -10 days: taken over after {max(waited):.1f} s of a lease of 6 s"


def files_far_away(folder: Path) -> str:
    """Slow, reset, 503 and cut: resumed or run again; the catalog is an undisturbed run's."""
    told: list[str] = []
    with running_swift() as swift, proxy_before(swift.port) as wire, house(folder) as home:
        client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{swift.port}", region_name="us-east-1",
            aws_access_key_id=swift.access_key, aws_secret_access_key=swift.secret_key,
        )  # fmt: skip
        client.create_bucket(Bucket="feeds")
        home.platform.files_url = "s3://feeds"
        with _environment(swift.variables(wire.port)), home.platform.opened() as commerce:
            job_id = _prepared(home, commerce, "Undisturbed")
            with working(commerce):
                finished(commerce, job_id)
            new = catalog(home, "Undisturbed")
            for fault in ("slow", "reset", "503", "cut", "away"):
                job_id = _prepared(home, commerce, fault)
                _trouble(wire, fault)
                with working(commerce):
                    if fault == "away":
                        until(lambda j=job_id: commerce.jobs.get(j).attempts > 0)
                        time.sleep(1)
                        wire.refuses = False
                    job = finished(commerce, job_id)
                assert (job.status, job.crashed_attempts) == ("completed", 0), job
                assert catalog(home, fault) == new, fault
                told.append(f"{fault} {job.attempts}")
                wire.stall = 0.0
                wire.cuts.clear()
                wire.answers.clear()
    return "attempts: " + ", ".join(told) + "; no silent end"


def _trouble(wire: Proxy, fault: str) -> None:
    busy = (
        b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
        b"<Error><Code>SlowDown</Code><Message>Slow down.</Message></Error>"
    )
    if fault == "slow":
        wire.stall = 0.3
    elif fault == "503":
        wire.answers[:] = [busy] * 3
    elif fault == "away":
        wire.refuses = True
    else:
        wire.cuts[:] = [0, 400] if fault == "reset" else [9_000, 12_000]
    wire.reset_all()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def full_disk(folder: Path) -> str:
    """A clear refusal or a paused job while a disk is full; nothing corrupt; then it goes on."""
    if not is_root():
        return "not tried: mounting a small disk takes root"
    with _small_disk(folder / "files-disk", "3m") as disk, house(folder / "a") as home:
        home.platform.files_url = f"file:{disk}"
        with home.platform.opened() as commerce:
            load(commerce, "Shop", BEFORE, mode="full")
            before = catalog(home, "Shop")
            try:
                load(commerce, "Shop", BEFORE * 100, mode="full")
                raise AssertionError("a file is kept that the disk has no room for")
            except Unavailable as refusal:
                said = refusal.detail
            assert catalog(home, "Shop") == before
            assert load(commerce, "Shop", AFTER, mode="full").status == "completed"
    job = _database_full(folder)
    return f"files: {said!r}; database: job given back, completed at attempt {job.attempts}"


def _database_full(folder: Path) -> Job:
    """Where the database finds no room for its log it ends, until there is some."""
    with (
        _small_disk(folder / "database-disk", "130m") as disk,
        running_server(18, disk) as postgres,
    ):
        home = House(postgres, evolve(_platform(folder), database_url=postgres.url()))
        with home.platform.opened() as commerce:
            load(commerce, "Shop", BEFORE, mode="full")
            before = catalog(home, "Shop")
            big = io.BytesIO(feed_of(400_000))
            job_id = commerce.feeds.upload(big, partner="Shop", mode="full", run=True).job_id
            with working(commerce):
                until(lambda: _state(commerce, job_id) == "running")
                until(lambda: _state(commerce, job_id) != "running")
                subprocess.run(["mount", "-o", "remount,size=2g", disk], check=True)
                if postgres.process and postgres.process.poll() is not None:
                    postgres.start()
                until(lambda: _state(commerce, job_id) != "away")
                assert catalog(home, "Shop") == before
                until(lambda: _state(commerce, job_id) in ("completed", "failed"))
            job = commerce.jobs.get(job_id)
            assert (job.status, job.crashed_attempts) == ("completed", 0), job
            return job


def _state(commerce: Commerce, job_id: str) -> str:
    try:
        return commerce.jobs.get(job_id).status
    except Unavailable:
        return "away"


def _platform(folder: Path) -> Platform:
    (folder / "b").mkdir(exist_ok=True)
    return Platform("", folder / "b", lease=timedelta(seconds=30))


@contextlib.contextmanager
def _small_disk(place: Path, size: str) -> Generator[Path]:
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
