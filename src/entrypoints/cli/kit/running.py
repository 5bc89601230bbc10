"""Running jobs: in this process or watched, with a progress bar, and the report at the end."""

import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from commerce_core.base.errors import CommerceError, Conflict, RunLost
from entrypoints.cli.kit.output import Output, duration, moment_utc, notice, plural
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
"""Seconds; a job that finishes sooner needs no bar."""
_OUTCOMES: Final = {
    "clean": "nothing was rejected",
    "with_rejects": "some records were rejected",
    "nothing_changed": "nothing changed",
    "superseded": "a newer feed had already been applied",
}
_FATES: Final = (
    "created", "updated", "restored", "unchanged", "deleted", "folded", "skipped", "rejected",
    "duplicate", "overtaken", "blank",
)  # fmt: skip


def conclude(session: "Session", job: "Job", *, strict: bool = False) -> None:
    """Prints how a finished job went, and exits with an error code if it didn't go well."""
    from commerce_core.schema.listed_problems import listed

    # Of warnings that are alike one is enough here, and errors come first.
    problems = listed(session.commerce.jobs.problems(job.job_id), PROBLEMS_SHOWN, alike=1)
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
    """Prints why a feed is held, and what to do about it."""
    if job.status != "held":
        return
    out = session.out
    out.line()
    for result in session.commerce.plans.get(job.job_id).holds:
        out.line(f"{result.guard}: {result.detail}")
    out.line()
    out.line("The feed is held, and nothing was applied. To see its plan, and to decide:")
    out.line(f"  {session.command_line('jobs', 'plan', job.job_id)}")
    out.line(f"  {session.command_line('feeds', 'approve', job.feed_id)}")
    out.line(f"  {session.command_line('feeds', 'reject', job.feed_id)}")


def exit_code(job: "Job", *, strict: bool = False) -> int:
    """The exit code for how a job went."""
    if job.status == "cancelled":
        return EXIT_CONFLICT
    if job.status == "held":
        return EXIT_HELD
    refused = job.status == "failed" or (strict and job.outcome == "with_rejects")
    return EXIT_REFUSED if refused else 0


def run_or_watch(commerce: "Commerce", job_id: str, *, new: bool = False) -> "Job":
    """Runs a job in this process, or watches it if a worker has already claimed it.

    Conflict if it had already finished; a `new` one can only have been finished by a fast worker.
    """
    if not new:
        commerce.jobs.get(job_id).release()
    try:
        with _progress_bar(commerce, job_id):
            while (job := _run(commerce, job_id)) is None:
                time.sleep(_TRY_EVERY)
    except KeyboardInterrupt:
        notice(f"\nJob {job_id} did not finish, and nothing of it was applied.")
        raise
    return job


def _run(commerce: "Commerce", job_id: str) -> "Job | None":
    """The job, finished here or elsewhere; None if the caller has to wait and try again.

    It may have to wait for a worker that runs the job, for another job of the same partner, or for
    the lease of a process that crashed. Retrying takes the job over as soon as that is possible.
    """
    try:
        return commerce.jobs.run(job_id)
    except RunLost:
        return None
    except Conflict:
        job = commerce.jobs.get(job_id)
        return job if job.is_finished else None


def watch(commerce: "Commerce", job_id: str) -> "Job":
    """Waits until a job has finished, in whichever process."""
    with _progress_bar(commerce, job_id):
        while not (job := commerce.jobs.get(job_id)).is_finished:
            time.sleep(_LOOK_EVERY)
    return job


@contextmanager
def _progress_bar(commerce: "Commerce", job_id: str) -> Generator[None]:
    """Shows a job's progress on a terminal, on stderr, while the block runs."""
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

    stage = TextColumn("{task.description:<9}")
    records = TextColumn("{task.fields[records]:,} records{task.fields[pace]}")
    bar = Progress(
        stage,
        BarColumn(),
        records,
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
                pace=_pace_text(job.pace(commerce.context.clock())),
            )


def _pace_text(pace: "Pace") -> str:
    """The speed and the time left, as text: `, 180,000 per second, 4 s left`."""
    parts = [] if pace.records_per_second is None else [f"{pace.records_per_second:,} per second"]
    parts += [] if pace.seconds_left is None else [f"{pace.seconds_left:.0f} s left"]
    return "".join(f", {part}" for part in parts)


