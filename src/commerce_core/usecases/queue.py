"""The queue: what workers claim, execute and give back."""

from datetime import timedelta

from attrs import frozen

from commerce_core.feeds.job import Backlog, Job
from commerce_core.ingestion.claim import Claiming
from commerce_core.ingestion.ingest import Ingest
from commerce_core.ingestion.revert import (
    Reverting,
)
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context


@frozen
class Queue:
    """The queue of jobs, as workers see it."""

    _context: Context

    def claim(self) -> Job | None:
        """The next released job, if there is one; it has to be executed, or given back."""
        with self._context.store.begin() as unit:
            return claiming(self._context, unit).next()

    def give_back(
        self, job: Job, pause: timedelta = timedelta(), *, disconnected: bool = False
    ) -> None:
        """Puts a claimed job back, for anybody to claim after that pause; what it did is undone.

        `disconnected`: the run lost the store. RunLost if another worker took it over, or if it
        has finished.
        """
        with self._context.store.begin() as unit:
            unit.jobs.give_back(job, pause, disconnected=disconnected)

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

    def backlog(self) -> Backlog:
        """What waits for a worker, of all partners."""
        with self._context.store.begin() as unit:
            return unit.jobs.backlog()


def claiming(context: Context, unit: UnitOfWork) -> Claiming:
    """What claims jobs in this unit."""
    return Claiming(unit, context.files, context.clock(), context.lease, context.new_event)
