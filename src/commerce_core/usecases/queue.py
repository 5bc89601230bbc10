"""The queue: what workers claim, run and give back, in each lane."""

from datetime import timedelta
from typing import Final, overload

from attrs import frozen

from commerce_core.feeds.job import Backlog, FeedLane, Job
from commerce_core.ports.work import Work
from commerce_core.usecases.context import Context
from commerce_core.usecases.running import claiming, execute
from commerce_core.usecases.tasks import give_up_task, run_task
from commerce_core.work.task import CHORES, LANES, Lane, Task

_AT_ONCE: Final = timedelta()


@frozen
class Queue:
    """The work of the platform, as workers see it: jobs of feeds, and tasks in other lanes."""

    _context: Context

    def add_chores(self) -> None:
        """Schedules each chore once for all workers; safe to repeat."""
        with self._context.store.begin() as unit:
            for kind in CHORES:
                unit.tasks.add(kind)

    @overload
    def claim(self, lane: FeedLane = "feeds") -> Job | None: ...
    @overload
    def claim(self, lane: Lane) -> Work | None: ...
    def claim(self, lane: Lane = "feeds") -> Work | None:
        """The next work of a lane, if any; the caller must run it or give it back."""
        c = self._context
        with c.store.begin() as unit:
            if lane == "feeds" or lane == "small_feeds":  # noqa: PLR1714 - narrows the type
                return claiming(c, unit).next(lane)
            per_host = c.fetches_per_host if lane == "fetches" else None
            return unit.tasks.claim(lane, c.clock(), c.lease, per_host)

    def give_back(
        self, work: Work, pause: timedelta = _AT_ONCE, *, disconnected: bool = False
    ) -> None:
        """Returns claimed work to the queue for any worker, after that pause; its run is undone.

        `disconnected`: the run lost the store. RunLost if another worker took it over, or if it
        has finished.
        """
        with self._context.store.begin() as unit:
            match work:
                case Job():
                    unit.jobs.give_back(work, pause, disconnected=disconnected)
                case Task():
                    unit.tasks.give_back(work, pause, disconnected=disconnected)

    def execute(self, job: Job) -> Job:
        """Runs a claimed job, as `running.execute` promises."""
        return execute(self._context, job)

    def perform(self, task: Task) -> int | None:
        """Runs a claimed task, finishes it, and returns how many things it changed.

        Returns None for a task that is given up; a chore is due again in its next period. Raises
        as `execute` does; what a task has done until then may stay.
        """
        c, changed = self._context, None
        if task.kind in LANES["fetches"]:
            # It ends in the transaction of what it brings, and may be due again after a pause.
            return run_task(c, task)
        if task.is_given_up:
            give_up_task(c, task)
        else:
            with c.keep_lease(task, ""):
                changed = run_task(c, task)
        with c.store.begin() as unit:
            unit.tasks.finish(task, CHORES.get(task.kind))
        return changed

    def backlog(self) -> Backlog:
        """The queue of all partners: what waits for a worker, and what is running."""
        with self._context.store.begin() as unit:
            return unit.jobs.backlog()
