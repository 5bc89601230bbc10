"""What a worker reports about the work it runs: events in the log, and metrics of jobs."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from commerce_core.base.errors import CommerceError, RunLost, Unavailable
from commerce_core.feeds.job import Job
from commerce_core.feeds.summary import Summary
from commerce_core.ports.work import Work
from commerce_core.work.task import Task
from entrypoints import logs, tracing
from entrypoints.metrics import FATES, metrics


@contextmanager
def attempt(work: Work) -> Generator[None]:
    """Names the work in every event of the block, which is an attempt at it."""
    with logs.around(**_ids(work), attempt=work.attempts, pid=os.getpid()), tracing.work(work):
        crashed, disconnected = work.crashed_attempts, work.disconnected_attempts
        if crashed or disconnected:
            logs.warning(
                f"{_noun(work)}.claimed",
                kind=work.kind,
                crashed_attempts=crashed,
                disconnected_attempts=disconnected,
            )
        else:
            logs.info(f"{_noun(work)}.claimed", kind=work.kind)
        yield


def _ids(work: Work) -> dict[str, Any]:
    match work:
        case Job():
            return {
                "job_id": work.job_id, "feed_id": work.feed_id, "partner_id": work.partner_id,
            }  # fmt: skip
        case Task():
            return {"task": f"{work.kind} {work.subject}".rstrip()}


def _noun(work: Work) -> str:
    return "job" if isinstance(work, Job) else "task"


def ended(job: Job, begun: float) -> None:
    """The attempt that began then finished the job, well or not."""
    seconds = monotonic() - begun
    outcome = job.outcome or job.status
    metrics().job(job, outcome, seconds)
    summary = job.summary
    counts = {fate: getattr(summary, fate) for fate in FATES} if summary else {}
    fates = {name: count for name, count in counts.items() if count} | _to_look_at(summary)
    read = summary.records_read if summary else None
    if job.status == "cancelled":
        logs.warning("job.cancelled", seconds=round(seconds, 3))
    elif job.status == "held":
        logs.warning("job.held", seconds=round(seconds, 3), records_read=read, **fates)
    elif job.status == "failed":
        code = job.error.code if job.error else None
        logs.warning("job.failed", code=code, seconds=round(seconds, 3), records_read=read, **fates)
    else:
        log = logs.warning if summary and summary.guards else logs.info
        log("job.finished", outcome=outcome, seconds=round(seconds, 3), records_read=read, **fates)


def _to_look_at(summary: Summary | None) -> dict[str, Any]:
    """What a person should look at, if there is anything."""
    if summary is None:
        return {}
    found = {
        "warnings": summary.warnings,
        "guards": [result.guard for result in summary.guards],
        "drift": len(summary.drift),
        "not_sellable": sum(summary.not_sellable.values()),
    }
    return {name: value for name, value in found.items() if value}


def performed(task: Task, changed: int | None, begun: float) -> None:
    """The attempt that began then finished the task, or gave it up."""
    seconds = round(monotonic() - begun, 3)
    if changed is None:
        logs.error("task.given_up", kind=task.kind)
    else:
        logs.info("task.finished", kind=task.kind, seconds=seconds, changed=changed)


def broken_off(work: Work, error: Exception) -> None:
    """The attempt ended without finishing the work."""
    match error:
        case RunLost():
            outcome = "taken_over"
            logs.warning(f"{_noun(work)}.taken_over")
        case Unavailable():
            outcome = "outage"
            logs.warning("part.unavailable", error, reason=error.detail)
        case _:
            outcome = "fault"
            logs.error(f"{_noun(work)}.fault", error)
    if isinstance(work, Job):
        metrics().job(work, outcome)


def given_back(work: Work, why: str) -> None:
    """The work was put back for another attempt."""
    logs.warning(f"{_noun(work)}.given_back", **_ids(work), attempt=work.attempts, why=why)


def not_given_back(work: Work, error: CommerceError) -> None:
    """It couldn't be, so another worker takes it over when its lease expires."""
    logs.warning(f"{_noun(work)}.not_given_back", error, **_ids(work), attempt=work.attempts)


def cant_claim(error: Exception) -> None:
    """The queue couldn't be asked for work."""
    if isinstance(error, Unavailable):
        logs.warning("part.unavailable", error, reason=error.detail)
    else:
        logs.error("worker.fault", error)


def lease_not_renewed(work: Work, error: Unavailable) -> None:
    """A lease couldn't be renewed just now; there is time to try again."""
    logs.warning("lease.not_renewed", error, **_ids(work), reason=error.detail)
