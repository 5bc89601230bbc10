"""Feeds: their list, one feed with its problems and its plan, and decisions about it."""

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args
from urllib.parse import urlencode

from attrs import frozen
from litestar import Response

from commerce_core.base.errors import NotFound
from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import FeedQuery, FeedStatus
from commerce_core.feeds.job import Job
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.dashboard.pages.shown import groups_of, plan_of, usual_seconds
from entrypoints.http.kit.downloads import download
from entrypoints.http.kit.queries import SpanQuery, WhoseQuery, instant
from entrypoints.reading import optional
from entrypoints.scalars import FeedId, SourceId

STATUSES: Final = get_args(FeedStatus)
BYTES: Final = "application/octet-stream"
GROUP_ACTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "held": (("approve", "Approve all of them \u2026"), ("reject", "Reject all of them \u2026")),
    "failed": (("process_again", "Process all of them again \u2026"),),
}
"""What can be done to every feed with that status."""


@frozen(kw_only=True)
class Filters(WhoseQuery, SpanQuery):
    """Filters of feeds."""

    source_id: SourceId | None = optional(None, "Source.")
    status: FeedStatus | None = optional(None, "Status.")
    cursor: str | None = optional(None, "Where the page begins.")


@frozen(kw_only=True)
class Approval:
    """What of a plan isn't approved."""

    without: Literal["removals"] | None = optional(None, "What is left out.")
    note: str | None = optional(None, "Note.")


@frozen(kw_only=True)
class Rejection:
    """Why a feed is rejected."""

    note: str | None = optional(None, "Note.")


@frozen(kw_only=True)
class Undo:
    """Whether a revert is undone."""

    undo: bool = optional(default=False, meaning="Whether to undo the revert.")


@page("/feeds", scope="feeds:read")
def show_feeds(commerce: Commerce, parameters: Filters) -> View:
    """Lists feeds, newest first."""
    query = FeedQuery(
        source_id=parameters.source_id,
        status=parameters.status,
        received_from=instant(parameters.from_),
        received_to=instant(parameters.to),
    )
    feeds = commerce.feeds.page(query, parameters.cursor, partner=parameters.partner)
    values: dict[str, Any] = {"feeds": feeds, "filters": parameters, "STATUSES": STATUSES}
    status = parameters.status
    values["group"] = group_of(parameters)
    return View(
        "feeds.html", "Feeds", values=values,
        curl="/feeds" + (f"?status={status}" if status else ""),
        command="feeds list" + (f" --status {status}" if status else ""), saved_as="feeds",
    )  # fmt: skip


def group_of(filters: Filters) -> dict[str, Any] | None:
    """What can be done to all feeds that match, beyond the page; None if nothing can."""
    acts = GROUP_ACTS.get(filters.status or "")
    if acts is None:
        return None
    given = {
        "partner_id": filters.partner_id, "partner_name": filters.partner_name,
        "source_id": filters.source_id, "from": filters.from_, "to": filters.to,
    }  # fmt: skip
    query = "".join(f"&{urlencode({n: v})}" for n, v in given.items() if v is not None)
    scope = "feeds:decide" if filters.status == "held" else "feeds:write"
    return {"acts": acts, "query": query, "scope": scope}


@page("/feeds/{feed_id:str}", scope="feeds:read")
def show_feed(commerce: Commerce, feed_id: FeedId) -> View:
    """Shows a feed: what it would change or did, its problems, its stages."""
    feed = commerce.feeds.get(feed_id)
    job = commerce.jobs.get(feed.latest_job.job_id) if feed.latest_job else None
    values: dict[str, Any] = {
        "feed": feed,
        "job": job,
        "plan": plan_of(commerce, job),
        "groups": groups_of(commerce, job),
        "usual": usual_seconds(commerce, feed) if job and job.summary else {},
        "source_name": _source_name(commerce, feed.source_id),
        "can_retry": _can_retry(feed.status, job),
    }
    return View(
        "feed.html", feed.file_name, values=values, curl=f"/feeds/{feed_id}",
        command=f"feeds show {feed_id}",
    )  # fmt: skip


