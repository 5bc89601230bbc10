"""Jobs under way: run here and now or watched, with their progress, and told when they end."""

import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from commerce_core.base.errors import CommerceError, Conflict, RunLost
from entrypoints.cli.kit.output import Output, duration, moment_utc, plural, say
from entrypoints.cli.kit.tables import Column
from entrypoints.problems import EXIT_CONFLICT, EXIT_HELD, EXIT_REFUSED

if TYPE_CHECKING:
    from commerce_core.commerce import Commerce
    from commerce_core.feeds.job import Decision, Job, Pace
    from commerce_core.feeds.summary import Summary
    from commerce_core.schema.problems import Problem
    from entrypoints.cli.kit.verbs import Session

PROBLEMS_SHOWN: Final = 10
_LOOK_EVERY: Final = 0.1
_TRY_EVERY: Final = 0.3
_BAR_AFTER: Final = 0.4
"""A job that is over sooner needs no bar."""
_OUTCOMES: Final = {
    "clean": "nothing was rejected",
    "with_rejects": "some records were rejected",
    "nothing_changed": "nothing changed",
    "superseded": "a newer feed had been applied already",
}
_FATES: Final = (
    "created", "updated", "restored", "unchanged", "deleted", "folded", "skipped", "rejected",
    "duplicate", "overtaken", "blank",
)  # fmt: skip


def conclude(session: "Session", job: "Job", *, strict: bool = False) -> None:
    """Tells how a finished job went, and ends the command where it didn't go well."""
    problems = list(session.commerce.jobs.problems(job.job_id, limit=PROBLEMS_SHOWN))
    if session.out.as_json:
        from entrypoints.shapes import shape

        shaped = shape(job)
        session.out.json({**shaped, "problems": shape(problems)} if isinstance(shaped, dict) else 0)
    else:
        show_job(session.out, job)
        _show_held(session, job)
        _show_problems(session, job, problems)
    code = exit_code(job, strict=strict)
    if code:
        session.end(code)


def _show_held(session: "Session", job: "Job") -> None:
    """Why a feed is held, and what can be done about it."""
    if job.status != "held":
        return
    out = session.out
    out.line()
    for result in session.commerce.plans.get(job.job_id).holds:
        out.line(f"{result.guard}: {result.detail}")
    out.line()
    out.line("Nothing of it was applied. To see what it would do, and to decide:")
    out.line(f"  {session.typed('jobs', 'plan', job.job_id)}")
    out.line(f"  {session.typed('feeds', 'approve', job.feed_id)}")
    out.line(f"  {session.typed('feeds', 'reject', job.feed_id)}")


def exit_code(job: "Job", *, strict: bool = False) -> int:
    """The exit code that tells how a job went."""
    if job.status == "cancelled":
        return EXIT_CONFLICT
    if job.status == "held":
        return EXIT_HELD
    refused = job.status == "failed" or (strict and job.outcome == "with_rejects")
    return EXIT_REFUSED if refused else 0


def run_or_watch(commerce: "Commerce", job_id: str, *, new: bool = False) -> "Job":
    """Runs a job in this process, or watches it where a worker has it already.

    Conflict if it had ended before; a `new` one can only have been ended by a quick worker.
    """
    if not new:
        commerce.jobs.get(job_id).release()
    try:
        with _shown(commerce, job_id):
            while (job := _run(commerce, job_id)) is None:
                time.sleep(_TRY_EVERY)
    except KeyboardInterrupt:
        say(f"\nJob {job_id} is not finished; what it had begun is undone.")
        raise
    return job


def _run(commerce: "Commerce", job_id: str) -> "Job | None":
    """The job, finished by us or by somebody else; None where one has to wait.

    That is for a worker that runs it, for another job of its partner, or, where a process died of
    it, for the end of that one's lease. So it is tried again, also by whoever began as a watcher.
    """
    try:
        return commerce.jobs.run(job_id)
    except RunLost:
        return None
    except Conflict:
        job = commerce.jobs.get(job_id)
        return job if job.is_finished else None


def watch(commerce: "Commerce", job_id: str) -> "Job":
    """Waits until a job has ended, whoever runs it."""
    with _shown(commerce, job_id):
        while not (job := commerce.jobs.get(job_id)).is_finished:
            time.sleep(_LOOK_EVERY)
    return job


