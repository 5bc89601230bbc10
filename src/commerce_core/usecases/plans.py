"""Plans: what a feed would do before it is applied, and decisions about held feeds."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from io import SEEK_END
from typing import BinaryIO

from attrs import evolve, frozen

from commerce_core.activity.audit import Action
from commerce_core.base.errors import Conflict, Fault, InvalidInput, NotFound, refuse_if
from commerce_core.base.text import UNSTORABLE
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import (
    LONGEST_NOTE,
    Decision,
    Job,
    JobError,
    Without,
)
from commerce_core.ingestion.hold import held_job
from commerce_core.ingestion.plan import Planning, Sender
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.activity import ActivityUnit
from commerce_core.ports.feeds import FeedsUnit
from commerce_core.ports.store import UnitOfWork
from commerce_core.profiles.profile import Profile, SavedProfile
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import Context
from commerce_core.usecases.jobs import Jobs
from commerce_core.usecases.receiving import Arrival, check_snapshot
from commerce_core.usecases.running import execute


@frozen
class Plans:
    """What a feed would do to the catalog, and decisions about held feeds."""

    _context: Context

    def preview(
        self,
        file: str | BinaryIO,
        *,
        partner: str,
        source: str | None = None,
        mode: Mode | None = None,
        profile: Profile | None = None,
        snapshot_at: datetime | None = None,
        expected_rows: int | None = None,
    ) -> SavedPlan:
        """What a file would change if it were sent now, and what the guards find.

        It is read with the source's profile, or with the given one; nothing is stored. FileRefused
        if the file can't be read as a whole; Conflict if a newer full feed of the source has
        already been applied.
        """
        check_snapshot(snapshot_at, self._context.clock())
        name = file if isinstance(file, str) else "feed.csv"
        arrival = Arrival(partner, source, mode, name, snapshot_at, expected_rows)
        with self._context.opened(file) as stream:
            return rehearsed(self._context, arrival, stream, profile)

    def get(self, job_id: str) -> SavedPlan:
        """What a job would change in the catalog, or did; NotFound `no_plan` if it has none."""
        job = Jobs(self._context).get(job_id)
        with self._context.store.begin() as unit:
            return saved_plan(unit, job)

    def approve(self, feed_id: str, *, without: Iterable[str] = (), note: str | None = None) -> Job:
        """Applies a held feed, optionally `without` its removals; returns its finished job.

        It is planned again. Conflict `plan_worse`, with the new plan, if a guard now finds more
        than was approved; Conflict `feed_not_held` if it isn't held.
        """
        decided = decision(self._context, approves=True, note=note, without=without)
        with self._context.writing() as unit:
            job = take_up(self._context, unit, self._context.feed(unit, feed_id), decided)
        job = execute(self._context, job)
        with self._context.store.begin() as unit:
            check_applied(unit, job)
        return job

    def reject(self, feed_id: str, *, note: str | None = None) -> Feed:
        """Rejects a held feed, permanently; Conflict `feed_not_held` if it isn't held."""
        decided = decision(self._context, approves=False, note=note)
        with self._context.writing() as unit:
            turn_down(self._context, unit, self._context.feed(unit, feed_id), decided)
            return self._context.feed(unit, feed_id)


def rehearsed(
    context: Context, arrival: Arrival, stream: BinaryIO, profile: Profile | None
) -> SavedPlan:
    """What a file would change if sent now, read with the source's profile or the given one.

    Leaves nothing behind. FileRefused if the file can't be read as a whole; Conflict if a newer
    full feed of the source has already been applied.
    """
    if not stream.seekable():
        detail = "The file is read more than once; send one that can be rewound."
        raise InvalidInput.at("/file", "not_seekable", detail)
    with context.store.read_only() as unit:
        feed = evolve(arrival.feed(context, unit), bytes=stream.seek(0, SEEK_END))
        sender = Sender.of(unit, feed)
    if profile is not None:
        version = sender.profile.version + 1
        sender = evolve(sender, profile=SavedProfile(version, profile, "", feed.received_at))
    planning = Planning(context.files, context.clock, context.engine)
    with planning.open("plan", feed, sender, lambda: _from_its_start(stream)) as opened:
        run, newer = planning.settled(context.store.read_only, opened)
        run = planning.look_back(context.store.read_only, run, newer)
        with context.store.begin(dry_run=True) as unit:
            unit.feeds.add(run.feed)
            run, superseding = planning.lock(unit, run)
            if superseding is not None:
                as_of = superseding.snapshot_at.isoformat()
                detail = f"A newer full feed, as of {as_of}, has been applied already."
                raise Conflict(detail, "This file would change nothing.", code="superseded")
            basis = planning.basis(unit, run)
            planned = planning.judged(run, basis, planning.plan(unit, run, basis))
    if planned.saved is None:
        raise AssertionError("a feed that was compared has a plan")
    return planned.saved


