"""Jobs: the processing of feeds, run here or left to a worker."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import BinaryIO, Final

from attrs import evolve, frozen

from commerce_core.base.errors import Conflict, FileRefused, NotFound
from commerce_core.base.ids import parse
from commerce_core.base.paging import (
    DEFAULT_LIMIT,
    LARGEST_LIMIT,
    Page,
    Position,
    check_limit,
    every,
    read_cursor,
    write_cursor,
)
from commerce_core.feeds.feed import Feed, report_name
from commerce_core.feeds.job import MOST_PROBLEMS_KEPT, FeedJobKind, Job, JobError, JobQuery
from commerce_core.history.lineage import record_readings
from commerce_core.ingestion.reject_report import delete_reports
from commerce_core.parsing.new_workbook import BEGINNING
from commerce_core.parsing.record_reader import Terms
from commerce_core.partners.partner import Partner
from commerce_core.ports.feeds import FeedsUnit
from commerce_core.ports.partners import PartnersUnit
from commerce_core.ports.store import UnitOfWork
from commerce_core.schema.problem_groups import ProblemGroups, grouped
from commerce_core.schema.problems import Problem
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.receiving import new_job
from commerce_core.usecases.running import claiming, execute

_ANY_JOB: Final = JobQuery()
LAST_LINE_SHOWN: Final = 5_000
"""Records beyond this line aren't shown beside problems, since the file would be read up to it."""
LONGEST_RECORD_SHOWN: Final = 2_000


@frozen
class Jobs:
    """Jobs, which process feeds; their progress, problems and reports."""

    _context: Context

    def start(
        self,
        feed_id: str,
        *,
        kind: FeedJobKind = "ingest",
        run: bool = False,
        key: IdempotencyKey | str | None = None,
    ) -> Job:
        """A new job for a feed that has been received.

        Conflict while it has an unfinished job, or is held: then approve or reject it instead.
        One that a person rejected is not ingested again.
        """
        with self._context.writing() as unit:
            feed = self._context.feed(unit, feed_id)
            request = ("start", feed.feed_id, run, kind)
            return self._context.once(
                unit, key, request, lambda: self._start(unit, feed, kind, run=run), answer=Job
            )

    def _start(self, unit: UnitOfWork, feed: Feed, kind: FeedJobKind, *, run: bool) -> Job:
        check_idle(unit, feed)
        if feed.status == "held" and kind == "ingest":
            raise Conflict(
                f"Feed {feed.feed_id} is held.", "Approve or reject it.", code="feed_held"
            )
        if kind == "ingest":
            _check_not_rejected(unit, feed)
        unit.partners.get(feed.partner_id).check_may_send()
        check_source(unit, feed)
        return new_job(self._context, unit, feed, kind, run=run)

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        with self._context.store.begin() as unit:
            return self._context.seen("job", job_id, unit.jobs.get)

    def list(self, query: JobQuery = _ANY_JOB, *, partner: str | None = None) -> Iterator[Job]:
        """All matching jobs, newest first."""
        return self._context.walk(lambda unit: unit.jobs, self._context.own(query, partner))

    def page(
        self,
        query: JobQuery = _ANY_JOB,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Job]:
        """A page of the matching jobs, newest first; long summaries are brief."""
        query = self._context.own(query, partner)
        with self._context.store.read_only() as unit:
            listed = self._context.listed(unit.jobs, query, cursor, limit, count=count)
        return evolve(listed, items=tuple(job.brief() for job in listed.items))

    def release(self, job_id: str) -> Job:
        """Lets workers start a queued job; a running job goes on. Conflict if it is finished."""
        self.get(job_id)
        with self._context.writing() as unit:
            old = unit.jobs.lock(parse("job", job_id))
            new = old.release()
            if new != old:
                unit.jobs.put(new)
            return new

    def cancel(self, job_id: str) -> Job:
        """Cancels a job, even one that is running: nothing it did is kept. Conflict if finished.

        Its feed stays as it was, so a new job may be made for it.
        """
        self.get(job_id)
        c = self._context
        with c.writing() as unit:
            stopped = unit.jobs.stop(parse("job", job_id))
            job = stopped.cancel(c.clock(), c.principal.seen_by_partners)
            unit.jobs.put(job)
            c.note(unit, "job.cancelled", job.job_id, job.feed_id, partner_id=job.partner_id)
        delete_reports(c.files, job)
        return job

    def run(self, job_id: str) -> Job:
        """Runs a queued job here and now, and returns it finished; Conflict if it can't be run.

        It is cancelled if a newer full feed of its source is waiting, and replaces it.
        """
        self.get(job_id).release()
        with self._context.store.begin() as unit:
            job = claiming(self._context, unit).one(parse("job", job_id))
        if job is None:
            raise self._busy(job_id)
        return job if job.is_finished else execute(self._context, job)

    def _busy(self, job_id: str) -> Conflict:
        """Why a job can't run now: it is running, or another job of its partner is."""
        if self.get(job_id).status == "queued":
            detail = f"Job {job_id} is waiting: another feed must be processed first."
        else:
            detail = f"Job {job_id} is already running."
        return Conflict(detail, "Wait for it.", code="job_running")

    def problems(self, job_id: str, limit: int | None = None) -> Iterator[Problem]:
        """The problems in a job's records, by line; at most `limit` of them."""
        self.get(job_id)

        def fetch(after: Position | None) -> Page[Problem]:
            with self._context.store.begin() as unit:
                return unit.jobs.problems(parse("job", job_id), after, LARGEST_LIMIT)

        return islice(every(fetch), limit)

    def page_problems(
        self,
        job_id: str,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        count: bool = False,
    ) -> Listed[Problem]:
        """A page of a job's problems, by line; `count` counts the ones that can be listed."""
        job = self.get(job_id)
        query = ("problems", job.job_id)
        with self._context.store.begin() as unit:
            page = unit.jobs.problems(job.job_id, read_cursor(query, cursor), check_limit(limit))
            total = unit.jobs.count_problems(job.job_id) if count else None
        return Listed(page.items, write_cursor(query, page.after), total)

    def problem_groups(self, job_id: str, *, raw: bool = False) -> ProblemGroups:
        """A job's problems by code, column and shape of the value, the largest groups first.

        With `raw`, each sample has its record as it is in the feed's file, if that is among its
        first lines and can be read.
        """
        job = self.get(job_id)
        problems = list(self.problems(job_id, MOST_PROBLEMS_KEPT))
        groups = grouped(problems, job.summary.problems_by_code if job.summary else {})
        return groups.with_records(self._records(job, groups.lines)) if raw else groups

    def _records(self, job: Job, lines: Sequence[int]) -> dict[int, str]:
        """The records on those lines of the job's file, as far as they are among its first."""
        near = [line for line in lines if line <= LAST_LINE_SHOWN]
        if not near:
            return {}
        with self._context.store.begin() as unit:
            feed = unit.feeds.get(job.feed_id)
            saved = unit.sources.profile(feed.source_id)
            terms = Terms.of(unit.partners.get(feed.partner_id), feed.mode, saved.profile)
        try:
            with self._context.files.open(feed.file_key) as raw:
                readings = record_readings(raw, terms, near)
        except (NotFound, FileRefused):
            return {}
        return {
            line: reading.prepared.raw.shown[:LONGEST_RECORD_SHOWN]
            for line, reading in readings.items()
        }

    def report(self, job_id: str) -> AbstractContextManager[BinaryIO]:
        """The rejected records of a job, as a file to correct and send again.

        It has the partner's own columns, preceded by what is wrong with each record. NotFound
        `no_report`, with the reason, if there is none.
        """
        return self._context.files.open(self._with_report(job_id).report_key)

    def report_name(self, job_id: str) -> str:
        """The name under which a job's report is saved, which shows its format; NotFound as above.

        A sender may have named the feed as anything, so a workbook is known by its bytes.
        """
        job = self._with_report(job_id)
        with self._context.files.open(job.report_key) as report:
            is_workbook = report.read(len(BEGINNING)) == BEGINNING
        with self._context.store.read_only() as unit:
            feed = unit.feeds.get(job.feed_id)
        return report_name(feed.file_name, is_workbook=is_workbook)

    def _with_report(self, job_id: str) -> Job:
        job = self.get(job_id)
        if job.summary is None or not job.summary.report_records:
            raise NotFound(_why_no_report(job), code="no_report")
        return job


