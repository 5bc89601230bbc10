"""The worker: a thread that runs released jobs one by one, and keeps their leases alive."""

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from attrs import define, field

from commerce_core.errors import RunLost, Unavailable
from commerce_core.jobs import LEASE, Job, Progress
from commerce_core.ports import KeepLease, Store
from commerce_core.usecases import Commerce

RENEW_EVERY: Final = timedelta(seconds=1)
"""How often a lease is renewed and progress shown; a small part of `LEASE`."""
POLL_EVERY: Final = timedelta(milliseconds=250)
PAUSE_AFTER_FAILURE: Final = timedelta(seconds=2)
_log = logging.getLogger(__name__)


@define
class Worker:
    """Runs released jobs until it is stopped; a job that has begun is brought to its end."""

    _commerce: Commerce
    _stopping: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Begins to work in a thread of its own."""
        self._thread = threading.Thread(target=self.work_until_stopped, name="worker")
        self._thread.start()

    def stop(self) -> None:
        """Takes no further job, and returns when the last one has ended."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def work_until_stopped(self) -> None:
        """Works in this thread."""
        while not self._stopping.is_set():
            pause = self._work_once()
            if pause:
                self._stopping.wait(pause.total_seconds())

    def _work_once(self) -> timedelta | None:
        """Runs the next job, and tells how long to pause then. A fault of one job ends no worker.

        That job is tried again when its lease is over, and set aside after the third time.
        """
        try:
            job = self._commerce.intake.work()
        except RunLost as error:
            _log.warning("A run was taken over: %s", error)
            return None
        except Unavailable as error:
            _log.warning("Can't work at the moment: %s", error)
            return PAUSE_AFTER_FAILURE
        except Exception:  # noqa: BLE001 - whatever one job brings, the others are to be run
            _log.exception("A run ended in a fault of ours; its job will be tried again.")
            return PAUSE_AFTER_FAILURE
        return POLL_EVERY if job is None else None


def lease_keeper(store: Store) -> KeepLease:
    """Keeps leases from a thread and units of its own, however long the run's own unit takes."""

    @contextmanager
    def keep(job: Job, session: str) -> Generator[Callable[[Progress], None]]:
        lease = _Lease(store, job)
        lease.renew(session)
        thread = threading.Thread(target=lease.renew_until_over, name="lease", daemon=True)
        thread.start()
        try:
            yield lease.tell
        finally:
            lease.over.set()
            thread.join()
        lease.check()

    return keep


@contextmanager
def no_lease(_: Job, __: str) -> Generator[Callable[[Progress], None]]:
    """For a store that lives in this process alone: whoever could take over is gone with it."""
    yield lambda _progress: None


@define
class _Lease:
    """The lease of one attempt, and the progress that is shown with it."""

    _store: Store
    _job: Job
    _progress: Progress = field(init=False)
    _lost: RunLost | None = field(default=None, init=False)
    over: threading.Event = field(factory=threading.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._progress = self._job.progress

    def tell(self, progress: Progress) -> None:
        """Notes the progress, for the next renewal to show."""
        self._progress = progress
        self.check()

    def check(self) -> None:
        """RunLost if another attempt took over."""
        if self._lost is not None:
            raise self._lost

    def renew(self, session: str | None = None) -> None:
        with self._store.begin() as unit:
            unit.jobs.renew(self._job, self._progress, LEASE, session)

    def renew_until_over(self) -> None:
        while not self.over.wait(RENEW_EVERY.total_seconds()):
            try:
                self.renew()
            except RunLost as error:
                self._lost = error
                return
            except Unavailable as error:
                # The lease has room for many renewals; the run finds out by itself if it is over.
                _log.warning("A lease couldn't be renewed just now: %s", error)
