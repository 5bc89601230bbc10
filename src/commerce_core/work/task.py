"""Tasks: what workers do that is no feed's job, in which lane, and how often.

A task is one kind of work about one subject. Lanes run beside each other, so that what waits in one
never delays another. To add a kind:

1. its name to `TaskKind`, and to its lane in `LANES` (a new lane to `Lane` and to `POLL_EVERY`);
2. what runs it to `usecases.tasks.run_task`; pyright lists the places that are missing;
3. who adds its tasks: a use case with `unit.tasks.add`, or `CHORES` if it is due again and again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from attrs import field, frozen

from commerce_core.work.attempt import (
    MOST_CRASHED_ATTEMPTS,
    MOST_DISCONNECTED_ATTEMPTS,
    Progress,
)

Lane = Literal[
    "feeds", "small_feeds", "chores", "webhooks", "fetches", "queues", "what_ifs", "bulk_acts",
    "alerts",
]  # fmt: skip
"""What a thread of a worker takes its work from.

`feeds` has all jobs, `small_feeds` those of small feeds, `webhooks` has deliveries, and the others
have tasks: `fetches` calls servers of partners, and `alerts` servers of mail, which may take long;
`queues` looks into those that report new files, `what_ifs` reads many orders or entries, and
`chores` has what is soon done.
"""
TaskKind = Literal[
    "forget_events", "forget_versions", "forget_deliveries", "close_statements", "check_statements",
    "roll_up_sales", "expire_orders", "watch_freshness", "forget_arrivals",
    "reseal_secrets",
    "fetch",
    "backfill",
    "watch_queues",
    "run_what_if",
    "act_in_bulk",
    "send_alerts",
]  # fmt: skip
"""What can be done beside the jobs of feeds."""

LANES: Final[Mapping[Lane, tuple[TaskKind, ...]]] = {
    "feeds": (),
    "small_feeds": (),
    "chores": (
        "forget_events",
        "forget_versions",
        "forget_deliveries",
        "close_statements",
        "roll_up_sales",
        "expire_orders",
        "watch_freshness",
        "forget_arrivals",
        "reseal_secrets",
    ),
    "webhooks": (),
    "fetches": ("fetch", "backfill"),
    "queues": ("watch_queues",),
    "what_ifs": ("run_what_if", "check_statements"),
    "bulk_acts": ("act_in_bulk",),
    "alerts": ("send_alerts",),
}
"""Each lane, and the kinds of tasks in it."""
CHORES: Final[Mapping[TaskKind, timedelta]] = {
    "forget_events": timedelta(hours=1),
    "forget_versions": timedelta(hours=1),
    "forget_deliveries": timedelta(hours=1),
    "close_statements": timedelta(hours=1),
    "check_statements": timedelta(days=1),
    "roll_up_sales": timedelta(minutes=1),
    "expire_orders": timedelta(minutes=1),
    "watch_freshness": timedelta(minutes=1),
    "forget_arrivals": timedelta(hours=1),
    "reseal_secrets": timedelta(hours=1),
    "send_alerts": timedelta(minutes=1),
    "watch_queues": timedelta(seconds=20),
}
"""The tasks that are due again and again, by time, and their periods."""


@frozen
class Task:
    """One kind of work about one subject; the platform's chores have the subject ``""``.

    `number` is the store's name for it. `attempts` counts all claims, the other two those since it
    was last finished that crashed, or that lost the store or the connection to it.
    """

    number: int
    kind: TaskKind
    subject: str
    status: Literal["queued", "running"]
    due_at: datetime
    attempts: int = 0
    crashed_attempts: int = 0
    disconnected_attempts: int = 0
    started_at: datetime | None = None
    progress: Progress = field(factory=Progress)

    @property
    def is_given_up(self) -> bool:
        """Whether too many attempts at it have crashed or were disconnected to try once more."""
        return (
            self.crashed_attempts >= MOST_CRASHED_ATTEMPTS
            or self.disconnected_attempts >= MOST_DISCONNECTED_ATTEMPTS
        )


def lane_of(kind: TaskKind) -> Lane:
    """The lane in which tasks of that kind are done."""
    return next(lane for lane, kinds in LANES.items() if kind in kinds)


def next_due(due_at: datetime, now: datetime, every: timedelta) -> datetime:
    """The next moment after `now` on the grid of that period; periods that were missed are one."""
    return due_at + every * ((now - due_at) // every + 1)
