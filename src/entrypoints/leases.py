"""Leases: a second thread keeps the lease of running work alive, and shows its progress.

The same thread watches a job's time budget. Once it is used up, the session of the run is ended, in
whichever statement it is, and the run fails.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import define, field

from commerce_core.base.errors import CommerceError, FileRefused, RunLost, Unavailable
from commerce_core.feeds.job import Job
from commerce_core.ports.runtime import Clock, KeepLease
from commerce_core.ports.store import Store
from commerce_core.ports.work import Work
from commerce_core.work.attempt import LEASE, TIME_BUDGET, Progress
from commerce_core.work.task import Task
from entrypoints import job_story

MOST_BETWEEN_RENEWALS: Final = timedelta(seconds=1)
"""How often a lease is renewed and progress shown; with a short lease, four times in it."""


def _now() -> datetime:
    return datetime.now(UTC)


def lease_keeper(
    store: Store,
    length: timedelta = LEASE,
    budget: timedelta = TIME_BUDGET,
    clock: Clock = _now,
) -> KeepLease:
    """Keeps leases from a thread and units of its own, however long the run's own unit takes."""

    @contextmanager
    def keep(work: Work, session: str) -> Generator[Callable[[Progress], None]]:
        lease = _Lease(store, work, length, budget, clock)
        if session:  # Without one there is nothing to name yet, and the claim is fresh.
            lease.renew(session)
        thread = threading.Thread(target=lease.renew_until_over, name="lease", daemon=True)
        thread.start()
        try:
            yield lease.show
        except BaseException as error:
            lease.end_renewing(thread)
            # The session goes on to other work: from now on no takeover may end it.
            with suppress(CommerceError):
                lease.renew("")
            if isinstance(error, Exception):
                lease.explain(error)
            raise
        lease.end_renewing(thread)
        lease.check()

    return keep


def budget_keeper(budget: timedelta = TIME_BUDGET, clock: Clock = _now) -> KeepLease:
    """For a store that lives in this process alone: no other process could take over.

    The time budget is checked whenever there is progress.
    """

    @contextmanager
    def keep(work: Work, _: str) -> Generator[Callable[[Progress], None]]:
        def show(progress: Progress) -> None:
            if refusal := _out_of_time(work, budget, clock, progress):
                raise refusal

        yield show

    return keep


no_lease: Final = budget_keeper()
"""The same with the default budget."""


def _out_of_time(
    work: Work, budget: timedelta, clock: Clock, progress: Progress
) -> FileRefused | None:
    """The refusal of a job whose budget is used up; tasks have none."""
    return work.out_of_time(budget, clock(), progress) if isinstance(work, Job) else None


@define
class _Lease:
    """The lease of one attempt, and the progress that is shown with it."""

    _store: Store
    _work: Work
    _length: timedelta
    _budget: timedelta
    _clock: Clock
    _progress: Progress = field(init=False)
    _lost: RunLost | None = field(default=None, init=False)
    _refusal: FileRefused | None = field(default=None, init=False)
    _over: threading.Event = field(factory=threading.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._progress = self._work.progress

    def show(self, progress: Progress) -> None:
        """Keeps the progress for the next renewal, which shows it."""
        self._progress = progress
        self.check()

    def check(self) -> None:
        """RunLost if another attempt took over; FileRefused if the time budget was used up."""
        if self._lost is not None:
            raise self._lost
        if self._refusal is not None:
            raise self._refusal

    def explain(self, error: Exception) -> None:
        """Raises the refusal for an error that is only how the run met the end of its budget."""
        if self._refusal is not None and not isinstance(error, RunLost | FileRefused):
            raise self._refusal from error

    def renew(self, session: str | None = None) -> None:
        with self._store.begin() as unit:
            match self._work:
                case Job():
                    unit.jobs.renew(self._work, self._progress, self._length, session)
                case Task():
                    unit.tasks.renew(self._work, self._progress, self._length, session)

    def renew_until_over(self) -> None:
        every = min(MOST_BETWEEN_RENEWALS, self._length / 4).total_seconds()
        while not self._over.wait(every):
            try:
                self.renew()
                self._watch_budget()
            except RunLost as error:
                self._lost = error
                return
            except Unavailable as error:
                # The lease has room for many renewals; the run finds out by itself if it is over.
                job_story.lease_not_renewed(self._work, error)

    def _watch_budget(self) -> None:
        """Ends the session of a run whose budget is used up; the lease is kept until it fails."""
        if self._refusal is not None or isinstance(self._work, Task):
            return
        refusal = _out_of_time(self._work, self._budget, self._clock, self._progress)
        if refusal is not None:
            self._refusal = refusal
            with self._store.begin() as unit:
                unit.jobs.interrupt(self._work.job_id)

    def end_renewing(self, thread: threading.Thread) -> None:
        self._over.set()
        thread.join()
