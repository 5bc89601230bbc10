"""One run of a feed's job: from its raw bytes to a publication, in one transaction.

    raw file ──> read records ──> compare with the catalog ──> apply ──> summary, publication

Nothing of a run is seen until all of it is, and a run that lost its lease commits nothing.
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from commerce_core.drift import drift_between
from commerce_core.errors import FileRefused, NotFound
from commerce_core.feed_engine import FeedEngine, Reading
from commerce_core.feed_reader import Terms, begin
from commerce_core.feed_schema import PROBLEMS, PRODUCT_FIELDS, Problem
from commerce_core.feeds import Feed
from commerce_core.fingerprints import NOTHING_KNOWN, Known
from commerce_core.ids import Entropy, looks_like, mint, mint_block
from commerce_core.jobs import (
    Job,
    JobError,
    JobQuery,
    Progress,
    Summary,
)
from commerce_core.lateness import overtaken_skus, without_overtaken
from commerce_core.layouts import Layout
from commerce_core.partners import Partner
from commerce_core.plans import Incoming, Plan
from commerce_core.ports import Clock, Files, KeepLease, Store, UnitOfWork
from commerce_core.profiles import SavedProfile
from commerce_core.publications import Publication
from commerce_core.recognition import recognised
from commerce_core.rejects import MOST_COMPARED_KEPT, MOST_REPORT_BYTES, RejectReport
from commerce_core.tally import Tally, Tell

_LEAST_RECOGNISED: Final = 1 << 20
"""Bytes of a delta from which on it is worth to fetch what its records are recognised by."""


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

        Raises RunLost if another attempt took over, and Unavailable if a part is out of reach; then
        nothing of this run has happened, and the job is taken again once it was given back or its
        lease is over.
        """
        if why := job.why_set_aside:
            return self._fail(job, FileRefused("set_aside", why, "Look at the file and the logs."))
        try:
            with self.store.begin() as unit:
                return self._ingest(unit, job)
        except FileRefused as refusal:
            return self._fail(job, refusal)

    def _ingest(self, unit: UnitOfWork, job: Job) -> Job:
        feed, partner = unit.feeds.get(job.feed_id), unit.partners.get(job.partner_id)
        read_by = unit.sources.profile(feed.source_id)
        same = recognised(unit, feed, partner, read_by.version)
        if same is not None and _newer_full_snapshot(unit, feed) is None:
            return self._recognise(unit, job, feed, same)
        # The lease is renewed from a unit of its own. That would wait for this one if this one had
        # written to the job, so nothing is written to it before the keeper has ended.
        with self.keep_lease(job, unit.session) as tell:
            terms = Terms.of(partner, feed.mode, read_by.profile)
            with self.files.open(feed.file_key) as raw:
                feed = _mending(unit, feed, begin(raw, terms).mends)
            late = self._overtaken(unit, feed, partner, read_by)
            run = _Run(job, feed, partner, terms, read_by.version, late, tell)
            landed = _newer_full_snapshot(unit, feed) or self._land(unit, run)
        if isinstance(landed, datetime):
            return self._supersede(unit, job, feed, landed)
        job = evolve(job, progress=landed.progress)
        return self._finish(unit, job, feed, landed)

    def _recognise(self, unit: UnitOfWork, job: Job, feed: Feed, summary: Summary) -> Job:
        """Writes that the catalog shows the feed already. Nothing is read, nothing published."""
        now = self.clock()
        summary.check(0, 0)
        unit.feeds.put(feed.became("applied", now))
        return _finished(unit, job.complete(now, summary, summary.outcome))

    def _overtaken(
        self, unit: UnitOfWork, feed: Feed, partner: Partner, read_by: SavedProfile
    ) -> frozenset[str]:
        """What a delta may no longer say. An older full feed is superseded as a whole."""
        if feed.mode == "full":
            return frozenset()
        return overtaken_skus(unit, self.files, partner, read_by.profile, feed)

    def _land(self, unit: UnitOfWork, run: "_Run") -> "_Landed":
        """Compares the feed with the catalog, and applies what it changes if any is accepted."""
        known = self._known(unit, run)
        loaded = None if len(known) or run.overtaken else self._load(unit, run)
        compared = loaded or self._compare(unit, run, known)
        plan, tally, publication = compared.plan, compared.tally, compared.publication
        _check_row_count(run.feed, tally.records_read - tally.fates["blank"])
        tally.stage("compare", tally.records_read)
        summary = _with_drift(unit, run.feed, tally.summary(plan, compared.reading))
        if plan.rejected:
            summary = _with_report(summary, self._report(unit, run, compared))
            tally.stage("report", plan.rejected)
        if summary.accepted:
            after = compared.after
            if after is None:
                after = unit.products.apply(plan, publication, self._stem())
            summary.check(plan.before, after)
            tally.stage("apply", summary.created + summary.updated + summary.restored)
        problems = tally.problems_with(plan)
        return _Landed(publication, tally.timed(summary), problems, tally.progress("apply"))

    def _load(self, unit: UnitOfWork, run: "_Run") -> "_Compared | None":
        """Reads the feed straight into the catalog, where its partner has nothing there yet."""
        publication, stem = self._publication(run.feed, run.profile_version), self._stem()
        with self._reading(run, NOTHING_KNOWN) as (tally, reading, incoming):
            batches = tally.counted(reading, run.tell)
            plan = unit.products.load(incoming, batches, publication, stem)
        if plan is None:
            return None
        return _Compared(plan, tally, reading, publication, plan.created)

    def _compare(self, unit: UnitOfWork, run: "_Run", known: Known) -> "_Compared":
        """Reads the feed, less what is recognised, and compares it with the catalog."""
        publication = self._publication(run.feed, run.profile_version)
        while True:
            with self._reading(run, known) as (tally, reading, incoming):
                batches = tally.counted(without_overtaken(reading, run.overtaken), run.tell)
                plan = unit.products.compare(incoming, batches, MOST_COMPARED_KEPT)
            if not plan.contested:
                return _Compared(plan, tally, reading, publication)
            known = known.without(plan.contested)

    @contextmanager
    def _reading(self, run: "_Run", known: Known) -> Generator[tuple[Tally, Reading, Incoming]]:
        """The feed opened from its beginning, with what counts it."""
        tally = Tally(self.clock, run.feed.bytes)
        with self.files.open(run.feed.file_key) as raw:
            reading = self.engine.open(tally.metered(raw), run.terms, known)
            yield tally, reading, _incoming(run.feed, run.partner, reading.layout)

    def _stem(self) -> str:
        return mint_block("prod", self.clock(), self.entropy).stem

    def _known(self, unit: UnitOfWork, run: "_Run") -> Known:
        """What records are recognised by; nothing where that isn't worth it."""
        small = run.feed.mode == "delta" and run.feed.bytes < _LEAST_RECOGNISED
        if run.overtaken or small:
            return NOTHING_KNOWN
        return unit.products.known(run.feed.partner_id, run.feed.source_id)

    def _report(self, unit: UnitOfWork, run: "_Run", compared: "_Compared") -> int:
        """Keeps the rejected records as a file that the partner can mend; how many it has.

        It is made before anything is changed, so that nobody waits for it. Whatever becomes of this
        attempt, another one writes a file of its own: some stores never replace one.
        """
        job = run.job

        def alive() -> None:
            run.tell(compared.tally.progress("report"))
            # A session that is idle within its unit for long is taken for a dead one.
            unit.jobs.get(job.job_id)

        if job.attempts > 1:
            for key in list(self.files.list(f"{job.reports}/")):
                self.files.delete(key)
        found = {problem.line: problem for problem in compared.plan.problems}
        with self.files.open(run.feed.file_key) as raw:
            opening, records = self.engine.reread(raw, run.terms, found.keys())
            report = RejectReport.of(run.feed.feed_id, opening, records, found, alive)
            stream = report.stream(compared.reading.text)
            self.files.put(job.report_key, stream, MOST_REPORT_BYTES)
        return report.records

    def _finish(self, unit: UnitOfWork, job: Job, feed: Feed, landed: "_Landed") -> Job:
        """Writes how it ended. The publication comes last, since all others wait for its number."""
        now, summary = self.clock(), landed.summary
        unit.jobs.add_problems(job.job_id, landed.problems)
        if not summary.accepted:
            error = JobError("nothing_accepted", _nothing_accepted(summary))
            unit.feeds.put(_failed(feed))
            return _finished(unit, job.fail(now, error, summary))
        unit.feeds.put(feed.became("applied", now))
        done = _finished(unit, job.complete(now, summary, summary.outcome))
        unit.publications.add(evolve(landed.publication, changes=summary.changes), now)
        return done

    def _supersede(self, unit: UnitOfWork, job: Job, feed: Feed, latest: datetime) -> Job:
        note = f"A newer full feed, as of {latest.isoformat()}, has been applied already."
        unit.feeds.put(feed.became("superseded"))
        return _finished(unit, job.complete(self.clock(), Summary(notes=(note,)), "superseded"))

    def _fail(self, job: Job, refusal: FileRefused) -> Job:
        error = JobError(refusal.code, str(refusal))
        with self.store.begin() as unit:
            unit.feeds.put(_failed(unit.feeds.get(job.feed_id)))
            return _finished(unit, job.fail(self.clock(), error))

    def _publication(self, feed: Feed, profile_version: int) -> Publication:
        return Publication(
            publication_id=mint("pub", self.clock(), self.entropy),
            partner_id=feed.partner_id,
            source_id=feed.source_id,
            feed_id=feed.feed_id,
            mode=feed.mode,
            actor=self.actor,
            profile_version=profile_version,
        )


