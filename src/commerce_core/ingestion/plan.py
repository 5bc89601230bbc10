"""Planning: a feed read, compared with the catalog, judged by the guards of its source.

    open ──> header ──> settled ──> look_back ──> basis ──> plan ──> judged
             (what it is)  (late?)  (overtaken)  (fingerprints)

A job plans its feed first, and a preview of a file does nothing else. Nothing here writes to the
catalog. What newer feeds have overtaken is looked up before the transaction in which the feed is
compared; there, under the partner's lock, it is only checked whether that is still true.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import FileRefused, NotFound
from commerce_core.base.ids import looks_like
from commerce_core.feeds.drift import drift_between
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.guards import DEFAULT_GUARDS, GuardSettings, exceeded
from commerce_core.feeds.job import JobError, JobKind
from commerce_core.feeds.source import REJECT_RECORDS, Source
from commerce_core.feeds.summary import Summary
from commerce_core.ingestion.corrected import FormerSkus
from commerce_core.ingestion.feed_file import FeedFile
from commerce_core.ingestion.late import (
    NOTHING_OVERTAKEN,
    BeginUnit,
    Lookback,
    Overtaken,
    newer_feeds,
    summary_of,
    superseded_by,
)
from commerce_core.ingestion.progress import Tell, ignore_progress
from commerce_core.ingestion.reject_report import MOST_COMPARED_KEPT
from commerce_core.parsing.decoding import OpenRaw
from commerce_core.parsing.fingerprints import NO_FINGERPRINTS, FingerprintIndex
from commerce_core.parsing.needed_presets import check_preset
from commerce_core.parsing.record_reader import Terms
from commerce_core.partners.partner import Partner
from commerce_core.plans.comparison import FeedContext, Plan
from commerce_core.plans.saved_plan import SavedPlan, judged
from commerce_core.ports.engine import FeedEngine
from commerce_core.ports.files import Files
from commerce_core.ports.runtime import Clock
from commerce_core.ports.store import UnitOfWork
from commerce_core.profiles.profile import UNPROFILED, SavedProfile
from commerce_core.profiles.recognition import recognition_hint
from commerce_core.schema.fields import PRODUCT_FIELDS

LEAST_MATCHED: Final = 1 << 20
"""Deltas of fewer bytes than this aren't worth loading fingerprints for."""


@frozen
class Sender:
    """Who sent a feed: the partner, its sources by id, and the profile of the feed's source."""

    partner: Partner
    sources: Mapping[str, Source]
    profile: SavedProfile

    @classmethod
    def of(cls, unit: UnitOfWork, feed: Feed) -> "Sender":
        """The sender of a feed as it now is."""
        return cls(
            unit.partners.get(feed.partner_id),
            {source.source_id: source for source in unit.sources.of(feed.partner_id)},
            unit.sources.profile(feed.source_id),
        )


@frozen
class Run:
    """A feed whose header has been understood, about to meet the catalog.

    `feed` is as its header declares it; `overtaken` is what it may no longer change;
    `without_removals` keeps every product that would go. `tell` shows the progress.
    """

    kind: JobKind
    feed: Feed
    sender: Sender
    file: FeedFile
    without_removals: bool
    overtaken: Overtaken = NOTHING_OVERTAKEN
    tell: Tell = ignore_progress

    @property
    def source(self) -> Source | None:
        """The feed's source; None if it has been removed since it sent the feed."""
        return self.sender.sources.get(self.feed.source_id)

    @property
    def guards(self) -> GuardSettings:
        """How far the feed may go."""
        return self.source.guards if self.source else DEFAULT_GUARDS

    def refusal(self, summary: Summary) -> JobError | None:
        """Why the source takes no feed with this many rejected records, if so."""
        source = self.source
        return source.on_error.refusal(summary.rejected, summary.records) if source else None

    @property
    def may_be_refused(self) -> bool:
        """Whether rejected records can keep the others from the catalog."""
        return self.source is not None and self.source.on_error != REJECT_RECORDS

    @property
    def context(self) -> FeedContext:
        """What the comparison has to know about the feed."""
        mapping, feed = self.file.header.mapping, self.feed
        columns = {
            name: mapping.column_of(name) or name
            for name in mapping.field_mappings
            if name in PRODUCT_FIELDS or name == "sku"
        }
        return FeedContext(
            feed.partner_id,
            feed.source_id,
            feed.feed_id,
            feed.mode,
            columns,
            self.sender.partner.currency,
            self.guards.price_leap,
            self.without_removals,
            {id_: source.source_name for id_, source in self.sender.sources.items()},
            self.overtaken.skus if feed.mode == "full" else frozenset(),
        )

    def notes(self, summary: Summary) -> Iterator[str]:
        """What there is to note of the feed as one of its source."""
        source, feed = self.source, self.feed
        header = self.file.header
        own = header.terms.profile
        if not own.columns and (recognised := recognition_hint(header.cells, own)):
            yield recognised
        if self.kind in ("plan", "validate") and (refusal := self.refusal(summary)):
            yield refusal.message
        if source and source.snapshot_pattern and feed.snapshot_at == feed.received_at:
            named = source.moment_of(feed.file_name, self.sender.partner.time_zone)
            if named != feed.snapshot_at:
                yield (
                    "The time of receipt is used, because the file's name doesn't match "
                    f"{source.snapshot_pattern}."
                )


