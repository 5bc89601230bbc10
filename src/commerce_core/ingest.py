"""One run of a feed's job: from its raw bytes to a publication, in one transaction.

    raw file ──> read records ──> compare with the catalog ──> apply ──> summary, publication

Nothing of a run is seen until all of it is, and a run that lost its lease commits nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

from attrs import Factory, define, evolve, frozen

from commerce_core.errors import FileRefused
from commerce_core.feed_reader import Reader, Terms, open_feed
from commerce_core.feed_schema import PROBLEMS, PRODUCT_FIELDS, Problem, Record
from commerce_core.feeds import Feed
from commerce_core.ids import Entropy, mint, mint_block
from commerce_core.jobs import (
    MOST_ATTEMPTS,
    MOST_PROBLEMS_KEPT,
    Job,
    JobError,
    Progress,
    Stage,
    Summary,
)
from commerce_core.partners import Partner
from commerce_core.plans import Incoming, Plan, removes_absent
from commerce_core.ports import Clock, Files, KeepLease, Store, UnitOfWork
from commerce_core.publications import Publication

RECORDS_PER_REPORT: Final = 5_000
"""How often a run tells its progress."""

Tell = Callable[[Progress], None]


@frozen
class Ingest:
    """Runs jobs that have been claimed."""

    store: Store
    files: Files
    clock: Clock
    entropy: Entropy
    keep_lease: KeepLease
    actor: str

    def run(self, job: Job) -> Job:
        """The finished job, also where its file was refused as a whole.

        Raises RunLost if another attempt took over, and Unavailable if a part is out of reach; then
        nothing of this run has happened, and the job is taken again when its lease is over.
        """
        if job.attempts > MOST_ATTEMPTS:
            detail = f"{MOST_ATTEMPTS} attempts ended without a word; the feed is set aside."
            return self._fail(
                job, FileRefused("set_aside", detail, "Look at the file and the logs.")
            )
        try:
            with self.store.begin() as unit:
                return self._ingest(unit, job)
        except FileRefused as refusal:
            return self._fail(job, refusal)

    def _ingest(self, unit: UnitOfWork, job: Job) -> Job:
        feed = unit.feeds.get(job.feed_id)
        latest = unit.feeds.last_full_snapshot(feed.source_id) if feed.mode == "full" else None
        if latest is not None and feed.snapshot_at < latest:
            return self._supersede(unit, job, feed, latest)
        publication = self._publication(feed)
        with self.keep_lease(job, unit.session) as tell, self.files.open(feed.file_key) as raw:
            run = _Run(self.clock, tell, feed.bytes)
            partner = unit.partners.get(feed.partner_id)
            reader = open_feed(run.metered(raw), _terms(feed, partner))
            plan = unit.products.compare(
                _incoming(feed, partner, reader), run.counted(reader), MOST_PROBLEMS_KEPT
            )
            _check_row_count(feed, run.records_read - run.fates["blank"])
            run.stage("compare", run.records_read)
            summary = run.summary(plan, reader)
            if summary.accepted:
                after = unit.products.apply(plan, publication, self._stem())
                summary.check(plan.before, after)
                run.stage("apply", summary.created + summary.updated + summary.restored)
        unit.jobs.add_problems(job.job_id, run.problems_with(plan))
        return self._finish(unit, job, feed, publication, run.timed(summary))

    def _finish(
        self, unit: UnitOfWork, job: Job, feed: Feed, publication: Publication, summary: Summary
    ) -> Job:
        """Writes how it ended. The publication comes last, since all others wait for its number."""
        now = self.clock()
        if not summary.accepted:
            error = JobError("nothing_accepted", _nothing_accepted(summary))
            unit.feeds.put(_failed(feed))
            return _finished(unit, job.fail(now, error, summary))
        unit.feeds.put(feed.became("applied", now))
        done = _finished(unit, job.complete(now, summary, summary.outcome))
        unit.publications.add(publication, now)
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

    def _publication(self, feed: Feed) -> Publication:
        return Publication(
            publication_id=mint("pub", self.clock(), self.entropy),
            partner_id=feed.partner_id,
            source_id=feed.source_id,
            feed_id=feed.feed_id,
            mode=feed.mode,
            actor=self.actor,
        )

    def _stem(self) -> str:
        return mint_block("prod", self.clock(), self.entropy).stem


def _finished(unit: UnitOfWork, job: Job) -> Job:
    unit.jobs.finish(job)
    return job


def _failed(feed: Feed) -> Feed:
    """Failed, unless an earlier job has already applied it."""
    return feed if feed.status == "applied" else feed.became("failed")


def _terms(feed: Feed, partner: Partner) -> Terms:
    return Terms(feed.mode, partner.currency, ZoneInfo(partner.time_zone))


def _incoming(feed: Feed, partner: Partner, reader: Reader) -> Incoming:
    """What the comparison has to know. A price column brings a currency with it, named or not."""
    columns = {
        name: reader.layout.column_of(name) or name
        for name in reader.layout.feedings
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


@define
class _Run:
    """What is measured and counted while a feed is read."""

    _clock: Clock
    _tell: Tell
    _bytes_total: int
    records_read: int = 0
    fates: Counter[str] = Factory(Counter[str])
    _reasons: Counter[str] = Factory(Counter[str])
    _bytes_read: int = 0
    _warnings: int = 0
    _kept: list[Problem] = Factory(list[Problem])
    _by_code: Counter[str] = Factory(Counter[str])
    _stages: list[Stage] = Factory(list[Stage])
    _since: datetime = Factory(lambda self: self._clock(), takes_self=True)

    def metered(self, stream: BinaryIO) -> BinaryIO:
        """The stream, whose reading moves the progress."""
        return _Metered(stream, self._add_bytes)  # type: ignore[return-value]

    def _add_bytes(self, count: int) -> None:
        self._bytes_read += count

    def counted(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records that are offers; all are counted, and their problems noted, as they pass."""
        self._show("read")
        for record in records:
            self.records_read += 1
            if self.records_read % RECORDS_PER_REPORT == 0:
                self._show("read")
            if record.fate is None:
                self._note(record.problems)
                yield record
            else:
                self.fates[record.fate] += 1
                self._reasons.update(filter(None, (record.reason,)))
        self.stage("read", self.records_read)
        self._show("compare")

    def _note(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._by_code[problem.code] += 1
            self._warnings += problem.severity == "warning"
            if len(self._kept) < MOST_PROBLEMS_KEPT:
                self._kept.append(problem)

    def _show(self, stage: str) -> None:
        self._tell(Progress(stage, self._bytes_read, self._bytes_total, self.records_read))

    def stage(self, name: str, records: int) -> None:
        """A stage has ended."""
        now = self._clock()
        self._stages.append(Stage(name, (now - self._since).total_seconds(), records))
        self._since = now

    def problems_with(self, plan: Plan) -> list[Problem]:
        """The first problems by line, of those found in reading and those found in comparing."""
        found = sorted((*self._kept, *plan.problems), key=lambda problem: problem.line)
        return found[:MOST_PROBLEMS_KEPT]

    def summary(self, plan: Plan, reader: Reader) -> Summary:
        """What becomes of every record; where none is accepted, nothing is removed either."""
        by_code = self._by_code + Counter(plan.problems_by_code)
        summary = Summary(
            records_read=self.records_read,
            created=plan.created,
            updated=plan.updated,
            restored=plan.restored,
            unchanged=plan.unchanged,
            deleted=plan.deleted,
            rejected=plan.rejected,
            duplicate=plan.duplicate,
            folded=self.fates["folded"],
            skipped=self.fates["skipped"],
            blank=self.fates["blank"],
            absent=plan.absent,
            removed=plan.removed,
            warnings=self._warnings + plan.problems_by_code.get("duplicate_sku", 0),
            problems_by_code=dict(sorted(by_code.items())),
            unused_columns=reader.layout.unused,
            notes=(*_told(self._reasons), *_notes(plan)),
        )
        return summary if summary.accepted else evolve(summary, removed=0)

    def timed(self, summary: Summary) -> Summary:
        """The summary with the stages of this run."""
        return evolve(summary, stages=tuple(self._stages))


def _told(reasons: Counter[str]) -> Iterator[str]:
    """Why records were left out as no offers."""
    return (f"{times} records were skipped: {reason}." for reason, times in reasons.most_common())


def _notes(plan: Plan) -> tuple[str, ...]:
    """What a partner should be told of the products that aren't in the file."""
    if not plan.absent or removes_absent(plan.incoming, plan.skus_unreadable):
        return ()
    if plan.incoming.mode == "full":
        records = f"{plan.skus_unreadable} records have no readable sku"
        return (f"{plan.absent} products are not in this file and stay, because {records}.",)
    stay = f"{plan.absent} products are not in this file and stay"
    return (f"{stay}; send mode=full if it is the whole catalog.",)


class _Metered:
    """A stream that counts the bytes read from it."""

    def __init__(self, stream: BinaryIO, add: Callable[[int], None]) -> None:
        self._stream = stream
        self._add = add

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._add(len(block))
        return block
