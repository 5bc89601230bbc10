"""Planning: a feed read, compared with the catalog, judged by the guards of its source.

Whoever runs a feed's job plans first, and so does whoever only looks at a file. No live row is
touched by it.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused, NotFound
from commerce_core.base.ids import looks_like
from commerce_core.feeds.drift import drift_between
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.guards import DEFAULT_GUARDS, GuardSettings
from commerce_core.feeds.job import JobError, JobKind, JobQuery
from commerce_core.feeds.source import REJECT_RECORDS, Source
from commerce_core.feeds.summary import Summary
from commerce_core.ingestion.late import overtaken_skus, without_overtaken
from commerce_core.ingestion.reject_report import MOST_COMPARED_KEPT
from commerce_core.ingestion.tally import Tally, Tell
from commerce_core.parsing.decoding import OpenRaw
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, FingerprintIndex
from commerce_core.parsing.reader import begin
from commerce_core.parsing.record_reader import Terms
from commerce_core.partners.partner import Partner
from commerce_core.plans.comparison import FeedContext, Plan
from commerce_core.plans.saved_plan import SavedPlan, judged
from commerce_core.ports.engine import Batch, FeedEngine, Reading
from commerce_core.ports.files import Files
from commerce_core.ports.runtime import Clock
from commerce_core.ports.store import UnitOfWork
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.schema.fields import PRODUCT_FIELDS

Load = Callable[[FeedContext, Iterable[Batch]], Plan | None]
"""Reads a feed straight into an empty catalog; None where that can't be done so."""
_LEAST_RECOGNISED: Final = 1 << 20
"""Bytes of a delta from which on it is worth to fetch what its records are recognised by."""
NO_SUMMARY: Final = Summary()


@frozen
class Run:
    """A feed about to be read, and to meet the catalog; `sources` are the partner's, by id.

    `overtaken` is what it may no longer say, `without_removals` whether it may remove nothing.
    """

    kind: JobKind
    feed: Feed
    partner: Partner
    sources: Mapping[str, Source]
    terms: Terms
    profile_version: int
    overtaken: frozenset[str]
    without_removals: bool
    open_raw: OpenRaw
    tell: Tell

    @property
    def guards(self) -> GuardSettings:
        """How far the feed may go. A source may have been removed since it sent the feed."""
        source = self.sources.get(self.feed.source_id)
        return source.guards if source else DEFAULT_GUARDS

    def refusal(self, summary: Summary) -> JobError | None:
        """Why the source takes no feed in which so much was rejected, if it doesn't."""
        source = self.sources.get(self.feed.source_id)
        records = summary.records
        return source.on_error.refusal(summary.rejected, records) if source else None

    @property
    def may_be_refused(self) -> bool:
        """Whether rejected records can keep the others from the catalog."""
        source = self.sources.get(self.feed.source_id)
        return source is not None and source.on_error != REJECT_RECORDS

    def notes(self, summary: Summary) -> Iterator[str]:
        """What there is to say of the feed as one of its source."""
        source, feed = self.sources.get(self.feed.source_id), self.feed
        if self.kind in ("plan", "validate") and (refusal := self.refusal(summary)):
            yield refusal.message
        if source and source.snapshot_pattern and feed.snapshot_at == feed.received_at:
            named = source.moment_of(feed.file_name, self.partner.time_zone)
            if named != feed.snapshot_at:
                yield (
                    f"The file's name doesn't tell its moment as {source.snapshot_pattern} does: "
                    "that of its receipt counts."
                )


@frozen
class Planned:
    """A feed that has been read, and what it would do, or has done where it was `loaded`.

    `kept` is None if it was only validated.
    """

    plan: Plan
    tally: Tally
    reading: Reading
    loaded: bool = False
    summary: Summary = NO_SUMMARY
    kept: SavedPlan | None = None