@frozen
class Basis:
    """What a feed is compared with.

    `known` are the fingerprints by which its records are matched, `baseline` is the feed whose form
    it is held against (see `Feeds.baseline`), and `before` is the summary of that feed.
    """

    known: FingerprintIndex
    baseline: Feed | None
    before: Summary | None = None

    @property
    def former(self) -> Sequence[str]:
        """The columns of the source's file before, under which records may be known."""
        return self.before.columns if self.before else ()


def may_load(run: Run, basis: Basis) -> bool:
    """Whether the feed may be read straight into the catalog, if its partner has nothing there.

    Guards and limits of rejected records are asked once all has been read. So it may only where
    none could object: no earlier full feed to be held against, and rejects stop no feed.
    """
    has_baseline = run.feed.mode == "full" and basis.baseline is not None
    has_no_past = not len(basis.known) and not has_baseline and not run.overtaken.skus
    return run.kind == "ingest" and has_no_past and not run.may_be_refused


@frozen
class Planned:
    """What a feed would do, or has done if it was loaded; `saved` is None if only validated."""

    plan: Plan
    summary: Summary
    saved: SavedPlan | None


@frozen
class Planning:
    """Plans feeds."""

    files: Files
    clock: Clock
    engine: FeedEngine

    @contextmanager
    def open(
        self,
        kind: JobKind,
        feed: Feed,
        sender: Sender,
        open_raw: OpenRaw,
        *,
        without_removals: bool = False,
        tell: Tell = ignore_progress,
    ) -> Generator[Run]:
        """Opens the file of a feed and reads its header; FileRefused if it has no usable one."""
        terms = Terms.of(sender.partner, feed.mode, sender.profile.profile)
        with FeedFile.opened(
            open_raw, self.engine, terms, self.clock, feed.bytes, tell=tell
        ) as file:
            yield Run(kind, feed, sender, file, without_removals, tell=tell)

    def settled(
        self,
        begin: BeginUnit,
        run: Run,
        newer: Sequence[Feed] | None = None,
        begin_former: BeginUnit | None = None,
    ) -> tuple[Run, Sequence[Feed]]:
        """The run with the feed as its header declares it, and the feeds that are newer.

        `newer` are those of the feed as it was sent, if they are known. `begin_former` gives units
        that know the feed that a report corrects, if `begin` doesn't.
        """
        header = run.file.header
        feed = evolve(run.feed, returned=header.returned)
        if header.corrects is None and newer is not None:
            return evolve(run, feed=feed), newer
        if header.corrects is not None:
            self._compare_skus(begin_former or begin, run)
        with begin() as unit:
            if header.corrects is not None:
                feed = _corrected(unit, feed, header.corrects)
            return evolve(run, feed=feed), newer_feeds(unit, feed)

    def _compare_skus(self, begin: BeginUnit, run: Run) -> None:
        """Has each row of a corrected report compared with the record that it corrects."""
        file = run.file
        former = FormerSkus(
            begin,
            self.files,
            run.sender.partner,
            file.terms,
            run.feed.source_id,
            lambda: run.tell(file.progress.progress("read")),
        )
        file.read_again(evolve(file.terms, corrected=former.of(file.open_raw)))

    def look_back(
        self,
        begin: BeginUnit,
        run: Run,
        newer: Sequence[Feed],
        touch: Callable[[], object] | None = None,
    ) -> Run:
        """The run, which knows what newer feeds have overtaken; FileRefused `too_late`.

        `touch` is called often while files are read, for a session that mustn't look idle.
        """
        if run.kind == "validate" or superseded_by(run.feed, newer) is not None:
            return run

        def alive() -> None:
            run.tell(run.file.progress.progress("read"))
            if touch is not None:
                touch()

        lookback = Lookback(begin, self.files, self.engine, alive)
        overtaken = lookback.overtaken(run.feed, newer, run.file.batches, run.overtaken)
        return evolve(run, overtaken=overtaken)

    def lock(self, unit: UnitOfWork, run: Run) -> tuple[Run, Feed | None]:
        """The run once no other unit feeds the partner, and the feed that supersedes it, if any.

        Feeds applied since the run looked back are looked through now, which is rare.
        """
        if run.kind != "validate":
            unit.products.lock_partner(run.feed.partner_id)
        newer = newer_feeds(unit, run.feed)
        superseding = superseded_by(run.feed, newer)
        if superseding is None:
            run = self.look_back(
                lambda: nullcontext(unit), run, newer, lambda: unit.feeds.get(run.feed.feed_id)
            )
        return run, superseding

    def basis(self, unit: UnitOfWork, run: Run) -> Basis:
        """What the feed is compared with; fingerprints only where loading them is worth it."""
        small = run.feed.mode == "delta" and run.feed.bytes < LEAST_MATCHED
        known: FingerprintIndex = NO_FINGERPRINTS
        if run.kind != "validate" and not run.overtaken.skus and not small:
            known = unit.products.fingerprints(run.feed.partner_id, run.feed.source_id)
        baseline = unit.feeds.baseline(run.feed.source_id, run.feed.mode)
        before = summary_of(unit, baseline.feed_id) if baseline else None
        return Basis(known, baseline, before)

    def plan(self, unit: UnitOfWork, run: Run, basis: Basis) -> Plan:
        """What the feed would do; FileRefused where it can't be taken as a whole.

        A feed that is only validated is read to its end and compared with nothing.
        """
        if run.kind == "validate":
            return _validated(run)
        known = basis.known
        while True:
            batches = run.file.batches(known, run.overtaken.skus, run.tell, basis.former)
            plan = unit.products.compare(run.context, batches, MOST_COMPARED_KEPT)
            if not plan.contested:
                return plan
            known = known.without(plan.contested)

    def judged(self, run: Run, basis: Basis, plan: Plan) -> Planned:
        """The plan with its summary and the verdicts of the guards.

        FileRefused `row_count`, or `preset_needed` if the source has never had a profile.
        """
        progress = run.file.progress
        if run.sender.profile.version == UNPROFILED.version:
            check_preset(run.file.header, run.file.open_raw)
        _check_row_count(run.feed, progress.records_read - progress.fates["blank"])
        if run.kind != "validate":
            progress.stage("compare", progress.records_read)
        before, summary = basis.before, progress.summary(plan, run.file.reading)
        if before is not None and not run.feed.returned:
            summary = evolve(summary, drift=drift_between(before, summary))
        summary = evolve(summary, notes=(*summary.notes, *run.notes(summary)))
        if run.kind == "validate":
            return Planned(plan, summary, None)
        guards = judged(plan, summary, before, run.guards)
        summary = evolve(summary, guards=exceeded(guards))
        saved = SavedPlan.of(
            run.feed,
            plan,
            summary,
            guards=guards,
            problems=progress.problems_with(plan),
            at=self.clock(),
        )
        return Planned(plan, summary, saved)


def _validated(run: Run) -> Plan:
    rejected = unreadable = 0
    for batch in run.file.batches(tell=run.tell):
        rejected += batch.rejected
        unreadable += batch.skus_unreadable
    return Plan(feed_context=run.context, rejected=rejected, skus_unreadable=unreadable)


def _corrected(unit: UnitOfWork, feed: Feed, corrects: str) -> Feed:
    """A corrected report is a delta as of the feed it corrects, whatever its upload declared."""
    try:
        first = unit.feeds.get(corrects) if looks_like("feed", corrects) else feed
    except NotFound:
        first = feed
    as_of = first.snapshot_at if first.source_id == feed.source_id else feed.snapshot_at
    return evolve(feed, mode="delta", snapshot_at=as_of)


def _check_row_count(feed: Feed, rows: int) -> None:
    if feed.expected_rows is not None and feed.expected_rows != rows:
        raise FileRefused(
            "row_count",
            f"The file has {rows:,} records; {feed.expected_rows:,} were announced.",
            "Send the whole file again, or the right number.",
        )