@frozen
class _Run:
    """A feed about to be read, and to meet the catalog."""

    job: Job
    feed: Feed
    partner: Partner
    terms: Terms
    profile_version: int
    overtaken: frozenset[str]
    tell: Tell


@frozen
class _Compared:
    """A feed that has been read, and what it would do, or has done.

    `after` are the source's active products after it was loaded at once; None where it wasn't.
    """

    plan: Plan
    tally: Tally
    reading: Reading
    publication: Publication
    after: int | None = None


@frozen
class _Landed:
    """What a run has done to the catalog, before it is written how it ended."""

    publication: Publication
    summary: Summary
    problems: list[Problem]
    progress: Progress


def _finished(unit: UnitOfWork, job: Job) -> Job:
    unit.jobs.finish(job)
    return job


def _failed(feed: Feed) -> Feed:
    """Failed, unless an earlier job has already applied it."""
    return feed if feed.status == "applied" else feed.became("failed")


def _mending(unit: UnitOfWork, feed: Feed, mended: str | None) -> Feed:
    """A mended report is a delta as of the feed that it mends, whatever its upload said."""
    if mended is None:
        return feed
    try:
        first = unit.feeds.get(mended) if looks_like("feed", mended) else feed
    except NotFound:
        first = feed
    as_of = first.snapshot_at if first.source_id == feed.source_id else feed.snapshot_at
    return evolve(feed, mode="delta", snapshot_at=as_of)


