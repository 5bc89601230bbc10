"""The worker: a thread or more for each lane, which run what they claim, one after the other."""

import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Final

from attrs import define, field

from commerce_core.base.errors import CommerceError, RunLost, Severed, Unavailable
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.ports.work import Work
from commerce_core.work.task import Lane, Task
from entrypoints import job_story
from entrypoints.deliveries import DeliveryLane

POLL_EVERY: Final[Mapping[Lane, timedelta]] = {
    "feeds": timedelta(seconds=1),
    "small_feeds": timedelta(seconds=1),
    "fetches": timedelta(seconds=5),
    "queues": timedelta(seconds=10),
    "chores": timedelta(seconds=10),
    "webhooks": timedelta(seconds=0.1),
    "what_ifs": timedelta(seconds=2),
    "bulk_acts": timedelta(seconds=2),
    "alerts": timedelta(seconds=2),
}
"""The lanes in which a worker works, and how often each is polled while there is nothing to do.

Notifications wake the lanes of feeds sooner. While the first reads a large feed, the second keeps
small ones from waiting.
"""
THREADS: Final[Mapping[Lane, int]] = {"fetches": 4}
"""How many threads a worker has in a lane, if not one: a server that is slow, or silent, keeps the
others from nothing."""
PAUSE_AFTER_FAILURE: Final = timedelta(seconds=2)
MOST_DOUBLINGS: Final = 5
"""How often the pause of work doubles that can't reach a part: up to about a minute."""
GIVE_BACK_EVERY: Final = timedelta(seconds=0.5)
"""How often a worker tries to give work back while the database is away."""
GRACE: Final = timedelta(seconds=20)
"""How long the work under way may take once the worker is asked to stop."""
GOODBYE: Final = timedelta(seconds=5)
"""How long a run may take to notice that its work was given back."""


@define
class Worker:
    """Works in every lane until it is stopped; work that then takes too long is given back."""

    _commerce: Commerce
    _grace: timedelta = field(default=GRACE, alias="grace")
    _poll_every: timedelta | None = field(default=None, alias="poll_every")
    _stopping: threading.Event = field(factory=threading.Event, init=False)
    _lanes: "list[LaneWorker | DeliveryLane]" = field(init=False)
    _deadline: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._lanes = [
            self._lane(lane, self._poll_every or every)
            for lane, every in POLL_EVERY.items()
            for _ in range(THREADS.get(lane, 1))
        ]

    def _lane(self, lane: Lane, every: timedelta) -> "LaneWorker | DeliveryLane":
        if lane == "webhooks":
            return DeliveryLane(self._commerce, every, self._stopping)
        return LaneWorker(self._commerce, lane, every, self._stopping)

    def start(self) -> None:
        """Begins to work, in threads of its own."""
        for lane in self._lanes:
            lane.start()

    def begin_to_stop(self) -> None:
        """Takes no further work, and returns at once; from now on what is under way is timed."""
        if not self._stopping.is_set():
            self._deadline = time.monotonic() + self._grace.total_seconds()
        self._stopping.set()
        for lane in self._lanes:
            lane.wake()

    def stop(self) -> None:
        """Takes no further work, and returns when the last has ended or was given back."""
        self.begin_to_stop()
        for lane in self._lanes:
            lane.join(self._deadline - time.monotonic())
        for lane in self._lanes:
            lane.end()


@define
class LaneWorker:
    """Runs the work of one lane, one after the other, until it is to stop."""

    _commerce: Commerce
    _lane: Lane
    _poll_every: timedelta
    _stopping: threading.Event
    _wake: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _work: Work | None = field(default=None, init=False)
    _has_begun: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begins to work in a thread of its own."""
        # A daemon: should a run hang for good, the process ends all the same.
        self._thread = threading.Thread(
            target=self.work_until_stopped, name=f"worker {self._lane}", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        """Looks for work, or sees that it is to stop, without waiting any longer."""
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Returns when the thread has ended, or after that time."""
        if self._thread is not None:
            self._thread.join(max(0.0, seconds))

    def end(self) -> None:
        """Gives back what is still under way: its session is gone, so it can't commit any more."""
        work = self._work
        if self._thread is None or not self._thread.is_alive() or work is None:
            return
        try:
            self._commerce.queue.give_back(work)
            job_story.given_back(work, "the worker ends")
        except CommerceError as error:
            job_story.not_given_back(work, error)
        self.join(GOODBYE.total_seconds())

    def work_until_stopped(self) -> None:
        """Works in this thread."""
        with self._notified():
            while True:
                self._wake.clear()
                if self._stopping.is_set():
                    return
                try:
                    self.work_once()
                except Exception as error:  # noqa: BLE001 - the worker has to be there afterwards
                    self._pause_after(error)

    def _notified(self) -> AbstractContextManager[None]:
        """Wakes this thread when there may be a job to claim; tasks are due by time."""
        if self._lane in ("feeds", "small_feeds"):
            return self._commerce.context.store.subscribe(self._wake.set)
        return nullcontext()

    def work_once(self) -> None:
        """Runs the next work of the lane, or waits for some. A fault in one ends no worker."""
        if self._lane == "chores" and not self._has_begun:
            self._commerce.queue.add_chores()
            self._has_begun = True
        if self._lane == "chores":
            # Any number of workers may look. No fetch, however long, keeps this lane from it.
            self._commerce.pulls.look()
        work = self._commerce.queue.claim(self._lane)
        if work is None:
            self._wake.wait(self._poll_every.total_seconds())
            return
        self._work = work
        try:
            with job_story.attempt(work):
                self._run(work)
        finally:
            self._work = None

    def _pause_after(self, error: Exception) -> None:
        job_story.cant_claim(error)
        self._stopping.wait(PAUSE_AFTER_FAILURE.total_seconds())

    def _run(self, work: Work) -> None:
        """Runs work. After an internal error its lease expires: that was a crashed attempt."""
        begun = time.monotonic()
        try:
            match work:
                case Job():
                    job_story.ended(self._commerce.queue.execute(work), begun)
                case Task():
                    job_story.performed(work, self._commerce.queue.perform(work), begun)
        except Exception as error:  # noqa: BLE001 - whatever one brings, the others are to be run
            job_story.broken_off(work, error)
            if isinstance(error, Unavailable):
                self._give_back_when_possible(work, disconnected=isinstance(error, Severed))
            elif not isinstance(error, RunLost):
                self._stopping.wait(PAUSE_AFTER_FAILURE.total_seconds())

    def _give_back_when_possible(self, work: Work, *, disconnected: bool) -> None:
        """Gives back what an outage interrupted, however long that lasts.

        Meanwhile there is nothing else to do; only if another worker is quicker to take the work
        over, after its lease, does that count as a crashed attempt.
        """
        pause = PAUSE_AFTER_FAILURE * 2 ** min(work.attempts - 1, MOST_DOUBLINGS)
        while True:
            try:
                self._commerce.queue.give_back(work, pause, disconnected=disconnected)
            except RunLost:
                return
            except Unavailable:
                if self._stopping.wait(GIVE_BACK_EVERY.total_seconds()):
                    return
            else:
                why = (
                    "the database crashed or was cut off"
                    if disconnected
                    else "a part is out of reach"
                )
                job_story.given_back(work, why)
                return
