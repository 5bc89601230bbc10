"""What the collection of tasks promises: one of a kind about a subject, claimed when it is due."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from commerce_core.base.errors import RunLost
from commerce_core.ports.store import Store
from commerce_core.work.attempt import Progress
from commerce_core.work.task import Task, TaskKind
from tests.contracts.samples import DAY, MINUTE, T0
from tests.contracts.threads import together
from tests.support.waiting import outlast, pause

SHORT = timedelta(milliseconds=30)
"""A lease, a pause or a period that a test can outlive."""
EVENTS: TaskKind = "forget_events"
VERSIONS: TaskKind = "forget_versions"


def add(
    store: Store, kind: TaskKind = EVENTS, subject: str = "", pause: timedelta = timedelta()
) -> bool:
    with store.begin() as unit:
        return unit.tasks.add(kind, subject, pause)


def claim(store: Store, lease: timedelta = MINUTE) -> Task | None:
    with store.begin() as unit:
        return unit.tasks.claim("chores", T0, lease)


def claimed(store: Store, lease: timedelta = MINUTE) -> Task:
    task = claim(store, lease)
    assert task is not None
    return task


def kept(store: Store, kind: TaskKind = EVENTS, subject: str = "") -> Task | None:
    with store.begin() as unit:
        return unit.tasks.find(kind, subject)


def give_back(
    store: Store, task: Task, pause: timedelta = timedelta(), *, disconnected: bool = False
) -> None:
    with store.begin() as unit:
        unit.tasks.give_back(task, pause, disconnected=disconnected)


def finish(store: Store, task: Task, every: timedelta | None = None) -> None:
    with store.begin() as unit:
        unit.tasks.finish(task, every)


class TestTasks:
    # --- which tasks there are --------------------------------------------------------------------

    def test_a_task_is_kept_once(self, store: Store):
        """`add` keeps one of a kind about a subject; one that is there stays as it is."""
        assert add(store)
        first = kept(store)
        assert first is not None
        assert (first.kind, first.subject, first.status, first.attempts) == (
            EVENTS,
            "",
            "queued",
            0,
        )
        assert not add(store, pause=DAY)
        assert kept(store) == first
        assert add(store, VERSIONS)
        assert add(store, subject="ptn_1")
        assert kept(store, subject="ptn_2") is None

    def test_workers_that_start_at_once_add_one(self, store: Store):
        """Of eight that add the same task at the same moment one does."""
        assert sorted(together(*[lambda: add(store)] * 8)) == [False] * 7 + [True]

    def test_a_task_that_is_undone_was_never_added(self, store: Store):
        """`add` in a unit that rolls back leaves nothing."""
        with store.begin(dry_run=True) as unit:
            unit.tasks.add(EVENTS)
        assert kept(store) is None

    # --- claims -----------------------------------------------------------------------------------

    def test_a_lane_has_its_own_kinds(self, store: Store):
        """`claim` in another lane finds nothing: what waits in one never delays another."""
        add(store)
        with store.begin() as unit:
            assert unit.tasks.claim("feeds", T0, MINUTE) is None
        assert claim(store)

    def test_a_claimed_task_is_running(self, store: Store):
        """It is running since the moment given, as one more attempt; so it is kept."""
        add(store)
        waiting = kept(store)
        assert waiting is not None
        task = claimed(store)
        assert task == evolve(waiting, status="running", attempts=1, started_at=T0)
        assert kept(store) == task
        assert claim(store) is None

    def test_a_task_is_claimed_when_it_is_due(self, store: Store):
        """Not before its pause is over; the task that is due longest comes first."""
        add(store, EVENTS, "later", pause=DAY)
        assert claim(store) is None
        add(store, EVENTS, pause=SHORT + timedelta(seconds=0.5))
        add(store, VERSIONS, pause=SHORT)
        outlast(SHORT + timedelta(seconds=0.5))
        assert [claimed(store).kind, claimed(store).kind] == [VERSIONS, EVENTS]
        assert claim(store) is None

    def test_every_task_is_claimed_once(self, store: Store):
        """Of many workers that claim at once, no two get the same task, and none is left out."""
        for number in range(12):
            add(store, subject=str(number))
        taken: list[str] = []

        def work() -> None:
            while task := claim(store):
                taken.append(task.subject)

        together(*[work] * 8)
        while task := claim(store):
            taken.append(task.subject)
        assert sorted(taken) == sorted(str(number) for number in range(12))

    def test_an_expired_lease_is_taken_over(self, store: Store):
        """The next claim is another attempt, and counts a crashed one."""
        add(store)
        first = claimed(store, SHORT)
        outlast(SHORT)
        second = claimed(store)
        assert claim(store) is None
        assert second == evolve(first, attempts=2, crashed_attempts=1)

    def test_renewing_keeps_the_task(self, store: Store):
        """`renew` extends the lease, so no other attempt takes over; it shows the progress."""
        add(store)
        task = claimed(store, SHORT)
        progress = Progress("forget", records=7)
        with store.begin() as unit:
            unit.tasks.renew(task, progress, MINUTE, unit.session)
        outlast(SHORT)
        assert claim(store) is None
        assert kept(store) == evolve(task, progress=progress)

    # --- ends -------------------------------------------------------------------------------------

    def test_a_task_given_back_waits_for_the_end_of_its_pause(self, store: Store):
        """It counts as a disconnected attempt if it was one, and as no crashed one."""
        add(store)
        give_back(store, claimed(store), SHORT)
        outlast(SHORT)
        give_back(store, claimed(store), DAY, disconnected=True)
        assert claim(store) is None
        task = kept(store)
        assert task is not None
        assert task.status == "queued"
        assert (task.attempts, task.crashed_attempts, task.disconnected_attempts) == (2, 0, 1)

    def test_a_finished_task_is_gone(self, store: Store):
        """Another about the same subject can be added then."""
        add(store)
        finish(store, claimed(store))
        assert kept(store) is None
        assert claim(store) is None
        assert add(store)

    def test_a_dropped_task_is_gone_also_for_the_attempt_that_runs_it(self, store: Store):
        add(store)
        running = claimed(store)
        add(store, VERSIONS)
        with store.begin() as unit:
            assert unit.tasks.drop(EVENTS, "")
            assert unit.tasks.drop(VERSIONS, "")
            assert not unit.tasks.drop(VERSIONS, "")
        assert kept(store) is kept(store, VERSIONS) is None
        for act in (finish, give_back):
            with pytest.raises(RunLost):
                act(store, running)

    def test_a_task_with_a_period_is_due_again(self, store: Store):
        """Its next moment is a period later, its counts of failures begin anew."""
        add(store)
        give_back(store, claimed(store), disconnected=True)
        outlast(SHORT)
        task = claimed(store, SHORT)
        outlast(SHORT)
        task = claimed(store)
        assert (task.crashed_attempts, task.disconnected_attempts) == (1, 1)
        finish(store, task, DAY)
        again = evolve(
            task, status="queued", due_at=task.due_at + DAY, crashed_attempts=0,
            disconnected_attempts=0,
        )  # fmt: skip
        assert kept(store) == again
        assert claim(store) is None

    def test_periods_that_were_missed_are_one(self, store: Store):
        """After a time without workers a task runs once, and then on the grid it was on."""
        add(store)
        task = claimed(store)
        pause(0.1)
        finish(store, task, SHORT)
        again = kept(store)
        assert again is not None
        assert again.due_at > task.due_at + 3 * SHORT
        assert (again.due_at - task.due_at) % SHORT == timedelta()
        assert again.due_at - datetime.now(UTC) <= SHORT

    def test_a_lost_attempt_ends_nothing(self, store: Store):
        """What was taken over, given back or finished renews, gives back and finishes nothing."""
        add(store)
        first = claimed(store, SHORT)
        outlast(SHORT)
        second = claimed(store)
        for lost, ended in ((first, False), (second, True)):
            if ended:
                finish(store, second, SHORT)
                outlast(2 * SHORT)
                third = claimed(store)
                assert third.attempts == 3  # an old attempt never passes for a new one
            with pytest.raises(RunLost):
                finish(store, lost)
            with pytest.raises(RunLost):
                finish(store, lost, DAY)
            with pytest.raises(RunLost):
                give_back(store, lost)
            with pytest.raises(RunLost), store.begin() as unit:
                unit.tasks.renew(lost, Progress(), DAY)
        task = kept(store)
        assert task is not None
        assert (task.status, task.attempts) == ("running", 3)
