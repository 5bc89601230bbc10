"""Routes of plans, which show what a feed would do, and of decisions about held feeds."""

from typing import Final

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import Job, Without
from commerce_core.plans.saved_plan import SavedPlan
from entrypoints.http.kit.handlers import get, post
from entrypoints.reading import optional
from entrypoints.scalars import FeedId, JobId


@frozen(kw_only=True)
class Rejection:
    """Why a held feed is rejected."""

    note: str | None = optional(None, "Reason for the decision; at most 1,000 characters.")


@frozen(kw_only=True)
class Approval(Rejection):
    """How a held feed is approved, and why."""

    without: tuple[Without, ...] = optional((), "What not to apply.")


@get("/jobs/{job_id:str}/plan", scope="feeds:read")
def get_plan(commerce: Commerce, job_id: JobId) -> SavedPlan:
    """Shows what a job would change in the catalog, or did, and what the guards found."""
    return commerce.plans.get(job_id)


@post(
    "/feeds/{feed_id:str}/approve",
    lane="decisions",
    scope="feeds:decide",
    refuses=[409],
    example={"note": "The season is over."},
)
def approve_feed(commerce: Commerce, feed_id: FeedId, payload: Approval) -> Job:
    """Approves a held feed: plans it again, applies it, and returns its finished job.

    If a guard's figure is now worse than before, nothing is applied, and the error shows the new
    `plan`.
    """
    return commerce.plans.approve(feed_id, without=payload.without, note=payload.note)


@post(
    "/feeds/{feed_id:str}/reject",
    scope="feeds:decide",
    refuses=[409],
    example={"note": "Half of it is missing."},
)
def reject_feed(commerce: Commerce, feed_id: FeedId, payload: Rejection) -> Feed:
    """Rejects a held feed, permanently."""
    return commerce.plans.reject(feed_id, note=payload.note)


ROUTES: Final = (get_plan, approve_feed, reject_feed)
