"""One run of a feed's job: from its raw bytes to a publication, in one transaction.

    raw file ──> read records ──┬─> compare with the catalog ──> apply ──┬─> summary, publication
                     │          │         │          └──> hold, for a    │
                  validate      │       plan              decision       │
                                └─> load, into an empty catalog ─────────┘

No part of a run is visible until all of it is, and a run that lost its lease commits nothing. Jobs
that only validate or plan record what they found, and leave the state of their feed alone.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import Literal

from attrs import evolve, frozen

from commerce_core.activity.events import MOST_OVERSOLD, Event, NewEvent, announced
from commerce_core.base.errors import Conflict, FileRefused
from commerce_core.base.ids import Entropy, mint, mint_block
from commerce_core.catalog.product import Oversold
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import MOST_PROBLEMS_KEPT, Job, JobError, Progress
from commerce_core.feeds.summary import Outcome, Summary
from commerce_core.ingestion.arrivals import note_arrival
from commerce_core.ingestion.hold import is_held, supersede_held
from commerce_core.ingestion.late import newer_feeds, superseded_by
from commerce_core.ingestion.plan import Planning, Run, Sender, may_load
from commerce_core.ingestion.progress import Tell
from commerce_core.ingestion.reject_report import MOST_REPORT_BYTES, RejectReport, delete_reports
from commerce_core.ingestion.unchanged import Repeat, same_bytes
from commerce_core.parsing.fingerprints import ALGORITHM
from commerce_core.partners.partner import Partner
from commerce_core.plans.comparison import Plan
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.ports.engine import FeedEngine
from commerce_core.ports.files import Files
from commerce_core.ports.runtime import Clock, KeepLease
from commerce_core.ports.store import Store, UnitOfWork
from commerce_core.schema.problems import PROBLEMS, Problem


@frozen
class Ingest:
    """Runs jobs that have been claimed."""

    store: Store
    files: Files
    clock: Clock
    entropy: Entropy
    keep_lease: KeepLease
    engine: FeedEngine
    actor: str

    def run(self, job: Job) -> Job:
        """The finished job, also where its file was refused as a whole.

        It is failed too if its partner is no longer active when it would be applied.

        Raises RunLost if another attempt took over, and Unavailable if a part is out of reach; then
        nothing of this run has happened, and the job is taken again once it was given back or its
        lease is over.
        """
        if why := job.why_set_aside:
            return self._fail(job, FileRefused("set_aside", why, "Look at the file and the logs."))
        try:
            return self._run(job)
        except (FileRefused, Conflict) as refusal:
            return self._fail(job, refusal)

    def _run(self, job: Job) -> Job:
        planning = Planning(self.files, self.clock, self.engine)
        with self.store.begin() as unit:
            feed = unit.feeds.get(job.feed_id)
            sender = Sender.of(unit, feed)
            _check_partner(sender.partner)
            newer = newer_feeds(unit, feed)
            same = self._same_bytes(unit, job, feed, sender, newer)
            if same is not None:
                return self._repeat(unit, job, feed, same)
        with ExitStack() as opened:
            with self.keep_lease(job, "") as tell:
                run = self._open(job, planning, feed, sender, opened, tell=tell)
                run, newer = planning.settled(self.store.read_only, run, newer)
                run = planning.look_back(self.store.read_only, run, newer)
            with self.store.begin() as unit:
                return self._ingest(unit, job, planning, run)

    def _open(
        self,
        job: Job,
        planning: Planning,
        feed: Feed,
        sender: Sender,
        opened: ExitStack,
        *,
        tell: Tell,
    ) -> Run:
        """The run of a feed, whose file stays open for as long as that stack does."""
        raw = partial(self.files.open, feed.file_key)
        left_out = job.leaves_out("removals")
        run = planning.open(job.kind, feed, sender, raw, without_removals=left_out, tell=tell)
        return opened.enter_context(run)

    def _ingest(self, unit: UnitOfWork, job: Job, planning: Planning, run: Run) -> Job:
        # The lease is renewed from a unit of its own. That would wait for this one if this one had
        # written to the job, so nothing is written to it before the keeper has ended.
        with self.keep_lease(job, unit.session) as tell:
            run, superseding = planning.lock(unit, evolve(run, tell=tell))
            landed = superseding or self._land(unit, job, planning, run)
        if isinstance(landed, Feed):
            return self._supersede(unit, job, run.feed, landed.snapshot_at)
        job = evolve(job, progress=landed.progress)
        return self._finish(unit, job, run.feed, landed)

    def _same_bytes(
        self, unit: UnitOfWork, job: Job, feed: Feed, sender: Sender, newer: Sequence[Feed]
    ) -> Repeat | None:
        """What becomes of the records of a feed whose bytes the source published last."""
        if job.kind != "ingest" or job.decision or superseded_by(feed, newer):
            return None
        # Units that were sent before its snapshot are counted out once it is read.
        if unit.stock.deducting(feed.partner_id, feed.snapshot_at):
            return None
        return same_bytes(unit, feed, sender.partner, sender.profile.version)

    def _repeat(self, unit: UnitOfWork, job: Job, feed: Feed, repeat: Repeat) -> Job:
        """Writes that the catalog shows the feed already. Nothing is read, nothing published.

        Its problems are those of the same records before: only warnings, or it would be read.
        """
        now, summary = self.clock(), repeat.summary
        summary.check(0, 0)
        feed = evolve(feed, returned=unit.feeds.get(repeat.former.feed_id).returned)
        if summary.problems_by_code:
            before = unit.jobs.problems(repeat.former.job_id, None, MOST_PROBLEMS_KEPT)
            unit.jobs.add_problems(job.job_id, before.items)
        self._applied(unit, feed, now)
        note_arrival(unit, feed, summary, None, approved=False)
        unit.events.add([self._new_event().applied(feed, job.job_id, summary)])
        return _finished(unit, job.complete(now, summary, summary.outcome))

    def _applied(self, unit: UnitOfWork, feed: Feed, at: datetime) -> None:
        """The catalog shows the feed; a whole one ends the wait of those that are held.

        Conflict unless its partner is active, which it then stays until the unit ends.
        """
        unit.partners.lock_shared(feed.partner_id).check_may_send()
        unit.feeds.put(feed.became("applied", at))
        if feed.mode == "full":
            ended = supersede_held(unit, feed, at)
            unit.events.add(
                self._new_event().of_feed("feed.superseded", held, by=feed.feed_id)
                for held in ended
            )

    def _new_event(self) -> NewEvent:
        now = self.clock()
        return NewEvent(mint("evt", now, self.entropy), now)

    def _land(self, unit: UnitOfWork, job: Job, planning: Planning, run: Run) -> "_Landed":
        """Applies what the feed changes, if any is accepted and no guard holds it."""
        publication = self._publication(job, run)
        basis = planning.basis(unit, run)
        loaded = self._load(unit, run, publication) if may_load(run, basis) else None
        plan = loaded or planning.plan(unit, run, basis)
        planned = planning.judged(run, basis, plan)
        progress, summary = run.file.progress, planned.summary
        if plan.rejected:
            summary = _with_report(summary, self._report(unit, job, run, plan))
            progress.stage("report", plan.rejected)
        refused = run.refusal(summary) if job.kind == "ingest" else None
        held = job.kind == "ingest" and not refused and is_held(unit, job, planned.saved)
        settled: Collection[str] = ()
        if summary.accepted and job.kind == "ingest" and not held and not refused:
            settled = self._settled(unit, run)
            # What was loaded is there already.
            after = plan.created if loaded else self._apply(unit, plan, publication)
            summary.check(plan.before, after)
            # Before its products are judged, since a fresh feed makes them sellable again.
            note_arrival(unit, run.feed, summary, after, approved=job.decision is not None)
            summary = evolve(summary, not_sellable=unit.products.not_sellable(publication))
            progress.stage("apply", summary.created + summary.updated + summary.restored)
        return _Landed(
            publication,
            progress.timed(summary),
            progress.problems_with(plan),
            progress.progress("apply"),
            planned.saved,
            refused,
            held=held,
            settled=settled,
        )

    def _settled(self, unit: UnitOfWork, run: Run) -> Collection[str]:
        """The products of which this feed counts what had been sent before its snapshot.

        None if it has no quantities. A partner whose first feed this is has sent nothing yet.
        """
        if "quantity" not in run.context.columns:
            return ()
        feed = run.feed
        deducting = unit.stock.deducting(feed.partner_id, feed.snapshot_at)
        return unit.products.contained(deducting) if deducting else ()

    def _load(self, unit: UnitOfWork, run: Run, publication: Publication) -> Plan | None:
        """Reads the feed straight into the catalog; None, and nothing done, if it can't be so."""
        batches = run.file.batches(tell=run.tell)
        return unit.products.load(run.context, batches, publication, self._stem())

    def _apply(self, unit: UnitOfWork, plan: Plan, publication: Publication) -> int:
        return unit.products.apply(plan, publication, self._stem())

    def _stem(self) -> str:
        return mint_block("prod", self.clock(), self.entropy).stem

    def _report(self, unit: UnitOfWork, job: Job, run: Run, plan: Plan) -> int:
        """Keeps the rejected records as a file for the partner to correct; returns their number.

        It is written before anything is changed, so that no other unit waits for it. Whatever
        becomes of this attempt, the next one writes a file of its own: some stores never replace
        one.
        """

        def alive() -> None:
            run.tell(run.file.progress.progress("report"))
            # A session that is idle within its unit for long is taken for a dead one.
            unit.jobs.get(job.job_id)

        if job.attempts > 1:
            delete_reports(self.files, job)
        found = {problem.line: problem for problem in plan.problems}
        feed_id, file = run.feed.feed_id, run.file
        report = RejectReport.of(feed_id, file.reading, file.open_raw, found, alive)
        self.files.put(job.report_key, report.stream(), MOST_REPORT_BYTES)
        return report.records

    def _finish(self, unit: UnitOfWork, job: Job, feed: Feed, landed: "_Landed") -> Job:
        """Writes how it ended. The publication comes last, since all others wait for its number."""
        now, summary = self.clock(), landed.summary
        if landed.problems:
            unit.jobs.add_problems(job.job_id, landed.problems)
        if landed.saved is not None:
            decides = job.kind == "plan" or landed.held
            unit.jobs.keep_plan(job.job_id, landed.saved if decides else landed.saved.briefly)
        if not landed.accepted(job):
            error = JobError("nothing_accepted", _nothing_accepted(summary))
            return self._refuse(unit, job, feed, error, summary)
        if landed.refused:
            return self._refuse(unit, job, feed, landed.refused, summary)
        if job.kind == "validate":
            outcome: Outcome = "with_rejects" if summary.rejected else "clean"
            return _finished(unit, job.complete(now, summary, outcome))
        if job.kind == "plan":
            return _finished(unit, job.complete(now, summary, summary.outcome))
        if landed.held:
            unit.feeds.put(feed.became("held"))
            guards = landed.saved.holds if landed.saved else ()
            held = self._new_event().held(feed, job.job_id, guards)
            unit.events.add([held, *self._drifted(job, feed, summary)])
            return _finished(unit, job.hold(now, summary))
        self._applied(unit, feed, now)
        done = _finished(unit, job.complete(now, summary, summary.outcome))
        if landed.settled:
            unit.stock.settle(landed.settled, feed.snapshot_at)
        oversold = unit.products.oversold(landed.publication, MOST_OVERSOLD)
        changed = evolve(landed.publication, changes=summary.changes)
        published = unit.publications.add(changed, now)
        unit.events.add(self._news(job, feed, summary, published, oversold))
        return done

    def _news(
        self,
        job: Job,
        feed: Feed,
        summary: Summary,
        published: Publication,
        oversold: Sequence[Oversold],
    ) -> Iterator[Event]:
        """What there is to announce of a feed that has been applied."""
        yield self._new_event().applied(feed, job.job_id, summary)
        yield from self._drifted(job, feed, summary)
        yield from announced(self._new_event, published, summary, oversold)

    def _drifted(self, job: Job, feed: Feed, summary: Summary) -> Iterator[Event]:
        if summary.drift:
            yield self._new_event().drifted(feed, job.job_id, summary.drift)

    def _refuse(
        self, unit: UnitOfWork, job: Job, feed: Feed, error: JobError, summary: Summary | None
    ) -> Job:
        """Nothing of the feed lands. One that its source rejects could have been taken."""
        rejected = error.code == "too_many_rejected"
        _put(unit, job, _failed(feed, "rejected" if rejected else "failed"))
        if job.kind == "ingest":
            kind = "feed.rejected" if rejected else "feed.failed"
            unit.events.add([self._new_event().failed(kind, feed, job.job_id, error)])
        return _finished(unit, job.fail(self.clock(), error, summary))

    def _supersede(self, unit: UnitOfWork, job: Job, feed: Feed, latest: datetime) -> Job:
        note = f"A newer full feed, as of {latest.isoformat()}, has been applied already."
        _put(unit, job, feed if feed.status == "applied" else feed.became("superseded"))
        if job.kind == "ingest":
            unit.events.add([self._new_event().of_feed("feed.superseded", feed, job_id=job.job_id)])
        return _finished(unit, job.complete(self.clock(), Summary(notes=(note,)), "superseded"))

    def _fail(self, job: Job, refusal: FileRefused | Conflict) -> Job:
        error = JobError(refusal.code, str(refusal))
        with self.store.begin() as unit:
            feed, shown = unit.feeds.get(job.feed_id), unit.jobs.get(job.job_id).progress
            # How far it came, as far as that was shown.
            job = evolve(job, progress=evolve(shown, bytes_total=feed.bytes))
            return self._refuse(unit, job, feed, error, None)

    def _publication(self, job: Job, run: Run) -> Publication:
        feed, decision = run.feed, job.decision
        return Publication(
            publication_id=mint("pub", self.clock(), self.entropy),
            partner_id=feed.partner_id,
            source_id=feed.source_id,
            feed_id=feed.feed_id,
            mode=feed.mode,
            actor=decision.actor if decision else self.actor,
            profile_version=run.sender.profile.version,
            currency=run.sender.partner.currency,
            time_zone=run.sender.partner.time_zone,
            price_leap=run.guards.price_leap,
            without_removals=run.without_removals,
            reading_version=ALGORITHM,
        )


