"""Tasks: what runs each kind of them, in the one place where a new kind is registered."""

from typing import assert_never

from commerce_core.usecases.context import Context
from commerce_core.usecases.events import Events
from commerce_core.usecases.history import History
from commerce_core.work.task import Task


def run_task(context: Context, task: Task) -> int:
    """Does what a task is for, and returns how many things it changed.

    It may run again after a crash, so doing it twice has to be the same as doing it once.
    """
    match task.kind:
        case "forget_events":
            return Events(context).forget_old()
        case "forget_versions":
            return History(context).forget_old()
        case _:
            assert_never(task.kind)
