"""Progress over HTTP: server-sent events that end with the job."""

import json
import threading
from collections.abc import Callable, Iterator

import pytest
from attrs import evolve

from commerce_core.feeds.job import Job, Progress
from commerce_core.usecases.jobs import Jobs
from entrypoints.worker import Worker
from tests.unit.http.conftest import Api


def events(text: str) -> Iterator[tuple[str, dict[str, object]]]:
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@pytest.fixture
def after_the_first_look(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has something done once, in another thread, when a job has been looked at."""
    todo: list[threading.Thread] = []
    get_job = Jobs.get

    def looked(jobs: Jobs, job_id: str) -> Job:
        job = get_job(jobs, job_id)
        if todo:
            todo.pop().start()
        return job

    monkeypatch.setattr(Jobs, "get", looked)
    return lambda act: todo.append(threading.Thread(target=act))


def test_the_last_event_is_the_job_as_it_ended(
    api: Api, acme: str, after_the_first_look: Callable[[Callable[[], object]], None]
):
    """Whoever listens from the start hears of the run, and then how it ended."""
    receipt = api.upload(partner_name="Acme", run="true").json()
    worker = Worker(api.commerce)
    after_the_first_look(worker.start)
    answer = api.get(f"/v1/jobs/{receipt['job_id']}/events")
    worker.stop()
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    told = list(events(answer.text))
    assert told[0] == (
        "progress",
        {
            "status": "queued", "stage": "queued", "bytes_read": 0, "bytes_total": 0, "records": 0,
            "records_per_second": None, "seconds_left": None,
        },
    )  # fmt: skip
    assert told[-1] == ("job", api.get(f"/v1/jobs/{receipt['job_id']}").json())
    assert told[-1][1]["status"] == "completed"


def test_a_job_that_waits_for_its_start_is_reported_at_once(api: Api, acme: str):
    receipt = api.upload(partner_name="Acme").json()
    ((name, job),) = events(api.get(f"/v1/jobs/{receipt['job_id']}/events").text)
    assert (name, job["status"], job["released"]) == ("job", "queued", False)


def test_a_run_tells_its_pace(
    api: Api, acme: str, after_the_first_look: Callable[[Callable[[], object]], None]
):
    """While it reads, how far and how fast; the stream ends when the job does."""
    receipt = api.upload(partner_name="Acme", run="true").json()
    commerce = api.commerce
    job = commerce.queue.claim()
    assert job is not None
    reading = Progress("read", 50, 100, 1_000)
    with commerce.context.store.begin() as unit:
        unit.jobs.renew(job, reading, commerce.context.lease)

    def end() -> None:
        commerce.queue.execute(evolve(job, progress=reading))

    after_the_first_look(end)
    told = list(events(api.get(f"/v1/jobs/{receipt['job_id']}/events").text))
    name, first = told[0]
    assert (name, first["stage"], first["bytes_read"]) == ("progress", "read", 50)
    assert isinstance(first["records_per_second"], int)
    assert told[-1][0] == "job"


def test_what_is_somebody_elses_is_not_found(api: Api, acme: str):
    receipt = api.upload(partner_name="Acme").json()
    other = api.partner("Other")
    stranger = api.asking(api.key(partner=other))
    assert stranger.get(f"/v1/jobs/{receipt['job_id']}/events").status_code == 404
