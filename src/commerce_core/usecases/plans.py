"""Plans: what a file would do before it lands, and decisions about a feed that is held."""

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
    Progress,
    Without,
)
from commerce_core.ingestion.hold import held_job
from commerce_core.ingestion.plan import Planning, newer_full_snapshot
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.activity import ActivityUnit
from commerce_core.ports.feeds import FeedsUnit
from commerce_core.ports.partners import PartnersUnit
from commerce_core.ports.store import UnitOfWork
from commerce_core.profiles.profile import Profile, SavedProfile
from commerce_core.schema.fields import Mode
from commerce_core.usecases.context import Context
from commerce_core.usecases.feeds import (
    Arrival,
    check_snapshot,
)
from commerce_core.usecases.jobs import Jobs
from commerce_core.usecases.queue import Queue


@frozen
class Plans:
    """What a feed would do to the catalog, and decisions about feeds that are held."""

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
        """What a file would do if it were sent now, and what the guards would say; nothing is kept.

        It is read by the source's profile, or by another. Raises FileRefused where the file can't
        be taken as a whole, and Conflict where a newer full feed of the source has been applied
        already.
        """
        check_snapshot(snapshot_at, self._context.clock())
        name = file if isinstance(file, str) else "feed.csv"
        arrival = Arrival(partner, source, mode, name, snapshot_at, expected_rows)
        with self._context.opened(file) as stream:
            return rehearsed(self._context, arrival, stream, profile)

    def get(self, job_id: str) -> SavedPlan:
        """What a job would do to the catalog, or did; NotFound `no_plan` if it came to none."""
        job = Jobs(self._context).get(job_id)
        with self._context.store.begin() as unit:
            return saved_plan(unit, job)

    def approve(self, feed_id: str, *, without: Iterable[str] = (), note: str | None = None) -> Job:
        """Applies a held feed, `without` its removals if so said; returns its finished job.

        It is planned anew. Conflict `plan_worse`, with the new plan, if a guard would now hold it
        for more than was approved, and `feed_not_held` if it isn't held.
        """
        decided = decision(self._context, approves=True, note=note, without=without)
        with self._context.store.begin() as unit:
            job = take_up(self._context, unit, self._context.feed(unit, feed_id), decided)
        job = Queue(self._context).execute(job)
        with self._context.store.begin() as unit:
            check_applied(unit, job)
        return job

    def reject(self, feed_id: str, *, note: str | None = None) -> Feed:
        """Turns a held feed down for good; Conflict `feed_not_held` if it isn't held."""
        decided = decision(self._context, approves=False, note=note)
        with self._context.store.begin() as unit:
            turn_down(self._context, unit, self._context.feed(unit, feed_id), decided)
            return self._context.feed(unit, feed_id)


def rehearsed(
    context: Context, arrival: Arrival, stream: BinaryIO, profile: Profile | None
) -> SavedPlan:
    """What a file that isn't sent would do if it were; read by another `profile` if so.

    Of the file and of the looking nothing stays behind. Raises FileRefused where the file can't be
    taken as a whole, and Conflict where a newer full feed of the source has been applied already.
    """
    if not stream.seekable():
        detail = "The file is read more than once, so it has to be one that can be rewound."
        raise InvalidInput.at("/file", "not_seekable", detail)
    with context.store.begin(dry_run=True) as unit:
        feed = evolve(arrival.feed(context, unit), bytes=stream.seek(0, SEEK_END))
        unit.feeds.add(feed)
        if profile is not None:
            _read_by(unit, feed, profile)
        planning = Planning(context.files, context.clock, context.engine)
        run = planning.begin(unit, feed, "plan", lambda: _from_its_start(stream), _tell_nobody)
        newer = newer_full_snapshot(unit, run.feed)
        if newer is not None:
            detail = f"A newer full feed, as of {newer.isoformat()}, has been applied already."
            raise Conflict(detail, "This file would change nothing.", code="superseded")
        planned = planning.plan(unit, run)
    if planned.kept is None:
        raise AssertionError("a feed that was compared has a plan")
    return planned.kept


def _read_by(unit: PartnersUnit, feed: Feed, profile: Profile) -> None:
    """Has the source read its files so, for as long as this unit lasts."""
    version = unit.sources.profile(feed.source_id).version + 1
    saved = SavedProfile(version, profile, "", feed.received_at)
    unit.sources.save_profile(feed.source_id, saved)


@contextmanager
def _from_its_start(stream: BinaryIO) -> Generator[BinaryIO]:
    stream.seek(0)
    yield stream


def _tell_nobody(_: Progress) -> None:
    """There is no job whose progress could be shown."""


def decision(
    context: Context, *, approves: bool, note: str | None, without: Iterable[str] = ()
) -> Decision:
    """What this principal decides now; InvalidInput lists every fault of it."""
    left_out = tuple(dict.fromkeys(without))
    known: tuple[Without, ...] = ("removals",)
    note = UNSTORABLE.sub("\ufffd", note).strip() if note else None
    refuse_if(
        "It can't be decided so.",
        (
            any(name not in known for name in left_out),
            Fault("/without", "bad_without", "An approval can be given without: removals."),
        ),
        (
            len(note or "") > LONGEST_NOTE,
            Fault("/note", "too_long", f"A note has at most {LONGEST_NOTE:,} characters."),
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
            f"Feed {feed.feed_id} waits: another feed of its partner is being read.",
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
    """Notes the decision in the audit, in the transaction that takes it."""
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
    """Conflict `plan_worse`, with the new plan, if the approved feed was held once more."""
    if job.status != "held":
        return
    plan = unit.jobs.plan(job.job_id)
    told = " ".join(result.detail for result in plan.holds) if plan else ""
    raise Conflict(
        f"The catalog has moved, and the feed would now do more than was approved. {told}",
        "Look at the new plan, and approve that if it is right.",
        code="plan_worse",
        shown={"plan": plan},
    )


def saved_plan(unit: FeedsUnit, job: Job) -> SavedPlan:
    """The plan that was kept of a job; NotFound `no_plan` says why there is none."""
    plan = unit.jobs.plan(job.job_id)
    if plan is not None:
        return plan
    if not job.is_finished:
        why = f"Job {job.job_id} is {job.status}; its plan is there when it has ended."
    elif job.kind == "validate":
        why = f"Job {job.job_id} only validates; make one of the kind plan."
    else:
        why = f"Job {job.job_id} came to no comparison with the catalog."
    raise NotFound(why, code="no_plan")


def _locked(unit: FeedsUnit, feed: Feed) -> Job:
    """The job by which the feed is held, locked."""
    job = held_job(unit, feed)
    if job is None or feed.status != "held":
        raise Conflict(
            f"Feed {feed.feed_id} is {feed.status}; only a held one is approved or rejected.",
            code="feed_not_held",
        )
    return unit.jobs.lock(job.job_id)
