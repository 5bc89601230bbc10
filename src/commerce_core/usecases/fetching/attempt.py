"""Fetching: one try at getting a source's files, and what follows from what the server answers.

task claimed ──> connect ─┬─ as last time, or the same bytes ──> unchanged
                          ├─ a file ──> stored ──> feed + job + its row, at once; the next file
                          ├─ busy, cut off, a file that settles ──> the task waits, claimed again
                          └─ anything else ──────> failed
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import (
    CommerceError,
    Conflict,
    InvalidInput,
    NotFound,
    TooLarge,
    Unreachable,
)
from commerce_core.feeds.job import JobError
from commerce_core.feeds.place import HttpsPlace
from commerce_core.feeds.pull import MOST_TRIES, Fetch, Pull, pause_before
from commerce_core.feeds.remote_file import SETTLE
from commerce_core.ports.fetcher import FetchFailed
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context
from commerce_core.usecases.fetching.folders import Folders, Result
from commerce_core.usecases.fetching.places import FETCH_SECONDS, access_of, connect
from commerce_core.usecases.fetching.stream import Show
from commerce_core.usecases.fetching.taking import Taken, Taking
from commerce_core.work.task import Task

_AGAIN: Final = frozenset({"unresolved", "not_connected", "timed_out", "cut_off", "bad_answer"})
"""Failures of a server that may be over soon."""
_OWN: Final = (Conflict, InvalidInput, NotFound, TooLarge)


@frozen
class Fetching:
    """Runs the tasks `fetch` and `backfill`, whose subjects are fetches."""

    _context: Context

    def perform(self, task: Task) -> int | None:
        """One try; returns how many feeds it made, and None if it gives up after crashes."""
        context = self._context
        with context.store.begin() as unit:
            fetch = unit.fetches.get(task.subject)
            partner = unit.partners.get(fetch.partner_id)
            pull = unit.pulls.get(fetch.source_id)
            if task.is_given_up or pull is None:
                why = ("set_aside", "Its attempts crashed; it isn't tried again.")
                gone = ("not_pulled", "The source isn't fetched any more.")
                self._fail(unit, task, fetch, JobError(*(why if task.is_given_up else gone)))
                return None if task.is_given_up else 0
        try:
            partner.check_may_send()
            return self._tried(task, fetch, pull)()
        except FetchFailed as failure:
            return self._after_failure(task, fetch, failure)
        except Unreachable as error:
            again = error.code in _AGAIN
            failure = FetchFailed(error.code, str(error), again=again)
            return self._after_failure(task, fetch, failure)
        except _OWN as error:
            return self._after_failure(task, fetch, FetchFailed(error.code, _reason(error)))

    def _tried(self, task: Task, fetch: Fetch, pull: Pull) -> Callable[[], int]:
        """Tries, and returns what ends the task.

        That isn't done under the lease: its renewal would find the task gone.
        """
        access = access_of(self._context, pull)
        place = pull.place if fetch.backfill is None else fetch.backfill.place(pull.place)
        taking = Taking(self._context, evolve(pull, place=place), access, self._watch())
        taken: Taken | None = None
        try:
            with self._context.keep_lease(task, "") as show:
                if not isinstance(place, HttpsPlace):
                    with connect(self._context, place, access) as remote:
                        folders = Folders(self._context, task, fetch, pull, place, taking)
                        result = folders.take_all(remote, show)
                    return lambda: self._end_look(task, folders, result)
                taken = self._take(pull, taking, show)
        except BaseException:
            if taken is not None:
                taking.drop(taken)
            raise
        return lambda: self._keep(task, fetch, pull, taking, taken)

    def _take(self, pull: Pull, taking: Taking, show: Show) -> Taken | None:
        """Stores the one file; None if it is as it was last time."""
        with connect(self._context, pull.place, taking.access) as remote:
            (listed,) = remote.files()
            known = listed
            if pull.sha256 is not None:
                known = evolve(listed, etag=pull.etag, last_modified=pull.last_modified)
            with remote.open(known) as opened:
                return None if opened is None else taking.store(opened, show)

    def _end_look(self, task: Task, folders: Folders, result: Result) -> int:
        """Ends the fetch of a folder, or gives it back if another look may take more."""
        with self._context.store.begin() as unit:
            if result.more:
                # A new task is due after those that wait, and has its tries before it.
                unit.fetches.finish(folders.outcome(unit, result, ended=False))
                unit.tasks.finish(task)
                unit.tasks.add(task.kind, task.subject)
            elif result.again and task.attempts < MOST_TRIES:
                unit.tasks.give_back(task, SETTLE + timedelta(seconds=1))
            else:
                self._end(unit, task, folders.outcome(unit, result))
        return result.feeds

    def _after_failure(self, task: Task, fetch: Fetch, failure: FetchFailed) -> int:
        with self._context.store.begin() as unit:
            if failure.again and task.attempts < MOST_TRIES:
                chance = self._context.entropy(1)[0] / 255
                unit.tasks.give_back(task, pause_before(task.attempts, failure.after, chance))
            else:
                self._fail(unit, task, fetch, JobError(failure.code, str(failure)))
        return 0

    def _fail(self, unit: UnitOfWork, task: Task, fetch: Fetch, error: JobError) -> None:
        self._end(unit, task, evolve(Folders.counted(unit, fetch), outcome="failed", error=error))

    def _end(self, unit: UnitOfWork, task: Task, fetch: Fetch) -> None:
        ended = evolve(fetch, finished_at=self._context.clock(), tries=task.attempts)
        unit.fetches.finish(ended)
        if ended.backfill is not None:
            unit.events.add([self._context.new_event().backfilled(ended)])
        unit.tasks.finish(task)

    def _watch(self) -> Callable[[], float]:
        """How many seconds of this try are left."""
        since = self._context.clock()
        return lambda: max(1.0, FETCH_SECONDS - (self._context.clock() - since).total_seconds())

    def _keep(
        self, task: Task, fetch: Fetch, pull: Pull, taking: Taking, taken: Taken | None
    ) -> int:
        """Makes the feed, unless the bytes are those of last time, and ends the fetch."""
        try:
            with self._context.store.begin() as unit:
                ended = self._kept(unit, fetch, pull, taking, taken)
                self._end(unit, task, ended)
        except BaseException:
            if taken is not None:
                taking.drop(taken)
            raise
        if taken is not None and not ended.feeds:
            taking.drop(taken)
        return ended.feeds

    def _kept(
        self, unit: UnitOfWork, fetch: Fetch, pull: Pull, taking: Taking, taken: Taken | None
    ) -> Fetch:
        unit.partners.lock_shared(fetch.partner_id)  # Before its pulls, as offboarding locks them.
        now_set = unit.pulls.lock(fetch.source_id)
        if taken is None:
            return evolve(fetch, outcome="unchanged")
        stored = taken.stored
        ended = evolve(fetch, outcome="unchanged", bytes=stored.bytes)
        is_same_place = now_set is not None and now_set.place == pull.place
        last = now_set.sha256 if now_set else None
        if stored.sha256 != last or not is_same_place:
            ended = evolve(ended, outcome="fetched", feeds=1, feed_id=taking.feed(unit, taken))
        if now_set is not None and is_same_place:
            file = taken.file
            unit.pulls.put(
                evolve(
                    now_set,
                    etag=file.etag,
                    last_modified=file.last_modified,
                    sha256=stored.sha256,
                )
            )
        return ended


def _reason(error: CommerceError) -> str:
    faults = error.faults if isinstance(error, InvalidInput) else ()
    return faults[0].detail if faults else str(error)
