"""Holding: which feeds wait for a decision, what a decision covers, and what makes it moot."""

from datetime import datetime
from typing import Final

from attrs import evolve

from commerce_core.feeds.feed import Feed, FeedQuery
from commerce_core.feeds.guards import holds, worse
from commerce_core.feeds.job import Job, JobQuery
from commerce_core.feeds.summary import Summary
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.feeds import FeedsUnit

MOST_HELD: Final = 200
"""Held feeds of a source that one full feed can supersede."""


def is_held(unit: FeedsUnit, job: Job, plan: SavedPlan | None) -> bool:
    """Whether guards block the feed, and no approval covers their verdict.

    An approval covers the plan that was saved when it was given, and none that is worse.
    """
    if plan is None or not holds(plan.guards):
        return False
    approved = unit.jobs.plan(job.job_id) if job.decision else None
    return approved is None or worse(plan.guards, approved.guards)


def held_job(unit: FeedsUnit, feed: Feed) -> Job | None:
    """The feed's job that waits for a decision, if there is one."""
    query = JobQuery(feed_id=feed.feed_id, status="held")
    return next(iter(unit.jobs.page(query, None, 1).items), None)


def supersede_held(unit: FeedsUnit, applied: Feed, at: datetime) -> list[Feed]:
    """Ends the wait of the source's held feeds that are no newer than an applied full one.

    Their jobs are completed as `superseded`, as they would be if they were approved now. Returns
    these feeds.
    """
    ended: list[Feed] = []
    query = FeedQuery(source_id=applied.source_id, status="held")
    for feed in unit.feeds.page(query, None, MOST_HELD).items:
        job = held_job(unit, feed)
        if job is None or feed.snapshot_at > applied.snapshot_at:
            continue
        # A decision may be under way; the first to lock the job prevails.
        job = unit.jobs.lock(job.job_id)
        if job.status == "held":
            note = f"Feed {applied.feed_id}, applied meanwhile, shows a later state of the catalog."
            summary = job.summary or Summary()
            summary = evolve(summary, notes=(*summary.notes, note))
            unit.jobs.put(job.complete(at, summary, "superseded"))
            unit.feeds.put(feed.became("superseded"))
            ended.append(feed)
    return ended