@contextmanager
def _from_its_start(stream: BinaryIO) -> Generator[BinaryIO]:
    stream.seek(0)
    yield stream


def decision(
    context: Context, *, approves: bool, note: str | None, without: Iterable[str] = ()
) -> Decision:
    """The decision that this principal makes now; InvalidInput lists every fault."""
    left_out = tuple(dict.fromkeys(without))
    known: tuple[Without, ...] = ("removals",)
    note = UNSTORABLE.sub("\ufffd", note).strip() if note else None
    refuse_if(
        "The decision isn't valid.",
        (
            any(name not in known for name in left_out),
            Fault("/without", "bad_without", "Only removals can be left out."),
        ),
        (
            len(note or "") > LONGEST_NOTE,
            Fault("/note", "too_long", f"Use at most {LONGEST_NOTE:,} characters."),
        ),
    )
    return Decision(
        verdict="approved" if approves else "rejected",
        actor=context.principal.name,
        at=context.clock(),
        note=note or None,
        without=tuple(name for name in known if name in left_out),
    )


def take_up(context: Context, unit: UnitOfWork, feed: Feed, approved: Decision) -> Job:
    """The held feed's job, approved and claimed; Conflict if it isn't held, or can't run now."""
    job = _locked(unit, feed).decided(approved)
    unit.partners.get(feed.partner_id).check_may_send()
    unit.jobs.put(job)
    unit.jobs.forget_problems(job.job_id)
    _note(context, unit, job, approved)
    claimed = unit.jobs.claim(context.clock(), context.lease, job.job_id)
    if claimed is None:
        raise Conflict(
            f"Feed {feed.feed_id} can't run yet: another feed of its partner is being processed.",
            "Approve it again in a moment.",
            code="job_running",
        )
    return claimed


def turn_down(context: Context, unit: UnitOfWork, feed: Feed, rejected: Decision) -> None:
    """Rejects a held feed; Conflict if it isn't held."""
    job = _locked(unit, feed).decided(rejected)
    unit.jobs.put(job)
    unit.feeds.put(feed.became("rejected"))
    why = JobError("rejected", rejected.note or f"It was rejected by {rejected.actor}.")
    unit.events.add([context.new_event().failed("feed.rejected", feed, job.job_id, why)])
    _note(context, unit, job, rejected)


def _note(context: Context, unit: ActivityUnit, job: Job, decided: Decision) -> None:
    """Notes the decision in the audit, in the same transaction."""
    action: Action = "feed.approved" if decided.verdict == "approved" else "feed.rejected"
    context.note(
        unit,
        action,
        job.feed_id,
        job.job_id,
        partner_id=job.partner_id,
        note=decided.note,
        after=decided,
    )


def check_applied(unit: FeedsUnit, job: Job) -> None:
    """Conflict `plan_worse`, with the new plan, if the approved feed was held again."""
    if job.status != "held":
        return
    plan = unit.jobs.plan(job.job_id)
    details = " ".join(result.detail for result in plan.holds) if plan else ""
    raise Conflict(
        f"The catalog has changed, and the feed would now do more than was approved. {details}",
        "Look at the new plan, and approve it if it is right.",
        code="plan_worse",
        shown={"plan": plan},
    )


def saved_plan(unit: FeedsUnit, job: Job) -> SavedPlan:
    """The plan that was saved for a job; NotFound `no_plan` with the reason if there is none."""
    plan = unit.jobs.plan(job.job_id)
    if plan is not None:
        return plan
    if not job.is_finished:
        why = f"Job {job.job_id} is {job.status}; it has a plan only when it has finished."
    elif job.kind == "validate":
        why = f"Job {job.job_id} only validates; add a job of the kind plan."
    else:
        why = f"Job {job.job_id} ended before it compared the feed with the catalog."
    raise NotFound(why, code="no_plan")


def _locked(unit: FeedsUnit, feed: Feed) -> Job:
    """Locks and returns the job that holds the feed; Conflict `feed_not_held` if none does."""
    job = held_job(unit, feed)
    if job is None or feed.status != "held":
        raise Conflict(
            f"Feed {feed.feed_id} is {feed.status}; only held feeds can be approved or rejected.",
            code="feed_not_held",
        )
    return unit.jobs.lock(job.job_id)