def _source_name(commerce: Commerce, source_id: str) -> str:
    """The source's name; its id if it was removed."""
    try:
        return commerce.sources.get(source_id).source_name
    except NotFound:
        return source_id


def _can_retry(status: FeedStatus, job: Job | None) -> bool:
    rejected = job is not None and job.decision is not None and job.decision.verdict == "rejected"
    return status in ("failed", "rejected") and (job is None or job.is_finished) and not rejected


@act("/feeds/{feed_id:str}/approve", scope="feeds:decide", lane="decisions")
def approve_feed(commerce: Commerce, feed_id: FeedId, form: Approval) -> Goto:
    """Applies a held feed."""
    without = (form.without,) if form.without else ()
    job = commerce.plans.approve(feed_id, without=without, note=form.note)
    changed = job.summary.changes if job.summary else 0
    notice = (
        f"Approved: {changed:,} products changed."
        if job.status == "completed"
        else (f"Approved, but its job has {job.status}.")
    )
    return Goto(f"/feeds/{feed_id}", notice)


@act("/feeds/{feed_id:str}/reject", scope="feeds:decide")
def reject_feed(commerce: Commerce, feed_id: FeedId, form: Rejection) -> Goto:
    """Rejects a held feed for good."""
    commerce.plans.reject(feed_id, note=form.note)
    return Goto(f"/feeds/{feed_id}", "Rejected. Nothing of it was applied.")


@page("/feeds/{feed_id:str}/revert", scope="feeds:read", is_expensive=lambda _: True)
def show_revert(commerce: Commerce, feed_id: FeedId, parameters: Undo) -> View:
    """Shows what reverting a feed would do."""
    plan = commerce.reverts.plan(feed_id, undo=parameters.undo)
    values = {"feed": commerce.feeds.get(feed_id), "plan": plan, "undo": parameters.undo}
    undo = "?undo=true" if parameters.undo else ""
    return View(
        "revert.html", "Undo the revert" if undo else "Revert this feed", values=values,
        curl=f"/feeds/{feed_id}/revert{undo}",
        command=f"feeds revert {feed_id} --plan" + (" --undo" if undo else ""),
    )  # fmt: skip


@act("/feeds/{feed_id:str}/revert", scope="feeds:decide", lane="decisions")
def revert_feed(commerce: Commerce, feed_id: FeedId, form: Undo) -> Goto:
    """Reverts a feed, or undoes that; a worker does it."""
    job = commerce.reverts.start(feed_id, undo=form.undo, run=True)
    return Goto(f"/jobs/{job.job_id}", "The revert has been started.")


@act("/feeds/{feed_id:str}/jobs", scope="feeds:write")
def process_again(commerce: Commerce, feed_id: FeedId) -> Goto:
    """Processes a feed that failed once more."""
    job = commerce.jobs.start(feed_id, run=True)
    return Goto(f"/jobs/{job.job_id}", "It is processed again.")


@page("/feeds/{feed_id:str}/raw", scope="feeds:read", lane="streams")
def download_raw(commerce: Commerce, feed_id: FeedId) -> Response[Any]:
    """Downloads the file as it was received."""
    return download(commerce.feeds.raw(feed_id), commerce.feeds.get(feed_id).file_name, BYTES)


@page("/feeds/{feed_id:str}/report", scope="feeds:read", lane="streams")
def download_report(commerce: Commerce, feed_id: FeedId) -> Response[Any]:
    """Downloads the rejected records of the feed's latest job, to be corrected."""
    feed = commerce.feeds.get(feed_id)
    job_id = feed.latest_job.job_id if feed.latest_job else ""
    return download(commerce.jobs.report(job_id), commerce.jobs.report_name(job_id), BYTES)


ROUTES = (
    show_feeds,
    show_feed,
    approve_feed,
    reject_feed,
    show_revert,
    revert_feed,
    process_again,
    download_raw,
    download_report,
)
