"""Routes of what a feed would do, and of the decisions about one that is held."""

from typing import Final

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import Job, Without
from commerce_core.plans.saved_plan import SavedPlan
from entrypoints.http.routing import route
from entrypoints.http.values import FeedId, JobId, said


@frozen(kw_only=True)
class Rejection:
    """Why a held feed is rejected."""

    note: str | None = said(None, "Why, for whoever looks at it later; at most 1,000 characters.")


@frozen(kw_only=True)
class Approval(Rejection):
    """How a held feed is approved, and why."""

    without: tuple[Without, ...] = said((), "What to leave out of it.")


@route("GET", "/jobs/{job_id:str}/plan", scope="feeds:read")
def get_plan(commerce: Commerce, job_id: JobId) -> SavedPlan:
    """Shows what a job would do to the catalog, or did, and what the guards said of it."""
    return commerce.plans.get(job_id)


@route("POST", "/feeds/{feed_id:str}/approve", scope="feeds:write", refuses=[409])
def approve_feed(commerce: Commerce, feed_id: FeedId, body: Approval) -> Job:
    """Applies a held feed, which is planned anew for it; returns its finished job.

    If it would now do more than was approved, the refusal shows the new `plan`.
    """
    return commerce.plans.approve(feed_id, without=body.without, note=body.note)


@route("POST", "/feeds/{feed_id:str}/reject", scope="feeds:write", refuses=[409])
def reject_feed(commerce: Commerce, feed_id: FeedId, body: Rejection) -> Feed:
    """Turns a held feed down for good."""
    return commerce.plans.reject(feed_id, note=body.note)


ROUTES: Final = (get_plan, approve_feed, reject_feed)
