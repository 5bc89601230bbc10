"""Ports: the work that workers claim. Jobs and tasks share leases, by the store's clock."""

from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias, TypeVar

from commerce_core.feeds.job import Job
from commerce_core.work.attempt import Progress
from commerce_core.work.task import Lane, Task, TaskKind

_AT_ONCE: Final = timedelta()
W_contra = TypeVar("W_contra", contravariant=True)
Work: TypeAlias = Job | Task
"""What a worker claims and runs."""


class Leased(Protocol[W_contra]):
    """A collection of work; each attempt holds a lease.

    A claim counts as a crashed attempt if it takes over work whose lease has expired, or as a
    disconnected one if the store was down when it expired; the former run's session is ended first.
    """

    def renew(
        self, work: W_contra, progress: Progress, lease: timedelta, session: str | None = None, /
    ) -> None:
        """Extends this attempt's lease and records its progress; RunLost if it was taken over.

        `session` names the unit in which the attempt now works; it is empty for none. A store that
        crashes may lose a renewal: no unit survives that, so the attempt is over.
        """
        ...

    def give_back(self, work: W_contra, pause: timedelta, /, *, disconnected: bool = False) -> None:
        """Ends this attempt and its session, undone, and queues the work again.

        It isn't claimed before the pause is over. This doesn't count as a crashed attempt; it
        counts as a disconnected one if `disconnected`. RunLost if the attempt was taken over, or
        has finished.
        """
        ...


class Tasks(Leased[Task], Protocol):
    """Tasks due or under way, at most one of a kind per subject."""

    def add(self, kind: TaskKind, subject: str = "", pause: timedelta = _AT_ONCE) -> bool:
        """Stores a new task, due after the pause; False if one of that kind and subject exists."""
        ...

    def find(self, kind: TaskKind, subject: str = "") -> Task | None:
        """The task of that kind and subject."""
        ...

    def drop(self, kind: TaskKind, subject: str) -> bool:
        """Deletes the task; an attempt that runs it loses it. False if there is none."""
        ...

    def claim(
        self, lane: Lane, at: datetime, lease: timedelta, per_host: int | None = None
    ) -> Task | None:
        """Claims the lane's task that has been due longest, or whose lease expired: running now.

        `at` is when the attempt starts. Kinds that this version doesn't know are skipped. If given,
        at most `per_host` tasks about fetches from one host run at once: further ones are passed
        over, whichever workers run those. None if there is nothing to claim.
        """
        ...

    def finish(self, task: Task, every: timedelta | None = None) -> None:
        """Ends this attempt: the task is deleted, or due again as `next_due` determines.

        RunLost if the attempt was taken over, or has finished.
        """
        ...


class WorkUnit(Protocol):
    """The part of a unit of work for tasks."""

    @property
    def tasks(self) -> Tasks:
        """What workers do besides the jobs of feeds."""
        ...
