"""Reverts: undoing what a feed wrote, and undoing the revert."""

from attrs import frozen

from commerce_core.feeds.job import Job
from commerce_core.ingestion.revert import (
    check_can_revert,
    check_partner,
    plan_of,
    revert_job,
    undone_by,
)
from commerce_core.plans.revert import RevertPlan
from commerce_core.usecases.context import Context, IdempotencyKey
from commerce_core.usecases.jobs import check_idle


@frozen
class Reverts:
    """Reverting feeds, and undoing such reverts."""

    _context: Context

    def plan(self, feed_id: str, *, undo: bool = False) -> RevertPlan:
        """What reverting a feed, or undoing its revert, would do now; nothing is written.

        Conflict if the feed's state doesn't allow it, or its partner is offboarded.
        """
        with self._context.store.begin(dry_run=True) as unit:
            feed = self._context.feed(unit, feed_id)
            check_partner(unit, feed)
            check_can_revert(feed, undo=undo)
            return plan_of(unit, feed, undone_by(unit, feed))

    def start(
        self,
        feed_id: str,
        *,
        undo: bool = False,
        run: bool = False,
        key: IdempotencyKey | str | None = None,
    ) -> Job:
        """A new job that reverts an applied feed or, with `undo`, undoes its revert.

        Conflict while the feed has an unfinished job, if its state doesn't allow it, or if its
        partner is offboarded.
        """
        with self._context.writing() as unit:
            feed = self._context.feed(unit, feed_id)

            def make() -> Job:
                check_partner(unit, feed)
                check_can_revert(feed, undo=undo)
                undone_by(unit, feed)
                check_idle(unit, feed)
                job = revert_job(feed, self._context.mint("job"), self._context.clock(), run=run)
                unit.jobs.add(job)
                note = "Undoes the revert." if undo else None
                self._context.note(
                    unit, "feed.reverted", feed.feed_id, job.job_id, partner_id=feed.partner_id,
                    note=note,
                )  # fmt: skip
                return job

            return self._context.once(
                unit, key, ("revert", feed.feed_id, undo, run), make, answer=Job
            )
