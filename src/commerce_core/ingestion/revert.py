"""One run of a revert: back to before a feed, or forward again for one that is reverted.

    feed applied    ──> its publications are undone         ──> feed reverted
    feed reverted   ──> the publication that did it is undone ──> feed applied

A revert is a publication of its own, in one transaction. Later changes are kept, and listed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from attrs import evolve, frozen

from commerce_core.activity.events import MOST_OVERSOLD, Event, NewEvent, announced
from commerce_core.base.errors import Conflict, FileRefused
from commerce_core.base.ids import Entropy, mint
from commerce_core.catalog.product import Oversold
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.job import Job, JobError, Progress
from commerce_core.feeds.summary import Summary
from commerce_core.plans.revert import MOST_KEPT, RevertPlan
from commerce_core.ports.runtime import Clock, KeepLease
from commerce_core.ports.store import Store, UnitOfWork


@frozen
class Reverting:
    """Runs jobs of kind `revert` that have been claimed."""

    store: Store
    clock: Clock
    entropy: Entropy
    keep_lease: KeepLease
    actor: str

    def run(self, job: Job) -> Job:
        """The finished job, also if the feed can't be reverted any more.

        Raises RunLost if another attempt took over, and Unavailable if a part is out of reach; then
        nothing of this run has happened.
        """
        try:
            with self.store.begin() as unit:
                return self._revert(unit, job)
        except (Conflict, FileRefused) as refusal:
            return self._fail(job, refusal)

    def _revert(self, unit: UnitOfWork, job: Job) -> Job:
        feed = unit.feeds.get(job.feed_id)
        check_partner(unit, feed)
        check_can_revert(feed, undo=feed.status == "reverted")
        undone = undone_by(unit, feed)
        # As in an ingest: nothing is written to the job before the keeper of its lease has ended.
        with self.keep_lease(job, unit.session) as tell:
            plan = plan_of(unit, feed, undone)
            tell(Progress("revert", records=plan.changes))
            made = self._publication(feed, undone[-1], plan)
            plan.check(unit.reverts.apply(plan, made))
        now = self.clock()
        unit.jobs.add_problems(job.job_id, [kept.problem for kept in plan.listed])
        unit.feeds.put(evolve(feed, status="reverted" if feed.status == "applied" else "applied"))
        unit.arrivals.mark(feed.feed_id, reverted=feed.status == "applied")
        progress = Progress("revert", records=plan.changes)
        summary = summary_of(plan)
        done = evolve(job, progress=progress).complete(now, summary, summary.outcome)
        unit.jobs.finish(done)
        oversold = unit.products.oversold(made, MOST_OVERSOLD)
        published = unit.publications.add(made, now)
        unit.events.add(self._news(done, feed, summary, published, oversold))
        return done

    def _news(
        self,
        job: Job,
        feed: Feed,
        summary: Summary,
        published: Publication,
        oversold: Sequence[Oversold],
    ) -> Iterator[Event]:
        """The events of it: undoing a revert counts as applying the feed anew."""
        if feed.status == "applied":
            yield self._new_event().of_feed("feed.reverted", feed, job_id=job.job_id)
        else:
            yield self._new_event().applied(feed, job.job_id, summary)
        yield from announced(self._new_event, published, summary, oversold)

    def _new_event(self) -> NewEvent:
        now = self.clock()
        return NewEvent(mint("evt", now, self.entropy), now)

    def _publication(self, feed: Feed, last: Publication, plan: RevertPlan) -> Publication:
        return Publication(
            publication_id=mint("pub", self.clock(), self.entropy),
            partner_id=feed.partner_id,
            source_id=feed.source_id,
            feed_id=feed.feed_id,
            mode=feed.mode,
            actor=self.actor,
            profile_version=last.profile_version,
            kind="revert",
            reverts=last.publication_id,
            changes=plan.changes,
        )

    def _fail(self, job: Job, refusal: Conflict | FileRefused) -> Job:
        error = JobError(refusal.code, str(refusal))
        with self.store.begin() as unit:
            failed = job.fail(self.clock(), error)
            unit.jobs.finish(failed)
            return failed


def revert_job(feed: Feed, job_id: str, at: datetime, *, run: bool) -> Job:
    """The job of a revert that was asked for."""
    return Job(job_id, feed.feed_id, feed.partner_id, "revert", "queued", run, at)


def check_partner(unit: UnitOfWork, feed: Feed) -> None:
    """Conflict if the feed's partner is offboarded; until the unit ends, it can't become so."""
    partner = unit.partners.lock_shared(feed.partner_id)
    partner.check_not_offboarded("its feeds can't be reverted")


def check_can_revert(feed: Feed, *, undo: bool) -> None:
    """Conflict unless the feed is applied, or, to `undo` its revert, reverted."""
    if undo and feed.status != "reverted":
        raise Conflict(
            f"Feed {feed.feed_id} is {feed.status}, so there is no revert of it to undo.",
            code="feed_not_reverted",
        )
    if not undo and feed.status == "reverted":
        raise Conflict(
            f"Feed {feed.feed_id} has already been reverted.",
            "To bring back what it wrote, undo its revert.",
            code="feed_reverted",
        )
    if feed.status not in ("applied", "reverted"):
        raise Conflict(
            f"Feed {feed.feed_id} is {feed.status}; only an applied feed can be reverted.",
            code="feed_not_applied",
        )


def undone_by(unit: UnitOfWork, feed: Feed) -> Sequence[Publication]:
    """The publications that a revert of the feed undoes now, by number.

    Those that applied it; or, of a feed that is reverted, the last revert. Conflict if it never
    published anything, its bytes being those that were published before.
    """
    made = unit.publications.of_feed(feed.feed_id)
    if feed.status == "reverted":
        return _with_history(unit, made[-1:])
    applied = [publication for publication in made if publication.kind == "feed"]
    if not applied:
        raise Conflict(
            f"Feed {feed.feed_id} published nothing: its bytes had been published before.",
            "Revert the feed that published them; the job of this feed names it.",
            code="nothing_published",
        )
    return _with_history(unit, applied)


def _with_history(unit: UnitOfWork, undone: Sequence[Publication]) -> Sequence[Publication]:
    """The publications themselves; Conflict if the state before them was deleted."""
    forgotten = unit.versions.forgotten()
    if any((publication.number or 0) <= forgotten for publication in undone):
        raise Conflict(
            f"The state before publication {undone[0].number} was deleted, so it "
            "can't be restored.",
            "Send the source's whole catalog again.",
            code="history_forgotten",
        )
    return undone


def plan_of(unit: UnitOfWork, feed: Feed, undone: Sequence[Publication]) -> RevertPlan:
    """What undoing these publications would do."""
    ids = [publication.publication_id for publication in undone]
    return unit.reverts.plan(feed.partner_id, ids, MOST_KEPT)


def summary_of(plan: RevertPlan) -> Summary:
    """The plan as the summary of a job; products that were kept are its warnings."""
    return Summary(
        updated=plan.updated,
        restored=plan.restored,
        removed=plan.removed,
        unchanged=plan.unchanged,
        warnings=plan.kept,
        problems_by_code={"changed_since": plan.kept} if plan.kept else {},
    )
