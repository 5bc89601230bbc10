"""Jobs: their list and one job, both live while something is under way."""

from typing import Any, Final, get_args
from urllib.parse import urlencode

from attrs import frozen
from litestar import Response

from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job, JobKind, JobQuery, JobStatus
from entrypoints.dashboard.kit.live import live
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.rendering import View, fragment
from entrypoints.dashboard.pages.shown import file_names, groups_of, partner_names, usual_seconds
from entrypoints.http.kit.queries import WhoseQuery
from entrypoints.http.kit.security import Asked
from entrypoints.reading import optional
from entrypoints.scalars import FeedId, JobId

STATUSES: Final = get_args(JobStatus)
_COUNTS: Final = (
    "records_read", "created", "updated", "restored", "unchanged", "removed", "rejected",
    "duplicate", "overtaken", "skipped", "warnings",
)  # fmt: skip


@frozen(kw_only=True)
class Filters(WhoseQuery):
    """Filters of jobs."""

    feed_id: FeedId | None = optional(None, "Feed.")
    status: JobStatus | None = optional(None, "Status.")
    kind: JobKind | None = optional(None, "Kind.")
    cursor: str | None = optional(None, "Where the page begins.")

    @property
    def query(self) -> JobQuery:
        """The filters as the core takes them."""
        return JobQuery(feed_id=self.feed_id, status=self.status, kind=self.kind)

    @property
    def live(self) -> str | None:
        """The address of the list's changes; None for a page that isn't the first."""
        names = ("feed_id", "status", "kind", "partner_id", "partner_name")
        given = {name: value for name in names if (value := getattr(self, name))}
        return None if self.cursor else "/jobs/live" + (f"?{urlencode(given)}" if given else "")


@page("/jobs", scope="feeds:read")
def show_jobs(commerce: Commerce, parameters: Filters) -> View:
    """Lists jobs, newest first."""
    jobs = commerce.jobs.page(parameters.query, parameters.cursor, partner=parameters.partner)
    values = {
        "jobs": jobs,
        "names": partner_names(commerce, (job.partner_id for job in jobs.items)),
        "files": file_names(commerce, jobs.items),
        "filters": parameters,
        "STATUSES": STATUSES,
        "live": parameters.live if any(map(_goes_on, jobs.items)) else None,
    }
    return View(
        "jobs.html", "Jobs", values=values, curl="/jobs", command="jobs list", saved_as="jobs"
    )


def _goes_on(job: Job) -> bool:
    """Whether there is something to watch."""
    return job.status == "running" or (job.status == "queued" and job.released)


@page("/jobs/live", scope="feeds:read", lane="streams")
def watch_jobs(commerce: Commerce, parameters: Filters, request: Asked) -> Response[Any]:
    """Sends the list whenever it has changed."""

    def look() -> str:
        jobs = commerce.jobs.page(parameters.query, partner=parameters.partner)
        names = partner_names(commerce, (job.partner_id for job in jobs.items))
        files = file_names(commerce, jobs.items)
        return fragment(commerce, "jobs-rows.html", jobs=jobs, names=names, files=files)

    return live(request, look)


@page("/jobs/{job_id:str}", scope="feeds:read")
def show_job(commerce: Commerce, job_id: JobId) -> View:
    """Shows a job: its progress, and what became of its records."""
    job = commerce.jobs.get(job_id)
    values: dict[str, Any] = {
        "job": job,
        "pace": job.pace(commerce.context.clock()),
        "live": f"/jobs/{job_id}/live" if _goes_on(job) else None,
        "counts": _counts(job),
        "groups": groups_of(commerce, job),
        "usual": usual_seconds(commerce, commerce.feeds.get(job.feed_id)) if job.summary else {},
    }
    return View(
        "job.html", f"{job.kind.capitalize()} job", values=values, curl=f"/jobs/{job_id}",
        command=f"jobs show {job_id}",
    )  # fmt: skip


def _counts(job: Job) -> list[tuple[str, int]]:
    if job.summary is None:
        return []
    found = [(name.replace("_", " "), getattr(job.summary, name)) for name in _COUNTS]
    return [(label, number) for label, number in found if number or label == "records read"]


@page("/jobs/{job_id:str}/live", scope="feeds:read", lane="streams")
def watch_job(commerce: Commerce, job_id: JobId, request: Asked) -> Response[Any]:
    """Sends the state of a job whenever it has changed."""
    commerce.jobs.get(job_id)

    def look() -> str:
        job = commerce.jobs.get(job_id)
        pace = job.pace(commerce.context.clock())
        return fragment(commerce, "job-state.html", job=job, pace=pace)

    return live(request, look)


@act("/jobs/{job_id:str}/run", scope="feeds:write")
def run_job(commerce: Commerce, job_id: JobId) -> Goto:
    """Lets a worker start a job."""
    commerce.jobs.release(job_id)
    return Goto(f"/jobs/{job_id}", "A worker starts it.")


@act("/jobs/{job_id:str}/cancel", scope="feeds:write")
def cancel_job(commerce: Commerce, job_id: JobId) -> Goto:
    """Cancels a job; nothing of it is kept."""
    commerce.jobs.cancel(job_id)
    return Goto(f"/jobs/{job_id}", "Cancelled. Nothing of it was kept.")


ROUTES = (show_jobs, watch_jobs, show_job, watch_job, run_job, cancel_job)
