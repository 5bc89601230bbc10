"""Running jobs: what workers do with those they claim, and what a person may have done at once."""

from contextlib import suppress

from commerce_core.base.errors import RunLost, Unavailable
from commerce_core.feeds.job import Job
from commerce_core.ingestion.claim import Claiming
from commerce_core.ingestion.ingest import Ingest
from commerce_core.ingestion.reject_report import delete_reports
from commerce_core.ingestion.revert import Reverting
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context


def execute(context: Context, job: Job) -> Job:
    """Runs a claimed job, and returns it finished, or cancelled by someone else meanwhile.

    Raises RunLost if another worker took it over meanwhile, and Unavailable if a part can't be
    reached; nothing of this run was committed then.
    """
    try:
        return _run(context, job)
    except (RunLost, Unavailable):
        if (cancelled := _cancelled(context, job)) is not None:
            return cancelled
        raise


def _cancelled(context: Context, job: Job) -> Job | None:
    """The job if it was cancelled meanwhile; what its run has left among the files is gone."""
    c = context
    with suppress(Unavailable):
        with c.store.begin() as unit:
            now = unit.jobs.lock(job.job_id)  # waits for one who is just cancelling it
        if now.status == "cancelled":
            delete_reports(c.files, job)
            return now
    return None


def _run(context: Context, job: Job) -> Job:
    c = context
    if job.kind == "revert":
        actor = c.principal.name
        return Reverting(c.store, c.clock, c.entropy, c.keep_lease, actor).run(job)
    ingest = Ingest(c.store, c.files, c.clock, c.entropy, c.keep_lease, c.engine, c.principal.name)
    return ingest.run(job)


def claiming(context: Context, unit: UnitOfWork) -> Claiming:
    """What claims jobs in this unit."""
    return Claiming(unit, context.files, context.clock(), context.lease, context.new_event)
