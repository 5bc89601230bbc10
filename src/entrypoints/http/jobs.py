"""Routes of jobs: list, show, run and wait, cancel, what was wrong with the records, the report."""

import asyncio
from threading import Event
from time import monotonic
from typing import Any, Final

from attrs import frozen
from litestar import Request, Response
from litestar.concurrency import sync_to_thread

from commerce_core.base.errors import Malformed
from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import report_name
from commerce_core.feeds.job import Job, JobKind, JobQuery, JobStatus
from commerce_core.schema.problems import Problem
from commerce_core.usecases.context import Listed
from entrypoints.http.downloads import download
from entrypoints.http.queries import Page, WhoseQuery
from entrypoints.http.routing import Answer, route
from entrypoints.http.values import FeedId, JobId, said

LONGEST_WAIT: Final = 60
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5
_MEDIA_TYPES: Final = {
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "jsonl": "application/jsonl",
    "ndjson": "application/x-ndjson",
}
_NEVER: Final = Event()
"""For an application that nobody tells when its process is to end."""

Asked = Request[Any, Any, Any]


@frozen(kw_only=True)
class JobFilters(WhoseQuery, Page):
    """Which jobs."""

    feed_id: FeedId | None = said(None, "The feed they are for.")
    status: JobStatus | None = said(None, "The state they are in.")
    kind: JobKind | None = said(None, "What they do.")


@frozen(kw_only=True)
class Waiting:
    """How long to wait for the end."""

    wait: int = said(0, "Seconds to wait for its end.", minimum=0, maximum=LONGEST_WAIT)

    def __attrs_post_init__(self) -> None:
        """Malformed for a time that nobody waits."""
        if not 0 <= self.wait <= LONGEST_WAIT:
            detail = f"wait is {self.wait}; it may be 0 to {LONGEST_WAIT} seconds."
            raise Malformed.at("/wait", "bad_wait", detail)


@route("GET", "/jobs", scope="feeds:read")
def list_jobs(commerce: Commerce, query: JobFilters) -> Listed[Job]:
    """Lists jobs, newest first."""
    wanted = JobQuery(feed_id=query.feed_id, status=query.status, kind=query.kind)
    return commerce.jobs.page(
        wanted, query.cursor, query.limit, partner=query.partner, count=query.count
    )


@route("GET", "/jobs/{job_id:str}", scope="feeds:read")
def get_job(commerce: Commerce, job_id: JobId) -> Job:
    """Shows a job: how far it is, and what became of every record."""
    return commerce.jobs.get(job_id)


@route("POST", "/jobs/{job_id:str}/run", scope="feeds:write", status=(200, 202), refuses=[409])
async def run_job(
    commerce: Commerce, job_id: JobId, query: Waiting, request: Asked
) -> Job | Answer:
    """Hands a job to the workers and waits for its end: 200 if it came, else 202.

    One that runs already is only waited for. No thread is held meanwhile.
    """
    until = monotonic() + query.wait
    ending = request.app.state.get("ending", _NEVER)
    job = await sync_to_thread(commerce.jobs.release, job_id)
    pause = _FIRST_PAUSE
    while not job.is_finished and not ending.is_set() and (left := until - monotonic()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        job = await sync_to_thread(commerce.jobs.get, job_id)
    return job if job.is_finished else Answer(job, 202)


@route("POST", "/jobs/{job_id:str}/cancel", scope="feeds:write", refuses=[409])
def cancel_job(commerce: Commerce, job_id: JobId) -> Job:
    """Cancels a job that hasn't begun."""
    return commerce.jobs.cancel(job_id)


@route("GET", "/jobs/{job_id:str}/problems", scope="feeds:read")
def list_problems(commerce: Commerce, job_id: JobId, query: Page) -> Listed[Problem]:
    """Lists what was wrong with the records of a job, by line; the first thousand of it."""
    return commerce.jobs.page_problems(job_id, query.cursor, query.limit, count=query.count)


@route("GET", "/jobs/{job_id:str}/report", scope="feeds:read")
def get_report(commerce: Commerce, job_id: JobId) -> Response[Any]:
    """Gives the rejected records of a job, in the partner's own format, to mend and send again.

    In front of their own columns stand those that say what is wrong; intake ignores these.
    """
    report = commerce.jobs.report(job_id)
    name = report_name(commerce.feeds.get(commerce.jobs.get(job_id).feed_id).file_name)
    return download(report, name, _MEDIA_TYPES.get(name.rpartition(".")[2].lower(), "text/csv"))


ROUTES = (list_jobs, get_job, run_job, cancel_job, list_problems, get_report)
