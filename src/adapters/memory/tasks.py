"""Tasks in memory, and their leases."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, frozen

from adapters.memory.tables import Tables
from commerce_core.base.errors import RunLost
from commerce_core.ports.runtime import Clock
from commerce_core.work.attempt import Progress
from commerce_core.work.task import LANES, Lane, Task, TaskKind, next_due

_AT_ONCE: Final = timedelta()


@frozen
class Tasks:
    """Implements `commerce_core.ports.work.Tasks`."""

    _kept: Tables
    _clock: Clock

    def add(self, kind: TaskKind, subject: str = "", pause: timedelta = _AT_ONCE) -> bool:
        """Keeps a new task."""
        if self.find(kind, subject) is not None:
            return False
        number = self._kept.numbers.get("tasks", 0) + 1
        self._kept.numbers["tasks"] = number
        due_at = self._clock() + pause
        self._kept.tasks[number] = Task(number, kind, subject, "queued", due_at)
        self._kept.task_leases[number] = due_at
        return True

    def find(self, kind: TaskKind, subject: str = "") -> Task | None:
        """The task of that kind about that subject."""
        tasks = self._kept.tasks.values()
        return next((t for t in tasks if (t.kind, t.subject) == (kind, subject)), None)

    def drop(self, kind: TaskKind, subject: str) -> bool:
        """Deletes the task."""
        task = self.find(kind, subject)
        if task is None:
            return False
        del self._kept.tasks[task.number]
        del self._kept.task_leases[task.number]
        return True

    def claim(
        self, lane: Lane, at: datetime, lease: timedelta, per_host: int | None = None
    ) -> Task | None:
        """The next task of the lane, running now."""
        now, free_at = self._clock(), self._kept.task_leases
        due = [
            task
            for task in self._kept.tasks.values()
            if task.kind in LANES[lane] and free_at[task.number] <= now
        ]
        if per_host is not None:
            running = Counter(
                self._host(task)
                for task in self._kept.tasks.values()
                if task.status == "running" and free_at[task.number] > now
            )
            full = {host for host, count in running.items() if host and count >= per_host}
            due = [task for task in due if self._host(task) not in full]
        if not due:
            return None
        first = min(due, key=lambda task: free_at[task.number])
        task = evolve(
            first,
            status="running",
            attempts=first.attempts + 1,
            crashed_attempts=first.crashed_attempts + (first.status == "running"),
            started_at=at,
        )
        self._keep(task, now + lease)
        return task

    def _host(self, task: Task) -> str | None:
        """The host that a fetch is from."""
        fetch = self._kept.fetches.get(task.subject)
        pull = fetch and self._kept.pulls.get(fetch.source_id)
        return pull.place.host if pull else None

    def renew(
        self,
        task: Task,
        progress: Progress,
        lease: timedelta,
        session: str | None = None,  # noqa: ARG002 - there is no session that outlives its unit
    ) -> None:
        """Extends the lease of this attempt."""
        self._keep(evolve(self._current(task), progress=progress), self._clock() + lease)

    def give_back(self, task: Task, pause: timedelta, *, disconnected: bool = False) -> None:
        """Queues the task again."""
        current = self._current(task)
        severed = current.disconnected_attempts + disconnected
        given = evolve(current, status="queued", disconnected_attempts=severed)
        self._keep(given, self._clock() + pause)

    def finish(self, task: Task, every: timedelta | None = None) -> None:
        """Ends this attempt."""
        current = self._current(task)
        if every is None:
            del self._kept.tasks[task.number]
            del self._kept.task_leases[task.number]
            return
        due_at = next_due(current.due_at, self._clock(), every)
        again = evolve(
            current,
            status="queued",
            due_at=due_at,
            crashed_attempts=0,
            disconnected_attempts=0,
            progress=Progress(),
        )
        self._keep(again, due_at)

    def _keep(self, task: Task, free_at: datetime) -> None:
        self._kept.tasks[task.number] = task
        self._kept.task_leases[task.number] = free_at

    def _current(self, task: Task) -> Task:
        """The running task as it is kept; RunLost unless it still is this very attempt."""
        kept = self._kept.tasks.get(task.number)
        if kept is None or kept.status != "running" or kept.attempts != task.attempts:
            raise RunLost(f"Attempt {task.attempts} no longer runs the task {task.kind}.")
        return kept
