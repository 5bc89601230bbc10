"""Leases: a second thread keeps the lease of running work alive, and shows its progress."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

from attrs import define, field

from commerce_core.base.errors import CommerceError, RunLost, Unavailable
from commerce_core.feeds.job import Job
from commerce_core.ports.runtime import KeepLease
from commerce_core.ports.store import Store
from commerce_core.ports.work import Work
from commerce_core.work.attempt import LEASE, Progress
from commerce_core.work.task import Task
from entrypoints import job_story

MOST_BETWEEN_RENEWALS: Final = timedelta(seconds=1)
"""How often a lease is renewed and progress shown; with a short lease, four times in it."""


def lease_keeper(store: Store, length: timedelta = LEASE) -> KeepLease:
    """Keeps leases from a thread and units of its own, however long the run's own unit takes."""

    @contextmanager
    def keep(work: Work, session: str) -> Generator[Callable[[Progress], None]]:
        lease = _Lease(store, work, length)
        if session:  # Without one there is nothing to name yet, and the claim is fresh.
            lease.renew(session)
        thread = threading.Thread(target=lease.renew_until_over, name="lease", daemon=True)
        thread.start()
        try:
            yield lease.show
        except BaseException:
            lease.end_renewing(thread)
            # The session goes on to other work: from now on no takeover may end it.
            with suppress(CommerceError):
                lease.renew("")
            raise
        lease.end_renewing(thread)
        lease.check()

    return keep


@contextmanager
def no_lease(_: Work, __: str) -> Generator[Callable[[Progress], None]]:
    """For a store that lives in this process alone: no other process could take over."""
    yield lambda _progress: None


@define
class _Lease:
    """The lease of one attempt, and the progress that is shown with it."""

    _store: Store
    _work: Work
    _length: timedelta
    _progress: Progress = field(init=False)
    _lost: RunLost | None = field(default=None, init=False)
    _over: threading.Event = field(factory=threading.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._progress = self._work.progress

    def show(self, progress: Progress) -> None:
        """Keeps the progress for the next renewal, which shows it."""
        self._progress = progress
        self.check()

    def check(self) -> None:
        """RunLost if another attempt took over."""
        if self._lost is not None:
            raise self._lost

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
            except RunLost as error:
                self._lost = error
                return
            except Unavailable as error:
                # The lease has room for many renewals; the run finds out by itself if it is over.
                job_story.lease_not_renewed(self._work, error)

    def end_renewing(self, thread: threading.Thread) -> None:
        self._over.set()
        thread.join()
