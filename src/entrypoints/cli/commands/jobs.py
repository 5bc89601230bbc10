"""`commerce jobs`: what is done with feeds, and what became of every record."""

from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.output import say
from entrypoints.cli.kit.verbs import Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.feeds.job import Job, JobStatus

jobs: Final = noun("jobs", "What is done with feeds, and what became of every record.")
_STATUSES: Final = ("queued", "running", "completed", "failed", "held", "cancelled")
_strict = click.option("--strict", is_flag=True, help="A rejected record is a failure too.")


@jobs.verb("run", scope="feeds:write")
@click.argument("job", metavar="JOB_ID|FEED_ID")
@_strict
def run(session: Session, job: str, *, strict: bool) -> None:
    """Runs a job here and now, or watches it where a worker has it already.

    A finished job can't run again; for its feed's id, a new one is made and run.
    """
    from commerce_core.base.ids import looks_like
    from entrypoints.cli.kit.running import conclude, run_or_watch

    new = looks_like("feed", job)
    job_id = session.commerce.jobs.start(job, run=True).job_id if new else job
    conclude(session, run_or_watch(session.commerce, job_id, new=new), strict=strict)


@jobs.verb("plan", scope="feeds:read")
@click.argument("job_id")
def plan(session: Session, job_id: str) -> None:
    """Shows what a job would do to the catalog, or did, and what the guards said."""
    from entrypoints.cli.commands.plans import show_plan

    kept = session.commerce.plans.get(job_id)
    if session.out.as_json:
        session.out.document(kept)
    else:
        show_plan(session.out, kept)


@jobs.verb("list", scope="feeds:read")
@click.option("--feed", "feed_id", metavar="FEED_ID", help="Those of this feed.")
@partner_option("Those of this partner alone.")
@click.option("--status", type=click.Choice(_STATUSES))
@limit_option
def list_(
    session: Session,
    feed_id: str | None,
    partner: str | None,
    status: "JobStatus | None",
    limit: int | None,
) -> None:
    """Lists jobs, newest first."""
    from commerce_core.base.ids import parse
    from commerce_core.feeds.job import JobQuery
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Job]] = [
        Column("created (UTC)", lambda j: moment(j.created_at)),
        Column("status", _ended),
        Column("records", _records, right=True, from_width=110),
        Column("id", lambda j: j.job_id),
        Column("feed", lambda j: j.feed_id, from_width=140),
    ]
    query = JobQuery(feed_id=feed_id and parse("feed", feed_id), status=status)
    found = session.commerce.jobs.list(query, partner=partner)
    session.out.many(found, columns, limit, "No job fits.")


def _ended(job: "Job") -> str:
    if job.error:
        return f"{job.status}: {job.error.code}"
    return job.outcome.replace("_", " ") if job.outcome else job.status


def _records(job: "Job") -> str:
    return f"{job.summary.records_read:,}" if job.summary else ""


@jobs.verb("show", scope="feeds:read")
@click.argument("job_id")
def show(session: Session, job_id: str) -> None:
    """Shows a job, and what became of every record."""
    from entrypoints.cli.kit.running import show_job

    job = session.commerce.jobs.get(job_id)
    if session.out.as_json:
        session.out.document(job)
    else:
        show_job(session.out, job)


@jobs.verb("watch", scope="feeds:read")
@click.argument("job_id")
@_strict
def watch(session: Session, job_id: str, *, strict: bool) -> None:
    """Waits until a job has finished, and tells how it went."""
    from entrypoints.cli.kit.running import conclude
    from entrypoints.cli.kit.running import watch as until_finished

    job = session.commerce.jobs.get(job_id)
    if job.status == "queued":
        start = f"its start: {session.typed('jobs', 'run', job_id)}"
        say(f"It waits for {'a worker.' if job.released else start}")
    conclude(session, until_finished(session.commerce, job_id), strict=strict)


@jobs.verb("cancel", scope="feeds:write")
@click.argument("job_id")
def cancel(session: Session, job_id: str) -> None:
    """Cancels a job that hasn't begun."""
    job = session.commerce.jobs.cancel(job_id)
    session.out.one(job, lambda: [("job", job.job_id), ("status", job.status)])


@jobs.verb("problems", scope="feeds:read")
@click.argument("job_id")
@limit_option
def problems(session: Session, job_id: str, limit: int | None) -> None:
    """Lists what was wrong with the records of a job, by line."""
    from entrypoints.cli.kit.running import problem_columns

    found = session.commerce.jobs.problems(job_id)
    session.out.many(found, problem_columns(), limit, "No record had a problem.")
