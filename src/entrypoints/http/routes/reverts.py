"""Routes of reverts: what reverting a feed would change, and doing it."""

from attrs import frozen

from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.plans.revert import RevertPlan
from commerce_core.usecases.context import IdempotencyKey
from entrypoints.http.kit.handlers import get, post
from entrypoints.reading import optional
from entrypoints.scalars import FeedId


@frozen(kw_only=True)
class WhichWay:
    """Whether to revert, or to undo a revert."""

    undo: bool = optional(default=False, meaning="Whether to undo the feed's revert instead.")


@frozen(kw_only=True)
class NewRevert:
    """A revert to start."""

    undo: bool = optional(default=False, meaning="Whether to undo the feed's revert instead.")
    run: bool = optional(default=True, meaning="Whether its job starts automatically.")


@get("/feeds/{feed_id:str}/revert", scope="feeds:read", refuses=[409], lane="queries")
def plan_revert(commerce: Commerce, feed_id: FeedId, parameters: WhichWay) -> RevertPlan:
    """Shows what reverting a feed would change now; nothing is written."""
    return commerce.reverts.plan(feed_id, undo=parameters.undo)


@post(
    "/feeds/{feed_id:str}/revert",
    scope="feeds:decide",
    status=(201,),
    refuses=[409],
    location="/v1/jobs/{.job_id}",
    example={"run": True},
)
def revert_feed(
    commerce: Commerce, feed_id: FeedId, payload: NewRevert, key: IdempotencyKey | None
) -> Job:
    """Creates a job that reverts a feed: its products return to their state before the feed.

    Products that have changed since are left as they are; the job's problems list them.
    """
    return commerce.reverts.start(feed_id, undo=payload.undo, run=payload.run, key=key)


ROUTES = (plan_revert, revert_feed)
