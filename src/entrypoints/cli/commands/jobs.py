"""`commerce jobs`: the jobs that process feeds, and what became of every record."""

from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.feeds.job import Job, JobStatus

jobs: Final = noun("jobs", "Run and inspect the jobs of feeds.")
_STATUSES: Final = ("queued", "running", "completed", "failed", "held", "cancelled")
_strict = click.option("--strict", is_flag=True, help="Exit with 65 if any record is rejected.")


@jobs.verb("run", scope="feeds:write")
@click.argument("job", metavar="JOB_ID|FEED_ID")
@_strict
def run(session: Session, job: str, *, strict: bool) -> None:
    """Run a job, or watch it if a worker is already running it.

    The job runs in this process. With a feed's id, creates a new job for the feed and runs it. A
    finished job can't be run again.
    """
    from commerce_core.base.ids import looks_like
    from entrypoints.cli.kit.running import conclude, run_or_watch

    new = looks_like("feed", job)
    job_id = session.commerce.jobs.start(job, run=True).job_id if new else job
    conclude(session, run_or_watch(session.commerce, job_id, new=new), strict=strict)


@jobs.verb("plan", scope="feeds:read")
@click.argument("job_id")
def plan(session: Session, job_id: str) -> None:
    """Show what a job changes in the catalog, and what the guards found."""
    from entrypoints.cli.commands.plans import show_plan

    saved_plan = session.commerce.plans.get(job_id)
    if session.out.as_json:
        session.out.document(saved_plan)
    else:
        show_plan(session.out, saved_plan)


@jobs.verb("list", scope="feeds:read")
@click.option("--feed", "feed_id", metavar="FEED_ID", help="Only jobs of this feed.")
@partner_option("Only jobs of this partner.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only jobs with this status.")
@limit_option
def list_(
    session: Session,
    feed_id: str | None,
    partner: str | None,
    status: "JobStatus | None",
    limit: int | None,
) -> None:
    """List jobs, newest first."""
    from commerce_core.base.ids import parse
    from commerce_core.feeds.job import JobQuery
    from entrypoints.cli.kit.output import moment
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Job]] = [
        Column("created (UTC)", lambda j: moment(j.created_at)),
        Column("status", _status_text),
        Column("records", _records, right=True, from_width=110),
        Column("id", lambda j: j.job_id),
        Column("feed", lambda j: j.feed_id, from_width=140),
    ]
    query = JobQuery(feed_id=feed_id and parse("feed", feed_id), status=status)
    found = session.commerce.jobs.list(query, partner=partner)
    session.out.many(found, columns, limit, "No jobs found.")


def _status_text(job: "Job") -> str:
    if job.error:
        return f"{job.status}: {job.error.code}"
    if job.waiting_for == "run":
        return "queued: waits for run"
    return job.outcome.replace("_", " ") if job.outcome else job.status


def _records(job: "Job") -> str:
    return f"{job.summary.records_read:,}" if job.summary else ""


@jobs.verb("show", scope="feeds:read")
@click.argument("job_id")
def show(session: Session, job_id: str) -> None:
    """Show a job, and what became of its records."""
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
    """Wait until a job has finished, and show how it went."""
    from entrypoints.cli.kit.running import conclude
    from entrypoints.cli.kit.running import watch as until_finished

    job = session.commerce.jobs.get(job_id)
    if job.status == "queued":
        command = session.command_line("jobs", "run", job_id)
        notice("Waiting for a worker." if job.released else f"To start the job: {command}")
    conclude(session, until_finished(session.commerce, job_id), strict=strict)


@jobs.verb("cancel", scope="feeds:write")
@click.argument("job_id")
def cancel(session: Session, job_id: str) -> None:
    """Cancel a job, even one that is running.

    Nothing it did is kept. Its feed is unchanged and can be run again.
    """
    job = session.commerce.jobs.cancel(job_id)
    session.out.one(job, lambda: [("job", job.job_id), ("status", job.status)])


@jobs.verb("problems", scope="feeds:read")
@click.argument("job_id")
@limit_option
@click.option(
    "--grouped", is_flag=True, help="Group by code, column and the shape of the value instead."
)
def problems(session: Session, job_id: str, limit: int | None, *, grouped: bool) -> None:
    """List the problems that a job found in its records, by line."""
    from entrypoints.cli.kit.running import problem_columns

    if grouped:
        _show_groups(session, job_id, limit)
        return
    found = session.commerce.jobs.problems(job_id)
    session.out.many(found, problem_columns(), limit, "No problems were found.")


def _show_groups(session: Session, job_id: str, limit: int | None) -> None:
    from commerce_core.schema.problem_groups import ProblemGroup
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[ProblemGroup]] = [
        Column(
            "problems", lambda g: f"{g.count:,}" + (f" (+{g.more:,})" if g.more else ""), right=True
        ),
        Column("code", lambda g: g.code),
        Column("column", lambda g: g.column or "(all)"),
        Column("shape", lambda g: g.shape),
        Column("lines", lambda g: ", ".join(f"{s.line:,}" for s in g.samples)),
        Column("what to do", lambda g: g.hint, wraps=True, from_width=120),
    ]
    found = session.commerce.jobs.problem_groups(job_id)
    session.out.many(iter(found.groups), columns, limit, "No problems were found.")
