"""Routes of reverts: what going back to before a feed would do, and doing it."""

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
    """Back or forward."""

    undo: bool = optional(
        default=False, meaning="To undo the revert of a feed, instead of the feed."
    )


@frozen(kw_only=True)
class NewRevert:
    """A revert as it is asked for."""

    undo: bool = optional(
        default=False, meaning="To undo the revert of a feed, instead of the feed."
    )
    run: bool = optional(default=True, meaning="Whether its job begins by itself.")


@get("/feeds/{feed_id:str}/revert", scope="feeds:read", refuses=[409])
def plan_revert(commerce: Commerce, feed_id: FeedId, parameters: WhichWay) -> RevertPlan:
    """Shows what going back to before a feed would do now; nothing is written."""
    return commerce.reverts.plan(feed_id, undo=parameters.undo)


@post(
    "/feeds/{feed_id:str}/revert",
    scope="feeds:write",
    status=(201,),
    refuses=[409],
    location="/v1/jobs/{.job_id}",
    example={"run": True},
)
def revert_feed(
    commerce: Commerce, feed_id: FeedId, payload: NewRevert, key: IdempotencyKey | None
) -> Job:
    """Makes a job that goes back to before a feed; what was changed since is kept.

    What it kept, and why, are the problems of the job.
    """
    return commerce.reverts.start(feed_id, undo=payload.undo, run=payload.run, key=key)


ROUTES = (plan_revert, revert_feed)
