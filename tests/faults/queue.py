"""The queue under pressure: a partner with many feeds, jobs cancelled, processes killed."""

import io
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Final

import httpx

from commerce_core.base.errors import Conflict
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from tests.faults.feeds import AFTER, BEFORE, catalog
from tests.faults.house import (
    Clients,
    House,
    check_orders,
    feed_of,
    house,
    load,
    product_ids,
    working,
)
from tests.support.ports import free_port
from tests.support.servers.platform import finished
from tests.support.waiting import until

QUEUED: Final = 60
AT_MOST: Final = 2
"""Feeds of another that a partner may have to wait for."""


def fair(folder: Path, queued: int = QUEUED) -> str:
    """A single row is applied within two feeds of a partner that has queued sixty"""
    with house(folder) as home, home.platform.opened() as commerce:
        for partner in ("Many", "One"):
            load(commerce, partner, feed_of(10))
        with home.platform.worker():
            many = [
                _send(commerce, "Many", feed_of(2_000, f"{n}.00")) for n in range(1, queued + 1)
            ]
            until(lambda: commerce.jobs.get(many[0]).status != "queued")
            one = finished(commerce, _send(commerce, "One", feed_of(1, "2.00")))
            begun = time.monotonic()
            others = [finished(commerce, job_id) for job_id in many]
        rest = time.monotonic() - begun
    between = sum(_ran_between(job, one) for job in others)
    assert between <= AT_MOST, f"{between} feeds of another came first"
    waited = _seconds(one)
    return (
        f"{queued} feeds queued: the row was applied {waited:.1f} s after it came, and after "
        f"{between} of them; the rest took {rest:.0f} s"
    )


def _send(commerce: Commerce, partner: str, feed: bytes, mode: str = "delta") -> str:
    stream = io.BytesIO(feed)
    return commerce.feeds.upload(stream, partner=partner, mode=mode, run=True).job_id  # type: ignore[arg-type]


def _ran_between(job: Job, one: Job) -> bool:
    """Whether that job began after the one had come, and before it began."""
    assert job.started_at is not None
    assert one.started_at is not None
    return one.created_at <= job.started_at <= one.started_at


def _seconds(job: Job) -> float:
    assert job.finished_at is not None
    return (job.finished_at - job.created_at).total_seconds()


def cancelled(folder: Path, times: int = 60) -> str:
    """Readers see the old catalog or the new; what was cancelled stays so, and can be run again"""
    slowest, outcomes = 0.0, {"cancelled": 0, "completed": 0}
    with house(folder) as home, home.platform.opened() as commerce:
        old, new, length = _undisturbed(home, commerce)
        with home.platform.worker():
            for number in range(times):
                partner = f"Partner {number}"
                load(commerce, partner, BEFORE, mode="full")
                job_id = _send(commerce, partner, AFTER, "full")
                until(lambda job_id=job_id: commerce.jobs.get(job_id).status != "queued")
                time.sleep(random.uniform(0, 2 * length))
                begun = time.monotonic()
                status = _cancelled(commerce, job_id)
                slowest = max(slowest, time.monotonic() - begun)
                outcomes[status] += 1
                assert catalog(home, partner) == (new if status == "completed" else old)
        with home.platform.worker():
            for number in range(times):
                _check_again(home, commerce, f"Partner {number}", new)
    return (
        f"{outcomes['cancelled']} cancelled and {outcomes['completed']} completed of {times}; "
        f"answered within {slowest:.2f} s; run again, all equal"
    )


def _undisturbed(
    home: House, commerce: Commerce
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]], float]:
    """The catalog before and after the second feed, and how long its run took."""
    load(commerce, "Undisturbed", BEFORE, mode="full")
    old = catalog(home, "Undisturbed")
    with working(commerce):
        job = finished(commerce, _send(commerce, "Undisturbed", AFTER, "full"))
    return old, catalog(home, "Undisturbed"), _seconds(job)


def _cancelled(commerce: Commerce, job_id: str) -> str:
    """Cancels the job; its status, which is completed where it was quicker."""
    try:
        return commerce.jobs.cancel(job_id).status
    except Conflict:
        return commerce.jobs.get(job_id).status


def _check_again(
    home: House, commerce: Commerce, partner: str, new: list[tuple[object, ...]]
) -> None:
    """A cancelled job is as it was; its feed, run once more, ends as if undisturbed."""
    job = next(iter(commerce.jobs.list(partner=partner)))
    if job.status == "cancelled":
        again = finished(commerce, commerce.jobs.start(job.feed_id, run=True).job_id)
        assert again.status == "completed"
        assert commerce.jobs.get(job.job_id) == job
    assert catalog(home, partner) == new


def processes_killed(folder: Path, times: int = 4) -> str:
    """The server lives on, requests are answered again, feeds are applied, no order is lost"""
    port, slowest = free_port(), 0.0
    with house(folder) as home, home.platform.opened() as commerce:
        load(commerce, "Stocked", feed_of(200))
        commerce.partners.add("Fed")
        secret = commerce.keys.add().secret
        assert secret
        clients = Clients(f"http://127.0.0.1:{port}", secret, product_ids(commerce, "Stocked"))
        with home.platform.server(port) as server, clients.ordering():
            for number in range(times):
                for role in ("server", "worker"):
                    os.kill(_started(home, role, number), signal.SIGKILL)
                slowest = max(slowest, until(lambda: _answers(clients.address)))
            job = finished(commerce, _send(commerce, "Fed", feed_of(200)))
            clients.stop_when_answered()
            orders = check_orders(home, clients)
            assert server.process.poll() is None, "the server has ended"
    assert job.status == "completed"
    return (
        f"{times} kills of each process, answers again after {slowest:.1f} s at most; {orders} "
        "orders, 0 lost; a feed applied afterwards"
    )


def _started(home: House, role: str, known: int) -> int:
    """The process of that role that started next after so many."""

    def started() -> list[int]:
        lines = home.platform.log().splitlines()
        events = [json.loads(line) for line in lines if '"process.started"' in line]
        return [event["pid"] for event in events if event["role"] == role]

    until(lambda: len(started()) > known, every=0.2)
    return started()[known]


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/ready", timeout=5).is_success
    except httpx.TransportError:
        return False