def _newer_full_snapshot(unit: UnitOfWork, feed: Feed) -> datetime | None:
    """The moment of a full feed that was applied already and is newer than this full one."""
    latest = unit.feeds.last_full_snapshot(feed.source_id) if feed.mode == "full" else None
    return latest if latest is not None and feed.snapshot_at < latest else None


def _with_drift(unit: UnitOfWork, feed: Feed, summary: Summary) -> Summary:
    """The summary, with how the file differs from the source's last one in form."""
    before = unit.publications.latest(feed.source_id)
    if before is None:
        return summary
    ended = unit.jobs.page(JobQuery(feed_id=before.feed_id, status="completed"), None, 1).items
    told = ended[0].summary if ended else None
    return evolve(summary, drift=drift_between(told, summary)) if told else summary


def _with_report(summary: Summary, records: int) -> Summary:
    """The summary, which says how many records the report has, and whether that isn't all."""
    summary = evolve(summary, report_records=records)
    if records == summary.rejected:
        return summary
    note = f"The report has {records:,} of {summary.rejected:,} rejected records."
    return evolve(summary, notes=(*summary.notes, note))


def _incoming(feed: Feed, partner: Partner, layout: Layout) -> Incoming:
    """What the comparison has to know. A price column brings a currency with it, named or not."""
    columns = {
        name: layout.column_of(name) or name
        for name in layout.feedings
        if name in PRODUCT_FIELDS or name == "sku"
    }
    return Incoming(
        feed.partner_id, feed.source_id, feed.feed_id, feed.mode, columns, partner.currency
    )


def _check_row_count(feed: Feed, rows: int) -> None:
    if feed.expected_rows is not None and feed.expected_rows != rows:
        raise FileRefused(
            "row_count",
            f"The file has {rows:,} records; {feed.expected_rows:,} were announced.",
            "Send the whole file again, or the right number.",
        )


def _nothing_accepted(summary: Summary) -> str:
    """Why nothing landed. A fault that every record shares is told here, once."""
    records = summary.records_read - summary.blank
    if not records:
        return "The file has a header and no records. Send at least one."
    shared = [code for code, times in summary.problems_by_code.items() if times >= records]
    if shared:
        _, hint = PROBLEMS[shared[0]]
        return f"None of {records:,} records could be accepted: all have {shared[0]}. {hint}"
    return f"None of {records:,} records could be accepted. See the job's problems."