@contextmanager
def _shown(commerce: "Commerce", job_id: str) -> Generator[None]:
    """Shows how far a job is while the block lasts, on a terminal, below the answer's own words."""
    over = threading.Event()
    if not sys.stderr.isatty():
        yield
        return
    thread = threading.Thread(target=_draw_until, args=(over, commerce, job_id), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _draw_until(over: threading.Event, commerce: "Commerce", job_id: str) -> None:
    if over.wait(_BAR_AFTER):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description:<9}")
    counted = TextColumn("{task.fields[records]:,} records{task.fields[pace]}")
    bar = Progress(
        words,
        BarColumn(),
        counted,
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with suppress(CommerceError), bar:
        task = bar.add_task("queued", total=None, records=0, pace="")
        while not over.wait(_LOOK_EVERY):
            job = commerce.jobs.get(job_id)
            now = job.progress
            bar.update(
                task,
                description=now.stage,
                total=now.bytes_total or None,
                completed=now.bytes_read,
                records=now.records,
                pace=_pace(job.pace(commerce.context.clock())),
            )


def _pace(pace: "Pace") -> str:
    """How fast it goes and how long it will, in words: `, 180,000 a second, 4 s left`."""
    told = [] if pace.records_per_second is None else [f"{pace.records_per_second:,} a second"]
    told += [] if pace.seconds_left is None else [f"{pace.seconds_left:.0f} s left"]
    return "".join(f", {part}" for part in told)


def show_job(out: Output, job: "Job") -> None:
    """A job and what became of every record, in a few lines."""
    out.fields(_fields(job))


def _fields(job: "Job") -> Iterator[tuple[str, str]]:
    ended = job.outcome or ""
    yield "job", job.job_id
    yield "feed", job.feed_id
    yield "status", f"{job.status}{': ' if ended else ''}{_OUTCOMES.get(ended, ended)}"
    if job.status == "queued":
        yield "waits for", "a worker" if job.released else "its start"
    if job.error:
        yield "why", f"{job.error.message} ({job.error.code})"
    yield "created", moment_utc(job.created_at)
    if job.started_at and job.finished_at:
        yield "took", duration(seconds_of(job))
    if job.decision:
        yield "decided", _told(job.decision)
    if job.summary:
        yield from _summary_fields(job.summary, held=job.status == "held")


def _told(decision: "Decision") -> str:
    """A decision in words: `approved without removals by operator: an accident`."""
    without = f" without {', '.join(decision.without)}" if decision.without else ""
    why = f": {decision.note}" if decision.note else ""
    return f"{decision.verdict}{without} by {decision.actor}{why}"


def seconds_of(job: "Job") -> float:
    """How long a finished job ran."""
    if job.started_at is None or job.finished_at is None:
        return 0.0
    return (job.finished_at - job.started_at).total_seconds()


def _summary_fields(summary: "Summary", *, held: bool) -> Iterator[tuple[str, str]]:
    yield "would be" if held else "records", fates(summary)
    removed = plural(summary.removed, "product") if summary.removed else ""
    yield "would be removed" if held else "removed", removed
    yield "warnings", f"{summary.warnings:,}" if summary.warnings else ""
    yield "columns not used", ", ".join(summary.unused_columns)
    for note in summary.notes:
        yield "note", note


def fates(summary: "Summary") -> str:
    """What became of every record, in words: `119 read: 106 created, 11 rejected, ...`."""
    counted = ((getattr(summary, fate), fate) for fate in _FATES)
    told = ", ".join(f"{count:,} {fate}" for count, fate in counted if count)
    if told and not summary.records_read:
        return told
    return f"{summary.records_read:,} read{': ' if told else ''}{told}"


def problem_columns() -> "list[Column[Problem]]":
    """The columns of a list of problems."""
    return [
        Column("line", lambda p: str(p.line), right=True),
        Column("column", lambda p: p.column or "(all)"),
        Column("value", lambda p: p.value or "", crops=True, most=20),
        Column("what is wrong", _wrong, wraps=True, most=11),
        Column("what to do", lambda p: p.hint, wraps=True, most=40),
    ]


def _wrong(problem: "Problem") -> str:
    told = problem.code.replace("_", " ")
    return told if problem.severity == "error" else f"{told} (warning)"


def _show_problems(session: "Session", job: "Job", problems: "list[Problem]") -> None:
    """The first problems of a job, and where the others are."""
    if not problems:
        return
    out = session.out
    out.line()
    out.table(problems, problem_columns())
    known = sum(job.summary.problems_by_code.values()) if job.summary else len(problems)
    if known > len(problems):
        out.line()
        out.line(f"{plural(known, 'problem')} in all:")
        out.line(f"  {session.typed('jobs', 'problems', job.job_id)}")
    if job.summary and job.summary.report_records:
        out.line()
        out.line("To mend what was rejected and send it again:")
        out.line(f"  {session.typed('feeds', 'report', job.job_id)} > rejected.csv")
