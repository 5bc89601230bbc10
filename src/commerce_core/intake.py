"""Intake: partners, the feeds they send, and the jobs that bring feeds into the catalog."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import islice
from typing import BinaryIO, Final

from attrs import evolve, frozen

from commerce_core.approvals import (
    check_applied,
    decision,
    kept_plan,
    rehearsed,
    take_up,
    turn_down,
)
from commerce_core.audit import Action
from commerce_core.claiming import Claiming
from commerce_core.context import Context, IdempotencyKey, Listed
from commerce_core.errors import Conflict, NotFound
from commerce_core.feed_schema import Problem
from commerce_core.feeds import Feed, FeedQuery, check_promises
from commerce_core.ids import parse
from commerce_core.ingest import Ingest
from commerce_core.jobs import FeedJobKind, Job, JobQuery, JobStatus
from commerce_core.kept_plans import KeptPlan
from commerce_core.paging import (
    DEFAULT_LIMIT,
    Page,
    Position,
    check_limit,
    every,
    read_cursor,
    write_cursor,
)
from commerce_core.partners import Mode, Partner, tidy_details
from commerce_core.ports import UnitOfWork
from commerce_core.profiles import Profile
from commerce_core.receiving import Arrival, check_idle, check_kept, check_snapshot, check_source
from commerce_core.reverting import Reverting, check_can_revert, plan_of, revert_job, undone_by
from commerce_core.reverts import RevertPlan
from commerce_core.sources import MAIN_SOURCE, Source

_ANY_FEED: Final = FeedQuery()
_ANY_JOB: Final = JobQuery()


@frozen
class Receipt:
    """What an upload is acknowledged with; `status` is the job's, `released` whether it begins."""

    feed_id: str
    job_id: str
    partner_id: str
    source_id: str
    status: JobStatus
    sha256: str
    bytes: int
    released: bool = False