@frozen
class _Landed:
    """What a run has done to the catalog, before it is written how it ended."""

    publication: Publication
    summary: Summary
    problems: list[Problem]
    progress: Progress
    saved: SavedPlan | None
    refused: JobError | None
    held: bool
    settled: Collection[str] = ()

    def accepted(self, job: Job) -> bool:
        """Whether any record of the feed could be taken."""
        summary = self.summary
        if job.kind != "validate":
            return summary.accepted > 0
        left_out = summary.rejected + summary.folded + summary.skipped + summary.blank
        return summary.records_read > left_out


def _check_partner(partner: Partner) -> None:
    """FileRefused if the partner was offboarded while its upload was still under way."""
    if partner.status == "offboarded":
        detail = f"Partner {partner.partner_name!r} is offboarded; its feeds aren't processed."
        raise FileRefused("partner_offboarded", detail)


def _put(unit: UnitOfWork, job: Job, feed: Feed) -> None:
    """Keeps what the feed has become of an ingest; other jobs change nothing of it."""
    if job.kind == "ingest":
        unit.feeds.put(feed)


def _finished(unit: UnitOfWork, job: Job) -> Job:
    unit.jobs.finish(job)
    return job


def _failed(feed: Feed, status: Literal["failed", "rejected"]) -> Feed:
    """The feed in that state, unless an earlier job has already applied it."""
    return feed if feed.status == "applied" else feed.became(status)


def _with_report(summary: Summary, records: int) -> Summary:
    """The summary, which says how many records the report has, and whether that isn't all."""
    summary = evolve(summary, report_records=records)
    if records == summary.rejected:
        return summary
    note = f"The report has {records:,} of {summary.rejected:,} rejected records."
    return evolve(summary, notes=(*summary.notes, note))


def _nothing_accepted(summary: Summary) -> str:
    """Why nothing landed; a fault that every record shares is named here, once."""
    records = summary.records
    if not records:
        return "The file has a header and no records. Send at least one."
    shared = [code for code, times in summary.problems_by_code.items() if times >= records]
    if shared:
        _, hint = PROBLEMS[shared[0]]
        return f"None of {records:,} records could be accepted: all have {shared[0]}. {hint}"
    return f"None of {records:,} records could be accepted. See the job's problems."
