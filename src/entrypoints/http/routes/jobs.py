"""Routes of jobs: list, show, run, cancel, the problems of their records, the report, events."""

import asyncio
import json
from collections.abc import AsyncIterator
from threading import Event
from time import monotonic
from typing import Any, Final

from attrs import asdict, frozen
from litestar import Response
from litestar.concurrency import sync_to_thread
from litestar.response import Stream

from commerce_core.base.errors import Malformed
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job, JobKind, JobQuery, JobStatus
from commerce_core.schema.problem_groups import ProblemGroups
from commerce_core.schema.problems import Problem
from commerce_core.usecases.context import Listed
from entrypoints.http.kit.downloads import download
from entrypoints.http.kit.handlers import Answer, get, post
from entrypoints.http.kit.queries import Page, WhoseQuery
from entrypoints.http.kit.security import Asked
from entrypoints.reading import optional
from entrypoints.scalars import FeedId, JobId
from entrypoints.shapes import shape

LONGEST_WAIT: Final = 60
LONGEST_STREAM: Final = 60.0
"""Seconds after which a stream ends; a browser's EventSource connects again by itself."""
_BETWEEN_LOOKS: Final = 0.5
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_MEDIA_TYPES: Final = {
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "jsonl": "application/jsonl",
    "ndjson": "application/x-ndjson",
    "xml": "application/xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_NEVER: Final = Event()
"""For an application without a server that reports when its process is to end."""


@frozen(kw_only=True)
class JobFilters(WhoseQuery, Page):
    """Filters of jobs."""

    feed_id: FeedId | None = optional(None, "Only jobs of this feed.")
    status: JobStatus | None = optional(None, "Only jobs with this status.")
    kind: JobKind | None = optional(None, "Only jobs of this kind.")


@frozen(kw_only=True)
class Waiting:
    """How long to wait until the job has finished."""

    wait: int = optional(0, "Maximum seconds to wait for the job.", minimum=0, maximum=LONGEST_WAIT)

    def __attrs_post_init__(self) -> None:
        """Malformed for a time out of range."""
        if not 0 <= self.wait <= LONGEST_WAIT:
            detail = f"wait is {self.wait}; it must be 0 to {LONGEST_WAIT} seconds."
            raise Malformed.at("/wait", "bad_wait", detail)


@get("/jobs", scope="feeds:read")
def list_jobs(commerce: Commerce, parameters: JobFilters) -> Listed[Job]:
    """Lists jobs, newest first."""
    wanted = JobQuery(feed_id=parameters.feed_id, status=parameters.status, kind=parameters.kind)
    return commerce.jobs.page(
        wanted,
        parameters.cursor,
        parameters.limit,
        partner=parameters.partner,
        count=parameters.count,
    )


@get("/jobs/{job_id:str}", scope="feeds:read")
def get_job(commerce: Commerce, job_id: JobId) -> Job:
    """Shows a job: its progress, and what became of its records."""
    return commerce.jobs.get(job_id)


@post(
    "/jobs/{job_id:str}/run",
    scope="feeds:write",
    status=(200, 202),
    refuses=[409],
    lane="streams",
)
async def run_job(
    commerce: Commerce, job_id: JobId, parameters: Waiting, request: Asked
) -> Answer[Job]:
    """Runs a job and waits for it: 200 if it has finished by then, otherwise 202.

    A worker runs the job. If one is already running it, this only waits.
    """
    until = monotonic() + parameters.wait
    ending = request.app.state.get("ending", _NEVER)
    job = await sync_to_thread(commerce.jobs.release, job_id)
    pause = _FIRST_PAUSE
    while not job.is_finished and not ending.is_set() and (left := until - monotonic()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        job = await sync_to_thread(commerce.jobs.get, job_id)
    return Answer(job, 200 if job.is_finished else 202)


@post("/jobs/{job_id:str}/cancel", scope="feeds:write", refuses=[409])
def cancel_job(commerce: Commerce, job_id: JobId) -> Job:
    """Cancels a job, even one that is running: nothing it did is kept.

    Its feed stays as it was, so a new job can be made for it.
    """
    return commerce.jobs.cancel(job_id)


@get("/jobs/{job_id:str}/problems", scope="feeds:read")
def list_problems(commerce: Commerce, job_id: JobId, parameters: Page) -> Listed[Problem]:
    """Lists up to 1,000 of a job's problems by line: errors first, then different warnings."""
    return commerce.jobs.page_problems(
        job_id, parameters.cursor, parameters.limit, count=parameters.count
    )


@frozen(kw_only=True)
class Grouping:
    """How problems are grouped."""

    raw: bool = optional(
        default=False,
        meaning="Whether samples include their records as they appear in the file, for records "
        "within its first 5,000 lines.",
    )


@get("/jobs/{job_id:str}/problem-groups", scope="feeds:read", lane="queries")
def group_problems(commerce: Commerce, job_id: JobId, parameters: Grouping) -> ProblemGroups:
    """Groups a job's problems by code, column and the shape of the value, with three samples each.

    In a shape, 9 stands for a digit, A and a for letters.
    """
    return commerce.jobs.problem_groups(job_id, raw=parameters.raw)


@get(
    "/jobs/{job_id:str}/report",
    lane="streams",
    scope="feeds:read",
    media=["text/csv", *_MEDIA_TYPES.values()],
)
def get_report(commerce: Commerce, job_id: JobId) -> Response[Any]:
    """Downloads a job's rejected records in the partner's own format, ready to be corrected.

    The first columns explain what is wrong. When the report is uploaded again, they are ignored.
    """
    name = commerce.jobs.report_name(job_id)
    return download(
        commerce.jobs.report(job_id),
        name,
        _MEDIA_TYPES.get(name.rpartition(".")[2].lower(), "text/csv"),
    )


@get(
    "/jobs/{job_id:str}/events",
    scope="feeds:read",
    media=["text/event-stream"],
    lane="streams",
)
async def job_events(commerce: Commerce, job_id: JobId, request: Asked) -> Response[Any]:
    """Reports a job's progress as server-sent events, until it finishes or for a minute.

    `progress` is sent after each change: stage, bytes, records, records per second and seconds
    left. `job` is sent last: the job, either finished or waiting to be started.
    """
    job = await sync_to_thread(commerce.jobs.get, job_id)
    ending = request.app.state.get("ending", _NEVER)
    events = _events(commerce, job, ending)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(events, media_type="text/event-stream", headers=headers)


async def _events(commerce: Commerce, job: Job, ending: Event) -> AsyncIterator[str]:
    until, last = monotonic() + LONGEST_STREAM, ""
    while _goes_on(job) and not ending.is_set() and monotonic() < until:
        now = _progress(commerce, job)
        if now != last:
            last = now
            yield last
        await asyncio.sleep(_BETWEEN_LOOKS)
        job = await sync_to_thread(commerce.jobs.get, job.job_id)
    if not _goes_on(job):
        yield _event("job", shape(job))


def _goes_on(job: Job) -> bool:
    """Whether there is something to wait for."""
    return job.status == "running" or (job.status == "queued" and job.released)


def _progress(commerce: Commerce, job: Job) -> str:
    pace = job.pace(commerce.context.clock())
    return _event("progress", {"status": job.status, **asdict(job.progress), **asdict(pace)})


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


ROUTES = (
    list_jobs,
    get_job,
    run_job,
    cancel_job,
    list_problems,
    group_problems,
    get_report,
    job_events,
)
