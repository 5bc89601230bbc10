"""What a worker tells of the jobs it runs: events in the log, and figures."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic

from commerce_core.base.errors import CommerceError, RunLost, Unavailable
from commerce_core.feeds.job import Job
from entrypoints import logs
from entrypoints.metrics import FATES, metrics


@contextmanager
def attempt(job: Job) -> Generator[None]:
    """Names the job in every event of the block, which is an attempt at it."""
    ids = {"job_id": job.job_id, "feed_id": job.feed_id, "partner_id": job.partner_id}
    with logs.around(**ids, attempt=job.attempts, pid=os.getpid()):
        silent, disconnected = job.crashed_attempts, job.disconnected_attempts
        if silent or disconnected:
            logs.warning(
                "job.claimed",
                kind=job.kind,
                crashed_attempts=silent,
                disconnected_attempts=disconnected,
            )
        else:
            logs.info("job.claimed", kind=job.kind)
        yield


def ended(job: Job, begun: float) -> None:
    """The attempt that began then finished the job, well or not."""
    seconds = monotonic() - begun
    outcome = job.outcome or job.status
    metrics().job(job, outcome, seconds)
    summary = job.summary
    counts = {fate: getattr(summary, fate) for fate in FATES} if summary else {}
    told = {name: count for name, count in counts.items() if count}
    read = summary.records_read if summary else None
    if job.status == "held":
        logs.warning("job.held", seconds=round(seconds, 3), records_read=read, **told)
    elif job.status == "failed":
        code = job.error.code if job.error else None
        logs.warning("job.failed", code=code, seconds=round(seconds, 3), records_read=read, **told)
    else:
        logs.info(
            "job.finished", outcome=outcome, seconds=round(seconds, 3), records_read=read, **told
        )


def broken_off(job: Job, error: Exception) -> None:
    """The attempt ended without finishing the job."""
    match error:
        case RunLost():
            metrics().job(job, "taken_over")
            logs.warning("job.taken_over")
        case Unavailable():
            metrics().job(job, "outage")
            logs.warning("part.unavailable", error, reason=error.detail)
        case _:
            metrics().job(job, "fault")
            logs.error("job.fault", error)


def given_back(job: Job, why: str) -> None:
    """The job was put back for another attempt."""
    logs.warning("job.given_back", job_id=job.job_id, attempt=job.attempts, why=why)


def not_given_back(job: Job, error: CommerceError) -> None:
    """It couldn't be, so somebody takes it over when its lease is over."""
    logs.warning("job.not_given_back", error, job_id=job.job_id, attempt=job.attempts)


def cant_claim(error: Exception) -> None:
    """The queue couldn't be asked for a job."""
    if isinstance(error, Unavailable):
        logs.warning("part.unavailable", error, reason=error.detail)
    else:
        logs.error("worker.fault", error)


def lease_not_renewed(job: Job, error: Unavailable) -> None:
    """A lease couldn't be renewed just now; it has room for more tries."""
    logs.warning("lease.not_renewed", error, job_id=job.job_id, reason=error.detail)