def cancel_all(context: Context, unit: FeedsUnit, partner: Partner) -> None:
    """Cancels what is queued and running of a partner that is no longer one."""
    why = f"Partner {partner.partner_name!r} is {partner.status}, so its feeds aren't processed."
    unit.jobs.cancel_all(partner.partner_id, context.clock(), JobError("partner_offboarded", why))


def check_source(unit: PartnersUnit, feed: Feed) -> None:
    """Conflict if the feed's source was removed, since no source could own its products."""
    try:
        unit.sources.lock_shared(feed.source_id)
    except NotFound as error:
        raise Conflict(
            f"The source of feed {feed.feed_id} was removed.",
            "Send the file again, from another source.",
            code="source_removed",
        ) from error


def _check_not_rejected(unit: FeedsUnit, feed: Feed) -> None:
    """Conflict if a person rejected the feed; what its source refused by itself may be tried again.

    No ingest follows such a decision, so it stands on the feed's last one.
    """
    last = unit.jobs.page(JobQuery(feed_id=feed.feed_id, kind="ingest"), None, 1).items
    decision = last[0].decision if last else None
    if feed.status == "rejected" and decision is not None and decision.verdict == "rejected":
        raise Conflict(
            f"Feed {feed.feed_id} was rejected by a person, permanently.",
            "Send its file again, as a new feed.",
            code="feed_rejected",
        )


def check_idle(unit: FeedsUnit, feed: Feed) -> None:
    """Conflict while the feed has a job that is not finished."""
    latest = unit.jobs.lock(feed.latest_job.job_id) if feed.latest_job else None
    if latest is not None and not latest.is_finished:
        raise Conflict(
            f"Job {latest.job_id} of this feed is {latest.status}.",
            "Run it, or cancel it first.",
            code="job_unfinished",
        )


def _why_no_report(job: Job) -> str:
    if not job.is_finished:
        return (
            f"Job {job.job_id} is {job.status}; what it rejects is reported when it has finished."
        )
    if job.summary is None:
        why = job.error.message if job.error else f"It is {job.status}."
        return f"Job {job.job_id} read no record, so there is none to correct. {why}"
    if not job.summary.rejected:
        return f"Job {job.job_id} rejected no record, so there is none to correct."
    return f"No report of job {job.job_id} was kept; run its feed again to get one."