@frozen
class Planning:
    """Plans feeds."""

    files: Files
    clock: Clock
    engine: FeedEngine

    def begin(
        self,
        unit: UnitOfWork,
        feed: Feed,
        kind: JobKind,
        open_raw: OpenRaw,
        tell: Tell,
        *,
        without_removals: bool = False,
    ) -> Run:
        """All that has to be known before the feed is read; FileRefused if it has no header."""
        partner, read_by = unit.partners.get(feed.partner_id), unit.sources.profile(feed.source_id)
        sources = {source.source_id: source for source in unit.sources.of(feed.partner_id)}
        terms = Terms.of(partner, feed.mode, read_by.profile)
        with open_raw() as raw:
            feed = _mending(unit, feed, begin(raw, terms).mends)
        # An older full feed is superseded as a whole by a newer one, though not by newer deltas.
        compares_late = kind != "validate" and newer_full_snapshot(unit, feed) is None
        late = (
            overtaken_skus(unit, self.files, partner, read_by.profile, feed)
            if compares_late
            else frozenset[str]()
        )
        return Run(
            kind,
            feed,
            partner,
            sources,
            terms,
            read_by.version,
            late,
            without_removals,
            open_raw,
            tell,
        )

    def plan(self, unit: UnitOfWork, run: Run, load: Load | None = None) -> Planned:
        """What the feed would do; FileRefused where it can't be taken as a whole.

        With `load` it may have been done already, where its partner has nothing there yet.
        """
        planned = self._validate(run) if run.kind == "validate" else self._compared(unit, run, load)
        tally = planned.tally
        _check_row_count(run.feed, tally.records_read - tally.fates["blank"])
        if run.kind != "validate":
            tally.stage("compare", tally.records_read)
        summary = _with_drift(unit, run.feed, tally.summary(planned.plan, planned.reading))
        summary = evolve(summary, notes=(*summary.notes, *run.notes(summary)))
        planned = evolve(planned, summary=summary)
        if run.kind == "validate":
            return planned
        return evolve(planned, kept=self._judge(unit, run, planned))

    def _compared(self, unit: UnitOfWork, run: Run, load: Load | None) -> Planned:
        """Reads the feed straight into the catalog, or else compares it with what is there.

        Guards are asked afterwards, so it is read straight only where none can object: in an empty
        catalog, and with no earlier full feed to be held against.
        """
        known = self._known(unit, run)
        fresh = not len(known) and not run.overtaken and not self._last_full(unit, run)
        loaded = self._load(run, load) if load and fresh else None
        return loaded or self._compare(unit, run, known)

    def _load(self, run: Run, load: Load) -> Planned | None:
        with self._reading(run, NO_FINGERPRINTS) as (tally, reading, feed_context):
            plan = load(feed_context, tally.counted(reading, run.tell))
        return None if plan is None else Planned(plan, tally, reading, loaded=True)

    def _compare(self, unit: UnitOfWork, run: Run, known: FingerprintIndex) -> Planned:
        """Reads the feed, less what is recognised, and compares it with the catalog."""
        while True:
            with self._reading(run, known) as (tally, reading, feed_context):
                batches = tally.counted(without_overtaken(reading, run.overtaken), run.tell)
                plan = unit.products.compare(feed_context, batches, MOST_COMPARED_KEPT)
            if not plan.contested:
                return Planned(plan, tally, reading)
            known = known.without(plan.contested)

    @contextmanager
    def _reading(
        self, run: Run, known: FingerprintIndex
    ) -> Generator[tuple[Tally, Reading, FeedContext]]:
        """The feed opened from its beginning, with what counts it."""
        tally = Tally(self.clock, run.feed.bytes)
        with run.open_raw() as raw:
            reading = self.engine.open(tally.metered(raw), run.terms, known)
            yield tally, reading, _incoming(run, reading.opening.mapping)

    def _known(self, unit: UnitOfWork, run: Run) -> FingerprintIndex:
        """What records are recognised by; nothing where that isn't worth it."""
        small = run.feed.mode == "delta" and run.feed.bytes < _LEAST_RECOGNISED
        if run.overtaken or small:
            return NO_FINGERPRINTS
        return unit.products.fingerprints(run.feed.partner_id, run.feed.source_id)

    def _validate(self, run: Run) -> Planned:
        """Reads the feed to its end, and compares it with nothing."""
        rejected = unreadable = 0
        with self._reading(run, NO_FINGERPRINTS) as (tally, reading, feed_context):
            for batch in tally.counted(reading, run.tell):
                rejected += batch.rejected
                unreadable += batch.skus_unreadable
        plan = Plan(feed_context=feed_context, rejected=rejected, skus_unreadable=unreadable)
        return Planned(plan, tally, reading)

    def _judge(self, unit: UnitOfWork, run: Run, planned: Planned) -> SavedPlan:
        """What is kept of the plan, with what the source's guards say of it."""
        last = self._last_full(unit, run)
        before = summary_of(unit, last.feed_id) if last else None
        plan, summary = planned.plan, planned.summary
        return SavedPlan.of(
            run.feed,
            plan,
            summary,
            guards=judged(plan, summary, before, run.guards),
            problems=planned.tally.problems_with(plan),
            at=self.clock(),
        )

    def _last_full(self, unit: UnitOfWork, run: Run) -> Feed | None:
        """The full feed that a full one is held against: the last one applied."""
        return unit.feeds.last_full(run.feed.source_id) if run.feed.mode == "full" else None


MOST_RERUNS: Final = 10
"""Jobs of a feed that are looked through for the last one that applied it."""


def summary_of(unit: UnitOfWork, feed_id: str) -> Summary | None:
    """What became of the records of a feed when it was last applied."""
    query = JobQuery(feed_id=feed_id, status="completed", kind="ingest")
    ended = unit.jobs.page(query, None, MOST_RERUNS).items
    return next((job.summary for job in ended if job.outcome != "superseded"), None)


def newer_full_snapshot(unit: UnitOfWork, feed: Feed) -> datetime | None:
    """The moment of a full feed that was applied already and is newer than this full one."""
    latest = unit.feeds.last_full_snapshot(feed.source_id) if feed.mode == "full" else None
    return latest if latest is not None and feed.snapshot_at < latest else None


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


def _incoming(run: Run, mapping: HeaderMapping) -> FeedContext:
    """What the comparison has to know. A price column brings a currency with it, named or not."""
    columns = {
        name: mapping.column_of(name) or name
        for name in mapping.field_mappings
        if name in PRODUCT_FIELDS or name == "sku"
    }
    feed = run.feed
    return FeedContext(
        feed.partner_id,
        feed.source_id,
        feed.feed_id,
        feed.mode,
        columns,
        run.partner.currency,
        run.guards.price_leap,
        run.without_removals,
        {source_id: source.source_name for source_id, source in run.sources.items()},
        run.overtaken if feed.mode == "full" else frozenset(),
    )


def _with_drift(unit: UnitOfWork, feed: Feed, summary: Summary) -> Summary:
    """The summary, with how the file differs from the source's last one in form."""
    before = unit.publications.latest(feed.source_id)
    told = summary_of(unit, before.feed_id) if before else None
    return evolve(summary, drift=drift_between(told, summary)) if told else summary


def _check_row_count(feed: Feed, rows: int) -> None:
    if feed.expected_rows is not None and feed.expected_rows != rows:
        raise FileRefused(
            "row_count",
            f"The file has {rows:,} records; {feed.expected_rows:,} were announced.",
            "Send the whole file again, or the right number.",
        )