def show_job(out: Output, job: "Job") -> None:
    """Prints a job and what became of its records, in a few lines."""
    out.fields(_fields(job))


def _fields(job: "Job") -> Iterator[tuple[str, str]]:
    ended = job.outcome or ""
    yield "job", job.job_id
    yield "feed", job.feed_id
    yield "status", f"{job.status}{': ' if ended else ''}{_OUTCOMES.get(ended, ended)}"
    if job.status == "queued":
        yield "waiting for", "a worker" if job.released else "you to start it"
    if job.error:
        yield "error", f"{job.error.message} ({job.error.code})"
    yield "created", moment_utc(job.created_at)
    if job.started_at and job.finished_at:
        yield "took", duration(seconds_of(job))
    if job.decision:
        yield "decision", _decision_text(job.decision)
    if job.summary:
        yield from _summary_fields(job.summary, held=job.status == "held")


def _decision_text(decision: "Decision") -> str:
    """A decision as text: `approved without removals by operator: an accident`."""
    without = f" without {', '.join(decision.without)}" if decision.without else ""
    why = f": {decision.note}" if decision.note else ""
    return f"{decision.verdict}{without} by {decision.actor}{why}"


def seconds_of(job: "Job") -> float:
    """How long a finished job ran."""
    if job.started_at is None or job.finished_at is None:
        return 0.0
    return (job.finished_at - job.started_at).total_seconds()


def _summary_fields(summary: "Summary", *, held: bool) -> Iterator[tuple[str, str]]:
    yield "records (planned)" if held else "records", fates(summary)
    removed = plural(summary.removed, "product") if summary.removed else ""
    yield "would be removed" if held else "removed", removed
    yield "warnings", f"{summary.warnings:,}" if summary.warnings else ""
    for guard in summary.guards:
        if guard.severity == "warn":
            yield "guard (warns)", guard.detail
    yield "can't be sold", _not_sellable(summary.not_sellable)
    yield "columns not used", ", ".join(summary.unused_columns)
    for drift in summary.drift:
        yield "drift", f"{drift.column}: {drift.detail}"
    for note in summary.notes:
        yield "note", note


def _not_sellable(by_reason: Mapping[str, int]) -> str:
    """Products without a price, as text: `12 unpriced, 3 zero price`.

    That others are sold out or discontinued is what their partner says of them.
    """
    found = ((reason, by_reason.get(reason, 0)) for reason in ("unpriced", "zero_price"))
    return ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in found if n)


def fates(summary: "Summary") -> str:
    """What became of the records, as text: `119 read: 106 created, 11 rejected, ...`."""
    counts = ((getattr(summary, fate), fate) for fate in _FATES)
    text = ", ".join(f"{count:,} {fate}" for count, fate in counts if count)
    if text and not summary.records_read:
        return text
    return f"{summary.records_read:,} read{': ' if text else ''}{text}"


def problem_columns() -> "list[Column[Problem]]":
    """The columns of a list of problems."""
    return [
        Column("line", lambda p: str(p.line), right=True),
        Column("column", lambda p: p.column or "(all)"),
        Column("value", lambda p: p.value or "", crops=True, most=20),
        Column("what is wrong", _problem_text, wraps=True, most=11),
        Column("what to do", lambda p: p.hint, wraps=True, most=40),
    ]


def _problem_text(problem: "Problem") -> str:
    text = problem.code.replace("_", " ")
    return text if problem.severity == "error" else f"{text} (warning)"


def _show_problems(session: "Session", job: "Job", problems: "list[Problem]") -> None:
    """Prints the first problems of a job, and the commands that show the rest."""
    if not problems:
        return
    out = session.out
    out.line()
    out.table(problems, problem_columns())
    known = sum(job.summary.problems_by_code.values()) if job.summary else len(problems)
    if known > len(problems):
        out.line()
        out.line(f"To see all {plural(known, 'problem')}:")
        out.line(f"  {session.command_line('jobs', 'problems', job.job_id)}")
    if job.summary and job.summary.report_records:
        out.line()
        out.line("To save the rejected records, correct them and send them again:")
        out.line(f"  {session.command_line('feeds', 'report', job.job_id)} > rejected.csv")