@frozen
class Intake:
    """Partners, their feeds, and the jobs that bring feeds into the catalog."""

    _context: Context

    # Partners

    def add_partner(
        self,
        partner_name: str,
        *,
        currency: str | None = None,
        time_zone: str | None = None,
        contact_email: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Partner:
        """A new active partner with its source `main`; Conflict if the name is taken."""
        details = {
            "partner_name": partner_name,
            "currency": currency,
            "time_zone": time_zone or "UTC",
            "contact_email": contact_email,
        }
        with self._context.store.begin() as unit:
            request = ("add_partner", details)
            return self._context.once(
                unit, key, request, lambda: self._add_partner(unit, details), answer=Partner
            )

    def _add_partner(self, unit: UnitOfWork, details: dict[str, str | None]) -> Partner:
        now, mint_ = self._context.clock(), self._context.mint
        tidy = tidy_details(details)
        partner = Partner(
            partner_id=mint_("ptn"),
            partner_name=tidy["partner_name"] or "",
            status="active",
            currency=tidy["currency"],
            time_zone=tidy["time_zone"] or "UTC",
            contact_email=tidy["contact_email"],
            created_at=now,
            updated_at=now,
        )
        unit.partners.add(partner)
        main = Source(mint_("src"), partner.partner_id, MAIN_SOURCE, "delta", now)
        unit.sources.add(main)
        self._note(unit, "partner.added", None, partner)
        return partner

    def _note(
        self, unit: UnitOfWork, action: Action, before: Partner | None, after: Partner
    ) -> None:
        partner_id = after.partner_id
        self._context.note(
            unit, action, partner_id, partner_id=partner_id, before=before, after=after
        )

    def get_partner(self, partner: str) -> Partner:
        """The partner of that id or name."""
        with self._context.store.begin() as unit:
            return self._context.partner(unit, partner)

    def change_partner(self, partner: str, **changes: str | None) -> Partner:
        """Changes `partner_name, status, currency, time_zone` or `contact_email`."""
        with self._context.store.begin() as unit:
            old = self._context.partner(unit, partner)
            new = old.changed(self._context.clock(), **changes)
            unit.partners.put(new)
            self._note(unit, "partner.changed", old, new)
            return new

    def partners(self) -> Iterator[Partner]:
        """All partners to see, oldest first."""
        return self._context.walk(lambda unit: unit.partners, self._context.principal.partner_id)

    def page_partners(
        self, cursor: str | None = None, limit: int = DEFAULT_LIMIT, *, count: bool = False
    ) -> Listed[Partner]:
        """A page of the partners, oldest first."""
        own = self._context.principal.partner_id
        with self._context.store.begin() as unit:
            return self._context.listed(unit.partners, own, cursor, limit, count=count)

    # Feeds

    def upload(
        self,
        stream: BinaryIO,
        *,
        partner: str,
        file_name: str = "feed.csv",
        content_type: str = "text/csv",
        source: str | None = None,
        mode: Mode | None = None,
        kind: FeedJobKind = "ingest",
        run: bool | None = None,
        snapshot_at: datetime | None = None,
        expected_rows: int | None = None,
        sha256: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Receipt:
        """Keeps a feed's raw file, and a job of that kind that waits for its start unless `run`.

        What isn't said of `mode` and `run` is as its source has it; `snapshot_at` is then what the
        file's name tells by the source's pattern, else the time of receipt.

        Everything about the content ends in the job. Refused are only: an unknown partner or source
        (NotFound), a partner that isn't active (Conflict), a file of no bytes or of another SHA-256
        (InvalidInput), and one that is too large (TooLarge); then nothing is kept.
        """
        check_promises(sha256, expected_rows)
        context = self._context
        check_snapshot(snapshot_at, context.clock())
        arrival = Arrival(
            partner, source, mode, file_name, snapshot_at, expected_rows, content_type
        )
        with context.store.begin() as unit:
            feed = arrival.feed(context, unit)
            run = unit.sources.get(feed.source_id).run if run is None else run
        stored = context.files.put(feed.file_key, stream, context.most_upload_bytes)
        try:
            check_kept(stored.bytes, stored.sha256, sha256)
            feed = evolve(feed, bytes=stored.bytes, sha256=stored.sha256)
            request = (
                "upload", feed.partner_id, feed.source_id, feed.file_name, feed.mode, feed.sha256,
                snapshot_at, expected_rows, run, kind,
            )  # fmt: skip
            with context.store.begin() as unit:
                receipt = context.once(
                    unit,
                    key,
                    request,
                    lambda: self._receive(unit, feed, kind, run=run),
                    answer=Receipt,
                )
        except Exception:
            context.files.delete(feed.file_key)
            raise
        if receipt.feed_id != feed.feed_id:
            context.files.delete(feed.file_key)
        return receipt

    def _receive(self, unit: UnitOfWork, feed: Feed, kind: FeedJobKind, *, run: bool) -> Receipt:
        unit.sources.hold(feed.source_id)
        unit.feeds.add(feed)
        job = self._new_job(unit, feed, kind, run=run)
        told = self._context.told()
        unit.events.add([told.of_feed("feed.received", feed, job_id=job.job_id, bytes=feed.bytes)])
        return Receipt(
            feed.feed_id, job.job_id, feed.partner_id, feed.source_id, job.status, feed.sha256,
            feed.bytes, run,
        )  # fmt: skip

    def _new_job(self, unit: UnitOfWork, feed: Feed, kind: FeedJobKind, *, run: bool) -> Job:
        context = self._context
        job = Job(
            job_id=context.mint("job"),
            feed_id=feed.feed_id,
            partner_id=feed.partner_id,
            kind=kind,
            status="queued",
            released=run,
            created_at=context.clock(),
        )
        unit.jobs.add(job)
        return job

    def load(
        self,
        file: str | BinaryIO,
        *,
        partner: str,
        file_name: str | None = None,
        mode: Mode | None = None,
        source: str | None = None,
        snapshot_at: datetime | None = None,
        expected_rows: int | None = None,
        sha256: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Job:
        """Uploads a feed, from a path or a binary stream, and runs its job here and now.

        Returns the finished job also where it failed; raises only what `upload` refuses.
        """
        with self._context.opened(file) as stream:
            receipt = self.upload(
                stream,
                partner=partner,
                file_name=file_name or (file if isinstance(file, str) else "feed.csv"),
                mode=mode,
                source=source,
                run=False,
                snapshot_at=snapshot_at,
                expected_rows=expected_rows,
                sha256=sha256,
                key=key,
            )
        return self.run(receipt.job_id)

    def get_feed(self, feed_id: str) -> Feed:
        """The feed."""
        with self._context.store.begin() as unit:
            return self._context.feed(unit, feed_id)

    def feeds(self, query: FeedQuery = _ANY_FEED, *, partner: str | None = None) -> Iterator[Feed]:
        """All feeds that fit, newest first."""
        return self._context.walk(lambda unit: unit.feeds, self._context.own(query, partner))

    def page_feeds(
        self,
        query: FeedQuery = _ANY_FEED,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Feed]:
        """A page of the feeds that fit, newest first."""
        query = self._context.own(query, partner)
        with self._context.store.begin() as unit:
            return self._context.listed(unit.feeds, query, cursor, limit, count=count)

    def raw(self, feed_id: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a feed exactly as they were received."""
        return self._context.files.open(self.get_feed(feed_id).file_key)

    # Jobs

    def start(
        self,
        feed_id: str,
        *,
        kind: FeedJobKind = "ingest",
        run: bool = False,
        key: IdempotencyKey | str | None = None,
    ) -> Job:
        """A new job for a feed that has been received.

        Conflict while it has one unfinished; a held feed is approved or rejected, not run anew.
        """
        with self._context.store.begin() as unit:
            feed = self._context.feed(unit, feed_id)
            request = ("start", feed.feed_id, run, kind)
            return self._context.once(
                unit, key, request, lambda: self._start(unit, feed, kind, run=run), answer=Job
            )

    def revert(
        self,
        feed_id: str,
        *,
        undo: bool = False,
        run: bool = False,
        key: IdempotencyKey | str | None = None,
    ) -> Job:
        """A new job that goes back to before an applied feed; to `undo` that, forward again.

        Conflict while the feed has a job unfinished, or isn't in the state to be reverted.
        """
        with self._context.store.begin() as unit:
            feed = self._context.feed(unit, feed_id)

            def make() -> Job:
                check_can_revert(feed, undo=undo)
                undone_by(unit, feed)
                check_idle(unit, feed)
                job = revert_job(feed, self._context.mint("job"), self._context.clock(), run=run)
                unit.jobs.add(job)
                note = "Undoes the revert of it." if undo else None
                self._context.note(
                    unit, "feed.reverted", feed.feed_id, job.job_id, partner_id=feed.partner_id,
                    note=note,
                )  # fmt: skip
                return job

            return self._context.once(
                unit, key, ("revert", feed.feed_id, undo, run), make, answer=Job
            )

    def plan_revert(self, feed_id: str, *, undo: bool = False) -> RevertPlan:
        """What going back to before a feed would do now, or undoing that; nothing is written.

        Conflict if the feed isn't in the state for it.
        """
        with self._context.store.begin(dry_run=True) as unit:
            feed = self._context.feed(unit, feed_id)
            check_can_revert(feed, undo=undo)
            return plan_of(unit, feed, undone_by(unit, feed))

    def _start(self, unit: UnitOfWork, feed: Feed, kind: FeedJobKind, *, run: bool) -> Job:
        check_idle(unit, feed)
        if feed.status == "held" and kind == "ingest":
            raise Conflict(
                f"Feed {feed.feed_id} is held.", "Approve or reject it.", code="feed_held"
            )
        unit.partners.get(feed.partner_id).check_may_send()
        check_source(unit, feed)
        return self._new_job(unit, feed, kind, run=run)

    def get_job(self, job_id: str) -> Job:
        """The job as it now stands."""
        with self._context.store.begin() as unit:
            job = unit.jobs.get(parse("job", job_id))
        self._context.check_visible("job", job_id, job.partner_id)
        return job

    def jobs(self, query: JobQuery = _ANY_JOB, *, partner: str | None = None) -> Iterator[Job]:
        """All jobs that fit, newest first."""
        return self._context.walk(lambda unit: unit.jobs, self._context.own(query, partner))

    def page_jobs(
        self,
        query: JobQuery = _ANY_JOB,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Job]:
        """A page of the jobs that fit, newest first."""
        query = self._context.own(query, partner)
        with self._context.store.begin() as unit:
            return self._context.listed(unit.jobs, query, cursor, limit, count=count)

    def release(self, job_id: str) -> Job:
        """Hands a queued job to the workers; a running one goes on. Conflict if it is finished."""
        return self._change_job(job_id, Job.release)

    def cancel(self, job_id: str) -> Job:
        """Cancels a job that hasn't begun; Conflict if it has."""
        return self._change_job(
            job_id, lambda job: job.cancel(self._context.clock()), "job.cancelled"
        )

    def _change_job(
        self, job_id: str, change: Callable[[Job], Job], action: Action | None = None
    ) -> Job:
        self.get_job(job_id)
        with self._context.store.begin() as unit:
            old = unit.jobs.lock(parse("job", job_id))
            new = change(old)
            if new != old:
                unit.jobs.put(new)
            if action is not None:
                self._context.note(unit, action, new.job_id, new.feed_id, partner_id=new.partner_id)
            return new

    def run(self, job_id: str) -> Job:
        """Runs a queued job here and now, and returns it finished; Conflict if it can't be run.

        It ends as cancelled where a newer full feed of its source waits to be read instead.
        """
        self.get_job(job_id).release()
        with self._context.store.begin() as unit:
            job = self._claiming(unit).one(parse("job", job_id))
        if job is None:
            raise self._busy(job_id)
        return job if job.is_finished else self.execute(job)

    def _busy(self, job_id: str) -> Conflict:
        """Why a job can't be run just now: it is running, or another one of its partner is."""
        if self.get_job(job_id).status == "queued":
            detail = f"Job {job_id} waits: another feed has to be read first."
        else:
            detail = f"Job {job_id} is already running."
        return Conflict(detail, "Wait for it.", code="job_running")

    def claim(self) -> Job | None:
        """The next released job, if there is one; it has to be executed, or given back."""
        with self._context.store.begin() as unit:
            return self._claiming(unit).next()

    def _claiming(self, unit: UnitOfWork) -> Claiming:
        context = self._context
        return Claiming(unit, context.files, context.clock(), context.lease, context.told)

    def give_back(self, job: Job, pause: timedelta = timedelta(), *, severed: bool = False) -> None:
        """Puts a claimed job back, for anybody to claim after that pause; what it did is undone.

        `severed` says that the store fell over under it. RunLost if another worker took it over, or
        if it has finished.
        """
        with self._context.store.begin() as unit:
            unit.jobs.give_back(job, pause, severed=severed)

    def execute(self, job: Job) -> Job:
        """Runs a claimed job, and returns it finished.

        Raises RunLost if another worker took it over meanwhile, and Unavailable if a part is out of
        reach; nothing of this run was committed then.
        """
        c = self._context
        if job.kind == "revert":
            actor = c.principal.name
            return Reverting(c.store, c.clock, c.entropy, c.keep_lease, actor).run(job)
        ingest = Ingest(
            c.store, c.files, c.clock, c.entropy, c.keep_lease, c.engine, c.principal.name
        )
        return ingest.run(job)

    # What a feed would do, and decisions about it

    def plan(
        self,
        file: str | BinaryIO,
        *,
        partner: str,
        source: str | None = None,
        mode: Mode | None = None,
        profile: Profile | None = None,
        snapshot_at: datetime | None = None,
        expected_rows: int | None = None,
    ) -> KeptPlan:
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

    def plan_of(self, job_id: str) -> KeptPlan:
        """What a job would do to the catalog, or did; NotFound `no_plan` if it came to none."""
        job = self.get_job(job_id)
        with self._context.store.begin() as unit:
            return kept_plan(unit, job)

    def approve(self, feed_id: str, *, without: Iterable[str] = (), note: str | None = None) -> Job:
        """Applies a held feed, `without` its removals if so said; returns its finished job.

        It is planned anew. Conflict `plan_worse`, with the new plan, if a guard would now hold it
        for more than was approved, and `feed_not_held` if it isn't held.
        """
        decided = decision(self._context, approves=True, note=note, without=without)
        with self._context.store.begin() as unit:
            job = take_up(self._context, unit, self._context.feed(unit, feed_id), decided)
        job = self.execute(job)
        with self._context.store.begin() as unit:
            check_applied(unit, job)
        return job

    def reject(self, feed_id: str, *, note: str | None = None) -> Feed:
        """Turns a held feed down for good; Conflict `feed_not_held` if it isn't held."""
        decided = decision(self._context, approves=False, note=note)
        with self._context.store.begin() as unit:
            turn_down(self._context, unit, self._context.feed(unit, feed_id), decided)
            return self._context.feed(unit, feed_id)

    def problems(self, job_id: str, limit: int | None = None) -> Iterator[Problem]:
        """What was wrong with the records of a job, by line; at most `limit` of them."""
        self.get_job(job_id)

        def fetch(after: Position | None) -> Page[Problem]:
            with self._context.store.begin() as unit:
                return unit.jobs.problems(parse("job", job_id), after, DEFAULT_LIMIT)

        return islice(every(fetch), limit)

    def report(self, job_id: str) -> AbstractContextManager[BinaryIO]:
        """The rejected records of a job as a file to mend and to send again.

        It has the partner's own columns, and in front of them what is wrong with each record.
        NotFound `no_report` if there is none; it says why.
        """
        job = self.get_job(job_id)
        if job.summary is None or not job.summary.report_records:
            raise NotFound(_why_no_report(job), code="no_report")
        return self._context.files.open(job.report_key)

    def page_problems(
        self,
        job_id: str,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        count: bool = False,
    ) -> Listed[Problem]:
        """A page of a job's problems, by line; the count is of those that can be listed."""
        job = self.get_job(job_id)
        query = ("problems", job.job_id)
        with self._context.store.begin() as unit:
            page = unit.jobs.problems(job.job_id, read_cursor(query, cursor), check_limit(limit))
            total = unit.jobs.count_problems(job.job_id) if count else None
        return Listed(page.items, write_cursor(query, page.after), total)


def _why_no_report(job: Job) -> str:
    if not job.is_finished:
        return (
            f"Job {job.job_id} is {job.status}; what it rejects is reported when it has finished."
        )
    if job.summary is None:
        why = job.error.message if job.error else f"It is {job.status}."
        return f"Job {job.job_id} came to no record, so there is none to mend. {why}"
    if not job.summary.rejected:
        return f"Job {job.job_id} rejected no record, so there is none to mend."
    return f"No report was kept of job {job.job_id}; run its feed again to have one."
