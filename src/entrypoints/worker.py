"""The worker: a thread that runs released jobs one by one, and keeps their leases alive."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

from attrs import define, field

from commerce_core.base.errors import CommerceError, RunLost, Severed, Unavailable
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import LEASE, Job, Progress
from commerce_core.ports.runtime import KeepLease
from commerce_core.ports.store import Store
from entrypoints import job_story

MOST_BETWEEN_RENEWALS: Final = timedelta(seconds=1)
"""How often a lease is renewed and progress shown; with a short lease, four times in it."""
POLL_EVERY: Final = timedelta(seconds=1)
"""How often an idle worker looks for a job; mostly it is told sooner that there is one."""
PAUSE_AFTER_FAILURE: Final = timedelta(seconds=2)
MOST_DOUBLINGS: Final = 5
"""So often the pause of a job doubles whose part is out of reach, to about a minute."""
GIVE_BACK_EVERY: Final = timedelta(seconds=0.5)
"""How often it is tried to give back a job while the database is away."""
FORGET_EVERY: Final = timedelta(hours=1)
"""How often an idle worker forgets what need not be kept any longer."""
GRACE: Final = timedelta(seconds=20)
"""How long the job under way may go on once the worker was told to stop."""
GOODBYE: Final = timedelta(seconds=5)
"""How long the run of a job that was given back may take to notice."""


@define
class Worker:
    """Runs released jobs until it is stopped; a job that takes too long then is given back."""

    _commerce: Commerce
    _grace: timedelta = field(default=GRACE, alias="grace")
    _poll_every: timedelta = field(default=POLL_EVERY, alias="poll_every")
    _stopping: threading.Event = field(factory=threading.Event, init=False)
    _wake: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _job: Job | None = field(default=None, init=False)
    _deadline: float = field(default=0.0, init=False)
    _forgets_at: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Begins to work in a thread of its own."""
        # A daemon: should a run hang for good, the process ends all the same.
        self._thread = threading.Thread(target=self.work_until_stopped, name="worker", daemon=True)
        self._thread.start()

    def begin_to_stop(self) -> None:
        """Takes no further job, and returns at once; from now on the one under way is timed."""
        if not self._stopping.is_set():
            self._deadline = time.monotonic() + self._grace.total_seconds()
        self._stopping.set()
        self._wake.set()

    def stop(self) -> None:
        """Takes no further job, and returns when the last one has ended or was given back."""
        self.begin_to_stop()
        if self._thread is None:
            return
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._thread.is_alive():
            self._give_back_now()
            self._thread.join(GOODBYE.total_seconds())

    def _give_back_now(self) -> None:
        """Ends the run from outside: its session is gone, so it can't commit any more."""
        job = self._job
        if job is None:
            return
        try:
            self._commerce.queue.give_back(job)
            job_story.given_back(job, "the worker ends")
        except CommerceError as error:
            job_story.not_given_back(job, error)

    def work_until_stopped(self) -> None:
        """Works in this thread."""
        with self._commerce.context.store.subscribe(self._wake.set):
            while True:
                self._wake.clear()
                if self._stopping.is_set():
                    return
                try:
                    self._work_once()
                except Exception as error:  # noqa: BLE001 - the worker has to be there afterwards
                    self._pause_after(error)

    def _work_once(self) -> None:
        """Runs the next job, or waits for one. A fault of one job ends no worker."""
        job = self._commerce.queue.claim()
        if job is None:
            self._forget_old()
            self._wake.wait(self._poll_every.total_seconds())
            return
        self._job = job
        try:
            with job_story.attempt(job):
                self._run(job)
        finally:
            self._job = None

    def _forget_old(self) -> None:
        """Forgets now and then what is old: events, and versions where a setting says so."""
        now = time.monotonic()
        if now >= self._forgets_at:
            self._forgets_at = now + FORGET_EVERY.total_seconds()
            self._commerce.history.forget_old()
            self._commerce.events.forget_old()

    def _pause_after(self, error: Exception) -> None:
        job_story.cant_claim(error)
        self._stopping.wait(PAUSE_AFTER_FAILURE.total_seconds())

    def _run(self, job: Job) -> None:
        """Runs a job. After a fault of ours its lease runs out, and after three it is set aside."""
        begun = time.monotonic()
        try:
            job_story.ended(self._commerce.queue.execute(job), begun)
        except Exception as error:  # noqa: BLE001 - whatever one job brings, the others are to be run
            job_story.broken_off(job, error)
            if isinstance(error, Unavailable):
                self._give_back_when_possible(job, disconnected=isinstance(error, Severed))
            elif not isinstance(error, RunLost):
                self._stopping.wait(PAUSE_AFTER_FAILURE.total_seconds())

    def _give_back_when_possible(self, job: Job, *, disconnected: bool) -> None:
        """Gives back what an outage interrupted, however long that lasts.

        Meanwhile there is nothing else to do; only if somebody else is quicker to take the job
        over, after its lease, does that count as a silent end.
        """
        pause = PAUSE_AFTER_FAILURE * 2 ** min(job.attempts - 1, MOST_DOUBLINGS)
        while True:
            try:
                self._commerce.queue.give_back(job, pause, disconnected=disconnected)
            except RunLost:
                return
            except Unavailable:
                if self._stopping.wait(GIVE_BACK_EVERY.total_seconds()):
                    return
            else:
                why = "the database fell over" if disconnected else "a part is out of reach"
                job_story.given_back(job, why)
                return


def lease_keeper(store: Store, length: timedelta = LEASE) -> KeepLease:
    """Keeps leases from a thread and units of its own, however long the run's own unit takes."""

    @contextmanager
    def keep(job: Job, session: str) -> Generator[Callable[[Progress], None]]:
        lease = _Lease(store, job, length)
        if session:  # Without one there is nothing to name yet, and the claim is fresh.
            lease.renew(session)
        thread = threading.Thread(target=lease.renew_until_over, name="lease", daemon=True)
        thread.start()
        try:
            yield lease.tell
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
def no_lease(_: Job, __: str) -> Generator[Callable[[Progress], None]]:
    """For a store that lives in this process alone: whoever could take over is gone with it."""
    yield lambda _progress: None


@define
class _Lease:
    """The lease of one attempt, and the progress that is shown with it."""

    _store: Store
    _job: Job
    _length: timedelta
    _progress: Progress = field(init=False)
    _lost: RunLost | None = field(default=None, init=False)
    _over: threading.Event = field(factory=threading.Event, init=False)

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
            unit.jobs.renew(self._job, self._progress, self._length, session)

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
                job_story.lease_not_renewed(self._job, error)

    def end_renewing(self, thread: threading.Thread) -> None:
        self._over.set()
        thread.join()
