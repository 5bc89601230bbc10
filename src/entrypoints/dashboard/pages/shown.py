"""What several pages show of feeds and jobs: problems in groups, and what is usual for a source."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from commerce_core.base.errors import NotFound
from commerce_core.commerce import Commerce
from commerce_core.feeds.feed import Feed, FeedQuery
from commerce_core.feeds.job import Job, JobQuery
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.schema.problem_groups import ProblemGroups

LOOKED_AT: Final = 20
"""The latest feeds of a partner from which follows what is usual."""


def partner_names(commerce: Commerce, partner_ids: Iterable[str]) -> Mapping[str, str]:
    """The names of these partners, by id; those that are gone are left out."""
    with commerce.context.store.read_only() as unit:
        return unit.partners.names(set(partner_ids))


def file_names(commerce: Commerce, jobs: Iterable[Job]) -> Mapping[str, str]:
    """The names of the files of these jobs, by the ids of their feeds."""
    with commerce.context.store.read_only() as unit:
        return unit.feeds.file_names({job.feed_id for job in jobs})


def latest(commerce: Commerce, partner_id: str) -> Sequence[tuple[Feed, Job | None]]:
    """The latest feeds of a partner, each with its latest ingest among the partner's latest."""
    feeds = commerce.feeds.page(FeedQuery(partner_id), limit=LOOKED_AT).items
    jobs = commerce.jobs.page(JobQuery(partner_id=partner_id, kind="ingest"), limit=LOOKED_AT).items
    by_feed = {job.feed_id: job for job in reversed(jobs)}
    return [(feed, by_feed.get(feed.feed_id)) for feed in feeds]


def usual_seconds(commerce: Commerce, feed: Feed) -> Mapping[str, float]:
    """The usual seconds of each stage for the latest other feeds of its source."""
    found: dict[str, list[float]] = {}
    for other, job in latest(commerce, feed.partner_id):
        same = other.source_id == feed.source_id and other.feed_id != feed.feed_id
        for stage in job.summary.stages if same and job and job.summary else ():
            found.setdefault(stage.name, []).append(stage.seconds)
    return {name: median(seconds) for name, seconds in found.items()}


def plan_of(commerce: Commerce, job: Job | None) -> SavedPlan | None:
    """The plan of a job, if it has one."""
    if job is None or job.kind == "revert":
        return None
    try:
        return commerce.plans.get(job.job_id)
    except NotFound:
        return None


def groups_of(commerce: Commerce, job: Job | None) -> ProblemGroups | None:
    """The problems of a job in groups, with the first records as they were received."""
    if job is None or job.summary is None or not job.summary.problems_by_code:
        return None
    return commerce.jobs.problem_groups(job.job_id, raw=True)
